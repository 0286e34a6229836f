/* The hub against a model of two relays behind ordered links, on thousands of seeded schedules: clients come and go,
 * messages are published, links break, fill up and come back, the channels move from one relay to the other and back, the
 * relays forget everything. What a client that is on gets must follow, without a hole or a duplicate, on the position at which it was told
 * that it is on, until it is told that it has lost something. HUB_SEED=n runs one schedule alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "edge/dialect.h"
#include "edge/hub.h"
#include "fake_worker.h"

#define SCHEDULES 3000u
#define STEPS     400u
#define CLIENTS   4u
#define CHANNELS  3u
#define SIDES     2u /* relays */
#define HISTORY   5u /* messages that the relay keeps */
#define QUEUE     4096u
#define WINDOW    6u /* envelopes on their way to the relay; above: ERR_FULL */

static const char *const names[CHANNELS] = {"a", "b", "c"};

/* --- the relay and its link --- */

typedef struct letter {
    envelope_kind_t kind;
    unsigned channel;
    position_t position; /* of a SUB: from; of a SUB_OK: since; of a MSG: its own */
    bool recovered;      /* of a SUB_OK */
    uint64_t code;       /* of a SUB_NO */
    bool ends;           /* of an answer: to a SUB with a position, from where it does not go on */
} letter_t;

typedef struct letters {
    letter_t items[QUEUE];
    size_t first, count;
} letters_t;

struct link {
    uint64_t peer;
};

/* A relay and the link to it. */
typedef struct side {
    link_t link;
    letters_t up, down; /* to the relay, to the edge */
    bool connected;
    bool subscribed[CHANNELS];
    unsigned unanswered[CHANNELS]; /* SUBs */
    bool stale[CHANNELS];          /* ... of which some are from before a move */
} side_t;

struct uplink {
    side_t sides[SIDES];
    side_t *owner; /* of all channels; the other one forwards, or has forgotten them */
    uint64_t former;
    namespaces_t namespaces;
};

static uplink_t uplink = {.sides = {{.link = {.peer = 7}}, {.link = {.peer = 9}}}};

static struct {
    position_t position;
} streams[CHANNELS];

static void put(letters_t *self, letter_t letter)
{
    assert_true(self->count < QUEUE);
    self->items[(self->first + self->count++) % QUEUE] = letter;
}

static bool take(letters_t *self, letter_t *out)
{
    if (self->count == 0)
        return false;
    *out = self->items[self->first];
    self->first = (self->first + 1) % QUEUE;
    self->count--;
    return true;
}

static unsigned channel_number(span_t name)
{
    return (unsigned)(name.data[0] - 'a');
}

uint64_t link_peer(const link_t *self)
{
    return self->peer;
}

/* To the owner, or to the one that forwards to it. */
static side_t *way(const uplink_t *self)
{
    if (self->owner->connected)
        return self->owner;
    for (unsigned i = 0; i < SIDES; i++) {
        if (self->sides[i].connected)
            return (side_t *)(uintptr_t)&self->sides[i];
    }
    return NULL;
}

link_t *uplink_route(const uplink_t *self, span_t channel)
{
    (void)channel;
    side_t *side = way(self);
    return side ? &side->link : NULL;
}

const namespaces_t *uplink_namespaces(const uplink_t *self)
{
    return &self->namespaces;
}

static int say_to(side_t *side, letter_t letter)
{
    if (!side || !side->connected)
        return ERR_UNAVAILABLE;
    if (side->up.count >= WINDOW)
        return ERR_FULL;
    put(&side->up, letter);
    return OK;
}

static int say(uplink_t *self, letter_t letter)
{
    return say_to(way(self), letter);
}

int uplink_subscribe(uplink_t *self, span_t channel, position_t from, uint64_t request, uint64_t now_us)
{
    (void)request;
    (void)now_us;
    side_t *side = way(self);
    int err = say(self, (letter_t){.kind = KIND_SUB, .channel = channel_number(channel), .position = from});
    if (!err)
        side->unanswered[channel_number(channel)]++;
    return err;
}

bool uplink_is_owner(const uplink_t *self, span_t channel, const link_t *relay)
{
    (void)self;
    (void)channel;
    (void)relay;
    return true;
}

uint64_t uplink_moved_from(const uplink_t *self, span_t channel)
{
    (void)channel;
    return self->former;
}

bool uplink_is_not_now(uint64_t code)
{
    return code == (uint64_t)-ERR_UNAVAILABLE;
}

int uplink_unsubscribe(uplink_t *self, uint64_t relay, span_t channel, uint64_t now_us)
{
    (void)now_us;
    side_t *side = &self->sides[relay == self->sides[1].link.peer];
    return say_to(side, (letter_t){.kind = KIND_UNSUB, .channel = channel_number(channel)});
}

