/* What link_test and link_greeting_test share: two links, the way between them, and their time. A test includes
 * it behind cmocka.h.
 */
#ifndef HEDDLE_TESTS_UNIT_PROTOCOL_LINK_PAIR_H
#define HEDDLE_TESTS_UNIT_PROTOCOL_LINK_PAIR_H

#include "base/err.h"
#include "base/mem.h"
#include "protocol/codec.h"
#include "protocol/link.h"

#define MS     UINT64_C(1000)
#define SECOND UINT64_C(1000000)
#define POSTED 4096u

enum { EDGE, RELAY };

typedef struct posted {
    size_t size;
    uint8_t *bytes; /* owned */
} posted_t;

/* One side: a link, what it sent and nobody carried yet, and what its events said. */
typedef struct end {
    link_t *link;
    link_identity_t identity;
    link_settings_t settings;
    posted_t posted[POSTED];
    size_t taken, count;
    uint64_t sessions;
    int refuse_sends; /* what events.send returns */
    int ups, downs, refusals;
    int reason;        /* of the last down or refusal */
    uint64_t heard;    /* envelopes */
    uint64_t newest;   /* `counter` of the last one */
    uint64_t reset_at; /* reset the link in the event of this one */
} end_t;

typedef struct world {
    uint64_t now;
    end_t ends[2];
} world_t;

static world_t world;

/* --- a pair of links and the way between them --- */

static inline int on_send(void *context, link_t *link, span_t message)
{
    end_t *end = context;
    (void)link;
    if (end->refuse_sends)
        return end->refuse_sends;
    assert_true(end->count < POSTED);
    posted_t *posted = &end->posted[end->count++];
    *posted = (posted_t){message.size, mem_new(message.size)};
    memcpy(posted->bytes, message.data, message.size);
    return OK;
}

static inline void on_up(void *context, link_t *link, const envelope_t *greeting)
{
    end_t *end = context;
    assert_true(link_is_up(link));
    assert_true(greeting->kind == (link_is_initiator(link) ? KIND_WELCOME : KIND_HELLO));
    end->ups++;
    end->heard = end->newest = 0;
}

static inline void on_envelope(void *context, link_t *link, const envelope_t *envelope)
{
    end_t *end = context;
    assert_int_equal(envelope->kind, KIND_PUB_OK);
    assert_int_equal(envelope->pub_ok.counter, end->newest + 1);
    end->newest++;
    end->heard++;
    if (end->newest == end->reset_at)
        link_reset(link, ERR_FULL, world.now);
}

static inline void on_down(void *context, link_t *link, int reason)
{
    end_t *end = context;
    assert_false(link_is_up(link));
    end->downs++;
    end->reason = reason;
}

static inline void on_refused(void *context, link_t *link, int code, span_t reason)
{
    end_t *end = context;
    (void)link;
    assert_true(reason.size > 0);
    end->refusals++;
    end->reason = code;
}

static inline uint64_t on_session(void *context)
{
    end_t *end = context;
    return end->sessions += 10;
}

static const link_events_t events = {on_send, on_up, on_envelope, on_down, on_refused};

static inline void make(int which, bool initiator)
{
    end_t *end = &world.ends[which];
    link_options_t options = {
        &end->identity, &end->settings, &events, on_session, end, world.ends[!which].identity.id, initiator};
    link_destroy(&end->link);
    end->link = link_new(&options, world.now);
}

static inline void forget_posted(int which)
{
    end_t *end = &world.ends[which];
    while (end->count)
        mem_free(end->posted[--end->count].bytes);
    end->taken = 0;
}

static inline int set_up(void **state)
{
    (void)state;
    world = (world_t){.now = 100 * SECOND};
    const link_settings_t settings = LINK_SETTINGS_DEFAULT;
    for (int i = 0; i < 2; i++) {
        world.ends[i].settings = settings;
        world.ends[i].identity = (link_identity_t){.id = 1000u + (unsigned)i,
                                                   .name = i == EDGE ? "edge-1" : "relay-1",
                                                   .cluster = "c",
                                                   .role = i == EDGE ? ROLE_EDGE : ROLE_RELAY};
    }
    make(EDGE, true);
    make(RELAY, false);
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        forget_posted(i);
        link_destroy(&world.ends[i].link);
    }
    return 0;
}

static inline link_t *edge(void)
{
    return world.ends[EDGE].link;
}

static inline link_t *relay(void)
{
    return world.ends[RELAY].link;
}

/* A message as the receiver's node reads it. */
typedef struct message {
    uint64_t topic;
    link_header_t header;
    span_t rest;
    envelope_t first; /* kind 0: none */
} message_t;

static inline message_t read_message(const posted_t *posted)
{
    message_t message = {.rest = span_new(posted->bytes, posted->size)};
    assert_int_equal(link_header_read(&message.rest, &message.topic, &message.header), OK);
    span_t rest = message.rest;
    if (rest.size)
        assert_int_equal(envelope_decode(&rest, &message.first), OK);
    return message;
}

static inline size_t waiting(int from)
{
    return world.ends[from].count - world.ends[from].taken;
}

static inline message_t peek(int from, size_t index)
{
    assert_true(index < waiting(from));
    return read_message(&world.ends[from].posted[world.ends[from].taken + index]);
}

static inline void lose(int from, size_t count)
{
    assert_true(count <= waiting(from));
    world.ends[from].taken += count;
}

static inline void deliver(int from, size_t index)
{
    message_t message = peek(from, index);
    assert_true(message.topic == world.ends[!from].identity.id);
    assert_true(message.header.source == world.ends[from].identity.id);
    link_receive(world.ends[!from].link, &message.header, message.rest, world.now);
}

static inline void carry(int from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        deliver(from, 0);
        lose(from, 1);
    }
}

static inline void carry_all(void)
{
    while (waiting(EDGE) || waiting(RELAY)) {
        carry(EDGE, waiting(EDGE));
        carry(RELAY, waiting(RELAY));
    }
}

static inline void tick(int which)
{
    link_tick(world.ends[which].link, world.now);
}

/* Both sides run for so long, and nothing is lost; turn by turn, as timers go off. */
static inline void run(uint64_t time_us)
{
    uint64_t end = world.now + time_us;
    while (world.now < end) {
        tick(EDGE);
        tick(RELAY);
        carry_all();
        uint64_t due = link_due(edge()) < link_due(relay()) ? link_due(edge()) : link_due(relay());
        world.now = due > end ? end : due > world.now ? due : world.now + 1;
    }
}

static inline void open(void)
{
    run(10 * MS);
    assert_true(link_is_up(edge()) && link_is_up(relay()));
    assert_int_equal(world.ends[EDGE].ups, world.ends[RELAY].ups);
}

static inline int say(int from, uint64_t counter)
{
    envelope_t envelope = {.kind = KIND_PUB_OK, .pub_ok = {.counter = counter, .epoch = SPAN("abcdefgh")}};
    return link_send(world.ends[from].link, &envelope, world.now);
}

/* `count` messages with one envelope each, numbered from `first`. */
static inline void say_apart(int from, uint64_t first, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(say(from, first + i), OK);
        world.now += world.ends[from].settings.flush_us;
        link_flush(world.ends[from].link, world.now);
    }
}

static const link_counts_t *counts(int which)
{
    return link_counts(world.ends[which].link);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
