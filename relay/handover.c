#include "relay/handover.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"

/* Channels that a turn looks at; a few microseconds each. */
#define SLICE 500u

/* What becomes of the COPYs behind a STATE. */
typedef enum filling { FILL_NONE, FILL_KEEP, FILL_PASS_OVER, FILL_GUEST, FILL_REFUSED } filling_t;

struct relay_giver {
    bool synced, settled;
    uint64_t kept;    /* STATEs and COPYs of this view that were for its replica, which is this relay */
    uint64_t counted; /* of these, as it was told */
    filling_t filling;
    bool for_replica; /* so the COPYs count */
    uint64_t left;    /* COPYs of the STATE that came last */
};

void relay_handover_init(relay_handover_t *self, relay_tenures_t *tenures, relay_copies_t *copies,
                         relay_publishers_t *publishers, const relay_handover_events_t *events)
{
    *self = (relay_handover_t){.tenures = tenures,
                               .copies = copies,
                               .publishers = publishers,
                               .events = *events,
                               .stage = HANDOVER_DONE};
    self->givers = mem_new_n(VIEW_MEMBERS_MAX, sizeof *self->givers);
}

void relay_handover_fini(relay_handover_t *self)
{
    mem_free(self->givers);
    self->givers = NULL;
}

void relay_handover_attach(relay_handover_t *self, const node_t *node, const relay_mesh_t *mesh)
{
    self->node = node;
    self->mesh = mesh;
}

void relay_handover_begin(relay_handover_t *self)
{
    memset(self->givers, 0, VIEW_MEMBERS_MAX * sizeof *self->givers);
    self->stage = HANDOVER_GATHERING;
    self->walk = 0;
}

static struct relay_giver *find_giver(const relay_handover_t *self, uint64_t member)
{
    const view_t *view = &self->tenures->view;
    const view_member_t *found = view_find(view, member);
    return found ? &self->givers[found - view->members] : NULL;
}

/* --- what others send --- */

static void record_id(relay_handover_t *self, const envelope_msg_t *message, position_t position,
                      uint64_t now_us)
{
    relay_publishers_record(self->publishers, message->node, message->counter, position, now_us);
}

typedef struct slot_search {
    const relay_handover_t *handover;
    uint64_t now_us;
} slot_search_t;

/* Who is not here may be on its way. */
static relay_peer_slot_t slot_of_node(void *context, uint64_t node)
{
    const slot_search_t *search = context;
    link_t *link = node_find_link(search->handover->node, node);
    if (link && link_is_up(link))
        return relay_peers_slot(link);
    return relay_peers_absent(&search->handover->tenures->context->peers, node, search->now_us);
}

/* The messages of a channel that another one's stream takes the place of join that stream. */
static void send_guests(relay_handover_t *self, relay_channel_t *channel, uint64_t now_us)
{
    const relay_history_t *history = relay_channel_history(channel);
    for (uint32_t at = 0; at < history->count; at++) {
        envelope_t message;
        span_t bytes = relay_message_bytes(relay_history_at(history, at));
        if (relay_history_at(history, at)->time_us < self->tenures->left_us)
            continue;
        if (envelope_decode(&bytes, &message) == OK)
            self->events.guest(self->events.context, &message.msg, now_us);
        self->guests++;
    }
}

/* Is what is sent better than what is here? */
static bool is_better(const relay_standing_t *here, position_t at, const envelope_state_t *state, bool fresh)
{
    if (fresh || here->foreign)
        return true;
    return state->tag != here->tag ? state->tag > here->tag : state->offset > at.offset;
}

static void adopt(relay_handover_t *self, relay_channel_t *channel, const envelope_state_t *state,
                  uint8_t giver, relay_tenure_t tenure, uint64_t now_us)
{
    relay_standing_t *standing = relay_channel_standing(channel);
    position_t position = {.offset = state->offset};
    if (standing->foreign && !(state->flags & STATE_FOREIGN))
        send_guests(self, channel, now_us);
    if (position_set_epoch(&position, state->epoch) == OK && position_known(position))
        relay_channel_adopt(channel, self->tenures->context, position);
    standing->step = self->tenures->step;
    standing->tag = (uint32_t)state->tag;
    standing->tenure = (uint8_t)tenure;
    standing->giver = giver;
    standing->foreign = (state->flags & STATE_FOREIGN) != 0;
    standing->renewed = false;
    slot_search_t search = {self, now_us};
    relay_channel_read_presence(channel, state->presence, slot_of_node, &search);
    self->taken++;
}

