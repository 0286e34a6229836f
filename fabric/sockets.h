/* fabric/sockets - a node's PUB and SUB socket in a libuv loop.
 * Owner:  whoever owns the node.
 * Thread: the loop's; ZeroMQ has its own I/O thread behind it.
 * Life:   sockets_open -> sockets_start(node) -> ... -> sockets_close (idempotent) -> the loop runs on until
 * its handles are gone -> sockets_destroy
 *
 * ZeroMQ's descriptor is edge-triggered and any call on the socket may eat the edge. So uv_poll only notes
 * that there is something; uv_check takes messages until there is none or its time is over, and an idle handle
 * keeps the loop turning while there is more (docs/decisions/0004). Subscribed to: the node's own id, and the
 * hello address if it accepts.
 *
 * A node that accepts connects to its peers' deliveries only, since they connect to its own themselves: each must
 * list the other. An address of its own among them does no harm.
 *
 * With keys (fabric/curve), a node that binds lets in whom the gate lets in, and each message is handed on with the key
 * that its connection has shown. What comes over a connection that we made comes from a relay, since nobody else
 * has the relays' key.
 */
#ifndef HEDDLE_FABRIC_SOCKETS_H
#define HEDDLE_FABRIC_SOCKETS_H

#include <uv.h>

#include "base/buf.h"
#include "base/config.h"
#include "fabric/curve.h"
#include "fabric/handshakes.h"
#include "fabric/key_list.h"
#include "fabric/node.h"

typedef struct sockets sockets_t;

typedef struct sockets_options {
    const char *bind; /* "tcp://127.0.0.1:7700": the SUB socket there, the PUB socket one port above; NULL =
                         none. Port 0: any two free ports next to each other */
    const config_list_t *connect; /* where relays listen, checked by endpoint_check_connect; may be NULL */
    const curve_t *curve;         /* borrowed; NULL, or not on = no keys */
    const key_list_t *keys;       /* borrowed; with `bind` and keys: the gate's */
    uint64_t node_id;
    bool accepts;
    /* Once a turn, both may be NULL. Before what came in is handled; false: there is enough to do, leave it for the
     * next turn. */
    bool (*begin)(void *context, uint64_t now_us);
    /* After it, before the links are flushed. */
    void (*turn)(void *context, uint64_t now_us);
    void *context;
} sockets_options_t;

/* ERR_MALFORMED (an address), ERR_IO (bind); a sentence for people in `why`. */
int sockets_open(sockets_t **out, const sockets_options_t *options, buf_t *why);

/* Starts the node's turns in the loop, and the lookups of names to connect to; the node is told how many
 * relays to expect (node_set_expected). Borrows node until close. */
int sockets_start(sockets_t *self, uv_loop_t *loop, node_t *node);

/* node_events.send: OK, or ERR_AGAIN when the pipe is full. */
int sockets_send(sockets_t *self, span_t message);

/* The port of the SUB socket; 0 if not bound. */
uint16_t sockets_port(const sockets_t *self);

/* Asks for a turn soon (this loop's thread only): what was queued outside of one gets flushed. */
void sockets_wake(sockets_t *self);

/* Every connection ends and has to show its key again, since libzmq can't end a single one. What is on its way is lost, and
 * the links send it again; they last, if the other side is back before they miss too many heartbeats. */
void sockets_reopen(sockets_t *self);

/* Counted for metrics. */
typedef struct sockets_counts {
    uint64_t handshakes[HANDSHAKE_FAULT_COUNT]; /* that failed */
    uint64_t revoked;                           /* messages whose key is not let in any more */
} sockets_counts_t;

sockets_counts_t sockets_counts(const sockets_t *self);

void sockets_close(sockets_t *self);
void sockets_destroy(sockets_t **self_p);

#endif
