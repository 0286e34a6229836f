#include "relay/config.h"

#include "base/err.h"
#include "fabric/endpoint.h"
#include "relay/admission.h"

static const config_row_t node_rows[] = {
    NODE_CONFIG_ROWS(
        "relay-1",
        "Name of this relay; owners of channels are chosen by it, so it stays the same over restarts."),
};

static const config_row_t listen_rows[] = {
    {.key = "address",
     .type = CONFIG_TEXT,
     .offset = offsetof(relay_listen_config_t, address),
     .fallback = "tcp://127.0.0.1:7700",
     .check = endpoint_check_listen,
     .help = "Where nodes connect; deliveries leave one port above."},
};

static const config_row_t fabric_rows[] = {
    {.key = "curve.secret_key_file",
     .type = CONFIG_TEXT,
     .offset = offsetof(relay_fabric_config_t, secret_key_file),
     .fallback = "",
     .example = "/etc/heddle/relay.key",
     .help = "The relays' secret key, made by `heddle keygen --role relay`, the same on all of them; empty: "
             "nothing is "
             "encrypted, and nobody is asked who it is."},
    {.key = "curve.allowed_keys_dir",
     .type = CONFIG_TEXT,
     .offset = offsetof(relay_fabric_config_t, allowed_keys_dir),
     .fallback = "",
     .example = "/etc/heddle/keys",
     .help = "A directory with the public key (*.pub) of each edge and tool that may connect; SIGHUP reads "
             "it again."},
    {.key = "heartbeat",
     .type = CONFIG_DURATION,
     .offset = offsetof(relay_fabric_config_t, heartbeat),
     .fallback = "1s",
     .min = HEARTBEAT_MIN_US,
     .max = HEARTBEAT_MAX_US,
     .help = "Between two signs of life on an idle link; who is silent for five of them is taken for dead."},
    {.key = "insecure",
     .type = CONFIG_BOOL,
     .offset = offsetof(relay_fabric_config_t, insecure),
     .fallback = "false",
     .help = "Lets listen.address be one that other machines reach; whoever reaches it can read and publish "
             "everything, so the network must be yours alone."},
};

static const config_row_t namespace_rows[] = {
    {.key = "history.size",
     .type = CONFIG_COUNT,
     .offset = offsetof(relay_namespace_config_t, history_size),
     .fallback = "32",
     .max = 1000000,
     .help = "Publications that a channel keeps, so that who comes back has missed nothing."},
    {.key = "history.ttl",
     .type = CONFIG_DURATION,
     .offset = offsetof(relay_namespace_config_t, history_ttl),
     .fallback = "30s",
     .help = "How long a publication is kept."},
    {.key = "presence",
     .type = CONFIG_BOOL,
     .offset = offsetof(relay_namespace_config_t, presence),
     .fallback = "false",
     .help = "Whether the relay knows which clients are in a channel."},
    {.key = "join_leave",
     .type = CONFIG_BOOL,
     .offset = offsetof(relay_namespace_config_t, join_leave),
     .fallback = "false",
     .help = "Whether subscribers that ask for it are told who joins and leaves; `presence` may be off."},
    {.key = "force_push_join_leave",
     .type = CONFIG_BOOL,
     .offset = offsetof(relay_namespace_config_t, force_push_join_leave),
     .fallback = "false",
     .help = "With join_leave: tells all subscribers, whether they ask for it or not."},
    {.key = "subscribe",
     .type = CONFIG_CHOICE,
     .offset = offsetof(relay_namespace_config_t, subscribe),
     .fallback = "anyone",
     .choices = SUBSCRIBE_RULES,
     .help = "Who may subscribe; `token` wants a subscription token."},
    {.key = "publish",
     .type = CONFIG_CHOICE,
     .offset = offsetof(relay_namespace_config_t, publish),
     .fallback = "authenticated",
     .choices = PUBLISH_RULES,
     .help = "Which clients may publish; the HTTP API may always."},
};

static const config_table_t namespace_table = CONFIG_TABLE(
    NULL, namespace_rows, relay_namespace_config_t, "What may be done in the channels of a namespace.");

static const config_row_t top_rows[] = {
    {.key = "peers",
     .type = CONFIG_LIST,
     .offset = offsetof(relay_top_config_t, peers),
     .check = endpoint_check_connect,
     .help = "The other relays, as an edge lists them; each must list the others, and may list itself."},
    {.key = "replicas",
     .type = CONFIG_COUNT,
     .offset = offsetof(relay_top_config_t, replicas),
     .fallback = "1",
     .max = 1,
     .help = "Relays beside its owner that keep a channel, where there are several; with 0 the channels of a "
             "relay that "
             "crashes begin anew. The same on all relays."},
    {.key = "namespaces",
     .type = CONFIG_SECTIONS,
     .offset = offsetof(relay_top_config_t, namespaces),
     .sections = &namespace_table,
     .fallback = "[default]",
     .help = "The namespaces that exist; `default` is that of names without ':'."},
};

