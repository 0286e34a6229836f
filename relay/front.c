#include "relay/front_inside.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"

/* Channels swept in a turn: about 100 us of work, so that no message waits for it noticeably. */
#define SWEEP_BUDGET 1000u

/* Fewer channels than that are in the processor's caches anyway: looking ahead would cost more than it saves. */
#define EXPECT_FROM 20000u

#define PUBLISHERS_SWEEP_US (10u * CLOCK_SEC)

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
    relay_front_open_mesh(self, options, now_us);
    return self;
}

void relay_front_destroy(relay_front_t **self_p)
{
    relay_front_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    relay_front_close_mesh(self);
    relay_surveys_fini(&self->surveys);
    relay_publishers_fini(&self->publishers);
    relay_directory_destroy(&self->directory);
    relay_peers_fini(&self->context.peers);
    buf_fini(&self->context.scratch);
    mem_free(self);
}

/* --- links --- */

void relay_front_up(relay_front_t *self, link_t *link, uint64_t now_us)
{
    relay_peers_add(&self->context.peers, link);
    if (link_peer_role(link) == ROLE_RELAY)
        relay_mesh_up(self->mesh, link, now_us);
}

void relay_front_down(relay_front_t *self, link_t *link, uint64_t now_us)
{
    relay_peer_slot_t slot = relay_peers_slot(link);
    relay_front_mesh_down(self, link, now_us);
    relay_peers_kill(&self->context.peers, slot, now_us);
    relay_surveys_lost(&self->surveys, &self->context.peers, slot, now_us);
}

void relay_front_reply(relay_front_t *self, relay_peer_slot_t to, const envelope_t *envelope, uint64_t now_us)
{
    buf_clear(&self->context.scratch);
    envelope_encode(&self->context.scratch, envelope);
    (void)relay_peers_send(&self->context.peers, to, buf_span(&self->context.scratch), now_us);
}

void relay_front_refuse(relay_front_t *self, const relay_wish_t *wish, int err, uint64_t now_us)
{
    const envelope_t *envelope = wish->envelope;
    envelope_t no = {.kind = KIND_SUB_NO,
                     .sub_no = {envelope->sub.channel, (uint64_t)-err, envelope->sub.request}};
    switch (envelope->kind) {
    case KIND_SUB: break;
    case KIND_PUB:
        self->counts.refused++;
        no = (envelope_t){.kind = KIND_PUB_NO, .pub_no = {envelope->pub.counter, (uint64_t)-err}};
        break;
    case KIND_ASK:
        no = (envelope_t){.kind = KIND_ANSWER, .answer = {envelope->ask.id, (uint64_t)-err, {0}}};
        break;
    default: return; /* a JOIN or LEAVE that can't be had is as good as a client that is not there */
    }
    relay_front_reply(self, wish->from, &no, now_us);
}

/* --- subscriptions --- */

static void serve_sub(relay_front_t *self, const relay_wish_t *wish, relay_channel_t *channel,
                      uint64_t now_us)
{
    const envelope_sub_t *sub = &wish->envelope->sub;
    position_t from = {.offset = sub->offset};
    int err = position_set_epoch(&from, sub->epoch);
    if (err)
        relay_front_refuse(self, wish, err, now_us);
    else
        relay_channel_subscribe(channel, &self->context, wish->from, from, sub->request, now_us);
}

/* --- publications --- */

static void publish_ok(relay_front_t *self, relay_peer_slot_t to, uint64_t counter, position_t at,
                       uint64_t now_us)
{
    envelope_t ok = {.kind = KIND_PUB_OK, .pub_ok = {counter, position_epoch(&at), at.offset}};
    relay_front_reply(self, to, &ok, now_us);
}

/* It was sent before: is it here already? Then it is confirmed once more, behind what waits for the replica. */
static bool was_published(relay_front_t *self, const relay_wish_t *wish, relay_channel_t *channel,
                          link_t *replica, uint64_t now_us)
{
    const envelope_pub_t *pub = &wish->envelope->pub;
    position_t position;
    if (!(pub->flags & MESSAGE_RESENT) ||
        !relay_publishers_find(&self->publishers, pub->node, pub->counter, &position))
        return false;
    bool waits = replica && relay_copies_holds(&self->copies, channel, position, pub->node, pub->counter);
    if (!waits && !relay_channel_may_hold(channel, position, pub->node, pub->counter))
        return false;
    self->counts.duplicates++;
    if (waits)
        relay_copies_confirm(&self->copies, channel, replica, wish->from, pub->counter, position);
    else
        publish_ok(self, wish->from, pub->counter, position, now_us);
    return true;
}

