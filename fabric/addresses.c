#include "fabric/addresses.h"

#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "fabric/endpoint.h"
#include "fabric/resolver.h"

#define INTERVAL_US (5u * CLOCK_SEC)

/* A name that stands for nothing yet: its relays may be starting right now. */
#define HASTE_US CLOCK_SEC

/* Missing from so many lookups in a row, an address is gone. */
#define MISSES_MAX 3u

#define HOST_SIZE 64 /* a numeric IPv6 address, with its zone */

typedef enum name_state { NAME_NEW, NAME_RESOLVED, NAME_FAILED } name_state_t;

/* One address of one entry. */
typedef struct found {
    char *address;   /* owned */
    unsigned misses; /* lookups in a row that did not find it */
    bool seen;       /* by the lookup that goes on */
} found_t;

/* One entry of the list: a fixed address, or a name and its lookup. */
struct addresses_lookup {
    addresses_t *owner;
    char *name;     /* owned; NULL = a fixed address */
    uint16_t port;  /* of a name's addresses */
    found_t *found; /* owned array; a fixed address stands here from the start */
    size_t count;
    uint64_t due;         /* us; of the next lookup */
    resolver_t *resolver; /* owned; the system's lookup that goes on */
    name_state_t state;
    bool looking; /* a lookup goes on */
    bool crowded; /* ... and has found more than there is room for */
    bool full;    /* so did the last one */
};

struct addresses {
    addresses_options_t options;
    addresses_lookup_t *entries; /* owned array; never moves */
    size_t count;
    size_t there;    /* different addresses */
    uv_loop_t *loop; /* borrowed; of the system's lookups */
    bool closed;
};

/* --- which addresses there are --- */

static found_t *find(const addresses_lookup_t *entry, const char *address)
{
    for (size_t i = 0; i < entry->count; i++) {
        if (strcmp(entry->found[i].address, address) == 0)
            return &entry->found[i];
    }
    return NULL;
}

/* Does an entry before `end` stand for it? */
static bool is_known(const addresses_t *self, const addresses_lookup_t *end, const char *address)
{
    for (const addresses_lookup_t *entry = self->entries; entry < end; entry++) {
        if (find(entry, address))
            return true;
    }
    return false;
}

static const addresses_lookup_t *end_of(const addresses_t *self)
{
    return self->entries + self->count;
}

static void append(addresses_lookup_t *entry, const char *address)
{
    entry->found = mem_grow(entry->found, entry->count + 1, sizeof *entry->found);
    entry->found[entry->count++] = (found_t){.address = mem_dup(address), .seen = true};
}

static int announce(addresses_t *self, const char *address)
{
    int err = self->options.came(self->options.context, address);
    if (!err)
        self->there++;
    return err;
}

static void add(addresses_lookup_t *entry, const char *address)
{
    addresses_t *self = entry->owner;
    if (!is_known(self, end_of(self), address)) {
        int err = announce(self, address);
        log_info("addresses.came", "address=%s name=%s err=%s", address, entry->name, err_name(err));
        if (err)
            return;
    }
    append(entry, address);
}

static void take_away(addresses_lookup_t *entry, size_t i)
{
    addresses_t *self = entry->owner;
    char *address = entry->found[i].address;
    entry->found[i] = entry->found[--entry->count];
    if (!is_known(self, end_of(self), address)) {
        log_info("addresses.gone", "address=%s name=%s", address, entry->name);
        self->there--;
        self->options.gone(self->options.context, address);
    }
    mem_free(address);
}

/* After a lookup: what it has not found for too long goes. */
static void sweep(addresses_lookup_t *entry)
{
    for (size_t i = entry->count; i-- > 0;) {
        found_t *found = &entry->found[i];
        found->misses = found->seen ? 0 : found->misses + 1;
        if (found->misses >= MISSES_MAX)
            take_away(entry, i);
    }
}

/* --- lookups --- */

static void system_found(void *context, const char *host)
{
    addresses_found(context, host);
}

static void system_done(void *context, int err)
{
    addresses_lookup_t *entry = context;
    entry->resolver = NULL;
    addresses_looked_up(entry, err);
}

static const resolver_events_t system_events = {system_found, system_done};

static void ask_system(addresses_lookup_t *entry)
{
    int err = resolver_start(&entry->resolver, entry->owner->loop, entry->name, &system_events, entry);
    if (err)
        addresses_looked_up(entry, err);
}

static void look_up(addresses_lookup_t *entry)
{
    const addresses_options_t *options = &entry->owner->options;
    for (size_t i = 0; i < entry->count; i++)
        entry->found[i].seen = false;
    entry->looking = true;
    entry->crowded = false;
    if (options->resolve)
        options->resolve(options->context, entry->name, entry);
    else
        ask_system(entry);
}

