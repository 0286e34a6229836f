/* What happens when a Centrifuge client's tokens end, and when it brings new ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_centrifuge.h"

/* --- the connection's --- */

#define REFRESH    "{\"id\":9,\"refresh\":{\"token\":\""
#define CLAIMS(of) "{" of ",\"exp\":%s}"

static void a_new_token_takes_the_place_of_the_old_one(void **state)
{
    (void)state;
    connect_as("42");
    say_with_token(REFRESH, CLAIMS("\"sub\":\"42\",\"info\":{\"n\":\"B\"}"), 600, "\"}}");
    hear_ttl("{\"id\":9,\"refresh\":{", 600, "}}");
    assert_true(span_is(edge_session_user(session), "42"));
    assert_true(span_is(edge_session_info(session), "{\"n\":\"B\"}"));
    assert_true(session->identity.expires_us > clock_wall_us() + 500 * CLOCK_SEC);
}

static void a_new_token_that_has_expired_closes(void **state)
{
    (void)state;
    connect_as("42");
    say_with_token(REFRESH, CLAIMS("\"sub\":\"42\""), -1, "\"}}");
    hear_close(EDGE_CLOSE_EXPIRED);
}

static void a_new_token_of_somebody_else_or_of_another_use_closes(void **state)
{
    (void)state;
    static const char *const claims[] = {
        CLAIMS("\"sub\":\"43\""),
        CLAIMS("\"info\":{}"),
        CLAIMS("\"sub\":\"42\",\"channel\":\"a\""),
        "{\"sub\":\"42\"}",
    };
    for (size_t i = 0; i < COUNT(claims); i++) {
        connect_as("42");
        say_with_token(REFRESH, claims[i], 600, "\"}}");
        hear_close(EDGE_CLOSE_INVALID_TOKEN);
        fake_client_gone(session, &conn);
        open_session();
    }
    connect_as("42");
    say(REFRESH "a.b.c\"}}");
    hear_close(EDGE_CLOSE_INVALID_TOKEN);
}

/* Its token ended so long ago. What is heard when the timer fires is a ping, or the close. */
static void let_it_end(uint64_t seconds_ago)
{
    edge_identity_t identity = {.user = mem_dup("42"),
                                .expires_us = clock_wall_us() - seconds_ago * CLOCK_SEC};
    edge_session_identify(session, &identity);
    fake_worker_pass(worker, 12 * CLOCK_SEC);
}

static void a_connection_outlives_its_token_for_the_grace(void **state)
{
    (void)state;
    connect_as("42");
    let_it_end(15);
    hear("{}");
    say("{}");
    let_it_end(26);
    hear_close(EDGE_CLOSE_EXPIRED);
}

static void a_new_token_within_the_grace_saves_the_connection(void **state)
{
    (void)state;
    connect_as("42");
    let_it_end(15);
    hear("{}");
    say_with_token(REFRESH, CLAIMS("\"sub\":\"42\""), 600, "\"}}");
    hear_ttl("{\"id\":9,\"refresh\":{", 600, "}}");
    fake_worker_pass(worker, 12 * CLOCK_SEC);
    hear("{}");
    assert_true(edge_session_is_open(session));
}

static void a_token_for_ever_is_told_in_32_bits_and_does_not_end(void **state)
{
    (void)state;
    say_with_token(CONNECT_TOKEN, "{\"sub\":\"42\",\"exp\":9007199254740992}", 0, "\"}}");
    hear_connected(1, UINT32_MAX);
    fake_worker_pass(worker, 26 * CLOCK_SEC);
    hear("{}");
}

/* --- a subscription's --- */

static edge_subscription_t *find(const char *channel)
{
    return edge_hub_find(worker->worker.hub, session, span_str(channel));
}

/* With a token for 60 s. */
static void subscribe_with_token(const char *channel)
{
    buf_t before = {0}, claims = {0};
    buf_printf(&before, "{\"id\":2,\"subscribe\":{\"channel\":\"%s\",\"token\":\"", channel);
    buf_printf(&claims, "{\"sub\":\"42\",\"channel\":\"%s\",\"exp\":%%s}", channel);
    say_with_token(buf_text(&before), buf_text(&claims), 60, "\"}}");
    turn();
    sub_ok(channel);
    hear_ttl("{\"id\":2,\"subscribe\":{", 60, "}}");
    buf_fini(&before);
    buf_fini(&claims);
}

#define SUB_REFRESH "{\"id\":5,\"sub_refresh\":{\"channel\":\"$a\",\"token\":\""
#define FOR_A       CLAIMS("\"sub\":\"42\",\"channel\":\"$a\"")

static void a_subscription_goes_on_with_a_new_token(void **state)
{
    (void)state;
    connect_as("42");
    subscribe_with_token("$a");
    uint32_t before = find("$a")->expires_s;
    say_with_token(SUB_REFRESH, FOR_A, 600, "\"}}");
    hear_ttl("{\"id\":5,\"sub_refresh\":{", 600, "}}");
    assert_in_range(find("$a")->expires_s - before, 530, 550);
}

static void a_new_token_behind_its_subscription_waits_for_it(void **state)
{
    (void)state;
    connect_anonymous();
    say("{\"id\":2,\"subscribe\":{\"channel\":\"a\"}}");
    say_with_token("{\"id\":5,\"sub_refresh\":{\"channel\":\"a\",\"token\":\"", CLAIMS("\"channel\":\"a\""),
                   600, "\"}}");
    turn();
    hear_nothing();
    sub_ok("a");
    hear("{\"id\":2,\"subscribe\":{}}");
    hear_ttl("{\"id\":5,\"sub_refresh\":{", 600, "}}");
}

