#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "fabric/addresses.h"

#define SECOND       UINT64_C(1000000)
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* What names stand for, and which addresses have come and not gone. */
static const char *records[200];
static size_t record_count;
static int outcome;
static bool waits; /* lookups end when the test says so */
static addresses_lookup_t *waiting;
static char asked[64];
static unsigned lookups;
static char there[256][64];
static size_t there_count;
static bool refuses;

static addresses_t *addresses;
static uint64_t now_us;

static void end_lookup(addresses_lookup_t *lookup)
{
    for (size_t i = 0; i < record_count && !outcome; i++)
        addresses_found(lookup, records[i]);
    addresses_looked_up(lookup, outcome);
}

static void resolve(void *context, const char *name, addresses_lookup_t *lookup)
{
    (void)context;
    lookups++;
    snprintf(asked, sizeof asked, "%s", name);
    if (waits)
        waiting = lookup;
    else
        end_lookup(lookup);
}

static size_t place_of(const char *address)
{
    size_t i = 0;
    while (i < there_count && strcmp(there[i], address) != 0)
        i++;
    return i;
}

static bool is_there(const char *address)
{
    return place_of(address) < there_count;
}

static int came(void *context, const char *address)
{
    (void)context;
    if (refuses)
        return ERR_IO;
    assert_false(is_there(address));
    assert_true(there_count < COUNT(there));
    snprintf(there[there_count++], sizeof there[0], "%s", address);
    return OK;
}

static void gone(void *context, const char *address)
{
    (void)context;
    size_t i = place_of(address);
    assert_true(i < there_count);
    memmove(there[i], there[--there_count], sizeof there[0]);
}

static void answer(int err, size_t count, const char *const *hosts)
{
    outcome = err;
    record_count = count;
    memcpy(records, hosts, count * sizeof *hosts);
}

#define ANSWER(...)                                        \
    do {                                                   \
        const char *const hosts[] = {__VA_ARGS__};         \
        answer(OK, sizeof hosts / sizeof hosts[0], hosts); \
    } while (0)

static int start(size_t count, const char *const *entries, const char **failed)
{
    const config_list_t list = {(char **)(uintptr_t)entries, count};
    const addresses_options_t options = {.list = &list, .resolve = resolve, .came = came, .gone = gone};
    addresses = addresses_new(&options);
    return addresses_start(addresses, failed);
}

#define START(...)                                                                         \
    do {                                                                                   \
        const char *const entries[] = {__VA_ARGS__};                                       \
        const char *failed;                                                                \
        assert_int_equal(start(sizeof entries / sizeof entries[0], entries, &failed), OK); \
    } while (0)

static void tick(void)
{
    addresses_tick(addresses, NULL, now_us);
    assert_int_equal(addresses_count(addresses), there_count);
}

/* When the next lookup is due. */
static void look_up(void)
{
    now_us = addresses_due(addresses);
    unsigned before = lookups;
    tick();
    assert_true(lookups > before);
}

static int set_up(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_OFF);
    record_count = there_count = 0;
    outcome = OK;
    waits = refuses = false;
    waiting = NULL;
    lookups = 0;
    now_us = 1000 * SECOND;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    addresses_close(addresses);
    addresses_destroy(&addresses);
    return 0;
}

/* --- behaviours --- */

static void fixed_addresses_come_at_once_and_each_one_once(void **state)
{
    (void)state;
    START("tcp://a:1", "ipc://b", "tcp://a:1");
    assert_int_equal(there_count, 2);
    assert_true(is_there("tcp://a:1") && is_there("ipc://b"));
    assert_true(addresses_due(addresses) == UINT64_MAX);
    tick();
    assert_int_equal(lookups, 0);
}

static void a_fixed_address_that_is_refused_is_told(void **state)
{
    (void)state;
    const char *const entries[] = {"tcp://a:1"};
    const char *failed = NULL;
    refuses = true;
    assert_int_equal(start(1, entries, &failed), ERR_IO);
    assert_string_equal(failed, "tcp://a:1");
    assert_int_equal(addresses_count(addresses), 0);
}

