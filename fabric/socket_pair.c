#include "fabric/socket_pair.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "fabric/endpoint.h"
#include "protocol/limits.h"
#include "protocol/link.h"

/* Whole messages that one pipe holds. The links bound the bytes; this bounds what a stuck pipe collects in
 * repeats. */
#define PIPE_HWM 1000

/* A peer that is gone without a word: the kernel asks after 15 s, and gives up 15 s later. */
#define KEEPALIVE_IDLE_S  15
#define KEEPALIVE_INTVL_S 5
#define KEEPALIVE_CNT     3
#define MAX_RETRANSMIT_MS 20000

#define HANDSHAKE_MS     5000
#define RECONNECT_MS     100
#define RECONNECT_MAX_MS 1000
#define LINGER_MS        200 /* a BYE may still go out */

/* How often failed handshakes are looked at, and tried again. */
#define LOOK_US CLOCK_SEC

/* One line about each kind of failure in so long. */
#define TELL_US    (5u * CLOCK_SEC)
#define BIND_TRIES 64

/* Where Linux lets outgoing connections begin by default: 32768. */
#define ANY_PORT_FIRST 10000u
#define ANY_PORT_LAST  32767u

/* --- opening --- */

static void set_int(void *handle, int option, int value)
{
    int failed = zmq_setsockopt(handle, option, &value, sizeof value);
    CHECK(!failed);
}

static void set_common(void *handle)
{
    set_int(handle, ZMQ_LINGER, LINGER_MS);
    set_int(handle, ZMQ_IPV6, 1);
    set_int(handle, ZMQ_TCP_KEEPALIVE, 1);
    set_int(handle, ZMQ_TCP_KEEPALIVE_IDLE, KEEPALIVE_IDLE_S);
    set_int(handle, ZMQ_TCP_KEEPALIVE_INTVL, KEEPALIVE_INTVL_S);
    set_int(handle, ZMQ_TCP_KEEPALIVE_CNT, KEEPALIVE_CNT);
    set_int(handle, ZMQ_TCP_MAXRT, MAX_RETRANSMIT_MS);
    set_int(handle, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS);
    set_int(handle, ZMQ_RECONNECT_IVL, RECONNECT_MS);
    set_int(handle, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS);
    int64_t largest = WIRE_MESSAGE_MAX;
    int failed = zmq_setsockopt(handle, ZMQ_MAXMSGSIZE, &largest, sizeof largest);
    CHECK(!failed);
}

static void subscribe(void *handle, uint64_t topic)
{
    uint8_t bytes[LINK_TOPIC_SIZE];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(topic >> (56 - 8 * i));
    int failed = zmq_setsockopt(handle, ZMQ_SUBSCRIBE, bytes, sizeof bytes);
    CHECK(!failed);
}

static void make_sockets(socket_pair_t *self)
{
    self->sub = zsock_new(ZMQ_SUB);
    self->pub = zsock_new(ZMQ_PUB);
    CHECK(self->sub && self->pub);
    self->sub_handle = zsock_resolve(self->sub);
    self->pub_handle = zsock_resolve(self->pub);
    handshakes_open(&self->sub_handshakes, self->sub_handle);
    handshakes_open(&self->pub_handshakes, self->pub_handle);
    set_common(self->sub_handle);
    set_common(self->pub_handle);
    set_int(self->sub_handle, ZMQ_SNDHWM, 0); /* else subscriptions are dropped silently above it */
    set_int(self->sub_handle, ZMQ_RCVHWM, PIPE_HWM);
    set_int(self->pub_handle, ZMQ_SNDHWM, PIPE_HWM);
    set_int(self->pub_handle, ZMQ_XPUB_NODROP, 1); /* a full pipe is EAGAIN, not a silent loss */
    subscribe(self->sub_handle, self->options.node_id);
    if (self->options.accepts)
        subscribe(self->sub_handle, HELLO_TOPIC);
}

static void destroy_sockets(socket_pair_t *self)
{
    handshakes_close(&self->sub_handshakes);
    handshakes_close(&self->pub_handshakes);
    zsock_destroy(&self->sub);
    zsock_destroy(&self->pub);
    self->sub_handle = self->pub_handle = NULL;
}

