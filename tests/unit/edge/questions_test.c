#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "edge/questions.h"
#include "fake_centrifuge.h"
#include "protocol/codec.h"

uint64_t node_id(const node_t *self)
{
    (void)self;
    return 7;
}

static void ask(envelope_ask_t question)
{
    question.id = 77;
    unsigned before = uplink->answer_count;
    edge_answer_question(&worker->worker, &uplink->relay, &question);
    assert_int_equal(uplink->answer_count, before + 1);
    assert_int_equal(uplink->answer_id, 77);
}

/* --- channels --- */

static bool answer_lists(const char *name, uint64_t clients)
{
    span_t rest = buf_span(&uplink->answer), text;
    uint32_t count, fields;
    uint64_t number;
    bool found = false;
    assert_int_equal(codec_read_array(&rest, &count), OK);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(codec_read_array(&rest, &fields), OK);
        assert_int_equal(fields, 2);
        assert_int_equal(codec_read_text(&rest, 255, &text), OK);
        assert_int_equal(codec_read_uint(&rest, &number), OK);
        found |= span_is(text, name) && number == clients;
    }
    assert_int_equal(rest.size, 0);
    return found;
}

static void channels_that_match_are_listed_with_their_clients(void **state)
{
    (void)state;
    connect_anonymous();
    subscribe_to("a");
    subscribe_to("quiet:b");
    ask((envelope_ask_t){.question = QUESTION_CHANNELS, .channel = SPAN("*")});
    assert_int_equal(uplink->answer_err, OK);
    assert_true(answer_lists("a", 1));
    assert_true(answer_lists("quiet:b", 1));
    ask((envelope_ask_t){.question = QUESTION_CHANNELS, .channel = SPAN("quiet:*")});
    assert_false(answer_lists("a", 1));
    assert_true(answer_lists("quiet:b", 1));
    ask((envelope_ask_t){.question = QUESTION_CHANNELS, .channel = SPAN("nothing")});
    assert_false(answer_lists("a", 1));
}

static void a_list_of_channels_is_bounded(void **state)
{
    (void)state;
    worker->config.limits.channels_per_client = 10000;
    connect_anonymous();
    for (unsigned i = 0; i < 5000; i++) {
        char text[400];
        snprintf(text, sizeof text, "{\"id\":2,\"subscribe\":{\"channel\":\"%0250u\"}}", i);
        say(text);
    }
    ask((envelope_ask_t){.question = QUESTION_CHANNELS, .channel = SPAN("*")});
    assert_in_range(uplink->answer.size, 1000000, 1048576 + 8);
    assert_false(answer_lists("a", 1));
}

/* --- nodes --- */

static uint64_t next_number(span_t *rest)
{
    uint64_t number = 0;
    assert_int_equal(codec_read_uint(rest, &number), OK);
    return number;
}

static void an_edge_describes_itself(void **state)
{
    (void)state;
    worker->config.node.name = (char[]){"edge-1"};
    worker->worker.started_us = worker->worker.now_us - 9 * CLOCK_SEC;
    connect_as("42");
    subscribe_to("a");
    ask((envelope_ask_t){.question = QUESTION_NODES});
    span_t rest = buf_span(&uplink->answer), text;
    uint32_t count;
    assert_int_equal(codec_read_array(&rest, &count), OK);
    assert_int_equal(count, 1);
    assert_int_equal(codec_read_array(&rest, &count), OK);
    assert_int_equal(count, 9);
    assert_int_equal(next_number(&rest), 7);
    assert_int_equal(codec_read_text(&rest, 64, &text), OK);
    assert_true(span_is(text, "edge-1"));
    assert_int_equal(next_number(&rest), ROLE_EDGE);
    assert_int_equal(codec_read_text(&rest, 64, &text), OK);
    assert_true(span_is(text, "heddle " HEDDLE_VERSION));
    static const uint64_t numbers[] = {1, 1, 1, 1, 9}; /* clients, users, subscriptions, channels, uptime */
    for (size_t i = 0; i < COUNT(numbers); i++)
        assert_int_equal(next_number(&rest), numbers[i]);
    assert_int_equal(rest.size, 0);
}

/* --- disconnect --- */

static void a_user_is_disconnected_with_what_the_back_end_says(void **state)
{
    (void)state;
    connect_as("42");
    ask((envelope_ask_t){
        .question = QUESTION_DISCONNECT, .user = SPAN("42"), .code = 4500, .reason = SPAN("bye")});
    span_t rest = unseen();
    assert_close_frame(&rest, 4500, "bye");
    assert_int_equal(stats_get(&worker->worker.stats.closed_api), 1);
}

static void a_client_is_disconnected_by_its_id(void **state)
{
    (void)state;
    connect_anonymous();
    ask((envelope_ask_t){.question = QUESTION_DISCONNECT, .client = span_str(id), .code = EDGE_CLOSE_FORCE});
    hear_close(EDGE_CLOSE_FORCE);
}

static void codes_and_reasons_that_cannot_be_sent_are_not(void **state)
{
    (void)state;
    connect_anonymous();
    ask((envelope_ask_t){
        .question = QUESTION_DISCONNECT, .client = span_str(id), .code = 70000, .reason = (span_t){0}});
    hear_close(EDGE_CLOSE_FORCE);
}

