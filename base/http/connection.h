/* base/http/connection - one HTTP/1.1 connection: bytes in, requests to handlers, answers out.
 * Owner:  base/http/server, which carries the bytes; exchanges are handed to handlers (base/http/exchange).
 * Thread: the loop. Knows no socket and no libwebsockets: the wire is a table of functions.
 * Life:   new -> (receive | writable)* -> destroy
 */
#ifndef HEDDLE_BASE_HTTP_CONNECTION_H
#define HEDDLE_BASE_HTTP_CONNECTION_H

#include "base/http/exchange.h"

typedef struct http_connection http_connection_t;

typedef struct http_wire {
    int (*write)(void *socket, span_t bytes); /* takes them all, or ERR_IO */
    bool (*is_full)(void *socket);            /* does it still hold some of them? */
    void (*wait)(void *socket);               /* reads no more, and says when it is not full any more */
    void (*resume)(void *socket);             /* reads again */
    void (*shut)(void *socket);               /* nothing more will be written */
    void (*drop)(void *socket);               /* closes, and destroys the connection before it returns */
} http_wire_t;

/* What all connections of a server share; borrowed. */
typedef struct http_site {
    const http_wire_t *wire;
    const http_route_t *routes;
    size_t route_count;
    void *context;     /* for handlers */
    size_t body_limit; /* bytes of a request body */
    bool one_request;  /* each connection ends with its first answer */
} http_site_t;

http_connection_t *http_connection_new(const http_site_t *site, void *socket);

/* The socket is closed; an open exchange is gone. */
void http_connection_destroy(http_connection_t **self_p);

/* OK, or ERR_CLOSED: the socket is to be closed. */
int http_connection_receive(http_connection_t *self, span_t bytes);
int http_connection_writable(http_connection_t *self);

/* Answers a request that another has read, says why in one line, and takes no more. ERR_CLOSED as above. */
int http_connection_refuse(http_connection_t *self, int status, const char *headers, const char *why);

/* Has the client kept us waiting for too long? Then it is to be dropped. */
bool http_connection_is_late(const http_connection_t *self, uint64_t now_us);

#endif
