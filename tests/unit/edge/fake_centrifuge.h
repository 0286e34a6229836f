/* One worker, one Centrifuge client, and relays that answer when the test says so: say, hear.
 */
#ifndef HEDDLE_TESTS_EDGE_FAKE_CENTRIFUGE_H
#define HEDDLE_TESTS_EDGE_FAKE_CENTRIFUGE_H

#include <stdio.h>

#include "edge/centrifuge_client.h"
#include "edge/dialect.h"
#include "fake_relays.h"
#include "fake_worker.h"
#include "protocol/token.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define SECRET       "sixteen bytes..."
#define EPOCH        "abcdEFGH"

/* --- one worker, one client --- */

static fake_worker_t *worker;
static uplink_t *uplink;
static edge_conn_t conn;
static edge_session_t *session;
static size_t seen; /* bytes of what was written that the test has looked at */
static char id[EDGE_CLIENT_ID_SIZE + 1];

static const struct namespace_row {
    const char *name;
    channel_options_t options;
} namespace_rows[] = {
    {"default", {.presence = true}},
    {"quiet", {.presence = false}},
    {"kept", {.history_size = 10, .history_ttl_us = 1000000}},
    {"told", {.join_leave = true}},
    {"forced", {.join_leave = true, .force_push_join_leave = true}},
    {"known", {.subscribe = SUBSCRIBE_AUTHENTICATED, .publish = PUBLISH_AUTHENTICATED}},
    {"token", {.subscribe = SUBSCRIBE_TOKEN, .publish = PUBLISH_SUBSCRIBERS}},
    {"none", {.subscribe = SUBSCRIBE_NOBODY, .publish = PUBLISH_NOBODY}},
};

static inline void tell_namespaces(void)
{
    for (size_t i = 0; i < COUNT(namespace_rows); i++)
        assert_int_equal(
            namespaces_add(&uplink->namespaces, span_str(namespace_rows[i].name), &namespace_rows[i].options),
            OK);
}

static inline void open_auth(bool required)
{
    edge_auth_config_t config = {.hmac_secret = (char[]){SECRET}, .required = required};
    edge_auth_t *auth;
    buf_t why = {0};
    assert_int_equal(edge_auth_open(&auth, &config, &why), OK);
    worker->worker.auth = auth;
}

static inline void close_auth(void)
{
    edge_auth_t *auth = (edge_auth_t *)(void *)(uintptr_t)worker->worker.auth;
    edge_auth_destroy(&auth);
}

static inline void open_session(void)
{
    edge_identity_t nobody = {0};
    session = edge_session_new(&worker->worker, &edge_dialect_centrifuge, &nobody);
    fake_client_of(worker, session, &conn);
    edge_session_id(session, id);
    seen = 0;
}

static inline int begin(void **state)
{
    (void)state;
    worker = fake_worker_new();
    worker->config.limits.outbox = 1000000;
    uplink = fake_relays_new();
    tell_namespaces();
    worker->worker.uplink = uplink;
    worker->worker.hub = edge_hub_new(&worker->worker, uplink);
    open_auth(false);
    open_session();
    return 0;
}

static inline int end(void **state)
{
    (void)state;
    if (session)
        fake_client_gone(session, &conn);
    edge_hub_destroy(&worker->worker.hub);
    fake_relays_destroy(uplink);
    close_auth();
    fake_worker_destroy(worker);
    return 0;
}

/* --- saying and hearing --- */

static inline void say(const char *text)
{
    edge_session_message(session, false, span_str(text));
}

static inline span_t unseen(void)
{
    fake_worker_flush(worker);
    return span_new(conn.written.data + seen, conn.written.size - seen);
}

static inline void hear_either(const char *text, const char *other)
{
    span_t rest = unseen();
    if (rest.size == 0)
        fail_msg("nothing was said instead of <%s>", text);
    fake_frame_t frame = fake_next_frame(&rest);
    seen = conn.written.size - rest.size;
    assert_int_equal(frame.opcode, WEBSOCKET_TEXT);
    if (!span_is(frame.payload, text) && !span_is(frame.payload, other))
        fail_msg("<%.*s> instead of <%s>", SPAN_FMT(frame.payload), text);
}

static inline void hear(const char *text)
{
    hear_either(text, text);
}

static inline void hear_nothing(void)
{
    assert_int_equal(unseen().size, 0);
}

static inline void hear_close(edge_close_code_t code)
{
    span_t rest = unseen();
    if (rest.size == 0 || (rest.data[0] & 15) != WEBSOCKET_CLOSE)
        fail_msg("not closed with %u: <%.*s>", (unsigned)code, SPAN_FMT(rest));
    assert_close_frame(&rest, code, edge_close_reason(code));
    seen = conn.written.size;
}

