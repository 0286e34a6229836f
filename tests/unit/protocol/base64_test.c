#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/random.h"
#include "protocol/base64.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void the_vectors_of_the_rfc_hold(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xfb\xff", "+/8="},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        buf_t text = {0}, bytes = {0};
        base64_encode(&text, span_str(rows[i][0]));
        assert_true(span_is(buf_span(&text), rows[i][1]));
        assert_int_equal(base64_decode(&bytes, span_str(rows[i][1])), OK);
        assert_true(span_is(buf_span(&bytes), rows[i][0]));
        buf_fini(&text);
        buf_fini(&bytes);
    }
}

static void any_bytes_come_back(void **state)
{
    (void)state;
    random_t random = {.state = 7};
    for (size_t size = 0; size < 200; size++) {
        uint8_t given[200];
        for (size_t i = 0; i < size; i++)
            given[i] = (uint8_t)random_next(&random);
        buf_t text = {0}, bytes = {0};
        base64_encode(&text, span_new(given, size));
        assert_int_equal(text.size, (size + 2) / 3 * 4);
        assert_int_equal(base64_decode(&bytes, buf_span(&text)), OK);
        assert_true(span_eq(buf_span(&bytes), span_new(given, size)));
        buf_fini(&text);
        buf_fini(&bytes);
    }
}

static void what_is_not_the_one_text_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "A",    "AA",   "AAA",  "=",        "==",   "===",    "====", "A===",     "AA=",     "Zh==",
        "Zm9=", "Zg=A", "Z=g=", "Zg==Zg==", "Zm 9", "Zm9v\n", "-_8=", "Zm9v====", "\x80m9v", "Zg==\n\n\n\n",
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        buf_t bytes = {0};
        buf_append_str(&bytes, "before");
        if (base64_decode(&bytes, span_str(texts[i])) != ERR_MALFORMED)
            fail_msg("<%s> was taken", texts[i]);
        assert_true(span_is(buf_span(&bytes), "before"));
        buf_fini(&bytes);
    }
}

static void base64url_has_letters_of_its_own_and_no_padding(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", ""}, {"f", "Zg"}, {"fo", "Zm8"}, {"foo", "Zm9v"}, {"foob", "Zm9vYg"}, {"\xfb\xff", "-_8"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        buf_t text = {0}, bytes = {0};
        base64url_encode(&text, span_str(rows[i][0]));
        assert_true(span_is(buf_span(&text), rows[i][1]));
        assert_int_equal(base64url_decode(&bytes, span_str(rows[i][1])), OK);
        assert_true(span_is(buf_span(&bytes), rows[i][0]));
        buf_fini(&text);
        buf_fini(&bytes);
    }
}

static void what_is_not_the_one_text_of_base64url_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "A", "Zm9vA", "Zg==", "Zm8=", "Zh", "Zm9", "+/8", "-_8=", "Zm 9", "Zm9v\n", "\x80m9v", "=",
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        buf_t bytes = {0};
        buf_append_str(&bytes, "before");
        if (base64url_decode(&bytes, span_str(texts[i])) != ERR_MALFORMED)
            fail_msg("<%s> was taken", texts[i]);
        assert_true(span_is(buf_span(&bytes), "before"));
        buf_fini(&bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_of_the_rfc_hold),
        cmocka_unit_test(any_bytes_come_back),
        cmocka_unit_test(what_is_not_the_one_text_is_refused),
        cmocka_unit_test(base64url_has_letters_of_its_own_and_no_padding),
        cmocka_unit_test(what_is_not_the_one_text_of_base64url_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
