#include "cli/command.h"

#include <stdio.h>
#include <string.h>

#include "base/config.h"

#define SUGGESTION_MAX 16u

static void print_commands(const char *program, const char *about, const cli_command_t *rows, FILE *out)
{
    fprintf(out, "%s\n\nUsage: %s COMMAND [OPTION…]\n\n", about, program);
    for (const cli_command_t *row = rows; row->name; row++)
        fprintf(out, "  %-10s %s\n", row->name, row->help);
    fprintf(out, "\n%s COMMAND --help says more.\n", program);
}

static int refuse(const char *program, const cli_command_t *rows, const char *word)
{
    const char *names[SUGGESTION_MAX];
    size_t count = 0;
    for (const cli_command_t *row = rows; row->name && count < SUGGESTION_MAX; row++)
        names[count++] = row->name;
    const char *near = config_suggest(word, names, count);
    fprintf(stderr, "%s: unknown command '%s'", program, word);
    if (near)
        fprintf(stderr, "; did you mean '%s'?", near);
    fprintf(stderr, "\n%s --help lists them.\n", program);
    return CLI_USAGE;
}

int cli_command_dispatch(const char *program, const char *about, const cli_command_t *rows, int argc,
                         char **argv)
{
    if (argc < 2) {
        print_commands(program, about, rows, stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_commands(program, about, rows, stdout);
        return CLI_OK;
    }
    for (const cli_command_t *row = rows; row->name; row++) {
        if (strcmp(argv[1], row->name) == 0)
            return row->run(argc - 1, argv + 1);
    }
    return refuse(program, rows, argv[1]);
}
