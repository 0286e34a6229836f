/* edge/api_clients - the part of edge/api that is about clients, wherever they are: all edges are asked. */
#include "base/err.h"
#include "edge/api_inside.h"
#include "edge/close_code.h"
#include "edge/token_subs.h"
#include "protocol/codec.h"

/* What a question about clients says; owns its texts. */
typedef struct client_question {
    envelope_ask_t ask;
    buf_t channel, user, client, reason, except, info, data;
} client_question_t;

static void client_question_fini(client_question_t *self)
{
    buf_fini(&self->channel);
    buf_fini(&self->user);
    buf_fini(&self->client);
    buf_fini(&self->reason);
    buf_fini(&self->except);
    buf_fini(&self->info);
    buf_fini(&self->data);
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

static void ask_or_refuse(edge_api_call_t **call_p, client_question_t *question, centrifuge_error_t error)
{
    if (error)
        edge_api_refuse(call_p, error);
    else
        edge_api_ask(call_p, &question->ask, edge_api_render_nothing);
    client_question_fini(question);
}

/* --- disconnect --- */

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
    ask_or_refuse(call_p, &question, err ? CENTRIFUGE_ERROR_BAD_COMMAND : CENTRIFUGE_ERROR_NONE);
}

/* --- unsubscribe --- */

/* Whose clients, and of which channel. */
static centrifuge_error_t read_whom_and_channel(const edge_worker_t *worker, const json_value_t *body,
                                                client_question_t *out)
{
    const channel_options_t *options;
    if (read_whom(body, out) != OK || edge_api_text(body, "channel", CHANNEL_NAME_MAX, &out->channel) != OK)
        return CENTRIFUGE_ERROR_BAD_COMMAND;
    out->ask.channel = buf_span(&out->channel);
    return edge_api_check_channel(worker, out->ask.channel, &options);
}

void edge_api_unsubscribe(edge_api_call_t **call_p, const json_value_t *body)
{
    client_question_t question = {.ask.question = QUESTION_UNSUBSCRIBE};
    ask_or_refuse(call_p, &question, read_whom_and_channel((*call_p)->worker, body, &question));
}

/* --- subscribe --- */

static int read_number(const json_value_t *body, const char *name, uint64_t *out)
{
    json_value_t value;
    return json_get(body, name, &value) && value.type != JSON_NULL ? json_to_u64(&value, out) : OK;
}

/* On one line, as they will stand in frames. */
static int read_options(const json_value_t *body, client_question_t *out)
{
    edge_sub_options_t options;
    int err = edge_sub_options_read(body, &options);
    if (err)
        return err;
    json_append_line(&out->info, options.info);
    json_append_line(&out->data, options.data);
    out->ask.info = buf_span(&out->info);
    out->ask.data = buf_span(&out->data);
    out->ask.flags = options.sees_presence ? ASK_SEES_PRESENCE : 0;
    return OK;
}

static centrifuge_error_t read_subscribe(const edge_worker_t *worker, const json_value_t *body,
                                         client_question_t *out, position_t *since)
{
    centrifuge_error_t error = read_whom_and_channel(worker, body, out);
    if (error)
        return error;
    int err = edge_api_position(body, "recover_since", since);
    if (err == ERR_NOT_FOUND)
        return CENTRIFUGE_ERROR_UNRECOVERABLE;
    if (!err)
        err = read_number(body, "expire_at", &out->ask.code);
    if (!err)
        err = read_options(body, out);
    out->ask.epoch = position_epoch(since);
    out->ask.offset = since->offset;
    return err ? CENTRIFUGE_ERROR_BAD_COMMAND : CENTRIFUGE_ERROR_NONE;
}

void edge_api_subscribe(edge_api_call_t **call_p, const json_value_t *body)
{
    client_question_t question = {.ask.question = QUESTION_SUBSCRIBE};
    position_t since;
    ask_or_refuse(call_p, &question, read_subscribe((*call_p)->worker, body, &question, &since));
}

/* --- refresh --- */

/* {"expired":true} ends connections as if their time were over; {"expire_at":SECONDS} is their new end. */
static int read_end(const json_value_t *body, client_question_t *out)
{
    json_value_t value;
    bool expired = false;
    int err = OK;
    if (json_get(body, "expired", &value) && value.type != JSON_NULL)
        err = json_to_bool(&value, &expired);
    if (!err)
        err = read_number(body, "expire_at", &out->ask.code);
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
    ask_or_refuse(call_p, &question, err ? CENTRIFUGE_ERROR_BAD_COMMAND : CENTRIFUGE_ERROR_NONE);
}
