#include "tests/sim/virtual_edge.h"

#include <stdio.h>

#include "base/check.h"
#include "base/err.h"

static uint64_t now_of(const virtual_edge_t *self)
{
    return self->port.fabric->now_us;
}

/* --- subscriptions --- */

static virtual_subscription_t *find(virtual_edge_t *self, span_t channel)
{
    for (size_t i = 0; i < self->subscription_count; i++) {
        if (span_is(channel, self->subscriptions[i].channel))
            return &self->subscriptions[i];
    }
    self->strays++;
    return NULL;
}

static void ask_for(virtual_edge_t *self, virtual_subscription_t *subscription)
{
    if (subscription->state != SUBSCRIPTION_WAITS)
        return;
    const link_t *relay = uplink_route(self->uplink, span_str(subscription->channel));
    if (!relay || uplink_subscribe(self->uplink, span_str(subscription->channel), subscription->position,
                                   subscription->request + 1, now_of(self)))
        return;
    subscription->via = link_peer(relay);
    subscription->request++;
    subscription->state = SUBSCRIPTION_ASKED;
}

static void ask_for_all(virtual_edge_t *self)
{
    for (size_t i = 0; i < self->subscription_count; i++)
        ask_for(self, &self->subscriptions[i]);
}

static void found(void *context, link_t *relay)
{
    virtual_edge_t *self = context;
    self->found++;
    for (size_t i = 0; i < self->subscription_count; i++) {
        virtual_subscription_t *subscription = &self->subscriptions[i];
        if (uplink_route(self->uplink, span_str(subscription->channel)) != relay)
            continue;
        subscription->state = SUBSCRIPTION_WAITS;
    }
    ask_for_all(self);
}

static void lost(void *context, link_t *relay)
{
    virtual_edge_t *self = context;
    self->lost++;
    for (size_t i = 0; i < self->subscription_count; i++) {
        virtual_subscription_t *subscription = &self->subscriptions[i];
        if (subscription->via == link_peer(relay))
            subscription->state = SUBSCRIPTION_WAITS;
    }
}

static void moved(void *context)
{
    virtual_edge_t *self = context;
    self->moved++;
    for (size_t i = 0; i < self->subscription_count; i++) {
        virtual_subscription_t *subscription = &self->subscriptions[i];
        const link_t *relay = uplink_route(self->uplink, span_str(subscription->channel));
        if ((relay && (link_peer(relay) != subscription->via ||
                       !uplink_is_owner(self->uplink, span_str(subscription->channel), relay))) ||
            uplink_moved_from(self->uplink, span_str(subscription->channel)))
            subscription->state = SUBSCRIPTION_WAITS;
    }
}

/* Is that what the subscription waits for? Else it answers one that was given up meanwhile. */
static bool is_answer(const virtual_subscription_t *subscription, const link_t *relay, uint64_t request)
{
    return link_peer(relay) == subscription->via && request == subscription->request &&
           subscription->state != SUBSCRIPTION_WAITS;
}

static void message(void *context, link_t *relay, const envelope_msg_t *message)
{
    virtual_edge_t *self = context;
    virtual_subscription_t *subscription = find(self, message->channel);
    if (!subscription || link_peer(relay) != subscription->via || subscription->state != SUBSCRIPTION_ON)
        return;
    position_t position = {.offset = message->offset};
    int err = position_set_epoch(&position, message->epoch);
    if (!err && position_same_epoch(position, subscription->position) &&
        position.offset <= subscription->position.offset)
        return;
    bool next = !err && subscription->state == SUBSCRIPTION_ON &&
                position_same_epoch(position, subscription->position) &&
                position.offset == subscription->position.offset + 1;
    subscription->faults += !next;
    subscription->messages++;
    subscription->position = position;
    buf_append_span(&self->heard, message->payload);
    buf_append_byte(&self->heard, ' ');
    if (self->options.events.message)
        self->options.events.message(self->options.context, self, subscription, message);
}

static void subscribed(void *context, link_t *relay, const envelope_sub_ok_t *answer)
{
    virtual_edge_t *self = context;
    virtual_subscription_t *subscription = find(self, answer->channel);
    if (!subscription || !is_answer(subscription, relay, answer->request))
        return;
    position_t since = {.offset = answer->since};
    int err = position_set_epoch(&since, answer->epoch);
    subscription->faults += err != OK;
    if (answer->recovered) /* it may lie before where we are: what comes twice is dropped */
        subscription->faults += !position_same_epoch(since, subscription->position) ||
                                since.offset > subscription->position.offset;
    else
        subscription->told += position_known(subscription->position);
    subscription->answers++;
    subscription->recovered += answer->recovered != 0;
    if (!answer->recovered)
        subscription->position = since;
    subscription->state = SUBSCRIPTION_ON;
}

