/* edge/api_ask - the part of edge/api that asks the relays and, through them, all edges. */
#include <inttypes.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/table.h"
#include "edge/api_inside.h"
#include "protocol/codec.h"

/* --- a question, and its answer as JSON --- */

/* Owned by the uplink's callback, which always comes. */
typedef struct asked {
    edge_api_call_t *call; /* owned */
    edge_api_render_fn *render;
    position_t since; /* of the question */
} asked_t;

static centrifuge_error_t render_error(int err)
{
    if (err == OK)
        return CENTRIFUGE_ERROR_NONE;
    return err == ERR_NOT_FOUND ? CENTRIFUGE_ERROR_UNRECOVERABLE : CENTRIFUGE_ERROR_INTERNAL;
}

static void answered(void *user, int err, span_t items)
{
    asked_t *asked = user;
    buf_t result = {0};
    centrifuge_error_t error = err ? CENTRIFUGE_ERROR_INTERNAL : CENTRIFUGE_ERROR_NONE;
    if (!error)
        error = render_error(asked->render(&result, items, asked->since));
    if (error)
        edge_api_refuse(&asked->call, error);
    else
        edge_api_answer(&asked->call, buf_span(&result));
    buf_fini(&result);
    mem_free(asked);
}

void edge_api_ask(edge_api_call_t **call_p, const envelope_ask_t *question, edge_api_render_fn *render)
{
    edge_worker_t *worker = (*call_p)->worker;
    asked_t *asked = mem_new(sizeof *asked);
    asked->render = render;
    asked->since.offset = question->offset;
    (void)position_set_epoch(&asked->since, question->epoch); /* none stays none */
    if (uplink_ask(worker->uplink, *question, answered, asked, worker->now_us) == OK) {
        asked->call = *call_p;
        *call_p = NULL;
    } else {
        mem_free(asked);
        edge_api_refuse(call_p, CENTRIFUGE_ERROR_INTERNAL);
    }
}

/* --- presence --- */

static int render_presence(buf_t *out, span_t items, position_t since)
{
    (void)since;
    buf_append_str(out, "{\"presence\":");
    int err = centrifuge_append_presence(out, items);
    buf_append_byte(out, '}');
    return err;
}

static int render_presence_stats(buf_t *out, span_t items, position_t since)
{
    (void)since;
    return centrifuge_append_presence_stats(out, items);
}

static void ask_presence(edge_api_call_t **call_p, const json_value_t *body, question_t question,
                         edge_api_render_fn *render)
{
    const channel_options_t *options = NULL;
    buf_t channel = {0};
    centrifuge_error_t error = CENTRIFUGE_ERROR_BAD_COMMAND;
    if (edge_api_text(body, "channel", CHANNEL_NAME_MAX, &channel) == OK)
        error = edge_api_check_channel((*call_p)->worker, buf_span(&channel), &options);
    if (!error && !options->presence)
        error = CENTRIFUGE_ERROR_NOT_AVAILABLE;
    if (error)
        edge_api_refuse(call_p, error);
    else
        edge_api_ask(call_p, &(envelope_ask_t){.question = question, .channel = buf_span(&channel)}, render);
    buf_fini(&channel);
}

void edge_api_presence(edge_api_call_t **call_p, const json_value_t *body)
{
    ask_presence(call_p, body, QUESTION_PRESENCE, render_presence);
}

void edge_api_presence_stats(edge_api_call_t **call_p, const json_value_t *body)
{
    ask_presence(call_p, body, QUESTION_PRESENCE_STATS, render_presence_stats);
}

int edge_api_render_nothing(buf_t *out, span_t items, position_t since)
{
    (void)since;
    (void)items;
    buf_append_str(out, "{}");
    return OK;
}

/* --- channels: the edges' lists, in which a channel may stand several times, as one --- */

typedef struct channel_count {
    span_t name;
    uint64_t clients;
} channel_count_t;

static span_t channel_count_key(const void *item)
{
    return ((const channel_count_t *)item)->name;
}

/* One item of any list: reads its fields from the front, passes over the rest. */
typedef int read_fields_fn(span_t *rest, void *out);

static int read_item(span_t *items, uint32_t fields, read_fields_fn *read, void *out)
{
    uint32_t count;
    int err = codec_read_array(items, &count);
    if (!err && count < fields)
        err = ERR_TRUNCATED;
    if (!err)
        err = read(items, out);
    for (uint32_t i = fields; !err && i < count; i++)
        err = codec_skip(items);
    return err;
}

static int read_channel_fields(span_t *rest, void *out)
{
    channel_count_t *item = out;
    int err = codec_read_text(rest, CHANNEL_NAME_MAX, &item->name);
    return err ? err : codec_read_uint(rest, &item->clients);
}

