#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "cli/bench_ledger.h"
#include "cli/bench_stamp.h"

enum { SIZE = 128, MESSAGES = 10 };

/* One channel with two subscribers, and ten messages that were sent since counting began, at 1000, 2000 … ns.
 */
typedef struct bench {
    cli_bench_ledger_t *ledger;
    uint8_t payloads[MESSAGES][SIZE];
} bench_t;

static void compose(cli_bench_ledger_t *ledger, uint64_t stream, uint64_t intended_ns, uint8_t out[SIZE])
{
    span_t payload = cli_bench_ledger_compose(ledger, stream, intended_ns, intended_ns + 30);
    assert_int_equal(payload.size, SIZE);
    memcpy(out, payload.data, SIZE);
}

static bench_t *start(void)
{
    static bench_t bench;
    bench.ledger = cli_bench_ledger_new(1, 2, SIZE, 0xcafe);
    cli_bench_ledger_start_counting(bench.ledger);
    cli_bench_ledger_measure_from(bench.ledger, 0);
    for (unsigned i = 0; i < MESSAGES; i++)
        compose(bench.ledger, 0, 1000u * (i + 1), bench.payloads[i]);
    return &bench;
}

static void take(bench_t *bench, uint64_t subscriber, unsigned message)
{
    cli_bench_ledger_take(bench->ledger, subscriber, span_new(bench->payloads[message], SIZE), 50000);
}

static void take_range(bench_t *bench, uint64_t subscriber, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++)
        take(bench, subscriber, i);
}

static const cli_bench_totals_t *totals(const bench_t *bench)
{
    return cli_bench_ledger_totals(bench->ledger);
}

static void finish(bench_t *bench, uint64_t lost, uint64_t duplicates, uint64_t reordered)
{
    assert_int_equal(cli_bench_ledger_lost(bench->ledger), lost);
    assert_int_equal(totals(bench)->counts.duplicates, duplicates);
    assert_int_equal(totals(bench)->counts.reordered, reordered);
    assert_int_equal(totals(bench)->counts.received + lost, cli_bench_ledger_expected(bench->ledger));
    cli_bench_ledger_destroy(&bench->ledger);
}

static void a_run_without_faults_is_clean(void **state)
{
    (void)state;
    bench_t *bench = start();
    take_range(bench, 0, 0, MESSAGES);
    take_range(bench, 1, 0, MESSAGES);
    assert_int_equal(totals(bench)->sent, MESSAGES);
    assert_int_equal(totals(bench)->unheard, 0);
    assert_int_equal(cli_bench_ledger_expected(bench->ledger), 2 * MESSAGES);
    finish(bench, 0, 0, 0);
}

static void a_planted_loss_is_counted(void **state)
{
    (void)state;
    bench_t *bench = start();
    take_range(bench, 0, 0, MESSAGES);
    take_range(bench, 1, 0, 4);
    take_range(bench, 1, 5, MESSAGES);
    finish(bench, 1, 0, 0);
}

static void a_planted_duplicate_is_counted(void **state)
{
    (void)state;
    bench_t *bench = start();
    take_range(bench, 0, 0, MESSAGES);
    take_range(bench, 1, 0, MESSAGES);
    take(bench, 1, 3);
    finish(bench, 0, 1, 0);
}

static void a_planted_swap_is_counted(void **state)
{
    (void)state;
    bench_t *bench = start();
    take_range(bench, 0, 0, MESSAGES);
    take_range(bench, 1, 0, 6);
    take(bench, 1, 7);
    take(bench, 1, 6);
    take_range(bench, 1, 8, MESSAGES);
    finish(bench, 0, 0, 1);
}

static void a_subscriber_that_heard_nothing_has_lost_everything(void **state)
{
    (void)state;
    bench_t *bench = start();
    take_range(bench, 0, 0, MESSAGES);
    assert_int_equal(totals(bench)->unheard, 1);
    finish(bench, MESSAGES, 0, 0);
}

static void messages_from_before_counting_are_ignored_even_when_they_come_late(void **state)
{
    (void)state;
    uint8_t early[SIZE];
    uint8_t counted[SIZE];
    cli_bench_ledger_t *ledger = cli_bench_ledger_new(1, 1, SIZE, 1);
    compose(ledger, 0, 1, early);
    cli_bench_ledger_start_counting(ledger);
    compose(ledger, 0, 2, counted);
    cli_bench_ledger_take(ledger, 0, span_new(early, SIZE), 10);
    assert_int_equal(cli_bench_ledger_lost(ledger), 1);
    assert_int_equal(cli_bench_ledger_totals(ledger)->unheard, 0);
    cli_bench_ledger_take(ledger, 0, span_new(counted, SIZE), 10);
    assert_int_equal(cli_bench_ledger_lost(ledger), 0);
    assert_int_equal(cli_bench_ledger_totals(ledger)->counts.received, 1);
    cli_bench_ledger_destroy(&ledger);
}

static void a_message_of_another_channel_is_a_stray(void **state)
{
    (void)state;
    uint8_t payload[SIZE];
    cli_bench_ledger_t *ledger = cli_bench_ledger_new(2, 2, SIZE, 1);
    cli_bench_ledger_start_counting(ledger);
    compose(ledger, 1, 1, payload);
    cli_bench_ledger_take(ledger, 0, span_new(payload, SIZE), 10);
    assert_int_equal(cli_bench_ledger_totals(ledger)->strays, 1);
    assert_int_equal(cli_bench_ledger_totals(ledger)->deliveries, 0);
    cli_bench_ledger_take(ledger, 1, span_new(payload, SIZE), 10);
    assert_int_equal(cli_bench_ledger_lost(ledger), 0);
    cli_bench_ledger_destroy(&ledger);
}

