#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "fake_centrifuge.h"
#include "protocol/codec.h"

/* --- subscribe --- */

static void connect_and_subscribes_come_in_one_frame_and_are_done_in_order(void **state)
{
    (void)state;
    say("{\"connect\":{\"name\":\"js\"},\"id\":1}\n{\"subscribe\":{\"channel\":\"a\",\"flag\":1},\"id\":2}\n"
        "{\"subscribe\":{\"channel\":\"nope:b\"},\"id\":3}\n{\"subscribe\":{\"channel\":\"quiet:c\"},\"id\":"
        "4}\n");
    buf_t text = {0};
    centrifuge_reply_connect(&text, 1, id, 25, 0, (span_t){0});
    buf_printf(&text, "\n%s", error_text(3, CENTRIFUGE_ERROR_UNKNOWN_CHANNEL));
    hear(buf_text(&text));
    buf_fini(&text);
    turn();
    hear_nothing();
    sub_ok("quiet:c");
    hear("{\"id\":4,\"subscribe\":{}}");
    sub_ok("a");
    hear("{\"id\":2,\"subscribe\":{}}");
}

static void a_channel_that_is_on_already_is_answered_at_once(void **state)
{
    (void)state;
    connect_anonymous();
    subscribe_to("a");
    edge_session_t *first = session;
    edge_conn_t first_conn = conn;
    first->conn = &first_conn;
    size_t first_seen = seen;
    open_session();
    say("{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{\"channel\":\"a\"}}");
    buf_t text = {0};
    centrifuge_reply_connect(&text, 1, id, 25, 0, (span_t){0});
    buf_append_str(&text, "\n{\"id\":2,\"subscribe\":{}}");
    hear(buf_text(&text));
    buf_fini(&text);
    arrive("a", 1, MESSAGE_JSON, SPAN("{\"t\":1}"));
    hear("{\"push\":{\"channel\":\"a\",\"pub\":{\"data\":{\"t\":1},\"offset\":1}}}");
    span_t rest = span_skip(buf_span(&first_conn.written), first_seen);
    assert_text_frame(&rest, "{\"push\":{\"channel\":\"a\",\"pub\":{\"data\":{\"t\":1},\"offset\":1}}}");
    fake_client_gone(first, &first_conn);
}

static void channels_are_checked_in_the_protocols_order(void **state)
{
    (void)state;
    static const struct row {
        const char *request;
        centrifuge_error_t error;
    } rows[] = {
        {"{\"channel\":\"a\",\"type\":1}", CENTRIFUGE_ERROR_NOT_AVAILABLE},
        {"{\"channel\":\"a\",\"tf\":{}}", CENTRIFUGE_ERROR_BAD_COMMAND},
        {"{\"channel\":\"a\"}", CENTRIFUGE_ERROR_ALREADY_SUBSCRIBED},
        {"{\"channel\":\"waits\"}", CENTRIFUGE_ERROR_ALREADY_SUBSCRIBED},
        {"{\"channel\":\"a b\"}", CENTRIFUGE_ERROR_BAD_COMMAND},
        {"{\"channel\":\"\\u00e9\"}", CENTRIFUGE_ERROR_BAD_COMMAND},
        {"{\"channel\":\"no/ns:a\"}", CENTRIFUGE_ERROR_BAD_COMMAND},
        {"{\"channel\":\"nope:a\"}", CENTRIFUGE_ERROR_UNKNOWN_CHANNEL},
        {"{\"channel\":\"known:a\"}", CENTRIFUGE_ERROR_DENIED},
        {"{\"channel\":\"token:a\"}", CENTRIFUGE_ERROR_DENIED},
        {"{\"channel\":\"none:a\"}", CENTRIFUGE_ERROR_DENIED},
        {"{\"channel\":\"$a\"}", CENTRIFUGE_ERROR_DENIED},
        {"{\"channel\":\"$a\",\"token\":\"a.b.c\"}", CENTRIFUGE_ERROR_DENIED},
    };
    connect_anonymous();
    subscribe_to("a");
    say("{\"id\":2,\"subscribe\":{\"channel\":\"waits\"}}");
    for (unsigned i = 0; i < COUNT(rows); i++) {
        char text[200];
        snprintf(text, sizeof text, "{\"id\":%u,\"subscribe\":%s}", i + 3, rows[i].request);
        say(text);
        hear_error(i + 3, rows[i].error);
    }
    assert_int_equal(session->subscription_count, 2);
}

