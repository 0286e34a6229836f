#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/log.h"
#include "protocol/codec.h"
#include "tests/sim/virtual_mesh.h"

#define MS     UINT64_C(1000)
#define SECOND UINT64_C(1000000)

/* Longer than any silence, greeting and two steps in a row. */
#define PATIENCE (20 * SECOND)

#define RELAYS 5u

/* What a relay's mesh has said. */
typedef struct heard {
    unsigned succeeded, left, joined, doubtful, arrived;
} heard_t;

typedef struct world {
    virtual_fabric_t fabric;
    virtual_mesh_t relays[RELAYS];
    heard_t heard[RELAYS];
    uint64_t deaf_to_next; /* hosts that hear nothing more of the first one that decides */
    virtual_mesh_t *decider;
} world_t;

static world_t *world_of(const virtual_mesh_t *mesh)
{
    return mesh->options.context;
}

static heard_t *heard_by(const virtual_mesh_t *mesh)
{
    return &world_of(mesh)->heard[mesh->options.host];
}

/* The first one in a view has decided it: from here on it is heard by some alone. */
static void fall_silent(world_t *world, virtual_mesh_t *decider)
{
    world->decider = decider;
    for (unsigned i = 0; i < RELAYS; i++)
        if (world->deaf_to_next >> i & 1 && i != decider->options.host)
            world->relays[i].port.deaf |= UINT64_C(1) << decider->options.host;
    world->deaf_to_next = 0;
}

static void on_changed(void *context, virtual_mesh_t *mesh, const mesh_change_t *change)
{
    heard_t *heard = heard_by(mesh);
    heard->succeeded += change->step == MESH_SUCCEEDED;
    heard->left += change->step == MESH_LEFT;
    heard->joined += change->step == MESH_JOINED;
    heard->doubtful += change->doubtful;
    assert_true(view_same(change->to, virtual_mesh_view(mesh)));
    assert_non_null(view_find(change->to, virtual_mesh_id(mesh)));
    if (((world_t *)context)->deaf_to_next)
        fall_silent(context, mesh);
}

static void on_arrived(void *context, virtual_mesh_t *mesh, uint64_t member)
{
    (void)context;
    heard_by(mesh)->arrived++;
    assert_non_null(view_find(virtual_mesh_view(mesh), member));
}

static const virtual_mesh_events_t events = {.changed = on_changed, .arrived = on_arrived};

static void start_as(world_t *world, unsigned host, const char *name, size_t peers, uint64_t digest)
{
    virtual_mesh_options_t options = VIRTUAL_MESH_DEFAULT;
    options.name = name;
    options.host = host;
    options.peers = peers;
    options.digest = digest;
    options.events = &events;
    options.context = world;
    world->heard[host] = (heard_t){0};
    virtual_mesh_start(&world->relays[host], &world->fabric, &options);
}

static void start(world_t *world, unsigned host)
{
    static const char *const names[RELAYS] = {"relay-1", "relay-2", "relay-3", "relay-4", "relay-5"};
    start_as(world, host, names[host], RELAYS - 1, 7);
}

static void stop(world_t *world, unsigned host)
{
    virtual_mesh_stop(&world->relays[host]);
}

static int set_up(void **state)
{
    static world_t world;
    log_set_level(LOG_LEVEL_OFF);
    hash_set_process_key((hash_key_t){1, 2});
    world = (world_t){0};
    virtual_fabric_init(&world.fabric, 1);
    *state = &world;
    return 0;
}

static int tear_down(void **state)
{
    world_t *world = *state;
    for (unsigned i = 0; i < RELAYS; i++)
        stop(world, i);
    virtual_fabric_fini(&world->fabric);
    return 0;
}

/* --- looking --- */

static const view_t *view_at(const world_t *world, unsigned host)
{
    return virtual_mesh_view(&world->relays[host]);
}

