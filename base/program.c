#include "base/program.h"

#include <getopt.h>
#include <stdio.h>

#include "base/err.h"

typedef enum action {
    RUN,
    CHECK_ONLY,
    SHOW_DEFAULT,
    SHOW_EFFECTIVE,
    SHOW_DOCS,
    SHOW_HELP,
    SHOW_VERSION
} action_t;

typedef struct switch_row {
    const char *name; /* long */
    char letter;      /* short; '\0' = none */
    bool takes_file;  /* FILE follows */
    action_t action;
    const char *help;
} switch_row_t;

static const switch_row_t switches[] = {
    {"config", 'c', true, RUN, "read the settings from FILE"},
    {"test", 't', false, CHECK_ONLY, "check the settings and exit"},
    {"print-default", '\0', false, SHOW_DEFAULT, "print a file with every setting and its default"},
    {"print-effective", '\0', false, SHOW_EFFECTIVE,
     "print the settings as they are, and where each came from"},
    {"print-docs", '\0', false, SHOW_DOCS, "print the settings as Markdown"},
    {"help", 'h', false, SHOW_HELP, "print this"},
    {"version", 'V', false, SHOW_VERSION, "print the version"},
};

#define SWITCHES    (sizeof switches / sizeof switches[0])
#define HELP_COLUMN 27 /* right of the longest switch */

static void print(buf_t *out)
{
    fputs(buf_text(out), stdout);
    buf_fini(out);
}

static void print_switch(const switch_row_t *row, buf_t *out)
{
    size_t begin = out->size;
    buf_append_str(out, "  ");
    if (row->letter)
        buf_printf(out, "-%c, ", row->letter);
    else
        buf_append_str(out, "    ");
    buf_printf(out, "--%s%s", row->name, row->takes_file ? " FILE" : "");
    buf_printf(out, "%*s%s\n", (int)(HELP_COLUMN - (out->size - begin)), "", row->help);
}

static void print_help(const program_t *self, buf_t *out)
{
    buf_printf(out, "%s - %s\n\nUsage: %s [OPTION...]\n\nOptions:\n", self->name, self->purpose, self->name);
    for (size_t i = 0; i < SWITCHES; i++)
        print_switch(&switches[i], out);
    buf_append_str(out, "\nSettings, in the file or as HEDDLE_SECTION_KEY in the environment:\n");
    config_print_help(self->parts, self->count, out);
    buf_append_str(out, "\nExit codes: 0 ok, 1 failed, 2 wrong usage or settings.\n");
}

static int show(const program_t *self, action_t action)
{
    buf_t out = {0};
    switch (action) {
    case SHOW_HELP: print_help(self, &out); break;
    case SHOW_VERSION: buf_printf(&out, "%s %s\n", self->name, HEDDLE_VERSION); break;
    case SHOW_DEFAULT: config_print_default(self->parts, self->count, &out); break;
    default: config_print_markdown(self->parts, self->count, &out); break;
    }
    print(&out);
    return PROGRAM_OK;
}

static bool parse(int argc, char **argv, action_t *action, const char **file)
{
    struct option options[SWITCHES + 1] = {{0}};
    for (size_t i = 0; i < SWITCHES; i++)
        options[i] = (struct option){switches[i].name, switches[i].takes_file, NULL, (int)i + 256};
    *action = RUN;
    for (int at; (at = getopt_long(argc, argv, "c:thV", options, NULL)) != -1;) {
        const switch_row_t *row = NULL;
        for (size_t i = 0; i < SWITCHES; i++) {
            if (at == (int)i + 256 || (switches[i].letter && at == switches[i].letter))
                row = &switches[i];
        }
        if (!row)
            return false;
        if (row->takes_file)
            *file = optarg;
        else
            *action = row->action;
    }
    return optind == argc;
}

/* What only all settings together show; the report is worded as those of base/config. */
static int check_all(const program_t *self, const char *file, buf_t *report)
{
    buf_t why = {0};
    int err = self->check ? self->check(self->settings, &why) : OK;
    if (err)
        buf_printf(report, "%s: error: %s\n", file ? file : "the settings", buf_text(&why));
    buf_fini(&why);
    return err;
}

/* Loads, and does what can be done with loaded settings only. */
static bool load(const program_t *self, action_t action, const char *file, int *exit_code)
{
    buf_t report = {0};
    config_sources_t *sources = NULL;
    int err = config_load_traced(self->parts, self->count, file, &sources, &report);
    if (!err)
        err = check_all(self, file, &report);
    *exit_code = err ? PROGRAM_USAGE : PROGRAM_OK;
    if (report.size)
        fwrite(report.data, 1, report.size, stderr);
    if (!err && action == CHECK_ONLY)
        printf("%s: ok\n", file ? file : "the defaults");
    if (!err && action == SHOW_EFFECTIVE) {
        buf_t out = {0};
        config_print_effective(self->parts, self->count, sources, &out);
        print(&out);
    }
    config_sources_destroy(&sources);
    buf_fini(&report);
    return !err && action == RUN;
}

bool program_start(const program_t *self, int argc, char **argv, int *exit_code)
{
    action_t action;
    const char *file = NULL;
    *exit_code = PROGRAM_USAGE;
    if (!parse(argc, argv, &action, &file)) {
        fprintf(stderr, "%s --help lists the options.\n", self->name);
        return false;
    }
    if (action == SHOW_HELP || action == SHOW_VERSION || action == SHOW_DEFAULT || action == SHOW_DOCS) {
        *exit_code = show(self, action);
        return false;
    }
    return load(self, action, file, exit_code);
}
