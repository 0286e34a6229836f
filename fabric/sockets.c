#include "fabric/sockets.h"

#include <czmq.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "fabric/addresses.h"
#include "fabric/socket_pair.h"

/* How long one turn takes messages: what they brought must get its chance to leave before more comes in, or
 * every outbox would be full before the first byte is written. */
#define DRAIN_US 4000u

/* libzmq gives an address back in its own time: how often it is tried, and how many times until it is told. */
#define REOPEN_US       (10u * CLOCK_MS)
#define REOPEN_PATIENCE 100u

typedef enum phase {
    PHASE_OPEN,
    PHASE_CLOSING, /* to be opened anew: libuv lets go of the descriptors */
    PHASE_SHUT,    /* ... closed, and to be opened at reopen_at */
} phase_t;

struct sockets {
    sockets_options_t options; /* texts are the pair's */
    socket_pair_t pair;
    addresses_t *addresses; /* owned; of the relays to connect to. NULL = none */
    size_t expected;        /* as many as node has been told of */
    node_t *node;           /* borrowed */
    uv_loop_t *loop;        /* borrowed */
    uv_poll_t sub_poll, pub_poll;
    uv_check_t check;
    uv_idle_t idle;
    uv_timer_t timer;
    phase_t phase;
    uint64_t reopen_at; /* us */
    unsigned reopen_tries;
    uint64_t revoked; /* messages whose key is not let in any more */
    bool readable;    /* messages may be waiting on sub */
    bool started, closed;
    int open_polls, open_handles; /* the polls are among the handles */
};

/* --- opening --- */

static int connect_to(void *context, const char *address)
{
    return socket_pair_connect(&((sockets_t *)context)->pair, address);
}

static void disconnect_from(void *context, const char *address)
{
    socket_pair_disconnect(&((sockets_t *)context)->pair, address);
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
    self->options.bind = NULL; /* used here only */
    self->options.connect = NULL;
    const socket_pair_options_t pair = {options->bind, options->curve, options->node_id, options->accepts};
    int err = socket_pair_open(&self->pair, &pair, why);
    if (!err && options->connect)
        err = open_addresses(self, options->connect, why);
    if (err)
        sockets_destroy(&self);
    *out = self;
    return err;
}

/* --- in the loop --- */

/* The gate gave each connection that it let in the number of its key. What comes without one came from a relay that we
 * connected to. */
static node_sender_t sender_of(const sockets_t *self, zmq_msg_t *message)
{
    const sockets_options_t *options = &self->options;
    if (!options->curve || !options->curve->on)
        return NODE_SENDER_ANYONE;
    const char *user = options->keys ? zmq_msg_gets(message, "User-Id") : NULL;
    if (!user)
        return (node_sender_t){KEY_NUMBER_RELAYS,
                               self->pair.connection_count ? roles_of(ROLE_RELAY) : ROLES_NONE};
    uint32_t number = (uint32_t)strtoul(user, NULL, 10);
    return (node_sender_t){number, key_list_roles(options->keys, number)};
}

static void take_message(sockets_t *self, zmq_msg_t *message, uint64_t now_us)
{
    node_sender_t sender = sender_of(self, message);
    if (zmq_msg_more(message)) /* ours have one frame; the rest is dropped as it comes */
        log_warn("fabric.multipart", "size=%zu", zmq_msg_size(message));
    else if (sender.roles == ROLES_NONE)
        self->revoked++;
    else
        node_receive(self->node, sender, span_new(zmq_msg_data(message), zmq_msg_size(message)), now_us);
}

/* Until there is nothing more, or the time is over. Only our own reading touches this socket, so after EAGAIN
 * its descriptor wakes us again for whatever comes. */
static void drain(sockets_t *self, uint64_t now_us)
{
    zmq_msg_t message;
    zmq_msg_init(&message);
    uint64_t end_us = now_us + DRAIN_US;
    while (!self->closed && self->phase == PHASE_OPEN && now_us < end_us) {
        if (zmq_msg_recv(&message, self->pair.sub_handle, ZMQ_DONTWAIT) < 0) {
            self->readable = errno == EINTR;
            break;
        }
        take_message(self, &message, now_us);
        now_us = clock_now_us();
    }
    zmq_msg_close(&message);
}

/* --- opening anew --- */

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
    zmq_getsockopt(((sockets_t *)handle->data)->pair.pub_handle, ZMQ_EVENTS, &state, &size);
}