static uint64_t id_at(const world_t *world, unsigned host)
{
    return virtual_mesh_id(&world->relays[host]);
}

static bool serves(const world_t *world, unsigned host)
{
    return relay_mesh_serves(world->relays[host].mesh);
}

/* These hosts, as bits, are in one view with nobody else, and all have arrived at each. */
static bool together(const world_t *world, unsigned hosts)
{
    unsigned count = 0;
    const view_t *first = NULL;
    for (unsigned i = 0; i < RELAYS; i++) {
        if (!(hosts >> i & 1))
            continue;
        count++;
        first = first ? first : view_at(world, i);
        if (!view_same(first, view_at(world, i)))
            return false;
        for (unsigned other = 0; other < RELAYS; other++)
            if (hosts >> other & 1 && other != i &&
                !relay_mesh_has_arrived(world->relays[i].mesh, id_at(world, other)))
                return false;
    }
    return first && first->count == count;
}

typedef struct hosts {
    const world_t *world;
    unsigned hosts;
} hosts_t;

static bool hosts_are_together(void *context)
{
    const hosts_t *hosts = context;
    return together(hosts->world, hosts->hosts);
}

static bool hosts_are_alone(void *context)
{
    const hosts_t *hosts = context;
    for (unsigned i = 0; i < RELAYS; i++)
        if (hosts->hosts >> i & 1 && view_at(hosts->world, i)->count != 1)
            return false;
    return true;
}

static void expect_together(world_t *world, unsigned hosts)
{
    hosts_t whom = {world, hosts};
    assert_true(virtual_fabric_run_until(&world->fabric, hosts_are_together, &whom, PATIENCE));
}

static void expect_alone(world_t *world, unsigned hosts)
{
    hosts_t whom = {world, hosts};
    assert_true(virtual_fabric_run_until(&world->fabric, hosts_are_alone, &whom, PATIENCE));
}

/* Each group hears itself alone. */
static void split(world_t *world, unsigned group)
{
    for (unsigned i = 0; i < RELAYS; i++)
        world->relays[i].port.deaf = group >> i & 1 ? (uint64_t)~group & 0x1f : group;
}

static void heal(world_t *world)
{
    for (unsigned i = 0; i < RELAYS; i++)
        world->relays[i].port.deaf = 0;
}

static void start_all(world_t *world, unsigned hosts)
{
    for (unsigned i = 0; i < RELAYS; i++)
        if (hosts >> i & 1)
            start(world, i);
    expect_together(world, hosts);
}

/* --- behaviours --- */

static void a_relay_without_peers_serves_at_once(void **state)
{
    world_t *world = *state;
    start_as(world, 0, "relay-1", 0, 7);
    assert_true(serves(world, 0));
    assert_int_equal(view_at(world, 0)->count, 1);
    assert_int_equal(view_at(world, 0)->number, 1);
    assert_int_not_equal(view_at(world, 0)->lineage, 0);
}

static void a_relay_with_peers_gives_them_time_before_it_serves_alone(void **state)
{
    world_t *world = *state;
    start(world, 0);
    virtual_fabric_run(&world->fabric, MESH_START_US - 1);
    assert_false(serves(world, 0));
    virtual_fabric_run(&world->fabric, 1);
    assert_true(serves(world, 0));
}

static void three_relays_come_together(void **state)
{
    world_t *world = *state;
    uint64_t from = world->fabric.now_us;
    start_all(world, 7);
    assert_in_range(world->fabric.now_us - from, 0, MESH_START_US);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(serves(world, i));
        assert_false(relay_mesh_voted(world->relays[i].mesh));
        assert_int_equal(world->heard[i].left, 0);
        assert_in_range(world->heard[i].arrived, 2, 4);
    }
}

static void relays_that_are_together_stay_as_they_are(void **state)
{
    world_t *world = *state;
    start_all(world, 7);
    view_t view = *view_at(world, 0);
    virtual_fabric_run(&world->fabric, 60 * SECOND);
    for (unsigned i = 0; i < 3; i++)
        assert_true(view_same(&view, view_at(world, i)));
}

