#include "edge/worker.h"

#include <stdatomic.h>
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "edge/admin.h"
#include "edge/api.h"
#include "edge/close_code.h"
#include "edge/dialect.h"
#include "edge/pages.h"
#include "edge/questions.h"
#include "fabric/canary.h"
#include "fabric/node_stats.h"
#include "fabric/sockets.h"
#include "protocol/json.h"

/* The wheel's slot: how exact the sessions' timers are, and how often metrics are brought up to date. */
#define PULSE_MS (WHEEL_SLOT_US / CLOCK_MS)

/* Frames of one message: who cuts 64 KiB so small is not sending messages. */
#define FRAGMENTS_MAX 1024u

/* A loop that has not turned for so long hangs. */
#define LIVE_US (5u * CLOCK_SEC)

/* A relay's name, each byte of it escaped at worst, and some words. */
#define TROUBLE_SIZE (6u * NODE_NAME_MAX + 64u)

#define NO_RELAY "\"no_relay\""

#define WORKER_STATES(X) X(STARTING) X(SERVING) X(DRAINING) X(ENDING)

typedef enum worker_state {
#define STATE_ENUM(name) name,
    WORKER_STATES(STATE_ENUM)
#undef STATE_ENUM
} worker_state_t;

typedef enum stop_request { STOP_NOT, STOP_GRACEFUL, STOP_NOW } stop_request_t;

struct edge_worker_private {
    uv_loop_t loop;
    uv_thread_t thread;
    uv_async_t wake; /* from other threads */
    uv_timer_t pulse;
    node_stats_t node_stats;
    canary_t canary;
    edge_listen_config_t listen; /* the configuration's, but for the address */
    http_route_t *client_routes; /* owned */
    uint64_t drain_till_us;
    bool behind; /* the last turn left bytes of sessions that the kernel would have taken */
    bool has_thread;
    bool has_handles; /* wake and pulse */
    bool ended;
    /* written here, read by any thread */
    _Atomic int state; /* a worker_state_t */
    _Atomic int stop;  /* a stop_request_t; written by any thread */
    _Atomic uint64_t turned_us;
    /* ... under the lock */
    uv_mutex_t lock;
    char trouble[TROUBLE_SIZE]; /* with the relays, as items of a JSON array; "": none */
};

static void go(edge_worker_t *self, worker_state_t next)
{
    static const unsigned legal[] = {
        [STARTING] = 1u << SERVING | 1u << ENDING,
        [SERVING] = 1u << DRAINING | 1u << ENDING,
        [DRAINING] = 1u << ENDING,
        [ENDING] = 0,
    };
    CHECK(legal[self->private->state] >> next & 1u);
    atomic_store(&self->private->state, next);
}

/* --- the node's and the uplink's events --- */

static int send_message(void *context, span_t message)
{
    edge_worker_t *self = context;
    return sockets_send(self->sockets, message);
}

static void link_up(void *context, link_t *link, const envelope_t *greeting)
{
    edge_worker_t *self = context;
    uplink_up(self->uplink, link, greeting, self->now_us);
}

static void link_envelope(void *context, link_t *link, const envelope_t *envelope)
{
    edge_worker_t *self = context;
    uplink_envelope(self->uplink, link, envelope, self->now_us);
}

static void link_down(void *context, link_t *link, int reason)
{
    (void)reason;
    edge_worker_t *self = context;
    uplink_down(self->uplink, link, self->now_us);
}

static const node_events_t node_events = {send_message, link_up, link_envelope, link_down};

static void relay_found(void *context, link_t *relay)
{
    edge_worker_t *self = context;
    edge_hub_found(self->hub, relay);
}

static void relay_lost(void *context, link_t *relay)
{
    edge_worker_t *self = context;
    edge_hub_lost(self->hub, relay);
}

static void channels_moved(void *context)
{
    edge_worker_t *self = context;
    edge_hub_moved(self->hub);
}

