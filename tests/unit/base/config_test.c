#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/clock.h"
#include "base/config.h"
#include "tests/unit/base/config_fixture.h"

static void assert_ok(const char *text)
{
    int err = parse_behind_head(text);
    assert_string_equal(buf_text(&report), "");
    assert_int_equal(err, OK);
}

static const sample_namespace_t *namespace_of(size_t index)
{
    assert_true(index < sample.namespaces.count);
    return (const sample_namespace_t *)sample.namespaces.items + index;
}

static void without_a_file_everything_has_its_default(void **state)
{
    (void)state;
    assert_ok("");
    assert_string_equal(sample.node, "n");
    assert_int_equal(sample.relays.count, 1);
    assert_string_equal(sample.relays.items[0], "tcp://127.0.0.1:7700");
    assert_int_equal(sample.workers, 1);
    assert_true(sample.required);
    assert_null(sample.secret);
    assert_int_equal(sample.keys.count, 0);
    assert_int_equal(sample.message, 65536);
    assert_int_equal(sample.interval, 25 * CLOCK_SEC);
    assert_int_equal(sample.policy, 0);
    assert_string_equal(sample.listen.address, "127.0.0.1:8000");
}

static void a_file_sets_every_type(void **state)
{
    (void)state;
    assert_ok("relays: [ \"tcp://a:1\", 'tcp://b:2' ]\n"
              "workers: 8\n"
              "auth: { required: false, hmac_secret: \"s:s\" }\n"
              "api:\n  keys:\n  - one\n  - two\n"
              "limits:\n  message: 1MiB\n  on_slow_client: drop_oldest\n"
              "ping: {interval: 5m}\n"
              "listen:\n  address: \"[::1]:80\" # a comment\n");
    assert_int_equal(sample.relays.count, 2);
    assert_string_equal(sample.relays.items[1], "tcp://b:2");
    assert_int_equal(sample.workers, 8);
    assert_false(sample.required);
    assert_string_equal(sample.secret, "s:s");
    assert_int_equal(sample.keys.count, 2);
    assert_string_equal(sample.keys.items[1], "two");
    assert_int_equal(sample.message, 1 << 20);
    assert_int_equal(sample.policy, 1);
    assert_int_equal(sample.interval, 300 * CLOCK_SEC);
    assert_string_equal(sample.listen.address, "[::1]:80");
}

static void a_list_replaces_its_default(void **state)
{
    (void)state;
    assert_ok("relays: []\n");
    assert_int_equal(sample.relays.count, 0);
}

static void types_come_from_the_table_and_not_from_the_text(void **state)
{
    (void)state;
    static const char *const words[] = {"no", "null", "~", "1e3", "0x10", "true", "2026-11-24"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        char text[64];
        snprintf(text, sizeof text, "node: { name: %s }", words[i]);
        assert_int_equal(parse(text), OK);
        assert_string_equal(sample.node, words[i]);
    }
}

static void sections_without_content_are_fine(void **state)
{
    (void)state;
    assert_ok("auth:\nlisten:\nnamespaces:\nlimits: {}\n");
    assert_ok("namespaces:\n  chat:\n");
    assert_int_equal(sample.namespaces.count, 2);
}

static void a_byte_order_mark_and_crlf_are_fine(void **state)
{
    (void)state;
    assert_int_equal(parse("\xef\xbb\xbfnode:\r\n  name: n\r\nworkers: 3\r\n"), OK);
    assert_int_equal(sample.workers, 3);
    assert_string_equal(sample.node, "n");
}

static void named_sections_have_their_own_defaults(void **state)
{
    (void)state;
    assert_ok("namespaces:\n"
              "  chat: { history: { size: 7 }, presence: true }\n"
              "  a.b: { subscribe: nobody }\n");
    assert_int_equal(sample.namespaces.count, 3);
    assert_string_equal(namespace_of(0)->name, "chat");
    assert_int_equal(namespace_of(0)->size, 7);
    assert_int_equal(namespace_of(0)->ttl, 30 * CLOCK_SEC);
    assert_true(namespace_of(0)->presence);
    assert_string_equal(namespace_of(1)->name, "a.b");
    assert_int_equal(namespace_of(1)->subscribe, 2);
    assert_int_equal(namespace_of(1)->size, 32);
}

