#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "edge/raw_request.h"

#define MAX_CHANNELS 3u

static raw_request_t request;
static buf_t text;
static const char *why;

/* Reads the request of this target; its status. The one before is gone then. */
static int read_with(const char *target, const char *fields)
{
    raw_request_fini(&request);
    buf_clear(&text);
    buf_printf(&text, "GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n", target, fields);
    http_head_t head;
    assert_true(http_head_parse(buf_span(&text), &head) > 0);
    why = NULL;
    int status = raw_request_read(&request, &head, MAX_CHANNELS, &why);
    assert_true((status == 400) == (why != NULL));
    return status;
}

static int read_target(const char *target)
{
    return read_with(target, "");
}

static void assert_refused(const char *target, const char *sentence)
{
    assert_int_equal(read_target(target), 400);
    assert_string_equal(why, sentence);
}

/* The names, each with a comma behind it. */
static void assert_names(const char *names)
{
    buf_t joined = {0};
    span_t rest = buf_span(&request.names);
    while (rest.size) {
        buf_append_span(&joined, raw_request_next_name(&rest));
        buf_append_byte(&joined, ',');
    }
    assert_string_equal(buf_text(&joined), names);
    buf_fini(&joined);
}

static int tear_down(void **state)
{
    (void)state;
    raw_request_fini(&request);
    buf_fini(&text);
    return 0;
}

static void other_paths_are_not_for_raw_clients(void **state)
{
    (void)state;
    assert_int_equal(read_target("/"), 0);
    assert_int_equal(read_target("/w"), 0);
    assert_int_equal(read_target("/wsx"), 0);
    assert_int_equal(read_target("/connection/websocket"), 0);
    assert_int_equal(read_target("/WS/a"), 0);
}

static void the_path_names_the_channel(void **state)
{
    (void)state;
    assert_int_equal(read_target("/ws/chat:1"), 101);
    assert_names("chat:1,");
    assert_true(request.listens && request.publishes && request.echoes);
    assert_int_equal(request.token.size, 0);
}

static void the_path_is_percent_decoded(void **state)
{
    (void)state;
    assert_int_equal(read_target("/ws/a%2fb/c%25+d"), 101);
    assert_names("a/b/c%+d,");
    assert_refused("/ws/a%2", "not a channel's name");
    assert_refused("/ws/a%00b", "not a channel's name");
    assert_refused("/ws/a%20b", "not a channel's name");
    assert_refused("/ws/%c3%a4", "not a channel's name");
}

static void the_query_names_more_channels_in_order(void **state)
{
    (void)state;
    assert_int_equal(read_target("/ws?channel=a&channel=b%3A1"), 101);
    assert_names("a,b:1,");
    assert_int_equal(read_target("/ws/c?x=1&channel=a"), 101);
    assert_names("c,a,");
}

static void a_request_without_a_channel_is_refused(void **state)
{
    (void)state;
    const char *sentence = "a channel is missing: /ws/CHANNEL or /ws?channel=CHANNEL";
    assert_refused("/ws", sentence);
    assert_refused("/ws?channels=a", sentence);
    assert_refused("/ws/", "not a channel's name");
    assert_refused("/ws?channel=", "not a channel's name");
}

static void a_name_that_is_too_long_is_refused(void **state)
{
    (void)state;
    char target[4 + 256 + 1] = "/ws/";
    memset(target + 4, 'a', 255);
    assert_int_equal(read_target(target), 101);
    target[4 + 255] = 'a';
    assert_refused(target, "not a channel's name");
}

static void channels_are_counted_and_stand_once(void **state)
{
    (void)state;
    assert_int_equal(read_target("/ws?channel=a&channel=b&channel=c"), 101);
    assert_refused("/ws?channel=a&channel=b&channel=c&channel=d", "too many channels");
    assert_refused("/ws/a?channel=a", "a channel stands twice");
}

static void mode_is_one_of_two_words(void **state)
{
    (void)state;
    assert_int_equal(read_target("/ws/a?mode=sub"), 101);
    assert_true(request.listens && !request.publishes);
    assert_int_equal(read_target("/ws/a?mode=pub"), 101);
    assert_true(!request.listens && request.publishes);
    assert_refused("/ws/a?mode=", "mode is sub or pub");
    assert_refused("/ws/a?mode=both", "mode is sub or pub");
    assert_refused("/ws/a?mode=subscribing", "mode is sub or pub");
    assert_refused("/ws/a?mode=sub&mode=pub", "mode is sub or pub");
    assert_refused("/ws/a?mode=sub&mode=", "mode is sub or pub");
}

static void echo_is_0_or_1(void **state)
{
    (void)state;
    assert_int_equal(read_target("/ws/a?echo=0"), 101);
    assert_false(request.echoes);
    assert_int_equal(read_target("/ws/a?echo=1"), 101);
    assert_true(request.echoes);
    assert_refused("/ws/a?echo=no", "echo is 0 or 1");
}

