#include "relay/mesh.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "protocol/codec.h"
#include "relay/ballot.h"

/* Who joins may not be the only one: relays that are started together come in one step. */
#define JOIN_QUIET_US (50u * CLOCK_MS)

/* The member with the smallest id proposes; each further one gives those before it so much more time. */
#define PLACE_DELAY_US (300u * CLOCK_MS)

/* Who was taken in and does not come for so long has changed its mind. */
#define JOIN_PATIENCE_US CLOCK_SEC

/* A proposal that nothing has come of. */
#define PROPOSAL_US CLOCK_SEC

_Static_assert(VIEW_MEMBERS_MAX <= 32, "each member has a bit");

/* Views that a member may have to be told of, one after another. */
#define PAST_VIEWS 16u

/* A relay that this one has a link with. */
typedef struct meeting {
    link_t *link; /* borrowed; NULL = free */
    bool met;     /* it has said MEET */
    bool belongs; /* and was in this lineage then, or once before */
    bool arrived; /* and is in the view that is in force here */
    view_t view;  /* its own */
    uint64_t sees[VIEW_MEMBERS_MAX];
    size_t sees_count;
    uint64_t willing; /* the ballot that it would join by */
    bool differs;     /* in what all must agree on; said once */
} meeting_t;

struct relay_mesh {
    relay_mesh_options_t options;
    const node_t *node; /* borrowed */
    random_t random;
    view_t view;
    view_t *past;        /* owned; PAST_VIEWS of them, by number */
    meeting_t *meetings; /* owned; VIEW_MEMBERS_MAX of them */
    ballot_box_t box;    /* the vote about the view's successor */
    view_t wanted;       /* whom the next view should have, as it was last worked out */
    uint64_t wanted_since_us;
    uint64_t proposal_ends_us; /* 0 = none is under way */
    uint64_t retry_us;         /* no new proposal before */
    uint64_t alone_since_us;   /* 0 = a majority is in reach */
    uint64_t started_us, installed_us;
    uint64_t now_us; /* of the last tick */
    uint32_t
        torn;    /* a bit for each member whose link went down in this view: it has to come to the next one */
    bool served; /* others had their time to be found */
    bool owes_meet; /* those who are linked have still to be told of a change */
};

