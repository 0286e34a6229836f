/* edge/worker - one thread of an edge: a loop, a node with its sockets, a server with its sessions. Workers share
 * nothing but what is read only (settings, auth).
 * Owner:  edge/edge makes and joins workers.
 * Thread: made in the main thread; then everything runs in its own, but for what says "from any thread".
 * Life:   edge_worker_open -> edge_worker_start -> edge_worker_stop(graceful | at once) -> edge_worker_join ->
 *         edge_worker_destroy
 */
#ifndef HEDDLE_EDGE_WORKER_H
#define HEDDLE_EDGE_WORKER_H

#include "base/list.h"
#include "base/stats.h"
#include "base/wheel.h"
#include "edge/config.h"
#include "edge/hub.h"
#include "edge/listener.h"
#include "edge/session.h"

/* Bytes that one session writes in one go at most; more waits for the next turn, so that all get theirs. */
#define EDGE_WRITE_SIZE (64u * 1024)

#define EDGE_STATS(X)                                                                                        \
    X(connections, STAT_GAUGE, "heddle_client_connections", NULL, "WebSocket clients connected now")         \
    X(subscriptions, STAT_GAUGE, "heddle_client_subscriptions", NULL, "Subscriptions of clients now")        \
    X(channels, STAT_GAUGE, "heddle_edge_channels", NULL, "Channels that clients of this edge listen to")    \
    X(accepted, STAT_COUNTER, "heddle_client_accepted_total", NULL, "Handshakes answered with 101")          \
    X(rejected, STAT_COUNTER, "heddle_client_rejected_total", NULL, "Handshakes refused or timed out")       \
    X(messages_in, STAT_COUNTER, "heddle_client_messages_total", "direction=\"in\"", "Messages of clients")  \
    X(messages_out, STAT_COUNTER, "heddle_client_messages_total", "direction=\"out\"",                       \
      "Frames queued to clients")                                                                            \
    X(bytes_in, STAT_COUNTER, "heddle_client_bytes_total", "direction=\"in\"", "Payload bytes of clients")   \
    X(bytes_out, STAT_COUNTER, "heddle_client_bytes_total", "direction=\"out\"", "Bytes written to clients") \
    X(dropped_slow, STAT_COUNTER, "heddle_client_dropped_messages_total", "reason=\"slow\"",                 \
      "Messages that a client did not get, by cause")                                                        \
    X(dropped_lost, STAT_COUNTER, "heddle_client_dropped_messages_total", "reason=\"gap\"",                  \
      "Messages that a client did not get, by cause")                                                        \
    X(dropped_dialect, STAT_COUNTER, "heddle_client_dropped_messages_total", "reason=\"dialect\"",           \
      "Messages that a client did not get, by cause")                                                        \
    X(unrecovered, STAT_COUNTER, "heddle_client_unrecovered_total", NULL,                                    \
      "Subscriptions that could not go on from their client's position; the client was told")                \
    X(closed_slow, STAT_COUNTER, "heddle_client_disconnects_total", "reason=\"slow\"",                       \
      "Disconnects by cause")                                                                                \
    X(closed_ping, STAT_COUNTER, "heddle_client_disconnects_total", "reason=\"ping\"",                       \
      "Disconnects by cause")                                                                                \
    X(closed_auth, STAT_COUNTER, "heddle_client_disconnects_total", "reason=\"auth\"",                       \
      "Disconnects by cause")                                                                                \
    X(closed_protocol, STAT_COUNTER, "heddle_client_disconnects_total", "reason=\"protocol\"",               \
      "Disconnects by cause")                                                                                \
    X(closed_shutdown, STAT_COUNTER, "heddle_client_disconnects_total", "reason=\"shutdown\"",               \
      "Disconnects by cause")                                                                                \
    X(closed_client, STAT_COUNTER, "heddle_client_disconnects_total", "reason=\"client\"",                   \
      "Disconnects by cause")                                                                                \
    X(closed_api, STAT_COUNTER, "heddle_client_disconnects_total", "reason=\"api\"", "Disconnects by cause") \
    X(closed_other, STAT_COUNTER, "heddle_client_disconnects_total", "reason=\"other\"",                     \
      "Disconnects by cause")                                                                                \
    X(outbox_bytes, STAT_GAUGE, "heddle_client_outbox_bytes", NULL, "Bytes that wait in outboxes")           \
    X(publications, STAT_COUNTER, "heddle_client_publications_total", NULL,                                  \
      "Publications taken from clients")                                                                     \
    X(publish_errors, STAT_COUNTER, "heddle_client_publish_errors_total", NULL,                              \
      "Publications refused or timed out")                                                                   \
    X(canary_1ms, STAT_COUNTER, "heddle_canary_answers_total", "within=\"0.001\"",                           \
      "Relays' answers to the canary, by the seconds that they took")                                        \
    X(canary_10ms, STAT_COUNTER, "heddle_canary_answers_total", "within=\"0.01\"",                           \
      "Relays' answers to the canary, by the seconds that they took")                                        \
    X(canary_100ms, STAT_COUNTER, "heddle_canary_answers_total", "within=\"0.1\"",                           \
      "Relays' answers to the canary, by the seconds that they took")                                        \
    X(canary_1s, STAT_COUNTER, "heddle_canary_answers_total", "within=\"1\"",                                \
      "Relays' answers to the canary, by the seconds that they took")                                        \
    X(canary_later, STAT_COUNTER, "heddle_canary_answers_total", "within=\"+Inf\"",                          \
      "Relays' answers to the canary, by the seconds that they took")                                        \
    X(canary_lost, STAT_COUNTER, "heddle_canary_lost_total", NULL,                                           \
      "Canaries that did not come back from their relay in time")

