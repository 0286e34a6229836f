#include "base/http/connection.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/http/answer.h"
#include "base/http/head.h"
#include "base/mem.h"

#define WRITE_SIZE 65536u /* bytes a write; what the kernel doesn't take of one is copied */

/* What a connection waits for, and the seconds that it may. */
#define STATE_LIST(X)                                                       \
    X(IDLE, 60)      /* the next request on a kept connection */            \
    X(HEAD, 10)      /* the rest of a head */                               \
    X(BODY, 30)      /* the rest of a body */                               \
    X(HANDLING, 0)   /* the handler's answer; that is our own time */       \
    X(ANSWERING, 30) /* the client, to take the next piece of the answer */ \
    X(LINGERING, 2)  /* the client, to close after our last answer: see end_answer */

typedef enum state {
#define STATE_ENUM(name, seconds) name,
    STATE_LIST(STATE_ENUM)
#undef STATE_ENUM
} state_t;

static const unsigned patience[] = {
#define STATE_SECONDS(name, seconds) [name] = (seconds),
    STATE_LIST(STATE_SECONDS)
#undef STATE_SECONDS
};

struct http_connection {
    const http_site_t *site; /* borrowed */
    void *socket;            /* borrowed; for the wire */
    state_t state;
    uint64_t deadline;         /* clock_now_us; 0 = none */
    buf_t in;                  /* what has come and is not a request yet */
    buf_t out;                 /* the answer */
    size_t sent;               /* bytes of it given to the wire */
    size_t head_size;          /* BODY: bytes of the head in `in` */
    size_t body_size;          /* BODY: bytes behind it */
    http_exchange_t *exchange; /* HANDLING: owned */
    bool keep_alive;           /* after the answer */
    bool driven;               /* drive() is on the stack: who calls from within it leaves the work to it */
};

struct http_exchange {
    http_connection_t *connection;
    buf_t request; /* head and body, as they came */
    http_head_t head;
    span_t body; /* of the request */
    void (*gone)(void *user);
    void *user;
};

static void go(http_connection_t *self, state_t state)
{
    self->state = state;
    self->deadline = patience[state] ? clock_now_us() + patience[state] * (uint64_t)CLOCK_SEC : 0;
}

static void exchange_destroy(http_exchange_t **self_p)
{
    http_exchange_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    buf_fini(&self->request);
    mem_free(self);
}

/* --- answers --- */

static void answer(http_connection_t *self, http_answer_t head, span_t body)
{
    head.keep_alive &= !self->site->one_request;
    self->keep_alive = head.keep_alive;
    http_answer_head(&self->out, &head, clock_wall_us());
    buf_append_span(&self->out, body);
    go(self, ANSWERING);
}

/* An answer of our own: one line that says what is wrong. */
static void answer_line(http_connection_t *self, http_answer_t head, const char *line, bool with_body)
{
    buf_t body = {0};
    buf_printf(&body, "%s\n", line);
    head.content_type = "text/plain; charset=utf-8";
    head.body_size = body.size;
    answer(self, head, with_body ? buf_span(&body) : (span_t){0});
    buf_fini(&body);
}

static void refuse(http_connection_t *self, int status, bool keep_alive, bool with_body, const char *headers)
{
    http_answer_t head = {.status = status, .headers = headers, .keep_alive = keep_alive};
    answer_line(self, head, http_status_text(status), with_body);
}

/* The answer is out. A socket that is closed with unread input in it is reset, and the reset may overtake the
 * answer; so the client closes first, or its patience ends. */
static int end_answer(http_connection_t *self)
{
    buf_fini(&self->out);
    self->sent = 0;
    self->site->wire->resume(self->socket);
    if (self->keep_alive) {
        go(self, IDLE);
        return OK;
    }
    self->site->wire->shut(self->socket);
    go(self, LINGERING);
    return OK;
}

static int wait_writable(http_connection_t *self)
{
    self->site->wire->wait(self->socket);
    return ERR_AGAIN;
}

static int step_answering(http_connection_t *self)
{
    const http_wire_t *wire = self->site->wire;
    while (self->sent < self->out.size) {
        if (wire->is_full(self->socket))
            return wait_writable(self);
        size_t left = self->out.size - self->sent;
        size_t size = left < WRITE_SIZE ? left : WRITE_SIZE;
        if (wire->write(self->socket, span_new(self->out.data + self->sent, size)) != OK)
            return ERR_IO;
        self->sent += size;
        go(self, ANSWERING);
    }
    return wire->is_full(self->socket) ? wait_writable(self) : end_answer(self);
}

