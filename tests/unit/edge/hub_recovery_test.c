#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "hub_fixture.h"

static const position_t since_3 = {.epoch = EPOCH, .offset = 3};

/* The client wants to go on from the epoch's offset 3. */
static void recover(unsigned client, const char *channel, position_t since)
{
    edge_subscription_t *subscription = NULL;
    assert_int_equal(edge_hub_subscribe(hub, clients[client], span_str(channel), NULL, &since, &subscription),
                     ERR_AGAIN);
    assert_true(edge_subscription_waits(subscription));
}

/* The owner's answer to the last question: the channel is at `offset`, and these messages lead there. */
static void answer(uint64_t offset, bool complete, unsigned count, const char *payload)
{
    buf_t messages = {0}, items = {0};
    for (unsigned i = 0; i < count; i++) {
        envelope_t message = {.kind = KIND_MSG,
                              .msg = {.channel = SPAN("a"),
                                      .epoch = SPAN(EPOCH),
                                      .offset = offset - count + 1 + i,
                                      .payload = span_str(payload)}};
        envelope_encode(&messages, &message);
    }
    recall_t recall = {.top = {.epoch = EPOCH, .offset = offset}, .complete = complete};
    recall.messages = buf_span(&messages);
    recall_write(&items, &recall, count);
    uplink->answered(uplink->asker, OK, buf_span(&items));
    buf_fini(&messages);
    buf_fini(&items);
}

static void who_goes_on_gets_what_it_missed_and_then_what_comes(void **state)
{
    (void)state;
    be_on(0, "a");
    recover(1, "a", since_3);
    assert_said(uplink, "");
    turn();
    assert_said(uplink, "ASK a " EPOCH ":3|");
    message("a", EPOCH, 6, "six");
    assert_got(0, "six");
    assert_got(1, "");
    answer(6, true, 3, "m");
    assert_heard("1:a OK recovered m m m|");
    message("a", EPOCH, 7, "seven");
    assert_got(1, "seven");
}

static void the_first_listener_asks_when_the_channel_is_on(void **state)
{
    (void)state;
    recover(0, "a", since_3);
    turn();
    assert_said(uplink, "SUB a |");
    sub_ok("a", EPOCH, 5, false);
    assert_heard("");
    turn();
    assert_said(uplink, "ASK a " EPOCH ":3|");
    answer(5, true, 2, "m");
    assert_heard("0:a OK recovered m m|");
}

static void what_is_gone_is_told_and_the_subscription_is_on(void **state)
{
    (void)state;
    be_on(0, "a");
    recover(1, "a", since_3);
    turn();
    answer(5, false, 1, "m");
    assert_heard("1:a OK unrecovered|");
    assert_int_equal(stats_get(&worker->worker.stats.unrecovered), 1);
    message("a", EPOCH, 6, "six");
    assert_got(1, "six");
}

static void a_position_that_nobody_knows_is_not_asked_for(void **state)
{
    (void)state;
    be_on(0, "a");
    recover(1, "a", (position_t){0});
    assert_heard("");
    turn();
    assert_said(uplink, "");
    assert_heard("1:a OK unrecovered|");
}

static void more_than_half_an_outbox_is_not_recovered(void **state)
{
    (void)state;
    be_on(0, "a");
    recover(1, "a", since_3);
    turn();
    buf_t payload = {0};
    size_t limit = worker->worker.config->limits.outbox;
    memset(buf_reserve(&payload, limit), 'x', limit / 2);
    buf_advance(&payload, limit / 2);
    answer(5, true, 2, buf_text(&payload));
    buf_fini(&payload);
    assert_heard("1:a OK unrecovered|");
}

static void an_answer_from_another_place_is_asked_for_again(void **state)
{
    (void)state;
    be_on(0, "a");
    recover(1, "a", since_3);
    turn();
    buf_clear(&uplink->said);
    answer(9, true, 6, "m");
    assert_heard("");
    turn();
    assert_said(uplink, "ASK a " EPOCH ":3|");
    answer(5, true, 2, "m");
    assert_heard("1:a OK recovered m m|");
}

static void after_a_link_loss_it_asks_over_the_new_link(void **state)
{
    (void)state;
    be_on(0, "a");
    recover(1, "a", since_3);
    turn();
    edge_hub_lost(hub, &relay);
    uplink->answered(uplink->asker, ERR_UNAVAILABLE, (span_t){0});
    buf_clear(&uplink->said);
    turn();
    assert_said(uplink, "SUB a " EPOCH ":5|");
    sub_ok("a", EPOCH, 5, true);
    turn();
    assert_said(uplink, "ASK a " EPOCH ":3|");
    answer(5, true, 2, "m");
    assert_heard("1:a OK recovered m m|");
}

