#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "site.h"

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
