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

/* --- room --- */

/* Failures that one turn puts up with: it must end even if all channels wait for one relay. */
#define PATIENCE 256u

static bool has_room(const hub_turn_t *turn, uint64_t relay)
{
    for (size_t i = 0; i < turn->full_count; i++) {
        if (turn->full[i] == relay)
            return false;
    }
    return turn->full_count < VIEW_MEMBERS_MAX; /* more full ones than can be told apart: all count as such */
}

uint64_t edge_hub_room_for(const edge_hub_t *self, hub_turn_t *turn, span_t name)
{
    const link_t *relay = uplink_route(self->uplink, name);
    if (!relay) {
        turn->patience = 1; /* there is none for any channel */
        return 0;
    }
    uint64_t id = link_peer(relay);
    return has_room(turn, id) ? id : 0;
}

int edge_hub_note_room(hub_turn_t *turn, uint64_t relay, int err)
{
    if (err && turn->full_count < VIEW_MEMBERS_MAX)
        turn->full[turn->full_count++] = relay;
    return err;
}

void edge_hub_work_off(edge_hub_t *self, list_t *list, hub_work_fn *work, hub_turn_t *turn)
{
    list_t todo, failed;
    list_init(&todo);
    list_init(&failed);
    list_take(&todo, list);
    for (list_node_t *item; turn->patience && (item = list_pop(&todo)) != NULL;) {
        if (work(self, item, turn) == OK)
            continue;
        list_append(&failed, item);
        turn->patience--;
    }
    list_take(list, &todo);
    list_take(list, &failed);
}

/* --- presence --- */

