#include "fabric/uplink.h"

#include <inttypes.h>

#include "base/check.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "fabric/routes.h"

/* A publication that has not been answered yet. */
typedef struct pending {
    uint64_t counter;
    uint64_t deadline_us;
    uint64_t not_before_us; /* it was answered "not now" */
    uint64_t relay;         /* the node that it was sent to last; 0 = it waits to be sent */
    bool sent_before;
    uplink_published_fn *published; /* may be NULL */
    void *user;
    size_t size;
    uint8_t bytes[]; /* the encoded PUB */
} pending_t;

typedef struct asked {
    list_node_t node;
    uint64_t id;
    uint64_t relay; /* the node that was asked */
    uint64_t deadline_us;
    uplink_answered_fn *answered;
    void *user;
} asked_t;

struct uplink {
    const uplink_events_t *events; /* borrowed */
    void *context;                 /* borrowed */
    node_t *node;                  /* borrowed */
    routes_t routes;
    namespaces_t namespaces;
    pending_t *ring[UPLINK_PENDING_MAX]; /* owned; a publication is at its counter modulo the size */
    uint64_t first;                      /* the oldest counter that may be unanswered */
    uint64_t unsent;                     /* nothing below waits to be sent */
    uint64_t next;                       /* the next counter */
    size_t pending_bytes;
    bool was_full;
    list_t asked; /* of asked_t, oldest first */
    uint64_t last_ask;
    buf_t scratch;
    uplink_counts_t counts;
};

uplink_t *uplink_new(const uplink_events_t *events, void *context)
{
    uplink_t *self = mem_new(sizeof *self);
    self->events = events;
    self->context = context;
    self->first = self->unsent = self->next = 1;
    routes_init(&self->routes);
    namespaces_init(&self->namespaces);
    list_init(&self->asked);
    return self;
}

void uplink_attach(uplink_t *self, node_t *node)
{
    self->node = node;
}

/* --- publications --- */

static pending_t **slot(uplink_t *self, uint64_t counter)
{
    return &self->ring[counter % UPLINK_PENDING_MAX];
}

static void advance_first(uplink_t *self)
{
    while (self->first < self->next && !*slot(self, self->first))
        self->first++;
    if (self->unsent < self->first)
        self->unsent = self->first;
}

static void tell_room(uplink_t *self)
{
    if (self->was_full && uplink_has_room(self)) {
        self->was_full = false;
        self->events->room(self->context);
    }
}

/* Takes it out, then tells. */
static void settle(uplink_t *self, uint64_t counter, int err, position_t position)
{
    pending_t *pending = *slot(self, counter);
    *slot(self, counter) = NULL;
    self->pending_bytes -= pending->size;
    advance_first(self);
    if (pending->published)
        pending->published(pending->user, err, position);
    mem_free(pending);
}

/* The one that is still unanswered under this counter, which a peer named; NULL. */
static pending_t *find_pending(uplink_t *self, uint64_t counter)
{
    return counter >= self->first && counter < self->next ? *slot(self, counter) : NULL;
}

/* A publication that was sent before says so, that the owner looks whether it has it. */
static int send_again(uplink_t *self, link_t *relay, const pending_t *pending, uint64_t now_us)
{
    envelope_t envelope;
    span_t bytes = span_new(pending->bytes, pending->size);
    int err = envelope_decode(&bytes, &envelope);
    CHECK(!err);
    envelope.pub.flags |= MESSAGE_RESENT;
    err = link_send(relay, &envelope, now_us);
    self->counts.resent += !err;
    return err;
}

static span_t channel_of(const pending_t *pending)
{
    envelope_t envelope;
    span_t bytes = span_new(pending->bytes, pending->size);
    int err = envelope_decode(&bytes, &envelope);
    CHECK(!err);
    return envelope.pub.channel;
}

static int send_pending(uplink_t *self, pending_t *pending, span_t channel, uint64_t now_us)
{
    link_t *relay = uplink_route(self, channel);
    if (!relay)
        return ERR_UNAVAILABLE;
    if (now_us < pending->not_before_us)
        return ERR_AGAIN;
    int err = pending->sent_before
                  ? send_again(self, relay, pending, now_us)
                  : link_send_encoded(relay, span_new(pending->bytes, pending->size), now_us);
    if (err)
        return err;
    pending->relay = link_peer(relay);
    pending->sent_before = true;
    return OK;
}

