#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/config.h"
#include "tests/unit/base/config_fixture.h"

typedef struct mistake {
    const char *text;  /* of the file, from line 2 on */
    const char *place; /* "2:9" */
    const char *message;
} mistake_t;

/* One mistake, at this place, with this message, and no other. */
static void assert_mistake(const mistake_t *mistake)
{
    assert_int_equal(parse_behind_head(mistake->text), ERR_CONFIG);
    const char *text = buf_text(&report);
    buf_t expected = {0};
    buf_printf(&expected, "edge.yaml:%s: error: %s\n", mistake->place, mistake->message);
    char *line = strndup(text, strcspn(text, "\n") + 1);
    assert_string_equal(line, buf_text(&expected));
    assert_non_null(strstr(text, "\n1 error in edge.yaml; nothing was changed\n"));
    free(line);
    buf_fini(&expected);
}

#define assert_mistakes(rows)                                        \
    for (size_t row = 0; row < sizeof(rows) / sizeof *(rows); row++) \
    assert_mistake(&(rows)[row])

static void all_mistakes_are_shown_in_one_run_with_their_lines(void **state)
{
    (void)state;
    setenv("HEDDLE_WORKRES", "3", 1);
    setenv("HEDDLE_WORKERS", "0", 1);
    assert_int_equal(parse("listen:\n"
                           "  adress: 0.0.0.0:8080\n"
                           "ping: { interval: 25 }\n"
                           "limits:\n"
                           "  on_slow_client: disconect\n"),
                     ERR_CONFIG);
    assert_string_equal(
        buf_text(&report),
        "edge.yaml:2:3: error: unknown key 'listen.adress'; did you mean 'address'?\n"
        "     2 |   adress: 0.0.0.0:8080\n"
        "       |   ^\n"
        "edge.yaml:3:19: error: ping.interval: expected a duration such as 500ms, 25s or 5m, got '25'; the "
        "unit is "
        "missing\n"
        "     3 | ping: { interval: 25 }\n"
        "       |                   ^\n"
        "edge.yaml:5:19: error: limits.on_slow_client: 'disconect' is not one of disconnect|drop_oldest; did "
        "you mean "
        "'disconnect'?\n"
        "     5 |   on_slow_client: disconect\n"
        "       |                   ^\n"
        "edge.yaml: error: the required key 'node.name' is missing (for example: edge-1)\n"
        "environment: error: HEDDLE_WORKERS: must be from 1 to 64, got '0'\n"
        "environment: error: HEDDLE_WORKRES belongs to no setting; did you mean HEDDLE_WORKERS?\n"
        "6 errors in edge.yaml and the environment; nothing was changed\n");
}

static void unknown_keys_are_refused_with_what_was_meant(void **state)
{
    (void)state;
    static const mistake_t mistakes[] = {
        {"lisen: {}", "2:1", "unknown key 'lisen'; did you mean 'listen'?"},
        {"workres: 3", "2:1", "unknown key 'workres'; did you mean 'workers'?"},
        {"address: \"a:1\"", "2:1", "unknown key 'address'; did you mean 'listen.address'?"},
        {"listen: { port: 80 }", "2:11",
         "unknown key 'listen.port'; known here: address, max_connections, allowed_origins"},
        {"listen: { address: \"a:1\", \"x\": 1 }", "2:27",
         "unknown key 'listen.x'; known here: address, max_connections, allowed_origins"},
        {"listen.address: \"a:1\"", "2:1",
         "unknown key 'listen.address'; write a section and the key in it on lines of their own"},
        {"namespaces: { chat: { history: { sise: 3 } } }", "2:34",
         "unknown key 'namespaces.chat.history.sise'; did you mean 'size'?"},
        {"namespaces: { chat: { size: 3 } }", "2:23",
         "unknown key 'namespaces.chat.size'; did you mean 'namespaces.chat.history.size'?"},
    };
    assert_mistakes(mistakes);
}

static void a_key_stands_once(void **state)
{
    (void)state;
    static const mistake_t mistakes[] = {
        {"workers: 1\nworkers: 2", "3:1", "duplicate key 'workers'; it stands on line 2 already"},
        {"node: {}", "2:1", "duplicate key 'node'; it stands on line 1 already"},
        {"listen: { address: \"a:1\",\n address: \"b:1\" }", "3:2",
         "duplicate key 'listen.address'; it stands on line 2 already"},
        {"namespaces:\n  a:\n  b:\n  a:", "5:3", "duplicate key 'namespaces.a'; it stands on line 3 already"},
    };
    assert_mistakes(mistakes);
}

