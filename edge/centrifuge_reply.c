#include "edge/centrifuge_reply.h"

#include "base/err.h"
#include "protocol/base64.h"
#include "protocol/codec.h"

/* --- errors --- */

static const struct error_row {
    centrifuge_error_t error;
    const char *message;
    bool temporary;
} error_rows[] = {
#define ROW(NAME, code, message, temporary) {CENTRIFUGE_ERROR_##NAME, message, temporary},
    CENTRIFUGE_ERRORS(ROW)
#undef ROW
};

centrifuge_error_t centrifuge_error_of(int err)
{
    switch (err) {
    case ERR_UNKNOWN:
    case ERR_NOT_FOUND: return CENTRIFUGE_ERROR_UNKNOWN_CHANNEL;
    case ERR_DENIED: return CENTRIFUGE_ERROR_DENIED;
    case ERR_EXPIRED:
    case ERR_NOT_YET: return CENTRIFUGE_ERROR_TOKEN_EXPIRED;
    case ERR_DUPLICATE: return CENTRIFUGE_ERROR_ALREADY_SUBSCRIBED;
    case ERR_TOO_BIG: return CENTRIFUGE_ERROR_LIMIT;
    default: return CENTRIFUGE_ERROR_INTERNAL;
    }
}

void centrifuge_append_error(buf_t *out, centrifuge_error_t error)
{
    const struct error_row *row = error_rows;
    while (row->error != error)
        row++;
    buf_printf(out, "{\"code\":%u,\"message\":\"%s\"%s}", (unsigned)error, row->message,
               row->temporary ? ",\"temporary\":true" : "");
}

/* --- replies --- */

static void begin_reply(buf_t *out, uint32_t id)
{
    buf_append_span(out, SPAN("{\"id\":"));
    buf_append_u64(out, id);
    buf_append_byte(out, ',');
}

void centrifuge_reply_error(buf_t *out, uint32_t id, centrifuge_error_t error)
{
    begin_reply(out, id);
    buf_append_span(out, SPAN("\"error\":"));
    centrifuge_append_error(out, error);
    buf_append_byte(out, '}');
}

void centrifuge_reply_empty(buf_t *out, uint32_t id, centrifuge_method_t method)
{
    begin_reply(out, id);
    buf_append_byte(out, '"');
    buf_append_str(out, centrifuge_method_name(method));
    buf_append_span(out, SPAN("\":{}}"));
}

static void append_ttl(buf_t *out, uint64_t ttl_s)
{
    buf_append_span(out, SPAN("\"expires\":true,\"ttl\":"));
    buf_append_u64(out, ttl_s);
}

void centrifuge_reply_refresh(buf_t *out, uint32_t id, centrifuge_method_t method, uint64_t ttl_s)
{
    begin_reply(out, id);
    buf_append_byte(out, '"');
    buf_append_str(out, centrifuge_method_name(method));
    buf_append_span(out, SPAN("\":{"));
    append_ttl(out, ttl_s);
    buf_append_span(out, SPAN("}}"));
}

void centrifuge_reply_connect(buf_t *out, uint32_t id, const char *client, uint64_t ping_s, uint64_t ttl_s,
                              span_t subs)
{
    begin_reply(out, id);
    buf_printf(out, "\"connect\":{\"client\":\"%s\",\"version\":\"heddle " HEDDLE_VERSION "\"", client);
    if (ping_s > 0) {
        buf_append_span(out, SPAN(",\"ping\":"));
        buf_append_u64(out, ping_s);
        buf_append_span(out, SPAN(",\"pong\":true"));
    }
    if (ttl_s > 0) {
        buf_append_byte(out, ',');
        append_ttl(out, ttl_s);
    }
    if (subs.size > 0) {
        buf_append_span(out, SPAN(",\"subs\":{"));
        buf_append_span(out, subs);
        buf_append_byte(out, '}');
    }
    buf_append_span(out, SPAN("}}"));
}

/* --- presence --- */

/* {"user":"42","client":"c-1","conn_info":{...}} */
static void append_client(buf_t *out, span_t user, span_t client, span_t info)
{
    buf_append_span(out, SPAN("{\"user\":"));
    json_append_string(out, user);
    buf_append_span(out, SPAN(",\"client\":"));
    json_append_string(out, client);
    if (info.size > 0) {
        buf_append_span(out, SPAN(",\"conn_info\":"));
        json_append_line(out, info);
    }
    buf_append_byte(out, '}');
}

