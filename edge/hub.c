#include "edge/hub.h"

#include <inttypes.h>

#include "base/check.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "edge/dialect.h"
#include "edge/hub_inside.h"
#include "edge/worker.h"

#define BIT(state) (uint8_t)(1u << (state))

static const uint8_t legal[] = {
    [CHANNEL_UNSYNCED] = BIT(CHANNEL_SUBSCRIBING),
    [CHANNEL_SUBSCRIBING] = BIT(CHANNEL_ON) | BIT(CHANNEL_UNSYNCED),
    [CHANNEL_ON] = BIT(CHANNEL_UNSYNCED),
};

void edge_channel_go(edge_channel_t *self, channel_state_t state)
{
    CHECK(legal[self->state_now] & BIT(state));
    self->state_now = (uint8_t)state;
}

span_t edge_channel_name(const edge_channel_t *self)
{
    return span_new(self->name, self->name_size);
}

position_t edge_channel_position(const edge_channel_t *self)
{
    return self->position;
}

static span_t channel_key(const void *item)
{
    return edge_channel_name(item);
}

/* --- channels --- */

static edge_channel_t *find_channel(const edge_hub_t *self, span_t name)
{
    return table_get(&self->channels, name);
}

static void count_channels(edge_hub_t *self)
{
    stats_set(&self->worker->stats.channels, self->channels.count);
}

static edge_channel_t *find_or_make_channel(edge_hub_t *self, span_t name)
{
    edge_channel_t *channel = find_channel(self, name);
    if (channel)
        return channel;
    CHECK(name.size > 0 && name.size <= CHANNEL_NAME_MAX);
    channel = mem_new(sizeof *channel + name.size);
    channel->name_size = (uint8_t)name.size;
    memcpy(channel->name, name.data, name.size);
    table_put(&self->channels, channel);
    count_channels(self);
    return channel;
}

static void free_channel(edge_channel_t *channel)
{
    mem_free(channel->subscriptions);
    mem_free(channel);
}

/* Is what the relays know not what the listeners want? */
static bool has_work(const edge_channel_t *channel)
{
    return channel->leaves_via || (channel->count > 0) == (channel->state_now == CHANNEL_UNSYNCED);
}

void edge_hub_settle(edge_hub_t *self, edge_channel_t *channel)
{
    if (!has_work(channel))
        list_remove(&channel->work);
    else if (!list_linked(&channel->work))
        list_append(&self->work, &channel->work);
    if (channel->count || channel->state_now != CHANNEL_UNSYNCED || channel->unanswered || channel->held ||
        channel->leaves_via)
        return;
    table_remove(&self->channels, edge_channel_name(channel));
    count_channels(self);
    free_channel(channel);
}

static void release(edge_hub_t *self, edge_channel_t *channel)
{
    channel->held--;
    edge_hub_settle(self, channel);
}

/* --- subscriptions --- */

static void attach(edge_hub_t *self, edge_subscription_t *subscription)
{
    edge_channel_t *channel = subscription->channel;
    if (channel->count == channel->capacity) {
        channel->capacity = channel->capacity ? channel->capacity * 2 : 1;
        channel->subscriptions =
            mem_grow(channel->subscriptions, channel->capacity, sizeof *channel->subscriptions);
    }
    subscription->at = channel->count;
    channel->subscriptions[channel->count++] = subscription;
    list_append(&subscription->session->subscriptions, &subscription->of_session);
    subscription->session->subscription_count++;
    stats_set(&self->worker->stats.subscriptions, ++self->subscriptions);
}

/* Takes it out of everything; what is left to do is to tell the dialect, perhaps, and `let_go`. */
static void detach(edge_hub_t *self, edge_subscription_t *subscription)
{
    edge_channel_t *channel = subscription->channel;
    edge_subscription_t *last = channel->subscriptions[--channel->count];
    last->at = subscription->at;
    channel->subscriptions[last->at] = last;
    list_remove(&subscription->of_session);
    list_remove(&subscription->waiting);
    subscription->session->subscription_count--;
    stats_set(&self->worker->stats.subscriptions, --self->subscriptions);
    edge_hub_leave(self, subscription);
    channel->held++;
}

static void let_go(edge_hub_t *self, edge_subscription_t *subscription)
{
    edge_channel_t *channel = subscription->channel;
    edge_hub_drop_recovery(self, subscription);
    mem_free(subscription->info);
    mem_free(subscription->data);
    mem_free(subscription);
    release(self, channel);
}

edge_subscription_t *edge_hub_find(edge_hub_t *self, const edge_session_t *session, span_t name)
{
    const edge_channel_t *channel = find_channel(self, name);
    if (!channel)
        return NULL;
    LIST_EACH (node, &session->subscriptions) {
        edge_subscription_t *subscription = LIST_ITEM(node, edge_subscription_t, of_session);
        if (subscription->channel == channel)
            return subscription;
    }
    return NULL;
}

