#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/err.h"
#include "relay/config.h"

static relay_config_t config;
static config_part_t parts[RELAY_CONFIG_PARTS];
static buf_t why;

/* Loads the text as a file, then checks all of it. */
static int check(const char *text)
{
    relay_config_parts(&config, parts);
    config_free(parts, RELAY_CONFIG_PARTS);
    buf_clear(&why);
    int err = config_parse(parts, RELAY_CONFIG_PARTS, "relay.yaml", span_str(text), &why);
    return err ? err : relay_config_check(&config, &why);
}

static int clean_up(void **state)
{
    (void)state;
    config_free(parts, RELAY_CONFIG_PARTS);
    buf_fini(&why);
    return 0;
}

static void the_defaults_are_good(void **state)
{
    (void)state;
    assert_int_equal(check(""), OK);
    assert_false(config.fabric.insecure);
}

static void loopback_needs_no_leave(void **state)
{
    (void)state;
    assert_int_equal(check("listen: {address: 'tcp://127.9.8.7:7700'}"), OK);
    assert_int_equal(check("listen: {address: 'tcp://[::1]:7700'}"), OK);
    assert_int_equal(check("listen: {address: 'ipc:///run/heddle/fabric'}"), OK);
}

static void a_fabric_that_others_reach_is_refused(void **state)
{
    (void)state;
    static const char *const addresses[] = {
        "tcp://0.0.0.0:7700",
        "tcp://*:7700",
        "tcp://10.0.0.1:7700",
        "tcp://[::]:7700",
        "tcp://[::ffff:10.0.0.1]:7700",
        "tcp://eth0:7700",
        "tcp://128.0.0.1:7700",
        "tcp://127.0.0.1:0;0.0.0.0:7700", /* ZeroMQ binds to what stands behind ';' */
    };
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        buf_t text = {0};
        buf_printf(&text, "listen: {address: '%s'}", addresses[i]);
        if (check(buf_text(&text)) != ERR_CONFIG)
            fail_msg("taken: %s", addresses[i]);
        assert_non_null(strstr(buf_text(&why), addresses[i]));
        assert_non_null(strstr(buf_text(&why), "fabric.insecure"));
        buf_fini(&text);
    }
}

static void fabric_insecure_gives_leave(void **state)
{
    (void)state;
    assert_int_equal(check("listen: {address: 'tcp://0.0.0.0:7700'}\nfabric: {insecure: true}"), OK);
}

static void a_namespace_with_a_wrong_name_is_refused(void **state)
{
    (void)state;
    assert_int_equal(check("namespaces: {a.b: {presence: true}}"), ERR_MALFORMED);
    assert_non_null(strstr(buf_text(&why), "namespaces.a.b"));
}

static void peers_are_addresses_or_names(void **state)
{
    (void)state;
    assert_int_equal(check("peers: ['tcp://127.0.0.1:7702', 'dns://relays.example:7700']"), OK);
    assert_int_equal(check("peers: ['relay-2:7700']"), ERR_CONFIG);
    assert_non_null(strstr(buf_text(&why), "dns://name:port"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_defaults_are_good),
        cmocka_unit_test(loopback_needs_no_leave),
        cmocka_unit_test(a_fabric_that_others_reach_is_refused),
        cmocka_unit_test(fabric_insecure_gives_leave),
        cmocka_unit_test(a_namespace_with_a_wrong_name_is_refused),
        cmocka_unit_test(peers_are_addresses_or_names),
    };
    return cmocka_run_group_tests(tests, NULL, clean_up);
}
