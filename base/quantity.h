/* base/quantity - numbers as people write them: counts, sizes with a unit, durations with a unit.
 * Thread: any; pure.
 *
 * Plain decimal digits and, where there is one, the unit right behind them: no sign, no point, no white
 * space.
 */
#ifndef HEDDLE_BASE_QUANTITY_H
#define HEDDLE_BASE_QUANTITY_H

#include "base/span.h"

/* Each: OK; ERR_MALFORMED for anything but digits and a known unit; ERR_RANGE if 64 bits do not hold it. */
int quantity_count(span_t text, uint64_t *out);       /* 250 */
int quantity_size(span_t text, uint64_t *out);        /* bytes: 128, 512B, 64KiB, 1MiB, 2GiB */
int quantity_duration(span_t text, uint64_t *out_us); /* 500us, 500ms, 25s, 5m, 12h, 30d; 0 needs no unit */

#endif