static void message(void *context, link_t *relay, const envelope_msg_t *envelope)
{
    edge_worker_t *self = context;
    edge_hub_message(self->hub, relay, envelope);
}

static void subscribed(void *context, link_t *relay, const envelope_sub_ok_t *answer)
{
    edge_worker_t *self = context;
    edge_hub_subscribed(self->hub, relay, answer);
}

static void not_subscribed(void *context, link_t *relay, const envelope_sub_no_t *answer)
{
    edge_worker_t *self = context;
    edge_hub_not_subscribed(self->hub, relay, answer);
}

static void asked(void *context, link_t *relay, const envelope_ask_t *question)
{
    edge_worker_t *self = context;
    edge_answer_question(self, relay, question);
}

static void room(void *context)
{
    edge_worker_t *self = context;
    list_t paused;
    list_init(&paused);
    list_take(&paused, &self->paused);
    while (!list_empty(&paused))
        edge_session_resume(LIST_ITEM(paused.head.next, edge_session_t, paused));
}

static void presence(void *context, link_t *relay, const envelope_join_t *client, bool came)
{
    edge_worker_t *self = context;
    edge_hub_presence(self->hub, relay, client, came);
}

static const uplink_events_t uplink_events = {relay_found,    relay_lost, channels_moved, message, subscribed,
                                              not_subscribed, asked,      room,           presence};

/* --- turns --- */

/* While sessions still have bytes that the kernel would take, it is this edge that is behind, not its clients: what
 * comes next waits in the fabric, not in outboxes that would overflow. */
static bool begin_turn(void *context, uint64_t now_us)
{
    edge_worker_t *self = context;
    self->now_us = now_us;
    atomic_store_explicit(&self->private->turned_us, now_us, memory_order_relaxed);
    return !self->private->behind;
}

/* Everybody's bytes leave here, gathered: one write for each session in each turn. */
static void flush_sessions(edge_worker_t *self)
{
    list_t dirty;
    list_init(&dirty);
    list_take(&dirty, &self->dirty);
    while (!list_empty(&dirty))
        edge_session_flush(LIST_ITEM(dirty.head.next, edge_session_t, dirty));
}

static void end_handles(edge_worker_t *self)
{
    if (self->private->has_handles) {
        uv_close((uv_handle_t *)&self->private->wake, NULL);
        uv_close((uv_handle_t *)&self->private->pulse, NULL);
        self->private->has_handles = false;
    }
}

/* Closes all that keeps the loop alive; the loop then ends by itself. Accepts half-opened workers. */
static void end(edge_worker_t *self)
{
    if (self->private->ended)
        return;
    self->private->ended = true;
    go(self, ENDING);
    if (self->listener)
        edge_listener_close(self->listener);
    if (self->server)
        edge_server_close(self->server);
    if (self->http)
        http_server_close(self->http, NULL);
    if (self->admin)
        http_server_close(self->admin, NULL);
    if (self->node)
        node_close(self->node, "the edge stops", self->now_us);
    if (self->sockets)
        sockets_close(self->sockets);
    end_handles(self);
}

static void begin_drain(edge_worker_t *self)
{
    go(self, DRAINING);
    self->private->drain_till_us = self->now_us + EDGE_GRACE_US;
    edge_listener_stop(self->listener);
    log_info("edge.draining", "clients=%zu", edge_server_count(self->server));
    LIST_EACH_SAFE (node, &self->sessions) {
        edge_session_close(LIST_ITEM(node, edge_session_t, of_worker), EDGE_CLOSE_SHUTDOWN,
                           edge_close_reason(EDGE_CLOSE_SHUTDOWN), true);
    }
}

static void obey_stop(edge_worker_t *self)
{
    int stop = atomic_load(&self->private->stop);
    if (stop == STOP_GRACEFUL && self->private->state == SERVING)
        begin_drain(self);
    bool drained = self->private->state == DRAINING &&
                   (edge_server_count(self->server) == 0 || self->now_us >= self->private->drain_till_us);
    if (stop == STOP_NOW || drained)
        end(self);
}

