/* cli/command - what every subcommand of `heddle` has in common: its exit codes, and its run function.
 * Thread: main; a run function may block.
 *
 * A new subcommand is one file with one run function, declared here, and one row in cli/main.c.
 */
#ifndef HEDDLE_CLI_COMMAND_H
#define HEDDLE_CLI_COMMAND_H

typedef enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,      /* it was tried and did not work */
    CLI_USAGE = 2,       /* wrong options, or a wrong configuration */
    CLI_UNREACHABLE = 3, /* the node to talk to did not answer */
} cli_exit_t;

/* argv[0] is the subcommand's name. Returns a cli_exit_t. */
typedef int cli_run_fn(int argc, char **argv);

int cli_bench_run(int argc, char **argv);
int cli_check_run(int argc, char **argv);
int cli_keygen_run(int argc, char **argv);
int cli_pub_run(int argc, char **argv);
int cli_status_run(int argc, char **argv);
int cli_sub_run(int argc, char **argv);
int cli_token_run(int argc, char **argv);

typedef struct cli_command {
    const char *name;
    const char *help; /* one line */
    cli_run_fn *run;
} cli_command_t;

/* Runs the row named argv[1], with its own argv from there; else tells of `program`'s subcommands: asked for
 * with --help on standard output (CLI_OK), otherwise on standard error with a suggestion (CLI_USAGE). */
int cli_command_dispatch(const char *program, const char *about, const cli_command_t *rows, int argc,
                         char **argv);

#endif
