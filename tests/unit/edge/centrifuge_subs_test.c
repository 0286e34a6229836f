/* Subscriptions that a Centrifuge client has without asking: its token's, and a back end's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "fake_centrifuge.h"

#define AT_7 "\"recoverable\":true,\"positioned\":true,\"epoch\":\"" EPOCH "\",\"offset\":7"

/* Says `connect` with a token of these claims, and what stands behind the token. */
static void connect_with(const char *claims, const char *behind)
{
    buf_t text = {0};
    buf_printf(&text, "{\"sub\":\"42\",%s,\"exp\":%%s}", claims);
    say_with_token(CONNECT_TOKEN, buf_text(&text), 60, behind);
    buf_fini(&text);
    turn();
}

/* The answer to `connect`, with these members of `subs`. One second may have begun. */
static void hear_subs(const char *subs)
{
    buf_t text = {0}, later = {0};
    centrifuge_reply_connect(&text, 1, id, 25, 60, span_str(subs));
    centrifuge_reply_connect(&later, 1, id, 25, 59, span_str(subs));
    hear_either(buf_text(&text), buf_text(&later));
    buf_fini(&text);
    buf_fini(&later);
}

static void refuse_channel(const char *channel, int err)
{
    envelope_sub_no_t answer = {.channel = span_str(channel), .code = (uint64_t)-err};
    edge_hub_not_subscribed(worker->worker.hub, &uplink->relay, &answer);
}

static bool is_subscribed(const char *channel)
{
    return edge_hub_find(worker->worker.hub, session, span_str(channel)) != NULL;
}

/* --- the token's --- */

static void the_answer_to_connect_tells_them_when_all_are_on(void **state)
{
    (void)state;
    connect_with("\"subs\":{\"kept:a\":{\"data\":{\"hi\": 1}},\"b\":{}}", "\"}}");
    sub_ok_at("kept:a", 7);
    hear_nothing();
    sub_ok("b");
    hear_subs("\"kept:a\":{" AT_7 ",\"data\":{\"hi\": 1}},\"b\":{}");
    assert_int_equal(session->state_now, EDGE_SESSION_ACTIVE);
    arrive("b", 1, MESSAGE_JSON, SPAN("5"));
    hear("{\"push\":{\"channel\":\"b\",\"pub\":{\"data\":5,\"offset\":1}}}");
}

static void a_list_of_channels_does_as_well(void **state)
{
    (void)state;
    connect_with("\"channels\":[\"kept:a\"]", "\"}}");
    sub_ok_at("kept:a", 7);
    hear_subs("\"kept:a\":{" AT_7 "}");
}

static void an_empty_set_is_answered_at_once(void **state)
{
    (void)state;
    connect_with("\"subs\":{}", "\"}}");
    hear_subs("");
}

static void what_comes_before_the_answer_waits_behind_it(void **state)
{
    (void)state;
    connect_with("\"channels\":[\"kept:a\",\"b\"]", "\"}}\n{\"id\":2,\"subscribe\":{\"channel\":\"c\"}}");
    sub_ok_at("kept:a", 7);
    arrive("kept:a", 8, MESSAGE_JSON, SPAN("8"));
    say("{\"id\":3,\"unsubscribe\":{\"channel\":\"d\"}}");
    hear_nothing();
    assert_false(is_subscribed("c"));
    sub_ok("b");
    hear_subs("\"kept:a\":{" AT_7 "},\"b\":{}");
    hear("{\"push\":{\"channel\":\"kept:a\",\"pub\":{\"data\":8,\"offset\":8}}}");
    hear("{\"id\":3,\"unsubscribe\":{}}");
    turn();
    sub_ok("c");
    hear("{\"id\":2,\"subscribe\":{}}");
}

