/* edge/listener - the client port: accepts, reads the request's head, decides who gets the socket.
 * Owner:  a worker. Each has its own socket on the same port (SO_REUSEPORT); the kernel spreads clients.
 * Thread: the worker's loop.
 * Life:   edge_listener_open -> ... -> edge_listener_stop (no more accepts) -> edge_listener_close
 *         -> the loop runs on -> edge_listener_destroy
 *
 * A head must be whole EDGE_HEAD_DEADLINE_US after the accept (else 408), in HTTP_HEAD_LIMIT bytes at most. A
 * request to upgrade is checked (protocol/websocket, then Origin, then `admit`) and gets 101 and goes to the
 * server; or it is refused with its HTTP status and a sentence, which the HTTP server delivers. Every other
 * request goes to the HTTP server with what was read; so does what breaks the grammar (400, 431, 505).
 */
#ifndef HEDDLE_EDGE_LISTENER_H
#define HEDDLE_EDGE_LISTENER_H

#include <uv.h>

#include "base/buf.h"
#include "base/config.h"
#include "base/http/server.h"
#include "edge/server.h"

#define EDGE_HEAD_DEADLINE_US 10000000u

/* The `listen:` section. */
typedef struct edge_listen_config {
    char *address;                 /* "127.0.0.1:8000" */
    config_list_t allowed_origins; /* whole origins; a star stands for any run of letters */
    config_list_t trusted_proxies; /* addresses and networks whose X-Forwarded-For is believed */
    uint64_t max_connections;      /* of the process; above: 503 */
} edge_listen_config_t;

extern const config_table_t edge_listen_config_table;

typedef struct edge_listener edge_listener_t;

/* What a request wants that passed all checks of the protocol. Fills `session` and the subprotocol to answer
 * with (NULL = none), returns 101; or returns the HTTP status to refuse with, and a sentence in *why. `peer`
 * is the client's address as text, also behind trusted proxies. */
typedef int edge_admit_fn(void *context, const http_head_t *head, const char *peer, edge_session_t **session,
                          const char **subprotocol, const char **why);

typedef struct edge_listener_options {
    const edge_listen_config_t *config; /* borrowed */
    edge_server_t *server;              /* borrowed */
    http_server_t *http;                /* borrowed */
    edge_admit_fn *admit;
    /* A session that `admit` gave, whose connection failed before edge_session_opened. */
    void (*discard)(void *context, edge_session_t *session);
    void *context;
    bool reuse_port;
} edge_listener_options_t;

/* ERR_IO (bind), ERR_MALFORMED (address); a sentence in `why`. */
int edge_listener_open(edge_listener_t **out, uv_loop_t *loop, const edge_listener_options_t *options,
                       buf_t *why);
uint16_t edge_listener_port(const edge_listener_t *self);

void edge_listener_stop(edge_listener_t *self);
void edge_listener_close(edge_listener_t *self);
void edge_listener_destroy(edge_listener_t **self_p);

/* Is a request with this Origin let in? Absent: yes (not a browser). Present: it is in the list, or, with an
 * empty list, it is the host that the request was sent to. "null" only if listed. */
bool edge_origin_allowed(const config_list_t *allowed, const http_head_t *head);

typedef struct edge_listener_counts {
    uint64_t accepted, upgraded, refused, timed_out;
} edge_listener_counts_t;

edge_listener_counts_t edge_listener_counts(const edge_listener_t *self);

#endif