static void publish_copied(relay_front_t *self, const relay_wish_t *wish, relay_channel_t *channel,
                           link_t *replica, uint64_t now_us)
{
    const envelope_pub_t *pub = &wish->envelope->pub;
    position_t position;
    if (relay_copies_publish(&self->copies, channel, replica, pub, wish->from, now_us, self->wall_us,
                             &position))
        relay_front_refuse(self, wish, ERR_UNAVAILABLE, now_us);
    else
        relay_publishers_record(&self->publishers, pub->node, pub->counter, position, now_us);
}

static void serve_pub(relay_front_t *self, const relay_wish_t *wish, relay_channel_t *channel,
                      uint64_t now_us)
{
    const envelope_pub_t *pub = &wish->envelope->pub;
    link_t *replica = NULL;
    relay_replica_state_t state =
        relay_copies_state(&self->copies, relay_channel_name(channel), self->mesh, &replica);
    if (state == REPLICA_LATE) {
        relay_front_hold(self, wish, channel, now_us);
        return;
    }
    if (was_published(self, wish, channel, replica, now_us))
        return;
    if (state == REPLICA_READY) {
        publish_copied(self, wish, channel, replica, now_us);
        return;
    }
    position_t position = relay_channel_publish(channel, &self->context, pub, now_us, self->wall_us);
    relay_publishers_record(&self->publishers, pub->node, pub->counter, position, now_us);
    self->counts.published++;
    publish_ok(self, wish->from, pub->counter, position, now_us);
}

/* --- presence --- */

static void serve_join(relay_front_t *self, const relay_wish_t *wish, relay_channel_t *channel,
                       uint64_t now_us)
{
    if (relay_peers_live(&self->context.peers, wish->from))
        relay_channel_join(channel, &self->context, wish->from, &wish->envelope->join, now_us);
}

/* --- requests about channels --- */

static span_t channel_of(const envelope_t *envelope)
{
    switch (envelope->kind) {
    case KIND_PUB: return envelope->pub.channel;
    case KIND_SUB: return envelope->sub.channel;
    case KIND_UNSUB: return envelope->unsub.channel;
    case KIND_JOIN: return envelope->join.channel;
    case KIND_LEAVE: return envelope->leave.channel;
    default: return envelope->ask.channel;
    }
}

static void serve(relay_front_t *self, const relay_wish_t *wish, relay_channel_t *channel, uint64_t now_us)
{
    switch (wish->envelope->kind) {
    case KIND_PUB: serve_pub(self, wish, channel, now_us); return;
    case KIND_SUB: serve_sub(self, wish, channel, now_us); return;
    case KIND_UNSUB: relay_channel_unsubscribe(channel, wish->from, now_us); return;
    case KIND_JOIN: serve_join(self, wish, channel, now_us); return;
    case KIND_LEAVE:
        relay_channel_leave(channel, &self->context, wish->from, wish->envelope->leave.client, now_us);
        return;
    default: relay_front_answer(self, wish, channel, now_us);
    }
}

/* Only what begins or asks for something makes a channel. */
static bool makes_channel(const envelope_t *envelope)
{
    return envelope->kind == KIND_PUB || envelope->kind == KIND_SUB ||
           (envelope->kind == KIND_ASK && envelope->ask.question == QUESTION_HISTORY);
}

static void serve_own(relay_front_t *self, const relay_wish_t *wish, relay_channel_t *channel,
                      uint64_t now_us)
{
    if (!channel && makes_channel(wish->envelope)) {
        int err = relay_directory_get(self->directory, channel_of(wish->envelope), now_us, &channel);
        if (err) {
            relay_front_refuse(self, wish, err, now_us);
            return;
        }
    }
    if (channel)
        relay_handover_take(&self->handover, channel, now_us);
    if (channel && relay_channel_standing(channel)->held)
        relay_front_hold(self, wish, channel, now_us);
    else if (channel)
        serve(self, wish, channel, now_us);
    else if (wish->envelope->kind == KIND_ASK)
        relay_front_answer(self, wish, NULL, now_us);
}

/* What would make no sense to any owner; and only relays may speak for others. */
static int check(const relay_front_t *self, const relay_wish_t *wish)
{
    const envelope_t *envelope = wish->envelope;
    position_t position;
    if (envelope->kind == KIND_SUB)
        return position_set_epoch(&position, envelope->sub.epoch);
    if (envelope->kind == KIND_ASK) {
        int err = channel_name_check(envelope->ask.channel);
        return err ? err : position_set_epoch(&position, envelope->ask.epoch);
    }
    if (envelope->kind == KIND_PUB && wish->from != RELAY_NO_PEER &&
        envelope->pub.node != relay_peers_node(&self->context.peers, wish->from))
        return ERR_DENIED;
    return OK;
}

