#include "edge/server.h"

#include <errno.h>
#include <libwebsockets.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/http/carrier.h"
#include "base/list.h"
#include "base/mem.h"
#include "edge/close_code.h"
#include "edge/session.h"

#define READ_SIZE           65536u    /* bytes read in one go; all connections share the buffer */
#define LINGER_US           CLOCK_SEC /* for the client to close after our last byte */
#define CONTROLS_PER_SECOND 100u

static atomic_size_t total; /* connections of all servers */

struct edge_conn {
    edge_server_t *server;
    edge_session_t *session; /* borrowed; outlives the connection */
    struct lws *wsi;
    list_node_t leaving;  /* in server->lingering or server->doomed */
    uint64_t deadline_us; /* lingering: until then */
    websocket_reader_t reader;
    uint64_t second;   /* of the loop's time, in which `controls` came */
    uint32_t controls; /* pings and pongs */
    int fd;            /* the wsi's, which costs a call to ask for: one for each message of each client */
    bool paused;
    bool deaf; /* what comes in is thrown away: the client has closed, broke the protocol, or the session is
                  done */
};

struct edge_server {
    websocket_limits_t limits;
    uint32_t controls_per_second;
    uv_loop_t *loop; /* borrowed */
    carrier_t carrier;
    uv_timer_t linger; /* runs while `lingering` isn't empty */
    uv_idle_t reap;    /* runs while `doomed` isn't empty */
    list_t lingering;  /* edge_conn_t; all waits are alike, so the first deadline is the first one's */
    list_t doomed;     /* edge_conn_t; closed in the next turn, as a session mustn't be called back in its own
                          call */
    size_t count;      /* connections */
    bool closing;
    unsigned parts; /* of carrier, linger and reap, those not closed yet */
};

/* --- what comes in --- */

static void fail(edge_conn_t *self, uint16_t code)
{
    self->deaf = true;
    edge_session_failed(self->session, code, edge_close_reason(code));
}

static void on_control(edge_conn_t *self, const websocket_event_t *event)
{
    uint64_t second = uv_now(self->server->loop) / 1000;
    if (self->second != second) {
        self->second = second;
        self->controls = 0;
    }
    if (++self->controls > self->server->controls_per_second)
        fail(self, EDGE_CLOSE_POLICY);
    else
        edge_session_control(self->session, event->opcode, event->payload);
}

static void on_event(edge_conn_t *self, const websocket_event_t *event)
{
    switch (event->opcode) {
    case WEBSOCKET_TEXT:
    case WEBSOCKET_BINARY:
        edge_session_message(self->session, event->opcode == WEBSOCKET_BINARY, event->payload);
        return;
    case WEBSOCKET_CLOSE:
        self->deaf = true;
        edge_session_close_received(self->session, event->close_code);
        return;
    default: on_control(self, event); return;
    }
}

static void receive(edge_conn_t *self, uint8_t *data, size_t size)
{
    while (!self->deaf) {
        websocket_event_t event;
        uint16_t code = 0;
        int rc = websocket_read(&self->reader, &data, &size, &event, &code);
        if (rc == ERR_AGAIN)
            return;
        if (rc == OK)
            on_event(self, &event);
        else
            fail(self, code);
    }
}

/* --- leaving --- */

static void on_reap(uv_idle_t *idle)
{
    edge_server_t *self = idle->data;
    list_node_t *node;
    uv_idle_stop(idle);
    while ((node = list_pop(&self->doomed)))
        carrier_drop(LIST_ITEM(node, edge_conn_t, leaving)->wsi);
}

static void doom(edge_conn_t *self)
{
    edge_server_t *server = self->server;
    self->deaf = true;
    list_remove(&self->leaving);
    list_append(&server->doomed, &self->leaving);
    if (!server->closing) /* else they all go in this turn or the next */
        uv_idle_start(&server->reap, on_reap);
}

static edge_conn_t *first_lingering(const edge_server_t *self)
{
    return list_empty(&self->lingering) ? NULL : LIST_ITEM(self->lingering.head.next, edge_conn_t, leaving);
}

static void on_linger(uv_timer_t *timer)
{
    edge_server_t *self = timer->data;
    uint64_t now_us = clock_now_us();
    edge_conn_t *first;
    while ((first = first_lingering(self)) && first->deadline_us <= now_us)
        doom(first);
    if (first)
        uv_timer_start(timer, on_linger, (first->deadline_us - now_us) / CLOCK_MS + 1, 0);
}

/* Our side is closed for writing; the client is to close its own. A socket that is closed with something
 * unread in it is reset, and the reset may overtake our last frame. */
static void linger(edge_conn_t *self)
{
    edge_server_t *server = self->server;
    self->deaf = true;
    shutdown(self->fd, SHUT_WR);
    edge_conn_resume(self);
    self->deadline_us = clock_now_us() + LINGER_US;
    list_append(&server->lingering, &self->leaving);
    if (!server->closing && !uv_is_active((uv_handle_t *)&server->linger))
        uv_timer_start(&server->linger, on_linger, LINGER_US / CLOCK_MS, 0);
}

