#include "relay/channel.h"

#include <stddef.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "protocol/recall.h"

struct relay_channel {
    const channel_options_t *options; /* borrowed */
    char epoch[EPOCH_SIZE];
    uint64_t offset; /* of the newest message; 0 = none yet */
    relay_history_t history;
    relay_standing_t standing;
    relay_presence_t *presence; /* owned; NULL where nobody needs to know */
    union {
        relay_peer_slot_t one;   /* while count is 1 at most: most channels have one listener */
        relay_peer_slot_t *many; /* owned; unordered, no holes */
    } slots;
    uint32_t count;    /* of slots */
    uint32_t capacity; /* of slots.many; 1 = slots.one is used */
    uint32_t place;    /* in the directory */
    uint32_t used_s;   /* the last time that anybody came, left or published; monotonic, seconds */
    uint8_t name_size;
    char name[]; /* begins in what would be padding: a million channels are a million times that */
};

static void touch(relay_channel_t *self, uint64_t now_us)
{
    self->used_s = (uint32_t)(now_us / CLOCK_SEC);
}

relay_channel_t *relay_channel_new(span_t name, const channel_options_t *options, uint64_t random,
                                   uint64_t now_us)
{
    relay_channel_t *self = mem_new(offsetof(relay_channel_t, name) + name.size);
    position_t position = {0};
    position_new_epoch(&position, random);
    memcpy(self->epoch, position.epoch, EPOCH_SIZE);
    self->options = options;
    self->capacity = 1;
    touch(self, now_us);
    self->name_size = (uint8_t)name.size;
    memcpy(self->name, name.data, name.size);
    if (options->presence || options->join_leave)
        self->presence = relay_presence_new();
    return self;
}

void relay_channel_destroy(relay_channel_t **self_p, relay_context_t *context)
{
    relay_channel_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    relay_history_fini(&self->history, &context->store);
    relay_presence_destroy(&self->presence);
    if (self->capacity > 1)
        mem_free(self->slots.many);
    mem_free(self);
}

span_t relay_channel_name(const relay_channel_t *self)
{
    return span_new(self->name, self->name_size);
}

position_t relay_channel_position(const relay_channel_t *self)
{
    position_t position = {.offset = self->offset};
    memcpy(position.epoch, self->epoch, EPOCH_SIZE);
    return position;
}

const channel_options_t *relay_channel_options(const relay_channel_t *self)
{
    return self->options;
}

size_t relay_channel_subscribers(const relay_channel_t *self)
{
    return self->count;
}

#define CACHE_LINE 64u

void relay_channel_fetch(const relay_channel_t *self, unsigned stage)
{
    if (stage > 0) {
        relay_history_fetch(&self->history, stage - 1);
        return;
    }
    for (size_t at = 0; at < sizeof *self; at += CACHE_LINE)
        __builtin_prefetch((const char *)self + at);
    __builtin_prefetch(self->name);
}

uint32_t relay_channel_place(const relay_channel_t *self)
{
    return self->place;
}

void relay_channel_set_place(relay_channel_t *self, uint32_t place)
{
    self->place = place;
}

/* --- who listens --- */

static relay_peer_slot_t *slots_of(relay_channel_t *self)
{
    return self->capacity > 1 ? self->slots.many : &self->slots.one;
}

static void add_slot(relay_channel_t *self, relay_peer_slot_t slot)
{
    relay_peer_slot_t *slots = slots_of(self);
    for (uint32_t i = 0; i < self->count; i++) {
        if (slots[i] == slot)
            return;
    }
    if (self->count == self->capacity) {
        uint32_t capacity = self->capacity * 2;
        relay_peer_slot_t *many = mem_new_n(capacity, sizeof *many);
        memcpy(many, slots, self->count * sizeof *many);
        if (self->capacity > 1)
            mem_free(self->slots.many);
        self->slots.many = slots = many;
        self->capacity = capacity;
    }
    slots[self->count++] = slot;
}

