#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/err.h"
#include "protocol/codec.h"
#include "protocol/owner.h"
#include "protocol/view.h"

static view_t view_of_three(void)
{
    view_t view = {.lineage = 77, .number = 3};
    assert_int_equal(view_add(&view, 30, SPAN("relay-1")), OK);
    assert_int_equal(view_add(&view, 10, SPAN("relay-2")), OK);
    assert_int_equal(view_add(&view, 20, SPAN("relay-3")), OK);
    return view;
}

static void expect_equal(const view_t *a, const view_t *b)
{
    assert_true(view_same(a, b));
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert_int_equal(a->members[i].id, b->members[i].id);
        assert_string_equal(a->members[i].name, b->members[i].name);
    }
}

static void members_are_in_the_order_of_their_ids(void **state)
{
    (void)state;
    view_t view = view_of_three();
    assert_int_equal(view.count, 3);
    assert_string_equal(view.members[0].name, "relay-2");
    assert_string_equal(view.members[1].name, "relay-3");
    assert_string_equal(view.members[2].name, "relay-1");
    assert_string_equal(view_find(&view, 20)->name, "relay-3");
    assert_null(view_find(&view, 40));
}

static void an_id_or_a_name_stands_once(void **state)
{
    (void)state;
    view_t view = view_of_three();
    assert_int_equal(view_add(&view, 20, SPAN("relay-4")), ERR_DUPLICATE);
    assert_int_equal(view_add(&view, 40, SPAN("relay-3")), ERR_DUPLICATE);
    assert_int_equal(view.count, 3);
}

static void what_is_no_name_or_no_id_is_not_taken(void **state)
{
    (void)state;
    view_t view = {0};
    char longest[NODE_NAME_MAX + 1];
    memset(longest, 'a', sizeof longest);
    assert_int_equal(view_add(&view, 0, SPAN("relay-1")), ERR_MALFORMED);
    assert_int_equal(view_add(&view, 1, SPAN("")), ERR_MALFORMED);
    assert_int_equal(view_add(&view, 1, SPAN("a relay")), ERR_MALFORMED);
    assert_int_equal(view_add(&view, 1, span_new("a\0b", 3)), ERR_MALFORMED);
    assert_int_equal(view_add(&view, 1, span_new(longest, NODE_NAME_MAX + 1)), ERR_MALFORMED);
    assert_int_equal(view_add(&view, 1, span_new(longest, NODE_NAME_MAX)), OK);
    assert_int_equal(view.count, 1);
}

static void fill(view_t *view)
{
    for (uint64_t id = 1; id <= VIEW_MEMBERS_MAX; id++) {
        char name[NODE_NAME_MAX + 1];
        snprintf(name, sizeof name, "%064u", (unsigned)id);
        assert_int_equal(view_add(view, UINT64_MAX - id, span_str(name)), OK);
    }
}

static void a_view_has_room_for_so_many(void **state)
{
    (void)state;
    view_t view = {.lineage = UINT64_MAX, .number = UINT64_MAX};
    fill(&view);
    assert_int_equal(view_add(&view, 1, SPAN("relay-1")), ERR_FULL);
    assert_int_equal(view.count, VIEW_MEMBERS_MAX);
}

static void the_largest_view_fits_into_its_envelope(void **state)
{
    (void)state;
    view_t view = {.lineage = UINT64_MAX, .number = UINT64_MAX};
    fill(&view);
    buf_t out = {0};
    view_encode(&view, &out);
    assert_in_range(out.size, 1, VIEW_LIST_MAX);
    view_t back = {0};
    assert_int_equal(view_decode(&back, buf_span(&out)), OK);
    expect_equal(&view, &back);
    buf_fini(&out);
}

static void owner_and_replica_have_the_highest_weights(void **state)
{
    (void)state;
    view_t view = view_of_three();
    unsigned owned[3] = {0};
    for (unsigned i = 0; i < 300; i++) {
        char name[16];
        snprintf(name, sizeof name, "chat:%u", i);
        span_t channel = span_str(name);
        view_ranks_t ranks = view_ranks(&view, channel);
        const view_member_t *owner = view_find(&view, ranks.owner),
                            *replica = view_find(&view, ranks.replica);
        assert_true(owner && replica && owner != replica);
        uint64_t first = owner_weight(channel, span_str(owner->name));
        uint64_t second = owner_weight(channel, span_str(replica->name));
        assert_true(first >= second);
        for (size_t m = 0; m < view.count; m++)
            if (&view.members[m] != owner && &view.members[m] != replica)
                assert_true(second >= owner_weight(channel, span_str(view.members[m].name)));
        owned[owner - view.members]++;
    }
    for (size_t m = 0; m < view.count; m++)
        assert_in_range(owned[m], 60, 140);
}

static void when_the_owner_goes_its_replica_is_the_owner(void **state)
{
    (void)state;
    view_t view = view_of_three();
    view_ranks_t before = view_ranks(&view, SPAN("chat:1"));
    view_t rest = {.lineage = 77, .number = 4};
    for (size_t m = 0; m < view.count; m++)
        if (view.members[m].id != before.owner)
            assert_int_equal(view_add(&rest, view.members[m].id, span_str(view.members[m].name)), OK);
    assert_int_equal(view_ranks(&rest, SPAN("chat:1")).owner, before.replica);
}