static void they_go_on_where_the_client_was(void **state)
{
    (void)state;
    connect_with(
        "\"channels\":[\"kept:a\",\"kept:b\"]",
        "\",\"subs\":{\"kept:a\":{\"recover\":true,\"epoch\":\"" EPOCH "\",\"offset\":5},"
        "\"kept:b\":{\"recover\":true,\"epoch\":\"ZZZZzzzz\",\"offset\":5},\"other\":{\"recover\":true}}}}");
    sub_ok_at("kept:a", 7);
    sub_ok_at("kept:b", 7);
    turn();
    recalled(0, "kept:a", 7, true, 2);
    hear_nothing();
    recalled(1, "kept:b", 7, false, 0);
    hear_subs("\"kept:a\":{\"recoverable\":true,\"positioned\":true,\"epoch\":\"" EPOCH
              "\",\"offset\":5,\"was_recovering\":true,\"recovered\":true,"
              "\"publications\":[{\"data\":6,\"offset\":6},{\"data\":7,\"offset\":7}]},"
              "\"kept:b\":{" AT_7 ",\"was_recovering\":true}");
}

static void positions_that_are_none_close(void **state)
{
    (void)state;
    connect_with("\"channels\":[\"kept:a\"]", "\",\"subs\":{\"kept:a\":{\"recover\":1}}}}");
    hear_close(EDGE_CLOSE_BAD_REQUEST);
}

static void one_that_cannot_be_made_is_an_error_of_connect(void **state)
{
    (void)state;
    connect_with("\"channels\":[\"a\",\"b\"]", "\"}}\n{\"id\":2,\"subscribe\":{\"channel\":\"c\"}}");
    sub_ok("a");
    arrive("a", 1, MESSAGE_JSON, SPAN("1"));
    refuse_channel("b", ERR_FULL);
    hear_error(1, CENTRIFUGE_ERROR_INTERNAL);
    hear_nothing();
    assert_int_equal(session->subscription_count, 0);
    say("{\"id\":3,\"subscribe\":{\"channel\":\"c\"}}");
    hear_close(EDGE_CLOSE_BAD_REQUEST);
}

static void one_that_takes_too_long_is_an_error_of_connect(void **state)
{
    (void)state;
    connect_with("\"channels\":[\"a\"]", "\"}}");
    worker->worker.now_us += EDGE_SUBSCRIBE_TIMEOUT_US;
    turn();
    hear_error(1, CENTRIFUGE_ERROR_INTERNAL);
}

static void a_channel_of_no_namespace_is_an_error_of_connect(void **state)
{
    (void)state;
    connect_with("\"channels\":[\"nope:a\"]", "\"}}");
    hear_error(1, CENTRIFUGE_ERROR_UNKNOWN_CHANNEL);
}

static void a_token_with_a_channel_twice_closes(void **state)
{
    (void)state;
    connect_with("\"channels\":[\"a\",\"a\"]", "\"}}");
    hear_close(EDGE_CLOSE_INVALID_TOKEN);
}

static void a_token_whose_channels_are_no_names_closes(void **state)
{
    (void)state;
    connect_with("\"channels\":[1]", "\"}}");
    hear_close(EDGE_CLOSE_INVALID_TOKEN);
}

static void a_token_with_more_channels_than_a_client_may_have_closes(void **state)
{
    (void)state;
    connect_with("\"channels\":[\"a\",\"b\",\"c\",\"d\",\"e\"]", "\"}}");
    hear_close(EDGE_CLOSE_CHANNEL_LIMIT);
}

static void who_leaves_while_it_waits_leaves_nothing(void **state)
{
    (void)state;
    connect_with("\"channels\":[\"a\",\"b\"]", "\"}}");
    sub_ok("a");
    fake_client_gone(session, &conn);
    session = NULL;
    sub_ok("b");
    assert_int_equal(edge_hub_subscriptions(worker->worker.hub), 0);
}

static void connected_with(const char *channel)
{
    buf_t claims = {0}, subs = {0};
    buf_printf(&claims, "\"channels\":[\"%s\"]", channel);
    connect_with(buf_text(&claims), "\"}}");
    sub_ok_at(channel, 7);
    buf_printf(&subs, "\"%s\":{" AT_7 "}", channel);
    hear_subs(buf_text(&subs));
    buf_fini(&claims);
    buf_fini(&subs);
}

