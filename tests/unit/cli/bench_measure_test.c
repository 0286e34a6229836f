#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cli/bench_measure.h"
#include "cli/bench_report.h"
#include "tests/unit/cli/ws_server.h"

/* --- a server that fans out, and plants a fault where the test wants one --- */

typedef enum fault { NO_FAULT, LOSE, REPEAT, SWAP, CLOSE, PING } fault_t;

typedef struct planted {
    fault_t fault;
    unsigned at;       /* the victim's message that it happens to, counted from 1 */
    unsigned messages; /* that the victim got so far */
    buf_t held;        /* SWAP: the message that comes after the next */
} planted_t;

static bool listens(const ws_peer_t *peer, const char *channel)
{
    size_t size = strlen(channel);
    return peer->open && strncmp(peer->target, channel, size) == 0 &&
           strcmp(peer->target + size, "?mode=sub") == 0;
}

/* One delivery to the victim. */
static void deliver_with_fault(planted_t *planted, const ws_peer_t *peer, span_t payload)
{
    bool now = ++planted->messages == planted->at;
    if (now && planted->fault == LOSE)
        return;
    if (now && planted->fault == SWAP) {
        buf_append_span(&planted->held, payload);
        return;
    }
    if (now && planted->fault == PING)
        ws_server_send(peer, WEBSOCKET_PING, SPAN("x"));
    if (now && planted->fault == CLOSE)
        ws_server_send(peer, WEBSOCKET_CLOSE, SPAN("\x0b\xc0slow"));
    ws_server_send(peer, WEBSOCKET_TEXT, payload);
    if (now && planted->fault == REPEAT)
        ws_server_send(peer, WEBSOCKET_TEXT, payload);
    if (planted->held.size) {
        ws_server_send(peer, WEBSOCKET_TEXT, buf_span(&planted->held));
        buf_fini(&planted->held);
    }
}

static bool fan_out(ws_server_t *server, ws_peer_t *peer, const websocket_event_t *event)
{
    planted_t *planted = server->context;
    if (event->opcode != WEBSOCKET_TEXT)
        return true;
    char channel[sizeof peer->target];
    snprintf(channel, sizeof channel, "%.*s", (int)strcspn(peer->target, "?"), peer->target);
    bool is_first = true;
    for (size_t i = 0; i < WS_SERVER_PEERS; i++) {
        if (!listens(&server->peers[i], channel))
            continue;
        if (is_first && strcmp(channel, "/ws/t-0") == 0)
            deliver_with_fault(planted, &server->peers[i], event->payload);
        else
            ws_server_send(&server->peers[i], WEBSOCKET_TEXT, event->payload);
        is_first = false;
    }
    return true;
}

/* --- a short run against it --- */

typedef struct run {
    ws_server_t server;
    planted_t planted;
    cli_bench_plan_t plan;
    cli_bench_result_t result;
    buf_t why;
    int err;
} run_t;

static run_t *measure(fault_t fault, unsigned at)
{
    run_t *run = mem_new(sizeof *run);
    run->planted = (planted_t){.fault = fault, .at = at};
    run->server.context = &run->planted;
    ws_server_start(&run->server, fan_out);
    run->plan = (cli_bench_plan_t){
        .name = "test",
        .publish_url = run->server.url,
        .subscribe_url = run->server.url,
        .prefix = "t-",
        .channels = 2,
        .subscribers = 3,
        .rate = 400,
        .size = 200,
        .warmup_us = 50000,
        .duration_us = 250000,
        .drain_us = fault == NO_FAULT ? 10000000 : 200000,
        .servers = {getpid()},
        .server_count = 1,
    };
    run->err = cli_bench_measure(&run->plan, NULL, &run->result, &run->why);
    return run;
}

static void finish(run_t *run)
{
    ws_server_stop(&run->server);
    buf_fini(&run->why);
    buf_fini(&run->planted.held);
    mem_free(run);
}

static void assert_faults(run_t *run, uint64_t lost, uint64_t duplicates, uint64_t reordered)
{
    const cli_bench_result_t *result = &run->result;
    assert_int_equal(run->err, OK);
    assert_int_equal(result->lost, lost);
    assert_int_equal(result->duplicates, duplicates);
    assert_int_equal(result->reordered, reordered);
    assert_int_equal(result->strays + result->closed + result->refused, 0);
    assert_int_equal(result->received + result->lost, result->expected);
    assert_int_equal(cli_bench_is_clean(result), lost + duplicates + reordered == 0);
}

static void a_run_without_faults_sends_at_its_rate_and_is_clean(void **state)
{
    (void)state;
    run_t *run = measure(NO_FAULT, 0);
    assert_faults(run, 0, 0, 0);
    assert_int_equal(run->result.connections, 2 + 6);
    assert_int_equal(run->result.sent, 120); /* 400 a second for 0.3 s, whatever the machine does */
    assert_int_equal(run->result.expected, 360);
    assert_int_equal(run->result.latency.total, 300);
    assert_int_equal(run->result.lag.total, 100);
    assert_true(run->result.servers[0].rss_holding > 0);
    finish(run);
}

