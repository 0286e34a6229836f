#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/random.h"
#include "protocol/position.h"

static void zeroed_memory_is_no_position(void **state)
{
    (void)state;
    position_t none = {0};
    char text[POSITION_TEXT_SIZE] = "x";
    assert_false(position_known(none));
    assert_int_equal(position_epoch(&none).size, 0);
    assert_string_equal(position_print(none, text), "");
}

static void a_new_epoch_is_eight_letters_and_keeps_the_offset(void **state)
{
    (void)state;
    static const uint64_t extremes[] = {0, 1, 51, 52, UINT64_MAX};
    for (size_t i = 0; i < sizeof extremes / sizeof *extremes; i++) {
        position_t p = {.offset = 7}, copy = {0};
        position_new_epoch(&p, extremes[i]);
        assert_true(position_known(p));
        assert_int_equal(p.offset, 7);
        assert_int_equal(position_set_epoch(&copy, position_epoch(&p)), OK);
        assert_true(position_same_epoch(p, copy));
    }
}

static void epochs_of_different_bits_differ_in_every_letter_place(void **state)
{
    (void)state;
    random_t random = {1};
    bool seen[EPOCH_SIZE][256] = {{false}};
    for (int i = 0; i < 10000; i++) {
        position_t p;
        position_new_epoch(&p, random_next(&random));
        for (size_t place = 0; place < EPOCH_SIZE; place++)
            seen[place][(uint8_t)p.epoch[place]] = true;
    }
    for (size_t place = 0; place < EPOCH_SIZE; place++) {
        size_t count = 0;
        for (size_t byte = 0; byte < 256; byte++)
            count += seen[place][byte];
        assert_int_equal(count, 52);
    }
}

static void an_epoch_from_outside_is_empty_or_eight_letters(void **state)
{
    (void)state;
    position_t p = {.offset = 3};
    assert_int_equal(position_set_epoch(&p, SPAN("abcdWXYZ")), OK);
    static const char *const wrong[] = {"abcdWXY",  "abcdWXYZa",      "abcdWXY1",
                                        "abcd XYZ", "abcd\xc3\xa4yz", "[@`{aaaa"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(position_set_epoch(&p, span_str(wrong[i])), ERR_MALFORMED);
    assert_int_equal(position_set_epoch(&p, span_new("abcdWXY\0", 8)), ERR_MALFORMED);
    assert_true(span_is(position_epoch(&p), "abcdWXYZ"));
    assert_int_equal(position_set_epoch(&p, (span_t){0}), OK);
    assert_false(position_known(p));
    assert_int_equal(p.offset, 3);
}

static void a_position_is_shown_as_epoch_and_offset(void **state)
{
    (void)state;
    char text[POSITION_TEXT_SIZE];
    position_t p = {.offset = 42};
    assert_string_equal(position_print(p, text), "");
    assert_int_equal(position_set_epoch(&p, SPAN("abcdEFGH")), OK);
    assert_string_equal(position_print(p, text), "abcdEFGH:42");
    p.offset = UINT64_MAX;
    assert_string_equal(position_print(p, text), "abcdEFGH:18446744073709551615");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeroed_memory_is_no_position),
        cmocka_unit_test(a_new_epoch_is_eight_letters_and_keeps_the_offset),
        cmocka_unit_test(epochs_of_different_bits_differ_in_every_letter_place),
        cmocka_unit_test(an_epoch_from_outside_is_empty_or_eight_letters),
        cmocka_unit_test(a_position_is_shown_as_epoch_and_offset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
