#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/history.h"

#define SECOND UINT64_C(1000000)
#define NOW    (1000 * SECOND)
#define BYTES  1000u /* of one test message */

static const channel_options_t four = {.history_size = 4, .history_ttl_us = 30 * SECOND};
static const channel_options_t many = {.history_size = 100, .history_ttl_us = 30 * SECOND};
static const channel_options_t none = {.history_size = 0, .history_ttl_us = 30 * SECOND};

typedef struct fixture {
    relay_store_t store;
    relay_history_t a, b;
    uint64_t a_top, b_top;
} fixture_t;

static int set_up(void **state)
{
    static fixture_t fixture;
    fixture = (fixture_t){0};
    relay_store_init(&fixture.store, 1024 * 1024);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    fixture_t *fixture = *state;
    relay_history_fini(&fixture->a, &fixture->store);
    relay_history_fini(&fixture->b, &fixture->store);
    assert_int_equal(fixture->store.bytes, 0);
    assert_true(list_empty(&fixture->store.messages));
    return 0;
}

static void append(fixture_t *f, relay_history_t *history, const channel_options_t *options, uint64_t now_us)
{
    uint8_t bytes[BYTES];
    uint64_t offset = history == &f->a ? ++f->a_top : ++f->b_top;
    memset(bytes, (int)(offset & 0xff), sizeof bytes);
    relay_history_append(history, &f->store, options, span_new(bytes, sizeof bytes), offset, now_us);
}

/* The offsets that are kept, oldest first; what is kept must be what was put there. */
static void assert_kept(const relay_history_t *history, uint64_t from, uint64_t to)
{
    assert_int_equal(history->count, to + 1 - from);
    for (uint32_t i = 0; i < history->count; i++) {
        const relay_message_t *message = relay_history_at(history, i);
        assert_int_equal(message->offset, from + i);
        assert_int_equal(relay_message_bytes(message).size, BYTES);
        assert_int_equal(relay_message_bytes(message).data[BYTES - 1], (from + i) & 0xff);
    }
}

static void what_lies_before_a_hole_is_let_go(void **state)
{
    fixture_t *f = *state;
    uint32_t at;
    for (int i = 0; i < 5; i++)
        append(f, &f->a, &many, NOW);
    f->a_top = 9; /* 6 to 9 never come */
    append(f, &f->a, &many, NOW);
    append(f, &f->a, &many, NOW);
    assert_kept(&f->a, 10, 11);
    assert_false(relay_history_covers(&f->a, 3, 11, &at));
    assert_true(relay_history_covers(&f->a, 9, 11, &at));
}

static void a_history_that_ends_before_the_top_covers_nothing(void **state)
{
    fixture_t *f = *state;
    uint32_t at;
    for (int i = 0; i < 5; i++)
        append(f, &f->a, &many, NOW);
    assert_true(relay_history_covers(&f->a, 3, 5, &at));
    assert_false(relay_history_covers(&f->a, 3, 7, &at));
}

static void the_last_messages_are_kept_in_order(void **state)
{
    fixture_t *f = *state;
    for (int i = 0; i < 11; i++)
        append(f, &f->a, &four, NOW);
    assert_kept(&f->a, 8, 11);
    assert_int_equal(f->store.dropped_size, 7);
}

static void a_ring_that_grows_keeps_what_it_has(void **state)
{
    fixture_t *f = *state;
    for (int i = 0; i < 6; i++)
        append(f, &f->a, &four, NOW); /* the ring has gone round */
    for (int i = 0; i < 50; i++)
        append(f, &f->a, &many, NOW);
    assert_kept(&f->a, 3, 56);
}

static void no_history_keeps_nothing_and_costs_nothing(void **state)
{
    fixture_t *f = *state;
    append(f, &f->a, &none, NOW);
    assert_int_equal(f->a.count, 0);
    assert_null(f->a.ring);
    assert_int_equal(f->store.bytes, 0);
}

