/* tests/unit/cli/command_output - runs a subcommand in this process and keeps what it prints.
 * Owner:  the test.
 * Life:   zeroed memory -> command_run* -> command_output_fini.
 */
#ifndef HEDDLE_TESTS_CLI_COMMAND_OUTPUT_H
#define HEDDLE_TESTS_CLI_COMMAND_OUTPUT_H

#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "cli/command.h"

typedef struct command_output {
    int exit_code;
    buf_t out; /* standard output */
    buf_t err; /* standard error */
} command_output_t;

/* Points `stream` at a temporary file; returns it, and what the stream was in *saved. */
static inline FILE *command_redirect(FILE *stream, int *saved)
{
    FILE *file = tmpfile();
    CHECK(file);
    fflush(stream);
    *saved = dup(fileno(stream));
    CHECK(*saved >= 0 && dup2(fileno(file), fileno(stream)) >= 0);
    return file;
}

static inline void command_restore(FILE *stream, int saved, FILE *file, buf_t *out)
{
    fflush(stream);
    CHECK(dup2(saved, fileno(stream)) >= 0);
    close(saved);
    rewind(file);
    buf_clear(out);
    for (size_t got; (got = fread(buf_reserve(out, 4096), 1, 4096, file)) > 0;)
        buf_advance(out, got);
    fclose(file);
}

/* `words` ends with NULL and begins with the subcommand's name. */
static inline void command_run(command_output_t *self, cli_run_fn *run, char **words)
{
    int saved_out;
    int saved_err;
    int argc = 0;
    while (words[argc])
        argc++;
    FILE *out = command_redirect(stdout, &saved_out);
    FILE *err = command_redirect(stderr, &saved_err);
    self->exit_code = run(argc, words);
    command_restore(stderr, saved_err, err, &self->err);
    command_restore(stdout, saved_out, out, &self->out);
}

static inline void command_output_fini(command_output_t *self)
{
    buf_fini(&self->out);
    buf_fini(&self->err);
}

#endif
