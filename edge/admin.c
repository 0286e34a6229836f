#include "edge/admin.h"

#include "base/check.h"
#include "edge/api.h"
#include "edge/edge.h"

#define ROW(field, kind, name, labels, help) {offsetof(edge_stats_t, field), kind, name, labels, help},
static const stat_row_t rows[] = {EDGE_STATS(ROW)};

void edge_stats_register(edge_stats_t *self)
{
    stats_register(rows, sizeof rows / sizeof rows[0], self);
}

void edge_stats_unregister(edge_stats_t *self)
{
    stats_unregister(self);
}

/* Says whether the loops turn, and nothing of relays: else an outage there would have every edge restarted. */
static void get_livez(void *context, http_exchange_t *exchange)
{
    const edge_worker_t *worker = context;
    bool live = edge_live(worker->edge);
    http_exchange_respond(exchange, live ? 200 : 503, "text/plain; charset=utf-8", NULL,
                          live ? SPAN("ok\n") : SPAN("a worker's loop hangs\n"));
}

void edge_admin_get_readyz(void *context, http_exchange_t *exchange)
{
    const edge_worker_t *worker = context;
    buf_t reasons = {0};
    buf_t body = {0};
    bool ready = edge_ready(worker->edge, &reasons);
    buf_printf(&body, "{\"ready\":%s,\"reasons\":[%s]}\n", ready ? "true" : "false", buf_text(&reasons));
    http_exchange_respond(exchange, ready ? 200 : 503, "application/json", NULL, buf_span(&body));
    buf_fini(&body);
    buf_fini(&reasons);
}

static void get_metrics(void *context, http_exchange_t *exchange)
{
    (void)context;
    buf_t out = {0};
    stats_render(&out);
    http_exchange_respond(exchange, 200, "text/plain; version=0.0.4; charset=utf-8", NULL, buf_span(&out));
    buf_fini(&out);
}

static const http_route_t own_routes[] = {
    {"GET", "/livez", get_livez},
    {"GET", "/readyz", edge_admin_get_readyz},
    {"GET", "/metrics", get_metrics},
};

#define OWN_ROUTES (sizeof own_routes / sizeof own_routes[0])
#define ROUTES_MAX 32u

const http_route_t *edge_admin_routes(void)
{
    static http_route_t all[ROUTES_MAX];
    CHECK(edge_admin_route_count() <= ROUTES_MAX);
    memcpy(all, own_routes, sizeof own_routes);
    memcpy(all + OWN_ROUTES, edge_api_routes, edge_api_route_count * sizeof *all);
    return all;
}

size_t edge_admin_route_count(void)
{
    return OWN_ROUTES + edge_api_route_count;
}
