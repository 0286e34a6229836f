#include "base/err.h"
#include "edge/api_inside.h"

/* A number of the body; `absent` if it is not there. */
static int read_whole(const json_value_t *body, const char *name, int64_t absent, int64_t *out)
{
    json_value_t value;
    *out = absent;
    return json_get(body, name, &value) && value.type != JSON_NULL ? json_to_i64(&value, out) : OK;
}

/* What both calls need: a channel whose namespace has history. */
static centrifuge_error_t read_channel(const edge_worker_t *worker, const json_value_t *body, buf_t *channel)
{
    const channel_options_t *options;
    if (edge_api_text(body, "channel", CHANNEL_NAME_MAX, channel) != OK)
        return CENTRIFUGE_ERROR_BAD_COMMAND;
    centrifuge_error_t error = edge_api_check_channel(worker, buf_span(channel), &options);
    if (!error && (options->history_size == 0 || options->history_ttl_us == 0))
        error = CENTRIFUGE_ERROR_NOT_AVAILABLE;
    return error;
}

static centrifuge_error_t read_history(const json_value_t *body, envelope_ask_t *out, position_t *since)
{
    int64_t limit;
    json_value_t reverse;
    bool backwards = false;
    int err = read_whole(body, "limit", 0, &limit);
    if (!err && json_get(body, "reverse", &reverse) && reverse.type != JSON_NULL)
        err = json_to_bool(&reverse, &backwards);
    if (!err)
        err = edge_api_position(body, "since", since);
    if (err == ERR_NOT_FOUND)
        return CENTRIFUGE_ERROR_UNRECOVERABLE;
    if (err || (backwards && position_known(*since) && since->offset == 0))
        return CENTRIFUGE_ERROR_BAD_COMMAND;
    out->epoch = position_epoch(since);
    out->offset = since->offset;
    out->limit = limit < 0 || limit > (int64_t)RECALL_MAX ? RECALL_MAX : (uint64_t)limit;
    out->reverse = backwards;
    return CENTRIFUGE_ERROR_NONE;
}

void edge_api_history(edge_api_call_t **call_p, const json_value_t *body)
{
    buf_t channel = {0};
    position_t since;
    envelope_ask_t question = {.question = QUESTION_HISTORY};
    centrifuge_error_t error = read_channel((*call_p)->worker, body, &channel);
    if (!error)
        error = read_history(body, &question, &since);
    question.channel = buf_span(&channel);
    if (error)
        edge_api_refuse(call_p, error);
    else
        edge_api_ask(call_p, &question, centrifuge_append_history);
    buf_fini(&channel);
}

void edge_api_history_remove(edge_api_call_t **call_p, const json_value_t *body)
{
    buf_t channel = {0};
    centrifuge_error_t error = read_channel((*call_p)->worker, body, &channel);
    envelope_ask_t question = {.question = QUESTION_FORGET, .channel = buf_span(&channel)};
    if (error)
        edge_api_refuse(call_p, error);
    else
        edge_api_ask(call_p, &question, edge_api_render_nothing);
    buf_fini(&channel);
}
