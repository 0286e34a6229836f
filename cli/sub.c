/* cli/sub - `heddle sub CHANNEL…`. */
#include <inttypes.h>
#include <stdio.h>

#include "base/err.h"
#include "cli/command.h"
#include "cli/feed.h"
#include "cli/options.h"
#include "cli/target.h"
#include "protocol/base64.h"
#include "protocol/channel_name.h"
#include "protocol/json.h"
#include "protocol/utf8.h"

typedef struct sub_options {
    const char *to;
    const char *token;
    cli_keys_t keys;
    uint64_t count;
    uint64_t wait_us;
    uint64_t connect_us;
    bool json;
    bool verbose;
} sub_options_t;

#define ROW(field) .offset = offsetof(sub_options_t, field)
static const cli_option_t rows[] = {
    CLI_TARGET_TO(sub_options_t,
                  "tcp://HOST:PORT or dns://NAME:PORT of a relay, or ws://HOST:PORT of an edge"),
    CLI_TARGET_TOKEN(sub_options_t),
    CLI_TARGET_KEY(sub_options_t),
    CLI_TARGET_RELAY_KEY(sub_options_t),
    {.name = "count",
     .letter = 'C',
     .type = CLI_COUNT,
     ROW(count),
     .value = "N",
     .help = "ends after so many messages"},
    {.name = "wait",
     .letter = 'W',
     .type = CLI_DURATION,
     ROW(wait_us),
     .value = "TIME",
     .help = "ends after so long"},
    {.name = "connect-timeout",
     .type = CLI_DURATION,
     ROW(connect_us),
     .value = "TIME",
     .fallback = "5s",
     .help = "how long the other side may take to answer"},
    {.name = "verbose",
     .letter = 'v',
     .type = CLI_FLAG,
     ROW(verbose),
     .help = "channel and offset before each message"},
    {.name = "json", .type = CLI_FLAG, ROW(json), .help = "a JSON object a line"},
};

static const cli_options_t set = {
    .command = "heddle sub",
    .arguments = "CHANNEL…",
    .about = "Prints the messages of channels, a line each, as they come. After a lost link it goes on\n"
             "from where it was; what can't be had any more is told on standard error.",
    .rows = rows,
    .count = sizeof rows / sizeof rows[0],
    .arguments_min = 1,
    .arguments_max = 1000,
};

typedef struct sub {
    sub_options_t options;
    uint64_t received;
    bool lossy;
} sub_t;

/* "data" for text that is JSON, "text" for other text, "b64data" for binary. */
static void append_payload(buf_t *line, const cli_feed_message_t *message)
{
    json_value_t value;
    if (message->binary || utf8_check(message->payload)) {
        buf_append_str(line, "\"b64data\":\"");
        base64_encode(line, message->payload);
        buf_append_byte(line, '"');
    } else if (json_parse(message->payload, &value) == OK) {
        buf_append_str(line, "\"data\":");
        json_append_line(line, value.raw);
    } else {
        buf_append_str(line, "\"text\":");
        json_append_string(line, message->payload);
    }
}

static void append_member(buf_t *line, const char *name, span_t text)
{
    if (text.size == 0)
        return;
    buf_printf(line, "\"%s\":", name);
    json_append_string(line, text);
    buf_append_byte(line, ',');
}

static void print_json(const cli_feed_message_t *message)
{
    buf_t line = {0};
    buf_append_byte(&line, '{');
    append_member(&line, "channel", message->channel);
    append_member(&line, "epoch", message->epoch);
    buf_printf(&line, "\"offset\":%" PRIu64 ",", message->offset);
    if (message->time_us)
        buf_printf(&line, "\"time_us\":%" PRIu64 ",", message->time_us);
    append_member(&line, "client", message->client);
    append_member(&line, "user", message->user);
    append_payload(&line, message);
    buf_append_str(&line, "}\n");
    fwrite(line.data, 1, line.size, stdout);
    buf_fini(&line);
}

static bool take_message(void *context, const cli_feed_message_t *message)
{
    sub_t *self = context;
    if (self->options.json) {
        print_json(message);
    } else {
        if (self->options.verbose)
            printf("%.*s %" PRIu64 " ", SPAN_FMT(message->channel), message->offset);
        fwrite(message->payload.data, 1, message->payload.size, stdout);
        putchar('\n');
    }
    fflush(stdout);
    return ++self->received == self->options.count;
}

static void take_ready(void *context)
{
    (void)context;
    fputs("subscribed\n", stderr);
}

static void take_missed(void *context, span_t channel)
{
    sub_t *self = context;
    self->lossy = true;
    fprintf(stderr, "%.*s: some messages were missed and can't be had any more\n", SPAN_FMT(channel));
}

/* Reaching the end of --wait is what was asked for, unless --count asked for more messages. */
static int exit_code(const sub_t *self, int err, buf_t *why)
{
    if (err == ERR_TIMEOUT && (self->options.count == 0 || self->received >= self->options.count))
        err = OK;
    if (err == OK)
        return self->lossy ? CLI_FAILED : CLI_OK;
    if (err == ERR_TIMEOUT)
        return cli_fail(&set, CLI_FAILED, "%" PRIu64 " of %" PRIu64 " messages in time", self->received,
                        self->options.count);
    return cli_target_exit(&set, err, why);
}

static int run(sub_t *self, char **channels, int count)
{
    for (int i = 0; i < count; i++) {
        if (channel_name_check(span_str(channels[i])))
            return cli_fail(&set, CLI_USAGE, "'%s' is no channel's name", channels[i]);
    }
    cli_feed_options_t feed = {
        .to = self->options.to,
        .token = self->options.token,
        .keys = self->options.keys,
        .channels = channels,
        .channel_count = (size_t)count,
        .connect_us = self->options.connect_us,
        .run_us = self->options.wait_us,
        .message = take_message,
        .ready = take_ready,
        .missed = take_missed,
        .context = self,
    };
    buf_t why = {0};
    int code = exit_code(self, cli_feed_run(&feed, &why), &why);
    buf_fini(&why);
    return code;
}

int cli_sub_run(int argc, char **argv)
{
    sub_t self = {.received = 0};
    int code;
    if (cli_options_begin(&set, &argc, argv, &self.options, &code))
        code = run(&self, argv, argc);
    cli_options_free(&set, &self.options);
    return code;
}
