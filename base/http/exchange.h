/* base/http/exchange - one request and its answer, as a handler sees them.
 * Owner:  its connection, which lends it to a handler until that answers or the client leaves, whichever
 *         comes first. A handler that answers later asks for `gone`.
 * Thread: the loop of its server.
 */
#ifndef HEDDLE_BASE_HTTP_EXCHANGE_H
#define HEDDLE_BASE_HTTP_EXCHANGE_H

#include "base/span.h"

typedef struct http_exchange http_exchange_t;

typedef void http_handler_fn(void *context, http_exchange_t *exchange);

typedef struct http_route {
    const char *method; /* "GET" (answers HEAD, too) or "POST" */
    const char *path;   /* "/metrics"; a path that ends in '*' matches every path with that beginning */
    http_handler_fn *handler;
} http_route_t;

span_t http_exchange_method(const http_exchange_t *self);
span_t http_exchange_path(const http_exchange_t *self);  /* without the query, as sent */
span_t http_exchange_query(const http_exchange_t *self); /* without '?' */
span_t http_exchange_body(const http_exchange_t *self);

/* A header's value by its lower-case name, the first if there are several: "x-api-key". false if absent. */
bool http_exchange_header(const http_exchange_t *self, const char *name, span_t *value);

/* One query parameter, decoded into `out` (at most `size` bytes, no NUL). Its length, or ERR_NOT_FOUND,
 * ERR_TOO_BIG, ERR_MALFORMED. */
int http_exchange_query_value(const http_exchange_t *self, const char *name, char *out, size_t size);

/* Calls gone(user) if the client leaves before the answer. After it the exchange must not be touched. */
void http_exchange_on_gone(http_exchange_t *self, void (*gone)(void *user), void *user);

/* Answers, and ends the exchange: it must not be touched afterwards. Copies body. `content_type` and
 * `headers` are read during the call; `headers` is NULL or "Name: value\r\n..." of our own making. */
void http_exchange_respond(http_exchange_t *self, int status, const char *content_type, const char *headers,
                           span_t body);

#endif
