#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "protocol/codec.h"
#include "protocol/limits.h"

#define BYTES(...) span_new((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
#define COUNT(a)   (sizeof(a) / sizeof *(a))

static void an_integer_is_read_as_it_was_written(void **state)
{
    (void)state;
    static const uint64_t values[] = {0,         1,          127,        128,           255,
                                      256,       65535,      65536,      UINT32_MAX,    1ull << 32,
                                      INT64_MAX, 1ull << 63, UINT64_MAX, UINT64_MAX - 1};
    for (size_t i = 0; i < COUNT(values); i++) {
        buf_t out = {0};
        codec_write_uint(&out, values[i]);
        codec_put_uint_wide(buf_reserve(&out, 9), values[i]);
        buf_advance(&out, 9);
        span_t rest = buf_span(&out);
        uint64_t narrow = ~values[i], wide = ~values[i];
        assert_int_equal(codec_read_uint(&rest, &narrow), OK);
        assert_int_equal(rest.size, 9);
        assert_int_equal(codec_read_uint(&rest, &wide), OK);
        assert_int_equal(rest.size, 0);
        assert_true(narrow == values[i] && wide == values[i]);
        buf_fini(&out);
    }
}

static void an_integer_may_come_in_any_width_and_signed(void **state)
{
    (void)state;
    const span_t fives[] = {BYTES(0x05),
                            BYTES(0xcc, 5),
                            BYTES(0xcd, 0, 5),
                            BYTES(0xce, 0, 0, 0, 5),
                            BYTES(0xcf, 0, 0, 0, 0, 0, 0, 0, 5),
                            BYTES(0xd0, 5),
                            BYTES(0xd1, 0, 5),
                            BYTES(0xd2, 0, 0, 0, 5),
                            BYTES(0xd3, 0, 0, 0, 0, 0, 0, 0, 5)};
    for (size_t i = 0; i < COUNT(fives); i++) {
        span_t rest = fives[i];
        uint64_t value = 0;
        assert_int_equal(codec_read_uint(&rest, &value), OK);
        assert_int_equal(value, 5);
        assert_int_equal(rest.size, 0);
    }
}

static void an_integer_below_zero_is_out_of_range(void **state)
{
    (void)state;
    const span_t negative[] = {BYTES(0xff),
                               BYTES(0xe0),
                               BYTES(0xd0, 0x80),
                               BYTES(0xd1, 0xff, 0xff),
                               BYTES(0xd2, 0x80, 0, 0, 0),
                               BYTES(0xd3, 0xff, 0, 0, 0, 0, 0, 0, 0)};
    for (size_t i = 0; i < COUNT(negative); i++) {
        span_t rest = negative[i];
        uint64_t value = 7;
        assert_int_equal(codec_read_uint(&rest, &value), ERR_RANGE);
        assert_int_equal(value, 7);
        assert_int_equal(rest.size, negative[i].size);
    }
}

static void what_is_no_integer_has_the_wrong_type(void **state)
{
    (void)state;
    const span_t others[] = {BYTES(0xc0), BYTES(0xc3),         BYTES(0xca, 0, 0, 0, 0), BYTES(0xa1, 'x'),
                             BYTES(0x90), BYTES(0xc4, 1, 'x'), BYTES(0xd4, 1, 0),       BYTES(0x80)};
    for (size_t i = 0; i < COUNT(others); i++) {
        span_t rest = others[i];
        uint64_t value;
        assert_int_equal(codec_read_uint(&rest, &value), ERR_TYPE);
        assert_int_equal(rest.size, others[i].size);
    }
}

static void text_is_a_str_and_data_is_a_bin_or_a_str(void **state)
{
    (void)state;
    span_t out, str = BYTES(0xa2, 'h', 'i', 0x01), bin = BYTES(0xc4, 2, 'h', 'i', 0x01), rest = str;
    assert_int_equal(codec_read_text(&rest, 2, &out), OK);
    assert_true(span_is(out, "hi"));
    assert_int_equal(rest.size, 1);
    rest = str;
    assert_int_equal(codec_read_data(&rest, 2, &out), OK);
    assert_true(span_is(out, "hi"));
    rest = bin;
    assert_int_equal(codec_read_data(&rest, 2, &out), OK);
    assert_true(span_is(out, "hi"));
    assert_int_equal(rest.size, 1);
    rest = bin;
    assert_int_equal(codec_read_text(&rest, 2, &out), ERR_TYPE);
    assert_int_equal(rest.size, bin.size);
}

