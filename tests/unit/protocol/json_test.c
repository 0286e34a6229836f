#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "protocol/json.h"
#include "tests/unit/protocol/json_cases.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Parses a copy that ends where its memory ends, so that the sanitizer sees a step too far. */
static int parse_alone(span_t text)
{
    char *copy = mem_new(text.size);
    if (text.size)
        memcpy(copy, text.data, text.size);
    json_value_t value;
    int err = json_parse(span_new(copy, text.size), &value);
    mem_free(copy);
    return err;
}

static json_value_t parsed(const char *text)
{
    json_value_t value;
    assert_int_equal(json_parse(span_str(text), &value), OK);
    return value;
}

/* --- the grammar --- */

static void judge(const json_case_t *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int err = parse_alone(span_new(cases[i].text, cases[i].size));
        if (err != cases[i].expected)
            fail_msg("<%s>: %s instead of %s", cases[i].text, err_name(err), err_name(cases[i].expected));
    }
}

static void numbers_are_as_the_grammar_has_them(void **state)
{
    (void)state;
    judge(number_cases, COUNT(number_cases));
}

static void strings_are_utf8_with_the_eight_escapes(void **state)
{
    (void)state;
    judge(string_cases, COUNT(string_cases));
}

static void three_words_are_known(void **state)
{
    (void)state;
    judge(word_cases, COUNT(word_cases));
}

static void brackets_commas_and_colons_stand_where_they_must(void **state)
{
    (void)state;
    judge(structure_cases, COUNT(structure_cases));
}

static void a_special_byte_is_seen_at_every_place_in_a_string(void **state)
{
    (void)state;
    for (size_t size = 1; size < 40; size++)
        for (size_t at = 0; at < size; at++)
            for (unsigned byte = 0; byte < 256; byte++) {
                char text[42];
                memset(text, 'x', sizeof text);
                text[0] = text[size + 1] = '"';
                text[at + 1] = (char)byte;
                int expected = byte < 0x20 || byte == '"' ? ERR_MALFORMED : byte >= 0x80 ? ERR_UTF8 : OK;
                if (byte == '\\') /* then \x, or an escaped closing quote */
                    expected = at + 1 < size ? ERR_MALFORMED : ERR_TRUNCATED;
                assert_int_equal(parse_alone(span_new(text, size + 2)), expected);
            }
}

static void a_beginning_of_a_container_is_truncated_wherever_it_is_cut(void **state)
{
    (void)state;
    span_t text = SPAN(
        " {\"id\":17, \"a\\u00e4\\n\":[true,false,null,-1.5e+3,\"\xc3\xa4\xf0\x9f\x98\x80\"], \"o\":{}}");
    for (size_t size = 0; size < text.size; size++)
        assert_int_equal(parse_alone(span_new(text.data, size)), ERR_TRUNCATED);
    assert_int_equal(parse_alone(text), OK);
}

/* `depth` containers in each other; objects where the pattern has a 1. */
static buf_t nested(size_t depth, uint64_t pattern)
{
    buf_t text = {0};
    for (size_t i = 0; i < depth; i++)
        buf_append_str(&text, pattern >> (i % 64) & 1 ? "{\"k\":" : "[");
    buf_append_str(&text, "1");
    for (size_t i = depth; i-- > 0;)
        buf_append_str(&text, pattern >> (i % 64) & 1 ? "}" : "]");
    return text;
}

static void sixty_four_levels_are_accepted_and_the_next_is_refused(void **state)
{
    (void)state;
    static const uint64_t patterns[] = {0, UINT64_MAX, 0x5555555555555555u, 0x8000000000000001u,
                                        0x123456789abcdefu};
    for (size_t i = 0; i < COUNT(patterns); i++) {
        buf_t fits = nested(JSON_DEPTH, patterns[i]), over = nested(JSON_DEPTH + 1, patterns[i]);
        assert_int_equal(parse_alone(buf_span(&fits)), OK);
        assert_int_equal(parse_alone(buf_span(&over)), ERR_DEPTH);
        fits.data[fits.size - 1] ^= ']' ^ '}';
        assert_int_equal(parse_alone(buf_span(&fits)), ERR_MALFORMED);
        buf_fini(&fits);
        buf_fini(&over);
    }
}

