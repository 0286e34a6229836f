#include "base/http/server.h"

#include <libwebsockets.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/http/acceptor.h"
#include "base/http/carrier.h"
#include "base/http/connection.h"
#include "base/list.h"
#include "base/mem.h"

#define BODY_LIMIT  (1024u * 1024u) /* bytes, where the options say nothing */
#define MAX_SOCKETS 1000u           /* people and scrapers are few; what is above is closed */
#define WRITE_SIZE  65536u          /* bytes a write; lws copies what the kernel doesn't take of one */
#define READ_SIZE   16384u          /* bytes a read */
#define TICK_MS     1000u           /* how often deadlines are looked at */

/* A socket that lws carries. */
typedef struct socket {
    list_node_t node;
    http_server_t *server;
    struct lws *wsi;
    http_connection_t *connection; /* owned */
} socket_t;

struct http_server {
    http_site_t site;
    carrier_t carrier;
    acceptor_t acceptor; /* where the options have an address */
    uv_timer_t tick;     /* runs while there are sockets */
    list_t sockets;      /* socket_t */
    size_t count;        /* of them */
    uint16_t port;       /* 0 = has no acceptor */
    bool closing;
    unsigned parts; /* of carrier, tick and acceptor, those open or not closed yet */
    void (*on_closed)(void *context);
};

static void start_tick(http_server_t *self);

/* --- libwebsockets --- */

static int socket_write(void *socket, span_t bytes)
{
    const socket_t *self = socket;
    /* lws's raw role only reads from it, but wants it without const */
    return lws_write(self->wsi, (unsigned char *)(uintptr_t)bytes.data, bytes.size, LWS_WRITE_RAW) < 0
               ? ERR_IO
               : OK;
}

static bool socket_is_full(void *socket)
{
    return lws_partial_buffered(((socket_t *)socket)->wsi);
}

/* While output waits, lws's raw role neither reads nor stops polling for input, so a client that sends and
 * doesn't read would keep the loop spinning. */
static void socket_wait(void *socket)
{
    const socket_t *self = socket;
    lws_rx_flow_control(self->wsi, 0);
    lws_callback_on_writable(self->wsi);
}

static void socket_resume(void *socket)
{
    lws_rx_flow_control(((socket_t *)socket)->wsi, 1);
}

static void socket_shut(void *socket)
{
    shutdown(lws_get_socket_fd(((socket_t *)socket)->wsi), SHUT_WR);
}

static void socket_drop(void *socket)
{
    carrier_drop(((socket_t *)socket)->wsi);
}

static const http_wire_t wire = {.write = socket_write,
                                 .is_full = socket_is_full,
                                 .wait = socket_wait,
                                 .resume = socket_resume,
                                 .shut = socket_shut,
                                 .drop = socket_drop};

static socket_t *socket_new(http_server_t *server, struct lws *wsi)
{
    socket_t *self = mem_new(sizeof *self);
    self->server = server;
    self->wsi = wsi;
    self->connection = http_connection_new(&server->site, self);
    list_append(&server->sockets, &self->node);
    server->count++;
    start_tick(server);
    return self;
}

static void socket_destroy(socket_t *self)
{
    http_connection_t *connection = self->connection;
    list_remove(&self->node);
    self->server->count--;
    mem_free(self);
    http_connection_destroy(&connection); /* last: it may call out */
}

static int on_socket(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size)
{
    (void)user;
    socket_t *self = lws_get_opaque_user_data(wsi);
    switch (reason) {
    case LWS_CALLBACK_RAW_ADOPT:
        lws_set_opaque_user_data(wsi, socket_new(lws_context_user(lws_get_context(wsi)), wsi));
        return 0;
    case LWS_CALLBACK_RAW_RX: return http_connection_receive(self->connection, span_new(in, size)) ? -1 : 0;
    case LWS_CALLBACK_RAW_WRITEABLE: return http_connection_writable(self->connection) ? -1 : 0;
    case LWS_CALLBACK_RAW_CLOSE:
        lws_set_opaque_user_data(wsi, NULL);
        if (self) /* there is none if it closes while being adopted */
            socket_destroy(self);
        return 0;
    default: return 0;
    }
}

static const struct lws_protocols protocols[] = {
    {.name = "http", .callback = on_socket, .tx_packet_size = WRITE_SIZE},
    {.name = NULL},
};

