/* edge/api_ask - the part of edge/api that asks the relays and, through them, all edges. */
#include <inttypes.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/table.h"
#include "edge/api_inside.h"
#include "edge/close_code.h"
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

/* --- clients: disconnect, unsubscribe, refresh --- */

int edge_api_render_nothing(buf_t *out, span_t items, position_t since)
{
    (void)since;
    (void)items;
    buf_append_str(out, "{}");
    return OK;
}

/* What a question about clients says; owns its texts. */
typedef struct client_question {
    envelope_ask_t ask;
    buf_t channel, user, client, reason, except;
} client_question_t;

static void client_question_fini(client_question_t *self)
{
    buf_fini(&self->channel);
    buf_fini(&self->user);
    buf_fini(&self->client);
    buf_fini(&self->reason);
    buf_fini(&self->except);
}

/* Whose clients: a user, or one client; with both, that client if it is the user's. */
static int read_whom(const json_value_t *body, client_question_t *out)
{
    int err = edge_api_text(body, "user", USER_ID_MAX, &out->user);
    if (!err)
        err = edge_api_text(body, "client", CLIENT_ID_MAX, &out->client);
    if (!err && out->user.size == 0 && out->client.size == 0)
        err = ERR_NOT_FOUND;
    out->ask.user = buf_span(&out->user);
    out->ask.client = buf_span(&out->client);
    return err;
}

/* The ids of clients that stay, as a msgpack list. */
static int read_whitelist(const json_value_t *body, client_question_t *out)
{
    json_value_t list, item;
    if (!json_get(body, "whitelist", &list) || list.type == JSON_NULL)
        return OK;
    if (list.type != JSON_ARRAY)
        return ERR_TYPE;
    uint32_t count = 0;
    buf_t id = {0}, ids = {0};
    int err = OK;
    json_cursor_t cursor = json_cursor(&list);
    while (!err && json_next_item(&cursor, &item)) {
        buf_clear(&id);
        err = json_to_text(&item, &id);
        if (!err && (id.size > CLIENT_ID_MAX || ids.size + id.size + 8 > CLIENT_INFO_MAX))
            err = ERR_TOO_BIG;
        if (!err)
            codec_write_text(&ids, buf_span(&id));
        count++;
    }
    codec_write_array(&out->except, count);
    buf_append_span(&out->except, buf_span(&ids));
    out->ask.except = buf_span(&out->except);
    buf_fini(&id);
    buf_fini(&ids);
    return err;
}

/* A reason that is JSON would be read as advice of an older protocol; one over 123 bytes fits into no close
 * frame. */
static bool is_reason(span_t reason)
{
    json_value_t value;
    return reason.size > 0 && reason.size <= EDGE_CLOSE_REASON_MAX && json_parse(reason, &value) != OK;
}

/* {"code":4500,"reason":"bye"}; without it, or without one of the two, what the table of codes has. */
static int read_disconnect(const json_value_t *body, client_question_t *out)
{
    json_value_t disconnect, code;
    uint64_t number = EDGE_CLOSE_FORCE;
    int err = OK;
    if (json_get(body, "disconnect", &disconnect) && disconnect.type != JSON_NULL) {
        err = json_check_keys(&disconnect);
        if (!err && json_get(&disconnect, "code", &code))
            err = json_to_u64(&code, &number);
        if (!err && (number < EDGE_CLOSE_CHOICE_MIN || number > EDGE_CLOSE_CHOICE_MAX))
            err = ERR_RANGE;
        if (!err)
            err = edge_api_text(&disconnect, "reason", REASON_MAX, &out->reason);
    }
    if (!err && out->reason.size == 0)
        buf_append_str(&out->reason, edge_close_reason((unsigned)number));
    out->ask.code = number;
    out->ask.reason = buf_span(&out->reason);
    return !err && !is_reason(out->ask.reason) ? ERR_MALFORMED : err;
}

void edge_api_disconnect(edge_api_call_t **call_p, const json_value_t *body)
{
    client_question_t question = {.ask.question = QUESTION_DISCONNECT};
    int err = read_whom(body, &question);
    if (!err)
        err = read_whitelist(body, &question);
    if (!err)
        err = read_disconnect(body, &question);
    if (err)
        edge_api_refuse(call_p, CENTRIFUGE_ERROR_BAD_COMMAND);
    else
        edge_api_ask(call_p, &question.ask, edge_api_render_nothing);
    client_question_fini(&question);
}

void edge_api_unsubscribe(edge_api_call_t **call_p, const json_value_t *body)
{
    client_question_t question = {.ask.question = QUESTION_UNSUBSCRIBE};
    const channel_options_t *options;
    centrifuge_error_t error = CENTRIFUGE_ERROR_BAD_COMMAND;
    if (read_whom(body, &question) == OK &&
        edge_api_text(body, "channel", CHANNEL_NAME_MAX, &question.channel) == OK)
        error = edge_api_check_channel((*call_p)->worker, buf_span(&question.channel), &options);
    question.ask.channel = buf_span(&question.channel);
    if (error)
        edge_api_refuse(call_p, error);
    else
        edge_api_ask(call_p, &question.ask, edge_api_render_nothing);
    client_question_fini(&question);
}

/* {"expired":true} ends connections as if their time were over; {"expire_at":SECONDS} is their new end. */
static int read_end(const json_value_t *body, client_question_t *out)
{
    json_value_t value;
    bool expired = false;
    int err = OK;
    if (json_get(body, "expired", &value) && value.type != JSON_NULL)
        err = json_to_bool(&value, &expired);
    if (!err && json_get(body, "expire_at", &value) && value.type != JSON_NULL)
        err = json_to_u64(&value, &out->ask.code);
    if (!expired)
        return err;
    buf_append_str(&out->reason, edge_close_reason(EDGE_CLOSE_EXPIRED));
    out->ask.question = QUESTION_DISCONNECT;
    out->ask.code = EDGE_CLOSE_EXPIRED;
    out->ask.reason = buf_span(&out->reason);
    return err;
}

void edge_api_refresh(edge_api_call_t **call_p, const json_value_t *body)
{
    client_question_t question = {.ask.question = QUESTION_REFRESH};
    int err = read_whom(body, &question);
    if (!err)
        err = read_end(body, &question);
    if (err)
        edge_api_refuse(call_p, CENTRIFUGE_ERROR_BAD_COMMAND);
    else
        edge_api_ask(call_p, &question.ask, edge_api_render_nothing);
    client_question_fini(&question);
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
