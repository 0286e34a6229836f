#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/relay/listener.h"

typedef struct fixture {
    relay_peers_t peers;
    listener_t listeners[3];
} fixture_t;

static int set_up(void **state)
{
    static fixture_t fixture;
    relay_peers_init(&fixture.peers);
    for (unsigned i = 0; i < 3; i++)
        listener_start(&fixture.listeners[i], &fixture.peers, 10 + i, ROLE_EDGE, 0);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    fixture_t *fixture = *state;
    for (int i = 0; i < 3; i++)
        listener_stop(&fixture->listeners[i]);
    relay_peers_fini(&fixture->peers);
    return 0;
}

static void take_down(fixture_t *f, int which)
{
    link_reset(f->listeners[which].link, ERR_CLOSED, NOW);
}

static void kill(fixture_t *f, int which)
{
    take_down(f, which);
    listeners_die(&f->peers);
}

static relay_peer_slot_t slot(const fixture_t *f, int which)
{
    return f->listeners[which].slot;
}

static void sweep(fixture_t *f)
{
    relay_peers_sweep_begins(&f->peers);
    relay_peers_sweep_ends(&f->peers);
}

/* A peer that comes anew; its slot. */
static relay_peer_slot_t come(fixture_t *f, int which)
{
    listener_stop(&f->listeners[which]);
    listener_start(&f->listeners[which], &f->peers, 20, ROLE_EDGE, 0);
    return slot(f, which);
}

static void a_slot_leads_to_its_link_and_back(void **state)
{
    fixture_t *f = *state;
    for (int i = 0; i < 3; i++) {
        assert_ptr_equal(relay_peers_link(&f->peers, slot(f, i)), f->listeners[i].link);
        assert_int_equal(relay_peers_slot(f->listeners[i].link), slot(f, i));
    }
    assert_int_not_equal(slot(f, 0), slot(f, 1));
    assert_null(relay_peers_link(&f->peers, 99));
}

static void a_slot_leads_nowhere_as_soon_as_its_link_is_down(void **state)
{
    fixture_t *f = *state;
    take_down(f, 1);
    assert_null(relay_peers_link(&f->peers, slot(f, 1)));
    assert_false(relay_peers_live(&f->peers, slot(f, 1)));
    assert_true(relay_peers_live(&f->peers, slot(f, 2)));
}

static void who_is_gone_lingers_before_it_is_dead(void **state)
{
    fixture_t *f = *state;
    take_down(f, 1);
    relay_peers_tick(&f->peers, NOW + RELAY_PEER_LINGER_US - 1);
    assert_false(relay_peers_dead(&f->peers, slot(f, 1)));
    assert_int_equal(f->peers.dead, 0);
    relay_peers_tick(&f->peers, NOW + RELAY_PEER_LINGER_US);
    assert_true(relay_peers_dead(&f->peers, slot(f, 1)));
    assert_false(relay_peers_dead(&f->peers, slot(f, 0)));
    assert_int_equal(f->peers.dead, 1);
}

static void a_lingering_slot_is_not_used_again_by_any_sweep(void **state)
{
    fixture_t *f = *state;
    take_down(f, 1);
    relay_peer_slot_t lingering = slot(f, 1);
    sweep(f);
    sweep(f);
    assert_int_not_equal(come(f, 1), lingering);
}

static void the_walk_meets_those_who_live(void **state)
{
    fixture_t *f = *state;
    kill(f, 0);
    relay_peer_slot_t at = 0;
    assert_ptr_equal(relay_peers_next(&f->peers, &at), f->listeners[1].link);
    assert_ptr_equal(relay_peers_next(&f->peers, &at), f->listeners[2].link);
    assert_null(relay_peers_next(&f->peers, &at));
}

/* Or a channel that still has it would send to somebody else. */
static void a_dead_slot_is_not_used_again_before_a_whole_sweep(void **state)
{
    fixture_t *f = *state;
    kill(f, 1);
    relay_peer_slot_t dead = slot(f, 1);
    assert_int_not_equal(come(f, 1), dead);
    sweep(f);
    assert_int_equal(f->peers.dead, 0);
    kill(f, 2);
    assert_int_equal(come(f, 2), dead);
}

static void a_sweep_that_had_begun_before_the_death_does_not_count(void **state)
{
    fixture_t *f = *state;
    relay_peers_sweep_begins(&f->peers);
    kill(f, 1);
    relay_peer_slot_t dead = slot(f, 1);
    relay_peers_sweep_ends(&f->peers);
    assert_int_equal(f->peers.dead, 1);
    assert_int_not_equal(come(f, 1), dead);
    sweep(f);
    assert_int_equal(f->peers.dead, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_slot_leads_to_its_link_and_back),
        TEST(a_slot_leads_nowhere_as_soon_as_its_link_is_down),
        TEST(who_is_gone_lingers_before_it_is_dead),
        TEST(a_lingering_slot_is_not_used_again_by_any_sweep),
        TEST(the_walk_meets_those_who_live),
        TEST(a_dead_slot_is_not_used_again_before_a_whole_sweep),
        TEST(a_sweep_that_had_begun_before_the_death_does_not_count),
    };
    return cmocka_run_group_tests_name("relay/peers", tests, NULL, NULL);
}
