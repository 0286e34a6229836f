/* base/table - a hash table from bytes to items; the key lives in the item.
 * Owner:  whoever embeds it. It owns its slots and no item.
 * Thread: its owner's.
 * Life:   init -> (put | get | remove)* -> fini
 *
 * Open addressing with linear probing; a slot is the 64-bit keyed hash and the item's pointer, so a probe
 * touches the item only when all 64 bits agree. Removal shifts back: no tombstones.
 *
 * No call takes long, however many items there are: a large table that grows or shrinks has two arrays of slots for
 * a while, and each change moves a few slots from the old one to the new one.
 */
#ifndef HEDDLE_BASE_TABLE_H
#define HEDDLE_BASE_TABLE_H

#include "base/span.h"

/* The key of an item; lent as long as the item is in the table, and constant so long. */
typedef span_t table_key_fn(const void *item);

typedef struct table_slot {
    uint64_t hash;
    void *item; /* borrowed; NULL = free slot */
} table_slot_t;

typedef struct table_array {
    table_slot_t *slots; /* owned */
    size_t capacity;     /* a power of two, or 0 */
} table_array_t;

typedef struct table {
    table_array_t now; /* where items are put */
    table_array_t old; /* whose items are still to be moved; usually none */
    size_t moved;      /* slots of `old` that are empty, from the start */
    size_t count;      /* items */
    table_key_fn *key;
} table_t;

/* Costs no memory until the first put. */
void table_init(table_t *self, table_key_fn *key);
void table_fini(table_t *self);

void *table_get(const table_t *self, span_t key); /* NULL = not there */

/* Borrows item until it is removed. The key must not be there yet. */
void table_put(table_t *self, void *item);

void *table_remove(table_t *self, span_t key); /* the item, or NULL */

/* Walks the items in no order: for (size_t at = 0; (item = table_next(t, &at)) != NULL;). The table must not
 * change meanwhile. */
void *table_next(const table_t *self, size_t *at);

/* For keys that are about to be looked up in a table that no cache holds: waits for the memory of all their slots at
 * once, not for one after the other. items[i] is what keys[i] very likely is, for the caller to fetch as well, or
 * NULL: unknown. At most TABLE_PEEK_MAX. */
#define TABLE_PEEK_MAX 16u
void table_peek(const table_t *self, const span_t *keys, size_t count, void **items);

#endif
