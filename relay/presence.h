/* relay/presence - which clients are in one channel.
 * Owner:  a channel, where its namespace has presence or join_leave on.
 * Thread: the relay loop.
 * Life:   relay_presence_new -> (join | leave | ...)* -> relay_presence_destroy
 */
#ifndef HEDDLE_RELAY_PRESENCE_H
#define HEDDLE_RELAY_PRESENCE_H

#include "protocol/envelope.h"
#include "relay/peers.h"

typedef struct relay_presence relay_presence_t;

relay_presence_t *relay_presence_new(void);
void relay_presence_destroy(relay_presence_t **self_p);

/* A client of that peer's is in the channel; a second join of the same client replaces the first. true: that is
 * news, nobody has been told of it and not of its leaving since. */
bool relay_presence_join(relay_presence_t *self, const envelope_join_t *join, relay_peer_slot_t peer);

/* Hears of a client that has left; all is lent for the call. */
typedef void relay_presence_left_fn(void *context, span_t client, span_t user, span_t info);

/* Only the peer that it came from can take it away; `left` hears of it. */
void relay_presence_leave(relay_presence_t *self, span_t client, relay_peer_slot_t peer,
                          relay_presence_left_fn *left, void *context);

/* Takes away the clients of all peers that are dead. `left` hears of `*most` of them, which is counted down; of the
 * others in further calls. true: it has heard of all. */
bool relay_presence_sweep(relay_presence_t *self, const relay_peers_t *peers, size_t *most,
                          relay_presence_left_fn *left, void *context);

size_t relay_presence_count(const relay_presence_t *self);

/* Appends the ANSWER's list: [[client, user, info], ...] of peers that live. What would not fit into LIST_MAX
 * is left out: false then. */
bool relay_presence_list(const relay_presence_t *self, const relay_peers_t *peers, buf_t *out);

/* For another relay: [[client, user, info, node], ...] of peers that live or linger; as much as fits into LIST_MAX. */
void relay_presence_write(const relay_presence_t *self, const relay_peers_t *peers, buf_t *out);

/* A node's slot here. */
typedef relay_peer_slot_t relay_presence_slot_fn(void *context, uint64_t node);

/* Such a list takes the place of what is here, without a word: whoever listens was told by the other relay. */
void relay_presence_read(relay_presence_t *self, span_t list, relay_presence_slot_fn *slot_of, void *context);

/* How many clients, and how many different users (anonymous clients together count as one). */
void relay_presence_stats(const relay_presence_t *self, const relay_peers_t *peers, uint64_t *clients,
                          uint64_t *users);

#endif
