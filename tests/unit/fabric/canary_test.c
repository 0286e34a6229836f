/* Which relays are asked whether they answer, and what is said of those that don't. The uplink's functions that the
 * canary uses are the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "fabric/canary.h"

#define MS     UINT64_C(1000)
#define SECOND UINT64_C(1000000)
#define START  (100 * SECOND)
#define RELAYS 3u

struct link {
    uint64_t peer;
    const char *name;
    bool is_way;
    bool full;
    unsigned asked;
    uplink_answered_fn *answered; /* of the question that is out; NULL = none is */
    void *user;
};

static struct {
    link_t relays[RELAYS];
    canary_t canary;
    uint64_t now_us;
} world;

/* --- the uplink --- */

uint64_t link_peer(const link_t *self)
{
    return self->peer;
}

const char *link_peer_name(const link_t *self)
{
    return self->name;
}

size_t uplink_ways(const uplink_t *self, link_t **out, size_t max)
{
    (void)self;
    size_t count = 0;
    for (size_t i = 0; i < RELAYS; i++) {
        if (world.relays[i].is_way && count < max)
            out[count++] = &world.relays[i];
    }
    return count;
}

int uplink_ask_at(uplink_t *self, link_t *relay, envelope_ask_t question, uplink_answered_fn *answered,
                  void *user, uint64_t now_us)
{
    (void)self;
    assert_int_equal(question.question, QUESTION_CANARY);
    assert_int_equal(now_us, world.now_us);
    assert_null(relay->answered); /* one at a time */
    if (relay->full)
        return ERR_FULL;
    relay->asked++;
    relay->answered = answered;
    relay->user = user;
    return OK;
}

void uplink_withdraw(uplink_t *self, const void *user)
{
    (void)self;
    for (size_t i = 0; i < RELAYS; i++) {
        if (world.relays[i].user == user)
            world.relays[i].answered = NULL;
    }
}

/* --- the test's words --- */

static void settle(unsigned number, int err)
{
    link_t *relay = &world.relays[number];
    uplink_answered_fn *answered = relay->answered;
    assert_non_null(answered);
    relay->answered = NULL;
    answered(relay->user, err, (span_t){0});
}

static void pass(uint64_t time_us)
{
    world.now_us += time_us;
    canary_tick(&world.canary, world.now_us);
}

/* All of `answering` (bits) answer at once, for so long. */
static void run(unsigned answering, uint64_t time_us)
{
    for (uint64_t end_us = world.now_us + time_us; world.now_us < end_us;) {
        for (unsigned i = 0; i < RELAYS; i++) {
            if (answering & 1u << i && world.relays[i].answered)
                settle(i, OK);
        }
        pass(100 * MS);
    }
}

static void assert_says(const char *text)
{
    buf_t why = {0};
    bool well = canary_is_well(&world.canary, world.now_us, &why);
    assert_string_equal(buf_text(&why), text);
    assert_int_equal(well, text[0] == '\0');
    buf_fini(&why);
}

