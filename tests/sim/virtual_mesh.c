#include "tests/sim/virtual_mesh.h"

static uint64_t now(const virtual_mesh_t *self)
{
    return self->port.fabric->now_us;
}

/* --- the mesh's events --- */

static void view_changed(void *context, const mesh_change_t *change, uint64_t now_us)
{
    virtual_mesh_t *self = context;
    (void)now_us;
    if (self->options.events && self->options.events->changed)
        self->options.events->changed(self->options.context, self, change);
}

static void member_arrived(void *context, uint64_t member, uint64_t now_us)
{
    virtual_mesh_t *self = context;
    (void)now_us;
    if (self->options.events && self->options.events->arrived)
        self->options.events->arrived(self->options.context, self, member);
}

static const relay_mesh_events_t mesh_events = {.changed = view_changed, .arrived = member_arrived};

static void turned(virtual_mesh_t *self)
{
    if (self->options.events && self->options.events->turned)
        self->options.events->turned(self->options.context, self);
}

/* --- the node's events --- */

static int send_message(void *context, span_t message)
{
    return virtual_port_send(&((virtual_mesh_t *)context)->port, message);
}

static void link_up(void *context, link_t *link, const envelope_t *greeting)
{
    virtual_mesh_t *self = context;
    (void)greeting;
    if (link_peer_role(link) == ROLE_RELAY)
        relay_mesh_up(self->mesh, link, now(self));
    turned(self);
}

static void link_envelope(void *context, link_t *link, const envelope_t *envelope)
{
    virtual_mesh_t *self = context;
    relay_mesh_envelope(self->mesh, link, envelope, now(self));
    turned(self);
}

static void link_down(void *context, link_t *link, int reason)
{
    virtual_mesh_t *self = context;
    (void)reason;
    if (link_peer_role(link) == ROLE_RELAY)
        relay_mesh_down(self->mesh, link, now(self));
    turned(self);
}

static const node_events_t node_events = {send_message, link_up, link_envelope, link_down};

static void take_turn(void *context, uint64_t now_us)
{
    virtual_mesh_t *self = context;
    (void)relay_mesh_tick(self->mesh, now_us);
    turned(self);
}

static uint64_t next_turn(void *context)
{
    return relay_mesh_due(((const virtual_mesh_t *)context)->mesh);
}

/* --- life --- */

void virtual_mesh_start(virtual_mesh_t *self, virtual_fabric_t *fabric, const virtual_mesh_options_t *options)
{
    *self = (virtual_mesh_t){.options = *options};
    const node_options_t node = {.name = self->options.name,
                                 .cluster = self->options.cluster,
                                 .role = ROLE_RELAY,
                                 .accepts = true,
                                 .seeks = options->peers,
                                 .link = options->link,
                                 .random = &fabric->random,
                                 .events = &node_events,
                                 .context = self};
    const relay_mesh_options_t mesh = {.name = self->options.name,
                                       .peers = options->peers > 0,
                                       .options = options->digest,
                                       .seed = random_next(&fabric->random),
                                       .events = &mesh_events,
                                       .context = self};
    self->node = node_new(&node, fabric->now_us);
    self->mesh = relay_mesh_new(&mesh, fabric->now_us);
    relay_mesh_attach(self->mesh, self->node);
    self->port.node = self->node;
    self->port.accepts = true;
    self->port.host = options->host;
    self->port.turn = take_turn;
    self->port.due = next_turn;
    self->port.context = self;
    virtual_fabric_join(fabric, &self->port);
}

void virtual_mesh_stop(virtual_mesh_t *self)
{
    if (!self->node)
        return;
    virtual_fabric_leave(&self->port);
    node_destroy(&self->node);
    relay_mesh_destroy(&self->mesh);
}

uint64_t virtual_mesh_id(const virtual_mesh_t *self)
{
    return node_id(self->node);
}

const view_t *virtual_mesh_view(const virtual_mesh_t *self)
{
    return relay_mesh_view(self->mesh);
}

link_t *virtual_mesh_link(const virtual_mesh_t *self, const virtual_mesh_t *other)
{
    link_t *link = node_find_link(self->node, node_id(other->node));
    return link && link_is_up(link) ? link : NULL;
}