/* --- requests --- */

static const struct {
    int err, status;
} refusals[] = {
    {ERR_MALFORMED, 400},
    {ERR_VERSION, 505},
    {ERR_TOO_BIG, 431},
};

/* 0, or the status to refuse with. */
static int judge(const http_head_t *head, size_t body_limit, uint64_t *body_size)
{
    size_t hosts = http_head_get(head, "host", NULL);
    if (hosts > 1 || (hosts == 0 && head->version_minor >= 1))
        return 400;
    if (http_head_has_token(head, "upgrade", "websocket"))
        return 400; /* other upgrades may be ignored (RFC 9110 section 7.8), and are */
    switch (http_head_body_size(head, body_limit, body_size)) {
    case OK: return 0;
    case ERR_UNAVAILABLE: return 411;
    case ERR_TOO_BIG: return 413;
    default: return 400;
    }
}

/* The client waits for a word before it sends its body. */
static int encourage(http_connection_t *self, const http_head_t *head)
{
    if (!http_head_has_token(head, "expect", "100-continue") ||
        self->in.size >= self->head_size + self->body_size)
        return OK;
    return self->site->wire->write(self->socket, SPAN("HTTP/1.1 100 Continue\r\n\r\n"));
}

static int step_head(http_connection_t *self)
{
    if (self->in.size == 0)
        return ERR_AGAIN;
    if (self->state == IDLE)
        go(self, HEAD);
    http_head_t head;
    int size = http_head_parse(buf_span(&self->in), &head);
    if (size == ERR_AGAIN)
        return ERR_AGAIN;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        if (size == refusals[i].err) {
            refuse(self, refusals[i].status, false, true, NULL);
            return OK;
        }
    }
    uint64_t body_size;
    int status = judge(&head, self->site->body_limit, &body_size);
    if (status) {
        refuse(self, status, false, !span_is(head.method, "HEAD"), NULL);
        return OK;
    }
    self->head_size = (size_t)size;
    self->body_size = (size_t)body_size;
    go(self, BODY);
    return encourage(self, &head);
}

static bool method_matches(const http_route_t *route, span_t method)
{
    return span_is(method, route->method) || (span_is(method, "HEAD") && strcmp(route->method, "GET") == 0);
}

static bool path_matches(const http_route_t *route, span_t path)
{
    span_t pattern = span_str(route->path);
    if (pattern.size && pattern.data[pattern.size - 1] == '*')
        return span_starts(path, span_new(pattern.data, pattern.size - 1));
    return span_eq(path, pattern);
}

/* "Allow: GET, HEAD, POST\r\n" for the routes of that path; empty if there is none. */
static void append_allowed(const http_site_t *self, span_t path, buf_t *out)
{
    for (size_t i = 0; i < self->route_count; i++) {
        const http_route_t *route = &self->routes[i];
        if (!path_matches(route, path))
            continue;
        buf_printf(out, "%s%s%s", out->size ? ", " : "Allow: ", route->method,
                   strcmp(route->method, "GET") == 0 ? ", HEAD" : "");
    }
    if (out->size)
        buf_append_str(out, "\r\n");
}

static void refuse_route(http_connection_t *self, http_exchange_t *exchange)
{
    buf_t allowed = {0};
    append_allowed(self->site, exchange->head.path, &allowed);
    refuse(self, allowed.size ? 405 : 404, http_head_keeps_alive(&exchange->head),
           !span_is(exchange->head.method, "HEAD"), allowed.size ? buf_text(&allowed) : NULL);
    buf_fini(&allowed);
    exchange_destroy(&self->exchange);
}

/* The request leaves `in`; what came behind it stays. */
static http_exchange_t *exchange_new(http_connection_t *connection)
{
    http_exchange_t *self = mem_new(sizeof *self);
    size_t size = connection->head_size + connection->body_size;
    self->connection = connection;
    self->request = connection->in;
    connection->in = (buf_t){0};
    buf_append_span(&connection->in, span_skip(buf_span(&self->request), size));
    self->request.size = size;
    http_head_parse(buf_span(&self->request), &self->head);
    self->body = span_skip(buf_span(&self->request), connection->head_size);
    return self;
}