static int set_up(void **state)
{
    (void)state;
    static const char *const names[RELAYS] = {"relay-1", "relay-2", "relay-3"};
    memset(&world, 0, sizeof world);
    world.now_us = START;
    for (unsigned i = 0; i < RELAYS; i++)
        world.relays[i] = (link_t){.peer = i + 1, .name = names[i], .is_way = true};
    canary_init(&world.canary, NULL);
    pass(0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    canary_fini(&world.canary);
    for (unsigned i = 0; i < RELAYS; i++)
        assert_null(world.relays[i].answered);
    return 0;
}

/* --- questions --- */

static void each_relay_is_asked_at_once_and_then_every_second(void **state)
{
    (void)state;
    for (unsigned i = 0; i < RELAYS; i++)
        assert_int_equal(world.relays[i].asked, 1);
    run(7, 10 * SECOND);
    for (unsigned i = 0; i < RELAYS; i++)
        assert_int_equal(world.relays[i].asked, 11);
    assert_says("");
}

static void answers_are_counted_by_the_time_that_they_took(void **state)
{
    (void)state;
    settle(0, OK);
    pass(1 * MS);
    settle(1, OK);
    pass(8 * MS);
    settle(2, OK);
    pass(92 * MS);
    assert_int_equal(world.canary.counts.within_1ms, 1);
    assert_int_equal(world.canary.counts.within_10ms, 1);
    assert_int_equal(world.canary.counts.within_100ms, 0);
    assert_int_equal(world.canary.counts.within_1s, 1);
    assert_int_equal(world.canary.counts.later, 0);
    assert_int_equal(world.canary.counts.lost, 0);
}

static void a_relay_that_does_not_know_the_question_is_alive(void **state)
{
    (void)state;
    for (unsigned second = 0; second < 10; second++) {
        for (unsigned i = 0; i < RELAYS; i++)
            settle(i, ERR_UNAVAILABLE);
        pass(SECOND);
        assert_says("");
    }
    assert_int_equal(world.canary.counts.lost, 0);
}

/* --- silence --- */

static void a_relay_that_is_silent_for_three_seconds_is_named(void **state)
{
    (void)state;
    settle(1, OK);
    pass(0);
    run(5, 2900 * MS);
    assert_says("");
    run(5, 100 * MS);
    assert_says("relay-2: no answer for 3 s");
    run(5, SECOND);
    assert_says("relay-2: no answer for 4 s");
}

static void a_relay_that_answers_again_is_well_at_once(void **state)
{
    (void)state;
    run(5, 10 * SECOND);
    assert_says("relay-2: no answer for 10 s");
    settle(1, OK);
    pass(MS);
    assert_says("");
}

static void a_lost_question_is_counted_and_asked_again(void **state)
{
    (void)state;
    world.now_us += UPLINK_ASK_TIMEOUT_US;
    settle(1, ERR_TIMEOUT);
    pass(0);
    assert_int_equal(world.canary.counts.lost, 1);
    assert_int_equal(world.relays[1].asked, 2);
    assert_says("relay-1: no answer for 3 s");
    run(5, 100 * MS);
    assert_says("relay-2: no answer for 3 s");
}

static void a_link_that_takes_nothing_is_silence(void **state)
{
    (void)state;
    settle(2, OK);
    pass(0);
    world.relays[2].full = true;
    run(7, 3 * SECOND);
    assert_says("relay-3: no answer for 3 s");
    world.relays[2].full = false;
    run(7, 1200 * MS);
    assert_says("");
}

/* --- whom it depends on --- */

static void a_relay_that_is_no_way_any_more_is_forgotten(void **state)
{
    (void)state;
    run(5, 5 * SECOND);
    assert_says("relay-2: no answer for 5 s");
    world.relays[1].is_way = false;
    run(5, 100 * MS);
    assert_says("");
    assert_null(world.relays[1].answered);
}

static void a_relay_that_becomes_a_way_again_has_its_three_seconds(void **state)
{
    (void)state;
    world.relays[1].is_way = false;
    run(5, 10 * SECOND);
    world.relays[1].is_way = true;
    run(5, 100 * MS);
    assert_says("");
    assert_non_null(world.relays[1].answered);
    run(5, 3 * SECOND);
    assert_says("relay-2: no answer for 3 s");
}

static void without_any_relay_the_last_one_is_missed(void **state)
{
    (void)state;
    world.relays[1].is_way = world.relays[2].is_way = false;
    run(1, SECOND);
    settle(0, ERR_UNAVAILABLE); /* as the uplink says when a link goes */
    world.relays[0].is_way = false;
    pass(0);
    assert_says("");
    pass(4 * SECOND);
    assert_says("relay-1: no answer for 4 s");
    world.relays[1].is_way = true;
    pass(MS);
    assert_says("");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_relay_is_asked_at_once_and_then_every_second),
        TEST(answers_are_counted_by_the_time_that_they_took),
        TEST(a_relay_that_does_not_know_the_question_is_alive),
        TEST(a_relay_that_is_silent_for_three_seconds_is_named),
        TEST(a_relay_that_answers_again_is_well_at_once),
        TEST(a_lost_question_is_counted_and_asked_again),
        TEST(a_link_that_takes_nothing_is_silence),
        TEST(a_relay_that_is_no_way_any_more_is_forgotten),
        TEST(a_relay_that_becomes_a_way_again_has_its_three_seconds),
        TEST(without_any_relay_the_last_one_is_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