/* `ttl_s` 0: it does not expire. One second may have begun since its token was made. */
static inline void hear_connected(uint32_t number, uint64_t ttl_s)
{
    buf_t text = {0}, later = {0};
    centrifuge_reply_connect(&text, number, id, 25, ttl_s, (span_t){0});
    centrifuge_reply_connect(&later, number, id, 25, ttl_s ? ttl_s - 1 : 0, (span_t){0});
    hear_either(buf_text(&text), buf_text(&later));
    buf_fini(&text);
    buf_fini(&later);
}

static inline void connect_anonymous(void)
{
    say("{\"id\":1,\"connect\":{}}");
    hear_connected(1, 0);
}

/* Says a command around a token of these claims; "%s" in `claims` is when it expires. */
static inline void say_with_token(const char *before, const char *claims, int expires_in_s, const char *after)
{
    buf_t whole = {0}, text = {0}, token = {0};
    char expires[32];
    snprintf(expires, sizeof expires, "%lld",
             (long long)(clock_wall_us() / CLOCK_SEC) + (long long)expires_in_s);
    for (const char *at = claims; *at; at++) {
        if (at[0] == '%' && at[1] == 's') {
            buf_append_str(&whole, expires);
            at++;
        } else {
            buf_append_byte(&whole, (uint8_t)*at);
        }
    }
    token_make(buf_span(&whole), SPAN(SECRET), &token);
    buf_append_str(&text, before);
    buf_append_span(&text, buf_span(&token));
    buf_append_str(&text, after);
    edge_session_message(session, false, buf_span(&text));
    buf_fini(&whole);
    buf_fini(&text);
    buf_fini(&token);
}

#define CONNECT_TOKEN "{\"id\":1,\"connect\":{\"token\":\""

static inline void connect_as(const char *user)
{
    buf_t claims = {0};
    buf_printf(&claims, "{\"sub\":\"%s\",\"info\":{\"n\":\"A\"},\"exp\":%%s}", user);
    say_with_token(CONNECT_TOKEN, buf_text(&claims), 60, "\"}}");
    buf_fini(&claims);
    hear_connected(1, 60);
}

static inline void turn(void)
{
    edge_hub_turn(worker->worker.hub, worker->worker.now_us);
}

static inline void sub_ok(const char *channel)
{
    envelope_sub_ok_t answer = {.channel = span_str(channel), .epoch = SPAN(EPOCH)};
    edge_hub_subscribed(worker->worker.hub, &uplink->relay, &answer);
}

static inline void sub_ok_at(const char *channel, uint64_t offset)
{
    envelope_sub_ok_t answer = {.channel = span_str(channel), .epoch = SPAN(EPOCH), .since = offset};
    edge_hub_subscribed(worker->worker.hub, &uplink->relay, &answer);
}

/* The answer to a question about history: the channel is at `offset`, and these messages, each with its number for
 * its payload, lead there. */
static inline void recalled(size_t which, const char *channel, uint64_t offset, bool complete, unsigned count)
{
    buf_t messages = {0}, items = {0};
    for (uint64_t at = offset - count + 1; at <= offset; at++) {
        char payload[24];
        snprintf(payload, sizeof payload, "%llu", (unsigned long long)at);
        envelope_t message = {.kind = KIND_MSG,
                              .msg = {.channel = span_str(channel),
                                      .epoch = SPAN(EPOCH),
                                      .offset = at,
                                      .flags = MESSAGE_JSON,
                                      .payload = span_str(payload)}};
        envelope_encode(&messages, &message);
    }
    recall_t recall = {{.epoch = EPOCH, .offset = offset}, complete, buf_span(&messages)};
    recall_write(&items, &recall, count);
    fake_relays_answered(uplink, which, OK, buf_span(&items));
    buf_fini(&messages);
    buf_fini(&items);
}

static inline void subscribe_to(const char *channel)
{
    char text[200];
    snprintf(text, sizeof text, "{\"id\":900,\"subscribe\":{\"channel\":\"%s\"}}", channel);
    say(text);
    turn();
    sub_ok(channel);
    hear("{\"id\":900,\"subscribe\":{}}");
}

/* One second may have begun since the token was made. */
static inline void hear_ttl(const char *before, unsigned ttl_s, const char *after)
{
    char text[200], later[200];
    snprintf(text, sizeof text, "%s\"expires\":true,\"ttl\":%u%s", before, ttl_s, after);
    snprintf(later, sizeof later, "%s\"expires\":true,\"ttl\":%u%s", before, ttl_s - 1, after);
    hear_either(text, later);
}

static inline void arrive(const char *channel, uint64_t offset, unsigned flags, span_t payload)
{
    envelope_msg_t message = {.channel = span_str(channel),
                              .epoch = SPAN(EPOCH),
                              .offset = offset,
                              .flags = flags,
                              .payload = payload};
    edge_hub_message(worker->worker.hub, &uplink->relay, &message);
}

static const char *error_text(unsigned number, centrifuge_error_t error)
{
    static buf_t text;
    buf_fini(&text);
    centrifuge_reply_error(&text, number, error);
    return buf_text(&text);
}

static inline void hear_error(unsigned number, centrifuge_error_t error)
{
    hear(error_text(number, error));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

#endif
