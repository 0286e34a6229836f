#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/http/head.h"

#define assert_span(span, text) assert_true(span_is((span), (text)))

static int parse(const char *text, http_head_t *head)
{
    return http_head_parse(span_str(text), head);
}

static void assert_refused(const char *text, int err)
{
    http_head_t head;
    assert_int_equal(parse(text, &head), err);
}

static void a_request_comes_apart(void **state)
{
    (void)state;
    http_head_t head;
    const char *text = "GET /ws/chat:1?a=1&b=2 HTTP/1.1\r\nHost: example.org\r\nX-Empty:\r\n\r\nrest";
    assert_int_equal(parse(text, &head), (int)strlen(text) - 4);
    assert_span(head.method, "GET");
    assert_span(head.target, "/ws/chat:1?a=1&b=2");
    assert_span(head.path, "/ws/chat:1");
    assert_span(head.query, "a=1&b=2");
    assert_int_equal(head.version_major, 1);
    assert_int_equal(head.version_minor, 1);
    assert_int_equal(head.count, 2);
    assert_span(head.fields[0].name, "Host");
    assert_span(head.fields[0].value, "example.org");
    assert_span(head.fields[1].value, "");
}

static void the_four_forms_of_a_target_are_understood(void **state)
{
    (void)state;
    static const struct {
        const char *request, *path, *query;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", "/", ""},           {"GET /a? HTTP/1.1\r\n\r\n", "/a", ""},
        {"GET /a?b?c HTTP/1.1\r\n\r\n", "/a", "b?c"},  {"GET http://h:80/a?b HTTP/1.1\r\n\r\n", "/a", "b"},
        {"GET http://h?b HTTP/1.1\r\n\r\n", "/", "b"}, {"GET http://h HTTP/1.1\r\n\r\n", "/", ""},
        {"OPTIONS * HTTP/1.1\r\n\r\n", "*", ""},       {"CONNECT h:443 HTTP/1.1\r\n\r\n", "h:443", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        http_head_t head;
        assert_int_equal(parse(cases[i].request, &head), (int)strlen(cases[i].request));
        assert_span(head.path, cases[i].path);
        assert_span(head.query, cases[i].query);
    }
}

static void every_beginning_of_a_head_asks_for_more(void **state)
{
    (void)state;
    span_t text = SPAN("GET http://h/a?b HTTP/1.1\r\nHost: h\r\nX-A: \xc3\xa4 \t b \r\n\r\n");
    http_head_t head;
    for (size_t size = 0; size < text.size; size++)
        assert_int_equal(http_head_parse(span_new(text.data, size), &head), ERR_AGAIN);
    assert_int_equal(http_head_parse(text, &head), (int)text.size);
    assert_span(head.fields[1].value, "\xc3\xa4 \t b");
}

static void a_broken_head_is_refused_at_its_first_bad_byte(void **state)
{
    (void)state;
    static const char *const cases[] = {
        " ",                             /* no method */
        "\r\n",                          /* an empty line before the request */
        "G(",                            /* not a token */
        "GET  ",                         /* two spaces */
        "GET\t",                         /* a tab for a space */
        "GET /\x7f",                     /* a control byte in the target */
        "GET /#",                        /* a fragment is never sent */
        "GET /\xc3",                     /* not ASCII in the target */
        "GET / HTTX",                    /* another protocol */
        "GET / h",                       /* letter case matters */
        "GET / HTTP/x",                  /* not a digit */
        "GET / HTTP/1.10",               /* two digits */
        "GET / HTTP/1.1\n",              /* bare LF */
        "GET / HTTP/1.1\r\r",            /* CR CR */
        "GET / HTTP/1.1 ",               /* a space behind the version */
        "GET /\r",                       /* HTTP/0.9 */
        "GET a HTTP/1.1\r\n",            /* a target that is none */
        "GET * HTTP/1.1\r\n",            /* for OPTIONS only */
        "GET ://h/ HTTP/1.1\r\n",        /* no scheme */
        "GET http:/h/ HTTP/1.1\r\n",     /* one slash */
        "GET http:///a HTTP/1.1\r\n",    /* no authority */
        "GET / HTTP/1.1\r\n ",           /* white space before the first field */
        "GET / HTTP/1.1\r\nHost ",       /* white space before the colon */
        "GET / HTTP/1.1\r\nHost\r",      /* no colon */
        "GET / HTTP/1.1\r\n:",           /* no name */
        "GET / HTTP/1.1\r\nA: b\n",      /* bare LF behind a field */
        "GET / HTTP/1.1\r\nA: b\rc",     /* bare CR in a value */
        "GET / HTTP/1.1\r\nA: b\x01",    /* a control byte in a value */
        "GET / HTTP/1.1\r\nA: b\x7f",    /* DEL in a value */
        "GET / HTTP/1.1\r\nA: b\r\n ",   /* obs-fold */
        "GET / HTTP/1.1\r\nA: b\r\n\t",  /* obs-fold with a tab */
        "GET / HTTP/1.1\r\nA: b\r\n\rx", /* CR without LF at the end */
        "GET / HTTP/1.1\r\nA\xc3",       /* not ASCII in a name */
        "GET / HTTP/1.1\r\nA: b\r\nC ",  /* white space in a name */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        span_t text = span_str(cases[i]);
        http_head_t head;
        assert_int_equal(http_head_parse(text, &head), ERR_MALFORMED);
        if (text.data[text.size - 1] != '\n') /* what only a whole line tells is told at its end */
            assert_int_equal(http_head_parse(span_new(text.data, text.size - 1), &head), ERR_AGAIN);
    }
}

static void a_zero_byte_is_refused_everywhere(void **state)
{
    (void)state;
    const char *whole = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
    for (size_t at = 0; at < strlen(whole); at++) {
        char text[64];
        strcpy(text, whole);
        text[at] = '\0';
        http_head_t head;
        assert_int_equal(http_head_parse(span_new(text, strlen(whole)), &head), ERR_MALFORMED);
    }
}

static void another_http_version_is_told_apart(void **state)
{
    (void)state;
    http_head_t head;
    assert_refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ERR_VERSION);
    assert_refused("GET / HTTP/0.9", ERR_VERSION);
    assert_true(parse("GET / HTTP/1.0\r\n\r\n", &head) > 0);
    assert_int_equal(head.version_minor, 0);
}

