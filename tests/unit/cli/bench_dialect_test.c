#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/bench_dialect.h"

static const cli_bench_plan_t raw = {.prefix = "b-", .dialect = CLI_BENCH_RAW, .channels = 100, .rate = 1};
static const cli_bench_plan_t centrifuge = {
    .prefix = "b-", .dialect = CLI_BENCH_CENTRIFUGE, .channels = 100, .rate = 1};

static void assert_text(buf_t *out, const char *expected)
{
    assert_string_equal(buf_text(out), expected);
    buf_fini(out);
}

static void raw_has_the_channel_in_the_path_and_the_payload_as_it_is(void **state)
{
    (void)state;
    buf_t out = {0};
    cli_bench_target(&raw, 7, true, &out);
    assert_text(&out, "/ws/b-7?mode=pub");
    cli_bench_target(&raw, 7, false, &out);
    assert_text(&out, "/ws/b-7?mode=sub");
    cli_bench_greeting(&raw, 7, false, &out);
    assert_text(&out, "");
    cli_bench_publication(&raw, 7, 3, SPAN("hi"), &out);
    assert_text(&out, "hi");
    assert_int_equal(cli_bench_publishers(&raw), 100);
}

static void centrifuge_connects_subscribes_and_publishes_by_command(void **state)
{
    (void)state;
    buf_t out = {0};
    cli_bench_target(&centrifuge, 7, false, &out);
    assert_text(&out, "/connection/websocket");
    cli_bench_greeting(&centrifuge, 7, true, &out);
    assert_text(&out, "{\"id\":1,\"connect\":{}}");
    cli_bench_greeting(&centrifuge, 7, false, &out);
    assert_text(&out, "{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{\"channel\":\"b-7\"}}");
    cli_bench_publication(&centrifuge, 7, 3, SPAN("hi"), &out);
    assert_text(&out, "{\"id\":3,\"publish\":{\"channel\":\"b-7\",\"data\":\"hi\"}}");
    assert_true(cli_bench_publishers(&centrifuge) < 100);
}

static void a_token_goes_where_each_protocol_has_it(void **state)
{
    (void)state;
    buf_t out = {0};
    cli_bench_plan_t plan = raw;
    plan.token = "a.b.c";
    cli_bench_headers(&plan, &out);
    assert_text(&out, "Authorization: Bearer a.b.c\r\n");
    plan = centrifuge;
    plan.token = "a.b.c";
    cli_bench_headers(&plan, &out);
    assert_text(&out, "");
    cli_bench_greeting(&plan, 0, true, &out);
    assert_text(&out, "{\"id\":1,\"connect\":{\"token\":\"a.b.c\"}}");
}

static void without_a_rate_nobody_publishes(void **state)
{
    (void)state;
    cli_bench_plan_t idle = raw;
    idle.rate = 0;
    assert_int_equal(cli_bench_publishers(&idle), 0);
}

/* What stands in one message, a letter each. */
static const char *hear_all(const char *text)
{
    static char heard[32];
    static const char letters[] = {
        [CLI_BENCH_PAYLOAD] = 'P', [CLI_BENCH_PING] = 'i',  [CLI_BENCH_REPLY] = 'r',
        [CLI_BENCH_REFUSAL] = 'R', [CLI_BENCH_OTHER] = 'o', [CLI_BENCH_STRANGE] = '?'};
    span_t message = span_str(text);
    span_t payload;
    uint64_t id;
    size_t at = 0;
    for (cli_bench_heard_t one; (one = cli_bench_hear(&message, &payload, &id)) != CLI_BENCH_END;)
        heard[at++] = letters[one];
    heard[at] = '\0';
    return heard;
}

static void a_message_holds_any_number_of_objects(void **state)
{
    (void)state;
    assert_string_equal(hear_all(""), "");
    assert_string_equal(hear_all("{}"), "i");
    assert_string_equal(hear_all("{\"id\":1,\"connect\":{\"client\":\"x\"}}\n{\"id\":2,\"subscribe\":{}}\n"),
                        "rr");
    assert_string_equal(
        hear_all("{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":\"bench/1:…\"}}}\n{}\n"
                 "{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":\"bench/1:…\",\"offset\":2}}}"),
        "PiP");
    assert_string_equal(hear_all("{\"push\":{\"channel\":\"c\",\"join\":{}}}"), "o");
}

static void an_error_is_a_refusal_with_its_text(void **state)
{
    (void)state;
    span_t message = SPAN("{\"id\":9,\"error\":{\"code\":103,\"message\":\"permission denied\"}}");
    span_t payload = {0};
    uint64_t id = 0;
    assert_int_equal(cli_bench_hear(&message, &payload, &id), CLI_BENCH_REFUSAL);
    assert_int_equal(id, 9);
    assert_true(span_is(payload, "{\"code\":103,\"message\":\"permission denied\"}"));
}

static void what_is_not_of_the_protocol_is_strange(void **state)
{
    (void)state;
    assert_string_equal(hear_all("hello"), "?");
    assert_string_equal(hear_all("{\"id\":\"1\"}"), "?");
    assert_string_equal(hear_all("[]\n{\"connect\":{}}"), "??");
}

static void the_payload_begins_with_the_stamp(void **state)
{
    (void)state;
    span_t message = SPAN("{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":\"bench/1:abc\"}}}");
    span_t payload;
    uint64_t id;
    assert_int_equal(cli_bench_hear(&message, &payload, &id), CLI_BENCH_PAYLOAD);
    assert_true(span_starts(payload, SPAN("bench/1:abc\"")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raw_has_the_channel_in_the_path_and_the_payload_as_it_is),
        cmocka_unit_test(centrifuge_connects_subscribes_and_publishes_by_command),
        cmocka_unit_test(a_token_goes_where_each_protocol_has_it),
        cmocka_unit_test(without_a_rate_nobody_publishes),
        cmocka_unit_test(a_message_holds_any_number_of_objects),
        cmocka_unit_test(an_error_is_a_refusal_with_its_text),
        cmocka_unit_test(what_is_not_of_the_protocol_is_strange),
        cmocka_unit_test(the_payload_begins_with_the_stamp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
