/* sim/link_sim - two nodes and one link over a network that loses, doubles, reorders and delays, on a virtual
 * clock; the nodes restart, pause, reset, close, refuse to send and fill their windows.
 * The command line: sim/seeds.
 *
 * A conversation is what lies between one `up` and the next `down` on one side. What holds at every step:
 *   - what a conversation hears comes from exactly one conversation of the other side, and what that one
 *     said is heard from its first envelope on, in order, once, unharmed, and in no other conversation;
 *   - `up` and `down` take turns, and agree with link_is_up;
 *   - no link holds more than its window, and none that was just ticked wants to be ticked at once.
 * After a tail without faults: one link on each side, both up with each other, all heard that was said, and
 * nothing held. A run with a little loss, doubling and reordering alone must not see a single `down`.
 *
 * What it finds was tried with faults put into the link, 10,000 seeds each. Found, most at the first seed: no
 * duplicate check; deliver on a gap; `received` or the queue survives a session; nothing is sent again, or
 * not on the timer; acknowledge one too many, in messages or alone; free one too many; don't compare my
 * session, or theirs; a HELLO that comes twice starts anew; never give up; a pause is not excused; greeting
 * counts as silence; the heartbeat is not taken; no window; acknowledged bytes stay held; ask for a turn at
 * once after a refused send. Not found, since a timer heals them late: RESEND or RESET unheard, no RESET for
 * a stray message, WELCOME taken for another session, an old HELLO starts anew, a refused message waits for
 * the resend timer, loss behind the oldest message repaired one by one. Those are for
 * unit/protocol/link_test.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "tests/sim/link_node.h"
#include "tests/sim/seeds.h"

#define SEEDS    10000u
#define LATE_MAX (6 * SECOND) /* the longest that the network keeps a message */
#define TAIL     (22 * SECOND)

struct totals totals;

/* --- telling --- */

