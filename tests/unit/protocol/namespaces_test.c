#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/err.h"
#include "protocol/codec.h"
#include "protocol/namespaces.h"

static int set_up(void **state)
{
    static namespaces_t namespaces;
    namespaces_init(&namespaces);
    *state = &namespaces;
    return 0;
}

static int tear_down(void **state)
{
    namespaces_fini(*state);
    return 0;
}

static int add(namespaces_t *namespaces, const char *name, uint64_t history_size)
{
    const channel_options_t options = {.history_size = history_size};
    return namespaces_add(namespaces, span_str(name), &options);
}

/* The history size of a channel's namespace; 0 = there is none. */
static uint64_t size_of(const namespaces_t *namespaces, const char *channel)
{
    const channel_options_t *options = namespaces_find(namespaces, span_str(channel));
    return options ? options->history_size : 0;
}

static void an_empty_set_has_not_even_the_default_namespace(void **state)
{
    assert_null(namespaces_find(*state, SPAN("chat")));
    assert_null(namespaces_find(*state, SPAN("ns:chat")));
}

static void a_channel_is_in_the_namespace_before_its_colon_or_in_the_default_one(void **state)
{
    const char *names[] = {"default", "b", "ba", "a", "zz", "B"};
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(add(*state, names[i], i + 1), OK);
    assert_int_equal(size_of(*state, "chat"), 1);
    assert_int_equal(size_of(*state, "default:chat"), 1);
    assert_int_equal(size_of(*state, "b:chat"), 2);
    assert_int_equal(size_of(*state, "ba:"), 3);
    assert_int_equal(size_of(*state, "a:b:c"), 4);
    assert_int_equal(size_of(*state, "$zz:private"), 5);
    assert_int_equal(size_of(*state, "B:x"), 6);
    assert_int_equal(size_of(*state, "bb:x"), 0);
    assert_int_equal(size_of(*state, "A:x"), 0);
    assert_int_equal(size_of(*state, "z:x"), 0);
}

static void a_name_stands_once(void **state)
{
    assert_int_equal(add(*state, "a", 1), OK);
    assert_int_equal(add(*state, "a", 2), ERR_DUPLICATE);
    assert_int_equal(size_of(*state, "a:x"), 1);
}

static void a_name_that_no_channel_can_have_is_refused(void **state)
{
    char longest[NAMESPACE_NAME_MAX + 2];
    memset(longest, 'x', sizeof longest);
    longest[NAMESPACE_NAME_MAX + 1] = '\0';
    const char *bad[] = {"", "a b", "a:b", "$a", "caf\xc3\xa9", longest};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(add(*state, bad[i], 1), ERR_MALFORMED);
    longest[NAMESPACE_NAME_MAX] = '\0';
    assert_int_equal(add(*state, longest, 1), OK);
}

static void there_is_a_limit(void **state)
{
    char name[16];
    for (unsigned i = 0; i < NAMESPACES_MAX; i++) {
        snprintf(name, sizeof name, "n%u", i);
        assert_int_equal(add(*state, name, i + 1), OK);
    }
    assert_int_equal(add(*state, "one-more", 1), ERR_FULL);
    for (unsigned i = 0; i < NAMESPACES_MAX; i++) {
        snprintf(name, sizeof name, "n%u:x", i);
        assert_int_equal(size_of(*state, name), i + 1);
    }
}

static void what_is_encoded_is_decoded_again(void **state)
{
    namespaces_t copy;
    buf_t list = {0};
    const channel_options_t options = {.history_size = UINT64_MAX,
                                       .history_ttl_us = 30000000,
                                       .presence = true,
                                       .join_leave = true,
                                       .force_push_join_leave = true,
                                       .subscribe = SUBSCRIBE_TOKEN,
                                       .publish = PUBLISH_SUBSCRIBERS};
    assert_int_equal(namespaces_add(*state, SPAN("full"), &options), OK);
    assert_int_equal(add(*state, "default", 5), OK);
    namespaces_encode(*state, &list);
    namespaces_init(&copy);
    assert_int_equal(namespaces_decode(&copy, buf_span(&list)), OK);
    const channel_options_t *decoded = namespaces_find(&copy, SPAN("full:x"));
    assert_non_null(decoded);
    assert_true(decoded->history_size == UINT64_MAX);
    assert_int_equal(decoded->history_ttl_us, 30000000);
    assert_true(decoded->presence);
    assert_true(decoded->join_leave);
    assert_true(decoded->force_push_join_leave);
    assert_false(namespaces_find(&copy, SPAN("chat"))->join_leave);
    assert_int_equal(decoded->subscribe, SUBSCRIBE_TOKEN);
    assert_int_equal(decoded->publish, PUBLISH_SUBSCRIBERS);
    assert_int_equal(size_of(&copy, "chat"), 5);
    namespaces_fini(&copy);
    buf_fini(&list);
}