/* What is sent to the owner of a channel: the best of it is taken, guests' messages are published where there is something
 * already, or where their epoch may not go on. */
static filling_t take_for_owner(relay_handover_t *self, relay_channel_t *channel,
                                const envelope_state_t *state, uint8_t giver, bool fresh, uint64_t now_us)
{
    relay_standing_t *standing = relay_channel_standing(channel);
    bool guest = state->flags & STATE_FOREIGN;
    if (standing->tenure == RELAY_OWNED)
        return guest ? FILL_GUEST : FILL_PASS_OVER;
    if (guest && (state->epoch.size == 0 || !fresh))
        return FILL_GUEST;
    if (!is_better(standing, relay_channel_position(channel), state, fresh))
        return FILL_PASS_OVER;
    adopt(self, channel, state, giver, RELAY_STRAY, now_us);
    return FILL_KEEP;
}

static uint8_t place_of(const relay_handover_t *self, const struct relay_giver *giver)
{
    return (uint8_t)(giver - self->givers + 1);
}

static bool is_of_this_view(const relay_handover_t *self, uint64_t number)
{
    return number == self->tenures->view.number && !relay_mesh_voted(self->mesh);
}

/* There is no room for one channel more. Its owner goes on without a copy, and all others must not wait for this one: it
 * counts as kept, and is told in the log and by a metric. */
static void refuse(relay_handover_t *self, struct relay_giver *giver, span_t channel, int err)
{
    log_error("handover.refused", "channel=%s err=%s", log_safe(channel), err_name(err));
    giver->filling = FILL_REFUSED;
    giver->kept += giver->for_replica;
    self->refused++;
}

void relay_handover_take_state(relay_handover_t *self, link_t *from, const envelope_state_t *state,
                               uint64_t now_us)
{
    struct relay_giver *giver = find_giver(self, link_peer(from));
    if (!giver)
        return;
    giver->left = state->count;
    giver->filling = FILL_PASS_OVER;
    giver->for_replica = state->flags & STATE_COPY;
    if (giver->for_replica ? !is_of_this_view(self, state->number)
                           : state->number != self->tenures->view.number)
        return;
    bool fresh = !relay_directory_find(self->tenures->directory, state->channel);
    relay_channel_t *channel;
    int err = relay_directory_get(self->tenures->directory, state->channel, now_us, &channel);
    if (err) {
        refuse(self, giver, state->channel, err);
        return;
    }
    if (fresh)
        relay_channel_standing(channel)->step = self->tenures->step;
    relay_tenures_judge(self->tenures, channel);
    if (!giver->for_replica) {
        giver->filling = take_for_owner(self, channel, state, place_of(self, giver), fresh, now_us);
    } else {
        adopt(self, channel, state, place_of(self, giver), RELAY_COPY, now_us);
        giver->filling = FILL_KEEP;
        giver->kept++;
    }
}

static void fill(relay_handover_t *self, const struct relay_giver *giver, const envelope_copy_t *copy,
                 const envelope_msg_t *message, uint64_t now_us)
{
    relay_channel_t *channel = relay_directory_find(self->tenures->directory, message->channel);
    position_t position = {.offset = message->offset};
    if (!channel || position_set_epoch(&position, message->epoch))
        return;
    if (giver->filling == FILL_GUEST) {
        self->guests++;
        self->events.guest(self->events.context, message, now_us);
    } else if (giver->filling == FILL_KEEP &&
               relay_channel_standing(channel)->giver == place_of(self, giver)) {
        uint64_t time_us = copy->age_us < now_us ? now_us - copy->age_us : 0;
        relay_channel_keep(channel, self->tenures->context, copy->message, message->offset, time_us);
        record_id(self, message, position, now_us);
    }
}

/* A message of a channel that this relay is the replica of. false: it does not follow on what is here. A channel that is not
 * here was refused. */
