/* sim/network - messages on their way: a network that loses, doubles, delays and reorders, on a virtual
 * clock.
 * Owner:  a simulation embeds it.
 * Life:   network_init -> (network_post | network_take | network_return)* -> network_fini
 */
#ifndef HEDDLE_TESTS_SIM_NETWORK_H
#define HEDDLE_TESTS_SIM_NETWORK_H

#include "base/random.h"
#include "base/span.h"

typedef struct flight {
    uint64_t at;
    uint64_t order; /* of posting, for those that arrive at the same time */
    size_t size;
    uint8_t bytes[];
} flight_t;

typedef struct network {
    random_t *random;              /* borrowed */
    unsigned loss, doubling, late; /* in parts of 10,000; late = up to late_max later than the others */
    uint64_t delay, jitter, late_max;
    flight_t **flights; /* owned; a heap by (at, order) */
    size_t count, room;
    uint64_t posted;
} network_t;

void network_init(network_t *self, random_t *random);
void network_fini(network_t *self);

/* false if all of it is lost. */
bool network_post(network_t *self, span_t message, uint64_t now_us);

/* From now on nothing happens to a message but the delay that all have. */
void network_calm(network_t *self);

uint64_t network_due(const network_t *self); /* when the next one arrives; UINT64_MAX = none is on its way */
flight_t *network_take(network_t *self);     /* that one; the caller frees it */

/* Takes a flight back, to arrive later, in its old place among those of the same time. */
void network_return(network_t *self, flight_t *flight, uint64_t at);

/* Writes what a message is in a line, for a trace. Returns out. */
const char *network_describe(span_t message, char *out, size_t size);

#endif
