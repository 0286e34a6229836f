/* edge/api_inside - what the API's files share: how a request is read and answered.
 * Thread: the worker's loop.
 *
 * api.c has the routes and the keys, api_publish.c what is published, api_ask.c what is asked of the relays
 * and, through them, of all edges, api_clients.c what is done to clients, api_batch.c several calls in one.
 */
#ifndef HEDDLE_EDGE_API_INSIDE_H
#define HEDDLE_EDGE_API_INSIDE_H

#include "edge/centrifuge_reply.h"
#include "edge/worker.h"

struct edge_api_batch;

/* What has to be answered, once, now or later: a request of its own, or a command of a batch. Owned by whoever is to
 * answer it. */
typedef struct edge_api_call {
    edge_worker_t *worker;        /* borrowed */
    http_exchange_t *exchange;    /* borrowed; NULL: its client has left, or it is a batch's */
    struct edge_api_batch *batch; /* borrowed; NULL: it is none's */
    size_t place;                 /* in the batch */
} edge_api_call_t;

/* Takes a call that has its key and whose body is a JSON object without double keys. The body is lent. */
typedef void edge_api_method_fn(edge_api_call_t **call_p, const json_value_t *body);

typedef struct edge_api_method {
    const char *name;
    edge_api_method_fn *serve;
} edge_api_method_t;

/* What may stand in a batch. NULL: there is none of that name. */
const edge_api_method_t *edge_api_find_method(span_t name);

/* Take the call and answer it: with the result, a JSON value; or with an error. */
void edge_api_answer(edge_api_call_t **call_p, span_t result);
void edge_api_refuse(edge_api_call_t **call_p, centrifuge_error_t error);

/* A command of a batch has been answered; `error` 0: with `result`. */
void edge_api_batch_answered(struct edge_api_batch *self, size_t place, centrifuge_error_t error,
                             span_t result);

edge_api_method_fn edge_api_publish, edge_api_broadcast;
edge_api_method_fn edge_api_presence, edge_api_presence_stats;
edge_api_method_fn edge_api_history, edge_api_history_remove;
edge_api_method_fn edge_api_disconnect, edge_api_subscribe, edge_api_unsubscribe, edge_api_refresh;
edge_api_method_fn edge_api_channels, edge_api_info;

/* POST /api/batch; answers the exchange itself, since its replies stand in no `result`. */
void edge_api_batch(edge_worker_t *worker, http_exchange_t *exchange, const json_value_t *body);

/* Takes the call and asks the relays; it is answered when they have, with what `render` appends: the result.
 * ERR_NOT_FOUND if the channel has no such position as was asked for (`since`), another ERR_* if the list
 * is not what it should be. */
typedef int edge_api_render_fn(buf_t *out, span_t items, position_t since);
void edge_api_ask(edge_api_call_t **call_p, const envelope_ask_t *question, edge_api_render_fn *render);
edge_api_render_fn edge_api_render_nothing; /* {} */

/* Appends a member that is a text; nothing if it is absent or null. ERR_TYPE, ERR_UTF8, or ERR_TOO_BIG above
 * `max` bytes. */
int edge_api_text(const json_value_t *object, const char *name, size_t max, buf_t *out);

/* A member {"offset": 3, "epoch": "aB"}; not known if it is not there. An epoch that is none of ours is ERR_NOT_FOUND. */
int edge_api_position(const json_value_t *object, const char *name, position_t *out);

/* 0 if there may be such a channel; its options in `options`, lent as long as the worker's namespaces stay. */
centrifuge_error_t edge_api_check_channel(const edge_worker_t *worker, span_t channel,
                                          const channel_options_t **options);

/* Appends {"error":...}. */
void edge_api_append_error(buf_t *out, centrifuge_error_t error);

#endif
