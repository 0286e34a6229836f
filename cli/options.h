/* cli/options - the options of a command, driven by one table: parsing, "did you mean", and the help text.
 * Owner:  a table is static and belongs to its command; the target struct belongs to the command's run
 *         function.
 * Thread: main.
 * Life:   zeroed target -> cli_options_begin (or _parse) -> ... -> cli_options_free
 *
 * One row is one option. `--name VALUE`, `--name=VALUE`, `-n VALUE`, `-nVALUE`; flags take no value; `--`
 * ends the options; options and other words may be mixed. `--help` and `-h` are always there. All mistakes
 * are reported in one run.
 */
#ifndef HEDDLE_CLI_OPTIONS_H
#define HEDDLE_CLI_OPTIONS_H

#include <stdio.h>

#include "base/buf.h"

typedef enum cli_option_type {
    CLI_TEXT,     /* const char *, borrowed from argv */
    CLI_COUNT,    /* uint64_t, decimal */
    CLI_SIZE,     /* uint64_t bytes: 128, 64KiB */
    CLI_DURATION, /* uint64_t microseconds: 500ms, 10s */
    CLI_FLAG,     /* bool */
    CLI_CHOICE,   /* int, the place of the word in `choices` */
    CLI_LIST,     /* cli_list_t: split at commas, and each time the option is given adds to it */
} cli_option_type_t;

typedef struct cli_list {
    char **items; /* owned array of owned texts */
    size_t count;
} cli_list_t;

typedef struct cli_option {
    const char *name; /* "secret-file" */
    char letter;      /* 0 = none */
    cli_option_type_t type;
    size_t offset;        /* of the value in the target struct */
    const char *value;    /* what the help calls the value: "FILE"; NULL for a FLAG or a CHOICE */
    const char *fallback; /* the default, as one would type it; NULL = zero, NULL; none for a LIST */
    const char *choices;  /* CHOICE: "raw|centrifuge" */
    const char *help;     /* one sentence */
} cli_option_t;

typedef struct cli_options {
    const char *command;   /* "heddle token make" */
    const char *arguments; /* "FILE…"; NULL = the command takes none */
    const char *about;     /* what it does, lines of at most 80 columns */
    const cli_option_t *rows;
    size_t count;                        /* rows */
    size_t arguments_min, arguments_max; /* words that are no options */
} cli_options_t;

typedef enum cli_options_result {
    CLI_OPTIONS_GO,   /* go on */
    CLI_OPTIONS_HELP, /* --help was there: print the help and do nothing else */
    CLI_OPTIONS_BAD,  /* mistakes; `report` says which, a line each */
} cli_options_result_t;

/* Fills the target from defaults and argv; argv[0] is skipped. The words that are no options are moved to the
 * front of argv and *argc becomes their number. Target to be given to cli_options_free whatever happens. */
cli_options_result_t cli_options_parse(const cli_options_t *self, int *argc, char **argv, void *target,
                                       buf_t *report);

/* The same for a command: prints help or mistakes. true: go on; false: return *exit_code. */
bool cli_options_begin(const cli_options_t *self, int *argc, char **argv, void *target, int *exit_code);

void cli_options_free(const cli_options_t *self, void *target);

void cli_options_help(const cli_options_t *self, buf_t *out);

/* Prints "heddle token: TEXT\n" to standard error and returns `exit_code`, so that a command can end in one
 * line. */
int cli_fail(const cli_options_t *self, int exit_code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
