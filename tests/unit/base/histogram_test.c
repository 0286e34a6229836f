#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/histogram.h"
#include "base/mem.h"
#include "base/random.h"

static histogram_t *new_histogram(void)
{
    return mem_new(sizeof(histogram_t));
}

static void an_empty_histogram_has_no_values(void **state)
{
    (void)state;
    histogram_t *histogram = new_histogram();
    assert_int_equal(histogram_at(histogram, 0.5), 0);
    assert_int_equal(histogram->total, 0);
    mem_free(histogram);
}

static void small_values_are_exact(void **state)
{
    (void)state;
    histogram_t *histogram = new_histogram();
    for (uint64_t value = 1; value <= 10; value++)
        histogram_add(histogram, value);
    assert_int_equal(histogram_at(histogram, 0), 1);
    assert_int_equal(histogram_at(histogram, 0.1), 1);
    assert_int_equal(histogram_at(histogram, 0.5), 5);
    assert_int_equal(histogram_at(histogram, 0.51), 6);
    assert_int_equal(histogram_at(histogram, 1), 10);
    assert_int_equal(histogram->sum, 55);
    mem_free(histogram);
}

/* Every value alone in a histogram, with a larger one so that max does not help. */
static void assert_close(uint64_t value)
{
    histogram_t *histogram = new_histogram();
    histogram_add(histogram, value);
    histogram_add(histogram, UINT64_MAX);
    uint64_t shown = histogram_at(histogram, 0.5);
    assert_true(shown >= value);
    assert_true(shown - value <= value / 16);
    mem_free(histogram);
}

static void the_error_is_below_a_sixteenth(void **state)
{
    (void)state;
    random_t random = {7};
    for (unsigned i = 0; i < 2000; i++)
        assert_close(random_next(&random) >> random_below(&random, 64));
}

static void the_edges_of_every_power_of_two_have_buckets(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t power = (uint64_t)1 << bit;
        assert_close(power - 1);
        assert_close(power);
        assert_close(power + 1);
    }
    assert_close(UINT64_MAX);
}

static void no_percentile_is_above_the_largest_value(void **state)
{
    (void)state;
    histogram_t *histogram = new_histogram();
    histogram_add_n(histogram, 1000, 5);
    assert_int_equal(histogram_at(histogram, 0.99), 1000);
    assert_int_equal(histogram_at(histogram, 7), 1000);
    mem_free(histogram);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_histogram_has_no_values),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(the_error_is_below_a_sixteenth),
        cmocka_unit_test(the_edges_of_every_power_of_two_have_buckets),
        cmocka_unit_test(no_percentile_is_above_the_largest_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
