#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/config.h"
#include "tests/unit/base/config_fixture.h"

static buf_t out;

static const char *printed(void (*print)(const config_part_t *, size_t, buf_t *))
{
    config_part_t tables[SAMPLE_PARTS];
    sample_parts(NULL, tables);
    buf_clear(&out);
    print(tables, SAMPLE_PARTS, &out);
    return buf_text(&out);
}

static int fini_out(void **state)
{
    buf_fini(&out);
    return tear_down(state);
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("missing: %s\nin:\n%s", part, text);
}

static void the_default_file_loads_as_it_is(void **state)
{
    (void)state;
    assert_int_equal(parse(printed(config_print_default)), OK);
    assert_string_equal(sample.node, "edge-1");
    assert_int_equal(sample.workers, 1);
}

/* Takes the mark from each line that has one right before a key. */
static char *uncomment(const char *text)
{
    char *plain = strdup(text);
    for (char *at = plain; (at = strchr(at, '#')) != NULL; at++) {
        if (at[1] != ' ')
            memmove(at, at + 1, strlen(at));
    }
    return plain;
}

static void every_line_of_the_default_file_can_be_uncommented(void **state)
{
    (void)state;
    char *plain = uncomment(printed(config_print_default));
    setenv("HEDDLE_AUTH_HMAC_SECRET", "a:b", 1);
    char *secret = strstr(plain, "  hmac_secret:\n");
    assert_non_null(secret);
    memcpy(secret, "#", 1); /* it has no default, so its line is not complete */
    char *password = strstr(plain, "    password:\n");
    assert_non_null(password);
    memcpy(password, "#", 1);
    int err = parse(plain);
    assert_string_equal(buf_text(&report), "");
    assert_int_equal(err, OK);
    assert_int_equal(sample.namespaces.count, 1);
    free(plain);
}

static void the_default_file_tells_every_setting(void **state)
{
    (void)state;
    const char *text = printed(config_print_default);
    assert_has(text, "node:\n  # The name of the node. Required.\n  name: edge-1\n");
    assert_has(text, "# How many threads. Value: from 1 to 64.\n#workers: 1\n");
    assert_has(text, "  # The largest message. Value: at most 1GiB.\n  #message: 64KiB\n");
    assert_has(
        text,
        "  # What happens to a slow client. One of disconnect|drop_oldest.\n  #on_slow_client: disconnect\n");
    assert_has(text, "namespaces:\n  #default:\n    #history:\n      # Messages kept. Value: at most "
                     "10000.\n      #size: 32\n");
    assert_has(text, "\n# The listener.\nlisten:\n  # Where clients connect.\n  #address: 127.0.0.1:8000\n");
}

static void help_tells_every_setting_with_type_and_default(void **state)
{
    (void)state;
    const char *text = printed(config_print_help);
    assert_has(text, "\n  node.name (TEXT)\n      The name of the node. Required.\n");
    assert_has(text, "\n  listen.address (TEXT, default 127.0.0.1:8000)\n      Where clients connect.\n");
    assert_has(text, "\n  namespaces.NAME.history.size (COUNT, default 32)\n      Messages kept.");
}

static void help_fits_a_terminal(void **state)
{
    (void)state;
    static const config_row_t row = {
        .key = "long",
        .type = CONFIG_BOOL,
        .help =
            "A sentence of many words, so many that one line of a terminal does not hold all of them, and "
            "it goes on in the next, and in one more."};
    static const config_table_t table = {.rows = &row, .count = 1, .size = sizeof(bool)};
    buf_clear(&out);
    config_print_help(&(config_part_t){&table, NULL}, 1, &out);
    assert_string_equal(buf_text(&out),
                        "\n  long (BOOL, default false)\n"
                        "      A sentence of many words, so many that one line of a terminal does not\n"
                        "      hold all of them, and it goes on in the next, and in one more.\n");
}

static void markdown_has_a_table_a_section(void **state)
{
    (void)state;
    const char *text = printed(config_print_markdown);
    assert_has(text, "## At the top level\n\nA node.\n\n| Key | Type | Default | Environment | Meaning "
                     "|\n|---|---|---|---|---|\n");
    assert_has(text, "## `listen`\n\nThe listener.\n\n| Key");
    assert_has(text, "| `listen.address` | TEXT | `127.0.0.1:8000` | `HEDDLE_LISTEN_ADDRESS` | Where clients "
                     "connect. |\n");
    assert_has(text, "| `limits.on_slow_client` | WORD | `disconnect` | `HEDDLE_LIMITS_ON_SLOW_CLIENT` | "
                     "What happens to a "
                     "slow client. One of disconnect\\|drop_oldest. |\n");
    assert_has(text, "| `namespaces.NAME.presence` | BOOL | `false` |  | Whether one sees who is there. |\n");
}

static const char full[] = "node: { name: 'a \"b\" ${TEST_UNSET:-#}' }\n"
                           "workers: 3\n"
                           "limits: { message: 1536B }\n"
                           "ping: { interval: 90s }\n"
                           "auth: { hmac_secret: \"s3:cret\" }\n"
                           "api: { keys: [ \"s3cret\" ] }\n"
                           "namespaces:\n"
                           "  \"a b\": { history: { ttl: 500ms }, password: s3cret }\n"
                           "listen: { allowed_origins: [ \"*\", \"https://a.b\" ] }\n";