static void a_hundred_thousand_brackets_are_refused_at_the_sixty_fifth(void **state)
{
    (void)state;
    static const char *const openings[] = {"[", "{\"a\":", "[{\"a\":[", "[[],"};
    for (size_t i = 0; i < COUNT(openings); i++) {
        buf_t text = {0};
        for (size_t n = 0; n < 100000; n++)
            buf_append_str(&text, openings[i]);
        assert_int_equal(parse_alone(buf_span(&text)), ERR_DEPTH);
        buf_fini(&text);
    }
    assert_int_equal(parse_alone(SPAN("[[[]],[[]],[[]]]")), OK);
}

static void the_value_is_the_bytes_that_stood_there(void **state)
{
    (void)state;
    static const struct row {
        const char *text, *raw;
        json_type_t type;
    } rows[] = {
        {" null ", "null", JSON_NULL},      {"true", "true", JSON_BOOL},
        {"\tfalse\n", "false", JSON_BOOL},  {" 12345678901234567890 ", "12345678901234567890", JSON_NUMBER},
        {"1.10\n", "1.10", JSON_NUMBER},    {" \"a\\/b\" ", "\"a\\/b\"", JSON_STRING},
        {"\n[ 1 ]\n", "[ 1 ]", JSON_ARRAY}, {" { \"a\" : -0 } ", "{ \"a\" : -0 }", JSON_OBJECT},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        json_value_t value = parsed(rows[i].text);
        assert_int_equal(value.type, rows[i].type);
        assert_true(span_is(value.raw, rows[i].raw));
    }
}

static void a_refused_text_leaves_the_value_as_it_was(void **state)
{
    (void)state;
    json_value_t value = parsed("17");
    assert_int_equal(json_parse(SPAN("[1] x"), &value), ERR_MALFORMED);
    assert_int_equal(json_parse(SPAN("[1"), &value), ERR_TRUNCATED);
    assert_true(span_is(value.raw, "17"));
}

/* --- values in a row --- */

static void values_in_a_row_come_one_by_one(void **state)
{
    (void)state;
    static const char *const expected[] = {"{\"id\":1}", "[2]", "3", "\"4\"", "null"};
    span_t rest = SPAN("\n{\"id\":1}\n[2] 3\r\n\"4\"\n\nnull\n");
    json_value_t value;
    for (size_t i = 0; i < COUNT(expected); i++) {
        assert_int_equal(json_parse_next(&rest, &value), OK);
        assert_true(span_is(value.raw, expected[i]));
    }
    assert_int_equal(rest.size, 0);
    assert_int_equal(json_parse_next(&rest, &value), ERR_NOT_FOUND);
    rest = SPAN(" \n ");
    assert_int_equal(json_parse_next(&rest, &value), ERR_NOT_FOUND);
    rest = (span_t){0};
    assert_int_equal(json_parse_next(&rest, &value), ERR_NOT_FOUND);
}

static void values_that_nothing_parts_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"{}{}",       "01",  "-01", "truefalse", "1\"a\"",
                                        "\"a\"\"b\"", "[]1", "1,2", "{},",       "1]"};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        span_t rest = span_str(wrong[i]);
        json_value_t value;
        assert_int_equal(json_parse_next(&rest, &value), ERR_MALFORMED);
        assert_int_equal(rest.size, strlen(wrong[i]));
    }
    span_t rest = SPAN("{} {\"a\":");
    json_value_t value;
    assert_int_equal(json_parse_next(&rest, &value), OK);
    assert_int_equal(json_parse_next(&rest, &value), ERR_TRUNCATED);
    assert_true(span_is(rest, "{\"a\":"));
}

/* --- walking --- */

