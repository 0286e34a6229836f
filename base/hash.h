/* base/hash - SipHash-1-3, a keyed hash (Aumasson and Bernstein, "SipHash: a fast short-input PRF").
 * Thread: any.
 *
 * Keyed, because clients choose the names that we put into tables.
 */
#ifndef HEDDLE_BASE_HASH_H
#define HEDDLE_BASE_HASH_H

#include "base/span.h"

typedef struct hash_key {
    uint64_t k0, k1;
} hash_key_t;

uint64_t hash_bytes(hash_key_t key, span_t bytes);

/* The process's own key: random, chosen at the first call, the same ever after. */
hash_key_t hash_process_key(void);

/* For a simulation that must be the same each time: before the first use. */
void hash_set_process_key(hash_key_t key);

#endif
