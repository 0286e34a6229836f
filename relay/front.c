#include "relay/front.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "protocol/codec.h"
#include "protocol/recall.h"
#include "relay/directory.h"
#include "relay/publishers.h"
#include "relay/survey.h"

/* Channels swept in a turn: about 100 us of work, so that no message waits for it noticeably. */
#define SWEEP_BUDGET 1000u

#define PUBLISHERS_SWEEP_US (10u * CLOCK_SEC)

struct relay_front {
    const char *name; /* borrowed */
    const node_t *node;
    relay_context_t context;
    relay_directory_t *directory; /* owned */
    relay_publishers_t publishers;
    relay_surveys_t surveys;
    uint64_t started_us;
    uint64_t publishers_swept_us;
    relay_front_counts_t counts; /* those that nobody else counts */
};

relay_front_t *relay_front_new(const relay_front_options_t *options, uint64_t now_us)
{
    relay_front_t *self = mem_new(sizeof *self);
    self->name = options->name;
    self->started_us = self->publishers_swept_us = now_us;
    relay_peers_init(&self->context.peers);
    relay_store_init(&self->context.store, options->history_memory);
    self->directory =
        relay_directory_new(&self->context, options->namespaces, options->channels, options->seed);
    relay_publishers_init(&self->publishers);
    relay_surveys_init(&self->surveys);
    return self;
}

void relay_front_destroy(relay_front_t **self_p)
{
    relay_front_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    relay_surveys_fini(&self->surveys);
    relay_publishers_fini(&self->publishers);
    relay_directory_destroy(&self->directory);
    relay_peers_fini(&self->context.peers);
    buf_fini(&self->context.scratch);
    mem_free(self);
}

void relay_front_attach(relay_front_t *self, const node_t *node)
{
    self->node = node;
}

/* --- links --- */

void relay_front_up(relay_front_t *self, link_t *link, uint64_t now_us)
{
    (void)now_us;
    relay_peers_add(&self->context.peers, link);
}

void relay_front_down(relay_front_t *self, link_t *link, uint64_t now_us)
{
    relay_peer_slot_t slot = relay_peers_slot(link);
    relay_peers_kill(&self->context.peers, slot);
    relay_surveys_lost(&self->surveys, &self->context.peers, slot, now_us);
}

/* A reply; a link that has no room even for that is reset, as for any message. */
static void reply(relay_front_t *self, link_t *link, const envelope_t *envelope, uint64_t now_us)
{
    if (link_send(link, envelope, now_us) == ERR_FULL) {
        self->context.overflows++;
        link_reset(link, ERR_FULL, now_us);
    }
}

/* An answer that does not fit says so instead: who asked may do so again, and the link does not go for it. */
static void reply_answer(relay_front_t *self, link_t *link, uint64_t id, int err, span_t items,
                         uint64_t now_us)
{
    envelope_t answer = {.kind = KIND_ANSWER, .answer = {id, (uint64_t)-err, items}};
    if (items.size == 0 || link_send(link, &answer, now_us) == ERR_FULL) {
        answer.answer = (envelope_answer_t){id, (uint64_t) - (err ? err : items.size ? ERR_FULL : OK), {0}};
        reply(self, link, &answer, now_us);
    }
}

/* --- subscriptions --- */

static void take_sub(relay_front_t *self, link_t *link, const envelope_sub_t *sub, uint64_t now_us)
{
    relay_channel_t *channel;
    position_t from = {.offset = sub->offset};
    int err = position_set_epoch(&from, sub->epoch);
    if (!err)
        err = relay_directory_get(self->directory, sub->channel, now_us, &channel);
    if (err) {
        envelope_t no = {.kind = KIND_SUB_NO, .sub_no = {sub->channel, (uint64_t)-err}};
        reply(self, link, &no, now_us);
        return;
    }
    relay_channel_subscribe(channel, &self->context, link, from, now_us);
}

static void take_unsub(relay_front_t *self, link_t *link, const envelope_unsub_t *unsub, uint64_t now_us)
{
    relay_channel_t *channel = relay_directory_find(self->directory, unsub->channel);
    if (channel)
        relay_channel_unsubscribe(channel, link, now_us);
}

/* --- publications --- */

static void publish_no(relay_front_t *self, link_t *link, const envelope_pub_t *pub, int err, uint64_t now_us)
{
    self->counts.refused++;
    envelope_t no = {.kind = KIND_PUB_NO, .pub_no = {pub->counter, (uint64_t)-err}};
    reply(self, link, &no, now_us);
}

