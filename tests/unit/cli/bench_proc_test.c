#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "cli/bench_proc.h"

static void ticks_are_found_behind_any_name(void **state)
{
    (void)state;
    uint64_t ticks = 0;
    assert_true(
        cli_bench_proc_ticks("7 (relay) S 1 7 7 0 -1 4194560 100 0 0 0 31 11 0 0 20 0 3 0 9 1 2", &ticks));
    assert_int_equal(ticks, 42);
    assert_true(cli_bench_proc_ticks("7 (a ) R (b) S 1 7 7 0 -1 4194560 100 0 0 0 1 2 0 0 20", &ticks));
    assert_int_equal(ticks, 3);
}

static void a_cut_text_has_no_ticks(void **state)
{
    (void)state;
    uint64_t ticks;
    assert_false(cli_bench_proc_ticks("", &ticks));
    assert_false(cli_bench_proc_ticks("7 (relay", &ticks));
    assert_false(cli_bench_proc_ticks("7 (relay) S 1 7 7 0 -1 4194560 100 0 0 0 31", &ticks));
}

static void a_field_is_found_at_the_beginning_of_a_line(void **state)
{
    (void)state;
    static const char text[] = "Name:\tRss: 5\nVmRSS:\t    1234 kB\nRss:\t 99 kB\n";
    uint64_t value = 0;
    assert_true(cli_bench_proc_field(text, "VmRSS", &value));
    assert_int_equal(value, 1234);
    assert_true(cli_bench_proc_field(text, "Rss", &value));
    assert_int_equal(value, 99);
    assert_false(cli_bench_proc_field(text, "Pss", &value));
    assert_false(cli_bench_proc_field("", "Rss", &value));
}

static void memory_that_is_touched_shows_in_rss(void **state)
{
    (void)state;
    enum { SIZE = 32 << 20 };
    cli_bench_usage_t before;
    cli_bench_usage_t after;
    assert_int_equal(cli_bench_proc_read(getpid(), &before), OK);
    uint8_t *memory = mem_new(SIZE);
    for (size_t i = 0; i < SIZE; i += 4096)
        memory[i] = 1;
    assert_int_equal(cli_bench_proc_read(getpid(), &after), OK);
    assert_true(after.rss >= before.rss + SIZE / 2);
    assert_true(after.cpu_us >= before.cpu_us);
    mem_free(memory);
}

static void a_process_that_is_gone_is_not_found(void **state)
{
    (void)state;
    cli_bench_usage_t usage;
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(cli_bench_proc_read(child, &usage), ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ticks_are_found_behind_any_name),
        cmocka_unit_test(a_cut_text_has_no_ticks),
        cmocka_unit_test(a_field_is_found_at_the_beginning_of_a_line),
        cmocka_unit_test(memory_that_is_touched_shows_in_rss),
        cmocka_unit_test(a_process_that_is_gone_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