static void items_and_members_come_in_order(void **state)
{
    (void)state;
    json_value_t array = parsed(" [ 1 ,\"a,]\\\"\",[2,[3]] , {\"x\":[]},true,null , -1.5e3 ] ");
    static const char *const items[] = {"1",    "\"a,]\\\"\"", "[2,[3]]", "{\"x\":[]}",
                                        "true", "null",        "-1.5e3"};
    json_cursor_t cursor = json_cursor(&array);
    json_value_t item;
    for (size_t i = 0; i < COUNT(items); i++) {
        assert_true(json_next_item(&cursor, &item));
        assert_true(span_is(item.raw, items[i]));
    }
    assert_false(json_next_item(&cursor, &item));
    assert_false(json_next_item(&cursor, &item));

    json_value_t object =
        parsed("{ \"a\" : 1, \"\":\"\xc3\xa4\\\\\" ,\"b\\\"}\" :{\"c\":\"}\"},\"d\":[{}] }");
    static const char *const keys[] = {"a", "", "b\\\"}", "d"};
    static const char *const values[] = {"1", "\"\xc3\xa4\\\\\"", "{\"c\":\"}\"}", "[{}]"};
    cursor = json_cursor(&object);
    span_t key;
    for (size_t i = 0; i < COUNT(keys); i++) {
        assert_true(json_next_member(&cursor, &key, &item));
        assert_true(span_is(key, keys[i]));
        assert_true(span_is(item.raw, values[i]));
    }
    assert_false(json_next_member(&cursor, &key, &item));
}

static void empty_containers_and_scalars_hold_nothing(void **state)
{
    (void)state;
    static const char *const texts[] = {"[]", "{}", "[ \n ]", "{ }", "1", "\"abc\"", "null", "true"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        json_value_t value = parsed(texts[i]), item;
        span_t key;
        json_cursor_t cursor = json_cursor(&value);
        assert_false(json_next_item(&cursor, &item));
        assert_int_equal(cursor.rest.size, 0);
        cursor = json_cursor(&value);
        assert_false(json_next_member(&cursor, &key, &item));
        assert_int_equal(cursor.rest.size, 0);
    }
}

static void a_member_is_found_by_its_bytes(void **state)
{
    (void)state;
    json_value_t object = parsed("{\"x\":{\"a\":0},\"\\u0061\":1,\"a\":2,\"a\":3,\"ab\":4}"), value;
    assert_true(json_get(&object, "a", &value));
    assert_true(span_is(value.raw, "2"));
    assert_true(json_get(&object, "ab", &value));
    assert_true(span_is(value.raw, "4"));
    assert_false(json_get(&object, "b", &value));
    assert_false(json_get(&object, "", &value));
    json_value_t array = parsed("[\"a\",1]");
    assert_false(json_get(&array, "a", &value));
}

static int check_keys(const char *text)
{
    json_value_t value = parsed(text);
    return json_check_keys(&value);
}

static void doubtful_keys_are_refused(void **state)
{
    (void)state;
    assert_int_equal(check_keys("{}"), OK);
    assert_int_equal(check_keys("{\"a\":1,\"b\":2,\"A\":3,\"\":4}"), OK);
    assert_int_equal(check_keys("{\"a\":{\"a\":1},\"b\":{\"a\":1,\"a\":2}}"), OK);
    assert_int_equal(check_keys("{\"a\":1,\"b\":2,\"a\":1}"), ERR_DUPLICATE);
    assert_int_equal(check_keys("{\"\":1,\"\":2}"), ERR_DUPLICATE);
    assert_int_equal(check_keys("{\"\\u0061\":1}"), ERR_MALFORMED);
    assert_int_equal(check_keys("{\"a\":1,\"b\\/\":1}"), ERR_MALFORMED);
    assert_int_equal(check_keys("[1]"), ERR_TYPE);
    assert_int_equal(check_keys("\"a\""), ERR_TYPE);
}

