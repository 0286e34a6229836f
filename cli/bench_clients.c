#include "cli/bench_clients.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/random.h"
#include "cli/bench_dialect.h"
#include "cli/bench_frame.h"
#include "cli/url.h"

#define READ_SIZE         65536u
#define HANDSHAKES        200u         /* unanswered at a time, so that no accept queue overflows */
#define OPEN_PATIENCE_NS  10000000000u /* without any progress */
#define EVENTS            64           /* a turn: what is due to be sent must not wait for a thousand reads */
#define PORTS_PER_ADDRESS 25000u       /* connections from one source address; Linux offers 28,000 ports */
#define NS_PER_SEC        1000000000u

typedef enum state {
    STATE_IDLE,
    STATE_CONNECTING,
    STATE_SHAKING,
    STATE_GREETING,
    STATE_READY,
    STATE_CLOSED
} state_t;

typedef struct client {
    int fd; /* owned; -1 = none */
    state_t state;
    bool publishes;
    bool queued;           /* on clients->dirty */
    bool waits_for_output; /* EPOLLOUT is asked for */
    uint32_t number;       /* as a subscriber: the ledger's; as a publisher: its first stream */
    buf_t rest;            /* input: the beginning of what is not whole yet */
    buf_t output;          /* frames that are not sent yet */
} client_t;

/* One of the two ends that are connected to. */
typedef struct endpoint {
    cli_url_t url;
    cli_address_t address;
} endpoint_t;

struct cli_bench_clients {
    const cli_bench_plan_t *plan;
    cli_bench_ledger_t *ledger;
    int epoll;
    client_t *clients; /* owned array: the publishers first */
    uint64_t count, publishers;
    uint64_t opened, pending; /* connections begun, and of them those without an answer */
    endpoint_t publish, subscribe;
    client_t **dirty; /* owned array: clients with frames queued in this turn */
    uint64_t dirty_count;
    uint64_t next_id; /* of centrifuge commands */
    random_t random;  /* masks */
    uint8_t key[16];  /* of all handshakes: nobody caches here */
    cli_bench_contacts_t contacts;
    buf_t trouble;
    buf_t scratch;
    uint8_t input[CLI_BENCH_FRAME_LIMIT + WEBSOCKET_HEADER_MAX +
                  READ_SIZE]; /* a rest, and what is read behind it */
};

uint64_t cli_bench_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_SEC + (uint64_t)now.tv_nsec;
}

cli_bench_clients_t *cli_bench_clients_new(const cli_bench_plan_t *plan, cli_bench_ledger_t *ledger)
{
    cli_bench_clients_t *self = mem_new(sizeof *self);
    self->plan = plan;
    self->ledger = ledger;
    self->publishers = cli_bench_publishers(plan);
    self->count = self->publishers + plan->channels * plan->subscribers;
    self->clients = mem_new_n(self->count, sizeof *self->clients);
    self->dirty = mem_new_n(self->count, sizeof(client_t *));
    for (uint64_t i = 0; i < self->count; i++) {
        bool publishes = i < self->publishers;
        uint32_t number = (uint32_t)(publishes ? i : i - self->publishers);
        self->clients[i] = (client_t){.fd = -1, .publishes = publishes, .number = number};
    }
    self->next_id = cli_bench_last_greeting_id(false);
    self->random.state = random_u64();
    random_fill(self->key, sizeof self->key);
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    CHECK(self->epoll >= 0);
    return self;
}

void cli_bench_clients_destroy(cli_bench_clients_t **self_p)
{
    cli_bench_clients_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    for (uint64_t i = 0; i < self->count; i++) {
        if (self->clients[i].fd >= 0)
            close(self->clients[i].fd);
        buf_fini(&self->clients[i].rest);
        buf_fini(&self->clients[i].output);
    }
    close(self->epoll);
    buf_fini(&self->trouble);
    buf_fini(&self->scratch);
    mem_free(self->clients);
    mem_free(self->dirty);
    mem_free(self);
}

/* --- states --- */

static uint64_t stream_of(const cli_bench_clients_t *self, const client_t *client)
{
    return client->number % self->plan->channels;
}

static void note_trouble(cli_bench_clients_t *self, const client_t *client, const char *what, span_t detail)
{
    if (self->trouble.size)
        return;
    buf_printf(&self->trouble, "a %s of %s%" PRIu64 ": %s", client->publishes ? "publisher" : "subscriber",
               self->plan->prefix, stream_of(self, client), what);
    if (detail.size)
        buf_printf(&self->trouble, " %.*s", SPAN_FMT(detail));
}