relay_mesh_t *relay_mesh_new(const relay_mesh_options_t *options, uint64_t now_us)
{
    relay_mesh_t *self = mem_new(sizeof *self);
    self->options = *options;
    self->random.state = options->seed;
    self->past = mem_new_n(PAST_VIEWS, sizeof *self->past);
    self->meetings = mem_new_n(VIEW_MEMBERS_MAX, sizeof *self->meetings);
    self->started_us = now_us;
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

static uint64_t own_id(const relay_mesh_t *self)
{
    return node_id(self->node);
}

static void make_lone_view(relay_mesh_t *self, uint64_t number, view_t *out)
{
    *out = (view_t){.number = number};
    do
        out->lineage = random_next(&self->random);
    while (out->lineage == 0);
    (void)view_add(out, own_id(self), span_str(self->options.name));
}

static void remember(relay_mesh_t *self)
{
    self->past[self->view.number % PAST_VIEWS] = self->view;
}

void relay_mesh_attach(relay_mesh_t *self, const node_t *node)
{
    self->node = node;
    make_lone_view(self, 1, &self->view);
    remember(self);
    ballot_box_open(&self->box, own_id(self));
}

/* --- whom it knows --- */

static meeting_t *find_meeting(const relay_mesh_t *self, uint64_t id)
{
    for (size_t i = 0; i < VIEW_MEMBERS_MAX; i++) {
        meeting_t *meeting = &self->meetings[i];
        if (meeting->link && link_peer(meeting->link) == id)
            return meeting;
    }
    return NULL;
}

static bool sees(const relay_mesh_t *self, uint64_t who, uint64_t whom)
{
    if (who == own_id(self))
        return find_meeting(self, whom) != NULL;
    const meeting_t *meeting = find_meeting(self, who);
    for (size_t i = 0; meeting && i < meeting->sees_count; i++) {
        if (meeting->sees[i] == whom)
            return true;
    }
    return false;
}

static bool sees_greater(const relay_mesh_t *self)
{
    for (size_t i = 0; i < VIEW_MEMBERS_MAX; i++) {
        const meeting_t *meeting = &self->meetings[i];
        if (meeting->link && meeting->met && meeting->view.lineage != self->view.lineage &&
            view_is_greater(&meeting->view, &self->view))
            return true;
    }
    return false;
}

/* --- telling --- */

static void send(link_t *link, const envelope_t *envelope, uint64_t now_us)
{
    if (link_send(link, envelope, now_us) == ERR_FULL)
        link_reset(link, ERR_FULL, now_us); /* what relays tell each other must not be missing */
}

static void write_sees(const relay_mesh_t *self, buf_t *out)
{
    buf_t ids = {0};
    uint32_t count = 0;
    for (size_t i = 0; i < VIEW_MEMBERS_MAX; i++) {
        if (!self->meetings[i].link)
            continue;
        codec_write_uint(&ids, link_peer(self->meetings[i].link));
        count++;
    }
    codec_write_array(out, count);
    buf_append_span(out, buf_span(&ids));
    buf_fini(&ids);
}

static void send_meets(relay_mesh_t *self, uint64_t now_us)
{
    buf_t members = {0}, seen = {0};
    view_write_members(&self->view, &members);
    write_sees(self, &seen);
    envelope_t meet = {.kind = KIND_MEET,
                       .meet = {self->view.lineage, self->view.number, buf_span(&members), buf_span(&seen),
                                self->options.options}};
    self->owes_meet = false;
    for (size_t i = 0; i < VIEW_MEMBERS_MAX; i++) {
        if (self->meetings[i].link)
            send(self->meetings[i].link, &meet, now_us);
    }
    buf_fini(&members);
    buf_fini(&seen);
}

static void send_install(link_t *link, const view_t *view, uint64_t now_us)
{
    buf_t members = {0};
    view_write_members(view, &members);
    envelope_t install = {.kind = KIND_INSTALL, .install = {view->lineage, view->number, buf_span(&members)}};
    send(link, &install, now_us);
    buf_fini(&members);
}

/* A member that is behind learns each view in turn. */
static void send_what_it_lacks(relay_mesh_t *self, link_t *link, uint64_t number, uint64_t now_us)
{
    uint64_t oldest = self->view.number >= PAST_VIEWS ? self->view.number - PAST_VIEWS + 1 : 1;
    if (number + 1 < oldest)
        return;
    while (++number <= self->view.number) {
        const view_t *view = &self->past[number % PAST_VIEWS];
        if (view->lineage == self->view.lineage && view->number == number)
            send_install(link, view, now_us);
    }
}

/* --- views --- */

static void install(relay_mesh_t *self, mesh_step_t step, const view_t *view, bool doubtful, uint64_t now_us)
{
    view_t before = self->view;
    view_t after = *view; /* `view` may lie in what is cleared here */
    mesh_change_t change = {.step = step, .from = &before, .to = &after, .doubtful = doubtful};
    self->view = after;
    remember(self);
    ballot_box_open(&self->box, own_id(self));
    self->proposal_ends_us = self->retry_us = self->alone_since_us = 0;
    self->torn = 0;
    self->wanted = (view_t){0};
    self->installed_us = self->now_us = now_us;
    for (size_t i = 0; i < VIEW_MEMBERS_MAX; i++) {
        meeting_t *meeting = &self->meetings[i];
        meeting->arrived = false;
        meeting->belongs = meeting->met && meeting->view.lineage == after.lineage;
    }
    self->owes_meet = true;
    self->options.events->changed(self->options.context, &change, now_us);
}

static void leave(relay_mesh_t *self, bool doubtful, uint64_t now_us)
{
    view_t lone;
    make_lone_view(self, self->view.number + 1, &lone);
    install(self, MESH_LEFT, &lone, doubtful, now_us);
}

static void take_install(relay_mesh_t *self, const envelope_install_t *envelope, uint64_t now_us)
{
    view_t view = {.lineage = envelope->lineage, .number = envelope->number};
    if (view.number == 0 || view_read_members(&view, envelope->members))
        return;
    bool in_it = view_find(&view, own_id(self)) != NULL;
    if (view.lineage == self->view.lineage) {
        if (view.number != self->view.number + 1)
            return;
        if (in_it)
            install(self, MESH_SUCCEEDED, &view, false, now_us);
        else
            leave(self, true, now_us);
    } else if (in_it && view_is_greater(&view, &self->view)) {
        install(self, MESH_JOINED, &view, false, now_us);
    }
}

/* --- meeting --- */

void relay_mesh_up(relay_mesh_t *self, link_t *link, uint64_t now_us)
{
    (void)now_us;
    size_t at = 0;
    while (at < VIEW_MEMBERS_MAX && self->meetings[at].link)
        at++;
    if (at == VIEW_MEMBERS_MAX) {
        log_error("mesh.full", "relays=%u", VIEW_MEMBERS_MAX);
        return;
    }
    self->meetings[at] = (meeting_t){.link = link};
    self->owes_meet = true;
}

void relay_mesh_down(relay_mesh_t *self, link_t *link, uint64_t now_us)
{
    (void)now_us;
    meeting_t *meeting = find_meeting(self, link_peer(link));
    const view_member_t *member = view_find(&self->view, link_peer(link));
    if (meeting)
        *meeting = (meeting_t){0};
    if (member)
        self->torn |= UINT32_C(1) << (member - self->view.members);
    self->owes_meet = true;
}

/* What was on the way over a link that went down is gone. So nobody goes on as if it were there: the same members come
 * together in a new view, and hand over and copy what that takes. */
static bool is_torn(const relay_mesh_t *self, uint64_t id)
{
    const view_member_t *member = view_find(&self->view, id);
    return member && self->torn >> (member - self->view.members) & 1u;
}

static void look_who_arrived(relay_mesh_t *self, uint64_t now_us)
{
    for (size_t i = 0; i < VIEW_MEMBERS_MAX; i++) {
        meeting_t *meeting = &self->meetings[i];
        if (!meeting->link || !meeting->met || meeting->arrived || !view_same(&meeting->view, &self->view) ||
            is_torn(self, link_peer(meeting->link)))
            continue;
        meeting->arrived = true;
        if (self->options.events->arrived)
            self->options.events->arrived(self->options.context, link_peer(meeting->link), now_us);
    }
}

static int read_sees(meeting_t *meeting, span_t list)
{
    uint32_t count = 0;
    int err = list.size ? codec_read_array(&list, &count) : OK;
    if (!err && count > VIEW_MEMBERS_MAX)
        err = ERR_TOO_BIG;
    meeting->sees_count = 0;
    for (uint32_t i = 0; !err && i < count; i++) {
        err = codec_read_uint(&list, &meeting->sees[i]);
        meeting->sees_count += !err;
    }
    return err;
}

static void compare_options(const relay_mesh_t *self, meeting_t *meeting, uint64_t options)
{
    if (options != self->options.options && !meeting->differs)
        log_error("mesh.options_differ", "relay=%s namespaces and replicas have to be the same on all relays",
                  log_safe(span_str(link_peer_name(meeting->link))));
    meeting->differs = options != self->options.options;
}

static void take_meet(relay_mesh_t *self, link_t *link, const envelope_meet_t *meet, uint64_t now_us)
{
    meeting_t *meeting = find_meeting(self, link_peer(link));
    view_t view = {.lineage = meet->lineage, .number = meet->number};
    if (!meeting)
        return;
    if (view.number == 0 || view_read_members(&view, meet->members) || read_sees(meeting, meet->sees)) {
        log_warn("mesh.malformed", "relay=%s", log_safe(span_str(link_peer_name(link))));
        return;
    }
    compare_options(self, meeting, meet->options);
    meeting->met = true;
    meeting->view = view;
    meeting->belongs = meeting->belongs || view.lineage == self->view.lineage;
    if (view.lineage != self->view.lineage)
        return;
    if (view.number < self->view.number)
        send_what_it_lacks(self, link, view.number, now_us);
    else if (view.number > self->view.number && !view_find(&view, own_id(self)))
        leave(self, true, now_us);
}

/* --- voting --- */

static size_t majority(const relay_mesh_t *self)
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
        const meeting_t *meeting = find_meeting(self, view->members[i].id);
        if (meeting)
            send(meeting->link, envelope, now_us);
    }
}