static void bytes_of_every_size_class_come_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 31, 32, 255, 256, 65535, 65536, 100000};
    static uint8_t bytes[100000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        buf_t out = {0};
        span_t text, data;
        codec_write_text(&out, span_new(bytes, sizes[i]));
        codec_write_data(&out, span_new(bytes, sizes[i]));
        span_t rest = buf_span(&out);
        assert_int_equal(codec_read_text(&rest, sizes[i], &text), OK);
        assert_int_equal(codec_read_data(&rest, sizes[i], &data), OK);
        assert_true(span_eq(text, span_new(bytes, sizes[i])) && span_eq(data, text));
        assert_int_equal(rest.size, 0);
        rest = buf_span(&out);
        if (sizes[i])
            assert_int_equal(codec_read_text(&rest, sizes[i] - 1, &text), ERR_TOO_BIG);
        buf_fini(&out);
    }
}

/* One value of each format, complete. */
static size_t write_formats(span_t *out)
{
    static uint8_t room[64][32];
    size_t count = 0;
    static const struct {
        uint8_t first, head, body;
    } rows[] = {
        {0xc0, 0, 0}, {0xc2, 0, 0}, {0xc3, 0, 0}, {0xc4, 1, 3}, {0xc5, 2, 3}, {0xc6, 4, 3},
        {0xc7, 1, 4}, {0xc8, 2, 4}, {0xc9, 4, 4}, {0xca, 0, 4}, {0xcb, 0, 8}, {0xcc, 0, 1},
        {0xcd, 0, 2}, {0xce, 0, 4}, {0xcf, 0, 8}, {0xd0, 0, 1}, {0xd1, 0, 2}, {0xd2, 0, 4},
        {0xd3, 0, 8}, {0xd4, 0, 2}, {0xd5, 0, 3}, {0xd6, 0, 5}, {0xd7, 0, 9}, {0xd8, 0, 17},
        {0xd9, 1, 3}, {0xda, 2, 3}, {0xdb, 4, 3}, {0xdc, 2, 3}, {0xdd, 4, 3}, {0xde, 2, 6},
        {0xdf, 4, 6}, {0x7f, 0, 0}, {0xe0, 0, 0}, {0x93, 0, 3}, {0x83, 0, 6}, {0xa3, 0, 3},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        room[i][0] = rows[i].first;
        if (rows[i].head)
            room[i][rows[i].head] = 3; /* bytes, items or pairs; the values in them are small integers */
        out[count++] = span_new(room[i], 1u + rows[i].head + rows[i].body);
    }
    return count;
}

static void every_format_can_be_passed_over(void **state)
{
    (void)state;
    span_t values[64];
    size_t count = write_formats(values);
    for (size_t i = 0; i < count; i++) {
        span_t rest = values[i];
        assert_int_equal(codec_skip(&rest), OK);
        assert_int_equal(rest.size, 0);
    }
}

static void a_value_that_is_cut_anywhere_is_truncated_and_stays(void **state)
{
    (void)state;
    span_t values[64];
    size_t count = write_formats(values);
    for (size_t i = 0; i < count; i++) {
        for (size_t size = 0; size < values[i].size; size++) {
            span_t rest = span_new(values[i].data, size), out;
            uint64_t number;
            assert_int_equal(codec_skip(&rest), ERR_TRUNCATED);
            assert_int_not_equal(codec_read_uint(&rest, &number), OK);
            assert_int_not_equal(codec_read_data(&rest, 100, &out), OK);
            assert_int_not_equal(codec_read_list(&rest, 100, &out), OK);
            assert_int_equal(rest.size, size);
        }
    }
}

static void a_bomb_is_refused_by_its_head(void **state)
{
    (void)state;
    const span_t bombs[] = {BYTES(0xdd, 0xff, 0xff, 0xff, 0xff),    BYTES(0xdf, 0xff, 0xff, 0xff, 0xff),
                            BYTES(0xdb, 0xff, 0xff, 0xff, 0xff),    BYTES(0xc6, 0xff, 0xff, 0xff, 0xff),
                            BYTES(0xc9, 0xff, 0xff, 0xff, 0xff, 1), BYTES(0xdc, 0xff, 0xff)};
    for (size_t i = 0; i < COUNT(bombs); i++) {
        span_t rest = bombs[i], out;
        uint32_t count;
        assert_int_equal(codec_skip(&rest), ERR_TRUNCATED);
        assert_int_not_equal(codec_read_array(&rest, &count), OK);
        assert_int_not_equal(codec_read_list(&rest, SIZE_MAX, &out), OK);
        assert_int_not_equal(codec_read_data(&rest, SIZE_MAX, &out), OK);
    }
}