static void end_turn(void *context, uint64_t now_us)
{
    edge_worker_t *self = context;
    uplink_tick(self->uplink, now_us);
    canary_tick(&self->private->canary, now_us);
    edge_hub_turn(self->hub, now_us);
    obey_stop(self);
    node_flush(self->node, now_us); /* first: what relays must know before clients are told so */
    flush_sessions(self);
    self->private->behind = !list_empty(&self->dirty);
    if (self->private->behind)
        sockets_wake(self->sockets);
}

/* For whoever asks whether this edge is ready, from another thread. */
static void tell_trouble(edge_worker_t *self)
{
    buf_t why = {0};
    buf_t reasons = {0};
    if (node_links_up(self->node) == 0)
        buf_append_str(&reasons, NO_RELAY);
    if (!canary_is_well(&self->private->canary, self->now_us, &why)) {
        buf_append_str(&reasons, reasons.size ? "," : "");
        json_append_string(&reasons, buf_span(&why));
    }
    uv_mutex_lock(&self->private->lock);
    snprintf(self->private->trouble, sizeof self->private->trouble, "%s", buf_text(&reasons));
    uv_mutex_unlock(&self->private->lock);
    buf_fini(&reasons);
    buf_fini(&why);
}

static void update_canary_stats(edge_worker_t *self)
{
    const canary_counts_t *counts = &self->private->canary.counts;
    stats_set(&self->stats.canary_1ms, counts->within_1ms);
    stats_set(&self->stats.canary_10ms, counts->within_10ms);
    stats_set(&self->stats.canary_100ms, counts->within_100ms);
    stats_set(&self->stats.canary_1s, counts->within_1s);
    stats_set(&self->stats.canary_later, counts->later);
    stats_set(&self->stats.canary_lost, counts->lost);
}

static void update_stats(edge_worker_t *self)
{
    edge_listener_counts_t counts = edge_listener_counts(self->listener);
    stats_set(&self->stats.accepted, counts.upgraded);
    stats_set(&self->stats.rejected, counts.refused + counts.timed_out);
    node_stats_update(&self->private->node_stats, self->node, self->sockets);
    update_canary_stats(self);
}

static void fire_timer(void *context, wheel_timer_t *timer, uint64_t now_us)
{
    (void)context;
    edge_session_timer(LIST_ITEM(timer, edge_session_t, timer), now_us);
}

static void beat_pulse(uv_timer_t *handle)
{
    edge_worker_t *self = handle->data;
    self->now_us = clock_now_us();
    wheel_advance(&self->wheel, self->now_us);
    update_stats(self);
    tell_trouble(self);
    sockets_wake(self->sockets);
}

static void woken(uv_async_t *handle)
{
    edge_worker_t *self = handle->data;
    sockets_wake(self->sockets);
}

/* --- opening --- */

static void log_admitted(const edge_session_t *session, const char *peer)
{
    char id[EDGE_CLIENT_ID_SIZE + 1];
    log_debug("session.admitted", "client=%s dialect=%s address=%s", edge_session_id(session, id),
              session->dialect->name, peer);
}

static int admit(void *context, const http_head_t *head, const char *peer, edge_session_t **session,
                 const char **subprotocol, const char **why)
{
    edge_worker_t *self = context;
    if (self->private->state != SERVING) {
        *why = "this edge is stopping";
        return 503;
    }
    for (size_t i = 0; i < EDGE_DIALECTS; i++) {
        int status = edge_dialects[i]->admit(self, head, session, subprotocol, why);
        if (status == 101)
            log_admitted(*session, peer);
        if (status)
            return status;
    }
    *why = "no WebSocket is served at this path";
    return 404;
}

static void discard(void *context, edge_session_t *session)
{
    (void)context;
    edge_session_discard(&session);
}

