/* edge/config - all settings of an edge: the sections of its file, and where they land.
 * Owner:  main.
 * Thread: any, read only after edge_config_load.
 */
#ifndef HEDDLE_EDGE_CONFIG_H
#define HEDDLE_EDGE_CONFIG_H

#include "base/config.h"
#include "base/log.h"
#include "edge/auth.h"
#include "edge/listener.h"
#include "fabric/curve.h"
#include "fabric/node_config.h"

/* What happens to a client whose outbox is full: the words of the configuration, in this order. */
#define SLOW_POLICIES "disconnect|drop_oldest"
typedef enum slow_policy { SLOW_DISCONNECT, SLOW_DROP_OLDEST } slow_policy_t;

typedef struct edge_limits_config {
    uint64_t message;   /* bytes of one message of a client */
    uint64_t outbox;    /* bytes that wait for one client */
    int on_slow_client; /* a slow_policy_t; drop_oldest is for raw clients, others are disconnected */
    uint64_t channels_per_client;
} edge_limits_config_t;

typedef struct edge_ping_config {
    uint64_t interval; /* us */
    uint64_t timeout;  /* us */
} edge_ping_config_t;

typedef struct edge_api_config {
    config_list_t keys;
    bool on_client_port;
} edge_api_config_t;

typedef struct edge_admin_config {
    char *address; /* empty: none */
} edge_admin_config_t;

/* The demo page at "/": a client of each of these edges in its own pane. */
typedef struct edge_demo_config {
    config_list_t edges; /* "ws://127.0.0.1:8000"; empty: no page */
} edge_demo_config_t;

/* The top level. */
typedef struct edge_top_config {
    config_list_t relays;
    uint64_t workers;
} edge_top_config_t;

typedef struct edge_config {
    node_config_t node;
    edge_listen_config_t listen;
    edge_top_config_t top;
    curve_client_config_t curve;
    edge_admin_config_t admin;
    edge_auth_config_t auth;
    edge_api_config_t api;
    edge_limits_config_t limits;
    edge_ping_config_t ping;
    edge_demo_config_t demo;
    log_config_t log;
} edge_config_t;

#define EDGE_CONFIG_PARTS 11u

/* The tables with their targets in `config`, for base/config. */
void edge_config_parts(edge_config_t *config, config_part_t parts[EDGE_CONFIG_PARTS]);

/* What no setting shows alone: a secret that is missing, unreadable or too short, or a key that is not good. ERR_* with a sentence in `why`. */
int edge_config_check(const edge_config_t *config, buf_t *why);

#endif
