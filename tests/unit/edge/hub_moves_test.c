/* The hub when channels move from one relay to another, and when one of several relays is full or says "not now". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "hub_fixture.h"

#define MS UINT64_C(1000)

static link_t other = {.peer = 9};

/* The way to all channels is `to` from now on, and `former` owned them. */
static void move(link_t *to, const link_t *former)
{
    uplink->relay = to;
    uplink->former = former ? former->peer : 0;
    edge_hub_moved(hub);
    uplink->former = 0;
}

static void sub_ok_of(const link_t *from, const char *channel, uint64_t since, bool recovered)
{
    envelope_sub_ok_t answer = {.channel = span_str(channel),
                                .epoch = SPAN(EPOCH),
                                .offset = since,
                                .since = since,
                                .recovered = recovered};
    edge_hub_subscribed(hub, from, &answer);
}

static void sub_no_of(const link_t *from, const char *channel, int err)
{
    envelope_sub_no_t answer = {.channel = span_str(channel), .code = (uint64_t)-err};
    edge_hub_not_subscribed(hub, from, &answer);
}

static void message_of(const link_t *from, const char *channel, uint64_t offset, const char *payload)
{
    envelope_msg_t msg = {
        .channel = span_str(channel), .epoch = SPAN(EPOCH), .offset = offset, .payload = span_str(payload)};
    edge_hub_message(hub, from, &msg);
}

/* --- moves --- */

static void a_channel_with_another_owner_goes_on_from_its_position_and_nobody_notices(void **state)
{
    (void)state;
    be_on(0, "a");
    move(&other, &relay);
    turn();
    assert_said(uplink, "SUB a " EPOCH ":5|"); /* the one that lost it knows */
    sub_ok_of(&other, "a", 5, true);
    message_of(&other, "a", 6, "six");
    assert_got(0, "six");
    assert_heard("");
}

static void what_the_new_owner_can_not_go_on_with_is_told(void **state)
{
    (void)state;
    be_on(0, "a");
    move(&other, &relay);
    turn();
    sub_ok_of(&other, "a", 9, false);
    assert_heard("0:a lost|");
}

static void another_owner_on_the_same_way_is_subscribed_at_anew(void **state)
{
    (void)state;
    be_on(0, "a");
    move(&relay, &other);
    turn();
    assert_said(uplink, "SUB a " EPOCH ":5|");
}

static void a_channel_that_stays_is_left_alone(void **state)
{
    (void)state;
    be_on(0, "a");
    move(&relay, NULL);
    turn();
    assert_said(uplink, "");
    message("a", EPOCH, 6, "six");
    assert_got(0, "six");
}

static void a_relay_that_only_forwarded_is_told(void **state)
{
    (void)state;
    static link_t third = {.peer = 11};
    be_on(0, "a");
    move(&other, &third);
    turn();
    assert_said(uplink, "UNSUB a@7|SUB a " EPOCH ":5|");
}

static void a_relay_that_only_forwarded_is_told_also_when_nobody_listens_any_more(void **state)
{
    (void)state;
    be_on(0, "a");
    unsubscribe(0, "a");
    move(&other, NULL);
    assert_int_equal(edge_hub_channels(hub), 1);
    turn();
    assert_said(uplink, "UNSUB a@7|");
    assert_int_equal(edge_hub_channels(hub), 0);
}

static void a_relay_that_goes_needs_not_be_told(void **state)
{
    (void)state;
    be_on(0, "a");
    unsubscribe(0, "a");
    move(&other, NULL);
    edge_hub_lost(hub, &relay);
    assert_int_equal(edge_hub_channels(hub), 0);
    turn();
    assert_said(uplink, "");
}

static void a_channel_that_moves_there_and_back_leaves_before_it_comes(void **state)
{
    (void)state;
    be_on(0, "a");
    move(&other, NULL);
    move(&relay, NULL);
    turn();
    assert_said(uplink, "UNSUB a|SUB a " EPOCH ":5|");
}

