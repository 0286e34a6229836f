/* edge/hub - which sessions listen to which channel; one subscription upstream for each channel, however many
 * listen.
 * Owner:  a worker.
 * Thread: the worker's loop. No sockets: the simulation runs it, too.
 * Life:   edge_hub_new -> subscribe | unsubscribe | messages* -> edge_hub_destroy (when no session is left)
 *
 *     UNSYNCED --SUB--> SUBSCRIBING --SUB_OK--> ON --UNSUB, or the relay is lost, or it moves--> UNSYNCED
 *
 * A channel here knows the position of the last message that it passed on. After a link loss it subscribes
 * again with that position, so that the owner sends what was missed; what can't be had again is told to each
 * listener (dialect.lost). A message that does not follow on the last one is never passed over: it counts as
 * a loss, too.
 *
 * When a channel moves to another owner, or is reached over another relay, it does the same, and who listens notices
 * nothing. What the relay that it was subscribed at says from then on is passed over: it is neither the next message nor
 * a gap. A relay that only forwarded is told UNSUB; an owner knows that the channel has gone. Presence moves with the
 * channel. A relay that says "not now" is asked again, until who waits has waited too long.
 *
 * Links keep the order, and a relay answers each SUB once. So a channel counts the SUBs that are unanswered,
 * and believes only the answer to the last one: what comes before that is from a subscription given up
 * meanwhile. It stays here until they are all answered, also when nobody listens any more.
 * Where a channel comes back to a relay that still owes it an answer from before it went, that one is taken for the new one:
 * at worst, listeners are told of a loss that need not have been.
 *
 * Sessions may be sent to and closed at any time, since closing takes nothing away from here; only
 * edge_session_closed does. Within its callbacks (subscribed, lost) a dialect may subscribe and unsubscribe
 * others; the subscription that the callback is about is the hub's to free if it says so.
 */
#ifndef HEDDLE_EDGE_HUB_H
#define HEDDLE_EDGE_HUB_H

#include "base/list.h"
#include "edge/session.h"
#include "fabric/uplink.h"

typedef struct edge_hub edge_hub_t;
typedef struct edge_channel edge_channel_t;

typedef struct edge_subscription {
    edge_session_t *session; /* borrowed */
    edge_channel_t *channel; /* borrowed */
    list_node_t of_session;  /* in session->subscriptions */
    list_node_t waiting;     /* in the hub's list while it waits for the first SUB_OK */
    list_node_t joining;     /* in the hub's list while its JOIN is still to be sent */
    uint64_t asked_us;       /* monotonic; when it began to wait */
    char *info;              /* owned raw JSON of a subscription token, or NULL */
    char *data;              /* owned; what the dialect is to tell when it is on; NULL = nothing */
    uint32_t at;             /* its place in the channel's array */
    uint32_t request;   /* the client's own number of its request, for the answer; the dialect's business */
    uint32_t expires_s; /* wall clock, when its token ends; 0 = never; the dialect's business */
    bool must_recover;  /* or be refused: the dialect takes it away when it is told that it has not */
    bool skips_own;     /* not what its own session publishes (raw: echo=0) */
    bool sees_presence; /* it is told who joins and leaves; the dialect sets it */
    bool by_server;     /* its client did not ask for it; the dialect's business */
    bool present;       /* a JOIN was sent, so a LEAVE must follow */
    struct edge_recovering *recovering; /* owned; NULL but while it waits to go on from a position */
} edge_subscription_t;

/* How a subscription that wanted to go on from a position does. */
typedef struct edge_recovery {
    bool recovered;   /* `messages` are all that was missed; else some can't be had any more */
    position_t since; /* what was asked for */
    span_t messages;  /* encoded MSGs in order, for recall_next; lent for the call */
} edge_recovery_t;

edge_hub_t *edge_hub_new(edge_worker_t *worker, uplink_t *uplink);
void edge_hub_destroy(edge_hub_t **self_p);

/* How long a subscription waits for the first SUB_OK. Client libraries give up after 5 s; ours is told
 * before. */
#define EDGE_SUBSCRIBE_TIMEOUT_US 4000000u

static inline bool edge_subscription_waits(const edge_subscription_t *self)
{
    return list_linked(&self->waiting);
}

/* The caller has checked name and permission. OK: on, from the channel's position; ERR_AGAIN: it will be
 * answered through dialect.subscribed, never within this call (`*out` is the subscription in both cases);
 * ERR_DUPLICATE: it has one already; ERR_FULL: over limits.channels_per_client. `info` is taken whatever
 * happens (may be NULL).
 * With `since` (else NULL) it is to go on from a position, or from one that is not known, which nobody can go on
 * from: it is answered with what it missed, always later. What comes live meanwhile is part of that. */
int edge_hub_subscribe(edge_hub_t *self, edge_session_t *session, span_t name, char *info,
                       const position_t *since, edge_subscription_t **out);

edge_subscription_t *edge_hub_find(edge_hub_t *self, const edge_session_t *session, span_t name); /* NULL */
void edge_hub_unsubscribe(edge_hub_t *self, edge_subscription_t **subscription_p);
void edge_hub_unsubscribe_all(edge_hub_t *self, edge_session_t *session); /* it has gone */

span_t edge_channel_name(const edge_channel_t *self);
position_t edge_channel_position(const edge_channel_t *self);

/* Once a turn: gives up on what waited too long; then says upstream what there is to say (LEAVE, SUB, UNSUB,
 * JOIN), as far as there is room. A relay without room holds up only what is for it. */
void edge_hub_turn(edge_hub_t *self, uint64_t now_us);

/* Uplink events; see fabric/uplink.h. */
void edge_hub_found(edge_hub_t *self, link_t *relay);
void edge_hub_lost(edge_hub_t *self, link_t *relay);
void edge_hub_moved(edge_hub_t *self);
void edge_hub_message(edge_hub_t *self, const link_t *relay, const envelope_msg_t *message);
void edge_hub_presence(edge_hub_t *self, const link_t *relay, const envelope_join_t *client, bool came);
void edge_hub_subscribed(edge_hub_t *self, const link_t *relay, const envelope_sub_ok_t *answer);
void edge_hub_not_subscribed(edge_hub_t *self, const link_t *relay, const envelope_sub_no_t *answer);

size_t edge_hub_channels(const edge_hub_t *self);
size_t edge_hub_subscriptions(const edge_hub_t *self);

/* Walks the channels that somebody listens to: name and listeners. */
void edge_hub_each_channel(const edge_hub_t *self, void (*each)(void *context, span_t name, size_t listeners),
                           void *context);

#endif