static void send_nack(relay_mesh_t *self, link_t *link, uint64_t now_us)
{
    envelope_t nack = {
        .kind = KIND_NACK,
        .nack = {self->view.lineage, self->view.number, ballot_box_promised(&self->box).counter}};
    send(link, &nack, now_us);
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
    send(link, &promise, now_us);
    buf_fini(&members);
}

/* Of another lineage, that would take this relay in: it says that it is there, and promises nothing. */
static void answer_invitation(link_t *link, const envelope_prepare_t *prepare, uint64_t now_us)
{
    envelope_t promise = {.kind = KIND_PROMISE,
                          .promise = {prepare->lineage, prepare->number, prepare->ballot, 0, 0, {0}}};
    send(link, &promise, now_us);
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
    send(link, &accepted, now_us);
}

/* The successor is what a majority has voted for. */
static void decide(relay_mesh_t *self, uint64_t now_us)
{
    view_t successor = ballot_box_proposal(&self->box)->value;
    view_t before = self->view;
    successor.lineage = self->view.lineage;
    successor.number = self->view.number + 1;
    if (view_find(&successor, own_id(self)))
        install(self, MESH_SUCCEEDED, &successor, false, now_us);
    else
        leave(self, true, now_us);
    for (size_t i = 0; i < VIEW_MEMBERS_MAX; i++) {
        link_t *link = self->meetings[i].link;
        if (link && (view_find(&before, link_peer(link)) || view_find(&successor, link_peer(link))))
            send_install(link, &successor, now_us);
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
    if (ballot_box_count_accept(&self->box, own_id(self)) >= majority(self))
        decide(self, now_us);
}

/* A majority has promised, and all that are to stay or to join have answered: none of them is one that this relay only
 * believes to be there. */
static bool may_ask(const relay_mesh_t *self, size_t promises)
{
    const view_t *value = &ballot_box_proposal(&self->box)->value;
    if (promises < majority(self))
        return false;
    for (size_t i = 0; i < value->count && !ballot_box_has_adopted(&self->box); i++) {
        uint64_t member = value->members[i].id;
        const meeting_t *meeting = find_meeting(self, member);
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
    meeting_t *meeting = find_meeting(self, link_peer(link));
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
        ballot_box_count_accept(&self->box, link_peer(link)) >= majority(self))
        decide(self, now_us);
}

static void take_nack(relay_mesh_t *self, const envelope_nack_t *nack, uint64_t now_us)
{
    ballot_box_yield(&self->box, nack->ballot);
    self->proposal_ends_us = 0;
    self->retry_us = now_us + random_below(&self->random, PLACE_DELAY_US);
}

static void propose(relay_mesh_t *self, uint64_t now_us)
{
    ballot_t ballot = ballot_box_propose(&self->box, &self->wanted);
    for (size_t i = 0; i < VIEW_MEMBERS_MAX; i++)
        self->meetings[i].willing = 0;
    self->proposal_ends_us = now_us + PROPOSAL_US;
    envelope_t prepare = {.kind = KIND_PREPARE,
                          .prepare = {self->view.lineage, self->view.number, ballot.counter}};
    send_to_members(self, &self->view, &prepare, now_us);
    for (size_t i = 0; i < self->wanted.count; i++) {
        const meeting_t *meeting = find_meeting(self, self->wanted.members[i].id);
        if (meeting && !view_find(&self->view, self->wanted.members[i].id))
            send(meeting->link, &prepare, now_us);
    }
    if (may_ask(self, ballot_box_count_promise(&self->box, ballot.counter, own_id(self),
                                               ballot_box_vote(&self->box))))
        ask_for_votes(self, now_us);
}

/* --- wanting --- */

static bool fits(const relay_mesh_t *self, const view_t *chosen, uint64_t id)
{
    for (size_t i = 0; i < chosen->count; i++) {
        if (!sees(self, id, chosen->members[i].id) || !sees(self, chosen->members[i].id, id))
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
    (void)view_add(out, own_id(self), span_str(self->options.name));
    choose(self, true, out);
    if (!sees_greater(self))
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
    uint64_t delay = PLACE_DELAY_US * place_in(&self->wanted, own_id(self));
    if (!changes)
        delay += PROPOSAL_US;
    else if (!loses_members(self))
        delay += JOIN_QUIET_US;
    uint64_t due = self->wanted_since_us + delay;
    if (due < self->retry_us)
        due = self->retry_us;
    return due < self->proposal_ends_us ? self->proposal_ends_us : due;
}

static bool is_with_us(const relay_mesh_t *self, uint64_t member)
{
    if (member == own_id(self))
        return true;
    const meeting_t *meeting = find_meeting(self, member);
    return meeting && !has_left(self, meeting);
}

static bool has_majority(const relay_mesh_t *self)
{
    size_t reached = 0;
    for (size_t i = 0; i < self->view.count; i++)
        reached += is_with_us(self, self->view.members[i].id);
    return reached >= majority(self);
}

static void leave_if_alone(relay_mesh_t *self, uint64_t now_us)
{
    if (has_majority(self)) {
        self->alone_since_us = 0;
        return;
    }
    if (!self->alone_since_us)
        self->alone_since_us = now_us;
    if (now_us >= self->alone_since_us + MESH_ALONE_US)
        leave(self, relay_mesh_voted(self), now_us);
}

void relay_mesh_tick(relay_mesh_t *self, uint64_t now_us)
{
    self->now_us = now_us;
    leave_if_alone(self, now_us);
    self->served = self->served || now_us >= self->started_us + MESH_START_US;
    view_t wanted;
    work_out_wanted(self, &wanted);
    if (!same_members(&wanted, &self->wanted)) {
        self->wanted = wanted;
        self->wanted_since_us = now_us;
    }
    if (now_us >= proposal_due(self) && has_majority(self))
        propose(self, now_us);
    if (self->owes_meet)
        send_meets(self, now_us);
    look_who_arrived(self, now_us);
}

uint64_t relay_mesh_due(const relay_mesh_t *self)
{
    uint64_t due = has_majority(self) ? proposal_due(self) : UINT64_MAX;
    if (self->alone_since_us && self->alone_since_us + MESH_ALONE_US < due)
        due = self->alone_since_us + MESH_ALONE_US;
    if (!self->served && self->started_us + MESH_START_US < due)
        due = self->started_us + MESH_START_US;
    return self->owes_meet ? 0 : due;
}

/* --- envelopes --- */

void relay_mesh_envelope(relay_mesh_t *self, link_t *link, const envelope_t *envelope, uint64_t now_us)
{
#define ABOUT_THIS(member) is_about_this_view(self, envelope->member.lineage, envelope->member.number)
    switch (envelope->kind) {
    case KIND_MEET: take_meet(self, link, &envelope->meet, now_us); return;
    case KIND_INSTALL: take_install(self, &envelope->install, now_us); return;
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
    const meeting_t *meeting = find_meeting(self, member);
    return meeting && meeting->arrived;
}

bool relay_mesh_serves(const relay_mesh_t *self)
{
    return !sees_greater(self) && (!self->options.peers || self->view.count > 1 || self->served);
}
