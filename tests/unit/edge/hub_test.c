#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hub_fixture.h"

/* --- subscribing --- */

static void the_first_listener_subscribes_upstream_and_is_answered(void **state)
{
    (void)state;
    edge_subscription_t *subscription = NULL;
    assert_int_equal(edge_hub_subscribe(hub, clients[0], SPAN("a"), NULL, NULL, &subscription), ERR_AGAIN);
    assert_true(edge_subscription_waits(subscription));
    assert_said(uplink, "");
    turn();
    turn();
    assert_said(uplink, "SUB a |");
    assert_heard("");
    sub_ok("a", EPOCH, 5, false);
    assert_heard("0:a OK|");
    assert_false(edge_subscription_waits(subscription));
    assert_int_equal(edge_channel_position(subscription->channel).offset, 5);
    assert_int_equal(stats_get(&worker->worker.stats.subscriptions), 1);
    assert_int_equal(stats_get(&worker->worker.stats.channels), 1);
}

static void the_next_listener_is_on_at_once(void **state)
{
    (void)state;
    be_on(0, "a");
    assert_int_equal(subscribe(1, "a"), OK);
    turn();
    assert_said(uplink, "");
    assert_heard("");
    message("a", EPOCH, 6, "six");
    assert_got(0, "six");
    assert_got(1, "six");
}

static void listeners_that_wait_are_answered_together(void **state)
{
    (void)state;
    assert_int_equal(subscribe(0, "a"), ERR_AGAIN);
    turn();
    assert_int_equal(subscribe(1, "a"), ERR_AGAIN);
    turn();
    assert_said(uplink, "SUB a |");
    sub_ok("a", EPOCH, 5, false);
    assert_heard("1:a OK|0:a OK|");
}

static void a_second_subscription_to_a_channel_is_refused(void **state)
{
    (void)state;
    be_on(0, "a");
    edge_subscription_t *subscription;
    assert_int_equal(edge_hub_subscribe(hub, clients[0], SPAN("a"), mem_dup("{}"), NULL, &subscription),
                     ERR_DUPLICATE);
}

static void a_client_has_so_many_channels_and_no_more(void **state)
{
    (void)state;
    assert_int_equal(subscribe(0, "a"), ERR_AGAIN);
    assert_int_equal(subscribe(0, "b"), ERR_AGAIN);
    assert_int_equal(subscribe(0, "c"), ERR_AGAIN);
    assert_int_equal(subscribe(0, "d"), ERR_AGAIN);
    assert_int_equal(subscribe(0, "e"), ERR_FULL);
    unsubscribe(0, "b");
    assert_int_equal(subscribe(0, "e"), ERR_AGAIN);
    assert_int_equal(subscribe(1, "e"), ERR_AGAIN);
}

static void a_refusal_reaches_all_who_wait(void **state)
{
    (void)state;
    subscribe(0, "a");
    subscribe(2, "a");
    turn();
    sub_no("a", ERR_DENIED);
    assert_heard("2:a ERR_DENIED|0:a ERR_DENIED|");
    assert_int_equal(edge_hub_subscriptions(hub), 0);
    assert_int_equal(edge_hub_channels(hub), 0);
    turn();
    assert_said(uplink, "SUB a |");
}

static void a_relay_that_takes_a_subscription_back_loses_its_listeners(void **state)
{
    (void)state;
    be_on(0, "a");
    sub_no("a", ERR_FULL);
    assert_heard("0:a lost|");
    assert_int_equal(edge_hub_channels(hub), 0);
}

static void a_refusal_with_a_senseless_code_is_still_one(void **state)
{
    (void)state;
    subscribe(0, "a");
    turn();
    envelope_sub_no_t answer = {.channel = SPAN("a"), .code = UINT64_MAX};
    edge_hub_not_subscribed(hub, &relay, &answer);
    assert_heard("0:a ERR_UNAVAILABLE|");
}

static void who_waits_too_long_is_told(void **state)
{
    (void)state;
    uplink->relay = NULL;
    subscribe(0, "a");
    worker->worker.now_us += 3 * CLOCK_SEC;
    subscribe(1, "a");
    turn();
    assert_heard("");
    worker->worker.now_us += 1 * CLOCK_SEC;
    turn();
    assert_heard("0:a ERR_TIMEOUT|");
    assert_false(is_subscribed(0, "a"));
    worker->worker.now_us += 3 * CLOCK_SEC;
    turn();
    assert_heard("1:a ERR_TIMEOUT|");
    assert_int_equal(edge_hub_channels(hub), 0);
}