static void what_yaml_has_beyond_the_strict_part_is_refused(void **state)
{
    (void)state;
    static const mistake_t mistakes[] = {
        {"workers: &a 3", "2:10", "anchors are not supported; write the value where it is used"},
        {"listen: &a {}", "2:9", "anchors are not supported; write the value where it is used"},
        {"relays: &a []", "2:9", "anchors are not supported; write the value where it is used"},
        {"workers: *a", "2:10", "aliases are not supported; write the value here, or put it into quotes"},
        {"relays: [ *a ]", "2:11", "aliases are not supported; write the value here, or put it into quotes"},
        {"workers: !!int 3", "2:10", "tags are not supported; the setting says what type it has"},
        {"listen: !x {}", "2:9", "tags are not supported; the setting says what type it has"},
        {"listen:\n  <<: { address: \"a:1\" }", "3:3",
         "merge keys are not supported; write the settings where they apply"},
        {"---\nworkers: 3", "2:1", "a second document; one file holds one configuration"},
        {"? [ a, b ]\n: c", "2:3", "a key must be a single word"},
        {"listen:\n  ?\n  : 3", "3:4", "a key is missing before ':'"},
        {"namespaces: { \"\": {} }", "2:15", "namespaces: a name must not be empty"},
        {"workers: \"a\\0b\"", "2:10", "a text can't hold a NUL character"},
    };
    assert_mistakes(mistakes);
    assert_int_equal(parse("%YAML 1.1\n---\n" HEAD), ERR_CONFIG);
    assert_non_null(strstr(buf_text(&report), "edge.yaml:1:1: error: directives (%) are not supported\n"));
}

static void broken_yaml_says_what_to_do(void **state)
{
    (void)state;
    static const mistake_t mistakes[] = {
        {"listen:\n\taddress: \"a:1\"", "3:1", "a tab in the indentation; use spaces"},
        {"listen:\n  \taddress: \"a:1\"", "3:3", "a tab in the indentation; use spaces"},
        {"listen: { address: \"a:1\"", "2:9", "a bracket is opened here and never closed"},
        {"relays: [ a:1", "2:9", "a bracket is opened here and never closed"},
        {"workers: \"3", "2:10", "a quote is opened here and never closed"},
        {"listen: { address: a: b }", "2:21",
         "expected ',' or '}'; put a value that holds ': ' or brackets into quotes"},
        {"workers: a: b", "2:11",
         "a second ': ' in one value; put the value into quotes, or check the indentation"},
        {"listen: { : 3 }", "2:11", "expected a key or a value here"},
        {"workers: @a", "2:10", "a value can't start with this character; put the value into quotes"},
        {"workers: \"\\q\"", "2:11",
         "unknown escape in a double-quoted text; single quotes take it as it is"},
        {"listen:\n  address: \"a:1\"\n max_connections: 3", "4:2",
         "expected a key here; check the indentation and the quotes above"},
        {"workers: \xff", "2:10", "invalid UTF-8"},
    };
    assert_mistakes(mistakes);
}

static void wrong_types_are_named(void **state)
{
    (void)state;
    static const mistake_t mistakes[] = {
        {"workers: [ 3 ]", "2:10", "workers: expected a whole number such as 8, got a list"},
        {"workers: { a: 3 }", "2:10", "workers: expected a whole number such as 8, got nested settings"},
        {"workers:", "2:1", "workers: expected a whole number such as 8, got nothing"},
        {"relays: \"a:1\"", "2:9", "relays: expected a list such as [a, b], got a single value"},
        {"relays:", "2:1", "relays: expected a list such as [a, b], got nothing"},
        {"relays: [ [ \"a:1\" ] ]", "2:11", "relays: expected a text as an item, got a list"},
        {"relays: [ { a: b } ]", "2:11", "relays: expected a text as an item, got nested settings"},
        {"relays:\n-", "3:2", "relays: expected a text as an item, got nothing"},
        {"listen: yes", "2:9", "listen: expected nested settings, got a single value"},
        {"listen: [ a ]", "2:9", "listen: expected nested settings, got a list"},
        {"namespaces: [ a ]", "2:13", "namespaces: expected named sections such as 'default:', got a list"},
        {"namespaces: { a: b }", "2:18", "namespaces.a: expected nested settings, got a single value"},
        {"namespaces: { a: { history: 3 } }", "2:29",
         "namespaces.a.history: expected nested settings, got a single value"},
    };
    assert_mistakes(mistakes);
}

