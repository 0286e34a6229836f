/* base/config/yaml - the strict part of YAML that a configuration may use, as a tree. On libyaml.
 * Owner:  config_parse, for the time of one call.
 * Thread: its owner's; no I/O.
 * Life:   config_yaml_read -> config_node_fini
 *
 * Scalars are texts: what they mean is the table's affair. Bounded: 16 levels, 65,536 nodes.
 */
#ifndef HEDDLE_BASE_CONFIG_YAML_H
#define HEDDLE_BASE_CONFIG_YAML_H

#include "base/config/report.h"

typedef enum config_node_kind {
    CONFIG_NODE_EMPTY, /* nothing stands there */
    CONFIG_NODE_TEXT,
    CONFIG_NODE_LIST,
    CONFIG_NODE_MAPPING,
    CONFIG_NODE_BAD, /* was reported already */
} config_node_kind_t;

typedef struct config_node {
    config_node_kind_t kind;
    char *key; /* owned; in a mapping */
    config_mark_t key_at;
    char *text;  /* owned; of a TEXT */
    bool quoted; /* the TEXT stands in quotes or in a block */
    config_mark_t at, end;
    struct config_node *items; /* owned; of a LIST or MAPPING, with duplicate keys if there are any */
    size_t count;
} config_node_t;

/* Mistakes go to the report. False if reading stopped at one: then root holds what came before it. root is to
 * be given to config_node_fini in any case. */
bool config_yaml_read(span_t text, config_node_t *root, config_report_t *report);

void config_node_fini(config_node_t *self);

#endif
