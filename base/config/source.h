/* base/config/source - where each value came from: a side table from a value's place to its source.
 * Owner:  whoever called config_load_traced, else config_parse for its call.
 * Thread: its owner's.
 * Life:   config_sources_new -> config_sources_set* -> config_sources_destroy
 */
#ifndef HEDDLE_BASE_CONFIG_SOURCE_H
#define HEDDLE_BASE_CONFIG_SOURCE_H

#include "base/config.h"

typedef enum config_source_kind {
    CONFIG_FROM_DEFAULT,
    CONFIG_FROM_FILE,
    CONFIG_FROM_ENVIRONMENT
} config_source_kind_t;

typedef struct config_source {
    const void *slot; /* the value's place in its target; only compared */
    config_source_kind_t kind;
    size_t line; /* in the file */
} config_source_t;

config_sources_t *config_sources_new(const char *file); /* file may be NULL */

void config_sources_set(config_sources_t *self, const void *slot, config_source_kind_t kind, size_t line);

/* CONFIG_FROM_DEFAULT for a slot that was not set. */
config_source_t config_sources_get(const config_sources_t *self, const void *slot);

const char *config_sources_file(const config_sources_t *self);

#endif
