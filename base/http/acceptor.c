#include "base/http/acceptor.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

#define BATCH   64   /* connections a turn */
#define REST_MS 100u /* without descriptors */

static void on_acceptable(uv_poll_t *poll, int status, int events);

static void go_on(uv_timer_t *timer)
{
    acceptor_t *self = timer->data;
    uv_poll_start(&self->poll, UV_READABLE, on_acceptable);
}

static void rest(acceptor_t *self)
{
    uv_poll_stop(&self->poll);
    uv_timer_start(&self->rest, go_on, REST_MS, 0);
}

/* Errors of one connection that ended before we came to it (accept(2)). */
static bool is_passing(int error)
{
    return error == ECONNABORTED || error == EINTR || error == EPROTO;
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    acceptor_t *self = poll->data;
    int yes = 1;
    for (int i = 0; i < BATCH && !uv_is_closing((uv_handle_t *)poll); i++) {
        int fd = accept4(self->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
            self->on_socket(self->context, fd);
        } else if (errno == EAGAIN) {
            return;
        } else if (!is_passing(errno)) {
            log_warn("acceptor.resting", "err=%s", log_safe(span_str(strerror(errno))));
            rest(self);
            return;
        }
    }
}

static void on_handle_closed(uv_handle_t *handle)
{
    acceptor_t *self = handle->data;
    if (--self->handles == 0)
        self->on_closed(self->context);
}

void acceptor_open(acceptor_t *self, uv_loop_t *loop, int fd, void (*on_socket)(void *context, int fd),
                   void *context)
{
    *self = (acceptor_t){.fd = fd, .on_socket = on_socket, .context = context, .handles = 2};
    uv_poll_init(loop, &self->poll, fd);
    uv_timer_init(loop, &self->rest);
    self->poll.data = self->rest.data = self;
    uv_poll_start(&self->poll, UV_READABLE, on_acceptable);
}

void acceptor_close(acceptor_t *self, void (*on_closed)(void *context))
{
    self->on_closed = on_closed;
    /* In this order: libuv takes the descriptor off epoll, and its number may be another's once it is closed.
     */
    uv_close((uv_handle_t *)&self->poll, on_handle_closed);
    close(self->fd);
    uv_close((uv_handle_t *)&self->rest, on_handle_closed);
}
