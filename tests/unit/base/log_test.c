#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum { AUTO, TEXT, JSON };

static int saved_stderr = -1;
static int capture = -1;

/* Standard error goes to memory from here on. O_APPEND, because the kernel keeps the place of each write(2) of
 * several threads apart in files and pipes, but not in a memfd. */
static void begin_capture(void)
{
    saved_stderr = dup(STDERR_FILENO);
    capture = memfd_create("log", 0);
    assert_true(capture >= 0);
    assert_int_equal(fcntl(capture, F_SETFL, O_APPEND), 0);
    dup2(capture, STDERR_FILENO);
}

/* What was written; the caller frees it. */
static char *end_capture(void)
{
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    off_t size = lseek(capture, 0, SEEK_END);
    char *text = calloc(1, (size_t)size + 1);
    assert_int_equal(pread(capture, text, (size_t)size, 0), size);
    close(capture);
    capture = saved_stderr = -1;
    return text;
}

static int set_up(void **state)
{
    (void)state;
    unsetenv("JOURNAL_STREAM");
    begin_capture();
    log_configure(&(log_config_t){LOG_LEVEL_DEBUG, TEXT}, "edge-1");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (capture >= 0)
        free(end_capture());
    return 0;
}

/* The one line that was logged, without its time, which has to have the right shape. */
static char *only_line(void)
{
    char *text = end_capture();
    size_t size = strlen(text);
    assert_true(size > 0 && text[size - 1] == '\n');
    assert_ptr_equal(strchr(text, '\n'), text + size - 1);
    text[size - 1] = '\0';
    char *time = strstr(text, "20");
    assert_non_null(time);
    static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ";
    for (size_t i = 0; shape[i]; i++)
        assert_true(shape[i] == 'd' ? time[i] >= '0' && time[i] <= '9' : time[i] == shape[i]);
    memmove(time, time + sizeof shape - 1, strlen(time + sizeof shape - 1) + 1);
    return text;
}

static void assert_only_line(const char *expected)
{
    char *line = only_line();
    assert_string_equal(line, expected);
    free(line);
}

static void a_text_line_has_time_level_event_and_fields(void **state)
{
    (void)state;
    log_info("text.line", "peer=%s rtt_us=%d", "relay-1", 812);
    assert_only_line(" info text.line peer=relay-1 rtt_us=812");
}

static void a_line_may_have_no_fields(void **state)
{
    (void)state;
    log_error("text.bare", NULL);
    assert_only_line(" error text.bare");
}

static void a_json_line_has_the_fields_as_members(void **state)
{
    (void)state;
    log_configure(&(log_config_t){LOG_LEVEL_DEBUG, JSON}, "edge \"1\"");
    log_warn("json.line", "peer=relay-1 rtt_us=%d reason=%s done", 812, "\"two words\"");
    assert_only_line(
        "{\"ts\":\"\",\"level\":\"warn\",\"event\":\"json.line\",\"node\":\"edge \\\"1\\\"\",\"fields\":"
        "{\"peer\":\"relay-1\",\"rtt_us\":\"812\",\"reason\":\"two words\",\"done\":true}}");
}

static void json_without_fields_has_an_empty_object(void **state)
{
    (void)state;
    log_configure(&(log_config_t){LOG_LEVEL_DEBUG, JSON}, NULL);
    log_info("json.bare", NULL);
    assert_only_line("{\"ts\":\"\",\"level\":\"info\",\"event\":\"json.bare\",\"node\":\"\",\"fields\":{}}");
}

static void a_safe_text_comes_out_of_json_as_it_went_in(void **state)
{
    (void)state;
    log_configure(&(log_config_t){LOG_LEVEL_DEBUG, JSON}, "n");
    log_info("json.safe", "a=%s b=%s", log_safe(SPAN("q\"b\\s n\n\x01")), log_safe(SPAN("\xff\xc3\xa4")));
    char *line = only_line();
    assert_non_null(
        strstr(line, "\"fields\":{\"a\":\"q\\\"b\\\\s n\\n\\u0001\",\"b\":\"\\u00ff\xc3\xa4\"}}"));
    free(line);
}

/* Somebody forgets log_safe: the line may be ugly, but it stays one line of valid JSON. */
static void unsafe_text_can_not_break_json(void **state)
{
    (void)state;
    log_configure(&(log_config_t){LOG_LEVEL_DEBUG, JSON}, "n");
    log_info("json.unsafe", "a=%s b=%s", "x\"y\\\n", "\"never closed \\u00zz \\q");
    char *line = only_line();
    assert_non_null(strstr(line, "{\"a\":\"x\\\"y\\\\\\n\",\"b\":\"never closed \\\\u00zz \\\\q\"}}"));
    free(line);
}

