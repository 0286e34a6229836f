/* relay/ballot - the vote on one view's successor: single-decree Paxos (Lamport, "Paxos Made Simple", 2001), as one of
 * the voters sees it: its own vote, and the proposal that it makes.
 * Owner:  the mesh embeds one; a new one for each view.
 * Thread: the relay loop. Pure: no links, no clock.
 * Life:   relay_ballot_init -> (promise | accept)* and, to propose, start -> promised* -> propose -> accepted*
 *
 * Two majorities of the same voters share one, who has voted once in each ballot, and tells a later proposer what
 * for. So when a majority has accepted a value no later ballot comes out otherwise.
 */
#ifndef HEDDLE_RELAY_BALLOT_H
#define HEDDLE_RELAY_BALLOT_H

#include "protocol/view.h"

/* Compared by counter, then by proposer, so no two proposers have the same. */
typedef struct ballot_number {
    uint64_t counter; /* 0 = none */
    uint64_t proposer;
} ballot_number_t;

/* Above that nobody gets by honest means: a counter grows with each attempt. */
#define BALLOT_COUNTER_MAX UINT32_MAX

typedef enum ballot_phase { BALLOT_IDLE, BALLOT_PREPARING, BALLOT_ACCEPTING } ballot_phase_t;

typedef struct relay_ballot {
    uint64_t self; /* a voter's id */
    view_t voters;

    /* The voter. */
    ballot_number_t promised; /* nothing below that is accepted */
    ballot_number_t voted;    /* the last one accepted */
    view_t vote;              /* ... and for which members; lineage and number are the successor's */

    /* The proposer. */
    ballot_phase_t phase;
    uint64_t counter;        /* of its ballot */
    uint64_t seen;           /* the highest counter anywhere */
    uint32_t answers;        /* bit i: voters.members[i] has answered in this phase */
    ballot_number_t highest; /* among the votes that the promises told */
    view_t proposal;         /* what that vote was for; while ACCEPTING, what is proposed */
} relay_ballot_t;

_Static_assert(VIEW_MEMBERS_MAX <= 32, "a bit for each voter");

void relay_ballot_init(relay_ballot_t *self, const view_t *voters, uint64_t id);

/* How many of so many are a majority. */
size_t relay_ballot_majority(size_t voters);

/* How many of the voters are among these members? */
size_t relay_ballot_share(const view_t *voters, const view_t *members);

/* --- the voter --- */

/* PREPARE: no vote below this number any more. False: a higher one is promised (or this is none). */
bool relay_ballot_promise(relay_ballot_t *self, ballot_number_t number);

/* ACCEPT: votes for these members. False: a higher number is promised, or no majority of the voters is among them. */
bool relay_ballot_accept(relay_ballot_t *self, ballot_number_t number, const view_t *members);

bool relay_ballot_has_voted(const relay_ballot_t *self);

/* --- the proposer --- */

/* Begins a ballot above all that it has heard of, and promises it to itself. */
void relay_ballot_start(relay_ballot_t *self);

/* A voter's promise for ballot `counter`, and its vote before. Votes of other ballots and of no voter count nothing. */
void relay_ballot_promised(relay_ballot_t *self, uint64_t voter, uint64_t counter, ballot_number_t voted,
                           const view_t *vote);

/* Goes on with what may be decided already, else with `wanted`: self->proposal. Votes for it. False: it has promised
 * a higher ballot meanwhile, and is IDLE. For a ballot that is PREPARING and has its majority. */
bool relay_ballot_propose(relay_ballot_t *self, const view_t *wanted);

void relay_ballot_accepted(relay_ballot_t *self, uint64_t voter, uint64_t counter);

/* A majority has answered in this phase. */
bool relay_ballot_has_majority(const relay_ballot_t *self);

/* Some voter has promised `counter`; a ballot of ours below it has failed. */
void relay_ballot_refused(relay_ballot_t *self, uint64_t counter);

/* Gives the ballot up. What was voted for may still be decided by another one. */
void relay_ballot_stop(relay_ballot_t *self);

#endif
