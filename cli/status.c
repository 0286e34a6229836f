/* cli/status - `heddle status`. */
#include <inttypes.h>
#include <stdio.h>

#include "base/err.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/target.h"
#include "cli/tool.h"
#include "protocol/codec.h"
#include "protocol/json.h"

typedef struct status_options {
    const char *to;
    cli_keys_t keys;
    uint64_t timeout_us;
    bool json;
} status_options_t;

#define ROW(field) .offset = offsetof(status_options_t, field)
static const cli_option_t rows[] = {
    CLI_TARGET_TO(status_options_t, "tcp://HOST:PORT or dns://NAME:PORT of a relay"),
    CLI_TARGET_KEY(status_options_t),
    CLI_TARGET_RELAY_KEY(status_options_t),
    {.name = "timeout",
     .type = CLI_DURATION,
     ROW(timeout_us),
     .value = "TIME",
     .fallback = "5s",
     .help = "how long the answer may take"},
    {.name = "json", .type = CLI_FLAG, ROW(json), .help = "a JSON object a line"},
};

static const cli_options_t set = {
    .command = "heddle status",
    .about = "Lists the nodes of the cluster: the relay, and every worker of every edge.",
    .rows = rows,
    .count = sizeof rows / sizeof rows[0],
};

/* A line of QUESTION_NODES' answer; see protocol/kinds.h. */
typedef struct node_line {
    uint64_t id, role, clients, users, subscriptions, channels, uptime_s;
    span_t name, software;
} node_line_t;

static const char *role_name(uint64_t role)
{
    switch (role) {
#define ROLE_CASE(NAME, code, text) \
    case code: return text;
        NODE_ROLES(ROLE_CASE)
    default: return "?";
    }
}

static int read_line(span_t *rest, node_line_t *line)
{
    uint32_t fields;
    uint64_t *const numbers[] = {&line->clients, &line->users, &line->subscriptions, &line->channels,
                                 &line->uptime_s};
    int err = codec_read_array(rest, &fields);
    if (!err && fields < 9)
        err = ERR_MALFORMED;
    if (!err)
        err = codec_read_uint(rest, &line->id);
    if (!err)
        err = codec_read_text(rest, NODE_NAME_MAX, &line->name);
    if (!err)
        err = codec_read_uint(rest, &line->role);
    if (!err)
        err = codec_read_text(rest, NODE_NAME_MAX, &line->software);
    for (size_t i = 0; !err && i < sizeof numbers / sizeof numbers[0]; i++)
        err = codec_read_uint(rest, numbers[i]);
    for (uint32_t i = 9; !err && i < fields; i++)
        err = codec_skip(rest);
    return err;
}

static void print_json(const node_line_t *line)
{
    buf_t out = {0};
    buf_append_str(&out, "{\"name\":");
    json_append_string(&out, line->name);
    buf_append_str(&out, ",\"software\":");
    json_append_string(&out, line->software);
    buf_printf(&out,
               ",\"id\":\"%016" PRIx64 "\",\"role\":\"%s\",\"clients\":%" PRIu64 ",\"users\":%" PRIu64
               ",\"subscriptions\":%" PRIu64 ",\"channels\":%" PRIu64 ",\"uptime_s\":%" PRIu64 "}",
               line->id, role_name(line->role), line->clients, line->users, line->subscriptions,
               line->channels, line->uptime_s);
    puts(buf_text(&out));
    buf_fini(&out);
}

static void print_row(const node_line_t *line)
{
    printf("%-16.*s %-6s %016" PRIx64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %9" PRIu64
           " s  %.*s\n",
           SPAN_FMT(line->name), role_name(line->role), line->id, line->clients, line->users,
           line->subscriptions, line->channels, line->uptime_s, SPAN_FMT(line->software));
}

typedef struct status {
    status_options_t options;
    cli_tool_t *tool;
} status_t;

static void answered(void *user, int err, span_t items)
{
    status_t *self = user;
    uint32_t count = 0;
    if (err == ERR_CLOSED) /* the tool ends before the answer: the reason is known already */
        return;
    if (!err)
        err = codec_read_array(&items, &count);
    if (!err && !self->options.json)
        printf("%-16s %-6s %-16s %8s %8s %8s %8s %11s  %s\n", "NAME", "ROLE", "ID", "CLIENTS", "USERS",
               "SUBS", "CHANNELS", "UPTIME", "SOFTWARE");
    for (uint32_t i = 0; !err && i < count; i++) {
        node_line_t line;
        err = read_line(&items, &line);
        if (!err)
            (self->options.json ? print_json : print_row)(&line);
    }
    cli_tool_stop(self->tool, err);
}

static void found(void *context, cli_tool_t *tool)
{
    status_t *self = context;
    envelope_ask_t question = {.question = QUESTION_NODES};
    int err = uplink_ask(cli_tool_uplink(tool), question, answered, self, cli_tool_now(tool));
    if (err)
        cli_tool_stop(tool, err);
}

static int run(status_t *self)
{
    static const cli_tool_events_t events = {.found = found};
    cli_tool_options_t options = {self->options.to, NULL, self->options.timeout_us, self->options.timeout_us,
                                  self->options.keys};
    buf_t why = {0};
    int err = cli_tool_open(&self->tool, &options, &events, self, &why);
    if (!err)
        err = cli_tool_run(self->tool, &why);
    cli_tool_destroy(&self->tool);
    int code = cli_target_exit(&set, err, &why);
    buf_fini(&why);
    return code;
}

int cli_status_run(int argc, char **argv)
{
    status_t self = {.tool = NULL};
    int code;
    if (cli_options_begin(&set, &argc, argv, &self.options, &code))
        code = run(&self);
    cli_options_free(&set, &self.options);
    return code;
}