static void unsafe_text_can_not_make_a_second_line(void **state)
{
    (void)state;
    log_info("text.unsafe", "a=%s", "x\n2026 forged\r\x1b[31m");
    assert_only_line(" info text.unsafe a=x\\u000a2026 forged\\u000d\\u001b[31m");
}

static void what_is_below_the_level_is_not_written(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_WARN);
    assert_false(log_enabled(LOG_LEVEL_INFO));
    assert_true(log_enabled(LOG_LEVEL_WARN));
    log_debug("level.debug", NULL);
    log_info("level.info", NULL);
    log_error("level.error", NULL);
    assert_only_line(" error level.error");
}

static void off_writes_nothing(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_OFF);
    assert_false(log_enabled(LOG_LEVEL_ERROR));
    log_error("level.off", NULL);
    char *text = end_capture();
    assert_string_equal(text, "");
    free(text);
}

static void auto_is_json_where_there_is_no_terminal(void **state)
{
    (void)state;
    log_configure(&(log_config_t){LOG_LEVEL_DEBUG, AUTO}, "n");
    log_info("auto.json", NULL);
    char *line = only_line();
    assert_int_equal(line[0], '{');
    free(line);
}

static void name_journal(int fd)
{
    struct stat status;
    char stream[64];
    assert_int_equal(fstat(fd, &status), 0);
    snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
}

static void the_journal_gets_the_priority(void **state)
{
    (void)state;
    name_journal(STDERR_FILENO);
    log_configure(&(log_config_t){LOG_LEVEL_DEBUG, TEXT}, "n");
    log_warn("journal.warn", NULL);
    assert_only_line("<4> warn journal.warn");
}

static void a_redirected_standard_error_is_not_the_journal(void **state)
{
    (void)state;
    name_journal(saved_stderr);
    log_configure(&(log_config_t){LOG_LEVEL_DEBUG, TEXT}, "n");
    log_warn("journal.not", NULL);
    assert_only_line(" warn journal.not");
}

static void long_fields_are_cut(void **state)
{
    (void)state;
    char *text = calloc(1, 100001);
    memset(text, 'x', 100000);
    log_info("text.long", "a=%s", text);
    char *line = only_line();
    assert_true(strlen(line) > 1000 && strlen(line) < 2200);
    free(line);
    free(text);
}

static void a_plain_word_is_safe_as_it_is(void **state)
{
    (void)state;
    assert_string_equal(log_safe(SPAN("chat:room-1/x")), "chat:room-1/x");
}