static void numbers_are_strict(void **state)
{
    (void)state;
    static const mistake_t mistakes[] = {
        {"workers: 08", "2:10",
         "workers: expected a whole number such as 8, got '08'; numbers are decimal, write them without "
         "leading zeros"},
        {"workers: 010", "2:10",
         "workers: expected a whole number such as 8, got '010'; numbers are decimal, write them without "
         "leading zeros"},
        {"workers: 1_000", "2:10",
         "workers: expected a whole number such as 8, got '1_000'; write the digits without '_'"},
        {"workers: 0x10", "2:10", "workers: expected a whole number such as 8, got '0x10'"},
        {"workers: -1", "2:10", "workers: expected a whole number such as 8, got '-1'"},
        {"workers: 1.5", "2:10", "workers: expected a whole number such as 8, got '1.5'"},
        {"workers: 1e3", "2:10", "workers: expected a whole number such as 8, got '1e3'"},
        {"workers: many", "2:10", "workers: expected a whole number such as 8, got 'many'"},
        {"workers: \"3\"", "2:10",
         "workers: expected a whole number such as 8; in quotes it is a text, write it without"},
        {"workers: 0", "2:10", "workers: must be from 1 to 64, got '0'"},
        {"workers: 65", "2:10", "workers: must be from 1 to 64, got '65'"},
        {"workers: 18446744073709551616", "2:10",
         "workers: must be from 1 to 64, got '18446744073709551616'"},
        {"listen: { max_connections: 18446744073709551616 }", "2:28",
         "listen.max_connections: the number is too large, got '18446744073709551616'"},
        {"namespaces: { a: { history: { size: 10001 } } }", "2:37",
         "namespaces.a.history.size: must be at most 10000, got '10001'"},
    };
    assert_mistakes(mistakes);
}

static void units_are_strict(void **state)
{
    (void)state;
    static const mistake_t mistakes[] = {
        {"limits: { message: 65536 }", "2:20",
         "limits.message: expected a size such as 512B, 64KiB or 1MiB, got '65536'; the unit is missing"},
        {"limits: { message: 64KB }", "2:20",
         "limits.message: expected a size such as 512B, 64KiB or 1MiB, got '64KB'"},
        {"limits: { message: 64 KiB }", "2:20",
         "limits.message: expected a size such as 512B, 64KiB or 1MiB, got '64 KiB'"},
        {"limits: { message: 2GiB }", "2:20", "limits.message: must be at most 1GiB, got '2GiB'"},
        {"limits: { message: 99999999999999999GiB }", "2:20",
         "limits.message: must be at most 1GiB, got '99999999999999999GiB'"},
        {"ping: { interval: 25 }", "2:19",
         "ping.interval: expected a duration such as 500ms, 25s or 5m, got '25'; the unit is missing"},
        {"ping: { interval: 1.5s }", "2:19",
         "ping.interval: expected a duration such as 500ms, 25s or 5m, got '1.5s'"},
        {"ping: { interval: 05s }", "2:19",
         "ping.interval: expected a duration such as 500ms, 25s or 5m, got '05s'; numbers are decimal, write "
         "them "
         "without leading zeros"},
        {"ping: { interval: 10min }", "2:19",
         "ping.interval: expected a duration such as 500ms, 25s or 5m, got '10min'"},
        {"ping: { interval: 999ms }", "2:19", "ping.interval: must be at least 1s, got '999ms'"},
        {"ping: { interval: 0 }", "2:19", "ping.interval: must be at least 1s, got '0'"},
    };
    assert_mistakes(mistakes);
}

static void words_are_strict(void **state)
{
    (void)state;
    static const mistake_t mistakes[] = {
        {"auth: { required: yes }", "2:19", "auth.required: expected true or false, got 'yes'"},
        {"auth: { required: True }", "2:19", "auth.required: expected true or false, got 'True'"},
        {"auth: { required: \"true\" }", "2:19",
         "auth.required: expected true or false; in quotes it is a text, write it without"},
        {"limits: { on_slow_client: Disconnect }", "2:27",
         "limits.on_slow_client: 'Disconnect' is not one of disconnect|drop_oldest; did you mean "
         "'disconnect'?"},
        {"limits: { on_slow_client: wait }", "2:27",
         "limits.on_slow_client: 'wait' is not one of disconnect|drop_oldest"},
        {"listen: { address: nowhere }", "2:20", "listen.address: expected host:port, got 'nowhere'"},
        {"relays: [ \"a:1\", nowhere ]", "2:18", "relays: expected host:port, got 'nowhere'"},
    };
    assert_mistakes(mistakes);
}