static void others_stay(void **state)
{
    (void)state;
    connect_as("42");
    buf_t except = {0};
    codec_write_array(&except, 2);
    codec_write_text(&except, SPAN("somebody"));
    codec_write_text(&except, span_str(id));
    const envelope_ask_t questions[] = {
        {.question = QUESTION_DISCONNECT},
        {.question = QUESTION_DISCONNECT, .user = SPAN("43")},
        {.question = QUESTION_DISCONNECT, .user = SPAN("4")},
        {.question = QUESTION_DISCONNECT, .client = SPAN("42")},
        {.question = QUESTION_DISCONNECT, .client = SPAN("00000000-0000-4000-8000-000000000000")},
        {.question = QUESTION_DISCONNECT, .user = SPAN("43"), .client = span_str(id)},
        {.question = QUESTION_DISCONNECT, .user = SPAN("42"), .except = buf_span(&except)},
    };
    for (size_t i = 0; i < COUNT(questions); i++) {
        ask(questions[i]);
        assert_int_equal(uplink->answer_err, OK);
        if (!edge_session_is_open(session))
            fail_msg("question %zu closed", i);
    }
    buf_fini(&except);
}

/* --- subscribe --- */

static void a_users_clients_are_subscribed(void **state)
{
    (void)state;
    connect_as("42");
    ask((envelope_ask_t){.question = QUESTION_SUBSCRIBE, .user = SPAN("43"), .channel = SPAN("a")});
    assert_int_equal(session->subscription_count, 0);
    ask((envelope_ask_t){.question = QUESTION_SUBSCRIBE, .user = SPAN("42"), .channel = SPAN("a")});
    assert_int_equal(uplink->answer_err, OK);
    turn();
    sub_ok("a");
    hear("{\"push\":{\"channel\":\"a\",\"subscribe\":{}}}");
}

/* --- unsubscribe --- */

static void a_subscription_is_taken_away_and_the_client_told(void **state)
{
    (void)state;
    connect_as("42");
    subscribe_to("a");
    subscribe_to("b");
    ask((envelope_ask_t){.question = QUESTION_UNSUBSCRIBE, .user = SPAN("42"), .channel = SPAN("a")});
    hear("{\"push\":{\"channel\":\"a\",\"unsubscribe\":{\"code\":2000,\"reason\":\"server unsubscribe\"}}}");
    assert_null(edge_hub_find(worker->worker.hub, session, SPAN("a")));
    assert_non_null(edge_hub_find(worker->worker.hub, session, SPAN("b")));
    ask((envelope_ask_t){.question = QUESTION_UNSUBSCRIBE, .user = SPAN("42"), .channel = SPAN("a")});
    hear_nothing();
}

static void a_subscription_that_waits_is_refused_when_taken_away(void **state)
{
    (void)state;
    connect_as("42");
    say("{\"id\":5,\"subscribe\":{\"channel\":\"a\"}}");
    ask((envelope_ask_t){.question = QUESTION_UNSUBSCRIBE, .user = SPAN("42"), .channel = SPAN("a")});
    hear_error(5, CENTRIFUGE_ERROR_DENIED);
    assert_int_equal(session->subscription_count, 0);
}

/* --- refresh --- */

static void a_connection_is_prolonged_and_the_client_told(void **state)
{
    (void)state;
    connect_as("42");
    uint64_t end_s = clock_wall_us() / CLOCK_SEC + 600;
    ask((envelope_ask_t){.question = QUESTION_REFRESH, .user = SPAN("43"), .code = end_s});
    hear_nothing();
    ask((envelope_ask_t){.question = QUESTION_REFRESH, .user = SPAN("42"), .code = end_s});
    hear_ttl("{\"push\":{\"refresh\":{", 600, "}}}");
    assert_int_equal(session->identity.expires_us, end_s * CLOCK_SEC);
    ask((envelope_ask_t){.question = QUESTION_REFRESH, .user = SPAN("42"), .code = UINT64_MAX});
    assert_int_equal(session->identity.expires_us, UINT64_MAX);
    hear_ttl("{\"push\":{\"refresh\":{", UINT32_MAX, "}}}");
    ask((envelope_ask_t){.question = QUESTION_REFRESH, .client = span_str(id)});
    hear("{\"push\":{\"refresh\":{}}}");
    assert_int_equal(session->identity.expires_us, 0);
}

static void a_client_that_has_not_connected_yet_is_told_nothing(void **state)
{
    (void)state;
    ask((envelope_ask_t){.question = QUESTION_REFRESH, .client = span_str(id)});
    hear_nothing();
}

static void questions_for_relays_are_unknown_here(void **state)
{
    (void)state;
    ask((envelope_ask_t){.question = QUESTION_PRESENCE, .channel = SPAN("a")});
    assert_int_equal(uplink->answer_err, ERR_UNKNOWN);
    ask((envelope_ask_t){.question = 99});
    assert_int_equal(uplink->answer_err, ERR_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_users_clients_are_subscribed),
        TEST(channels_that_match_are_listed_with_their_clients),
        TEST(a_list_of_channels_is_bounded),
        TEST(an_edge_describes_itself),
        TEST(a_user_is_disconnected_with_what_the_back_end_says),
        TEST(a_client_is_disconnected_by_its_id),
        TEST(codes_and_reasons_that_cannot_be_sent_are_not),
        TEST(others_stay),
        TEST(a_subscription_is_taken_away_and_the_client_told),
        TEST(a_subscription_that_waits_is_refused_when_taken_away),
        TEST(a_connection_is_prolonged_and_the_client_told),
        TEST(a_client_that_has_not_connected_yet_is_told_nothing),
        TEST(questions_for_relays_are_unknown_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
