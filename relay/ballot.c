#include "relay/ballot.h"

#include "base/check.h"

void relay_ballot_init(relay_ballot_t *self, const view_t *voters, uint64_t id)
{
    *self = (relay_ballot_t){.self = id, .voters = *voters};
    self->vote.lineage = self->proposal.lineage = voters->lineage;
    self->vote.number = self->proposal.number = voters->number + 1;
}

size_t relay_ballot_majority(size_t voters)
{
    return voters / 2 + 1;
}

size_t relay_ballot_share(const view_t *voters, const view_t *members)
{
    size_t share = 0;
    for (size_t i = 0; i < voters->count; i++)
        share += view_find(members, voters->members[i].id) != NULL;
    return share;
}

static bool is_below(ballot_number_t a, ballot_number_t b)
{
    return a.counter != b.counter ? a.counter < b.counter : a.proposer < b.proposer;
}

static bool is_number(ballot_number_t number)
{
    return number.counter > 0 && number.counter <= BALLOT_COUNTER_MAX;
}

static void hear_of(relay_ballot_t *self, uint64_t counter)
{
    if (counter > self->seen && counter <= BALLOT_COUNTER_MAX)
        self->seen = counter;
}

/* Takes the members alone: lineage and number follow from the voters'. */
static void set_members(view_t *view, const view_t *members)
{
    view->count = members->count;
    memcpy(view->members, members->members, sizeof view->members);
}

/* --- the voter --- */

bool relay_ballot_promise(relay_ballot_t *self, ballot_number_t number)
{
    if (!is_number(number) || is_below(number, self->promised))
        return false;
    hear_of(self, number.counter);
    self->promised = number;
    return true;
}

bool relay_ballot_accept(relay_ballot_t *self, ballot_number_t number, const view_t *members)
{
    if (relay_ballot_share(&self->voters, members) < relay_ballot_majority(self->voters.count))
        return false;
    if (!relay_ballot_promise(self, number))
        return false;
    self->voted = number;
    set_members(&self->vote, members);
    return true;
}

bool relay_ballot_has_voted(const relay_ballot_t *self)
{
    return self->voted.counter > 0;
}

/* --- the proposer --- */

static bool answer(relay_ballot_t *self, ballot_phase_t phase, uint64_t voter, uint64_t counter)
{
    const view_member_t *member = view_find(&self->voters, voter);
    if (self->phase != phase || counter != self->counter || !member)
        return false;
    self->answers |= UINT32_C(1) << (member - self->voters.members);
    return true;
}

static ballot_number_t own_number(const relay_ballot_t *self)
{
    return (ballot_number_t){self->counter, self->self};
}

void relay_ballot_start(relay_ballot_t *self)
{
    self->counter = ++self->seen;
    self->phase = BALLOT_PREPARING;
    self->answers = 0;
    self->highest = (ballot_number_t){0};
    if (relay_ballot_promise(self, own_number(self)))
        relay_ballot_promised(self, self->self, self->counter, self->voted, &self->vote);
    else
        relay_ballot_stop(self);
}

void relay_ballot_promised(relay_ballot_t *self, uint64_t voter, uint64_t counter, ballot_number_t voted,
                           const view_t *vote)
{
    if (!answer(self, BALLOT_PREPARING, voter, counter) || !is_number(voted))
        return;
    if (is_below(self->highest, voted)) {
        self->highest = voted;
        set_members(&self->proposal, vote);
    }
}

bool relay_ballot_propose(relay_ballot_t *self, const view_t *wanted)
{
    CHECK(self->phase == BALLOT_PREPARING && relay_ballot_has_majority(self));
    if (!is_number(self->highest))
        set_members(&self->proposal, wanted);
    self->phase = BALLOT_ACCEPTING;
    self->answers = 0;
    if (relay_ballot_accept(self, own_number(self), &self->proposal))
        answer(self, BALLOT_ACCEPTING, self->self, self->counter);
    else
        relay_ballot_stop(self);
    return self->phase == BALLOT_ACCEPTING;
}

void relay_ballot_accepted(relay_ballot_t *self, uint64_t voter, uint64_t counter)
{
    answer(self, BALLOT_ACCEPTING, voter, counter);
}

bool relay_ballot_has_majority(const relay_ballot_t *self)
{
    size_t count = 0;
    for (size_t i = 0; i < self->voters.count; i++)
        count += self->answers >> i & 1;
    return self->phase != BALLOT_IDLE && count >= relay_ballot_majority(self->voters.count);
}

void relay_ballot_refused(relay_ballot_t *self, uint64_t counter)
{
    hear_of(self, counter);
    if (counter >= self->counter)
        relay_ballot_stop(self);
}

void relay_ballot_stop(relay_ballot_t *self)
{
    self->phase = BALLOT_IDLE;
    self->answers = 0;
}