/* Fills `counts` (room for `listed`) and says in *distinct how many it filled. */
static int sum_channels(span_t items, uint32_t listed, channel_count_t *counts, uint32_t *distinct)
{
    table_t by_name;
    table_init(&by_name, channel_count_key);
    int err = OK;
    *distinct = 0;
    for (uint32_t i = 0; !err && i < listed; i++) {
        channel_count_t *item = &counts[*distinct];
        err = read_item(&items, 2, read_channel_fields, item);
        channel_count_t *known = err ? NULL : table_get(&by_name, item->name);
        if (known) {
            known->clients += item->clients;
        } else if (!err) {
            table_put(&by_name, item);
            ++*distinct;
        }
    }
    table_fini(&by_name);
    return err;
}

static int render_channels(buf_t *out, span_t items, position_t since)
{
    (void)since;
    uint32_t listed = 0, distinct = 0;
    int err = items.size ? codec_read_array(&items, &listed) : OK;
    if (err)
        return err;
    channel_count_t *counts = mem_try((listed + (size_t)1) * sizeof *counts);
    if (!counts)
        return ERR_MEMORY;
    err = sum_channels(items, listed, counts, &distinct);
    buf_append_str(out, "{\"channels\":{");
    for (uint32_t i = 0; i < distinct; i++) {
        if (i > 0)
            buf_append_byte(out, ',');
        json_append_string(out, counts[i].name);
        buf_append_str(out, ":{\"num_clients\":");
        buf_append_u64(out, counts[i].clients);
        buf_append_byte(out, '}');
    }
    buf_append_str(out, "}}");
    mem_free(counts);
    return err;
}

void edge_api_channels(edge_api_call_t **call_p, const json_value_t *body)
{
    buf_t pattern = {0};
    int err = edge_api_text(body, "pattern", CHANNEL_NAME_MAX, &pattern);
    if (pattern.size == 0)
        buf_append_byte(&pattern, '*');
    if (err)
        edge_api_refuse(call_p, CENTRIFUGE_ERROR_BAD_COMMAND);
    else
        edge_api_ask(call_p, &(envelope_ask_t){.question = QUESTION_CHANNELS, .channel = buf_span(&pattern)},
                     render_channels);
    buf_fini(&pattern);
}

/* --- info: all nodes --- */

typedef struct node_line {
    uint64_t id, role, clients, users, subscriptions, channels, uptime_s;
    span_t name, software;
} node_line_t;

static int read_node_fields(span_t *rest, void *out)
{
    node_line_t *node = out;
    int err = codec_read_uint(rest, &node->id);
    if (!err)
        err = codec_read_text(rest, NODE_NAME_MAX, &node->name);
    if (!err)
        err = codec_read_uint(rest, &node->role);
    if (!err)
        err = codec_read_text(rest, NODE_NAME_MAX, &node->software);
    uint64_t *const numbers[] = {&node->clients, &node->users, &node->subscriptions, &node->channels,
                                 &node->uptime_s};
    for (size_t i = 0; !err && i < sizeof numbers / sizeof *numbers; i++)
        err = codec_read_uint(rest, numbers[i]);
    return err;
}

static const char *role_name(uint64_t role)
{
    switch (role) {
#define NAME(NAME, code, text) \
    case code: return text;
        NODE_ROLES(NAME)
#undef NAME
    default: return "?";
    }
}

static void append_number(buf_t *out, const char *name, uint64_t number)
{
    buf_append_str(out, name);
    buf_append_u64(out, number);
}

static void append_node(buf_t *out, const node_line_t *node)
{
    buf_printf(out, "{\"uid\":\"%016" PRIx64 "\",\"name\":", node->id);
    json_append_string(out, node->name);
    buf_printf(out, ",\"role\":\"%s\",\"version\":", role_name(node->role));
    json_append_string(out, node->software);
    append_number(out, ",\"num_clients\":", node->clients);
    append_number(out, ",\"num_users\":", node->users);
    append_number(out, ",\"num_subs\":", node->subscriptions);
    append_number(out, ",\"num_channels\":", node->channels);
    append_number(out, ",\"uptime\":", node->uptime_s);
    buf_append_byte(out, '}');
}

static int render_nodes(buf_t *out, span_t items, position_t since)
{
    (void)since;
    uint32_t count = 0;
    int err = items.size ? codec_read_array(&items, &count) : OK;
    buf_append_str(out, "{\"nodes\":[");
    for (uint32_t i = 0; !err && i < count; i++) {
        node_line_t node;
        err = read_item(&items, 9, read_node_fields, &node);
        if (err)
            break;
        if (i > 0)
            buf_append_byte(out, ',');
        append_node(out, &node);
    }
    buf_append_str(out, "]}");
    return err;
}

void edge_api_info(edge_api_call_t **call_p, const json_value_t *body)
{
    (void)body;
    edge_api_ask(call_p, &(envelope_ask_t){.question = QUESTION_NODES}, render_nodes);
}
