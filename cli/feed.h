/* cli/feed - messages of channels as they come, over the fabric or over ws://, for `heddle sub`.
 * Owner:  the command.
 * Thread: main; cli_feed_run blocks.
 */
#ifndef HEDDLE_CLI_FEED_H
#define HEDDLE_CLI_FEED_H

#include "cli/tool.h"

/* One message. The spans are lent for the call. */
typedef struct cli_feed_message {
    span_t channel;
    span_t epoch; /* empty over ws:// */
    uint64_t offset;
    uint64_t time_us; /* of its ordering; 0 = not known */
    span_t client, user;
    span_t info; /* raw JSON, or empty */
    span_t payload;
    bool binary;
} cli_feed_message_t;

typedef struct cli_feed_options {
    const char *to;    /* "tcp://…": the fabric; "ws://…": an edge */
    const char *token; /* ws://; NULL = none */
    cli_keys_t keys;   /* tcp:// */
    char **channels;
    size_t channel_count;
    uint64_t connect_us; /* how long it may take to be subscribed */
    uint64_t run_us;     /* at most; 0 = no limit */
    /* true: enough. */
    bool (*message)(void *context, const cli_feed_message_t *message);
    /* All channels are subscribed. */
    void (*ready)(void *context);
    /* Something between was missed and can't be had any more. */
    void (*missed)(void *context, span_t channel);
    void *context;
} cli_feed_options_t;

/* Runs until `message` says enough or a signal comes (OK), or run_us is over (ERR_TIMEOUT); ERR_UNAVAILABLE: nobody
 * there; ERR_DENIED: a channel was refused. A sentence in `why`. */
int cli_feed_run(const cli_feed_options_t *options, buf_t *why);

/* The part of it in cli/feed_ws.c. */
int cli_feed_run_ws(const cli_feed_options_t *options, buf_t *why);

#endif
