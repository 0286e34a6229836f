/* tests/config_sample - a configuration with every type of setting, for tests and the fuzz target.
 * Life: zeroed sample -> sample_parts -> config_* -> config_free
 */
#ifndef HEDDLE_TESTS_CONFIG_SAMPLE_H
#define HEDDLE_TESTS_CONFIG_SAMPLE_H

#include "base/config.h"
#include "base/err.h"

enum { SAMPLE_PARTS = 2 };

typedef struct sample_listen {
    char *address;
    uint64_t max_connections;
    config_list_t allowed_origins;
} sample_listen_t;

typedef struct sample_namespace {
    char *name;
    uint64_t size, ttl;
    bool presence;
    int subscribe;
    char *password;
} sample_namespace_t;

typedef struct sample {
    char *node;
    config_list_t relays;
    uint64_t workers;
    bool required;
    char *secret;
    config_list_t keys;
    uint64_t message, interval;
    int policy;
    config_sections_t namespaces;
    sample_listen_t listen;
} sample_t;

static int sample_check_address(const char *text, buf_t *why)
{
    if (strchr(text, ':'))
        return OK;
    buf_append_str(why, "expected host:port");
    return ERR_MALFORMED;
}

static const config_row_t sample_namespace_rows[] = {
    {.key = "history.size",
     .type = CONFIG_COUNT,
     .offset = offsetof(sample_namespace_t, size),
     .fallback = "32",
     .max = 10000,
     .help = "Messages kept."},
    {.key = "history.ttl",
     .type = CONFIG_DURATION,
     .offset = offsetof(sample_namespace_t, ttl),
     .fallback = "30s",
     .help = "How long they are kept."},
    {.key = "presence",
     .type = CONFIG_BOOL,
     .offset = offsetof(sample_namespace_t, presence),
     .fallback = "false",
     .help = "Whether one sees who is there."},
    {.key = "subscribe",
     .type = CONFIG_CHOICE,
     .offset = offsetof(sample_namespace_t, subscribe),
     .fallback = "anyone",
     .choices = "anyone|token|nobody",
     .help = "Who may subscribe."},
    {.key = "password",
     .type = CONFIG_TEXT,
     .offset = offsetof(sample_namespace_t, password),
     .flags = CONFIG_SECRET,
     .help = "A secret in a section."},
};

static const config_table_t sample_namespace_table =
    CONFIG_TABLE("namespaces", sample_namespace_rows, sample_namespace_t, "What each namespace allows.");

static const config_row_t sample_rows[] = {
    {.key = "node.name",
     .type = CONFIG_TEXT,
     .offset = offsetof(sample_t, node),
     .flags = CONFIG_REQUIRED,
     .example = "edge-1",
     .help = "The name of the node."},
    {.key = "relays",
     .type = CONFIG_LIST,
     .offset = offsetof(sample_t, relays),
     .fallback = "[\"tcp://127.0.0.1:7700\"]",
     .check = sample_check_address,
     .help = "The relays to connect to."},
    {.key = "workers",
     .type = CONFIG_COUNT,
     .offset = offsetof(sample_t, workers),
     .fallback = "1",
     .min = 1,
     .max = 64,
     .help = "How many threads."},
    {.key = "auth.required",
     .type = CONFIG_BOOL,
     .offset = offsetof(sample_t, required),
     .fallback = "true",
     .help = "Whether a token is needed."},
    {.key = "auth.hmac_secret",
     .type = CONFIG_TEXT,
     .offset = offsetof(sample_t, secret),
     .flags = CONFIG_SECRET,
     .check = sample_check_address,
     .help = "The key of the tokens."},
    {.key = "api.keys",
     .type = CONFIG_LIST,
     .offset = offsetof(sample_t, keys),
     .flags = CONFIG_SECRET,
     .help = "The keys of back ends."},
    {.key = "limits.message",
     .type = CONFIG_SIZE,
     .offset = offsetof(sample_t, message),
     .fallback = "64KiB",
     .max = 1u << 30,
     .help = "The largest message."},
    {.key = "limits.on_slow_client",
     .type = CONFIG_CHOICE,
     .offset = offsetof(sample_t, policy),
     .fallback = "disconnect",
     .choices = "disconnect|drop_oldest",
     .help = "What happens to a slow client."},
    {.key = "ping.interval",
     .type = CONFIG_DURATION,
     .offset = offsetof(sample_t, interval),
     .fallback = "25s",
     .min = 1000000,
     .help = "How often the client is asked."},
    {.key = "namespaces",
     .type = CONFIG_SECTIONS,
     .offset = offsetof(sample_t, namespaces),
     .fallback = "[default]",
     .sections = &sample_namespace_table,
     .help = "The namespaces."},
};

static const config_row_t sample_listen_rows[] = {
    {.key = "address",
     .type = CONFIG_TEXT,
     .offset = offsetof(sample_listen_t, address),
     .fallback = "127.0.0.1:8000",
     .check = sample_check_address,
     .help = "Where clients connect."},
    {.key = "max_connections",
     .type = CONFIG_COUNT,
     .offset = offsetof(sample_listen_t, max_connections),
     .fallback = "1000",
     .help = "How many may."},
    {.key = "allowed_origins",
     .type = CONFIG_LIST,
     .offset = offsetof(sample_listen_t, allowed_origins),
     .help = "From which pages."},
};

static const config_table_t sample_table = CONFIG_TABLE(NULL, sample_rows, sample_t, "A node.");

static const config_table_t sample_listen_table =
    CONFIG_TABLE("listen", sample_listen_rows, sample_listen_t, "The listener.");

/* parts[SAMPLE_PARTS]; NULL = tables only */
static inline void sample_parts(sample_t *sample, config_part_t *parts)
{
    parts[0] = (config_part_t){&sample_table, sample};
    parts[1] = (config_part_t){&sample_listen_table, sample ? &sample->listen : NULL};
}

#endif
