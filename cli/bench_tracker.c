#include "cli/bench_tracker.h"

#include "base/mem.h"

/* Puts a gap at `place`; the later ones move up. */
static void insert_gap(cli_bench_tracker_t *self, uint32_t place, cli_bench_gap_t gap)
{
    if (self->gap_count == self->gap_capacity) {
        self->gap_capacity = self->gap_capacity ? self->gap_capacity * 2 : 4;
        self->gaps = mem_grow(self->gaps, self->gap_capacity, sizeof *self->gaps);
    }
    memmove(self->gaps + place + 1, self->gaps + place, (self->gap_count - place) * sizeof *self->gaps);
    self->gaps[place] = gap;
    self->gap_count++;
}

static void remove_gap(cli_bench_tracker_t *self, uint32_t place)
{
    self->gap_count--;
    memmove(self->gaps + place, self->gaps + place + 1, (self->gap_count - place) * sizeof *self->gaps);
}

/* The first gap that ends above the number; gap_count if none does. */
static uint32_t find_gap(const cli_bench_tracker_t *self, uint32_t sequence)
{
    uint32_t low = 0;
    uint32_t high = self->gap_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (self->gaps[middle].to > sequence)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Takes the number out of a gap that holds it. */
static void fill(cli_bench_tracker_t *self, uint32_t place, uint32_t sequence)
{
    cli_bench_gap_t *gap = &self->gaps[place];
    cli_bench_gap_t behind = {sequence + 1, gap->to};
    gap->to = sequence;
    bool front_left = gap->from < gap->to;
    if (behind.from < behind.to) {
        if (front_left)
            insert_gap(self, place + 1, behind);
        else
            *gap = behind;
    } else if (!front_left) {
        remove_gap(self, place);
    }
}

void cli_bench_tracker_take_other(cli_bench_tracker_t *self, uint32_t sequence, cli_bench_counts_t *counts)
{
    if (sequence >= self->next) {
        if (sequence > self->next)
            insert_gap(self, self->gap_count, (cli_bench_gap_t){self->next, sequence});
        self->next = sequence + 1;
        counts->received++;
        return;
    }
    uint32_t place = find_gap(self, sequence);
    if (place == self->gap_count || self->gaps[place].from > sequence) {
        counts->duplicates++;
        return;
    }
    fill(self, place, sequence);
    counts->received++;
    counts->reordered++;
}

uint64_t cli_bench_tracker_lost(const cli_bench_tracker_t *self, uint32_t sent)
{
    uint64_t lost = sent > self->next ? sent - self->next : 0;
    for (uint32_t i = 0; i < self->gap_count; i++)
        lost += self->gaps[i].to - self->gaps[i].from;
    return lost;
}

void cli_bench_tracker_fini(cli_bench_tracker_t *self)
{
    mem_free(self->gaps);
    *self = (cli_bench_tracker_t){0};
}
