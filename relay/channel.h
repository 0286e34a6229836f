/* relay/channel - one named channel: its order, its history, who is present, and the peers that listen to it.
 * Owner:  relay/directory makes and destroys channels; nobody else does.
 * Thread: the relay loop. Nothing here locks, blocks or does I/O.
 * Life:   relay_channel_new -> (subscribe | unsubscribe | publish | ...)* -> relay_channel_destroy
 */
#ifndef HEDDLE_RELAY_CHANNEL_H
#define HEDDLE_RELAY_CHANNEL_H

#include "protocol/position.h"
#include "relay/history.h"
#include "relay/presence.h"

typedef struct relay_channel relay_channel_t;

/* What a relay of several has of a channel (docs/decisions/0009). */
typedef enum relay_tenure {
    RELAY_STRAY, /* what is left of an earlier view, or nothing yet: perhaps not the newest there is */
    RELAY_COPY,  /* kept for its owner: all that was ever confirmed is here */
    RELAY_OWNED  /* in force: this relay gives the offsets */
} relay_tenure_t;

/* Where the channel stands in the mesh; relay/tenure writes it. */
typedef struct relay_standing {
    uint32_t step;    /* of the mesh's steps, the last one that was judged */
    uint32_t tag;     /* number of the view in which it was owned or copied last */
    uint32_t waiting; /* publications that have an offset and wait for the replica */
    uint32_t held;    /* requests for it that have to wait (relay/waiting) */
    uint8_t tenure;   /* a relay_tenure_t */
    uint8_t giver;    /* whose STATE was taken last, by its place in the view; from 1 */
    bool copied : 1;  /* owned, and the replica of this view was sent what is here */
    bool foreign : 1; /* brought along from another lineage */
    bool renewed : 1; /* foreign, and its epoch may not go on */
} relay_standing_t;

/* What channels share; the front's. */
typedef struct relay_context {
    relay_peers_t peers;
    relay_store_t store;
    buf_t scratch;        /* where messages are encoded */
    uint64_t deliveries;  /* MSGs queued to links */
    uint64_t unrecovered; /* subscriptions that could not be continued from their position */
} relay_context_t;

/* `options` are borrowed for life. The epoch is made of `random`. */
relay_channel_t *relay_channel_new(span_t name, const channel_options_t *options, uint64_t random,
                                   uint64_t now_us);
void relay_channel_destroy(relay_channel_t **self_p, relay_context_t *context);

span_t relay_channel_name(const relay_channel_t *self);
position_t relay_channel_position(const relay_channel_t *self); /* of the newest message */
const channel_options_t *relay_channel_options(const relay_channel_t *self);
size_t relay_channel_subscribers(const relay_channel_t *self);

/* Asks for the memory that it needs next, to be in the processor's cache soon: the channel's own, and then what its
 * publications need. Each stage looks at what the one before has asked for. */
#define RELAY_CHANNEL_STAGES 3u
void relay_channel_fetch(const relay_channel_t *self, unsigned stage);

/* Its place in the directory's array; the directory's business. */
uint32_t relay_channel_place(const relay_channel_t *self);
void relay_channel_set_place(relay_channel_t *self, uint32_t place);

/* Its business: relay/tenure. */
relay_standing_t *relay_channel_standing(relay_channel_t *self);

/* Subscribes the peer and sends it SUB_OK, and what it has missed since `from` (unknown: nothing) if
 * all of that is still here. `request` is the peer's own number of what it asks, and stands in the answer. Idempotent. */
void relay_channel_subscribe(relay_channel_t *self, relay_context_t *context, relay_peer_slot_t peer,
                             position_t from, uint64_t request, uint64_t now_us);
void relay_channel_unsubscribe(relay_channel_t *self, relay_peer_slot_t peer, uint64_t now_us);

/* Gives the publication the next place, behind those that wait. The encoded MSG is in context->scratch. `wall_us` goes
 * into it. */
position_t relay_channel_place_next(relay_channel_t *self, relay_context_t *context,
                                    const envelope_pub_t *publication, uint64_t now_us, uint64_t wall_us);