/* A head of that many bytes in all. */
static buf_t head_of(size_t size)
{
    buf_t text = {0};
    buf_append_str(&text, "GET / HTTP/1.1\r\nA: ");
    while (text.size < size - 4)
        buf_append_byte(&text, 'x');
    buf_append_str(&text, "\r\n\r\n");
    return text;
}

static void a_head_may_fill_the_limit_and_not_a_byte_more(void **state)
{
    (void)state;
    http_head_t head;
    buf_t full = head_of(HTTP_HEAD_LIMIT), over = head_of(HTTP_HEAD_LIMIT + 1);
    assert_int_equal(http_head_parse(buf_span(&full), &head), HTTP_HEAD_LIMIT);
    assert_int_equal(http_head_parse(buf_span(&over), &head), ERR_TOO_BIG);
    assert_int_equal(http_head_parse(span_new(over.data, HTTP_HEAD_LIMIT), &head), ERR_TOO_BIG);
    assert_int_equal(http_head_parse(span_new(over.data, HTTP_HEAD_LIMIT - 1), &head), ERR_AGAIN);
    buf_fini(&full);
    buf_fini(&over);
}

static void the_65th_field_is_one_too_many(void **state)
{
    (void)state;
    http_head_t head;
    buf_t text = {0};
    buf_append_str(&text, "GET / HTTP/1.1\r\n");
    for (unsigned i = 0; i < HTTP_HEAD_FIELDS; i++)
        buf_append_str(&text, "A: b\r\n");
    assert_int_equal(http_head_parse(buf_span(&text), &head), ERR_AGAIN);
    buf_append_str(&text, "A: b\r\n");
    assert_int_equal(http_head_parse(buf_span(&text), &head), ERR_TOO_BIG);
    buf_fini(&text);
}

