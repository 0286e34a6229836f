#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/program.h"

typedef struct settings {
    char *name;
    uint64_t size;
} settings_t;

static const config_row_t rows[] = {
    {.key = "name",
     .type = CONFIG_TEXT,
     .offset = offsetof(settings_t, name),
     .fallback = "one",
     .help = "A name."},
    {.key = "size", .type = CONFIG_COUNT, .offset = offsetof(settings_t, size), .max = 10, .help = "A size."},
};
static const config_table_t table = {
    .section = "thing", .help = "A thing.", .rows = rows, .count = 2, .size = sizeof(settings_t)};

static settings_t settings;
static config_part_t part = {&table, &settings};
static buf_t out, err;
static int exit_code;
static char file[] = "/tmp/heddle-program-test-XXXXXX";

/* --- a run with its output kept --- */

static FILE *redirect(FILE *stream, int *saved)
{
    FILE *kept = tmpfile();
    assert_non_null(kept);
    fflush(stream);
    *saved = dup(fileno(stream));
    assert_true(dup2(fileno(kept), fileno(stream)) >= 0);
    return kept;
}

static void restore(FILE *stream, int saved, FILE *kept, buf_t *text)
{
    fflush(stream);
    assert_true(dup2(saved, fileno(stream)) >= 0);
    close(saved);
    rewind(kept);
    buf_clear(text);
    for (size_t got; (got = fread(buf_reserve(text, 4096), 1, 4096, kept)) > 0;)
        buf_advance(text, got);
    fclose(kept);
}

static int refuse_name_two(const void *loaded, buf_t *why)
{
    const settings_t *given = loaded;
    if (strcmp(given->name, "two") != 0)
        return OK;
    buf_append_str(why, "thing.name: not two");
    return ERR_CONFIG;
}

/* The words as a command line; whether the program is to go on. */
static bool start(char *first, char *second, char *third)
{
    char *argv[] = {(char *)"heddle-thing", first, second, third, NULL};
    int argc = 1;
    while (argc < 4 && argv[argc])
        argc++;
    program_t program = {"heddle-thing", "does a thing", &part, 1, refuse_name_two, &settings};
    int saved_out, saved_err;
    FILE *kept_out = redirect(stdout, &saved_out);
    FILE *kept_err = redirect(stderr, &saved_err);
    optind = 0; /* getopt starts again */
    config_free(&part, 1);
    bool go_on = program_start(&program, argc, argv, &exit_code);
    restore(stderr, saved_err, kept_err, &err);
    restore(stdout, saved_out, kept_out, &out);
    return go_on;
}

static void write_file(const char *text)
{
    FILE *to = fopen(file, "w");
    assert_non_null(to);
    fputs(text, to);
    fclose(to);
}

static void assert_has(buf_t *text, const char *part_of_it)
{
    if (!strstr(buf_text(text), part_of_it))
        fail_msg("missing: %s\nin:\n%s", part_of_it, buf_text(text));
}

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(file);
    return fd < 0 || close(fd);
}

static int clean_up(void **state)
{
    (void)state;
    config_free(&part, 1);
    buf_fini(&out);
    buf_fini(&err);
    return unlink(file);
}

/* --- behaviours --- */

static void without_options_it_runs_with_the_defaults(void **state)
{
    (void)state;
    assert_true(start(NULL, NULL, NULL));
    assert_string_equal(settings.name, "one");
    assert_int_equal(out.size + err.size, 0);
}

static void settings_come_from_the_file(void **state)
{
    (void)state;
    write_file("thing: {name: three, size: 3}\n");
    assert_true(start((char *)"-c", file, NULL));
    assert_string_equal(settings.name, "three");
    assert_int_equal(settings.size, 3);
}

static void a_mistake_in_the_file_ends_with_2_and_its_place(void **state)
{
    (void)state;
    write_file("thing: {size: 11}\n");
    assert_false(start((char *)"--config", file, NULL));
    assert_int_equal(exit_code, PROGRAM_USAGE);
    assert_has(&err, ":1:15: error: thing.size");
}

