/* tests/unit/edge/hub_fixture - where each test of the hub starts: a hub between four clients of two dialects
 * and a link to a relay that is played by the test.
 * Life: set_up -> (subscribe | sub_ok | message | turn | ...)* -> tear_down
 */
#ifndef HEDDLE_TESTS_HUB_FIXTURE_H
#define HEDDLE_TESTS_HUB_FIXTURE_H

#include "base/err.h"
#include "base/log.h"
#include "edge/dialect.h"
#include "edge/hub.h"
#include "fake_uplink.h"
#include "fake_worker.h"
#include "protocol/recall.h"

#define EPOCH "abcdEFGH"
#define OTHER "ZYXWvuts"

#define CLIENTS 4u

static link_t relay = {.peer = 7};
static fake_worker_t *worker;
static uplink_t *uplink;
static edge_hub_t *hub;
static edge_session_t *clients[CLIENTS];
static edge_conn_t conns[CLIENTS];

/* What the dialect heard: "1:a OK|" or "1:a lost|", by client and channel. */
static buf_t heard;
static unsigned frames_made;

/* What a client does within its callback. */
static void (*within_callback)(edge_session_t *session);

static inline unsigned client_number(const edge_session_t *session)
{
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (clients[i] == session)
            return i;
    }
    fail();
    return CLIENTS;
}

static inline void hear(const edge_subscription_t *subscription, const char *what)
{
    buf_printf(&heard, "%u:%.*s %s|", client_number(subscription->session),
               SPAN_FMT(edge_channel_name(subscription->channel)), what);
    if (within_callback)
        within_callback(subscription->session);
}

static inline void on_subscribed(edge_subscription_t *subscription, int err, const edge_recovery_t *recovery)
{
    buf_t what = {0};
    buf_append_str(&what, err_name(err));
    if (recovery)
        buf_append_str(&what, recovery->recovered ? " recovered" : " unrecovered");
    span_t messages = recovery ? recovery->messages : (span_t){0};
    for (envelope_msg_t message; recall_next(&messages, &message);)
        buf_printf(&what, " %.*s", SPAN_FMT(message.payload));
    hear(subscription, buf_text(&what));
    buf_fini(&what);
}

static inline void on_lost(edge_subscription_t *subscription)
{
    hear(subscription, "lost");
}

static inline void nothing(edge_session_t *session)
{
    (void)session;
}

static inline edge_frame_t *frame_of_any(const envelope_msg_t *message)
{
    frames_made++;
    return edge_frame_new(WEBSOCKET_TEXT, message->payload);
}

static inline edge_frame_t *frame_of_text(const envelope_msg_t *message)
{
    return message->flags & MESSAGE_BINARY ? NULL : frame_of_any(message);
}

static inline edge_frame_t *frame_of_presence(const envelope_join_t *client, bool came)
{
    buf_t text = {0};
    frames_made++;
    buf_printf(&text, "%c%.*s", came ? '+' : '-', SPAN_FMT(client->user));
    edge_frame_t *frame = edge_frame_new(WEBSOCKET_TEXT, buf_span(&text));
    buf_fini(&text);
    return frame;
}

static const edge_dialect_t any = {.name = "any",
                                   .index = 0,
                                   .opened = edge_session_activate,
                                   .frame = frame_of_any,
                                   .frame_presence = frame_of_presence,
                                   .subscribed = on_subscribed,
                                   .lost = on_lost,
                                   .ping = nothing,
                                   .closed = nothing};
static const edge_dialect_t text_only = {.name = "text",
                                         .index = 1,
                                         .opened = edge_session_activate,
                                         .frame = frame_of_text,
                                         .subscribed = on_subscribed,
                                         .lost = on_lost,
                                         .ping = nothing,
                                         .closed = nothing};