/* Channels of which something waits, by hashes: two that share a bit only wait for each other for a while. */
typedef struct stalled {
    bool any;
    uint64_t bits[16];
} stalled_t;

static uint64_t *stalled_word(stalled_t *self, span_t channel, uint64_t *bit)
{
    uint64_t hash = hash_bytes(hash_process_key(), channel);
    *bit = UINT64_C(1) << (hash % 64);
    return &self->bits[hash / 64 % 16];
}

static bool is_stalled(stalled_t *self, span_t channel)
{
    uint64_t bit;
    const uint64_t *word = self->any ? stalled_word(self, channel, &bit) : NULL;
    return word && (*word & bit);
}

static void stall(stalled_t *self, span_t channel)
{
    uint64_t bit;
    uint64_t *word = stalled_word(self, channel, &bit); /* before `bit` is read */
    *word |= bit;
    self->any = true;
}

/* A turn looks at no more than so many that can't go: whatever is behind them waits, too. */
#define STALLED_MAX 256u

/* Is there nothing else that could go? */
static bool is_stuck(const uplink_t *self, int err)
{
    return err == ERR_UNAVAILABLE || (err == ERR_FULL && self->routes.open == 1);
}

/* Sends what waits, oldest first. What can't go holds up what is behind it in its channel, so that order is kept, and no
 * other channel: it may be that only its relay has no room. */
static void pump(uplink_t *self, uint64_t now_us)
{
    stalled_t stalled = {0};
    unsigned left = STALLED_MAX;
    uint64_t first_left = self->next;
    for (uint64_t counter = self->unsent; counter < self->next; counter++) {
        pending_t *pending = *slot(self, counter);
        if (!pending || pending->relay)
            continue;
        span_t channel = channel_of(pending);
        int err = is_stalled(&stalled, channel) ? ERR_AGAIN : send_pending(self, pending, channel, now_us);
        if (!err)
            continue;
        if (first_left > counter)
            first_left = counter;
        if (--left == 0 || is_stuck(self, err))
            break;
        stall(&stalled, channel);
    }
    self->unsent = first_left;
}

/* It is sent again when its turn comes. */
static void wait_again(uplink_t *self, pending_t *pending)
{
    pending->relay = 0;
    if (pending->counter < self->unsent)
        self->unsent = pending->counter;
}

/* Whose way is another one now goes again, in order: what was sent before may be lost with the relay that had it, and what
 * is published next must not overtake it. */
static void take_back_moved(uplink_t *self)
{
    for (uint64_t counter = self->first; counter < self->next; counter++) {
        pending_t *pending = *slot(self, counter);
        if (!pending || !pending->relay)
            continue;
        span_t channel = channel_of(pending);
        const link_t *relay = uplink_route(self, channel);
        if (!relay || link_peer(relay) != pending->relay || uplink_moved_from(self, channel))
            wait_again(self, pending);
    }
}

static pending_t *new_pending(uplink_t *self, const publication_t *publication)
{
    envelope_t envelope = {
        .kind = KIND_PUB,
        .pub = {.node = node_id(self->node),
                .counter = self->next,
                .channel = publication->channel,
                .flags = publication->flags,
                .client = publication->client,
                .user = publication->user,
                .info = publication->info,
                .payload = publication->payload},
    };
    buf_clear(&self->scratch);
    envelope_encode(&self->scratch, &envelope);
    pending_t *pending = mem_grow(NULL, 1, sizeof *pending + self->scratch.size);
    *pending = (pending_t){.counter = self->next, .size = self->scratch.size};
    memcpy(pending->bytes, self->scratch.data, self->scratch.size);
    return pending;
}

