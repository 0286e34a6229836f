/* edge/hub_upstream - the part of edge/hub that says to the relays what its channels need. */
#include "base/err.h"
#include "base/mem.h"
#include "edge/hub_inside.h"
#include "edge/worker.h"

/* A LEAVE that did not fit. */
typedef struct owed_leave {
    list_node_t node;
    char client[EDGE_CLIENT_ID_SIZE + 1];
    size_t name_size;
    char name[];
} owed_leave_t;

/* --- presence --- */

static bool has_presence(const edge_hub_t *self, const edge_channel_t *channel)
{
    const channel_options_t *options =
        namespaces_find(uplink_namespaces(self->uplink), edge_channel_name(channel));
    return options && options->presence;
}

static void owe_join(edge_hub_t *self, edge_subscription_t *subscription)
{
    subscription->present = false;
    if (!list_linked(&subscription->joining))
        list_append(&self->joining, &subscription->joining);
}

static int send_join(edge_hub_t *self, edge_subscription_t *subscription, uint64_t now_us)
{
    char id[EDGE_CLIENT_ID_SIZE + 1];
    const edge_session_t *session = subscription->session;
    span_t info = subscription->info ? span_str(subscription->info) : edge_session_info(session);
    envelope_join_t join = {.channel = edge_channel_name(subscription->channel),
                            .client = span_str(edge_session_id(session, id)),
                            .user = edge_session_user(session),
                            .info = info};
    return uplink_join(self->uplink, &join, now_us);
}

static void send_joins(edge_hub_t *self, uint64_t now_us)
{
    LIST_EACH_SAFE (node, &self->joining) {
        edge_subscription_t *subscription = LIST_ITEM(node, edge_subscription_t, joining);
        if (send_join(self, subscription, now_us) != OK)
            return;
        list_remove(node);
        subscription->present = true;
    }
}

/* At once, so that whatever the client asks for after it is told finds it present. */
static void say_joins(edge_hub_t *self)
{
    if (list_empty(&self->leaves))
        send_joins(self, self->worker->now_us);
}

void edge_hub_join(edge_hub_t *self, edge_subscription_t *subscription)
{
    if (!has_presence(self, subscription->channel))
        return;
    owe_join(self, subscription);
    say_joins(self);
}

void edge_hub_join_all(edge_hub_t *self, const edge_channel_t *channel)
{
    if (!has_presence(self, channel))
        return;
    for (uint32_t i = 0; i < channel->count; i++)
        owe_join(self, channel->subscriptions[i]);
    say_joins(self);
}

/* Without a relay there is nothing to leave: presence goes with the link. */
void edge_hub_leave(edge_hub_t *self, edge_subscription_t *subscription)
{
    list_remove(&subscription->joining);
    if (!subscription->present)
        return;
    char id[EDGE_CLIENT_ID_SIZE + 1];
    span_t name = edge_channel_name(subscription->channel);
    span_t client = span_str(edge_session_id(subscription->session, id));
    if (list_empty(&self->leaves) &&
        uplink_leave(self->uplink, name, client, self->worker->now_us) != ERR_FULL)
        return;
    owed_leave_t *leave = mem_new(sizeof *leave + name.size);
    memcpy(leave->client, id, sizeof leave->client);
    memcpy(leave->name, name.data, name.size);
    leave->name_size = name.size;
    list_append(&self->leaves, &leave->node);
}

static int send_leaves(edge_hub_t *self, uint64_t now_us)
{
    LIST_EACH_SAFE (node, &self->leaves) {
        owed_leave_t *leave = LIST_ITEM(node, owed_leave_t, node);
        if (uplink_leave(self->uplink, span_new(leave->name, leave->name_size), span_str(leave->client),
                         now_us) == ERR_FULL)
            return ERR_FULL;
        list_remove(node);
        mem_free(leave);
    }
    return OK;
}