static const char *print_effective(bool traced)
{
    config_sources_t *sources = NULL;
    char name[] = "/tmp/heddle-config-XXXXXX";
    int fd = mkstemp(name);
    assert_int_equal(write(fd, full, sizeof full - 1), sizeof full - 1);
    close(fd);
    setenv("HEDDLE_LISTEN_ADDRESS", "e:1", 1);
    assert_int_equal(config_load_traced(parts, SAMPLE_PARTS, name, &sources, &report), OK);
    unlink(name);
    buf_clear(&out);
    config_print_effective(parts, SAMPLE_PARTS, traced ? sources : NULL, &out);
    config_sources_destroy(&sources);
    assert_null(sources);
    return buf_text(&out);
}

static bool has_source(const char *text, const char *line, const char *source)
{
    const char *at = strstr(text, line);
    assert_non_null(at);
    const char *mark = strchr(at, '#');
    size_t size = strcspn(mark, "\n"), end = strlen(source);
    return size >= end && strncmp(mark + size - end, source, end) == 0;
}

static void effective_values_name_their_source(void **state)
{
    (void)state;
    const char *text = print_effective(true);
    assert_true(has_source(text, "workers: 3", ":2"));
    assert_true(has_source(text, "  interval: 90s", ":4"));
    assert_true(has_source(text, "  message: 1536B", ":3"));
    assert_true(has_source(text, "  max_connections: 1000", "# default"));
    assert_true(has_source(text, "  address: e:1", "# HEDDLE_LISTEN_ADDRESS"));
    assert_true(has_source(text, "      ttl: 500ms", ":8"));
    assert_true(has_source(text, "      size: 32", "# default"));
}

/* Through the environment any bytes come in; what is printed is YAML nevertheless. */
static void odd_texts_are_written_so_that_they_can_be_read(void **state)
{
    (void)state;
    static const struct {
        const char *text, *line;
    } cases[] = {
        {"plain-1.2/x:y", "  name: plain-1.2/x:y\n"},
        {"-", "  name: \"-\"\n"},
        {"a b", "  name: \"a b\"\n"},
        {"\"\\", "  name: \"\\\"\\\\\"\n"},
        {"a\n\t\x01", "  name: \"a\\x0a\\x09\\x01\"\n"},
        {"$${a}", "  name: \"$$${a}\"\n"},
        {"\xc3\xa4\xf0\x9f\x98\x80", "  name: \"\xc3\xa4\xf0\x9f\x98\x80\"\n"},
        {"\xc2\x85\xe2\x80\xa8\xef\xbb\xbf", "  name: \"\\x85\\u2028\\ufeff\"\n"},
        {"\xff\xc3", "  name: \"\\xff\\xc3\"\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setenv("HEDDLE_NODE_NAME", cases[i].text, 1);
        assert_int_equal(parse(""), OK);
        buf_clear(&out);
        config_print_effective(parts, SAMPLE_PARTS, NULL, &out);
        assert_has(buf_text(&out), cases[i].line);
        clear_environment();
        assert_int_equal(parse(buf_text(&out)), OK);
        if (cases[i].text[0] != '\xff')
            assert_string_equal(sample.node, cases[i].text);
    }
}

static void effective_values_hide_secrets(void **state)
{
    (void)state;
    const char *text = print_effective(true);
    assert_null(strstr(text, "s3"));
    assert_has(text, "  hmac_secret: \"***\"");
    assert_has(text, "  keys: [\"***\"]");
    assert_has(text, "    password: \"***\"");
}

static void effective_values_load_again_as_the_same(void **state)
{
    (void)state;
    char *first = strdup(print_effective(false));
    clear_environment();
    for (char *at = first; (at = strstr(at, "\"***\"")) != NULL; at++)
        memcpy(at, "\"*:*\"", 5); /* the secret's own check */
    int err = parse(first);
    assert_string_equal(buf_text(&report), "");
    assert_int_equal(err, OK);
    assert_string_equal(sample.node, "a \"b\" #");
    assert_int_equal(sample.namespaces.count, 2);
    assert_string_equal(*(char **)sample.namespaces.items, "a b");
    for (char *at = first; (at = strstr(at, "\"*:*\"")) != NULL; at++)
        memcpy(at, "\"***\"", 5);
    buf_clear(&out);
    config_print_effective(parts, SAMPLE_PARTS, NULL, &out);
    assert_string_equal(buf_text(&out), first);
    free(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_default_file_loads_as_it_is, set_up, fini_out),
        cmocka_unit_test_setup_teardown(every_line_of_the_default_file_can_be_uncommented, set_up, fini_out),
        cmocka_unit_test_setup_teardown(the_default_file_tells_every_setting, set_up, fini_out),
        cmocka_unit_test_setup_teardown(help_tells_every_setting_with_type_and_default, set_up, fini_out),
        cmocka_unit_test_setup_teardown(help_fits_a_terminal, set_up, fini_out),
        cmocka_unit_test_setup_teardown(markdown_has_a_table_a_section, set_up, fini_out),
        cmocka_unit_test_setup_teardown(effective_values_name_their_source, set_up, fini_out),
        cmocka_unit_test_setup_teardown(odd_texts_are_written_so_that_they_can_be_read, set_up, fini_out),
        cmocka_unit_test_setup_teardown(effective_values_hide_secrets, set_up, fini_out),
        cmocka_unit_test_setup_teardown(effective_values_load_again_as_the_same, set_up, fini_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
