/* edge/close_code - why the server ends a connection: each code with its reason, once.
 * Thread: any; constants.
 *
 * The numbers from 3000 on are those of the Centrifuge protocol, which all dialects share: after 3000 to 3499
 * a client library connects again, after 3500 to 3999 it does not. A reason is never empty and never JSON:
 * with an empty one the JavaScript library connects again whatever the code, and JSON it takes for advice of
 * an older protocol.
 */
#ifndef HEDDLE_EDGE_CLOSE_CODE_H
#define HEDDLE_EDGE_CLOSE_CODE_H

/* X(NAME, code, reason) */
#define EDGE_CLOSE_CODES(X)                                      \
    X(UNSUPPORTED, 1003, "this kind of message is not accepted") \
    X(POLICY, 1008, "too many control frames")                   \
    X(TOO_BIG, 1009, "message too big")                          \
    X(SHUTDOWN, 3001, "shutdown")                                \
    X(INTERNAL, 3004, "internal server error")                   \
    X(EXPIRED, 3005, "connection expired")                       \
    X(SLOW, 3008, "slow")                                        \
    X(INSUFFICIENT, 3010, "insufficient state")                  \
    X(NO_PONG, 3012, "no pong")                                  \
    X(TOO_MANY, 3013, "too many requests")                       \
    X(INVALID_TOKEN, 3500, "invalid token")                      \
    X(BAD_REQUEST, 3501, "bad request")                          \
    X(STALE, 3502, "stale")                                      \
    X(FORCE, 3503, "force disconnect")                           \
    X(NOT_PERMITTED, 3507, "permission denied")                  \
    X(NOT_AVAILABLE, 3508, "not available")

typedef enum edge_close_code {
#define EDGE_CLOSE_ENUM(NAME, code, reason) EDGE_CLOSE_##NAME = (code),
    EDGE_CLOSE_CODES(EDGE_CLOSE_ENUM)
#undef EDGE_CLOSE_ENUM
} edge_close_code_t;

/* The reason of a code of the table. Static memory. */
static inline const char *edge_close_reason(unsigned code)
{
    switch (code) {
#define EDGE_CLOSE_CASE(NAME, number, reason) \
    case number: return reason;
        EDGE_CLOSE_CODES(EDGE_CLOSE_CASE)
#undef EDGE_CLOSE_CASE
    default: return "closed by the server";
    }
}

#endif
