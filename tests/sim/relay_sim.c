/* sim/relay_sim - relays and edges on a faulty fabric, on a virtual clock: messages are lost, doubled and late; parties are
 * cut off from some or from all, in one direction or in both, stand still, can't send, crash and come back; links are
 * reset. The command line: sim/seeds.
 *
 * What holds:
 *   - a position of a channel holds one publication, whoever hears it and whatever its publisher was told;
 *   - a publication has one position in an epoch, behind all that were confirmed before it was published; with one relay
 *     those of an edge stand in the order of publishing;
 *   - a subscriber hears each next position, once, or is told that it has missed something;
 *   - every publication is answered, once, and none later than its timeout;
 *   - an epoch lives on while relays crash one at a time, if there are three of them and a second one keeps the channels.
 * After a tail without faults: all relays are in one view, all edges are linked with all of them, a last publication to
 * each channel is confirmed, every subscriber has heard it, and nothing is pending. In a mild run (a little loss, doubling, reordering) no link
 * goes down, nobody is told of a gap, and every publication is confirmed.
 *
 * What it finds was tried with faults put in, 30 seeds each. Found: repeats are published again, or not marked as
 * such; accepted ids are not recorded; another epoch's position is taken; a dead peer's slot is used again at once;
 * a full window resets nothing; what was missed is not sent. Not found, since it takes an exact moment or heals by a
 * timeout: history that reaches one message too far, publications that are not sent again. Those are for the unit
 * tests of relay/ and fabric/uplink.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "tests/sim/seeds.h"
#include "tests/sim/streams.h"
#include "tests/sim/virtual_edge.h"
#include "tests/sim/virtual_relay.h"

#define MS     UINT64_C(1000)
#define SECOND UINT64_C(1000000)

/* An edge looks at its deadlines once a heartbeat at least; while it stands still it looks at nothing. */
#define LATE_US (2 * SECOND)

#define SEEDS    300u
#define TROUBLE  (40 * SECOND) /* of virtual time, in which things go wrong */
#define TAIL     (25 * SECOND) /* longer than any timeout, silence and greeting in a row */
#define EDGES    5u
#define RELAYS   4u
#define CHANNELS 4u

typedef struct station {
    virtual_edge_t edge;
    bool subscribes[CHANNELS];
    uint32_t life;                                    /* of all edges that ever were, this one's number */
    uint32_t number;                                  /* of its last publication */
    uint64_t cut_until, stalled_until, blocked_until; /* us; 0 = not */
    uint64_t stood_us;                                /* how long it has stood still, in all */
} station_t;

/* A relay's place; who stands there changes. */
typedef struct post {
    virtual_relay_t relay;
    char name[32];
    uint64_t stalled_until, blocked_until, cut_until; /* us */
    uint64_t starts_at;                               /* us; while nobody is there */
} post_t;

typedef struct sim {
    uint64_t seed;
    bool traced, mild;
    bool orderly;     /* nothing worse happens than that one relay at a time crashes */
    unsigned trouble; /* of 10,000 steps */
    virtual_fabric_t fabric;
    namespaces_t namespaces;
    virtual_relay_options_t relay_options;
    post_t posts[RELAYS];
    unsigned relays;
    uint64_t quiet_until; /* us; in orderly runs */
    uint64_t troubles_us; /* when troubles were applied last */
    station_t stations[EDGES];
    unsigned edges, channels;
    uint32_t lives;
    streams_t streams[CHANNELS];
    uint64_t published, confirmed, timed_out, refused, closed; /* closed: its edge went first */
    uint64_t told, recovered;                                  /* of edges that are gone, too */
} sim_t;

static struct totals {
    uint64_t published, confirmed, timed_out, told, recovered, relays, full;
} totals;

/* What `published` gets back. */
typedef struct note {
    sim_t *sim;
    const station_t *station;
    unsigned channel;
    uint64_t id;
    uint64_t at_us;
    uint64_t stood_us;  /* the station's, then */
    const stream_t *of; /* the channel's newest stream then, and what was confirmed in it */
    uint64_t behind;
} note_t;

/* --- telling --- */

