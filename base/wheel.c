#include "base/wheel.h"

void wheel_init(wheel_t *self, uint64_t now_us, wheel_fire_fn *fire, void *context)
{
    for (size_t i = 0; i < WHEEL_SLOTS; i++)
        list_init(&self->slots[i]);
    self->tick = now_us / WHEEL_SLOT_US;
    self->fire = fire;
    self->context = context;
}

/* What is due already goes into the slot that the next advance looks at first. */
void wheel_arm(wheel_t *self, wheel_timer_t *timer, uint64_t due_us)
{
    list_remove(&timer->node);
    timer->due_us = due_us;
    uint64_t tick = due_us / WHEEL_SLOT_US;
    if (tick < self->tick)
        tick = self->tick;
    list_append(&self->slots[tick % WHEEL_SLOTS], &timer->node);
}

void wheel_disarm(wheel_timer_t *timer)
{
    list_remove(&timer->node);
}

bool wheel_armed(const wheel_timer_t *timer)
{
    return list_linked(&timer->node);
}

static void take_due(list_t *slot, uint64_t now_us, list_t *due)
{
    LIST_EACH_SAFE (node, slot) {
        if (LIST_ITEM(node, wheel_timer_t, node)->due_us > now_us)
            continue;
        list_remove(node);
        list_append(due, node);
    }
}

/* All that is due is taken off first and fired then: so a callback may arm and disarm whatever it likes, and
 * what it arms waits for the next call. The slot of the last call is looked at again, since a timer in it may
 * have become due since. */
void wheel_advance(wheel_t *self, uint64_t now_us)
{
    uint64_t now_tick = now_us / WHEEL_SLOT_US;
    if (now_tick < self->tick)
        return;
    uint64_t turns = now_tick - self->tick;
    uint64_t slots = turns < WHEEL_SLOTS ? turns + 1 : WHEEL_SLOTS;
    list_t due;
    list_init(&due);
    for (uint64_t i = 0; i < slots; i++)
        take_due(&self->slots[(self->tick + i) % WHEEL_SLOTS], now_us, &due);
    self->tick = now_tick;

    for (list_node_t *node; (node = list_pop(&due)) != NULL;)
        self->fire(self->context, LIST_ITEM(node, wheel_timer_t, node), now_us);
}
