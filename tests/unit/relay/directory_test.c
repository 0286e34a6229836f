#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "relay/directory.h"
#include "tests/unit/relay/listener.h"

#define LIMIT 3000u

typedef struct fixture {
    relay_context_t context;
    namespaces_t namespaces;
    relay_directory_t *directory;
    listener_t listener;
} fixture_t;

static int set_up(void **state)
{
    static fixture_t fixture;
    fixture = (fixture_t){0};
    relay_peers_init(&fixture.context.peers);
    relay_store_init(&fixture.context.store, 1024 * 1024);
    namespaces_init(&fixture.namespaces);
    const channel_options_t options = {.history_size = 4, .history_ttl_us = RELAY_CHANNEL_IDLE_US};
    assert_int_equal(namespaces_add(&fixture.namespaces, SPAN("default"), &options), OK);
    fixture.directory = relay_directory_new(&fixture.context, &fixture.namespaces, LIMIT, 1);
    listener_start(&fixture.listener, &fixture.context.peers, 10, ROLE_EDGE, 0);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    fixture_t *fixture = *state;
    relay_directory_destroy(&fixture->directory);
    listener_stop(&fixture->listener);
    relay_peers_fini(&fixture->context.peers);
    namespaces_fini(&fixture->namespaces);
    buf_fini(&fixture->context.scratch);
    return 0;
}

static span_t numbered(unsigned number)
{
    static char name[16];
    snprintf(name, sizeof name, "c%u", number);
    return span_str(name);
}

static relay_channel_t *get(fixture_t *f, span_t name, uint64_t now_us)
{
    relay_channel_t *channel;
    assert_int_equal(relay_directory_get(f->directory, name, now_us, &channel), OK);
    assert_non_null(channel);
    return channel;
}

static void a_channel_is_made_once_and_then_found(void **state)
{
    fixture_t *f = *state;
    assert_null(relay_directory_find(f->directory, SPAN("chat")));
    relay_channel_t *channel = get(f, SPAN("chat"), NOW);
    assert_ptr_equal(get(f, SPAN("chat"), NOW), channel);
    assert_ptr_equal(relay_directory_find(f->directory, SPAN("chat")), channel);
    assert_true(span_is(relay_channel_name(channel), "chat"));
    assert_int_equal(relay_directory_count(f->directory), 1);
}

static void there_is_no_channel_without_its_namespace(void **state)
{
    fixture_t *f = *state;
    relay_channel_t *channel;
    assert_int_equal(relay_directory_get(f->directory, SPAN("other:chat"), NOW, &channel), ERR_NOT_FOUND);
    assert_null(channel);
    assert_int_equal(relay_directory_count(f->directory), 0);
}

static void above_the_limit_there_are_the_old_channels_and_no_new_ones(void **state)
{
    fixture_t *f = *state;
    relay_channel_t *channel;
    for (unsigned i = 0; i < LIMIT; i++)
        get(f, numbered(i), NOW);
    assert_int_equal(relay_directory_get(f->directory, SPAN("more"), NOW, &channel), ERR_FULL);
    get(f, numbered(LIMIT - 1), NOW);
    assert_int_equal(relay_directory_count(f->directory), LIMIT);
}

static void each_channel_gets_another_epoch(void **state)
{
    fixture_t *f = *state;
    position_t first = relay_channel_position(get(f, SPAN("a"), NOW));
    position_t second = relay_channel_position(get(f, SPAN("b"), NOW));
    assert_false(position_same_epoch(first, second));
}

/* Sweeps until there is nothing to do; how many calls that took. */
static unsigned sweep(fixture_t *f, uint64_t now_us)
{
    unsigned calls = 1;
    while (relay_directory_sweep(f->directory, 1000, now_us))
        calls++;
    return calls;
}

static void a_sweep_frees_idle_channels_and_keeps_the_others_findable(void **state)
{
    fixture_t *f = *state;
    for (unsigned i = 0; i < LIMIT; i++)
        get(f, numbered(i), NOW);
    for (unsigned i = 0; i < LIMIT; i += 7)
        relay_channel_subscribe(get(f, numbered(i), NOW), &f->context, f->listener.slot, (position_t){0}, 0,
                                NOW);
    assert_int_equal(sweep(f, NOW + RELAY_CHANNEL_IDLE_US), 3);
    assert_int_equal(relay_directory_count(f->directory), (LIMIT + 6) / 7);
    for (unsigned i = 0; i < LIMIT; i++)
        assert_true((relay_directory_find(f->directory, numbered(i)) != NULL) == (i % 7 == 0));
    get(f, SPAN("new"), NOW + RELAY_CHANNEL_IDLE_US); /* there is room again */
}