static void a_number_that_was_never_sent_is_a_stray(void **state)
{
    (void)state;
    uint8_t prefix[CLI_BENCH_PREFIX_SIZE];
    uint8_t payload[SIZE];
    bench_t *bench = start();
    cli_bench_stamp_prefix(prefix, 0xcafe);
    cli_bench_stamp_write(payload, prefix, (cli_bench_stamp_t){0, MESSAGES, 1});
    cli_bench_ledger_take(bench->ledger, 0, span_new(payload, SIZE), 10);
    assert_int_equal(totals(bench)->strays, 1);
    finish(bench, 2 * MESSAGES, 0, 0);
}

static void payloads_of_others_are_ignored(void **state)
{
    (void)state;
    uint8_t payload[SIZE];
    bench_t *bench = start();
    cli_bench_ledger_t *another = cli_bench_ledger_new(1, 1, SIZE, 2);
    compose(another, 0, 1, payload);
    cli_bench_ledger_take(bench->ledger, 0, span_new(payload, SIZE), 10);
    cli_bench_ledger_take(bench->ledger, 0, SPAN("hello"), 10);
    cli_bench_ledger_take(bench->ledger, 0, span_new(bench->payloads[0], CLI_BENCH_STAMP_SIZE - 1), 10);
    memset(bench->payloads[0] + CLI_BENCH_PREFIX_SIZE, 'z', 8);
    cli_bench_ledger_take(bench->ledger, 0, span_new(bench->payloads[0], SIZE), 10);
    assert_int_equal(totals(bench)->deliveries + totals(bench)->strays, 0);
    cli_bench_ledger_destroy(&another);
    finish(bench, 2 * MESSAGES, 0, 0);
}

static void latency_counts_from_the_intended_time_and_lag_is_the_generators_own(void **state)
{
    (void)state;
    bench_t *bench = start();
    take(bench, 0, 0);
    take(bench, 1, MESSAGES - 1);
    assert_int_equal(totals(bench)->latency.max, 50000 - 1000);
    assert_int_equal(totals(bench)->latency.min, 50000 - 1000 * MESSAGES);
    assert_int_equal(totals(bench)->lag.total, MESSAGES);
    assert_int_equal(totals(bench)->lag.max, 30);
    finish(bench, 2 * MESSAGES - 2, 0, 0);
}

static void what_was_meant_to_be_sent_before_the_window_has_no_latency(void **state)
{
    (void)state;
    uint8_t before[SIZE];
    uint8_t within[SIZE];
    cli_bench_ledger_t *ledger = cli_bench_ledger_new(1, 1, SIZE, 1);
    cli_bench_ledger_start_counting(ledger);
    compose(ledger, 0, 1, before);
    cli_bench_ledger_measure_from(ledger, 5);
    compose(ledger, 0, 5, within);
    cli_bench_ledger_take(ledger, 0, span_new(before, SIZE), 10);
    assert_int_equal(cli_bench_ledger_totals(ledger)->latency.total, 0);
    cli_bench_ledger_take(ledger, 0, span_new(within, SIZE), 10);
    assert_int_equal(cli_bench_ledger_totals(ledger)->latency.total, 1);
    assert_int_equal(cli_bench_ledger_totals(ledger)->counts.received, 2);
    cli_bench_ledger_destroy(&ledger);
}

static void a_payload_is_text_that_needs_no_escaping_in_json(void **state)
{
    (void)state;
    uint8_t payload[SIZE];
    cli_bench_ledger_t *ledger = cli_bench_ledger_new(5, 1, SIZE, UINT32_MAX);
    compose(ledger, 4, UINT64_MAX, payload);
    for (size_t i = 0; i < SIZE; i++)
        assert_true(payload[i] >= 0x20 && payload[i] < 0x7f && payload[i] != '"' && payload[i] != '\\');
    cli_bench_ledger_destroy(&ledger);
}

static void a_stamp_is_read_as_it_was_written(void **state)
{
    (void)state;
    uint8_t prefix[CLI_BENCH_PREFIX_SIZE];
    uint8_t text[CLI_BENCH_STAMP_SIZE];
    const cli_bench_stamp_t written = {0x12345678, 0xfedcba98, 0x0123456789abcdef};
    cli_bench_stamp_t read = {0};
    cli_bench_stamp_prefix(prefix, 7);
    cli_bench_stamp_write(text, prefix, written);
    assert_true(cli_bench_stamp_read(span_new(text, sizeof text), prefix, &read));
    assert_int_equal(read.stream, written.stream);
    assert_int_equal(read.sequence, written.sequence);
    assert_true(read.intended_ns == written.intended_ns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_without_faults_is_clean),
        cmocka_unit_test(a_planted_loss_is_counted),
        cmocka_unit_test(a_planted_duplicate_is_counted),
        cmocka_unit_test(a_planted_swap_is_counted),
        cmocka_unit_test(a_subscriber_that_heard_nothing_has_lost_everything),
        cmocka_unit_test(messages_from_before_counting_are_ignored_even_when_they_come_late),
        cmocka_unit_test(a_message_of_another_channel_is_a_stray),
        cmocka_unit_test(a_number_that_was_never_sent_is_a_stray),
        cmocka_unit_test(payloads_of_others_are_ignored),
        cmocka_unit_test(latency_counts_from_the_intended_time_and_lag_is_the_generators_own),
        cmocka_unit_test(what_was_meant_to_be_sent_before_the_window_has_no_latency),
        cmocka_unit_test(a_payload_is_text_that_needs_no_escaping_in_json),
        cmocka_unit_test(a_stamp_is_read_as_it_was_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
