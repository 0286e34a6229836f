/* cli/bench_ledger - what was sent, what each subscriber got, and how late: the bench's bookkeeping.
 * Owner:  cli/bench_clients, or a test.
 * Thread: its owner's. Pure: times are arguments.
 * Life:   new -> (compose | take)* -> start_counting -> (compose | take)* -> lost -> destroy
 *
 * Before start_counting the ledger only notes which subscribers have heard anything. After it everything is
 * exact: each message of each stream must reach each of the stream's subscribers once and in order.
 */
#ifndef HEDDLE_CLI_BENCH_LEDGER_H
#define HEDDLE_CLI_BENCH_LEDGER_H

#include "base/buf.h"
#include "cli/bench_plan.h"
#include "cli/bench_tracker.h"

typedef struct cli_bench_ledger cli_bench_ledger_t;

typedef struct cli_bench_totals {
    uint64_t unheard;    /* subscribers that have heard nothing yet */
    uint64_t sent;       /* messages since counting began */
    uint64_t strays;     /* on the wrong channel, or with a number that was never sent */
    uint64_t deliveries; /* all that came, also before counting and again */
    uint64_t last_delivery_ns;
    cli_bench_counts_t counts; /* since counting began */
    histogram_t latency;       /* ns, of messages meant to be sent from `measure_from` on */
    histogram_t lag;           /* ns, of the same */
} cli_bench_totals_t;

/* Subscriber s listens to stream s modulo `streams`. `size`: bytes of a payload; `run` tells this run's
 * messages from those of another. */
cli_bench_ledger_t *cli_bench_ledger_new(uint64_t streams, uint64_t subscribers, uint64_t size, uint32_t run);
void cli_bench_ledger_destroy(cli_bench_ledger_t **self_p);

/* The payload of the stream's next message, which counts as sent at `now_ns`. Lent until the next call. */
span_t cli_bench_ledger_compose(cli_bench_ledger_t *self, uint64_t stream, uint64_t intended_ns,
                                uint64_t now_ns);

/* What a subscriber got. Payloads without the stamp of this run are ignored. */
void cli_bench_ledger_take(cli_bench_ledger_t *self, uint64_t subscriber, span_t payload, uint64_t now_ns);

/* From here on each message counts; those sent before are ignored, also when they come late. */
void cli_bench_ledger_start_counting(cli_bench_ledger_t *self);
void cli_bench_ledger_measure_from(cli_bench_ledger_t *self, uint64_t from_ns);

const cli_bench_totals_t *cli_bench_ledger_totals(const cli_bench_ledger_t *self);

/* Deliveries that are due since counting began, and how many of them are missing. */
uint64_t cli_bench_ledger_expected(const cli_bench_ledger_t *self);
uint64_t cli_bench_ledger_lost(const cli_bench_ledger_t *self);

#endif
