/* edge/close_code - why a connection ends: each code with its reason and the metric that counts it, once.
 * Thread: any; constants.
 *
 * The numbers from 3000 on are those of the Centrifuge protocol, which all dialects share: after 3000 to 3499
 * a client library connects again, after 3500 to 3999 it does not. A reason is never empty and never JSON:
 * with an empty one the JavaScript library connects again whatever the code, and JSON it takes for advice of
 * an older protocol.
 */
#ifndef HEDDLE_EDGE_CLOSE_CODE_H
#define HEDDLE_EDGE_CLOSE_CODE_H

#include "base/stats.h"

struct edge_stats;

/* X(NAME, code, reason, the counter in edge_stats_t) */
#define EDGE_CLOSE_CODES(X)                                                       \
    X(PROTOCOL, 1002, "protocol error", closed_protocol)                          \
    X(UNSUPPORTED, 1003, "this kind of message is not accepted", closed_protocol) \
    X(UTF8, 1007, "invalid UTF-8", closed_protocol)                               \
    X(POLICY, 1008, "too many control frames", closed_protocol)                   \
    X(TOO_BIG, 1009, "message too big", closed_protocol)                          \
    X(CONNECTION, 3000, "connection closed", closed_other)                        \
    X(SHUTDOWN, 3001, "shutdown", closed_shutdown)                                \
    X(INTERNAL, 3004, "internal server error", closed_other)                      \
    X(EXPIRED, 3005, "connection expired", closed_auth)                           \
    X(SUBSCRIPTION_EXPIRED, 3006, "subscription expired", closed_auth)            \
    X(SLOW, 3008, "slow", closed_slow)                                            \
    X(INSUFFICIENT, 3010, "insufficient state", closed_other)                     \
    X(NO_PONG, 3012, "no pong", closed_ping)                                      \
    X(TOO_MANY, 3013, "too many requests", closed_protocol)                       \
    X(INVALID_TOKEN, 3500, "invalid token", closed_auth)                          \
    X(BAD_REQUEST, 3501, "bad request", closed_protocol)                          \
    X(STALE, 3502, "stale", closed_protocol)                                      \
    X(FORCE, 3503, "force disconnect", closed_api)                                \
    X(CHANNEL_LIMIT, 3505, "channel limit", closed_other)                         \
    X(NOT_PERMITTED, 3507, "permission denied", closed_auth)                      \
    X(NOT_AVAILABLE, 3508, "not available", closed_other)

typedef enum edge_close_code {
#define EDGE_CLOSE_ENUM(NAME, code, reason, counter) EDGE_CLOSE_##NAME = (code),
    EDGE_CLOSE_CODES(EDGE_CLOSE_ENUM)
#undef EDGE_CLOSE_ENUM
} edge_close_code_t;

/* What a back end may choose from: the protocol's own codes and those that are free for applications. */
#define EDGE_CLOSE_CHOICE_MIN 3000u
#define EDGE_CLOSE_CHOICE_MAX 4999u

/* Bytes of a reason that fit into a close frame beside the code (RFC 6455 section 5.5). */
#define EDGE_CLOSE_REASON_MAX 123u

/* The reason of a code; "closed by the server" for one that is not in the table. Static memory. */
const char *edge_close_reason(unsigned code);

/* What counts closes with this code. One that is not in the table was chosen by a back end: the API's. */
stat_t *edge_close_counter(struct edge_stats *stats, unsigned code);

#endif