int uplink_publish(uplink_t *self, const publication_t *publication, uplink_published_fn *published,
                   void *user, uint64_t now_us)
{
    if (self->next - self->first >= UPLINK_PENDING_MAX || self->pending_bytes >= UPLINK_PENDING_BYTES) {
        self->was_full = true;
        return ERR_FULL;
    }
    pending_t *pending = new_pending(self, publication);
    pending->deadline_us = now_us + UPLINK_PUBLISH_TIMEOUT_US;
    pending->published = published;
    pending->user = user;
    *slot(self, self->next) = pending;
    self->pending_bytes += pending->size;
    self->counts.published++;
    bool in_turn = self->unsent == self->next;
    self->next++;
    if (in_turn && send_pending(self, pending, publication->channel, now_us) == OK)
        self->unsent = self->next;
    return OK;
}

void uplink_forget(uplink_t *self, void *user)
{
    for (uint64_t counter = self->first; counter < self->next; counter++) {
        pending_t *pending = *slot(self, counter);
        if (pending && pending->user == user)
            pending->published = NULL;
    }
}

bool uplink_has_room(const uplink_t *self)
{
    return self->next - self->first < UPLINK_PENDING_MAX * 3 / 4 &&
           self->pending_bytes < UPLINK_PENDING_BYTES * 3 / 4;
}

static void take_pub_ok(uplink_t *self, const envelope_pub_ok_t *answer)
{
    position_t position = {.offset = answer->offset};
    if (position_set_epoch(&position, answer->epoch) || !find_pending(self, answer->counter))
        return;
    self->counts.confirmed++;
    settle(self, answer->counter, OK, position);
}

bool uplink_is_not_now(uint64_t code)
{
    return code == (uint64_t)-ERR_UNAVAILABLE || code == (uint64_t)-ERR_AGAIN;
}

/* Whatever else a relay says (no room, or a code that we don't know) may pass, but not soon. */
static int refusal(uint64_t code)
{
    if (code == (uint64_t)-ERR_NOT_FOUND)
        return ERR_NOT_FOUND;
    return code == (uint64_t)-ERR_DENIED ? ERR_DENIED : ERR_UNAVAILABLE;
}

/* Only the relay that has it can refuse it: another one that had it before knows nothing of what becomes of it. */
static void take_pub_no(uplink_t *self, const link_t *relay, const envelope_pub_no_t *answer, uint64_t now_us)
{
    pending_t *pending = find_pending(self, answer->counter);
    if (!pending || pending->relay != link_peer(relay))
        return;
    if (uplink_is_not_now(answer->code)) {
        pending->not_before_us = now_us + UPLINK_RETRY_US;
        wait_again(self, pending);
        return;
    }
    self->counts.refused++;
    settle(self, answer->counter, refusal(answer->code), (position_t){0});
}

static void time_out_publications(uplink_t *self, uint64_t now_us)
{
    while (self->first < self->next) {
        pending_t *oldest = *slot(self, self->first);
        if (now_us < oldest->deadline_us)
            return;
        self->counts.timed_out++;
        settle(self, self->first, ERR_TIMEOUT, (position_t){0});
    }
}

/* --- questions --- */

int uplink_ask(uplink_t *self, envelope_ask_t question, uplink_answered_fn *answered, void *user,
               uint64_t now_us)
{
    link_t *relay = uplink_route(self, question.channel);
    return relay ? uplink_ask_at(self, relay, question, answered, user, now_us) : ERR_UNAVAILABLE;
}

int uplink_ask_at(uplink_t *self, link_t *relay, envelope_ask_t question, uplink_answered_fn *answered,
                  void *user, uint64_t now_us)
{
    question.id = ++self->last_ask;
    envelope_t envelope = {.kind = KIND_ASK, .ask = question};
    int err = link_send(relay, &envelope, now_us);
    if (err)
        return err;
    asked_t *asked = mem_new(sizeof *asked);
    *asked = (asked_t){.id = question.id, .relay = link_peer(relay), .answered = answered, .user = user};
    asked->deadline_us = now_us + UPLINK_ASK_TIMEOUT_US;
    list_append(&self->asked, &asked->node);
    return OK;
}

void uplink_answer(uplink_t *self, link_t *relay, uint64_t id, int err, span_t items, uint64_t now_us)
{
    (void)self;
    envelope_t answer = {.kind = KIND_ANSWER, .answer = {id, (uint64_t)-err, items}};
    (void)link_send(relay, &answer, now_us); /* the one who asked has a deadline */
}