static bool has_presence(const edge_hub_t *self, const edge_channel_t *channel)
{
    const channel_options_t *options =
        namespaces_find(uplink_namespaces(self->uplink), edge_channel_name(channel));
    return options && (options->presence || options->join_leave);
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

static int send_owed_join(edge_hub_t *self, list_node_t *item, hub_turn_t *turn)
{
    edge_subscription_t *subscription = LIST_ITEM(item, edge_subscription_t, joining);
    uint64_t relay = edge_hub_room_for(self, turn, edge_channel_name(subscription->channel));
    if (!relay)
        return ERR_FULL;
    int err = edge_hub_note_room(turn, relay, send_join(self, subscription, turn->now_us));
    subscription->present |= err == OK;
    return err;
}

/* At once, so that whatever the client asks for after it is told finds it present; but never before a LEAVE. What was said
 * of it before stays true: where a channel has moved, its presence has, too. */
static void join(edge_hub_t *self, edge_subscription_t *subscription)
{
    if (list_empty(&self->leaves) && send_join(self, subscription, self->worker->now_us) == OK) {
        list_remove(&subscription->joining);
        subscription->present = true;
    } else if (!list_linked(&subscription->joining)) {
        list_append(&self->joining, &subscription->joining);
    }
}

void edge_hub_join(edge_hub_t *self, edge_subscription_t *subscription)
{
    if (has_presence(self, subscription->channel))
        join(self, subscription);
}

void edge_hub_join_all(edge_hub_t *self, const edge_channel_t *channel)
{
    if (!has_presence(self, channel))
        return;
    for (uint32_t i = 0; i < channel->count; i++) {
        if (!channel->subscriptions[i]->recovering)
            join(self, channel->subscriptions[i]);
    }
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

static int send_owed_leave(edge_hub_t *self, list_node_t *item, hub_turn_t *turn)
{
    owed_leave_t *leave = LIST_ITEM(item, owed_leave_t, node);
    span_t name = span_new(leave->name, leave->name_size);
    uint64_t relay = edge_hub_room_for(self, turn, name);
    if (!relay && uplink_route(self->uplink, name))
        return ERR_FULL;
    int err = uplink_leave(self->uplink, name, span_str(leave->client), turn->now_us);
    if (err == ERR_FULL)
        return edge_hub_note_room(turn, relay, err);
    mem_free(leave);
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
    for (uint32_t i = 0; i < channel->count; i++)
        list_remove(&channel->subscriptions[i]->joining);
    list_remove(&channel->work);
    list_append(&self->work, &channel->work);
}

/* It is subscribed at another relay, or another owner, from now on. An owner that lost it (`former`) knows, and so does a
 * relay that begins anew. */
static void move(edge_hub_t *self, edge_channel_t *channel, const link_t *route, uint64_t former)
{
    if (channel->state_now != CHANNEL_UNSYNCED)
        channel->leaves_via = channel->via != former && channel->via != link_peer(route);
    for (uint32_t i = 0; i < channel->count; i++)
        edge_hub_take_back_ask(self, channel->subscriptions[i]);
    unsync(self, channel);
}

/* Presence goes with the link. */
static void lose_relay(edge_hub_t *self, edge_channel_t *channel)
{
    channel->leaves_via = false;
    for (uint32_t i = 0; i < channel->count; i++)
        channel->subscriptions[i]->present = false;
    unsync(self, channel);
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
            lose_relay(self, channel);
    }
    settle_all(self);
}

/* Channels that should go through this relay and don't yet (or did before it forgot them) do from now on. */
void edge_hub_found(edge_hub_t *self, link_t *relay)
{
    edge_channel_t *channel;
    for (size_t at = 0; (channel = table_next(&self->channels, &at)) != NULL;) {
        if (channel->via && uplink_route(self->uplink, edge_channel_name(channel)) == relay)
            move(self, channel, relay, 0);
    }
    settle_all(self);
}

void edge_hub_moved(edge_hub_t *self)
{
    edge_channel_t *channel;
    for (size_t at = 0; (channel = table_next(&self->channels, &at)) != NULL;) {
        if (channel->state_now == CHANNEL_UNSYNCED)
            continue;
        span_t name = edge_channel_name(channel);
        const link_t *route = uplink_route(self->uplink, name);
        uint64_t former = uplink_moved_from(self->uplink, name);
        if (route &&
            (former || link_peer(route) != channel->via || !uplink_is_owner(self->uplink, name, route)))
            move(self, channel, route, former);
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

static int leave_via(edge_hub_t *self, edge_channel_t *channel, hub_turn_t *turn)
{
    if (!has_room(turn, channel->via))
        return ERR_FULL;
    int err = uplink_unsubscribe(self->uplink, channel->via, edge_channel_name(channel), turn->now_us);
    if (err && err != ERR_UNAVAILABLE)
        return edge_hub_note_room(turn, channel->via, err);
    channel->leaves_via = false;
    return OK;
}

static int subscribe_upstream(edge_hub_t *self, edge_channel_t *channel, hub_turn_t *turn)
{
    span_t name = edge_channel_name(channel);
    uint64_t relay = edge_hub_room_for(self, turn, name);
    if (!relay)
        return ERR_FULL;
    int err = uplink_subscribe(self->uplink, name, channel->position, self->last_request + 1, turn->now_us);
    if (err)
        return edge_hub_note_room(turn, relay, err);
    edge_channel_go(channel, CHANNEL_SUBSCRIBING);
    if (channel->via != relay)
        channel->unanswered = 0; /* what another one still answers does not count */
    channel->via = relay;
    channel->request = ++self->last_request;
    channel->unanswered++;
    return OK;
}

/* Who listens next begins where the stream is then. */
static int unsubscribe_upstream(edge_hub_t *self, edge_channel_t *channel, hub_turn_t *turn)
{
    int err = leave_via(self, channel, turn);
    if (err)
        return err;
    edge_channel_go(channel, CHANNEL_UNSYNCED);
    channel->position = (position_t){0};
    return OK;
}

static int say_channel(edge_hub_t *self, list_node_t *item, hub_turn_t *turn)
{
    edge_channel_t *channel = LIST_ITEM(item, edge_channel_t, work);
    int err = channel->leaves_via ? leave_via(self, channel, turn) : OK;
    if (!err && channel->count)
        err = subscribe_upstream(self, channel, turn);
    else if (!err && channel->state_now != CHANNEL_UNSYNCED)
        err = unsubscribe_upstream(self, channel, turn);
    if (!err)
        edge_hub_settle(self, channel);
    return err;
}

/* LEAVEs first, so that none undoes a later JOIN of the same client. What does not fit waits for the next
 * turn; the links' windows bound what one turn does. */
void edge_hub_turn(edge_hub_t *self, uint64_t now_us)
{
    give_up(self, now_us);
    if (now_us >= self->retry_us)
        list_take(&self->work, &self->refused);
    hub_turn_t turn = {.now_us = now_us, .patience = PATIENCE};
    edge_hub_work_off(self, &self->leaves, send_owed_leave, &turn);
    edge_hub_work_off(self, &self->work, say_channel, &turn);
    edge_hub_work_off(self, &self->joining, send_owed_join, &turn);
    edge_hub_send_asks(self, &turn);
}
