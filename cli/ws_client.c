#include "cli/ws_client.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/random.h"
#include "cli/url.h"

#define READ_SIZE 65536u
#define MESSAGE_LIMIT \
    (16u << 20)           /* a tool shows what a server sends; above this it is not for people any more */
#define HEAD_LIMIT 16384u /* bytes of the server's answer to the handshake */

static const websocket_limits_t limits = {.message = MESSAGE_LIMIT, .fragments = 65536};

struct cli_ws_client {
    int fd; /* owned; -1 = none */
    websocket_reader_t reader;
    buf_t output;  /* frames not sent yet */
    uint8_t *next; /* in `input`: where unread bytes begin */
    size_t left;   /* unread bytes */
    uint8_t input[READ_SIZE];
};

/* --- waiting --- */

/* OK when the socket is ready for `events`, or ERR_TIMEOUT. */
static int wait_for(const cli_ws_client_t *self, short events, uint64_t deadline_us)
{
    for (;;) {
        uint64_t now_us = clock_now_us();
        uint64_t left_ms = now_us < deadline_us ? (deadline_us - now_us + CLOCK_MS - 1) / CLOCK_MS : 0;
        struct pollfd poller = {.fd = self->fd, .events = events};
        int ready = poll(&poller, 1, left_ms > INT_MAX ? INT_MAX : (int)left_ms);
        if (ready > 0)
            return OK;
        if (ready == 0 && clock_now_us() >= deadline_us)
            return ERR_TIMEOUT;
        if (ready < 0 && errno != EINTR)
            return ERR_CLOSED;
    }
}

static bool would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK;
}

/* Reads what is there into `input`, which must be used up. OK, ERR_TIMEOUT, ERR_CLOSED. */
static int fill(cli_ws_client_t *self, uint64_t deadline_us)
{
    for (;;) {
        ssize_t got = recv(self->fd, self->input, sizeof self->input, 0);
        if (got > 0) {
            self->next = self->input;
            self->left = (size_t)got;
            return OK;
        }
        if (got == 0 || (!would_block() && errno != EINTR))
            return ERR_CLOSED;
        int err = wait_for(self, POLLIN, deadline_us);
        if (err)
            return err;
    }
}

static int flush(cli_ws_client_t *self, uint64_t deadline_us)
{
    while (self->output.size) {
        ssize_t sent = send(self->fd, self->output.data, self->output.size, MSG_NOSIGNAL);
        if (sent > 0) {
            buf_consume(&self->output, (size_t)sent);
            continue;
        }
        if (!would_block() && errno != EINTR)
            return ERR_CLOSED;
        int err = wait_for(self, POLLOUT, deadline_us);
        if (err)
            return err;
    }
    return OK;
}

/* --- opening --- */

