#include "cli/tool.h"

#include <signal.h>
#include <stdio.h>
#include <uv.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "fabric/endpoint.h"
#include "fabric/sockets.h"

struct cli_tool {
    cli_tool_options_t options;
    const cli_tool_events_t *events; /* borrowed */
    void *context;                   /* borrowed */
    uv_loop_t loop;
    uv_timer_t timer; /* the deadline: of finding a relay, then of the run */
    uv_signal_t interrupt, terminate;
    curve_t curve;
    node_t *node;       /* owned */
    sockets_t *sockets; /* owned */
    uplink_t *uplink;   /* owned */
    bool found;
    bool running;
    int result;
};

/* --- events of node and uplink --- */

static int send_message(void *context, span_t message)
{
    return sockets_send(((cli_tool_t *)context)->sockets, message);
}

static void link_up(void *context, link_t *link, const envelope_t *greeting)
{
    cli_tool_t *self = context;
    uplink_up(self->uplink, link, greeting, cli_tool_now(self));
}

static void link_envelope(void *context, link_t *link, const envelope_t *envelope)
{
    cli_tool_t *self = context;
    uplink_envelope(self->uplink, link, envelope, cli_tool_now(self));
}

static void link_down(void *context, link_t *link, int reason)
{
    (void)reason;
    cli_tool_t *self = context;
    uplink_down(self->uplink, link, cli_tool_now(self));
}

static const node_events_t node_events = {send_message, link_up, link_envelope, link_down};

static void time_is_up(uv_timer_t *handle)
{
    cli_tool_t *self = handle->data;
    cli_tool_stop(self, self->found ? ERR_TIMEOUT : ERR_UNAVAILABLE);
}

static void found(void *context, link_t *relay)
{
    (void)relay;
    cli_tool_t *self = context;
    if (!self->found) {
        self->found = true;
        uv_timer_stop(&self->timer);
        if (self->options.run_us)
            uv_timer_start(&self->timer, time_is_up, self->options.run_us / CLOCK_MS, 0);
    }
    if (self->events->found)
        self->events->found(self->context, self);
}

static void lost(void *context, link_t *relay)
{
    (void)context;
    (void)relay;
}

static void moved(void *context)
{
    cli_tool_t *self = context;
    if (self->events->moved)
        self->events->moved(self->context, self);
}

static void message(void *context, link_t *relay, const envelope_msg_t *envelope)
{
    (void)relay;
    cli_tool_t *self = context;
    if (self->events->message)
        self->events->message(self->context, self, envelope);
}

static void subscribed(void *context, link_t *relay, const envelope_sub_ok_t *answer)
{
    (void)relay;
    cli_tool_t *self = context;
    if (self->events->subscribed)
        self->events->subscribed(self->context, self, answer);
}

static void not_subscribed(void *context, link_t *relay, const envelope_sub_no_t *answer)
{
    (void)relay;
    cli_tool_t *self = context;
    if (self->events->not_subscribed)
        self->events->not_subscribed(self->context, self, answer);
}

static void asked(void *context, link_t *relay, const envelope_ask_t *question) /* tools are not asked */
{
    (void)context;
    (void)relay;
    (void)question;
}

static void room(void *context)
{
    cli_tool_t *self = context;
    if (self->events->room)
        self->events->room(self->context, self);
}

static const uplink_events_t uplink_events = {found,          lost,  moved, message, subscribed,
                                              not_subscribed, asked, room,  NULL};

static void turn(void *context, uint64_t now_us)
{
    cli_tool_t *self = context;
    uplink_tick(self->uplink, now_us);
    if (self->events->turn)
        self->events->turn(self->context, self);
}

/* --- life --- */

int cli_keys_load(const cli_keys_t *self, curve_t *out, buf_t *why)
{
    static const char *const names[2] = {"--key", "--relay-key"};
    return curve_load_client(out, self->own, self->relays, names, why);
}

static void warn_if_exposed(const cli_tool_t *self)
{
    if (!self->curve.on && !endpoint_is_local(self->options.relay))
        fprintf(stderr, "heddle: warning: what goes to %s can be read on the way, see --key\n",
                self->options.relay);
}

