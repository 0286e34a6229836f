#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/list.h"

typedef struct item {
    char letter;
    list_node_t node;
} item_t;

static item_t items[4];
static list_t list;

static int set_up(void **state)
{
    (void)state;
    list_init(&list);
    for (size_t i = 0; i < 4; i++)
        items[i] = (item_t){.letter = (char)('a' + i)};
    return 0;
}

static void assert_letters(const list_t *self, const char *letters)
{
    LIST_EACH (node, self)
        assert_int_equal(LIST_ITEM(node, item_t, node)->letter, *letters++);
    assert_int_equal(*letters, '\0');
}

static void append_first(size_t count)
{
    for (size_t i = 0; i < count; i++)
        list_append(&list, &items[i].node);
}

static void items_come_out_in_the_order_they_went_in(void **state)
{
    (void)state;
    assert_true(list_empty(&list));
    assert_null(list_pop(&list));
    append_first(3);
    assert_letters(&list, "abc");
    assert_ptr_equal(list_pop(&list), &items[0].node);
    assert_ptr_equal(list_pop(&list), &items[1].node);
    assert_ptr_equal(list_pop(&list), &items[2].node);
    assert_true(list_empty(&list));
}

static void an_item_can_be_taken_from_anywhere(void **state)
{
    (void)state;
    append_first(4);
    list_remove(&items[1].node);
    assert_letters(&list, "acd");
    list_remove(&items[3].node);
    assert_letters(&list, "ac");
    list_remove(&items[0].node);
    assert_letters(&list, "c");
}

static void a_node_knows_whether_it_is_on_a_list(void **state)
{
    (void)state;
    assert_false(list_linked(&items[0].node));
    list_remove(&items[0].node);
    append_first(1);
    assert_true(list_linked(&items[0].node));
    list_remove(&items[0].node);
    assert_false(list_linked(&items[0].node));
    list_remove(&items[0].node);
    assert_true(list_empty(&list));
}

static void the_safe_walk_survives_removal(void **state)
{
    (void)state;
    append_first(4);
    LIST_EACH_SAFE (node, &list) {
        if (LIST_ITEM(node, item_t, node)->letter % 2 == 0)
            list_remove(node);
    }
    assert_letters(&list, "ac");
}

static void a_list_takes_all_of_another(void **state)
{
    (void)state;
    list_t other;
    list_init(&other);
    append_first(2);
    list_append(&other, &items[2].node);
    list_append(&other, &items[3].node);
    list_take(&list, &other);
    assert_letters(&list, "abcd");
    assert_true(list_empty(&other));
    list_take(&list, &other);
    assert_letters(&list, "abcd");
    list_take(&other, &list);
    assert_letters(&other, "abcd");
    assert_true(list_empty(&list));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(items_come_out_in_the_order_they_went_in, set_up),
        cmocka_unit_test_setup(an_item_can_be_taken_from_anywhere, set_up),
        cmocka_unit_test_setup(a_node_knows_whether_it_is_on_a_list, set_up),
        cmocka_unit_test_setup(the_safe_walk_survives_removal, set_up),
        cmocka_unit_test_setup(a_list_takes_all_of_another, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
