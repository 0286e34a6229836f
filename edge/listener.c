#include "edge/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/http/acceptor.h"
#include "base/list.h"
#include "base/mem.h"
#include "edge/client_address.h"

/* What the kernel holds for a client that doesn't read; it would grow to 4 MiB by itself, and hide for long
 * that a client is slow. Accepted sockets inherit it. */
#define SEND_BUFFER 65536

/* Connections whose head is not whole yet; above: 503. Each costs some hundred bytes, ten seconds at most. */
#define MAX_CANDIDATES 4096u

#define ROW(field) .key = #field, .offset = offsetof(edge_listen_config_t, field)

static const config_row_t rows[] = {
    {ROW(address), .type = CONFIG_TEXT, .fallback = "127.0.0.1:8000", .check = address_check,
     .help = "Where clients connect."},
    {ROW(allowed_origins), .type = CONFIG_LIST, .example = "[\"https://*.example.org\"]",
     .help =
         "Web pages that may connect, as origins; a star stands for any run of letters; empty: only pages "
         "of the host that they connect to."},
    {ROW(trusted_proxies), .type = CONFIG_LIST, .check = edge_network_check, .example = "[\"10.0.0.0/8\"]",
     .help = "Proxies whose X-Forwarded-For is believed: addresses and networks; empty: none."},
    {ROW(max_connections), .type = CONFIG_COUNT, .fallback = "100000", .min = 1,
     .help = "WebSocket clients of the whole process; who comes above is answered 503."},
};
#undef ROW

const config_table_t edge_listen_config_table =
    CONFIG_TABLE("listen", rows, edge_listen_config_t, "The port for clients.");

/* Somebody whose head is not whole yet. */
typedef struct candidate {
    list_node_t node; /* in listener->candidates */
    edge_listener_t *listener;
    uv_poll_t poll; /* of fd */
    int fd;         /* owned until candidate_release */
    uint64_t deadline_us;
    buf_t head; /* what has come */
} candidate_t;

struct edge_listener {
    edge_listener_options_t options;
    uv_loop_t *loop; /* borrowed */
    acceptor_t acceptor;
    uv_timer_t timer;  /* runs while there are candidates */
    list_t candidates; /* all wait alike, so the first deadline is the first one's */
    size_t count;      /* of them */
    uint16_t port;
    bool stopped, closing;
    size_t parts; /* acceptor, timer and candidates' polls, those open or not closed yet */
    edge_listener_counts_t counts;
};

/* --- Origin --- */

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool same_letters(span_t a, span_t b)
{
    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++)
        if (lower(a.data[i]) != lower(b.data[i]))
            return false;
    return true;
}

/* Letter case aside; a star matches any run. Where a star has matched too little, it takes one letter more.
 */
static bool matches(span_t text, span_t pattern)
{
    size_t at = 0, in_pattern = 0, star = SIZE_MAX, star_at = 0;
    while (at < text.size) {
        if (in_pattern < pattern.size && pattern.data[in_pattern] == '*') {
            star = in_pattern++;
            star_at = at;
        } else if (in_pattern < pattern.size && lower(text.data[at]) == lower(pattern.data[in_pattern])) {
            at++;
            in_pattern++;
        } else if (star != SIZE_MAX) {
            in_pattern = star + 1;
            at = ++star_at;
        } else {
            return false;
        }
    }
    while (in_pattern < pattern.size && pattern.data[in_pattern] == '*')
        in_pattern++;
    return in_pattern == pattern.size;
}

static span_t without_suffix(span_t text, span_t suffix)
{
    if (text.size > suffix.size && span_eq(span_skip(text, text.size - suffix.size), suffix))
        text.size -= suffix.size;
    return text;
}

/* "https://host:443" and the Host "host" are the same place, whoever ended the TLS. */
static bool is_same_host(span_t origin, span_t host)
{
    static const struct {
        const char *scheme, *port;
    } defaults[] = {{"http://", ":80"}, {"https://", ":443"}};
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++) {
        span_t scheme = span_str(defaults[i].scheme), port = span_str(defaults[i].port);
        if (origin.size > scheme.size && same_letters(span_new(origin.data, scheme.size), scheme))
            return same_letters(without_suffix(span_skip(origin, scheme.size), port),
                                without_suffix(host, port));
    }
    return false;
}

bool edge_origin_allowed(const config_list_t *allowed, const http_head_t *head)
{
    span_t origin, host;
    size_t origins = http_head_get(head, "origin", &origin);
    if (origins == 0)
        return true;
    if (origins > 1)
        return false;
    for (size_t i = 0; i < allowed->count; i++)
        if (matches(origin, span_str(allowed->items[i])))
            return true;
    return allowed->count == 0 && http_head_get(head, "host", &host) == 1 && is_same_host(origin, host);
}

/* --- refusing and granting --- */

