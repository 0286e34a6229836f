#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/random.h"
#include "base/table.h"

typedef struct item {
    char name[32];
    bool in_table; /* what the test expects */
    unsigned seen; /* by a walk */
} item_t;

static span_t key_of(const void *item)
{
    return span_str(((const item_t *)item)->name);
}

static void an_empty_table_finds_nothing(void **state)
{
    (void)state;
    table_t table;
    size_t at = 0;
    table_init(&table, key_of);
    assert_null(table_get(&table, SPAN("a")));
    assert_null(table_remove(&table, SPAN("a")));
    assert_null(table_next(&table, &at));
    assert_null(table.now.slots);
    table_fini(&table);
}

static void an_item_is_found_by_its_bytes_until_it_is_removed(void **state)
{
    (void)state;
    table_t table;
    item_t one = {.name = "one"}, empty = {.name = ""};
    table_init(&table, key_of);
    table_put(&table, &one);
    table_put(&table, &empty);
    assert_ptr_equal(table_get(&table, SPAN("one")), &one);
    assert_ptr_equal(table_get(&table, SPAN("")), &empty);
    assert_null(table_get(&table, SPAN("on")));
    assert_null(table_get(&table, SPAN("one\0")));
    assert_ptr_equal(table_remove(&table, SPAN("one")), &one);
    assert_null(table_get(&table, SPAN("one")));
    assert_null(table_remove(&table, SPAN("one")));
    assert_int_equal(table.count, 1);
    table_fini(&table);
    assert_null(table_get(&table, SPAN("")));
}

enum { COUNT = 2000 };

static void assert_walk_meets_each_once(const table_t *table, item_t *items)
{
    size_t at = 0;
    for (item_t *item; (item = table_next(table, &at)) != NULL;)
        item->seen++;
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(items[i].seen, items[i].in_table);
        items[i].seen = 0;
    }
}

static void assert_all_found(const table_t *table, item_t *items)
{
    for (size_t i = 0; i < COUNT; i++)
        assert_ptr_equal(table_get(table, key_of(&items[i])), items[i].in_table ? &items[i] : NULL);
}

/* Long runs of full slots and removals inside them are what shifting back has to get right. */
static void a_random_load_agrees_with_a_plain_array(void **state)
{
    (void)state;
    static item_t items[COUNT];
    table_t table;
    random_t random = {5};
    size_t count = 0;
    table_init(&table, key_of);
    for (size_t i = 0; i < COUNT; i++)
        snprintf(items[i].name, sizeof items[i].name, "item-%zu", i);
    for (unsigned step = 0; step < 60000; step++) {
        item_t *item = &items[random_below(&random, step < 30000 ? COUNT : COUNT / 20)];
        if (item->in_table)
            assert_ptr_equal(table_remove(&table, key_of(item)), item);
        else
            table_put(&table, item);
        item->in_table = !item->in_table;
        count = item->in_table ? count + 1 : count - 1;
        assert_int_equal(table.count, count);
        if (step % 5000 == 0) {
            assert_all_found(&table, items);
            assert_walk_meets_each_once(&table, items);
        }
    }
    assert_all_found(&table, items);
    table_fini(&table);
}

static void a_table_that_empties_gives_its_memory_back(void **state)
{
    (void)state;
    static item_t items[COUNT];
    table_t table;
    table_init(&table, key_of);
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(items[i].name, sizeof items[i].name, "item-%zu", i);
        table_put(&table, &items[i]);
    }
    size_t full = table.now.capacity;
    for (size_t i = 0; i < COUNT; i++)
        assert_ptr_equal(table_remove(&table, key_of(&items[i])), &items[i]);
    assert_true(full >= COUNT);
    assert_true(table.now.capacity < full / 16);
    assert_null(table.old.slots);
    table_fini(&table);
}

/* Puts items until the table has begun to move them to an array of twice the size; the number of items. */
static size_t fill_until_it_grows(table_t *table, item_t *items, size_t at_least)
{
    size_t count = 0;
    while (count < at_least || !table->old.slots) {
        assert_true(count < COUNT);
        snprintf(items[count].name, sizeof items[count].name, "item-%zu", count);
        items[count].in_table = true;
        table_put(table, &items[count++]);
    }
    return count;
}

static void a_large_table_grows_a_little_with_each_put(void **state)
{
    (void)state;
    static item_t items[COUNT];
    table_t table;
    table_init(&table, key_of);
    size_t count = fill_until_it_grows(&table, items, 1500);
    size_t half = table.old.capacity;
    assert_true(table.moved < half / 16);
    assert_all_found(&table, items);
    assert_walk_meets_each_once(&table, items);
    size_t more = 0;
    for (size_t before = table.moved; table.old.slots; more++, before = table.moved) {
        snprintf(items[count + more].name, sizeof items->name, "item-%zu", count + more);
        items[count + more].in_table = true;
        table_put(&table, &items[count + more]);
        assert_true(!table.old.slots || (table.moved > before && table.moved < before + half / 8));
    }
    assert_true(more > 50 && more <= half / 16);
    assert_all_found(&table, items);
    assert_walk_meets_each_once(&table, items);
    table_fini(&table);
}

static void items_that_still_have_to_be_moved_can_be_removed(void **state)
{
    (void)state;
    static item_t items[COUNT];
    table_t table;
    table_init(&table, key_of);
    size_t count = fill_until_it_grows(&table, items, 1500);
    random_t random = {6};
    for (size_t left = count; left;) {
        item_t *item = &items[random_below(&random, count)];
        assert_ptr_equal(table_remove(&table, key_of(item)), item->in_table ? item : NULL);
        left -= item->in_table;
        item->in_table = false;
        assert_int_equal(table.count, left);
        if (left % 100 == 0)
            assert_all_found(&table, items);
    }
    table_fini(&table);
}

static void peeking_leads_to_what_will_be_found(void **state)
{
    (void)state;
    static item_t items[TABLE_PEEK_MAX];
    span_t keys[TABLE_PEEK_MAX];
    void *found[TABLE_PEEK_MAX];
    table_t table;
    table_init(&table, key_of);
    for (size_t i = 0; i < TABLE_PEEK_MAX; i++) {
        snprintf(items[i].name, sizeof items[i].name, "item-%zu", i);
        keys[i] = key_of(&items[i]);
    }
    table_peek(&table, keys, TABLE_PEEK_MAX, found);
    assert_null(found[0]);
    for (size_t i = 0; i < TABLE_PEEK_MAX; i += 2)
        table_put(&table, &items[i]);
    table_peek(&table, keys, TABLE_PEEK_MAX, found);
    for (size_t i = 0; i < TABLE_PEEK_MAX; i++)
        assert_ptr_equal(found[i], table_get(&table, keys[i]));
    table_fini(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_table_finds_nothing),
        cmocka_unit_test(an_item_is_found_by_its_bytes_until_it_is_removed),
        cmocka_unit_test(a_random_load_agrees_with_a_plain_array),
        cmocka_unit_test(a_table_that_empties_gives_its_memory_back),
        cmocka_unit_test(a_large_table_grows_a_little_with_each_put),
        cmocka_unit_test(items_that_still_have_to_be_moved_can_be_removed),
        cmocka_unit_test(peeking_leads_to_what_will_be_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