static int append_presence_entry(buf_t *out, span_t *items)
{
    uint32_t count;
    span_t client, user, info;
    json_value_t value;
    int err = codec_read_array(items, &count);
    if (!err && count < 3)
        err = ERR_TRUNCATED;
    if (!err)
        err = codec_read_text(items, CLIENT_ID_MAX, &client);
    if (!err)
        err = codec_read_text(items, USER_ID_MAX, &user);
    if (!err)
        err = codec_read_data(items, CLIENT_INFO_MAX, &info);
    for (uint32_t i = 3; !err && i < count; i++)
        err = codec_skip(items);
    if (err)
        return err;
    json_append_string(out, client);
    buf_append_byte(out, ':');
    append_client(out, user, client, json_parse(info, &value) == OK ? info : (span_t){0});
    return OK;
}

int centrifuge_append_presence(buf_t *out, span_t items)
{
    uint32_t count = 0;
    int err = items.size ? codec_read_array(&items, &count) : OK;
    buf_append_byte(out, '{');
    for (uint32_t i = 0; !err && i < count; i++) {
        if (i > 0)
            buf_append_byte(out, ',');
        err = append_presence_entry(out, &items);
    }
    buf_append_byte(out, '}');
    return err;
}

int centrifuge_append_presence_stats(buf_t *out, span_t items)
{
    uint32_t count;
    uint64_t clients, users;
    int err = codec_read_array(&items, &count);
    if (!err && count < 2)
        err = ERR_TRUNCATED;
    if (!err)
        err = codec_read_uint(&items, &clients);
    if (!err)
        err = codec_read_uint(&items, &users);
    if (err)
        return err;
    buf_append_span(out, SPAN("{\"num_clients\":"));
    buf_append_u64(out, clients);
    buf_append_span(out, SPAN(",\"num_users\":"));
    buf_append_u64(out, users);
    buf_append_byte(out, '}');
    return OK;
}

void centrifuge_reply_presence(buf_t *out, uint32_t id, span_t items)
{
    size_t begin = out->size;
    begin_reply(out, id);
    buf_append_span(out, SPAN("\"presence\":{\"presence\":"));
    if (centrifuge_append_presence(out, items) == OK) {
        buf_append_span(out, SPAN("}}"));
        return;
    }
    out->size = begin;
    centrifuge_reply_error(out, id, CENTRIFUGE_ERROR_INTERNAL);
}

void centrifuge_reply_presence_stats(buf_t *out, uint32_t id, span_t items)
{
    size_t begin = out->size;
    begin_reply(out, id);
    buf_append_span(out, SPAN("\"presence_stats\":"));
    if (centrifuge_append_presence_stats(out, items) == OK) {
        buf_append_byte(out, '}');
        return;
    }
    out->size = begin;
    centrifuge_reply_error(out, id, CENTRIFUGE_ERROR_INTERNAL);
}

/* --- pushes --- */

static void begin_push(buf_t *out, span_t channel)
{
    buf_append_span(out, SPAN("{\"push\":{\"channel\":"));
    json_append_string(out, channel);
}

static void append_payload(buf_t *out, uint64_t flags, span_t payload)
{
    if (flags & MESSAGE_BINARY) {
        buf_append_span(out, SPAN("{\"b64data\":\""));
        base64_encode(out, payload);
        buf_append_span(out, SPAN("\"}"));
    } else if (flags & MESSAGE_JSON) {
        json_append_line(out, payload);
    } else {
        json_append_string(out, payload);
    }
}

/* {"data":...,"info":{...},"offset":8} */
static void append_publication(buf_t *out, const envelope_msg_t *message)
{
    buf_append_span(out, SPAN("{\"data\":"));
    append_payload(out, message->flags, message->payload);
    if (message->client.size > 0) {
        buf_append_span(out, SPAN(",\"info\":"));
        append_client(out, message->user, message->client, message->info);
    }
    if (message->offset > 0) {
        buf_append_span(out, SPAN(",\"offset\":"));
        buf_append_u64(out, message->offset);
    }
    buf_append_byte(out, '}');
}

static void append_publications(buf_t *out, span_t messages)
{
    buf_append_span(out, SPAN("\"publications\":["));
    bool first = true;
    for (envelope_msg_t message; recall_next(&messages, &message); first = false) {
        if (!first)
            buf_append_byte(out, ',');
        append_publication(out, &message);
    }
    buf_append_byte(out, ']');
}

static void append_position(buf_t *out, position_t position)
{
    buf_append_span(out, SPAN("\"epoch\":"));
    json_append_string(out, position_epoch(&position));
    buf_append_span(out, SPAN(",\"offset\":"));
    buf_append_u64(out, position.offset);
}

void centrifuge_push_publication(buf_t *out, const envelope_msg_t *message)
{
    begin_push(out, message->channel);
    buf_append_span(out, SPAN(",\"pub\":"));
    append_publication(out, message);
    buf_append_span(out, SPAN("}}"));
}

