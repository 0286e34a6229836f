#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "relay/channel.h"
#include "tests/unit/relay/listener.h"

static const channel_options_t options = {.history_size = 4, .history_ttl_us = 30 * SECOND};
static const channel_options_t with_presence = {.presence = true};

typedef struct fixture {
    relay_context_t context;
    relay_channel_t *channel;
    listener_t listeners[4];
    uint64_t counter;
} fixture_t;

static int set_up(void **state)
{
    static fixture_t fixture;
    fixture = (fixture_t){0};
    relay_peers_init(&fixture.context.peers);
    relay_store_init(&fixture.context.store, 1024 * 1024);
    for (unsigned i = 0; i < 4; i++)
        listener_start(&fixture.listeners[i], &fixture.context.peers, 10 + i, ROLE_EDGE, 0);
    fixture.channel = relay_channel_new(SPAN("chat"), &options, 7, NOW);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    fixture_t *fixture = *state;
    relay_channel_destroy(&fixture->channel, &fixture->context);
    for (int i = 0; i < 4; i++)
        listener_stop(&fixture->listeners[i]);
    relay_peers_fini(&fixture->context.peers);
    buf_fini(&fixture->context.scratch);
    assert_int_equal(fixture->context.store.bytes, 0);
    return 0;
}

static position_t publish(fixture_t *f, const char *text)
{
    const envelope_pub_t pub = {.node = 10,
                                .counter = ++f->counter,
                                .channel = SPAN("chat"),
                                .flags = MESSAGE_RESENT | MESSAGE_JSON,
                                .payload = span_str(text)};
    return relay_channel_publish(f->channel, &f->context, &pub, NOW, 1);
}

static void subscribe(fixture_t *f, int which, position_t from)
{
    relay_channel_subscribe(f->channel, &f->context, f->listeners[which].slot, from, 0, NOW);
}

static const char *heard(fixture_t *f, int which)
{
    return listener_heard(&f->listeners[which]);
}

static position_t at(const fixture_t *f, uint64_t offset)
{
    position_t position = relay_channel_position(f->channel);
    position.offset = offset;
    return position;
}

static void subscribers_hear_what_is_published_in_order(void **state)
{
    fixture_t *f = *state;
    subscribe(f, 0, (position_t){0});
    publish(f, "a");
    subscribe(f, 1, (position_t){0});
    publish(f, "b");
    position_t position = publish(f, "c");
    assert_string_equal(heard(f, 0), "SUB_OK:0:0:0 a@1 b@2 c@3 ");
    assert_string_equal(heard(f, 1), "SUB_OK:1:1:0 b@2 c@3 ");
    assert_string_equal(heard(f, 2), "");
    assert_int_equal(position.offset, 3);
    assert_true(position_same_epoch(position, relay_channel_position(f->channel)));
    assert_int_equal(f->context.deliveries, 5);
}

static void a_subscription_goes_on_from_its_position(void **state)
{
    fixture_t *f = *state;
    for (int i = 0; i < 3; i++)
        publish(f, "x");
    subscribe(f, 0, at(f, 1));
    publish(f, "y");
    assert_string_equal(heard(f, 0), "SUB_OK:3:1:1 x@2 x@3 y@4 ");
    subscribe(f, 1, at(f, 4)); /* nothing was missed */
    assert_string_equal(heard(f, 1), "SUB_OK:4:4:1 ");
    assert_int_equal(f->context.unrecovered, 0);
}

static void what_history_no_longer_has_is_answered_with_recovered_0(void **state)
{
    fixture_t *f = *state;
    for (int i = 0; i < 6; i++)
        publish(f, "x");
    subscribe(f, 0, at(f, 1)); /* 2 is gone, 3 to 6 are here */
    assert_string_equal(heard(f, 0), "SUB_OK:6:6:0 ");
    subscribe(f, 1, at(f, 7)); /* ahead of us */
    assert_string_equal(heard(f, 1), "SUB_OK:6:6:0 ");
    position_t other = {"ABCDEFGH", 5};
    subscribe(f, 2, other);
    assert_string_equal(heard(f, 2), "SUB_OK:6:6:0 ");
    subscribe(f, 3, (position_t){0}); /* wants nothing */
    assert_string_equal(heard(f, 3), "SUB_OK:6:6:0 ");
    assert_int_equal(f->context.unrecovered, 3);
}

static void what_is_too_old_is_not_recovered(void **state)
{
    fixture_t *f = *state;
    publish(f, "x");
    publish(f, "x");
    relay_channel_subscribe(f->channel, &f->context, f->listeners[0].slot, at(f, 1), 0, NOW + 30 * SECOND);
    assert_string_equal(heard(f, 0), "SUB_OK:2:2:0 ");
}

static void subscribing_twice_is_hearing_once(void **state)
{
    fixture_t *f = *state;
    subscribe(f, 0, (position_t){0});
    subscribe(f, 0, (position_t){0});
    publish(f, "a");
    assert_string_equal(heard(f, 0), "SUB_OK:0:0:0 SUB_OK:0:0:0 a@1 ");
    assert_int_equal(relay_channel_subscribers(f->channel), 1);
}