static void what_only_all_settings_show_is_told_like_a_mistake(void **state)
{
    (void)state;
    write_file("thing: {name: two}\n");
    assert_false(start((char *)"-c", file, NULL));
    assert_int_equal(exit_code, PROGRAM_USAGE);
    assert_has(&err, file);
    assert_has(&err, ": error: thing.name: not two\n");
    assert_false(start((char *)"-t", (char *)"-c", file));
    assert_int_equal(exit_code, PROGRAM_USAGE);
    assert_has(&err, ": error: thing.name: not two\n");
}

static void test_checks_and_does_not_run(void **state)
{
    (void)state;
    write_file("thing: {name: four}\n");
    assert_false(start((char *)"-t", (char *)"-c", file));
    assert_int_equal(exit_code, PROGRAM_OK);
    assert_has(&out, ": ok\n");
}

static void a_file_that_is_not_there_ends_with_2(void **state)
{
    (void)state;
    assert_false(start((char *)"-c", (char *)"/nowhere/thing.yaml", NULL));
    assert_int_equal(exit_code, PROGRAM_USAGE);
    assert_has(&err, "/nowhere/thing.yaml");
}

static void wrong_words_end_with_2_and_a_hint(void **state)
{
    (void)state;
    assert_false(start((char *)"--no-such", NULL, NULL));
    assert_int_equal(exit_code, PROGRAM_USAGE);
    assert_has(&err, "heddle-thing --help");
    assert_false(start((char *)"stray", NULL, NULL));
    assert_int_equal(exit_code, PROGRAM_USAGE);
    assert_false(start((char *)"-c", NULL, NULL));
    assert_int_equal(exit_code, PROGRAM_USAGE);
}

static void help_tells_options_settings_and_exit_codes(void **state)
{
    (void)state;
    assert_false(start((char *)"--help", NULL, NULL));
    assert_int_equal(exit_code, PROGRAM_OK);
    assert_has(&out, "heddle-thing - does a thing\n\nUsage: heddle-thing [OPTION...]\n");
    assert_has(&out, "\n  -c, --config FILE        read the settings from FILE\n");
    assert_has(&out, "\n      --print-effective    print the settings as they are");
    assert_has(&out, "\n  thing.name (TEXT, default one)\n      A name.\n");
    assert_has(&out, "\nExit codes: 0 ok, 1 failed, 2 wrong usage or settings.\n");
}

static void version_is_one_line(void **state)
{
    (void)state;
    assert_false(start((char *)"-V", NULL, NULL));
    assert_int_equal(exit_code, PROGRAM_OK);
    assert_string_equal(buf_text(&out), "heddle-thing " HEDDLE_VERSION "\n");
}

static void the_default_file_is_one_that_it_takes(void **state)
{
    (void)state;
    assert_false(start((char *)"--print-default", NULL, NULL));
    assert_int_equal(exit_code, PROGRAM_OK);
    write_file(buf_text(&out));
    assert_true(start((char *)"-c", file, NULL));
    assert_string_equal(settings.name, "one");
}

static void effective_settings_tell_their_sources(void **state)
{
    (void)state;
    write_file("thing:\n  size: 7\n");
    assert_false(start((char *)"--print-effective", (char *)"-c", file));
    assert_int_equal(exit_code, PROGRAM_OK);
    assert_has(&out, "# default");
    assert_has(&out, ":2\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_options_it_runs_with_the_defaults),
        cmocka_unit_test(settings_come_from_the_file),
        cmocka_unit_test(a_mistake_in_the_file_ends_with_2_and_its_place),
        cmocka_unit_test(what_only_all_settings_show_is_told_like_a_mistake),
        cmocka_unit_test(test_checks_and_does_not_run),
        cmocka_unit_test(a_file_that_is_not_there_ends_with_2),
        cmocka_unit_test(wrong_words_end_with_2_and_a_hint),
        cmocka_unit_test(help_tells_options_settings_and_exit_codes),
        cmocka_unit_test(version_is_one_line),
        cmocka_unit_test(the_default_file_is_one_that_it_takes),
        cmocka_unit_test(effective_settings_tell_their_sources),
    };
    return cmocka_run_group_tests(tests, make_file, clean_up);
}