/* The victim's 40th message comes long after settling, which takes a message of each channel. */
static void a_message_that_the_server_loses_is_lost_once(void **state)
{
    (void)state;
    run_t *run = measure(LOSE, 40);
    assert_faults(run, 1, 0, 0);
    finish(run);
}

static void a_message_that_the_server_repeats_is_a_duplicate(void **state)
{
    (void)state;
    run_t *run = measure(REPEAT, 40);
    assert_faults(run, 0, 1, 0);
    finish(run);
}

static void two_messages_that_the_server_swaps_are_out_of_order(void **state)
{
    (void)state;
    run_t *run = measure(SWAP, 40);
    assert_faults(run, 0, 0, 1);
    finish(run);
}

static void a_ping_does_no_harm(void **state)
{
    (void)state;
    run_t *run = measure(PING, 40);
    assert_faults(run, 0, 0, 0);
    finish(run);
}

static void a_connection_that_the_server_closes_is_told_with_its_code(void **state)
{
    (void)state;
    run_t *run = measure(CLOSE, 40);
    assert_int_equal(run->err, OK);
    assert_int_equal(run->result.closed, 1);
    assert_true(run->result.lost > 0);
    assert_string_equal(buf_text(&run->why), "a subscriber of t-0: was closed with 3008 slow");
    finish(run);
}

static void a_server_that_refuses_handshakes_is_unavailable(void **state)
{
    (void)state;
    run_t run = {.server.status = 503};
    ws_server_start(&run.server, fan_out);
    run.plan = (cli_bench_plan_t){.name = "test",
                                  .publish_url = run.server.url,
                                  .subscribe_url = run.server.url,
                                  .prefix = "t-",
                                  .channels = 1,
                                  .subscribers = 1,
                                  .rate = 1,
                                  .size = 64};
    assert_int_equal(cli_bench_measure(&run.plan, NULL, &run.result, &run.why), ERR_UNAVAILABLE);
    assert_non_null(strstr(buf_text(&run.why), "HTTP status 503"));
    ws_server_stop(&run.server);
    buf_fini(&run.why);
}

static void a_plan_with_more_connections_than_files_is_refused(void **state)
{
    (void)state;
    cli_bench_plan_t plan = {
        .name = "test", .prefix = "t-", .channels = 1000000, .subscribers = 1000000, .size = 64};
    cli_bench_result_t result;
    buf_t why = {0};
    assert_int_equal(cli_bench_measure(&plan, NULL, &result, &why), ERR_RANGE);
    assert_non_null(strstr(buf_text(&why), "open files"));
    buf_fini(&why);
}

static void the_json_report_says_what_the_result_says(void **state)
{
    (void)state;
    buf_t out = {0};
    cli_bench_plan_t plan = {.name = "fanout", .channels = 1, .subscribers = 2, .rate = 5, .size = 64};
    cli_bench_result_t result = {.deliveries = 4000000,
                                 .window_us = 2000000,
                                 .lost = 3,
                                 .servers = {{.pid = 7, .cpu_us = 6000000}},
                                 .server_count = 1};
    cli_bench_report_json(&plan, &result, "a \"quote\"", &out);
    const char *text = buf_text(&out);
    assert_non_null(strstr(text, "\"deliveries_per_s\":2000000"));
    assert_non_null(strstr(text, "\"cpu_us_per_delivery\":1.5000"));
    assert_non_null(strstr(text, "\"lost\":3"));
    assert_non_null(strstr(text, "\"clean\":false"));
    assert_non_null(strstr(text, "\"trouble\":\"a \\\"quote\\\"\""));
    buf_fini(&out);
}

static void a_late_or_busy_generator_is_named_as_the_limit(void **state)
{
    (void)state;
    cli_bench_result_t result = {.window_us = 1000000, .own_cpu_us = 500000};
    histogram_add(&result.lag, 1000000);
    assert_false(cli_bench_generator_was_limit(&result));
    result.own_cpu_us = 950000;
    assert_true(cli_bench_generator_was_limit(&result));
    result.own_cpu_us = 0;
    histogram_add(&result.lag, 50000000);
    assert_true(cli_bench_generator_was_limit(&result));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_without_faults_sends_at_its_rate_and_is_clean),
        cmocka_unit_test(a_message_that_the_server_loses_is_lost_once),
        cmocka_unit_test(a_message_that_the_server_repeats_is_a_duplicate),
        cmocka_unit_test(two_messages_that_the_server_swaps_are_out_of_order),
        cmocka_unit_test(a_ping_does_no_harm),
        cmocka_unit_test(a_connection_that_the_server_closes_is_told_with_its_code),
        cmocka_unit_test(a_server_that_refuses_handshakes_is_unavailable),
        cmocka_unit_test(a_plan_with_more_connections_than_files_is_refused),
        cmocka_unit_test(the_json_report_says_what_the_result_says),
        cmocka_unit_test(a_late_or_busy_generator_is_named_as_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
