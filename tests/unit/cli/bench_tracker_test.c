#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/random.h"
#include "cli/bench_tracker.h"

static cli_bench_counts_t take_all(cli_bench_tracker_t *tracker, const uint32_t *numbers, size_t count)
{
    cli_bench_counts_t counts = {0};
    for (size_t i = 0; i < count; i++)
        cli_bench_tracker_take(tracker, numbers[i], &counts);
    return counts;
}

static void assert_counts(const uint32_t *numbers, size_t count, cli_bench_counts_t expected, uint32_t sent,
                          uint64_t lost)
{
    cli_bench_tracker_t tracker = {0};
    cli_bench_counts_t counts = take_all(&tracker, numbers, count);
    assert_int_equal(counts.received, expected.received);
    assert_int_equal(counts.duplicates, expected.duplicates);
    assert_int_equal(counts.reordered, expected.reordered);
    assert_int_equal(cli_bench_tracker_lost(&tracker, sent), lost);
    cli_bench_tracker_fini(&tracker);
}

#define ASSERT_COUNTS(received, duplicates, reordered, sent, lost, ...)       \
    assert_counts((const uint32_t[]){__VA_ARGS__},                            \
                  sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t), \
                  (cli_bench_counts_t){received, duplicates, reordered}, sent, lost)

static void a_stream_in_order_has_no_faults(void **state)
{
    (void)state;
    ASSERT_COUNTS(4, 0, 0, 4, 0, 0, 1, 2, 3);
}

static void what_is_left_out_is_lost(void **state)
{
    (void)state;
    ASSERT_COUNTS(3, 0, 0, 5, 2, 0, 1, 4);
    ASSERT_COUNTS(2, 0, 0, 3, 1, 1, 2);
}

static void what_is_cut_off_at_the_end_is_lost(void **state)
{
    (void)state;
    ASSERT_COUNTS(2, 0, 0, 10, 8, 0, 1);
}

static void a_message_that_comes_again_is_a_duplicate_and_not_lost(void **state)
{
    (void)state;
    ASSERT_COUNTS(3, 2, 0, 3, 0, 0, 1, 1, 2, 0);
}

static void two_that_change_places_are_one_out_of_order(void **state)
{
    (void)state;
    ASSERT_COUNTS(4, 0, 1, 4, 0, 0, 2, 1, 3);
}

static void a_late_one_that_comes_again_is_both(void **state)
{
    (void)state;
    ASSERT_COUNTS(4, 1, 1, 4, 0, 0, 2, 1, 1, 3);
}

static void a_gap_is_filled_from_any_side(void **state)
{
    (void)state;
    ASSERT_COUNTS(6, 0, 4, 6, 0, 0, 5, 1, 4, 2, 3);
    ASSERT_COUNTS(6, 0, 4, 6, 0, 0, 5, 3, 2, 1, 4);
}

enum { SENT = 200, SCHEDULES = 300 };

/* A plain model: what was seen, and the highest number so far. */
static void any_schedule_counts_as_a_plain_model_does(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SCHEDULES; seed++) {
        random_t random = {seed};
        cli_bench_tracker_t tracker = {0};
        cli_bench_counts_t counts = {0};
        cli_bench_counts_t model = {0};
        bool seen[SENT] = {false};
        uint32_t above = 0;
        uint64_t missing = SENT;
        for (unsigned i = 0; i < SENT * 2; i++) {
            uint32_t number =
                (uint32_t)(random_below(&random, 3) ? above % SENT : random_below(&random, SENT));
            cli_bench_tracker_take(&tracker, number, &counts);
            model.duplicates += seen[number];
            model.received += !seen[number];
            model.reordered += !seen[number] && number < above;
            missing -= !seen[number];
            seen[number] = true;
            above = number >= above ? number + 1 : above;
        }
        if (counts.received != model.received || counts.duplicates != model.duplicates ||
            counts.reordered != model.reordered || cli_bench_tracker_lost(&tracker, SENT) != missing)
            fail_msg("seed %u differs from the model", (unsigned)seed);
        cli_bench_tracker_fini(&tracker);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_in_order_has_no_faults),
        cmocka_unit_test(what_is_left_out_is_lost),
        cmocka_unit_test(what_is_cut_off_at_the_end_is_lost),
        cmocka_unit_test(a_message_that_comes_again_is_a_duplicate_and_not_lost),
        cmocka_unit_test(two_that_change_places_are_one_out_of_order),
        cmocka_unit_test(a_late_one_that_comes_again_is_both),
        cmocka_unit_test(a_gap_is_filled_from_any_side),
        cmocka_unit_test(any_schedule_counts_as_a_plain_model_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