static void a_name_stands_for_all_its_addresses(void **state)
{
    (void)state;
    START("dns://relay.example:7700");
    ANSWER("10.0.0.1", "10.0.0.2", "fd00::1", "10.0.0.1");
    tick();
    assert_string_equal(asked, "relay.example");
    assert_int_equal(there_count, 3);
    assert_true(is_there("tcp://10.0.0.1:7700") && is_there("tcp://10.0.0.2:7700"));
    assert_true(is_there("tcp://[fd00::1]:7700"));
}

static void a_name_is_looked_up_every_five_seconds(void **state)
{
    (void)state;
    START("dns://relay:7700");
    ANSWER("10.0.0.1");
    tick();
    assert_int_equal(lookups, 1);
    now_us += 5 * SECOND - 1;
    tick();
    assert_int_equal(lookups, 1);
    assert_true(addresses_due(addresses) == now_us + 1);
    now_us++;
    ANSWER("10.0.0.1", "10.0.0.2");
    tick();
    assert_int_equal(lookups, 2);
    assert_int_equal(there_count, 2);
}

static void a_name_that_stands_for_nothing_yet_is_looked_up_every_second(void **state)
{
    (void)state;
    START("dns://relay:7700");
    outcome = ERR_NOT_FOUND;
    tick();
    assert_true(addresses_due(addresses) == now_us + SECOND);
    ANSWER("10.0.0.1");
    look_up();
    assert_true(addresses_due(addresses) == now_us + 5 * SECOND);
}

static void an_address_is_gone_when_it_was_missing_three_times_in_a_row(void **state)
{
    (void)state;
    START("dns://relay:7700");
    ANSWER("10.0.0.1", "10.0.0.2");
    look_up();
    ANSWER("10.0.0.2");
    look_up();
    look_up();
    assert_true(is_there("tcp://10.0.0.1:7700"));
    ANSWER("10.0.0.1", "10.0.0.2"); /* begins anew */
    look_up();
    ANSWER("10.0.0.2");
    look_up();
    look_up();
    assert_true(is_there("tcp://10.0.0.1:7700"));
    look_up();
    assert_false(is_there("tcp://10.0.0.1:7700"));
    assert_true(is_there("tcp://10.0.0.2:7700"));
    ANSWER("10.0.0.1");
    look_up();
    assert_true(is_there("tcp://10.0.0.1:7700"));
}

static void a_lookup_that_fails_or_finds_nothing_changes_nothing(void **state)
{
    (void)state;
    START("dns://relay:7700");
    ANSWER("10.0.0.1");
    look_up();
    for (int i = 0; i < 10; i++) {
        outcome = i % 2 ? ERR_AGAIN : OK;
        record_count = 0;
        look_up();
        assert_true(is_there("tcp://10.0.0.1:7700"));
    }
    ANSWER("10.0.0.2"); /* and counts as no miss */
    look_up();
    look_up();
    assert_true(is_there("tcp://10.0.0.1:7700"));
    look_up();
    assert_false(is_there("tcp://10.0.0.1:7700"));
}

static void what_several_entries_stand_for_comes_once_and_goes_with_the_last(void **state)
{
    (void)state;
    START("dns://one:7700", "dns://two:7700", "tcp://10.0.0.9:7700");
    ANSWER("10.0.0.1", "10.0.0.9");
    tick(); /* came() fails for what is there already */
    assert_int_equal(there_count, 2);
    ANSWER("10.0.0.2");
    for (int i = 0; i < 3; i++) { /* goes from both names in one tick */
        assert_true(is_there("tcp://10.0.0.1:7700"));
        look_up();
    }
    assert_false(is_there("tcp://10.0.0.1:7700"));
    assert_true(is_there("tcp://10.0.0.9:7700")); /* the fixed entry stays */
    assert_true(is_there("tcp://10.0.0.2:7700"));
}

