#include "relay/publishers.h"

#include "base/mem.h"

#define FIRST_CAPACITY 64u

typedef struct record {
    uint64_t counter;
    position_t position;
} record_t;

typedef struct publisher {
    uint64_t node;
    uint64_t used_us;
    record_t *ring;    /* owned; by counter, ascending */
    uint32_t capacity; /* a power of two, at most PUBLISHER_MEMORY */
    uint32_t first;
    uint32_t count;
} publisher_t;

static span_t node_of(const void *item)
{
    const publisher_t *publisher = item;
    return span_new(&publisher->node, sizeof publisher->node);
}

static void destroy(publisher_t *self)
{
    mem_free(self->ring);
    mem_free(self);
}

void relay_publishers_init(relay_publishers_t *self)
{
    table_init(&self->by_node, node_of);
    self->last = NULL;
}

void relay_publishers_fini(relay_publishers_t *self)
{
    publisher_t *publisher;
    for (size_t at = 0; (publisher = table_next(&self->by_node, &at)) != NULL;)
        destroy(publisher);
    table_fini(&self->by_node);
}

static record_t *record_at(const publisher_t *self, uint32_t at)
{
    return &self->ring[(self->first + at) & (self->capacity - 1)];
}

/* The place of the first record that is not below the counter. */
static uint32_t lower_bound(const publisher_t *self, uint64_t counter)
{
    uint32_t low = 0;
    uint32_t high = self->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (record_at(self, middle)->counter < counter)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool relay_publishers_find(const relay_publishers_t *self, uint64_t node, uint64_t counter,
                           position_t *position)
{
    const publisher_t *publisher = table_get(&self->by_node, span_new(&node, sizeof node));
    if (!publisher)
        return false;
    uint32_t at = lower_bound(publisher, counter);
    if (at == publisher->count || record_at(publisher, at)->counter != counter)
        return false;
    *position = record_at(publisher, at)->position;
    return true;
}

void relay_publishers_forget(relay_publishers_t *self, uint64_t node, uint64_t counter)
{
    publisher_t *publisher = table_get(&self->by_node, span_new(&node, sizeof node));
    uint32_t at = publisher ? lower_bound(publisher, counter) : 0;
    if (!publisher || at == publisher->count || record_at(publisher, at)->counter != counter)
        return;
    for (; at + 1 < publisher->count; at++)
        *record_at(publisher, at) = *record_at(publisher, at + 1);
    publisher->count--;
}

static void grow(publisher_t *self)
{
    uint32_t capacity = self->capacity ? self->capacity * 2 : FIRST_CAPACITY;
    record_t *ring = mem_new_n(capacity, sizeof *ring);
    for (uint32_t i = 0; i < self->count; i++)
        ring[i] = *record_at(self, i);
    mem_free(self->ring);
    self->ring = ring;
    self->capacity = capacity;
    self->first = 0;
}

/* Almost always at the end; in front of it when a publication took another way before. */
static void insert(publisher_t *self, record_t record)
{
    if (self->count && record_at(self, self->count - 1)->counter >= record.counter) {
        uint32_t same = lower_bound(self, record.counter);
        if (same < self->count && record_at(self, same)->counter == record.counter) {
            *record_at(self, same) = record;
            return;
        }
    }
    if (self->count == PUBLISHER_MEMORY) {
        self->first = (self->first + 1) & (self->capacity - 1);
        self->count--;
    } else if (self->count == self->capacity) {
        grow(self);
    }
    uint32_t at = self->count++;
    for (; at && record_at(self, at - 1)->counter > record.counter; at--)
        *record_at(self, at) = *record_at(self, at - 1);
    *record_at(self, at) = record;
}

static publisher_t *get(relay_publishers_t *self, uint64_t node)
{
    if (self->last && self->last->node == node)
        return self->last;
    publisher_t *publisher = table_get(&self->by_node, span_new(&node, sizeof node));
    if (!publisher) {
        publisher = mem_new(sizeof *publisher);
        publisher->node = node;
        table_put(&self->by_node, publisher);
    }
    return self->last = publisher;
}

void relay_publishers_record(relay_publishers_t *self, uint64_t node, uint64_t counter, position_t position,
                             uint64_t now_us)
{
    publisher_t *publisher = get(self, node);
    publisher->used_us = now_us;
    insert(publisher, (record_t){counter, position});
}

void relay_publishers_sweep(relay_publishers_t *self, uint64_t now_us)
{
    table_t kept;
    table_init(&kept, node_of);
    publisher_t *publisher;
    for (size_t at = 0; (publisher = table_next(&self->by_node, &at)) != NULL;) {
        if (now_us < publisher->used_us + PUBLISHER_IDLE_US)
            table_put(&kept, publisher);
        else
            destroy(publisher);
    }
    table_fini(&self->by_node);
    self->by_node = kept;
    self->last = NULL;
}