void edge_hub_forget_leaves(edge_hub_t *self)
{
    for (list_node_t *node; (node = list_pop(&self->leaves)) != NULL;)
        mem_free(LIST_ITEM(node, owed_leave_t, node));
}

/* --- relays --- */

/* The channel is no longer subscribed anywhere; with its listeners it will be again, from its position. */
static void unsync(edge_hub_t *self, edge_channel_t *channel)
{
    if (channel->state_now != CHANNEL_UNSYNCED)
        edge_channel_go(channel, CHANNEL_UNSYNCED);
    channel->unanswered = 0;
    for (uint32_t i = 0; i < channel->count; i++) {
        channel->subscriptions[i]->present = false;
        list_remove(&channel->subscriptions[i]->joining);
    }
    if (!list_linked(&channel->work))
        list_append(&self->work, &channel->work);
}

/* What nobody listens to can go only now: the table must not change while it is walked. */
static void settle_all(edge_hub_t *self)
{
    LIST_EACH_SAFE (node, &self->work)
        edge_hub_settle(self, LIST_ITEM(node, edge_channel_t, work));
}

void edge_hub_lost(edge_hub_t *self, link_t *relay)
{
    edge_channel_t *channel;
    for (size_t at = 0; (channel = table_next(&self->channels, &at)) != NULL;) {
        if (channel->via == link_peer(relay))
            unsync(self, channel);
    }
    settle_all(self);
}

/* Channels that should go through this relay and don't yet (or did before it forgot them) do from now on. */
void edge_hub_found(edge_hub_t *self, link_t *relay)
{
    edge_channel_t *channel;
    for (size_t at = 0; (channel = table_next(&self->channels, &at)) != NULL;) {
        if (channel->via && uplink_route(self->uplink, edge_channel_name(channel)) == relay)
            unsync(self, channel);
    }
    settle_all(self);
}

/* --- turns --- */

static void give_up(edge_hub_t *self, uint64_t now_us)
{
    while (!list_empty(&self->waiting)) {
        edge_subscription_t *oldest = LIST_ITEM(self->waiting.head.next, edge_subscription_t, waiting);
        if (oldest->asked_us + EDGE_SUBSCRIBE_TIMEOUT_US > now_us)
            return;
        edge_hub_refuse(self, oldest, ERR_TIMEOUT);
    }
}

static int subscribe_upstream(edge_hub_t *self, edge_channel_t *channel, uint64_t now_us)
{
    const link_t *relay = uplink_route(self->uplink, edge_channel_name(channel));
    if (!relay)
        return ERR_UNAVAILABLE;
    int err = uplink_subscribe(self->uplink, edge_channel_name(channel), channel->position, now_us);
    if (err)
        return err;
    edge_channel_go(channel, CHANNEL_SUBSCRIBING);
    channel->via = link_peer(relay);
    channel->unanswered++;
    return OK;
}

/* Who listens next begins where the stream is then. */
static int unsubscribe_upstream(edge_hub_t *self, edge_channel_t *channel, uint64_t now_us)
{
    int err = uplink_unsubscribe(self->uplink, edge_channel_name(channel), now_us);
    if (err)
        return err;
    edge_channel_go(channel, CHANNEL_UNSYNCED);
    channel->position = (position_t){0};
    return OK;
}

/* LEAVEs first, so that none undoes a later JOIN of the same client. What does not fit waits for the next
 * turn; the link's window bounds what one turn does. */
void edge_hub_turn(edge_hub_t *self, uint64_t now_us)
{
    give_up(self, now_us);
    if (send_leaves(self, now_us) != OK)
        return;
    while (!list_empty(&self->work)) {
        edge_channel_t *channel = LIST_ITEM(self->work.head.next, edge_channel_t, work);
        int err = channel->count ? subscribe_upstream(self, channel, now_us)
                                 : unsubscribe_upstream(self, channel, now_us);
        if (err)
            return;
        edge_hub_settle(self, channel);
    }
    send_joins(self, now_us);
    edge_hub_send_asks(self, now_us);
}