static int may_subscribe(edge_hub_t *self, const edge_session_t *session, span_t name)
{
    if (edge_hub_find(self, session, name))
        return ERR_DUPLICATE;
    bool full = session->subscription_count >= self->worker->config->limits.channels_per_client ||
                session->subscription_count == UINT16_MAX;
    return full ? ERR_FULL : OK;
}

int edge_hub_subscribe(edge_hub_t *self, edge_session_t *session, span_t name, char *info,
                       const position_t *since, edge_subscription_t **out)
{
    int err = may_subscribe(self, session, name);
    if (err) {
        mem_free(info);
        return err;
    }
    edge_subscription_t *subscription = mem_new(sizeof *subscription);
    edge_channel_t *channel = find_or_make_channel(self, name);
    subscription->session = session;
    subscription->channel = channel;
    subscription->info = info;
    attach(self, subscription);
    *out = subscription;
    edge_hub_settle(self, channel);
    if (channel->state_now == CHANNEL_ON && !since) {
        edge_hub_join(self, subscription);
        return OK;
    }
    subscription->asked_us = self->worker->now_us;
    list_append(&self->waiting, &subscription->waiting);
    if (since)
        edge_hub_recover(self, subscription, *since);
    return ERR_AGAIN;
}

void edge_hub_unsubscribe(edge_hub_t *self, edge_subscription_t **subscription_p)
{
    edge_subscription_t *subscription = *subscription_p;
    *subscription_p = NULL;
    if (!subscription)
        return;
    detach(self, subscription);
    let_go(self, subscription);
}

void edge_hub_unsubscribe_all(edge_hub_t *self, edge_session_t *session)
{
    LIST_EACH_SAFE (node, &session->subscriptions) {
        edge_subscription_t *subscription = LIST_ITEM(node, edge_subscription_t, of_session);
        detach(self, subscription);
        let_go(self, subscription);
    }
}

void edge_hub_refuse(edge_hub_t *self, edge_subscription_t *subscription, int err)
{
    detach(self, subscription);
    subscription->session->dialect->subscribed(subscription, err, NULL);
    let_go(self, subscription);
}

/* For walks over a channel's subscriptions from the last to the first, whose body may take any away: where to
 * go on. What moved to a lower place meanwhile was visited already or is new, so a body does nothing to those
 * that it has dealt with. */
static uint32_t still_there(const edge_channel_t *channel, uint32_t at)
{
    return at < channel->count ? at : channel->count;
}

/* Answers those who wait. */
static void answer_waiting(edge_hub_t *self, edge_channel_t *channel, int err)
{
    channel->held++;
    for (uint32_t at = channel->count; at-- > 0; at = still_there(channel, at)) {
        edge_subscription_t *subscription = channel->subscriptions[at];
        if (!edge_subscription_waits(subscription))
            continue;
        if (err) {
            edge_hub_refuse(self, subscription, err);
        } else if (subscription->recovering) {
            edge_hub_ask_missed(self, subscription);
        } else {
            list_remove(&subscription->waiting);
            subscription->session->dialect->subscribed(subscription, OK, NULL);
        }
    }
    release(self, channel);
}

/* Tells those who are on that they have missed `missed` messages (at least: it may not be known how many). */
static void tell_lost(edge_hub_t *self, edge_channel_t *channel, uint64_t missed)
{
    channel->held++;
    for (uint32_t at = channel->count; at-- > 0; at = still_there(channel, at)) {
        edge_subscription_t *subscription = channel->subscriptions[at];
        if (edge_subscription_waits(subscription))
            continue;
        stats_add(&self->worker->stats.dropped_lost, missed);
        detach(self, subscription);
        subscription->session->dialect->lost(subscription);
        let_go(self, subscription);
    }
    release(self, channel);
}

/* --- messages --- */

/* One message's frames, one per dialect, each made when the first session needs it. */
typedef struct frame_set {
    const envelope_msg_t *message;
    edge_frame_t *frames[EDGE_DIALECTS];
    bool made[EDGE_DIALECTS]; /* or tried: a dialect may have no words for it */
} frame_set_t;

static inline edge_frame_t *frame_for(frame_set_t *self, const edge_dialect_t *dialect)
{
    uint8_t index = dialect->index;
    if (!self->made[index]) {
        self->made[index] = true;
        self->frames[index] = dialect->frame(self->message);
    }
    return self->frames[index];
}

/* No dialect is called for a session in here, so the array stays as it is: a session that is slow gets
 * closed, but its subscription goes only with edge_session_closed. */