static void between_two_sweeps_there_is_a_rest_unless_a_peer_is_dead(void **state)
{
    fixture_t *f = *state;
    get(f, SPAN("chat"), NOW);
    sweep(f, NOW);
    uint64_t sweeps = f->context.peers.sweep;
    sweep(f, NOW + RELAY_SWEEP_REST_US - 1);
    assert_int_equal(f->context.peers.sweep, sweeps);
    sweep(f, NOW + RELAY_SWEEP_REST_US);
    assert_int_equal(f->context.peers.sweep, sweeps + 1);
    link_reset(f->listener.link, ERR_TIMEOUT, NOW);
    sweep(f, NOW + RELAY_SWEEP_REST_US); /* it may come back */
    assert_int_equal(f->context.peers.sweep, sweeps + 1);
    listeners_die(&f->context.peers);
    sweep(f, NOW + RELAY_SWEEP_REST_US);
    assert_int_equal(f->context.peers.sweep, sweeps + 2);
    assert_int_equal(f->context.peers.dead, 0);
}

/* Dies when the sweep has passed some of its channels: the slot stays dead for one more whole sweep. */
static void a_peer_that_dies_within_a_sweep_is_out_of_all_channels_before_its_slot_is_used_again(void **state)
{
    fixture_t *f = *state;
    for (unsigned i = 0; i < LIMIT; i++)
        relay_channel_subscribe(get(f, numbered(i), NOW), &f->context, f->listener.slot, (position_t){0}, 0,
                                NOW);
    relay_peer_slot_t dead = f->listener.slot;
    assert_true(relay_directory_sweep(f->directory, 1000, NOW));
    link_reset(f->listener.link, ERR_TIMEOUT, NOW);
    listeners_die(&f->context.peers);
    while (f->context.peers.dead) {
        relay_directory_sweep(f->directory, 1000, NOW);
        listener_t late;
        listener_start(&late, &f->context.peers, 20, ROLE_EDGE, 0);
        bool reused = late.slot == dead;
        for (unsigned i = 0; reused && i < LIMIT; i++)
            assert_int_equal(relay_channel_subscribers(relay_directory_find(f->directory, numbered(i))), 0);
        relay_peers_kill(&f->context.peers, late.slot, NOW);
        listeners_die(&f->context.peers);
        listener_stop(&late);
        if (reused)
            return;
    }
    fail_msg("the slot was never used again");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* That nothing is read that is not there shows only where addresses are checked. */
static void expecting_channels_changes_nothing(void **state)
{
    fixture_t *f = *state;
    const envelope_pub_t publication = {.payload = SPAN("x")};
    for (unsigned i = 0; i < LIMIT - 1; i++)
        get(f, numbered(i), NOW);
    for (unsigned i = 0; i < 5; i++) /* so many that the ring wraps around */
        relay_channel_publish(get(f, SPAN("c1"), NOW), &f->context, &publication, NOW, NOW);
    const span_t names[] = {SPAN("c1"), SPAN("c2"), SPAN("unknown"), SPAN("c2"), SPAN("")};
    relay_directory_expect(f->directory, names, sizeof names / sizeof names[0]);
    relay_directory_expect(f->directory, NULL, 0);
    assert_int_equal(relay_directory_count(f->directory), LIMIT - 1);
    assert_int_equal(relay_channel_position(get(f, SPAN("c1"), NOW)).offset, 5);
    assert_null(relay_directory_find(f->directory, SPAN("unknown")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_channel_is_made_once_and_then_found),
        TEST(there_is_no_channel_without_its_namespace),
        TEST(above_the_limit_there_are_the_old_channels_and_no_new_ones),
        TEST(each_channel_gets_another_epoch),
        TEST(a_sweep_frees_idle_channels_and_keeps_the_others_findable),
        TEST(between_two_sweeps_there_is_a_rest_unless_a_peer_is_dead),
        TEST(expecting_channels_changes_nothing),
        TEST(a_peer_that_dies_within_a_sweep_is_out_of_all_channels_before_its_slot_is_used_again),
    };
    return cmocka_run_group_tests_name("relay/directory", tests, NULL, NULL);
}
