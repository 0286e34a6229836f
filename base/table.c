#include "base/table.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"

#define FIRST_CAPACITY 8u

/* A larger table moves to its new slots little by little: the first million items would take 50 ms at once. */
#define MOVE_AT_ONCE 1024u

/* Slots looked at by each change meanwhile. Between two resizes there are at least a 16th as many removals, or more
 * puts than that, as slots have to be moved; so a move is over before the next one has to begin. */
#define MOVE_STEP 16u

void table_init(table_t *self, table_key_fn *key)
{
    *self = (table_t){.key = key};
}

void table_fini(table_t *self)
{
    mem_free(self->now.slots);
    mem_free(self->old.slots);
    table_init(self, self->key);
}

/* --- one array of slots --- */

/* The slot that holds the key, or the free slot where it would go. */
static size_t find(const table_t *self, const table_array_t *array, uint64_t hash, span_t key)
{
    size_t mask = array->capacity - 1;
    size_t at = hash & mask;
    for (; array->slots[at].item; at = (at + 1) & mask) {
        if (array->slots[at].hash == hash && span_eq(self->key(array->slots[at].item), key))
            break;
    }
    return at;
}

static void place(table_array_t *array, table_slot_t slot)
{
    size_t mask = array->capacity - 1;
    size_t at = slot.hash & mask;
    while (array->slots[at].item)
        at = (at + 1) & mask;
    array->slots[at] = slot;
}

/* Closes the hole at `hole`: each later item of the run that may move back does. */
static void shift_back(table_array_t *array, size_t hole)
{
    size_t mask = array->capacity - 1;
    for (size_t at = (hole + 1) & mask; array->slots[at].item; at = (at + 1) & mask) {
        size_t home = array->slots[at].hash & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            array->slots[hole] = array->slots[at];
            hole = at;
        }
    }
    array->slots[hole] = (table_slot_t){0};
}

/* --- from the old array to the new one --- */

/* Moves the next slots, and on to the end of the run that it has come to: what is still in the old array can be
 * found there only while its run is whole. */
static void move_some(table_t *self, size_t step)
{
    table_array_t *old = &self->old;
    size_t end = self->moved + step;
    for (; self->moved < old->capacity && (self->moved < end || old->slots[self->moved].item);
         self->moved++) {
        if (old->slots[self->moved].item)
            place(&self->now, old->slots[self->moved]);
        old->slots[self->moved] = (table_slot_t){0};
    }
    if (self->moved < old->capacity)
        return;
    mem_free(old->slots);
    *old = (table_array_t){0};
}

static void go_on_moving(table_t *self)
{
    if (self->old.slots)
        move_some(self, MOVE_STEP);
}

static void resize(table_t *self, size_t capacity)
{
    if (self->old.slots)
        move_some(self, self->old.capacity);
    self->old = self->now;
    self->moved = 0;
    self->now = (table_array_t){mem_new_n(capacity, sizeof *self->now.slots), capacity};
    if (self->old.capacity <= MOVE_AT_ONCE)
        move_some(self, self->old.capacity);
}

/* --- the table --- */

void *table_get(const table_t *self, span_t key)
{
    if (self->count == 0)
        return NULL;
    uint64_t hash = hash_bytes(hash_process_key(), key);
    void *item = self->now.slots[find(self, &self->now, hash, key)].item;
    if (!item && self->old.slots)
        item = self->old.slots[find(self, &self->old, hash, key)].item;
    return item;
}

void table_put(table_t *self, void *item)
{
    if ((self->count + 1) * 4 > self->now.capacity * 3)
        resize(self, self->now.capacity ? self->now.capacity * 2 : FIRST_CAPACITY);
    go_on_moving(self);
    span_t key = self->key(item);
    uint64_t hash = hash_bytes(hash_process_key(), key);
    CHECK(!self->old.slots || !self->old.slots[find(self, &self->old, hash, key)].item);
    size_t at = find(self, &self->now, hash, key);
    CHECK(!self->now.slots[at].item);
    self->now.slots[at] = (table_slot_t){hash, item};
    self->count++;
}

static void *take_out(const table_t *self, table_array_t *array, uint64_t hash, span_t key)
{
    if (!array->slots)
        return NULL;
    size_t at = find(self, array, hash, key);
    void *item = array->slots[at].item;
    if (item)
        shift_back(array, at);
    return item;
}

void *table_remove(table_t *self, span_t key)
{
    uint64_t hash = hash_bytes(hash_process_key(), key);
    void *item = take_out(self, &self->now, hash, key);
    if (!item)
        item = take_out(self, &self->old, hash, key);
    if (!item)
        return NULL;
    self->count--;
    if (self->now.capacity > FIRST_CAPACITY && self->count * 8 < self->now.capacity)
        resize(self, self->now.capacity / 2);
    go_on_moving(self);
    return item;
}

void *table_next(const table_t *self, size_t *at)
{
    size_t end = self->now.capacity + self->old.capacity;
    while (*at < end) {
        size_t next = (*at)++;
        void *item = next < self->now.capacity ? self->now.slots[next].item
                                               : self->old.slots[next - self->now.capacity].item;
        if (item)
            return item;
    }
    return NULL;
}

void table_peek(const table_t *self, const span_t *keys, size_t count, void **items)
{
    uint64_t hashes[TABLE_PEEK_MAX];
    size_t mask = self->now.capacity - 1;
    CHECK(count <= TABLE_PEEK_MAX);
    for (size_t i = 0; i < count; i++) {
        items[i] = NULL;
        hashes[i] = hash_bytes(hash_process_key(), keys[i]);
        if (self->count)
            __builtin_prefetch(&self->now.slots[hashes[i] & mask]);
    }
    for (size_t i = 0; self->count && i < count; i++) {
        size_t at = hashes[i] & mask;
        while (self->now.slots[at].item && self->now.slots[at].hash != hashes[i])
            at = (at + 1) & mask;
        items[i] = self->now.slots[at].item;
    }
}
