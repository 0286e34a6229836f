/* base/http/acceptor - a listening socket in a libuv loop.
 * Owner:  whoever embeds it.
 * Thread: the loop's.
 * Life:   acceptor_open -> on_socket* -> acceptor_close -> on_closed
 *
 * It takes a batch of connections a turn, so that a rush doesn't starve those who are in; and when the
 * process is out of descriptors it rests for a moment, since the socket would stay readable and keep the loop
 * turning.
 */
#ifndef HEDDLE_BASE_HTTP_ACCEPTOR_H
#define HEDDLE_BASE_HTTP_ACCEPTOR_H

#include <stdbool.h>
#include <uv.h>

typedef struct acceptor {
    uv_poll_t poll;                           /* of fd */
    uv_timer_t rest;                          /* runs while resting */
    int fd;                                   /* owned */
    void (*on_socket)(void *context, int fd); /* takes the connected, non-blocking socket */
    void (*on_closed)(void *context);
    void *context;    /* borrowed */
    unsigned handles; /* of libuv, not closed yet */
} acceptor_t;

/* Takes the listening, non-blocking socket (base/address). */
void acceptor_open(acceptor_t *self, uv_loop_t *loop, int fd, void (*on_socket)(void *context, int fd),
                   void *context);

/* Stops listening now; on_closed when the memory isn't used any more. */
void acceptor_close(acceptor_t *self, void (*on_closed)(void *context));

#endif
