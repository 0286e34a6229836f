#include "base/config/source.h"

#include "base/mem.h"
#include "base/table.h"

struct config_sources {
    table_t by_slot; /* of config_source_t, owned */
    char *file;      /* owned; NULL = none */
};

static span_t key_of(const void *item)
{
    const config_source_t *source = item;
    return span_new(&source->slot, sizeof source->slot);
}

config_sources_t *config_sources_new(const char *file)
{
    config_sources_t *self = mem_new(sizeof *self);
    table_init(&self->by_slot, key_of);
    self->file = mem_dup(file);
    return self;
}

void config_sources_destroy(config_sources_t **self_p)
{
    config_sources_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    size_t at = 0;
    for (void *source; (source = table_next(&self->by_slot, &at)) != NULL;)
        mem_free(source);
    table_fini(&self->by_slot);
    mem_free(self->file);
    mem_free(self);
}

void config_sources_set(config_sources_t *self, const void *slot, config_source_kind_t kind, size_t line)
{
    config_source_t *source = table_get(&self->by_slot, span_new(&slot, sizeof slot));
    if (source) {
        source->kind = kind;
        source->line = line;
        return;
    }
    source = mem_new(sizeof *source);
    *source = (config_source_t){slot, kind, line};
    table_put(&self->by_slot, source);
}

config_source_t config_sources_get(const config_sources_t *self, const void *slot)
{
    const config_source_t *source = table_get(&self->by_slot, span_new(&slot, sizeof slot));
    return source ? *source : (config_source_t){.slot = slot, .kind = CONFIG_FROM_DEFAULT};
}

const char *config_sources_file(const config_sources_t *self)
{
    return self->file;
}
