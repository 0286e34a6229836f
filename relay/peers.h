/* relay/peers - the nodes that use this relay, by small numbers that channels can keep.
 * Owner:  the front.
 * Thread: the relay loop.
 * Life:   relay_peers_init -> (add | kill | sweep_begins, sweep_ends)* -> relay_peers_fini
 *
 * A channel keeps a slot for each subscribed peer: 4 bytes, and no list per peer that would cost ten times as
 * much. When a peer is gone its slot leads nowhere at once, which takes no time however many channels it was in.
 * It lingers for a while, in which the peer may be back with another slot; then it is dead: the directory's sweep
 * takes dead slots out of the channels, and only a slot that a whole sweep has passed over is used again.
 *
 * A node that has no link with this relay can stand behind another relay, which forwards for it (FORWARD, BACK): it has a
 * slot as well, with that relay's link.
 */
#ifndef HEDDLE_RELAY_PEERS_H
#define HEDDLE_RELAY_PEERS_H

#include "protocol/link.h"

typedef uint32_t relay_peer_slot_t;

#define RELAY_NO_PEER UINT32_MAX /* nobody: what is sent there is gone */

typedef struct relay_peers {
    struct relay_peer *slots; /* owned */
    size_t count;             /* slots in use, lingering or dead */
    size_t dead;              /* of these, waiting for a sweep */
    size_t waning;            /* of these, still to be told something, or not given up yet */
    uint64_t sweep;           /* the number of the last sweep that began */
    buf_t scratch;            /* for BACK */
    uint64_t overflows;       /* peers cut off because their window was full */
} relay_peers_t;

void relay_peers_init(relay_peers_t *self);
void relay_peers_fini(relay_peers_t *self);

/* Borrows the link until kill. Its slot can be had from the link: relay_peers_slot. */
relay_peer_slot_t relay_peers_add(relay_peers_t *self, link_t *link);

/* The slot of a node behind a relay, found or made; borrows the link until kill. */
relay_peer_slot_t relay_peers_behind(relay_peers_t *self, link_t *relay, uint64_t node);

/* RELAY_NO_PEER if there is none. */
relay_peer_slot_t relay_peers_find_behind(const relay_peers_t *self, const link_t *relay, uint64_t node);

relay_peer_slot_t relay_peers_find_any_behind(const relay_peers_t *self, uint64_t node);

/* A link that was reset is up again, and its clients have joined again, in a fraction of this: so nobody is told
 * that they have left. */
#define RELAY_PEER_LINGER_US 2000000u

void relay_peers_kill(relay_peers_t *self, relay_peer_slot_t slot, uint64_t now_us);
void relay_peers_kill_behind(relay_peers_t *self, const link_t *relay, uint64_t now_us); /* all of them */

/* A slot of a node that another relay knew, and that is not here (yet): it lingers. Found or made. */
relay_peer_slot_t relay_peers_absent(relay_peers_t *self, uint64_t node, uint64_t now_us);

relay_peer_slot_t relay_peers_slot(const link_t *link);

/* The link that leads to it. NULL = lingering, dead, or nobody. */
link_t *relay_peers_link(const relay_peers_t *self, relay_peer_slot_t slot);
bool relay_peers_live(const relay_peers_t *self, relay_peer_slot_t slot);
bool relay_peers_dead(const relay_peers_t *self, relay_peer_slot_t slot); /* neither live nor lingering */
bool relay_peers_is_behind(const relay_peers_t *self, relay_peer_slot_t slot);
uint64_t relay_peers_node(const relay_peers_t *self, relay_peer_slot_t slot); /* its id; 0 = not live */

/* The id of a slot's node, which may be lingering, too; 0 = dead. */
uint64_t relay_peers_last_node(const relay_peers_t *self, relay_peer_slot_t slot);

/* Sends one encoded envelope. Whose window is full has fallen behind for good and is cut off: its link is reset, or the relay
 * that forwards for it is told to do that; it starts again from its positions, and nobody else waits for it. OK,
 * ERR_CLOSED (nobody there), ERR_FULL (cut off). */
int relay_peers_send(relay_peers_t *self, relay_peer_slot_t slot, span_t encoded, uint64_t now_us);

/* Tells relays of those behind them who were cut off, as far as there is room. Who has lingered for long enough is
 * dead. Once a turn. */
void relay_peers_tick(relay_peers_t *self, uint64_t now_us);

/* Has something been forwarded for this peer, that owners keep as long as it is here? */
void relay_peers_set_forwarded(relay_peers_t *self, relay_peer_slot_t slot);
bool relay_peers_forwarded(const relay_peers_t *self, relay_peer_slot_t slot);

/* Walks those who live and have a link of their own: for (slot = 0; (link = relay_peers_next(p, &slot)) != NULL;). */
link_t *relay_peers_next(const relay_peers_t *self, relay_peer_slot_t *at);

void relay_peers_sweep_begins(relay_peers_t *self);
void relay_peers_sweep_ends(relay_peers_t *self); /* frees what was dead before it began */

#endif
