#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <string.h>

#include "base/err.h"
#include "cli/url.h"

static void assert_url(const char *text, const char *host, const char *port, const char *authority,
                       const char *target)
{
    cli_url_t url;
    assert_int_equal(cli_url_parse(text, &url), OK);
    assert_string_equal(url.host, host);
    assert_string_equal(url.port, port);
    assert_string_equal(url.authority, authority);
    assert_string_equal(url.target, target);
}

static void a_url_is_taken_apart(void **state)
{
    (void)state;
    assert_url("ws://example.org", "example.org", "80", "example.org", "");
    assert_url("ws://127.0.0.1:8000/ws/a?mode=sub", "127.0.0.1", "8000", "127.0.0.1:8000", "/ws/a?mode=sub");
    assert_url("ws://[::1]:8000/", "::1", "8000", "[::1]:8000", "/");
    assert_url("ws://[::1]", "::1", "80", "[::1]", "");
    assert_url("ws://a?channel=b", "a", "80", "a", "/?channel=b");
}

static void another_scheme_is_unknown(void **state)
{
    (void)state;
    cli_url_t url;
    assert_int_equal(cli_url_parse("wss://a", &url), ERR_UNKNOWN);
    assert_int_equal(cli_url_parse("127.0.0.1:8000", &url), ERR_UNKNOWN);
    assert_int_equal(cli_url_parse("", &url), ERR_UNKNOWN);
}

static void what_is_no_url_is_malformed(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "ws://",   "ws:///ws/a", "ws://a:0",         "ws://a:65536",     "ws://a:b",
        "ws://a:", "ws://:80",   "ws://a/b\r\nX: y", "ws://a/with space"};
    cli_url_t url;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (cli_url_parse(wrong[i], &url) != ERR_MALFORMED)
            fail_msg("'%s' passed", wrong[i]);
    }
}

static void a_long_host_or_target_is_too_big(void **state)
{
    (void)state;
    char text[4096] = "ws://";
    cli_url_t url;
    memset(text + 5, 'a', 300);
    assert_int_equal(cli_url_parse(text, &url), ERR_TOO_BIG);
    memset(text + 5, '/', sizeof text - 6);
    text[5] = 'a';
    assert_int_equal(cli_url_parse(text, &url), ERR_TOO_BIG);
}

static void an_address_in_numbers_resolves_without_asking(void **state)
{
    (void)state;
    cli_url_t url;
    cli_address_t address;
    assert_int_equal(cli_url_parse("ws://127.0.0.1:8000", &url), OK);
    assert_int_equal(cli_url_resolve(&url, &address), OK);
    const struct sockaddr_in *to = (const struct sockaddr_in *)(const void *)&address.storage;
    assert_int_equal(to->sin_family, AF_INET);
    assert_int_equal(ntohs(to->sin_port), 8000);
    assert_int_equal(ntohl(to->sin_addr.s_addr), INADDR_LOOPBACK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_is_taken_apart),
        cmocka_unit_test(another_scheme_is_unknown),
        cmocka_unit_test(what_is_no_url_is_malformed),
        cmocka_unit_test(a_long_host_or_target_is_too_big),
        cmocka_unit_test(an_address_in_numbers_resolves_without_asking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
