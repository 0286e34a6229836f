#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "edge/dialect.h"
#include "edge/hub.h"
#include "fake_uplink.h"
#include "fake_worker.h"
#include "protocol/recall.h"

#define EPOCH  "abcdEFGH"
#define SECRET "0123456789abcdef"

static link_t relay = {.peer = 7};
static fake_worker_t *worker;
static uplink_t *uplink;
static edge_auth_t *auth;
static edge_session_t *session;
static edge_conn_t conn;
static const char *why;

static void add_namespace(const char *name, subscribe_rule_t subscribe, publish_rule_t publish)
{
    channel_options_t options = {.subscribe = subscribe, .publish = publish};
    assert_int_equal(namespaces_add(&uplink->namespaces, span_str(name), &options), OK);
}

static void open_auth(bool required)
{
    edge_auth_config_t config = {.hmac_secret = mem_dup(SECRET), .required = required};
    buf_t report = {0};
    edge_auth_destroy(&auth);
    assert_int_equal(edge_auth_open(&auth, &config, &report), OK);
    worker->worker.auth = auth;
    mem_free(config.hmac_secret);
    buf_fini(&report);
}

static int set_up(void **state)
{
    (void)state;
    worker = fake_worker_new();
    uplink = fake_uplink_new(&relay);
    worker->worker.uplink = uplink;
    worker->worker.hub = edge_hub_new(&worker->worker, uplink);
    worker->config.limits.on_slow_client = SLOW_DROP_OLDEST;
    add_namespace("default", SUBSCRIBE_ANYONE, PUBLISH_ANYONE);
    add_namespace("known", SUBSCRIBE_AUTHENTICATED, PUBLISH_AUTHENTICATED);
    add_namespace("read", SUBSCRIBE_ANYONE, PUBLISH_NOBODY);
    add_namespace("ours", SUBSCRIBE_ANYONE, PUBLISH_SUBSCRIBERS);
    open_auth(false);
    return 0;
}

static void leave(void)
{
    if (session)
        fake_client_gone(session, &conn);
    session = NULL;
}

static int tear_down(void **state)
{
    (void)state;
    leave();
    edge_hub_destroy(&worker->worker.hub);
    fake_uplink_destroy(uplink);
    fake_worker_destroy(worker);
    edge_auth_destroy(&auth);
    return 0;
}

/* --- in short --- */

