/* base/http_server - plain HTTP/1.1 requests and answers: health, metrics, API, pages. On libwebsockets.
 * Owner:  an edge worker or a relay. It owns its listening socket, its connections and their exchanges.
 * Thread: the loop that it was opened on.
 * Life:   http_server_open -> requests -> http_server_close (idempotent) -> on_closed -> http_server_destroy
 *
 * One route is one row of a table. A handler answers at once or later: the exchange stays good until it has been
 * answered or `gone` was called for it, whichever comes first. Request bodies are bounded; a body over the limit
 * is answered 413, an unknown path 404, a known path with another method 405.
 */
#ifndef HEDDLE_BASE_HTTP_SERVER_H
#define HEDDLE_BASE_HTTP_SERVER_H

#include <uv.h>

#include "base/span.h"

typedef struct http_server http_server_t;
typedef struct http_exchange http_exchange_t;

typedef void http_handler_fn(void *context, http_exchange_t *exchange);

typedef struct http_route {
    const char *method; /* "GET" (answers HEAD, too) or "POST" */
    const char *path;   /* "/metrics"; a path that ends in '*' matches every path with that beginning */
    http_handler_fn *handler;
} http_route_t;

typedef struct http_server_options {
    const char *address; /* "127.0.0.1:9000", "[::1]:9000", port 0 = any; NULL: none, only adopted sockets */
    const http_route_t *routes;
    size_t route_count;
    void *context;     /* borrowed; given to handlers */
    size_t body_limit; /* bytes of a request body; 0 = 1 MiB */
} http_server_options_t;

/* ERR_IO if the address can't be bound, ERR_MALFORMED if it is none. Borrows options' texts and routes for life. */
int http_server_open(http_server_t **out, uv_loop_t *loop, const http_server_options_t *options);

/* The port that is bound; 0 without an address. */
uint16_t http_server_port(const http_server_t *self);

/* Takes the connected, non-blocking socket whatever happens. `head` is what was already read from it (the request's
 * first bytes); read again here. */
void http_server_adopt(http_server_t *self, int fd, span_t head);

/* Stops listening, drops connections. Calls on_closed (may be NULL) from the loop when nothing is left. */
void http_server_close(http_server_t *self, void (*on_closed)(void *context));
void http_server_destroy(http_server_t **self_p); /* after on_closed, or the loop has ended */

/* --- within a handler, and later --- */

span_t http_exchange_method(const http_exchange_t *self);
span_t http_exchange_path(const http_exchange_t *self);  /* without the query, as sent */
span_t http_exchange_query(const http_exchange_t *self); /* without '?' */
span_t http_exchange_body(const http_exchange_t *self);

/* A header's value by its lower-case name: "x-api-key". false if absent. Only names in the list at the top of
 * http_server.c are kept. */
bool http_exchange_header(const http_exchange_t *self, const char *name, span_t *value);

/* One query parameter, decoded into `out` (at most `size` bytes, no NUL). Its length, or ERR_NOT_FOUND,
 * ERR_TOO_BIG, ERR_MALFORMED. */
int http_exchange_query_value(const http_exchange_t *self, const char *name, char *out, size_t size);

/* Calls gone(user) if the client leaves before the answer. After it the exchange must not be touched. */
void http_exchange_on_gone(http_exchange_t *self, void (*gone)(void *user), void *user);

/* Answers, and ends the exchange: it must not be touched afterwards. Copies body. `content_type` and `headers` are
 * read during the call; `headers` is NULL or "Name: value\r\n..." of our own making. */
void http_exchange_respond(http_exchange_t *self, int status, const char *content_type, const char *headers,
                           span_t body);

#endif