static void what_is_too_old_goes(void **state)
{
    fixture_t *f = *state;
    append(f, &f->a, &many, NOW);
    append(f, &f->a, &many, NOW + 10 * SECOND);
    relay_history_trim(&f->a, &f->store, &many, NOW + 30 * SECOND - 1);
    assert_kept(&f->a, 1, 2);
    relay_history_trim(&f->a, &f->store, &many, NOW + 30 * SECOND);
    assert_kept(&f->a, 2, 2);
    append(f, &f->a, &many, NOW + 100 * SECOND); /* an append lets go, too */
    assert_kept(&f->a, 3, 3);
    assert_int_equal(f->store.dropped_age, 2);
}

static void above_the_memory_cap_the_oldest_of_all_channels_goes_first(void **state)
{
    fixture_t *f = *state;
    f->store.limit = 6 * (BYTES + sizeof(relay_message_t));
    append(f, &f->a, &many, NOW);
    append(f, &f->b, &many, NOW);
    append(f, &f->a, &many, NOW);
    append(f, &f->b, &many, NOW);
    append(f, &f->b, &many, NOW);
    append(f, &f->b, &many, NOW);
    assert_int_equal(f->store.dropped_memory, 0);
    append(f, &f->b, &many, NOW);
    assert_kept(&f->a, 2, 2);
    assert_kept(&f->b, 1, 5);
    append(f, &f->b, &many, NOW);
    assert_kept(&f->b, 2, 6);
    append(f, &f->b, &many, NOW);
    assert_int_equal(f->a.count, 0);
    assert_int_equal(f->store.dropped_memory, 3);
    assert_true(f->store.bytes <= f->store.limit);
}

static void a_message_larger_than_the_cap_is_not_kept(void **state)
{
    fixture_t *f = *state;
    append(f, &f->a, &many, NOW);
    f->store.limit = BYTES;
    append(f, &f->a, &many, NOW);
    assert_int_equal(f->a.count, 0);
    assert_int_equal(f->store.bytes, 0);
    f->store.limit = 1024 * 1024;
    append(f, &f->a, &many, NOW);
    assert_kept(&f->a, 3, 3);
}

static void covers_says_whether_all_that_was_missed_is_still_here(void **state)
{
    fixture_t *f = *state;
    uint32_t at;
    for (int i = 0; i < 10; i++)
        append(f, &f->a, &four, NOW);
    assert_kept(&f->a, 7, 10);
    assert_true(relay_history_covers(&f->a, 10, 10, &at));
    assert_int_equal(at, 4); /* nothing was missed */
    assert_true(relay_history_covers(&f->a, 9, 10, &at));
    assert_int_equal(at, 3);
    assert_true(relay_history_covers(&f->a, 6, 10, &at));
    assert_int_equal(at, 0);
    assert_false(relay_history_covers(&f->a, 5, 10, &at));
    assert_false(relay_history_covers(&f->a, 0, 10, &at));
    assert_false(relay_history_covers(&f->a, 11, 10, &at));
    assert_false(relay_history_covers(&f->a, UINT64_MAX, 10, &at));
}

static void an_empty_history_covers_only_the_newest_position(void **state)
{
    fixture_t *f = *state;
    uint32_t at;
    assert_true(relay_history_covers(&f->a, 0, 0, &at));
    assert_true(relay_history_covers(&f->a, 9, 9, &at));
    assert_false(relay_history_covers(&f->a, 8, 9, &at));
    assert_false(relay_history_covers(&f->a, UINT64_MAX, 9, &at));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_last_messages_are_kept_in_order),
        TEST(what_lies_before_a_hole_is_let_go),
        TEST(a_history_that_ends_before_the_top_covers_nothing),
        TEST(a_ring_that_grows_keeps_what_it_has),
        TEST(no_history_keeps_nothing_and_costs_nothing),
        TEST(what_is_too_old_goes),
        TEST(above_the_memory_cap_the_oldest_of_all_channels_goes_first),
        TEST(a_message_larger_than_the_cap_is_not_kept),
        TEST(covers_says_whether_all_that_was_missed_is_still_here),
        TEST(an_empty_history_covers_only_the_newest_position),
    };
    return cmocka_run_group_tests_name("relay/history", tests, NULL, NULL);
}
