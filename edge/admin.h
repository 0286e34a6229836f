/* edge/admin - the port for operators: /livez, /readyz, /metrics, and the HTTP API.
 * Thread: the loop of the worker that serves it.
 */
#ifndef HEDDLE_EDGE_ADMIN_H
#define HEDDLE_EDGE_ADMIN_H

#include "base/http/server.h"
#include "edge/worker.h"

/* Rows for a server whose context is an edge_worker_t. Static memory. */
const http_route_t *edge_admin_routes(void);
size_t edge_admin_route_count(void);

/* 200, or 503 with the reasons; on the clients' port, too, for load balancers. */
void edge_admin_get_readyz(void *context, http_exchange_t *exchange);

void edge_stats_register(edge_stats_t *self);
void edge_stats_unregister(edge_stats_t *self);

#endif