static void fail(cli_bench_clients_t *self, client_t *client, const char *what, span_t detail)
{
    note_trouble(self, client, what, detail);
    if (client->state == STATE_READY)
        self->contacts.closed++;
    else
        self->pending--;
    client->state = STATE_CLOSED;
    close(client->fd);
    client->fd = -1;
}

static void become_ready(cli_bench_clients_t *self, client_t *client)
{
    client->state = STATE_READY;
    self->pending--;
    self->contacts.ready++;
}

static void watch_output(cli_bench_clients_t *self, client_t *client, bool wanted)
{
    if (client->waits_for_output == wanted)
        return;
    client->waits_for_output = wanted;
    struct epoll_event event = {.events = wanted ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = client};
    CHECK(epoll_ctl(self->epoll, EPOLL_CTL_MOD, client->fd, &event) == 0);
}

/* --- sending --- */

static void flush(cli_bench_clients_t *self, client_t *client)
{
    if (client->fd < 0 || client->output.size == 0)
        return;
    ssize_t sent = send(client->fd, client->output.data, client->output.size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        fail(self, client, "broke:", span_str(strerror(errno)));
        return;
    }
    if (sent > 0)
        buf_consume(&client->output, (size_t)sent);
    watch_output(self, client, client->output.size > 0);
}

static void queue_frame(cli_bench_clients_t *self, client_t *client, websocket_opcode_t opcode,
                        span_t payload)
{
    uint8_t mask[4];
    uint64_t number = random_next(&self->random);
    memcpy(mask, &number, sizeof mask);
    uint8_t *at = buf_reserve(&client->output, WEBSOCKET_HEADER_MAX + payload.size);
    size_t header = websocket_header(at, opcode, payload.size, mask);
    if (payload.size)
        memcpy(at + header, payload.data, payload.size);
    websocket_mask(at + header, payload.size, mask, 0);
    buf_advance(&client->output, header + payload.size);
    if (!client->queued) {
        client->queued = true;
        self->dirty[self->dirty_count++] = client;
    }
}

void cli_bench_clients_publish(cli_bench_clients_t *self, uint64_t stream, uint64_t intended_ns,
                               uint64_t now_ns)
{
    client_t *client = &self->clients[stream % self->publishers];
    span_t payload = cli_bench_ledger_compose(self->ledger, stream, intended_ns, now_ns);
    if (client->fd < 0)
        return; /* its connection is gone, and the message counts as lost */
    buf_clear(&self->scratch);
    cli_bench_publication(self->plan, stream, ++self->next_id, payload, &self->scratch);
    queue_frame(self, client, WEBSOCKET_TEXT, buf_span(&self->scratch));
}

static void flush_dirty(cli_bench_clients_t *self)
{
    for (uint64_t i = 0; i < self->dirty_count; i++) {
        self->dirty[i]->queued = false;
        flush(self, self->dirty[i]);
    }
    self->dirty_count = 0;
}

/* --- receiving --- */

/* One text message of the centrifuge protocol. false: the connection failed. */
static bool take_commands(cli_bench_clients_t *self, client_t *client, span_t message, uint64_t now_ns)
{
    for (;;) {
        span_t payload = {0};
        uint64_t id = 0;
        switch (cli_bench_hear(&message, &payload, &id)) {
        case CLI_BENCH_END: return true;
        case CLI_BENCH_PAYLOAD:
            if (!client->publishes)
                cli_bench_ledger_take(self->ledger, client->number, payload, now_ns);
            break;
        case CLI_BENCH_PING: queue_frame(self, client, WEBSOCKET_TEXT, CLI_BENCH_PONG); break;
        case CLI_BENCH_REPLY:
            if (client->state == STATE_GREETING && id == cli_bench_last_greeting_id(client->publishes))
                become_ready(self, client);
            break;
        case CLI_BENCH_REFUSAL:
            if (client->state == STATE_GREETING) {
                fail(self, client, "was refused:", payload);
                return false;
            }
            note_trouble(self, client, "a publish was refused:", payload);
            self->contacts.refused++;
            break;
        case CLI_BENCH_OTHER: break;
        case CLI_BENCH_STRANGE: fail(self, client, "got no centrifuge message", (span_t){0}); return false;
        }
    }
}

