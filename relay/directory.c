#include "relay/directory.h"

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"

struct relay_directory {
    relay_context_t *context;       /* borrowed */
    const namespaces_t *namespaces; /* borrowed */
    table_t by_name;
    relay_channel_t **all; /* owned, and the channels; no holes */
    size_t capacity;       /* of all */
    size_t limit;
    random_t random;
    /* A sweep goes from the end to the start: what fills a hole comes from the end, and has been looked at.
     */
    size_t sweep_at;    /* this many are still to be looked at */
    uint64_t rest_till; /* us */
};

static span_t name_of(const void *item)
{
    return relay_channel_name(item);
}

relay_directory_t *relay_directory_new(relay_context_t *context, const namespaces_t *namespaces, size_t limit,
                                       uint64_t seed)
{
    relay_directory_t *self = mem_new(sizeof *self);
    self->context = context;
    self->namespaces = namespaces;
    self->limit = limit;
    self->random.state = seed;
    table_init(&self->by_name, name_of);
    return self;
}

void relay_directory_destroy(relay_directory_t **self_p)
{
    relay_directory_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    for (size_t i = 0; i < self->by_name.count; i++)
        relay_channel_destroy(&self->all[i], self->context);
    table_fini(&self->by_name);
    mem_free(self->all);
    mem_free(self);
}

relay_channel_t *relay_directory_find(const relay_directory_t *self, span_t name)
{
    return table_get(&self->by_name, name);
}

void relay_directory_expect(const relay_directory_t *self, const span_t *names, size_t count)
{
    void *channels[TABLE_PEEK_MAX];
    table_peek(&self->by_name, names, count, channels);
    for (unsigned stage = 0; stage < RELAY_CHANNEL_STAGES; stage++) {
        for (size_t i = 0; i < count; i++) {
            if (channels[i])
                relay_channel_fetch(channels[i], stage);
        }
    }
}

static relay_channel_t *add(relay_directory_t *self, span_t name, const channel_options_t *options,
                            uint64_t now_us)
{
    size_t count = self->by_name.count;
    if (count == self->capacity) {
        self->capacity = self->capacity ? self->capacity * 2 : 16;
        self->all = mem_grow(self->all, self->capacity, sizeof *self->all);
    }
    relay_channel_t *channel = relay_channel_new(name, options, random_next(&self->random), now_us);
    relay_channel_set_place(channel, (uint32_t)count);
    self->all[count] = channel;
    table_put(&self->by_name, channel);
    return channel;
}

int relay_directory_get(relay_directory_t *self, span_t name, uint64_t now_us, relay_channel_t **out)
{
    *out = relay_directory_find(self, name);
    if (*out)
        return OK;
    const channel_options_t *options = namespaces_find(self->namespaces, name);
    if (!options)
        return ERR_NOT_FOUND;
    if (self->by_name.count >= self->limit)
        return ERR_FULL;
    *out = add(self, name, options, now_us);
    return OK;
}

size_t relay_directory_count(const relay_directory_t *self)
{
    return self->by_name.count;
}

relay_channel_t *relay_directory_at(const relay_directory_t *self, size_t place)
{
    CHECK(place < self->by_name.count);
    return self->all[place];
}

static void remove_channel(relay_directory_t *self, relay_channel_t *channel)
{
    uint32_t place = relay_channel_place(channel);
    table_remove(&self->by_name, relay_channel_name(channel));
    relay_channel_t *last = self->all[self->by_name.count];
    self->all[place] = last;
    relay_channel_set_place(last, place);
    relay_channel_destroy(&channel, self->context);
}

static bool begin_sweep(relay_directory_t *self, uint64_t now_us)
{
    if (now_us < self->rest_till && self->context->peers.dead == 0)
        return false;
    relay_peers_sweep_begins(&self->context->peers);
    self->sweep_at = self->by_name.count;
    return true;
}

bool relay_directory_sweep(relay_directory_t *self, size_t budget, uint64_t now_us)
{
    if (self->sweep_at == 0 && !begin_sweep(self, now_us))
        return false;
    for (; self->sweep_at && budget; budget -= budget > 0) {
        relay_channel_t *channel = self->all[self->sweep_at - 1];
        if (!relay_channel_sweep_presence(channel, self->context, &budget, now_us))
            return true; /* it goes on there */
        self->sweep_at--;
        if (!relay_channel_sweep(channel, self->context, now_us))
            remove_channel(self, channel);
    }
    if (self->sweep_at)
        return true;
    relay_peers_sweep_ends(&self->context->peers);
    self->rest_till = now_us + RELAY_SWEEP_REST_US;
    return self->context->peers.dead > 0;
}