static void write_entry(buf_t *list, const char *name, uint64_t subscribe, uint64_t publish, uint32_t fields)
{
    codec_write_array(list, fields);
    codec_write_text(list, span_str(name));
    const uint64_t values[] = {1, 2, 0, subscribe, publish};
    for (uint32_t i = 0; i + 1 < fields; i++)
        codec_write_uint(list, i < 5 ? values[i] : 7);
}

/* A relay of the first version leaves out what came later. */
static void what_an_entry_does_not_have_is_off(void **state)
{
    buf_t list = {0};
    codec_write_array(&list, 2);
    write_entry(&list, "a", 0, 0, 6);
    write_entry(&list, "b", 0, 0, 7);
    assert_int_equal(namespaces_decode(*state, buf_span(&list)), OK);
    assert_false(namespaces_find(*state, SPAN("a:x"))->join_leave);
    assert_true(namespaces_find(*state, SPAN("b:x"))->join_leave);
    assert_false(namespaces_find(*state, SPAN("b:x"))->force_push_join_leave);
    buf_fini(&list);
}

static void rules_of_a_newer_version_count_as_the_strictest(void **state)
{
    buf_t list = {0};
    codec_write_array(&list, 2);
    write_entry(&list, "a", 99, 4, 6);
    write_entry(&list, "b", UINT64_MAX, UINT64_C(1) << 32, 9); /* and more fields */
    assert_int_equal(namespaces_decode(*state, buf_span(&list)), OK);
    for (int i = 0; i < 2; i++) {
        const channel_options_t *options = namespaces_find(*state, i ? SPAN("b:x") : SPAN("a:x"));
        assert_int_equal(options->subscribe, SUBSCRIBE_NOBODY);
        assert_int_equal(options->publish, PUBLISH_NOBODY);
    }
    buf_fini(&list);
}

static void a_list_that_is_none_leaves_the_set_as_it_was(void **state)
{
    assert_int_equal(add(*state, "old", 3), OK);
    buf_t list = {0};
    codec_write_array(&list, 2);
    write_entry(&list, "a", 0, 0, 6);
    write_entry(&list, "a", 0, 0, 6);
    assert_int_equal(namespaces_decode(*state, buf_span(&list)), ERR_DUPLICATE);
    for (size_t size = 0; size < list.size; size++)
        assert_int_not_equal(namespaces_decode(*state, span_new(list.data, size)), OK);
    buf_clear(&list);
    codec_write_array(&list, 1);
    write_entry(&list, "a", 0, 0, 5);
    assert_int_equal(namespaces_decode(*state, buf_span(&list)), ERR_MALFORMED);
    buf_clear(&list);
    codec_write_array(&list, 1);
    write_entry(&list, "a b", 0, 0, 6);
    assert_int_equal(namespaces_decode(*state, buf_span(&list)), ERR_MALFORMED);
    buf_clear(&list);
    codec_write_array(&list, NAMESPACES_MAX + 1);
    for (unsigned i = 0; i <= NAMESPACES_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%u", i);
        write_entry(&list, name, 0, 0, 6);
    }
    assert_int_equal(namespaces_decode(*state, buf_span(&list)), ERR_FULL);
    assert_int_equal(size_of(*state, "old:x"), 3);
    buf_fini(&list);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_set_has_not_even_the_default_namespace),
        TEST(a_channel_is_in_the_namespace_before_its_colon_or_in_the_default_one),
        TEST(a_name_stands_once),
        TEST(a_name_that_no_channel_can_have_is_refused),
        TEST(there_is_a_limit),
        TEST(what_is_encoded_is_decoded_again),
        TEST(what_an_entry_does_not_have_is_off),
        TEST(rules_of_a_newer_version_count_as_the_strictest),
        TEST(a_list_that_is_none_leaves_the_set_as_it_was),
    };
    return cmocka_run_group_tests_name("protocol/namespaces", tests, NULL, NULL);
}
