/* base/quantity - numbers as people write them, from text and to text: counts, sizes and durations.
 * Thread: any; pure.
 *
 * Plain decimal digits and, where there is one, the unit right behind them: no sign, no point, no white
 * space.
 */
#ifndef HEDDLE_BASE_QUANTITY_H
#define HEDDLE_BASE_QUANTITY_H

#include "base/buf.h"

typedef enum quantity {
    QUANTITY_COUNT,    /* 250 */
    QUANTITY_SIZE,     /* bytes: 128, 512B, 64KiB, 1MiB, 2GiB */
    QUANTITY_DURATION, /* microseconds: 500us, 500ms, 25s, 5m, 12h, 30d; only 0 needs no unit */
} quantity_t;

/* OK; ERR_MALFORMED for anything but digits and a known unit; ERR_RANGE if 64 bits do not hold it. */
int quantity_read(quantity_t kind, span_t text, uint64_t *out);

/* The same for files that last: sizes need a unit, too, unless they are 0, and there are no leading zeros,
 * which other readers take for octal. */
int quantity_read_strict(quantity_t kind, span_t text, uint64_t *out);

/* Appends it in the largest unit that divides it; 0 has none. */
void quantity_append(buf_t *out, quantity_t kind, uint64_t number);

#endif