static void set_keys(socket_pair_t *self, void (*how)(const curve_t *, void *))
{
    if (!self->options.curve)
        return;
    how(self->options.curve, self->sub_handle);
    how(self->options.curve, self->pub_handle);
}

static int bind_pair(socket_pair_t *self, const char *address, buf_t *scratch)
{
    if (zmq_bind(self->sub_handle, address))
        return ERR_IO;
    if (zmq_bind(self->pub_handle, endpoint_deliveries(address, scratch)) == 0)
        return OK;
    int cause = errno;
    zmq_unbind(self->sub_handle, address);
    errno = cause;
    return ERR_IO;
}

/* Port 0: any two that are free. Not the system's choice: it gives one port, and where much goes out, the one
 * above is likely taken; so ports below those of outgoing connections, at random. */
static int bind_any(socket_pair_t *self, size_t host_size, buf_t *scratch)
{
    for (int i = 0; i < BIND_TRIES; i++) {
        char address[256];
        unsigned port = ANY_PORT_FIRST + (unsigned)(random_u64() % (ANY_PORT_LAST - ANY_PORT_FIRST));
        snprintf(address, sizeof address, "%.*s:%u", (int)host_size, self->options.bind, port);
        if (bind_pair(self, address, scratch) == OK) {
            self->port = (uint16_t)port;
            return OK;
        }
        if (errno != EADDRINUSE)
            break;
    }
    return ERR_IO;
}

static int bind_sockets(socket_pair_t *self, buf_t *why)
{
    buf_t scratch = {0};
    buf_t address = {0};
    size_t host;
    uint16_t port = 1;
    bool tcp = endpoint_split(self->options.bind, &host, &port);
    if (tcp && self->port) /* bound before, maybe to any port */
        buf_printf(&address, "%.*s:%u", (int)host, self->options.bind, self->port);
    else
        buf_append_str(&address, self->options.bind);
    set_keys(self, curve_serve);
    bool any = tcp && port == 0 && !self->port;
    int err = any ? bind_any(self, host, &scratch) : bind_pair(self, buf_text(&address), &scratch);
    if (err)
        buf_printf(why, "cannot listen on %s: %s", self->options.bind, zmq_strerror(errno));
    else if (tcp && port)
        self->port = port;
    buf_fini(&scratch);
    buf_fini(&address);
    return err;
}

/* --- connecting --- */

/* Who accepts only listens to its peers: their SUB sockets connect to its PUB themselves. */
static int connect_pair(socket_pair_t *self, const char *address)
{
    buf_t scratch = {0};
    int failed = zmq_connect(self->sub_handle, endpoint_deliveries(address, &scratch));
    if (!failed && !self->options.accepts) {
        failed = zmq_connect(self->pub_handle, address);
        int cause = errno;
        if (failed)
            zmq_disconnect(self->sub_handle, buf_text(&scratch));
        errno = cause;
    }
    buf_fini(&scratch);
    return failed ? ERR_IO : OK;
}

static void disconnect_pair(socket_pair_t *self, const char *address)
{
    buf_t scratch = {0};
    zmq_disconnect(self->sub_handle, endpoint_deliveries(address, &scratch));
    if (!self->options.accepts)
        zmq_disconnect(self->pub_handle, address);
    buf_fini(&scratch);
}

int socket_pair_connect(socket_pair_t *self, const char *address)
{
    int err = self->sub ? connect_pair(self, address) : OK;
    if (err)
        return err;
    self->connections = mem_grow(self->connections, self->connection_count + 1, sizeof *self->connections);
    self->connections[self->connection_count++] = (socket_connection_t){.address = mem_dup(address)};
    return OK;
}

void socket_pair_disconnect(socket_pair_t *self, const char *address)
{
    if (self->sub)
        disconnect_pair(self, address);
    for (size_t i = 0; i < self->connection_count; i++) {
        if (strcmp(self->connections[i].address, address) != 0)
            continue;
        mem_free(self->connections[i].address);
        self->connections[i] = self->connections[--self->connection_count];
        return;
    }
}

/* --- failed handshakes --- */

/* Without the port, and without what marks IPv4 on a socket for both families: "10.0.0.1" of
 * "tcp://[::ffff:10.0.0.1]:7700". */
