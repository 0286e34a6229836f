#include "base/histogram.h"

#define STEP_BITS 4u /* HISTOGRAM_STEPS = 1 << STEP_BITS */

_Static_assert(HISTOGRAM_STEPS == 1u << STEP_BITS, "the steps are a power of two");

/* Values below 16 have a bucket each. Above, the top bit chooses a row of 16, and the next four bits the
 * step. */
static unsigned bucket_of(uint64_t value)
{
    if (value < HISTOGRAM_STEPS)
        return (unsigned)value;
    unsigned top = 63u - (unsigned)__builtin_clzll(value);
    unsigned row = top - STEP_BITS + 1;
    return row * HISTOGRAM_STEPS + (unsigned)((value >> (top - STEP_BITS)) & (HISTOGRAM_STEPS - 1));
}

/* The largest value that falls into the bucket. */
static uint64_t bucket_end(unsigned bucket)
{
    uint64_t row = bucket / HISTOGRAM_STEPS, step = bucket % HISTOGRAM_STEPS;
    if (row == 0)
        return step;
    uint64_t width = (uint64_t)1 << (row - 1);
    return (HISTOGRAM_STEPS + step) * width + (width - 1);
}

void histogram_add(histogram_t *self, uint64_t value)
{
    histogram_add_n(self, value, 1);
}

void histogram_add_n(histogram_t *self, uint64_t value, uint64_t count)
{
    if (count == 0)
        return;
    if (self->total == 0 || value < self->min)
        self->min = value;
    if (value > self->max)
        self->max = value;
    self->counts[bucket_of(value)] += count;
    self->total += count;
    self->sum += value * count;
}

/* How many of the values, counted from the smallest, make up the fraction: 1..total. */
static uint64_t rank_of(const histogram_t *self, double fraction)
{
    if (!(fraction > 0)) /* also NaN */
        return 1;
    if (fraction >= 1)
        return self->total;
    double exact = fraction * (double)self->total;
    uint64_t rank = (uint64_t)exact;
    if ((double)rank < exact)
        rank++;
    if (rank < 1)
        return 1;
    return rank < self->total ? rank : self->total;
}

uint64_t histogram_at(const histogram_t *self, double fraction)
{
    if (self->total == 0)
        return 0;
    uint64_t rank = rank_of(self, fraction), seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += self->counts[i];
        if (seen >= rank)
            return bucket_end(i) < self->max ? bucket_end(i) : self->max;
    }
    return self->max;
}