static const struct {
    int status;
    const char *headers;
} extras[] = {
    {405, "Allow: GET\r\n"},
    {426, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"},
    {503, "Retry-After: 5\r\n"},
};

static void refuse(edge_listener_t *self, int fd, int status, const char *why)
{
    const char *headers = NULL;
    for (size_t i = 0; i < sizeof extras / sizeof *extras; i++)
        if (extras[i].status == status)
            headers = extras[i].headers;
    http_server_refuse(self->options.http, fd, status, headers, why);
}

/* A new socket takes a few hundred bytes at once, or it is broken. */
static bool send_switching(int fd, const http_head_t *head, const char *subprotocol)
{
    span_t key = {0};
    char accept[WEBSOCKET_ACCEPT_SIZE + 1];
    buf_t text = {0};
    http_head_get(head, "sec-websocket-key", &key);
    websocket_accept(key, accept);
    buf_printf(&text,
               "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Accept: %s\r\n",
               accept);
    if (subprotocol)
        buf_printf(&text, "Sec-WebSocket-Protocol: %s\r\n", subprotocol);
    buf_append_str(&text, "\r\n");
    ssize_t sent = send(fd, text.data, text.size, MSG_NOSIGNAL | MSG_DONTWAIT);
    bool whole = sent == (ssize_t)text.size;
    buf_fini(&text);
    return whole;
}

static void grant(edge_listener_t *self, int fd, const http_head_t *head, span_t early,
                  edge_session_t *session, const char *subprotocol)
{
    if (!send_switching(fd, head, subprotocol)) {
        close(fd);
        self->options.discard(self->options.context, session);
        return;
    }
    if (edge_server_adopt(self->options.server, fd, session, early))
        self->counts.upgraded++;
    else
        self->options.discard(self->options.context, session);
}

static void peer_of(int fd, char out[INET6_ADDRSTRLEN])
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } peer = {0};
    socklen_t size = sizeof peer;
    out[0] = '\0';
    if (getpeername(fd, &peer.any, &size))
        return;
    bool is_v6 = peer.any.sa_family == AF_INET6;
    inet_ntop(peer.any.sa_family, is_v6 ? (void *)&peer.v6.sin6_addr : (void *)&peer.v4.sin_addr, out,
              INET6_ADDRSTRLEN);
}

static int judge(edge_listener_t *self, int fd, const http_head_t *head, edge_session_t **session,
                 const char **subprotocol, const char **why)
{
    char peer[INET6_ADDRSTRLEN];
    int status = websocket_check_request(head, why);
    if (status != 101)
        return status;
    if (!edge_origin_allowed(&self->options.config->allowed_origins, head)) {
        *why = "pages of this origin may not connect";
        return 403;
    }
    if (edge_server_total() >= self->options.config->max_connections) {
        *why = "too many connections";
        return 503;
    }
    char client[CLIENT_ADDRESS_SIZE];
    peer_of(fd, peer);
    edge_client_address(&self->options.config->trusted_proxies, head, peer, client);
    return self->options.admit(self->options.context, head, client, session, subprotocol, why);
}

static void upgrade(edge_listener_t *self, int fd, const http_head_t *head, span_t early)
{
    edge_session_t *session = NULL;
    const char *subprotocol = NULL, *why = "";
    int status = judge(self, fd, head, &session, &subprotocol, &why);
    if (status == 101) {
        grant(self, fd, head, early, session, subprotocol);
    } else {
        self->counts.refused++;
        refuse(self, fd, status, why);
    }
}

/* --- reading heads --- */

/* Reads what is there. As http_head_parse; ERR_CLOSED if the client has left. */
static int read_head(int fd, buf_t *bytes, http_head_t *head)
{
    for (;;) {
        uint8_t piece[HTTP_HEAD_LIMIT];
        ssize_t size = recv(fd, piece, sizeof piece - bytes->size, MSG_DONTWAIT);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0 && errno == EAGAIN)
            return ERR_AGAIN;
        if (size <= 0)
            return ERR_CLOSED;
        buf_append(bytes, piece, (size_t)size);
        int rc = http_head_parse(buf_span(bytes), head);
        if (rc != ERR_AGAIN)
            return rc;
    }
}

/* The head has been read, or it can't be: `rc` is of read_head. Takes fd. */
static void decide(edge_listener_t *self, int fd, span_t bytes, const http_head_t *head, int rc)
{
    if (rc == ERR_CLOSED) {
        close(fd);
    } else if (rc > 0 && websocket_is_upgrade(head)) {
        upgrade(self, fd, head, span_skip(bytes, (size_t)rc));
    } else {
        self->counts.refused += rc < 0;
        http_server_adopt(self->options.http, fd, bytes);
    }
}

static void on_candidate_closed(uv_handle_t *handle)
{
    candidate_t *self = handle->data;
    self->listener->parts--;
    mem_free(self);
}