void centrifuge_push_presence(buf_t *out, const envelope_join_t *client, bool came)
{
    json_value_t value;
    begin_push(out, client->channel);
    buf_append_span(out, came ? SPAN(",\"join\":{\"info\":") : SPAN(",\"leave\":{\"info\":"));
    append_client(out, client->user, client->client,
                  json_parse(client->info, &value) == OK ? client->info : (span_t){0});
    buf_append_span(out, SPAN("}}}"));
}

/* --- positions --- */

/* Behind another member there is a comma. */
static void append_comma(buf_t *out, size_t begin)
{
    if (out->size > begin)
        buf_append_byte(out, ',');
}

static void append_stream(buf_t *out, const centrifuge_subscribed_t *subscribed)
{
    buf_append_span(out, SPAN("\"recoverable\":true,\"positioned\":true,"));
    append_position(out, subscribed->position);
    if (subscribed->wanted)
        buf_append_span(out, SPAN(",\"was_recovering\":true"));
    if (subscribed->recovered)
        buf_append_span(out, SPAN(",\"recovered\":true"));
}

static void append_extras(buf_t *out, size_t begin, const centrifuge_subscribed_t *subscribed)
{
    if (subscribed->ttl_s > 0) {
        append_comma(out, begin);
        append_ttl(out, subscribed->ttl_s);
    }
    if (subscribed->data.size > 0) {
        append_comma(out, begin);
        buf_append_span(out, SPAN("\"data\":"));
        json_append_line(out, subscribed->data);
    }
}

void centrifuge_append_subscribed(buf_t *out, const centrifuge_subscribed_t *subscribed)
{
    buf_append_byte(out, '{');
    size_t begin = out->size;
    if (subscribed->recoverable)
        append_stream(out, subscribed);
    if (subscribed->recoverable && subscribed->recovered) {
        buf_append_byte(out, ',');
        append_publications(out, subscribed->messages);
    }
    append_extras(out, begin, subscribed);
    buf_append_byte(out, '}');
}

void centrifuge_reply_subscribe(buf_t *out, uint32_t id, const centrifuge_subscribed_t *subscribed)
{
    begin_reply(out, id);
    buf_append_span(out, SPAN("\"subscribe\":"));
    centrifuge_append_subscribed(out, subscribed);
    buf_append_byte(out, '}');
}

void centrifuge_push_subscribe(buf_t *out, span_t channel, const centrifuge_subscribed_t *subscribed)
{
    begin_push(out, channel);
    buf_append_span(out, SPAN(",\"subscribe\":{"));
    size_t begin = out->size;
    if (subscribed->recoverable) {
        buf_append_span(out, SPAN("\"recoverable\":true,\"positioned\":true,"));
        append_position(out, subscribed->position);
    }
    append_extras(out, begin, subscribed);
    buf_append_span(out, SPAN("}}}"));
}

int centrifuge_append_history(buf_t *out, span_t items, position_t since)
{
    recall_t recall;
    int err = recall_read(items, &recall);
    if (!err && position_known(since) && !position_same_epoch(since, recall.top))
        err = ERR_NOT_FOUND;
    if (err)
        return err;
    buf_append_byte(out, '{');
    append_publications(out, recall.messages);
    buf_append_byte(out, ',');
    append_position(out, recall.top);
    buf_append_byte(out, '}');
    return OK;
}

void centrifuge_reply_history(buf_t *out, uint32_t id, span_t items, position_t since)
{
    size_t begin = out->size;
    begin_reply(out, id);
    buf_append_span(out, SPAN("\"history\":"));
    int err = centrifuge_append_history(out, items, since);
    if (err == OK) {
        buf_append_byte(out, '}');
        return;
    }
    out->size = begin;
    centrifuge_reply_error(out, id,
                           err == ERR_NOT_FOUND ? CENTRIFUGE_ERROR_UNRECOVERABLE : CENTRIFUGE_ERROR_INTERNAL);
}

/* --- more pushes --- */

void centrifuge_push_refresh(buf_t *out, uint64_t ttl_s)
{
    buf_append_span(out, SPAN("{\"push\":{\"refresh\":{"));
    if (ttl_s > 0)
        append_ttl(out, ttl_s);
    buf_append_span(out, SPAN("}}}"));
}

void centrifuge_push_unsubscribe(buf_t *out, span_t channel, uint32_t code, const char *reason)
{
    begin_push(out, channel);
    buf_append_span(out, SPAN(",\"unsubscribe\":{\"code\":"));
    buf_append_u64(out, code);
    buf_append_span(out, SPAN(",\"reason\":"));
    json_append_string(out, span_str(reason));
    buf_append_span(out, SPAN("}}}"));
}