static void an_answer_comes_apart(void **state)
{
    (void)state;
    http_head_t head;
    int status = 0;
    span_t text = SPAN("HTTP/1.1 404 Not \xc3\xa4 Found\r\nContent-Length: 0\r\n\r\n");
    for (size_t size = 0; size < text.size; size++)
        assert_int_equal(http_head_parse_answer(span_new(text.data, size), &head, &status), ERR_AGAIN);
    assert_int_equal(http_head_parse_answer(text, &head, &status), (int)text.size);
    assert_int_equal(status, 404);
    assert_int_equal(head.count, 1);
    assert_int_equal(http_head_parse_answer(SPAN("HTTP/1.1 200\r\n\r\n"), &head, &status), 16);
    assert_int_equal(http_head_parse_answer(SPAN("HTTP/1.1 2x"), &head, &status), ERR_MALFORMED);
    assert_int_equal(http_head_parse_answer(SPAN("HTTP/1.1 099 "), &head, &status), ERR_MALFORMED);
    assert_int_equal(http_head_parse_answer(SPAN("HTTP/1.1 2000"), &head, &status), ERR_MALFORMED);
    assert_int_equal(http_head_parse_answer(SPAN("GET /"), &head, &status), ERR_MALFORMED);
}

static void fields_are_found_whatever_their_letter_case(void **state)
{
    (void)state;
    http_head_t head;
    span_t value = {0};
    parse("GET / HTTP/1.1\r\nx-one: 1\r\nX-TWO: 2\r\nX-One: 3\r\n\r\n", &head);
    assert_int_equal(http_head_get(&head, "x-one", &value), 2);
    assert_span(value, "1");
    assert_int_equal(http_head_get(&head, "x-two", NULL), 1);
    assert_int_equal(http_head_get(&head, "x-on", &value), 0);
    assert_int_equal(http_head_get(&head, "x-ones", &value), 0);
}

static void a_token_is_found_in_any_list_of_its_name(void **state)
{
    (void)state;
    http_head_t head;
    parse("GET / HTTP/1.1\r\nConnection: keep-alive,, \tUPGRADE \r\nConnection: x\r\nOther: y\r\n\r\n",
          &head);
    assert_true(http_head_has_token(&head, "connection", "upgrade"));
    assert_true(http_head_has_token(&head, "connection", "keep-alive"));
    assert_true(http_head_has_token(&head, "connection", "x"));
    assert_false(http_head_has_token(&head, "connection", "keep"));
    assert_false(http_head_has_token(&head, "connection", "y"));
    assert_false(http_head_has_token(&head, "missing", "y"));
}

static void list_items_come_trimmed_and_without_the_empty_ones(void **state)
{
    (void)state;
    span_t rest = SPAN(" , a b ,,c\t,"), item;
    assert_true(http_next_item(&rest, &item));
    assert_span(item, "a b");
    assert_true(http_next_item(&rest, &item));
    assert_span(item, "c");
    assert_false(http_next_item(&rest, &item));
}

static int body_size(const char *fields, uint64_t *size)
{
    buf_t text = {0};
    http_head_t head;
    buf_printf(&text, "POST / HTTP/1.1\r\n%s\r\n", fields);
    assert_int_equal(http_head_parse(buf_span(&text), &head), (int)text.size);
    int rc = http_head_body_size(&head, 1000, size);
    buf_fini(&text);
    return rc;
}

static void the_body_has_one_size_or_the_request_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *fields;
        int rc;
        uint64_t size;
    } cases[] = {
        {"", OK, 0},
        {"Content-Length: 0\r\n", OK, 0},
        {"content-length: 0001000\r\n", OK, 1000},
        {"Content-Length: 1001\r\n", ERR_TOO_BIG, 1001},
        {"Content-Length: 99999999999999999999999999\r\n", ERR_TOO_BIG, 9999},
        {"Content-Length: 9999999999999999x\r\n", ERR_MALFORMED, 9999},
        {"Content-Length:\r\n", ERR_MALFORMED, 0},
        {"Content-Length: +5\r\n", ERR_MALFORMED, 0},
        {"Content-Length: -5\r\n", ERR_MALFORMED, 0},
        {"Content-Length: 5, 5\r\n", ERR_MALFORMED, 5},
        {"Content-Length: 5\r\nContent-Length: 5\r\n", ERR_MALFORMED, 0},
        {"Transfer-Encoding: chunked\r\n", ERR_UNAVAILABLE, 0},
        {"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", ERR_UNAVAILABLE, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t size;
        assert_int_equal(body_size(cases[i].fields, &size), cases[i].rc);
        assert_int_equal(size, cases[i].size);
    }
}

