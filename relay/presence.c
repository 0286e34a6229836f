#include "relay/presence.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/table.h"
#include "protocol/codec.h"

typedef struct entry {
    relay_peer_slot_t peer;
    uint16_t client_size, user_size, info_size;
    uint8_t bytes[]; /* client, user, info */
} entry_t;

struct relay_presence {
    table_t entries; /* by client; owned */
    table_t gone;    /* those that a sweep took away, and nobody has been told yet; by client; owned */
    size_t gone_at;  /* where the next one may be */
};

_Static_assert(CLIENT_INFO_MAX <= UINT16_MAX, "an info's size fits its field");

static span_t client_of(const void *item)
{
    const entry_t *entry = item;
    return span_new(entry->bytes, entry->client_size);
}

static span_t user_of(const void *item)
{
    const entry_t *entry = item;
    return span_new(entry->bytes + entry->client_size, entry->user_size);
}

static span_t info_of(const entry_t *entry)
{
    return span_new(entry->bytes + entry->client_size + entry->user_size, entry->info_size);
}

relay_presence_t *relay_presence_new(void)
{
    relay_presence_t *self = mem_new(sizeof *self);
    table_init(&self->entries, client_of);
    table_init(&self->gone, client_of);
    return self;
}

static void free_all(table_t *entries)
{
    entry_t *entry;
    for (size_t at = 0; (entry = table_next(entries, &at)) != NULL;)
        mem_free(entry);
    table_fini(entries);
}

void relay_presence_destroy(relay_presence_t **self_p)
{
    relay_presence_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    free_all(&self->entries);
    free_all(&self->gone);
    mem_free(self);
}

static entry_t *new_entry(const envelope_join_t *join, relay_peer_slot_t peer)
{
    size_t size = join->client.size + join->user.size + join->info.size;
    entry_t *entry = mem_new(sizeof *entry + size);
    entry->peer = peer;
    entry->client_size = (uint16_t)join->client.size;
    entry->user_size = (uint16_t)join->user.size;
    entry->info_size = (uint16_t)join->info.size;
    uint8_t *at = entry->bytes;
    const span_t parts[] = {join->client, join->user, join->info};
    for (size_t i = 0; i < 3; at += parts[i++].size) {
        if (parts[i].size)
            memcpy(at, parts[i].data, parts[i].size);
    }
    return entry;
}

/* Who has gone without anybody's knowing is back before it was missed. */
bool relay_presence_join(relay_presence_t *self, const envelope_join_t *join, relay_peer_slot_t peer)
{
    entry_t *before = table_remove(&self->entries, join->client);
    if (!before)
        before = table_remove(&self->gone, join->client);
    bool news = !before;
    mem_free(before);
    table_put(&self->entries, new_entry(join, peer));
    return news;
}

static void tell(entry_t *entry, relay_presence_left_fn *left, void *context)
{
    left(context, client_of(entry), user_of(entry), info_of(entry));
    mem_free(entry);
}

void relay_presence_leave(relay_presence_t *self, span_t client, relay_peer_slot_t peer,
                          relay_presence_left_fn *left, void *context)
{
    entry_t *entry = table_get(&self->entries, client);
    if (!entry || entry->peer != peer)
        return;
    table_remove(&self->entries, client);
    tell(entry, left, context);
}

static void part(relay_presence_t *self, const relay_peers_t *peers)
{
    table_t living;
    table_init(&living, client_of);
    entry_t *entry;
    for (size_t at = 0; (entry = table_next(&self->entries, &at)) != NULL;) {
        bool dead = relay_peers_dead(peers, entry->peer);
        table_put(dead ? &self->gone : &living, entry);
    }
    table_fini(&self->entries);
    self->entries = living;
}

/* Any of the gone; what moves when it is taken out moves to its place, or is met in the next round. */
static entry_t *take_gone(relay_presence_t *self)
{
    entry_t *entry = table_next(&self->gone, &self->gone_at);
    if (!entry) {
        self->gone_at = 0;
        entry = table_next(&self->gone, &self->gone_at);
    }
    self->gone_at--;
    return table_remove(&self->gone, client_of(entry));
}

bool relay_presence_sweep(relay_presence_t *self, const relay_peers_t *peers, size_t *most,
                          relay_presence_left_fn *left, void *context)
{
    if (self->gone.count == 0)
        part(self, peers);
    for (; self->gone.count && *most; --*most)
        tell(take_gone(self), left, context);
    return self->gone.count == 0;
}

size_t relay_presence_count(const relay_presence_t *self)
{
    return self->entries.count;
}

static bool write_list(const relay_presence_t *self, const relay_peers_t *peers, bool with_nodes, buf_t *out)
{
    buf_t items = {0};
    uint32_t count = 0;
    bool whole = true;
    const entry_t *entry;
    for (size_t at = 0; whole && (entry = table_next(&self->entries, &at)) != NULL;) {
        uint64_t node = relay_peers_last_node(peers, entry->peer);
        if (with_nodes ? !node : !relay_peers_live(peers, entry->peer))
            continue;
        size_t before = items.size;
        codec_write_array(&items, with_nodes ? 4 : 3);
        codec_write_text(&items, client_of(entry));
        codec_write_text(&items, user_of(entry));
        codec_write_data(&items, info_of(entry));
        if (with_nodes)
            codec_write_uint(&items, node);
        whole = items.size <= LIST_MAX - 8;
        if (whole)
            count++;
        else
            items.size = before;
    }
    codec_write_array(out, count);
    buf_append_span(out, buf_span(&items));
    buf_fini(&items);
    return whole;
}

bool relay_presence_list(const relay_presence_t *self, const relay_peers_t *peers, buf_t *out)
{
    return write_list(self, peers, false, out);
}

void relay_presence_write(const relay_presence_t *self, const relay_peers_t *peers, buf_t *out)
{
    (void)write_list(self, peers, true, out); /* the others' edges bring them again */
}

static int read_entry(span_t *list, envelope_join_t *join, uint64_t *node)
{
    uint32_t fields;
    int err = codec_read_array(list, &fields);
    if (!err && fields != 4)
        err = ERR_MALFORMED;
    if (!err)
        err = codec_read_text(list, CLIENT_ID_MAX, &join->client);
    if (!err)
        err = codec_read_text(list, USER_ID_MAX, &join->user);
    if (!err)
        err = codec_read_data(list, CLIENT_INFO_MAX, &join->info);
    return err ? err : codec_read_uint(list, node);
}

void relay_presence_read(relay_presence_t *self, span_t list, relay_presence_slot_fn *slot_of, void *context)
{
    uint32_t count;
    free_all(&self->entries);
    free_all(&self->gone);
    self->gone_at = 0;
    if (list.size == 0 || codec_read_array(&list, &count))
        return;
    for (; count > 0; count--) {
        envelope_join_t join = {0};
        uint64_t node;
        if (read_entry(&list, &join, &node))
            return;
        relay_presence_join(self, &join, slot_of(context, node));
    }
}

void relay_presence_stats(const relay_presence_t *self, const relay_peers_t *peers, uint64_t *clients,
                          uint64_t *users)
{
    table_t seen;
    table_init(&seen, user_of);
    *clients = 0;
    entry_t *entry;
    for (size_t at = 0; (entry = table_next(&self->entries, &at)) != NULL;) {
        if (!relay_peers_live(peers, entry->peer))
            continue;
        ++*clients;
        if (!table_get(&seen, user_of(entry)))
            table_put(&seen, entry);
    }
    *users = seen.count;
    table_fini(&seen);
}