static void publish_ok(relay_front_t *self, link_t *link, const envelope_pub_t *pub, position_t at,
                       uint64_t now_us)
{
    envelope_t ok = {.kind = KIND_PUB_OK, .pub_ok = {pub->counter, position_epoch(&at), at.offset}};
    reply(self, link, &ok, now_us);
}

static void take_pub(relay_front_t *self, link_t *link, const envelope_pub_t *pub, uint64_t now_us,
                     uint64_t wall_us)
{
    position_t position;
    if (pub->node != link_peer(link)) { /* only relays may speak for others */
        publish_no(self, link, pub, ERR_DENIED, now_us);
        return;
    }
    if ((pub->flags & MESSAGE_RESENT) &&
        relay_publishers_find(&self->publishers, pub->node, pub->counter, &position)) {
        self->counts.duplicates++;
        publish_ok(self, link, pub, position, now_us);
        return;
    }
    relay_channel_t *channel;
    int err = relay_directory_get(self->directory, pub->channel, now_us, &channel);
    if (err) {
        publish_no(self, link, pub, err, now_us);
        return;
    }
    position = relay_channel_publish(channel, &self->context, pub, now_us, wall_us);
    relay_publishers_record(&self->publishers, pub->node, pub->counter, position, now_us);
    self->counts.published++;
    publish_ok(self, link, pub, position, now_us);
}

/* --- presence --- */

static relay_presence_t *presence_of(relay_front_t *self, span_t name)
{
    relay_channel_t *channel = relay_directory_find(self->directory, name);
    return channel ? relay_channel_presence(channel) : NULL;
}

static void take_join(relay_front_t *self, link_t *link, const envelope_join_t *join)
{
    relay_presence_t *presence = presence_of(self, join->channel);
    if (presence)
        relay_presence_join(presence, join, relay_peers_slot(link));
}

static void take_leave(relay_front_t *self, link_t *link, const envelope_leave_t *leave)
{
    relay_presence_t *presence = presence_of(self, leave->channel);
    if (presence)
        relay_presence_leave(presence, leave->client, relay_peers_slot(link));
}

/* --- questions --- */

static void answer_presence(relay_front_t *self, span_t channel, buf_t *items)
{
    relay_presence_t *presence = presence_of(self, channel);
    if (!presence)
        codec_write_array(items, 0);
    else if (!relay_presence_list(presence, &self->context.peers, items))
        log_warn("presence.cut", "channel=%s", log_safe(channel));
}

static void answer_presence_stats(relay_front_t *self, span_t channel, buf_t *items)
{
    uint64_t clients = 0;
    uint64_t users = 0;
    relay_presence_t *presence = presence_of(self, channel);
    if (presence)
        relay_presence_stats(presence, &self->context.peers, &clients, &users);
    codec_write_array(items, 2);
    codec_write_uint(items, clients);
    codec_write_uint(items, users);
}

/* A channel that does not exist yet is made: who asks is about to go on from the position that it is told. Half of a
 * link's window is for what is live, so that many who come back at once don't cost the link. */
static int answer_history(relay_front_t *self, const link_t *link, const envelope_ask_t *ask, uint64_t now_us,
                          buf_t *items)
{
    relay_channel_t *channel;
    relay_recall_t recall = {
        .since = {.offset = ask->offset},
        .limit = ask->limit < RECALL_MAX ? ask->limit : RECALL_MAX,
        .reverse = ask->reverse != 0,
    };
    int err = link_held(link) > link_window(link) / 2 ? ERR_FULL : channel_name_check(ask->channel);
    if (!err)
        err = position_set_epoch(&recall.since, ask->epoch);
    if (!err)
        err = relay_directory_get(self->directory, ask->channel, now_us, &channel);
    if (!err)
        relay_channel_recall(channel, &self->context, &recall, now_us, items);
    return err;
}

/* The relay's own line in QUESTION_NODES; see protocol/kinds.h. */
static void describe_self(const relay_front_t *self, uint64_t now_us, buf_t *item)
{
    codec_write_array(item, 9);
    codec_write_uint(item, node_id(self->node));
    codec_write_text(item, span_str(self->name));
    codec_write_uint(item, ROLE_RELAY);
    codec_write_text(item, SPAN("heddle " HEDDLE_VERSION));
    codec_write_uint(item, 0);
    codec_write_uint(item, 0);
    codec_write_uint(item, 0);
    codec_write_uint(item, relay_directory_count(self->directory));
    codec_write_uint(item, (now_us - self->started_us) / CLOCK_SEC);
}

