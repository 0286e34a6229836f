/* relay/mesh_voting - the part of relay/mesh that votes, and asks for votes, about the successor of its view. */
#include "relay/mesh_inside.h"

size_t relay_mesh_majority(const relay_mesh_t *self)
{
    return self->view.count / 2 + 1;
}

static bool is_about_this_view(const relay_mesh_t *self, uint64_t lineage, uint64_t number)
{
    return lineage == self->view.lineage && number == self->view.number;
}

/* To all of these but this one. */
static void send_to_members(relay_mesh_t *self, const view_t *view, const envelope_t *envelope,
                            uint64_t now_us)
{
    for (size_t i = 0; i < view->count; i++) {
        const meeting_t *meeting = relay_mesh_find(self, view->members[i].id);
        if (meeting)
            relay_mesh_send(meeting->link, envelope, now_us);
    }
}

static void send_nack(relay_mesh_t *self, link_t *link, uint64_t now_us)
{
    envelope_t nack = {
        .kind = KIND_NACK,
        .nack = {self->view.lineage, self->view.number, ballot_box_promised(&self->box).counter}};
    relay_mesh_send(link, &nack, now_us);
}

static void take_prepare(relay_mesh_t *self, link_t *link, const envelope_prepare_t *prepare, uint64_t now_us)
{
    ballot_t ballot = {prepare->ballot, link_peer(link)};
    if (!ballot_box_promise(&self->box, ballot)) {
        send_nack(self, link, now_us);
        return;
    }
    buf_t members = {0};
    const ballot_vote_t *vote = ballot_box_vote(&self->box);
    view_write_members(&vote->value, &members);
    envelope_t promise = {.kind = KIND_PROMISE,
                          .promise = {self->view.lineage, self->view.number, ballot.counter,
                                      vote->ballot.counter, vote->ballot.proposer, buf_span(&members)}};
    relay_mesh_send(link, &promise, now_us);
    buf_fini(&members);
}

/* Of another lineage, that would take this relay in: it says that it is there, and promises nothing. */
static void answer_invitation(link_t *link, const envelope_prepare_t *prepare, uint64_t now_us)
{
    envelope_t promise = {.kind = KIND_PROMISE,
                          .promise = {prepare->lineage, prepare->number, prepare->ballot, 0, 0, {0}}};
    relay_mesh_send(link, &promise, now_us);
}

static void take_accept(relay_mesh_t *self, link_t *link, const envelope_accept_t *accept, uint64_t now_us)
{
    ballot_vote_t vote = {.ballot = {accept->ballot, link_peer(link)}};
    if (view_read_members(&vote.value, accept->members) || vote.value.count == 0)
        return;
    if (!ballot_box_cast(&self->box, &vote)) {
        send_nack(self, link, now_us);
        return;
    }
    envelope_t accepted = {.kind = KIND_ACCEPTED,
                           .accepted = {self->view.lineage, self->view.number, accept->ballot}};
    relay_mesh_send(link, &accepted, now_us);
}

/* The successor is what a majority has voted for. */
static void decide(relay_mesh_t *self, uint64_t now_us)
{
    view_t successor = ballot_box_proposal(&self->box)->value;
    view_t before = self->view;
    successor.lineage = self->view.lineage;
    successor.number = self->view.number + 1;
    if (self->owes_meet)
        relay_mesh_send_meets(self, now_us); /* who is to join has to know what it joins */
    if (view_find(&successor, relay_mesh_self(self)))
        relay_mesh_install(self, MESH_SUCCEEDED, &successor, false, now_us);
    else
        relay_mesh_leave(self, true, now_us);
    for (size_t i = 0; i < VIEW_MEMBERS_MAX; i++) {
        link_t *link = self->meetings[i].link;
        if (link && (view_find(&before, link_peer(link)) || view_find(&successor, link_peer(link))))
            relay_mesh_send_install(link, &successor, now_us);
    }
}

static void ask_for_votes(relay_mesh_t *self, uint64_t now_us)
{
    const ballot_vote_t *proposal = ballot_box_ask(&self->box);
    buf_t members = {0};
    view_write_members(&proposal->value, &members);
    envelope_t accept = {
        .kind = KIND_ACCEPT,
        .accept = {self->view.lineage, self->view.number, proposal->ballot.counter, buf_span(&members)}};
    send_to_members(self, &self->view, &accept, now_us);
    buf_fini(&members);
    if (ballot_box_count_accept(&self->box, relay_mesh_self(self)) >= relay_mesh_majority(self))
        decide(self, now_us);
}

/* A majority has promised, and all that are to stay or to join have answered: none of them is one that this relay only
 * believes to be there. */