static bool follow(relay_handover_t *self, const envelope_copy_t *copy, const envelope_msg_t *message,
                   uint64_t now_us)
{
    relay_channel_t *channel = relay_directory_find(self->tenures->directory, message->channel);
    position_t position = {.offset = message->offset};
    if (!channel)
        return true;
    if (position_set_epoch(&position, message->epoch))
        return false;
    relay_tenures_judge(self->tenures, channel);
    position_t top = relay_channel_position(channel);
    if (relay_channel_standing(channel)->tenure != RELAY_COPY || !position_same_epoch(top, position) ||
        position.offset > top.offset + 1)
        return false;
    if (position.offset == top.offset + 1) {
        relay_channel_follow(channel, self->tenures->context, copy->message, now_us);
        record_id(self, message, position, now_us);
    }
    return true;
}

void relay_handover_take_copy(relay_handover_t *self, link_t *from, const envelope_copy_t *copy,
                              uint64_t now_us)
{
    struct relay_giver *giver = find_giver(self, link_peer(from));
    envelope_t message;
    span_t bytes = copy->message;
    if (!giver || envelope_decode(&bytes, &message) || message.kind != KIND_MSG)
        return;
    bool of_state = giver->left > 0;
    if (of_state) {
        giver->left--;
        if (giver->filling == FILL_PASS_OVER)
            return;
    }
    if ((!of_state || giver->for_replica) && !is_of_this_view(self, copy->number))
        return;
    if (of_state) {
        fill(self, giver, copy, &message.msg, now_us);
        giver->kept += giver->for_replica;
    } else if (follow(self, copy, &message.msg, now_us)) {
        giver->kept++;
    } else {
        log_error("handover.copy_out_of_place", "channel=%s", log_safe(message.msg.channel));
        link_reset(from, ERR_MALFORMED, now_us);
    }
}

void relay_handover_take_synced(relay_handover_t *self, const link_t *from, const envelope_synced_t *synced)
{
    struct relay_giver *giver = find_giver(self, link_peer(from));
    const view_t *view = &self->tenures->view;
    if (giver && synced->lineage == view->lineage && synced->number == view->number)
        giver->synced = true;
}

void relay_handover_take_settled(relay_handover_t *self, const link_t *from,
                                 const envelope_settled_t *settled)
{
    struct relay_giver *giver = find_giver(self, link_peer(from));
    const view_t *view = &self->tenures->view;
    if (giver && settled->lineage == view->lineage && settled->number == view->number)
        giver->settled = true;
}

/* --- what this relay sends --- */

/* ERR_FULL: later. */
static int give(relay_handover_t *self, relay_channel_t *channel, uint64_t now_us)
{
    relay_tenures_judge(self->tenures, channel);
    const relay_standing_t *standing = relay_channel_standing(channel);
    view_ranks_t ranks = view_ranks(&self->tenures->view, relay_channel_name(channel));
    if (ranks.owner == self->tenures->self || !relay_tenures_may_know_more(self->tenures, channel))
        return OK;
    link_t *link = node_find_link(self->node, ranks.owner);
    if (!link || !link_is_up(link))
        return ERR_FULL; /* the view is about to change */
    uint64_t sent = 0;
    int err = relay_copies_send_state(self->copies, channel, link, standing->foreign ? STATE_FOREIGN : 0,
                                      now_us, &sent);
    self->given += !err;
    return err;
}

void relay_handover_take(relay_handover_t *self, relay_channel_t *channel, uint64_t now_us)
{
    const relay_standing_t *standing = relay_channel_standing(channel);
    if (standing->step == self->tenures->step && standing->tenure == RELAY_OWNED)
        return;
    if (standing->foreign && standing->renewed) {
        send_guests(self, channel, now_us);
        relay_channel_renew(channel, self->tenures->context, random_next(&self->tenures->random));
    }
    relay_tenures_take(self->tenures, channel);
}

static int take_and_copy(relay_handover_t *self, relay_channel_t *channel, uint64_t now_us)
{
    relay_tenures_judge(self->tenures, channel);
    view_ranks_t ranks = view_ranks(&self->tenures->view, relay_channel_name(channel));
    if (ranks.owner != self->tenures->self)
        return OK;
    relay_handover_take(self, channel, now_us);
    link_t *replica = NULL;
    switch (relay_copies_state(self->copies, relay_channel_name(channel), self->mesh, &replica)) {
    case REPLICA_NONE: return OK;
    case REPLICA_READY: return relay_copies_introduce(self->copies, channel, replica, now_us);
    default: return ERR_FULL;
    }
}