static int answer_forget(relay_front_t *self, const envelope_ask_t *ask, buf_t *items)
{
    relay_channel_t *channel = relay_directory_find(self->directory, ask->channel);
    if (channel)
        relay_channel_forget(channel, &self->context);
    codec_write_array(items, 0);
    return OK;
}

/* The questions that this relay answers alone. */
static int answer(relay_front_t *self, const link_t *link, const envelope_ask_t *ask, uint64_t now_us,
                  buf_t *items)
{
    switch (ask->question) {
    case QUESTION_PRESENCE: answer_presence(self, ask->channel, items); return OK;
    case QUESTION_PRESENCE_STATS: answer_presence_stats(self, ask->channel, items); return OK;
    case QUESTION_HISTORY: return answer_history(self, link, ask, now_us, items);
    case QUESTION_FORGET: return answer_forget(self, ask, items);
    default: return ERR_UNKNOWN;
    }
}

static void take_ask(relay_front_t *self, link_t *link, const envelope_ask_t *ask, uint64_t now_us)
{
    buf_t items = {0};
    switch (ask->question) {
    case QUESTION_NODES: describe_self(self, now_us, &items); /* fall through */
    case QUESTION_CHANNELS:
    case QUESTION_DISCONNECT:
    case QUESTION_UNSUBSCRIBE:
    case QUESTION_REFRESH:
        relay_surveys_begin(&self->surveys, &self->context.peers, link, ask, buf_span(&items), now_us);
        break;
    default: {
        int err = answer(self, link, ask, now_us, &items);
        reply_answer(self, link, ask->id, err, buf_span(&items), now_us);
    }
    }
    buf_fini(&items);
}

/* --- dispatch --- */

void relay_front_envelope(relay_front_t *self, link_t *link, const envelope_t *envelope, uint64_t now_us,
                          uint64_t wall_us)
{
    switch (envelope->kind) {
    case KIND_PUB: take_pub(self, link, &envelope->pub, now_us, wall_us); break;
    case KIND_SUB: take_sub(self, link, &envelope->sub, now_us); break;
    case KIND_UNSUB: take_unsub(self, link, &envelope->unsub, now_us); break;
    case KIND_JOIN: take_join(self, link, &envelope->join); break;
    case KIND_LEAVE: take_leave(self, link, &envelope->leave); break;
    case KIND_ASK: take_ask(self, link, &envelope->ask, now_us); break;
    case KIND_ANSWER:
        relay_surveys_answer(&self->surveys, &self->context.peers, link, &envelope->answer, now_us);
        break;
    default:
        self->counts.unexpected++;
        log_warn("front.unexpected", "peer=%s kind=%s", log_safe(span_str(link_peer_name(link))),
                 envelope_kind_name(envelope->kind));
    }
}

bool relay_front_turn(relay_front_t *self, uint64_t now_us)
{
    relay_surveys_tick(&self->surveys, &self->context.peers, now_us);
    if (now_us >= self->publishers_swept_us + PUBLISHERS_SWEEP_US) {
        self->publishers_swept_us = now_us;
        relay_publishers_sweep(&self->publishers, now_us);
    }
    return relay_directory_sweep(self->directory, SWEEP_BUDGET, now_us);
}

relay_front_counts_t relay_front_counts(const relay_front_t *self)
{
    relay_front_counts_t counts = self->counts;
    counts.deliveries = self->context.deliveries;
    counts.overflows = self->context.overflows;
    counts.unrecovered = self->context.unrecovered;
    counts.dropped_size = self->context.store.dropped_size;
    counts.dropped_age = self->context.store.dropped_age;
    counts.dropped_memory = self->context.store.dropped_memory;
    counts.history_bytes = self->context.store.bytes;
    counts.channels = relay_directory_count(self->directory);
    relay_peer_slot_t at = 0;
    for (link_t *link; (link = relay_peers_next(&self->context.peers, &at)) != NULL;) {
        counts.links++;
        counts.edges += link_peer_role(link) == ROLE_EDGE;
    }
    return counts;
}