static void when_one_dies_the_others_go_on_in_the_same_lineage(void **state)
{
    world_t *world = *state;
    start_all(world, 7);
    view_t before = *view_at(world, 0);
    stop(world, 2);
    expect_together(world, 3);
    assert_int_equal(view_at(world, 0)->lineage, before.lineage);
    assert_int_equal(view_at(world, 0)->number, before.number + 1);
}

static void a_late_relay_is_taken_in(void **state)
{
    world_t *world = *state;
    start_all(world, 7);
    view_t before = *view_at(world, 0);
    start(world, 3);
    expect_together(world, 15);
    assert_int_equal(view_at(world, 3)->lineage, before.lineage);
    assert_int_equal(world->heard[3].joined, 1);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(world->heard[i].left, 0);
}

static void a_relay_that_restarts_is_another_member_of_the_same_name(void **state)
{
    world_t *world = *state;
    start_all(world, 7);
    uint64_t lineage = view_at(world, 0)->lineage, id = id_at(world, 2);
    stop(world, 2);
    start(world, 2);
    expect_together(world, 7);
    assert_int_equal(view_at(world, 2)->lineage, lineage);
    assert_null(view_find(view_at(world, 0), id));
    assert_string_equal(view_find(view_at(world, 0), id_at(world, 2))->name, "relay-3");
}

/* Both see the third one, and only one of them can be in a view with it. */
static void of_two_that_do_not_hear_each_other_one_stays(void **state)
{
    world_t *world = *state;
    start_all(world, 7);
    uint64_t lineage = view_at(world, 2)->lineage;
    world->relays[0].port.deaf = 2;
    world->relays[1].port.deaf = 1;
    hosts_t one = {world, 1}, other = {world, 2};
    virtual_fabric_run(&world->fabric, PATIENCE);
    assert_int_equal(view_at(world, 2)->lineage, lineage);
    assert_true(hosts_are_alone(&one) != hosts_are_alone(&other));
    unsigned lonely = hosts_are_alone(&one) ? 0 : 1;
    assert_true(together(world, 7u & ~(1u << lonely)));
    assert_false(serves(world, lonely)); /* it sees a greater lineage */
    assert_true(serves(world, 2));
    heal(world);
    expect_together(world, 7);
}

static void who_loses_the_majority_is_alone_and_the_rest_goes_on(void **state)
{
    world_t *world = *state;
    start_all(world, 31);
    view_t before = *view_at(world, 0);
    split(world, 3);
    expect_together(world, 28);
    expect_alone(world, 1);
    assert_int_equal(view_at(world, 2)->lineage, before.lineage);
    assert_int_not_equal(view_at(world, 0)->lineage, before.lineage);
    assert_true(view_at(world, 0)->number > before.number);
    heal(world);
    expect_together(world, 31);
}

static void of_two_relays_neither_has_a_majority_without_the_other(void **state)
{
    world_t *world = *state;
    start_all(world, 3);
    view_t before = *view_at(world, 0);
    split(world, 1);
    expect_alone(world, 3);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_not_equal(view_at(world, i)->lineage, before.lineage);
        assert_int_equal(view_at(world, i)->number, before.number + 1);
        assert_int_equal(world->heard[i].left, 1);
        assert_int_equal(world->heard[i].doubtful, 0);
    }
    heal(world);
    expect_together(world, 3);
}

static void two_lineages_merge_into_one(void **state)
{
    world_t *world = *state;
    for (unsigned i = 0; i < 4; i++)
        start(world, i);
    split(world, 3);
    expect_together(world, 3);
    expect_together(world, 12);
    const view_t *greater =
        view_is_greater(view_at(world, 0), view_at(world, 2)) ? view_at(world, 0) : view_at(world, 2);
    uint64_t lineage = greater->lineage;
    heal(world);
    expect_together(world, 15);
    assert_int_equal(view_at(world, 0)->lineage, lineage);
}