static void a_standing_section_exists_without_being_named(void **state)
{
    (void)state;
    assert_ok("");
    assert_int_equal(sample.namespaces.count, 1);
    assert_string_equal(namespace_of(0)->name, "default");
    assert_int_equal(namespace_of(0)->size, 32);
    assert_ok("namespaces: { default: { history: { size: 1 } } }\n");
    assert_int_equal(sample.namespaces.count, 1);
    assert_int_equal(namespace_of(0)->size, 1);
}

static void sizes_and_durations_have_all_their_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t value;
    } sizes[] = {{"0", 0}, {"512B", 512}, {"3KiB", 3072}, {"2MiB", 2u << 20}, {"1GiB", 1u << 30}},
      durations[] = {{"1500ms", 1500000},
                     {"1s", 1000000},
                     {"2m", 120000000},
                     {"1h", 3600000000},
                     {"30d", 2592000000000}};
    for (size_t i = 0; i < 5; i++) {
        char text[128];
        snprintf(text, sizeof text, "limits: { message: %s }\nping: { interval: %s }\n", sizes[i].text,
                 durations[i].text);
        assert_ok(text);
        assert_int_equal(sample.message, sizes[i].value);
        assert_int_equal(sample.interval, durations[i].value);
    }
}

static void variables_are_replaced_inside_scalars(void **state)
{
    (void)state;
    setenv("TEST_HOST", "h", 1);
    setenv("TEST_EMPTY", "", 1);
    unsetenv("TEST_UNSET");
    assert_int_equal(
        parse("node: { name: \"a-${TEST_HOST}-$HOME-$${TEST_HOST}-${TEST_UNSET:-x y}${TEST_EMPTY}\" }\n"
              "listen: { address: \"${TEST_EMPTY:-d:1}\" }\n"
              "relays: [ \"${TEST_HOST}:1\" ]\n"
              "workers: ${TEST_UNSET:-3}\n"),
        OK);
    assert_string_equal(sample.node, "a-h-$HOME-${TEST_HOST}-x y");
    assert_string_equal(sample.listen.address, "d:1");
    assert_string_equal(sample.relays.items[0], "h:1");
    assert_int_equal(sample.workers, 3);
}

static void a_number_from_a_variable_may_stand_in_quotes(void **state)
{
    (void)state;
    assert_ok("workers: \"${TEST_UNSET:-3}\"\n");
    assert_int_equal(sample.workers, 3);
}

static void the_environment_wins_over_the_file(void **state)
{
    (void)state;
    setenv("HEDDLE_WORKERS", "9", 1);
    setenv("HEDDLE_NODE_NAME", "from-env", 1);
    setenv("HEDDLE_RELAYS", "a:1, b:2", 1);
    setenv("HEDDLE_AUTH_REQUIRED", "false", 1);
    setenv("HEDDLE_LISTEN_ADDRESS", "e:1", 1);
    setenv("HEDDLE_LIMITS_ON_SLOW_CLIENT", "drop_oldest", 1);
    assert_int_equal(parse("workers: 3\nlisten: { address: \"f:1\" }\n"), OK);
    assert_int_equal(sample.workers, 9);
    assert_string_equal(sample.node, "from-env");
    assert_int_equal(sample.relays.count, 2);
    assert_string_equal(sample.relays.items[1], "b:2");
    assert_false(sample.required);
    assert_string_equal(sample.listen.address, "e:1");
    assert_int_equal(sample.policy, 1);
}

static void an_empty_list_in_the_environment_is_a_list(void **state)
{
    (void)state;
    setenv("HEDDLE_RELAYS", "", 1);
    assert_ok("relays: [ \"a:1\" ]\n");
    assert_int_equal(sample.relays.count, 0);
}

static void names_that_kubernetes_makes_are_let_pass(void **state)
{
    (void)state;
    setenv("HEDDLE_RELAY_SERVICE_HOST", "10.0.0.1", 1);
    setenv("HEDDLE_RELAY_SERVICE_PORT", "7700", 1);
    setenv("HEDDLE_RELAY_SERVICE_PORT_FABRIC", "7700", 1);
    setenv("HEDDLE_RELAY_PORT", "tcp://10.0.0.1:7700", 1);
    setenv("HEDDLE_RELAY_PORT_7700_TCP_ADDR", "10.0.0.1", 1);
    assert_ok("");
}

