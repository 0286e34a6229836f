/* cli/bench_report - a bench's result as text for people, or as one JSON object for scripts.
 * Thread: any; pure.
 */
#ifndef HEDDLE_CLI_BENCH_REPORT_H
#define HEDDLE_CLI_BENCH_REPORT_H

#include "base/buf.h"
#include "cli/bench_plan.h"

/* Every message came once, in order, and no connection was lost. */
bool cli_bench_is_clean(const cli_bench_result_t *result);

/* Did the generator itself hold things up (it was late, or had no CPU left)? Then the figures say less about
 * the servers. */
bool cli_bench_generator_was_limit(const cli_bench_result_t *result);

uint64_t cli_bench_deliveries_per_s(const cli_bench_result_t *result);

/* `trouble`: the first thing that went wrong, or "". */
void cli_bench_report_text(const cli_bench_plan_t *plan, const cli_bench_result_t *result,
                           const char *trouble, buf_t *out);
void cli_bench_report_json(const cli_bench_plan_t *plan, const cli_bench_result_t *result,
                           const char *trouble, buf_t *out);

#endif