static void what_the_old_relay_still_says_is_neither_a_message_nor_a_gap(void **state)
{
    (void)state;
    be_on(0, "a");
    move(&other, &relay);
    turn();
    sub_ok_of(&relay, "a", 8, false);
    message_of(&relay, "a", 9, "nine");
    sub_ok_of(&other, "a", 5, true);
    message_of(&relay, "a", 6, "six, late");
    message_of(&relay, "a", 9, "nine");
    sub_no_of(&relay, "a", ERR_DENIED);
    assert_got(0, "");
    assert_heard("");
    message_of(&other, "a", 6, "six");
    assert_got(0, "six");
}

static void who_waits_when_a_channel_moves_is_answered_by_its_new_relay(void **state)
{
    (void)state;
    subscribe(0, "a");
    turn();
    move(&other, &relay);
    turn();
    sub_ok_of(&relay, "a", 5, false);
    assert_heard("");
    sub_ok_of(&other, "a", 5, false);
    assert_heard("0:a OK|");
}

static void an_answer_that_another_relay_owes_is_not_waited_for(void **state)
{
    (void)state;
    subscribe(0, "a");
    turn();
    unsubscribe(0, "a");
    turn(); /* SUB and UNSUB went, and no answer has come */
    move(&other, &relay);
    subscribe(0, "a");
    turn();
    sub_ok_of(&other, "a", 5, false);
    assert_heard("0:a OK|");
}

static void a_question_goes_again_to_the_new_relay(void **state)
{
    (void)state;
    be_on(0, "a");
    edge_subscription_t *subscription;
    position_t since = {.epoch = EPOCH, .offset = 3};
    assert_int_equal(edge_hub_subscribe(hub, clients[1], SPAN("a"), NULL, &since, &subscription), ERR_AGAIN);
    turn();
    assert_said(uplink, "ASK a " EPOCH ":3|");
    move(&other, &relay);
    assert_int_equal(uplink->withdrawn, 1);
    turn();
    sub_ok_of(&other, "a", 5, true);
    turn();
    assert_said(uplink, "SUB a " EPOCH ":5|ASK a " EPOCH ":3|");
}

static void presence_moves_with_its_channel_and_is_said_again(void **state)
{
    (void)state;
    be_on(0, "here:1");
    assert_int_equal(subscribe(1, "here:1"), OK);
    buf_clear(&uplink->said);
    move(&other, &relay);
    unsubscribe(0, "here:1"); /* the new owner has been told that it is present */
    assert_said(uplink, "LEAVE here:1|");
    turn();
    sub_ok_of(&other, "here:1", 5, true);
    assert_said(uplink, "SUB here:1 " EPOCH ":5|JOIN here:1 u {}|");
}

/* --- not now --- */

static void not_now_is_asked_again_and_nobody_notices(void **state)
{
    (void)state;
    be_on(0, "a");
    move(&other, &relay);
    turn();
    sub_no_of(&other, "a", ERR_UNAVAILABLE);
    turn();
    assert_said(uplink, "SUB a " EPOCH ":5|");
    worker->worker.now_us += 99 * MS;
    turn();
    assert_said(uplink, "");
    worker->worker.now_us += 1 * MS;
    turn();
    assert_said(uplink, "SUB a " EPOCH ":5|");
    sub_ok_of(&other, "a", 5, true);
    assert_heard("");
    message_of(&other, "a", 6, "six");
    assert_got(0, "six");
}

static void not_now_ends_with_the_patience_of_who_waits(void **state)
{
    (void)state;
    subscribe(0, "a");
    for (unsigned tries = 0; tries < 39; tries++) {
        turn();
        assert_said(uplink, "SUB a |");
        sub_no("a", ERR_UNAVAILABLE);
        assert_heard("");
        worker->worker.now_us += 100 * MS;
    }
    worker->worker.now_us += 100 * MS;
    turn();
    assert_heard("0:a ERR_TIMEOUT|");
    assert_said(uplink, "");
    assert_int_equal(edge_hub_channels(hub), 0);
}