static inline int set_up(void **state)
{
    (void)state;
    worker = fake_worker_new();
    uplink = fake_uplink_new(&relay);
    hub = edge_hub_new(&worker->worker, uplink);
    worker->worker.hub = hub;
    worker->worker.uplink = uplink;
    channel_options_t plain = {0}, present = {.presence = true}, told = {.join_leave = true};
    assert_int_equal(namespaces_add(&uplink->namespaces, SPAN("default"), &plain), OK);
    assert_int_equal(namespaces_add(&uplink->namespaces, SPAN("here"), &present), OK);
    assert_int_equal(namespaces_add(&uplink->namespaces, SPAN("told"), &told), OK);
    for (unsigned i = 0; i < CLIENTS; i++) {
        edge_identity_t identity = {.user = mem_dup("u"), .info = mem_dup("{}")};
        const edge_dialect_t *dialect = i < 2 ? &any : &text_only;
        clients[i] = edge_session_new(&worker->worker, dialect, &identity);
        fake_client_of(worker, clients[i], &conns[i]);
    }
    frames_made = 0;
    within_callback = NULL;
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CLIENTS; i++)
        fake_client_gone(clients[i], &conns[i]);
    assert_int_equal(edge_hub_subscriptions(hub), 0);
    edge_hub_destroy(&hub);
    fake_uplink_destroy(uplink);
    fake_worker_destroy(worker);
    buf_fini(&heard);
    return 0;
}

/* --- in short --- */

static inline int subscribe(unsigned client, const char *channel)
{
    edge_subscription_t *subscription;
    return edge_hub_subscribe(hub, clients[client], span_str(channel), NULL, NULL, &subscription);
}

static inline void unsubscribe(unsigned client, const char *channel)
{
    edge_subscription_t *subscription = edge_hub_find(hub, clients[client], span_str(channel));
    assert_non_null(subscription);
    edge_hub_unsubscribe(hub, &subscription);
    assert_null(subscription);
}

static inline bool is_subscribed(unsigned client, const char *channel)
{
    return edge_hub_find(hub, clients[client], span_str(channel)) != NULL;
}

static inline void turn(void)
{
    edge_hub_turn(hub, worker->worker.now_us);
}

static inline void sub_ok(const char *channel, const char *epoch, uint64_t since, bool recovered)
{
    envelope_sub_ok_t answer = {.channel = span_str(channel),
                                .epoch = span_str(epoch),
                                .offset = since,
                                .since = since,
                                .recovered = recovered};
    edge_hub_subscribed(hub, &relay, &answer);
}

static inline void sub_no(const char *channel, int err)
{
    envelope_sub_no_t answer = {.channel = span_str(channel), .code = (uint64_t)-err};
    edge_hub_not_subscribed(hub, &relay, &answer);
}

static inline void message(const char *channel, const char *epoch, uint64_t offset, const char *payload)
{
    envelope_msg_t msg = {.channel = span_str(channel),
                          .epoch = span_str(epoch),
                          .offset = offset,
                          .payload = span_str(payload)};
    edge_hub_message(hub, &relay, &msg);
}

static inline void assert_heard(const char *text)
{
    assert_string_equal(buf_text(&heard), text);
    buf_clear(&heard);
}

/* The client got these texts since the last call, joined by commas. */
static inline void assert_got(unsigned client, const char *texts)
{
    buf_t got = {0};
    fake_worker_flush(worker);
    span_t rest = buf_span(&conns[client].written);
    while (rest.size) {
        fake_frame_t frame = fake_next_frame(&rest);
        if (got.size)
            buf_append_byte(&got, ',');
        buf_append_span(&got, frame.opcode == WEBSOCKET_CLOSE ? SPAN("close") : frame.payload);
    }
    buf_clear(&conns[client].written);
    assert_string_equal(buf_text(&got), texts);
    buf_fini(&got);
}

/* The client is on in the channel, at the epoch's offset 5. */
static inline void be_on(unsigned client, const char *channel)
{
    assert_int_equal(subscribe(client, channel), ERR_AGAIN);
    turn();
    sub_ok(channel, EPOCH, 5, false);
    buf_clear(&uplink->said);
    buf_clear(&heard);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
