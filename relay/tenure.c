#include "relay/tenure.h"

#include "base/mem.h"

struct relay_step {
    mesh_step_t step;
    bool doubtful;
    bool copied; /* the replicas of `from` keep all that they were introduced to */
    view_t from, to;
};

void relay_tenures_init(relay_tenures_t *self, relay_context_t *context, relay_directory_t *directory,
                        bool replicas, uint64_t seed)
{
    *self = (relay_tenures_t){
        .context = context, .directory = directory, .replicas = replicas, .random = {seed}, .synced = true};
    self->steps = mem_new_n(RELAY_STEPS, sizeof *self->steps);
}

void relay_tenures_fini(relay_tenures_t *self)
{
    mem_free(self->steps);
    self->steps = NULL;
}

void relay_tenures_begin(relay_tenures_t *self, uint64_t self_id, const view_t *view)
{
    self->self = self_id;
    self->view = *view;
}

void relay_tenures_step(relay_tenures_t *self, const mesh_change_t *change, bool settled, bool copied,
                        uint64_t now_us)
{
    if (change->step == MESH_LEFT)
        self->left_us = now_us;
    struct relay_step *step = &self->steps[++self->step % RELAY_STEPS];
    step->step = change->step;
    step->doubtful = change->doubtful;
    step->copied = copied;
    step->from = *change->from;
    step->to = *change->to;
    self->view = *change->to;
    self->clean = settled && change->step == MESH_SUCCEEDED;
    self->synced = change->to->count == 1;
}

uint64_t relay_tenures_replica(const relay_tenures_t *self, const view_ranks_t *ranks)
{
    return self->replicas ? ranks->replica : 0;
}

/* --- judging --- */

/* The table of docs/decisions/0009: everybody who took part in the step comes to the same answer. */
static bool epoch_goes_on(const relay_tenures_t *self, const struct relay_step *step,
                          const view_ranks_t *ranks)
{
    uint64_t replica = relay_tenures_replica(self, ranks);
    switch (step->step) {
    case MESH_SUCCEEDED:
        return view_find(&step->to, ranks->owner) || (replica && view_find(&step->to, replica));
    case MESH_LEFT:
        if (!replica)
            return ranks->owner == self->self;
        return step->from.count == 2 && replica == self->self && !step->doubtful;
    default: return step->from.count == 1;
    }
}

/* Is what this relay has all that was ever confirmed? */
static bool has_all(const relay_tenures_t *self, const relay_standing_t *standing,
                    const struct relay_step *step, const view_ranks_t *before)
{
    if (standing->tenure == RELAY_OWNED)
        return true;
    return standing->tenure == RELAY_COPY && before->replica == self->self &&
           !view_find(&step->to, before->owner);
}

static void become(relay_standing_t *standing, relay_tenure_t tenure, const view_t *view)
{
    standing->tenure = (uint8_t)tenure;
    if (tenure != RELAY_STRAY)
        standing->tag = (uint32_t)view->number;
}

static void judge_success(relay_tenures_t *self, relay_channel_t *channel, const struct relay_step *step,
                          const view_ranks_t *before, bool goes_on)
{
    relay_standing_t *standing = relay_channel_standing(channel);
    view_ranks_t after = view_ranks(&step->to, relay_channel_name(channel));
    bool all = goes_on && has_all(self, standing, step, before);
    bool same_pair = after.owner == before->owner && after.replica == before->replica;
    if (after.owner == self->self && all) {
        standing->copied = standing->copied && standing->tenure == RELAY_OWNED && same_pair && step->copied;
        become(standing, RELAY_OWNED, &step->to);
        return;
    }
    bool still_copy = goes_on && standing->tenure == RELAY_COPY && same_pair;
    become(standing, still_copy ? RELAY_COPY : RELAY_STRAY, &step->to);
    standing->copied = false;
    standing->waiting = 0;
    relay_channel_let_listeners_go(channel);
    if (!goes_on)
        relay_channel_renew(channel, self->context, random_next(&self->random));
}