void addresses_found(addresses_lookup_t *lookup, const char *host)
{
    char address[sizeof "tcp://[]:65535" + HOST_SIZE];
    if (lookup->owner->closed)
        return;
    snprintf(address, sizeof address, strchr(host, ':') ? "tcp://[%s]:%u" : "tcp://%s:%u", host,
             lookup->port);
    found_t *found = find(lookup, address);
    if (found)
        found->seen = true;
    else if (lookup->count < ADDRESSES_PER_NAME)
        add(lookup, address);
    else
        lookup->crowded = true;
}

/* Once per change, or a name that has no records would fill the log. */
static void note(addresses_lookup_t *lookup, int err)
{
    name_state_t state = err ? NAME_FAILED : NAME_RESOLVED;
    if (state == NAME_FAILED && lookup->state != state)
        log_warn("addresses.failed", "name=%s err=%s kept=%zu", lookup->name, err_name(err), lookup->count);
    else if (lookup->state != state)
        log_info("addresses.resolved", "name=%s count=%zu", lookup->name, lookup->count);
    lookup->state = state;
    if (!err && lookup->crowded && !lookup->full)
        log_warn("addresses.full", "name=%s limit=%u", lookup->name, ADDRESSES_PER_NAME);
    if (!err)
        lookup->full = lookup->crowded;
}

static bool has_seen_any(const addresses_lookup_t *lookup)
{
    for (size_t i = 0; i < lookup->count; i++) {
        if (lookup->found[i].seen)
            return true;
    }
    return false;
}

void addresses_looked_up(addresses_lookup_t *lookup, int err)
{
    CHECK(lookup->looking);
    lookup->looking = false;
    if (lookup->owner->closed)
        return;
    if (!err && !has_seen_any(lookup))
        err = ERR_NOT_FOUND;
    if (!err)
        sweep(lookup);
    note(lookup, err);
}

/* --- time --- */

void addresses_tick(addresses_t *self, uv_loop_t *loop, uint64_t now_us)
{
    self->loop = loop;
    for (size_t i = 0; i < self->count && !self->closed; i++) {
        addresses_lookup_t *entry = &self->entries[i];
        if (now_us < entry->due)
            continue;
        if (!entry->looking)
            look_up(entry);
        uint64_t pause = self->options.interval_us;
        entry->due = now_us + (entry->count || pause < HASTE_US ? pause : HASTE_US);
    }
}

uint64_t addresses_due(const addresses_t *self)
{
    uint64_t due = UINT64_MAX;
    for (size_t i = 0; i < self->count && !self->closed; i++) {
        if (self->entries[i].due < due)
            due = self->entries[i].due;
    }
    return due;
}

size_t addresses_count(const addresses_t *self)
{
    return self->there;
}

/* --- life --- */

static void init_entry(addresses_lookup_t *entry, addresses_t *owner, const char *text)
{
    span_t name;
    entry->owner = owner;
    entry->due = UINT64_MAX;
    if (!endpoint_name(text, &name, &entry->port)) {
        append(entry, text);
        return;
    }
    entry->name = mem_dup_n((const char *)name.data, name.size);
    entry->due = 0;
}

addresses_t *addresses_new(const addresses_options_t *options)
{
    addresses_t *self = mem_new(sizeof *self);
    self->options = *options;
    self->options.list = NULL;
    if (!self->options.interval_us)
        self->options.interval_us = INTERVAL_US;
    self->count = options->list ? options->list->count : 0;
    self->entries = mem_new_n(self->count + 1, sizeof *self->entries);
    for (size_t i = 0; i < self->count; i++)
        init_entry(&self->entries[i], self, options->list->items[i]);
    return self;
}

int addresses_start(addresses_t *self, const char **failed)
{
    int err = OK;
    for (const addresses_lookup_t *entry = self->entries; !err && entry < end_of(self); entry++) {
        if (entry->name || is_known(self, entry, entry->found->address))
            continue;
        *failed = entry->found->address;
        err = announce(self, *failed);
    }
    return err;
}

void addresses_close(addresses_t *self)
{
    if (self->closed)
        return;
    self->closed = true;
    for (size_t i = 0; i < self->count; i++) {
        addresses_lookup_t *entry = &self->entries[i];
        entry->looking &= !entry->resolver;
        resolver_drop(&entry->resolver);
    }
}

static void fini_entry(addresses_lookup_t *entry)
{
    CHECK(!entry->looking);
    for (size_t i = 0; i < entry->count; i++)
        mem_free(entry->found[i].address);
    mem_free(entry->found);
    mem_free(entry->name);
}

void addresses_destroy(addresses_t **self_p)
{
    addresses_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    for (size_t i = 0; i < self->count; i++)
        fini_entry(&self->entries[i]);
    mem_free(self->entries);
    mem_free(self);
}