static void not_subscribed(void *context, link_t *relay, const envelope_sub_no_t *answer)
{
    virtual_edge_t *self = context;
    virtual_subscription_t *subscription = find(self, answer->channel);
    if (!subscription || !is_answer(subscription, relay, answer->request))
        return;
    subscription->state = uplink_is_not_now(answer->code) ? SUBSCRIPTION_WAITS : SUBSCRIPTION_ON;
    subscription->refusals++;
    subscription->refusal = -(int)answer->code;
}

virtual_subscription_t *virtual_edge_subscribe(virtual_edge_t *self, const char *channel)
{
    CHECK(self->subscription_count < VIRTUAL_SUBSCRIPTIONS);
    virtual_subscription_t *subscription = &self->subscriptions[self->subscription_count++];
    *subscription = (virtual_subscription_t){0};
    snprintf(subscription->channel, sizeof subscription->channel, "%s", channel);
    ask_for(self, subscription);
    return subscription;
}

bool virtual_edge_is_on(void *context)
{
    const virtual_edge_t *self = context;
    for (size_t i = 0; i < self->subscription_count; i++) {
        if (self->subscriptions[i].state != SUBSCRIPTION_ON)
            return false;
    }
    return true;
}

bool virtual_edge_is_linked(void *context)
{
    const virtual_edge_t *self = context;
    return node_links_up(self->node) > 0;
}

/* --- other events --- */

static void asked(void *context, link_t *relay, const envelope_ask_t *question)
{
    virtual_edge_t *self = context;
    if (self->options.events.asked)
        self->options.events.asked(self->options.context, self, relay, question);
}

static void room(void *context)
{
    ((virtual_edge_t *)context)->rooms++;
}

/* "+c1 " for who comes, "-c1 " for who leaves. */
static void presence(void *context, link_t *relay, const envelope_join_t *client, bool came)
{
    virtual_edge_t *self = context;
    (void)relay;
    buf_append_byte(&self->heard, came ? '+' : '-');
    buf_append_span(&self->heard, client->client);
    buf_append_byte(&self->heard, ' ');
}

static const uplink_events_t uplink_events = {found,          lost,  moved, message, subscribed,
                                              not_subscribed, asked, room,  presence};

static int send_message(void *context, span_t message)
{
    return virtual_port_send(&((virtual_edge_t *)context)->port, message);
}

static void link_up(void *context, link_t *link, const envelope_t *greeting)
{
    virtual_edge_t *self = context;
    uplink_up(self->uplink, link, greeting, now_of(self));
}

static void link_envelope(void *context, link_t *link, const envelope_t *envelope)
{
    virtual_edge_t *self = context;
    uplink_envelope(self->uplink, link, envelope, now_of(self));
}

static void link_down(void *context, link_t *link, int reason)
{
    virtual_edge_t *self = context;
    (void)reason;
    uplink_down(self->uplink, link, now_of(self));
}

static const node_events_t node_events = {send_message, link_up, link_envelope, link_down};

static void take_turn(void *context, uint64_t now_us)
{
    virtual_edge_t *self = context;
    ask_for_all(self);
    if (self->options.events.turn)
        self->options.events.turn(self->options.context, self);
    uplink_tick(self->uplink, now_us);
}

/* --- life --- */

void virtual_edge_start(virtual_edge_t *self, virtual_fabric_t *fabric, const virtual_edge_options_t *options)
{
    *self = (virtual_edge_t){.options = *options};
    const node_options_t node = {.name = options->name,
                                 .cluster = options->cluster,
                                 .role = options->role,
                                 .seeks = options->relays,
                                 .link = options->link,
                                 .events = &node_events,
                                 .random = &fabric->random,
                                 .context = self};
    self->node = node_new(&node, fabric->now_us);
    self->uplink = uplink_new(&uplink_events, self);
    uplink_attach(self->uplink, self->node);
    self->port.node = self->node;
    self->port.turn = take_turn;
    self->port.context = self;
    virtual_fabric_join(fabric, &self->port);
}

void virtual_edge_stop(virtual_edge_t *self)
{
    if (!self->node)
        return;
    virtual_fabric_leave(&self->port);
    uplink_destroy(&self->uplink);
    node_destroy(&self->node);
    buf_fini(&self->heard);
}

int virtual_edge_publish(virtual_edge_t *self, const char *channel, const char *text)
{
    const publication_t publication = {.channel = span_str(channel), .payload = span_str(text)};
    return uplink_publish(self->uplink, &publication, NULL, NULL, now_of(self));
}