static void who_unsubscribes_hears_no_more(void **state)
{
    fixture_t *f = *state;
    for (int i = 0; i < 4; i++)
        subscribe(f, i, (position_t){0});
    relay_channel_unsubscribe(f->channel, f->listeners[1].slot, NOW);
    relay_channel_unsubscribe(f->channel, f->listeners[1].slot, NOW);
    publish(f, "a");
    assert_int_equal(relay_channel_subscribers(f->channel), 3);
    assert_string_equal(heard(f, 0), "SUB_OK:0:0:0 a@1 ");
    assert_string_equal(heard(f, 1), "SUB_OK:0:0:0 ");
    assert_string_equal(heard(f, 3), "SUB_OK:0:0:0 a@1 ");
}

static void a_link_whose_window_is_full_is_reset_and_the_others_notice_nothing(void **state)
{
    fixture_t *f = *state;
    listener_stop(&f->listeners[1]);
    listener_start(&f->listeners[1], &f->context.peers, 20, ROLE_EDGE, 4000);
    char text[1001];
    memset(text, 'x', 1000);
    text[1000] = '\0';
    for (int i = 0; i < 3; i++)
        subscribe(f, i, (position_t){0});
    for (int i = 0; i < 10; i++)
        publish(f, text);
    assert_int_equal(f->listeners[1].downs, 1);
    assert_int_equal(f->listeners[1].reason, ERR_FULL);
    assert_int_equal(f->context.peers.overflows, 1);
    publish(f, "end");
    for (int i = 0; i < 3; i += 2) {
        assert_int_equal(f->listeners[i].downs, 0);
        assert_non_null(strstr(heard(f, i), " end@11 "));
    }
    assert_int_equal(f->context.deliveries, 2 * 11 + 3);
}

static void a_history_that_fills_the_window_resets_the_link_once(void **state)
{
    fixture_t *f = *state;
    listener_stop(&f->listeners[1]);
    listener_start(&f->listeners[1], &f->context.peers, 20, ROLE_EDGE, 2500);
    char text[1001];
    memset(text, 'x', 1000);
    text[1000] = '\0';
    publish(f, "first");
    for (int i = 0; i < 3; i++)
        publish(f, text);
    subscribe(f, 1, at(f, 1));
    assert_int_equal(f->listeners[1].downs, 1);
    assert_int_equal(f->context.peers.overflows, 1);
}

static void a_sweep_takes_out_the_dead(void **state)
{
    fixture_t *f = *state;
    for (int i = 0; i < 4; i++)
        subscribe(f, i, (position_t){0});
    link_reset(f->listeners[0].link, ERR_TIMEOUT, NOW);
    link_reset(f->listeners[3].link, ERR_TIMEOUT, NOW);
    publish(f, "a");
    assert_int_equal(relay_channel_subscribers(f->channel), 4);
    assert_true(relay_channel_sweep(f->channel, &f->context, NOW));
    assert_int_equal(relay_channel_subscribers(f->channel), 2);
    publish(f, "b");
    assert_string_equal(heard(f, 2), "SUB_OK:0:0:0 a@1 b@2 ");
}

static void a_channel_that_nobody_needs_for_an_hour_may_go(void **state)
{
    fixture_t *f = *state;
    publish(f, "a");
    uint64_t end = NOW + RELAY_CHANNEL_IDLE_US;
    assert_true(relay_channel_sweep(f->channel, &f->context, end - 1));
    assert_false(relay_channel_sweep(f->channel, &f->context, end));
    subscribe(f, 0, (position_t){0});
    assert_true(relay_channel_sweep(f->channel, &f->context, end));
    relay_channel_unsubscribe(f->channel, f->listeners[0].slot, end);
    assert_true(relay_channel_sweep(f->channel, &f->context, end + RELAY_CHANNEL_IDLE_US - 1));
    assert_false(relay_channel_sweep(f->channel, &f->context, end + RELAY_CHANNEL_IDLE_US));
}

static void who_is_present_keeps_a_channel(void **state)
{
    fixture_t *f = *state;
    uint64_t late = NOW + 2 * RELAY_CHANNEL_IDLE_US;
    relay_channel_t *channel = relay_channel_new(SPAN("room"), &with_presence, 7, NOW);
    const envelope_join_t join = {SPAN("room"), SPAN("c1"), SPAN("ann"), SPAN("")};
    size_t budget = 10;
    relay_channel_join(channel, &f->context, f->listeners[0].slot, &join, NOW);
    assert_true(relay_channel_sweep(channel, &f->context, late));
    link_reset(f->listeners[0].link, ERR_TIMEOUT, NOW);
    listeners_die(&f->context.peers);
    assert_true(relay_channel_sweep_presence(channel, &f->context, &budget, late));
    assert_int_equal(relay_presence_count(relay_channel_presence(channel)), 0);
    assert_false(relay_channel_sweep(channel, &f->context, late));
    relay_channel_destroy(&channel, &f->context);
    assert_null(relay_channel_presence(f->channel)); /* where it is off */
}

