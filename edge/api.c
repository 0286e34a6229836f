#include "edge/api.h"

#include <strings.h>

#include "base/err.h"
#include "edge/api_inside.h"

/* --- who may call --- */

/* In a time that depends on the length of what was given, and on nothing that it says. */
static bool is_same_secret(span_t given, span_t secret)
{
    unsigned difference = given.size != secret.size || secret.size == 0;
    for (size_t i = 0; i < given.size && secret.size > 0; i++)
        difference |= (unsigned)given.data[i] ^ secret.data[i % secret.size];
    return difference == 0;
}

/* All keys are compared, so that the time does not tell which was nearly right. */
static bool is_key(const config_list_t *keys, span_t given)
{
    bool found = false;
    for (size_t i = 0; i < keys->count; i++)
        found |= is_same_secret(given, span_str(keys->items[i]));
    return found;
}

#define SCHEME "apikey "

static bool is_authorized(const edge_worker_t *worker, const http_exchange_t *exchange)
{
    span_t given;
    if (http_exchange_header(exchange, "x-api-key", &given))
        return is_key(&worker->config->api.keys, given);
    if (!http_exchange_header(exchange, "authorization", &given) || given.size < sizeof SCHEME - 1 ||
        strncasecmp((const char *)given.data, SCHEME, sizeof SCHEME - 1) != 0)
        return false;
    return is_key(&worker->config->api.keys, span_skip(given, sizeof SCHEME - 1));
}

/* --- requests and answers --- */

int edge_api_text(const json_value_t *object, const char *name, size_t max, buf_t *out)
{
    json_value_t value;
    if (!json_get(object, name, &value) || value.type == JSON_NULL)
        return OK;
    size_t begin = out->size;
    int err = json_to_text(&value, out);
    return !err && out->size - begin > max ? ERR_TOO_BIG : err;
}

centrifuge_error_t edge_api_check_channel(const edge_worker_t *worker, span_t channel,
                                          const channel_options_t **options)
{
    const namespaces_t *namespaces = uplink_namespaces(worker->uplink);
    if (channel_name_check(channel) != OK)
        return CENTRIFUGE_ERROR_BAD_COMMAND;
    if (namespaces->count == 0) /* no relay has told them yet: that passes */
        return CENTRIFUGE_ERROR_INTERNAL;
    *options = namespaces_find(namespaces, channel);
    return *options ? CENTRIFUGE_ERROR_NONE : CENTRIFUGE_ERROR_UNKNOWN_CHANNEL;
}

void edge_api_respond(http_exchange_t *exchange, buf_t *text)
{
    http_exchange_respond(exchange, 200, "application/json", NULL, buf_span(text));
    buf_fini(text);
}

void edge_api_refuse(http_exchange_t *exchange, centrifuge_error_t error)
{
    buf_t text = {0};
    buf_append_str(&text, "{\"error\":");
    centrifuge_append_error(&text, error);
    buf_append_byte(&text, '}');
    edge_api_respond(exchange, &text);
}

static void serve(edge_worker_t *worker, http_exchange_t *exchange, edge_api_method_fn *method)
{
    json_value_t body;
    if (!is_authorized(worker, exchange))
        http_exchange_respond(exchange, 401, "text/plain", "WWW-Authenticate: apikey\r\n", (span_t){0});
    else if (json_parse(http_exchange_body(exchange), &body) != OK || json_check_keys(&body) != OK)
        http_exchange_respond(exchange, 400, "text/plain", NULL,
                              SPAN("the body has to be one JSON object, each of its keys once\n"));
    else
        method(worker, exchange, &body);
}

/* --- the routes --- */

#define METHODS(X)    \
    X(publish)        \
    X(broadcast)      \
    X(presence)       \
    X(presence_stats) \
    X(history)        \
    X(history_remove) \
    X(disconnect)     \
    X(unsubscribe)    \
    X(refresh)        \
    X(channels)       \
    X(info)

#define HANDLER(name)                                                  \
    static void serve_##name(void *context, http_exchange_t *exchange) \
    {                                                                  \
        serve(context, exchange, edge_api_##name);                     \
    }
METHODS(HANDLER)
#undef HANDLER

#define ROUTE(name) {"POST", "/api/" #name, serve_##name},
const http_route_t edge_api_routes[] = {METHODS(ROUTE)};
#undef ROUTE

const size_t edge_api_route_count = sizeof edge_api_routes / sizeof *edge_api_routes;