static bool may_ask(const relay_mesh_t *self, size_t promises)
{
    const view_t *value = &ballot_box_proposal(&self->box)->value;
    if (promises < relay_mesh_majority(self))
        return false;
    for (size_t i = 0; i < value->count && !ballot_box_has_adopted(&self->box); i++) {
        uint64_t member = value->members[i].id;
        const meeting_t *meeting = relay_mesh_find(self, member);
        bool willing = meeting && meeting->willing == ballot_box_proposal(&self->box)->ballot.counter;
        if (!ballot_box_has_promised(&self->box, member) && !willing)
            return false;
    }
    return true;
}

/* It is no member, and may become one. */
static void take_joiners_promise(relay_mesh_t *self, const link_t *link, const envelope_promise_t *promise,
                                 uint64_t now_us)
{
    meeting_t *meeting = relay_mesh_find(self, link_peer(link));
    if (!meeting || promise->ballot != ballot_box_proposal(&self->box)->ballot.counter)
        return;
    meeting->willing = promise->ballot;
    if (!ballot_box_has_asked(&self->box) && may_ask(self, ballot_box_promises(&self->box)))
        ask_for_votes(self, now_us);
}

static void take_promise(relay_mesh_t *self, const link_t *link, const envelope_promise_t *promise,
                         uint64_t now_us)
{
    ballot_vote_t vote = {.ballot = {promise->voted_ballot, promise->voted_proposer}};
    if (!view_find(&self->view, link_peer(link))) {
        take_joiners_promise(self, link, promise, now_us);
        return;
    }
    if (view_read_members(&vote.value, promise->members))
        return;
    if (may_ask(self, ballot_box_count_promise(&self->box, promise->ballot, link_peer(link), &vote)))
        ask_for_votes(self, now_us);
}

static void take_accepted(relay_mesh_t *self, const link_t *link, const envelope_accepted_t *accepted,
                          uint64_t now_us)
{
    const ballot_vote_t *proposal = ballot_box_proposal(&self->box);
    if (accepted->ballot == proposal->ballot.counter && view_find(&self->view, link_peer(link)) &&
        ballot_box_count_accept(&self->box, link_peer(link)) >= relay_mesh_majority(self))
        decide(self, now_us);
}

static void take_nack(relay_mesh_t *self, const envelope_nack_t *nack, uint64_t now_us)
{
    ballot_box_yield(&self->box, nack->ballot);
    self->proposal_ends_us = 0;
    self->retry_us = now_us + random_below(&self->random, MESH_PLACE_DELAY_US);
}

void relay_mesh_propose(relay_mesh_t *self, uint64_t now_us)
{
    ballot_t ballot = ballot_box_propose(&self->box, &self->wanted);
    for (size_t i = 0; i < VIEW_MEMBERS_MAX; i++)
        self->meetings[i].willing = 0;
    self->proposal_ends_us = now_us + MESH_PROPOSAL_US;
    envelope_t prepare = {.kind = KIND_PREPARE,
                          .prepare = {self->view.lineage, self->view.number, ballot.counter}};
    send_to_members(self, &self->view, &prepare, now_us);
    for (size_t i = 0; i < self->wanted.count; i++) {
        const meeting_t *meeting = relay_mesh_find(self, self->wanted.members[i].id);
        if (meeting && !view_find(&self->view, self->wanted.members[i].id))
            relay_mesh_send(meeting->link, &prepare, now_us);
    }
    if (may_ask(self, ballot_box_count_promise(&self->box, ballot.counter, relay_mesh_self(self),
                                               ballot_box_vote(&self->box))))
        ask_for_votes(self, now_us);
}

void relay_mesh_take_vote(relay_mesh_t *self, link_t *link, const envelope_t *envelope, uint64_t now_us)
{
#define ABOUT_THIS(member) is_about_this_view(self, envelope->member.lineage, envelope->member.number)
    switch (envelope->kind) {
    case KIND_PREPARE:
        if (ABOUT_THIS(prepare))
            take_prepare(self, link, &envelope->prepare, now_us);
        else if (envelope->prepare.lineage != self->view.lineage)
            answer_invitation(link, &envelope->prepare, now_us);
        return;
    case KIND_PROMISE:
        if (ABOUT_THIS(promise))
            take_promise(self, link, &envelope->promise, now_us);
        return;
    case KIND_ACCEPT:
        if (ABOUT_THIS(accept))
            take_accept(self, link, &envelope->accept, now_us);
        return;
    case KIND_ACCEPTED:
        if (ABOUT_THIS(accepted))
            take_accepted(self, link, &envelope->accepted, now_us);
        return;
    case KIND_NACK:
        if (ABOUT_THIS(nack))
            take_nack(self, &envelope->nack, now_us);
        return;
    default: return;
    }
#undef ABOUT_THIS
}