static int admit(const char *target, edge_session_t **out)
{
    buf_t text = {0};
    buf_printf(&text, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", target);
    http_head_t head;
    assert_true(http_head_parse(buf_span(&text), &head) > 0);
    const char *subprotocol = "unset";
    why = NULL;
    *out = NULL;
    int status = edge_dialect_raw.admit(&worker->worker, &head, out, &subprotocol, &why);
    assert_true((status == 101) == (*out != NULL));
    if (status == 101)
        assert_null(subprotocol);
    buf_fini(&text);
    return status;
}

static void assert_refused(const char *target, int status, const char *sentence)
{
    edge_session_t *none;
    assert_int_equal(admit(target, &none), status);
    assert_string_equal(why, sentence);
}

static void assert_admitted(const char *target)
{
    edge_session_t *admitted;
    assert_int_equal(admit(target, &admitted), 101);
    edge_session_discard(&admitted);
}

static void turn(void)
{
    edge_hub_turn(worker->worker.hub, worker->worker.now_us);
    fake_worker_flush(worker);
}

static void connect_to(const char *target)
{
    edge_session_t *admitted;
    assert_int_equal(admit(target, &admitted), 101);
    session = fake_client_of(worker, admitted, &conn);
    turn();
    buf_clear(&uplink->said);
}

static void sub_ok(const char *channel)
{
    envelope_sub_ok_t answer = {.channel = span_str(channel), .epoch = SPAN(EPOCH)};
    edge_hub_subscribed(worker->worker.hub, &relay, &answer);
}

static void deliver(uint64_t offset, unsigned flags, const char *client, const char *payload)
{
    envelope_msg_t msg = {.channel = SPAN("a"),
                          .epoch = SPAN(EPOCH),
                          .offset = offset,
                          .flags = flags,
                          .client = span_str(client),
                          .payload = span_str(payload)};
    edge_hub_message(worker->worker.hub, &relay, &msg);
    fake_worker_flush(worker);
}

static void say(const char *text)
{
    edge_session_message(session, false, span_str(text));
}

static void assert_closed_with(unsigned code, const char *reason)
{
    fake_worker_flush(worker);
    span_t rest = buf_span(&conn.written);
    assert_close_frame(&rest, code, reason);
}

/* Appends "&token=..." (or "?...") with the token of a user. */
static void append_token(buf_t *target, const char *user)
{
    buf_t claims = {0};
    buf_printf(&claims, "{\"sub\":\"%s\",\"exp\":%llu,\"info\":{\"n\":1}}", user,
               (unsigned long long)(clock_wall_us() / CLOCK_SEC + 60));
    buf_append_str(target, "?token=");
    token_make(buf_span(&claims), SPAN(SECRET), target);
    buf_fini(&claims);
}

/* --- the handshake --- */

static void another_path_is_another_dialects(void **state)
{
    (void)state;
    edge_session_t *none;
    assert_int_equal(admit("/connection/websocket", &none), 0);
}

static void a_client_is_admitted_to_what_it_may_do(void **state)
{
    (void)state;
    assert_admitted("/ws/a");
    assert_admitted("/ws?channel=a&channel=b&channel=c&channel=d");
    assert_admitted("/ws/read:1");
    assert_admitted("/ws/a?mode=pub");
}

static void what_breaks_the_rules_is_refused_with_its_status(void **state)
{
    (void)state;
    assert_refused("/ws", 400, "a channel is missing: /ws/CHANNEL or /ws?channel=CHANNEL");
    assert_refused("/ws/a?mode=x", 400, "mode is sub or pub");
    assert_refused("/ws?channel=a&channel=b&channel=c&channel=d&channel=e", 400, "too many channels");
    assert_refused("/ws/nowhere:1", 404, "unknown namespace");
    assert_refused("/ws?channel=a&channel=nowhere:1", 404, "unknown namespace");
    assert_refused("/ws/known:1", 403, "may not subscribe to this channel");
    assert_refused("/ws/$secret", 403, "may not subscribe to this channel");
    assert_refused("/ws/read:1?mode=pub", 403, "may not publish to this channel");
    assert_refused("/ws/a?token=nonsense", 401, "the token is not valid");
}

static void before_a_relay_is_reached_clients_are_told_to_come_later(void **state)
{
    (void)state;
    namespaces_fini(&uplink->namespaces);
    namespaces_init(&uplink->namespaces);
    assert_refused("/ws/a", 503, "no relay has been reached yet");
}

static void a_token_opens_what_is_for_the_known(void **state)
{
    (void)state;
    open_auth(true);
    assert_refused("/ws/a", 401, "a token is needed");
    buf_t target = {0};
    buf_append_str(&target, "/ws/known:1");
    append_token(&target, "42");
    connect_to(buf_text(&target));
    buf_fini(&target);
    assert_true(span_is(edge_session_user(session), "42"));
    assert_true(span_is(edge_session_info(session), "{\"n\":1}"));
}

static void an_old_token_is_told_so(void **state)
{
    (void)state;
    buf_t target = {0};
    buf_append_str(&target, "/ws/a?token=");
    token_make(SPAN("{\"sub\":\"42\",\"exp\":1000000000}"), SPAN(SECRET), &target);
    assert_refused(buf_text(&target), 401, "the token has expired");
    buf_fini(&target);
}

/* --- listening --- */

static void a_client_listens_to_its_channels(void **state)
{
    (void)state;
    edge_session_t *admitted;
    assert_int_equal(admit("/ws?channel=a&channel=b", &admitted), 101);
    session = fake_client_of(worker, admitted, &conn);
    turn();
    assert_said(uplink, "SUB a |SUB b |");
    sub_ok("a");
    sub_ok("b");
    assert_true(edge_session_is_open(session));
    assert_int_equal(session->subscription_count, 2);
}

static void text_stays_text_and_binary_binary(void **state)
{
    (void)state;
    connect_to("/ws/a");
    sub_ok("a");
    deliver(1, 0, "", "text");
    deliver(2, MESSAGE_JSON, "", "{}");
    deliver(3, MESSAGE_BINARY, "", "\x80\xff");
    deliver(4, 0, "", "");
    span_t rest = buf_span(&conn.written);
    assert_text_frame(&rest, "text");
    assert_text_frame(&rest, "{}");
    fake_frame_t frame = fake_next_frame(&rest);
    assert_int_equal(frame.opcode, WEBSOCKET_BINARY);
    assert_true(span_is(frame.payload, "\x80\xff"));
    assert_text_frame(&rest, "");
    assert_int_equal(rest.size, 0);
}

static void without_echo_the_own_messages_stay_away(void **state)
{
    (void)state;
    connect_to("/ws/a?echo=0");
    sub_ok("a");
    char id[EDGE_CLIENT_ID_SIZE + 1];
    deliver(1, 0, edge_session_id(session, id), "mine");
    deliver(2, 0, "", "another's");
    span_t rest = buf_span(&conn.written);
    assert_text_frame(&rest, "another's");
    assert_int_equal(rest.size, 0);
}

static void a_publisher_does_not_subscribe(void **state)
{
    (void)state;
    connect_to("/ws/a?mode=pub");
    assert_int_equal(session->subscription_count, 0);
    say("x");
    assert_said(uplink, "PUB a 0 x|");
}

static void a_subscription_that_is_refused_ends_the_connection(void **state)
{
    (void)state;
    connect_to("/ws/a");
    envelope_sub_no_t answer = {.channel = SPAN("a"), .code = (uint64_t)-ERR_DENIED};
    edge_hub_not_subscribed(worker->worker.hub, &relay, &answer);
    assert_closed_with(3507, "permission denied");
}

static void a_subscription_that_takes_too_long_ends_the_connection(void **state)
{
    (void)state;
    connect_to("/ws/a");
    worker->worker.now_us += EDGE_SUBSCRIBE_TIMEOUT_US;
    turn();
    assert_closed_with(3000, "connection closed");
}

static void a_loss_ends_the_connection(void **state)
{
    (void)state;
    connect_to("/ws/a");
    sub_ok("a");
    deliver(5, 0, "", "too far");
    assert_closed_with(3010, "insufficient state");
}

static void who_is_unsubscribed_is_disconnected(void **state)
{
    (void)state;
    connect_to("/ws/a");
    edge_dialect_raw.unsubscribed(session, SPAN("a"), 2000, "server unsubscribe");
    assert_closed_with(3503, "force disconnect");
}

static void a_ping_is_a_ping_frame(void **state)
{
    (void)state;
    connect_to("/ws/a");
    edge_dialect_raw.ping(session);
    fake_worker_flush(worker);
    assert_int_equal(conn.written.size, 2);
    assert_memory_equal(conn.written.data, "\x89\0", 2);
}

/* --- publishing --- */

static void what_a_client_sends_is_published_to_the_first_channel(void **state)
{
    (void)state;
    connect_to("/ws?channel=a&channel=b");
    say("some text");
    say("12345678901234567890");
    say(" {\"a\": 1.10} ");
    say("{\"a\":");
    say("");
    edge_session_message(session, true, SPAN("{}"));
    assert_said(uplink,
                "PUB a 0 some text|PUB a 2 12345678901234567890|PUB a 2  {\"a\": 1.10} |PUB a 0 {\"a\":|"
                "PUB a 0 |PUB a 1 {}|");
    assert_int_equal(stats_get(&worker->worker.stats.publications), 6);
}

static void a_listener_that_sends_is_closed(void **state)
{
    (void)state;
    connect_to("/ws/a?mode=sub");
    say("x");
    assert_said(uplink, "");
    assert_closed_with(3507, "permission denied");
}

static void who_may_not_publish_is_closed(void **state)
{
    (void)state;
    connect_to("/ws/read:1");
    say("x");
    assert_said(uplink, "");
    assert_closed_with(3507, "permission denied");
    assert_int_equal(stats_get(&worker->worker.stats.publish_errors), 1);
}

static void a_subscriber_may_publish_where_subscribers_may(void **state)
{
    (void)state;
    connect_to("/ws/ours:1");
    say("x");
    assert_said(uplink, "PUB ours:1 0 x|");
    assert_refused("/ws/ours:1?mode=pub", 403, "may not publish to this channel");
}

static void a_full_uplink_holds_messages_and_reading_back(void **state)
{
    (void)state;
    connect_to("/ws/a");
    uplink->room = 1;
    say("1");
    assert_false(conn.paused);
    say("2");
    edge_session_message(session, true, SPAN("3"));
    assert_true(conn.paused);
    assert_said(uplink, "PUB a 2 1|");
    uplink->room = 1;
    edge_session_resume(session);
    assert_true(conn.paused);
    say("4");
    assert_said(uplink, "PUB a 2 2|");
    uplink->room = 9;
    edge_session_resume(session);
    assert_false(conn.paused);
    assert_said(uplink, "PUB a 1 3|PUB a 2 4|");
    say("5");
    assert_said(uplink, "PUB a 2 5|");
}

static void messages_held_back_when_the_client_goes_are_counted(void **state)
{
    (void)state;
    connect_to("/ws/a");
    uplink->room = 0;
    say("1");
    say("2");
    leave();
    assert_int_equal(stats_get(&worker->worker.stats.publish_errors), 2);
}

static void a_namespace_that_goes_while_messages_are_held_ends_the_connection(void **state)
{
    (void)state;
    connect_to("/ws/a");
    uplink->room = 0;
    say("1");
    say("2");
    namespaces_fini(&uplink->namespaces);
    namespaces_init(&uplink->namespaces);
    edge_session_resume(session);
    assert_false(conn.paused);
    assert_closed_with(3000, "connection closed");
    leave();
    assert_int_equal(stats_get(&worker->worker.stats.publish_errors), 2);
}

static void a_publication_that_was_confirmed_needs_no_word(void **state)
{
    (void)state;
    connect_to("/ws/a");
    say("x");
    uplink->published(uplink->user, OK, (position_t){0});
    assert_true(edge_session_is_open(session));
    leave();
    assert_int_equal(uplink->forgotten, 0);
}

static void a_publication_that_failed_ends_the_connection(void **state)
{
    (void)state;
    connect_to("/ws/a");
    say("x");
    uplink->published(uplink->user, ERR_TIMEOUT, (position_t){0});
    assert_closed_with(3000, "connection closed");
    assert_int_equal(stats_get(&worker->worker.stats.publish_errors), 1);
}

static void a_publication_that_a_relay_denies_ends_the_connection_for_good(void **state)
{
    (void)state;
    connect_to("/ws/a");
    say("x");
    uplink->published(uplink->user, ERR_DENIED, (position_t){0});
    assert_closed_with(3507, "permission denied");
}

static void who_goes_before_the_confirmation_is_forgotten(void **state)
{
    (void)state;
    connect_to("/ws/a");
    say("x");
    leave();
    assert_int_equal(uplink->forgotten, 1);
}

/* --- positions --- */

static void sub_ok_at(const char *channel, uint64_t offset)
{
    envelope_sub_ok_t answer = {.channel = span_str(channel), .epoch = SPAN(EPOCH), .since = offset};
    edge_hub_subscribed(worker->worker.hub, &relay, &answer);
    turn();
}

/* The owner's answer: the channel is at `offset`, and messages of `client` lead there. */
static void recalled(uint64_t offset, bool complete, unsigned count, const char *client)
{
    buf_t messages = {0}, items = {0};
    for (unsigned i = 0; i < count; i++) {
        envelope_t message = {.kind = KIND_MSG,
                              .msg = {.channel = SPAN("a"),
                                      .epoch = SPAN(EPOCH),
                                      .offset = offset - count + 1 + i,
                                      .client = span_str(client),
                                      .payload = span_new(&"6789"[i], 1)}};
        envelope_encode(&messages, &message);
    }
    recall_write(&items, &(recall_t){{.epoch = EPOCH, .offset = offset}, complete, buf_span(&messages)},
                 count);
    uplink->answered(uplink->asker, OK, buf_span(&items));
    fake_worker_flush(worker);
    buf_fini(&messages);
    buf_fini(&items);
}

static span_t next_text(span_t *rest, const char *expected)
{
    fake_frame_t frame = fake_next_frame(rest);
    assert_int_equal(frame.opcode, WEBSOCKET_TEXT);
    if (!span_is(frame.payload, expected))
        fail_msg("<%.*s> instead of <%s>", SPAN_FMT(frame.payload), expected);
    return *rest;
}

static void the_first_frame_of_each_channel_tells_where_it_begins(void **state)
{
    (void)state;
    connect_to("/ws?channel=a&channel=b&positions=1");
    assert_true(session->counts_messages);
    sub_ok_at("b", 3);
    sub_ok_at("a", 7);
    deliver(8, 0, "", "eight");
    span_t rest = buf_span(&conn.written);
    next_text(&rest, "{\"channel\":\"b\",\"position\":\"" EPOCH ":3\"}");
    next_text(&rest, "{\"channel\":\"a\",\"position\":\"" EPOCH ":7\"}");
    next_text(&rest, "eight");
    assert_int_equal(rest.size, 0);
}

static void who_goes_on_gets_what_it_missed(void **state)
{
    (void)state;
    connect_to("/ws/a?since=" EPOCH ":5");
    sub_ok_at("a", 7);
    assert_said(uplink, "ASK a " EPOCH ":5|");
    assert_int_equal(conn.written.size, 0);
    recalled(7, true, 2, "");
    deliver(8, 0, "", "eight");
    span_t rest = buf_span(&conn.written);
    next_text(&rest, "6");
    next_text(&rest, "7");
    next_text(&rest, "eight");
    assert_int_equal(rest.size, 0);
}

static void with_positions_it_is_told_that_it_goes_on_from_its_own(void **state)
{
    (void)state;
    connect_to("/ws/a?positions=1&since=" EPOCH ":5");
    sub_ok_at("a", 7);
    recalled(7, true, 2, "");
    span_t rest = buf_span(&conn.written);
    next_text(&rest, "{\"channel\":\"a\",\"position\":\"" EPOCH ":5\",\"recovered\":true}");
    next_text(&rest, "6");
    next_text(&rest, "7");
    assert_int_equal(rest.size, 0);
}

static void with_positions_a_loss_is_told_in_words(void **state)
{
    (void)state;
    connect_to("/ws/a?positions=1&since=" EPOCH ":5");
    sub_ok_at("a", 7);
    recalled(7, false, 1, "");
    deliver(8, 0, "", "eight");
    span_t rest = buf_span(&conn.written);
    next_text(&rest, "{\"channel\":\"a\",\"position\":\"" EPOCH ":7\",\"recovered\":false}");
    next_text(&rest, "eight");
    assert_int_equal(rest.size, 0);
}

static void without_positions_a_loss_is_told_by_the_close(void **state)
{
    (void)state;
    connect_to("/ws/a?since=" EPOCH ":5");
    sub_ok_at("a", 7);
    recalled(7, false, 1, "");
    assert_closed_with(3010, "insufficient state");
}

static void without_echo_what_it_said_meanwhile_stays_away(void **state)
{
    (void)state;
    char id[EDGE_CLIENT_ID_SIZE + 1];
    connect_to("/ws/a?echo=0&since=" EPOCH ":5");
    sub_ok_at("a", 7);
    recalled(7, true, 2, edge_session_id(session, id));
    assert_int_equal(conn.written.size, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(another_path_is_another_dialects),
        TEST(a_client_is_admitted_to_what_it_may_do),
        TEST(what_breaks_the_rules_is_refused_with_its_status),
        TEST(before_a_relay_is_reached_clients_are_told_to_come_later),
        TEST(a_token_opens_what_is_for_the_known),
        TEST(an_old_token_is_told_so),
        TEST(a_client_listens_to_its_channels),
        TEST(text_stays_text_and_binary_binary),
        TEST(without_echo_the_own_messages_stay_away),
        TEST(a_publisher_does_not_subscribe),
        TEST(a_subscription_that_is_refused_ends_the_connection),
        TEST(a_subscription_that_takes_too_long_ends_the_connection),
        TEST(a_loss_ends_the_connection),
        TEST(who_is_unsubscribed_is_disconnected),
        TEST(a_ping_is_a_ping_frame),
        TEST(what_a_client_sends_is_published_to_the_first_channel),
        TEST(a_listener_that_sends_is_closed),
        TEST(who_may_not_publish_is_closed),
        TEST(a_subscriber_may_publish_where_subscribers_may),
        TEST(a_full_uplink_holds_messages_and_reading_back),
        TEST(messages_held_back_when_the_client_goes_are_counted),
        TEST(a_namespace_that_goes_while_messages_are_held_ends_the_connection),
        TEST(a_publication_that_was_confirmed_needs_no_word),
        TEST(a_publication_that_failed_ends_the_connection),
        TEST(a_publication_that_a_relay_denies_ends_the_connection_for_good),
        TEST(who_goes_before_the_confirmation_is_forgotten),
        TEST(the_first_frame_of_each_channel_tells_where_it_begins),
        TEST(who_goes_on_gets_what_it_missed),
        TEST(with_positions_it_is_told_that_it_goes_on_from_its_own),
        TEST(with_positions_a_loss_is_told_in_words),
        TEST(without_positions_a_loss_is_told_by_the_close),
        TEST(without_echo_what_it_said_meanwhile_stays_away),
    };
    log_set_level(LOG_LEVEL_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
