#include "relay/relay.h"

#include <signal.h>
#include <stdlib.h>
#include <uv.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/http/server.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "fabric/endpoint.h"
#include "fabric/node.h"
#include "fabric/sockets.h"
#include "relay/admin.h"
#include "relay/admission.h"
#include "relay/front.h"

struct relay {
    const relay_config_t *config; /* borrowed */
    uv_loop_t loop;
    uv_signal_t terminate, interrupt, hangup;
    namespaces_t namespaces;
    node_t *node;
    sockets_t *sockets;
    relay_admission_t admission;
    relay_front_t *front;
    relay_admin_t *admin; /* NULL: no admin port */
    uv_timer_t due;       /* for what the front has to do of itself */
    uint64_t now_us;      /* monotonic, of this turn */
    uint64_t wall_us;
    bool loop_open;
    bool stopping;
};

/* --- the node's events --- */

static int send_message(void *context, span_t message)
{
    relay_t *self = context;
    return sockets_send(self->sockets, message);
}

static void link_up(void *context, link_t *link, const envelope_t *greeting)
{
    (void)greeting;
    relay_t *self = context;
    relay_front_up(self->front, link, clock_now_us());
}

static void link_envelope(void *context, link_t *link, const envelope_t *envelope)
{
    relay_t *self = context;
    relay_front_envelope(self->front, link, envelope, self->now_us, self->wall_us);
}

static void link_ahead(void *context, const envelope_t *envelopes, size_t count)
{
    const relay_t *self = context;
    relay_front_expect(self->front, envelopes, count);
}

static void link_down(void *context, link_t *link, int reason)
{
    (void)reason;
    relay_t *self = context;
    relay_front_down(self->front, link, clock_now_us());
}

static const node_events_t node_events = {send_message, link_up, link_envelope, link_down};

/* --- turns --- */

static bool begin_turn(void *context, uint64_t now_us)
{
    relay_t *self = context;
    self->now_us = now_us;
    self->wall_us = clock_wall_us();
    return true;
}

static void wake(uv_timer_t *timer)
{
    sockets_wake(((relay_t *)timer->data)->sockets);
}

static void end_turn(void *context, uint64_t now_us)
{
    relay_t *self = context;
    if (relay_front_turn(self->front, now_us))
        sockets_wake(self->sockets);
    uint64_t due = relay_front_due(self->front);
    if (due == UINT64_MAX || self->stopping)
        return;
    uint64_t wait_us = due > now_us ? due - now_us : 0;
    uv_timer_start(&self->due, wake, (wait_us + CLOCK_MS - 1) / CLOCK_MS, 0);
}

/* --- life --- */

static void open_node(relay_t *self)
{
    node_options_t options = {
        .name = self->config->node.name,
        .cluster = self->config->node.cluster,
        .role = ROLE_RELAY,
        .accepts = true,
        .link = LINK_SETTINGS_DEFAULT,
        .events = &node_events,
        .ahead = link_ahead,
        .context = self,
    };
    options.link.window = self->config->limits.link_window;
    options.link.heartbeat_us = self->config->fabric.heartbeat;
    self->node = node_new(&options, clock_now_us());
    buf_t list = {0};
    namespaces_encode(&self->namespaces, &list);
    node_set_namespaces(self->node, buf_span(&list));
    buf_fini(&list);
}

static int open_sockets(relay_t *self, buf_t *why)
{
    sockets_options_t options = {
        .bind = self->config->listen.address,
        .connect = &self->config->top.peers,
        .curve = &self->admission.curve,
        .keys = self->admission.keys,
        .node_id = node_id(self->node),
        .accepts = true,
        .begin = begin_turn,
        .turn = end_turn,
        .context = self,
    };
    return sockets_open(&self->sockets, &options, why);
}

static void open_front(relay_t *self)
{
    relay_front_options_t options = {
        .name = self->config->node.name,
        .namespaces = &self->namespaces,
        .channels = self->config->limits.channels,
        .history_memory = self->config->limits.history_memory,
        .seed = random_u64(),
        .peers = self->config->top.peers.count > 0,
        .replicas = self->config->top.replicas > 0,
    };
    self->front = relay_front_new(&options, clock_now_us());
    relay_front_attach(self->front, self->node);
}

