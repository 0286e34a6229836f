/* protocol/json against another reader, jansson, over texts that are nearly JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Its names of the types are also ours. */
#define JSON_OBJECT JANSSON_OBJECT
#define JSON_ARRAY  JANSSON_ARRAY
#define JSON_STRING JANSSON_STRING
#define JSON_NULL   JANSSON_NULL
#include <jansson.h>
#undef JSON_OBJECT
#undef JSON_ARRAY
#undef JSON_STRING
#undef JSON_NULL

#include "base/err.h"
#include "base/random.h"
#include "protocol/json.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* jansson refuses some things that the grammar allows: NUL in keys, numbers that no double holds, lone
 * surrogates. */
static bool is_known_difference(span_t text, const json_error_t *error)
{
    enum json_error_code code = json_error_code(error);
    return code == json_error_numeric_overflow || code == json_error_null_byte_in_key ||
           memmem(text.data, text.size, "\\u", 2) != NULL;
}

static void compare_with_jansson(span_t text, size_t *accepted)
{
    json_error_t error;
    json_t *tree = json_loadb((const char *)text.data, text.size,
                              JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
    json_value_t value;
    int err = json_parse(text, &value);
    bool agree = tree ? err == OK || err == ERR_DEPTH : err != OK || is_known_difference(text, &error);
    *accepted += err == OK;
    json_decref(tree);
    if (!agree)
        fail_msg("<%.*s>: we say %s, jansson %s", SPAN_FMT(text), err_name(err), tree ? "OK" : error.text);
}

/* Changes one to three places: another byte, a byte more, a byte less, two pieces swapped in. */
static void mutate(random_t *random, buf_t *text)
{
    static const char bytes[] = "{}[]:,\"\\/ \n\t0123456789-+.eEtrufalsn\x01\x80\xc3\xa4\xed\xa0\xff";
    for (uint64_t count = 1 + random_below(random, 3); count > 0; count--) {
        size_t at = random_below(random, text->size);
        uint8_t byte = (uint8_t)bytes[random_below(random, sizeof bytes - 1)];
        switch (random_below(random, 4)) {
        case 0: text->data[at] = byte; break;
        case 1:
            buf_append_byte(text, 0);
            memmove(text->data + at + 1, text->data + at, text->size - at - 1);
            text->data[at] = byte;
            break;
        case 2:
            if (text->size > 1) {
                memmove(text->data + at, text->data + at + 1, text->size - at - 1);
                text->size--;
            }
            break;
        default: text->data[at] = text->data[random_below(random, text->size)]; break;
        }
    }
}

static void mutated_texts_are_judged_as_jansson_does(void **state)
{
    (void)state;
    static const char *const seeds[] = {
        "{\"id\":17,\"publish\":{\"channel\":\"c\",\"data\":{\"a\":\"a\\nb\",\"n\":[1.10,-2e3,true]}}}",
        "[1,2.5,-0.1e-7,\"\\\"\\\\\\/\",null,false,{\"a\":[],\"b\":{}}]",
        "{\"\xc3\xa4\":\"\xe2\x82\xac \xf0\x9f\x98\x80\",\"x\":[[[[0]]]]}",
        " [ \"a\" , { \"b\" : 0 } ] ",
        "-12.5e+3",
        "\"text\"",
    };
    random_t random = {8259};
    size_t accepted = 0;
    for (int round = 0; round < 200000; round++) {
        buf_t text = {0};
        buf_append_str(&text, seeds[random_below(&random, COUNT(seeds))]);
        mutate(&random, &text);
        compare_with_jansson(buf_span(&text), &accepted);
        buf_fini(&text);
    }
    assert_in_range(accepted, 10000, 190000);
}

static void a_line_means_to_jansson_what_the_lines_meant(void **state)
{
    (void)state;
    static const char lines[] = "{\n\"a\"\n:\n[1\n,2,\n{}\n,\ntrue\n]\n,\"b\\n\":\n\"x\\ny\"\n}";
    buf_t line = {0};
    json_append_line(&line, SPAN(lines));
    json_t *before = json_loads(lines, 0, NULL), *after = json_loads(buf_text(&line), 0, NULL);
    assert_non_null(before);
    assert_null(strchr(buf_text(&line), '\n'));
    assert_true(json_equal(before, after));
    json_decref(before);
    json_decref(after);
    buf_fini(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mutated_texts_are_judged_as_jansson_does),
        cmocka_unit_test(a_line_means_to_jansson_what_the_lines_meant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