static int connect_to(cli_ws_client_t *self, const cli_url_t *url, uint64_t deadline_us)
{
    cli_address_t address;
    int err = cli_url_resolve(url, &address);
    if (err)
        return err;
    self->fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (self->fd < 0)
        return ERR_UNAVAILABLE;
    setsockopt(self->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (connect(self->fd, (const struct sockaddr *)&address.storage, address.size) == 0)
        return OK;
    if (errno != EINPROGRESS)
        return ERR_UNAVAILABLE;
    err = wait_for(self, POLLOUT, deadline_us);
    if (err)
        return err;
    int failure = 0;
    getsockopt(self->fd, SOL_SOCKET, SO_ERROR, &failure, &(socklen_t){sizeof failure});
    errno = failure;
    return failure ? ERR_UNAVAILABLE : OK;
}

/* Reads until the head is whole; bytes behind it stay unread. */
static int read_answer(cli_ws_client_t *self, const uint8_t key[16], uint64_t deadline_us, int *status)
{
    buf_t head = {0};
    int result = ERR_AGAIN;
    while (result == ERR_AGAIN) {
        int err = head.size > HEAD_LIMIT ? ERR_MALFORMED : fill(self, deadline_us);
        if (err) {
            result = err;
            break;
        }
        buf_append(&head, self->next, self->left);
        result = websocket_client_check(buf_span(&head), key, status);
    }
    if (result >= 0) {
        size_t behind = head.size - (size_t)result;
        self->next += self->left - behind;
        self->left = behind;
        result = OK;
    }
    buf_fini(&head);
    return result;
}

static int shake_hands(cli_ws_client_t *self, const cli_url_t *url, const char *headers, uint64_t deadline_us,
                       int *status)
{
    uint8_t key[16];
    random_fill(key, sizeof key);
    websocket_client_request(&self->output, url->authority, url->target[0] ? url->target : "/", key, headers);
    int err = flush(self, deadline_us);
    return err ? err : read_answer(self, key, deadline_us, status);
}

static void explain(buf_t *why, const char *url, int err, int status, int error_number)
{
    if (err == ERR_DENIED)
        buf_printf(why, "%s answered with HTTP status %d", url, status);
    else if (err == ERR_UNAVAILABLE)
        buf_printf(why, "can't connect to %s: %s", url, strerror(error_number));
    else if (err == ERR_UNKNOWN)
        buf_printf(why, "'%s' does not begin with ws://", url);
    else
        buf_printf(why, "%s: %s", url, err_text(err));
}

int cli_ws_client_open(cli_ws_client_t **out, const char *url, const char *headers, uint64_t deadline_us,
                       buf_t *why)
{
    cli_url_t parsed;
    int status = 0;
    cli_ws_client_t *self = mem_new(sizeof *self);
    self->fd = -1;
    websocket_reader_init(&self->reader, &limits, false);
    int err = cli_url_parse(url, &parsed);
    if (!err)
        err = connect_to(self, &parsed, deadline_us);
    int error_number = errno;
    if (!err)
        err = shake_hands(self, &parsed, headers, deadline_us, &status);
    if (err) {
        explain(why, url, err, status, error_number);
        cli_ws_client_destroy(&self);
        return err;
    }
    *out = self;
    return OK;
}

void cli_ws_client_destroy(cli_ws_client_t **self_p)
{
    cli_ws_client_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    if (self->fd >= 0)
        close(self->fd);
    websocket_reader_fini(&self->reader);
    buf_fini(&self->output);
    mem_free(self);
}

/* --- talking --- */

int cli_ws_client_send(cli_ws_client_t *self, websocket_opcode_t opcode, span_t payload, uint64_t deadline_us)
{
    uint8_t mask[4];
    uint8_t header[WEBSOCKET_HEADER_MAX];
    random_fill(mask, sizeof mask);
    buf_append(&self->output, header, websocket_header(header, opcode, payload.size, mask));
    size_t start = self->output.size;
    buf_append_span(&self->output, payload);
    websocket_mask(self->output.data + start, payload.size, mask, 0);
    return flush(self, deadline_us);
}

int cli_ws_client_receive(cli_ws_client_t *self, uint64_t deadline_us, websocket_event_t *event)
{
    for (;;) {
        uint16_t close_code = 0;
        int err = websocket_read(&self->reader, &self->next, &self->left, event, &close_code);
        if (err == OK && event->opcode == WEBSOCKET_PING)
            err = cli_ws_client_send(self, WEBSOCKET_PONG, event->payload, deadline_us);
        else if (err != ERR_AGAIN)
            return err;
        else
            err = fill(self, deadline_us);
        if (err)
            return err;
    }
}

int cli_ws_client_close(cli_ws_client_t *self, uint16_t code, const char *reason, uint64_t deadline_us)
{
    buf_t payload = {0};
    websocket_close_payload(&payload, code, span_str(reason));
    int err = cli_ws_client_send(self, WEBSOCKET_CLOSE, buf_span(&payload), deadline_us);
    buf_fini(&payload);
    websocket_event_t event = {0};
    while (err == OK && event.opcode != WEBSOCKET_CLOSE)
        err = cli_ws_client_receive(self, deadline_us, &event);
    return err;
}