static void a_full_uplink_is_tried_again_next_turn(void **state)
{
    (void)state;
    uplink->room = 1;
    subscribe(0, "a");
    subscribe(0, "b");
    turn();
    turn();
    assert_said(uplink, "SUB a |");
    uplink->room = 9;
    turn();
    assert_said(uplink, "SUB b |");
}

/* --- leaving --- */

static void the_last_listener_unsubscribes_upstream(void **state)
{
    (void)state;
    be_on(0, "a");
    assert_int_equal(subscribe(1, "a"), OK);
    unsubscribe(0, "a");
    turn();
    assert_said(uplink, "");
    unsubscribe(1, "a");
    turn();
    assert_said(uplink, "UNSUB a|");
    assert_int_equal(edge_hub_channels(hub), 0);
    message("a", EPOCH, 6, "late");
    sub_ok("a", EPOCH, 6, false);
    sub_no("a", ERR_DENIED);
    assert_got(0, "");
}

static void an_unsubscription_that_does_not_fit_waits(void **state)
{
    (void)state;
    be_on(0, "a");
    uplink->room = 0;
    unsubscribe(0, "a");
    turn();
    uplink->room = 9;
    turn();
    assert_said(uplink, "UNSUB a|");
}

static void who_comes_back_within_a_turn_goes_on_without_a_word_upstream(void **state)
{
    (void)state;
    be_on(0, "a");
    unsubscribe(0, "a");
    message("a", EPOCH, 6, "six");
    assert_int_equal(subscribe(1, "a"), OK);
    turn();
    assert_said(uplink, "");
    message("a", EPOCH, 7, "seven");
    assert_got(1, "seven");
}

/* SUB, UNSUB, SUB are on their way when the first answer comes, and then what was sent before the UNSUB. */
static void an_answer_to_a_subscription_given_up_is_not_the_new_ones(void **state)
{
    (void)state;
    subscribe(0, "a");
    turn();
    unsubscribe(0, "a");
    turn();
    subscribe(0, "a");
    turn();
    assert_said(uplink, "SUB a |UNSUB a|SUB a |");
    sub_ok("a", EPOCH, 5, false);
    message("a", EPOCH, 6, "six");
    assert_heard("");
    assert_got(0, "");
    sub_ok("a", EPOCH, 9, false);
    assert_heard("0:a OK|");
    message("a", EPOCH, 10, "ten");
    assert_got(0, "ten");
}

static void a_channel_given_up_stays_until_its_answer_has_come(void **state)
{
    (void)state;
    subscribe(0, "a");
    turn();
    unsubscribe(0, "a");
    turn();
    assert_int_equal(edge_hub_channels(hub), 1);
    sub_ok("a", EPOCH, 5, false);
    assert_int_equal(edge_hub_channels(hub), 0);
}

static void a_refusal_is_an_answer_too(void **state)
{
    (void)state;
    subscribe(0, "a");
    turn();
    unsubscribe(0, "a");
    turn();
    subscribe(0, "a");
    turn();
    sub_no("a", ERR_FULL);
    assert_heard("");
    sub_ok("a", EPOCH, 5, false);
    assert_heard("0:a OK|");
}

/* What was on its way before the UNSUB arrives behind the new SUB. */
static void messages_of_a_subscription_given_up_are_dropped(void **state)
{
    (void)state;
    be_on(0, "a");
    unsubscribe(0, "a");
    turn();
    subscribe(0, "a");
    turn();
    assert_said(uplink, "UNSUB a|SUB a |");
    message("a", EPOCH, 6, "old");
    assert_got(0, "");
    sub_ok("a", EPOCH, 8, false);
    message("a", EPOCH, 9, "nine");
    assert_got(0, "nine");
}

/* The channel stays, with the position that its former listeners had, until their SUB is answered. */
static void who_comes_to_a_channel_given_up_begins_where_the_stream_is(void **state)
{
    (void)state;
    be_on(0, "a");
    edge_hub_lost(hub, &relay);
    turn();
    unsubscribe(0, "a");
    turn();
    subscribe(1, "a");
    turn();
    assert_said(uplink, "SUB a " EPOCH ":5|UNSUB a|SUB a |");
}

/* --- callbacks that do something --- */

static void subscribe_again(edge_session_t *session)
{
    within_callback = NULL;
    edge_subscription_t *subscription;
    edge_hub_subscribe(hub, session, SPAN("a"), NULL, NULL, &subscription);
}

static void drop_everything(edge_session_t *session)
{
    (void)session;
    for (unsigned i = 0; i < CLIENTS; i++)
        edge_hub_unsubscribe_all(hub, clients[i]);
}

