#include "relay/ballot.h"

#include <string.h>

static bool is_below(ballot_t a, ballot_t b)
{
    return a.counter != b.counter ? a.counter < b.counter : a.proposer < b.proposer;
}

void ballot_box_open(ballot_box_t *self, uint64_t self_id)
{
    memset(self, 0, sizeof *self);
    self->self = self_id;
}

static void hear(ballot_box_t *self, uint64_t counter)
{
    if (counter > self->highest && counter <= BALLOT_COUNTER_MAX)
        self->highest = counter;
}

/* --- voting --- */

bool ballot_box_promise(ballot_box_t *self, ballot_t ballot)
{
    hear(self, ballot.counter);
    if (ballot.counter == 0 || ballot.counter > BALLOT_COUNTER_MAX || is_below(ballot, self->promised))
        return false;
    self->promised = ballot;
    return true;
}

bool ballot_box_cast(ballot_box_t *self, const ballot_vote_t *vote)
{
    if (!ballot_box_promise(self, vote->ballot))
        return false;
    self->vote = *vote;
    return true;
}

ballot_t ballot_box_promised(const ballot_box_t *self)
{
    return self->promised;
}

const ballot_vote_t *ballot_box_vote(const ballot_box_t *self)
{
    return &self->vote;
}

/* --- proposing --- */

ballot_t ballot_box_propose(ballot_box_t *self, const view_t *value)
{
    self->proposal = (ballot_vote_t){.ballot = {self->highest + 1, self->self}, .value = *value};
    self->adopted = (ballot_t){0};
    self->promise_count = self->accept_count = 0;
    self->asked = false;
    (void)ballot_box_promise(self, self->proposal.ballot);
    return self->proposal.ballot;
}

static bool is_among(const uint64_t *members, size_t count, uint64_t member)
{
    for (size_t i = 0; i < count; i++) {
        if (members[i] == member)
            return true;
    }
    return false;
}

size_t ballot_box_count_promise(ballot_box_t *self, uint64_t counter, uint64_t member,
                                const ballot_vote_t *voted)
{
    if (self->asked || counter == 0 || counter != self->proposal.ballot.counter ||
        self->promise_count == VIEW_MEMBERS_MAX || is_among(self->promises, self->promise_count, member))
        return 0;
    if (is_below(self->adopted, voted->ballot)) {
        self->adopted = voted->ballot;
        self->proposal.value = voted->value;
    }
    self->promises[self->promise_count++] = member;
    return self->promise_count;
}

size_t ballot_box_promises(const ballot_box_t *self)
{
    return self->promise_count;
}

bool ballot_box_has_asked(const ballot_box_t *self)
{
    return self->asked;
}

bool ballot_box_has_promised(const ballot_box_t *self, uint64_t member)
{
    return is_among(self->promises, self->promise_count, member);
}

bool ballot_box_has_adopted(const ballot_box_t *self)
{
    return self->adopted.counter > 0;
}

const ballot_vote_t *ballot_box_ask(ballot_box_t *self)
{
    self->asked = true;
    return &self->proposal;
}

size_t ballot_box_count_accept(ballot_box_t *self, uint64_t member)
{
    if (self->proposal.ballot.counter == 0)
        return 0;
    if (member == self->self && !ballot_box_cast(self, &self->proposal))
        return 0;
    if (self->accept_count < VIEW_MEMBERS_MAX && !is_among(self->accepts, self->accept_count, member))
        self->accepts[self->accept_count++] = member;
    return self->accept_count;
}

void ballot_box_yield(ballot_box_t *self, uint64_t counter)
{
    hear(self, counter);
    self->proposal.ballot = (ballot_t){0};
}

const ballot_vote_t *ballot_box_proposal(const ballot_box_t *self)
{
    return &self->proposal;
}
