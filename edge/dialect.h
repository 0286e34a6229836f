/* edge/dialect - what a client protocol has to do: a table of functions, one const table for each protocol.
 * Thread: the worker's loop. None of them blocks.
 *
 * A new protocol is one edge/dialect_*.c and one row in dialect.c; the hub does not change.
 */
#ifndef HEDDLE_EDGE_DIALECT_H
#define HEDDLE_EDGE_DIALECT_H

#include "edge/hub.h"
#include "edge/session.h"

struct edge_dialect {
    const char *name;
    uint8_t index;        /* its place in the registry; the hub makes one frame of a message per dialect */
    bool outlives_losses; /* a client may miss messages: limits.on_slow_client applies. Else it is closed. */

    uint64_t grace_us; /* what credentials are good for beyond their end: time to bring new ones */

    /* A request that passed the handshake's checks. Does this dialect serve it? 0 = no, not mine; 101 = yes,
     * with a session in *session (and the subprotocol to answer with, or NULL); else the HTTP status to
     * refuse with, and *why. */
    int (*admit)(edge_worker_t *worker, const http_head_t *head, edge_session_t **session,
                 const char **subprotocol, const char **why);

    /* The connection is there. */
    void (*opened)(edge_session_t *session);

    /* One message of the client. May close the session; not free it. */
    void (*message)(edge_session_t *session, bool binary, span_t payload);

    /* Frames a publication, once for all sessions of this dialect. NULL = it can't be said in this dialect.
     */
    edge_frame_t *(*frame)(const envelope_msg_t *message);

    /* Frames that a client has come to a channel, or left it, once for all sessions of this dialect that want
     * to hear of that. NULL if the dialect never lets one want it. */
    edge_frame_t *(*frame_presence)(const envelope_join_t *client, bool came);

    /* A subscription that edge_hub_subscribe said will be answered: it is on (err OK), or can't be made
     * (err; the hub has taken it away, and frees it when this returns). `recovery` is NULL unless
     * it was to go on from a position. The channel's position is then where the subscription is. */
    void (*subscribed)(edge_subscription_t *subscription, int err, const edge_recovery_t *recovery);

    /* The client has missed what can't be had again: it must be told. The hub has taken the subscription
     * away, and frees it when this returns. */
    void (*lost)(edge_subscription_t *subscription);

    /* To be subscribed from outside (QUESTION_SUBSCRIBE), if it is not yet. NULL if that can't be told in this
     * dialect. */
    void (*subscribe)(edge_session_t *session, const envelope_ask_t *question);

    /* To be taken away from outside (API): tell the client. Called before the subscription goes; whoever calls
     * then unsubscribes, if the dialect has not. */
    void (*unsubscribed)(edge_session_t *session, span_t channel, uint32_t code, const char *reason);

    /* Reading goes on after edge_session_pause: take up what was held back since. May pause again. NULL if
     * the dialect never pauses. */
    void (*resumed)(edge_session_t *session);

    /* The time has come that was given to edge_session_expire_by: it is forgotten by now, so give the next one,
     * if there is one. NULL if the dialect never calls that. */
    void (*expired)(edge_session_t *session, uint64_t wall_us);

    /* Its credentials end at another time than they said (API): tell the client. NULL if the dialect can't. */
    void (*prolonged)(edge_session_t *session);

    /* Time for a ping that the client has to answer. */
    void (*ping)(edge_session_t *session);

    /* Frees session->state, which may be NULL. Also for a session that was never opened. */
    void (*closed)(edge_session_t *session);
};

/* All dialects, in the order in which they are asked to serve a request. */
#define EDGE_DIALECTS 2u
extern const edge_dialect_t *const edge_dialects[EDGE_DIALECTS];

extern const edge_dialect_t edge_dialect_raw;
extern const edge_dialect_t edge_dialect_centrifuge;

#endif