static void what_cannot_be_had_again_closes(void **state)
{
    (void)state;
    connected_with("kept:a");
    envelope_sub_ok_t answer = {
        .channel = SPAN("kept:a"), .epoch = SPAN("ZZZZzzzz"), .offset = 9, .since = 9};
    edge_hub_subscribed(worker->worker.hub, &uplink->relay, &answer);
    hear_close(EDGE_CLOSE_INSUFFICIENT);
}

static void a_client_does_not_subscribe_twice(void **state)
{
    (void)state;
    connected_with("kept:a");
    say("{\"id\":2,\"subscribe\":{\"channel\":\"kept:a\"}}");
    hear_error(2, CENTRIFUGE_ERROR_ALREADY_SUBSCRIBED);
}

static void a_new_token_with_other_channels_makes_the_client_come_again(void **state)
{
    (void)state;
    connected_with("kept:a");
    say_with_token("{\"id\":2,\"refresh\":{\"token\":\"",
                   "{\"sub\":\"42\",\"subs\":{\"kept:a\":{}},\"exp\":%s}", 60, "\"}}");
    hear_ttl("{\"id\":2,\"refresh\":{", 60, "}}");
    say_with_token("{\"id\":3,\"refresh\":{\"token\":\"", "{\"sub\":\"42\",\"channels\":[\"b\"],\"exp\":%s}",
                   60, "\"}}");
    hear_close(EDGE_CLOSE_INSUFFICIENT);
}

/* --- a back end's --- */

static void add(envelope_ask_t question)
{
    question.question = QUESTION_SUBSCRIBE;
    edge_dialect_centrifuge.subscribe(session, &question);
    turn();
}

static void a_back_end_subscribes_a_client(void **state)
{
    (void)state;
    connect_as("42");
    add((envelope_ask_t){.channel = SPAN("kept:a"), .data = SPAN("{\"hi\":1}")});
    hear_nothing();
    sub_ok_at("kept:a", 7);
    hear("{\"push\":{\"channel\":\"kept:a\",\"subscribe\":{" AT_7 ",\"data\":{\"hi\":1}}}}");
    add((envelope_ask_t){.channel = SPAN("kept:a")}); /* it has it already */
    hear_nothing();
    edge_dialect_centrifuge.unsubscribed(session, SPAN("kept:a"), 2000, "server unsubscribe");
    hear("{\"push\":{\"channel\":\"kept:a\",\"unsubscribe\":{\"code\":2000,\"reason\":\"server "
         "unsubscribe\"}}}");
}

static void what_it_missed_since_is_pushed_behind(void **state)
{
    (void)state;
    connect_as("42");
    add((envelope_ask_t){.channel = SPAN("kept:a"), .epoch = SPAN(EPOCH), .offset = 5});
    sub_ok_at("kept:a", 7);
    turn();
    recalled(0, "kept:a", 7, true, 2);
    hear("{\"push\":{\"channel\":\"kept:a\",\"subscribe\":{\"recoverable\":true,\"positioned\":true,"
         "\"epoch\":\"" EPOCH "\",\"offset\":5}}}");
    hear("{\"push\":{\"channel\":\"kept:a\",\"pub\":{\"data\":6,\"offset\":6}}}");
    hear("{\"push\":{\"channel\":\"kept:a\",\"pub\":{\"data\":7,\"offset\":7}}}");
}

