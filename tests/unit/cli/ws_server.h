/* tests/unit/cli/ws_server - a small WebSocket server on a thread of its own, for tests of clients.
 * Owner:  the test.
 * Life:   ws_server_start -> ws_server_stop
 *
 * It shakes hands with everyone and gives each message to `on_message`, which may answer with ws_server_send.
 * The callback runs on the server's thread.
 */
#ifndef HEDDLE_TESTS_CLI_WS_SERVER_H
#define HEDDLE_TESTS_CLI_WS_SERVER_H

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/err.h"
#include "base/http/head.h"
#include "protocol/websocket.h"

#define WS_SERVER_PEERS 32u

typedef struct ws_peer {
    int fd;           /* -1 = free */
    bool open;        /* the handshake is done */
    char target[256]; /* of its request */
    buf_t input;      /* the request, as far as it has come */
    websocket_reader_t reader;
} ws_peer_t;

typedef struct ws_server ws_server_t;

/* Returns false to hang up. */
typedef bool ws_server_message_fn(ws_server_t *server, ws_peer_t *peer, const websocket_event_t *event);

struct ws_server {
    pthread_t thread;
    int listener, stop[2];
    char url[64]; /* "ws://127.0.0.1:PORT" */
    ws_server_message_fn *on_message;
    int status; /* that a handshake is refused with; 0: it is not refused */
    void *context;
    ws_peer_t peers[WS_SERVER_PEERS];
};

static inline void ws_server_send_bytes(const ws_peer_t *peer, const void *data, size_t size)
{
    const uint8_t *at = data;
    while (size) {
        ssize_t sent = send(peer->fd, at, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return; /* the client is gone, which its next read will tell */
        at += sent;
        size -= (size_t)sent;
    }
}

static inline void ws_server_send(const ws_peer_t *peer, websocket_opcode_t opcode, span_t payload)
{
    uint8_t header[WEBSOCKET_HEADER_MAX];
    ws_server_send_bytes(peer, header, websocket_header(header, opcode, payload.size, NULL));
    ws_server_send_bytes(peer, payload.data, payload.size);
}

/* Returns the size of the request if it is whole, else 0. */
static inline size_t ws_server_shake_hands(ws_server_t *server, ws_peer_t *peer)
{
    static http_head_t head;
    char accept[WEBSOCKET_ACCEPT_SIZE + 1];
    char answer[256];
    const char *why;
    span_t key;
    int size = http_head_parse(buf_span(&peer->input), &head);
    if (size == ERR_AGAIN)
        return 0;
    CHECK(size > 0 && websocket_check_request(&head, &why) == 101);
    snprintf(peer->target, sizeof peer->target, "%.*s", SPAN_FMT(head.target));
    http_head_get(&head, "sec-websocket-key", &key);
    websocket_accept(key, accept);
    int answer_size = server->status ? snprintf(answer, sizeof answer,
                                                "HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n", server->status)
                                     : snprintf(answer, sizeof answer,
                                                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                                "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                                                accept);
    ws_server_send_bytes(peer, answer, (size_t)answer_size);
    peer->open = true;
    return (size_t)size;
}

static inline bool ws_server_take(ws_server_t *server, ws_peer_t *peer, uint8_t *data, size_t size)
{
    websocket_event_t event;
    uint16_t close_code;
    int err;
    while ((err = websocket_read(&peer->reader, &data, &size, &event, &close_code)) == OK) {
        if (!server->on_message(server, peer, &event))
            return false;
    }
    return err == ERR_AGAIN;
}

static inline bool ws_server_read(ws_server_t *server, ws_peer_t *peer)
{
    static uint8_t bytes[65536];
    ssize_t got = recv(peer->fd, bytes, sizeof bytes, 0);
    if (got <= 0)
        return false;
    if (peer->open)
        return ws_server_take(server, peer, bytes, (size_t)got);
    buf_append(&peer->input, bytes, (size_t)got);
    size_t used = ws_server_shake_hands(server, peer);
    return used == 0 || ws_server_take(server, peer, peer->input.data + used, peer->input.size - used);
}

static inline void ws_server_hang_up(ws_peer_t *peer)
{
    if (peer->fd < 0)
        return;
    close(peer->fd);
    buf_fini(&peer->input);
    websocket_reader_fini(&peer->reader);
    *peer = (ws_peer_t){.fd = -1};
}

static inline void ws_server_accept(ws_server_t *server)
{
    static const websocket_limits_t limits = {.message = 1 << 20, .fragments = 8};
    int fd = accept(server->listener, NULL, NULL);
    for (size_t i = 0; i < WS_SERVER_PEERS; i++) {
        if (server->peers[i].fd >= 0)
            continue;
        server->peers[i].fd = fd;
        websocket_reader_init(&server->peers[i].reader, &limits, true);
        return;
    }
    CHECK(fd < 0); /* more clients than there is room for */
}

static inline void *ws_server_run(void *argument)
{
    ws_server_t *server = argument;
    for (;;) {
        struct pollfd polled[WS_SERVER_PEERS + 2] = {{.fd = server->stop[0], .events = POLLIN},
                                                     {.fd = server->listener, .events = POLLIN}};
        for (size_t i = 0; i < WS_SERVER_PEERS; i++)
            polled[i + 2] = (struct pollfd){.fd = server->peers[i].fd, .events = POLLIN};
        if (poll(polled, WS_SERVER_PEERS + 2, -1) < 0)
            continue;
        if (polled[0].revents)
            return NULL;
        for (size_t i = 0; i < WS_SERVER_PEERS; i++) {
            if (polled[i + 2].revents && !ws_server_read(server, &server->peers[i]))
                ws_server_hang_up(&server->peers[i]);
        }
        if (polled[1].revents)
            ws_server_accept(server);
    }
}

static inline void ws_server_start(ws_server_t *server, ws_server_message_fn *on_message)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    server->on_message = on_message;
    for (size_t i = 0; i < WS_SERVER_PEERS; i++)
        server->peers[i].fd = -1;
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(server->listener, (const struct sockaddr *)&address, size) == 0);
    CHECK(listen(server->listener, 64) == 0);
    CHECK(getsockname(server->listener, (struct sockaddr *)&address, &size) == 0);
    snprintf(server->url, sizeof server->url, "ws://127.0.0.1:%u", ntohs(address.sin_port));
    CHECK(pipe(server->stop) == 0);
    CHECK(pthread_create(&server->thread, NULL, ws_server_run, server) == 0);
}

static inline void ws_server_stop(ws_server_t *server)
{
    CHECK(write(server->stop[1], "", 1) == 1);
    pthread_join(server->thread, NULL);
    for (size_t i = 0; i < WS_SERVER_PEERS; i++)
        ws_server_hang_up(&server->peers[i]);
    close(server->listener);
    close(server->stop[0]);
    close(server->stop[1]);
}

#endif
