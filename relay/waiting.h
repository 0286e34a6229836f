/* relay/waiting - requests for channels that can't be served yet: their owner is just becoming it.
 * Owner:  the front.
 * Thread: the relay loop.
 * Life:   relay_waiting_init -> (hold | take_all)* -> relay_waiting_fini
 */
#ifndef HEDDLE_RELAY_WAITING_H
#define HEDDLE_RELAY_WAITING_H

#include "base/list.h"
#include "relay/peers.h"

/* What may wait, in bytes. Publishers hold at most as much each (fabric/uplink), and send again what is refused. */
#define RELAY_WAITING_MAX (64u * 1024 * 1024)

typedef struct relay_request {
    list_node_t node;
    relay_peer_slot_t from;
    uint64_t asker; /* whose slot it was: by now it may be another one's */
    unsigned hops;
    size_t size;
    uint8_t bytes[]; /* the encoded envelope */
} relay_request_t;

typedef struct relay_waiting {
    list_t requests; /* of relay_request_t, in the order that they came */
    size_t bytes, count;
} relay_waiting_t;

void relay_waiting_init(relay_waiting_t *self);
void relay_waiting_fini(relay_waiting_t *self);

/* Copies the envelope. ERR_FULL. */
int relay_waiting_hold(relay_waiting_t *self, relay_peer_slot_t from, uint64_t asker, unsigned hops,
                       const envelope_t *envelope);

/* Moves all requests to `out`; each is to be freed with mem_free. */
void relay_waiting_take_all(relay_waiting_t *self, list_t *out);

#endif
