/* sim/mesh_sim - relays that agree on who they are, on a faulty fabric and a virtual clock: messages are lost, doubled and
 * late; pairs are cut from each other, in one direction or in both; relays stand still, can't send, crash and come
 * back; links are reset.
 * The command line: sim/seeds.
 *
 * What holds at every step that a relay takes:
 *   - in a lineage a number has one view, wherever it is in force, and a relay is in it once;
 *   - who succeeds goes to the next number of its lineage; a majority of the predecessor's members has voted in that
 *     ballot before the successor is in force anywhere;
 *   - who leaves is alone, in a lineage that nobody has seen, and says so if it had voted;
 *   - who joins goes to a greater lineage, into a view whose predecessor does not have it as a member;
 *   - who has arrived is a member, and has had that view itself.
 * After a tail without faults: one view with all relays, each has arrived at each, all serve, nobody has an open vote;
 * and for the last seconds of it nothing has changed.
 *
 * What it finds was tried with faults put into the mesh, 1,000 seeds each. Found: half of the members are a majority;
 * votes are not told to later proposers; a promise binds nobody; answers about other views count; who has left comes
 * back into a view of members; a vote raises no doubt; who is behind is told nothing. Not found: the oldest vote is
 * adopted in place of the newest (it takes a third ballot in one view); a view is jumped over (links keep their order).
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "tests/sim/seeds.h"
#include "tests/sim/virtual_mesh.h"

#define MS     UINT64_C(1000)
#define SECOND UINT64_C(1000000)

#define SEEDS   1000u
#define RELAYS  7u
#define TROUBLE (40 * SECOND)
#define TAIL    (30 * SECOND) /* longer than any silence, greeting, and two or three steps in a row */
#define CALM    (5 * SECOND)  /* of the tail: nothing moves any more */

/* A view that has been in force somewhere. */
typedef struct record {
    view_t view;
    uint64_t *voters; /* owned; who was seen to have voted for a successor of it */
    size_t voter_count;
    uint64_t *holders; /* owned; who has had it */
    size_t holder_count;
} record_t;

typedef struct post {
    struct sim *sim;
    virtual_mesh_t mesh;
    char name[32];
    uint64_t starts_at; /* us; 0 = it runs */
    uint64_t stalled_until, blocked_until;
} post_t;

typedef struct sim {
    uint64_t seed;
    bool traced;
    virtual_fabric_t fabric;
    post_t posts[RELAYS];
    unsigned relays;
    unsigned trouble;                    /* in parts of 10,000 steps */
    uint64_t deaf_until[RELAYS][RELAYS]; /* us; [to][from] */
    uint64_t changed_at;                 /* us */
    record_t *records;                   /* owned */
    size_t record_count;
    link_settings_t link;
} sim_t;

static struct totals {
    uint64_t succeeded, left, joined, crashes, views;
} totals;

/* --- telling --- */

