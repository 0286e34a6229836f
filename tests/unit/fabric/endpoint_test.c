#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "fabric/endpoint.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static buf_t why;

static int clean_up(void **state)
{
    (void)state;
    buf_fini(&why);
    return 0;
}

static void refuses(int (*check)(const char *, buf_t *), const char *text)
{
    buf_clear(&why);
    if (check(text, &why) != ERR_MALFORMED)
        fail_msg("taken: '%s'", text);
    assert_true(why.size > 0);
}

static void takes(int (*check)(const char *, buf_t *), const char *text)
{
    buf_clear(&why);
    if (check(text, &why) != OK)
        fail_msg("refused: '%s': %s", text, buf_text(&why));
    assert_int_equal(why.size, 0);
}

static void addresses_are_taken_and_other_texts_are_not(void **state)
{
    (void)state;
    const char *good[] = {"tcp://127.0.0.1:7700", "tcp://*:7700", "tcp://[::1]:65534", "tcp://relay:0",
                          "ipc:///run/heddle"};
    const char *bad[] = {"",
                         "tcp://",
                         "tcp://:7700",
                         "tcp://host",
                         "tcp://host:",
                         "tcp://host:65535",
                         "tcp://host:99999999999999999999",
                         "tcp://host:12x",
                         "tcp://host:-1",
                         "udp://host:1",
                         "ipc://",
                         "127.0.0.1:7700"};
    for (size_t i = 0; i < COUNT(good); i++) {
        takes(endpoint_check_listen, good[i]);
        takes(endpoint_check_connect, good[i]);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        refuses(endpoint_check_listen, bad[i]);
        refuses(endpoint_check_connect, bad[i]);
    }
}

static void a_name_is_for_connecting_only(void **state)
{
    (void)state;
    takes(endpoint_check_connect, "dns://relay.heddle.svc.cluster.local:7700");
    takes(endpoint_check_connect, "dns://_heddle._tcp.example.com.:65534");
    refuses(endpoint_check_listen, "dns://localhost:7700");
}

static void a_name_is_nothing_but_a_name(void **state)
{
    (void)state;
    const char *bad[] = {
        "dns://",      "dns://:7700", "dns://relay",      "dns://relay:0",     "dns://relay:65535",
        "dns://a b:1", "dns://a/b:1", "dns://[::1]:7700", "dns://a:7700:7700", "dns://a;b:1"};
    for (size_t i = 0; i < COUNT(bad); i++)
        refuses(endpoint_check_connect, bad[i]);
    buf_t text = {0};
    buf_printf(&text, "dns://%0*d:7700", 253, 0);
    takes(endpoint_check_connect, buf_text(&text));
    buf_clear(&text);
    buf_printf(&text, "dns://%0*d:7700", 254, 0);
    refuses(endpoint_check_connect, buf_text(&text));
    buf_fini(&text);
}

static void a_name_is_told_from_its_port(void **state)
{
    (void)state;
    span_t name;
    uint16_t port;
    assert_true(endpoint_name("dns://relay.example:7700", &name, &port));
    assert_true(span_is(name, "relay.example"));
    assert_int_equal(port, 7700);
    assert_false(endpoint_name("tcp://relay.example:7700", &name, &port));
}

static void deliveries_leave_one_port_above(void **state)
{
    (void)state;
    buf_t out = {0};
    assert_string_equal(endpoint_deliveries("tcp://[::1]:7700", &out), "tcp://[::1]:7701");
    assert_string_equal(endpoint_deliveries("tcp://h:65534", &out), "tcp://h:65535");
    assert_string_equal(endpoint_deliveries("ipc:///run/heddle:7", &out), "ipc:///run/heddle:7.deliveries");
    buf_fini(&out);
}

static void what_others_can_reach_is_not_local(void **state)
{
    (void)state;
    assert_true(endpoint_is_local("tcp://127.0.0.1:7700"));
    assert_true(endpoint_is_local("tcp://[::1]:7700"));
    assert_true(endpoint_is_local("ipc:///run/heddle"));
    assert_false(endpoint_is_local("tcp://0.0.0.0:7700"));
    assert_false(endpoint_is_local("tcp://localhost:7700"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_taken_and_other_texts_are_not),
        cmocka_unit_test(a_name_is_for_connecting_only),
        cmocka_unit_test(a_name_is_nothing_but_a_name),
        cmocka_unit_test(a_name_is_told_from_its_port),
        cmocka_unit_test(deliveries_leave_one_port_above),
        cmocka_unit_test(what_others_can_reach_is_not_local),
    };
    return cmocka_run_group_tests_name("fabric/endpoint", tests, NULL, clean_up);
}