typedef struct edge_stats {
    EDGE_STATS(STATS_FIELD)
} edge_stats_t;

struct edge_worker {
    const edge_config_t *config; /* borrowed, read only */
    const edge_auth_t *auth;     /* borrowed, read only */
    const struct edge *edge;     /* borrowed */
    uv_loop_t *loop;             /* owned */
    node_t *node;                /* owned */
    struct sockets *sockets;     /* owned */
    uplink_t *uplink;            /* owned */
    edge_hub_t *hub;             /* owned */
    edge_server_t *server;       /* owned */
    http_server_t *http;         /* owned; for what is no WebSocket on the client port */
    http_server_t *admin;        /* owned; the first worker's only, else NULL */
    edge_listener_t *listener;   /* owned */
    wheel_t wheel;               /* the sessions' timers */
    list_t sessions;             /* of edge_session_t, through of_worker */
    list_t dirty;                /* of edge_session_t: to be flushed at the end of the turn */
    list_t paused;               /* of edge_session_t: not read from until the uplink has room */
    uint8_t *scratch;            /* owned, EDGE_WRITE_SIZE: where frames are gathered */
    uint64_t now_us;             /* monotonic, of this turn */
    uint64_t started_us;         /* monotonic */
    edge_stats_t stats;
    struct edge_worker_private *private; /* owned: thread, signals between threads, shutdown */
};

/* How long a graceful stop waits for clients to take what is queued for them. */
#define EDGE_GRACE_US 5000000u

typedef struct edge_worker_options {
    const edge_config_t *config; /* borrowed */
    const edge_auth_t *auth;     /* borrowed */
    const curve_t *curve;        /* borrowed */
    const struct edge *edge;     /* borrowed; for what is said of all workers */
    const char *address;         /* to listen on; read during the call */
    bool serves_admin;           /* one worker of the process does */
} edge_worker_options_t;

/* ERR_* with a sentence in `why`. One after the other, in the main thread. */
int edge_worker_open(edge_worker_t **out, const edge_worker_options_t *options, buf_t *why);
int edge_worker_start(edge_worker_t *self);

/* From any thread. Graceful: no new clients, all get 3001, what is queued is flushed, then the thread ends (after
 * EDGE_GRACE_US at the latest). Else at once. */
void edge_worker_stop(edge_worker_t *self, bool graceful);
void edge_worker_join(edge_worker_t *self);       /* waits for the thread, if there is one */
void edge_worker_destroy(edge_worker_t **self_p); /* joined, or never started */

uint16_t edge_worker_port(const edge_worker_t *self);
uint16_t edge_worker_admin_port(const edge_worker_t *self);

/* From any thread: as edge_ready and edge_live (edge/edge.h), for one worker. */
bool edge_worker_ready(const edge_worker_t *self, buf_t *reasons);
bool edge_worker_live(const edge_worker_t *self);

#endif
