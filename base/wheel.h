/* base/wheel - many timers of coarse precision, O(1) to arm and disarm. For pings, deadlines, idle times.
 * Owner:  whoever embeds the wheel; a timer lives in the thing that it times.
 * Thread: its owner's.
 * Life:   wheel_init -> (arm | disarm | advance)*; a timer is zeroed memory, and disarmed before it is freed.
 *
 * A slot is 128 ms wide and there are 512, so a turn takes 65 s; later timers wait for their turn in their
 * slot. A timer fires at the first advance at or after its due time, never early. An advance looks at the slot
 * of the last one again and at those since, so its cost is what stands in them.
 */
#ifndef HEDDLE_BASE_WHEEL_H
#define HEDDLE_BASE_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

#define WHEEL_SLOTS   512u
#define WHEEL_SLOT_US 128000u

typedef struct wheel_timer {
    list_node_t node;
    uint64_t due_us; /* monotonic */
} wheel_timer_t;

/* The timer is off the wheel by then: the callback may arm it again, or free it. */
typedef void wheel_fire_fn(void *context, wheel_timer_t *timer, uint64_t now_us);

typedef struct wheel {
    list_t slots[WHEEL_SLOTS];
    uint64_t tick; /* the last slot number that was looked at */
    wheel_fire_fn *fire;
    void *context; /* borrowed, passed to fire */
} wheel_t;

void wheel_init(wheel_t *self, uint64_t now_us, wheel_fire_fn *fire, void *context);

/* Arms, or arms anew. */
void wheel_arm(wheel_t *self, wheel_timer_t *timer, uint64_t due_us);
void wheel_disarm(wheel_timer_t *timer);
bool wheel_armed(const wheel_timer_t *timer);

/* Fires what is due. Timers armed meanwhile with a due time that has passed fire at the next call. */
void wheel_advance(wheel_t *self, uint64_t now_us);

#endif
