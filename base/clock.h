/* base/clock - the two clocks, both in microseconds. Cores take the time as an argument and never call these.
 * Thread: any.
 */
#ifndef HEDDLE_BASE_CLOCK_H
#define HEDDLE_BASE_CLOCK_H

#include <stdint.h>

#define CLOCK_MS  1000u
#define CLOCK_SEC 1000000u

uint64_t clock_now_us(void);  /* monotonic; for everything that measures or waits */
uint64_t clock_wall_us(void); /* since 1970, UTC; for what people and tokens read */

#endif