static void close_session(edge_session_t *session)
{
    edge_session_close(session, 3000, "connection closed", true);
}

static void who_is_refused_may_ask_again_at_once(void **state)
{
    (void)state;
    subscribe(0, "a");
    turn();
    within_callback = subscribe_again;
    sub_no("a", ERR_FULL);
    turn();
    assert_said(uplink, "SUB a |SUB a |");
    sub_ok("a", EPOCH, 5, false);
    assert_heard("0:a ERR_FULL|0:a OK|");
}

static void who_lost_may_ask_again_at_once(void **state)
{
    (void)state;
    be_on(0, "a");
    subscribe(1, "a");
    within_callback = subscribe_again;
    message("a", EPOCH, 9, "nine");
    assert_heard("1:a lost|0:a lost|");
    assert_true(is_subscribed(1, "a"));
    message("a", EPOCH, 10, "ten");
    assert_got(1, "ten");
    assert_got(0, "");
}

static void all_may_go_within_an_answer(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CLIENTS; i++)
        subscribe(i, "a");
    turn();
    within_callback = drop_everything;
    sub_ok("a", EPOCH, 5, false);
    assert_heard("3:a OK|");
    assert_int_equal(edge_hub_subscriptions(hub), 0);
}

static void all_may_go_within_a_loss(void **state)
{
    (void)state;
    be_on(0, "a");
    for (unsigned i = 1; i < CLIENTS; i++)
        subscribe(i, "a");
    within_callback = drop_everything;
    message("a", OTHER, 1, "x");
    assert_heard("3:a lost|");
    assert_int_equal(edge_hub_subscriptions(hub), 0);
}

static void all_may_go_within_a_timeout(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CLIENTS; i++)
        subscribe(i, "a");
    within_callback = drop_everything;
    worker->worker.now_us += 4 * CLOCK_SEC;
    turn();
    assert_heard("0:a ERR_TIMEOUT|");
    assert_int_equal(edge_hub_channels(hub), 0);
}

static void all_may_close_within_an_answer(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CLIENTS; i++)
        subscribe(i, "a");
    turn();
    within_callback = close_session;
    sub_ok("a", EPOCH, 5, false);
    assert_int_equal(edge_hub_subscriptions(hub), CLIENTS);
    message("a", EPOCH, 6, "six");
    for (unsigned i = 0; i < CLIENTS; i++)
        assert_got(i, "close");
}

/* --- questions --- */

static void note_channel(void *context, span_t name, size_t listeners)
{
    buf_printf(context, "%.*s=%zu|", SPAN_FMT(name), listeners);
}

static void channels_are_listed_with_their_listeners(void **state)
{
    (void)state;
    be_on(0, "a");
    subscribe(1, "a");
    subscribe(2, "b");
    turn();
    unsubscribe(2, "b");
    turn();
    buf_t list = {0};
    edge_hub_each_channel(hub, note_channel, &list);
    assert_string_equal(buf_text(&list), "a=2|");
    buf_fini(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_listener_subscribes_upstream_and_is_answered),
        TEST(the_next_listener_is_on_at_once),
        TEST(listeners_that_wait_are_answered_together),
        TEST(a_second_subscription_to_a_channel_is_refused),
        TEST(a_client_has_so_many_channels_and_no_more),
        TEST(a_refusal_reaches_all_who_wait),
        TEST(a_relay_that_takes_a_subscription_back_loses_its_listeners),
        TEST(a_refusal_with_a_senseless_code_is_still_one),
        TEST(who_waits_too_long_is_told),
        TEST(a_full_uplink_is_tried_again_next_turn),
        TEST(the_last_listener_unsubscribes_upstream),
        TEST(an_unsubscription_that_does_not_fit_waits),
        TEST(who_comes_back_within_a_turn_goes_on_without_a_word_upstream),
        TEST(an_answer_to_a_subscription_given_up_is_not_the_new_ones),
        TEST(a_channel_given_up_stays_until_its_answer_has_come),
        TEST(a_refusal_is_an_answer_too),
        TEST(messages_of_a_subscription_given_up_are_dropped),
        TEST(who_comes_to_a_channel_given_up_begins_where_the_stream_is),
        TEST(who_is_refused_may_ask_again_at_once),
        TEST(who_lost_may_ask_again_at_once),
        TEST(all_may_go_within_an_answer),
        TEST(all_may_go_within_a_loss),
        TEST(all_may_go_within_a_timeout),
        TEST(all_may_close_within_an_answer),
        TEST(channels_are_listed_with_their_listeners),
    };
    log_set_level(LOG_LEVEL_OFF); /* losses are logged, and there are many */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
