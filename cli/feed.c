#include "cli/feed.h"

#include "base/err.h"
#include "base/mem.h"
#include "cli/target.h"
#include "cli/tool.h"

/* --- over the fabric --- */

typedef struct fabric_feed {
    const cli_feed_options_t *options;
    position_t *positions; /* of the last message of each channel */
    size_t subscribed;     /* channels */
    bool ready;
    buf_t *why;
} fabric_feed_t;

static size_t index_of(const fabric_feed_t *feed, span_t channel)
{
    size_t at = 0;
    while (at < feed->options->channel_count && !span_is(channel, feed->options->channels[at]))
        at++;
    return at;
}

static void subscribe(const fabric_feed_t *feed, cli_tool_t *tool, size_t at)
{
    (void)uplink_subscribe(cli_tool_uplink(tool), span_str(feed->options->channels[at]), feed->positions[at],
                           0, cli_tool_now(tool));
}

static void found(void *context, cli_tool_t *tool)
{
    const fabric_feed_t *feed = context;
    for (size_t i = 0; i < feed->options->channel_count; i++)
        subscribe(feed, tool, i);
}

static void moved(void *context, cli_tool_t *tool)
{
    const fabric_feed_t *feed = context;
    for (size_t i = 0; i < feed->options->channel_count; i++) {
        if (uplink_moved_from(cli_tool_uplink(tool), span_str(feed->options->channels[i])))
            subscribe(feed, tool, i);
    }
}

static void subscribed(void *context, cli_tool_t *tool, const envelope_sub_ok_t *answer)
{
    (void)tool;
    fabric_feed_t *feed = context;
    size_t at = index_of(feed, answer->channel);
    if (at == feed->options->channel_count)
        return;
    position_t *position = &feed->positions[at];
    bool first = !position_known(*position);
    if (!first && !answer->recovered)
        feed->options->missed(feed->options->context, answer->channel);
    if (position_set_epoch(position, answer->epoch))
        return;
    position->offset = answer->since;
    feed->subscribed += first;
    if (feed->subscribed == feed->options->channel_count && !feed->ready) {
        feed->ready = true;
        feed->options->ready(feed->options->context);
    }
}

static void not_subscribed(void *context, cli_tool_t *tool, const envelope_sub_no_t *answer)
{
    fabric_feed_t *feed = context;
    buf_printf(feed->why, "%.*s: the relay refused: %s", SPAN_FMT(answer->channel),
               err_text(-(int)answer->code));
    cli_tool_stop(tool, ERR_DENIED);
}

static void message(void *context, cli_tool_t *tool, const envelope_msg_t *envelope)
{
    fabric_feed_t *feed = context;
    size_t at = index_of(feed, envelope->channel);
    if (at == feed->options->channel_count || envelope->offset <= feed->positions[at].offset)
        return;
    feed->positions[at].offset = envelope->offset;
    cli_feed_message_t out = {
        .channel = envelope->channel,
        .epoch = envelope->epoch,
        .offset = envelope->offset,
        .time_us = envelope->time_us,
        .client = envelope->client,
        .user = envelope->user,
        .info = envelope->info,
        .payload = envelope->payload,
        .binary = envelope->flags & MESSAGE_BINARY,
    };
    if (feed->options->message(feed->options->context, &out))
        cli_tool_stop(tool, OK);
}

static int run_fabric(const cli_feed_options_t *options, buf_t *why)
{
    static const cli_tool_events_t events = {.found = found,
                                             .moved = moved,
                                             .message = message,
                                             .subscribed = subscribed,
                                             .not_subscribed = not_subscribed};
    fabric_feed_t feed = {.options = options, .why = why};
    cli_tool_options_t tool_options = {options->to, NULL, options->connect_us, options->run_us,
                                       options->keys};
    cli_tool_t *tool;
    int err = cli_tool_open(&tool, &tool_options, &events, &feed, why);
    if (err)
        return err;
    feed.positions = mem_new_n(options->channel_count, sizeof *feed.positions);
    err = cli_tool_run(tool, why);
    cli_tool_destroy(&tool);
    mem_free(feed.positions);
    return err;
}

int cli_feed_run(const cli_feed_options_t *options, buf_t *why)
{
    return cli_target_is_edge(options->to) ? cli_feed_run_ws(options, why) : run_fabric(options, why);
}
