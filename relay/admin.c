#include "relay/admin.h"

#include "base/err.h"
#include "base/http/server.h"
#include "base/mem.h"
#include "base/stats.h"
#include "fabric/node_stats.h"

#define RELAY_STATS(X)                                                                              \
    X(published, STAT_COUNTER, "heddle_relay_publications_total", "result=\"accepted\"",            \
      "Publications, by result")                                                                    \
    X(duplicates, STAT_COUNTER, "heddle_relay_publications_total", "result=\"duplicate\"",          \
      "Publications, by result")                                                                    \
    X(refused, STAT_COUNTER, "heddle_relay_publications_total", "result=\"refused\"",               \
      "Publications, by result")                                                                    \
    X(deliveries, STAT_COUNTER, "heddle_relay_deliveries_total", NULL, "Messages queued to links")  \
    X(overflows, STAT_COUNTER, "heddle_relay_link_overflows_total", NULL,                           \
      "Links reset because their window was full; they start again from their positions")           \
    X(unrecovered, STAT_COUNTER, "heddle_relay_unrecovered_total", NULL,                            \
      "Subscriptions that could not go on from their position; their listeners are told")           \
    X(dropped_size, STAT_COUNTER, "heddle_history_dropped_messages_total", "reason=\"size\"",       \
      "Messages that left a history, by cause")                                                     \
    X(dropped_age, STAT_COUNTER, "heddle_history_dropped_messages_total", "reason=\"age\"",         \
      "Messages that left a history, by cause")                                                     \
    X(dropped_memory, STAT_COUNTER, "heddle_history_dropped_messages_total", "reason=\"memory\"",   \
      "Messages that left a history, by cause")                                                     \
    X(history_bytes, STAT_GAUGE, "heddle_history_bytes", NULL, "Memory of all histories")           \
    X(unexpected, STAT_COUNTER, "heddle_relay_unexpected_envelopes_total", NULL,                    \
      "Envelopes that make no sense here")                                                          \
    X(channels, STAT_GAUGE, "heddle_relay_channels", NULL, "Channels that exist")                   \
    X(edges, STAT_GAUGE, "heddle_relay_edges", NULL, "Edges linked")                                \
    X(members, STAT_GAUGE, "heddle_mesh_members", NULL, "Relays in the view that is in force here") \
    X(views, STAT_COUNTER, "heddle_mesh_views_total", NULL, "Views that came into force here")      \
    X(settled, STAT_GAUGE, "heddle_mesh_settled", NULL,                                             \
      "1: all channels of the view are where they belong, and copied")                              \
    X(given, STAT_COUNTER, "heddle_mesh_channels_total", "direction=\"given\"",                     \
      "Channels that changed hands")                                                                \
    X(taken, STAT_COUNTER, "heddle_mesh_channels_total", "direction=\"taken\"",                     \
      "Channels that changed hands")                                                                \
    X(guests, STAT_COUNTER, "heddle_mesh_guest_messages_total", NULL,                               \
      "Messages of another lineage that were published again into their channel")                   \
    X(forwarded, STAT_COUNTER, "heddle_relay_forwarded_requests_total", NULL,                       \
      "Requests sent on to the relay that owns their channel")                                      \
    X(waiting, STAT_GAUGE, "heddle_relay_waiting_requests", NULL,                                   \
      "Requests that wait for a channel to change hands")                                           \
    X(copies, STAT_COUNTER, "heddle_relay_copies_total", NULL, "Publications sent to a replica")    \
    X(copies_refused, STAT_COUNTER, "heddle_mesh_refused_channels_total", NULL,                     \
      "Channels of other relays that there was no room for")                                        \
    X(uncommitted, STAT_GAUGE, "heddle_relay_uncommitted_bytes", NULL,                              \
      "Publications that wait for a replica to keep them")

typedef struct relay_stats {
    RELAY_STATS(STATS_FIELD)
} relay_stats_t;

#define ROW(field, kind, name, labels, help) {offsetof(relay_stats_t, field), kind, name, labels, help},
static const stat_row_t rows[] = {RELAY_STATS(ROW)};

struct relay_admin {
    const relay_front_t *front; /* borrowed */
    const node_t *node;         /* borrowed */
    const sockets_t *sockets;   /* borrowed */
    http_server_t *http;        /* owned */
    relay_stats_t stats;
    node_stats_t node_stats;
};

