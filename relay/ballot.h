/* relay/ballot - one vote about the successor of a view: single-decree Paxos, both sides of it (Lamport, "Paxos Made
 * Simple", 2001).
 * Owner:  relay/mesh embeds one, and opens it anew for each view.
 * Thread: the relay loop. Pure: who is asked, and what a majority is, is the mesh's business.
 *
 * Votes are kept in memory: a relay that restarts is another member.
 */
#ifndef HEDDLE_RELAY_BALLOT_H
#define HEDDLE_RELAY_BALLOT_H

#include "protocol/view.h"

/* By counter, then by proposer. Counter 0: none. */
typedef struct ballot {
    uint64_t counter, proposer;
} ballot_t;

/* A counter grows by one with each attempt: one above is none. */
#define BALLOT_COUNTER_MAX UINT32_MAX

typedef struct ballot_vote {
    ballot_t ballot; /* none: no vote was cast */
    view_t value;
} ballot_vote_t;

typedef struct ballot_box {
    uint64_t self;     /* this member's id */
    ballot_t promised; /* nothing below is voted for */
    ballot_vote_t vote;
    ballot_vote_t proposal;              /* this member's own; ballot none = it has none */
    ballot_t adopted;                    /* of the highest vote that promises told of */
    uint64_t promises[VIEW_MEMBERS_MAX]; /* who promised */
    uint64_t accepts[VIEW_MEMBERS_MAX];  /* who voted for it */
    size_t promise_count, accept_count;
    bool asked;       /* for votes: its value stays */
    uint64_t highest; /* counter that was heard of */
} ballot_box_t;

void ballot_box_open(ballot_box_t *self, uint64_t self_id);

/* --- voting --- */

/* Promises to vote for nothing below; false: something higher was promised. */
bool ballot_box_promise(ballot_box_t *self, ballot_t ballot);

/* Votes; false: something higher was promised. */
bool ballot_box_cast(ballot_box_t *self, const ballot_vote_t *vote);

ballot_t ballot_box_promised(const ballot_box_t *self);
const ballot_vote_t *ballot_box_vote(const ballot_box_t *self);

/* --- proposing --- */

/* Begins a proposal above all ballots that were heard of, with this member's own promise. */
ballot_t ballot_box_propose(ballot_box_t *self, const view_t *value);

/* A member has promised, and told what it voted for before: the highest such value takes the place of one's own. How many have
 * promised; 0 if that is not the proposal that is on, or that member is counted already. */
size_t ballot_box_count_promise(ballot_box_t *self, uint64_t counter, uint64_t member,
                                const ballot_vote_t *voted);

size_t ballot_box_promises(const ballot_box_t *self); /* how many have promised */
bool ballot_box_has_asked(const ballot_box_t *self);
bool ballot_box_has_promised(const ballot_box_t *self, uint64_t member);

/* Is the value another proposer's, which may have been decided already? */
bool ballot_box_has_adopted(const ballot_box_t *self);

/* A majority has promised: votes are asked for, and the value stays what it is. */
const ballot_vote_t *ballot_box_ask(ballot_box_t *self);

/* A member has voted for the proposal; one's own call casts one's own vote. How many have; 0 if nothing is proposed, or
 * one's own promise forbids it. */
size_t ballot_box_count_accept(ballot_box_t *self, uint64_t member);

/* Gives the proposal up; the next one will be above that counter. */
void ballot_box_yield(ballot_box_t *self, uint64_t counter);

const ballot_vote_t *ballot_box_proposal(const ballot_box_t *self);

#endif
