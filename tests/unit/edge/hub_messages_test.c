#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hub_fixture.h"

static link_t second_relay = {.peer = 8};

/* --- messages --- */

static void a_message_is_framed_once_for_each_dialect(void **state)
{
    (void)state;
    be_on(0, "a");
    for (unsigned i = 1; i < CLIENTS; i++)
        assert_int_equal(subscribe(i, "a"), OK);
    message("a", EPOCH, 6, "six");
    assert_int_equal(frames_made, 2);
    for (unsigned i = 0; i < CLIENTS; i++)
        assert_got(i, "six");
}

static void a_message_that_a_dialect_can_not_say_is_counted(void **state)
{
    (void)state;
    be_on(0, "a");
    subscribe(2, "a");
    subscribe(3, "a");
    envelope_msg_t msg = {.channel = SPAN("a"),
                          .epoch = SPAN(EPOCH),
                          .offset = 6,
                          .flags = MESSAGE_BINARY,
                          .payload = SPAN("six")};
    edge_hub_message(hub, &relay, &msg);
    assert_got(0, "six");
    assert_got(2, "");
    assert_int_equal(stats_get(&worker->worker.stats.dropped_dialect), 2);
}

static void a_duplicate_is_dropped(void **state)
{
    (void)state;
    be_on(0, "a");
    message("a", EPOCH, 6, "six");
    message("a", EPOCH, 6, "six");
    message("a", EPOCH, 3, "three");
    assert_got(0, "six");
    assert_heard("");
}

static void a_jump_is_told_and_counted_and_nothing_behind_it_passed_on(void **state)
{
    (void)state;
    be_on(0, "a");
    subscribe(1, "a");
    message("a", EPOCH, 9, "nine");
    assert_heard("1:a lost|0:a lost|");
    assert_got(0, "");
    assert_int_equal(stats_get(&worker->worker.stats.dropped_lost), 8);
    assert_false(is_subscribed(0, "a"));
    turn();
    assert_said(uplink, "UNSUB a|");
}

static void another_epoch_is_a_loss(void **state)
{
    (void)state;
    be_on(0, "a");
    message("a", OTHER, 6, "six");
    assert_heard("0:a lost|");
    assert_got(0, "");
    assert_int_equal(stats_get(&worker->worker.stats.dropped_lost), 1);
}

static void a_message_without_a_proper_epoch_is_dropped(void **state)
{
    (void)state;
    be_on(0, "a");
    message("a", "", 6, "six");
    message("a", "short", 6, "six");
    assert_heard("");
    assert_got(0, "");
    message("a", EPOCH, 6, "six");
    assert_got(0, "six");
}

static void who_does_not_want_its_own_gets_all_others(void **state)
{
    (void)state;
    be_on(0, "a");
    subscribe(1, "a");
    edge_hub_find(hub, clients[0], SPAN("a"))->skips_own = true;
    char id[EDGE_CLIENT_ID_SIZE + 1];
    envelope_msg_t msg = {.channel = SPAN("a"), .epoch = SPAN(EPOCH), .offset = 6, .payload = SPAN("x")};
    msg.client = span_str(edge_session_id(clients[0], id));
    edge_hub_message(hub, &relay, &msg);
    assert_got(0, "");
    assert_got(1, "x");
    msg.offset = 7;
    msg.client = span_str(edge_session_id(clients[1], id));
    edge_hub_message(hub, &relay, &msg);
    assert_got(0, "x");
    msg.offset = 8;
    msg.client = (span_t){0};
    edge_hub_message(hub, &relay, &msg);
    assert_got(0, "x");
}

static void a_slow_listener_does_not_stop_the_others(void **state)
{
    (void)state;
    be_on(0, "a");
    subscribe(1, "a");
    subscribe(2, "a");
    conns[1].room = 0;
    char big[600];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    message("a", EPOCH, 6, big);
    assert_got(0, big);
    assert_got(2, big);
    message("a", EPOCH, 7, big);
    message("a", EPOCH, 8, "eight");
    assert_false(edge_session_is_open(clients[1]));
    assert_true(is_subscribed(1, "a"));
    fake_worker_flush(worker);
    assert_int_equal(stats_get(&worker->worker.stats.closed_slow), 1);
    span_t rest = buf_span(&conns[2].written);
    fake_next_frame(&rest);
    assert_text_frame(&rest, "eight");
}

/* --- relays come and go --- */

static void after_a_link_loss_the_channel_resumes_from_its_position(void **state)
{
    (void)state;
    be_on(0, "a");
    message("a", EPOCH, 6, "six");
    uplink->relay = NULL;
    edge_hub_lost(hub, &relay);
    turn();
    worker->worker.now_us += 60 * CLOCK_SEC;
    turn();
    assert_said(uplink, "");
    assert_heard("");
    uplink->relay = &relay;
    edge_hub_found(hub, &relay);
    turn();
    assert_said(uplink, "SUB a " EPOCH ":6|");
    sub_ok("a", EPOCH, 6, true);
    message("a", EPOCH, 7, "seven");
    assert_heard("");
    assert_got(0, "six,seven");
}