static void a_name_too_long_is_a_bad_one(void **state)
{
    (void)state;
    connect_anonymous();
    for (int size = 255; size <= 256; size++) {
        char text[400];
        snprintf(text, sizeof text, "{\"id\":2,\"subscribe\":{\"channel\":\"%0*d\"}}", size, 7);
        say(text);
    }
    hear_error(2, CENTRIFUGE_ERROR_BAD_COMMAND);
    hear_nothing();
    assert_int_equal(session->subscription_count, 1);
}

static void more_channels_than_allowed_are_refused(void **state)
{
    (void)state;
    connect_anonymous();
    subscribe_to("a");
    say("{\"id\":2,\"subscribe\":{\"channel\":\"b\"}}\n{\"id\":3,\"subscribe\":{\"channel\":\"c\"}}\n"
        "{\"id\":4,\"subscribe\":{\"channel\":\"d\"}}\n{\"id\":5,\"subscribe\":{\"channel\":\"e\"}}");
    hear_error(5, CENTRIFUGE_ERROR_LIMIT);
}

static void before_a_relay_is_known_subscribing_is_worth_trying_again(void **state)
{
    (void)state;
    namespaces_fini(&uplink->namespaces);
    namespaces_init(&uplink->namespaces);
    connect_anonymous();
    say("{\"id\":2,\"subscribe\":{\"channel\":\"a\"}}");
    hear("{\"id\":2,\"error\":{\"code\":100,\"message\":\"internal server error\",\"temporary\":true}}");
}

static void a_subscription_that_is_not_answered_is_worth_trying_again(void **state)
{
    (void)state;
    connect_anonymous();
    say("{\"id\":2,\"subscribe\":{\"channel\":\"a\"}}");
    turn();
    worker->worker.now_us += EDGE_SUBSCRIBE_TIMEOUT_US + 1;
    turn();
    hear_error(2, CENTRIFUGE_ERROR_INTERNAL);
    assert_int_equal(session->subscription_count, 0);
}

static void a_relay_that_refuses_is_believed(void **state)
{
    (void)state;
    connect_anonymous();
    say("{\"id\":2,\"subscribe\":{\"channel\":\"a\"}}");
    turn();
    envelope_sub_no_t answer = {.channel = SPAN("a"), .code = (uint64_t)-ERR_UNKNOWN};
    edge_hub_not_subscribed(worker->worker.hub, &uplink->relay, &answer);
    hear_error(2, CENTRIFUGE_ERROR_UNKNOWN_CHANNEL);
}

#define SUBSCRIBE_TOKEN_TEXT "{\"id\":2,\"subscribe\":{\"channel\":\"$a\",\"token\":\""

static void a_subscription_token_opens_its_channel(void **state)
{
    (void)state;
    connect_as("42");
    say_with_token(SUBSCRIBE_TOKEN_TEXT, "{\"sub\":\"42\",\"channel\":\"$a\",\"info\":[1],\"exp\":%s}", 60,
                   "\"}}");
    edge_subscription_t *subscription = edge_hub_find(worker->worker.hub, session, SPAN("$a"));
    assert_non_null(subscription);
    assert_string_equal(subscription->info, "[1]");
}

static void an_expired_subscription_token_is_an_error(void **state)
{
    (void)state;
    connect_as("42");
    say_with_token(SUBSCRIBE_TOKEN_TEXT, "{\"sub\":\"42\",\"channel\":\"$a\",\"exp\":%s}", -1, "\"}}");
    hear_error(2, CENTRIFUGE_ERROR_TOKEN_EXPIRED);
}