static void a_view_is_the_same_for_all_though_its_proposer_dies_before_it_has_told_everybody(void **state)
{
    world_t *world = *state;
    start_all(world, 31);
    view_t before = *view_at(world, 0);
    unsigned victim = 0; /* not the proposer, who has the smallest id */
    while (id_at(world, victim) == before.members[0].id)
        victim++;
    unsigned told = 0; /* the one that hears of it */
    while (told == victim || id_at(world, told) == before.members[0].id)
        told++;
    world->deaf_to_next = 0x1fu & ~(1u << told);
    stop(world, victim);
    while (!world->decider)
        virtual_fabric_run(&world->fabric, 1 * MS);
    view_t decided = *virtual_mesh_view(world->decider);
    assert_int_equal(decided.number, before.number + 1);
    unsigned dead = world->decider->options.host;
    virtual_fabric_run(&world->fabric, 10 * MS); /* what it has said is under way */
    stop(world, dead);
    heal(world);
    expect_together(world, 0x1fu & ~(1u << victim) & ~(1u << dead));
    assert_int_equal(view_at(world, told)->lineage, before.lineage);
    for (unsigned i = 0; i < RELAYS; i++) {
        if (i == victim || i == dead)
            continue;
        assert_int_equal(world->heard[i].left, 0);
        assert_true(view_at(world, i)->number > decided.number); /* through the one that was decided */
    }
}

static void a_decided_view_is_found_again_by_the_votes_alone(void **state)
{
    world_t *world = *state;
    start_all(world, 31);
    view_t before = *view_at(world, 0);
    world->deaf_to_next = 0x1f; /* nobody is told */
    unsigned victim = id_at(world, 0) == before.members[0].id;
    stop(world, victim);
    while (!world->decider)
        virtual_fabric_run(&world->fabric, 1 * MS);
    unsigned dead = world->decider->options.host;
    stop(world, dead);
    heal(world);
    unsigned rest = 0x1fu & ~(1u << victim) & ~(1u << dead);
    expect_together(world, rest);
    for (unsigned i = 0; i < RELAYS; i++) {
        if (rest >> i & 1) {
            assert_int_equal(view_at(world, i)->lineage, before.lineage);
            assert_int_equal(world->heard[i].left, 0);
            assert_false(relay_mesh_voted(world->relays[i].mesh));
        }
    }
}

static void a_relay_that_stood_still_is_left_out_and_comes_back(void **state)
{
    world_t *world = *state;
    start_all(world, 7);
    world->relays[1].port.stalled = true;
    expect_together(world, 5);
    world->relays[1].port.stalled = false;
    expect_together(world, 7);
    assert_int_equal(world->heard[1].left, 1);
    assert_int_equal(world->heard[0].left + world->heard[2].left, 0);
}

static void a_second_relay_of_a_name_is_not_taken_in(void **state)
{
    world_t *world = *state;
    start_all(world, 3);
    start_as(world, 2, "relay-1", 2, 7);
    virtual_fabric_run(&world->fabric, PATIENCE);
    const view_t *view = view_at(world, 1);
    assert_false(view_find(view, id_at(world, 0)) && view_find(view, id_at(world, 2)));
    assert_true(view->count <= 2);
}

static void relays_of_different_options_are_told_and_come_together(void **state)
{
    world_t *world = *state;
    start(world, 0);
    start_as(world, 1, "relay-2", 1, 8);
    expect_together(world, 3);
}

/* --- what is said about another view, or makes no sense --- */

static void hear(world_t *world, unsigned host, unsigned from, const envelope_t *envelope)
{
    virtual_mesh_t *mesh = &world->relays[host];
    link_t *link = virtual_mesh_link(mesh, &world->relays[from]);
    assert_non_null(link);
    relay_mesh_envelope(mesh->mesh, link, envelope, world->fabric.now_us);
}