static void a_new_token_that_does_not_fit_is_an_error(void **state)
{
    (void)state;
    connect_as("42");
    say_with_token(SUB_REFRESH, FOR_A, 600, "\"}}");
    hear_error(5, CENTRIFUGE_ERROR_DENIED);
    subscribe_with_token("$a");
    say("{\"id\":5,\"sub_refresh\":{\"channel\":\"$a\"}}");
    hear_error(5, CENTRIFUGE_ERROR_BAD_COMMAND);
    say(SUB_REFRESH "a.b.c\"}}");
    hear_error(5, CENTRIFUGE_ERROR_DENIED);
    assert_non_null(find("$a"));
}

static void a_new_token_for_another_channel_user_or_client_closes(void **state)
{
    (void)state;
    static const char *const claims[] = {
        CLAIMS("\"sub\":\"42\",\"channel\":\"$b\""),
        CLAIMS("\"sub\":\"43\",\"channel\":\"$a\""),
        CLAIMS("\"sub\":\"42\",\"channel\":\"$a\",\"client\":\"x\""),
        CLAIMS("\"sub\":\"42\""),
    };
    for (size_t i = 0; i < COUNT(claims); i++) {
        connect_as("42");
        say_with_token("{\"id\":2,\"subscribe\":{\"channel\":\"$a\",\"token\":\"", FOR_A, 60, "\"}}");
        turn();
        sub_ok("$a");
        hear_ttl("{\"id\":2,\"subscribe\":{", 60, "}}");
        say_with_token(SUB_REFRESH, claims[i], 600, "\"}}");
        hear_close(EDGE_CLOSE_INVALID_TOKEN);
        fake_client_gone(session, &conn);
        turn();
        open_session();
    }
}

static void a_new_subscription_token_without_a_channel_closes(void **state)
{
    (void)state;
    connect_anonymous();
    say("{\"id\":5,\"sub_refresh\":{\"token\":\"J\"}}");
    hear_close(EDGE_CLOSE_BAD_REQUEST);
}

#define PUSH_EXPIRED \
    "{\"push\":{\"channel\":\"$a\",\"unsubscribe\":{\"code\":2501,\"reason\":\"subscription expired\"}}}"

static void a_new_token_that_has_expired_makes_the_client_subscribe_again(void **state)
{
    (void)state;
    connect_as("42");
    subscribe_with_token("$a");
    say_with_token(SUB_REFRESH, FOR_A, -1, "\"}}");
    buf_t text = {0};
    buf_printf(&text, PUSH_EXPIRED "\n%s", error_text(5, CENTRIFUGE_ERROR_TOKEN_EXPIRED));
    hear(buf_text(&text));
    buf_fini(&text);
    assert_int_equal(session->subscription_count, 0);
    assert_true(edge_session_is_open(session));
}

/* The token of `channel` ended so long ago. */
static void let_token_end(const char *channel, uint64_t seconds_ago)
{
    centrifuge_subscription_expires(find(channel), clock_wall_us() - seconds_ago * CLOCK_SEC);
}

static void a_subscription_whose_grace_is_over_is_taken_away(void **state)
{
    (void)state;
    connect_as("42");
    subscribe_with_token("$a");
    subscribe_with_token("$b");
    subscribe_to("c");
    let_token_end("$b", 15);
    let_token_end("$a", 26);
    fake_worker_pass(worker, CLOCK_SEC); /* too short for a ping to be due */
    hear("{}");
    hear(PUSH_EXPIRED);
    hear_nothing();
    assert_null(find("$a"));
    assert_non_null(find("$b"));
    assert_non_null(find("c"));
}

static void those_that_end_later_are_not_forgotten(void **state)
{
    (void)state;
    connect_as("42");
    subscribe_with_token("$a");
    subscribe_with_token("$b");
    let_token_end("$b", 26);
    find("$a")->expires_s = (uint32_t)(clock_wall_us() / CLOCK_SEC) - 15;
    fake_worker_pass(worker, CLOCK_SEC);
    assert_null(find("$b"));
    assert_int_equal(session->next_expiry_us, (UINT64_C(25) + find("$a")->expires_s) * CLOCK_SEC);
}

static void a_subscription_that_waits_when_its_grace_is_over_is_refused(void **state)
{
    (void)state;
    connect_as("42");
    say_with_token("{\"id\":2,\"subscribe\":{\"channel\":\"$a\",\"token\":\"", FOR_A, 60,
                   "\"}}\n{\"id\":3,\"presence\":{\"channel\":\"$a\"}}");
    let_token_end("$a", 26);
    fake_worker_pass(worker, CLOCK_SEC);
    hear("{}");
    hear_error(2, CENTRIFUGE_ERROR_TOKEN_EXPIRED);
    hear_error(3, CENTRIFUGE_ERROR_DENIED);
    assert_int_equal(session->subscription_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_token_takes_the_place_of_the_old_one),
        TEST(a_new_token_that_has_expired_closes),
        TEST(a_new_token_of_somebody_else_or_of_another_use_closes),
        TEST(a_connection_outlives_its_token_for_the_grace),
        TEST(a_new_token_within_the_grace_saves_the_connection),
        TEST(a_token_for_ever_is_told_in_32_bits_and_does_not_end),
        TEST(a_subscription_goes_on_with_a_new_token),
        TEST(a_new_token_behind_its_subscription_waits_for_it),
        TEST(a_new_token_that_does_not_fit_is_an_error),
        TEST(a_new_token_for_another_channel_user_or_client_closes),
        TEST(a_new_subscription_token_without_a_channel_closes),
        TEST(a_new_token_that_has_expired_makes_the_client_subscribe_again),
        TEST(a_subscription_whose_grace_is_over_is_taken_away),
        TEST(those_that_end_later_are_not_forgotten),
        TEST(a_subscription_that_waits_when_its_grace_is_over_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
