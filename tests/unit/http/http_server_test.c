#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "base/err.h"
#include "base/http/server.h"
#include "tests/unit/raw_client.h"

#define BODY_LIMIT 1000u
#define BIG_SIZE   (8u * 1024u * 1024u)

/* --- a server with a few handlers --- */

typedef struct site {
    uv_loop_t loop;
    http_server_t *server;
    http_exchange_t *kept; /* /later keeps it here */
    unsigned gone;
    bool closed;
} site_t;

static void on_gone(void *user)
{
    site_t *site = user;
    site->gone++;
    site->kept = NULL;
}

static void handle_hello(void *context, http_exchange_t *exchange)
{
    (void)context;
    http_exchange_respond(exchange, 200, "text/plain", "X-One: 1\r\n", SPAN("hello"));
}

/* Says what it has seen. */
static void handle_echo(void *context, http_exchange_t *exchange)
{
    (void)context;
    buf_t body = {0};
    char name[16];
    span_t key = {0};
    int size = http_exchange_query_value(exchange, "name", name, sizeof name);
    http_exchange_header(exchange, "x-api-key", &key);
    buf_printf(&body, "%.*s %.*s %.*s name=%.*s key=%.*s body=%.*s.",
               SPAN_FMT(http_exchange_method(exchange)), SPAN_FMT(http_exchange_path(exchange)),
               SPAN_FMT(http_exchange_query(exchange)), size > 0 ? size : 0, name, SPAN_FMT(key),
               SPAN_FMT(http_exchange_body(exchange)));
    http_exchange_respond(exchange, 200, "text/plain", NULL, buf_span(&body));
    buf_fini(&body);
}

static void handle_later(void *context, http_exchange_t *exchange)
{
    site_t *site = context;
    site->kept = exchange;
    http_exchange_on_gone(exchange, on_gone, site);
}

static uint8_t big_byte(size_t at)
{
    return (uint8_t)(at * 7 + at / 251);
}

static void handle_big(void *context, http_exchange_t *exchange)
{
    (void)context;
    buf_t body = {0};
    uint8_t *data = buf_reserve(&body, BIG_SIZE);
    for (size_t i = 0; i < BIG_SIZE; i++)
        data[i] = big_byte(i);
    buf_advance(&body, BIG_SIZE);
    http_exchange_respond(exchange, 200, "application/octet-stream", NULL, buf_span(&body));
    buf_fini(&body);
}

static void handle_empty(void *context, http_exchange_t *exchange)
{
    (void)context;
    http_exchange_respond(exchange, 204, NULL, NULL, (span_t){0});
}

static const http_route_t routes[] = {
    {"GET", "/hello", handle_hello}, {"GET", "/echo/*", handle_echo}, {"POST", "/echo/*", handle_echo},
    {"GET", "/later", handle_later}, {"GET", "/big", handle_big},     {"POST", "/empty", handle_empty},
};

static void on_closed(void *context)
{
    ((site_t *)context)->closed = true;
}

static void site_open(site_t *site)
{
    *site = (site_t){0};
    http_server_options_t options = {.address = "127.0.0.1:0",
                                     .routes = routes,
                                     .route_count = sizeof routes / sizeof *routes,
                                     .context = site,
                                     .body_limit = BODY_LIMIT};
    assert_int_equal(uv_loop_init(&site->loop), 0);
    assert_int_equal(http_server_open(&site->server, &site->loop, &options), OK);
    assert_int_not_equal(http_server_port(site->server), 0);
}

/* The loop ends by itself when every handle is closed; a loop with one left can't be closed. */
static void site_close(site_t *site)
{
    http_server_close(site->server, on_closed);
    http_server_close(site->server, on_closed);
    uv_run(&site->loop, UV_RUN_DEFAULT);
    assert_true(site->closed);
    http_server_destroy(&site->server);
    assert_null(site->server);
    assert_int_equal(uv_loop_close(&site->loop), 0);
}

static client_t connect_to(site_t *site, int receive_buffer)
{
    return client_open(&site->loop, http_server_port(site->server), receive_buffer);
}

static bool has_kept(void *site)
{
    return ((site_t *)site)->kept != NULL;
}

static bool has_gone(void *site)
{
    return ((site_t *)site)->gone > 0;
}

/* One request on one connection, the beginning of its answer, and whether the connection ends. */
static void assert_answer(const char *request, const char *status_line, bool closes)
{
    site_t site;
    site_open(&site);
    client_t client = connect_to(&site, 0);
    client_send(&client, request);
    client_wait(&client, "\r\n\r\n");
    assert_ptr_equal(strstr(buf_text(&client.in), status_line), client.in.data);
    assert_int_equal(client_has(&client, "Connection: close\r\n"), closes);
    if (closes)
        client_wait_end(&client);
    client_close(&client);
    site_close(&site);
}