static void variables_are_strict(void **state)
{
    (void)state;
    unsetenv("TEST_UNSET");
    static const mistake_t mistakes[] = {
        {"workers: ${TEST_UNSET}", "2:10",
         "workers: the environment has no TEST_UNSET; ${TEST_UNSET:-default} would give a default"},
        {"workers: ${TEST_UNSET", "2:10", "workers: '${' without '}'"},
        {"workers: ${TEST-UNSET}", "2:10",
         "workers: expected ${NAME} or ${NAME:-default}; write $${ for a plain ${"},
        {"workers: ${1A}", "2:10", "workers: expected ${NAME} or ${NAME:-default}; write $${ for a plain ${"},
        {"workers: ${}", "2:10", "workers: expected ${NAME} or ${NAME:-default}; write $${ for a plain ${"},
        {"workers: ${TEST_UNSET:-x}", "2:10", "workers: expected a whole number such as 8, got 'x'"},
        {"relays: [ \"${TEST_UNSET}\" ]", "2:11",
         "relays: the environment has no TEST_UNSET; ${TEST_UNSET:-default} would give a default"},
    };
    assert_mistakes(mistakes);
}

static void required_keys_are_missed_where_they_should_be(void **state)
{
    (void)state;
    assert_int_equal(parse("workers: 1\nnode:\n"), ERR_CONFIG);
    assert_string_equal(
        buf_text(&report),
        "edge.yaml:2:1: error: the required key 'node.name' is missing (for example: edge-1)\n"
        "     2 | node:\n"
        "       | ^\n"
        "1 error in edge.yaml; nothing was changed\n");
    assert_int_equal(parse("node: { name: \"\" }"), ERR_CONFIG);
    assert_non_null(strstr(buf_text(&report), "edge.yaml:1:15: error: node.name: must not be empty\n"));
    assert_int_equal(parse("node: { name: [] }"), ERR_CONFIG);
    assert_non_null(strstr(buf_text(&report), "1 error in edge.yaml"));
}

static void a_file_that_is_no_mapping_is_refused(void **state)
{
    (void)state;
    assert_int_equal(parse("- a\n- b\n"), ERR_CONFIG);
    assert_non_null(
        strstr(buf_text(&report), "edge.yaml:1:1: error: expected settings such as 'log:', got a list\n"));
    assert_int_equal(parse("just text"), ERR_CONFIG);
    assert_non_null(strstr(buf_text(&report), "got a single value\n"));
}

