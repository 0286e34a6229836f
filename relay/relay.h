/* relay/relay - a relay as a process: loop, node, sockets, front and admin port; start and stop order.
 * Owner:  main.
 * Thread: main; everything runs in its one loop.
 * Life:   relay_open -> relay_run (returns after a signal) -> relay_destroy
 */
#ifndef HEDDLE_RELAY_RELAY_H
#define HEDDLE_RELAY_RELAY_H

#include "relay/config.h"

typedef struct relay relay_t;

/* Borrows config for life. ERR_* with a sentence in `why`. */
int relay_open(relay_t **out, const relay_config_t *config, buf_t *why);

/* Serves until SIGTERM or SIGINT; then says BYE to all and ends. A second signal ends at once. */
void relay_run(relay_t *self);

void relay_destroy(relay_t **self_p);

#endif
