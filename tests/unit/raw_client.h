/* tests/unit/raw_client - a client on a bare socket, and the loop of the server that it talks to, turn by
 * turn. The test and the server share one thread: waiting is turning the loop, until a deadline.
 */
#ifndef HEDDLE_TESTS_RAW_CLIENT_H
#define HEDDLE_TESTS_RAW_CLIENT_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/buf.h"
#include "base/clock.h"

#define PATIENCE_US (20u * CLOCK_SEC)

typedef struct client {
    uv_loop_t *loop;
    int fd;
    buf_t in;
    bool ended; /* the server has closed */
} client_t;

/* One turn of the loop, and a moment's rest unless something has come for the client (-1: none). */
static inline void turn(uv_loop_t *loop, int fd)
{
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    uv_run(loop, UV_RUN_NOWAIT);
    poll(&poller, 1, 1);
}

/* `receive_buffer`: of the kernel, small for a slow reader; 0 = as it comes. */
static inline client_t client_open(uv_loop_t *loop, uint16_t port, int receive_buffer)
{
    client_t self = {.loop = loop, .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (receive_buffer)
        setsockopt(self.fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    assert_int_equal(connect(self.fd, (struct sockaddr *)&address, sizeof address), 0);
    return self;
}

static inline void client_send_span(client_t *self, span_t bytes)
{
    assert_int_equal(send(self->fd, bytes.data, bytes.size, MSG_NOSIGNAL), bytes.size);
}

static inline void client_send(client_t *self, const char *text)
{
    client_send_span(self, span_str(text));
}

static inline void client_receive(client_t *self)
{
    uint8_t *at = buf_reserve(&self->in, 65536);
    ssize_t size = recv(self->fd, at, 65536, MSG_DONTWAIT);
    if (size > 0)
        buf_advance(&self->in, (size_t)size);
    else if (size == 0 || errno != EAGAIN)
        self->ended = true;
}

static inline bool client_has_span(const client_t *self, span_t bytes)
{
    return self->in.size && memmem(self->in.data, self->in.size, bytes.data, bytes.size) != NULL;
}

static inline bool client_has(const client_t *self, const char *text)
{
    return client_has_span(self, span_str(text));
}

/* Until the client has got the bytes. */
static inline void client_wait_span(client_t *self, span_t bytes)
{
    uint64_t end = clock_now_us() + PATIENCE_US;
    while (!self->ended && !client_has_span(self, bytes)) {
        assert_true(clock_now_us() < end);
        turn(self->loop, self->fd);
        client_receive(self);
    }
    assert_true(client_has_span(self, bytes));
}

static inline void client_wait(client_t *self, const char *text)
{
    client_wait_span(self, span_str(text));
}

/* Until the server has closed. */
static inline void client_wait_end(client_t *self)
{
    uint64_t end = clock_now_us() + PATIENCE_US;
    while (!self->ended) {
        assert_true(clock_now_us() < end);
        turn(self->loop, self->fd);
        client_receive(self);
    }
}

static inline void client_close(client_t *self)
{
    close(self->fd);
    buf_fini(&self->in);
}

/* Until it is so. */
static inline void serve_until(uv_loop_t *loop, bool (*is_so)(void *context), void *context)
{
    uint64_t end = clock_now_us() + PATIENCE_US;
    while (!is_so(context)) {
        assert_true(clock_now_us() < end);
        turn(loop, -1);
    }
}

static inline void count_turn(uv_prepare_t *prepare)
{
    (*(unsigned *)prepare->data)++;
}

static inline void stop_counting(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

/* Turns of the loop in a tenth of a second: a few at rest, tens of thousands when something spins. */
static inline unsigned count_turns(uv_loop_t *loop)
{
    unsigned turns = 0;
    bool over = false;
    uv_prepare_t prepare;
    uv_timer_t timer;
    uv_prepare_init(loop, &prepare);
    uv_timer_init(loop, &timer);
    prepare.data = &turns;
    timer.data = &over;
    uv_prepare_start(&prepare, count_turn);
    uv_timer_start(&timer, stop_counting, 100, 0);
    while (!over)
        uv_run(loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&prepare, NULL);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(loop, UV_RUN_NOWAIT);
    return turns;
}

#endif