void relay_front_take(relay_front_t *self, const relay_wish_t *wish, uint64_t now_us)
{
    relay_channel_t *channel;
    uint64_t owner;
    int err = check(self, wish);
    if (err) {
        relay_front_refuse(self, wish, err, now_us);
        return;
    }
    if (self->relays_only) { /* others can be in the view already that this relay is only coming to */
        relay_front_hold(self, wish, NULL, now_us);
        return;
    }
    switch (relay_tenures_claim(&self->tenures, channel_of(wish->envelope), &channel, &owner)) {
    case CLAIM_MINE: serve_own(self, wish, channel, now_us); return;
    case CLAIM_WAIT: relay_front_hold(self, wish, channel, now_us); return;
    case CLAIM_OTHERS: relay_front_forward(self, wish, owner, now_us); return;
    }
}

/* --- dispatch --- */

static bool is_about_channel(const envelope_t *envelope)
{
    switch (envelope->kind) {
    case KIND_PUB:
    case KIND_SUB:
    case KIND_UNSUB:
    case KIND_JOIN:
    case KIND_LEAVE: return true;
    case KIND_ASK:
        return envelope->ask.question == QUESTION_PRESENCE ||
               envelope->ask.question == QUESTION_PRESENCE_STATS ||
               envelope->ask.question == QUESTION_HISTORY || envelope->ask.question == QUESTION_FORGET;
    default: return false;
    }
}

_Static_assert(LINK_AHEAD <= TABLE_PEEK_MAX, "all that comes next is looked for at once");

void relay_front_expect(const relay_front_t *self, const envelope_t *envelopes, size_t count)
{
    span_t names[LINK_AHEAD];
    size_t named = 0;
    if (relay_directory_count(self->directory) < EXPECT_FROM)
        return;
    for (size_t i = 0; i < count; i++) {
        if (is_about_channel(&envelopes[i]))
            names[named++] = channel_of(&envelopes[i]);
    }
    relay_directory_expect(self->directory, names, named);
}

void relay_front_envelope(relay_front_t *self, link_t *link, const envelope_t *envelope, uint64_t now_us,
                          uint64_t wall_us)
{
    self->wall_us = wall_us;
    if (is_about_channel(envelope)) {
        relay_wish_t wish = {.from = relay_peers_slot(link), .envelope = envelope};
        relay_front_take(self, &wish, now_us);
    } else if (envelope->kind == KIND_ASK) {
        relay_front_survey(self, link, &envelope->ask, now_us);
    } else if (envelope->kind == KIND_ANSWER) {
        relay_surveys_answer(&self->surveys, &self->context.peers, link, &envelope->answer, now_us);
    } else if (link_peer_role(link) != ROLE_RELAY ||
               !relay_front_take_from_relay(self, link, envelope, now_us)) {
        self->counts.unexpected++;
        log_warn("front.unexpected", "peer=%s kind=%s", log_safe(span_str(link_peer_name(link))),
                 envelope_kind_name(envelope->kind));
    }
}

bool relay_front_turn(relay_front_t *self, uint64_t now_us)
{
    relay_peers_tick(&self->context.peers, now_us);
    relay_surveys_tick(&self->surveys, &self->context.peers, now_us);
    if (now_us >= self->publishers_swept_us + PUBLISHERS_SWEEP_US) {
        self->publishers_swept_us = now_us;
        relay_publishers_sweep(&self->publishers, now_us);
    }
    if (relay_front_mesh_turn(self, now_us))
        return true;
    /* While channels change hands they keep their places. */
    return relay_handover_is_done(&self->handover) &&
           relay_directory_sweep(self->directory, SWEEP_BUDGET, now_us);
}

relay_front_counts_t relay_front_counts(const relay_front_t *self)
{
    relay_front_counts_t counts = self->counts;
    counts.deliveries = self->context.deliveries;
    counts.overflows = self->context.peers.overflows;
    counts.unrecovered = self->context.unrecovered;
    counts.dropped_size = self->context.store.dropped_size;
    counts.dropped_age = self->context.store.dropped_age;
    counts.dropped_memory = self->context.store.dropped_memory;
    counts.history_bytes = self->context.store.bytes;
    counts.channels = relay_directory_count(self->directory);
    counts.waiting = self->waiting.count;
    counts.given = self->handover.given;
    counts.taken = self->handover.taken;
    counts.guests = self->handover.guests;
    counts.copies_refused = self->handover.refused;
    counts.copies = self->copies.copies;
    counts.members = self->tenures.view.count;
    counts.uncommitted = self->copies.bytes;
    counts.settled = relay_handover_is_done(&self->handover);
    counts.serves = relay_mesh_serves(self->mesh);
    relay_peer_slot_t at = 0;
    for (link_t *link; (link = relay_peers_next(&self->context.peers, &at)) != NULL;) {
        counts.links++;
        counts.edges += link_peer_role(link) == ROLE_EDGE;
    }
    return counts;
}