void uplink_withdraw(uplink_t *self, const void *user)
{
    LIST_EACH_SAFE (node, &self->asked) {
        asked_t *asked = LIST_ITEM(node, asked_t, node);
        if (asked->user == user) {
            list_remove(&asked->node);
            mem_free(asked);
        }
    }
}

static void settle_asked(asked_t *asked, int err, span_t items)
{
    list_remove(&asked->node);
    asked->answered(asked->user, err, items);
    mem_free(asked);
}

static void take_answer(uplink_t *self, const envelope_answer_t *answer)
{
    LIST_EACH_SAFE (node, &self->asked) {
        asked_t *asked = LIST_ITEM(node, asked_t, node);
        if (asked->id == answer->id) {
            settle_asked(asked, answer->code ? ERR_UNAVAILABLE : OK, answer->items);
            return;
        }
    }
}

static asked_t *find_asked_of(const uplink_t *self, const link_t *link, uint64_t before)
{
    LIST_EACH (node, &self->asked) {
        asked_t *asked = LIST_ITEM(node, asked_t, node);
        if (asked->relay == link_peer(link) && asked->id < before)
            return asked;
    }
    return NULL;
}

/* Nobody will answer what went over a link that is gone. Those who hear that may take any question back, and ask
 * new ones. */
static void give_up_questions(uplink_t *self, const link_t *link)
{
    uint64_t first_new = self->last_ask + 1;
    for (asked_t *asked; (asked = find_asked_of(self, link, first_new)) != NULL;)
        settle_asked(asked, ERR_UNAVAILABLE, (span_t){0});
}

static void time_out_questions(uplink_t *self, uint64_t now_us)
{
    while (!list_empty(&self->asked)) {
        asked_t *oldest = LIST_ITEM(self->asked.head.next, asked_t, node);
        if (now_us < oldest->deadline_us)
            return;
        settle_asked(oldest, ERR_TIMEOUT, (span_t){0});
    }
}

void uplink_destroy(uplink_t **self_p)
{
    uplink_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    while (self->first < self->next)
        settle(self, self->first, ERR_CLOSED, (position_t){0});
    while (!list_empty(&self->asked))
        settle_asked(LIST_ITEM(self->asked.head.next, asked_t, node), ERR_CLOSED, (span_t){0});
    routes_fini(&self->routes);
    namespaces_fini(&self->namespaces);
    buf_fini(&self->scratch);
    mem_free(self);
}

/* --- relays --- */

link_t *uplink_route(const uplink_t *self, span_t channel)
{
    return routes_find(&self->routes, channel);
}

bool uplink_is_owner(const uplink_t *self, span_t channel, const link_t *relay)
{
    const view_t *view = &self->routes.view;
    return view->number == 0 || view_ranks(view, channel).owner == link_peer(relay);
}

size_t uplink_ways(const uplink_t *self, link_t **out, size_t max)
{
    return routes_ways(&self->routes, out, max);
}

uint64_t uplink_moved_from(const uplink_t *self, span_t channel)
{
    return routes_moved_from(&self->routes, channel);
}

const namespaces_t *uplink_namespaces(const uplink_t *self)
{
    return &self->namespaces;
}

static void log_unreadable(const char *event, const link_t *relay, int err)
{
    log_error(event, "relay=%s err=%s", log_safe(span_str(link_peer_name(relay))), err_name(err));
}

void uplink_up(uplink_t *self, link_t *link, const envelope_t *greeting, uint64_t now_us)
{
    if (greeting->kind != KIND_WELCOME || link_peer_role(link) != ROLE_RELAY)
        return;
    int err = namespaces_decode(&self->namespaces, greeting->welcome.namespaces);
    if (err)
        log_unreadable("uplink.namespaces", link, err);
    view_t told = {0};
    err = view_decode(&told, greeting->welcome.members);
    if (err)
        log_unreadable("uplink.members", link, err);
    bool moved = routes_up(&self->routes, link, &told);
    take_back_moved(self);
    self->events->found(self->context, link);
    if (moved)
        self->events->moved(self->context);
    pump(self, now_us);
}