static void fan_out(edge_hub_t *self, const edge_channel_t *channel, const envelope_msg_t *message)
{
    frame_set_t set = {.message = message};
    uint8_t author[EDGE_CLIENT_ID_BYTES];
    bool has_author = edge_client_id_parse(message->client, author);
    for (uint32_t i = 0; i < channel->count; i++) {
        const edge_subscription_t *subscription = channel->subscriptions[i];
        edge_session_t *session = subscription->session;
        if (edge_subscription_waits(subscription))
            continue; /* it recovers: this is in what it will be told */
        if (subscription->skips_own && has_author && memcmp(session->id, author, sizeof author) == 0)
            continue;
        edge_frame_t *frame = frame_for(&set, session->dialect);
        if (frame)
            edge_session_send(session, frame);
        else
            stats_add(&self->worker->stats.dropped_dialect, 1);
    }
    for (size_t i = 0; i < EDGE_DIALECTS; i++)
        edge_frame_unref(&set.frames[i]);
}

/* Who waits is not on yet: a client hears of its own coming when it is. */
static void fan_out_presence(const edge_channel_t *channel, const envelope_join_t *client, bool came)
{
    edge_frame_t *frames[EDGE_DIALECTS] = {0};
    for (uint32_t i = 0; i < channel->count; i++) {
        const edge_subscription_t *subscription = channel->subscriptions[i];
        const edge_dialect_t *dialect = subscription->session->dialect;
        if (!subscription->sees_presence || edge_subscription_waits(subscription))
            continue;
        if (!frames[dialect->index])
            frames[dialect->index] = dialect->frame_presence(client, came);
        edge_session_send(subscription->session, frames[dialect->index]);
    }
    for (size_t i = 0; i < EDGE_DIALECTS; i++)
        edge_frame_unref(&frames[i]);
}

/* How many messages that is; 1 where it can't be known. */
static uint64_t count_missed(position_t had, position_t next)
{
    return position_same_epoch(had, next) && next.offset > had.offset ? next.offset - had.offset : 1;
}

static void log_gap(const edge_channel_t *channel, position_t had, position_t got)
{
    char had_text[POSITION_TEXT_SIZE], got_text[POSITION_TEXT_SIZE];
    log_warn("hub.gap", "channel=%s had=%s got=%s listeners=%" PRIu32, log_safe(edge_channel_name(channel)),
             position_print(had, had_text), position_print(got, got_text), channel->count);
}

/* A position from outside. ERR_MALFORMED if it has no epoch, or a wrong one. */
static int read_position(span_t epoch, uint64_t offset, position_t *out)
{
    *out = (position_t){.offset = offset};
    int err = position_set_epoch(out, epoch);
    return err == OK && !position_known(*out) ? ERR_MALFORMED : err;
}

/* What comes behind where the channel was, up to `next`, can't be had: its listeners are told. */
static void lose(edge_hub_t *self, edge_channel_t *channel, position_t next)
{
    position_t had = channel->position;
    log_gap(channel, had, next);
    channel->position = next;
    tell_lost(self, channel, count_missed(had, next));
}

/* The channel, if it is this relay that speaks for it. */
static edge_channel_t *find_channel_of(const edge_hub_t *self, const link_t *relay, span_t name)
{
    edge_channel_t *channel = find_channel(self, name);
    return channel && channel->via == link_peer(relay) ? channel : NULL;
}

/* What comes while a SUB is unanswered belongs to a subscription given up before. */
void edge_hub_message(edge_hub_t *self, const link_t *relay, const envelope_msg_t *message)
{
    edge_channel_t *channel = find_channel_of(self, relay, message->channel);
    position_t got;
    if (!channel || channel->state_now != CHANNEL_ON)
        return;
    if (read_position(message->epoch, message->offset, &got) != OK) {
        log_warn("hub.bad_position", "channel=%s", log_safe(message->channel));
        return;
    }
    bool same_epoch = position_same_epoch(channel->position, got);
    if (same_epoch && got.offset <= channel->position.offset)
        return;
    if (!same_epoch || got.offset - channel->position.offset != 1) {
        lose(self, channel, got); /* a relay's bug, or an owner's change that it did not tell of */
        return;
    }
    channel->position = got;
    fan_out(self, channel, message);
}

void edge_hub_presence(edge_hub_t *self, const link_t *relay, const envelope_join_t *client, bool came)
{
    const edge_channel_t *channel = find_channel_of(self, relay, client->channel);
    if (channel && channel->state_now == CHANNEL_ON)
        fan_out_presence(channel, client, came);
}

/* --- answers --- */

