#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "edge/token_subs.h"
#include "protocol/limits.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* "a info data 1|b   0|", and the error if there is one. */
static const char *walked(const char *subs)
{
    static buf_t text;
    edge_token_subs_t walk;
    int err;
    buf_fini(&text);
    edge_token_subs_init(&walk, subs);
    while ((err = edge_token_subs_next(&walk)) == OK)
        buf_printf(&text, "%.*s %.*s %.*s %d|", SPAN_FMT(buf_span(&walk.channel)),
                   SPAN_FMT(walk.options.info), SPAN_FMT(walk.options.data), walk.options.sees_presence);
    edge_token_subs_fini(&walk);
    if (err != ERR_NOT_FOUND)
        buf_append_str(&text, err_name(err));
    return buf_text(&text);
}

static void a_list_has_names_alone(void **state)
{
    (void)state;
    assert_string_equal(walked("[\"a\",\"b:\\u0063\"]"), "a   0|b:c   0|");
    assert_string_equal(walked("[]"), "");
    assert_string_equal(walked(NULL), "");
}

static void an_object_has_options(void **state)
{
    (void)state;
    assert_string_equal(walked("{\"a\":{\"info\":{\"n\":1},\"data\":[2]},\"b\\\"\":{}}"),
                        "a {\"n\":1} [2] 0|b\"   0|");
    assert_string_equal(walked("{\"a\":{\"override\":{\"force_push_join_leave\":{\"value\":true}}}}"),
                        "a   1|");
    assert_string_equal(walked("{\"a\":{\"override\":{\"presence\":{\"value\":true}},\"info\":null}}"),
                        "a   0|");
}

static void what_is_no_such_list_is_an_error(void **state)
{
    (void)state;
    static const struct {
        const char *subs, *err;
    } rows[] = {
        {"[1]", "TYPE"},
        {"[\"\\ud800\"]", "UTF8"},
        {"{\"a\":1}", "TYPE"},
        {"{\"a\":{\"override\":1}}", "TYPE"},
        {"{\"a\":{\"override\":{\"force_push_join_leave\":true}}}", "TYPE"},
        {"{\"a\":{\"override\":{\"force_push_join_leave\":{\"value\":1}}}}", "TYPE"},
        {"{\"a\":{\"info\":1,\"info\":2}}", "DUPLICATE"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (!strstr(walked(rows[i].subs), rows[i].err))
            fail_msg("%s: <%s>", rows[i].subs, walked(rows[i].subs));
    }
}

static void an_info_is_bounded(void **state)
{
    (void)state;
    buf_t text = {0};
    buf_append_str(&text, "{\"a\":{\"info\":\"");
    for (unsigned i = 0; i < CLIENT_INFO_MAX - 1; i++)
        buf_append_byte(&text, 'x');
    buf_append_str(&text, "\"}}");
    assert_non_null(strstr(walked(buf_text(&text)), "TOO_BIG"));
    buf_fini(&text);
}

static void sets_are_equal_if_their_channels_are(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool equal;
    } rows[] = {
        {NULL, NULL, true},
        {NULL, "[]", true},
        {NULL, "[\"a\"]", false},
        {"[\"a\",\"b\"]", "[\"b\",\"a\"]", true},
        {"[\"a\",\"b\"]", "{\"b\":{},\"a\":{\"info\":1}}", true},
        {"[\"a\",\"b\"]", "[\"a\"]", false},
        {"[\"a\"]", "[1]", false},
        {"[1]", "[1]", true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(edge_token_subs_equal(rows[i].a, rows[i].b), rows[i].equal);
        assert_int_equal(edge_token_subs_equal(rows[i].b, rows[i].a), rows[i].equal);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_has_names_alone),
        cmocka_unit_test(an_object_has_options),
        cmocka_unit_test(what_is_no_such_list_is_an_error),
        cmocka_unit_test(an_info_is_bounded),
        cmocka_unit_test(sets_are_equal_if_their_channels_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
