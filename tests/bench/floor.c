/* tests/bench/floor - the limit to compare with: what WebSocket fan-out costs when nothing else is done.
 * Thread: one, with one epoll loop.
 *
 * `GET /ws/CHANNEL` upgrades and subscribes (`?mode=pub`: does not subscribe); each frame that a client sends
 * goes to the subscribers of its channel: framed once, then one send() each. There is no history, no order
 * beyond the socket's, no limit but the one that keeps a stuck reader from eating the memory. With a hop, two
 * such nodes share what is published over one TCP connection: length-prefixed, gathered into one write per
 * turn of the loop.
 *
 *     bench_floor --listen 127.0.0.1:0 --hop-listen 127.0.0.1:0     prints "listening 127.0.0.1:PORT", "hop
 * …" bench_floor --listen 127.0.0.1:0 --hop-connect 127.0.0.1:PORT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/check.h"
#include "base/err.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/table.h"
#include "protocol/channel_name.h"
#include "protocol/websocket.h"

#define READ_SIZE    65536u
#define EVENTS       512
#define OUTPUT_LIMIT (16u << 20) /* bytes that wait for one reader; above it is cut off */

/* What an epoll event is for; the first member of everything that is registered there. */
typedef enum kind { KIND_LISTENER, KIND_HOP_LISTENER, KIND_HOP, KIND_CLIENT } kind_t;

typedef struct source {
    kind_t kind;
    int fd;
    bool waits_for_output; /* EPOLLOUT is asked for */
    buf_t input;           /* what is not whole yet: a client's request, the hop's record */
    buf_t output;          /* what the kernel did not take */
} source_t;

typedef struct channel channel_t;

typedef struct client {
    source_t source;
    channel_t *channel; /* NULL until the handshake is done */
    size_t place;       /* in the channel's subscribers */
    websocket_reader_t reader;
    list_node_t dead; /* on server.dead: closed at the end of the turn */
    bool subscribes;
} client_t;

struct channel {
    char *name; /* owned */
    size_t name_size;
    client_t **subscribers; /* owned array, no holes */
    size_t count, capacity;
    size_t clients; /* subscribers and publishers; the channel goes with the last */
};

/* Before each message on the hop; both ends are on one machine, so the bytes are in its order. */
typedef struct hop_record {
    uint32_t payload_size;
    uint16_t channel_size;
    uint16_t opcode;
} hop_record_t;

static struct server {
    int epoll;
    source_t listener, hop_listener, hop;
    table_t channels;
    list_t dead;
    buf_t frame; /* the message that is fanned out */
    uint8_t input[READ_SIZE];
} server;

static const websocket_limits_t limits = {.message = 1u << 20, .fragments = 64};

/* --- sockets --- */

static void watch(source_t *source)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};
    CHECK(epoll_ctl(server.epoll, EPOLL_CTL_ADD, source->fd, &event) == 0);
}

static void watch_output(source_t *source, bool wanted)
{
    if (source->waits_for_output == wanted)
        return;
    source->waits_for_output = wanted;
    struct epoll_event event = {.events = wanted ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = source};
    CHECK(epoll_ctl(server.epoll, EPOLL_CTL_MOD, source->fd, &event) == 0);
}

