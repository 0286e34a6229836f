/* cli/bench_proc - what a process has used so far, from /proc.
 * Thread: any; reads files.
 */
#ifndef HEDDLE_CLI_BENCH_PROC_H
#define HEDDLE_CLI_BENCH_PROC_H

#include <sys/types.h>

#include "base/span.h"

typedef struct cli_bench_usage {
    uint64_t cpu_us; /* user and system, all threads; the system counts in steps of 10 ms */
    uint64_t rss;    /* bytes; exact from smaps_rollup where it may be read, else from status */
} cli_bench_usage_t;

/* OK; ERR_NOT_FOUND: no such process. */
int cli_bench_proc_read(pid_t pid, cli_bench_usage_t *out);

/* The number behind "Name:" at the beginning of a line, as in /proc/PID/status; false if there is none. Pure.
 */
bool cli_bench_proc_field(const char *text, const char *name, uint64_t *out);

/* User and system ticks from the text of /proc/PID/stat, whatever the process calls itself. Pure. */
bool cli_bench_proc_ticks(const char *text, uint64_t *out);

#endif
