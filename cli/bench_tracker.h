/* cli/bench_tracker - one subscriber's view of one stream: what came, came twice, came late, never came.
 * Exact.
 * Owner:  the subscriber embeds it.
 * Thread: its owner's.
 * Life:   zeroed memory -> take* -> fini
 *
 * Keeps the next expected number and the gaps before it, so it costs memory only for what is missing; a
 * stream of n messages has at most n / 2 gaps.
 */
#ifndef HEDDLE_CLI_BENCH_TRACKER_H
#define HEDDLE_CLI_BENCH_TRACKER_H

#include "base/span.h"

typedef struct cli_bench_gap {
    uint32_t from, to; /* missing: from <= sequence < to */
} cli_bench_gap_t;

typedef struct cli_bench_tracker {
    uint32_t next;         /* the lowest number above all that came */
    uint32_t gap_count;    /* in use */
    uint32_t gap_capacity; /* allocated */
    cli_bench_gap_t *gaps; /* owned; ascending, never empty, never touching */
} cli_bench_tracker_t;

/* Summed over subscribers. */
typedef struct cli_bench_counts {
    uint64_t received;   /* different messages */
    uint64_t duplicates; /* seen before */
    uint64_t reordered;  /* came behind a later one; also counted as received */
} cli_bench_counts_t;

/* A number out of turn: behind a gap, or in one, or seen before. */
void cli_bench_tracker_take_other(cli_bench_tracker_t *self, uint32_t sequence, cli_bench_counts_t *counts);

/* Counts one arrival. */
static inline void cli_bench_tracker_take(cli_bench_tracker_t *self, uint32_t sequence,
                                          cli_bench_counts_t *counts)
{
    if (sequence == self->next) {
        self->next++;
        counts->received++;
    } else {
        cli_bench_tracker_take_other(self, sequence, counts);
    }
}

/* How many of the first `sent` numbers never came. */
uint64_t cli_bench_tracker_lost(const cli_bench_tracker_t *self, uint32_t sent);

void cli_bench_tracker_fini(cli_bench_tracker_t *self);

#endif
