#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/wheel.h"

#define NOW  ((uint64_t)5000000)
#define TURN ((uint64_t)WHEEL_SLOTS * WHEEL_SLOT_US)

typedef struct item {
    wheel_timer_t timer;
    unsigned fired;
    uint64_t fired_us;
    uint64_t again_us;  /* armed anew for then when it fires; 0 = not */
    struct item *stops; /* disarmed when it fires; NULL = none */
} item_t;

static wheel_t wheel;

static void fire(void *context, wheel_timer_t *timer, uint64_t now_us)
{
    assert_ptr_equal(context, &wheel);
    assert_false(wheel_armed(timer));
    item_t *item = (item_t *)(void *)timer;
    item->fired++;
    item->fired_us = now_us;
    if (item->again_us > 0)
        wheel_arm(&wheel, timer, item->again_us);
    if (item->stops)
        wheel_disarm(&item->stops->timer);
}

static int set_up(void **state)
{
    (void)state;
    wheel_init(&wheel, NOW, fire, &wheel);
    return 0;
}

static void a_timer_fires_once_and_not_before_its_time(void **state)
{
    (void)state;
    item_t item = {0};
    wheel_arm(&wheel, &item.timer, NOW + 1000);
    assert_true(wheel_armed(&item.timer));
    wheel_advance(&wheel, NOW + 999);
    assert_int_equal(item.fired, 0);
    wheel_advance(&wheel, NOW + 1000);
    assert_int_equal(item.fired, 1);
    assert_false(wheel_armed(&item.timer));
    wheel_advance(&wheel, NOW + 2 * TURN);
    assert_int_equal(item.fired, 1);
}

static void a_disarmed_timer_does_not_fire(void **state)
{
    (void)state;
    item_t item = {0};
    wheel_arm(&wheel, &item.timer, NOW + 1000);
    wheel_disarm(&item.timer);
    wheel_disarm(&item.timer);
    wheel_advance(&wheel, NOW + TURN);
    assert_int_equal(item.fired, 0);
}

static void arming_again_moves_a_timer(void **state)
{
    (void)state;
    item_t item = {0};
    wheel_arm(&wheel, &item.timer, NOW + 1000);
    wheel_arm(&wheel, &item.timer, NOW + 10 * WHEEL_SLOT_US);
    wheel_advance(&wheel, NOW + 9 * WHEEL_SLOT_US);
    assert_int_equal(item.fired, 0);
    wheel_advance(&wheel, NOW + 10 * WHEEL_SLOT_US);
    assert_int_equal(item.fired, 1);
}

static void a_timer_of_a_later_turn_waits_in_its_slot(void **state)
{
    (void)state;
    item_t item = {0};
    uint64_t due_us = NOW + 3 * TURN + 5;
    wheel_arm(&wheel, &item.timer, due_us);
    for (uint64_t now_us = NOW; now_us < due_us; now_us += WHEEL_SLOT_US)
        wheel_advance(&wheel, now_us);
    wheel_advance(&wheel, due_us - 1);
    assert_int_equal(item.fired, 0);
    wheel_advance(&wheel, due_us);
    assert_int_equal(item.fired, 1);
}

static void a_long_pause_fires_everything_that_became_due(void **state)
{
    (void)state;
    item_t items[100] = {0};
    for (uint64_t i = 0; i < 100; i++)
        wheel_arm(&wheel, &items[i].timer, NOW + i * WHEEL_SLOT_US * 50);
    wheel_advance(&wheel, NOW + 100 * TURN);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(items[i].fired, 1);
}

static void a_callback_that_arms_for_the_past_fires_at_the_next_call(void **state)
{
    (void)state;
    item_t item = {.again_us = NOW};
    wheel_arm(&wheel, &item.timer, NOW + 1);
    wheel_advance(&wheel, NOW + 5 * WHEEL_SLOT_US);
    assert_int_equal(item.fired, 1);
    item.again_us = 0;
    wheel_advance(&wheel, NOW + 5 * WHEEL_SLOT_US);
    assert_int_equal(item.fired, 2);
}

static void a_callback_may_disarm_another_that_is_due(void **state)
{
    (void)state;
    item_t first = {0}, second = {0};
    first.stops = &second;
    second.stops = &first;
    wheel_arm(&wheel, &first.timer, NOW + 1);
    wheel_arm(&wheel, &second.timer, NOW + 2);
    wheel_advance(&wheel, NOW + 10);
    assert_int_equal(first.fired + second.fired, 1);
}

static void time_that_goes_backwards_changes_nothing(void **state)
{
    (void)state;
    item_t item = {0};
    wheel_arm(&wheel, &item.timer, NOW + 1000);
    wheel_advance(&wheel, 0);
    wheel_advance(&wheel, NOW + 1000);
    assert_int_equal(item.fired, 1);
}

/* Against the plain rule: after each advance exactly those have fired whose time has come. */
static void a_random_load_fires_exactly_what_is_due(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    static item_t items[COUNT];
    random_t random = {11};
    for (size_t i = 0; i < COUNT; i++)
        wheel_arm(&wheel, &items[i].timer, NOW + random_below(&random, 3 * TURN));
    uint64_t before_us = NOW;
    for (uint64_t now_us = NOW; now_us < NOW + 3 * TURN;) {
        wheel_advance(&wheel, now_us);
        for (size_t i = 0; i < COUNT; i++) {
            assert_int_equal(items[i].fired, items[i].timer.due_us <= now_us);
            if (items[i].fired && items[i].fired_us == now_us)
                assert_true(now_us == before_us || items[i].timer.due_us > before_us);
        }
        before_us = now_us;
        now_us += 1 + random_below(&random, 4 * WHEEL_SLOT_US);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_timer_fires_once_and_not_before_its_time, set_up),
        cmocka_unit_test_setup(a_disarmed_timer_does_not_fire, set_up),
        cmocka_unit_test_setup(arming_again_moves_a_timer, set_up),
        cmocka_unit_test_setup(a_timer_of_a_later_turn_waits_in_its_slot, set_up),
        cmocka_unit_test_setup(a_long_pause_fires_everything_that_became_due, set_up),
        cmocka_unit_test_setup(a_callback_that_arms_for_the_past_fires_at_the_next_call, set_up),
        cmocka_unit_test_setup(a_callback_may_disarm_another_that_is_due, set_up),
        cmocka_unit_test_setup(time_that_goes_backwards_changes_nothing, set_up),
        cmocka_unit_test_setup(a_random_load_fires_exactly_what_is_due, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
