#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/stats.h"

#define TEST_STATS(X)                                                                                 \
    X(published, STAT_COUNTER, "test_published_total", NULL, "Publications")                          \
    X(dropped_full, STAT_COUNTER, "test_dropped_total", "reason=\"full\"", "What was lost, by cause") \
    X(dropped_gap, STAT_COUNTER, "test_dropped_total", "reason=\"gap\"", "What was lost, by cause")   \
    X(links, STAT_GAUGE, "test_links", NULL, "Links that are up")

typedef struct test_stats {
    TEST_STATS(STATS_FIELD)
} test_stats_t;

#define ROW(field, kind, name, labels, help) {offsetof(test_stats_t, field), kind, name, labels, help},
static const stat_row_t rows[] = {TEST_STATS(ROW)};
#define ROWS (sizeof rows / sizeof *rows)

/* Another module's rows: one more cause of a metric that is known already. */
static const stat_row_t other_rows[] = {
    {0, STAT_COUNTER, "test_other_total", NULL, "Something else"},
    {sizeof(stat_t), STAT_COUNTER, "test_dropped_total", "reason=\"slow\"", "What was lost, by cause"},
};

static char *render(void)
{
    buf_t out = {0};
    stats_render(&out);
    assert_int_equal(out.data[out.size - 1], '\n');
    buf_text(&out);
    return (char *)out.data;
}

/* The value of a series; fails if it is not there exactly once. */
static double value_of(const char *text, const char *series)
{
    size_t size = strlen(series);
    const char *found = NULL;
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        if (strncmp(line, series, size) == 0 && line[size] == ' ') {
            assert_null(found);
            found = line;
        }
    }
    assert_non_null(found);
    return strtod(found + size, NULL);
}

static bool has(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

static void values_are_rendered_under_their_series(void **state)
{
    (void)state;
    test_stats_t stats = {0};
    stats_register(rows, ROWS, &stats);
    stats_add(&stats.published, 3);
    stats_add(&stats.published, 4);
    stats_add(&stats.dropped_gap, 1);
    stats_set(&stats.links, 9);
    stats_sub(&stats.links, 2);
    char *text = render();
    assert_true(value_of(text, "test_published_total") == 7);
    assert_true(value_of(text, "test_dropped_total{reason=\"full\"}") == 0);
    assert_true(value_of(text, "test_dropped_total{reason=\"gap\"}") == 1);
    assert_true(value_of(text, "test_links") == 7);
    free(text);
    stats_unregister(&stats);
}

static void the_structs_of_several_workers_are_summed(void **state)
{
    (void)state;
    test_stats_t stats[3] = {0};
    for (size_t i = 0; i < 3; i++) {
        stats_register(rows, ROWS, &stats[i]);
        stats_add(&stats[i].published, i + 1);
    }
    char *text = render();
    assert_true(value_of(text, "test_published_total") == 6);
    free(text);
    stats_unregister(&stats[1]);
    text = render();
    assert_true(value_of(text, "test_published_total") == 4);
    free(text);
    stats_unregister(&stats[0]);
    stats_unregister(&stats[2]);
}

static void what_was_unregistered_is_gone(void **state)
{
    (void)state;
    test_stats_t stats = {0};
    stats_register(rows, ROWS, &stats);
    stats_unregister(&stats);
    stats_unregister(&stats);
    char *text = render();
    assert_false(has(text, "test_"));
    free(text);
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    for (; (text = strstr(text, part)) != NULL; text++)
        count++;
    return count;
}

static void causes_from_two_modules_stand_in_one_metric(void **state)
{
    (void)state;
    test_stats_t stats = {0};
    stat_t others[2] = {1, 2};
    stats_register(rows, ROWS, &stats);
    stats_register(other_rows, 2, others);
    char *text = render();
    assert_int_equal(count_of(text, "# HELP test_dropped_total "), 1);
    assert_int_equal(count_of(text, "# TYPE test_dropped_total counter\n"), 1);
    assert_true(has(text, "test_dropped_total{reason=\"gap\"} 0\ntest_dropped_total{reason=\"slow\"} 2\n"));
    free(text);
    stats_unregister(&stats);
    stats_unregister(others);
}

static span_t word_of(const char *line)
{
    return span_new(line, strcspn(line, " {\n"));
}

/* The text format 0.0.4: for each metric HELP, then TYPE, then its samples; no metric twice; each sample a
 * number. */
static void every_line_is_in_the_text_format(void **state)
{
    (void)state;
    test_stats_t stats = {0};
    stats_register(rows, ROWS, &stats);
    char *text = render();
    span_t metric = {0};
    size_t samples = 1;
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        if (strncmp(line, "# HELP ", 7) == 0) {
            assert_true(samples > 0);
            metric = word_of(line + 7);
            char head[128];
            snprintf(head, sizeof head, "# HELP %.*s ", SPAN_FMT(metric));
            assert_int_equal(count_of(text, head), 1);
            line = strchr(line, '\n') + 1;
            assert_int_equal(strncmp(line, "# TYPE ", 7), 0);
            assert_true(span_eq(word_of(line + 7), metric));
            samples = 0;
            continue;
        }
        assert_true(span_eq(word_of(line), metric));
        char *end;
        strtod(strchr(line, ' ') + 1, &end);
        assert_int_equal(*end, '\n');
        samples++;
    }
    assert_true(samples > 0);
    free(text);
    stats_unregister(&stats);
}

static void the_process_tells_of_itself(void **state)
{
    (void)state;
    int pipes[2];
    char *before = render();
    assert_int_equal(pipe(pipes), 0);
    char *text = render();
    assert_true(value_of(text, "process_open_fds") == value_of(before, "process_open_fds") + 2);
    assert_true(value_of(text, "process_max_fds") >= value_of(text, "process_open_fds"));
    assert_true(value_of(text, "process_resident_memory_bytes") > 100000);
    assert_true(value_of(text, "process_cpu_seconds_total") > 0);
    double age = (double)time(NULL) - value_of(text, "process_start_time_seconds");
    assert_true(age > -2 && age < 3600);
    assert_true(value_of(text, "heddle_build_info{version=\"" HEDDLE_VERSION "\"}") == 1);
    close(pipes[0]);
    close(pipes[1]);
    free(before);
    free(text);
}

enum { STEPS = 200000 };

static void *count_up(void *argument)
{
    test_stats_t *stats = argument;
    for (unsigned i = 0; i < STEPS; i++)
        stats_add(&stats->published, 1);
    return NULL;
}

static void counters_only_grow_while_others_read_them(void **state)
{
    (void)state;
    test_stats_t stats[2] = {0};
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++) {
        stats_register(rows, ROWS, &stats[i]);
        pthread_create(&threads[i], NULL, count_up, &stats[i]);
    }
    double last = 0;
    for (unsigned i = 0; i < 50; i++) {
        char *text = render();
        double now = value_of(text, "test_published_total");
        assert_true(now >= last);
        last = now;
        free(text);
    }
    for (size_t i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    char *text = render();
    assert_true(value_of(text, "test_published_total") == 2 * STEPS);
    free(text);
    stats_unregister(&stats[0]);
    stats_unregister(&stats[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_rendered_under_their_series),
        cmocka_unit_test(the_structs_of_several_workers_are_summed),
        cmocka_unit_test(what_was_unregistered_is_gone),
        cmocka_unit_test(causes_from_two_modules_stand_in_one_metric),
        cmocka_unit_test(every_line_is_in_the_text_format),
        cmocka_unit_test(the_process_tells_of_itself),
        cmocka_unit_test(counters_only_grow_while_others_read_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
