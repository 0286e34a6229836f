/* edge/server - the sockets of WebSocket clients, in libwebsockets' hands (raw role); frames in, bytes out.
 * Owner:  a worker.
 * Thread: the worker's loop.
 * Life:   edge_server_open -> adopt* -> edge_server_close -> the loop runs until its handles are gone
 *         -> edge_server_destroy
 *
 * A connection is a socket and a reader of frames (protocol/websocket). It calls its session
 * (edge/session.h), which owns what is said: edge_session_message, _control, _writable, _closed. The session
 * writes whole frames through edge_conn_write. When edge_session_closed is called the connection is gone.
 */
#ifndef HEDDLE_EDGE_SERVER_H
#define HEDDLE_EDGE_SERVER_H

#include <uv.h>

#include "protocol/websocket.h"

typedef struct edge_server edge_server_t;
typedef struct edge_conn edge_conn_t;
typedef struct edge_session edge_session_t;

typedef struct edge_server_options {
    websocket_limits_t limits;    /* copied */
    uint32_t controls_per_second; /* pings and pongs of one client; above: close 1008. 0 = 100 */
} edge_server_options_t;

/* Call for one worker after the other, before their threads start. ERR_IO if libwebsockets can't be set up.
 */
int edge_server_open(edge_server_t **out, uv_loop_t *loop, const edge_server_options_t *options);

/* Takes the connected, non-blocking socket whatever happens; the 101 has been written to it. `early` is what
 * came behind the request's head. Binds the connection and the session to each other: calls
 * edge_session_opened, and then for early frames. NULL if it failed: then the session has not been touched.
 */
edge_conn_t *edge_server_adopt(edge_server_t *self, int fd, edge_session_t *session, span_t early);

size_t edge_server_count(const edge_server_t *self); /* connections */
size_t edge_server_total(void);                      /* of all servers of the process; any thread */

/* In the next turn of the loop drops every connection (each session gets edge_session_closed), then its
 * handles. Idempotent. */
void edge_server_close(edge_server_t *self);
void edge_server_destroy(edge_server_t **self_p); /* after the loop has run out */

/* --- a connection, for its session --- */

/* Writes as many bytes as the kernel takes now. Their number; 0 = none now; ERR_CLOSED: broken,
 * edge_session_closed will come. Never calls back. When it took less than `size`, ask for
 * edge_session_writable with edge_conn_want_writable. */
long edge_conn_write(edge_conn_t *self, const void *data, size_t size);
void edge_conn_want_writable(edge_conn_t *self);

/* Holds reading back, or lets it go on. What has been read already may still be handed over. Idempotent. */
void edge_conn_pause(edge_conn_t *self);
void edge_conn_resume(edge_conn_t *self);

/* The session has written its last byte (a close frame, or not), and gets no more messages: when the client
 * has closed its side, after a second at the latest, the socket goes and edge_session_closed is called.
 * `now`: in the next turn. Never calls back itself. Idempotent. */
void edge_conn_shut(edge_conn_t *self, bool now);

#endif
