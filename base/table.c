#include "base/table.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"

#define FIRST_CAPACITY 8u

void table_init(table_t *self, table_key_fn *key)
{
    *self = (table_t){.key = key};
}

void table_fini(table_t *self)
{
    mem_free(self->slots);
    self->slots = NULL;
    self->capacity = self->count = 0;
}

/* The slot that holds the key, or the free slot where it would go. */
static size_t find(const table_t *self, uint64_t hash, span_t key)
{
    size_t mask = self->capacity - 1;
    size_t at = hash & mask;
    for (; self->slots[at].item; at = (at + 1) & mask) {
        if (self->slots[at].hash == hash && span_eq(self->key(self->slots[at].item), key))
            break;
    }
    return at;
}

static void place(table_t *self, uint64_t hash, void *item)
{
    size_t mask = self->capacity - 1;
    size_t at = hash & mask;
    while (self->slots[at].item)
        at = (at + 1) & mask;
    self->slots[at] = (table_slot_t){hash, item};
}

static void resize(table_t *self, size_t capacity)
{
    table_slot_t *old = self->slots;
    size_t old_capacity = self->capacity;
    self->slots = mem_new_n(capacity, sizeof *self->slots);
    self->capacity = capacity;
    for (size_t i = 0; i < old_capacity; i++) {
        if (old[i].item)
            place(self, old[i].hash, old[i].item);
    }
    mem_free(old);
}

void *table_get(const table_t *self, span_t key)
{
    if (self->count == 0)
        return NULL;
    return self->slots[find(self, hash_bytes(hash_process_key(), key), key)].item;
}

void table_put(table_t *self, void *item)
{
    if ((self->count + 1) * 4 > self->capacity * 3)
        resize(self, self->capacity ? self->capacity * 2 : FIRST_CAPACITY);
    span_t key = self->key(item);
    uint64_t hash = hash_bytes(hash_process_key(), key);
    size_t at = find(self, hash, key);
    CHECK(!self->slots[at].item);
    self->slots[at] = (table_slot_t){hash, item};
    self->count++;
}

/* Closes the hole at `hole`: each later item of the run that may move back does. */
static void shift_back(table_t *self, size_t hole)
{
    size_t mask = self->capacity - 1;
    for (size_t at = (hole + 1) & mask; self->slots[at].item; at = (at + 1) & mask) {
        size_t home = self->slots[at].hash & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            self->slots[hole] = self->slots[at];
            hole = at;
        }
    }
    self->slots[hole] = (table_slot_t){0};
}

void *table_remove(table_t *self, span_t key)
{
    if (self->count == 0)
        return NULL;
    size_t at = find(self, hash_bytes(hash_process_key(), key), key);
    void *item = self->slots[at].item;
    if (!item)
        return NULL;
    shift_back(self, at);
    self->count--;
    if (self->capacity > FIRST_CAPACITY && self->count * 8 < self->capacity)
        resize(self, self->capacity / 2);
    return item;
}

void *table_next(const table_t *self, size_t *at)
{
    while (*at < self->capacity) {
        void *item = self->slots[(*at)++].item;
        if (item)
            return item;
    }
    return NULL;
}