/* Sends what waits. false: the connection is broken. */
static bool flush(source_t *source)
{
    if (source->output.size) {
        ssize_t sent =
            send(source->fd, source->output.data, source->output.size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            return false;
        if (sent > 0)
            buf_consume(&source->output, (size_t)sent);
    }
    if (source->output.size == 0 &&
        source->kind == KIND_CLIENT) /* thousands of these; the hop keeps its one */
        buf_fini(&source->output);
    watch_output(source, source->output.size > 0);
    return source->output.size <= OUTPUT_LIMIT;
}

static inline bool send_now(source_t *source, const uint8_t *data, size_t size)
{
    ssize_t sent = 0;
    if (source->output.size == 0)
        sent = send(source->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent == (ssize_t)size)
        return true;
    if (sent < 0 && errno != EAGAIN)
        return false;
    size_t taken = sent > 0 ? (size_t)sent : 0;
    buf_append(&source->output, data + taken, size - taken);
    watch_output(source, true);
    return source->output.size <= OUTPUT_LIMIT;
}

static void kill_client(client_t *client)
{
    if (!list_linked(&client->dead))
        list_append(&server.dead, &client->dead);
}

/* --- channels --- */

static span_t channel_key(const void *item)
{
    const channel_t *channel = item;
    return span_new(channel->name, channel->name_size);
}

static void join(client_t *client, span_t name)
{
    channel_t *channel = table_get(&server.channels, name);
    if (!channel) {
        channel = mem_new(sizeof *channel);
        channel->name = mem_dup_n((const char *)name.data, name.size);
        channel->name_size = name.size;
        table_put(&server.channels, channel);
    }
    client->channel = channel;
    channel->clients++;
    if (!client->subscribes)
        return;
    if (channel->count == channel->capacity) {
        channel->capacity = channel->capacity ? channel->capacity * 2 : 4;
        channel->subscribers = mem_grow(channel->subscribers, channel->capacity, sizeof(client_t *));
    }
    client->place = channel->count;
    channel->subscribers[channel->count++] = client;
}

static void leave(client_t *client)
{
    channel_t *channel = client->channel;
    if (!channel)
        return;
    if (client->subscribes) {
        client_t *last = channel->subscribers[--channel->count];
        channel->subscribers[client->place] = last;
        last->place = client->place;
    }
    if (--channel->clients)
        return;
    table_remove(&server.channels, channel_key(channel));
    mem_free(channel->subscribers);
    mem_free(channel->name);
    mem_free(channel);
}

static void fan_out(channel_t *channel, websocket_opcode_t opcode, span_t payload)
{
    uint8_t header[WEBSOCKET_HEADER_MAX];
    buf_clear(&server.frame);
    buf_append(&server.frame, header, websocket_header(header, opcode, payload.size, NULL));
    buf_append_span(&server.frame, payload);
    for (size_t i = 0; i < channel->count; i++) {
        if (!send_now(&channel->subscribers[i]->source, server.frame.data, server.frame.size))
            kill_client(channel->subscribers[i]);
    }
}

/* --- the hop --- */

static void hop_write(const channel_t *channel, websocket_opcode_t opcode, span_t payload)
{
    if (server.hop.fd < 0)
        return;
    hop_record_t record = {(uint32_t)payload.size, (uint16_t)channel->name_size, (uint16_t)opcode};
    buf_append(&server.hop.output, &record, sizeof record);
    buf_append(&server.hop.output, channel->name, channel->name_size);
    buf_append_span(&server.hop.output, payload);
}

/* Fans out one record. Its bytes, or 0 if it is not whole. */
static size_t hop_take(span_t bytes)
{
    hop_record_t record;
    if (!bytes.data || bytes.size < sizeof record)
        return 0;
    memcpy(&record, bytes.data, sizeof record);
    size_t size = sizeof record + record.channel_size + record.payload_size;
    if (bytes.size < size)
        return 0;
    const uint8_t *name = bytes.data + sizeof record;
    channel_t *channel = table_get(&server.channels, span_new(name, record.channel_size));
    if (channel)
        fan_out(channel, (websocket_opcode_t)record.opcode,
                span_new(name + record.channel_size, record.payload_size));
    return size;
}

static void hop_read(void)
{
    buf_t *input = &server.hop.input;
    ssize_t got = recv(server.hop.fd, buf_reserve(input, READ_SIZE), READ_SIZE, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0)
        exit(EXIT_SUCCESS); /* the other node has ended; alone there is nothing to measure */
    buf_advance(input, (size_t)got);
    size_t used = 0;
    for (size_t size; (size = hop_take(span_skip(buf_span(input), used))) > 0;)
        used += size;
    buf_consume(input, used);
}

/* --- clients --- */

static bool publish(client_t *client, const websocket_event_t *event)
{
    switch (event->opcode) {
    case WEBSOCKET_TEXT:
    case WEBSOCKET_BINARY:
        fan_out(client->channel, event->opcode, event->payload);
        hop_write(client->channel, event->opcode, event->payload);
        return true;
    case WEBSOCKET_PING: {
        uint8_t frame[WEBSOCKET_HEADER_MAX + 125];
        size_t size = websocket_header(frame, WEBSOCKET_PONG, event->payload.size, NULL);
        if (event->payload.size)
            memcpy(frame + size, event->payload.data, event->payload.size);
        return send_now(&client->source, frame, size + event->payload.size);
    }
    default: return event->opcode == WEBSOCKET_PONG;
    }
}

static bool take_frames(client_t *client, uint8_t *data, size_t size)
{
    websocket_event_t event;
    uint16_t close_code;
    for (;;) {
        int err = websocket_read(&client->reader, &data, &size, &event, &close_code);
        if (err == ERR_AGAIN)
            return true;
        if (err || !publish(client, &event))
            return false;
    }
}

/* Answers the request whose head is there; false: it is not one for us. */
static bool upgrade(client_t *client, const http_head_t *head)
{
    char mode[8];
    char accept[WEBSOCKET_ACCEPT_SIZE + 1];
    char answer[256];
    const char *why;
    span_t key;
    if (websocket_check_request(head, &why) != 101 || !span_starts(head->path, SPAN("/ws/")))
        return false;
    span_t name = span_skip(head->path, 4);
    if (channel_name_check(name) != OK)
        return false;
    int mode_size = http_query_value(head->query, "mode", 0, mode, sizeof mode);
    client->subscribes = mode_size != 3 || memcmp(mode, "pub", 3) != 0;
    http_head_get(head, "sec-websocket-key", &key);
    websocket_accept(key, accept);
    int size = snprintf(answer, sizeof answer,
                        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Accept: %s\r\n\r\n",
                        accept);
    join(client, name);
    return send_now(&client->source, (const uint8_t *)answer, (size_t)size);
}

static bool shake_hands(client_t *client, span_t bytes)
{
    static http_head_t head;
    buf_t *input = &client->source.input;
    buf_append_span(input, bytes);
    int size = http_head_parse(buf_span(input), &head);
    if (size == ERR_AGAIN)
        return true;
    if (size < 0 || !upgrade(client, &head))
        return false;
    bool good = take_frames(client, input->data + size, input->size - (size_t)size);
    buf_fini(input);
    return good;
}

static void client_ready(client_t *client, uint32_t events)
{
    bool good = true;
    if (events & EPOLLOUT)
        good = flush(&client->source);
    if (good && (events & (EPOLLIN | EPOLLHUP | EPOLLERR))) {
        ssize_t got = recv(client->source.fd, server.input, sizeof server.input, MSG_DONTWAIT);
        if (got > 0)
            good = client->channel ? take_frames(client, server.input, (size_t)got)
                                   : shake_hands(client, span_new(server.input, (size_t)got));
        else
            good = got < 0 && errno == EAGAIN;
    }
    if (!good)
        kill_client(client);
}

static void accept_clients(void)
{
    for (;;) {
        int fd = accept4(server.listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        client_t *client = mem_new(sizeof *client);
        client->source = (source_t){.kind = KIND_CLIENT, .fd = fd};
        websocket_reader_init(&client->reader, &limits, true);
        watch(&client->source);
    }
}

static void bury(void)
{
    for (list_node_t *node; (node = list_pop(&server.dead));) {
        client_t *client = LIST_ITEM(node, client_t, dead);
        leave(client);
        close(client->source.fd);
        buf_fini(&client->source.input);
        buf_fini(&client->source.output);
        websocket_reader_fini(&client->reader);
        mem_free(client);
    }
}

/* --- start and loop --- */

_Noreturn static void give_up(const char *what, const char *text)
{
    fprintf(stderr, "bench_floor: %s %s: %s\n", what, text, strerror(errno));
    exit(EXIT_FAILURE);
}

static struct sockaddr_in address_of(const char *text)
{
    char host[64];
    struct sockaddr_in address = {.sin_family = AF_INET};
    const char *colon = strrchr(text, ':');
    snprintf(host, sizeof host, "%.*s", colon ? (int)(colon - text) : 0, text);
    if (!colon || inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        errno = EINVAL;
        give_up("address", text);
    }
    address.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    return address;
}

static void listen_at(source_t *source, kind_t kind, const char *text, const char *label)
{
    struct sockaddr_in address = address_of(text);
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(fd, (const struct sockaddr *)&address, size) != 0 || listen(fd, 4096) != 0)
        give_up("listen", text);
    getsockname(fd, (struct sockaddr *)&address, &size);
    *source = (source_t){.kind = kind, .fd = fd};
    watch(source);
    char host[INET_ADDRSTRLEN];
    printf("%s %s:%u\n", label, inet_ntop(AF_INET, &address.sin_addr, host, sizeof host),
           ntohs(address.sin_port));
    fflush(stdout);
}

static void take_hop(int fd)
{
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    server.hop = (source_t){.kind = KIND_HOP, .fd = fd};
    watch(&server.hop);
}

static void connect_hop(const char *text)
{
    struct sockaddr_in address = address_of(text);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0)
        give_up("connect", text);
    take_hop(fd);
}