/* A channel where joins are told, with these listeners. */
static relay_channel_t *room_with(fixture_t *f, const channel_options_t *of, int listeners)
{
    relay_channel_t *channel = relay_channel_new(SPAN("room"), of, 7, NOW);
    for (int i = 0; i < listeners; i++) {
        relay_channel_subscribe(channel, &f->context, f->listeners[i].slot, (position_t){0}, 0, NOW);
        assert_string_equal(heard(f, i), "SUB_OK:0:0:0 ");
    }
    return channel;
}

static void join(fixture_t *f, relay_channel_t *channel, int edge, const char *client)
{
    const envelope_join_t join = {SPAN("room"), span_str(client), SPAN("ann"), SPAN("{}")};
    relay_channel_join(channel, &f->context, f->listeners[edge].slot, &join, NOW);
}

static void who_comes_and_goes_is_told_to_all_who_listen(void **state)
{
    fixture_t *f = *state;
    const channel_options_t told = {.join_leave = true};
    relay_channel_t *room = room_with(f, &told, 2);
    join(f, room, 0, "c1");
    join(f, room, 0, "c1"); /* the edge has subscribed again */
    relay_channel_leave(room, &f->context, f->listeners[1].slot, SPAN("c1"), NOW); /* not its own */
    relay_channel_leave(room, &f->context, f->listeners[0].slot, SPAN("c1"), NOW);
    relay_channel_leave(room, &f->context, f->listeners[0].slot, SPAN("c1"), NOW);
    for (int i = 0; i < 2; i++)
        assert_string_equal(heard(f, i), "JOIN:c1:ann:{} LEAVE:c1:ann:{} ");
    assert_string_equal(heard(f, 2), "");
    assert_null(relay_channel_presence(room)); /* nobody may ask: presence is off */
    relay_channel_destroy(&room, &f->context);
}

static void where_joins_are_not_told_nobody_hears_of_them(void **state)
{
    fixture_t *f = *state;
    relay_channel_t *room = room_with(f, &with_presence, 1);
    join(f, room, 0, "c1");
    relay_channel_leave(room, &f->context, f->listeners[0].slot, SPAN("c1"), NOW);
    assert_string_equal(heard(f, 0), "");
    relay_channel_destroy(&room, &f->context);
}

static void the_clients_of_a_dead_edge_leave_a_few_at_a_time(void **state)
{
    fixture_t *f = *state;
    const channel_options_t told = {.join_leave = true};
    relay_channel_t *room = room_with(f, &told, 3);
    for (int i = 0; i < 3; i++)
        join(f, room, i, i == 0 ? "c0" : i == 1 ? "c1" : "c2");
    join(f, room, 0, "c3");
    join(f, room, 0, "c4");
    heard(f, 1);
    link_reset(f->listeners[0].link, ERR_TIMEOUT, NOW);
    listeners_die(&f->context.peers);
    size_t budget = 4; /* what it takes to tell three listeners of one client */
    assert_false(relay_channel_sweep_presence(room, &f->context, &budget, NOW));
    assert_int_equal(budget, 0);
    size_t told_first = strlen(heard(f, 1));
    assert_true(told_first > 0);
    budget = 1000;
    assert_true(relay_channel_sweep_presence(room, &f->context, &budget, NOW));
    assert_int_equal(told_first + strlen(heard(f, 1)), 3 * strlen("LEAVE:c0:ann:{} "));
    relay_channel_destroy(&room, &f->context);
}

static void each_channel_has_an_epoch_of_its_own(void **state)
{
    fixture_t *f = *state;
    relay_channel_t *other = relay_channel_new(SPAN("chat"), &options, 8, NOW);
    position_t position = relay_channel_position(other);
    assert_true(position_known(position));
    assert_false(position_same_epoch(position, relay_channel_position(f->channel)));
    relay_channel_destroy(&other, &f->context);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(subscribers_hear_what_is_published_in_order),
        TEST(a_subscription_goes_on_from_its_position),
        TEST(what_history_no_longer_has_is_answered_with_recovered_0),
        TEST(what_is_too_old_is_not_recovered),
        TEST(subscribing_twice_is_hearing_once),
        TEST(who_unsubscribes_hears_no_more),
        TEST(a_link_whose_window_is_full_is_reset_and_the_others_notice_nothing),
        TEST(a_history_that_fills_the_window_resets_the_link_once),
        TEST(a_sweep_takes_out_the_dead),
        TEST(a_channel_that_nobody_needs_for_an_hour_may_go),
        TEST(who_is_present_keeps_a_channel),
        TEST(who_comes_and_goes_is_told_to_all_who_listen),
        TEST(where_joins_are_not_told_nobody_hears_of_them),
        TEST(the_clients_of_a_dead_edge_leave_a_few_at_a_time),
        TEST(each_channel_has_an_epoch_of_its_own),
    };
    return cmocka_run_group_tests_name("relay/channel", tests, NULL, NULL);
}