static int open_sockets(cli_tool_t *self, buf_t *why)
{
    int err = endpoint_check_connect(self->options.relay, why);
    if (err)
        return err;
    err = cli_keys_load(&self->options.keys, &self->curve, why);
    if (err)
        return err;
    warn_if_exposed(self);
    char *addresses[] = {(char *)self->options.relay};
    config_list_t connect = {addresses, 1};
    sockets_options_t options = {.connect = &connect,
                                 .curve = &self->curve,
                                 .node_id = node_id(self->node),
                                 .turn = turn,
                                 .context = self};
    err = sockets_open(&self->sockets, &options, why);
    return err ? err : sockets_start(self->sockets, &self->loop, self->node);
}

int cli_tool_open(cli_tool_t **out, const cli_tool_options_t *options, const cli_tool_events_t *events,
                  void *context, buf_t *why)
{
    cli_tool_t *self = mem_new(sizeof *self);
    self->options = *options;
    self->events = events;
    self->context = context;
    uv_loop_init(&self->loop);
    self->uplink = uplink_new(&uplink_events, self);
    node_options_t node = {
        .name = "tool",
        .cluster = options->cluster ? options->cluster : "heddle",
        .role = ROLE_TOOL,
        .link = LINK_SETTINGS_DEFAULT,
        .events = &node_events,
        .context = self,
    };
    self->node = node_new(&node, cli_tool_now(self));
    uplink_attach(self->uplink, self->node);
    int err = open_sockets(self, why);
    if (err)
        cli_tool_destroy(&self);
    *out = self;
    return err;
}

void cli_tool_destroy(cli_tool_t **self_p)
{
    cli_tool_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    if (self->sockets)
        sockets_close(self->sockets);
    uv_run(&self->loop, UV_RUN_DEFAULT);
    uplink_destroy(&self->uplink);
    node_destroy(&self->node);
    sockets_destroy(&self->sockets);
    curve_fini(&self->curve);
    uv_loop_close(&self->loop);
    mem_free(self);
}

uplink_t *cli_tool_uplink(const cli_tool_t *self)
{
    return self->uplink;
}

uint64_t cli_tool_now(const cli_tool_t *self)
{
    (void)self;
    return clock_now_us();
}

/* What the handshakes came to says more than that nothing came of them. */
static void explain_silence(const cli_tool_t *self, buf_t *why)
{
    sockets_counts_t counts = sockets_counts(self->sockets);
    buf_printf(why, "no relay answers at %s", self->options.relay);
    for (handshake_fault_t fault = 0; fault < HANDSHAKE_FAULT_COUNT; fault++) {
        if (!counts.handshakes[fault])
            continue;
        buf_printf(why, ": %s", handshake_fault_text(fault));
        return;
    }
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    cli_tool_stop(handle->data, OK);
}

int cli_tool_run(cli_tool_t *self, buf_t *why)
{
    uv_timer_init(&self->loop, &self->timer);
    uv_signal_init(&self->loop, &self->interrupt);
    uv_signal_init(&self->loop, &self->terminate);
    self->timer.data = self->interrupt.data = self->terminate.data = self;
    uv_timer_start(&self->timer, time_is_up, self->options.connect_us / CLOCK_MS, 0);
    uv_signal_start(&self->interrupt, on_signal, SIGINT);
    uv_signal_start(&self->terminate, on_signal, SIGTERM);
    self->running = true;
    uv_run(&self->loop, UV_RUN_DEFAULT);
    if (self->result == ERR_UNAVAILABLE && !self->found)
        explain_silence(self, why);
    return self->result;
}

void cli_tool_stop(cli_tool_t *self, int err)
{
    if (!self->running)
        return;
    self->running = false;
    self->result = err;
    node_close(self->node, "the tool is done", cli_tool_now(self));
    sockets_close(self->sockets);
    uv_close((uv_handle_t *)&self->timer, NULL);
    uv_close((uv_handle_t *)&self->interrupt, NULL);
    uv_close((uv_handle_t *)&self->terminate, NULL);
}