/* --- deadlines --- */

static socket_t *first_late(const http_server_t *self, uint64_t now_us)
{
    LIST_EACH (node, &self->sockets) {
        socket_t *each = LIST_ITEM(node, socket_t, node);
        if (http_connection_is_late(each->connection, now_us))
            return each;
    }
    return NULL;
}

/* From the start after each one: dropping calls out, and what is called may drop others. */
static void on_tick(uv_timer_t *timer)
{
    http_server_t *self = timer->data;
    uint64_t now_us = clock_now_us();
    for (socket_t *late; (late = first_late(self, now_us));)
        socket_drop(late);
    if (self->count == 0)
        uv_timer_stop(timer);
}

static void start_tick(http_server_t *self)
{
    if (!self->closing && !uv_is_active((uv_handle_t *)&self->tick))
        uv_timer_start(&self->tick, on_tick, TICK_MS, TICK_MS);
}

/* --- life --- */

static void on_part_closed(void *server)
{
    http_server_t *self = server;
    if (--self->parts == 0 && self->on_closed)
        self->on_closed(self->site.context);
}

static void on_tick_closed(uv_handle_t *handle)
{
    on_part_closed(handle->data);
}

static void on_accepted(void *server, int fd)
{
    http_server_adopt(server, fd, (span_t){0});
}

static int open_carrier(http_server_t *self, uv_loop_t *loop)
{
    carrier_options_t options = {
        .protocols = protocols, .read_size = READ_SIZE, .limit = MAX_SOCKETS, .owner = self};
    return carrier_open(&self->carrier, loop, &options);
}

/* What can fail comes first, so that nothing has to be closed through the loop. */
static int open_parts(http_server_t *self, uv_loop_t *loop, const char *address)
{
    int fd = -1;
    int rc = address ? address_listen(address, false, &fd, &self->port) : OK;
    if (rc)
        return rc;
    rc = open_carrier(self, loop);
    if (rc) {
        if (address)
            close(fd);
        return rc;
    }
    uv_timer_init(loop, &self->tick);
    self->tick.data = self;
    if (address)
        acceptor_open(&self->acceptor, loop, fd, on_accepted, self);
    self->parts = address ? 3 : 2;
    return OK;
}

int http_server_open(http_server_t **out, uv_loop_t *loop, const http_server_options_t *options)
{
    http_server_t *self = mem_new(sizeof *self);
    self->site = (http_site_t){.wire = &wire,
                               .routes = options->routes,
                               .route_count = options->route_count,
                               .context = options->context,
                               .body_limit = options->body_limit ? options->body_limit : BODY_LIMIT,
                               .one_request = options->one_request};
    list_init(&self->sockets);
    int rc = open_parts(self, loop, options->address);
    if (rc)
        mem_free(self);
    else
        *out = self;
    return rc;
}

uint16_t http_server_port(const http_server_t *self)
{
    return self->port;
}

/* NULL: there is no room, and it is closed. */
static socket_t *take_socket(http_server_t *self, int fd)
{
    if (self->closing || self->count >= MAX_SOCKETS) {
        close(fd);
        return NULL;
    }
    struct lws *wsi = carrier_adopt(&self->carrier, fd);
    return wsi ? lws_get_opaque_user_data(wsi) : NULL;
}

void http_server_adopt(http_server_t *self, int fd, span_t head)
{
    socket_t *taken = take_socket(self, fd);
    if (taken && head.size && http_connection_receive(taken->connection, head) != OK)
        socket_drop(taken);
}

void http_server_refuse(http_server_t *self, int fd, int status, const char *headers, const char *why)
{
    socket_t *taken = take_socket(self, fd);
    if (taken && http_connection_refuse(taken->connection, status, headers, why) != OK)
        socket_drop(taken);
}

void http_server_close(http_server_t *self, void (*on_closed)(void *context))
{
    if (self->closing)
        return;
    self->closing = true;
    self->on_closed = on_closed;
    if (self->port)
        acceptor_close(&self->acceptor, on_part_closed);
    uv_close((uv_handle_t *)&self->tick, on_tick_closed);
    carrier_close(&self->carrier, on_part_closed);
}

void http_server_destroy(http_server_t **self_p)
{
    http_server_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    CHECK(self->closing && self->parts == 0);
    mem_free(self);
}