void uplink_down(uplink_t *self, link_t *link, uint64_t now_us)
{
    bool moved = routes_down(&self->routes, link);
    take_back_moved(self);
    self->events->lost(self->context, link);
    if (moved)
        self->events->moved(self->context);
    give_up_questions(self, link);
    pump(self, now_us);
}

static void take_presence(uplink_t *self, link_t *relay, const envelope_join_t *client, bool came)
{
    if (self->events->presence)
        self->events->presence(self->context, relay, client, came);
}

static void take_leave(uplink_t *self, link_t *relay, const envelope_leave_t *leave)
{
    take_presence(self, relay, &(envelope_join_t){leave->channel, leave->client, leave->user, leave->info},
                  false);
}

static void take_members(uplink_t *self, const link_t *relay, const envelope_members_t *members,
                         uint64_t now_us)
{
    view_t told = {.lineage = members->lineage, .number = members->number};
    int err = view_read_members(&told, members->members);
    if (err) {
        log_unreadable("uplink.members", relay, err);
        return;
    }
    if (!routes_told(&self->routes, relay, &told))
        return;
    take_back_moved(self);
    self->events->moved(self->context);
    pump(self, now_us);
}

void uplink_envelope(uplink_t *self, link_t *link, const envelope_t *envelope, uint64_t now_us)
{
    switch (envelope->kind) {
    case KIND_MSG: self->events->message(self->context, link, &envelope->msg); break;
    case KIND_PUB_OK: take_pub_ok(self, &envelope->pub_ok); break;
    case KIND_PUB_NO: take_pub_no(self, link, &envelope->pub_no, now_us); break;
    case KIND_SUB_OK: self->events->subscribed(self->context, link, &envelope->sub_ok); break;
    case KIND_SUB_NO: self->events->not_subscribed(self->context, link, &envelope->sub_no); break;
    case KIND_ASK: self->events->asked(self->context, link, &envelope->ask); break;
    case KIND_ANSWER: take_answer(self, &envelope->answer); break;
    case KIND_MEMBERS: take_members(self, link, &envelope->members, now_us); break;
    case KIND_JOIN: take_presence(self, link, &envelope->join, true); break;
    case KIND_LEAVE: take_leave(self, link, &envelope->leave); break;
    default:
        log_warn("uplink.unexpected", "relay=%s kind=%s", log_safe(span_str(link_peer_name(link))),
                 envelope_kind_name(envelope->kind));
    }
}

void uplink_tick(uplink_t *self, uint64_t now_us)
{
    pump(self, now_us);
    time_out_publications(self, now_us);
    time_out_questions(self, now_us);
    tell_room(self);
}

/* --- subscriptions and presence --- */

static int send_to_owner(uplink_t *self, span_t channel, const envelope_t *envelope, uint64_t now_us)
{
    link_t *relay = uplink_route(self, channel);
    return relay ? link_send(relay, envelope, now_us) : ERR_UNAVAILABLE;
}

int uplink_subscribe(uplink_t *self, span_t channel, position_t from, uint64_t request, uint64_t now_us)
{
    envelope_t sub = {.kind = KIND_SUB, .sub = {channel, position_epoch(&from), from.offset, 0, request}};
    return send_to_owner(self, channel, &sub, now_us);
}

int uplink_unsubscribe(uplink_t *self, uint64_t relay, span_t channel, uint64_t now_us)
{
    link_t *link = routes_to(&self->routes, relay);
    envelope_t unsub = {.kind = KIND_UNSUB, .unsub = {channel}};
    return link ? link_send(link, &unsub, now_us) : ERR_UNAVAILABLE;
}

int uplink_join(uplink_t *self, const envelope_join_t *join, uint64_t now_us)
{
    envelope_t envelope = {.kind = KIND_JOIN, .join = *join};
    return send_to_owner(self, join->channel, &envelope, now_us);
}

int uplink_leave(uplink_t *self, span_t channel, span_t client, uint64_t now_us)
{
    envelope_t leave = {.kind = KIND_LEAVE, .leave = {.channel = channel, .client = client}};
    return send_to_owner(self, channel, &leave, now_us);
}

uplink_counts_t uplink_counts(const uplink_t *self)
{
    uplink_counts_t counts = self->counts;
    counts.pending = (size_t)(self->next - self->first);
    return counts;
}