static void open_fabric(edge_worker_t *self)
{
    self->uplink = uplink_new(&uplink_events, self);
    node_options_t options = {
        .name = self->config->node.name,
        .cluster = self->config->node.cluster,
        .role = ROLE_EDGE,
        .link = LINK_SETTINGS_DEFAULT,
        .events = &node_events,
        .context = self,
    };
    self->node = node_new(&options, self->now_us);
    uplink_attach(self->uplink, self->node);
    canary_init(&self->private->canary, self->uplink);
    self->hub = edge_hub_new(self, self->uplink);
}

static int open_sockets(edge_worker_t *self, const curve_t *curve, buf_t *why)
{
    sockets_options_t options = {
        .connect = &self->config->top.relays,
        .curve = curve,
        .node_id = node_id(self->node),
        .begin = begin_turn,
        .turn = end_turn,
        .context = self,
    };
    return sockets_open(&self->sockets, &options, why);
}

/* What the clients' port serves beside WebSockets. */
static size_t collect_client_routes(edge_worker_t *self)
{
    static const http_route_t readyz = {"GET", "/readyz", edge_admin_get_readyz};
    http_route_t *routes = mem_new_n(1 + EDGE_PAGES + edge_api_route_count, sizeof *routes);
    size_t count = 0;
    routes[count++] = readyz;
    for (size_t i = 0; i < EDGE_PAGES; i++)
        routes[count++] = edge_pages[i];
    for (size_t i = 0; self->config->api.on_client_port && i < edge_api_route_count; i++)
        routes[count++] = edge_api_routes[i];
    self->private->client_routes = routes;
    return count;
}

static int open_http(edge_worker_t *self, bool serves_admin, buf_t *why)
{
    size_t count = collect_client_routes(self);
    http_server_options_t options = {.routes = self->private->client_routes,
                                     .route_count = count,
                                     .context = self,
                                     .body_limit = EDGE_API_BODY_MAX,
                                     .one_request = true};
    int err = http_server_open(&self->http, self->loop, &options);
    if (err || !serves_admin || !self->config->admin.address[0])
        return err;
    options.address = self->config->admin.address;
    options.routes = edge_admin_routes();
    options.route_count = edge_admin_route_count();
    options.one_request = false;
    err = http_server_open(&self->admin, self->loop, &options);
    if (err)
        buf_printf(why, "admin.address: cannot listen on %s: %s", options.address, err_text(err));
    return err;
}

static int open_clients(edge_worker_t *self, const char *address, buf_t *why)
{
    edge_server_options_t server = {.limits = {self->config->limits.message, FRAGMENTS_MAX}};
    int err = edge_server_open(&self->server, self->loop, &server);
    if (err)
        return err;
    self->private->listen = self->config->listen;
    self->private->listen.address = mem_dup(address);
    edge_listener_options_t listener = {
        .config = &self->private->listen,
        .server = self->server,
        .http = self->http,
        .admit = admit,
        .discard = discard,
        .context = self,
        .reuse_port = self->config->top.workers > 1,
    };
    return edge_listener_open(&self->listener, self->loop, &listener, why);
}

static void open_handles(edge_worker_t *self)
{
    uv_async_init(self->loop, &self->private->wake, woken);
    uv_timer_init(self->loop, &self->private->pulse);
    self->private->wake.data = self->private->pulse.data = self;
    uv_timer_start(&self->private->pulse, beat_pulse, PULSE_MS, PULSE_MS);
    self->private->has_handles = true;
}

static int open_parts(edge_worker_t *self, const edge_worker_options_t *options, buf_t *why)
{
    open_fabric(self);
    int err = open_sockets(self, options->curve, why);
    if (!err)
        err = open_http(self, options->serves_admin, why);
    if (!err)
        err = open_clients(self, options->address, why);
    if (!err)
        err = sockets_start(self->sockets, self->loop, self->node);
    if (err)
        return err;
    open_handles(self);
    edge_stats_register(&self->stats);
    node_stats_register(&self->private->node_stats);
    return OK;
}

