/* sim/virtual_fabric - a fabric in memory: real nodes in one process, on one virtual clock, with a network in
 * place of sockets. A port is one node's place on it and turns as fabric/sockets does.
 * Owner:  a test or a simulation embeds it; a port is embedded in its party (virtual_edge, virtual_relay, ...).
 * Thread: one.
 * Life:   virtual_fabric_init -> (join | leave | run)* -> virtual_fabric_fini; parties come and go between
 *         runs, never within one
 */
#ifndef HEDDLE_TESTS_SIM_VIRTUAL_FABRIC_H
#define HEDDLE_TESTS_SIM_VIRTUAL_FABRIC_H

#include "base/list.h"
#include "fabric/node.h"
#include "tests/sim/network.h"

/* Messages that wait for a port that does not turn; then its senders get ERR_AGAIN, as with a full pipe. */
#define VIRTUAL_PIPE 1000u

typedef struct virtual_fabric {
    uint64_t now_us;
    random_t random;
    network_t network;
    list_t ports;
} virtual_fabric_t;

typedef struct virtual_port {
    list_node_t of_fabric;
    virtual_fabric_t *fabric; /* borrowed; NULL = not there */
    node_t *node;             /* borrowed */
    bool accepts;
    void (*turn)(void *context, uint64_t now_us); /* before the links are flushed; may be NULL */
    uint64_t (*due)(void *context);               /* when a turn is due beside the node's; may be NULL */
    void *context;                                /* borrowed */
    flight_t **inbox;                             /* owned, and the flights: what came while it was stalled */
    size_t inbox_count;

    /* What goes wrong; for the test to set. */
    unsigned host; /* its number, below 64, so that others can be deaf to it */
    uint64_t deaf; /* a bit for each host whose messages don't arrive here */
    bool cut;      /* what it sends, and what is for it, is lost */
    bool stalled;  /* its loop does not turn */
    bool blocked;  /* it can send nothing: ERR_AGAIN */
    unsigned lose; /* so many of the next messages that it sends are lost */
} virtual_port_t;

/* A run with the same seed is the same run. */
void virtual_fabric_init(virtual_fabric_t *self, uint64_t seed);
void virtual_fabric_fini(virtual_fabric_t *self);

/* The port's node, accepts, turn and context are set; the rest is zero. */
void virtual_fabric_join(virtual_fabric_t *self, virtual_port_t *port);
void virtual_fabric_leave(virtual_port_t *port);

/* node_events.send */
int virtual_port_send(virtual_port_t *self, span_t message);

/* A message from nowhere, straight to a port's node. */
void virtual_port_inject(virtual_port_t *self, span_t message);

/* Lets so much time pass. */
void virtual_fabric_run(virtual_fabric_t *self, uint64_t time_us);

/* Lets time pass until it is true; false: it is not, after so long. */
bool virtual_fabric_run_until(virtual_fabric_t *self, bool (*condition)(void *context), void *context,
                              uint64_t patience_us);

#endif