static void the_byte_that_msgpack_never_uses_is_malformed(void **state)
{
    (void)state;
    span_t rest = BYTES(0xc1, 0), nested = BYTES(0x92, 0x01, 0xc1);
    uint64_t number;
    assert_int_equal(codec_read_uint(&rest, &number), ERR_MALFORMED);
    assert_int_equal(codec_skip(&rest), ERR_MALFORMED);
    assert_int_equal(codec_skip(&nested), ERR_MALFORMED);
}

/* `depth` arrays in each other, and an integer. */
static span_t nest(uint8_t room[32], size_t depth)
{
    memset(room, 0x91, depth);
    room[depth] = 0x01;
    return span_new(room, depth + 1);
}

static void nesting_is_followed_to_the_limit_and_no_further(void **state)
{
    (void)state;
    uint8_t room[32];
    span_t rest = nest(room, WIRE_DEPTH), out;
    assert_int_equal(codec_read_list(&rest, 100, &out), OK);
    assert_int_equal(rest.size, 0);
    rest = nest(room, WIRE_DEPTH + 1);
    assert_int_equal(codec_skip(&rest), ERR_DEPTH);
    assert_int_equal(codec_read_list(&rest, 100, &out), ERR_DEPTH);
    assert_int_equal(rest.size, WIRE_DEPTH + 2);
}

static void arrays_with_nothing_in_them_do_not_count_as_depth(void **state)
{
    (void)state;
    uint8_t room[32];
    span_t rest = nest(room, WIRE_DEPTH);
    room[WIRE_DEPTH] = 0x90;
    assert_int_equal(codec_skip(&rest), OK);
}

static void a_list_is_handed_out_as_its_bytes(void **state)
{
    (void)state;
    span_t whole = BYTES(0x93, 0x01, 0x92, 0xa1, 'x', 0xc0, 0x81, 0x02, 0x03, 0x7f), rest = whole, list;
    assert_int_equal(codec_read_list(&rest, 9, &list), OK);
    assert_true(span_eq(list, span_new(whole.data, 9)));
    assert_int_equal(rest.size, 1);
    rest = whole;
    assert_int_equal(codec_read_list(&rest, 8, &list), ERR_TOO_BIG);
    rest = BYTES(0x81, 0x01, 0x01);
    assert_int_equal(codec_read_list(&rest, 8, &list), ERR_TYPE);
}

static void an_array_claims_no_more_items_than_there_are_bytes(void **state)
{
    (void)state;
    span_t rest = BYTES(0x93, 0x01, 0x01, 0x01);
    uint32_t count = 0;
    assert_int_equal(codec_read_array(&rest, &count), OK);
    assert_int_equal(count, 3);
    assert_int_equal(rest.size, 3);
    rest = BYTES(0x93, 0x01, 0x01);
    assert_int_equal(codec_read_array(&rest, &count), ERR_TRUNCATED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_integer_is_read_as_it_was_written),
        cmocka_unit_test(an_integer_may_come_in_any_width_and_signed),
        cmocka_unit_test(an_integer_below_zero_is_out_of_range),
        cmocka_unit_test(what_is_no_integer_has_the_wrong_type),
        cmocka_unit_test(text_is_a_str_and_data_is_a_bin_or_a_str),
        cmocka_unit_test(bytes_of_every_size_class_come_back),
        cmocka_unit_test(every_format_can_be_passed_over),
        cmocka_unit_test(a_value_that_is_cut_anywhere_is_truncated_and_stays),
        cmocka_unit_test(a_bomb_is_refused_by_its_head),
        cmocka_unit_test(the_byte_that_msgpack_never_uses_is_malformed),
        cmocka_unit_test(nesting_is_followed_to_the_limit_and_no_further),
        cmocka_unit_test(arrays_with_nothing_in_them_do_not_count_as_depth),
        cmocka_unit_test(a_list_is_handed_out_as_its_bytes),
        cmocka_unit_test(an_array_claims_no_more_items_than_there_are_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
