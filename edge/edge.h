/* edge/edge - an edge as a process: its workers, signals, and what can be said of all of them together.
 * Owner:  main.
 * Thread: main; edge_live and edge_ready may be called from any.
 * Life:   edge_open -> edge_run (returns after a signal) -> edge_destroy
 */
#ifndef HEDDLE_EDGE_EDGE_H
#define HEDDLE_EDGE_EDGE_H

#include "edge/config.h"

typedef struct edge edge_t;

/* Borrows config for life. ERR_* with a sentence in `why`. */
int edge_open(edge_t **out, const edge_config_t *config, buf_t *why);

/* Serves until SIGTERM or SIGINT: then no new clients, all are closed with 3001, and it ends when they are gone, or after
 * EDGE_GRACE_US. A second signal ends it at once. */
void edge_run(edge_t *self);

void edge_destroy(edge_t **self_p);

/* Has the loop of every worker turned within the last 5 s? */
bool edge_live(const edge_t *self);

/* Can clients be served? Else appends why the first worker that can't does not, as items of a JSON array: "starting",
 * "draining", "no_relay", and which relay is silent (fabric/canary). */
bool edge_ready(const edge_t *self, buf_t *reasons);

#endif
