/* cli/pub - `heddle pub CHANNEL [DATA]`. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/target.h"
#include "cli/tool.h"
#include "cli/ws_client.h"
#include "protocol/json.h"
#include "protocol/utf8.h"

typedef struct pub_options {
    const char *to;
    const char *token;
    cli_keys_t keys;
    uint64_t timeout_us;
    bool binary;
    bool lines;
    bool json;
} pub_options_t;

#define ROW(field) .offset = offsetof(pub_options_t, field)
static const cli_option_t rows[] = {
    CLI_TARGET_TO(pub_options_t, "tcp://HOST:PORT or dns://NAME:PORT of a relay, or ws://HOST:PORT of an "
                                 "edge (which confirms nothing)"),
    CLI_TARGET_TOKEN(pub_options_t),
    CLI_TARGET_KEY(pub_options_t),
    CLI_TARGET_RELAY_KEY(pub_options_t),
    {.name = "timeout",
     .type = CLI_DURATION,
     ROW(timeout_us),
     .value = "TIME",
     .fallback = "10s",
     .help = "how long all of it may take"},
    {.name = "binary", .letter = 'b', .type = CLI_FLAG, ROW(binary), .help = "the data is binary, not text"},
    {.name = "lines",
     .letter = 'l',
     .type = CLI_FLAG,
     ROW(lines),
     .help = "a message for each line of standard input"},
    {.name = "json", .type = CLI_FLAG, ROW(json), .help = "prints the position of each message as JSON"},
};

static const cli_options_t set = {
    .command = "heddle pub",
    .arguments = "CHANNEL [DATA]",
    .about = "Publishes DATA, or else what stands on standard input. Over the fabric, ends well only\n"
             "when the relay has confirmed every message.",
    .rows = rows,
    .count = sizeof rows / sizeof rows[0],
    .arguments_min = 1,
    .arguments_max = 2,
};

typedef struct pub {
    pub_options_t options;
    const char *channel;
    const char *data; /* NULL = standard input */
    char *line;       /* owned; getline's */
    size_t line_capacity;
    buf_t next; /* the message to publish next, if has_next */
    bool has_next;
    bool at_end;
    uint64_t waiting; /* for confirmation */
    cli_tool_t *tool;
    int failed; /* the first error; OK = none */
} pub_t;

/* --- where messages come from --- */

static bool read_all(buf_t *out)
{
    size_t got;
    while ((got = fread(buf_reserve(out, 65536), 1, 65536, stdin)) > 0)
        buf_advance(out, got);
    return true;
}

static bool read_line(pub_t *self, buf_t *out)
{
    ssize_t size = getline(&self->line, &self->line_capacity, stdin);
    if (size < 0)
        return false;
    if (size && self->line[size - 1] == '\n')
        size--;
    buf_append(out, self->line, (size_t)size);
    return true;
}

/* The next message into self->next; false when there is none. */
static bool fetch(pub_t *self)
{
    if (self->has_next)
        return true;
    if (self->at_end)
        return false;
    buf_clear(&self->next);
    self->at_end = !self->options.lines;
    if (self->data)
        buf_append_str(&self->next, self->data);
    self->has_next =
        self->data || (self->options.lines ? read_line(self, &self->next) : read_all(&self->next));
    self->at_end |= !self->has_next;
    return self->has_next;
}

static unsigned flags_of(const pub_t *self, span_t payload)
{
    json_value_t value;
    if (self->options.binary)
        return MESSAGE_BINARY;
    return json_parse(payload, &value) == OK ? MESSAGE_JSON : 0;
}

/* OK, or why this can't be a message. */
static int check(const pub_t *self, span_t payload)
{
    if (payload.size > PAYLOAD_MAX)
        return ERR_TOO_BIG;
    return self->options.binary ? OK : utf8_check(payload);
}

/* --- over the fabric --- */

static void fail(pub_t *self, int err)
{
    if (!self->failed)
        self->failed = err;
    self->at_end = true;
    self->has_next = false;
}

static void finish_if_done(pub_t *self)
{
    if (self->at_end && !self->has_next && self->waiting == 0)
        cli_tool_stop(self->tool, self->failed);
}

static void published(void *user, int err, position_t position)
{
    pub_t *self = user;
    self->waiting--;
    if (err)
        fail(self, err);
    else if (self->options.json)
        printf("{\"channel\":\"%s\",\"epoch\":\"%.8s\",\"offset\":%" PRIu64 "}\n", self->channel,
               position.epoch, position.offset);
}