/* The message that has the next place is in force: keeps it, and sends it to all who listen. Who does not keep up is cut
 * off; the others notice nothing. `encoded` may lie in context->scratch. */
void relay_channel_commit(relay_channel_t *self, relay_context_t *context, span_t encoded, uint64_t now_us);

/* Both at once. */
position_t relay_channel_publish(relay_channel_t *self, relay_context_t *context,
                                 const envelope_pub_t *publication, uint64_t now_us, uint64_t wall_us);

/* May the publication of that id be at that position? false: the channel is in another epoch, or has not come so far
 * (what waits does not count), or another one is there. */
bool relay_channel_may_hold(const relay_channel_t *self, position_t position, uint64_t node,
                            uint64_t counter);

/* --- what another relay knew of it --- */

/* The channel is at this position from now on, its history empty, to be filled with relay_channel_keep. */
void relay_channel_adopt(relay_channel_t *self, relay_context_t *context, position_t position);

/* Another epoch: nothing is left of the one before. */
void relay_channel_renew(relay_channel_t *self, relay_context_t *context, uint64_t random);

/* Appends a message to the history, and no more. */
void relay_channel_keep(relay_channel_t *self, relay_context_t *context, span_t encoded, uint64_t offset,
                        uint64_t time_us);

/* A copy grows by the message behind its newest. */
void relay_channel_follow(relay_channel_t *self, relay_context_t *context, span_t encoded, uint64_t now_us);

const relay_history_t *relay_channel_history(const relay_channel_t *self);

/* Nobody listens any more: the owner is another one. */
void relay_channel_let_listeners_go(relay_channel_t *self);

/* What is wanted of a channel's history. */
typedef struct relay_recall {
    position_t since; /* not known: from the oldest message on, or with `reverse` from the newest */
    uint64_t limit;   /* messages */
    bool reverse;     /* those before `since`, newest first */
} relay_recall_t;

/* Appends the list that answers QUESTION_HISTORY (protocol/kinds.h). Of another epoch than `since` there are no
 * messages. */
void relay_channel_recall(relay_channel_t *self, relay_context_t *context, const relay_recall_t *recall,
                          uint64_t now_us, buf_t *out);

/* Lets the history go; the position stays. */
void relay_channel_forget(relay_channel_t *self, relay_context_t *context);

/* A client of the peer's is in the channel, or no longer. Where the namespace has join_leave, and it is news,
 * all who listen are told. */
void relay_channel_join(relay_channel_t *self, relay_context_t *context, relay_peer_slot_t peer,
                        const envelope_join_t *join, uint64_t now_us);
void relay_channel_leave(relay_channel_t *self, relay_context_t *context, relay_peer_slot_t peer,
                         span_t client, uint64_t now_us);

/* NULL where presence is off. */
const relay_presence_t *relay_channel_presence(const relay_channel_t *self);

/* Takes away the clients of dead peers. To tell a listener of one costs 1 of the budget, and 1 for it itself; what
 * is above is for another call. true: that was all. */
bool relay_channel_sweep_presence(relay_channel_t *self, relay_context_t *context, size_t *budget,
                                  uint64_t now_us);

/* What relay_presence_write and relay_presence_read do; nothing where nobody needs to know. */
void relay_channel_write_presence(const relay_channel_t *self, const relay_context_t *context, buf_t *out);
void relay_channel_read_presence(relay_channel_t *self, span_t list, relay_presence_slot_fn *slot_of,
                                 void *context);

/* Takes away peers that are gone and what is too old. false: nobody needs it any more (no listener, no
 * history, nobody present, idle for RELAY_CHANNEL_IDLE_US, or if it is a copy for RELAY_COPY_IDLE_US; or it belongs to
 * others), it may be destroyed. */
#define RELAY_CHANNEL_IDLE_US (3600ull * 1000000)
#define RELAY_COPY_IDLE_US    (24 * RELAY_CHANNEL_IDLE_US)
bool relay_channel_sweep(relay_channel_t *self, relay_context_t *context, uint64_t now_us);

#endif