__attribute__((format(printf, 2, 3))) static void trace(const sim_t *sim, const char *format, ...)
{
    if (!sim->traced)
        return;
    va_list args;
    printf("%4" PRIu64 ".%06" PRIu64 "  ", sim->fabric.now_us / SECOND, sim->fabric.now_us % SECOND);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

__attribute__((format(printf, 2, 3), noreturn)) static void fail(const sim_t *sim, const char *format, ...)
{
    va_list args;
    printf("relay_sim: seed %" PRIu64 " failed at %" PRIu64 " us: ", sim->seed, sim->fabric.now_us);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\nreplay: relay_sim --seed %" PRIu64 "\n", sim->seed);
    exit(1);
}

/* --- the oracle --- */

static const char *channel_name(unsigned channel)
{
    static const char *const names[CHANNELS] = {"alpha", "beta", "gamma", "room:delta"};
    return names[channel];
}

static unsigned channel_number(const sim_t *sim, const char *name)
{
    for (unsigned i = 0; i < CHANNELS; i++) {
        if (strcmp(name, channel_name(i)) == 0)
            return i;
    }
    fail(sim, "a message of channel %s", name);
}

/* Somebody says that this publication is at this position. */
static void claim(sim_t *sim, unsigned channel, position_t position, uint64_t id)
{
    const char *why = streams_claim(&sim->streams[channel], position, id);
    if (why)
        fail(sim, "%s: %s", channel_name(channel), why);
}

/* A new owner knows the ids that the history holds, so that no publication stands there twice is promised where the history
 * is longer than the time in which publications are sent again. */
static bool promises_uniqueness(const sim_t *sim, unsigned channel)
{
    return namespaces_find(&sim->namespaces, span_str(channel_name(channel)))->history_size >= 1000;
}

static void check_orders(sim_t *sim)
{
    for (unsigned channel = 0; channel < CHANNELS; channel++) {
        const char *why = NULL;
        if (sim->relays == 1)
            why = streams_check_orders(&sim->streams[channel], sim->lives);
        else if (promises_uniqueness(sim, channel))
            why = streams_check_unique(&sim->streams[channel]);
        if (why)
            fail(sim, "%s: %s", channel_name(channel), why);
    }
}

/* --- what edges say --- */

static void heard(void *context, virtual_edge_t *edge, const virtual_subscription_t *subscription,
                  const envelope_msg_t *message)
{
    sim_t *sim = context;
    uint64_t id;
    if (subscription->faults)
        fail(sim, "%s hears offset %" PRIu64 " of %s, which is not the next one", edge->options.name,
             message->offset, subscription->channel);
    if (message->payload.size < sizeof id)
        fail(sim, "a payload of %zu bytes", message->payload.size);
    memcpy(&id, message->payload.data, sizeof id);
    claim(sim, channel_number(sim, subscription->channel), subscription->position, id);
    buf_clear(&edge->heard);
}

static void published(void *user, int err, position_t position)
{
    note_t *note = user;
    sim_t *sim = note->sim;
    if (err == OK) {
        claim(sim, note->channel, position, note->id);
        stream_t *stream = streams_get(&sim->streams[note->channel], position.epoch);
        if (stream == note->of && position.offset <= note->behind)
            fail(sim, "%" PRIx64 " is at %" PRIu64 " of %s, though %" PRIu64 " was confirmed before",
                 note->id, position.offset, channel_name(note->channel), note->behind);
        if (position.offset > stream->confirmed)
            stream->confirmed = position.offset;
    }
    uint64_t stood_us = note->station->stood_us - note->stood_us;
    if (err != ERR_CLOSED &&
        sim->fabric.now_us > note->at_us + UPLINK_PUBLISH_TIMEOUT_US + stood_us + LATE_US)
        fail(sim, "%" PRIx64 " is answered after %" PRIu64 " us", note->id, sim->fabric.now_us - note->at_us);
    sim->confirmed += err == OK;
    sim->timed_out += err == ERR_TIMEOUT;
    sim->closed += err == ERR_CLOSED;
    sim->refused += err != OK && err != ERR_TIMEOUT && err != ERR_CLOSED;
    mem_free(note);
}

static void publish(sim_t *sim, station_t *station, unsigned channel)
{
    uint8_t payload[8192] = {0};
    size_t size = random_below(&sim->fabric.random, 20) ? 64 : sizeof payload;
    uint64_t id = (uint64_t)station->life << 32 | ++station->number;
    memcpy(payload, &id, sizeof id);
    note_t *note = mem_new(sizeof *note);
    const stream_t *newest = streams_newest(&sim->streams[channel]);
    *note = (note_t){.sim = sim,
                     .station = station,
                     .channel = channel,
                     .id = id,
                     .at_us = sim->fabric.now_us,
                     .stood_us = station->stood_us,
                     .of = newest,
                     .behind = newest ? newest->confirmed : 0};
    const publication_t publication = {.channel = span_str(channel_name(channel)),
                                       .payload = span_new(payload, size)};
    if (uplink_publish(station->edge.uplink, &publication, published, note, sim->fabric.now_us)) {
        mem_free(note);
        totals.full++;
        return;
    }
    sim->published++;
}

/* --- parties --- */

static void start_station(sim_t *sim, station_t *station)
{
    static const char *const names[EDGES] = {"edge-a", "edge-b", "edge-c", "edge-d", "edge-e"};
    virtual_edge_options_t options = VIRTUAL_EDGE_DEFAULT;
    options.name = names[station - sim->stations];
    options.events.message = heard;
    options.context = sim;
    options.link.window = 128 * 1024;
    options.relays = sim->relays;
    *station = (station_t){.life = ++sim->lives};
    virtual_edge_start(&station->edge, &sim->fabric, &options);
    station->edge.port.host = RELAYS + (unsigned)(station - sim->stations);
    for (unsigned i = 0; i < sim->channels; i++) {
        if (random_below(&sim->fabric.random, 3))
            virtual_edge_subscribe(&station->edge, channel_name(i));
    }
}

static void stop_station(sim_t *sim, station_t *station)
{
    for (size_t i = 0; i < station->edge.subscription_count; i++) {
        sim->told += station->edge.subscriptions[i].told;
        sim->recovered += station->edge.subscriptions[i].recovered;
    }
    virtual_edge_stop(&station->edge);
}

static void start_relay(sim_t *sim, post_t *post)
{
    virtual_relay_options_t options = sim->relay_options;
    options.name = post->name;
    post->starts_at = 0;
    virtual_relay_start(&post->relay, &sim->fabric, &options);
    post->relay.port.host = (unsigned)(post - sim->posts);
    totals.relays++;
}

static uint64_t for_a_while(sim_t *sim, uint64_t most)
{
    return sim->fabric.now_us + random_below(&sim->fabric.random, most);
}

static post_t *any_post(sim_t *sim)
{
    return &sim->posts[random_below(&sim->fabric.random, sim->relays)];
}

static station_t *any_station(sim_t *sim)
{
    return &sim->stations[random_below(&sim->fabric.random, sim->edges)];
}

static void reset_a_link(sim_t *sim)
{
    const node_t *node =
        random_below(&sim->fabric.random, 2) ? any_post(sim)->relay.node : any_station(sim)->edge.node;
    link_t *link;
    for (size_t at = 0; node && (link = node_next_link(node, &at)) != NULL;) {
        if (link_is_up(link)) {
            link_reset(link, ERR_FULL, sim->fabric.now_us);
            return;
        }
    }
}

/* One host does not hear another one any more; half of the time that one does not hear it, too. */
static void cut_a_pair(sim_t *sim)
{
    random_t *random = &sim->fabric.random;
    virtual_port_t *a = &any_post(sim)->relay.port;
    virtual_port_t *b = random_below(random, 2) ? &any_post(sim)->relay.port : &any_station(sim)->edge.port;
    if (a == b)
        return;
    a->deaf |= UINT64_C(1) << b->host;
    if (random_below(random, 2))
        b->deaf |= UINT64_C(1) << a->host;
    trace(sim, "host %u does not hear host %u", a->host, b->host);
}

static void heal_all_pairs(sim_t *sim)
{
    trace(sim, "all hear all");
    for (unsigned i = 0; i < sim->relays; i++)
        sim->posts[i].relay.port.deaf = 0;
    for (unsigned i = 0; i < sim->edges; i++)
        sim->stations[i].edge.port.deaf = 0;
}

static void crash_a_relay(sim_t *sim)
{
    post_t *post = any_post(sim);
    if (post->starts_at)
        return;
    trace(sim, "%s crashes", post->name);
    virtual_relay_stop(&post->relay);
    post->starts_at = for_a_while(sim, sim->relays > 1 ? 8 * SECOND : MS) + 1;
}

static void make_trouble(sim_t *sim)
{
    station_t *station = any_station(sim);
    switch (random_below(&sim->fabric.random, 13)) {
    case 0: station->cut_until = for_a_while(sim, 9 * SECOND); break;
    case 1: any_post(sim)->cut_until = for_a_while(sim, sim->relays > 1 ? 12 * SECOND : SECOND); break;
    case 2: station->stalled_until = for_a_while(sim, 8 * SECOND); break;
    case 3: station->blocked_until = for_a_while(sim, 3 * SECOND); break;
    case 4: any_post(sim)->blocked_until = for_a_while(sim, 2 * SECOND); break;
    case 5: any_post(sim)->stalled_until = for_a_while(sim, sim->relays > 1 ? 9 * SECOND : 4 * SECOND); break;
    case 6: reset_a_link(sim); break;
    case 7:
        trace(sim, "%s is started anew", station->edge.options.name);
        stop_station(sim, station);
        start_station(sim, station);
        break;
    case 8:
    case 9: cut_a_pair(sim); break;
    case 10:
    case 11: heal_all_pairs(sim); break;
    default: crash_a_relay(sim); break;
    }
}

/* One relay at a time, and each time enough time to come back and to copy everything. */
static void make_orderly_trouble(sim_t *sim)
{
    if (sim->fabric.now_us < sim->quiet_until)
        return;
    crash_a_relay(sim);
    sim->quiet_until = sim->fabric.now_us + 18 * SECOND;
}

static void apply_troubles(sim_t *sim)
{
    uint64_t now = sim->fabric.now_us;
    for (unsigned i = 0; i < sim->relays; i++) {
        post_t *post = &sim->posts[i];
        if (post->starts_at && now >= post->starts_at)
            start_relay(sim, post);
        post->relay.port.stalled = now < post->stalled_until;
        post->relay.port.blocked = now < post->blocked_until;
        post->relay.port.cut = now < post->cut_until;
    }
    for (unsigned i = 0; i < sim->edges; i++) {
        station_t *station = &sim->stations[i];
        if (station->edge.port.stalled)
            station->stood_us += now - sim->troubles_us;
        station->edge.port.cut = now < station->cut_until;
        station->edge.port.stalled = now < station->stalled_until;
        station->edge.port.blocked = now < station->blocked_until;
    }
    sim->troubles_us = now;
}

/* --- a run --- */

static void set_up(sim_t *sim, uint64_t seed, bool traced)
{
    *sim = (sim_t){.seed = seed, .traced = traced, .mild = seed % 4 == 0};
    virtual_fabric_init(&sim->fabric, seed);
    random_t *random = &sim->fabric.random;
    namespaces_init(&sim->namespaces);
    const channel_options_t small = {.history_size = 8, .history_ttl_us = 30 * SECOND};
    const channel_options_t large = {.history_size = 5000, .history_ttl_us = 60 * SECOND};
    namespaces_add(&sim->namespaces, SPAN("default"), &large);
    namespaces_add(&sim->namespaces, SPAN("room"), sim->mild ? &large : &small);
    const virtual_relay_options_t options = VIRTUAL_RELAY_DEFAULT;
    sim->relay_options = options;
    sim->relay_options.namespaces = &sim->namespaces;
    sim->relay_options.history_memory = 64 * 1024 * 1024;
    sim->relays = seed % 3 ? 2 + (unsigned)random_below(random, RELAYS - 1) : 1;
    sim->relay_options.peers = sim->relays - 1;
    sim->relay_options.replicas = seed % 5 != 0;
    sim->relay_options.link.window =
        (sim->relays > 1 ? 8192 : 256) * 1024; /* a channel goes over whole, with its ids */
    sim->orderly = sim->relays > 2 && sim->relay_options.replicas && seed % 2;
    sim->edges = 2 + (unsigned)random_below(random, EDGES - 1);
    sim->channels = 1 + (unsigned)random_below(random, CHANNELS);
    sim->trouble = sim->mild ? 0 : (unsigned)random_below(random, 200);
    sim->fabric.network.loss = (unsigned)random_below(random, 100);
    sim->fabric.network.doubling = (unsigned)random_below(random, 100);
    sim->fabric.network.late = (unsigned)random_below(random, 100);
    sim->fabric.network.jitter = random_below(random, 300);
    sim->fabric.network.late_max = 100 * MS;
    sim->quiet_until = sim->fabric.now_us + 6 * SECOND;
    for (unsigned i = 0; i < sim->relays; i++) {
        snprintf(sim->posts[i].name, sizeof sim->posts[i].name, "relay-%u", i + 1);
        start_relay(sim, &sim->posts[i]);
    }
    virtual_fabric_run(&sim->fabric, sim->relays > 1 ? 4 * SECOND : 0); /* they come together */
    for (unsigned i = 0; i < sim->edges; i++)
        start_station(sim, &sim->stations[i]);
    trace(sim, "%u relays, %u edges, %u channels, trouble in %u of 10,000 steps%s%s", sim->relays, sim->edges,
          sim->channels, sim->trouble, sim->mild ? ", mild" : "", sim->orderly ? ", orderly" : "");
}

static void step(sim_t *sim)
{
    random_t *random = &sim->fabric.random;
    if (sim->orderly)
        make_orderly_trouble(sim);
    else if (random_below(random, 10000) < sim->trouble)
        make_trouble(sim);
    apply_troubles(sim);
    for (uint64_t i = random_below(random, 6); i > 0; i--)
        publish(sim, &sim->stations[random_below(random, sim->edges)],
                (unsigned)random_below(random, sim->channels));
    virtual_fabric_run(&sim->fabric, random_below(random, 40 * MS));
}

static void calm_down(sim_t *sim)
{
    network_calm(&sim->fabric.network);
    heal_all_pairs(sim);
    for (unsigned i = 0; i < sim->relays; i++) {
        post_t *post = &sim->posts[i];
        post->stalled_until = post->blocked_until = post->cut_until = 0;
        if (post->starts_at)
            post->starts_at = sim->fabric.now_us;
    }
    for (unsigned i = 0; i < sim->edges; i++) {
        station_t *station = &sim->stations[i];
        station->cut_until = station->stalled_until = station->blocked_until = 0;
    }
    apply_troubles(sim);
    virtual_fabric_run(&sim->fabric, TAIL);
}

/* The last publication to a channel reaches all. */
static void check_channel(sim_t *sim, unsigned channel)
{
    uint64_t confirmed = sim->confirmed;
    publish(sim, &sim->stations[0], channel);
    virtual_fabric_run(&sim->fabric, 100 * MS);
    if (sim->confirmed != confirmed + 1)
        fail(sim, "the last publication to %s is not confirmed", channel_name(channel));
    position_t top = {0};
    for (unsigned i = 0; i < sim->edges; i++) {
        const virtual_edge_t *edge = &sim->stations[i].edge;
        for (size_t k = 0; k < edge->subscription_count; k++) {
            const virtual_subscription_t *subscription = &edge->subscriptions[k];
            if (strcmp(subscription->channel, channel_name(channel)) != 0)
                continue;
            if (subscription->state != SUBSCRIPTION_ON || subscription->faults)
                fail(sim, "%s: the subscription to %s is in state %d with %" PRIu64 " faults",
                     edge->options.name, subscription->channel, subscription->state, subscription->faults);
            if (!position_known(top))
                top = subscription->position;
            if (!position_same_epoch(top, subscription->position) ||
                top.offset != subscription->position.offset)
                fail(sim, "%s is at offset %" PRIu64 " of %s, another one at %" PRIu64, edge->options.name,
                     subscription->position.offset, subscription->channel, top.offset);
        }
    }
    stream_t *stream = position_known(top) ? streams_get(&sim->streams[channel], top.epoch) : NULL;
    uint64_t last = (uint64_t)sim->stations[0].life << 32 | sim->stations[0].number;
    if (stream && (top.offset >= stream->room || stream->ids[top.offset] != last))
        fail(sim, "the newest message of %s is not the last publication", channel_name(channel));
}

static void check_end(sim_t *sim)
{
    for (unsigned i = 0; i < sim->edges; i++) {
        const virtual_edge_t *edge = &sim->stations[i].edge;
        if (node_links_up(edge->node) != sim->relays)
            fail(sim, "%s has %zu links", edge->options.name, node_links_up(edge->node));
        if (uplink_counts(edge->uplink).pending)
            fail(sim, "%s waits for %zu answers", edge->options.name, uplink_counts(edge->uplink).pending);
        if (sim->mild && !sim->orderly && edge->lost)
            fail(sim, "%s lost its link in a mild run", edge->options.name);
        if (edge->strays)
            fail(sim, "%s hears of channels that it has not subscribed to", edge->options.name);
    }
    for (unsigned i = 0; i < sim->relays; i++) {
        const post_t *post = &sim->posts[i];
        relay_front_counts_t counts = relay_front_counts(post->relay.front);
        if (node_links_up(post->relay.node) != sim->edges + sim->relays - 1)
            fail(sim, "%s has %zu links with %u edges", post->name, node_links_up(post->relay.node),
                 sim->edges);
        if (counts.members != sim->relays)
            fail(sim, "%s is in a view of %zu", post->name, counts.members);
        if (counts.waiting)
            fail(sim, "%" PRIu64 " requests wait at %s", counts.waiting, post->name);
    }
    for (unsigned channel = 0; channel < sim->channels; channel++)
        check_channel(sim, channel);
    check_orders(sim);
}

static void tear_down(sim_t *sim)
{
    for (unsigned i = 0; i < sim->edges; i++)
        stop_station(sim, &sim->stations[i]);
    for (unsigned i = 0; i < sim->relays; i++)
        virtual_relay_stop(&sim->posts[i].relay);
    for (unsigned i = 0; sim->orderly && i < sim->channels; i++) {
        if (sim->streams[i].count > 1)
            fail(sim, "%s has had %zu epochs", channel_name(i), sim->streams[i].count);
    }
    if (sim->published != sim->confirmed + sim->timed_out + sim->closed || sim->refused)
        fail(sim,
             "%" PRIu64 " published, %" PRIu64 " confirmed, %" PRIu64 " timed out, %" PRIu64
             " closed, %" PRIu64 " refused",
             sim->published, sim->confirmed, sim->timed_out, sim->closed, sim->refused);
    if (sim->mild && !sim->orderly && (sim->told || sim->confirmed != sim->published))
        fail(sim, "a mild run with %" PRIu64 " gaps and %" PRIu64 " publications lost", sim->told,
             sim->published - sim->confirmed);
    totals.published += sim->published;
    totals.confirmed += sim->confirmed;
    totals.timed_out += sim->timed_out;
    totals.told += sim->told;
    totals.recovered += sim->recovered;
    for (unsigned channel = 0; channel < CHANNELS; channel++)
        streams_fini(&sim->streams[channel]);
    namespaces_fini(&sim->namespaces);
    virtual_fabric_fini(&sim->fabric);
}

static void run(uint64_t seed, bool traced)
{
    static sim_t sim;
    set_up(&sim, seed, traced);
    uint64_t end = sim.fabric.now_us + TROUBLE;
    while (sim.fabric.now_us < end)
        step(&sim);
    calm_down(&sim);
    check_end(&sim);
    tear_down(&sim);
}

/* --- the command --- */

int main(int argc, char **argv)
{
    const seeds_t seeds = {"relay_sim", TEST_SOURCE_DIR "/sim/relay_seeds.txt", SEEDS, run};
    if (!seeds_run(&seeds, argc, argv))
        return 0;
    printf("relay_sim: all held; %" PRIu64 " publications, %" PRIu64 " confirmed, %" PRIu64
           " timed out, %" PRIu64 " refused by a full uplink; %" PRIu64 " subscriptions went on, %" PRIu64
           " were told of a gap; %" PRIu64 " relays\n",
           totals.published, totals.confirmed, totals.timed_out, totals.full, totals.recovered, totals.told,
           totals.relays);
    return 0;
}
