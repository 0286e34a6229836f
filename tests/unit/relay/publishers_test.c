#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/random.h"
#include "relay/publishers.h"

#define SECOND UINT64_C(1000000)
#define NOW    (1000 * SECOND)
#define ALICE  UINT64_C(11)
#define BOB    UINT64_C(12)

static int set_up(void **state)
{
    static relay_publishers_t publishers;
    relay_publishers_init(&publishers);
    *state = &publishers;
    return 0;
}

static int tear_down(void **state)
{
    relay_publishers_fini(*state);
    return 0;
}

static void record(relay_publishers_t *self, uint64_t node, uint64_t counter, uint64_t now_us)
{
    relay_publishers_record(self, node, counter, (position_t){"abcdEFGH", counter * 10}, now_us);
}

/* Where it is; 0 = not known. */
static uint64_t offset_of(const relay_publishers_t *self, uint64_t node, uint64_t counter)
{
    position_t position;
    return relay_publishers_find(self, node, counter, &position) ? position.offset : 0;
}

static void an_accepted_publication_is_found_at_its_first_position(void **state)
{
    assert_int_equal(offset_of(*state, ALICE, 1), 0);
    record(*state, ALICE, 1, NOW);
    record(*state, ALICE, 2, NOW);
    assert_int_equal(offset_of(*state, ALICE, 1), 10);
    assert_int_equal(offset_of(*state, ALICE, 2), 20);
    assert_int_equal(offset_of(*state, ALICE, 3), 0);
}

static void each_node_counts_for_itself(void **state)
{
    record(*state, ALICE, 1, NOW);
    assert_int_equal(offset_of(*state, BOB, 1), 0);
    record(*state, BOB, 7, NOW);
    assert_int_equal(offset_of(*state, ALICE, 7), 0);
    assert_int_equal(offset_of(*state, BOB, 7), 70);
}

static void the_last_8192_are_remembered_exactly(void **state)
{
    for (uint64_t counter = 1; counter <= PUBLISHER_MEMORY + 100; counter++)
        record(*state, ALICE, counter, NOW);
    assert_int_equal(offset_of(*state, ALICE, 100), 0);
    for (uint64_t counter = 101; counter <= PUBLISHER_MEMORY + 100; counter++)
        assert_int_equal(offset_of(*state, ALICE, counter), counter * 10);
}

static void counters_may_come_out_of_order_and_with_holes(void **state)
{
    random_t random = {1};
    uint64_t counters[3000];
    for (uint64_t i = 0; i < 3000; i++)
        counters[i] = 3 * i + 5;
    for (size_t i = 3000; i-- > 1;) { /* each up to 16 places too late */
        size_t other = i > 16 ? i - random_below(&random, 16) : i;
        uint64_t moved = counters[i];
        counters[i] = counters[other];
        counters[other] = moved;
    }
    for (size_t i = 0; i < 3000; i++)
        record(*state, ALICE, counters[i], NOW);
    for (uint64_t i = 0; i < 3000; i++) {
        assert_int_equal(offset_of(*state, ALICE, 3 * i + 5), (3 * i + 5) * 10);
        assert_int_equal(offset_of(*state, ALICE, 3 * i + 6), 0);
    }
}

/* A node that sends again after others of its own have been accepted: the ring goes round with a late one in it. */
static void a_late_one_finds_its_place_also_when_the_ring_has_gone_round(void **state)
{
    for (uint64_t counter = 1; counter <= PUBLISHER_MEMORY + 50; counter++) {
        if (counter != PUBLISHER_MEMORY)
            record(*state, ALICE, counter, NOW);
    }
    record(*state, ALICE, PUBLISHER_MEMORY, NOW);
    for (uint64_t counter = 51; counter <= PUBLISHER_MEMORY + 50; counter++)
        assert_int_equal(offset_of(*state, ALICE, counter), counter * 10);
    assert_int_equal(offset_of(*state, ALICE, 50), 0);
}

static void a_silent_node_is_forgotten_after_a_minute(void **state)
{
    record(*state, ALICE, 1, NOW);
    record(*state, BOB, 1, NOW + 30 * SECOND);
    relay_publishers_sweep(*state, NOW + PUBLISHER_IDLE_US - 1);
    assert_int_equal(offset_of(*state, ALICE, 1), 10);
    relay_publishers_sweep(*state, NOW + PUBLISHER_IDLE_US);
    assert_int_equal(offset_of(*state, ALICE, 1), 0);
    assert_int_equal(offset_of(*state, BOB, 1), 10);
    record(*state, ALICE, 2, NOW + 2 * PUBLISHER_IDLE_US);
    relay_publishers_sweep(*state, NOW + 2 * PUBLISHER_IDLE_US);
    assert_int_equal(offset_of(*state, ALICE, 2), 20);
    assert_int_equal(offset_of(*state, BOB, 1), 0);
}

static void a_node_that_was_forgotten_starts_anew(void **state)
{
    record(*state, ALICE, 1, NOW);
    relay_publishers_sweep(*state, NOW + PUBLISHER_IDLE_US);
    record(*state, ALICE, 2, NOW + PUBLISHER_IDLE_US);
    assert_int_equal(offset_of(*state, ALICE, 1), 0);
    assert_int_equal(offset_of(*state, ALICE, 2), 20);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_accepted_publication_is_found_at_its_first_position),
        TEST(each_node_counts_for_itself),
        TEST(the_last_8192_are_remembered_exactly),
        TEST(counters_may_come_out_of_order_and_with_holes),
        TEST(a_late_one_finds_its_place_also_when_the_ring_has_gone_round),
        TEST(a_silent_node_is_forgotten_after_a_minute),
        TEST(a_node_that_was_forgotten_starts_anew),
    };
    return cmocka_run_group_tests_name("relay/publishers", tests, NULL, NULL);
}
