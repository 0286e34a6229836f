/* relay/config - all settings of a relay: the sections of its file, and where they land.
 * Owner:  main.
 * Thread: any, read only after config_load.
 */
#ifndef HEDDLE_RELAY_CONFIG_H
#define HEDDLE_RELAY_CONFIG_H

#include "base/config.h"
#include "base/log.h"
#include "fabric/node_config.h"
#include "protocol/namespaces.h"

typedef struct relay_listen_config {
    char *address; /* "tcp://127.0.0.1:7700"; deliveries leave one port above */
} relay_listen_config_t;

typedef struct relay_fabric_config {
    char *secret_key_file;  /* empty: none */
    char *allowed_keys_dir; /* empty: none; both or neither */
    uint64_t heartbeat;     /* us */
    bool insecure;          /* the fabric may be bound where other machines reach it */
} relay_fabric_config_t;

typedef struct relay_admin_config {
    char *address; /* empty: none */
} relay_admin_config_t;

typedef struct relay_limits_config {
    uint64_t channels;       /* existing at once */
    uint64_t history_memory; /* bytes of all histories together */
    uint64_t link_window;    /* bytes held for one edge; above, its link is reset */
} relay_limits_config_t;

typedef struct relay_top_config {
    config_list_t peers;
    uint64_t replicas;            /* relays beside the owner that keep a channel: 0 or 1 */
    config_sections_t namespaces; /* of relay_namespace_config_t */
} relay_top_config_t;

typedef struct relay_namespace_config {
    char *name;
    uint64_t history_size;
    uint64_t history_ttl; /* us */
    bool presence;
    bool join_leave;
    bool force_push_join_leave;
    int subscribe; /* a subscribe_rule_t */
    int publish;   /* a publish_rule_t */
} relay_namespace_config_t;

typedef struct relay_config {
    node_config_t node;
    relay_listen_config_t listen;
    relay_fabric_config_t fabric;
    relay_top_config_t top;
    relay_admin_config_t admin;
    relay_limits_config_t limits;
    log_config_t log;
} relay_config_t;

#define RELAY_CONFIG_PARTS 7u

/* The tables with their targets in `config`, for base/config. */
void relay_config_parts(relay_config_t *config, config_part_t parts[RELAY_CONFIG_PARTS]);

/* What no setting shows alone. A fabric without keys is neither encrypted nor does it know who connects, so it is not
 * bound beyond loopback unless `fabric.insecure` says that the network is trusted. Reads the key files, too. ERR_* with a
 * sentence in `why`. */
int relay_config_check(const relay_config_t *config, buf_t *why);

/* Fills the set from the configuration; without a `default` section, that namespace exists with the defaults.
 * ERR_* with a sentence in `why`. */
int relay_config_namespaces(const relay_config_t *config, namespaces_t *out, buf_t *why);

#endif
