/* edge/centrifuge_command - what a Centrifuge client says (protocol v2, JSON): a frame in, commands out.
 * Owner:  a reader lives on the stack, for one frame.
 * Thread: any; pure.
 * Life:   centrifuge_reader_init -> centrifuge_read* -> centrifuge_reader_fini
 *
 * A frame is one or more JSON objects, one on a line; the last line's end may be there or not. A command is
 * {"id": N, METHOD: {...}}; with more than one method the first of the list below counts. `{}` is a pong.
 * Unknown members are passed over; duplicate ones, escapes in their names and wrong types of those that the
 * protocol has are errors, so that no other reader can see another command than we do.
 */
#ifndef HEDDLE_EDGE_CENTRIFUGE_COMMAND_H
#define HEDDLE_EDGE_CENTRIFUGE_COMMAND_H

#include "protocol/json.h"

/* X(NAME, member of the command) in the order in which the protocol looks for them. */
#define CENTRIFUGE_METHODS(X)           \
    X(CONNECT, "connect")               \
    X(SUBSCRIBE, "subscribe")           \
    X(UNSUBSCRIBE, "unsubscribe")       \
    X(PUBLISH, "publish")               \
    X(PRESENCE, "presence")             \
    X(PRESENCE_STATS, "presence_stats") \
    X(HISTORY, "history")               \
    X(PING, "ping")                     \
    X(SEND, "send")                     \
    X(RPC, "rpc")                       \
    X(REFRESH, "refresh")               \
    X(SUB_REFRESH, "sub_refresh")

typedef enum centrifuge_method {
    CENTRIFUGE_PONG,
#define CENTRIFUGE_METHOD_ENUM(NAME, member) CENTRIFUGE_##NAME,
    CENTRIFUGE_METHODS(CENTRIFUGE_METHOD_ENUM)
#undef CENTRIFUGE_METHOD_ENUM
        CENTRIFUGE_METHOD_COUNT
} centrifuge_method_t;

/* The member's name; also that of the result in a reply. Static memory; not for PONG. */
const char *centrifuge_method_name(centrifuge_method_t method);

/* A position as a client says it; its epoch may be anything. */
typedef struct centrifuge_position {
    bool given;
    span_t epoch;
    uint64_t offset;
} centrifuge_position_t;

/* Spans are lent until the next centrifuge_read. What is absent is empty, or 0. */
typedef struct centrifuge_command {
    centrifuge_method_t method;
    uint32_t id; /* the client's own number; 0 only for PONG and SEND */
    span_t channel;
    span_t token;
    span_t data;  /* raw JSON, without line feeds as it stood on one line */
    span_t subs;  /* connect: raw JSON, the positions of server-side subscriptions */
    span_t delta; /* the kind of compression that is asked for */
    int64_t type; /* the kind of subscription */
    bool has_tag_filter;
    bool recover;                /* go on from `at` */
    bool join_leave;             /* tell me who joins and leaves */
    bool reverse;                /* history: newest first */
    int64_t flag;                /* bit 1: what can't be recovered is an error */
    int64_t limit;               /* history: 0 = none, below 0 = all that may be had */
    centrifuge_position_t at;    /* subscribe */
    centrifuge_position_t since; /* history */
} centrifuge_command_t;

typedef struct centrifuge_reader {
    span_t rest; /* what has not been read yet */
    span_t here; /* from the last command on to the frame's end */
    bool begun;
    buf_t memory; /* owned: decoded texts of the last command */
} centrifuge_reader_t;

/* Borrows the frame for life. */
void centrifuge_reader_init(centrifuge_reader_t *self, span_t frame);
void centrifuge_reader_fini(centrifuge_reader_t *self);

/* The next command. OK; ERR_NOT_FOUND at the frame's end; any other error: a bad request, and what is left is
 * of no use. An empty frame is one. */
int centrifuge_read(centrifuge_reader_t *self, centrifuge_command_t *out);

/* {"recover":true,"offset":4,"epoch":"aB"}: a server-side subscription's position in `subs`. false: it is not there, or
 * not to be gone on from. ERR_* in *err if it is none; `memory` keeps what is decoded. */
bool centrifuge_read_recovery(span_t subs, const char *channel, buf_t *memory, centrifuge_position_t *out,
                              int *err);

#endif
