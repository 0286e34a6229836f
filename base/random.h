/* base/random - random bytes from the system, and a seeded generator for cores and simulations.
 * Thread: any; a random_t belongs to its owner's thread.
 */
#ifndef HEDDLE_BASE_RANDOM_H
#define HEDDLE_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Fills from getrandom(2); aborts if the system has none. Fit for secrets. */
void random_fill(void *memory, size_t size);
uint64_t random_u64(void);

/* splitmix64 (Steele, Lea, Flood 2014): small, seeded, repeatable; not for secrets. */
typedef struct random {
    uint64_t state;
} random_t;

static inline uint64_t random_next(random_t *self)
{
    uint64_t z = (self->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* 0 <= result < bound; bound > 0. The bias of the modulo is below 2^-32 for the bounds used here. */
static inline uint64_t random_below(random_t *self, uint64_t bound)
{
    return random_next(self) % bound;
}

#endif