int edge_worker_open(edge_worker_t **out, const edge_worker_options_t *options, buf_t *why)
{
    edge_worker_t *self = mem_new(sizeof *self);
    self->private = mem_new(sizeof *self->private);
    CHECK(uv_mutex_init(&self->private->lock) == 0);
    self->config = options->config;
    self->auth = options->auth;
    self->edge = options->edge;
    self->loop = &self->private->loop;
    self->scratch = mem_new(EDGE_WRITE_SIZE);
    list_init(&self->sessions);
    list_init(&self->dirty);
    list_init(&self->paused);
    self->now_us = self->started_us = clock_now_us();
    snprintf(self->private->trouble, sizeof self->private->trouble, NO_RELAY); /* until the first pulse */
    wheel_init(&self->wheel, self->now_us, fire_timer, self);
    uv_loop_init(self->loop);
    int err = open_parts(self, options, why);
    if (err)
        edge_worker_destroy(&self);
    *out = self;
    return err;
}

/* --- the thread --- */

static void run(void *context)
{
    edge_worker_t *self = context;
    uv_run(self->loop, UV_RUN_DEFAULT);
}

int edge_worker_start(edge_worker_t *self)
{
    go(self, SERVING);
    self->now_us = clock_now_us();
    atomic_store(&self->private->turned_us, self->now_us);
    if (uv_thread_create(&self->private->thread, run, self))
        return ERR_UNAVAILABLE;
    self->private->has_thread = true;
    return OK;
}

void edge_worker_stop(edge_worker_t *self, bool graceful)
{
    if (!self->private->has_thread)
        return;
    atomic_store(&self->private->stop, graceful ? STOP_GRACEFUL : STOP_NOW);
    uv_async_send(&self->private->wake);
}

void edge_worker_join(edge_worker_t *self)
{
    if (self->private->has_thread)
        uv_thread_join(&self->private->thread);
    self->private->has_thread = false;
}

void edge_worker_destroy(edge_worker_t **self_p)
{
    edge_worker_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    CHECK(!self->private->has_thread);
    end(self);
    uv_run(self->loop, UV_RUN_DEFAULT);
    edge_stats_unregister(&self->stats);
    node_stats_unregister(&self->private->node_stats);
    edge_listener_destroy(&self->listener);
    edge_server_destroy(&self->server);
    http_server_destroy(&self->http);
    http_server_destroy(&self->admin);
    edge_hub_destroy(&self->hub);
    canary_fini(&self->private->canary);
    uplink_destroy(&self->uplink);
    node_destroy(&self->node);
    sockets_destroy(&self->sockets);
    uv_loop_close(self->loop);
    uv_mutex_destroy(&self->private->lock);
    mem_free(self->private->listen.address);
    mem_free(self->private->client_routes);
    mem_free(self->private);
    mem_free(self->scratch);
    mem_free(self);
}

/* --- from any thread --- */

uint16_t edge_worker_port(const edge_worker_t *self)
{
    return edge_listener_port(self->listener);
}

uint16_t edge_worker_admin_port(const edge_worker_t *self)
{
    return self->admin ? http_server_port(self->admin) : 0;
}

bool edge_worker_ready(const edge_worker_t *self, buf_t *reasons)
{
    int state = atomic_load(&self->private->state);
    if (state != SERVING) {
        buf_append_str(reasons, state == STARTING ? "\"starting\"" : "\"draining\"");
        return false;
    }
    uv_mutex_lock(&self->private->lock);
    bool ready = self->private->trouble[0] == '\0';
    buf_append_str(reasons, self->private->trouble);
    uv_mutex_unlock(&self->private->lock);
    return ready;
}

bool edge_worker_live(const edge_worker_t *self)
{
    return clock_now_us() < atomic_load(&self->private->turned_us) + LIVE_US;
}
