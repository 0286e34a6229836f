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

/* --- one publication or many, answered when the relays have confirmed or refused all --- */

struct publishing;

typedef struct part {
    struct publishing *whole; /* what it is part of */
    centrifuge_error_t error; /* NONE once it is published */
    position_t position;
} part_t;

/* Owned by the uplink's callbacks, which always come. */
typedef struct publishing {
    edge_api_call_t *call; /* owned */
    bool is_broadcast;
    size_t waiting; /* callbacks to come */
    size_t count;   /* parts */
    part_t parts[];
} publishing_t;

static publishing_t *publishing_new(edge_api_call_t **call_p, bool is_broadcast, size_t count)
{
    publishing_t *self = mem_new(sizeof *self + count * sizeof *self->parts);
    self->call = *call_p;
    self->is_broadcast = is_broadcast;
    self->count = count;
    for (size_t i = 0; i < count; i++)
        self->parts[i].whole = self;
    *call_p = NULL;
    return self;
}

/* {"offset":8,"epoch":"abcdEFGH"} */
static void append_position(buf_t *out, const position_t *position)
{
    buf_append_str(out, "{\"offset\":");
    buf_append_u64(out, position->offset);
    buf_append_str(out, ",\"epoch\":");
    json_append_string(out, position_epoch(position));
    buf_append_byte(out, '}');
}

/* {"result":{...}} or {"error":{...}} */
static void append_part(buf_t *out, const part_t *part)
{
    buf_append_str(out, part->error ? "{\"error\":" : "{\"result\":");
    if (part->error)
        centrifuge_append_error(out, part->error);
    else
        append_position(out, &part->position);
    buf_append_byte(out, '}');
}

static void append_broadcast(buf_t *out, const publishing_t *self)
{
    buf_append_str(out, "{\"responses\":[");
    for (size_t i = 0; i < self->count; i++) {
        if (i > 0)
            buf_append_byte(out, ',');
        append_part(out, &self->parts[i]);
    }
    buf_append_str(out, "]}");
}

/* Nothing is waited for any more: answers, and frees it. */
static void finish(publishing_t *self)
{
    buf_t result = {0};
    centrifuge_error_t error = self->is_broadcast ? CENTRIFUGE_ERROR_NONE : self->parts[0].error;
    if (self->is_broadcast)
        append_broadcast(&result, self);
    else if (!error)
        append_position(&result, &self->parts[0].position);
    if (error)
        edge_api_refuse(&self->call, error);
    else
        edge_api_answer(&self->call, buf_span(&result));
    buf_fini(&result);
    mem_free(self);
}

static void published(void *user, int err, position_t position)
{
    part_t *part = user;
    part->error = err ? centrifuge_error_of(err) : CENTRIFUGE_ERROR_NONE;
    part->position = position;
    if (--part->whole->waiting == 0)
        finish(part->whole);
}

static void begin_part(part_t *part, span_t channel, const payload_t *payload)
{
    edge_worker_t *worker = part->whole->call->worker;
    const channel_options_t *options;
    part->error = edge_api_check_channel(worker, channel, &options);
    if (part->error)
        return;
    publication_t publication = {.channel = channel, .flags = payload->flags, .payload = payload->bytes};
    int err = uplink_publish(worker->uplink, &publication, published, part, worker->now_us);
    if (err)
        part->error = centrifuge_error_of(err);
    else
        part->whole->waiting++;
}

/* All parts have been begun. */
static void wait_for_all(publishing_t *self)
{
    if (self->waiting == 0)
        finish(self);
}

/* --- the methods --- */

void edge_api_publish(edge_api_call_t **call_p, const json_value_t *body)
{
    payload_t payload = {0};
    buf_t channel = {0};
    if (edge_api_text(body, "channel", CHANNEL_NAME_MAX, &channel) != OK || read_payload(body, &payload)) {
        edge_api_refuse(call_p, CENTRIFUGE_ERROR_BAD_COMMAND);
    } else {
        publishing_t *publishing = publishing_new(call_p, false, 1);
        begin_part(&publishing->parts[0], buf_span(&channel), &payload);
        wait_for_all(publishing);
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

static void begin_parts(publishing_t *self, const json_value_t *list, const payload_t *payload)
{
    json_cursor_t cursor = json_cursor(list);
    json_value_t item;
    buf_t channel = {0};
    for (size_t i = 0; i < self->count && json_next_item(&cursor, &item); i++) {
        buf_clear(&channel);
        if (json_to_text(&item, &channel) == OK)
            begin_part(&self->parts[i], buf_span(&channel), payload);
        else
            self->parts[i].error = CENTRIFUGE_ERROR_BAD_COMMAND;
    }
    buf_fini(&channel);
}

void edge_api_broadcast(edge_api_call_t **call_p, const json_value_t *body)
{
    payload_t payload = {0};
    json_value_t list;
    size_t count = json_get(body, "channels", &list) ? count_channels(&list) : 0;
    if (count == 0 || read_payload(body, &payload)) {
        edge_api_refuse(call_p, CENTRIFUGE_ERROR_BAD_COMMAND);
    } else {
        publishing_t *publishing = publishing_new(call_p, true, count);
        begin_parts(publishing, &list, &payload);
        wait_for_all(publishing);
    }
    buf_fini(&payload.decoded);
}