static int step_body(http_connection_t *self)
{
    if (self->in.size < self->head_size + self->body_size)
        return ERR_AGAIN;
    const http_site_t *site = self->site;
    http_exchange_t *exchange = self->exchange = exchange_new(self);
    go(self, HANDLING);
    for (size_t i = 0; i < site->route_count; i++) {
        const http_route_t *route = &site->routes[i];
        if (path_matches(route, exchange->head.path) && method_matches(route, exchange->head.method)) {
            route->handler(site->context, exchange);
            return OK;
        }
    }
    refuse_route(self, exchange);
    return OK;
}

static int step_waiting(http_connection_t *self)
{
    if (self->state == LINGERING)
        buf_fini(&self->in);
    return ERR_AGAIN;
}

/* Goes on as far as it gets. false: close. */
static bool drive(http_connection_t *self)
{
    static int (*const steps[])(http_connection_t *) = {
        [IDLE] = step_head,        [HEAD] = step_head,           [BODY] = step_body,
        [HANDLING] = step_waiting, [ANSWERING] = step_answering, [LINGERING] = step_waiting,
    };
    int rc;
    self->driven = true;
    do
        rc = steps[self->state](self);
    while (rc == OK);
    self->driven = false;
    return rc == ERR_AGAIN;
}

int http_connection_receive(http_connection_t *self, span_t bytes)
{
    /* Behind an unanswered request there is no need for more than the next head. */
    if (self->state == HANDLING && self->in.size + bytes.size > HTTP_HEAD_LIMIT)
        return ERR_CLOSED;
    buf_append_span(&self->in, bytes);
    return drive(self) ? OK : ERR_CLOSED;
}

int http_connection_writable(http_connection_t *self)
{
    return drive(self) ? OK : ERR_CLOSED;
}

int http_connection_refuse(http_connection_t *self, int status, const char *headers, const char *why)
{
    answer_line(self, (http_answer_t){.status = status, .headers = headers}, why, true);
    return drive(self) ? OK : ERR_CLOSED;
}

bool http_connection_is_late(const http_connection_t *self, uint64_t now_us)
{
    return self->deadline && self->deadline <= now_us;
}

http_connection_t *http_connection_new(const http_site_t *site, void *socket)
{
    http_connection_t *self = mem_new(sizeof *self);
    self->site = site;
    self->socket = socket;
    go(self, HEAD);
    return self;
}

void http_connection_destroy(http_connection_t **self_p)
{
    http_connection_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    void (*gone)(void *) = self->exchange ? self->exchange->gone : NULL;
    void *user = self->exchange ? self->exchange->user : NULL;
    exchange_destroy(&self->exchange);
    buf_fini(&self->in);
    buf_fini(&self->out);
    mem_free(self);
    if (gone)
        gone(user);
}

/* --- exchanges --- */

span_t http_exchange_method(const http_exchange_t *self)
{
    return self->head.method;
}

span_t http_exchange_path(const http_exchange_t *self)
{
    return self->head.path;
}

span_t http_exchange_query(const http_exchange_t *self)
{
    return self->head.query;
}

span_t http_exchange_body(const http_exchange_t *self)
{
    return self->body;
}

bool http_exchange_header(const http_exchange_t *self, const char *name, span_t *value)
{
    return http_head_get(&self->head, name, value) > 0;
}

int http_exchange_query_value(const http_exchange_t *self, const char *name, char *out, size_t size)
{
    return http_query_value(self->head.query, name, 0, out, size);
}

void http_exchange_on_gone(http_exchange_t *self, void (*gone)(void *user), void *user)
{
    self->gone = gone;
    self->user = user;
}

void http_exchange_respond(http_exchange_t *self, int status, const char *content_type, const char *headers,
                           span_t body)
{
    http_connection_t *connection = self->connection;
    http_answer_t head = {.status = status,
                          .content_type = content_type,
                          .headers = headers,
                          .body_size = body.size,
                          .keep_alive = http_head_keeps_alive(&self->head)};
    bool with_body = !span_is(self->head.method, "HEAD") && status != 204 && status != 304;
    answer(connection, head, with_body ? body : (span_t){0});
    exchange_destroy(&connection->exchange);
    if (!connection->driven && !drive(connection))
        connection->site->wire->drop(connection->socket);
}
