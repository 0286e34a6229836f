/* sim/streams - what anybody has said about one channel: in each epoch, which publication is at which offset.
 * Owner:  a simulation embeds one for each channel, zeroed.
 * Life:   zeroed memory -> streams_claim* -> streams_check_* -> streams_fini
 *
 * A publication's id is its edge's life in the upper half, and that edge's count in the lower one.
 */
#ifndef HEDDLE_TESTS_SIM_STREAMS_H
#define HEDDLE_TESTS_SIM_STREAMS_H

#include <stddef.h>

#include "protocol/position.h"

#define STREAMS_MAX 256u /* epochs of one channel in a run */

typedef struct stream {
    char epoch[EPOCH_SIZE];
    uint64_t *ids; /* owned; by offset, 0 = not known */
    size_t room;
    uint64_t confirmed; /* the highest offset that a publisher was told */
} stream_t;

typedef struct streams {
    stream_t list[STREAMS_MAX]; /* by when they were first heard of */
    size_t count;
    char why[160];
} streams_t;

/* Of that epoch, found or made. Too many end the program. */
stream_t *streams_get(streams_t *self, const char *epoch);

const stream_t *streams_newest(const streams_t *self); /* NULL */

/* Somebody says that this publication is at this position. NULL, or what is wrong with that; lent until the next call. */
const char *streams_claim(streams_t *self, position_t position, uint64_t id);

/* Does no publication stand in a stream twice? */
const char *streams_check_unique(streams_t *self);

/* In each stream, do the publications of one life stand in the order of their numbers? There were so many lives. */
const char *streams_check_orders(streams_t *self, uint32_t lives);

void streams_fini(streams_t *self);

#endif