static void hear_accept(world_t *world, uint64_t lineage, uint64_t number, uint64_t ballot)
{
    buf_t members = {0};
    view_write_members(view_at(world, 1), &members);
    hear(world, 1, 0,
         &(envelope_t){.kind = KIND_ACCEPT, .accept = {lineage, number, ballot, buf_span(&members)}});
    buf_fini(&members);
}

static void a_vote_is_about_the_successor_of_this_very_view(void **state)
{
    world_t *world = *state;
    start_all(world, 7);
    const view_t *view = view_at(world, 1);
    hear_accept(world, view->lineage, view->number - 1, 9);
    hear_accept(world, view->lineage, view->number + 1, 9);
    hear_accept(world, view->lineage + 1, view->number, 9);
    assert_false(relay_mesh_voted(world->relays[1].mesh));
    hear_accept(world, view->lineage, view->number, 0);
    assert_false(relay_mesh_voted(world->relays[1].mesh));
    hear_accept(world, view->lineage, view->number, 9);
    assert_true(relay_mesh_voted(world->relays[1].mesh));
}

static void nobody_votes_below_what_it_has_promised(void **state)
{
    world_t *world = *state;
    start_all(world, 7);
    const view_t *view = view_at(world, 1);
    hear(world, 1, 2, &(envelope_t){.kind = KIND_PREPARE, .prepare = {view->lineage, view->number, 10}});
    hear_accept(world, view->lineage, view->number, 9);
    assert_false(relay_mesh_voted(world->relays[1].mesh));
    hear_accept(world, view->lineage, view->number, 11);
    assert_true(relay_mesh_voted(world->relays[1].mesh));
}

/* Until something is decided it must not confirm anything; so something has to be. */
static void a_vote_that_nothing_came_of_ends_in_a_new_view(void **state)
{
    world_t *world = *state;
    start_all(world, 7);
    view_t view = *view_at(world, 1);
    hear_accept(world, view.lineage, view.number, 9);
    assert_true(relay_mesh_voted(world->relays[1].mesh));
    virtual_fabric_run(&world->fabric, 10 * SECOND);
    expect_together(world, 7);
    assert_int_equal(view_at(world, 1)->lineage, view.lineage);
    assert_true(view_at(world, 1)->number > view.number);
    assert_false(relay_mesh_voted(world->relays[1].mesh));
}

static void hear_install(world_t *world, const view_t *view)
{
    buf_t members = {0};
    view_write_members(view, &members);
    hear(world, 1, 0,
         &(envelope_t){.kind = KIND_INSTALL, .install = {view->lineage, view->number, buf_span(&members)}});
    buf_fini(&members);
}

static void who_is_left_out_is_alone(void **state)
{
    world_t *world = *state;
    start_all(world, 7);
    view_t successor = {.lineage = view_at(world, 1)->lineage, .number = view_at(world, 1)->number + 1};
    view_add(&successor, id_at(world, 0), SPAN("relay-1"));
    view_add(&successor, id_at(world, 2), SPAN("relay-3"));
    hear_install(world, &successor);
    assert_int_equal(world->heard[1].left, 1);
    assert_int_equal(view_at(world, 1)->count, 1);
    expect_together(world, 7);
}

/* The others would take it for one that never left, with all that it had. */
static void who_has_left_is_not_fetched_back_by_what_is_late(void **state)
{
    world_t *world = *state;
    start_all(world, 7);
    view_t view = *view_at(world, 1);
    view_t without = {.lineage = view.lineage, .number = view.number + 1};
    view_add(&without, id_at(world, 0), SPAN("relay-1"));
    hear_install(world, &without);
    assert_int_equal(world->heard[1].left, 1);
    hear_install(world, &view); /* where it was */
    view.number++;
    hear_install(world, &view); /* a successor that was voted for while it was there */
    assert_int_equal(view_at(world, 1)->count, 1);
    expect_together(world, 7);
}

