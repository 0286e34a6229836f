#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "cli/feed.h"

/* A time limit that ends well (`sub --wait`) must not be taken for an edge that says nothing. */
static void an_edge_that_does_not_answer_is_unavailable(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* nobody accepts */
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    char url[64];
    snprintf(url, sizeof url, "ws://127.0.0.1:%u", ntohs(address.sin_port));
    cli_feed_options_t options = {
        .to = url, .channels = (char *[]){"news"}, .channel_count = 1, .connect_us = 50 * CLOCK_MS};
    buf_t why = {0};
    assert_int_equal(cli_feed_run(&options, &why), ERR_UNAVAILABLE);
    assert_true(why.size > 0);
    buf_fini(&why);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_edge_that_does_not_answer_is_unavailable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
