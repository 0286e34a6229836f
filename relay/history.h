/* relay/history - the last publications of one channel; and the store that bounds all of them together.
 * Owner:  a channel embeds a history; the front has one store.
 * Thread: the relay loop. The time is an argument.
 * Life:   zeroed memory -> (append | trim | find)* -> relay_history_fini; the store outlives its histories
 *
 * What goes, and why, is counted by the store: by size, by age, or because the relay's memory cap is reached
 * (then the oldest message of all channels goes first).
 */
#ifndef HEDDLE_RELAY_HISTORY_H
#define HEDDLE_RELAY_HISTORY_H

#include "protocol/namespaces.h"
#include "relay/message.h"

typedef struct relay_store {
    list_t messages; /* of relay_message_t: of all histories, oldest first */
    size_t bytes;
    size_t limit;
    uint64_t dropped_size, dropped_age, dropped_memory; /* messages */
} relay_store_t;

void relay_store_init(relay_store_t *self, size_t limit);

typedef struct relay_history {
    relay_message_t **ring; /* owned, and the messages; NULL until the first append */
    uint32_t capacity;      /* slots, a power of two */
    uint32_t first;         /* slot of the oldest */
    uint32_t count;
} relay_history_t;

void relay_history_fini(relay_history_t *self, relay_store_t *store);

/* Keeps a copy of the encoded MSG, as far as the options and the store let it. Offsets have no holes: if it does not follow on
 * the newest, all before it is let go. */
void relay_history_append(relay_history_t *self, relay_store_t *store, const channel_options_t *options,
                          span_t encoded, uint64_t offset, uint64_t now_us);

/* Asks for the memory that the next append needs, in two stages: 0, and when that has come 1. */
void relay_history_fetch(const relay_history_t *self, unsigned stage);

/* Lets go what is too old. */
void relay_history_trim(relay_history_t *self, relay_store_t *store, const channel_options_t *options,
                        uint64_t now_us);

/* The message `at` places behind the oldest; at < count. */
const relay_message_t *relay_history_at(const relay_history_t *self, uint32_t at);

/* Is everything after `offset`, up to `top`, still here? Then `*at` is the place of the first one. */
bool relay_history_covers(const relay_history_t *self, uint64_t offset, uint64_t top, uint32_t *at);

/* The place of the first message behind `offset`; count if there is none. */
uint32_t relay_history_after(const relay_history_t *self, uint64_t offset);

#endif
