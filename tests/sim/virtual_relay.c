#include "tests/sim/virtual_relay.h"

static int send_message(void *context, span_t message)
{
    return virtual_port_send(&((virtual_relay_t *)context)->port, message);
}

static void link_up(void *context, link_t *link, const envelope_t *greeting)
{
    virtual_relay_t *self = context;
    (void)greeting;
    relay_front_up(self->front, link, self->port.fabric->now_us);
}

static void link_envelope(void *context, link_t *link, const envelope_t *envelope)
{
    virtual_relay_t *self = context;
    uint64_t now_us = self->port.fabric->now_us;
    relay_front_envelope(self->front, link, envelope, now_us, now_us);
}

static void link_ahead(void *context, const envelope_t *envelopes, size_t count)
{
    const virtual_relay_t *self = context;
    relay_front_expect(self->front, envelopes, count);
}

static void link_down(void *context, link_t *link, int reason)
{
    virtual_relay_t *self = context;
    (void)reason;
    relay_front_down(self->front, link, self->port.fabric->now_us);
}

static const node_events_t events = {send_message, link_up, link_envelope, link_down};

static void take_turn(void *context, uint64_t now_us)
{
    virtual_relay_t *self = context;
    (void)relay_front_turn(self->front, now_us); /* a sweep goes on with the next turn, whenever that is */
}

static uint64_t next_turn(void *context)
{
    return relay_front_due(((const virtual_relay_t *)context)->front);
}

void virtual_relay_start(virtual_relay_t *self, virtual_fabric_t *fabric,
                         const virtual_relay_options_t *options)
{
    const node_options_t node = {.name = options->name,
                                 .cluster = options->cluster,
                                 .role = ROLE_RELAY,
                                 .accepts = true,
                                 .seeks = options->peers,
                                 .link = options->link,
                                 .max_links = options->max_links,
                                 .events = &events,
                                 .ahead = link_ahead,
                                 .random = &fabric->random,
                                 .context = self};
    const relay_front_options_t front = {.name = options->name,
                                         .namespaces = options->namespaces,
                                         .channels = options->channels,
                                         .history_memory = options->history_memory,
                                         .seed = random_next(&fabric->random),
                                         .peers = options->peers > 0,
                                         .replicas = options->replicas};
    *self = (virtual_relay_t){.node = node_new(&node, fabric->now_us),
                              .front = relay_front_new(&front, fabric->now_us)};
    relay_front_attach(self->front, self->node);
    buf_t list = {0};
    namespaces_encode(options->namespaces, &list);
    node_set_namespaces(self->node, buf_span(&list));
    buf_fini(&list);
    self->port.node = self->node;
    self->port.accepts = true;
    self->port.turn = take_turn;
    self->port.due = next_turn;
    self->port.context = self;
    virtual_fabric_join(fabric, &self->port);
}

void virtual_relay_stop(virtual_relay_t *self)
{
    if (!self->node)
        return;
    virtual_fabric_leave(&self->port);
    node_destroy(&self->node);
    relay_front_destroy(&self->front);
}