void edge_conn_shut(edge_conn_t *self, bool now)
{
    if (now)
        doom(self);
    else if (!list_linked(&self->leaving))
        linger(self);
}

/* --- a connection, for its session --- */

/* Straight to the kernel, so that libwebsockets never has output of its own to wait for (base/http/carrier). */
long edge_conn_write(edge_conn_t *self, const void *data, size_t size)
{
    ssize_t written;
    do
        written = send(self->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (written < 0 && errno == EINTR);
    if (written >= 0)
        return written;
    if (errno == EAGAIN || errno == ENOBUFS)
        return 0;
    doom(self);
    return ERR_CLOSED;
}

void edge_conn_want_writable(edge_conn_t *self)
{
    lws_callback_on_writable(self->wsi);
}

void edge_conn_pause(edge_conn_t *self)
{
    if (self->paused || self->deaf)
        return;
    self->paused = true;
    lws_rx_flow_control(self->wsi, 0);
}

void edge_conn_resume(edge_conn_t *self)
{
    if (!self->paused)
        return;
    self->paused = false;
    lws_rx_flow_control(self->wsi, 1);
}

static edge_conn_t *conn_new(edge_server_t *server, struct lws *wsi, edge_session_t *session)
{
    edge_conn_t *self = mem_new(sizeof *self);
    self->server = server;
    self->session = session;
    self->wsi = wsi;
    self->fd = lws_get_socket_fd(wsi);
    websocket_reader_init(&self->reader, &server->limits, true);
    lws_set_opaque_user_data(wsi, self);
    server->count++;
    atomic_fetch_add_explicit(&total, 1, memory_order_relaxed);
    return self;
}

/* The socket has gone. */
static void conn_destroy(edge_conn_t *self)
{
    edge_session_t *session = self->session;
    list_remove(&self->leaving);
    self->server->count--;
    atomic_fetch_sub_explicit(&total, 1, memory_order_relaxed);
    websocket_reader_fini(&self->reader);
    mem_free(self);
    edge_session_closed(session);
}

static int on_socket(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size)
{
    (void)user;
    edge_conn_t *conn = lws_get_opaque_user_data(wsi);
    if (!conn) /* not adopted yet, or not any more */
        return 0;
    switch (reason) {
    case LWS_CALLBACK_RAW_RX: receive(conn, in, size); break;
    case LWS_CALLBACK_RAW_WRITEABLE:
        if (!list_linked(&conn->leaving))
            edge_session_writable(conn->session);
        break;
    case LWS_CALLBACK_RAW_CLOSE:
        lws_set_opaque_user_data(wsi, NULL);
        conn_destroy(conn);
        break;
    default: break;
    }
    return 0;
}

/* --- the server --- */

static const struct lws_protocols protocols[] = {
    {.name = "websocket", .callback = on_socket},
    {.name = NULL},
};

int edge_server_open(edge_server_t **out, uv_loop_t *loop, const edge_server_options_t *options)
{
    edge_server_t *self = mem_new(sizeof *self);
    carrier_options_t carrier = {.protocols = protocols, .read_size = READ_SIZE, .owner = self};
    int rc = carrier_open(&self->carrier, loop, &carrier);
    if (rc) {
        mem_free(self);
        return ERR_IO;
    }
    self->limits = options->limits;
    self->controls_per_second =
        options->controls_per_second ? options->controls_per_second : CONTROLS_PER_SECOND;
    self->loop = loop;
    list_init(&self->lingering);
    list_init(&self->doomed);
    uv_timer_init(loop, &self->linger);
    uv_idle_init(loop, &self->reap);
    self->linger.data = self->reap.data = self;
    self->parts = 3;
    *out = self;
    return OK;
}

edge_conn_t *edge_server_adopt(edge_server_t *self, int fd, edge_session_t *session, span_t early)
{
    if (self->closing) {
        close(fd);
        return NULL;
    }
    struct lws *wsi = carrier_adopt(&self->carrier, fd);
    if (!wsi)
        return NULL;
    edge_conn_t *conn = conn_new(self, wsi, session);
    edge_session_opened(session, conn);
    if (early.size) {
        buf_t frames = {0}; /* they are unmasked in place */
        buf_append_span(&frames, early);
        receive(conn, frames.data, frames.size);
        buf_fini(&frames);
    }
    return conn;
}

size_t edge_server_count(const edge_server_t *self)
{
    return self->count;
}

size_t edge_server_total(void)
{
    return atomic_load_explicit(&total, memory_order_relaxed);
}

static void on_part_closed(void *server)
{
    ((edge_server_t *)server)->parts--;
}

static void on_handle_closed(uv_handle_t *handle)
{
    on_part_closed(handle->data);
}

void edge_server_close(edge_server_t *self)
{
    if (self->closing)
        return;
    self->closing = true;
    uv_close((uv_handle_t *)&self->linger, on_handle_closed);
    uv_close((uv_handle_t *)&self->reap, on_handle_closed);
    carrier_close(&self->carrier, on_part_closed);
}

void edge_server_destroy(edge_server_t **self_p)
{
    edge_server_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    CHECK(self->closing && self->parts == 0);
    mem_free(self);
}
