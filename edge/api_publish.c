/* edge/api_publish - the part of edge/api that publishes. */
#include "base/err.h"
#include "base/mem.h"
#include "edge/api.h"
#include "edge/api_inside.h"
#include "protocol/base64.h"

#define BROADCAST_MAX 1000u /* channels of one call */

/* --- what is published --- */

typedef struct payload {
    span_t bytes; /* points into the request, or into `decoded` */
    unsigned flags;
    buf_t decoded; /* owned */
} payload_t;

/* `b64data` (bytes) or else `data` (any JSON). */
static centrifuge_error_t read_payload(const json_value_t *body, payload_t *out)
{
    json_value_t data;
    buf_t text = {0};
    int err = edge_api_text(body, "b64data", EDGE_API_BODY_MAX, &text);
    if (!err && text.size > 0) {
        err = base64_decode(&out->decoded, buf_span(&text));
        out->bytes = buf_span(&out->decoded);
        out->flags = MESSAGE_BINARY;
    } else if (!err && json_get(body, "data", &data)) {
        out->bytes = data.raw;
        out->flags = MESSAGE_JSON;
    } else {
        err = ERR_NOT_FOUND;
    }
    buf_fini(&text);
    return err || out->bytes.size > PAYLOAD_MAX ? CENTRIFUGE_ERROR_BAD_COMMAND : CENTRIFUGE_ERROR_NONE;
}

/* --- a call: one publication or many, answered when the relays have confirmed or refused all --- */

struct call;

typedef struct part {
    struct call *call;        /* the one that it is part of */
    centrifuge_error_t error; /* NONE once it is published */
    position_t position;
} part_t;

/* Owned by the uplink's callbacks, which always come. */
typedef struct call {
    http_exchange_t *exchange; /* borrowed; NULL: the client has left */
    bool is_broadcast;
    size_t waiting; /* callbacks to come */
    size_t count;   /* parts */
    part_t parts[];
} call_t;

static call_t *call_new(http_exchange_t *exchange, bool is_broadcast, size_t count)
{
    call_t *self = mem_new(sizeof *self + count * sizeof *self->parts);
    self->exchange = exchange;
    self->is_broadcast = is_broadcast;
    self->count = count;
    for (size_t i = 0; i < count; i++)
        self->parts[i].call = self;
    return self;
}

/* {"result":{"offset":8,"epoch":"abcdEFGH"}} or {"error":...} */
static void append_part(buf_t *out, const part_t *part)
{
    if (part->error) {
        buf_append_str(out, "{\"error\":");
        centrifuge_append_error(out, part->error);
    } else {
        buf_append_str(out, "{\"result\":{\"offset\":");
        buf_append_u64(out, part->position.offset);
        buf_append_str(out, ",\"epoch\":");
        json_append_string(out, position_epoch(&part->position));
        buf_append_byte(out, '}');
    }
    buf_append_byte(out, '}');
}

static void append_broadcast(buf_t *out, const call_t *call)
{
    buf_append_str(out, "{\"result\":{\"responses\":[");
    for (size_t i = 0; i < call->count; i++) {
        if (i > 0)
            buf_append_byte(out, ',');
        append_part(out, &call->parts[i]);
    }
    buf_append_str(out, "]}}");
}

/* Nothing is waited for any more: answers, and frees it. */
static void finish(call_t *call)
{
    if (call->exchange) {
        buf_t text = {0};
        if (call->is_broadcast)
            append_broadcast(&text, call);
        else
            append_part(&text, &call->parts[0]);
        edge_api_respond(call->exchange, &text);
    }
    mem_free(call);
}

static void published(void *user, int err, position_t position)
{
    part_t *part = user;
    part->error = err ? centrifuge_error_of(err) : CENTRIFUGE_ERROR_NONE;
    part->position = position;
    if (--part->call->waiting == 0)
        finish(part->call);
}

static void gone(void *user)
{
    ((call_t *)user)->exchange = NULL;
}

static void begin_part(edge_worker_t *worker, part_t *part, span_t channel, const payload_t *payload)
{
    const channel_options_t *options;
    part->error = edge_api_check_channel(worker, channel, &options);
    if (part->error)
        return;
    publication_t publication = {.channel = channel, .flags = payload->flags, .payload = payload->bytes};
    int err = uplink_publish(worker->uplink, &publication, published, part, worker->now_us);
    if (err)
        part->error = centrifuge_error_of(err);
    else
        part->call->waiting++;
}

/* All parts have been begun. */
static void wait_for_all(call_t *call)
{
    if (call->waiting == 0)
        finish(call);
    else
        http_exchange_on_gone(call->exchange, gone, call);
}

/* --- the methods --- */

void edge_api_publish(edge_worker_t *worker, http_exchange_t *exchange, const json_value_t *body)
{
    payload_t payload = {0};
    buf_t channel = {0};
    if (edge_api_text(body, "channel", CHANNEL_NAME_MAX, &channel) != OK || read_payload(body, &payload)) {
        edge_api_refuse(exchange, CENTRIFUGE_ERROR_BAD_COMMAND);
    } else {
        call_t *call = call_new(exchange, false, 1);
        begin_part(worker, &call->parts[0], buf_span(&channel), &payload);
        wait_for_all(call);
    }
    buf_fini(&channel);
    buf_fini(&payload.decoded);
}

/* How many texts the list has; 0 if it is none, or has anything else in it, or too many. */
static size_t count_channels(const json_value_t *list)
{
    json_cursor_t cursor = json_cursor(list);
    json_value_t item;
    size_t count = 0;
    while (json_next_item(&cursor, &item)) {
        if (list->type != JSON_ARRAY || item.type != JSON_STRING || count++ == BROADCAST_MAX)
            return 0;
    }
    return count;
}

static void begin_parts(edge_worker_t *worker, call_t *call, const json_value_t *list,
                        const payload_t *payload)
{
    json_cursor_t cursor = json_cursor(list);
    json_value_t item;
    buf_t channel = {0};
    for (size_t i = 0; i < call->count && json_next_item(&cursor, &item); i++) {
        buf_clear(&channel);
        if (json_to_text(&item, &channel) == OK)
            begin_part(worker, &call->parts[i], buf_span(&channel), payload);
        else
            call->parts[i].error = CENTRIFUGE_ERROR_BAD_COMMAND;
    }
    buf_fini(&channel);
}

void edge_api_broadcast(edge_worker_t *worker, http_exchange_t *exchange, const json_value_t *body)
{
    payload_t payload = {0};
    json_value_t list;
    size_t count = json_get(body, "channels", &list) ? count_channels(&list) : 0;
    if (count == 0 || read_payload(body, &payload)) {
        edge_api_refuse(exchange, CENTRIFUGE_ERROR_BAD_COMMAND);
    } else {
        call_t *call = call_new(exchange, true, count);
        begin_parts(worker, call, &list, &payload);
        wait_for_all(call);
    }
    buf_fini(&payload.decoded);
}
