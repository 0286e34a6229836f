/* fabric/uplink - what a node wants of the relays: subscriptions, publications, presence, questions.
 * Owner:  an edge worker (through its hub), a bridge, a tool.
 * Thread: its node's loop. Pure, like the node: the time comes in, envelopes go out through links.
 * Life:   uplink_new -> calls and events -> uplink_destroy
 *
 * It hides that there are several relays, and that links come and go: a publication stays here until the
 * owner has confirmed it or refused it, or PUBLISH_TIMEOUT has passed; after a link loss, or when another relay is to
 * be talked to about its channel (fabric/routes), it is sent again under the same id, and the owner drops what it has
 * seen. Subscriptions are the owner's business: the uplink tells `lost`, `found` and `moved`, and whoever subscribes
 * says SUB again with the position that it has.
 */
#ifndef HEDDLE_FABRIC_UPLINK_H
#define HEDDLE_FABRIC_UPLINK_H

#include "fabric/node.h"
#include "protocol/namespaces.h"
#include "protocol/position.h"
#include "protocol/view.h"

/* Shorter than the 5 s that client libraries wait would make them see our error, but a relay's restart takes
 * longer. */
#define UPLINK_PUBLISH_TIMEOUT_US 10000000u
#define UPLINK_ASK_TIMEOUT_US     3000000u

/* Unconfirmed publications; the owner remembers as many ids of each node. */
#define UPLINK_PENDING_MAX 8192u

/* ... and their bytes. */
#define UPLINK_PENDING_BYTES (32u * 1024 * 1024)

typedef struct uplink uplink_t;

typedef struct uplink_events {
    /* A relay is there (again): subscriptions of channels that it is now the way to are to be made anew. Namespaces
     * may have changed. */
    void (*found)(void *context, link_t *relay);
    /* A relay is gone, and with it the subscriptions through it. */
    void (*lost)(void *context, link_t *relay);
    /* The relays share out the channels in another way: uplink_route and uplink_moved_from say what that means for
     * each. Comes behind the `found` or `lost` of the same moment. */
    void (*moved)(void *context);
    /* `relay` is who said it: it may be another one than the channel's way by now. */
    void (*message)(void *context, link_t *relay, const envelope_msg_t *message);
    void (*subscribed)(void *context, link_t *relay, const envelope_sub_ok_t *answer);
    void (*not_subscribed)(void *context, link_t *relay, const envelope_sub_no_t *answer);
    /* A question to this node; to be answered with uplink_answer. */
    void (*asked)(void *context, link_t *relay, const envelope_ask_t *question);
    /* There is room again after ERR_FULL. */
    void (*room)(void *context);
    /* A client has come to a channel that is subscribed to, or has left it. NULL: that is of no interest. */
    void (*presence)(void *context, link_t *relay, const envelope_join_t *client, bool came);
} uplink_events_t;

/* A relay's "not now" (uplink_is_not_now) is no answer to a publication: it is sent again after so long, as whoever
 * subscribes should do, too. */
#define UPLINK_RETRY_US 100000u

/* Says a refusal's code that the same may be accepted soon, as while channels move? */
bool uplink_is_not_now(uint64_t code);

/* OK with the position; refused: ERR_NOT_FOUND (no such namespace), ERR_DENIED, ERR_UNAVAILABLE (the relay has
 * no room); ERR_TIMEOUT, ERR_CLOSED: nobody knows whether it was published. */
typedef void uplink_published_fn(void *user, int err, position_t position);

/* OK with the answer's list, or ERR_TIMEOUT, ERR_UNAVAILABLE (also when the link that it went over is gone). The
 * list is lent. */
typedef void uplink_answered_fn(void *user, int err, span_t items);

uplink_t *uplink_new(const uplink_events_t *events, void *context);
void uplink_destroy(uplink_t **self_p); /* pending answers are called with ERR_CLOSED first */

/* The node that it works with; borrowed. Before anything else. */
void uplink_attach(uplink_t *self, node_t *node);

/* To be called by the node's owner for the node's events of the same names, and once a turn. */
void uplink_up(uplink_t *self, link_t *link, const envelope_t *greeting, uint64_t now_us);
void uplink_down(uplink_t *self, link_t *link, uint64_t now_us);
void uplink_envelope(uplink_t *self, link_t *link, const envelope_t *envelope, uint64_t now_us);
void uplink_tick(uplink_t *self, uint64_t now_us);

/* The relay to talk to for a channel: its owner, or one that forwards to it. NULL = none is up. */
link_t *uplink_route(const uplink_t *self, span_t channel);

/* Does that relay own the channel? If not it forwards, and forgets for whom when the view changes: then the channel is to be
 * subscribed again. */
bool uplink_is_owner(const uplink_t *self, span_t channel, const link_t *relay);

/* The relays that uplink_route chooses from: lends at most `max` links, until the next event; returns how many. */
size_t uplink_ways(const uplink_t *self, link_t **out, size_t max);

/* Within `moved`: the relay that owned the channel until now, if its owner is another one, or the same one of
 * another lineage; else 0. */
uint64_t uplink_moved_from(const uplink_t *self, span_t channel);

/* As the relays told; empty before the first WELCOME. */
const namespaces_t *uplink_namespaces(const uplink_t *self);

/* ERR_UNAVAILABLE: no relay; ERR_FULL: not now. `from` may be unknown (a zero position). */
int uplink_subscribe(uplink_t *self, span_t channel, position_t from, uint64_t request, uint64_t now_us);

/* Of the relay that was asked. ERR_UNAVAILABLE: it is gone, or no way to any channel, and has forgotten it. */
int uplink_unsubscribe(uplink_t *self, uint64_t relay, span_t channel, uint64_t now_us);

typedef struct publication {
    span_t channel;
    unsigned flags; /* message_flags */
    span_t client;  /* empty: a back end */
    span_t user;
    span_t info;
    span_t payload; /* at most PAYLOAD_MAX */
} publication_t;

/* Copies. Publications wait here while no relay is up, within the limits. ERR_FULL: `published` is not
 * called, wait for `room`. OK: `published` (may be NULL) is called later, never within this call. */
int uplink_publish(uplink_t *self, const publication_t *publication, uplink_published_fn *published,
                   void *user, uint64_t now_us);

/* Forgets the callback of one `user` (who is about to die); the publications themselves go on. */
void uplink_forget(uplink_t *self, void *user);

/* Few enough unconfirmed publications that reading more from clients is wise? */
bool uplink_has_room(const uplink_t *self);

int uplink_join(uplink_t *self, const envelope_join_t *join, uint64_t now_us);
int uplink_leave(uplink_t *self, span_t channel, span_t client, uint64_t now_us);

/* `id` is filled in here. */
int uplink_ask(uplink_t *self, envelope_ask_t question, uplink_answered_fn *answered, void *user,
               uint64_t now_us);
/* The same of this relay, whatever the channel. */
int uplink_ask_at(uplink_t *self, link_t *relay, envelope_ask_t question, uplink_answered_fn *answered,
                  void *user, uint64_t now_us);
/* Forgets the questions of one `user`: they are not answered any more. */
void uplink_withdraw(uplink_t *self, const void *user);

void uplink_answer(uplink_t *self, link_t *relay, uint64_t id, int err, span_t items, uint64_t now_us);

typedef struct uplink_counts {
    uint64_t published, confirmed, refused, timed_out, resent;
    size_t pending; /* now */
} uplink_counts_t;

uplink_counts_t uplink_counts(const uplink_t *self);

#endif
