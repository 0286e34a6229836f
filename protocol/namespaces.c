#include "protocol/namespaces.h"

#include "base/err.h"
#include "base/mem.h"
#include "protocol/codec.h"

struct namespace_entry {
    char name[NAMESPACE_NAME_MAX];
    size_t name_size;
    channel_options_t options;
};

/* Names without ':' are in the namespace of this name. */
#define DEFAULT_NAME SPAN("default")

/* Of an entry in a list: those that it has, and those that it had from the first version on. */
#define FIELDS     8u
#define FIELDS_MIN 6u

void namespaces_init(namespaces_t *self)
{
    *self = (namespaces_t){0};
}

void namespaces_fini(namespaces_t *self)
{
    mem_free(self->entries);
    namespaces_init(self);
}

static int compare(const struct namespace_entry *entry, span_t name)
{
    size_t size = entry->name_size < name.size ? entry->name_size : name.size;
    int order = memcmp(entry->name, name.data, size);
    if (order)
        return order;
    return (entry->name_size > name.size) - (entry->name_size < name.size);
}

/* Where the name is, or would be. */
static size_t find(const namespaces_t *self, span_t name, bool *found)
{
    size_t low = 0;
    size_t high = self->count;
    *found = false;
    while (low < high && !*found) {
        size_t middle = (low + high) / 2;
        int order = compare(&self->entries[middle], name);
        if (order < 0) {
            low = middle + 1;
        } else if (order > 0) {
            high = middle;
        } else {
            low = middle;
            *found = true;
        }
    }
    return low;
}

int namespaces_add(namespaces_t *self, span_t name, const channel_options_t *options)
{
    if (channel_name_check_namespace(name))
        return ERR_MALFORMED;
    if (self->count == NAMESPACES_MAX)
        return ERR_FULL;
    bool found;
    size_t at = find(self, name, &found);
    if (found)
        return ERR_DUPLICATE;
    self->entries = mem_grow(self->entries, self->count + 1, sizeof *self->entries);
    memmove(self->entries + at + 1, self->entries + at, (self->count - at) * sizeof *self->entries);
    struct namespace_entry *entry = &self->entries[at];
    *entry = (struct namespace_entry){.name_size = name.size, .options = *options};
    memcpy(entry->name, name.data, name.size);
    self->count++;
    return OK;
}

const channel_options_t *namespaces_find(const namespaces_t *self, span_t channel)
{
    span_t name = channel_name_namespace(channel);
    bool found;
    size_t at = find(self, name.size ? name : DEFAULT_NAME, &found);
    return found ? &self->entries[at].options : NULL;
}

void namespaces_encode(const namespaces_t *self, buf_t *out)
{
    codec_write_array(out, (uint32_t)self->count);
    for (size_t i = 0; i < self->count; i++) {
        const struct namespace_entry *entry = &self->entries[i];
        codec_write_array(out, FIELDS);
        codec_write_text(out, span_new(entry->name, entry->name_size));
        codec_write_uint(out, entry->options.history_size);
        codec_write_uint(out, entry->options.history_ttl_us);
        codec_write_uint(out, entry->options.presence);
        codec_write_uint(out, (uint64_t)entry->options.subscribe);
        codec_write_uint(out, (uint64_t)entry->options.publish);
        codec_write_uint(out, entry->options.join_leave);
        codec_write_uint(out, entry->options.force_push_join_leave);
    }
}

/* Rules of a newer version that we do not know count as the strictest. */
static uint64_t at_most(uint64_t rule, uint64_t strictest)
{
    return rule < strictest ? rule : strictest;
}

static int decode_entry(namespaces_t *self, span_t *rest)
{
    span_t name;
    uint32_t fields;
    uint64_t values[FIELDS - 1] = {0};
    int err = codec_read_array(rest, &fields);
    if (!err && fields < FIELDS_MIN)
        err = ERR_MALFORMED;
    if (!err)
        err = codec_read_text(rest, NAMESPACE_NAME_MAX, &name);
    for (uint32_t i = 0; !err && i < FIELDS - 1 && i + 1 < fields; i++)
        err = codec_read_uint(rest, &values[i]);
    for (uint32_t i = FIELDS; !err && i < fields; i++)
        err = codec_skip(rest);
    if (err)
        return err;
    channel_options_t options = {
        .history_size = values[0],
        .history_ttl_us = values[1],
        .presence = values[2] != 0,
        .subscribe = (subscribe_rule_t)at_most(values[3], SUBSCRIBE_NOBODY),
        .publish = (publish_rule_t)at_most(values[4], PUBLISH_NOBODY),
        .join_leave = values[5] != 0,
        .force_push_join_leave = values[6] != 0,
    };
    return namespaces_add(self, name, &options);
}

int namespaces_decode(namespaces_t *self, span_t list)
{
    namespaces_t decoded;
    namespaces_init(&decoded);
    uint32_t count = 0;
    int err = codec_read_array(&list, &count);
    for (uint32_t i = 0; !err && i < count; i++)
        err = decode_entry(&decoded, &list);
    if (err) {
        namespaces_fini(&decoded);
        return err;
    }
    namespaces_fini(self);
    *self = decoded;
    return OK;
}
