#include "edge/config.h"

#include "base/err.h"
#include "fabric/endpoint.h"

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)

static const config_row_t node_rows[] = {
    NODE_CONFIG_ROWS("edge-1", "Name of this edge, for people and metrics."),
};

static const config_row_t top_rows[] = {
    {.key = "relays",
     .type = CONFIG_LIST,
     .offset = offsetof(edge_top_config_t, relays),
     .fallback = "[\"tcp://127.0.0.1:7700\"]",
     .check = endpoint_check_connect,
     .help = "The relays: tcp://HOST:PORT or ipc://PATH as they listen, or dns://NAME:PORT for all addresses "
             "that a name has, asked for every 5 s."},
    {.key = "workers",
     .type = CONFIG_COUNT,
     .offset = offsetof(edge_top_config_t, workers),
     .fallback = "1",
     .min = 1,
     .max = 256,
     .help = "Threads; each has its own loop, clients and link. More cores: more workers."},
};

static const config_row_t admin_rows[] = {
    {.key = "address",
     .type = CONFIG_TEXT,
     .offset = offsetof(edge_admin_config_t, address),
     .fallback = "127.0.0.1:9000",
     .help = "Where /livez, /readyz, /metrics and /api/ are served; empty: nowhere."},
};

static const config_row_t api_rows[] = {
    {.key = "keys",
     .type = CONFIG_LIST,
     .offset = offsetof(edge_api_config_t, keys),
     .flags = CONFIG_SECRET,
     .example = "[\"a-long-random-key\"]",
     .help = "What back ends send as X-API-Key; without any, /api/ answers 401."},
    {.key = "on_client_port",
     .type = CONFIG_BOOL,
     .offset = offsetof(edge_api_config_t, on_client_port),
     .fallback = "false",
     .help = "Whether /api/ is served on the clients' port, too."},
};

static const config_row_t limits_rows[] = {
    {.key = "message",
     .type = CONFIG_SIZE,
     .offset = offsetof(edge_limits_config_t, message),
     .fallback = "64KiB",
     .min = 1,
     .max = PAYLOAD_MAX,
     .help = "Largest message of a client; above, it is closed with 1009."},
    {.key = "outbox",
     .type = CONFIG_SIZE,
     .offset = offsetof(edge_limits_config_t, outbox),
     .fallback = "1MiB",
     .min = 4 * KIB,
     .max = 1024 * MIB,
     .help = "What may wait for one client that reads too slowly."},
    {.key = "on_slow_client",
     .type = CONFIG_CHOICE,
     .offset = offsetof(edge_limits_config_t, on_slow_client),
     .fallback = "disconnect",
     .choices = SLOW_POLICIES,
     .help = "What happens when an outbox is full: close with 3008, or (raw clients only) drop the oldest "
             "messages."},
    {.key = "channels_per_client",
     .type = CONFIG_COUNT,
     .offset = offsetof(edge_limits_config_t, channels_per_client),
     .fallback = "128",
     .min = 1,
     .max = 65535,
     .help = "Subscriptions of one client."},
};

static const config_row_t ping_rows[] = {
    {.key = "interval",
     .type = CONFIG_DURATION,
     .offset = offsetof(edge_ping_config_t, interval),
     .fallback = "25s",
     .min = 1000000,
     .max = 3600000000,
     .help = "How often a client is asked whether it is there."},
    {.key = "timeout",
     .type = CONFIG_DURATION,
     .offset = offsetof(edge_ping_config_t, timeout),
     .fallback = "8s",
     .min = 100000,
     .max = 600000000,
     .help = "How long its answer may take; after that it is closed with 3012."},
};

static const config_row_t demo_rows[] = {
    {.key = "edges",
     .type = CONFIG_LIST,
     .offset = offsetof(edge_demo_config_t, edges),
     .example = "[\"ws://127.0.0.1:8000\", \"ws://127.0.0.1:8001\"]",
     .help = "Serves the demo page at / with a client of each of these edges; empty: no page."},
};

static const config_table_t node_table = CONFIG_TABLE("node", node_rows, node_config_t, "Who this edge is.");
static const config_table_t admin_table =
    CONFIG_TABLE("admin", admin_rows, edge_admin_config_t, "The port for operators and back ends.");
static const config_table_t api_table =
    CONFIG_TABLE("api", api_rows, edge_api_config_t, "The HTTP API for back ends.");
static const config_table_t limits_table =
    CONFIG_TABLE("limits", limits_rows, edge_limits_config_t, "What one client may use.");
static const config_table_t ping_table =
    CONFIG_TABLE("ping", ping_rows, edge_ping_config_t, "How dead clients are found.");
static const config_table_t demo_table =
    CONFIG_TABLE("demo", demo_rows, edge_demo_config_t, "The demo page.");

static const config_table_t top_table =
    CONFIG_TABLE(NULL, top_rows, edge_top_config_t, "The cluster, and this edge's share of the machine.");

void edge_config_parts(edge_config_t *config, config_part_t parts[EDGE_CONFIG_PARTS])
{
    const config_part_t all[EDGE_CONFIG_PARTS] = {
        {&node_table, &config->node},      {&edge_listen_config_table, &config->listen},
        {&top_table, &config->top},        {&curve_client_config_table, &config->curve},
        {&admin_table, &config->admin},    {&edge_auth_config_table, &config->auth},
        {&api_table, &config->api},        {&limits_table, &config->limits},
        {&ping_table, &config->ping},      {&demo_table, &config->demo},
        {&log_config_table, &config->log},
    };
    memcpy(parts, all, sizeof all);
}

int edge_config_check(const edge_config_t *config, buf_t *why)
{
    edge_auth_t *auth = NULL;
    int err = edge_auth_open(&auth, &config->auth, why);
    edge_auth_destroy(&auth);
    curve_t curve = {0};
    if (!err)
        err = curve_load_config(&curve, &config->curve, why);
    curve_fini(&curve);
    return err;
}