int uplink_join(uplink_t *self, const envelope_join_t *join, uint64_t now_us)
{
    (void)now_us;
    return say(self, (letter_t){.kind = KIND_JOIN, .channel = channel_number(join->channel)});
}

int uplink_ask(uplink_t *self, envelope_ask_t question, uplink_answered_fn *answered, void *user,
               uint64_t now_us)
{
    (void)self;
    (void)question;
    (void)answered;
    (void)user;
    (void)now_us;
    return ERR_UNAVAILABLE;
}

void uplink_withdraw(uplink_t *self, const void *user)
{
    (void)self;
    (void)user;
}

int uplink_leave(uplink_t *self, span_t channel, span_t client, uint64_t now_us)
{
    (void)client;
    (void)now_us;
    return say(self, (letter_t){.kind = KIND_LEAVE, .channel = channel_number(channel)});
}

static void send_message(side_t *side, unsigned channel, uint64_t offset)
{
    position_t position = streams[channel].position;
    position.offset = offset;
    put(&side->down, (letter_t){.kind = KIND_MSG, .channel = channel, .position = position});
}

static void publish(unsigned channel)
{
    uint64_t offset = ++streams[channel].position.offset;
    for (unsigned i = 0; i < SIDES; i++) {
        if (uplink.sides[i].subscribed[channel])
            send_message(&uplink.sides[i], channel, offset);
    }
}

static void relay_takes_sub(side_t *side, const letter_t *sub)
{
    position_t top = streams[sub->channel].position, from = sub->position;
    bool recovered = position_known(from) && position_same_epoch(from, top) && from.offset <= top.offset &&
                     from.offset + HISTORY >= top.offset;
    position_t since = recovered ? from : top;
    side->subscribed[sub->channel] = true;
    put(&side->down, (letter_t){.kind = KIND_SUB_OK,
                                .channel = sub->channel,
                                .position = since,
                                .recovered = recovered,
                                .ends = position_known(from) && !recovered});
    for (uint64_t offset = since.offset + 1; offset <= top.offset; offset++)
        send_message(side, sub->channel, offset);
}

static side_t *any_side(random_t *random)
{
    return &uplink.sides[random_below(random, SIDES)];
}

static void relay_step(side_t *side, random_t *random)
{
    letter_t letter;
    if (!take(&side->up, &letter))
        return;
    if (letter.kind == KIND_UNSUB)
        side->subscribed[letter.channel] = false;
    if (letter.kind != KIND_SUB)
        return;
    uint64_t dice = random_below(random, 20);
    if (dice == 0)
        put(&side->down, (letter_t){.kind = KIND_SUB_NO,
                                    .channel = letter.channel,
                                    .code = (uint64_t)-ERR_FULL,
                                    .ends = position_known(letter.position)});
    else if (dice == 1)
        put(&side->down,
            (letter_t){.kind = KIND_SUB_NO, .channel = letter.channel, .code = (uint64_t)-ERR_UNAVAILABLE});
    else
        relay_takes_sub(side, &letter);
}

/* --- the edge --- */

static fake_worker_t *worker;
static edge_hub_t *hub;
static edge_session_t *clients[CLIENTS];
static edge_conn_t conns[CLIENTS];

/* What a client may expect of a channel. */
static struct {
    bool on;
    position_t position; /* of the last message, or what it was told */
} expected[CLIENTS][CHANNELS];

static bool loss_is_due; /* by the letter that is being taken */

static uint64_t delivered, losses; /* of all schedules */

static unsigned client_number(const edge_session_t *session)
{
    unsigned i = 0;
    while (clients[i] != session)
        i++;
    return i;
}

static void turn_on(const edge_subscription_t *subscription)
{
    unsigned client = client_number(subscription->session);
    unsigned channel = channel_number(edge_channel_name(subscription->channel));
    assert_false(expected[client][channel].on);
    expected[client][channel].on = true;
    expected[client][channel].position = edge_channel_position(subscription->channel);
}

static void on_subscribed(edge_subscription_t *subscription, int err, const edge_recovery_t *recovery)
{
    (void)recovery;
    if (err == OK)
        turn_on(subscription);
}

/* A client that checks what it has got. */
static void check_received(unsigned client)
{
    span_t rest = buf_span(&conns[client].written);
    while (rest.size) {
        fake_frame_t frame = fake_next_frame(&rest);
        letter_t letter;
        assert_int_equal(frame.payload.size, sizeof letter);
        memcpy(&letter, frame.payload.data, sizeof letter);
        assert_true(expected[client][letter.channel].on);
        position_t *position = &expected[client][letter.channel].position;
        assert_true(position_same_epoch(*position, letter.position));
        assert_int_equal(letter.position.offset, position->offset + 1);
        position->offset++;
        delivered++;
    }
    buf_clear(&conns[client].written);
}