static void publish_some(void *context, cli_tool_t *tool)
{
    pub_t *self = context;
    while (fetch(self)) {
        span_t payload = buf_span(&self->next);
        publication_t publication = {
            .channel = span_str(self->channel), .flags = flags_of(self, payload), .payload = payload};
        int err = check(self, payload);
        if (!err)
            err = uplink_publish(cli_tool_uplink(tool), &publication, published, self, cli_tool_now(tool));
        if (err == ERR_FULL)
            return; /* the next turn, or `room` */
        if (err)
            fail(self, err);
        else
            self->waiting++;
        self->has_next = false;
    }
}

static void found(void *context, cli_tool_t *tool)
{
    publish_some(context, tool);
}

static void turn(void *context, cli_tool_t *tool)
{
    pub_t *self = context;
    (void)tool;
    finish_if_done(self);
}

static int run_fabric(pub_t *self, buf_t *why)
{
    static const cli_tool_events_t events = {.found = found, .room = publish_some, .turn = turn};
    cli_tool_options_t options = {self->options.to, NULL, self->options.timeout_us, self->options.timeout_us,
                                  self->options.keys};
    int err = cli_tool_open(&self->tool, &options, &events, self, why);
    if (err)
        return err;
    err = cli_tool_run(self->tool, why);
    cli_tool_destroy(&self->tool);
    return err;
}

/* --- over ws:// --- */

static void append_url(const pub_t *self, buf_t *url)
{
    static const char hex[] = "0123456789ABCDEF";
    buf_printf(url, "%s/ws/", self->options.to);
    for (const char *at = self->channel; *at; at++) {
        bool plain = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9') ||
                     strchr("-_.~:", *at);
        if (plain)
            buf_append_byte(url, (uint8_t)*at);
        else
            buf_printf(url, "%%%c%c", hex[(uint8_t)*at >> 4], hex[*at & 15]);
    }
    buf_append_str(url, "?mode=pub");
}

static int send_all(pub_t *self, cli_ws_client_t *client, uint64_t deadline_us)
{
    int err = OK;
    while (!err && fetch(self)) {
        err = check(self, buf_span(&self->next));
        if (!err)
            err = cli_ws_client_send(client, self->options.binary ? WEBSOCKET_BINARY : WEBSOCKET_TEXT,
                                     buf_span(&self->next), deadline_us);
        self->has_next = false;
    }
    return err ? err : cli_ws_client_close(client, 1000, "done", deadline_us);
}

static int run_ws(pub_t *self, buf_t *why)
{
    buf_t url = {0};
    buf_t header = {0};
    cli_ws_client_t *client = NULL;
    uint64_t deadline_us = clock_now_us() + self->options.timeout_us;
    append_url(self, &url);
    if (self->options.token)
        buf_printf(&header, "Authorization: Bearer %s\r\n", self->options.token);
    int err =
        cli_ws_client_open(&client, buf_text(&url), header.size ? buf_text(&header) : NULL, deadline_us, why);
    if (!err)
        err = send_all(self, client, deadline_us);
    cli_ws_client_destroy(&client);
    buf_fini(&url);
    buf_fini(&header);
    return err;
}

/* --- the command --- */

static int run(pub_t *self)
{
    buf_t why = {0};
    if (channel_name_check(span_str(self->channel)))
        return cli_fail(&set, CLI_USAGE, "'%s' is no channel's name", self->channel);
    int err = cli_target_is_edge(self->options.to) ? run_ws(self, &why) : run_fabric(self, &why);
    int code = cli_target_exit(&set, err, &why);
    buf_fini(&why);
    return code;
}

int cli_pub_run(int argc, char **argv)
{
    pub_t self = {.failed = OK};
    int code;
    if (cli_options_begin(&set, &argc, argv, &self.options, &code)) {
        self.channel = argv[0];
        self.data = argc > 1 ? argv[1] : NULL;
        if (self.data && self.options.lines)
            code = cli_fail(&set, CLI_USAGE, "--lines reads standard input; DATA is too much");
        else
            code = run(&self);
    }
    cli_options_free(&set, &self.options);
    buf_fini(&self.next);
    free(self.line);
    return code;
}