static span_t host_of(const char *address, size_t host_size)
{
    static const span_t scheme = {(const uint8_t *)"tcp://", 6}, mapped = {(const uint8_t *)"[::ffff:", 8};
    span_t host = span_new(address, host_size);
    if (span_starts(host, scheme))
        host = span_skip(host, scheme.size);
    if (!span_starts(host, mapped))
        return host;
    host = span_skip(host, mapped.size);
    return span_new(host.data, host.size - 1);
}

/* libzmq tells of the address that a name had: then every name with this port may be meant. */
static bool may_be(const char *address, const char *told)
{
    size_t size, told_size;
    uint16_t port, told_port;
    if (!endpoint_split(address, &size, &port) || !endpoint_split(told, &told_size, &told_port))
        return strcmp(address, told) == 0;
    span_t host = host_of(address, size);
    bool is_name = host.size && host.data[0] != '[' && (host.data[0] < '0' || host.data[0] > '9');
    return port == told_port && (is_name || span_eq(host, host_of(told, told_size)));
}

static void note_failed(socket_pair_t *self, const char *told)
{
    buf_t deliveries = {0};
    for (size_t i = 0; i < self->connection_count; i++) {
        socket_connection_t *connection = &self->connections[i];
        connection->failed |= may_be(connection->address, told) ||
                              may_be(endpoint_deliveries(connection->address, &deliveries), told);
    }
    buf_fini(&deliveries);
}

static void handshake_failed(void *context, const char *address, handshake_fault_t fault)
{
    socket_pair_t *self = context;
    bool first = self->handshake_failures[fault]++ == 0;
    note_failed(self, address);
    if (!first && self->look_at < self->told_at[fault] + TELL_US)
        return;
    self->told_at[fault] = self->look_at;
    log_warn("fabric.handshake_failed", "address=%s why=%s times=%" PRIu64 " meaning=\"%s\"", address,
             handshake_fault_name(fault), self->handshake_failures[fault], handshake_fault_text(fault));
}

void socket_pair_look(socket_pair_t *self, uint64_t now_us)
{
    if (now_us < self->look_at || !self->sub)
        return;
    self->look_at = now_us;
    handshakes_look(self->sub_handshakes, handshake_failed, self);
    handshakes_look(self->pub_handshakes, handshake_failed, self);
    self->look_at = now_us + LOOK_US;
    for (size_t i = 0; i < self->connection_count; i++) {
        socket_connection_t *connection = &self->connections[i];
        if (!connection->failed)
            continue;
        connection->failed = false;
        disconnect_pair(self, connection->address);
        (void)connect_pair(self, connection->address); /* it worked before */
    }
}

/* --- life --- */

/* What is bound serves keys, what is connected afterwards asks for the relays'. */
static int open_sockets(socket_pair_t *self, buf_t *why)
{
    make_sockets(self);
    int err = self->options.bind ? bind_sockets(self, why) : OK;
    if (!err)
        set_keys(self, curve_connect);
    else
        destroy_sockets(self);
    return err;
}

int socket_pair_open(socket_pair_t *self, const socket_pair_options_t *options, buf_t *why)
{
    *self = (socket_pair_t){.options = *options};
    self->options.bind = mem_dup(options->bind);
    return open_sockets(self, why);
}

void socket_pair_shut(socket_pair_t *self, bool at_once)
{
    if (!self->sub)
        return;
    if (at_once) {
        set_int(self->sub_handle, ZMQ_LINGER, 0);
        set_int(self->pub_handle, ZMQ_LINGER, 0);
    }
    destroy_sockets(self);
}

int socket_pair_reopen(socket_pair_t *self, buf_t *why)
{
    int err = open_sockets(self, why);
    for (size_t i = 0; !err && i < self->connection_count; i++)
        (void)connect_pair(self, self->connections[i].address); /* it worked before */
    return err;
}

void socket_pair_fini(socket_pair_t *self)
{
    destroy_sockets(self);
    for (size_t i = 0; i < self->connection_count; i++)
        mem_free(self->connections[i].address);
    mem_free(self->connections);
    mem_free((char *)self->options.bind);
    *self = (socket_pair_t){0};
}

int socket_pair_descriptor(void *handle)
{
    int fd;
    size_t size = sizeof fd;
    int failed = zmq_getsockopt(handle, ZMQ_FD, &fd, &size);
    CHECK(!failed);
    return fd;
}