static void judge_leaving(relay_tenures_t *self, relay_channel_t *channel, const struct relay_step *step,
                          bool goes_on)
{
    relay_standing_t *standing = relay_channel_standing(channel);
    if (!goes_on || standing->tenure == RELAY_STRAY) {
        relay_channel_renew(channel, self->context, random_next(&self->random));
        relay_channel_let_listeners_go(
            channel); /* the lineage is new, so all of them subscribe again, and are told */
    }
    become(standing, RELAY_OWNED, &step->to);
    standing->copied = standing->foreign = standing->renewed = false;
}

static void judge_joining(relay_channel_t *channel, const struct relay_step *step, bool goes_on)
{
    relay_standing_t *standing = relay_channel_standing(channel);
    become(standing, RELAY_STRAY, &step->to);
    standing->renewed = standing->renewed || !goes_on;
    standing->foreign = true;
    standing->copied = false;
    standing->waiting = 0;
    relay_channel_let_listeners_go(channel);
}

static void judge_step(relay_tenures_t *self, relay_channel_t *channel, const struct relay_step *step)
{
    view_ranks_t before = view_ranks(&step->from, relay_channel_name(channel));
    bool goes_on = epoch_goes_on(self, step, &before);
    switch (step->step) {
    case MESH_SUCCEEDED: judge_success(self, channel, step, &before, goes_on); return;
    case MESH_LEFT: judge_leaving(self, channel, step, goes_on); return;
    default: judge_joining(channel, step, goes_on); return;
    }
}

void relay_tenures_judge(relay_tenures_t *self, relay_channel_t *channel)
{
    relay_standing_t *standing = relay_channel_standing(channel);
    if (self->step - standing->step > RELAY_STEPS) { /* so far behind that nobody can say what holds */
        standing->step = self->step - 1;
        standing->tenure = RELAY_STRAY;
        relay_channel_renew(channel, self->context, random_next(&self->random));
    }
    while (standing->step != self->step)
        judge_step(self, channel, &self->steps[++standing->step % RELAY_STEPS]);
}

bool relay_tenures_may_know_more(const relay_tenures_t *self, relay_channel_t *channel)
{
    const relay_standing_t *standing = relay_channel_standing(channel);
    if (standing->tenure == RELAY_COPY)
        return false;
    if (standing->foreign || !self->clean)
        return true;
    const struct relay_step *last = &self->steps[self->step % RELAY_STEPS];
    view_ranks_t before = view_ranks(&last->from, relay_channel_name(channel));
    return before.owner == self->self ||
           (relay_tenures_replica(self, &before) == self->self && !view_find(&last->to, before.owner));
}

/* --- claiming --- */

void relay_tenures_take(relay_tenures_t *self, relay_channel_t *channel)
{
    relay_standing_t *standing = relay_channel_standing(channel);
    standing->step = self->step;
    standing->foreign = standing->renewed = standing->copied = false;
    become(standing, RELAY_OWNED, &self->view);
}

static bool is_in_force(const relay_tenures_t *self, relay_channel_t *channel)
{
    const relay_standing_t *standing = relay_channel_standing(channel);
    return standing->step == self->step && standing->tenure == RELAY_OWNED;
}

relay_claim_t relay_tenures_claim(relay_tenures_t *self, span_t name, relay_channel_t **channel,
                                  uint64_t *owner)
{
    *owner = self->self;
    *channel = relay_directory_find(self->directory, name);
    if (*channel && is_in_force(self, *channel))
        return CLAIM_MINE;
    if (*channel)
        relay_tenures_judge(self, *channel);
    if (self->view.count > 1)
        *owner = view_ranks(&self->view, name).owner;
    if (*owner != self->self)
        return CLAIM_OTHERS;
    if (*channel && is_in_force(self, *channel))
        return CLAIM_MINE;
    return self->synced ? CLAIM_MINE : CLAIM_WAIT;
}