static void ranks_follow_names_not_ids(void **state)
{
    (void)state;
    view_t old = view_of_three(), restarted = {0};
    for (size_t m = 0; m < old.count; m++)
        assert_int_equal(view_add(&restarted, 100 - old.members[m].id, span_str(old.members[m].name)), OK);
    view_ranks_t a = view_ranks(&old, SPAN("chat:1")), b = view_ranks(&restarted, SPAN("chat:1"));
    assert_int_equal(a.owner, 100 - b.owner);
    assert_int_equal(a.replica, 100 - b.replica);
}

static void who_is_alone_has_no_replica(void **state)
{
    (void)state;
    view_t view = {.lineage = 1, .number = 1};
    assert_int_equal(view_ranks(&view, SPAN("chat:1")).owner, 0);
    assert_int_equal(view_add(&view, 5, SPAN("relay-1")), OK);
    assert_int_equal(view_ranks(&view, SPAN("chat:1")).owner, 5);
    assert_int_equal(view_ranks(&view, SPAN("chat:1")).replica, 0);
}

static void the_greater_lineage_has_more_members_then_the_higher_number_then_the_smaller_lineage(void **state)
{
    (void)state;
    const view_t pair = {.lineage = 9, .number = 2, .count = 2};
    const view_t later = {.lineage = 9, .number = 8, .count = 1};
    const view_t smaller = {.lineage = 3, .number = 2, .count = 1};
    const view_t larger = {.lineage = 4, .number = 2, .count = 1};
    const view_t *falling[] = {&pair, &later, &smaller, &larger};
    for (size_t a = 0; a < 4; a++)
        for (size_t b = 0; b < 4; b++)
            assert_int_equal(view_is_greater(falling[a], falling[b]), a < b);
}

static void no_view_is_the_empty_list(void **state)
{
    (void)state;
    view_t none = {0}, back = view_of_three();
    buf_t out = {0};
    view_encode(&none, &out);
    assert_int_equal(out.size, 1);
    assert_int_equal(view_decode(&back, buf_span(&out)), OK);
    assert_int_equal(back.number, 0);
    assert_int_equal(back.count, 0);
    back = view_of_three();
    assert_int_equal(view_decode(&back, (span_t){0}), OK);
    assert_true(view_same(&back, &none));
    buf_fini(&out);
}

static void members_are_read_as_they_were_written(void **state)
{
    (void)state;
    view_t view = view_of_three(), back = {.lineage = 77, .number = 3};
    buf_t out = {0};
    view_write_members(&view, &out);
    assert_int_equal(view_read_members(&back, buf_span(&out)), OK);
    expect_equal(&view, &back);
    buf_fini(&out);
}

/* [[1, "a", what a newer version adds], ...] */
static void what_a_newer_version_adds_to_a_member_is_passed_over(void **state)
{
    (void)state;
    view_t view = {0};
    assert_int_equal(view_read_members(&view, SPAN("\x92\x93\x01\xa1"
                                                   "a\x91\x05\x92\x02\xa1"
                                                   "b")),
                     OK);
    assert_int_equal(view.count, 2);
    assert_string_equal(view.members[1].name, "b");
}

static void a_list_that_is_none_changes_nothing(void **state)
{
    (void)state;
    const span_t hostile[] = {
        SPAN("\x05"),         /* no list */
        SPAN("\x91\x05"),     /* a member that is none */
        SPAN("\x91\x91\x05"), /* ... without a name */
        SPAN("\x91\x92\x00\xa1"
             "a"),                /* ... with the id 0 */
        SPAN("\x91\x92\x05\xa0"), /* ... with an empty name */
        SPAN("\x92\x92\x05\xa1"
             "a\x92\x05\xa1"
             "b"), /* an id twice */
        SPAN("\x92\x92\x05\xa1"
             "a\x92\x06\xa1"
             "a"), /* a name twice */
        SPAN("\x92\x92\x05\xa1"
             "a"),                    /* torn */
        SPAN("\xdd\xff\xff\xff\xff"), /* four billion members */
    };
    const view_t before = view_of_three();
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        view_t view = before;
        assert_int_not_equal(view_read_members(&view, hostile[i]), OK);
        expect_equal(&view, &before);
        assert_int_not_equal(view_decode(&view, hostile[i]), OK);
        expect_equal(&view, &before);
    }
    view_t view = before;
    assert_int_not_equal(view_decode(&view, SPAN("\x92\x05\x00")), OK); /* number 0 is no view */
    expect_equal(&view, &before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_in_the_order_of_their_ids),
        cmocka_unit_test(an_id_or_a_name_stands_once),
        cmocka_unit_test(what_is_no_name_or_no_id_is_not_taken),
        cmocka_unit_test(a_view_has_room_for_so_many),
        cmocka_unit_test(the_largest_view_fits_into_its_envelope),
        cmocka_unit_test(owner_and_replica_have_the_highest_weights),
        cmocka_unit_test(when_the_owner_goes_its_replica_is_the_owner),
        cmocka_unit_test(ranks_follow_names_not_ids),
        cmocka_unit_test(who_is_alone_has_no_replica),
        cmocka_unit_test(
            the_greater_lineage_has_more_members_then_the_higher_number_then_the_smaller_lineage),
        cmocka_unit_test(no_view_is_the_empty_list),
        cmocka_unit_test(members_are_read_as_they_were_written),
        cmocka_unit_test(what_a_newer_version_adds_to_a_member_is_passed_over),
        cmocka_unit_test(a_list_that_is_none_changes_nothing),
    };
    return cmocka_run_group_tests_name("protocol/view", tests, NULL, NULL);
}
