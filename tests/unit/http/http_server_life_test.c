#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "site.h"

static bool has_kept(void *site)
{
    return ((site_t *)site)->kept != NULL;
}

static bool has_gone(void *site)
{
    return ((site_t *)site)->gone > 0;
}

/* --- answers that take their time --- */

static void an_answer_may_come_later(void **state)
{
    (void)state;
    site_t site;
    site_open(&site);
    client_t client = connect_to(&site, 0), other = connect_to(&site, 0);
    client_send(&client, "GET /later HTTP/1.1\r\nHost: h\r\n\r\nGET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
    serve_until(&site.loop, has_kept, &site);
    client_send(&other, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
    client_wait(&other, "hello");
    assert_false(client_has(&client, "HTTP"));
    http_exchange_respond(site.kept, 200, "text/plain", NULL, SPAN("at last"));
    client_wait(&client, "\r\n\r\nat lastHTTP/1.1 200 OK\r\n");
    client_wait(&client, "\r\n\r\nhello");
    assert_int_equal(site.gone, 0);
    client_close(&client);
    client_close(&other);
    site_close(&site);
}

static void a_client_that_leaves_before_the_answer_is_told(void **state)
{
    (void)state;
    site_t site;
    site_open(&site);
    client_t client = connect_to(&site, 0);
    client_send(&client, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    serve_until(&site.loop, has_kept, &site);
    client_close(&client);
    serve_until(&site.loop, has_gone, &site);
    assert_int_equal(site.gone, 1);
    assert_null(site.kept);
    site_close(&site);
}

static void a_client_that_floods_an_unanswered_request_is_dropped(void **state)
{
    (void)state;
    site_t site;
    site_open(&site);
    client_t client = connect_to(&site, 0);
    client_send(&client, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    serve_until(&site.loop, has_kept, &site);
    char flood[10001];
    memset(flood, 'x', sizeof flood - 1);
    flood[sizeof flood - 1] = '\0';
    client_send(&client, flood);
    serve_until(&site.loop, has_gone, &site);
    client_close(&client);
    site_close(&site);
}

static void a_big_answer_reaches_a_slow_reader_whole(void **state)
{
    (void)state;
    site_t site;
    site_open(&site);
    client_t client = connect_to(&site, 8192), other = connect_to(&site, 0);
    client_send(&client, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
    client_wait(&client, "\r\n\r\n");
    client_send(&other, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
    client_wait(&other, "hello");
    size_t head = (size_t)(strstr(buf_text(&client.in), "\r\n\r\n") + 4 - (const char *)client.in.data);
    uint64_t end = clock_now_us() + 3 * PATIENCE_US;
    while (client.in.size < head + BIG_SIZE && !client.ended) {
        assert_true(clock_now_us() < end);
        uv_run(&site.loop, UV_RUN_NOWAIT);
        client_receive(&client);
    }
    assert_int_equal(client.in.size, head + BIG_SIZE);
    for (size_t i = 0; i < BIG_SIZE; i++)
        if (client.in.data[head + i] != big_byte(i))
            fail_msg("byte %zu differs", i);
    client_send(&client, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
    buf_clear(&client.in);
    client_wait(&client, "hello");
    client_close(&client);
    client_close(&other);
    site_close(&site);
}

static void a_client_that_sends_and_does_not_read_costs_nothing(void **state)
{
    (void)state;
    site_t site;
    site_open(&site);
    client_t client = connect_to(&site, 8192);
    client_send(&client, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
    client_wait(&client, "\r\n\r\n");
    client_send(&client, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
    count_turns(&site.loop); /* until the kernel's buffers are full */
    assert_in_range(count_turns(&site.loop), 1, 100);
    client_close(&client);
    site_close(&site);
}

/* --- sockets that come from elsewhere; life --- */

static void an_adopted_socket_is_served_with_what_was_read_from_it(void **state)
{
    (void)state;
    site_t site;
    site_open(&site);
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    client_t client = {.loop = &site.loop, .fd = pair[0]};
    http_server_adopt(site.server, pair[1], SPAN("GET /hel"));
    client_send(&client, "lo HTTP/1.1\r\nHost: h\r\n\r\n");
    client_wait(&client, "hello");
    buf_clear(&client.in);
    client_send(&client, "GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    client_wait_end(&client);
    assert_true(client_has(&client, "hello"));
    client_close(&client);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    client = (client_t){.loop = &site.loop, .fd = pair[0]};
    http_server_adopt(site.server, pair[1], SPAN("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n"));
    client_wait(&client, "hello");
    client_close(&client);
    site_close(&site);
}

static void closing_drops_everybody_and_tells_the_handlers(void **state)
{
    (void)state;
    site_t site;
    site_open(&site);
    client_t waiting = connect_to(&site, 0), reading = connect_to(&site, 8192), idle = connect_to(&site, 0);
    client_send(&waiting, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    serve_until(&site.loop, has_kept, &site);
    client_send(&reading, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
    client_wait(&reading, "\r\n\r\n");
    site_close(&site);
    assert_int_equal(site.gone, 1);
    client_receive(&waiting);
    client_receive(&idle);
    assert_true(waiting.ended && idle.ended);
    client_close(&waiting);
    client_close(&reading);
    client_close(&idle);
}

static void a_bad_address_is_refused(void **state)
{
    (void)state;
    static const char *const addresses[] = {
        "",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:x",
        "127.0.0.1:1x",
        "127.0.0.1:65536",
        "localhost:1",
        "127.0.0.1:-1",
        "127.0.0.1: 1",
        "::1:80",
        "[::1]80",
        "[::1:80",
        "[]:80",
        "1.2.3.4.5:80",
        "127.0.0.1:99999999999999999999",
    };
    uv_loop_t loop;
    uv_loop_init(&loop);
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        http_server_t *server = NULL;
        http_server_options_t options = {.address = addresses[i]};
        assert_int_equal(http_server_open(&server, &loop, &options), ERR_MALFORMED);
        assert_null(server);
    }
    uv_loop_close(&loop);
}

static void an_address_that_is_taken_is_refused(void **state)
{
    (void)state;
    site_t site;
    site_open(&site);
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%u", http_server_port(site.server));
    http_server_t *second = NULL;
    http_server_options_t options = {.address = address};
    assert_int_equal(http_server_open(&second, &site.loop, &options), ERR_IO);
    site_close(&site);
}

static void *serve_in_a_thread(void *argument)
{
    (void)argument;
    site_t site;
    site_open(&site);
    for (int i = 0; i < 50; i++) {
        client_t client = connect_to(&site, 0);
        client_send(&client, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
        client_wait(&client, "hello");
        client_close(&client);
    }
    site_close(&site);
    return NULL;
}

static void several_servers_live_in_one_process(void **state)
{
    (void)state;
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, serve_in_a_thread, NULL), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_may_come_later),
        cmocka_unit_test(a_client_that_leaves_before_the_answer_is_told),
        cmocka_unit_test(a_client_that_floods_an_unanswered_request_is_dropped),
        cmocka_unit_test(a_big_answer_reaches_a_slow_reader_whole),
        cmocka_unit_test(a_client_that_sends_and_does_not_read_costs_nothing),
        cmocka_unit_test(an_adopted_socket_is_served_with_what_was_read_from_it),
        cmocka_unit_test(closing_drops_everybody_and_tells_the_handlers),
        cmocka_unit_test(a_bad_address_is_refused),
        cmocka_unit_test(an_address_that_is_taken_is_refused),
        cmocka_unit_test(several_servers_live_in_one_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
