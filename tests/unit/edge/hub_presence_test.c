#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hub_fixture.h"

static void who_is_on_joins_and_who_goes_leaves(void **state)
{
    (void)state;
    edge_subscription_t *subscription;
    edge_hub_subscribe(hub, clients[0], SPAN("here:1"), mem_dup("[1]"), NULL, &subscription);
    turn();
    assert_said(uplink, "SUB here:1 |");
    sub_ok("here:1", EPOCH, 5, false);
    assert_said(uplink, "JOIN here:1 u [1]|"); /* no turn later: the client may ask who is there */
    subscribe(1, "here:1");
    assert_said(uplink, "JOIN here:1 u {}|");
    unsubscribe(0, "here:1");
    assert_said(uplink, "LEAVE here:1|");
    edge_hub_unsubscribe_all(hub, clients[1]);
    turn();
    assert_said(uplink, "LEAVE here:1|UNSUB here:1|");
}

static void a_namespace_without_presence_has_no_joins(void **state)
{
    (void)state;
    be_on(0, "a");
    turn();
    unsubscribe(0, "a");
    assert_said(uplink, "");
}

static void who_goes_before_its_join_does_not_leave(void **state)
{
    (void)state;
    subscribe(0, "here:1");
    turn();
    buf_clear(&uplink->said);
    uplink->room = 0;
    sub_ok("here:1", EPOCH, 5, false);
    unsubscribe(0, "here:1");
    uplink->room = 9;
    turn();
    assert_said(uplink, "UNSUB here:1|");
}

static void after_a_link_loss_all_join_again(void **state)
{
    (void)state;
    be_on(0, "here:1");
    turn();
    edge_hub_lost(hub, &relay);
    buf_clear(&uplink->said);
    turn();
    sub_ok("here:1", EPOCH, 5, true);
    turn();
    assert_said(uplink, "SUB here:1 " EPOCH ":5|JOIN here:1 u {}|");
}

static void who_goes_while_the_link_is_down_does_not_leave(void **state)
{
    (void)state;
    be_on(0, "here:1");
    turn();
    edge_hub_lost(hub, &relay);
    buf_clear(&uplink->said);
    unsubscribe(0, "here:1");
    turn();
    assert_said(uplink, "");
}

static void joins_and_leaves_that_do_not_fit_go_later_in_order(void **state)
{
    (void)state;
    be_on(0, "here:1");
    turn();
    buf_clear(&uplink->said);
    uplink->room = 0;
    subscribe(1, "here:1");
    unsubscribe(0, "here:1");
    subscribe(0, "here:1");
    turn();
    assert_said(uplink, "");
    uplink->room = 2;
    turn();
    assert_said(uplink, "LEAVE here:1|JOIN here:1 u {}|");
    uplink->room = 9;
    turn();
    assert_said(uplink, "JOIN here:1 u {}|");
}

static void leaves_that_are_owed_go_with_the_hub(void **state)
{
    (void)state;
    be_on(0, "here:1");
    turn();
    uplink->room = 0;
    unsubscribe(0, "here:1");
}

/* --- who hears of it --- */

static void somebody(const char *channel, const char *user, bool came)
{
    const envelope_join_t client = {
        .channel = span_str(channel), .client = SPAN("c"), .user = span_str(user)};
    edge_hub_presence(hub, &relay, &client, came);
}

static void see_presence(unsigned client, const char *channel)
{
    edge_subscription_t *subscription = edge_hub_find(hub, clients[client], span_str(channel));
    assert_non_null(subscription);
    subscription->sees_presence = true;
}

static void where_joins_are_told_clients_join_without_presence(void **state)
{
    (void)state;
    subscribe(0, "told:1");
    turn();
    sub_ok("told:1", EPOCH, 5, false);
    unsubscribe(0, "told:1");
    assert_said(uplink, "SUB told:1 |JOIN told:1 u {}|LEAVE told:1|");
}

static void those_who_want_it_hear_who_comes_and_goes_in_one_frame(void **state)
{
    (void)state;
    be_on(0, "told:1");
    subscribe(1, "told:1");
    subscribe(2, "told:1");
    see_presence(0, "told:1");
    see_presence(1, "told:1");
    frames_made = 0;
    somebody("told:1", "ann", true);
    somebody("told:1", "ann", false);
    somebody("told:2", "bob", true);
    assert_int_equal(frames_made, 2);
    assert_got(0, "+ann,-ann");
    assert_got(1, "+ann,-ann");
    assert_got(2, "");
}

static void who_is_not_on_yet_hears_nothing(void **state)
{
    (void)state;
    be_on(0, "told:1");
    edge_subscription_t *subscription;
    position_t since = {.epoch = EPOCH, .offset = 3};
    assert_int_equal(edge_hub_subscribe(hub, clients[1], SPAN("told:1"), NULL, &since, &subscription),
                     ERR_AGAIN);
    subscription->sees_presence = true;
    somebody("told:1", "ann", true);
    assert_got(1, "");
    edge_hub_lost(hub, &relay);
    see_presence(0, "told:1");
    somebody("told:1", "ann", true); /* of the subscription that was lost */
    assert_got(0, "");
}

/* So that it hears of itself: the owner tells all who are on by then. */
static void who_recovers_joins_when_it_is_on(void **state)
{
    (void)state;
    edge_subscription_t *subscription;
    position_t since = {.epoch = EPOCH, .offset = 5};
    assert_int_equal(edge_hub_subscribe(hub, clients[0], SPAN("told:1"), NULL, &since, &subscription),
                     ERR_AGAIN);
    turn();
    sub_ok("told:1", EPOCH, 5, false);
    turn();
    buf_t items = {0};
    recall_write(&items, &(recall_t){.top = since, .complete = true}, 0);
    assert_null(strstr(buf_text(&uplink->said), "JOIN"));
    uplink->answered(uplink->asker, OK, buf_span(&items));
    assert_non_null(strstr(buf_text(&uplink->said), "JOIN told:1 u {}|"));
    buf_fini(&items);
    buf_clear(&uplink->said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_is_on_joins_and_who_goes_leaves),
        TEST(a_namespace_without_presence_has_no_joins),
        TEST(who_goes_before_its_join_does_not_leave),
        TEST(after_a_link_loss_all_join_again),
        TEST(who_goes_while_the_link_is_down_does_not_leave),
        TEST(joins_and_leaves_that_do_not_fit_go_later_in_order),
        TEST(leaves_that_are_owed_go_with_the_hub),
        TEST(where_joins_are_told_clients_join_without_presence),
        TEST(those_who_want_it_hear_who_comes_and_goes_in_one_frame),
        TEST(who_is_not_on_yet_hears_nothing),
        TEST(who_recovers_joins_when_it_is_on),
    };
    log_set_level(LOG_LEVEL_OFF); /* losses are logged, and there are many */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