/* Its descriptor is the caller's; libuv lets go of it here, before anybody else may poll it. */
static int candidate_release(candidate_t *self)
{
    list_remove(&self->node);
    self->listener->count--;
    buf_fini(&self->head);
    uv_close((uv_handle_t *)&self->poll, on_candidate_closed);
    return self->fd;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events; /* an error comes out of reading */
    candidate_t *self = poll->data;
    edge_listener_t *listener = self->listener;
    http_head_t head;
    int rc = read_head(self->fd, &self->head, &head);
    if (rc == ERR_AGAIN)
        return;
    buf_t bytes = self->head;
    self->head = (buf_t){0};
    decide(listener, candidate_release(self), buf_span(&bytes), &head, rc);
    buf_fini(&bytes);
}

static void on_timer(uv_timer_t *timer)
{
    edge_listener_t *self = timer->data;
    uint64_t now_us = clock_now_us();
    while (!list_empty(&self->candidates)) {
        candidate_t *first = LIST_ITEM(self->candidates.head.next, candidate_t, node);
        if (first->deadline_us > now_us) {
            uv_timer_start(timer, on_timer, (first->deadline_us - now_us) / CLOCK_MS + 1, 0);
            return;
        }
        self->counts.timed_out++;
        refuse(self, candidate_release(first), 408, "the request's head did not come in time");
    }
}

/* Takes fd and what was read from it. */
static void wait_for_head(edge_listener_t *self, int fd, buf_t head)
{
    candidate_t *candidate = mem_new(sizeof *candidate);
    candidate->listener = self;
    candidate->fd = fd;
    candidate->head = head;
    candidate->deadline_us = clock_now_us() + EDGE_HEAD_DEADLINE_US;
    uv_poll_init(self->loop, &candidate->poll, fd);
    candidate->poll.data = candidate;
    uv_poll_start(&candidate->poll, UV_READABLE, on_readable);
    if (list_empty(&self->candidates))
        uv_timer_start(&self->timer, on_timer, EDGE_HEAD_DEADLINE_US / CLOCK_MS, 0);
    list_append(&self->candidates, &candidate->node);
    self->count++;
    self->parts++;
}

/* The head is often there already: then it never enters the loop's tables. */
static void on_accepted(void *listener, int fd)
{
    edge_listener_t *self = listener;
    self->counts.accepted++;
    if (self->count >= MAX_CANDIDATES) {
        self->counts.refused++;
        refuse(self, fd, 503, "too many connections");
        return;
    }
    buf_t bytes = {0};
    http_head_t head;
    int rc = read_head(fd, &bytes, &head);
    if (rc == ERR_AGAIN) {
        wait_for_head(self, fd, bytes);
        return;
    }
    decide(self, fd, buf_span(&bytes), &head, rc);
    buf_fini(&bytes);
}

/* --- life --- */

static int listen_there(const edge_listener_options_t *options, int *fd, uint16_t *port, buf_t *why)
{
    const char *address = options->config->address;
    int size = SEND_BUFFER;
    int rc = address_listen(address, options->reuse_port, fd, port);
    if (rc == ERR_MALFORMED)
        return address_check(address, why);
    if (rc)
        buf_printf(why, "can't listen on %s: %s", address, strerror(errno));
    else
        setsockopt(*fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    return rc;
}

int edge_listener_open(edge_listener_t **out, uv_loop_t *loop, const edge_listener_options_t *options,
                       buf_t *why)
{
    int fd;
    uint16_t port;
    int rc = listen_there(options, &fd, &port, why);
    if (rc)
        return rc;
    edge_listener_t *self = mem_new(sizeof *self);
    self->options = *options;
    self->loop = loop;
    self->port = port;
    list_init(&self->candidates);
    uv_timer_init(loop, &self->timer);
    self->timer.data = self;
    acceptor_open(&self->acceptor, loop, fd, on_accepted, self);
    self->parts = 2;
    *out = self;
    return OK;
}

uint16_t edge_listener_port(const edge_listener_t *self)
{
    return self->port;
}

edge_listener_counts_t edge_listener_counts(const edge_listener_t *self)
{
    return self->counts;
}

static void on_acceptor_closed(void *listener)
{
    ((edge_listener_t *)listener)->parts--;
}

static void on_timer_closed(uv_handle_t *handle)
{
    ((edge_listener_t *)handle->data)->parts--;
}

void edge_listener_stop(edge_listener_t *self)
{
    if (self->stopped)
        return;
    self->stopped = true;
    acceptor_close(&self->acceptor, on_acceptor_closed);
}

void edge_listener_close(edge_listener_t *self)
{
    edge_listener_stop(self);
    if (self->closing)
        return;
    self->closing = true;
    while (!list_empty(&self->candidates))
        close(candidate_release(LIST_ITEM(self->candidates.head.next, candidate_t, node)));
    uv_close((uv_handle_t *)&self->timer, on_timer_closed);
}

void edge_listener_destroy(edge_listener_t **self_p)
{
    edge_listener_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    CHECK(self->closing && self->parts == 0);
    mem_free(self);
}