static void remove_slot_at(relay_channel_t *self, uint32_t at)
{
    relay_peer_slot_t *slots = slots_of(self);
    slots[at] = slots[--self->count];
}

static void send_missed(relay_channel_t *self, relay_context_t *context, relay_peer_slot_t peer, uint32_t at,
                        uint64_t now_us)
{
    for (; at < self->history.count; at++) {
        span_t encoded = relay_message_bytes(relay_history_at(&self->history, at));
        if (relay_peers_send(&context->peers, peer, encoded, now_us))
            return;
        context->deliveries++;
    }
}

void relay_channel_subscribe(relay_channel_t *self, relay_context_t *context, relay_peer_slot_t peer,
                             position_t from, uint64_t request, uint64_t now_us)
{
    relay_history_trim(&self->history, &context->store, self->options, now_us);
    position_t top = relay_channel_position(self);
    uint32_t at = self->history.count;
    bool recovered = position_known(from) && position_same_epoch(from, top) &&
                     relay_history_covers(&self->history, from.offset, top.offset, &at);
    context->unrecovered += position_known(from) && !recovered;
    envelope_t answer = {.kind = KIND_SUB_OK,
                         .sub_ok = {relay_channel_name(self), position_epoch(&top), top.offset,
                                    recovered ? from.offset : top.offset, recovered, request}};
    add_slot(self, peer);
    touch(self, now_us);
    buf_clear(&context->scratch);
    envelope_encode(&context->scratch, &answer);
    int err = relay_peers_send(&context->peers, peer, buf_span(&context->scratch), now_us);
    if (!err && recovered)
        send_missed(self, context, peer, at, now_us);
}

void relay_channel_unsubscribe(relay_channel_t *self, relay_peer_slot_t peer, uint64_t now_us)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (slots_of(self)[i] == peer) {
            remove_slot_at(self, i);
            break;
        }
    }
    touch(self, now_us);
}

/* --- publishing --- */

static void encode_message(const relay_channel_t *self, const envelope_pub_t *pub, uint64_t offset,
                           uint64_t wall_us, buf_t *out)
{
    envelope_t message = {
        .kind = KIND_MSG,
        .msg = {.channel = relay_channel_name(self),
                .epoch = span_new(self->epoch, EPOCH_SIZE),
                .offset = offset,
                .time_us = wall_us,
                .node = pub->node,
                .counter = pub->counter,
                .flags = pub->flags & ~(uint64_t)MESSAGE_RESENT,
                .client = pub->client,
                .user = pub->user,
                .info = pub->info,
                .payload = pub->payload},
    };
    buf_clear(out);
    envelope_encode(out, &message);
}

position_t relay_channel_place_next(relay_channel_t *self, relay_context_t *context,
                                    const envelope_pub_t *publication, uint64_t now_us, uint64_t wall_us)
{
    position_t next = relay_channel_position(self);
    next.offset += ++self->standing.waiting;
    touch(self, now_us);
    encode_message(self, publication, next.offset, wall_us, &context->scratch);
    return next;
}

void relay_channel_commit(relay_channel_t *self, relay_context_t *context, span_t encoded, uint64_t now_us)
{
    self->standing.waiting--;
    self->offset++;
    relay_history_append(&self->history, &context->store, self->options, encoded, self->offset, now_us);
    for (uint32_t i = 0; i < self->count; i++) {
        if (relay_peers_send(&context->peers, slots_of(self)[i], encoded, now_us) == OK)
            context->deliveries++;
    }
}

position_t relay_channel_publish(relay_channel_t *self, relay_context_t *context,
                                 const envelope_pub_t *publication, uint64_t now_us, uint64_t wall_us)
{
    position_t position = relay_channel_place_next(self, context, publication, now_us, wall_us);
    relay_channel_commit(self, context, buf_span(&context->scratch), now_us);
    return position;
}

