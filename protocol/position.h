/* protocol/position - a place in a channel's stream: (epoch, offset).
 * Thread: any; pure.
 *
 * Offsets are dense from 1; 0 is before the first. An epoch is 8 letters [A-Za-z], random, new whenever the
 * continuity of a channel is lost; two positions compare only within one epoch. As text: "abcdEFGH:42".
 */
#ifndef HEDDLE_PROTOCOL_POSITION_H
#define HEDDLE_PROTOCOL_POSITION_H

#include "base/span.h"

#define EPOCH_SIZE         8u
#define POSITION_TEXT_SIZE (EPOCH_SIZE + 1u + 20u + 1u)

typedef struct position {
    char epoch[EPOCH_SIZE]; /* all zero = none: no position is known */
    uint64_t offset;
} position_t;

static inline bool position_known(position_t p)
{
    return p.epoch[0] != '\0';
}

static inline bool position_same_epoch(position_t a, position_t b)
{
    return memcmp(a.epoch, b.epoch, EPOCH_SIZE) == 0;
}

static inline span_t position_epoch(const position_t *p)
{
    return span_new(p->epoch, position_known(*p) ? EPOCH_SIZE : 0);
}

/* Writes an epoch of 64 random bits; the offset stays. */
void position_new_epoch(position_t *self, uint64_t random);

/* Takes an epoch from outside: empty = none. ERR_MALFORMED if it is not 8 letters (and then the
 * old one stays). The offset stays. */
int position_set_epoch(position_t *self, span_t epoch);

/* Writes "epoch:offset" with a NUL; "" for none. Returns out. */
const char *position_print(position_t self, char out[POSITION_TEXT_SIZE]);

#endif
