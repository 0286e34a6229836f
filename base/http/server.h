/* base/http/server - plain HTTP/1.1: health, metrics, API, pages. On sockets that libwebsockets carries.
 * Owner:  an edge worker or a relay. It owns its listening socket, its connections and their exchanges.
 * Thread: the loop that it was opened on.
 * Life:   http_server_open -> requests -> http_server_close (idempotent) -> on_closed -> http_server_destroy
 *
 * One route is one row of a table; its handler answers at once or later (base/http/exchange). Bodies are
 * bounded: over the limit the answer is 413, without a length 411. An unknown path is answered 404, a known
 * one with another method 405. No upgrade is ever granted. Slow and silent clients are dropped.
 */
#ifndef HEDDLE_BASE_HTTP_SERVER_H
#define HEDDLE_BASE_HTTP_SERVER_H

#include <uv.h>

#include "base/http/exchange.h"

typedef struct http_server http_server_t;

typedef struct http_server_options {
    const char *address; /* "127.0.0.1:9000", "[::1]:9000", port 0 = any; NULL: none, only adopted sockets */
    const http_route_t *routes;
    size_t route_count;
    void *context;     /* borrowed; given to handlers */
    size_t body_limit; /* bytes of a request body; 0 = 1 MiB */
    bool
        one_request; /* each connection ends with its first answer: for a port that also takes upgrades, since
                          a connection that came here can't be upgraded, and a proxy would try */
} http_server_options_t;

/* ERR_IO if the address can't be bound, ERR_MALFORMED if it is none. Borrows the options'
 * texts and routes for life. */
int http_server_open(http_server_t **out, uv_loop_t *loop, const http_server_options_t *options);

/* The port that is bound; 0 without an address. */
uint16_t http_server_port(const http_server_t *self);

/* Takes the connected, non-blocking socket whatever happens. `head` is what was already read from it (the
 * request's first bytes); read again here. */
void http_server_adopt(http_server_t *self, int fd, span_t head);

/* The same for a request that was read elsewhere and is not granted: answers it with `why` (one line), and
 * closes when the client has. `headers` is NULL or "Name: value\r\n..."; both are read during the call. */
void http_server_refuse(http_server_t *self, int fd, int status, const char *headers, const char *why);

/* Stops listening now, drops connections in the next turn of the loop. Calls on_closed (may be NULL) with the
 * options' context, from the loop, when nothing is left. */
void http_server_close(http_server_t *self, void (*on_closed)(void *context));
void http_server_destroy(http_server_t **self_p); /* after on_closed */

#endif