static void check_all(void)
{
    fake_worker_flush(worker);
    for (unsigned i = 0; i < CLIENTS; i++)
        check_received(i);
}

static void on_lost(edge_subscription_t *subscription)
{
    unsigned client = client_number(subscription->session);
    unsigned channel = channel_number(edge_channel_name(subscription->channel));
    check_all();
    assert_true(loss_is_due);
    assert_true(expected[client][channel].on);
    expected[client][channel].on = false;
    losses++;
}

static void nothing(edge_session_t *session)
{
    (void)session;
}

static edge_frame_t *frame_of(const envelope_msg_t *message)
{
    return edge_frame_new(WEBSOCKET_BINARY, message->payload);
}

static const edge_dialect_t model = {.name = "model",
                                     .opened = edge_session_activate,
                                     .frame = frame_of,
                                     .subscribed = on_subscribed,
                                     .lost = on_lost,
                                     .ping = nothing,
                                     .closed = nothing};

static void count_answer(side_t *side, const letter_t *letter)
{
    if (letter->kind != KIND_MSG && --side->unanswered[letter->channel] == 0)
        side->stale[letter->channel] = false;
}

static void edge_step(side_t *side)
{
    letter_t letter;
    if (!take(&side->down, &letter))
        return;
    span_t channel = span_str(names[letter.channel]), epoch = position_epoch(&letter.position);
    uint64_t offset = letter.position.offset;
    /* Where a channel has come back to a relay before that answered, the old answer is taken for the new one; what came
     * between the two is then missing, and that is told. */
    loss_is_due = letter.ends || (letter.kind != KIND_MSG && side->stale[letter.channel]);
    if (letter.kind == KIND_MSG) {
        envelope_msg_t msg = {.channel = channel,
                              .epoch = epoch,
                              .offset = offset,
                              .payload = span_new(&letter, sizeof letter)};
        edge_hub_message(hub, &side->link, &msg);
    } else if (letter.kind == KIND_SUB_OK) {
        envelope_sub_ok_t answer = {
            .channel = channel, .epoch = epoch, .since = offset, .recovered = letter.recovered};
        edge_hub_subscribed(hub, &side->link, &answer);
    } else {
        envelope_sub_no_t answer = {.channel = channel, .code = letter.code};
        edge_hub_not_subscribed(hub, &side->link, &answer);
    }
    count_answer(side, &letter);
}

static void toggle(unsigned client, unsigned channel)
{
    span_t name = span_str(names[channel]);
    edge_subscription_t *subscription = edge_hub_find(hub, clients[client], name);
    if (!subscription) {
        if (edge_hub_subscribe(hub, clients[client], name, NULL, NULL, &subscription) == OK)
            turn_on(subscription);
        return;
    }
    check_all();
    edge_hub_unsubscribe(hub, &subscription);
    expected[client][channel].on = false;
}

static void disconnect(side_t *side)
{
    if (!side->connected)
        return;
    side->connected = false;
    side->up.count = side->down.count = 0;
    memset(side->subscribed, 0, sizeof side->subscribed);
    memset(side->unanswered, 0, sizeof side->unanswered);
    memset(side->stale, 0, sizeof side->stale);
    edge_hub_lost(hub, &side->link);
}

static void mark_stale(void)
{
    for (unsigned i = 0; i < SIDES; i++) {
        for (unsigned channel = 0; channel < CHANNELS; channel++)
            uplink.sides[i].stale[channel] = uplink.sides[i].unanswered[channel] > 0;
    }
}

/* If that is the owner, the channels move back to it. */
static void reconnect(side_t *side)
{
    if (side->connected)
        return;
    mark_stale();
    side->connected = true;
    edge_hub_found(hub, &side->link);
}

/* The other relay owns the channels from now on: this one's subscriptions end, and what it said comes late. */
static void move(void)
{
    mark_stale();
    uplink.former = uplink.owner->link.peer;
    memset(uplink.owner->subscribed, 0, sizeof uplink.owner->subscribed);
    uplink.owner = &uplink.sides[uplink.owner == uplink.sides];
    edge_hub_moved(hub);
    uplink.former = 0;
}

/* The relays have forgotten all, and begin anew. */
static void restart(random_t *random)
{
    for (unsigned i = 0; i < SIDES; i++)
        disconnect(&uplink.sides[i]);
    for (unsigned i = 0; i < CHANNELS; i++) {
        streams[i].position.offset = random_below(random, 3);
        position_new_epoch(&streams[i].position, random_next(random));
    }
}