static void without_room_it_asks_in_the_next_turn(void **state)
{
    (void)state;
    be_on(0, "a");
    recover(1, "a", since_3);
    uplink->room = 0;
    turn();
    uplink->room = 1;
    turn();
    assert_said(uplink, "ASK a " EPOCH ":3|");
}

static void who_goes_while_it_recovers_withdraws_its_question(void **state)
{
    (void)state;
    be_on(0, "a");
    recover(1, "a", since_3);
    turn();
    unsubscribe(1, "a");
    assert_int_equal(uplink->withdrawn, 1);
    recover(1, "a", since_3);
    unsubscribe(1, "a");
    assert_int_equal(uplink->withdrawn, 1); /* it had not been asked */
    turn();
}

static void a_recovery_without_an_answer_is_refused(void **state)
{
    (void)state;
    be_on(0, "a");
    recover(1, "a", since_3);
    turn();
    worker->worker.now_us += EDGE_SUBSCRIBE_TIMEOUT_US;
    turn();
    assert_heard("1:a ERR_TIMEOUT|");
    assert_int_equal(uplink->withdrawn, 1);
    assert_false(is_subscribed(1, "a"));
}

static void an_answer_that_is_none_refuses_the_subscription(void **state)
{
    (void)state;
    be_on(0, "a");
    recover(1, "a", since_3);
    turn();
    uplink->answered(uplink->asker, OK, SPAN("\x91\x01"));
    assert_heard("1:a ERR_TIMEOUT|");
}

static void a_relay_without_room_for_an_answer_is_asked_again_later(void **state)
{
    (void)state;
    be_on(0, "a");
    recover(1, "a", since_3);
    turn();
    buf_clear(&uplink->said);
    uplink->answered(uplink->asker, ERR_UNAVAILABLE, (span_t){0});
    turn();
    assert_said(uplink, "");
    worker->worker.now_us += 50000;
    turn();
    assert_said(uplink, "ASK a " EPOCH ":3|");
    answer(5, true, 2, "m");
    assert_heard("1:a OK recovered m m|");
}

static unsigned asked(void)
{
    unsigned count = 0;
    for (const char *at = buf_text(&uplink->said); (at = strstr(at, "ASK ")) != NULL; at++)
        count++;
    buf_clear(&uplink->said);
    return count;
}

static void so_many_at_once_are_asked_for_and_then_the_others(void **state)
{
    (void)state;
    char channel[8];
    worker->config.limits.channels_per_client = 100;
    for (unsigned i = 0; i < 70; i++) {
        snprintf(channel, sizeof channel, "c%u", i);
        recover(0, channel, since_3);
        turn();
        sub_ok(channel, EPOCH, 3, false);
    }
    turn();
    assert_int_equal(asked(), 64);
    edge_subscription_t *first = edge_hub_find(hub, clients[0], SPAN("c0"));
    edge_hub_unsubscribe(hub, &first); /* takes its question back */
    turn();
    assert_int_equal(asked(), 1);
    answer(3, true, 0, "");
    turn();
    assert_int_equal(asked(), 1);
}

int main(void)
{
    log_set_level(LOG_LEVEL_OFF);
    const struct CMUnitTest tests[] = {
        TEST(who_goes_on_gets_what_it_missed_and_then_what_comes),
        TEST(the_first_listener_asks_when_the_channel_is_on),
        TEST(what_is_gone_is_told_and_the_subscription_is_on),
        TEST(a_position_that_nobody_knows_is_not_asked_for),
        TEST(more_than_half_an_outbox_is_not_recovered),
        TEST(an_answer_from_another_place_is_asked_for_again),
        TEST(after_a_link_loss_it_asks_over_the_new_link),
        TEST(without_room_it_asks_in_the_next_turn),
        TEST(who_goes_while_it_recovers_withdraws_its_question),
        TEST(a_recovery_without_an_answer_is_refused),
        TEST(an_answer_that_is_none_refuses_the_subscription),
        TEST(a_relay_without_room_for_an_answer_is_asked_again_later),
        TEST(so_many_at_once_are_asked_for_and_then_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