static void nesting_ends_at_16_levels(void **state)
{
    (void)state;
    char text[200];
    memset(text, '[', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_int_equal(parse(text), ERR_CONFIG);
    assert_non_null(strstr(buf_text(&report), "edge.yaml:1:17: error: nested deeper than 16 levels\n"));
}

static void a_name_of_a_section_has_at_most_255_bytes(void **state)
{
    (void)state;
    char text[400];
    memset(text, 'n', sizeof text);
    memcpy(text, "namespaces: { ", 14);
    memcpy(text + 14 + 255, ": {} }", 7);
    assert_int_equal(parse_behind_head(text), OK);
    text[14 + 255] = 'n';
    memcpy(text + 14 + 256, ": {} }", 7);
    assert_int_equal(parse_behind_head(text), ERR_CONFIG);
    assert_non_null(
        strstr(buf_text(&report), "edge.yaml:2:15: error: namespaces: a name has at most 255 bytes\n"));
}

static void a_flood_of_values_ends_at_65536(void **state)
{
    (void)state;
    buf_t text = {0};
    buf_append_str(&text, HEAD "relays: [ ");
    for (unsigned i = 0; i < 70000; i++)
        buf_append_str(&text, "a:1,");
    buf_append_str(&text, "]\n");
    assert_int_equal(parse(buf_text(&text)), ERR_CONFIG);
    assert_non_null(strstr(buf_text(&report), "error: more than 65536 values in one file\n"));
    buf_fini(&text);
}

static void a_flood_of_mistakes_is_cut(void **state)
{
    (void)state;
    buf_t text = {0};
    buf_append_str(&text, HEAD);
    for (unsigned i = 0; i < 150; i++)
        buf_printf(&text, "x%u: 1\n", i);
    assert_int_equal(parse(buf_text(&text)), ERR_CONFIG);
    assert_non_null(
        strstr(buf_text(&report), "\n... and 50 more\n150 errors in edge.yaml; nothing was changed\n"));
    buf_fini(&text);
}

static void mistakes_before_a_syntax_error_are_reported_with_it(void **state)
{
    (void)state;
    assert_int_equal(parse("workers: x\nlimits: { message: 3 }\nlisten: {\n"), ERR_CONFIG);
    const char *text = buf_text(&report);
    assert_non_null(strstr(text, "edge.yaml:1:10: error: workers: "));
    assert_non_null(strstr(text, "edge.yaml:2:20: error: limits.message: "));
    assert_non_null(strstr(text, "edge.yaml:3:9: error: a bracket is opened here"));
    assert_non_null(strstr(text, "\n3 errors in edge.yaml"));
}

/* The caret counts characters, keeps tabs, and nothing that drives a terminal gets through. */
static void the_caret_points_at_the_mistake(void **state)
{
    (void)state;
    assert_int_equal(parse_behind_head("listen: { address: \"\xc3\xa4:1\",\tx: 1 }"), ERR_CONFIG);
    assert_non_null(strstr(buf_text(&report), "     2 | listen: { address: \"\xc3\xa4:1\",\tx: 1 }\n"
                                              "       |                          \t^\n"));
    assert_int_equal(parse_behind_head("\"\\e[31m\": 1"), ERR_CONFIG);
    assert_null(strchr(buf_text(&report), '\x1b'));
    assert_int_equal(parse_behind_head("workers: \x1b[31m"), ERR_CONFIG);
    assert_null(strchr(buf_text(&report), '\x1b'));
}

static void no_report_shows_a_secret(void **state)
{
    (void)state;
    static const char *const files[] = {
        "auth: { hmac_secret: s3cret }",                   /* fails its check */
        "auth: { hmac_secret: s3cret, requird: true }",    /* on the line of a mistake */
        "auth: { hmac_secrt: s3cret }",                    /* misspelt */
        "auth:\n  hmac_secret: \"s3cret",                  /* never closed */
        "auth:\n  hmac_secret: @s3cret",                   /* no YAML */
        "auth:\n  hmac_secret: [ s3cret ]",                /* wrong type */
        "auth:\n  hmac_secret: |\n    s3cret\n   x\n",     /* a block that ends badly */
        "auth: { hmac_secret: a:b, hmac_secret: s3cret }", /* duplicate */
        "auth: { hmac_secret:\n\"s3cret\", x: 1 }",        /* on the next line, to the left */
        "auth: { \xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4: 1, hmac_secret: s3cret }", /* behind letters of two bytes
                                                                               */
        "api: { keys: s3cret }",
        "api:\n  keys:\n  - { a: s3cret }\n",
        "api:\n  keys: [ a, [ s3cret ] ]\n",
        "namespaces: { a: { password: s3cret, x: 1 } }",
        "auth: { hmac_secret: \"${TEST_UNSET}s3cret\" }",
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        assert_int_equal(parse_behind_head(files[i]), ERR_CONFIG);
        assert_null(strstr(buf_text(&report), "s3cret"));
    }
}

static void no_report_shows_a_secret_of_the_environment(void **state)
{
    (void)state;
    setenv("HEDDLE_AUTH_HMAC_SECRET", "s3cret", 1);
    assert_int_equal(parse_behind_head(""), ERR_CONFIG);
    assert_string_equal(buf_text(&report), "environment: error: HEDDLE_AUTH_HMAC_SECRET: expected host:port\n"
                                           "1 error in the environment; nothing was changed\n");
    unsetenv("HEDDLE_AUTH_HMAC_SECRET");
    setenv("HEDDLE_AUTH_HMAC_SECRT", "s3cret", 1);
    assert_int_equal(parse_behind_head(""), ERR_CONFIG);
    assert_string_equal(buf_text(&report),
                        "environment: error: HEDDLE_AUTH_HMAC_SECRT belongs to no setting; did you "
                        "mean HEDDLE_AUTH_HMAC_SECRET?\n"
                        "1 error in the environment; nothing was changed\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_mistakes_are_shown_in_one_run_with_their_lines, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(unknown_keys_are_refused_with_what_was_meant, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_key_stands_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_yaml_has_beyond_the_strict_part_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(broken_yaml_says_what_to_do, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wrong_types_are_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(numbers_are_strict, set_up, tear_down),
        cmocka_unit_test_setup_teardown(units_are_strict, set_up, tear_down),
        cmocka_unit_test_setup_teardown(words_are_strict, set_up, tear_down),
        cmocka_unit_test_setup_teardown(variables_are_strict, set_up, tear_down),
        cmocka_unit_test_setup_teardown(required_keys_are_missed_where_they_should_be, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_is_no_mapping_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nesting_ends_at_16_levels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_name_of_a_section_has_at_most_255_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_flood_of_values_ends_at_65536, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_flood_of_mistakes_is_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mistakes_before_a_syntax_error_are_reported_with_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_caret_points_at_the_mistake, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_report_shows_a_secret, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_report_shows_a_secret_of_the_environment, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
