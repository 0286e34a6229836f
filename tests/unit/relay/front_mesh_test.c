/* Several relays and an edge on a virtual fabric: what becomes of channels, copies and subscribers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/err.h"
#include "tests/sim/virtual_edge.h"
#include "tests/sim/virtual_relay.h"

#define SECOND   UINT64_C(1000000)
#define RELAYS   3u
#define CHANNELS 30u /* so many that each relay owns some, and copies some of each other one's */

typedef struct world {
    virtual_fabric_t fabric;
    namespaces_t namespaces;
    virtual_relay_t relays[RELAYS];
    virtual_relay_options_t options[RELAYS];
    virtual_edge_t edge;
} world_t;

static world_t world;

static void start_relay(unsigned which)
{
    virtual_relay_start(&world.relays[which], &world.fabric, &world.options[which]);
}

static int set_up(void **state)
{
    static const char *const names[RELAYS] = {"relay-1", "relay-2", "relay-3"};
    (void)state;
    world = (world_t){0};
    virtual_fabric_init(&world.fabric, 7);
    namespaces_init(&world.namespaces);
    const channel_options_t options = {.history_size = 100, .history_ttl_us = 60 * SECOND};
    namespaces_add(&world.namespaces, SPAN("default"), &options);
    for (unsigned i = 0; i < RELAYS; i++) {
        virtual_relay_options_t relay = VIRTUAL_RELAY_DEFAULT;
        relay.name = names[i];
        relay.namespaces = &world.namespaces;
        relay.peers = RELAYS - 1;
        relay.replicas = true;
        world.options[i] = relay;
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    virtual_edge_stop(&world.edge);
    for (unsigned i = 0; i < RELAYS; i++)
        virtual_relay_stop(&world.relays[i]);
    namespaces_fini(&world.namespaces);
    virtual_fabric_fini(&world.fabric);
    return 0;
}

static relay_front_counts_t counts(unsigned which)
{
    return relay_front_counts(world.relays[which].front);
}

/* All that run are in one view, and everything is where it belongs. */
static bool is_settled(void *context)
{
    size_t running = 0;
    (void)context;
    for (unsigned i = 0; i < RELAYS; i++)
        running += world.relays[i].node != NULL;
    for (unsigned i = 0; i < RELAYS; i++) {
        if (world.relays[i].node && (counts(i).members != running || !counts(i).settled))
            return false;
    }
    return true;
}

static void settle(void)
{
    assert_true(virtual_fabric_run_until(&world.fabric, is_settled, NULL, 20 * SECOND));
}

static bool is_answered(void *context)
{
    (void)context;
    return uplink_counts(world.edge.uplink).pending == 0;
}

static const char *channel(unsigned which)
{
    static char name[32];
    snprintf(name, sizeof name, "channel-%u", which);
    return name;
}

static void publish_to_all(const char *text)
{
    for (unsigned i = 0; i < CHANNELS; i++)
        assert_int_equal(virtual_edge_publish(&world.edge, channel(i), text), OK);
    assert_true(virtual_fabric_run_until(&world.fabric, is_answered, NULL, 15 * SECOND));
}

static void start_all(void)
{
    virtual_edge_options_t options = VIRTUAL_EDGE_DEFAULT;
    options.relays = RELAYS;
    for (unsigned i = 0; i < RELAYS; i++)
        start_relay(i);
    settle();
    virtual_edge_start(&world.edge, &world.fabric, &options);
    for (unsigned i = 0; i < CHANNELS; i++)
        virtual_edge_subscribe(&world.edge, channel(i));
    assert_true(virtual_fabric_run_until(&world.fabric, virtual_edge_is_on, &world.edge, 10 * SECOND));
    publish_to_all("first");
}

/* Every subscriber has heard so many messages of one epoch, and was told of no loss. */
static void assert_nobody_noticed(uint64_t messages)
{
    virtual_fabric_run(&world.fabric, SECOND);
    for (unsigned i = 0; i < CHANNELS; i++) {
        const virtual_subscription_t *subscription = &world.edge.subscriptions[i];
        assert_int_equal(subscription->messages, messages);
        assert_int_equal(subscription->position.offset, messages);
        assert_int_equal(subscription->told, 0);
        assert_int_equal(subscription->faults, 0);
    }
    assert_int_equal(uplink_counts(world.edge.uplink).confirmed, messages * CHANNELS);
}

static void each_relay_owns_some_channels_and_each_message_is_copied(void **state)
{
    (void)state;
    start_all();
    uint64_t published = 0, copies = 0;
    for (unsigned i = 0; i < RELAYS; i++) {
        assert_true(counts(i).published > 0);
        published += counts(i).published;
        copies += counts(i).copies;
    }
    assert_int_equal(published, CHANNELS);
    assert_int_equal(copies, CHANNELS);
    assert_nobody_noticed(1);
}

static void nobody_notices_that_a_relay_is_gone_and_comes_back(void **state)
{
    (void)state;
    start_all();
    for (unsigned i = 0; i < RELAYS; i++) {
        virtual_relay_stop(&world.relays[i]);
        settle();
        publish_to_all("without it");
        uint64_t taken_before = counts((i + 1) % RELAYS).given + counts((i + 2) % RELAYS).given;
        start_relay(i);
        settle();
        assert_true(counts((i + 1) % RELAYS).given + counts((i + 2) % RELAYS).given > taken_before);
        publish_to_all("with it");
    }
    assert_nobody_noticed(1 + 2 * RELAYS);
}

static void what_is_published_while_a_relay_dies_is_published_once(void **state)
{
    (void)state;
    start_all();
    for (unsigned i = 0; i < CHANNELS; i++)
        assert_int_equal(virtual_edge_publish(&world.edge, channel(i), "in between"), OK);
    virtual_relay_stop(&world.relays[1]);
    assert_true(virtual_fabric_run_until(&world.fabric, is_answered, NULL, 9 * SECOND));
    assert_nobody_noticed(2);
}

static void a_replica_that_has_no_room_holds_nobody_up(void **state)
{
    (void)state;
    world.options[2].channels = 3;
    start_all();
    publish_to_all("second");
    uplink_counts_t uplink = uplink_counts(world.edge.uplink);
    assert_true(counts(2).copies_refused > 0);
    assert_int_equal(uplink.timed_out, 0);
    assert_int_equal(uplink.confirmed + uplink.refused, 2 * CHANNELS); /* refused: by relay-3 as an owner */
    assert_true(uplink.confirmed > CHANNELS);
}

static void without_replicas_a_crash_ends_epochs_and_is_told(void **state)
{
    (void)state;
    for (unsigned i = 0; i < RELAYS; i++)
        world.options[i].replicas = false;
    start_all();
    uint64_t owned = counts(0).published;
    virtual_relay_stop(&world.relays[0]);
    settle();
    publish_to_all("second");
    virtual_fabric_run(&world.fabric, SECOND);
    uint64_t told = 0;
    for (unsigned i = 0; i < CHANNELS; i++)
        told += world.edge.subscriptions[i].told;
    assert_int_equal(told, owned);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_relay_owns_some_channels_and_each_message_is_copied),
        TEST(nobody_notices_that_a_relay_is_gone_and_comes_back),
        TEST(what_is_published_while_a_relay_dies_is_published_once),
        TEST(a_replica_that_has_no_room_holds_nobody_up),
        TEST(without_replicas_a_crash_ends_epochs_and_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
