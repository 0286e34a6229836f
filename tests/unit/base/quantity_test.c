#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/quantity.h"

static void digits_are_a_count(void **state)
{
    (void)state;
    uint64_t number = 7;
    assert_int_equal(quantity_read(QUANTITY_COUNT, SPAN("0"), &number), OK);
    assert_int_equal(number, 0);
    assert_int_equal(quantity_read(QUANTITY_COUNT, SPAN("18446744073709551615"), &number), OK);
    assert_true(number == UINT64_MAX);
}

static void a_count_has_no_sign_space_point_or_unit(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "-1", "+1", " 1", "1 ", "1.5", "0x10", "1k", "ten"};
    uint64_t number;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(quantity_read(QUANTITY_COUNT, span_str(wrong[i]), &number), ERR_MALFORMED);
}

static void a_number_beyond_64_bits_is_out_of_range(void **state)
{
    (void)state;
    uint64_t number;
    assert_int_equal(quantity_read(QUANTITY_COUNT, SPAN("18446744073709551616"), &number), ERR_RANGE);
    assert_int_equal(quantity_read(QUANTITY_SIZE, SPAN("17179869184GiB"), &number), ERR_RANGE);
    assert_int_equal(quantity_read(QUANTITY_SIZE, SPAN("17179869183GiB"), &number), OK);
    assert_int_equal(quantity_read(QUANTITY_DURATION, SPAN("213503983d"), &number), ERR_RANGE);
}

static void sizes_have_binary_units_or_none(void **state)
{
    (void)state;
    uint64_t size;
    assert_int_equal(quantity_read(QUANTITY_SIZE, SPAN("128"), &size), OK);
    assert_int_equal(size, 128);
    assert_int_equal(quantity_read(QUANTITY_SIZE, SPAN("512B"), &size), OK);
    assert_int_equal(size, 512);
    assert_int_equal(quantity_read(QUANTITY_SIZE, SPAN("64KiB"), &size), OK);
    assert_int_equal(size, 65536);
    assert_int_equal(quantity_read(QUANTITY_SIZE, SPAN("64KB"), &size), ERR_MALFORMED);
    assert_int_equal(quantity_read(QUANTITY_SIZE, SPAN("64 KiB"), &size), ERR_MALFORMED);
    assert_int_equal(quantity_read(QUANTITY_SIZE, SPAN("KiB"), &size), ERR_MALFORMED);
}

static void durations_need_a_unit_unless_they_are_zero(void **state)
{
    (void)state;
    uint64_t us;
    assert_int_equal(quantity_read(QUANTITY_DURATION, SPAN("500ms"), &us), OK);
    assert_int_equal(us, 500000);
    assert_int_equal(quantity_read(QUANTITY_DURATION, SPAN("2m"), &us), OK);
    assert_int_equal(us, 120000000);
    assert_int_equal(quantity_read(QUANTITY_DURATION, SPAN("0"), &us), OK);
    assert_int_equal(us, 0);
    assert_int_equal(quantity_read(QUANTITY_DURATION, SPAN("5"), &us), ERR_MALFORMED);
    assert_int_equal(quantity_read(QUANTITY_DURATION, SPAN("1s1"), &us), ERR_MALFORMED);
}

static void strictly_sizes_have_units_and_numbers_no_leading_zeros(void **state)
{
    (void)state;
    uint64_t number = 7;
    assert_int_equal(quantity_read_strict(QUANTITY_SIZE, SPAN("0"), &number), OK);
    assert_int_equal(number, 0);
    assert_int_equal(quantity_read_strict(QUANTITY_SIZE, SPAN("64KiB"), &number), OK);
    assert_int_equal(number, 65536);
    assert_int_equal(quantity_read_strict(QUANTITY_SIZE, SPAN("128"), &number), ERR_MALFORMED);
    assert_int_equal(quantity_read_strict(QUANTITY_SIZE, SPAN("064KiB"), &number), ERR_MALFORMED);
    assert_int_equal(quantity_read_strict(QUANTITY_COUNT, SPAN("10"), &number), OK);
    assert_int_equal(number, 10);
    assert_int_equal(quantity_read_strict(QUANTITY_COUNT, SPAN("010"), &number), ERR_MALFORMED);
    assert_int_equal(quantity_read(QUANTITY_COUNT, SPAN("010"), &number), OK);
    assert_int_equal(number, 10);
}

static void a_quantity_is_shown_in_the_largest_unit_that_divides_it(void **state)
{
    (void)state;
    static const struct {
        quantity_t kind;
        uint64_t number;
        const char *text;
    } rows[] = {
        {QUANTITY_COUNT, 0, "0"},
        {QUANTITY_COUNT, 1024, "1024"},
        {QUANTITY_SIZE, 0, "0"},
        {QUANTITY_SIZE, 1024, "1KiB"},
        {QUANTITY_SIZE, 1025, "1025B"},
        {QUANTITY_SIZE, 3u << 20, "3MiB"},
        {QUANTITY_DURATION, 90000000, "90s"},
        {QUANTITY_DURATION, 1500, "1500us"},
        {QUANTITY_DURATION, 86400000000u, "1d"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        buf_t out = {0};
        quantity_append(&out, rows[i].kind, rows[i].number);
        assert_string_equal(buf_text(&out), rows[i].text);
        buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits_are_a_count),
        cmocka_unit_test(a_count_has_no_sign_space_point_or_unit),
        cmocka_unit_test(a_number_beyond_64_bits_is_out_of_range),
        cmocka_unit_test(sizes_have_binary_units_or_none),
        cmocka_unit_test(durations_need_a_unit_unless_they_are_zero),
        cmocka_unit_test(strictly_sizes_have_units_and_numbers_no_leading_zeros),
        cmocka_unit_test(a_quantity_is_shown_in_the_largest_unit_that_divides_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
