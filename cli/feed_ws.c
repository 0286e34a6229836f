/* The Centrifuge JSON protocol, as far as listening needs it: it names channels and offsets, which raw frames don't. */
#include <inttypes.h>

#include "base/clock.h"
#include "base/err.h"
#include "cli/feed.h"
#include "cli/ws_client.h"
#include "protocol/base64.h"
#include "protocol/json.h"

typedef struct ws_feed {
    const cli_feed_options_t *options;
    cli_ws_client_t *client;
    size_t subscribed; /* channels */
    bool done;
    buf_t payload; /* a decoded payload */
    buf_t *why;
} ws_feed_t;

static int say(ws_feed_t *feed, const buf_t *frame)
{
    return cli_ws_client_send(feed->client, WEBSOCKET_TEXT, buf_span(frame),
                              clock_now_us() + feed->options->connect_us);
}

/* connect and all subscribes in one frame, as client libraries do. */
static int greet(ws_feed_t *feed)
{
    buf_t frame = {0};
    buf_append_str(&frame, "{\"id\":1,\"connect\":{\"name\":\"heddle sub\"");
    if (feed->options->token) {
        buf_append_str(&frame, ",\"token\":");
        json_append_string(&frame, span_str(feed->options->token));
    }
    buf_append_str(&frame, "}}");
    for (size_t i = 0; i < feed->options->channel_count; i++) {
        buf_printf(&frame, "\n{\"id\":%zu,\"subscribe\":{\"channel\":", i + 2);
        json_append_string(&frame, span_str(feed->options->channels[i]));
        buf_append_str(&frame, "}}");
    }
    int err = say(feed, &frame);
    buf_fini(&frame);
    return err;
}

static span_t text_of(const json_value_t *object, const char *key)
{
    json_value_t value;
    span_t text = {0};
    if (json_get(object, key, &value))
        (void)json_to_span(&value, &text);
    return text;
}

/* A JSON value is its own payload; binary comes as {"b64data":"…"}. */
static void read_payload(ws_feed_t *feed, const json_value_t *data, cli_feed_message_t *out)
{
    json_value_t encoded;
    span_t text;
    buf_clear(&feed->payload);
    out->payload = data->raw;
    if (data->type == JSON_OBJECT && json_get(data, "b64data", &encoded) &&
        json_to_span(&encoded, &text) == OK && base64_decode(&feed->payload, text) == OK) {
        out->payload = buf_span(&feed->payload);
        out->binary = true;
    }
}

static void take_publication(ws_feed_t *feed, span_t channel, const json_value_t *pub)
{
    json_value_t data;
    json_value_t offset;
    json_value_t info;
    cli_feed_message_t out = {.channel = channel};
    if (!json_get(pub, "data", &data))
        return;
    read_payload(feed, &data, &out);
    if (json_get(pub, "offset", &offset))
        (void)json_to_u64(&offset, &out.offset);
    if (json_get(pub, "info", &info)) {
        json_value_t conn_info;
        out.client = text_of(&info, "client");
        out.user = text_of(&info, "user");
        if (json_get(&info, "conn_info", &conn_info))
            out.info = conn_info.raw;
    }
    feed->done |= feed->options->message(feed->options->context, &out);
}

/* Subscribes again after the server has taken a subscription away because something was missed (2500). */
static void take_unsubscribe(ws_feed_t *feed, span_t channel)
{
    buf_t frame = {0};
    feed->options->missed(feed->options->context, channel);
    buf_append_str(&frame, "{\"id\":1000000,\"subscribe\":{\"channel\":");
    json_append_string(&frame, channel);
    buf_append_str(&frame, "}}");
    (void)say(feed, &frame);
    buf_fini(&frame);
}

static void take_push(ws_feed_t *feed, const json_value_t *push)
{
    json_value_t inner;
    span_t channel = text_of(push, "channel");
    if (json_get(push, "pub", &inner))
        take_publication(feed, channel, &inner);
    else if (json_get(push, "unsubscribe", &inner))
        take_unsubscribe(feed, channel);
}

static int take_reply(ws_feed_t *feed, const json_value_t *reply)
{
    json_value_t inner;
    if (json_get(reply, "error", &inner)) {
        buf_printf(feed->why, "the edge refused: %.*s", SPAN_FMT(text_of(&inner, "message")));
        return ERR_DENIED;
    }
    if (json_get(reply, "subscribe", &inner) && ++feed->subscribed == feed->options->channel_count)
        feed->options->ready(feed->options->context);
    return OK;
}

static int take_object(ws_feed_t *feed, const json_value_t *object)
{
    json_value_t inner;
    if (json_get(object, "push", &inner)) {
        take_push(feed, &inner);
        return OK;
    }
    if (json_get(object, "id", &inner))
        return take_reply(feed, object);
    buf_t pong = {0};
    buf_append_str(&pong, "{}");
    int err = say(feed, &pong);
    buf_fini(&pong);
    return err;
}

static int take_frame(ws_feed_t *feed, span_t frame)
{
    json_value_t object;
    int err = OK;
    while (!err && !feed->done) {
        err = json_parse_next(&frame, &object);
        if (err == ERR_NOT_FOUND)
            return OK;
        if (!err)
            err = take_object(feed, &object);
    }
    return err;
}

static int listen(ws_feed_t *feed)
{
    uint64_t end_us = feed->options->run_us ? clock_now_us() + feed->options->run_us : UINT64_MAX;
    int err = greet(feed);
    while (!err && !feed->done) {
        websocket_event_t event;
        err = cli_ws_client_receive(feed->client, end_us, &event);
        if (!err && event.opcode == WEBSOCKET_CLOSE) {
            buf_printf(feed->why, "the edge closed: %u %.*s", event.close_code, SPAN_FMT(event.close_reason));
            return ERR_CLOSED;
        }
        if (!err && (event.opcode == WEBSOCKET_TEXT || event.opcode == WEBSOCKET_BINARY))
            err = take_frame(feed, event.payload);
    }
    return err;
}

int cli_feed_run_ws(const cli_feed_options_t *options, buf_t *why)
{
    ws_feed_t feed = {.options = options, .why = why};
    buf_t url = {0};
    buf_printf(&url, "%s/connection/websocket", options->to);
    int err =
        cli_ws_client_open(&feed.client, buf_text(&url), NULL, clock_now_us() + options->connect_us, why);
    if (err == ERR_TIMEOUT) /* ERR_TIMEOUT means that run_us is over */
        err = ERR_UNAVAILABLE;
    if (!err) {
        err = listen(&feed);
        (void)cli_ws_client_close(feed.client, 1000, "done", clock_now_us() + CLOCK_SEC);
    }
    cli_ws_client_destroy(&feed.client);
    buf_fini(&feed.payload);
    buf_fini(&url);
    return err;
}
