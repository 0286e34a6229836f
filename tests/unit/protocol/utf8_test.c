/* protocol/utf8 against Unicode's own arithmetic: every code point, every sequence of up to three bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "protocol/utf8.h"

/* Encodes without asking whether it may: overlongs (`size` too large) and surrogates come out as they would.
 */
static void encode(uint32_t code, size_t size, uint8_t out[4])
{
    static const uint8_t lead[] = {0, 0x00, 0xc0, 0xe0, 0xf0};
    for (size_t i = size - 1; i > 0; i--, code >>= 6)
        out[i] = (uint8_t)(0x80 | (code & 0x3f));
    out[0] = (uint8_t)(lead[size] | code);
}

static size_t shortest(uint32_t code)
{
    return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

static bool is_scalar(uint32_t code)
{
    return code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

static void every_code_point_passes_in_its_shortest_form_only(void **state)
{
    (void)state;
    static const uint32_t limit[] = {0, 0x80, 0x800, 0x10000, 0x200000};
    for (size_t size = 1; size <= 4; size++)
        for (uint32_t code = 0; code < limit[size]; code++) {
            uint8_t bytes[4];
            encode(code, size, bytes);
            int expected = is_scalar(code) && shortest(code) == size ? OK : ERR_UTF8;
            if (utf8_check(span_new(bytes, size)) != expected)
                fail_msg("U+%X in %zu bytes", code, size);
        }
}

/* Decodes the straight way, to compare with. */
static bool naive_is_utf8(const uint8_t *at, size_t size)
{
    while (size > 0) {
        size_t count = *at < 0x80 ? 1 : *at >> 5 == 6 ? 2 : *at >> 4 == 14 ? 3 : *at >> 3 == 30 ? 4 : 0;
        if (count == 0 || count > size)
            return false;
        uint32_t code = count == 1 ? *at : *at & (0x7fu >> count);
        for (size_t i = 1; i < count; i++) {
            if (at[i] >> 6 != 2)
                return false;
            code = code << 6 | (at[i] & 0x3f);
        }
        if (!is_scalar(code) || shortest(code) != count)
            return false;
        at += count;
        size -= count;
    }
    return true;
}

static void every_sequence_of_three_bytes_is_judged_as_the_standard_does(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits < 1u << 24; bits++) {
        uint8_t bytes[] = {(uint8_t)(bits >> 16), (uint8_t)(bits >> 8), (uint8_t)bits};
        if ((utf8_check(span_new(bytes, 3)) == OK) != naive_is_utf8(bytes, 3))
            fail_msg("%02x %02x %02x", bytes[0], bytes[1], bytes[2]);
    }
}

static void a_byte_that_begins_no_character_is_refused_anywhere(void **state)
{
    (void)state;
    static const uint8_t stray[] = {0x80, 0xbf, 0xc0, 0xc1, 0xf5, 0xf8, 0xfe, 0xff};
    for (size_t s = 0; s < sizeof stray; s++)
        for (size_t at = 0; at < 20; at++) {
            uint8_t text[20];
            memset(text, 'x', sizeof text);
            text[at] = stray[s];
            assert_int_equal(utf8_check(span_new(text, sizeof text)), ERR_UTF8);
        }
}

static const char mixed[] =
    "plain ascii, long enough for whole words; \xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80 "
    "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82 \xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf";

static void a_text_may_come_in_pieces_cut_anywhere(void **state)
{
    (void)state;
    span_t text = SPAN(mixed);
    for (size_t a = 0; a <= text.size; a++)
        for (size_t b = a; b <= text.size; b++) {
            utf8_state_t now = 0;
            assert_int_equal(utf8_feed(&now, span_new(text.data, a)), OK);
            assert_int_equal(utf8_feed(&now, span_new(text.data + a, b - a)), OK);
            assert_int_equal(utf8_feed(&now, span_skip(text, b)), OK);
            assert_int_equal(now, 0);
        }
}

static void a_cut_character_leaves_a_state_and_fails_a_whole_text(void **state)
{
    (void)state;
    static const char *const cut[] = {"a\xc3",        "\xe2\x82", "\xe2",
                                      "\xf0\x9f\x98", "\xf0\x9f", "xxxxxxxx\xf0"};
    for (size_t i = 0; i < sizeof cut / sizeof *cut; i++) {
        utf8_state_t now = 0;
        assert_int_equal(utf8_feed(&now, span_str(cut[i])), OK);
        assert_int_not_equal(now, 0);
        assert_int_equal(utf8_check(span_str(cut[i])), ERR_UTF8);
        assert_int_equal(utf8_feed(&now, SPAN("a")), ERR_UTF8);
    }
}

static void nothing_is_a_text_too(void **state)
{
    (void)state;
    utf8_state_t now = 0;
    assert_int_equal(utf8_feed(&now, (span_t){0}), OK);
    assert_int_equal(now, 0);
    assert_int_equal(utf8_check((span_t){0}), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point_passes_in_its_shortest_form_only),
        cmocka_unit_test(every_sequence_of_three_bytes_is_judged_as_the_standard_does),
        cmocka_unit_test(a_byte_that_begins_no_character_is_refused_anywhere),
        cmocka_unit_test(a_text_may_come_in_pieces_cut_anywhere),
        cmocka_unit_test(a_cut_character_leaves_a_state_and_fails_a_whole_text),
        cmocka_unit_test(nothing_is_a_text_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
