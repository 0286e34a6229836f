/* What the edge's tests have in common: a worker without a loop, and connections without a socket. The
 * edge_conn_* functions here take the place of edge/server's.
 */
#ifndef HEDDLE_TESTS_EDGE_FAKE_WORKER_H
#define HEDDLE_TESTS_EDGE_FAKE_WORKER_H

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "edge/worker.h"

/* --- a connection whose kernel takes `room` bytes --- */

struct edge_conn {
    buf_t written;
    size_t room;
    unsigned writes;
    bool broken;
    bool wants_writable;
    bool paused;
    bool shut, shut_now;
};

long edge_conn_write(edge_conn_t *self, const void *data, size_t size)
{
    if (self->broken)
        return ERR_CLOSED;
    size_t count = size < self->room ? size : self->room;
    self->room -= count;
    self->writes++;
    buf_append(&self->written, data, count);
    return (long)count;
}

void edge_conn_want_writable(edge_conn_t *self)
{
    self->wants_writable = true;
}

void edge_conn_pause(edge_conn_t *self)
{
    self->paused = true;
}

void edge_conn_resume(edge_conn_t *self)
{
    self->paused = false;
}

void edge_conn_shut(edge_conn_t *self, bool now)
{
    assert_false(self->shut);
    self->shut = true;
    self->shut_now = now;
}

/* --- a worker --- */

typedef struct fake_worker {
    edge_worker_t worker;
    edge_config_t config;
} fake_worker_t;

static void fake_fire(void *context, wheel_timer_t *timer, uint64_t now_us)
{
    (void)context;
    edge_session_timer(LIST_ITEM(timer, edge_session_t, timer), now_us);
}

static fake_worker_t *fake_worker_new(void)
{
    fake_worker_t *self = mem_new(sizeof *self);
    self->config.limits = (edge_limits_config_t){
        .message = 65536, .outbox = 1000, .on_slow_client = SLOW_DISCONNECT, .channels_per_client = 4};
    self->config.ping = (edge_ping_config_t){.interval = 25 * CLOCK_SEC, .timeout = 8 * CLOCK_SEC};
    self->worker.config = &self->config;
    self->worker.now_us = 1000 * CLOCK_SEC;
    self->worker.scratch = mem_new(EDGE_WRITE_SIZE);
    wheel_init(&self->worker.wheel, self->worker.now_us, fake_fire, NULL);
    list_init(&self->worker.sessions);
    list_init(&self->worker.dirty);
    list_init(&self->worker.paused);
    return self;
}

static void fake_worker_destroy(fake_worker_t *self)
{
    assert_true(list_empty(&self->worker.sessions));
    assert_true(list_empty(&self->worker.dirty));
    assert_true(list_empty(&self->worker.paused));
    assert_int_equal(stats_get(&self->worker.stats.outbox_bytes), 0);
    assert_int_equal(stats_get(&self->worker.stats.connections), 0);
    mem_free(self->worker.scratch);
    mem_free(self);
}

/* The end of a turn: what is dirty gets written. */
static inline void fake_worker_flush(fake_worker_t *self)
{
    list_t dirty;
    list_init(&dirty);
    list_take(&dirty, &self->worker.dirty);
    for (list_node_t *node; (node = list_pop(&dirty)) != NULL;)
        edge_session_flush(LIST_ITEM(node, edge_session_t, dirty));
}

/* Time goes by in steps of a tenth of a second, with a turn at each. */
static inline void fake_worker_pass(fake_worker_t *self, uint64_t us)
{
    for (uint64_t passed = 0; passed < us; passed += CLOCK_SEC / 10) {
        self->worker.now_us += CLOCK_SEC / 10;
        wheel_advance(&self->worker.wheel, self->worker.now_us);
        fake_worker_flush(self);
    }
}

static edge_session_t *fake_client_of(fake_worker_t *self, edge_session_t *session, edge_conn_t *conn)
{
    *conn = (edge_conn_t){.room = SIZE_MAX};
    edge_session_opened(session, conn);
    assert_ptr_equal(session->worker, &self->worker);
    return session;
}

static void fake_client_gone(edge_session_t *session, edge_conn_t *conn)
{
    edge_session_closed(session);
    buf_fini(&conn->written);
}

/* --- what was written --- */

typedef struct fake_frame {
    websocket_opcode_t opcode;
    span_t payload;
    uint16_t close_code;
    span_t close_reason;
} fake_frame_t;

/* Takes one short frame (payload below 64 KiB) off the front of *rest. */
static inline fake_frame_t fake_next_frame(span_t *rest)
{
    assert_true(rest->size >= 2);
    fake_frame_t frame = {.opcode = (websocket_opcode_t)(rest->data[0] & 15)};
    assert_int_equal(rest->data[0] & 0xf0, 0x80);
    size_t size = rest->data[1];
    size_t header = 2;
    if (size == 126) {
        size = (size_t)rest->data[2] << 8 | rest->data[3];
        header = 4;
    }
    assert_true(rest->size >= header + size);
    frame.payload = span_new(rest->data + header, size);
    if (frame.opcode == WEBSOCKET_CLOSE && size >= 2) {
        frame.close_code = (uint16_t)(frame.payload.data[0] << 8 | frame.payload.data[1]);
        frame.close_reason = span_skip(frame.payload, 2);
    }
    *rest = span_skip(*rest, header + size);
    return frame;
}

static inline void assert_text_frame(span_t *rest, const char *text)
{
    fake_frame_t frame = fake_next_frame(rest);
    assert_int_equal(frame.opcode, WEBSOCKET_TEXT);
    assert_int_equal(frame.payload.size, strlen(text));
    assert_memory_equal(frame.payload.data, text, frame.payload.size);
}

static inline void assert_close_frame(span_t *rest, unsigned code, const char *reason)
{
    fake_frame_t frame = fake_next_frame(rest);
    assert_int_equal(frame.opcode, WEBSOCKET_CLOSE);
    assert_int_equal(frame.close_code, code);
    assert_true(span_is(frame.close_reason, reason));
    assert_int_equal(rest->size, 0);
}

#endif