static void thirty_two_keys_are_compared_and_more_refused(void **state)
{
    (void)state;
    buf_t text = {0};
    buf_append_str(&text, "{\"k\":0");
    for (int i = 1; i < 32; i++)
        buf_printf(&text, ",\"k%d\":%d", i, i);
    buf_append_str(&text, "}");
    assert_int_equal(check_keys(buf_text(&text)), OK);
    text.size--;
    buf_append_str(&text, ",\"one more\":1}");
    assert_int_equal(check_keys(buf_text(&text)), ERR_TOO_BIG);
    buf_fini(&text);
}

/* --- taking values --- */

static void whole_numbers_are_read_to_their_limits(void **state)
{
    (void)state;
    static const struct row {
        const char *text;
        int u64_err;
        uint64_t u64;
        int i64_err;
        int64_t i64;
    } rows[] = {
        {"0", OK, 0, OK, 0},
        {"17", OK, 17, OK, 17},
        {"-0", ERR_RANGE, 0, OK, 0},
        {"-1", ERR_RANGE, 0, OK, -1},
        {"9223372036854775807", OK, INT64_MAX, OK, INT64_MAX},
        {"9223372036854775808", OK, 9223372036854775808u, ERR_RANGE, 0},
        {"-9223372036854775808", ERR_RANGE, 0, OK, INT64_MIN},
        {"-9223372036854775809", ERR_RANGE, 0, ERR_RANGE, 0},
        {"18446744073709551615", OK, UINT64_MAX, ERR_RANGE, 0},
        {"18446744073709551616", ERR_RANGE, 0, ERR_RANGE, 0},
        {"184467440737095516150", ERR_RANGE, 0, ERR_RANGE, 0},
        {"99999999999999999999999", ERR_RANGE, 0, ERR_RANGE, 0},
        {"99999999999999999999999.5", ERR_TYPE, 0, ERR_TYPE, 0},
        {"1.0", ERR_TYPE, 0, ERR_TYPE, 0},
        {"1e3", ERR_TYPE, 0, ERR_TYPE, 0},
        {"-1.5", ERR_TYPE, 0, ERR_TYPE, 0},
        {"\"1\"", ERR_TYPE, 0, ERR_TYPE, 0},
        {"true", ERR_TYPE, 0, ERR_TYPE, 0},
        {"null", ERR_TYPE, 0, ERR_TYPE, 0},
        {"[1]", ERR_TYPE, 0, ERR_TYPE, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        json_value_t value = parsed(rows[i].text);
        uint64_t u64 = 0;
        int64_t i64 = 0;
        assert_int_equal(json_to_u64(&value, &u64), rows[i].u64_err);
        assert_int_equal(u64, rows[i].u64);
        assert_int_equal(json_to_i64(&value, &i64), rows[i].i64_err);
        assert_true(i64 == rows[i].i64);
    }
}

static void booleans_are_true_or_false_and_nothing_else(void **state)
{
    (void)state;
    json_value_t yes = parsed("true"), no = parsed("false"), number = parsed("1"), text = parsed("\"true\"");
    bool flag = false;
    assert_int_equal(json_to_bool(&yes, &flag), OK);
    assert_true(flag);
    assert_int_equal(json_to_bool(&no, &flag), OK);
    assert_false(flag);
    assert_int_equal(json_to_bool(&number, &flag), ERR_TYPE);
    assert_int_equal(json_to_bool(&text, &flag), ERR_TYPE);
}

static void a_string_without_escapes_is_a_span(void **state)
{
    (void)state;
    json_value_t plain = parsed("\"chat:\xc3\xa4\""), empty = parsed("\"\""), escaped = parsed("\"a\\/b\"");
    json_value_t number = parsed("17");
    span_t text;
    assert_int_equal(json_to_span(&plain, &text), OK);
    assert_true(span_is(text, "chat:\xc3\xa4"));
    assert_int_equal(json_to_span(&empty, &text), OK);
    assert_int_equal(text.size, 0);
    assert_int_equal(json_to_span(&escaped, &text), ERR_TYPE);
    assert_int_equal(json_to_span(&number, &text), ERR_TYPE);
}

static void escapes_are_decoded(void **state)
{
    (void)state;
#define ROW(json, text)              \
    {                                \
        json, text, sizeof(text) - 1 \
    }
    static const struct row {
        const char *json, *text;
        size_t size;
    } rows[] = {
        ROW("\"\"", ""),
        ROW("\"plain\"", "plain"),
        ROW("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"),
        ROW("\"a\\u0000b\"", "a\0b"),
        ROW("\"\\u0041\\u007f\\u0080\\u07ff\"", "A\x7f\xc2\x80\xdf\xbf"),
        ROW("\"\\u0800\\u20aC\\uD7FF\\uE000\\uffff\"",
            "\xe0\xa0\x80\xe2\x82\xac\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"),
        ROW("\"\\ud83d\\ude00\\uD800\\uDC00\\udbff\\udfff\"",
            "\xf0\x9f\x98\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"),
        ROW("\"\xc3\xa4\\n\xc3\xa4\"", "\xc3\xa4\n\xc3\xa4"),
    };
#undef ROW
    for (size_t i = 0; i < COUNT(rows); i++) {
        json_value_t value = parsed(rows[i].json);
        buf_t out = {0};
        buf_append_str(&out, "before ");
        assert_int_equal(json_to_text(&value, &out), OK);
        assert_true(span_eq(span_skip(buf_span(&out), 7), span_new(rows[i].text, rows[i].size)));
        buf_fini(&out);
    }
}

static void half_a_surrogate_pair_is_not_decoded_and_leaves_nothing(void **state)
{
    (void)state;
    static const char *const halves[] = {
        "\"\\ud800\"",       "\"\\udc00\\udc00\"",        "\"\\udc00\"",        "\"abc\\ud800x\"",
        "\"\\ud800\\n\"",    "\"\\ud800\\u0041\"",        "\"\\ud800\\ud800\"", "\"\\udc00\\ud800\"",
        "\"\\ud800\\\\u0\"", "\"\\ud83d\\ude00\\udbff\"", "\"\\ud800uDC00\"",
    };
    buf_t out = {0};
    buf_append_str(&out, "kept");
    for (size_t i = 0; i < COUNT(halves); i++) {
        json_value_t value = parsed(halves[i]);
        assert_int_equal(json_to_text(&value, &out), ERR_UTF8);
        assert_true(span_is(buf_span(&out), "kept"));
    }
    json_value_t number = parsed("1");
    assert_int_equal(json_to_text(&number, &out), ERR_TYPE);
    buf_fini(&out);
}

/* --- writing --- */

static void assert_written(span_t text, const char *expected)
{
    buf_t out = {0};
    json_append_string(&out, text);
    if (!span_is(buf_span(&out), expected))
        fail_msg("<%s> instead of <%s>", buf_text(&out), expected);
    assert_int_equal(parse_alone(buf_span(&out)), OK);
    buf_fini(&out);
}

static void a_string_is_written_with_the_escapes_it_needs(void **state)
{
    (void)state;
    assert_written((span_t){0}, "\"\"");
    assert_written(SPAN("plain, and longer than eight bytes"), "\"plain, and longer than eight bytes\"");
    assert_written(SPAN("\"\\/\b\f\n\r\t"), "\"\\\"\\\\/\\b\\f\\n\\r\\t\"");
    assert_written(SPAN("\0\x01\x1f\x7f"), "\"\\u0000\\u0001\\u001f\x7f\"");
    assert_written(SPAN("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
}

static void what_is_no_utf8_is_replaced(void **state)
{
    (void)state;
#define FFFD "\xef\xbf\xbd"
    assert_written(SPAN("a\xff"
                        "b"),
                   "\"a" FFFD "b\"");
    assert_written(SPAN("\x80\xbf"), "\"" FFFD FFFD "\"");
    assert_written(SPAN("\xe2\x82"), "\"" FFFD "\"");
    assert_written(SPAN("\xe2\x82x"), "\"" FFFD "x\"");
    assert_written(SPAN("\xf0\x9f\x98\xc3\xa4"), "\"" FFFD "\xc3\xa4\"");
    assert_written(SPAN("\xed\xa0\x80"), "\"" FFFD FFFD FFFD "\"");
    assert_written(SPAN("\xc3\""), "\"" FFFD "\\\"\"");
#undef FFFD
}

static void any_text_comes_back_from_what_was_written(void **state)
{
    (void)state;
    for (uint32_t code = 0; code < 0x110000; code += code < 0x1000 ? 1 : 97) {
        if (code >= 0xd800 && code <= 0xdfff)
            continue;
        char escape[32];
        uint32_t above = code - 0x10000;
        if (code < 0x10000)
            snprintf(escape, sizeof escape, "\"\\u%04X\"", code);
        else
            snprintf(escape, sizeof escape, "\"\\u%04x\\u%04x\"", 0xd800 + (above >> 10),
                     0xdc00 + (above & 0x3ff));
        json_value_t value = parsed(escape);
        buf_t text = {0}, json = {0}, again = {0};
        assert_int_equal(json_to_text(&value, &text), OK);
        json_append_string(&json, buf_span(&text));
        assert_int_equal(json_parse(buf_span(&json), &value), OK);
        assert_int_equal(json_to_text(&value, &again), OK);
        assert_true(span_eq(buf_span(&text), buf_span(&again)));
        buf_fini(&text);
        buf_fini(&json);
        buf_fini(&again);
    }
}

static void a_line_has_no_line_feeds_and_is_the_same_otherwise(void **state)
{
    (void)state;
    span_t text = SPAN("\n{\n  \"a\":\n [1,\n2,\ntrue\n],\r\n \"b\\n\" : \"x\\ny\"\n}\n");
    buf_t out = {0};
    buf_append_str(&out, ">");
    json_append_line(&out, text);
    assert_string_equal(buf_text(&out), ">{  \"a\": [1,2,true],\r \"b\\n\" : \"x\\ny\"}");
    buf_clear(&out);
    json_append_line(&out, (span_t){0});
    assert_int_equal(out.size, 0);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_as_the_grammar_has_them),
        cmocka_unit_test(strings_are_utf8_with_the_eight_escapes),
        cmocka_unit_test(three_words_are_known),
        cmocka_unit_test(brackets_commas_and_colons_stand_where_they_must),
        cmocka_unit_test(a_special_byte_is_seen_at_every_place_in_a_string),
        cmocka_unit_test(a_beginning_of_a_container_is_truncated_wherever_it_is_cut),
        cmocka_unit_test(sixty_four_levels_are_accepted_and_the_next_is_refused),
        cmocka_unit_test(a_hundred_thousand_brackets_are_refused_at_the_sixty_fifth),
        cmocka_unit_test(the_value_is_the_bytes_that_stood_there),
        cmocka_unit_test(a_refused_text_leaves_the_value_as_it_was),
        cmocka_unit_test(values_in_a_row_come_one_by_one),
        cmocka_unit_test(values_that_nothing_parts_are_refused),
        cmocka_unit_test(items_and_members_come_in_order),
        cmocka_unit_test(empty_containers_and_scalars_hold_nothing),
        cmocka_unit_test(a_member_is_found_by_its_bytes),
        cmocka_unit_test(doubtful_keys_are_refused),
        cmocka_unit_test(thirty_two_keys_are_compared_and_more_refused),
        cmocka_unit_test(whole_numbers_are_read_to_their_limits),
        cmocka_unit_test(booleans_are_true_or_false_and_nothing_else),
        cmocka_unit_test(a_string_without_escapes_is_a_span),
        cmocka_unit_test(escapes_are_decoded),
        cmocka_unit_test(half_a_surrogate_pair_is_not_decoded_and_leaves_nothing),
        cmocka_unit_test(a_string_is_written_with_the_escapes_it_needs),
        cmocka_unit_test(what_is_no_utf8_is_replaced),
        cmocka_unit_test(any_text_comes_back_from_what_was_written),
        cmocka_unit_test(a_line_has_no_line_feeds_and_is_the_same_otherwise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