static const config_row_t admin_rows[] = {
    {.key = "address",
     .type = CONFIG_TEXT,
     .offset = offsetof(relay_admin_config_t, address),
     .fallback = "127.0.0.1:9100",
     .help = "Where /livez, /readyz and /metrics are served; empty: nowhere."},
};

static const config_row_t limits_rows[] = {
    {.key = "channels",
     .type = CONFIG_COUNT,
     .offset = offsetof(relay_limits_config_t, channels),
     .fallback = "2000000",
     .min = 1,
     .max = 100000000,
     .help = "Channels that exist at once; above, new ones are refused."},
    {.key = "history_memory",
     .type = CONFIG_SIZE,
     .offset = offsetof(relay_limits_config_t, history_memory),
     .fallback = "256MiB",
     .min = 1024 * 1024,
     .help = "Memory of all histories together; above, the oldest publications go."},
    {.key = "link_window",
     .type = CONFIG_SIZE,
     .offset = offsetof(relay_limits_config_t, link_window),
     .fallback = "32MiB",
     .min = 1024 * 1024,
     .max = 4ull * 1024 * 1024 * 1024,
     .help =
         "What may wait for one edge; an edge that falls further behind starts again from its positions."},
};

static const config_table_t node_table = CONFIG_TABLE("node", node_rows, node_config_t, "Who this relay is.");
static const config_table_t listen_table =
    CONFIG_TABLE("listen", listen_rows, relay_listen_config_t, "The fabric: where edges and tools connect.");
static const config_table_t fabric_table =
    CONFIG_TABLE("fabric", fabric_rows, relay_fabric_config_t, "How the fabric is protected.");
static const config_table_t admin_table =
    CONFIG_TABLE("admin", admin_rows, relay_admin_config_t, "The port for operators.");
static const config_table_t limits_table =
    CONFIG_TABLE("limits", limits_rows, relay_limits_config_t, "What one relay holds at most.");

static const config_table_t top_table = CONFIG_TABLE(NULL, top_rows, relay_top_config_t, "The cluster.");

void relay_config_parts(relay_config_t *config, config_part_t parts[RELAY_CONFIG_PARTS])
{
    const config_part_t all[RELAY_CONFIG_PARTS] = {
        {&node_table, &config->node},      {&listen_table, &config->listen}, {&fabric_table, &config->fabric},
        {&top_table, &config->top},        {&admin_table, &config->admin},   {&limits_table, &config->limits},
        {&log_config_table, &config->log},
    };
    memcpy(parts, all, sizeof all);
}

static channel_options_t options_of(const relay_namespace_config_t *config)
{
    return (channel_options_t){
        .history_size = config->history_size,
        .history_ttl_us = config->history_ttl,
        .presence = config->presence,
        .join_leave = config->join_leave,
        .force_push_join_leave = config->force_push_join_leave,
        .subscribe = (subscribe_rule_t)config->subscribe,
        .publish = (publish_rule_t)config->publish,
    };
}

int relay_config_namespaces(const relay_config_t *config, namespaces_t *out, buf_t *why)
{
    const relay_namespace_config_t *sections = config->top.namespaces.items;
    namespaces_init(out);
    for (size_t i = 0; i < config->top.namespaces.count; i++) {
        channel_options_t options = options_of(&sections[i]);
        int err = namespaces_add(out, span_str(sections[i].name), &options);
        if (err) {
            buf_printf(why, "namespaces.%s: a name is 1 to 64 letters, digits, '_' and '-', and stands once",
                       sections[i].name);
            return err;
        }
    }
    return OK;
}

int relay_config_check(const relay_config_t *config, buf_t *why)
{
    int err = relay_admission_check(&config->fabric, why);
    if (err)
        return err;
    bool protected = config->fabric.secret_key_file[0] || config->fabric.insecure;
    if (!protected && !endpoint_is_local(config->listen.address)) {
        buf_printf(why,
                   "listen.address: other machines may reach %s, and without keys the fabric is neither "
                   "encrypted nor "
                   "does it ask who connects; set fabric.curve, or listen on 127.0.0.1, or set "
                   "fabric.insecure to true on "
                   "a network that is yours alone",
                   config->listen.address);
        return ERR_CONFIG;
    }
    namespaces_t namespaces;
    err = relay_config_namespaces(config, &namespaces, why);
    namespaces_fini(&namespaces);
    return err;
}
