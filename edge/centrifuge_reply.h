/* edge/centrifuge_reply - what a Centrifuge client is told (protocol v2, JSON): replies, pushes, errors.
 * Thread: any; pure: each function appends one JSON object, without a line's end, to a buf_t.
 */
#ifndef HEDDLE_EDGE_CENTRIFUGE_REPLY_H
#define HEDDLE_EDGE_CENTRIFUGE_REPLY_H

#include "edge/centrifuge_command.h"
#include "protocol/recall.h"

/* X(NAME, code, message, is it temporary: will the same command work later?) */
#define CENTRIFUGE_ERRORS(X)                                \
    X(INTERNAL, 100, "internal server error", true)         \
    X(UNKNOWN_CHANNEL, 102, "unknown channel", false)       \
    X(DENIED, 103, "permission denied", false)              \
    X(NO_METHOD, 104, "method not found", false)            \
    X(ALREADY_SUBSCRIBED, 105, "already subscribed", false) \
    X(LIMIT, 106, "limit exceeded", false)                  \
    X(BAD_COMMAND, 107, "bad request", false)               \
    X(NOT_AVAILABLE, 108, "not available", false)           \
    X(TOKEN_EXPIRED, 109, "token expired", false)           \
    X(UNRECOVERABLE, 112, "unrecoverable position", false)

typedef enum centrifuge_error {
    CENTRIFUGE_ERROR_NONE = 0,
#define CENTRIFUGE_ERROR_ENUM(NAME, code, message, temporary) CENTRIFUGE_ERROR_##NAME = (code),
    CENTRIFUGE_ERRORS(CENTRIFUGE_ERROR_ENUM)
#undef CENTRIFUGE_ERROR_ENUM
} centrifuge_error_t;

/* How an unsubscribe push goes on: below 2500 the subscription has ended, from there on the client subscribes
 * again. */
#define CENTRIFUGE_UNSUBSCRIBE_INSUFFICIENT 2500u
#define CENTRIFUGE_UNSUBSCRIBE_EXPIRED      2501u

/* What an ERR_* of the uplink or the hub is for a client: of those that say nothing to it, INTERNAL. */
centrifuge_error_t centrifuge_error_of(int err);

/* {"code":103,"message":"permission denied"} */
void centrifuge_append_error(buf_t *out, centrifuge_error_t error);

/* {"id":7,"error":{...}} */
void centrifuge_reply_error(buf_t *out, uint32_t id, centrifuge_error_t error);

/* {"id":4,"publish":{}} */
void centrifuge_reply_empty(buf_t *out, uint32_t id, centrifuge_method_t method);

/* What a subscription begins with. */
typedef struct centrifuge_subscribed {
    bool recoverable;    /* the client may go on from its position later; and it gets positions */
    position_t position; /* the first push is the one behind it, and behind the publications here */
    bool wanted;         /* it asked to go on from a position ... */
    bool recovered;      /* ... and does: */
    span_t messages;     /* encoded MSGs, for recall_next */
    uint64_t ttl_s;      /* what its token is good for; 0 = it has none */
    span_t data;         /* raw JSON for the client; empty = none */
} centrifuge_subscribed_t;

/* {...}: what the client is told of a subscription. */
void centrifuge_append_subscribed(buf_t *out, const centrifuge_subscribed_t *subscribed);

/* {"id":2,"subscribe":{...}} */
void centrifuge_reply_subscribe(buf_t *out, uint32_t id, const centrifuge_subscribed_t *subscribed);

/* {"publications":[...],"epoch":"aB","offset":4} from the answer to QUESTION_HISTORY. ERR_NOT_FOUND if `since`, where
 * it is known, is of another epoch than the channel; another ERR_* if it is no such list. */
int centrifuge_append_history(buf_t *out, span_t items, position_t since);

/* The same as a reply. A `since` of another epoch becomes the error UNRECOVERABLE, other errors INTERNAL. */
void centrifuge_reply_history(buf_t *out, uint32_t id, span_t items, position_t since);

/* `ping_s` 0: no pings. `ttl_s` is what the token is good for, so that the client brings another in time; 0: it
 * has none. `subs` are the members of the object of server-side subscriptions; empty: there are none. */
void centrifuge_reply_connect(buf_t *out, uint32_t id, const char *client, uint64_t ping_s, uint64_t ttl_s,
                              span_t subs);

/* {"push":{"channel":"c","subscribe":{...}}}; the publications that it missed are pushed behind, one by one. */
void centrifuge_push_subscribe(buf_t *out, span_t channel, const centrifuge_subscribed_t *subscribed);

/* {"push":{"refresh":{"expires":true,"ttl":600}}}; `ttl_s` 0: it does not expire any more. */
void centrifuge_push_refresh(buf_t *out, uint64_t ttl_s);

/* {"id":9,"refresh":{"expires":true,"ttl":600}}; the same for SUB_REFRESH. */
void centrifuge_reply_refresh(buf_t *out, uint32_t id, centrifuge_method_t method, uint64_t ttl_s);

/* {"c-1":{"user":"42","client":"c-1","conn_info":{...}},...} from the answer to QUESTION_PRESENCE; and
 * {"num_clients":2,"num_users":1} from that to QUESTION_PRESENCE_STATS. ERR_* if it is no such list; what was
 * appended is then of no use. */
int centrifuge_append_presence(buf_t *out, span_t items);
int centrifuge_append_presence_stats(buf_t *out, span_t items);

/* The same as replies; an answer that can't be read becomes the error INTERNAL. */
void centrifuge_reply_presence(buf_t *out, uint32_t id, span_t items);
void centrifuge_reply_presence_stats(buf_t *out, uint32_t id, span_t items);

/* JSON payloads go as they are, but for line feeds; other text as a string; bytes as {"b64data":"..."}. */
void centrifuge_push_publication(buf_t *out, const envelope_msg_t *message);
/* {"push":{"channel":"c","join":{"info":{...}}}}, or leave. */
void centrifuge_push_presence(buf_t *out, const envelope_join_t *client, bool came);

void centrifuge_push_unsubscribe(buf_t *out, span_t channel, uint32_t code, const char *reason);

#endif
