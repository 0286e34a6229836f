#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "tests/unit/cli/command_output.h"

/* A folder with stand-ins for the two programs, which say how they were called and dislike files that hold
 * "bad". */
typedef struct shelf {
    char folder[32];
    char old_path[4096];
    command_output_t output;
} shelf_t;

static const char stand_in[] = "#!/bin/sh\n"
                               "echo \"$(basename \"$0\") $1 $2\"\n"
                               "if grep -q bad \"$3\"; then echo \"$3:1:1: error\" >&2; exit 2; fi\n";

static void put_file(const shelf_t *shelf, const char *name, const char *text, mode_t mode)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", shelf->folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
}

static int set_up(void **state)
{
    char path[sizeof((shelf_t *)0)->old_path + 64];
    shelf_t *shelf = mem_new(sizeof *shelf);
    snprintf(shelf->folder, sizeof shelf->folder, "/tmp/heddle-check-XXXXXX");
    assert_non_null(mkdtemp(shelf->folder));
    put_file(shelf, "heddle-edge", stand_in, 0755);
    put_file(shelf, "heddle-relay", stand_in, 0755);
    snprintf(shelf->old_path, sizeof shelf->old_path, "%s", getenv("PATH"));
    snprintf(path, sizeof path, "%s:%s", shelf->folder, shelf->old_path);
    assert_int_equal(setenv("PATH", path, 1), 0);
    *state = shelf;
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"heddle-edge", "heddle-relay", "one.yaml", "two.yaml"};
    shelf_t *shelf = *state;
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", shelf->folder, names[i]);
        unlink(path);
    }
    rmdir(shelf->folder);
    setenv("PATH", shelf->old_path, 1);
    command_output_fini(&shelf->output);
    mem_free(shelf);
    return 0;
}

/* Checks one.yaml with this text, and two.yaml if there is a second; `option` may be NULL. */
static void check(shelf_t *shelf, const char *option, const char *one, const char *two)
{
    char first[PATH_MAX];
    char second[PATH_MAX];
    char *words[6] = {"check", first};
    size_t count = 2;
    snprintf(first, sizeof first, "%s/one.yaml", shelf->folder);
    snprintf(second, sizeof second, "%s/two.yaml", shelf->folder);
    if (one)
        put_file(shelf, "one.yaml", one, 0644);
    if (two) {
        put_file(shelf, "two.yaml", two, 0644);
        words[count++] = second;
    }
    char *copy = mem_dup(option);
    words[count] = copy;
    command_run(&shelf->output, cli_check_run, words);
    mem_free(copy);
}

static void assert_says(buf_t *text, const char *part)
{
    if (!strstr(buf_text(text), part))
        fail_msg("'%s' is not in:\n%s", part, buf_text(text));
}

static void a_file_goes_to_the_program_whose_keys_it_has(void **state)
{
    shelf_t *shelf = *state;
    check(shelf, NULL, "node: { name: a }\nrelays: [ x ]\n", "# namespaces\npeers: []\n");
    assert_int_equal(shelf->output.exit_code, CLI_OK);
    assert_says(&shelf->output.out, "heddle-edge -t -c\n");
    assert_says(&shelf->output.out, "heddle-relay -t -c\n");
}

static void what_the_program_says_is_passed_on_and_silence_is_spelled_out(void **state)
{
    shelf_t *shelf = *state;
    check(shelf, NULL, "relays: []\n", NULL);
    assert_string_equal(buf_text(&shelf->output.out), "heddle-edge -t -c\n");
    put_file(shelf, "heddle-edge", "#!/bin/sh\n", 0755);
    check(shelf, NULL, "relays: []\n", NULL);
    assert_says(&shelf->output.out, "one.yaml: good (heddle-edge)\n");
}

static void one_wrong_file_makes_the_whole_check_fail(void **state)
{
    shelf_t *shelf = *state;
    check(shelf, NULL, "relays: bad\n", "peers: []\n");
    assert_int_equal(shelf->output.exit_code, CLI_USAGE);
    assert_says(&shelf->output.err, "one.yaml:1:1: error\n");
    assert_says(&shelf->output.out, "one.yaml: wrong (heddle-edge)\n");
    assert_says(&shelf->output.out, "heddle-relay -t -c\n");
}

static void a_file_without_telling_keys_needs_an_option(void **state)
{
    shelf_t *shelf = *state;
    check(shelf, NULL, "node: { name: a }\n  relays: indented\n", NULL);
    assert_int_equal(shelf->output.exit_code, CLI_USAGE);
    assert_says(&shelf->output.err, "say --edge or --relay");
    check(shelf, NULL, "relays: []\npeers: []\n", NULL);
    assert_int_equal(shelf->output.exit_code, CLI_USAGE);
    check(shelf, "--relay", "node: { name: a }\n", NULL);
    assert_int_equal(shelf->output.exit_code, CLI_OK);
    assert_says(&shelf->output.out, "heddle-relay -t -c\n");
}

static void json_has_a_line_for_each_file_with_the_report(void **state)
{
    shelf_t *shelf = *state;
    check(shelf, "--json", "auth: bad\n", "peers: []\n");
    assert_int_equal(shelf->output.exit_code, CLI_USAGE);
    assert_says(&shelf->output.out,
                "\"program\":\"heddle-edge\",\"good\":false,\"report\":\"heddle-edge -t -c\\n");
    assert_says(&shelf->output.out, "\"program\":\"heddle-relay\",\"good\":true");
}

static void a_file_that_is_not_there_is_told(void **state)
{
    shelf_t *shelf = *state;
    check(shelf, NULL, NULL, NULL);
    assert_int_equal(shelf->output.exit_code, CLI_USAGE);
    assert_says(&shelf->output.err, "No such file or directory");
}

static void a_program_that_can_not_start_is_a_failure_and_not_a_wrong_file(void **state)
{
    shelf_t *shelf = *state;
    put_file(shelf, "heddle-edge", "#!/nonexistent/interpreter\n", 0755);
    check(shelf, NULL, "relays: []\n", NULL);
    assert_int_equal(shelf->output.exit_code, CLI_FAILED);
    assert_says(&shelf->output.err, "heddle-edge does not run");
}

int main(void)
{
#define WITH_SHELF(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_SHELF(a_file_goes_to_the_program_whose_keys_it_has),
        WITH_SHELF(what_the_program_says_is_passed_on_and_silence_is_spelled_out),
        WITH_SHELF(one_wrong_file_makes_the_whole_check_fail),
        WITH_SHELF(a_file_without_telling_keys_needs_an_option),
        WITH_SHELF(json_has_a_line_for_each_file_with_the_report),
        WITH_SHELF(a_file_that_is_not_there_is_told),
        WITH_SHELF(a_program_that_can_not_start_is_a_failure_and_not_a_wrong_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
