#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"

static void zeroed_memory_is_an_empty_buffer(void **state)
{
    (void)state;
    buf_t buf = {0};
    assert_int_equal(buf_span(&buf).size, 0);
    assert_string_equal(buf_text(&buf), "");
    assert_int_equal(buf.size, 0);
    buf_fini(&buf);
}

static void what_is_appended_stands_in_order(void **state)
{
    (void)state;
    buf_t buf = {0};
    buf_append_str(&buf, "a");
    buf_append(&buf, "bc", 2);
    buf_append(&buf, NULL, 0);
    buf_append_span(&buf, SPAN("d"));
    buf_append_byte(&buf, 'e');
    buf_printf(&buf, "%d-%s", 7, "f");
    assert_string_equal(buf_text(&buf), "abcde7-f");
    assert_int_equal(buf.size, 8);
    buf_fini(&buf);
}

static void numbers_are_written_in_decimal(void **state)
{
    (void)state;
    static const struct {
        uint64_t number;
        const char *text;
    } cases[] = {
        {0, "0"}, {9, "9"}, {10, "10"}, {1234567890, "1234567890"}, {UINT64_MAX, "18446744073709551615"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf_t buf = {0};
        buf_append_u64(&buf, cases[i].number);
        assert_string_equal(buf_text(&buf), cases[i].text);
        buf_fini(&buf);
    }
}

static void a_long_text_survives_every_growth(void **state)
{
    (void)state;
    buf_t buf = {0};
    for (unsigned i = 0; i < 100000; i++)
        buf_append_byte(&buf, (uint8_t)(i * 7));
    assert_int_equal(buf.size, 100000);
    for (unsigned i = 0; i < 100000; i++)
        assert_int_equal(buf.data[i], (uint8_t)(i * 7));
    buf_fini(&buf);
}

static void reserved_room_is_used_by_advance(void **state)
{
    (void)state;
    buf_t buf = {0};
    buf_append_str(&buf, "ab");
    uint8_t *room = buf_reserve(&buf, 1000);
    room[0] = 'c';
    buf_advance(&buf, 1);
    assert_true(buf.capacity - buf.size >= 999);
    assert_string_equal(buf_text(&buf), "abc");
    buf_fini(&buf);
}

static void consuming_takes_from_the_front(void **state)
{
    (void)state;
    buf_t buf = {0};
    buf_append_str(&buf, "abcdef");
    buf_consume(&buf, 0);
    buf_consume(&buf, 4);
    assert_string_equal(buf_text(&buf), "ef");
    buf_consume(&buf, 2);
    assert_string_equal(buf_text(&buf), "");
    buf_fini(&buf);
}

static void clear_keeps_the_memory_and_fini_leaves_it_usable(void **state)
{
    (void)state;
    buf_t buf = {0};
    buf_append_str(&buf, "abc");
    const uint8_t *memory = buf.data;
    buf_clear(&buf);
    buf_append_str(&buf, "x");
    assert_ptr_equal(buf.data, memory);
    buf_fini(&buf);
    assert_null(buf.data);
    buf_append_str(&buf, "y");
    assert_string_equal(buf_text(&buf), "y");
    buf_fini(&buf);
}

static void a_span_is_compared_by_its_bytes(void **state)
{
    (void)state;
    assert_true(span_eq(SPAN("a\0b"), span_new("a\0b", 3)));
    assert_false(span_eq(SPAN("a\0b"), SPAN("a\0c")));
    assert_true(span_eq(span_new(NULL, 0), SPAN("")));
    assert_true(span_is(SPAN("abc"), "abc"));
    assert_false(span_is(SPAN("abc"), "ab"));
    assert_true(span_starts(SPAN("abc"), SPAN("ab")));
    assert_false(span_starts(SPAN("ab"), SPAN("abc")));
    assert_true(span_starts(SPAN(""), SPAN("")));
    assert_true(span_is(span_skip(SPAN("abc"), 2), "c"));
    assert_int_equal(span_str(NULL).size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeroed_memory_is_an_empty_buffer),
        cmocka_unit_test(what_is_appended_stands_in_order),
        cmocka_unit_test(numbers_are_written_in_decimal),
        cmocka_unit_test(a_long_text_survives_every_growth),
        cmocka_unit_test(reserved_room_is_used_by_advance),
        cmocka_unit_test(consuming_takes_from_the_front),
        cmocka_unit_test(clear_keeps_the_memory_and_fini_leaves_it_usable),
        cmocka_unit_test(a_span_is_compared_by_its_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