static void what_can_not_be_recovered_is_told_to_those_who_were_on(void **state)
{
    (void)state;
    be_on(0, "a");
    edge_hub_lost(hub, &relay);
    subscribe(1, "a");
    turn();
    sub_ok("a", EPOCH, 8, false);
    assert_heard("0:a lost|1:a OK|");
    assert_int_equal(stats_get(&worker->worker.stats.dropped_lost), 3);
    message("a", EPOCH, 9, "nine");
    assert_got(0, "");
    assert_got(1, "nine");
}

static void an_owner_that_lost_its_memory_is_a_loss(void **state)
{
    (void)state;
    be_on(0, "a");
    edge_hub_lost(hub, &relay);
    turn();
    sub_ok("a", OTHER, 0, true);
    assert_heard("0:a lost|");
}

/* Offsets below ours are new messages if the owner says that it could not recover. */
static void an_owner_that_fell_behind_is_a_loss_and_its_next_messages_count(void **state)
{
    (void)state;
    be_on(0, "a");
    edge_hub_lost(hub, &relay);
    subscribe(1, "a");
    turn();
    sub_ok("a", EPOCH, 3, false);
    assert_heard("0:a lost|1:a OK|");
    message("a", EPOCH, 4, "four");
    assert_got(1, "four");
}

static void what_comes_again_after_a_recovery_is_dropped(void **state)
{
    (void)state;
    be_on(0, "a");
    edge_hub_lost(hub, &relay);
    turn();
    sub_ok("a", EPOCH, 4, true);
    message("a", EPOCH, 5, "five");
    message("a", EPOCH, 6, "six");
    assert_heard("");
    assert_got(0, "six");
}

static void an_answer_on_its_way_when_the_link_is_lost_does_not_count(void **state)
{
    (void)state;
    subscribe(0, "a");
    turn();
    edge_hub_lost(hub, &relay);
    turn();
    assert_said(uplink, "SUB a |SUB a |");
    sub_ok("a", EPOCH, 5, false);
    assert_heard("0:a OK|");
}

static void a_channel_that_waits_for_an_answer_goes_with_the_link(void **state)
{
    (void)state;
    subscribe(0, "a");
    subscribe(0, "b");
    turn();
    unsubscribe(0, "a");
    turn();
    unsubscribe(0, "b");
    assert_int_equal(edge_hub_channels(hub), 2);
    edge_hub_lost(hub, &relay);
    assert_int_equal(edge_hub_channels(hub), 0);
}

static void another_relays_loss_changes_nothing(void **state)
{
    (void)state;
    be_on(0, "a");
    edge_hub_lost(hub, &second_relay);
    turn();
    assert_said(uplink, "");
    message("a", EPOCH, 6, "six");
    assert_got(0, "six");
}

static void a_channel_moves_to_a_relay_that_is_a_better_way(void **state)
{
    (void)state;
    be_on(0, "a");
    uplink->relay = &second_relay;
    edge_hub_found(hub, &second_relay);
    turn();
    assert_said(uplink, "UNSUB a@7|SUB a " EPOCH ":5|"); /* the first one only forwarded */
    const envelope_sub_ok_t answer = {
        .channel = SPAN("a"), .epoch = SPAN(EPOCH), .offset = 5, .since = 5, .recovered = 1};
    edge_hub_subscribed(hub, &second_relay, &answer);
    edge_hub_lost(hub, &relay);
    turn();
    assert_said(uplink, "");
    assert_heard("");
}

static void an_answer_without_a_proper_epoch_is_none(void **state)
{
    (void)state;
    subscribe(0, "a");
    turn();
    sub_ok("a", "", 5, false);
    sub_ok("a", "abcdEFG1", 5, false);
    assert_heard("");
    worker->worker.now_us += 4 * CLOCK_SEC;
    turn();
    assert_heard("0:a ERR_TIMEOUT|");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_is_framed_once_for_each_dialect),
        TEST(a_message_that_a_dialect_can_not_say_is_counted),
        TEST(a_duplicate_is_dropped),
        TEST(a_jump_is_told_and_counted_and_nothing_behind_it_passed_on),
        TEST(another_epoch_is_a_loss),
        TEST(a_message_without_a_proper_epoch_is_dropped),
        TEST(who_does_not_want_its_own_gets_all_others),
        TEST(a_slow_listener_does_not_stop_the_others),
        TEST(after_a_link_loss_the_channel_resumes_from_its_position),
        TEST(what_can_not_be_recovered_is_told_to_those_who_were_on),
        TEST(an_owner_that_lost_its_memory_is_a_loss),
        TEST(an_owner_that_fell_behind_is_a_loss_and_its_next_messages_count),
        TEST(what_comes_again_after_a_recovery_is_dropped),
        TEST(an_answer_on_its_way_when_the_link_is_lost_does_not_count),
        TEST(a_channel_that_waits_for_an_answer_goes_with_the_link),
        TEST(another_relays_loss_changes_nothing),
        TEST(a_channel_moves_to_a_relay_that_is_a_better_way),
        TEST(an_answer_without_a_proper_epoch_is_none),
    };
    log_set_level(LOG_LEVEL_OFF); /* losses are logged, and there are many */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