static void a_name_with_very_many_addresses_gets_64_of_them_and_keeps_these(void **state)
{
    (void)state;
    static char texts[200][16];
    START("dns://relay:7700");
    record_count = COUNT(texts);
    for (size_t i = 0; i < COUNT(texts); i++) {
        snprintf(texts[i], sizeof texts[i], "10.0.0.%zu", i);
        records[i] = texts[i];
    }
    look_up();
    assert_int_equal(there_count, ADDRESSES_PER_NAME);
    for (size_t i = 0; i < COUNT(texts); i++)
        records[i] = texts[COUNT(texts) - 1 - i];
    for (int i = 0; i < 5; i++)
        look_up();
    assert_int_equal(there_count, ADDRESSES_PER_NAME);
    assert_true(is_there("tcp://10.0.0.0:7700") && is_there("tcp://10.0.0.63:7700"));
}

static void a_slow_lookup_is_not_begun_again_before_it_has_ended(void **state)
{
    (void)state;
    START("dns://relay:7700");
    ANSWER("10.0.0.1");
    waits = true;
    look_up();
    for (int i = 0; i < 20; i++) {
        now_us += SECOND;
        tick();
    }
    assert_int_equal(lookups, 1);
    assert_int_equal(there_count, 0);
    end_lookup(waiting);
    assert_int_equal(there_count, 1);
    waits = false;
    look_up();
    assert_int_equal(lookups, 2);
}

static void an_address_that_could_not_be_taken_comes_again(void **state)
{
    (void)state;
    START("dns://relay:7700");
    ANSWER("10.0.0.1");
    refuses = true;
    look_up();
    assert_int_equal(there_count, 0);
    refuses = false;
    look_up();
    assert_int_equal(there_count, 1);
}

static void a_lookup_that_ends_after_the_close_changes_nothing(void **state)
{
    (void)state;
    START("dns://relay:7700");
    ANSWER("10.0.0.1");
    waits = true;
    look_up();
    addresses_close(addresses);
    end_lookup(waiting);
    assert_int_equal(there_count, 0);
    assert_true(addresses_due(addresses) == UINT64_MAX);
}

/* --- the system's lookups --- */

static void run_loop(uv_loop_t *loop, const char *entry, bool closes)
{
    char *entries[] = {(char *)(uintptr_t)entry};
    const config_list_t list = {entries, 1};
    const addresses_options_t options = {.list = &list, .came = came, .gone = gone};
    assert_int_equal(uv_loop_init(loop), 0);
    addresses = addresses_new(&options);
    addresses_tick(addresses, loop, now_us);
    if (closes)
        addresses_close(addresses);
    assert_int_equal(uv_run(loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(loop), 0);
}

static void the_system_knows_localhost(void **state)
{
    (void)state;
    uv_loop_t loop;
    run_loop(&loop, "dns://localhost:7700", false);
    assert_true(is_there("tcp://127.0.0.1:7700") || is_there("tcp://[::1]:7700"));
    assert_int_equal(addresses_count(addresses), there_count);
}

static void a_lookup_of_the_system_that_goes_on_ends_unheard_after_the_close(void **state)
{
    (void)state;
    uv_loop_t loop;
    run_loop(&loop, "dns://localhost:7700", true);
    assert_int_equal(there_count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fixed_addresses_come_at_once_and_each_one_once),
        TEST(a_fixed_address_that_is_refused_is_told),
        TEST(a_name_stands_for_all_its_addresses),
        TEST(a_name_is_looked_up_every_five_seconds),
        TEST(a_name_that_stands_for_nothing_yet_is_looked_up_every_second),
        TEST(an_address_is_gone_when_it_was_missing_three_times_in_a_row),
        TEST(a_lookup_that_fails_or_finds_nothing_changes_nothing),
        TEST(what_several_entries_stand_for_comes_once_and_goes_with_the_last),
        TEST(a_name_with_very_many_addresses_gets_64_of_them_and_keeps_these),
        TEST(a_slow_lookup_is_not_begun_again_before_it_has_ended),
        TEST(an_address_that_could_not_be_taken_comes_again),
        TEST(a_lookup_that_ends_after_the_close_changes_nothing),
        TEST(the_system_knows_localhost),
        TEST(a_lookup_of_the_system_that_goes_on_ends_unheard_after_the_close),
    };
    return cmocka_run_group_tests_name("fabric/addresses", tests, NULL, NULL);
}
