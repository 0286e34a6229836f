/* edge/session - one client: who it is, what it is subscribed to, what waits to be sent to it, how it ends.
 * What it speaks is its dialect's business (edge/dialect.h).
 * Owner:  itself, from edge_session_new until edge_session_closed or edge_session_discard; the worker lists
 *         those that are open.
 * Thread: the worker's loop.
 * Life:   new -> opened -> (message | writable | ...)* -> closed (frees it); or new -> discard
 *
 *     OPENING --dialect: connected--> ACTIVE --close--> CLOSING --all is written--> SHUT --closed--> (freed)
 *
 * It ends by itself when it is not ACTIVE in time, does not answer a ping, its token expires, or does not
 * take what is left for it while CLOSING. edge_session_close never frees: until edge_session_closed the
 * session stays where it is, so whoever walks sessions or subscriptions may send and close.
 */
#ifndef HEDDLE_EDGE_SESSION_H
#define HEDDLE_EDGE_SESSION_H

#include "base/list.h"
#include "base/wheel.h"
#include "edge/auth.h"
#include "edge/outbox.h"
#include "edge/server.h"

typedef struct edge_worker edge_worker_t;
typedef struct edge_dialect edge_dialect_t;

#define EDGE_SESSION_STATES(X) X(OPENING) X(ACTIVE) X(CLOSING) X(SHUT)

typedef enum edge_session_state {
#define EDGE_SESSION_ENUM(name) EDGE_SESSION_##name,
    EDGE_SESSION_STATES(EDGE_SESSION_ENUM)
#undef EDGE_SESSION_ENUM
} edge_session_state_t;

#define EDGE_CLIENT_ID_BYTES 16u
#define EDGE_CLIENT_ID_SIZE  36u /* a UUID as text */

struct edge_session {
    edge_worker_t *worker;         /* borrowed */
    edge_conn_t *conn;             /* borrowed; NULL before opened */
    const edge_dialect_t *dialect; /* static */
    void *state;                   /* the dialect's, made and freed by it; may be NULL */
    edge_outbox_t outbox;
    edge_identity_t identity;
    list_t subscriptions;             /* of edge_subscription_t, through `of_session` */
    list_node_t of_worker;            /* in worker->sessions */
    list_node_t dirty;                /* in worker->dirty while something waits to be written this turn */
    wheel_timer_t timer;              /* the next deadline or ping; one at a time */
    list_node_t paused;               /* in worker->paused while reading is held back */
    uint64_t opened_us;               /* monotonic */
    uint64_t next_expiry_us;          /* wall clock; when the dialect wants to know; 0 = never */
    uint8_t id[EDGE_CLIENT_ID_BYTES]; /* random; as text, a UUID */
    uint8_t state_now;                /* an edge_session_state_t; written by go() only */
    bool awaits_pong;                 /* or any other sign of life */
    bool saturated;                   /* the kernel took no more: waiting for edge_session_writable */
    bool counts_messages;             /* must not miss one, whatever limits.on_slow_client says */
    bool corked;                      /* what is sent stays in the outbox */
    uint16_t subscription_count;
    uint16_t close_code; /* sent or received; 0 = none yet */
};

/* Takes what identity holds. */
edge_session_t *edge_session_new(edge_worker_t *worker, const edge_dialect_t *dialect,
                                 edge_identity_t *identity);
void edge_session_discard(edge_session_t **self_p); /* never opened; calls dialect.closed */

/* --- called by the server --- */

void edge_session_opened(edge_session_t *self, edge_conn_t *conn);
void edge_session_message(edge_session_t *self, bool binary, span_t payload);
/* A ping is answered; a pong, or anything, is a sign of life. */
void edge_session_control(edge_session_t *self, websocket_opcode_t opcode, span_t payload);
/* The client closes; the answer goes out, and edge_conn_shut. */
void edge_session_close_received(edge_session_t *self, uint16_t code);
/* The client broke the protocol. */
void edge_session_failed(edge_session_t *self, uint16_t code, const char *reason);
void edge_session_writable(edge_session_t *self);
void edge_session_closed(edge_session_t *self); /* frees self */

/* --- called by dialects, the hub and the worker --- */

/* The dialect has let the client in: ACTIVE; pings start. */
void edge_session_activate(edge_session_t *self);

/* New credentials take the place of the old ones. Takes what identity holds. */
void edge_session_identify(edge_session_t *self, edge_identity_t *identity);

/* The credentials end then (wall clock; 0 = never), whatever they say themselves. */
void edge_session_prolong(edge_session_t *self, uint64_t expires_us);

/* Something of the dialect's ends at that time (wall clock): dialect.expired is called then, or a little later
 * while a ping is unanswered. One time is kept, the earliest that was given since the last call. */
void edge_session_expire_by(edge_session_t *self, uint64_t wall_us);

/* Queues a frame (borrowed; a reference is taken) for the end of the turn. When the outbox is full, the
 * slow-client policy acts. */
void edge_session_send(edge_session_t *self, edge_frame_t *frame);
void edge_session_send_text(edge_session_t *self, span_t text);
void edge_session_send_frame(edge_session_t *self, websocket_opcode_t opcode, span_t payload);

/* What is sent from now on waits behind a frame that is not known yet; uncork sends that one (borrowed) first, and
 * then the rest. A session that closes meanwhile sends none of it. */
void edge_session_cork(edge_session_t *self);
void edge_session_uncork(edge_session_t *self, edge_frame_t *first);
void edge_session_uncork_alone(edge_session_t *self, edge_frame_t *frame); /* without the rest */

/* Ends it: what is queued goes first (with `flush` false only the rest of a message that is half written, and
 * control frames), then a close frame. Idempotent; the first code counts. The reason is lent, not empty and not
 * JSON (edge/close_code.h). */
void edge_session_close(edge_session_t *self, uint16_t code, const char *reason, bool flush);

/* Writes what waits, EDGE_WRITE_SIZE bytes at most; called by the worker for its dirty sessions at the end of
 * a turn. Takes itself off worker->dirty, and puts itself there again if there is more: so walk a list taken
 * from it, and don't let the loop sleep while it is not empty. */
void edge_session_flush(edge_session_t *self);

/* The worker's wheel has come to its timer. */
void edge_session_timer(edge_session_t *self, uint64_t now_us);

/* Holds reading back, until the uplink has room or edge_session_resume is called. Messages that were read
 * already still come; the dialect keeps what it can't do yet. */
void edge_session_pause(edge_session_t *self);

/* Lets reading go on, and tells the dialect (dialect.resumed), which may pause again at once. Does nothing if
 * it is not paused. The worker calls it for its paused sessions when the uplink has room; a dialect when
 * what it waited for has come. */
void edge_session_resume(edge_session_t *self);

bool edge_session_is_open(const edge_session_t *self); /* OPENING or ACTIVE */

const char *edge_session_id(const edge_session_t *self, char out[EDGE_CLIENT_ID_SIZE + 1]);

/* Reads what edge_session_id writes. false if it is something else. */
bool edge_client_id_parse(span_t text, uint8_t out[EDGE_CLIENT_ID_BYTES]);

span_t edge_session_user(const edge_session_t *self);
span_t edge_session_info(const edge_session_t *self);

#endif