static void other_text_is_quoted_and_escaped(void **state)
{
    (void)state;
    static const struct {
        span_t text;
        const char *safe;
    } cases[] = {
        {{(const uint8_t *)"", 0}, "\"\""},
        {{(const uint8_t *)"a b", 3}, "\"a b\""},
        {{(const uint8_t *)"a=b", 3}, "\"a=b\""},
        {{(const uint8_t *)"a\"b", 3}, "\"a\\\"b\""},
        {{(const uint8_t *)"a\\b", 3}, "\"a\\\\b\""},
        {{(const uint8_t *)"a\nb", 3}, "\"a\\nb\""},
        {{(const uint8_t *)"a\0b", 3}, "\"a\\u0000b\""},
        {{(const uint8_t *)"\x7f", 1}, "\"\\u007f\""},
        {{(const uint8_t *)"\xc3\xa4", 2}, "\"\xc3\xa4\""},
        {{(const uint8_t *)"\xc3", 1}, "\"\\u00c3\""},
        {{(const uint8_t *)"\xc0\xaf", 2}, "\"\\u00c0\\u00af\""},
        {{(const uint8_t *)"\xed\xa0\x80", 3}, "\"\\u00ed\\u00a0\\u0080\""},
        {{(const uint8_t *)"\xf0\x9f\x98\x80", 4}, "\"\xf0\x9f\x98\x80\""},
        {{(const uint8_t *)"\xf5\x80\x80\x80", 4}, "\"\\u00f5\\u0080\\u0080\\u0080\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(log_safe(cases[i].text), cases[i].safe);
}

static void long_text_is_cut_between_characters(void **state)
{
    (void)state;
    char text[70], expected[80];
    memset(text, 'x', sizeof text);
    snprintf(expected, sizeof expected, "%.64s...", text);
    assert_int_equal(strlen(log_safe(span_new(text, 64))), 64);
    assert_string_equal(log_safe(span_new(text, 65)), expected);
    memcpy(text + 63, "\xc3\xa4", 2);
    snprintf(expected, sizeof expected, "%.63s...", text);
    assert_string_equal(log_safe(span_new(text, 70)), expected);
}

static void the_worst_text_fits(void **state)
{
    (void)state;
    char text[200];
    memset(text, 1, sizeof text);
    assert_int_equal(strlen(log_safe(span_new(text, sizeof text))), 64 * 6 + 5);
}

static void four_safe_texts_live_at_once(void **state)
{
    (void)state;
    const char *texts[] = {log_safe(SPAN("a")), log_safe(SPAN("b")), log_safe(SPAN("c")),
                           log_safe(SPAN("d"))};
    assert_string_equal(texts[0], "a");
    assert_string_equal(texts[1], "b");
    assert_string_equal(texts[2], "c");
    assert_string_equal(texts[3], "d");
}

/* Logs until a line tells what was suppressed: then every line is either written or counted. */
static void above_20_lines_a_second_lines_are_counted_instead(void **state)
{
    (void)state;
    uint64_t begin_us = clock_now_us(), logged = 0;
    while (clock_now_us() - begin_us < 1100 * CLOCK_MS) {
        log_info("rate.limited", NULL);
        logged++;
    }
    uint64_t seconds = (clock_now_us() - begin_us) / CLOCK_SEC + 1;
    char *text = end_capture();
    uint64_t lines = 0, suppressed = 0;
    for (char *line = text; *line; line = strchr(line, '\n') + 1) {
        const char *told = strstr(line, "suppressed=");
        if (told && told < strchr(line, '\n'))
            suppressed += strtoull(told + 11, NULL, 10);
        lines++;
    }
    free(text);
    assert_true(lines > 20 && lines <= 20 * seconds);
    assert_true(suppressed > 0);
    assert_true(lines + suppressed <= logged);
}

static void another_event_is_not_held_back(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        log_info("rate.loud", NULL);
    log_info("rate.quiet", NULL);
    char *text = end_capture();
    assert_non_null(strstr(text, " rate.quiet\n"));
    free(text);
}

enum { THREADS = 4, LINES = 5 };

static const char *const thread_events[THREADS] = {"thread.0", "thread.1", "thread.2", "thread.3"};

static void *log_some(void *argument)
{
    const char *event = *(const char *const *)argument;
    for (unsigned i = 0; i < LINES; i++) {
        log_info(event, "text=%s number=%u", log_safe(SPAN("some longer text to mix")), i);
        log_set_level(LOG_LEVEL_DEBUG);
    }
    return NULL;
}

static void lines_of_several_threads_never_mix(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, log_some, (void *)(uintptr_t)&thread_events[i]);
    log_configure(&(log_config_t){LOG_LEVEL_DEBUG, TEXT}, "renamed");
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    char *text = end_capture();
    unsigned lines = 0, next[THREADS] = {0};
    for (char *line = text; *line; line = strchr(line, '\n') + 1) {
        unsigned thread, number;
        assert_int_equal(
            sscanf(line, "%*s info thread.%u text=\"some longer text to mix\" number=%u\n", &thread, &number),
            2);
        assert_true(thread < THREADS);
        assert_int_equal(number, next[thread]++);
        lines++;
    }
    assert_int_equal(lines, THREADS * LINES);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_text_line_has_time_level_event_and_fields, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_line_may_have_no_fields, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_json_line_has_the_fields_as_members, set_up, tear_down),
        cmocka_unit_test_setup_teardown(json_without_fields_has_an_empty_object, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_safe_text_comes_out_of_json_as_it_went_in, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unsafe_text_can_not_break_json, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unsafe_text_can_not_make_a_second_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_below_the_level_is_not_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(off_writes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(auto_is_json_where_there_is_no_terminal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_journal_gets_the_priority, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_redirected_standard_error_is_not_the_journal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(long_fields_are_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_plain_word_is_safe_as_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_text_is_quoted_and_escaped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(long_text_is_cut_between_characters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_worst_text_fits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(four_safe_texts_live_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(above_20_lines_a_second_lines_are_counted_instead, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_event_is_not_held_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lines_of_several_threads_never_mix, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