/* Watches the sockets' descriptors. */
static void start_polls(sockets_t *self)
{
    int failed = uv_poll_init(self->loop, &self->sub_poll, socket_pair_descriptor(self->pair.sub_handle)) ||
                 uv_poll_init(self->loop, &self->pub_poll, socket_pair_descriptor(self->pair.pub_handle));
    CHECK(!failed); /* they are libzmq's own, and new */
    self->sub_poll.data = self->pub_poll.data = self;
    self->open_polls = 2;
    self->open_handles += 2;
    uv_poll_start(&self->sub_poll, UV_READABLE, sub_ready);
    uv_poll_start(&self->pub_poll, UV_READABLE, pub_ready);
    pub_ready(&self->pub_poll, 0, 0);
    self->readable = true; /* something may have come before the descriptor was watched */
}

static void try_reopen(sockets_t *self, uint64_t now_us)
{
    buf_t why = {0};
    int err = socket_pair_reopen(&self->pair, &why);
    self->reopen_tries++;
    if (err) {
        self->reopen_at = now_us + REOPEN_US;
        if (self->reopen_tries % REOPEN_PATIENCE == 0)
            log_error("fabric.not_reopened", "why=\"%s\"", buf_text(&why));
    } else {
        start_polls(self);
        self->phase = PHASE_OPEN;
        log_info("fabric.reopened", "tries=%u", self->reopen_tries);
    }
    buf_fini(&why);
}

static void poll_closed(uv_handle_t *handle)
{
    sockets_t *self = handle->data;
    self->open_polls--;
    self->open_handles--;
    if (self->open_polls)
        return;
    socket_pair_shut(&self->pair, !self->closed);
    self->phase = PHASE_SHUT;
    self->readable = false;
    self->reopen_at = 0;
    self->reopen_tries = 0;
    sockets_wake(self);
}

static void close_polls(sockets_t *self)
{
    if (self->phase != PHASE_OPEN)
        return;
    self->phase = PHASE_CLOSING;
    uv_close((uv_handle_t *)&self->sub_poll, poll_closed);
    uv_close((uv_handle_t *)&self->pub_poll, poll_closed);
}

void sockets_reopen(sockets_t *self)
{
    if (self->started && !self->closed)
        close_polls(self);
}

/* --- turns --- */

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

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t next_due(const sockets_t *self)
{
    uint64_t of_node = node_due(self->node);
    uint64_t of_addresses = self->addresses ? addresses_due(self->addresses) : UINT64_MAX;
    uint64_t of_sockets = self->phase == PHASE_SHUT ? self->reopen_at : self->pair.look_at;
    return earlier(earlier(of_node, of_addresses), of_sockets);
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
    if (self->phase == PHASE_SHUT && now_us >= self->reopen_at)
        try_reopen(self, now_us);
    bool ready = !self->options.begin || self->options.begin(self->options.context, now_us);
    if (ready && self->readable)
        drain(self, now_us);
    follow_addresses(self, now_us);
    socket_pair_look(&self->pair, now_us);
    if (now_us >= node_due(self->node))
        node_tick(self->node, now_us);
    if (self->options.turn)
        self->options.turn(self->options.context, now_us);
    if (self->closed)
        return;
    node_flush(self->node, now_us);
    schedule(self, now_us);
}

int sockets_start(sockets_t *self, uv_loop_t *loop, node_t *node)
{
    self->node = node;
    self->loop = loop;
    start_polls(self);
    uv_check_init(loop, &self->check);
    uv_idle_init(loop, &self->idle);
    uv_timer_init(loop, &self->timer);
    self->check.data = self->idle.data = self->timer.data = self;
    self->open_handles += 3;
    self->started = true;
    uv_check_start(&self->check, check_turn);
    sockets_wake(self);
    return OK;
}

int sockets_send(sockets_t *self, span_t message)
{
    if (self->closed)
        return ERR_CLOSED;
    if (self->phase != PHASE_OPEN)
        return ERR_AGAIN;
    zmq_msg_t out;
    if (zmq_msg_init_size(&out, message.size))
        return ERR_AGAIN;
    memcpy(zmq_msg_data(&out), message.data, message.size);
    if (zmq_msg_send(&out, self->pair.pub_handle, ZMQ_DONTWAIT) >= 0)
        return OK;
    zmq_msg_close(&out);
    return ERR_AGAIN;
}

sockets_counts_t sockets_counts(const sockets_t *self)
{
    sockets_counts_t counts = {.revoked = self->revoked};
    memcpy(counts.handshakes, self->pair.handshake_failures, sizeof counts.handshakes);
    return counts;
}

uint16_t sockets_port(const sockets_t *self)
{
    return self->pair.port;
}

void sockets_wake(sockets_t *self)
{
    if (self->started && !self->closed)
        uv_idle_start(&self->idle, idle_turn);
}

/* --- the end --- */

static void handle_closed(uv_handle_t *handle)
{
    ((sockets_t *)handle->data)->open_handles--;
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
    close_polls(self);
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
    socket_pair_fini(&self->pair);
    mem_free(self);
}