bool relay_channel_may_hold(const relay_channel_t *self, position_t position, uint64_t node, uint64_t counter)
{
    position_t top = relay_channel_position(self);
    uint32_t at;
    if (!position_same_epoch(top, position) || position.offset == 0 || position.offset > top.offset)
        return false;
    if (!relay_history_covers(&self->history, position.offset - 1, top.offset, &at))
        return true;
    envelope_t message;
    span_t bytes = relay_message_bytes(relay_history_at(&self->history, at));
    int err = envelope_decode(&bytes, &message);
    CHECK(!err);
    return message.msg.node == node && message.msg.counter == counter;
}

/* --- who is present --- */

const relay_presence_t *relay_channel_presence(const relay_channel_t *self)
{
    return self->options->presence ? self->presence : NULL;
}

static void tell_all(relay_channel_t *self, relay_context_t *context, const envelope_t *envelope,
                     uint64_t now_us)
{
    buf_clear(&context->scratch);
    envelope_encode(&context->scratch, envelope);
    for (uint32_t i = 0; i < self->count; i++)
        (void)relay_peers_send(&context->peers, slots_of(self)[i], buf_span(&context->scratch), now_us);
}

void relay_channel_join(relay_channel_t *self, relay_context_t *context, relay_peer_slot_t peer,
                        const envelope_join_t *join, uint64_t now_us)
{
    if (!self->presence || !relay_presence_join(self->presence, join, peer))
        return;
    if (self->options->join_leave)
        tell_all(self, context, &(envelope_t){.kind = KIND_JOIN, .join = *join}, now_us);
}

typedef struct leaving {
    relay_channel_t *channel;
    relay_context_t *context;
    uint64_t now_us;
} leaving_t;

static void client_left(void *user, span_t client, span_t client_user, span_t info)
{
    const leaving_t *leaving = user;
    if (!leaving->channel->options->join_leave)
        return;
    envelope_t leave = {.kind = KIND_LEAVE,
                        .leave = {relay_channel_name(leaving->channel), client, client_user, info}};
    tell_all(leaving->channel, leaving->context, &leave, leaving->now_us);
}

void relay_channel_leave(relay_channel_t *self, relay_context_t *context, relay_peer_slot_t peer,
                         span_t client, uint64_t now_us)
{
    leaving_t leaving = {self, context, now_us};
    if (self->presence)
        relay_presence_leave(self->presence, client, peer, client_left, &leaving);
}

bool relay_channel_sweep_presence(relay_channel_t *self, relay_context_t *context, size_t *budget,
                                  uint64_t now_us)
{
    if (!self->presence || context->peers.dead == 0)
        return true;
    leaving_t leaving = {self, context, now_us};
    size_t cost = self->options->join_leave ? 1 + self->count : 1;
    size_t affordable = *budget / cost + 1; /* a channel with more listeners than budget gets on, too */
    size_t most = affordable;
    bool done = relay_presence_sweep(self->presence, &context->peers, &most, client_left, &leaving);
    size_t spent = (affordable - most) * cost;
    *budget -= spent < *budget ? spent : *budget;
    return done;
}

void relay_channel_write_presence(const relay_channel_t *self, const relay_context_t *context, buf_t *out)
{
    if (self->presence)
        relay_presence_write(self->presence, &context->peers, out);
}

void relay_channel_read_presence(relay_channel_t *self, span_t list, relay_presence_slot_fn *slot_of,
                                 void *context)
{
    if (self->presence)
        relay_presence_read(self->presence, list, slot_of, context);
}

/* --- what another relay knew of it --- */

relay_standing_t *relay_channel_standing(relay_channel_t *self)
{
    return &self->standing;
}

void relay_channel_adopt(relay_channel_t *self, relay_context_t *context, position_t position)
{
    relay_history_fini(&self->history, &context->store);
    memcpy(self->epoch, position.epoch, EPOCH_SIZE);
    self->offset = position.offset;
    self->standing.waiting = 0;
}

