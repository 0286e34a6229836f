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

/* What channels share; the front's. */
typedef struct relay_context {
    relay_peers_t peers;
    relay_store_t store;
    buf_t scratch;        /* where messages are encoded */
    uint64_t deliveries;  /* MSGs queued to links */
    uint64_t overflows;   /* links reset because their window was full */
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

/* Its place in the directory's array; the directory's business. */
uint32_t relay_channel_place(const relay_channel_t *self);
void relay_channel_set_place(relay_channel_t *self, uint32_t place);

/* Subscribes the link's peer and sends it SUB_OK, and what it has missed since `from` (unknown: nothing) if
 * all of that is still here. Idempotent. */
void relay_channel_subscribe(relay_channel_t *self, relay_context_t *context, link_t *link, position_t from,
                             uint64_t now_us);
void relay_channel_unsubscribe(relay_channel_t *self, const link_t *link, uint64_t now_us);

/* Gives the publication its place, keeps it, sends it to all who listen. A link whose window is full is
 * reset; the others notice nothing. `wall_us` goes into the message. */
position_t relay_channel_publish(relay_channel_t *self, relay_context_t *context,
                                 const envelope_pub_t *publication, uint64_t now_us, uint64_t wall_us);

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

/* NULL where presence is off. */
relay_presence_t *relay_channel_presence(relay_channel_t *self);

/* Takes away peers that are gone and what is too old. false: nobody needs it any more (no listener, no
 * history, nobody present, idle for RELAY_CHANNEL_IDLE_US), it may be destroyed. */
#define RELAY_CHANNEL_IDLE_US (3600ull * 1000000)
bool relay_channel_sweep(relay_channel_t *self, relay_context_t *context, uint64_t now_us);

#endif