static void a_token_for_another_channel_user_or_client_closes(void **state)
{
    (void)state;
    static const char *const claims[] = {
        "{\"sub\":\"42\",\"channel\":\"$b\",\"exp\":%s}",
        "{\"sub\":\"43\",\"channel\":\"$a\",\"exp\":%s}",
        "{\"channel\":\"$a\",\"exp\":%s}",
        "{\"sub\":\"42\",\"channel\":\"$a\",\"client\":\"x\",\"exp\":%s}",
        "{\"sub\":\"42\",\"exp\":%s}",
    };
    for (size_t i = 0; i < COUNT(claims); i++) {
        connect_as("42");
        say_with_token(SUBSCRIBE_TOKEN_TEXT, claims[i], 60, "\"}}");
        hear_close(EDGE_CLOSE_INVALID_TOKEN);
        fake_client_gone(session, &conn);
        open_session();
    }
}

/* --- unsubscribe, lost, taken away --- */

static void unsubscribing_never_fails(void **state)
{
    (void)state;
    connect_anonymous();
    subscribe_to("a");
    say("{\"id\":3,\"unsubscribe\":{\"channel\":\"a\"}}\n{\"id\":4,\"unsubscribe\":{\"channel\":\"a\"}}\n"
        "{\"id\":5,\"unsubscribe\":{\"channel\":\"not a name\"}}");
    hear("{\"id\":3,\"unsubscribe\":{}}\n{\"id\":4,\"unsubscribe\":{}}\n{\"id\":5,\"unsubscribe\":{}}");
    assert_int_equal(session->subscription_count, 0);
    arrive("a", 1, MESSAGE_JSON, SPAN("1"));
    hear_nothing();
}

static void unsubscribing_answers_a_subscribe_that_waits(void **state)
{
    (void)state;
    connect_anonymous();
    say("{\"id\":2,\"subscribe\":{\"channel\":\"a\"}}\n{\"id\":3,\"unsubscribe\":{\"channel\":\"a\"}}");
    hear("{\"id\":2,\"subscribe\":{}}\n{\"id\":3,\"unsubscribe\":{}}");
    turn();
    hear_nothing();
}

static void what_cannot_be_had_again_is_told(void **state)
{
    (void)state;
    connect_anonymous();
    subscribe_to("a");
    arrive("a", 1, MESSAGE_JSON, SPAN("1"));
    hear("{\"push\":{\"channel\":\"a\",\"pub\":{\"data\":1,\"offset\":1}}}");
    turn();
    edge_hub_lost(worker->worker.hub, &uplink->relay);
    edge_hub_found(worker->worker.hub, &uplink->relay);
    turn();
    envelope_sub_ok_t answer = {.channel = SPAN("a"), .epoch = SPAN("ZZZZzzzz"), .offset = 9, .since = 9};
    edge_hub_subscribed(worker->worker.hub, &uplink->relay, &answer);
    hear("{\"push\":{\"channel\":\"a\",\"unsubscribe\":{\"code\":2500,\"reason\":\"insufficient state\"}}}");
    assert_int_equal(session->subscription_count, 0);
    assert_true(edge_session_is_open(session));
}

static void a_subscription_taken_away_is_told(void **state)
{
    (void)state;
    connect_anonymous();
    subscribe_to("a");
    edge_dialect_centrifuge.unsubscribed(session, SPAN("a"), 2000, "server unsubscribe");
    hear("{\"push\":{\"channel\":\"a\",\"unsubscribe\":{\"code\":2000,\"reason\":\"server unsubscribe\"}}}");
    say("{\"id\":2,\"subscribe\":{\"channel\":\"b\"}}");
    edge_dialect_centrifuge.unsubscribed(session, SPAN("b"), 2000, "server unsubscribe");
    hear_error(2, CENTRIFUGE_ERROR_DENIED);
}

