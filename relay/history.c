#include "relay/history.h"

#include "base/check.h"
#include "base/mem.h"

#define FIRST_CAPACITY 4u

void relay_store_init(relay_store_t *self, size_t limit)
{
    *self = (relay_store_t){.limit = limit};
    list_init(&self->messages);
}

static size_t footprint(const relay_message_t *message)
{
    return sizeof *message + message->size;
}

static void drop_oldest(relay_history_t *self, relay_store_t *store)
{
    relay_message_t *oldest = self->ring[self->first];
    self->first = (self->first + 1) & (self->capacity - 1);
    self->count--;
    store->bytes -= footprint(oldest);
    list_remove(&oldest->of_store);
    mem_free(oldest);
}

void relay_history_fini(relay_history_t *self, relay_store_t *store)
{
    while (self->count)
        drop_oldest(self, store);
    mem_free(self->ring);
    *self = (relay_history_t){0};
}

void relay_history_fetch(const relay_history_t *self, unsigned stage)
{
    if (self->count == 0)
        return;
    if (stage == 0) {
        __builtin_prefetch(&self->ring[self->first]);
        __builtin_prefetch(&self->ring[(self->first + self->count) & (self->capacity - 1)]);
    } else {
        __builtin_prefetch(self->ring[self->first]);
    }
}

/* The next ones to go lie anywhere in memory. So each message is asked for when it is the fourth in line, its history
 * when it is the second, its place there when it is the first: what has come by then says where to go on. */
static void fetch_oldest(const relay_store_t *store)
{
    const list_node_t *end = &store->messages.head;
    const list_node_t *node = end->next;
    for (unsigned ahead = 1; ahead <= 3 && node != end; ahead++, node = node->next) {
        const relay_history_t *history = LIST_ITEM(node, relay_message_t, of_store)->history;
        if (ahead == 1)
            __builtin_prefetch(&history->ring[history->first]);
        else if (ahead == 2)
            __builtin_prefetch(history);
        else
            __builtin_prefetch(node->next);
    }
}

/* The oldest message of all is also the oldest of its channel. */
static void fit_store(relay_store_t *store)
{
    while (store->bytes > store->limit && !list_empty(&store->messages)) {
        relay_message_t *oldest = LIST_ITEM(store->messages.head.next, relay_message_t, of_store);
        CHECK(oldest->history->ring[oldest->history->first] == oldest);
        drop_oldest(oldest->history, store);
        store->dropped_memory++;
        fetch_oldest(store);
    }
}

static void grow(relay_history_t *self)
{
    uint32_t capacity = self->capacity ? self->capacity * 2 : FIRST_CAPACITY;
    relay_message_t **ring = mem_new_n(capacity, sizeof *ring);
    for (uint32_t i = 0; i < self->count; i++)
        ring[i] = self->ring[(self->first + i) & (self->capacity - 1)];
    mem_free(self->ring);
    self->ring = ring;
    self->capacity = capacity;
    self->first = 0;
}

void relay_history_append(relay_history_t *self, relay_store_t *store, const channel_options_t *options,
                          span_t encoded, uint64_t offset, uint64_t now_us)
{
    if (options->history_size == 0)
        return;
    relay_history_trim(self, store, options, now_us);
    while (self->count && relay_history_at(self, self->count - 1)->offset + 1 != offset)
        drop_oldest(self, store);
    while (self->count >= options->history_size) {
        drop_oldest(self, store);
        store->dropped_size++;
    }
    relay_message_t *message = mem_grow(NULL, 1, sizeof *message + encoded.size);
    *message = (relay_message_t){
        .history = self, .offset = offset, .time_us = now_us, .size = (uint32_t)encoded.size};
    memcpy(message->bytes, encoded.data, encoded.size);
    if (self->count == self->capacity)
        grow(self);
    self->ring[(self->first + self->count++) & (self->capacity - 1)] = message;
    list_append(&store->messages, &message->of_store);
    store->bytes += footprint(message);
    fit_store(store);
}

void relay_history_trim(relay_history_t *self, relay_store_t *store, const channel_options_t *options,
                        uint64_t now_us)
{
    while (self->count && self->ring[self->first]->time_us + options->history_ttl_us <= now_us) {
        drop_oldest(self, store);
        store->dropped_age++;
    }
}

const relay_message_t *relay_history_at(const relay_history_t *self, uint32_t at)
{
    CHECK(at < self->count);
    return self->ring[(self->first + at) & (self->capacity - 1)];
}

bool relay_history_covers(const relay_history_t *self, uint64_t offset, uint64_t top, uint32_t *at)
{
    *at = self->count;
    if (offset >= top)
        return offset == top;
    if (self->count == 0 || relay_history_at(self, 0)->offset > offset + 1 ||
        relay_history_at(self, self->count - 1)->offset != top) /* it came over in part */
        return false;
    *at = (uint32_t)(offset + 1 - relay_history_at(self, 0)->offset);
    return true;
}

uint32_t relay_history_after(const relay_history_t *self, uint64_t offset)
{
    if (self->count == 0 || offset < relay_history_at(self, 0)->offset)
        return 0;
    uint64_t behind = offset - relay_history_at(self, 0)->offset;
    return behind < self->count ? (uint32_t)behind + 1 : self->count;
}