static void respond_text(http_exchange_t *exchange, span_t text)
{
    http_exchange_respond(exchange, 200, "text/plain; charset=utf-8", NULL, text);
}

/* The loop turns, as this answer shows. */
static void get_livez(void *context, http_exchange_t *exchange)
{
    (void)context;
    respond_text(exchange, SPAN("ok\n"));
}

/* A relay is ready when edges may use it: not while it waits for the others after its start, nor while it sees a cluster
 * that it has still to join. */
static void get_readyz(void *context, http_exchange_t *exchange)
{
    const relay_admin_t *self = context;
    if (relay_front_counts(self->front).serves)
        http_exchange_respond(exchange, 200, "application/json", NULL,
                              SPAN("{\"ready\":true,\"reasons\":[]}\n"));
    else
        http_exchange_respond(
            exchange, 503, "application/json", NULL,
            SPAN("{\"ready\":false,\"reasons\":[\"not yet in one view with the other relays\"]}\n"));
}

static void update(relay_admin_t *self)
{
    relay_front_counts_t counts = relay_front_counts(self->front);
    relay_stats_t *stats = &self->stats;
    stats_set(&stats->published, counts.published);
    stats_set(&stats->duplicates, counts.duplicates);
    stats_set(&stats->refused, counts.refused);
    stats_set(&stats->deliveries, counts.deliveries);
    stats_set(&stats->overflows, counts.overflows);
    stats_set(&stats->unrecovered, counts.unrecovered);
    stats_set(&stats->dropped_size, counts.dropped_size);
    stats_set(&stats->dropped_age, counts.dropped_age);
    stats_set(&stats->dropped_memory, counts.dropped_memory);
    stats_set(&stats->history_bytes, counts.history_bytes);
    stats_set(&stats->unexpected, counts.unexpected);
    stats_set(&stats->channels, counts.channels);
    stats_set(&stats->edges, counts.edges);
    stats_set(&stats->members, counts.members);
    stats_set(&stats->views, counts.views);
    stats_set(&stats->settled, counts.settled);
    stats_set(&stats->given, counts.given);
    stats_set(&stats->taken, counts.taken);
    stats_set(&stats->guests, counts.guests);
    stats_set(&stats->forwarded, counts.forwarded);
    stats_set(&stats->waiting, counts.waiting);
    stats_set(&stats->copies, counts.copies);
    stats_set(&stats->copies_refused, counts.copies_refused);
    stats_set(&stats->uncommitted, counts.uncommitted);
    node_stats_update(&self->node_stats, self->node, self->sockets);
}

static void get_metrics(void *context, http_exchange_t *exchange)
{
    update(context);
    buf_t out = {0};
    stats_render(&out);
    http_exchange_respond(exchange, 200, "text/plain; version=0.0.4; charset=utf-8", NULL, buf_span(&out));
    buf_fini(&out);
}

static const http_route_t routes[] = {
    {"GET", "/livez", get_livez},
    {"GET", "/readyz", get_readyz},
    {"GET", "/metrics", get_metrics},
};

int relay_admin_open(relay_admin_t **out, uv_loop_t *loop, const char *address, const relay_front_t *front,
                     const node_t *node, const sockets_t *sockets, buf_t *why)
{
    relay_admin_t *self = mem_new(sizeof *self);
    self->front = front;
    self->node = node;
    self->sockets = sockets;
    http_server_options_t options = {
        .address = address,
        .routes = routes,
        .route_count = sizeof routes / sizeof routes[0],
        .context = self,
    };
    int err = http_server_open(&self->http, loop, &options);
    if (err) {
        buf_printf(why, "admin.address: cannot listen on %s: %s", address, err_text(err));
        mem_free(self);
        *out = NULL;
        return err;
    }
    stats_register(rows, sizeof rows / sizeof rows[0], &self->stats);
    node_stats_register(&self->node_stats);
    *out = self;
    return OK;
}

uint16_t relay_admin_port(const relay_admin_t *self)
{
    return http_server_port(self->http);
}

void relay_admin_close(relay_admin_t *self)
{
    http_server_close(self->http, NULL);
}

void relay_admin_destroy(relay_admin_t **self_p)
{
    relay_admin_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    stats_unregister(&self->stats);
    node_stats_unregister(&self->node_stats);
    http_server_destroy(&self->http);
    mem_free(self);
}
