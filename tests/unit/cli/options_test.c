#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "cli/options.h"

typedef struct target {
    const char *text;
    uint64_t count, size, duration;
    bool flag, other;
    int choice;
    cli_list_t list;
} target_t;

#define ROW(field) .offset = offsetof(target_t, field)
static const cli_option_t rows[] = {
    {.name = "text", .letter = 't', .type = CLI_TEXT, ROW(text), .value = "TEXT", .help = "some text"},
    {.name = "count",
     .letter = 'c',
     .type = CLI_COUNT,
     ROW(count),
     .value = "N",
     .fallback = "7",
     .help = "how many"},
    {.name = "size", .type = CLI_SIZE, ROW(size), .value = "BYTES", .help = "how big"},
    {.name = "duration", .type = CLI_DURATION, ROW(duration), .value = "TIME", .help = "how long"},
    {.name = "flag", .letter = 'f', .type = CLI_FLAG, ROW(flag), .help = "yes or no"},
    {.name = "other", .letter = 'o', .type = CLI_FLAG, ROW(other), .help = "yes or no"},
    {.name = "colour",
     .type = CLI_CHOICE,
     ROW(choice),
     .choices = "red|green|blue",
     .fallback = "green",
     .help = "a colour"},
    {.name = "list", .letter = 'l', .type = CLI_LIST, ROW(list), .value = "A,…", .help = "some words"},
};

static const cli_options_t set = {
    .command = "tool",
    .arguments = "FILE…",
    .about = "Does things.",
    .rows = rows,
    .count = sizeof rows / sizeof rows[0],
    .arguments_max = 3,
};

typedef struct parsed {
    target_t target;
    cli_options_result_t result;
    int argc;
    char *argv[16];
    buf_t report;
} parsed_t;

/* Parses words that end with NULL. */
static parsed_t *parse(const cli_options_t *options, char *const *words)
{
    static parsed_t parsed;
    parsed = (parsed_t){.argc = 1, .argv = {"tool"}};
    for (; *words; words++)
        parsed.argv[parsed.argc++] = *words;
    parsed.result = cli_options_parse(options, &parsed.argc, parsed.argv, &parsed.target, &parsed.report);
    return &parsed;
}

static void done(parsed_t *parsed)
{
    cli_options_free(&set, &parsed->target);
    buf_fini(&parsed->report);
}

#define PARSE(...) parse(&set, (char *[]){__VA_ARGS__, NULL})

static void assert_reports(parsed_t *parsed, const char *line)
{
    assert_int_equal(parsed->result, CLI_OPTIONS_BAD);
    if (!strstr(buf_text(&parsed->report), line))
        fail_msg("'%s' is not in:\n%s", line, buf_text(&parsed->report));
    done(parsed);
}

static void defaults_stand_where_nothing_is_given(void **state)
{
    (void)state;
    parsed_t *parsed = parse(&set, (char *[]){NULL});
    assert_int_equal(parsed->result, CLI_OPTIONS_GO);
    assert_int_equal(parsed->target.count, 7);
    assert_int_equal(parsed->target.choice, 1);
    assert_null(parsed->target.text);
    assert_false(parsed->target.flag);
    assert_int_equal(parsed->argc, 0);
    done(parsed);
}

static void every_way_to_write_a_value_works(void **state)
{
    (void)state;
    parsed_t *parsed = PARSE("--text", "a", "--size=64KiB", "--duration=5s", "-c5", "--colour", "blue", "-f");
    assert_int_equal(parsed->result, CLI_OPTIONS_GO);
    assert_string_equal(parsed->target.text, "a");
    assert_int_equal(parsed->target.size, 65536);
    assert_int_equal(parsed->target.duration, 5000000);
    assert_int_equal(parsed->target.count, 5);
    assert_int_equal(parsed->target.choice, 2);
    assert_true(parsed->target.flag);
    assert_false(parsed->target.other);
    done(parsed);
}