static void a_token_comes_in_the_query_or_in_a_field(void **state)
{
    (void)state;
    assert_int_equal(read_target("/ws/a?token=x.y.z"), 101);
    assert_true(span_is(request.token, "x.y.z"));
    assert_int_equal(read_with("/ws/a", "Authorization: Bearer x.y.z\r\n"), 101);
    assert_true(span_is(request.token, "x.y.z"));
    assert_int_equal(read_with("/ws/a", "authorization: bearer x.y.z\r\n"), 101);
    assert_true(span_is(request.token, "x.y.z"));
    assert_int_equal(read_with("/ws/a", "Authorization: Basic eDp5\r\n"), 101);
    assert_int_equal(request.token.size, 0);
}

static void two_tokens_are_refused(void **state)
{
    (void)state;
    assert_refused("/ws/a?token=x&token=y", "more than one token");
    assert_int_equal(read_with("/ws/a?token=x", "Authorization: Bearer x\r\n"), 400);
    assert_int_equal(read_with("/ws/a", "Authorization: Bearer x\r\nAuthorization: Bearer x\r\n"), 400);
}

static void a_token_over_its_limit_is_refused(void **state)
{
    (void)state;
    char target[sizeof "/ws/a?token=" + TOKEN_LIMIT + 2] = "/ws/a?token=";
    memset(target + strlen(target), 'x', TOKEN_LIMIT + 2);
    assert_refused(target, "the token is not readable");
}

static void positions_are_0_or_1(void **state)
{
    (void)state;
    assert_int_equal(read_target("/ws/a"), 101);
    assert_false(request.tells_positions);
    assert_int_equal(read_target("/ws/a?positions=0"), 101);
    assert_false(request.tells_positions);
    assert_int_equal(read_target("/ws?channel=a&channel=b&positions=1"), 101);
    assert_true(request.tells_positions);
    assert_refused("/ws/a?positions=", "positions is 0 or 1");
    assert_refused("/ws/a?positions=yes", "positions is 0 or 1");
    assert_refused("/ws/a?positions=1&positions=1", "positions is 0 or 1");
}

static void since_is_a_position(void **state)
{
    (void)state;
    assert_int_equal(read_target("/ws/a"), 101);
    assert_false(position_known(request.since));
    assert_int_equal(read_target("/ws/a?since=abcdEFGH:42"), 101);
    assert_true(span_is(position_epoch(&request.since), "abcdEFGH"));
    assert_int_equal(request.since.offset, 42);
    assert_int_equal(read_target("/ws/a?mode=sub&since=abcdEFGH%3A18446744073709551615"), 101);
    assert_true(request.since.offset == UINT64_MAX);
}

static void what_is_no_position_is_refused(void **state)
{
    (void)state;
    static const char *const values[] = {"",
                                         "42",
                                         "abcdEFGH",
                                         "abcdEFGH:",
                                         "abcdEFGH:-1",
                                         "abcdEFG:42",
                                         "abcdEFG1:42",
                                         "abcdEFGH:042",
                                         "abcdEFGH:4x",
                                         "abcdEFGH:18446744073709551616",
                                         "abcdEFGH:42%00",
                                         "abcdEFGH:42&since=abcdEFGH:43",
                                         "abcdEFGH:184467440737095516150"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        buf_t target = {0};
        buf_printf(&target, "/ws/a?since=%s", values[i]);
        assert_refused(buf_text(&target), "since is EPOCH:OFFSET, as the edge told it");
        buf_fini(&target);
    }
}

static void since_is_for_one_channel_that_is_listened_to(void **state)
{
    (void)state;
    const char *sentence = "since is for one channel that is listened to";
    assert_refused("/ws?channel=a&channel=b&since=abcdEFGH:1", sentence);
    assert_refused("/ws/a?mode=pub&since=abcdEFGH:1", sentence);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(other_paths_are_not_for_raw_clients),
        TEST(the_path_names_the_channel),
        TEST(the_path_is_percent_decoded),
        TEST(the_query_names_more_channels_in_order),
        TEST(a_request_without_a_channel_is_refused),
        TEST(a_name_that_is_too_long_is_refused),
        TEST(channels_are_counted_and_stand_once),
        TEST(mode_is_one_of_two_words),
        TEST(echo_is_0_or_1),
        TEST(a_token_comes_in_the_query_or_in_a_field),
        TEST(two_tokens_are_refused),
        TEST(a_token_over_its_limit_is_refused),
        TEST(positions_are_0_or_1),
        TEST(since_is_a_position),
        TEST(what_is_no_position_is_refused),
        TEST(since_is_for_one_channel_that_is_listened_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