/* Is this the answer to the last SUB, or news of a subscription that is on? Anything else answers a SUB that
 * was taken back meanwhile. Without a number answers are counted. */
static bool take_answer(edge_channel_t *channel, uint64_t request)
{
    if (channel->unanswered)
        channel->unanswered--;
    if (request) {
        if (request == channel->request)
            channel->unanswered = 0; /* what was not answered before never will be */
        return request == channel->request && channel->state_now != CHANNEL_UNSYNCED;
    }
    return channel->unanswered == 0 && channel->state_now != CHANNEL_UNSYNCED;
}

/* The stream goes on behind `since`, which may lie before where we are: what comes twice is dropped. If it is
 * elsewhere, those who were on have missed something. */
static void take_position(edge_hub_t *self, edge_channel_t *channel, position_t since, bool recovered)
{
    position_t had = channel->position;
    if (!position_known(had))
        channel->position = since;
    else if (!recovered || !position_same_epoch(had, since) || since.offset > had.offset)
        lose(self, channel, since);
}

void edge_hub_subscribed(edge_hub_t *self, const link_t *relay, const envelope_sub_ok_t *answer)
{
    edge_channel_t *channel = find_channel_of(self, relay, answer->channel);
    position_t since;
    if (!channel)
        return;
    if (!take_answer(channel, answer->request)) {
        edge_hub_settle(self, channel);
        return;
    }
    if (read_position(answer->epoch, answer->since, &since) != OK) { /* who waits is told by the timeout */
        log_warn("hub.bad_position", "channel=%s", log_safe(answer->channel));
        return;
    }
    channel->held++;
    if (channel->state_now == CHANNEL_SUBSCRIBING)
        edge_channel_go(channel, CHANNEL_ON);
    take_position(self, channel, since, answer->recovered != 0);
    edge_hub_join_all(self, channel); /* also those who were on: a relay forgets them with the link */
    answer_waiting(self, channel, OK);
    release(self, channel);
}

/* Nothing is lost yet: it is subscribed again from its position. */
static void try_later(edge_hub_t *self, edge_channel_t *channel)
{
    if (list_empty(&self->refused))
        self->retry_us = self->worker->now_us + UPLINK_RETRY_US;
    edge_channel_go(channel, CHANNEL_UNSYNCED);
    list_remove(&channel->work);
    if (channel->count)
        list_append(&self->refused, &channel->work);
    edge_hub_settle(self, channel);
}

void edge_hub_not_subscribed(edge_hub_t *self, const link_t *relay, const envelope_sub_no_t *answer)
{
    edge_channel_t *channel = find_channel_of(self, relay, answer->channel);
    if (!channel)
        return;
    if (!take_answer(channel, answer->request)) {
        edge_hub_settle(self, channel);
        return;
    }
    if (uplink_is_not_now(answer->code)) {
        try_later(self, channel);
        return;
    }
    int err = answer->code > 0 && answer->code <= INT16_MAX ? -(int)answer->code : ERR_UNAVAILABLE;
    log_info("hub.refused", "channel=%s err=%s", log_safe(answer->channel), err_name(err));
    edge_channel_go(channel, CHANNEL_UNSYNCED);
    channel->position = (position_t){0};
    channel->held++;
    answer_waiting(self, channel, err);
    tell_lost(self, channel, 1);
    release(self, channel);
}

/* --- life --- */

edge_hub_t *edge_hub_new(edge_worker_t *worker, uplink_t *uplink)
{
    edge_hub_t *self = mem_new(sizeof *self);
    self->worker = worker;
    self->uplink = uplink;
    table_init(&self->channels, channel_key);
    list_init(&self->work);
    list_init(&self->refused);
    list_init(&self->waiting);
    list_init(&self->joining);
    list_init(&self->asking);
    list_init(&self->leaves);
    return self;
}

void edge_hub_destroy(edge_hub_t **self_p)
{
    edge_hub_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    CHECK(self->subscriptions == 0);
    edge_channel_t *channel;
    for (size_t at = 0; (channel = table_next(&self->channels, &at)) != NULL;)
        free_channel(channel);
    table_fini(&self->channels);
    edge_hub_forget_leaves(self);
    mem_free(self);
}

size_t edge_hub_channels(const edge_hub_t *self)
{
    return self->channels.count;
}

size_t edge_hub_subscriptions(const edge_hub_t *self)
{
    return self->subscriptions;
}

void edge_hub_each_channel(const edge_hub_t *self, void (*each)(void *context, span_t name, size_t listeners),
                           void *context)
{
    const edge_channel_t *channel;
    for (size_t at = 0; (channel = table_next(&self->channels, &at)) != NULL;) {
        if (channel->count)
            each(context, edge_channel_name(channel), channel->count);
    }
}
