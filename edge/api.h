/* edge/api - the HTTP API for back ends: publish, broadcast, presence, disconnect and the like.
 * Thread: the worker's loop.
 *
 * Each call needs one of `api.keys` (X-API-Key). Answers are {"result":...} or {"error":{"code":..,"message":..}}.
 */
#ifndef HEDDLE_EDGE_API_H
#define HEDDLE_EDGE_API_H

#include "base/http/server.h"

#define EDGE_API_BODY_MAX (8u * 1024 * 1024)

/* Rows for a server whose context is an edge_worker_t. */
extern const http_route_t edge_api_routes[];
extern const size_t edge_api_route_count;

#endif
