#include "fabric/sockets.h"

#include <czmq.h>
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "fabric/addresses.h"
#include "fabric/endpoint.h"
#include "protocol/limits.h"

/* How long one turn takes messages: what they brought must get its chance to leave before more comes in, or
 * every outbox would be full before the first byte is written. */
#define DRAIN_US 4000u

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
#define BIND_TRIES       64

/* Where Linux lets outgoing connections begin by default: 32768. */
#define ANY_PORT_FIRST 10000u
#define ANY_PORT_LAST  32767u

struct sockets {
    sockets_options_t options; /* texts are copied */
    zsock_t *sub;              /* owned */
    zsock_t *pub;              /* owned */
    void *sub_handle;          /* of libzmq, for the hot path */
    void *pub_handle;
    addresses_t *addresses; /* owned; of the relays to connect to. NULL = none */
    size_t expected;        /* as many as node has been told of */
    uint16_t port;
    node_t *node; /* borrowed */
    uv_poll_t sub_poll, pub_poll;
    uv_check_t check;
    uv_idle_t idle;
    uv_timer_t timer;
    bool readable; /* messages may be waiting on sub */
    bool started, closed;
    int open_handles;
};

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

static void make_sockets(sockets_t *self)
{
    self->sub = zsock_new(ZMQ_SUB);
    self->pub = zsock_new(ZMQ_PUB);
    CHECK(self->sub && self->pub);
    self->sub_handle = zsock_resolve(self->sub);
    self->pub_handle = zsock_resolve(self->pub);
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

static int bind_pair(sockets_t *self, const char *address, buf_t *scratch)
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
static int bind_any(sockets_t *self, size_t host_size, buf_t *scratch)
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

static int bind_sockets(sockets_t *self, buf_t *why)
{
    buf_t scratch = {0};
    size_t host;
    uint16_t port = 1;
    bool tcp = endpoint_split(self->options.bind, &host, &port);
    int err =
        tcp && port == 0 ? bind_any(self, host, &scratch) : bind_pair(self, self->options.bind, &scratch);
    if (err)
        buf_printf(why, "cannot listen on %s: %s", self->options.bind, zmq_strerror(errno));
    else if (tcp && port)
        self->port = port;
    buf_fini(&scratch);
    return err;
}

/* Who accepts only listens to its peers: their SUB sockets connect to its PUB themselves. */
static int connect_to(void *context, const char *address)
{
    sockets_t *self = context;
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

static void disconnect_from(void *context, const char *address)
{
    sockets_t *self = context;
    buf_t scratch = {0};
    zmq_disconnect(self->sub_handle, endpoint_deliveries(address, &scratch));
    if (!self->options.accepts)
        zmq_disconnect(self->pub_handle, address);
    buf_fini(&scratch);
}

static int open_addresses(sockets_t *self, const config_list_t *list, buf_t *why)
{
    const addresses_options_t options = {
        .list = list, .came = connect_to, .gone = disconnect_from, .context = self};
    self->addresses = addresses_new(&options);
    const char *failed;
    int err = addresses_start(self->addresses, &failed);
    if (err)
        buf_printf(why, "cannot connect to %s: %s", failed, zmq_strerror(errno));
    return err;
}

int sockets_open(sockets_t **out, const sockets_options_t *options, buf_t *why)
{
    zsys_handler_set(NULL); /* signals are the program's */
    sockets_t *self = mem_new(sizeof *self);
    self->options = *options;
    self->options.bind = mem_dup(options->bind);
    self->options.connect = NULL; /* used here only */
    make_sockets(self);
    int err = self->options.bind ? bind_sockets(self, why) : OK;
    if (!err && options->connect)
        err = open_addresses(self, options->connect, why);
    if (err)
        sockets_destroy(&self);
    *out = self;
    return err;
}

/* --- in the loop --- */

static void take_message(sockets_t *self, zmq_msg_t *message, uint64_t now_us)
{
    if (zmq_msg_more(message)) /* ours have one frame; the rest is dropped as it comes */
        log_warn("fabric.multipart", "size=%zu", zmq_msg_size(message));
    else
        node_receive(self->node, span_new(zmq_msg_data(message), zmq_msg_size(message)), now_us);
}

/* Until there is nothing more, or the time is over. Only our own reading touches this socket, so after EAGAIN
 * its descriptor wakes us again for whatever comes. */
static void drain(sockets_t *self, uint64_t now_us)
{
    zmq_msg_t message;
    zmq_msg_init(&message);
    uint64_t end_us = now_us + DRAIN_US;
    while (!self->closed && now_us < end_us) {
        if (zmq_msg_recv(&message, self->sub_handle, ZMQ_DONTWAIT) < 0) {
            self->readable = errno == EINTR;
            break;
        }
        take_message(self, &message, now_us);
        now_us = clock_now_us();
    }
    zmq_msg_close(&message);
}

static void idle_turn(uv_idle_t *handle) /* its being active is what keeps the loop from sleeping */
{
    (void)handle;
}

static void timer_turn(uv_timer_t *handle) /* wakes the loop, the work is done in check */
{
    sockets_wake(handle->data);
}

/* Relays come and go with their addresses, and the node is to know how many to look for. */
static void follow_addresses(sockets_t *self, uint64_t now_us)
{
    if (!self->addresses)
        return;
    addresses_tick(self->addresses, self->check.loop, now_us);
    size_t count = addresses_count(self->addresses);
    if (count == self->expected)
        return;
    self->expected = count;
    node_set_expected(self->node, count, now_us);
}

static uint64_t next_due(const sockets_t *self)
{
    uint64_t of_node = node_due(self->node);
    uint64_t of_addresses = self->addresses ? addresses_due(self->addresses) : UINT64_MAX;
    return of_node < of_addresses ? of_node : of_addresses;
}

static void schedule(sockets_t *self, uint64_t now_us)
{
    uint64_t due = next_due(self);
    uint64_t wait_us = due > now_us ? due - now_us : 0;
    uv_timer_start(&self->timer, timer_turn, (wait_us + CLOCK_MS - 1) / CLOCK_MS, 0);
    if (self->readable)
        uv_idle_start(&self->idle, idle_turn);
    else
        uv_idle_stop(&self->idle);
}

static void check_turn(uv_check_t *handle)
{
    sockets_t *self = handle->data;
    uint64_t now_us = clock_now_us();
    bool ready = !self->options.begin || self->options.begin(self->options.context, now_us);
    if (ready && self->readable)
        drain(self, now_us);
    follow_addresses(self, now_us);
    if (now_us >= node_due(self->node))
        node_tick(self->node, now_us);
    if (self->options.turn)
        self->options.turn(self->options.context, now_us);
    if (self->closed)
        return;
    node_flush(self->node, now_us);
    schedule(self, now_us);
}

static void sub_ready(uv_poll_t *handle, int status, int events)
{
    (void)status;
    (void)events;
    ((sockets_t *)handle->data)->readable = true;
}

/* Looking at its events makes the PUB socket take the subscriptions that have come. */
static void pub_ready(uv_poll_t *handle, int status, int events)
{
    (void)status;
    (void)events;
    int state;
    size_t size = sizeof state;
    zmq_getsockopt(((sockets_t *)handle->data)->pub_handle, ZMQ_EVENTS, &state, &size);
}

static int descriptor(void *handle)
{
    int fd;
    size_t size = sizeof fd;
    int failed = zmq_getsockopt(handle, ZMQ_FD, &fd, &size);
    CHECK(!failed);
    return fd;
}

int sockets_start(sockets_t *self, uv_loop_t *loop, node_t *node)
{
    self->node = node;
    if (uv_poll_init(loop, &self->sub_poll, descriptor(self->sub_handle)) ||
        uv_poll_init(loop, &self->pub_poll, descriptor(self->pub_handle)))
        return ERR_IO;
    uv_check_init(loop, &self->check);
    uv_idle_init(loop, &self->idle);
    uv_timer_init(loop, &self->timer);
    self->sub_poll.data = self->pub_poll.data = self->check.data = self->idle.data = self->timer.data = self;
    self->open_handles = 5;
    self->started = true;
    uv_poll_start(&self->sub_poll, UV_READABLE, sub_ready);
    uv_poll_start(&self->pub_poll, UV_READABLE, pub_ready);
    uv_check_start(&self->check, check_turn);
    pub_ready(&self->pub_poll, 0, 0);
    self->readable = true; /* something may have come before the descriptor was watched */
    sockets_wake(self);
    return OK;
}

int sockets_send(sockets_t *self, span_t message)
{
    if (self->closed)
        return ERR_CLOSED;
    zmq_msg_t out;
    if (zmq_msg_init_size(&out, message.size))
        return ERR_AGAIN;
    memcpy(zmq_msg_data(&out), message.data, message.size);
    if (zmq_msg_send(&out, self->pub_handle, ZMQ_DONTWAIT) >= 0)
        return OK;
    zmq_msg_close(&out);
    return ERR_AGAIN;
}

uint16_t sockets_port(const sockets_t *self)
{
    return self->port;
}

void sockets_wake(sockets_t *self)
{
    if (self->started && !self->closed)
        uv_idle_start(&self->idle, idle_turn);
}

/* --- the end --- */

static void handle_closed(uv_handle_t *handle)
{
    sockets_t *self = handle->data;
    if (--self->open_handles)
        return;
    zsock_destroy(&self->sub);
    zsock_destroy(&self->pub);
}

void sockets_close(sockets_t *self)
{
    if (self->closed)
        return;
    self->closed = true;
    if (self->addresses)
        addresses_close(self->addresses);
    if (!self->started)
        return;
    uv_close((uv_handle_t *)&self->sub_poll, handle_closed);
    uv_close((uv_handle_t *)&self->pub_poll, handle_closed);
    uv_close((uv_handle_t *)&self->check, handle_closed);
    uv_close((uv_handle_t *)&self->idle, handle_closed);
    uv_close((uv_handle_t *)&self->timer, handle_closed);
}

void sockets_destroy(sockets_t **self_p)
{
    sockets_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    CHECK(self->open_handles == 0);
    addresses_destroy(&self->addresses);
    zsock_destroy(&self->sub);
    zsock_destroy(&self->pub);
    mem_free((char *)self->options.bind);
    mem_free(self);
}
