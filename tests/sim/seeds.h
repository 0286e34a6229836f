/* sim/seeds - the command line that all simulations have:
 *
 *   NAME                       fresh seeds, from the clock, then those that have failed before
 *   NAME --seeds N --from S    N seeds from S on, then those
 *   NAME --seed S              that one, with a trace
 */
#ifndef HEDDLE_TESTS_SIM_SEEDS_H
#define HEDDLE_TESTS_SIM_SEEDS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct seeds {
    const char *name; /* of the simulation */
    const char *file; /* its past failures: a seed a line; what begins with no digit is a comment */
    uint64_t count;   /* fresh ones */
    void (*run)(uint64_t seed, bool traced); /* ends the program when something does not hold */
} seeds_t;

/* Runs what the arguments say. false: that was one with a trace, and there is nothing to sum up. A seed is the same run each
 * time, so tables hash alike in all. */
bool seeds_run(const seeds_t *self, int argc, char **argv);

#endif
