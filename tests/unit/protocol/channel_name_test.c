#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/random.h"
#include "protocol/channel_name.h"

static span_t repeat(char *out, char letter, size_t count)
{
    memset(out, letter, count);
    return span_new(out, count);
}

static void a_name_is_1_to_255_bytes(void **state)
{
    (void)state;
    char text[256];
    assert_int_equal(channel_name_check((span_t){0}), ERR_RANGE);
    assert_int_equal(channel_name_check(repeat(text, 'a', 1)), OK);
    assert_int_equal(channel_name_check(repeat(text, 'a', 255)), OK);
    assert_int_equal(channel_name_check(repeat(text, 'a', 256)), ERR_RANGE);
}

static void exactly_the_printable_ascii_bytes_are_allowed(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        uint8_t text[] = {'a', (uint8_t)byte, 'b'};
        int expected = byte > 0x20 && byte < 0x7f ? OK : ERR_MALFORMED;
        assert_int_equal(channel_name_check(span_new(text, sizeof text)), expected);
    }
}

static void the_namespace_stands_before_the_first_colon(void **state)
{
    (void)state;
    static const struct row {
        const char *name, *namespace;
        bool is_private;
    } rows[] = {
        {"chat:room", "chat", false},  {"$chat:room", "chat", true},
        {"room", "", false},           {"$room", "", true},
        {"a:b:c", "a", false},         {"ns:", "ns", false},
        {"A-z_09:x", "A-z_09", false}, {"$", "", true},
        {"ns:$x", "ns", false},        {"user#42", "", false},
        {"ns:a*b?c/d.e", "ns", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        span_t name = span_str(rows[i].name);
        assert_int_equal(channel_name_check(name), OK);
        assert_true(span_is(channel_name_namespace(name), rows[i].namespace));
        assert_int_equal(channel_name_is_private(name), rows[i].is_private);
    }
}

static void what_can_be_no_namespace_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = {":",        ":room", "$:room", "a.b:room",
                                        "$$a:room", "a/b:c", "*:x",    "http+:x"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(channel_name_check(span_str(names[i])), ERR_MALFORMED);
    char text[80];
    repeat(text, 'n', 64);
    memcpy(text + 64, ":x", 2);
    assert_int_equal(channel_name_check(span_new(text, 66)), OK);
    repeat(text, 'n', 65);
    memcpy(text + 65, ":x", 2);
    assert_int_equal(channel_name_check(span_new(text, 67)), ERR_MALFORMED);
}

static void a_namespace_name_is_1_to_64_letters_digits_underscores_and_hyphens(void **state)
{
    (void)state;
    char text[65];
    assert_int_equal(channel_name_check_namespace((span_t){0}), ERR_RANGE);
    assert_int_equal(channel_name_check_namespace(repeat(text, '-', 64)), OK);
    assert_int_equal(channel_name_check_namespace(repeat(text, 'a', 65)), ERR_RANGE);
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    for (int byte = 0; byte < 256; byte++) {
        uint8_t one = (uint8_t)byte;
        int expected = byte && strchr(allowed, byte) ? OK : ERR_MALFORMED;
        assert_int_equal(channel_name_check_namespace(span_new(&one, 1)), expected);
    }
}

static void a_star_stands_for_any_run_of_bytes(void **state)
{
    (void)state;
    static const struct row {
        const char *name, *pattern;
        bool matches;
    } rows[] = {
        {"chat:1", "chat:1", true},    {"chat:1", "chat:*", true},
        {"chat:", "chat:*", true},     {"chat:1", "*", true},
        {"chat:1", "**", true},        {"chat:1", "*:1", true},
        {"chat:1", "c*t:*", true},     {"chat:1", "chat", false},
        {"chat", "chat:*", false},     {"chat:1", "*2", false},
        {"aab", "*ab", true},          {"aaab", "a*ab", true},
        {"ab", "ab*ab", false},        {"aba", "ab*ba", false},
        {"abab", "ab*ab", true},       {"abcabc", "*bc*bc", true},
        {"abc", "*bc*bc", false},      {"xaxbxcx", "*a*b*c*", true},
        {"xaxcxbx", "*a*b*c*", false}, {"a", "", false},
        {"a*b", "a*b", true},          {"CHAT:1", "chat:*", false},
        {"chat:1", "*chat:1*", true},  {"chat:1", "chat:1**", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (channel_name_matches(span_str(rows[i].name), span_str(rows[i].pattern)) != rows[i].matches)
            fail_msg("%s against %s", rows[i].name, rows[i].pattern);
    assert_true(channel_name_matches((span_t){0}, (span_t){0}));
    assert_true(channel_name_matches((span_t){0}, SPAN("*")));
}

/* What "any run of bytes" means, word for word. */
static bool naive_matches(span_t name, span_t pattern)
{
    if (pattern.size == 0)
        return name.size == 0;
    if (pattern.data[0] == '*')
        return naive_matches(name, span_skip(pattern, 1)) ||
               (name.size > 0 && naive_matches(span_skip(name, 1), pattern));
    return name.size > 0 && name.data[0] == pattern.data[0] &&
           naive_matches(span_skip(name, 1), span_skip(pattern, 1));
}

static void patterns_match_as_a_naive_matcher_says(void **state)
{
    (void)state;
    random_t random = {20240607};
    size_t matched = 0;
    for (int round = 0; round < 200000; round++) {
        char name[8], pattern[8];
        size_t name_size = random_below(&random, sizeof name),
               pattern_size = random_below(&random, sizeof pattern);
        for (size_t i = 0; i < name_size; i++)
            name[i] = "ab"[random_below(&random, 2)];
        for (size_t i = 0; i < pattern_size; i++)
            pattern[i] = "ab**"[random_below(&random, 4)];
        span_t n = span_new(name, name_size), p = span_new(pattern, pattern_size);
        bool expected = naive_matches(n, p);
        matched += expected;
        if (channel_name_matches(n, p) != expected)
            fail_msg("%.*s against %.*s", SPAN_FMT(n), SPAN_FMT(p));
    }
    assert_true(matched > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_1_to_255_bytes),
        cmocka_unit_test(exactly_the_printable_ascii_bytes_are_allowed),
        cmocka_unit_test(the_namespace_stands_before_the_first_colon),
        cmocka_unit_test(what_can_be_no_namespace_is_refused),
        cmocka_unit_test(a_namespace_name_is_1_to_64_letters_digits_underscores_and_hyphens),
        cmocka_unit_test(a_star_stands_for_any_run_of_bytes),
        cmocka_unit_test(patterns_match_as_a_naive_matcher_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