/* --- requests and answers --- */

static void an_answer_has_its_length_and_the_connection_is_kept(void **state)
{
    (void)state;
    site_t site;
    site_open(&site);
    client_t client = connect_to(&site, 0);
    for (int i = 0; i < 3; i++) {
        client_send(&client, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
        client_wait(&client, "\r\n\r\nhello");
        assert_true(client_has(&client, "HTTP/1.1 200 OK\r\n"));
        assert_true(client_has(&client, "Content-Length: 5\r\n"));
        assert_true(client_has(&client, "Content-Type: text/plain\r\n"));
        assert_true(client_has(&client, "X-One: 1\r\n"));
        assert_true(client_has(&client, "Connection: keep-alive\r\n"));
        assert_true(client_has(&client, " GMT\r\n"));
        buf_clear(&client.in);
    }
    client_close(&client);
    site_close(&site);
}

static void a_handler_sees_the_whole_request(void **state)
{
    (void)state;
    site_t site;
    site_open(&site);
    client_t client = connect_to(&site, 0);
    client_send(&client, "POST /echo/a%20b/../c?name=J%C3%B6+1&x HTTP/1.1\r\nHost: h\r\nX-API-Key: secret\r\n"
                         "Content-Length: 4\r\n\r\nbody");
    client_wait(&client, "POST /echo/a%20b/../c name=J%C3%B6+1&x name=J\xc3\xb6 1 key=secret body=body.");
    client_close(&client);
    site_close(&site);
}

static void a_request_may_come_byte_by_byte(void **state)
{
    (void)state;
    site_t site;
    site_open(&site);
    client_t client = connect_to(&site, 0);
    const char *request = "POST /echo/x HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody";
    for (const char *at = request; *at; at++) {
        char byte[2] = {*at, '\0'};
        client_send(&client, byte);
        turn(&site.loop, -1);
    }
    client_wait(&client, "body=body.");
    client_close(&client);
    site_close(&site);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    site_t site;
    site_open(&site);
    client_t client = connect_to(&site, 0);
    buf_t requests = {0};
    for (int i = 0; i < 200; i++)
        buf_printf(&requests, "POST /echo/%d HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n%d", i, i % 10);
    client_send(&client, buf_text(&requests));
    client_wait(&client, "/echo/199 ");
    const char *at = buf_text(&client.in);
    for (int i = 0; i < 200; i++) {
        char expected[32];
        snprintf(expected, sizeof expected, "POST /echo/%d ", i);
        at = strstr(at, expected);
        assert_non_null(at);
    }
    buf_fini(&requests);
    client_close(&client);
    site_close(&site);
}

static void head_gets_the_head_alone(void **state)
{
    (void)state;
    site_t site;
    site_open(&site);
    client_t client = connect_to(&site, 0);
    client_send(&client, "HEAD /hello HTTP/1.1\r\nHost: h\r\n\r\nHEAD /x HTTP/1.1\r\nHost: h\r\n\r\n"
                         "GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    client_wait_end(&client);
    assert_true(client_has(&client, "Content-Length: 5\r\n"));
    assert_true(client_has(&client, "keep-alive\r\n\r\nHTTP/1.1 404 Not Found\r\n"));
    assert_true(client_has(&client, "keep-alive\r\n\r\nHTTP/1.1 200 OK\r\n"));
    assert_true(client_has(&client, "close\r\n\r\nhello"));
    client_close(&client);
    site_close(&site);
}

static void an_unknown_path_is_404_and_another_method_405(void **state)
{
    (void)state;
    assert_answer("GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 404 Not Found\r\n", false);
    assert_answer("GET /hello/x HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 404 Not Found\r\n", false);
    assert_answer("DELETE /hello HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 405 Method Not Allowed\r\n", false);
    site_t site;
    site_open(&site);
    client_t client = connect_to(&site, 0);
    client_send(&client, "PUT /echo/ HTTP/1.1\r\nHost: h\r\n\r\n");
    client_wait(&client, "\r\nAllow: GET, HEAD, POST\r\n");
    client_close(&client);
    site_close(&site);
}

static void no_content_has_no_length(void **state)
{
    (void)state;
    site_t site;
    site_open(&site);
    client_t client = connect_to(&site, 0);
    client_send(&client, "POST /empty HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
    client_wait(&client, "HTTP/1.1 204 No Content\r\n");
    client_wait(&client, "\r\n\r\n");
    assert_false(client_has(&client, "Content-Length"));
    client_close(&client);
    site_close(&site);
}

static void an_old_client_gets_its_answer_and_the_end(void **state)
{
    (void)state;
    assert_answer("GET /hello HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n", true);
    assert_answer("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "HTTP/1.1 200 OK\r\n", false);
}

/* --- what is refused --- */

static void a_request_that_was_read_elsewhere_can_be_refused_here(void **state)
{
    (void)state;
    site_t site;
    site_open(&site);
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    client_t client = {.loop = &site.loop, .fd = pair[0]};
    client_send(&client, "what was not read");
    http_server_refuse(site.server, pair[1], 403, "X-One: 1\r\n", "not you");
    client_wait_end(&client);
    assert_true(client_has(&client, "HTTP/1.1 403 Forbidden\r\n"));
    assert_true(client_has(&client, "Content-Length: 8\r\nX-One: 1\r\nConnection: close\r\n\r\nnot you\n"));
    client_close(&client);
    site_close(&site);
}

static void bad_requests_are_answered_and_end_the_connection(void **state)
{
    (void)state;
    assert_answer("NONSENSE\r\n\r\n", "HTTP/1.1 400 ", true);
    assert_answer("GET /hello HTTP/1.1\nHost: h\n\n", "HTTP/1.1 400 ", true);
    assert_answer("GET /hello HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", true);
    assert_answer("GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "HTTP/1.1 400 ", true);
    assert_answer("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 505 ", true);
    assert_answer("POST /echo/ HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n", "HTTP/1.1 400 ", true);
    assert_answer("POST /echo/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                  "HTTP/1.1 411 ", true);
}

static void a_head_over_the_limit_is_431(void **state)
{
    (void)state;
    buf_t request = {0};
    buf_append_str(&request, "GET /hello HTTP/1.1\r\nHost: h\r\nX: ");
    for (int i = 0; i < 100000; i++)
        buf_append_byte(&request, 'x');
    assert_answer(buf_text(&request), "HTTP/1.1 431 ", true);
    buf_fini(&request);
}

static void a_body_may_fill_the_limit_and_not_a_byte_more(void **state)
{
    (void)state;
    for (size_t over = 0; over < 2; over++) {
        buf_t request = {0};
        buf_printf(&request, "POST /echo/ HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n",
                   BODY_LIMIT + over);
        for (size_t i = 0; i < BODY_LIMIT + over; i++)
            buf_append_byte(&request, 'x');
        assert_answer(buf_text(&request), over ? "HTTP/1.1 413 " : "HTTP/1.1 200 ", over);
        buf_fini(&request);
    }
}

/* The socket would be reset, and the answer lost, if it were closed with the body unread. */
static void a_refused_body_does_not_cost_the_client_the_answer(void **state)
{
    (void)state;
    site_t site;
    site_open(&site);
    client_t client = connect_to(&site, 0);
    client_send(&client, "POST /echo/ HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n");
    buf_t chunk = {0};
    for (int i = 0; i < 10000; i++)
        buf_append_byte(&chunk, 'x');
    for (int i = 0; i < 100; i++) {
        client_send(&client, buf_text(&chunk));
        turn(&site.loop, -1);
    }
    client_wait_end(&client);
    assert_true(client_has(&client, "HTTP/1.1 413 Content Too Large\r\n"));
    assert_true(client_has(&client, "Content Too Large\n"));
    buf_fini(&chunk);
    client_close(&client);
    site_close(&site);
}

static void a_client_that_asks_first_is_told_to_go_on(void **state)
{
    (void)state;
    site_t site;
    site_open(&site);
    client_t client = connect_to(&site, 0);
    client_send(&client,
                "POST /echo/ HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    client_wait(&client, "HTTP/1.1 100 Continue\r\n\r\n");
    client_send(&client, "ok");
    client_wait(&client, "body=ok.");
    client_close(&client);
    site_close(&site);
}

static void no_upgrade_is_granted(void **state)
{
    (void)state;
    assert_answer("GET /hello HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                  "HTTP/1.1 400 ", true);
    assert_answer("GET /hello HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n"
                  "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
                  "HTTP/1.1 200 OK\r\n", false);
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
        cmocka_unit_test(an_answer_has_its_length_and_the_connection_is_kept),
        cmocka_unit_test(a_handler_sees_the_whole_request),
        cmocka_unit_test(a_request_may_come_byte_by_byte),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(head_gets_the_head_alone),
        cmocka_unit_test(an_unknown_path_is_404_and_another_method_405),
        cmocka_unit_test(no_content_has_no_length),
        cmocka_unit_test(an_old_client_gets_its_answer_and_the_end),
        cmocka_unit_test(a_request_that_was_read_elsewhere_can_be_refused_here),
        cmocka_unit_test(bad_requests_are_answered_and_end_the_connection),
        cmocka_unit_test(a_head_over_the_limit_is_431),
        cmocka_unit_test(a_body_may_fill_the_limit_and_not_a_byte_more),
        cmocka_unit_test(a_refused_body_does_not_cost_the_client_the_answer),
        cmocka_unit_test(a_client_that_asks_first_is_told_to_go_on),
        cmocka_unit_test(no_upgrade_is_granted),
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
