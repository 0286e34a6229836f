/* base/http/carrier - a libwebsockets context that carries raw sockets on a libuv loop of ours.
 * Owner:  whoever embeds it, and handles the sockets in its own file: base/http/server, edge/server.
 * Thread: the loop's. Open one after the other, or let the lock in here do it.
 * Life:   carrier_open -> carrier_adopt* -> carrier_close -> on_closed
 *
 * Two traps of the raw role, for those who use it. While lws_write has left something in libwebsockets' own
 * buffer, the socket is not read, but polled for input: so hold reading back (lws_rx_flow_control), or a
 * client that sends and doesn't read keeps the loop turning. And a socket that is polled for nothing doesn't
 * notice that its peer has left.
 */
#ifndef HEDDLE_BASE_HTTP_CARRIER_H
#define HEDDLE_BASE_HTTP_CARRIER_H

#include <uv.h>

struct lws;
struct lws_context;
struct lws_protocols;

typedef struct carrier {
    struct lws_context *context; /* owned; NULL once destroyed */
    uv_idle_t idle;              /* runs while closing */
    unsigned turns;              /* of it so far */
    void (*on_closed)(void *owner);
    void *owner; /* borrowed; lws_context_user, too */
} carrier_t;

typedef struct carrier_options {
    const struct lws_protocols *protocols; /* of the first one, which is bound to all sockets; static */
    unsigned read_size;                    /* bytes read in one go, for all sockets together */
    unsigned
        limit; /* sockets. Each event then costs a search through so many pointers, so only for a few. 0 = as
                  many as the process may open: two words of memory for each, and none is searched */
    void *owner;
} carrier_options_t;

/* ERR_UNAVAILABLE: libwebsockets or its libuv plugin can't be set up. */
int carrier_open(carrier_t *self, uv_loop_t *loop, const carrier_options_t *options);

/* Takes the descriptor whatever happens. NULL: closed. LWS_CALLBACK_RAW_ADOPT has been called on return. */
struct lws *carrier_adopt(carrier_t *self, int fd);

/* In the next turn of the loop every socket is closed (LWS_CALLBACK_RAW_CLOSE); on_closed (may be NULL) when
 * the memory isn't used any more. */
void carrier_close(carrier_t *self, void (*on_closed)(void *owner));

/* Closes a socket: RAW_CLOSE comes before this returns. Not from within a callback of the same socket; that
 * returns -1. */
void carrier_drop(struct lws *wsi);

#endif