/* --- publish --- */

static void a_publication_is_answered_when_the_relay_has_it(void **state)
{
    (void)state;
    connect_as("42");
    say("{\"id\":2,\"publish\":{\"channel\":\"known:a\",\"data\":{\"n\": 12345678901234567890,\"x\":1.10}}}");
    hear_nothing();
    char text[200];
    snprintf(text, sizeof text, "known:a %d %s 42 {\"n\":\"A\"} {\"n\": 12345678901234567890,\"x\":1.10}",
             MESSAGE_JSON, id);
    assert_string_equal(buf_text(&uplink->publications[0].text), text);
    fake_relays_published(uplink, OK, EPOCH, 1);
    hear("{\"id\":2,\"publish\":{}}");
    assert_int_equal(stats_get(&worker->worker.stats.publications), 1);
}

static void who_may_not_publish_is_told(void **state)
{
    (void)state;
    static const struct row {
        const char *channel;
        centrifuge_error_t error;
    } rows[] = {
        {"known:a", CENTRIFUGE_ERROR_DENIED},  {"token:a", CENTRIFUGE_ERROR_DENIED},
        {"none:a", CENTRIFUGE_ERROR_DENIED},   {"nope:a", CENTRIFUGE_ERROR_UNKNOWN_CHANNEL},
        {"a b", CENTRIFUGE_ERROR_BAD_COMMAND},
    };
    connect_anonymous();
    for (unsigned i = 0; i < COUNT(rows); i++) {
        char text[100];
        snprintf(text, sizeof text, "{\"id\":%u,\"publish\":{\"channel\":\"%s\",\"data\":null}}", i + 2,
                 rows[i].channel);
        say(text);
        hear_error(i + 2, rows[i].error);
    }
    assert_int_equal(uplink->publication_count, 0);
    assert_int_equal(stats_get(&worker->worker.stats.publish_errors), COUNT(rows));
}

static void a_publication_behind_its_subscription_waits_for_it(void **state)
{
    (void)state;
    connect_anonymous();
    say_with_token("{\"id\":2,\"subscribe\":{\"channel\":\"token:a\",\"token\":\"",
                   "{\"channel\":\"token:a\",\"exp\":%s}", 60,
                   "\"}}\n{\"id\":3,\"publish\":{\"channel\":\"b\",\"data\":1}}\n"
                   "{\"id\":4,\"publish\":{\"channel\":\"token:a\",\"data\":2}}\n"
                   "{\"id\":5,\"unsubscribe\":{\"channel\":\"token:a\"}}");
    assert_int_equal(uplink->publication_count, 1);
    assert_true(conn.paused);
    turn();
    sub_ok("token:a");
    hear_ttl("{\"id\":2,\"subscribe\":{", 60, "}}");
    hear("{\"id\":5,\"unsubscribe\":{}}");
    assert_int_equal(uplink->publication_count, 2);
    assert_false(conn.paused);
    assert_int_equal(session->subscription_count, 0);
}

static void a_publication_behind_a_refused_subscription_goes_its_own_way(void **state)
{
    (void)state;
    static const char frame[] = "{\"id\":2,\"subscribe\":{\"channel\":\"a\"}}\n"
                                "{\"id\":3,\"publish\":{\"channel\":\"a\",\"data\":1}}";
    connect_anonymous();
    say(frame);
    turn();
    envelope_sub_no_t answer = {.channel = SPAN("a"), .code = (uint64_t)-ERR_DENIED};
    edge_hub_not_subscribed(worker->worker.hub, &uplink->relay, &answer);
    hear_error(2, CENTRIFUGE_ERROR_DENIED);
    assert_int_equal(uplink->publication_count, 1);
    say(frame);
    edge_dialect_centrifuge.unsubscribed(session, SPAN("a"), 2000, "server unsubscribe");
    hear_error(2, CENTRIFUGE_ERROR_DENIED);
    assert_int_equal(uplink->publication_count, 2);
    assert_false(conn.paused);
}

