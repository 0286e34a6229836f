/* The one file of base that knows libwebsockets, and of it only the carrying of sockets (its raw role): why
 * heads and bodies are read by our own rules is told in docs/decisions/0002. */
#include "base/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libwebsockets.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/http_connection.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"

#define BODY_LIMIT      (1024u * 1024u) /* bytes, where the options say nothing */
#define MAX_CONNECTIONS 1000u  /* people and scrapers are few; the kernel's queue holds what is above */
#define ACCEPT_BATCH    64     /* connections a loop turn, so that a rush doesn't starve the rest */
#define WRITE_SIZE      65536u /* bytes a write; lws copies what the kernel doesn't take of one */
#define READ_SIZE       16384u /* bytes a read */
#define TICK_MS         1000u  /* how often deadlines are looked at */
#define DESTROY_TURNS   3u     /* see destroy_context */

/* A socket that lws carries. */
typedef struct socket {
    list_node_t node;
    http_server_t *server;
    struct lws *wsi;
    http_connection_t *connection; /* owned */
} socket_t;

struct http_server {
    http_server_options_t options;
    uv_loop_t *loop;
    struct lws_context *context; /* NULL once destroyed */
    struct lws_vhost *vhost;
    http_site_t site;
    list_t sockets; /* socket_t */
    size_t count;
    int fd; /* listening; -1 = none */
    uint16_t port;
    bool paused;       /* not accepting: too many connections, or out of descriptors */
    uv_poll_t poll;    /* of fd */
    uv_timer_t tick;   /* runs while there are connections, or while paused */
    uv_idle_t destroy; /* runs while closing */
    unsigned turns;    /* of `destroy` so far */
    unsigned handles;  /* of the three above, open or not closed yet */
    bool closing, closed;
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

/* Not from within lws's callback for the same socket: that returns -1. */
static void socket_drop(void *socket)
{
    lws_set_timeout(((socket_t *)socket)->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_SYNC);
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

static void log_lws(int level, const char *line)
{
    (void)level;
    log_debug("http.lws", "text=%s", log_safe(span_new(line, strcspn(line, "\n"))));
}

/* Making a context touches what all contexts of the process share (the log, the plugin, OpenSSL). */
static int create_context(http_server_t *self)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static const lws_retry_bo_t no_validity = {0}; /* no pings and no time-outs of its own */
    void *loops[] = {self->loop};
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .protocols = protocols,
        .options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_DISABLE_IPV6,
        .foreign_loops = loops,
        .fd_limit_per_thread = MAX_CONNECTIONS + 8, /* the rest is for its own pipe */
        .pt_serv_buf_size = READ_SIZE,
        .retry_and_idle_policy = &no_validity,
        .vhost_name = "http",
        .user = self,
        .gid = -1,
        .uid = -1,
    };
    pthread_mutex_lock(&mutex);
    lws_set_log_level(LLL_ERR | LLL_WARN, log_lws);
    self->context = lws_create_context(&info);
    pthread_mutex_unlock(&mutex);
    if (!self->context)
        return ERR_UNAVAILABLE;
    self->vhost = lws_get_vhost_by_name(self->context, "http");
    CHECK(self->vhost);
    return OK;
}

/* --- listening --- */

static void on_acceptable(uv_poll_t *poll, int status, int events);

static void pause_listening(http_server_t *self)
{
    self->paused = true;
    uv_poll_stop(&self->poll);
    start_tick(self);
}

static void resume_listening(http_server_t *self)
{
    self->paused = false;
    uv_poll_start(&self->poll, UV_READABLE, on_acceptable);
}

static bool is_passing(int error)
{
    return error == ECONNABORTED || error == EINTR || error == EPROTO || error == ENETDOWN;
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    http_server_t *self = poll->data;
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        if (self->count >= MAX_CONNECTIONS) {
            pause_listening(self);
            return;
        }
        int fd = accept4(self->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            http_server_adopt(self, fd, (span_t){0});
        } else if (!is_passing(errno)) {
            if (errno != EAGAIN) {
                log_warn("http.accept", "error=\"%s\"", strerror(errno));
                pause_listening(self);
            }
            return;
        }
    }
}

/* "127.0.0.1:9000" or "[::1]:9000". */
static int parse_address(const char *text, struct sockaddr_storage *out, socklen_t *size)
{
    char host[64];
    const char *colon = strrchr(text, ':');
    if (!colon)
        return ERR_MALFORMED;
    bool bracketed = text[0] == '[' && colon > text + 1 && colon[-1] == ']';
    const char *begin = text + bracketed, *end = colon - bracketed;
    size_t length = (size_t)(end - begin);
    char *rest;
    errno = 0;
    unsigned long port = strtoul(colon + 1, &rest, 10);
    if (length >= sizeof host || colon[1] < '0' || colon[1] > '9' || *rest || errno || port > UINT16_MAX)
        return ERR_MALFORMED;
    memcpy(host, begin, length);
    host[length] = '\0';
    int rc = bracketed ? uv_ip6_addr(host, (int)port, (struct sockaddr_in6 *)out)
                       : uv_ip4_addr(host, (int)port, (struct sockaddr_in *)out);
    *size = bracketed ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    return rc ? ERR_MALFORMED : OK;
}