static void not_now_to_a_channel_that_nobody_wants_any_more_is_the_end_of_it(void **state)
{
    (void)state;
    subscribe(0, "a");
    turn();
    unsubscribe(0, "a");
    sub_no("a", ERR_UNAVAILABLE);
    assert_int_equal(edge_hub_channels(hub), 0);
}

/* --- one full relay of two --- */

static void a_full_relay_holds_up_only_its_own_channels(void **state)
{
    (void)state;
    uplink->of_b = &other;
    uplink->full = &relay;
    subscribe(0, "a1");
    subscribe(0, "a2");
    subscribe(0, "b");
    turn();
    assert_said(uplink, "SUB b |");
    uplink->full = NULL;
    turn();
    assert_said(uplink, "SUB a1 |SUB a2 |");
}

static void a_full_relay_holds_up_only_its_own_presence(void **state)
{
    (void)state;
    channel_options_t present = {.presence = true};
    assert_int_equal(namespaces_add(&uplink->namespaces, SPAN("back"), &present), OK);
    be_on(0, "here:1");
    uplink->of_b = &other;
    subscribe(0, "back:1");
    turn();
    sub_ok_of(&other, "back:1", 5, false);
    buf_clear(&uplink->said);
    uplink->full = &relay;
    unsubscribe(0, "here:1");
    unsubscribe(0, "back:1");
    turn();
    assert_said(uplink, "LEAVE back:1|UNSUB back:1|");
    uplink->full = NULL;
    turn();
    assert_said(uplink, "LEAVE here:1|UNSUB here:1|");
}

static void a_turn_gives_up_after_so_many_that_do_not_fit_and_the_next_begins_with_others(void **state)
{
    (void)state;
    worker->config.limits.channels_per_client = 2000;
    uplink->of_b = &other;
    uplink->full = &relay;
    char name[16];
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "a%u", i);
        subscribe(0, name);
    }
    subscribe(0, "b");
    unsigned turns = 0;
    while (uplink->said.size == 0 && turns < 100) {
        turn();
        turns++;
    }
    assert_said(uplink, "SUB b |");
    assert_int_equal(turns, 4); /* 256 at a time */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_channel_with_another_owner_goes_on_from_its_position_and_nobody_notices),
        TEST(what_the_new_owner_can_not_go_on_with_is_told),
        TEST(another_owner_on_the_same_way_is_subscribed_at_anew),
        TEST(a_channel_that_stays_is_left_alone),
        TEST(a_relay_that_only_forwarded_is_told),
        TEST(a_relay_that_only_forwarded_is_told_also_when_nobody_listens_any_more),
        TEST(a_relay_that_goes_needs_not_be_told),
        TEST(a_channel_that_moves_there_and_back_leaves_before_it_comes),
        TEST(what_the_old_relay_still_says_is_neither_a_message_nor_a_gap),
        TEST(who_waits_when_a_channel_moves_is_answered_by_its_new_relay),
        TEST(an_answer_that_another_relay_owes_is_not_waited_for),
        TEST(a_question_goes_again_to_the_new_relay),
        TEST(presence_moves_with_its_channel_and_is_said_again),
        TEST(not_now_is_asked_again_and_nobody_notices),
        TEST(not_now_ends_with_the_patience_of_who_waits),
        TEST(not_now_to_a_channel_that_nobody_wants_any_more_is_the_end_of_it),
        TEST(a_full_relay_holds_up_only_its_own_channels),
        TEST(a_full_relay_holds_up_only_its_own_presence),
        TEST(a_turn_gives_up_after_so_many_that_do_not_fit_and_the_next_begins_with_others),
    };
    log_set_level(LOG_LEVEL_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
