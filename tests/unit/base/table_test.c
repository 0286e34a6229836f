#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/random.h"
#include "base/table.h"

typedef struct item {
    char name[16];
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
    assert_null(table.slots);
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
    size_t full = table.capacity;
    for (size_t i = 0; i < COUNT; i++)
        assert_ptr_equal(table_remove(&table, key_of(&items[i])), &items[i]);
    assert_true(full >= COUNT);
    assert_true(table.capacity < full / 16);
    table_fini(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_table_finds_nothing),
        cmocka_unit_test(an_item_is_found_by_its_bytes_until_it_is_removed),
        cmocka_unit_test(a_random_load_agrees_with_a_plain_array),
        cmocka_unit_test(a_table_that_empties_gives_its_memory_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
