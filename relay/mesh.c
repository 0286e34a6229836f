#include "base/clock.h"
#include "base/mem.h"
#include "relay/mesh_inside.h"

/* Who joins may not be the only one: relays that are started together come in one step. */
#define JOIN_QUIET_US (50u * CLOCK_MS)

/* Who was taken in and does not come for so long has changed its mind. */
#define JOIN_PATIENCE_US CLOCK_SEC

relay_mesh_t *relay_mesh_new(const relay_mesh_options_t *options, uint64_t now_us)
{
    relay_mesh_t *self = mem_new(sizeof *self);
    self->options = *options;
    self->random.state = options->seed;
    self->past = mem_new_n(MESH_PAST_VIEWS, sizeof *self->past);
    self->meetings = mem_new_n(VIEW_MEMBERS_MAX, sizeof *self->meetings);
    self->started_us = now_us;
    self->stirred = true;
    return self;
}

void relay_mesh_destroy(relay_mesh_t **self_p)
{
    relay_mesh_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    mem_free(self->past);
    mem_free(self->meetings);
    mem_free(self);
}

uint64_t relay_mesh_self(const relay_mesh_t *self)
{
    return node_id(self->node);
}

static void make_lone_view(relay_mesh_t *self, uint64_t number, view_t *out)
{
    *out = (view_t){.number = number};
    do
        out->lineage = random_next(&self->random);
    while (out->lineage == 0);
    (void)view_add(out, relay_mesh_self(self), span_str(self->options.name));
}

static void remember(relay_mesh_t *self)
{
    self->past[self->view.number % MESH_PAST_VIEWS] = self->view;
}

void relay_mesh_attach(relay_mesh_t *self, const node_t *node)
{
    self->node = node;
    make_lone_view(self, 1, &self->view);
    remember(self);
    ballot_box_open(&self->box, relay_mesh_self(self));
}

/* --- views --- */

void relay_mesh_install(relay_mesh_t *self, mesh_step_t step, const view_t *view, bool doubtful,
                        uint64_t now_us)
{
    view_t before = self->view;
    view_t after = *view; /* `view` may lie in what is cleared here */
    mesh_change_t change = {.step = step, .from = &before, .to = &after, .doubtful = doubtful};
    if (step != MESH_SUCCEEDED)
        self->left[self->left_count++ % MESH_LEFT_PLACES] = (mesh_place_t){before.lineage, before.number};
    self->view = after;
    remember(self);
    ballot_box_open(&self->box, relay_mesh_self(self));
    self->proposal_ends_us = self->retry_us = self->alone_since_us = 0;
    self->torn = 0;
    self->wanted = (view_t){0};
    self->installed_us = self->now_us = now_us;
    for (size_t i = 0; i < VIEW_MEMBERS_MAX; i++) {
        meeting_t *meeting = &self->meetings[i];
        meeting->arrived = false;
        meeting->belongs = meeting->met && meeting->view.lineage == after.lineage;
    }
    self->owes_meet = self->stirred = true;
    self->options.events->changed(self->options.context, &change, now_us);
}

void relay_mesh_leave(relay_mesh_t *self, bool doubtful, uint64_t now_us)
{
    view_t lone;
    make_lone_view(self, self->view.number + 1, &lone);
    relay_mesh_install(self, MESH_LEFT, &lone, doubtful, now_us);
}

static bool was_there(const relay_mesh_t *self, const view_t *view)
{
    for (size_t i = 0; i < MESH_LEFT_PLACES; i++) {
        if (self->left[i].lineage == view->lineage && self->left[i].number >= view->number)
            return true;
    }
    return false;
}

/* Who comes to a greater lineage comes as a guest, and all its members must take it for one. So a view that it has had
 * before, or whose predecessor has it as a member, is not for it: there it is one who never left. */
static bool is_invited(const relay_mesh_t *self, const meeting_t *host, const view_t *view)
{
    return host && host->view.lineage == view->lineage && host->view.number + 1 == view->number &&
           !view_find(&host->view, relay_mesh_self(self)) && !was_there(self, view) &&
           view_is_greater(view, &self->view);
}