/* A slice of a walk over all channels. true: it is through. */
static bool walk(relay_handover_t *self, int (*visit)(relay_handover_t *, relay_channel_t *, uint64_t),
                 uint64_t now_us)
{
    relay_directory_t *directory = self->tenures->directory;
    for (size_t i = 0; i < SLICE && self->walk < relay_directory_count(directory); i++) {
        if (visit(self, relay_directory_at(directory, self->walk), now_us))
            return false;
        self->walk++;
    }
    return self->walk >= relay_directory_count(directory);
}

static void tell_members(const relay_handover_t *self, const envelope_t *envelope, uint64_t now_us)
{
    const view_t *view = &self->tenures->view;
    for (size_t i = 0; i < view->count; i++) {
        link_t *link = node_find_link(self->node, view->members[i].id);
        if (view->members[i].id != self->tenures->self && link &&
            link_send(link, envelope, now_us) == ERR_FULL)
            link_reset(link, ERR_FULL, now_us);
    }
}

typedef enum heard { HEARD_ARRIVED, HEARD_SYNCED, HEARD_SETTLED } heard_t;

static bool heard_from_all(const relay_handover_t *self, heard_t what)
{
    const view_t *view = &self->tenures->view;
    for (size_t i = 0; i < view->count; i++) {
        const struct relay_giver *giver = &self->givers[i];
        if (view->members[i].id == self->tenures->self)
            continue;
        if (what == HEARD_ARRIVED ? !relay_mesh_has_arrived(self->mesh, view->members[i].id)
                                  : !(what == HEARD_SYNCED ? giver->synced : giver->settled))
            return false;
    }
    return true;
}

static void say_kept(relay_handover_t *self, uint64_t now_us)
{
    const view_t *view = &self->tenures->view;
    if (relay_mesh_voted(self->mesh))
        return;
    for (size_t i = 0; i < view->count; i++) {
        struct relay_giver *giver = &self->givers[i];
        link_t *link = giver->kept == giver->counted ? NULL : node_find_link(self->node, view->members[i].id);
        envelope_t copied = {.kind = KIND_COPIED, .copied = {view->number, giver->kept}};
        if (link && link_send(link, &copied, now_us) == OK)
            giver->counted = giver->kept;
    }
}

static void go(relay_handover_t *self, relay_handover_stage_t stage)
{
    self->stage = stage;
    self->walk = 0;
}

/* true: the stage is through. */
static bool advance(relay_handover_t *self, uint64_t now_us)
{
    const view_t *view = &self->tenures->view;
    envelope_t synced = {.kind = KIND_SYNCED, .synced = {view->lineage, view->number}};
    envelope_t settled = {.kind = KIND_SETTLED, .settled = {view->lineage, view->number}};
    switch (self->stage) {
    case HANDOVER_GATHERING:
        if (!heard_from_all(self, HEARD_ARRIVED))
            return false;
        go(self, HANDOVER_GIVING);
        return true;
    case HANDOVER_GIVING:
        if (!walk(self, give, now_us))
            return false;
        go(self, HANDOVER_RECEIVING);
        tell_members(self, &synced, now_us);
        return true;
    case HANDOVER_RECEIVING:
        if (!heard_from_all(self, HEARD_SYNCED))
            return false;
        self->tenures->synced = true;
        go(self, HANDOVER_COPYING);
        return true;
    case HANDOVER_COPYING:
        if (!walk(self, take_and_copy, now_us) || !relay_copies_are_kept(self->copies))
            return false;
        go(self, HANDOVER_SETTLING);
        tell_members(self, &settled, now_us);
        return true;
    case HANDOVER_SETTLING:
        if (!heard_from_all(self, HEARD_SETTLED))
            return false;
        go(self, HANDOVER_DONE);
        log_info("handover.settled", "members=%zu", view->count);
        return true;
    default: return false;
    }
}

bool relay_handover_turn(relay_handover_t *self, uint64_t now_us)
{
    say_kept(self, now_us);
    if (self->stage == HANDOVER_DONE)
        return false;
    if (advance(self, now_us))
        return self->stage != HANDOVER_DONE;
    /* A walk that a full link holds up goes on when something has left; one that is only long goes on at once. */
    bool walking = self->stage == HANDOVER_GIVING || self->stage == HANDOVER_COPYING;
    return walking && self->walk % SLICE == 0 && self->walk > 0 &&
           self->walk < relay_directory_count(self->tenures->directory);
}
