/* edge/centrifuge_client - one Centrifuge client: how far it is, what it waits for, and how it is answered.
 * Owner:  edge/dialect_centrifuge makes and destroys it; it is the session's `state`.
 * Thread: the worker's loop.
 * Life:   centrifuge_client_open -> ... -> centrifuge_client_destroy
 *
 * Answers to one frame are joined into one frame, so far as they are known by then; others go at once.
 */
#ifndef HEDDLE_EDGE_CENTRIFUGE_CLIENT_H
#define HEDDLE_EDGE_CENTRIFUGE_CLIENT_H

#include "edge/centrifuge_reply.h"
#include "edge/close_code.h"
#include "edge/hub.h"
#include "edge/session.h"

/* Commands of one client that wait for the relays: enough to keep a link busy, and a small part of what the
 * uplink takes from all. Reading goes on at half of it, so that it doesn't stop and go with each answer. */
#define CENTRIFUGE_WAITING_MAX 1024u
#define CENTRIFUGE_WAITING_LOW (CENTRIFUGE_WAITING_MAX / 2)

/* What a token is good for beyond its end. The client libraries fetch a new one when it ends, not before. */
#define CENTRIFUGE_GRACE_US 25000000u

/* Where a connection stands with its first command. */
typedef enum centrifuge_phase {
    CENTRIFUGE_GREETING,
    CENTRIFUGE_CONNECTING, /* its server-side subscriptions are on their way; nothing else is done meanwhile */
    CENTRIFUGE_CONNECTED,
    CENTRIFUGE_REFUSED
} centrifuge_phase_t;

typedef struct centrifuge_client {
    centrifuge_phase_t phase;
    uint32_t waiting_count; /* items of `waiting` */
    list_t waiting;         /* of centrifuge_waiting_t */
    buf_t held;             /* whole lines that are to be done later; not empty: the session is paused */
    struct centrifuge_connecting *connecting; /* owned; while CONNECTING */
    buf_t *replies; /* borrowed while a frame is done, else NULL; what is said goes there */
} centrifuge_client_t;

void centrifuge_client_open(edge_session_t *session);
void centrifuge_client_destroy(edge_session_t *session); /* it may have none */

/* As our own; not known if its epoch is none of ours. */
position_t centrifuge_position_of(const centrifuge_position_t *said);

/* --- what is said to it --- */

void centrifuge_client_reply(edge_session_t *session, uint32_t id, centrifuge_method_t method); /* {} */
void centrifuge_client_reply_error(edge_session_t *session, uint32_t id, centrifuge_error_t error);
void centrifuge_client_unsubscribed(edge_session_t *session, span_t channel, uint32_t code,
                                    const char *reason);

/* What there is to tell of a subscription that is on; `recovery` is NULL where none was wanted. Lent as long as both. */
centrifuge_subscribed_t centrifuge_describe(const edge_subscription_t *subscription,
                                            const edge_recovery_t *recovery);

/* The answer to a subscribe command. */
void centrifuge_client_subscribed(edge_session_t *session, const edge_subscription_t *subscription,
                                  const edge_recovery_t *recovery);

/* The answer to REFRESH or SUB_REFRESH: a token is good until then (wall clock). */
void centrifuge_client_refreshed(edge_session_t *session, const centrifuge_command_t *command,
                                 uint64_t expires_us);

/* Anything else that is said: append one JSON object to what begin returns, then call end. `own` is an empty
 * buffer of the caller's, freed by end. */
buf_t *centrifuge_client_begin(edge_session_t *session, buf_t *own);
void centrifuge_client_end(edge_session_t *session, buf_t *own);

/* Sends what has been said to the current frame so far. */
void centrifuge_client_flush(edge_session_t *session);

/* Ends the connection; what was said before is still sent. */
void centrifuge_client_close(edge_session_t *session, edge_close_code_t code);

/* --- tokens that end --- */

/* Seconds from now until then (wall clock), begun ones for whole, in 32 bits as clients have it; 0 only for 0,
 * which is never. */
uint64_t centrifuge_ttl_s(uint64_t expires_us);

/* The subscription's token is good until then (wall clock, 0 = for good), and it itself for the grace beyond. */
void centrifuge_subscription_expires(edge_subscription_t *subscription, uint64_t expires_us);

/* Its token is of no use any more: the subscription goes, and the client, which is told, makes another. */
void centrifuge_subscription_end(edge_subscription_t **subscription_p);

/* dialect.prolonged: tells the client when the connection's credentials end now. */
void centrifuge_client_prolonged(edge_session_t *session);

/* dialect.expired: ends all whose time is over. */
void centrifuge_client_expired(edge_session_t *session, uint64_t wall_us);

/* --- commands that wait for the relays --- */

/* Owned by the uplink's callback, which always comes; the session may be gone by then. */
typedef struct centrifuge_waiting {
    list_node_t of_client;
    edge_session_t *session; /* borrowed; NULL = gone */
    uint32_t id;
    centrifuge_method_t method;
    position_t since; /* history: what was asked for; not known = no position */
} centrifuge_waiting_t;

centrifuge_waiting_t *centrifuge_waiting_begin(edge_session_t *session, const centrifuge_command_t *command);

/* Frees it. The session that it belonged to; NULL if it is gone or closing. */
edge_session_t *centrifuge_waiting_end(centrifuge_waiting_t **self_p);

/* --- commands that are held --- */

/* Keeps whole lines (at least one byte) for later, and pauses. */
void centrifuge_client_hold(edge_session_t *session, span_t lines);

/* To be called last, as they may do commands. After an answer of the relays: when few enough are left to come;
 * after that to a subscription: at once. */
void centrifuge_client_go_on(edge_session_t *session);
void centrifuge_client_go_on_at_once(edge_session_t *session);

#endif