static void take_install(relay_mesh_t *self, const link_t *link, const envelope_install_t *envelope,
                         uint64_t now_us)
{
    view_t view = {.lineage = envelope->lineage, .number = envelope->number};
    if (view.number == 0 || view_read_members(&view, envelope->members))
        return;
    bool in_it = view_find(&view, relay_mesh_self(self)) != NULL;
    if (view.lineage == self->view.lineage) {
        if (view.number != self->view.number + 1)
            return;
        if (in_it)
            relay_mesh_install(self, MESH_SUCCEEDED, &view, false, now_us);
        else
            relay_mesh_leave(self, true, now_us);
    } else if (in_it && is_invited(self, relay_mesh_find(self, link_peer(link)), &view)) {
        relay_mesh_install(self, MESH_JOINED, &view, false, now_us);
    }
}

/* --- wanting --- */

static bool fits(const relay_mesh_t *self, const view_t *chosen, uint64_t id)
{
    for (size_t i = 0; i < chosen->count; i++) {
        if (!relay_mesh_sees_each(self, id, chosen->members[i].id) ||
            !relay_mesh_sees_each(self, chosen->members[i].id, id))
            return false;
    }
    return true;
}

/* A member in another lineage: either it has still to come, or it was here and is gone. */
static bool has_left(const relay_mesh_t *self, const meeting_t *meeting)
{
    bool elsewhere = meeting->met && meeting->view.lineage != self->view.lineage;
    return elsewhere && (meeting->belongs || self->now_us >= self->installed_us + JOIN_PATIENCE_US);
}

/* Members of the view, then who may join it. A member that has left is first left out, for all to see that what it has is
 * not what it had; then it may join like any other. */
static bool is_eligible(const relay_mesh_t *self, const meeting_t *meeting, bool member)
{
    if (!meeting->link || !meeting->met)
        return false;
    bool same = meeting->view.lineage == self->view.lineage;
    bool listed = view_find(&self->view, link_peer(meeting->link)) != NULL;
    if (member)
        return listed && !has_left(self, meeting);
    return !same && !listed && view_is_greater(&self->view, &meeting->view);
}

static void choose(const relay_mesh_t *self, bool members, view_t *chosen)
{
    for (uint64_t after = 0;;) {
        const meeting_t *next = NULL; /* by id */
        for (size_t i = 0; i < VIEW_MEMBERS_MAX; i++) {
            const meeting_t *meeting = &self->meetings[i];
            if (is_eligible(self, meeting, members) && link_peer(meeting->link) > after &&
                (!next || link_peer(meeting->link) < link_peer(next->link)))
                next = meeting;
        }
        if (!next)
            return;
        after = link_peer(next->link);
        if (fits(self, chosen, after))
            (void)view_add(chosen, after, span_str(link_peer_name(next->link))); /* of a name there is one */
    }
}

static void work_out_wanted(const relay_mesh_t *self, view_t *out)
{
    *out = (view_t){0};
    (void)view_add(out, relay_mesh_self(self), span_str(self->options.name));
    choose(self, true, out);
    if (!relay_mesh_sees_greater(self))
        choose(self, false, out);
}

static bool same_members(const view_t *a, const view_t *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (a->members[i].id != b->members[i].id)
            return false;
    }
    return true;
}

static size_t place_in(const view_t *view, uint64_t id)
{
    const view_member_t *member = view_find(view, id);
    return member ? (size_t)(member - view->members) : 0;
}

static bool loses_members(const relay_mesh_t *self)
{
    for (size_t i = 0; i < self->view.count; i++) {
        if (!view_find(&self->wanted, self->view.members[i].id))
            return true;
    }
    return false;
}

/* Somebody is linked and has not said yet what it is: that comes at once, or the link goes. */
static bool awaits_meet(const relay_mesh_t *self)
{
    for (size_t i = 0; i < VIEW_MEMBERS_MAX; i++) {
        if (self->meetings[i].link && !self->meetings[i].met)
            return true;
    }
    return false;
}

/* When it is this relay's turn to propose what is wanted; UINT64_MAX: there is nothing to propose. */
static uint64_t proposal_due(const relay_mesh_t *self)
{
    bool changes = self->torn || !same_members(&self->wanted, &self->view);
    if (self->wanted.count == 0 || awaits_meet(self) || (!changes && !relay_mesh_voted(self)))
        return UINT64_MAX;
    uint64_t delay = MESH_PLACE_DELAY_US * place_in(&self->wanted, relay_mesh_self(self));
    if (!changes)
        delay += MESH_PROPOSAL_US;
    else if (!loses_members(self))
        delay += JOIN_QUIET_US;
    uint64_t due = self->wanted_since_us + delay;
    if (due < self->retry_us)
        due = self->retry_us;
    return due < self->proposal_ends_us ? self->proposal_ends_us : due;
}