static bool take_control(cli_bench_clients_t *self, client_t *client, const cli_bench_frame_t *frame)
{
    if (frame->opcode == WEBSOCKET_PING) {
        queue_frame(self, client, WEBSOCKET_PONG, frame->payload);
        return true;
    }
    if (frame->opcode == WEBSOCKET_PONG)
        return true;
    if (frame->opcode != WEBSOCKET_CLOSE) {
        fail(self, client, "got an unknown frame", (span_t){0});
        return false;
    }
    bool has_code = frame->payload.size >= 2;
    unsigned code = has_code ? (unsigned)frame->payload.data[0] << 8 | frame->payload.data[1] : 1005u;
    char what[64];
    snprintf(what, sizeof what, "was closed with %u", code);
    fail(self, client, what, has_code ? span_skip(frame->payload, 2) : (span_t){0});
    return false;
}

static bool take_frame(cli_bench_clients_t *self, client_t *client, const cli_bench_frame_t *frame,
                       uint64_t now_ns)
{
    if (frame->opcode != WEBSOCKET_TEXT && frame->opcode != WEBSOCKET_BINARY)
        return take_control(self, client, frame);
    if (self->plan->dialect == CLI_BENCH_CENTRIFUGE)
        return take_commands(self, client, frame->payload, now_ns);
    if (!client->publishes)
        cli_bench_ledger_take(self->ledger, client->number, frame->payload, now_ns);
    return true;
}

/* Takes the whole frames and keeps the rest. */
static void take_frames(cli_bench_clients_t *self, client_t *client, span_t bytes, uint64_t now_ns)
{
    cli_bench_frame_t frame;
    ssize_t size;
    while ((size = cli_bench_frame_read(bytes, &frame)) > 0) {
        if (!take_frame(self, client, &frame, now_ns))
            return;
        bytes = span_skip(bytes, (size_t)size);
    }
    buf_clear(&client->rest);
    buf_append_span(&client->rest, bytes);
    if (size < 0)
        fail(self, client, "got a malformed frame", (span_t){0});
}

/* The server's answer to the handshake, and what stands behind it. */
static void take_answer(cli_bench_clients_t *self, client_t *client, span_t bytes, uint64_t now_ns)
{
    int status = 0;
    int size = websocket_client_check(bytes, self->key, &status);
    if (size == ERR_AGAIN && bytes.size <= HTTP_HEAD_LIMIT) {
        buf_clear(&client->rest);
        buf_append_span(&client->rest, bytes);
        return;
    }
    if (size < 0) {
        char text[32];
        snprintf(text, sizeof text, "HTTP status %d", status);
        fail(self, client, "was refused:", span_str(size == ERR_DENIED ? text : err_text(size)));
        return;
    }
    buf_clear(&self->scratch);
    cli_bench_greeting(self->plan, stream_of(self, client), client->publishes, &self->scratch);
    if (self->scratch.size == 0) {
        become_ready(self, client);
    } else {
        client->state = STATE_GREETING;
        queue_frame(self, client, WEBSOCKET_TEXT, buf_span(&self->scratch));
    }
    take_frames(self, client, span_skip(bytes, (size_t)size), now_ns);
}

static void read_input(cli_bench_clients_t *self, client_t *client)
{
    size_t rest = client->rest.size;
    if (rest)
        memcpy(self->input, client->rest.data, rest);
    ssize_t got = recv(client->fd, self->input + rest, READ_SIZE, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        fail(self, client, "broke:", span_str(got == 0 ? "the server hung up" : strerror(errno)));
        return;
    }
    span_t bytes = span_new(self->input, rest + (size_t)got);
    if (client->state == STATE_SHAKING)
        take_answer(self, client, bytes, cli_bench_now_ns());
    else
        take_frames(self, client, bytes, cli_bench_now_ns());
}

/* --- connecting --- */

static const endpoint_t *endpoint_of(const cli_bench_clients_t *self, const client_t *client)
{
    return client->publishes ? &self->publish : &self->subscribe;
}

/* On loopback any 127.x.y.z is ours, and each has its own ports. */
static void spread_source(const endpoint_t *endpoint, int fd, uint64_t index)
{
    const struct sockaddr_in *to = (const struct sockaddr_in *)(const void *)&endpoint->address.storage;
    if (index < PORTS_PER_ADDRESS || to->sin_family != AF_INET || ntohl(to->sin_addr.s_addr) >> 24 != 127)
        return;
    struct sockaddr_in from = {.sin_family = AF_INET};
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(index / PORTS_PER_ADDRESS));
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
    (void)bind(fd, (const struct sockaddr *)&from,
               sizeof from); /* if it fails, the usual address may still do */
}

