/* tests/unit/http/site - a server with a few handlers, on a loop of its own.
 * Life: site_open -> connect_to* -> site_close
 */
#ifndef HEDDLE_TESTS_HTTP_SITE_H
#define HEDDLE_TESTS_HTTP_SITE_H

#include "base/err.h"
#include "base/http/server.h"
#include "tests/unit/raw_client.h"

#define BODY_LIMIT 1000u
#define BIG_SIZE   (8u * 1024u * 1024u)

typedef struct site {
    uv_loop_t loop;
    http_server_t *server;
    http_exchange_t *kept; /* /later keeps it here */
    unsigned gone;
    bool closed;
} site_t;

static inline void on_gone(void *user)
{
    site_t *site = user;
    site->gone++;
    site->kept = NULL;
}

static inline void handle_hello(void *context, http_exchange_t *exchange)
{
    (void)context;
    http_exchange_respond(exchange, 200, "text/plain", "X-One: 1\r\n", SPAN("hello"));
}

/* Says what it has seen. */
static inline void handle_echo(void *context, http_exchange_t *exchange)
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

static inline void handle_later(void *context, http_exchange_t *exchange)
{
    site_t *site = context;
    site->kept = exchange;
    http_exchange_on_gone(exchange, on_gone, site);
}

static inline uint8_t big_byte(size_t at)
{
    return (uint8_t)(at * 7 + at / 251);
}

static inline void handle_big(void *context, http_exchange_t *exchange)
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

static inline void handle_empty(void *context, http_exchange_t *exchange)
{
    (void)context;
    http_exchange_respond(exchange, 204, NULL, NULL, (span_t){0});
}

static const http_route_t routes[] = {
    {"GET", "/hello", handle_hello}, {"GET", "/echo/*", handle_echo}, {"POST", "/echo/*", handle_echo},
    {"GET", "/later", handle_later}, {"GET", "/big", handle_big},     {"POST", "/empty", handle_empty},
};

static inline void on_closed(void *context)
{
    ((site_t *)context)->closed = true;
}

static inline void site_open(site_t *site)
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
static inline void site_close(site_t *site)
{
    http_server_close(site->server, on_closed);
    http_server_close(site->server, on_closed);
    uv_run(&site->loop, UV_RUN_DEFAULT);
    assert_true(site->closed);
    http_server_destroy(&site->server);
    assert_null(site->server);
    assert_int_equal(uv_loop_close(&site->loop), 0);
}

static inline client_t connect_to(site_t *site, int receive_buffer)
{
    return client_open(&site->loop, http_server_port(site->server), receive_buffer);
}

#endif