static int open_parts(relay_t *self, buf_t *why)
{
    int err = relay_config_namespaces(self->config, &self->namespaces, why);
    if (err)
        return err;
    open_node(self);
    err = relay_admission_open(&self->admission, &self->config->fabric, &self->loop, why);
    if (!err)
        err = open_sockets(self, why);
    if (err)
        return err;
    open_front(self);
    if (self->config->admin.address[0])
        err = relay_admin_open(&self->admin, &self->loop, self->config->admin.address, self->front,
                               self->node, self->sockets, why);
    return err ? err : sockets_start(self->sockets, &self->loop, self->node);
}

int relay_open(relay_t **out, const relay_config_t *config, buf_t *why)
{
    relay_t *self = mem_new(sizeof *self);
    self->config = config;
    uv_loop_init(&self->loop);
    self->loop_open = true;
    uv_timer_init(&self->loop, &self->due);
    self->due.data = self;
    int err = open_parts(self, why);
    if (err)
        relay_destroy(&self);
    *out = self;
    return err;
}

static void stop(relay_t *self)
{
    self->stopping = true;
    log_info("relay.stopping", "links=%zu", node_links_up(self->node));
    node_close(self->node, "the relay stops", clock_now_us());
    sockets_close(self->sockets);
    relay_admission_close(&self->admission);
    if (self->admin)
        relay_admin_close(self->admin);
    uv_close((uv_handle_t *)&self->due, NULL);
    uv_close((uv_handle_t *)&self->hangup, NULL);
    uv_close((uv_handle_t *)&self->terminate, NULL);
    uv_close((uv_handle_t *)&self->interrupt, NULL);
    signal(SIGTERM, SIG_DFL); /* the second signal ends at once */
    signal(SIGINT, SIG_DFL);
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    relay_t *self = handle->data;
    if (!self->stopping)
        stop(self);
}

static void reload(uv_signal_t *handle, int number)
{
    (void)number;
    relay_t *self = handle->data;
    relay_admission_reload(&self->admission, self->node, self->sockets, clock_now_us());
}

/* The admin port trusts whoever reaches it, and without keys so does the fabric. */
static void warn_if_exposed(const relay_config_t *config)
{
    if (!config->fabric.secret_key_file[0] && !endpoint_is_local(config->listen.address))
        log_warn("relay.fabric_insecure", "address=%s", config->listen.address);
    if (config->admin.address[0] && !address_is_loopback(config->admin.address))
        log_warn("relay.admin_exposed", "address=%s", config->admin.address);
}

void relay_run(relay_t *self)
{
    uv_signal_init(&self->loop, &self->terminate);
    uv_signal_init(&self->loop, &self->interrupt);
    uv_signal_init(&self->loop, &self->hangup);
    self->terminate.data = self->interrupt.data = self->hangup.data = self;
    uv_signal_start(&self->terminate, on_signal, SIGTERM);
    uv_signal_start(&self->interrupt, on_signal, SIGINT);
    uv_signal_start(&self->hangup, reload, SIGHUP);
    log_info("relay.listening", "address=%s port=%u admin=%u", self->config->listen.address,
             sockets_port(self->sockets), self->admin ? relay_admin_port(self->admin) : 0);
    warn_if_exposed(self->config);
    uv_run(&self->loop, UV_RUN_DEFAULT);
    log_info("relay.stopped", "name=%s", self->config->node.name);
}

void relay_destroy(relay_t **self_p)
{
    relay_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    if (self->sockets)
        sockets_close(self->sockets);
    relay_admission_close(&self->admission);
    if (self->admin)
        relay_admin_close(self->admin);
    if (!uv_is_closing((uv_handle_t *)&self->due))
        uv_close((uv_handle_t *)&self->due, NULL);
    uv_run(&self->loop, UV_RUN_DEFAULT);
    relay_admin_destroy(&self->admin);
    node_destroy(&self->node); /* no events: links just go */
    relay_front_destroy(&self->front);
    sockets_destroy(&self->sockets);
    relay_admission_fini(&self->admission);
    namespaces_fini(&self->namespaces);
    uv_loop_close(&self->loop);
    mem_free(self);
}
