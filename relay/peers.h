/* relay/peers - the nodes that are linked to this relay, by small numbers that channels can keep.
 * Owner:  the front.
 * Thread: the relay loop.
 * Life:   relay_peers_init -> (add | kill | sweep_begins, sweep_ends)* -> relay_peers_fini
 *
 * A channel keeps a slot for each subscribed peer: 4 bytes, and no list per peer that would cost ten times as
 * much. When a peer is gone its slot is dead at once, which takes no time however many channels it was in;
 * the directory's sweep takes dead slots out of the channels, and only a slot that a whole sweep has passed
 * over is used again.
 */
#ifndef HEDDLE_RELAY_PEERS_H
#define HEDDLE_RELAY_PEERS_H

#include "protocol/link.h"

typedef uint32_t relay_peer_slot_t;

typedef struct relay_peers {
    struct relay_peer *slots; /* owned */
    size_t count;             /* slots in use or dead */
    size_t dead;              /* of these, waiting for a sweep */
    uint64_t sweep;           /* the number of the last sweep that began */
} relay_peers_t;

void relay_peers_init(relay_peers_t *self);
void relay_peers_fini(relay_peers_t *self);

/* Borrows the link until kill. Its slot can be had from the link: relay_peers_slot. */
relay_peer_slot_t relay_peers_add(relay_peers_t *self, link_t *link);
void relay_peers_kill(relay_peers_t *self, relay_peer_slot_t slot);

relay_peer_slot_t relay_peers_slot(const link_t *link);

/* NULL = dead. */
link_t *relay_peers_link(const relay_peers_t *self, relay_peer_slot_t slot);
bool relay_peers_live(const relay_peers_t *self, relay_peer_slot_t slot);

/* Walks those who live: for (slot = 0; (link = relay_peers_next(p, &slot)) != NULL;). */
link_t *relay_peers_next(const relay_peers_t *self, relay_peer_slot_t *at);

void relay_peers_sweep_begins(relay_peers_t *self);
void relay_peers_sweep_ends(relay_peers_t *self); /* frees what was dead before it began */

#endif
