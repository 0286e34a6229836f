#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "edge/client_address.h"

static char *trusted[] = {"10.0.0.0/8", "192.0.2.7", "fd00::/9"};
static const config_list_t proxies = {trusted, 3};

/* Who is the client of a request with these X-Forwarded-For fields (NULL = no second one)? */
static void assert_client(const char *peer, const char *first, const char *second, const char *client)
{
    http_head_t head = {.count = 0};
    if (first)
        head.fields[head.count++] = (http_field_t){SPAN("X-Forwarded-For"), span_str(first)};
    head.fields[head.count++] = (http_field_t){SPAN("Host"), SPAN("203.0.113.1")};
    if (second)
        head.fields[head.count++] = (http_field_t){SPAN("x-forwarded-for"), span_str(second)};
    char out[CLIENT_ADDRESS_SIZE];
    edge_client_address(&proxies, &head, peer, out);
    assert_string_equal(out, client);
}

static void who_has_the_connection_is_the_client(void **state)
{
    (void)state;
    assert_client("203.0.113.9", NULL, NULL, "203.0.113.9");
}

static void a_stranger_is_not_believed(void **state)
{
    (void)state;
    assert_client("203.0.113.9", "198.51.100.1", NULL, "203.0.113.9");
    assert_client("192.0.2.8", "198.51.100.1", NULL, "192.0.2.8");
    assert_client("11.0.0.1", "198.51.100.1", NULL, "11.0.0.1");
}

static void a_trusted_proxy_says_who_it_speaks_for(void **state)
{
    (void)state;
    assert_client("10.1.2.3", "198.51.100.1", NULL, "198.51.100.1");
    assert_client("192.0.2.7", "2001:db8::1", NULL, "2001:db8::1");
    assert_client("fd7f::1", "198.51.100.1", NULL, "198.51.100.1");
    assert_client("fd80::1", "198.51.100.1", NULL, "fd80::1");
}

static void what_the_client_itself_wrote_is_not_believed(void **state)
{
    (void)state;
    assert_client("10.1.2.3", "6.6.6.6, 198.51.100.1", NULL, "198.51.100.1");
    assert_client("10.1.2.3", "6.6.6.6", "198.51.100.1", "198.51.100.1");
}

static void a_chain_of_proxies_is_followed(void **state)
{
    (void)state;
    assert_client("10.1.2.3", "6.6.6.6, 198.51.100.1, 10.9.9.9, 192.0.2.7", NULL, "198.51.100.1");
}

static void what_is_no_address_is_passed_over(void **state)
{
    (void)state;
    assert_client("10.1.2.3", "unknown", NULL, "10.1.2.3");
    assert_client("10.1.2.3", "198.51.100.1, _hidden, 1.2.3, 1.2.3.4.5,", NULL, "198.51.100.1");
    assert_client("10.1.2.3", "0123456789012345678901234567890123456789012345678901234567890", NULL,
                  "10.1.2.3");
}

static void networks_are_checked(void **state)
{
    (void)state;
    static const char *const fine[] = {"10.0.0.7", "10.0.0.0/8", "0.0.0.0/0", "fd00::/8", "::1", "::/128"};
    static const char *const wrong[] = {"",   "10.0.0",     "10.0.0.0/",   "10.0.0.0/33", "10.0.0.0/x",
                                        "fd", "fd00::/129", "10.0.0.0/8x", "10.0.0.0/-1", "host"};
    buf_t why = {0};
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
        assert_int_equal(edge_network_check(fine[i], &why), OK);
    assert_int_equal(why.size, 0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(edge_network_check(wrong[i], &why), ERR_MALFORMED);
    assert_true(why.size > 0);
    buf_fini(&why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_has_the_connection_is_the_client),
        cmocka_unit_test(a_stranger_is_not_believed),
        cmocka_unit_test(a_trusted_proxy_says_who_it_speaks_for),
        cmocka_unit_test(what_the_client_itself_wrote_is_not_believed),
        cmocka_unit_test(a_chain_of_proxies_is_followed),
        cmocka_unit_test(what_is_no_address_is_passed_over),
        cmocka_unit_test(networks_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