static void only_subscribers_publish_where_the_rule_says_so(void **state)
{
    (void)state;
    connect_anonymous();
    say("{\"id\":3,\"publish\":{\"channel\":\"token:a\",\"data\":1}}");
    hear_error(3, CENTRIFUGE_ERROR_DENIED);
}

static void a_publication_that_failed_is_told(void **state)
{
    (void)state;
    static const struct row {
        int err;
        centrifuge_error_t error;
    } rows[] = {{ERR_TIMEOUT, CENTRIFUGE_ERROR_INTERNAL},
                {ERR_UNAVAILABLE, CENTRIFUGE_ERROR_INTERNAL},
                {ERR_UNKNOWN, CENTRIFUGE_ERROR_UNKNOWN_CHANNEL},
                {ERR_DENIED, CENTRIFUGE_ERROR_DENIED}};
    connect_anonymous();
    for (unsigned i = 0; i < COUNT(rows); i++) {
        char text[100];
        snprintf(text, sizeof text, "{\"id\":%u,\"publish\":{\"channel\":\"a\",\"data\":1}}", i + 2);
        say(text);
        fake_relays_published(uplink, rows[i].err, "", 0);
        hear_error(i + 2, rows[i].error);
    }
}

static void answers_that_come_when_the_client_is_gone_do_no_harm(void **state)
{
    (void)state;
    connect_anonymous();
    subscribe_to("a");
    say("{\"id\":2,\"publish\":{\"channel\":\"a\",\"data\":1}}\n{\"id\":3,\"presence\":{\"channel\":\"a\"}}\n"
        "{\"id\":4,\"publish\":{\"channel\":\"a\",\"data\":2}}");
    edge_session_close(session, EDGE_CLOSE_FORCE, edge_close_reason(EDGE_CLOSE_FORCE), true);
    fake_relays_published(uplink, OK, EPOCH, 1);
    hear_close(EDGE_CLOSE_FORCE);
    fake_client_gone(session, &conn);
    session = NULL;
    fake_relays_published(uplink, OK, EPOCH, 2);
    fake_relays_answered(uplink, 0, OK, (span_t){0});
}

/* --- presence --- */

static void presence_is_asked_of_the_relay(void **state)
{
    (void)state;
    connect_anonymous();
    subscribe_to("a");
    say("{\"id\":2,\"presence\":{\"channel\":\"a\"}}\n{\"id\":3,\"presence_stats\":{\"channel\":\"a\"}}");
    hear_nothing();
    assert_string_equal(buf_text(&uplink->asks[0].text), "1 a   0 ");
    assert_string_equal(buf_text(&uplink->asks[1].text), "2 a   0 ");
    buf_t items = {0};
    codec_write_array(&items, 2);
    codec_write_uint(&items, 2);
    codec_write_uint(&items, 1);
    fake_relays_answered(uplink, 1, OK, buf_span(&items));
    buf_fini(&items);
    hear("{\"id\":3,\"presence_stats\":{\"num_clients\":2,\"num_users\":1}}");
    codec_write_array(&items, 1);
    codec_write_array(&items, 3);
    codec_write_text(&items, SPAN("c-1"));
    codec_write_text(&items, SPAN("42"));
    codec_write_data(&items, SPAN("{\"n\":\"A\"}"));
    fake_relays_answered(uplink, 0, OK, buf_span(&items));
    buf_fini(&items);
    hear("{\"id\":2,\"presence\":{\"presence\":{\"c-1\":{\"user\":\"42\",\"client\":\"c-1\",\"conn_info\":{"
         "\"n\":\"A\"}}}}}");
}

