/* edge/api_inside - what the API's files share: how a request is read and answered.
 * Thread: the worker's loop.
 *
 * api.c has the routes and the keys, api_publish.c what is published, api_ask.c what is asked of the relays
 * and, through them, of all edges.
 */
#ifndef HEDDLE_EDGE_API_INSIDE_H
#define HEDDLE_EDGE_API_INSIDE_H

#include "edge/centrifuge_reply.h"
#include "edge/worker.h"

/* A call that has its key and whose body is a JSON object. Answers the exchange, now or later; the body is
 * lent for the call. */
typedef void edge_api_method_fn(edge_worker_t *worker, http_exchange_t *exchange, const json_value_t *body);

edge_api_method_fn edge_api_publish, edge_api_broadcast;
edge_api_method_fn edge_api_presence, edge_api_presence_stats;
edge_api_method_fn edge_api_history, edge_api_history_remove;
edge_api_method_fn edge_api_disconnect, edge_api_unsubscribe, edge_api_refresh;
edge_api_method_fn edge_api_channels, edge_api_info;

/* Asks the relays; the exchange is answered when they have, with what `render` appends: the result, without the braces
 * around it. ERR_NOT_FOUND if the channel has no such position as was asked for (`since`), another ERR_* if the list
 * is not what it should be. */
typedef int edge_api_render_fn(buf_t *out, span_t items, position_t since);
void edge_api_ask(edge_worker_t *worker, http_exchange_t *exchange, const envelope_ask_t *question,
                  edge_api_render_fn *render);
edge_api_render_fn edge_api_render_nothing; /* {} */

/* Appends a member that is a text; nothing if it is absent or null. ERR_TYPE, ERR_UTF8, or ERR_TOO_BIG above
 * `max` bytes. */
int edge_api_text(const json_value_t *object, const char *name, size_t max, buf_t *out);

/* 0 if there may be such a channel; its options in `options`, lent as long as the worker's namespaces stay. */
centrifuge_error_t edge_api_check_channel(const edge_worker_t *worker, span_t channel,
                                          const channel_options_t **options);

/* Ends the exchange with {"error":...}; or with this text, which is taken (freed). */
void edge_api_refuse(http_exchange_t *exchange, centrifuge_error_t error);
void edge_api_respond(http_exchange_t *exchange, buf_t *text);

#endif