static bool is_with_us(const relay_mesh_t *self, uint64_t member)
{
    if (member == relay_mesh_self(self))
        return true;
    const meeting_t *meeting = relay_mesh_find(self, member);
    return meeting && !has_left(self, meeting);
}

static bool has_majority(const relay_mesh_t *self)
{
    size_t reached = 0;
    for (size_t i = 0; i < self->view.count; i++)
        reached += is_with_us(self, self->view.members[i].id);
    return reached >= relay_mesh_majority(self);
}

/* Could a majority of the view come together again? */
static bool has_hope(const relay_mesh_t *self)
{
    size_t gone = 0;
    for (size_t i = 0; i < self->view.count; i++) {
        const meeting_t *meeting = relay_mesh_find(self, self->view.members[i].id);
        gone += meeting && has_left(self, meeting);
    }
    return self->view.count - gone >= relay_mesh_majority(self);
}

static uint64_t leaves_at(const relay_mesh_t *self)
{
    if (!self->alone_since_us)
        return UINT64_MAX;
    bool waits = self->view.count > 2 && has_hope(self);
    return self->alone_since_us + (waits ? MESH_MINORITY_US : MESH_ALONE_US);
}

static void leave_if_alone(relay_mesh_t *self, uint64_t now_us)
{
    if (has_majority(self)) {
        self->alone_since_us = 0;
        return;
    }
    if (!self->alone_since_us)
        self->alone_since_us = now_us;
    if (now_us >= leaves_at(self))
        relay_mesh_leave(self, relay_mesh_voted(self), now_us);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* When time alone changes something. */
static uint64_t next_change(const relay_mesh_t *self)
{
    uint64_t due = has_majority(self) ? proposal_due(self) : UINT64_MAX;
    due = earlier(due, leaves_at(self));
    if (!self->served)
        due = earlier(due, self->started_us + MESH_START_US);
    if (self->now_us < self->installed_us + JOIN_PATIENCE_US)
        due = earlier(due, self->installed_us + JOIN_PATIENCE_US);
    return due;
}

static void look_around(relay_mesh_t *self, uint64_t now_us)
{
    view_t wanted;
    work_out_wanted(self, &wanted);
    if (same_members(&wanted, &self->wanted))
        return;
    self->wanted = wanted;
    self->wanted_since_us = now_us;
}

bool relay_mesh_tick(relay_mesh_t *self, uint64_t now_us)
{
    if (!self->stirred && now_us < self->next_us)
        return false;
    self->stirred = false;
    self->now_us = now_us;
    leave_if_alone(self, now_us);
    self->served = self->served || now_us >= self->started_us + MESH_START_US;
    look_around(self, now_us);
    if (now_us >= proposal_due(self) && has_majority(self))
        relay_mesh_propose(self, now_us);
    if (self->owes_meet)
        relay_mesh_send_meets(self, now_us);
    relay_mesh_look_who_arrived(self, now_us);
    self->next_us = next_change(self);
    return true;
}

uint64_t relay_mesh_due(const relay_mesh_t *self)
{
    return self->stirred ? 0 : self->next_us;
}

/* --- envelopes --- */

void relay_mesh_envelope(relay_mesh_t *self, link_t *link, const envelope_t *envelope, uint64_t now_us)
{
    self->stirred = true;
    switch (envelope->kind) {
    case KIND_MEET: relay_mesh_take_meet(self, link, &envelope->meet, now_us); return;
    case KIND_INSTALL: take_install(self, link, &envelope->install, now_us); return;
    default: relay_mesh_take_vote(self, link, envelope, now_us);
    }
}

/* --- looking --- */

const view_t *relay_mesh_view(const relay_mesh_t *self)
{
    return &self->view;
}

bool relay_mesh_voted(const relay_mesh_t *self)
{
    return ballot_box_vote(&self->box)->ballot.counter > 0;
}

bool relay_mesh_has_arrived(const relay_mesh_t *self, uint64_t member)
{
    const meeting_t *meeting = relay_mesh_find(self, member);
    return meeting && meeting->arrived;
}

bool relay_mesh_serves(const relay_mesh_t *self)
{
    return !relay_mesh_sees_greater(self) && (!self->options.peers || self->view.count > 1 || self->served);
}