static void accept_hop(void)
{
    int fd = accept4(server.hop_listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0 && server.hop.fd < 0)
        take_hop(fd);
    else if (fd >= 0)
        close(fd);
}

static void dispatch(const struct epoll_event *event)
{
    source_t *source = event->data.ptr;
    switch (source->kind) {
    case KIND_LISTENER: accept_clients(); break;
    case KIND_HOP_LISTENER: accept_hop(); break;
    case KIND_CLIENT: client_ready((client_t *)(void *)source, event->events); break;
    case KIND_HOP:
        if (event->events & ~(uint32_t)EPOLLOUT)
            hop_read();
        break;
    }
}

_Noreturn static void run(void)
{
    struct epoll_event events[EVENTS];
    for (;;) {
        int count = epoll_wait(server.epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++)
            dispatch(&events[i]);
        if (server.hop.output.size && !flush(&server.hop))
            exit(EXIT_FAILURE);
        bury();
    }
}

static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"listen", required_argument, NULL, 'l'},
                                            {"hop-listen", required_argument, NULL, 'h'},
                                            {"hop-connect", required_argument, NULL, 'c'},
                                            {0}};
    const char *address = "127.0.0.1:0";
    const char *hop_listen = NULL;
    const char *hop_connect = NULL;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        const char *value = optarg ? optarg : "";
        switch (option) {
        case 'l': address = value; break;
        case 'h': hop_listen = value; break;
        case 'c': hop_connect = value; break;
        default: return 2;
        }
    }
    raise_file_limit();
    server.epoll = epoll_create1(EPOLL_CLOEXEC);
    server.hop.fd = -1;
    table_init(&server.channels, channel_key);
    list_init(&server.dead);
    if (hop_listen)
        listen_at(&server.hop_listener, KIND_HOP_LISTENER, hop_listen, "hop");
    if (hop_connect)
        connect_hop(hop_connect);
    listen_at(&server.listener, KIND_LISTENER, address, "listening");
    run();
}
