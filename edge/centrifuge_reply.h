/* edge/centrifuge_reply - what a Centrifuge client is told (protocol v2, JSON): replies, pushes, errors.
 * Thread: any; pure: each function appends one JSON object, without a line's end, to a buf_t.
 */
#ifndef HEDDLE_EDGE_CENTRIFUGE_REPLY_H
#define HEDDLE_EDGE_CENTRIFUGE_REPLY_H

#include "edge/centrifuge_command.h"
#include "protocol/envelope.h"

/* X(NAME, code, message, is it temporary: will the same command work later?) */
#define CENTRIFUGE_ERRORS(X)                                \
    X(INTERNAL, 100, "internal server error", true)         \
    X(UNKNOWN_CHANNEL, 102, "unknown channel", false)       \
    X(DENIED, 103, "permission denied", false)              \
    X(ALREADY_SUBSCRIBED, 105, "already subscribed", false) \
    X(LIMIT, 106, "limit exceeded", false)                  \
    X(BAD_COMMAND, 107, "bad request", false)               \
    X(NOT_AVAILABLE, 108, "not available", false)           \
    X(TOKEN_EXPIRED, 109, "token expired", false)

typedef enum centrifuge_error {
    CENTRIFUGE_ERROR_NONE = 0,
#define CENTRIFUGE_ERROR_ENUM(NAME, code, message, temporary) CENTRIFUGE_ERROR_##NAME = (code),
    CENTRIFUGE_ERRORS(CENTRIFUGE_ERROR_ENUM)
#undef CENTRIFUGE_ERROR_ENUM
} centrifuge_error_t;

/* How an unsubscribe push goes on: below 2500 the subscription has ended, from there on the client subscribes
 * again. */
#define CENTRIFUGE_UNSUBSCRIBE_INSUFFICIENT 2500u

/* What an ERR_* of the uplink or the hub is for a client: of those that say nothing to it, INTERNAL. */
centrifuge_error_t centrifuge_error_of(int err);

/* {"code":103,"message":"permission denied"} */
void centrifuge_append_error(buf_t *out, centrifuge_error_t error);

/* {"id":7,"error":{...}} */
void centrifuge_reply_error(buf_t *out, uint32_t id, centrifuge_error_t error);

/* {"id":4,"publish":{}} */
void centrifuge_reply_empty(buf_t *out, uint32_t id, centrifuge_method_t method);

/* `ping_s` 0: no pings. */
void centrifuge_reply_connect(buf_t *out, uint32_t id, const char *client, uint64_t ping_s);

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
void centrifuge_push_unsubscribe(buf_t *out, span_t channel, uint32_t code, const char *reason);

#endif
