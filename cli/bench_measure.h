/* cli/bench_measure - one run of a bench: connect, settle, warm up, measure, drain.
 * Thread: main; blocks for the whole run.
 *
 * Settling ends when every subscriber has heard from its publisher; only then is a missing message a loss and
 * not a subscription that was still on its way.
 */
#ifndef HEDDLE_CLI_BENCH_MEASURE_H
#define HEDDLE_CLI_BENCH_MEASURE_H

#include "base/buf.h"
#include "cli/bench_plan.h"

typedef struct cli_bench_progress {
    const char *phase;
    uint64_t elapsed_us, total_us; /* of the phase; total 0: it has no fixed end */
    uint64_t deliveries;           /* so far */
    uint64_t deliveries_per_s;     /* since the last call */
} cli_bench_progress_t;

typedef void cli_bench_progress_fn(const cli_bench_progress_t *progress);

/* `progress` (may be NULL) is called about once a second. `why` gets a sentence with an error, and with OK,
 * too, if connections broke or publishes were refused on the way. OK; ERR_RANGE: the plan needs more files
 * than the system gives; ERR_NOT_FOUND: no such server process; ERR_TIMEOUT: connections or first messages
 * did not come; else as cli_bench_clients_open. */
int cli_bench_measure(const cli_bench_plan_t *plan, cli_bench_progress_fn *progress, cli_bench_result_t *out,
                      buf_t *why);

#endif