static void turn(void)
{
    edge_hub_turn(hub, worker->worker.now_us);
}

static void step(random_t *random)
{
    unsigned channel = (unsigned)random_below(random, CHANNELS);
    uint64_t dice = random_below(random, 100);
    if (dice < 12)
        toggle((unsigned)random_below(random, CLIENTS), channel);
    else if (dice < 30)
        publish(channel);
    else if (dice < 50)
        turn();
    else if (dice < 69)
        relay_step(any_side(random), random);
    else if (dice < 89)
        edge_step(any_side(random));
    else if (dice < 91)
        move();
    else if (dice < 92)
        disconnect(any_side(random));
    else if (dice < 97)
        reconnect(any_side(random));
    else if (dice < 98)
        restart(random);
    else
        worker->worker.now_us += CLOCK_SEC;
    check_all();
}

static void all_arrives(random_t *random)
{
    for (unsigned i = 0; i < SIDES; i++) {
        relay_step(&uplink.sides[i], random);
        edge_step(&uplink.sides[i]);
        edge_step(&uplink.sides[i]);
    }
}

/* Everything arrives, and then one more message in each channel: whoever is subscribed is on, and has it. */
static void come_to_rest(random_t *random)
{
    for (unsigned i = 0; i < SIDES; i++)
        reconnect(&uplink.sides[i]);
    for (unsigned round = 0; round < 400; round++) {
        worker->worker.now_us += 2 * CLOCK_MS;
        turn();
        all_arrives(random);
    }
    while (uplink.sides[0].down.count + uplink.sides[1].down.count)
        all_arrives(random);
    for (unsigned channel = 0; channel < CHANNELS; channel++)
        publish(channel);
    while (uplink.sides[0].down.count + uplink.sides[1].down.count)
        all_arrives(random);
    check_all();
    for (unsigned client = 0; client < CLIENTS; client++) {
        for (unsigned channel = 0; channel < CHANNELS; channel++) {
            bool subscribed = edge_hub_find(hub, clients[client], span_str(names[channel])) != NULL;
            assert_int_equal(subscribed, expected[client][channel].on);
            if (subscribed)
                assert_int_equal(expected[client][channel].position.offset, streams[channel].position.offset);
        }
    }
}

static void run_schedule(uint64_t seed)
{
    random_t random = {seed};
    memset(expected, 0, sizeof expected);
    for (unsigned i = 0; i < SIDES; i++)
        uplink.sides[i] = (side_t){.link = uplink.sides[i].link, .connected = true};
    uplink.owner = uplink.sides;
    worker = fake_worker_new();
    worker->config.limits.outbox = 1u << 20;
    hub = edge_hub_new(&worker->worker, &uplink);
    worker->worker.hub = hub;
    for (unsigned i = 0; i < CHANNELS; i++) {
        streams[i].position.offset = 0;
        position_new_epoch(&streams[i].position, random_next(&random));
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        edge_identity_t identity = {0};
        clients[i] = edge_session_new(&worker->worker, &model, &identity);
        fake_client_of(worker, clients[i], &conns[i]);
    }
    for (unsigned i = 0; i < STEPS; i++)
        step(&random);
    come_to_rest(&random);
    for (unsigned i = 0; i < CLIENTS; i++)
        fake_client_gone(clients[i], &conns[i]);
    turn();
    edge_hub_destroy(&hub);
    fake_worker_destroy(worker);
}

static uint64_t seed_now;

static void tell_seed(void)
{
    if (seed_now)
        fprintf(stderr, "to run this schedule alone: HUB_SEED=%llu\n", (unsigned long long)seed_now);
}

static void every_schedule_ends_with_every_message_delivered_or_a_loss_told(void **state)
{
    (void)state;
    const char *only = getenv("HUB_SEED");
    uint64_t first = only ? strtoull(only, NULL, 10) : 1;
    uint64_t last = only ? first : SCHEDULES;
    channel_options_t present = {.presence = true};
    namespaces_init(&uplink.namespaces);
    assert_int_equal(namespaces_add(&uplink.namespaces, SPAN("default"), &present), OK);
    for (seed_now = first; seed_now <= last; seed_now++)
        run_schedule(seed_now);
    seed_now = 0;
    namespaces_fini(&uplink.namespaces);
    assert_true(delivered > 0);
    assert_true(only || losses > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_schedule_ends_with_every_message_delivered_or_a_loss_told),
    };
    log_set_level(LOG_LEVEL_OFF);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    tell_seed();
    return failures;
}
