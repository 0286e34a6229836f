#include "base/err.h"
#include "base/mem.h"
#include "edge/dialect.h"
#include "edge/hub_inside.h"
#include "edge/worker.h"
#include "protocol/recall.h"

/* A subscription on its way from its client's position to where the channel is. The owner is asked over the link that
 * brings the channel's messages, and links keep the order: when the answer comes, the channel has passed on all that
 * stands in it, and nothing that doesn't. */
struct edge_recovering {
    edge_hub_t *hub;                   /* borrowed */
    edge_subscription_t *subscription; /* borrowed */
    list_node_t asking;                /* in hub->asking while the question is still to be asked */
    position_t since;
    bool asked; /* and not answered */
};

/* Questions of one worker at a time: enough to keep the relay busy, and no flood of answers when the clients of
 * another edge come all at once. */
#define ASKED_MAX 64u

/* Where the relay has no room for an answer, it is given time to make some. */
#define ASK_AGAIN_US 50000u

void edge_hub_drop_recovery(edge_hub_t *self, edge_subscription_t *subscription)
{
    struct edge_recovering *recovering = subscription->recovering;
    if (!recovering)
        return;
    subscription->recovering = NULL;
    list_remove(&recovering->asking);
    if (recovering->asked) {
        self->asked--;
        uplink_withdraw(self->uplink, recovering);
    }
    mem_free(recovering);
}

static bool is_where_channel_is(const edge_channel_t *channel, position_t top)
{
    return channel->state_now == CHANNEL_ON && position_same_epoch(channel->position, top) &&
           channel->position.offset == top.offset;
}

static void finish(edge_subscription_t *subscription, const recall_t *recall)
{
    edge_hub_t *hub = subscription->recovering->hub;
    edge_recovery_t recovery = {.since = subscription->recovering->since};
    /* Half: framed for a client it may take more room than encoded, and it must not be closed for being slow. */
    recovery.recovered = recall->complete && recall->messages.size <= hub->worker->config->limits.outbox / 2;
    if (recovery.recovered)
        recovery.messages = recall->messages;
    else
        stats_add(&hub->worker->stats.unrecovered, 1);
    edge_hub_drop_recovery(hub, subscription);
    list_remove(&subscription->waiting);
    if (recovery.recovered || !subscription->must_recover)
        edge_hub_join(hub, subscription);
    subscription->session->dialect->subscribed(subscription, OK, &recovery);
}

static void answered(void *user, int err, span_t items)
{
    struct edge_recovering *recovering = user;
    edge_subscription_t *subscription = recovering->subscription;
    recall_t recall;
    edge_hub_t *hub = recovering->hub;
    recovering->asked = false;
    hub->asked--;
    if (err == ERR_UNAVAILABLE &&
        subscription->channel->state_now == CHANNEL_ON) { /* no room for an answer */
        hub->ask_from_us = hub->worker->now_us + ASK_AGAIN_US;
        edge_hub_ask_missed(hub, subscription);
        return;
    }
    if (err == ERR_UNAVAILABLE || err == ERR_CLOSED) /* the link has gone; the next SUB_OK asks again */
        return;
    if (err == OK)
        err = recall_read(items, &recall);
    if (err)
        edge_hub_refuse(hub, subscription, ERR_TIMEOUT);
    else if (is_where_channel_is(subscription->channel, recall.top))
        finish(subscription, &recall);
    else
        edge_hub_ask_missed(hub, subscription); /* the link was another one meanwhile */
}

void edge_hub_ask_missed(edge_hub_t *self, edge_subscription_t *subscription)
{
    struct edge_recovering *recovering = subscription->recovering;
    if (!recovering->asked && !list_linked(&recovering->asking))
        list_append(&self->asking, &recovering->asking);
}

void edge_hub_take_back_ask(edge_hub_t *self, edge_subscription_t *subscription)
{
    struct edge_recovering *recovering = subscription->recovering;
    if (!recovering || !recovering->asked)
        return;
    recovering->asked = false;
    self->asked--;
    uplink_withdraw(self->uplink, recovering);
}

static int ask(edge_hub_t *self, struct edge_recovering *recovering, uint64_t now_us)
{
    envelope_ask_t question = {.question = QUESTION_HISTORY,
                               .channel = edge_channel_name(recovering->subscription->channel),
                               .epoch = position_epoch(&recovering->since),
                               .offset = recovering->since.offset,
                               .limit = RECALL_MAX};
    return uplink_ask(self->uplink, question, answered, recovering, now_us);
}

/* A channel that is not on asks when it is. One that is on is reached over the link that it is subscribed at. */
static int send_ask(edge_hub_t *self, list_node_t *item, hub_turn_t *turn)
{
    struct edge_recovering *recovering = LIST_ITEM(item, struct edge_recovering, asking);
    const edge_channel_t *channel = recovering->subscription->channel;
    if (channel->state_now != CHANNEL_ON)
        return OK;
    if (!position_known(recovering->since)) {
        finish(recovering->subscription, &(recall_t){.complete = false});
        return OK;
    }
    if (self->asked == ASKED_MAX)
        turn->patience = 1; /* and this one fails */
    uint64_t relay = edge_hub_room_for(self, turn, edge_channel_name(channel));
    if (!relay || self->asked == ASKED_MAX)
        return ERR_AGAIN;
    int err = edge_hub_note_room(turn, relay, ask(self, recovering, turn->now_us));
    recovering->asked = err == OK;
    self->asked += recovering->asked;
    return err;
}

void edge_hub_send_asks(edge_hub_t *self, hub_turn_t *turn)
{
    if (turn->now_us >= self->ask_from_us)
        edge_hub_work_off(self, &self->asking, send_ask, turn);
}

void edge_hub_recover(edge_hub_t *self, edge_subscription_t *subscription, position_t since)
{
    struct edge_recovering *recovering = mem_new(sizeof *recovering);
    *recovering = (struct edge_recovering){.hub = self, .subscription = subscription, .since = since};
    subscription->recovering = recovering;
    if (subscription->channel->state_now == CHANNEL_ON)
        edge_hub_ask_missed(self, subscription);
}
