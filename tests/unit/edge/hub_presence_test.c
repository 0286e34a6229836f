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
    edge_hub_subscribe(hub, clients[0], SPAN("here:1"), mem_dup("[1]"), &subscription);
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
    };
    log_set_level(LOG_LEVEL_OFF); /* losses are logged, and there are many */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
