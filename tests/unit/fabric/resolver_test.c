#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "fabric/resolver.h"

/* What one lookup has told. */
typedef struct answer {
    char first[64]; /* address */
    unsigned found, done;
    int err;
} answer_t;

static uv_loop_t loop;

static void on_found(void *context, const char *host)
{
    answer_t *answer = context;
    assert_int_equal(answer->done, 0);
    if (!answer->found++)
        strncpy(answer->first, host, sizeof answer->first - 1);
}

static void on_done(void *context, int err)
{
    answer_t *answer = context;
    answer->done++;
    answer->err = err;
}

static const resolver_events_t events = {on_found, on_done};

static int set_up(void **state)
{
    (void)state;
    return uv_loop_init(&loop);
}

/* Nothing may be left behind in the loop. */
static int tear_down(void **state)
{
    (void)state;
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

static answer_t look_up(const char *name)
{
    answer_t answer = {0};
    resolver_t *resolver;
    assert_int_equal(resolver_start(&resolver, &loop, name, &events, &answer), OK);
    assert_int_equal(answer.done, 0); /* not before the loop turns */
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(answer.done, 1);
    return answer;
}

static void localhost_is_found(void **state)
{
    (void)state;
    answer_t answer = look_up("localhost");
    assert_int_equal(answer.err, OK);
    assert_true(answer.found >= 1);
    assert_true(strcmp(answer.first, "127.0.0.1") == 0 || strcmp(answer.first, "::1") == 0);
}

static void a_number_is_its_own_address(void **state)
{
    (void)state;
    answer_t answer = look_up("127.0.0.7");
    assert_int_equal(answer.err, OK);
    assert_int_equal(answer.found, 1);
    assert_string_equal(answer.first, "127.0.0.7");
}

/* No resolver asks anybody for a label of no letters. */
static void what_can_be_no_name_is_an_error(void **state)
{
    (void)state;
    answer_t answer = look_up("a..b");
    assert_int_not_equal(answer.err, OK);
    assert_int_equal(answer.found, 0);
}

static void a_dropped_lookup_says_nothing_and_holds_nothing_up(void **state)
{
    (void)state;
    answer_t answers[32] = {0};
    resolver_t *resolvers[32];
    for (size_t i = 0; i < 32; i++)
        assert_int_equal(resolver_start(&resolvers[i], &loop, "localhost", &events, &answers[i]), OK);
    for (size_t i = 0; i < 32; i += 2)
        resolver_drop(&resolvers[i]);
    assert_null(resolvers[0]);
    resolver_drop(&resolvers[0]); /* nothing to drop */
    uv_run(&loop, UV_RUN_DEFAULT);
    for (size_t i = 0; i < 32; i++)
        assert_int_equal(answers[i].done, i % 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(localhost_is_found),
        TEST(a_number_is_its_own_address),
        TEST(what_can_be_no_name_is_an_error),
        TEST(a_dropped_lookup_says_nothing_and_holds_nothing_up),
    };
    return cmocka_run_group_tests_name("fabric/resolver", tests, NULL, NULL);
}
