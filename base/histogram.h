/* base/histogram - counts of values in log-linear buckets: 64 powers of two in 16 steps, error at most 6.25 %.
 * Owner:  whoever embeds it.
 * Thread: its owner's.
 * Life:   zeroed memory -> add* (no fini)
 */
#ifndef HEDDLE_BASE_HISTOGRAM_H
#define HEDDLE_BASE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEPS   16u
#define HISTOGRAM_BUCKETS (61u * HISTOGRAM_STEPS)

typedef struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t total; /* values */
    uint64_t sum;
    uint64_t min, max; /* exact */
} histogram_t;

void histogram_add(histogram_t *self, uint64_t value);
void histogram_add_n(histogram_t *self, uint64_t value, uint64_t count);

/* The value that `fraction` (0..1) of the values do not exceed: the upper end of its bucket, at most max. 0
 * when empty. */
uint64_t histogram_at(const histogram_t *self, double fraction);

#endif