static void flags_share_a_dash_and_the_last_letter_may_take_a_value(void **state)
{
    (void)state;
    parsed_t *parsed = PARSE("-foc", "9");
    assert_int_equal(parsed->result, CLI_OPTIONS_GO);
    assert_true(parsed->target.flag && parsed->target.other);
    assert_int_equal(parsed->target.count, 9);
    done(parsed);
}

static void other_words_move_to_the_front_in_their_order(void **state)
{
    (void)state;
    parsed_t *parsed = PARSE("a", "--flag", "-", "--", "--count");
    assert_int_equal(parsed->result, CLI_OPTIONS_GO);
    assert_int_equal(parsed->argc, 3);
    assert_string_equal(parsed->argv[0], "a");
    assert_string_equal(parsed->argv[1], "-");
    assert_string_equal(parsed->argv[2], "--count");
    done(parsed);
}

static void a_list_is_split_at_commas_and_grows_each_time(void **state)
{
    (void)state;
    parsed_t *parsed = PARSE("-l", "a,b", "--list=,c,");
    assert_int_equal(parsed->target.list.count, 3);
    assert_string_equal(parsed->target.list.items[0], "a");
    assert_string_equal(parsed->target.list.items[2], "c");
    done(parsed);
}

static void an_unknown_option_is_told_with_the_nearest_one(void **state)
{
    (void)state;
    assert_reports(PARSE("--cuont", "3"), "tool: unknown option '--cuont'; did you mean '--count'?\n");
    assert_reports(PARSE("--hepl"), "did you mean '--help'?");
    assert_reports(PARSE("-z"), "tool: unknown option '-z'\n");
}

static void all_mistakes_are_told_in_one_run(void **state)
{
    (void)state;
    parsed_t *parsed = PARSE("--count=x", "--colour=pink", "--flag=1", "--size");
    assert_non_null(strstr(buf_text(&parsed->report), "--count: 'x' is not a number like 250"));
    assert_non_null(strstr(buf_text(&parsed->report), "--colour: 'pink' is not one of red|green|blue"));
    assert_non_null(strstr(buf_text(&parsed->report), "--flag takes no value"));
    assert_reports(parsed, "--size needs a size like 128 or 64KiB");
}

static void too_many_and_too_few_words_are_refused(void **state)
{
    (void)state;
    cli_options_t needs = set;
    needs.arguments_min = 1;
    assert_reports(PARSE("a", "b", "c", "d"), "tool: unexpected 'd'\n");
    assert_reports(parse(&needs, (char *[]){NULL}), "tool: needs FILE…\n");
}

static void help_wins_over_mistakes(void **state)
{
    (void)state;
    parsed_t *parsed = PARSE("--nonsense", "-h");
    assert_int_equal(parsed->result, CLI_OPTIONS_HELP);
    done(parsed);
}

static void the_help_has_a_line_for_each_row_and_aligned_texts(void **state)
{
    (void)state;
    buf_t help = {0};
    cli_options_help(&set, &help);
    const char *text = buf_text(&help);
    assert_non_null(strstr(text, "Usage: tool [OPTION…] FILE…\n\nDoes things.\n\nOptions:\n"));
    assert_non_null(strstr(text, "  -c, --count N             how many [7]\n"));
    assert_non_null(strstr(text, "      --size BYTES          how big\n"));
    assert_non_null(strstr(text, "  -l, --list A,…            some words\n"));
    assert_non_null(strstr(text, "  -h, --help                prints this text\n"));
    buf_fini(&help);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_stand_where_nothing_is_given),
        cmocka_unit_test(every_way_to_write_a_value_works),
        cmocka_unit_test(flags_share_a_dash_and_the_last_letter_may_take_a_value),
        cmocka_unit_test(other_words_move_to_the_front_in_their_order),
        cmocka_unit_test(a_list_is_split_at_commas_and_grows_each_time),
        cmocka_unit_test(an_unknown_option_is_told_with_the_nearest_one),
        cmocka_unit_test(all_mistakes_are_told_in_one_run),
        cmocka_unit_test(too_many_and_too_few_words_are_refused),
        cmocka_unit_test(help_wins_over_mistakes),
        cmocka_unit_test(the_help_has_a_line_for_each_row_and_aligned_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