static void trace(const sim_t *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
_Noreturn static void fail(const sim_t *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void trace(const sim_t *sim, const char *format, ...)
{
    if (!sim->traced)
        return;
    printf("%4" PRIu64 ".%06" PRIu64 "  ", sim->fabric.now_us / SECOND, sim->fabric.now_us % SECOND);
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

static void fail(const sim_t *sim, const char *format, ...)
{
    printf("mesh_sim: seed %" PRIu64 " failed at %" PRIu64 " us: ", sim->seed, sim->fabric.now_us);
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\nreplay: mesh_sim --seed %" PRIu64 "\n", sim->seed);
    exit(1);
}

/* "abcd:3 {relay-1 relay-4}"; the memory is good for four calls. */
static const char *describe(const view_t *view)
{
    static char texts[4][256];
    static unsigned turn;
    char *text = texts[turn++ % 4];
    size_t size = (size_t)snprintf(text, sizeof texts[0], "%04x:%" PRIu64 " {",
                                   (unsigned)(view->lineage >> 48), view->number);
    for (size_t i = 0; i < view->count && size < sizeof texts[0] - 20; i++)
        size += (size_t)snprintf(text + size, sizeof texts[0] - size, "%s%s", i ? " " : "",
                                 view->members[i].name);
    snprintf(text + size, sizeof texts[0] - size, "}");
    return text;
}

/* --- what was in force --- */

static record_t *find_record(const sim_t *sim, uint64_t lineage, uint64_t number)
{
    for (size_t i = sim->record_count; i-- > 0;)
        if (sim->records[i].view.lineage == lineage && sim->records[i].view.number == number)
            return &sim->records[i];
    return NULL;
}

static bool knows_lineage(const sim_t *sim, uint64_t lineage)
{
    for (size_t i = 0; i < sim->record_count; i++)
        if (sim->records[i].view.lineage == lineage)
            return true;
    return false;
}

static record_t *add_record(sim_t *sim, const view_t *view)
{
    sim->records = mem_grow(sim->records, sim->record_count + 1, sizeof *sim->records);
    record_t *record = &sim->records[sim->record_count++];
    *record = (record_t){.view = *view};
    totals.views++;
    return record;
}

static bool is_among(const uint64_t *ids, size_t count, uint64_t id)
{
    for (size_t i = 0; i < count; i++)
        if (ids[i] == id)
            return true;
    return false;
}

static void add_id(uint64_t **ids, size_t *count, uint64_t id)
{
    if (is_among(*ids, *count, id))
        return;
    *ids = mem_grow(*ids, *count + 1, sizeof **ids);
    (*ids)[(*count)++] = id;
}

static bool same_members(const view_t *a, const view_t *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++)
        same = a->members[i].id == b->members[i].id && strcmp(a->members[i].name, b->members[i].name) == 0;
    return same;
}

/* --- what holds at each step --- */

/* Whoever is the first in the successor has counted the votes, its own with them. */
static void check_succeeded(sim_t *sim, const virtual_mesh_t *mesh, const mesh_change_t *change, bool first)
{
    const char *name = mesh->options.name;
    if (change->to->lineage != change->from->lineage || change->to->number != change->from->number + 1)
        fail(sim, "%s went from %s to %s", name, describe(change->from), describe(change->to));
    if (!first)
        return;
    record_t *before = find_record(sim, change->from->lineage, change->from->number);
    add_id(&before->voters, &before->voter_count, virtual_mesh_id(mesh));
    if (before->voter_count < before->view.count / 2 + 1)
        fail(sim, "%zu of %s have voted, and %s is in force", before->voter_count, describe(change->from),
             describe(change->to));
}

static void check_left(sim_t *sim, const virtual_mesh_t *mesh, const mesh_change_t *change)
{
    const record_t *before = find_record(sim, change->from->lineage, change->from->number);
    bool voted = is_among(before->voters, before->voter_count, virtual_mesh_id(mesh));
    if (change->to->count != 1 || change->to->number != change->from->number + 1 ||
        knows_lineage(sim, change->to->lineage))
        fail(sim, "%s left %s for %s", mesh->options.name, describe(change->from), describe(change->to));
    if (voted && !change->doubtful)
        fail(sim, "%s has voted for a successor of %s, and has no doubt", mesh->options.name,
             describe(change->from));
}

static void check_joined(sim_t *sim, const virtual_mesh_t *mesh, const mesh_change_t *change)
{
    const char *name = mesh->options.name;
    if (change->to->lineage == change->from->lineage || !view_is_greater(change->to, change->from))
        fail(sim, "%s joined %s from %s", name, describe(change->to), describe(change->from));
    const record_t *before = find_record(sim, change->to->lineage, change->to->number - 1);
    if (!before)
        fail(sim, "%s joined %s, which has no predecessor", name, describe(change->to));
    if (view_find(&before->view, virtual_mesh_id(mesh)))
        fail(sim, "%s joined %s, and is a member of %s", name, describe(change->to), describe(&before->view));
}

static void check_view(sim_t *sim, const virtual_mesh_t *mesh, const view_t *view)
{
    record_t *record = find_record(sim, view->lineage, view->number);
    if (!record)
        record = add_record(sim, view);
    if (!view_find(view, virtual_mesh_id(mesh)))
        fail(sim, "%s is in %s, and is no member", mesh->options.name, describe(view));
    if (!same_members(&record->view, view))
        fail(sim, "%s is in %s, others in %s", mesh->options.name, describe(view), describe(&record->view));
    if (is_among(record->holders, record->holder_count, virtual_mesh_id(mesh)))
        fail(sim, "%s is in %s a second time", mesh->options.name, describe(view));
    add_id(&record->holders, &record->holder_count, virtual_mesh_id(mesh));
}

static void view_changed(void *context, virtual_mesh_t *mesh, const mesh_change_t *change)
{
    static const char *const names[] = {"succeeded", "left", "joined"};
    sim_t *sim = ((post_t *)context)->sim;
    bool first = !find_record(sim, change->to->lineage, change->to->number);
    trace(sim, "%s %s: %s -> %s%s", mesh->options.name, names[change->step], describe(change->from),
          describe(change->to), change->doubtful ? ", in doubt" : "");
    switch (change->step) {
    case MESH_SUCCEEDED:
        totals.succeeded++;
        check_succeeded(sim, mesh, change, first);
        break;
    case MESH_LEFT:
        totals.left++;
        check_left(sim, mesh, change);
        break;
    case MESH_JOINED:
        totals.joined++;
        check_joined(sim, mesh, change);
        break;
    }
    check_view(sim, mesh, change->to);
    if (!view_same(change->to, virtual_mesh_view(mesh)))
        fail(sim, "%s says %s, and has %s", mesh->options.name, describe(change->to),
             describe(virtual_mesh_view(mesh)));
    sim->changed_at = sim->fabric.now_us;
}

static void member_arrived(void *context, virtual_mesh_t *mesh, uint64_t member)
{
    sim_t *sim = ((post_t *)context)->sim;
    const view_t *view = virtual_mesh_view(mesh);
    const record_t *record = find_record(sim, view->lineage, view->number);
    if (!view_find(view, member) || !is_among(record->holders, record->holder_count, member))
        fail(sim, "%016" PRIx64 " has arrived at %s in %s", member, mesh->options.name, describe(view));
    if (!relay_mesh_has_arrived(mesh->mesh, member))
        fail(sim, "%016" PRIx64 " has arrived at %s, and has not", member, mesh->options.name);
}

static void note_vote(void *context, virtual_mesh_t *mesh)
{
    sim_t *sim = ((post_t *)context)->sim;
    const view_t *view = virtual_mesh_view(mesh);
    record_t *record = find_record(sim, view->lineage, view->number);
    if (record && relay_mesh_voted(mesh->mesh))
        add_id(&record->voters, &record->voter_count, virtual_mesh_id(mesh));
}

static const virtual_mesh_events_t events = {view_changed, member_arrived, note_vote};

/* --- what goes wrong --- */

static void start(sim_t *sim, post_t *post)
{
    virtual_mesh_options_t options = VIRTUAL_MESH_DEFAULT;
    options.name = post->name;
    options.host = (unsigned)(post - sim->posts);
    options.peers = sim->relays - 1;
    options.link = sim->link;
    options.events = &events;
    options.context = post;
    post->starts_at = 0;
    virtual_mesh_start(&post->mesh, &sim->fabric, &options);
    trace(sim, "%s starts as %016" PRIx64, post->name, virtual_mesh_id(&post->mesh));
    check_view(sim, &post->mesh, virtual_mesh_view(&post->mesh));
}

static uint64_t up_to(sim_t *sim, uint64_t most)
{
    return sim->fabric.now_us + random_below(&sim->fabric.random, most);
}

static void crash(sim_t *sim, post_t *post)
{
    if (post->starts_at)
        return;
    totals.crashes++;
    post->starts_at = up_to(sim, random_below(&sim->fabric.random, 3) ? 2 * SECOND : 10 * SECOND) + 1;
    trace(sim, "%s crashes", post->name);
    if (random_below(&sim->fabric.random, 3) == 0)
        node_close(post->mesh.node, "going", sim->fabric.now_us);
    virtual_mesh_stop(&post->mesh);
}

static void cut(sim_t *sim, unsigned a, unsigned b)
{
    uint64_t until = up_to(sim, 12 * SECOND);
    bool one_way = random_below(&sim->fabric.random, 3) == 0;
    sim->deaf_until[a][b] = until;
    if (!one_way)
        sim->deaf_until[b][a] = until;
    trace(sim, "relay-%u does not hear relay-%u%s for %" PRIu64 " ms", a + 1, b + 1,
          one_way ? "" : ", nor that one it,", (until - sim->fabric.now_us) / MS);
}

/* Two groups that don't hear each other. */
static void split(sim_t *sim)
{
    uint64_t until = up_to(sim, 12 * SECOND);
    uint64_t group = random_next(&sim->fabric.random);
    trace(sim, "split by %02x for %" PRIu64 " ms", (unsigned)group & 0x7f, (until - sim->fabric.now_us) / MS);
    for (unsigned a = 0; a < sim->relays; a++)
        for (unsigned b = 0; b < sim->relays; b++)
            if ((group >> a & 1) != (group >> b & 1))
                sim->deaf_until[a][b] = until;
}

static void reset_a_link(sim_t *sim, post_t *post, post_t *other)
{
    link_t *link = post->starts_at || other->starts_at ? NULL : virtual_mesh_link(&post->mesh, &other->mesh);
    if (!link)
        return;
    trace(sim, "%s resets its link with %s", post->name, other->name);
    link_reset(link, -1, sim->fabric.now_us);
}

static void make_trouble(sim_t *sim)
{
    random_t *random = &sim->fabric.random;
    unsigned a = (unsigned)random_below(random, sim->relays);
    unsigned b = (a + 1 + (unsigned)random_below(random, sim->relays - 1)) % sim->relays;
    post_t *post = &sim->posts[a];
    switch (random_below(random, 10)) {
    case 0:
    case 1: crash(sim, post); return;
    case 2:
    case 3:
        post->stalled_until = up_to(sim, 8 * SECOND);
        trace(sim, "%s stands still for %" PRIu64 " ms", post->name,
              (post->stalled_until - sim->fabric.now_us) / MS);
        return;
    case 4: post->blocked_until = up_to(sim, 2 * SECOND); return;
    case 5: split(sim); return;
    case 6:
    case 7: reset_a_link(sim, post, &sim->posts[b]); return;
    default: cut(sim, a, b); return;
    }
}

static void apply_troubles(sim_t *sim)
{
    uint64_t now = sim->fabric.now_us;
    for (unsigned i = 0; i < sim->relays; i++) {
        post_t *post = &sim->posts[i];
        if (post->starts_at && now >= post->starts_at)
            start(sim, post);
        post->mesh.port.stalled = now < post->stalled_until;
        post->mesh.port.blocked = now < post->blocked_until;
        post->mesh.port.deaf = 0;
        for (unsigned from = 0; from < sim->relays; from++)
            if (now < sim->deaf_until[i][from])
                post->mesh.port.deaf |= UINT64_C(1) << from;
    }
}

/* --- a run --- */

static void set_up(sim_t *sim, uint64_t seed, bool traced)
{
    *sim = (sim_t){.seed = seed, .traced = traced};
    virtual_fabric_init(&sim->fabric, seed);
    random_t *random = &sim->fabric.random;
    const link_settings_t link = LINK_SETTINGS_DEFAULT;
    sim->link = link;
    sim->link.heartbeat_us = random_below(random, 2) ? SECOND / 2 : SECOND;
    sim->relays = 2 + (unsigned)random_below(random, RELAYS - 1);
    sim->trouble = (unsigned)random_below(random, 300);
    network_t *network = &sim->fabric.network;
    network->loss = (unsigned)random_below(random, 400);
    network->doubling = (unsigned)random_below(random, 200);
    network->late = (unsigned)random_below(random, 200);
    network->jitter = random_below(random, 5 * MS);
    network->late_max = 500 * MS;
    for (unsigned i = 0; i < sim->relays; i++) {
        sim->posts[i].sim = sim;
        snprintf(sim->posts[i].name, sizeof sim->posts[i].name, "relay-%u", i + 1);
        if (random_below(random, 2))
            start(sim, &sim->posts[i]);
        else
            sim->posts[i].starts_at = up_to(sim, 5 * SECOND) + 1;
    }
    trace(sim, "%u relays, trouble in %u of 10,000 steps", sim->relays, sim->trouble);
}

static void step(sim_t *sim)
{
    if (random_below(&sim->fabric.random, 10000) < sim->trouble)
        make_trouble(sim);
    apply_troubles(sim);
    virtual_fabric_run(&sim->fabric, random_below(&sim->fabric.random, 40 * MS));
}

static void calm_down(sim_t *sim)
{
    trace(sim, "the trouble ends");
    network_calm(&sim->fabric.network);
    memset(sim->deaf_until, 0, sizeof sim->deaf_until);
    for (unsigned i = 0; i < sim->relays; i++) {
        post_t *post = &sim->posts[i];
        post->stalled_until = post->blocked_until = 0;
        if (post->starts_at)
            post->starts_at = sim->fabric.now_us;
    }
    apply_troubles(sim);
    virtual_fabric_run(&sim->fabric, TAIL);
}

static void check_end(sim_t *sim)
{
    const view_t *view = virtual_mesh_view(&sim->posts[0].mesh);
    for (unsigned i = 0; i < sim->relays; i++) {
        const virtual_mesh_t *mesh = &sim->posts[i].mesh;
        if (!view_same(virtual_mesh_view(mesh), view) || view->count != sim->relays)
            fail(sim, "%s ends in %s, relay-1 in %s", mesh->options.name, describe(virtual_mesh_view(mesh)),
                 describe(view));
        if (!relay_mesh_serves(mesh->mesh))
            fail(sim, "%s does not serve", mesh->options.name);
        if (relay_mesh_voted(mesh->mesh))
            fail(sim, "%s has an open vote", mesh->options.name);
        for (unsigned other = 0; other < sim->relays; other++)
            if (other != i && !relay_mesh_has_arrived(mesh->mesh, virtual_mesh_id(&sim->posts[other].mesh)))
                fail(sim, "relay-%u has not arrived at %s", other + 1, mesh->options.name);
    }
    if (sim->changed_at + CALM > sim->fabric.now_us)
        fail(sim, "views still change: %s", describe(view));
}

static void tear_down(sim_t *sim)
{
    for (unsigned i = 0; i < sim->relays; i++)
        virtual_mesh_stop(&sim->posts[i].mesh);
    for (size_t i = 0; i < sim->record_count; i++) {
        mem_free(sim->records[i].voters);
        mem_free(sim->records[i].holders);
    }
    mem_free(sim->records);
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
    const seeds_t seeds = {"mesh_sim", TEST_SOURCE_DIR "/sim/mesh_seeds.txt", SEEDS, run};
    if (!seeds_run(&seeds, argc, argv))
        return 0;
    printf("mesh_sim: all held; %" PRIu64 " views, %" PRIu64 " steps succeeded, %" PRIu64 " left, %" PRIu64
           " joined, %" PRIu64 " crashes\n",
           totals.views, totals.succeeded, totals.left, totals.joined, totals.crashes);
    return 0;
}