void trace(const world_t *world, const char *format, ...)
{
    if (!world->traced)
        return;
    printf("%4" PRIu64 ".%06" PRIu64 "  ", world->now / SECOND, world->now % SECOND);
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

void fail(const world_t *world, const char *format, ...)
{
    printf("link_sim: seed %" PRIu64 " failed at %" PRIu64 " us: ", world->seed, world->now);
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\nreplay: link_sim --seed %" PRIu64 "\n", world->seed);
    exit(1);
}

const char *side_name(const side_t *side)
{
    return side->index == INITIATOR ? "initiator" : "acceptor ";
}

void trace_message(const world_t *world, const char *what, span_t message)
{
    char text[256];
    if (world->traced)
        trace(world, "%s %s", what, network_describe(message, text, sizeof text));
}

bool chance(world_t *world, unsigned per_10000)
{
    return random_below(&world->random, 10000) < per_10000;
}

/* --- the course of a run --- */

/* The initiator's node learns who the acceptor is now. */
static void relink(world_t *world)
{
    world->relink_at = UINT64_MAX;
    side_meet(&world->sides[INITIATOR], world->sides[ACCEPTOR].identity.id);
}

static void restart(side_t *side)
{
    world_t *world = side->world;
    trace(world, "%s restarts", side_name(side));
    side_crash(side);
    world->relink_at = world->now + random_below(&world->random, 2 * SECOND);
}

static void close_all(side_t *side)
{
    side_close(side);
    if (side->index == INITIATOR)
        side->world->relink_at = side->world->now + random_below(&side->world->random, SECOND / 2);
}

static void pause_node(side_t *side)
{
    world_t *world = side->world;
    side->paused_at = world->now;
    side->paused_until = world->now + 1 + random_below(&world->random, 8 * SECOND);
    trace(world, "%s pauses until %" PRIu64, side_name(side), side->paused_until);
}

static void trouble(world_t *world, side_t *side)
{
    switch (random_below(&world->random, 12)) {
    case 0: restart(side); return;
    case 1: close_all(side); return;
    case 2:
    case 3: side_reset(side); return;
    case 4:
    case 5: pause_node(side); return;
    case 6:
    case 7: world->blackout_until = world->now + random_below(&world->random, 7 * SECOND); return;
    default: side->blocked_until = world->now + random_below(&world->random, 3 * SECOND); return;
    }
}

static void act(world_t *world)
{
    side_t *side = &world->sides[random_below(&world->random, 2)];
    world->act_at = world->now + random_below(&world->random, 120 * MS);
    if (side->paused_until)
        return;
    if (chance(world, world->trouble)) {
        trouble(world, side);
        return;
    }
    uint64_t burst = 1 + random_below(&world->random, chance(world, 500) ? 100 : 6);
    for (size_t i = 0; i < TALKS; i++)
        for (uint64_t n = 0; side->talks[i] && n < burst; n++)
            talk_say(side->talks[i]);
    side_reap(side);
}

static void calm_down(world_t *world)
{
    trace(world, "the trouble ends");
    network_calm(&world->network);
    world->trouble = 0;
    world->act_at = UINT64_MAX;
    world->blackout_until = 0;
    for (int i = 0; i < 2; i++) {
        world->sides[i].blocked_until = 0;
        if (world->sides[i].paused_until)
            side_resume(&world->sides[i]);
    }
}

static void arrive(world_t *world)
{
    while (network_due(&world->network) <= world->now) {
        flight_t *flight = network_take(&world->network);
        uint64_t topic = 0;
        for (size_t i = 0; i < LINK_TOPIC_SIZE; i++)
            topic = topic << 8 | flight->bytes[i];
        side_t *side = NULL;
        for (int i = 0; i < 2; i++)
            if (world->sides[i].identity.id == topic)
                side = &world->sides[i];
        if (side && side->paused_until) {
            network_return(&world->network, flight, side->paused_until);
            continue;
        }
        if (side)
            side_receive(side, span_new(flight->bytes, flight->size));
        mem_free(flight);
    }
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t next_event(const world_t *world)
{
    uint64_t due = world->act_at;
    if (!world->sides[INITIATOR].paused_until)
        due = earlier(due, world->relink_at);
    if (world->now < world->tail_from)
        due = earlier(due, world->tail_from);
    due = earlier(due, network_due(&world->network));
    for (int i = 0; i < 2; i++) {
        const side_t *side = &world->sides[i];
        if (side->paused_until)
            due = earlier(due, side->paused_until);
        for (size_t t = 0; !side->paused_until && t < TALKS; t++)
            if (side->talks[t])
                due = earlier(due, link_due(side->talks[t]->link));
    }
    return due > world->now ? due : world->now;
}

static void step(world_t *world)
{
    uint64_t before = world->now;
    world->now = next_event(world);
    if (before < world->tail_from && world->now >= world->tail_from)
        calm_down(world);
    for (int i = 0; i < 2; i++)
        if (world->sides[i].paused_until && world->sides[i].paused_until <= world->now)
            side_resume(&world->sides[i]);
    if (world->relink_at <= world->now && !world->sides[INITIATOR].paused_until)
        relink(world);
    arrive(world);
    if (world->act_at <= world->now)
        act(world);
    for (int i = 0; i < 2; i++)
        if (!world->sides[i].paused_until)
            side_turn(&world->sides[i]);
}

static talk_t *only_talk(side_t *side)
{
    talk_t *only = NULL;
    for (size_t i = 0; i < TALKS; i++) {
        if (side->talks[i] && only)
            fail(side->world, "%s still has a link too many", side_name(side));
        if (side->talks[i])
            only = side->talks[i];
    }
    if (!only || !only->conversation.id)
        fail(side->world, "%s is not up at the end", side_name(side));
    if (link_held(only->link))
        fail(side->world, "%s still holds %zu bytes", side_name(side), link_held(only->link));
    return only;
}

static void check_end(world_t *world)
{
    talk_t *talks[2] = {only_talk(&world->sides[0]), only_talk(&world->sides[1])};
    for (int i = 0; i < 2; i++) {
        const side_t *side = talks[!i]->side;
        const conversation_t *from = &talks[i]->conversation, *to = &talks[!i]->conversation;
        if (from->said && to->hears != from->id)
            fail(world, "%s hears another conversation", side_name(side));
        if (from->said != to->heard)
            fail(world, "%s heard %" PRIu64 " of %" PRIu64, side_name(side), to->heard, from->said);
    }
}

/* Three kinds of weather: mild (nothing that a link may give up for), rough, and wild. */
static void choose_weather(world_t *world)
{
    random_t *random = &world->random;
    static const unsigned most[3][4] = {{300, 300, 0, 0}, {2000, 1500, 100, 150}, {4000, 4000, 500, 1500}};
    const unsigned *limit = most[random_below(random, 3)];
    world->mild = limit == most[0];
    network_t *network = &world->network;
    network->loss = (unsigned)random_below(random, limit[0] + 1);
    network->doubling = (unsigned)random_below(random, limit[1] + 1);
    network->late = (unsigned)random_below(random, limit[2] + 1);
    network->late_max = LATE_MAX - SECOND;
    network->delay = random_below(random, 20 * MS);
    network->jitter = random_below(random, 3) ? 0 : random_below(random, 100 * MS);
    world->trouble = (unsigned)random_below(random, limit[3] + 1);
    world->oracle.large = random_below(random, 4) ? 0 : 300;
}

static void world_init(world_t *world, uint64_t seed, bool traced)
{
    *world = (world_t){.seed = seed, .random = {seed}, .now = SECOND, .traced = traced};
    network_init(&world->network, &world->random);
    oracle_init(&world->oracle, seed);
    choose_weather(world);
    static const size_t windows[] = {4096, 65536, 1024u * 1024};
    link_settings_t settings = LINK_SETTINGS_DEFAULT;
    settings.window = windows[random_below(&world->random, 3)];
    settings.flush_us = random_below(&world->random, 2) ? settings.flush_us : 0;
    for (int i = 0; i < 2; i++)
        world->sides[i] = (side_t){
            .world = world,
            .index = i,
            .identity = {.id = random_next(&world->random) | 1u,
                         .name = i == INITIATOR ? "edge" : "relay",
                         .cluster = "sim",
                         .role = i == INITIATOR ? ROLE_EDGE : ROLE_RELAY},
            .settings = settings,
        };
    world->sides[INITIATOR].settings.heartbeat_us /= 1 + random_below(&world->random, 5);
    world->tail_from = world->now + 3 * SECOND + random_below(&world->random, 9 * SECOND);
    world->relink_at = world->act_at = world->now;
}

static void world_fini(world_t *world)
{
    for (int i = 0; i < 2; i++)
        side_crash(&world->sides[i]);
    network_fini(&world->network);
}

static void run(uint64_t seed, bool traced)
{
    static world_t world;
    world_init(&world, seed, traced);
    uint64_t steps = 0;
    while (world.now < world.tail_from + TAIL) {
        step(&world);
        if (++steps > 1000000)
            fail(&world, "time stands still");
    }
    check_end(&world);
    world_fini(&world);
}

int main(int argc, char **argv)
{
    const seeds_t seeds = {"link_sim", TEST_SOURCE_DIR "/sim/link_seeds.txt", SEEDS, run};
    if (!seeds_run(&seeds, argc, argv))
        return 0;
    printf("link_sim: all held; %" PRIu64 " envelopes heard, %" PRIu64 " conversations ended, %" PRIu64
           " full windows, %" PRIu64 " gaps, %" PRIu64 " messages sent again\n",
           totals.heard, totals.ended, totals.full, totals.gaps, totals.resent);
    return 0;
}