static void joins_are_told_where_the_back_end_wants_it(void **state)
{
    (void)state;
    connect_as("42");
    add((envelope_ask_t){.channel = SPAN("told:a"), .flags = ASK_SEES_PRESENCE});
    add((envelope_ask_t){.channel = SPAN("told:b")});
    sub_ok("told:a");
    sub_ok("told:b");
    hear("{\"push\":{\"channel\":\"told:a\",\"subscribe\":{}}}");
    hear("{\"push\":{\"channel\":\"told:b\",\"subscribe\":{}}}");
    const envelope_join_t a = {SPAN("told:a"), SPAN("c"), SPAN("7"), SPAN("")};
    const envelope_join_t b = {SPAN("told:b"), SPAN("c"), SPAN("7"), SPAN("")};
    edge_hub_presence(worker->worker.hub, &uplink->relay, &b, true);
    edge_hub_presence(worker->worker.hub, &uplink->relay, &a, true);
    hear("{\"push\":{\"channel\":\"told:a\",\"join\":{\"info\":{\"user\":\"7\",\"client\":\"c\"}}}}");
    hear_nothing();
}

static void one_that_is_made_while_the_client_connects_is_in_the_answer(void **state)
{
    (void)state;
    connect_with("\"channels\":[\"a\"]", "\"}}");
    add((envelope_ask_t){.channel = SPAN("b")});
    add((envelope_ask_t){.channel = SPAN("c")});
    sub_ok("a");
    sub_ok("b");
    hear_nothing();
    edge_dialect_centrifuge.unsubscribed(session, SPAN("c"), 2000, "server unsubscribe");
    hear_subs("\"a\":{},\"b\":{}");
}

static void who_is_not_connected_is_not_subscribed(void **state)
{
    (void)state;
    add((envelope_ask_t){.channel = SPAN("a")});
    assert_int_equal(session->subscription_count, 0);
}

static void one_more_than_a_client_may_have_closes(void **state)
{
    (void)state;
    connect_as("42");
    static const char *const channels[] = {"a", "b", "c", "d", "e"};
    for (size_t i = 0; i < COUNT(channels); i++)
        add((envelope_ask_t){.channel = span_str(channels[i])});
    hear_close(EDGE_CLOSE_CHANNEL_LIMIT);
}

static void one_that_has_expired_closes(void **state)
{
    (void)state;
    connect_as("42");
    uint64_t now_s = clock_wall_us() / CLOCK_SEC;
    add((envelope_ask_t){.channel = SPAN("a"), .code = now_s + 600});
    sub_ok("a");
    hear_ttl("{\"push\":{\"channel\":\"a\",\"subscribe\":{", 600, "}}}");
    edge_hub_find(worker->worker.hub, session, SPAN("a"))->expires_s = (uint32_t)now_s - 30;
    edge_dialect_centrifuge.expired(session, clock_wall_us());
    hear_close(EDGE_CLOSE_SUBSCRIPTION_EXPIRED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_answer_to_connect_tells_them_when_all_are_on),
        TEST(a_list_of_channels_does_as_well),
        TEST(an_empty_set_is_answered_at_once),
        TEST(what_comes_before_the_answer_waits_behind_it),
        TEST(they_go_on_where_the_client_was),
        TEST(positions_that_are_none_close),
        TEST(one_that_cannot_be_made_is_an_error_of_connect),
        TEST(one_that_takes_too_long_is_an_error_of_connect),
        TEST(a_channel_of_no_namespace_is_an_error_of_connect),
        TEST(a_token_with_a_channel_twice_closes),
        TEST(a_token_whose_channels_are_no_names_closes),
        TEST(a_token_with_more_channels_than_a_client_may_have_closes),
        TEST(who_leaves_while_it_waits_leaves_nothing),
        TEST(what_cannot_be_had_again_closes),
        TEST(a_client_does_not_subscribe_twice),
        TEST(a_new_token_with_other_channels_makes_the_client_come_again),
        TEST(a_back_end_subscribes_a_client),
        TEST(what_it_missed_since_is_pushed_behind),
        TEST(joins_are_told_where_the_back_end_wants_it),
        TEST(one_that_is_made_while_the_client_connects_is_in_the_answer),
        TEST(who_is_not_connected_is_not_subscribed),
        TEST(one_more_than_a_client_may_have_closes),
        TEST(one_that_has_expired_closes),
    };
    log_set_level(LOG_LEVEL_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
