/* fabric/node_config - the section `node` of a configuration: what a node is called, and in which cluster.
 * Owner:  the program's configuration.
 * Thread: any, read only once loaded.
 */
#ifndef HEDDLE_FABRIC_NODE_CONFIG_H
#define HEDDLE_FABRIC_NODE_CONFIG_H

#include "base/config.h"
#include "fabric/node.h"

typedef struct node_config {
    char *name;
    char *cluster;
} node_config_t;

/* The section's rows. Programs differ in what they are called and what the name is good for. */
#define NODE_CONFIG_ROWS(default_name, name_help)                                                      \
    {.key = "name",                                                                                    \
     .type = CONFIG_TEXT,                                                                              \
     .offset = offsetof(node_config_t, name),                                                          \
     .fallback = (default_name),                                                                       \
     .check = node_check_name,                                                                         \
     .help = (name_help)},                                                                             \
    {                                                                                                  \
        .key = "cluster", .type = CONFIG_TEXT, .offset = offsetof(node_config_t, cluster),             \
        .fallback = "heddle", .check = node_check_name, .help = "Nodes of other clusters are refused." \
    }

#endif
