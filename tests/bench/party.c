#include "party.h"

#include "base/clock.h"

/* --- events of the node --- */

static int send_message(void *context, span_t bytes)
{
    return sockets_send(((party_t *)context)->sockets, bytes);
}

static void link_up(void *context, link_t *link, const envelope_t *greeting)
{
    party_t *self = context;
    uplink_up(self->uplink, link, greeting, self->now_us);
}

static void link_envelope(void *context, link_t *link, const envelope_t *envelope)
{
    party_t *self = context;
    uplink_envelope(self->uplink, link, envelope, self->now_us);
}

static void link_down(void *context, link_t *link, int reason)
{
    (void)reason;
    party_t *self = context;
    uplink_down(self->uplink, link, self->now_us);
}

static const node_events_t node_events = {send_message, link_up, link_envelope, link_down};

/* --- turns --- */

static bool begin_turn(void *context, uint64_t now_us)
{
    ((party_t *)context)->now_us = now_us;
    return true;
}

static void end_turn(void *context, uint64_t now_us)
{
    party_t *self = context;
    uplink_tick(self->uplink, now_us);
    self->turn(self->context, now_us);
}

/* --- life --- */

int party_open(party_t *self, uv_loop_t *loop, const char *relay, const uplink_events_t *events,
               party_turn_fn *turn, void *context, buf_t *why)
{
    const node_options_t node = {.name = "load",
                                 .cluster = "heddle",
                                 .role = ROLE_TOOL,
                                 .seeks = 1,
                                 .link = LINK_SETTINGS_DEFAULT,
                                 .events = &node_events,
                                 .context = self};
    self->now_us = clock_now_us();
    self->turn = turn;
    self->context = context;
    self->node = node_new(&node, self->now_us);
    self->uplink = uplink_new(events, context);
    uplink_attach(self->uplink, self->node);
    char *addresses[] = {(char *)(uintptr_t)relay};
    const config_list_t connect = {addresses, 1};
    const sockets_options_t sockets = {.connect = &connect,
                                       .curve = self->curve,
                                       .node_id = node_id(self->node),
                                       .begin = begin_turn,
                                       .turn = end_turn,
                                       .context = self};
    int err = sockets_open(&self->sockets, &sockets, why);
    return err ? err : sockets_start(self->sockets, loop, self->node);
}

bool party_is_linked(const party_t *self)
{
    return node_links_up(self->node) > 0;
}

void party_leave(party_t *self)
{
    node_close(self->node, "the bench is over", self->now_us);
    sockets_close(self->sockets);
}

void party_die(party_t *self)
{
    sockets_close(self->sockets);
}

void party_destroy(party_t *self)
{
    if (self->uplink)
        uplink_destroy(&self->uplink);
    node_destroy(&self->node);
    sockets_destroy(&self->sockets);
}