void relay_channel_renew(relay_channel_t *self, relay_context_t *context, uint64_t random)
{
    position_t fresh = {0};
    position_new_epoch(&fresh, random);
    relay_channel_adopt(self, context, fresh);
}

void relay_channel_keep(relay_channel_t *self, relay_context_t *context, span_t encoded, uint64_t offset,
                        uint64_t time_us)
{
    relay_history_append(&self->history, &context->store, self->options, encoded, offset, time_us);
}

void relay_channel_follow(relay_channel_t *self, relay_context_t *context, span_t encoded, uint64_t now_us)
{
    self->offset++;
    touch(self, now_us);
    relay_channel_keep(self, context, encoded, self->offset, now_us);
}

const relay_history_t *relay_channel_history(const relay_channel_t *self)
{
    return &self->history;
}

void relay_channel_let_listeners_go(relay_channel_t *self)
{
    self->count = 0;
}

/* --- recalling --- */

/* A run of places in the history, walked from `at` on. */
typedef struct run {
    uint32_t at;
    uint32_t count;
    bool backwards;
} run_t;

static run_t choose_run(const relay_channel_t *self, const relay_recall_t *recall)
{
    bool known = position_known(recall->since);
    uint32_t behind = known ? relay_history_after(&self->history, recall->since.offset) : 0;
    run_t run = {.at = behind, .count = self->history.count - behind};
    if (recall->reverse) {
        uint64_t before = known && recall->since.offset ? recall->since.offset - 1 : UINT64_MAX - 1;
        uint32_t end = known ? relay_history_after(&self->history, before) : self->history.count;
        run = (run_t){.at = end ? end - 1 : 0, .count = end, .backwards = true};
    }
    if (run.count > recall->limit)
        run.count = (uint32_t)recall->limit;
    return run;
}

/* As many messages of the run as fit into a list. Their number. */
static uint32_t append_run(const relay_channel_t *self, run_t run, buf_t *messages)
{
    uint32_t done = 0;
    for (; done < run.count; done++) {
        span_t bytes = relay_message_bytes(
            relay_history_at(&self->history, run.backwards ? run.at - done : run.at + done));
        if (messages->size + bytes.size > LIST_MAX - 64)
            break;
        buf_append_span(messages, bytes);
    }
    return done;
}

void relay_channel_recall(relay_channel_t *self, relay_context_t *context, const relay_recall_t *recall,
                          uint64_t now_us, buf_t *out)
{
    relay_history_trim(&self->history, &context->store, self->options, now_us);
    position_t top = relay_channel_position(self);
    bool same = !position_known(recall->since) || position_same_epoch(recall->since, top);
    buf_t messages = {0};
    uint32_t at;
    uint32_t count = same ? append_run(self, choose_run(self, recall), &messages) : 0;
    bool complete = position_known(recall->since) && same &&
                    relay_history_covers(&self->history, recall->since.offset, top.offset, &at) &&
                    count == top.offset - recall->since.offset;
    recall_write(out, &(recall_t){top, complete, buf_span(&messages)}, count);
    buf_fini(&messages);
}

void relay_channel_forget(relay_channel_t *self, relay_context_t *context)
{
    relay_history_fini(&self->history, &context->store);
}

/* --- sweeping --- */

bool relay_channel_sweep(relay_channel_t *self, relay_context_t *context, uint64_t now_us)
{
    for (uint32_t i = self->count; i-- > 0;) {
        if (!relay_peers_live(&context->peers, slots_of(self)[i]))
            remove_slot_at(self, i);
    }
    relay_history_trim(&self->history, &context->store, self->options, now_us);
    if (self->count || self->history.count || self->standing.waiting || self->standing.held)
        return true;
    uint64_t idle = self->standing.tenure == RELAY_COPY ? RELAY_COPY_IDLE_US : RELAY_CHANNEL_IDLE_US;
    bool present = self->presence && relay_presence_count(self->presence);
    return present || now_us < self->used_s * (uint64_t)CLOCK_SEC + idle;
}
