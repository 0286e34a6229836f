#include "edge/api.h"

#include <strings.h>

#include "base/err.h"
#include "base/mem.h"
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

int edge_api_position(const json_value_t *object, const char *name, position_t *out)
{
    json_value_t position, value;
    buf_t epoch = {0};
    *out = (position_t){0};
    if (!json_get(object, name, &position) || position.type == JSON_NULL)
        return OK;
    int err = json_check_keys(&position);
    if (!err && json_get(&position, "offset", &value) && value.type != JSON_NULL)
        err = json_to_u64(&value, &out->offset);
    if (!err)
        err = edge_api_text(&position, "epoch", CHANNEL_NAME_MAX, &epoch);
    if (!err && (position_set_epoch(out, buf_span(&epoch)) != OK || !position_known(*out)))
        err = ERR_NOT_FOUND;
    buf_fini(&epoch);
    return err;
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

void edge_api_append_error(buf_t *out, centrifuge_error_t error)
{
    buf_append_str(out, "{\"error\":");
    centrifuge_append_error(out, error);
    buf_append_byte(out, '}');
}

/* --- calls --- */

static void gone(void *user)
{
    ((edge_api_call_t *)user)->exchange = NULL;
}

static edge_api_call_t *call_new(edge_worker_t *worker, http_exchange_t *exchange)
{
    edge_api_call_t *self = mem_new(sizeof *self);
    self->worker = worker;
    self->exchange = exchange;
    http_exchange_on_gone(exchange, gone, self);
    return self;
}

/* `error` 0: with the result. */
static void end_call(edge_api_call_t **call_p, centrifuge_error_t error, span_t result)
{
    edge_api_call_t *self = *call_p;
    *call_p = NULL;
    buf_t text = {0};
    if (error) {
        edge_api_append_error(&text, error);
    } else {
        buf_append_str(&text, "{\"result\":");
        buf_append_span(&text, result);
        buf_append_byte(&text, '}');
    }
    if (self->exchange)
        http_exchange_respond(self->exchange, 200, "application/json", NULL, buf_span(&text));
    buf_fini(&text);
    mem_free(self);
}

static void answer_call(edge_api_call_t **call_p, centrifuge_error_t error, span_t result)
{
    struct edge_api_batch *batch = (*call_p)->batch;
    size_t place = (*call_p)->place;
    if (!batch) {
        end_call(call_p, error, result);
        return;
    }
    mem_free(*call_p);
    *call_p = NULL;
    edge_api_batch_answered(batch, place, error, result);
}

void edge_api_answer(edge_api_call_t **call_p, span_t result)
{
    answer_call(call_p, CENTRIFUGE_ERROR_NONE, result);
}

void edge_api_refuse(edge_api_call_t **call_p, centrifuge_error_t error)
{
    answer_call(call_p, error, (span_t){0});
}

/* Has it a key, and a body? Else it is answered. */
static bool take_body(const edge_worker_t *worker, http_exchange_t *exchange, json_value_t *body)
{
    if (!is_authorized(worker, exchange))
        http_exchange_respond(exchange, 401, "text/plain", "WWW-Authenticate: apikey\r\n", (span_t){0});
    else if (json_parse(http_exchange_body(exchange), body) != OK || json_check_keys(body) != OK)
        http_exchange_respond(exchange, 400, "text/plain", NULL,
                              SPAN("the body has to be one JSON object, each of its keys once\n"));
    else
        return true;
    return false;
}

static void serve(edge_worker_t *worker, http_exchange_t *exchange, edge_api_method_fn *method)
{
    json_value_t body;
    if (!take_body(worker, exchange, &body))
        return;
    edge_api_call_t *call = call_new(worker, exchange);
    method(&call, &body);
}

static void serve_batch(void *context, http_exchange_t *exchange)
{
    json_value_t body;
    if (take_body(context, exchange, &body))
        edge_api_batch(context, exchange, &body);
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
    X(subscribe)      \
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
const http_route_t edge_api_routes[] = {METHODS(ROUTE){"POST", "/api/batch", serve_batch}};
#undef ROUTE

const size_t edge_api_route_count = sizeof edge_api_routes / sizeof *edge_api_routes;

#define METHOD(name) {#name, edge_api_##name},
static const edge_api_method_t methods[] = {METHODS(METHOD)};
#undef METHOD

const edge_api_method_t *edge_api_find_method(span_t name)
{
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (span_is(name, methods[i].name))
            return &methods[i];
    }
    return NULL;
}