static void presence_is_refused_where_there_is_none_or_to_strangers(void **state)
{
    (void)state;
    connect_anonymous();
    subscribe_to("quiet:a");
    say("{\"id\":2,\"presence\":{\"channel\":\"quiet:a\"}}");
    hear_error(2, CENTRIFUGE_ERROR_NOT_AVAILABLE);
    say("{\"id\":3,\"presence_stats\":{\"channel\":\"a\"}}");
    hear_error(3, CENTRIFUGE_ERROR_DENIED);
    say("{\"id\":4,\"presence\":{\"channel\":\"nope:a\"}}");
    hear_error(4, CENTRIFUGE_ERROR_UNKNOWN_CHANNEL);
}

static void presence_without_a_relay_is_worth_trying_again(void **state)
{
    (void)state;
    connect_anonymous();
    subscribe_to("a");
    uplink->ask_err = ERR_UNAVAILABLE;
    say("{\"id\":2,\"presence\":{\"channel\":\"a\"}}");
    hear_error(2, CENTRIFUGE_ERROR_INTERNAL);
    uplink->ask_err = OK;
    say("{\"id\":3,\"presence\":{\"channel\":\"a\"}}");
    fake_relays_answered(uplink, 0, ERR_TIMEOUT, (span_t){0});
    hear_error(3, CENTRIFUGE_ERROR_INTERNAL);
}

/* --- history --- */

static void join_kept(void)
{
    connect_anonymous();
    say("{\"id\":2,\"subscribe\":{\"channel\":\"kept:a\"}}");
    turn();
    sub_ok_at("kept:a", 7);
    hear("{\"id\":2,\"subscribe\":{\"recoverable\":true,\"positioned\":true,\"epoch\":\"" EPOCH
         "\",\"offset\":7}}");
}

static void history_is_asked_of_the_relay(void **state)
{
    (void)state;
    join_kept();
    say("{\"id\":3,\"history\":{\"channel\":\"kept:a\",\"limit\":2}}");
    hear_nothing();
    assert_string_equal(buf_text(&uplink->asks[0].text), "7 kept:a   0 ");
    recalled(0, "kept:a", 7, false, 2);
    hear("{\"id\":3,\"history\":{\"publications\":[{\"data\":6,\"offset\":6},{\"data\":7,\"offset\":7}],"
         "\"epoch\":\"" EPOCH "\",\"offset\":7}}");
}

static void what_is_wanted_of_history_is_asked_for_within_the_limit(void **state)
{
    (void)state;
    static const struct row {
        const char *wish, *wanted;
    } rows[] = {
        {"", ":0 0 0"},
        {",\"limit\":0", ":0 0 0"},
        {",\"limit\":300", ":0 300 0"},
        {",\"limit\":301", ":0 300 0"},
        {",\"limit\":9223372036854775807", ":0 300 0"},
        {",\"limit\":-1", ":0 300 0"},
        {",\"limit\":5,\"reverse\":true", ":0 5 1"},
        {",\"limit\":5,\"since\":{\"offset\":0,\"epoch\":\"" EPOCH "\"}", EPOCH ":0 5 0"},
        {",\"limit\":5,\"since\":{\"offset\":3,\"epoch\":\"" EPOCH "\"},\"reverse\":true", EPOCH ":3 5 1"},
    };
    join_kept();
    for (size_t i = 0; i < COUNT(rows); i++) {
        buf_t text = {0};
        buf_printf(&text, "{\"id\":3,\"history\":{\"channel\":\"kept:a\"%s}}", rows[i].wish);
        say(buf_text(&text));
        buf_fini(&text);
        assert_string_equal(buf_text(&uplink->asks[i].wanted), rows[i].wanted);
    }
}