static int bind_address(http_server_t *self, const struct sockaddr_storage *address, socklen_t size)
{
    int yes = 1;
    struct sockaddr_storage bound;
    socklen_t bound_size = sizeof bound;
    self->fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (self->fd < 0)
        return ERR_IO;
    setsockopt(self->fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (address->ss_family == AF_INET6)
        setsockopt(self->fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
    if (bind(self->fd, (const struct sockaddr *)address, size) || listen(self->fd, SOMAXCONN) ||
        getsockname(self->fd, (struct sockaddr *)&bound, &bound_size))
        return ERR_IO;
    self->port = ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                                   : ((struct sockaddr_in *)&bound)->sin_port);
    return OK;
}

static int bind_options(http_server_t *self)
{
    struct sockaddr_storage address;
    socklen_t size;
    if (!self->options.address)
        return OK;
    int rc = parse_address(self->options.address, &address, &size);
    return rc ? rc : bind_address(self, &address, size);
}

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
    if (self->paused && self->count < MAX_CONNECTIONS)
        resume_listening(self);
    if (self->count == 0 && !self->paused)
        uv_timer_stop(timer);
}

static void start_tick(http_server_t *self)
{
    if (!self->closing && !uv_is_active((uv_handle_t *)&self->tick))
        uv_timer_start(&self->tick, on_tick, TICK_MS, TICK_MS);
}

/* --- life --- */

static void on_handle_closed(uv_handle_t *handle)
{
    http_server_t *self = handle->data;
    if (--self->handles > 0)
        return;
    self->closed = true;
    if (self->on_closed)
        self->on_closed(self->options.context);
}

/* On a foreign loop lws closes its sockets' handles in the turn of the first call, its own in the next; it
 * tells nobody, and frees what is left only when it is called again after that. */
static void destroy_context(uv_idle_t *idle)
{
    http_server_t *self = idle->data;
    if (self->turns++ == 0) {
        lws_context_destroy(self->context);
    } else if (self->turns > DESTROY_TURNS) {
        lws_context_destroy(self->context);
        self->context = NULL;
        uv_close((uv_handle_t *)idle, on_handle_closed);
    }
}

int http_server_open(http_server_t **out, uv_loop_t *loop, const http_server_options_t *options)
{
    http_server_t *self = mem_new(sizeof *self);
    self->options = *options;
    self->site = (http_site_t){.wire = &wire,
                               .routes = options->routes,
                               .route_count = options->route_count,
                               .context = options->context,
                               .body_limit = options->body_limit ? options->body_limit : BODY_LIMIT};
    self->loop = loop;
    self->fd = -1;
    list_init(&self->sockets);
    int rc = bind_options(self);
    if (!rc)
        rc = create_context(self);
    if (rc) {
        if (self->fd >= 0)
            close(self->fd);
        mem_free(self);
        return rc;
    }
    uv_timer_init(loop, &self->tick);
    uv_idle_init(loop, &self->destroy);
    self->tick.data = self->destroy.data = self->poll.data = self;
    self->handles = 2;
    if (self->fd >= 0) {
        uv_poll_init(loop, &self->poll, self->fd);
        self->handles++;
        resume_listening(self);
    }
    *out = self;
    return OK;
}

uint16_t http_server_port(const http_server_t *self)
{
    return self->port;
}

void http_server_adopt(http_server_t *self, int fd, span_t head)
{
    if (self->closing || self->count >= MAX_CONNECTIONS) {
        close(fd);
        return;
    }
    int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    lws_sock_file_fd_type descriptor = {.sockfd = fd};
    struct lws *wsi = lws_adopt_descriptor_vhost(self->vhost, LWS_ADOPT_SOCKET, descriptor, "http", NULL);
    if (!wsi)
        return; /* and lws has closed it */
    socket_t *adopted = lws_get_opaque_user_data(wsi);
    if (head.size && http_connection_receive(adopted->connection, head) != OK)
        socket_drop(adopted);
}

void http_server_close(http_server_t *self, void (*on_closed)(void *context))
{
    if (self->closing)
        return;
    self->closing = true;
    self->on_closed = on_closed;
    if (self->fd >= 0) {
        /* In this order: libuv takes the descriptor off epoll, and its number may be another's once it is
         * closed. */
        uv_close((uv_handle_t *)&self->poll, on_handle_closed);
        close(self->fd);
    }
    uv_close((uv_handle_t *)&self->tick, on_handle_closed);
    uv_idle_start(&self->destroy, destroy_context); /* not here: a handler may be on the stack */
}

void http_server_destroy(http_server_t **self_p)
{
    http_server_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    CHECK(self->closed);
    mem_free(self);
}