static void start_connection(cli_bench_clients_t *self, client_t *client, uint64_t index)
{
    const endpoint_t *endpoint = endpoint_of(self, client);
    const struct sockaddr *address = (const struct sockaddr *)&endpoint->address.storage;
    self->pending++;
    client->state = STATE_CONNECTING;
    client->fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->fd < 0) {
        fail(self, client, "has no socket:", span_str(strerror(errno)));
        return;
    }
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    spread_source(endpoint, client->fd, index);
    if (connect(client->fd, address, endpoint->address.size) != 0 && errno != EINPROGRESS) {
        fail(self, client, "can't connect:", span_str(strerror(errno)));
        return;
    }
    client->waits_for_output = true;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = client};
    CHECK(epoll_ctl(self->epoll, EPOLL_CTL_ADD, client->fd, &event) == 0);
}

static void finish_connection(cli_bench_clients_t *self, client_t *client)
{
    int failure = 0;
    getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &failure, &(socklen_t){sizeof failure});
    if (failure) {
        fail(self, client, "can't connect:", span_str(strerror(failure)));
        return;
    }
    const endpoint_t *endpoint = endpoint_of(self, client);
    buf_t target = {0};
    buf_t headers = {0};
    buf_append_str(&target, endpoint->url.target);
    cli_bench_target(self->plan, stream_of(self, client), client->publishes, &target);
    cli_bench_headers(self->plan, &headers);
    websocket_client_request(&client->output, endpoint->url.authority, buf_text(&target), self->key,
                             headers.size ? buf_text(&headers) : NULL);
    buf_fini(&target);
    buf_fini(&headers);
    client->state = STATE_SHAKING;
    flush(self, client);
}

static void ready(cli_bench_clients_t *self, client_t *client, uint32_t events)
{
    if (client->fd < 0)
        return;
    if (client->state == STATE_CONNECTING) {
        finish_connection(self, client);
        return;
    }
    if (events & EPOLLOUT)
        flush(self, client);
    if (client->fd >= 0 && (events & ~(uint32_t)EPOLLOUT))
        read_input(self, client);
}

void cli_bench_clients_turn(cli_bench_clients_t *self, uint64_t wait_ns)
{
    struct epoll_event events[EVENTS];
    struct timespec wait = {.tv_sec = (time_t)(wait_ns / NS_PER_SEC),
                            .tv_nsec = (long)(wait_ns % NS_PER_SEC)};
    flush_dirty(self);
    int count = epoll_pwait2(self->epoll, events, EVENTS, &wait, NULL);
    for (int i = 0; i < count; i++)
        ready(self, events[i].data.ptr, events[i].events);
}

static int find_endpoint(const char *text, endpoint_t *out, buf_t *why)
{
    int err = cli_url_parse(text, &out->url);
    if (err == OK)
        err = cli_url_resolve(&out->url, &out->address);
    if (err)
        buf_printf(why, "%s: %s", text, err == ERR_UNKNOWN ? "does not begin with ws://" : err_text(err));
    size_t size = strlen(out->url.target);
    if (!err && size && out->url.target[size - 1] == '/')
        out->url.target[size - 1] = '\0';
    return err;
}

/* Starts connections as far as the wave allows, and waits for what happens. */
static void open_more(cli_bench_clients_t *self)
{
    while (self->opened < self->count && self->pending < HANDSHAKES && !self->trouble.size) {
        start_connection(self, &self->clients[self->opened], self->opened);
        self->opened++;
    }
    cli_bench_clients_turn(self, NS_PER_SEC / 10);
}

int cli_bench_clients_open(cli_bench_clients_t *self, buf_t *why)
{
    int err = find_endpoint(self->plan->publish_url, &self->publish, why);
    if (!err)
        err = find_endpoint(self->plan->subscribe_url, &self->subscribe, why);
    if (err)
        return err;
    uint64_t progress_ns = cli_bench_now_ns();
    for (uint64_t before = 0; self->contacts.ready < self->count; before = self->contacts.ready) {
        open_more(self);
        if (self->trouble.size) {
            buf_printf(why, "%s (%" PRIu64 " of %" PRIu64 " were ready)", buf_text(&self->trouble),
                       self->contacts.ready, self->count);
            return ERR_UNAVAILABLE;
        }
        if (self->contacts.ready > before)
            progress_ns = cli_bench_now_ns();
        else if (cli_bench_now_ns() - progress_ns > OPEN_PATIENCE_NS) {
            buf_printf(why, "%" PRIu64 " of %" PRIu64 " connections are ready, and no more get so",
                       self->contacts.ready, self->count);
            return ERR_TIMEOUT;
        }
    }
    return OK;
}

const cli_bench_contacts_t *cli_bench_clients_contacts(const cli_bench_clients_t *self)
{
    return &self->contacts;
}

const char *cli_bench_clients_trouble(cli_bench_clients_t *self)
{
    return buf_text(&self->trouble);
}