static void a_ballot_that_nobody_can_top_is_none(void **state)
{
    world_t *world = *state;
    start_all(world, 7);
    const view_t *view = view_at(world, 1);
    for (unsigned host = 0; host < 2; host++) {
        hear(world, host, 2,
             &(envelope_t){.kind = KIND_PREPARE, .prepare = {view->lineage, view->number, UINT64_MAX}});
        hear(world, host, 2,
             &(envelope_t){.kind = KIND_NACK, .nack = {view->lineage, view->number, UINT64_MAX}});
    }
    stop(world, 2);
    expect_together(world, 3);
    assert_int_equal(world->heard[0].left + world->heard[1].left, 0);
}

static void what_is_no_view_and_no_list_changes_nothing(void **state)
{
    world_t *world = *state;
    start_all(world, 7);
    view_t view = *view_at(world, 1);
    const span_t lists[] = {SPAN(""), SPAN("\x05"),
                            SPAN("\x91\x92\x00\xa1"
                                 "a"),
                            SPAN("\xdd\xff\xff\xff\xff")};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        for (uint64_t number = 0; number < 2; number++) {
            uint64_t next = number ? view.number + 1 : 0;
            hear(world, 1, 0,
                 &(envelope_t){.kind = KIND_INSTALL, .install = {view.lineage ^ 1, next, lists[i]}});
            hear(world, 1, 0,
                 &(envelope_t){.kind = KIND_ACCEPT, .accept = {view.lineage, view.number, 9, lists[i]}});
            hear(world, 1, 0,
                 &(envelope_t){.kind = KIND_PROMISE,
                               .promise = {view.lineage, view.number, 1, 1, 1, lists[i]}});
            hear(world, 1, 0,
                 &(envelope_t){.kind = KIND_MEET, .meet = {view.lineage ^ 1, next, lists[i], lists[1], 7}});
        }
    }
    assert_false(relay_mesh_voted(world->relays[1].mesh));
    virtual_fabric_run(&world->fabric, PATIENCE);
    expect_together(world, 7);
    assert_int_equal(view_at(world, 1)->lineage, view.lineage);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_relay_without_peers_serves_at_once),
        TEST(a_relay_with_peers_gives_them_time_before_it_serves_alone),
        TEST(three_relays_come_together),
        TEST(relays_that_are_together_stay_as_they_are),
        TEST(when_one_dies_the_others_go_on_in_the_same_lineage),
        TEST(a_late_relay_is_taken_in),
        TEST(a_relay_that_restarts_is_another_member_of_the_same_name),
        TEST(of_two_that_do_not_hear_each_other_one_stays),
        TEST(who_loses_the_majority_is_alone_and_the_rest_goes_on),
        TEST(of_two_relays_neither_has_a_majority_without_the_other),
        TEST(two_lineages_merge_into_one),
        TEST(a_view_is_the_same_for_all_though_its_proposer_dies_before_it_has_told_everybody),
        TEST(a_decided_view_is_found_again_by_the_votes_alone),
        TEST(a_relay_that_stood_still_is_left_out_and_comes_back),
        TEST(a_second_relay_of_a_name_is_not_taken_in),
        TEST(relays_of_different_options_are_told_and_come_together),
        TEST(a_vote_is_about_the_successor_of_this_very_view),
        TEST(nobody_votes_below_what_it_has_promised),
        TEST(a_vote_that_nothing_came_of_ends_in_a_new_view),
        TEST(who_is_left_out_is_alone),
        TEST(who_has_left_is_not_fetched_back_by_what_is_late),
        TEST(a_ballot_that_nobody_can_top_is_none),
        TEST(what_is_no_view_and_no_list_changes_nothing),
    };
#undef TEST
    return cmocka_run_group_tests_name("relay/mesh", tests, NULL, NULL);
}