static void a_connection_is_kept_as_the_version_and_the_fields_say(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        bool keeps;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nConnection: x, Close\r\n\r\n", false},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
        {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        http_head_t head;
        assert_true(parse(cases[i].request, &head) > 0);
        assert_int_equal(http_head_keeps_alive(&head), cases[i].keeps);
    }
}

static void query_values_are_found_by_name_and_number(void **state)
{
    (void)state;
    span_t query = SPAN("channel=a%3A1&x&channel=b+c&%63hannel=%64&channel=&e=f=g&channels=no");
    static const struct {
        const char *name;
        size_t nth;
        int length;
        const char *value;
    } cases[] = {
        {"channel", 0, 3, "a:1"}, {"channel", 1, 3, "b c"},          {"channel", 2, 1, "d"},
        {"channel", 3, 0, ""},    {"channel", 4, ERR_NOT_FOUND, ""}, {"x", 0, 0, ""},
        {"e", 0, 3, "f=g"},       {"chan", 0, ERR_NOT_FOUND, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[8];
        assert_int_equal(http_query_value(query, cases[i].name, cases[i].nth, out, sizeof out),
                         cases[i].length);
        if (cases[i].length > 0)
            assert_memory_equal(out, cases[i].value, (size_t)cases[i].length);
    }
}

static void a_value_must_fit_and_be_well_encoded(void **state)
{
    (void)state;
    char out[4];
    assert_int_equal(http_query_value(SPAN("a=1234"), "a", 0, out, sizeof out), 4);
    assert_int_equal(http_query_value(SPAN("a=12345"), "a", 0, out, sizeof out), ERR_TOO_BIG);
    assert_int_equal(http_query_value(SPAN("a=%"), "a", 0, out, sizeof out), ERR_MALFORMED);
    assert_int_equal(http_query_value(SPAN("a=%4"), "a", 0, out, sizeof out), ERR_MALFORMED);
    assert_int_equal(http_query_value(SPAN("a=%4g"), "a", 0, out, sizeof out), ERR_MALFORMED);
    assert_int_equal(http_query_value(SPAN("%4=1&a=2"), "a", 0, out, sizeof out), 1);
    assert_int_equal(http_query_value((span_t){0}, "a", 0, out, sizeof out), ERR_NOT_FOUND);
}

static void plus_is_a_space_only_where_it_is_said(void **state)
{
    (void)state;
    char out[4];
    assert_int_equal(http_percent_decode(SPAN("a+%2B"), false, out, sizeof out), 3);
    assert_memory_equal(out, "a++", 3);
    assert_int_equal(http_percent_decode(SPAN("a+%2b"), true, out, sizeof out), 3);
    assert_memory_equal(out, "a +", 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_comes_apart),
        cmocka_unit_test(the_four_forms_of_a_target_are_understood),
        cmocka_unit_test(every_beginning_of_a_head_asks_for_more),
        cmocka_unit_test(a_broken_head_is_refused_at_its_first_bad_byte),
        cmocka_unit_test(a_zero_byte_is_refused_everywhere),
        cmocka_unit_test(another_http_version_is_told_apart),
        cmocka_unit_test(a_head_may_fill_the_limit_and_not_a_byte_more),
        cmocka_unit_test(the_65th_field_is_one_too_many),
        cmocka_unit_test(an_answer_comes_apart),
        cmocka_unit_test(fields_are_found_whatever_their_letter_case),
        cmocka_unit_test(a_token_is_found_in_any_list_of_its_name),
        cmocka_unit_test(list_items_come_trimmed_and_without_the_empty_ones),
        cmocka_unit_test(the_body_has_one_size_or_the_request_is_refused),
        cmocka_unit_test(a_connection_is_kept_as_the_version_and_the_fields_say),
        cmocka_unit_test(query_values_are_found_by_name_and_number),
        cmocka_unit_test(a_value_must_fit_and_be_well_encoded),
        cmocka_unit_test(plus_is_a_space_only_where_it_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