static void history_that_may_not_or_cannot_be_had_is_refused(void **state)
{
    (void)state;
    static const struct row {
        const char *request;
        centrifuge_error_t error;
    } rows[] = {
        {"\"channel\":\"a\"", CENTRIFUGE_ERROR_NOT_AVAILABLE},
        {"\"channel\":\"kept:b\"", CENTRIFUGE_ERROR_DENIED},
        {"\"channel\":\"nope:a\"", CENTRIFUGE_ERROR_UNKNOWN_CHANNEL},
        {"\"channel\":\"kept:a\",\"reverse\":true,\"since\":{\"offset\":0,\"epoch\":\"" EPOCH "\"}",
         CENTRIFUGE_ERROR_BAD_COMMAND},
        {"\"channel\":\"kept:a\",\"since\":{\"offset\":3,\"epoch\":\"x\"}", CENTRIFUGE_ERROR_UNRECOVERABLE},
        {"\"channel\":\"kept:a\",\"since\":{}", CENTRIFUGE_ERROR_UNRECOVERABLE},
    };
    join_kept();
    for (size_t i = 0; i < COUNT(rows); i++) {
        buf_t text = {0};
        buf_printf(&text, "{\"id\":3,\"history\":{%s}}", rows[i].request);
        say(buf_text(&text));
        buf_fini(&text);
        hear_error(3, rows[i].error);
    }
    assert_int_equal(uplink->ask_count, 0);
}

static void history_of_another_epoch_is_unrecoverable(void **state)
{
    (void)state;
    join_kept();
    say("{\"id\":3,\"history\":{\"channel\":\"kept:a\",\"since\":{\"offset\":3,\"epoch\":\"OtherOne\"}}}");
    recalled(0, "kept:a", 7, false, 0);
    hear_error(3, CENTRIFUGE_ERROR_UNRECOVERABLE);
    say("{\"id\":4,\"history\":{\"channel\":\"kept:a\"}}");
    fake_relays_answered(uplink, 1, ERR_TIMEOUT, (span_t){0});
    hear_error(4, CENTRIFUGE_ERROR_INTERNAL);
}

static void history_waits_until_its_channel_is_on(void **state)
{
    (void)state;
    connect_anonymous();
    say("{\"id\":2,\"subscribe\":{\"channel\":\"kept:a\"}}\n{\"id\":3,\"history\":{\"channel\":\"kept:a\"}}");
    assert_int_equal(uplink->ask_count, 0);
    turn();
    sub_ok("kept:a");
    assert_int_equal(uplink->ask_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(connect_and_subscribes_come_in_one_frame_and_are_done_in_order),
        TEST(a_channel_that_is_on_already_is_answered_at_once),
        TEST(channels_are_checked_in_the_protocols_order),
        TEST(a_name_too_long_is_a_bad_one),
        TEST(more_channels_than_allowed_are_refused),
        TEST(before_a_relay_is_known_subscribing_is_worth_trying_again),
        TEST(a_subscription_that_is_not_answered_is_worth_trying_again),
        TEST(a_relay_that_refuses_is_believed),
        TEST(a_subscription_token_opens_its_channel),
        TEST(an_expired_subscription_token_is_an_error),
        TEST(a_token_for_another_channel_user_or_client_closes),
        TEST(unsubscribing_never_fails),
        TEST(unsubscribing_answers_a_subscribe_that_waits),
        TEST(what_cannot_be_had_again_is_told),
        TEST(a_subscription_taken_away_is_told),
        TEST(a_publication_is_answered_when_the_relay_has_it),
        TEST(who_may_not_publish_is_told),
        TEST(a_publication_behind_its_subscription_waits_for_it),
        TEST(a_publication_behind_a_refused_subscription_goes_its_own_way),
        TEST(only_subscribers_publish_where_the_rule_says_so),
        TEST(a_publication_that_failed_is_told),
        TEST(answers_that_come_when_the_client_is_gone_do_no_harm),
        TEST(presence_is_asked_of_the_relay),
        TEST(presence_is_refused_where_there_is_none_or_to_strangers),
        TEST(presence_without_a_relay_is_worth_trying_again),
        TEST(history_is_asked_of_the_relay),
        TEST(what_is_wanted_of_history_is_asked_for_within_the_limit),
        TEST(history_that_may_not_or_cannot_be_had_is_refused),
        TEST(history_of_another_epoch_is_unrecoverable),
        TEST(history_waits_until_its_channel_is_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