static void loading_twice_replaces_everything(void **state)
{
    (void)state;
    static const char first[] =
        HEAD "workers: 5\nrelays: [ \"a:1\", \"b:1\" ]\nnamespaces: { x: {}, y: {} }\n";
    assert_int_equal(config_parse(parts, SAMPLE_PARTS, "a", SPAN(first), &report), OK);
    assert_int_equal(config_parse(parts, SAMPLE_PARTS, "b", SPAN(HEAD), &report), OK);
    assert_int_equal(sample.workers, 1);
    assert_int_equal(sample.relays.count, 1);
    assert_int_equal(sample.namespaces.count, 1);
}

static char *write_file(const void *data, size_t size)
{
    char *name = strdup("/tmp/heddle-config-XXXXXX");
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), size);
    close(fd);
    return name;
}

static void a_file_is_read_from_disk(void **state)
{
    (void)state;
    static const char text[] = HEAD "workers: 4\n";
    char *file = write_file(text, sizeof text - 1);
    assert_int_equal(config_load(parts, SAMPLE_PARTS, file, &report), OK);
    assert_int_equal(sample.workers, 4);
    unlink(file);
    free(file);
}

static void a_file_that_is_missing_is_named_with_the_reason(void **state)
{
    (void)state;
    assert_int_equal(config_load(parts, SAMPLE_PARTS, "/nonexistent/edge.yaml", &report), ERR_IO);
    assert_string_equal(buf_text(&report),
                        "/nonexistent/edge.yaml: error: can't read the file: No such file or directory\n");
    buf_clear(&report);
    assert_int_equal(config_load(parts, SAMPLE_PARTS, "/tmp", &report), ERR_IO);
    assert_string_equal(buf_text(&report), "/tmp: error: can't read the file: Is a directory\n");
}

static void a_file_over_1_mib_is_refused(void **state)
{
    (void)state;
    size_t size = (1u << 20) + 1;
    char *text = malloc(size);
    memset(text, '#', size);
    char *file = write_file(text, size);
    assert_int_equal(config_load(parts, SAMPLE_PARTS, file, &report), ERR_CONFIG);
    assert_non_null(strstr(buf_text(&report), "the file is larger than 1024 KiB"));
    unlink(file);
    free(file);
    free(text);
}

static void without_a_file_the_environment_may_be_enough(void **state)
{
    (void)state;
    assert_int_equal(config_load(parts, SAMPLE_PARTS, NULL, &report), ERR_CONFIG);
    assert_string_equal(buf_text(&report),
                        "error: the required key 'node.name' is missing (for example: edge-1)\n"
                        "1 error in the configuration; nothing was changed\n");
    buf_clear(&report);
    setenv("HEDDLE_NODE_NAME", "n", 1);
    assert_int_equal(config_load(parts, SAMPLE_PARTS, NULL, &report), OK);
}

static void the_nearest_word_is_suggested(void **state)
{
    (void)state;
    static const char *const words[] = {"address", "max_connections", "ttl", "disconnect"};
    static const struct {
        const char *given, *suggested;
    } cases[] = {
        {"adress", "address"},
        {"adrdess", "address"},
        {"ADDRESS", "address"},
        {"max_connection", "max_connections"},
        {"maxconnections", "max_connections"},
        {"rtl", "ttl"},
        {"disconect", "disconnect"},
        {"dsiconnect", "disconnect"},
        {"xyz", NULL},
        {"", NULL},
        {"tt", NULL},
        {"workers", NULL},
        {"addressaddress", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *near = config_suggest(cases[i].given, words, 4);
        if (cases[i].suggested)
            assert_string_equal(near, cases[i].suggested);
        else
            assert_null(near);
    }
    assert_null(config_suggest("a", NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_a_file_everything_has_its_default, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_sets_every_type, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_list_replaces_its_default, set_up, tear_down),
        cmocka_unit_test_setup_teardown(types_come_from_the_table_and_not_from_the_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sections_without_content_are_fine, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_byte_order_mark_and_crlf_are_fine, set_up, tear_down),
        cmocka_unit_test_setup_teardown(named_sections_have_their_own_defaults, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_standing_section_exists_without_being_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sizes_and_durations_have_all_their_units, set_up, tear_down),
        cmocka_unit_test_setup_teardown(variables_are_replaced_inside_scalars, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_number_from_a_variable_may_stand_in_quotes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_environment_wins_over_the_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_empty_list_in_the_environment_is_a_list, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_that_kubernetes_makes_are_let_pass, set_up, tear_down),
        cmocka_unit_test_setup_teardown(loading_twice_replaces_everything, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_is_read_from_disk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_is_missing_is_named_with_the_reason, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_over_1_mib_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_file_the_environment_may_be_enough, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_nearest_word_is_suggested, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
