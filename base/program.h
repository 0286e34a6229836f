/* base/program - what the daemons' command lines have in common: -c, -t, --help and the like, and the
 * settings.
 * Thread: main, before any other thread runs.
 */
#ifndef HEDDLE_BASE_PROGRAM_H
#define HEDDLE_BASE_PROGRAM_H

#include "base/config.h"

/* Exit codes; the same for all of Heddle's programs. */
enum program_exit { PROGRAM_OK = 0, PROGRAM_FAILED = 1, PROGRAM_USAGE = 2, PROGRAM_UNREACHABLE = 3 };

typedef struct program {
    const char *name;    /* "heddle-edge" */
    const char *purpose; /* one sentence */
    const config_part_t *parts;
    size_t count; /* parts */
    /* What no setting shows alone, once all of them are good: OK, or ERR_* with a sentence in `why` that begins
     * with the setting to change. May be NULL. */
    int (*check)(const void *settings, buf_t *why);
    const void *settings; /* for check */
} program_t;

/* Does what the command line says. true: the settings are loaded, go on and run. false: all is said and done,
 * end with *exit_code. The settings are to be given to config_free either way. */
bool program_start(const program_t *self, int argc, char **argv, int *exit_code);

#endif
