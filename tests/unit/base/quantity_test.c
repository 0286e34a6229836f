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
    assert_int_equal(quantity_count(SPAN("0"), &number), OK);
    assert_int_equal(number, 0);
    assert_int_equal(quantity_count(SPAN("18446744073709551615"), &number), OK);
    assert_true(number == UINT64_MAX);
}

static void a_count_has_no_sign_space_point_or_unit(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "-1", "+1", " 1", "1 ", "1.5", "0x10", "1k", "ten"};
    uint64_t number;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(quantity_count(span_str(wrong[i]), &number), ERR_MALFORMED);
}

static void a_number_beyond_64_bits_is_out_of_range(void **state)
{
    (void)state;
    uint64_t number;
    assert_int_equal(quantity_count(SPAN("18446744073709551616"), &number), ERR_RANGE);
    assert_int_equal(quantity_size(SPAN("17179869184GiB"), &number), ERR_RANGE);
    assert_int_equal(quantity_size(SPAN("17179869183GiB"), &number), OK);
    assert_int_equal(quantity_duration(SPAN("213503983d"), &number), ERR_RANGE);
}

static void sizes_have_binary_units_or_none(void **state)
{
    (void)state;
    uint64_t size;
    assert_int_equal(quantity_size(SPAN("128"), &size), OK);
    assert_int_equal(size, 128);
    assert_int_equal(quantity_size(SPAN("512B"), &size), OK);
    assert_int_equal(size, 512);
    assert_int_equal(quantity_size(SPAN("64KiB"), &size), OK);
    assert_int_equal(size, 65536);
    assert_int_equal(quantity_size(SPAN("64KB"), &size), ERR_MALFORMED);
    assert_int_equal(quantity_size(SPAN("64 KiB"), &size), ERR_MALFORMED);
    assert_int_equal(quantity_size(SPAN("KiB"), &size), ERR_MALFORMED);
}

static void durations_need_a_unit_unless_they_are_zero(void **state)
{
    (void)state;
    uint64_t us;
    assert_int_equal(quantity_duration(SPAN("500ms"), &us), OK);
    assert_int_equal(us, 500000);
    assert_int_equal(quantity_duration(SPAN("2m"), &us), OK);
    assert_int_equal(us, 120000000);
    assert_int_equal(quantity_duration(SPAN("0"), &us), OK);
    assert_int_equal(us, 0);
    assert_int_equal(quantity_duration(SPAN("5"), &us), ERR_MALFORMED);
    assert_int_equal(quantity_duration(SPAN("1s1"), &us), ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits_are_a_count),
        cmocka_unit_test(a_count_has_no_sign_space_point_or_unit),
        cmocka_unit_test(a_number_beyond_64_bits_is_out_of_range),
        cmocka_unit_test(sizes_have_binary_units_or_none),
        cmocka_unit_test(durations_need_a_unit_unless_they_are_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
