#include "edge/edge.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/address.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "edge/worker.h"
#include "fabric/endpoint.h"

struct edge {
    const edge_config_t *config; /* borrowed */
    edge_auth_t *auth;           /* owned */
    curve_t curve;
    edge_worker_t **workers; /* owned array, and the workers */
    size_t count;            /* workers that are open */
    uv_loop_t loop;          /* for signals */
    uv_signal_t terminate, interrupt;
    bool stopping;
};

/* A client is a descriptor: as many as the system lets us have. */
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* All workers listen on one port; if the first one was given any free one, the others take the same. */
static void choose_address(const edge_t *self, buf_t *out)
{
    const char *address = self->config->listen.address;
    const char *colon = strrchr(address, ':');
    if (self->count && colon)
        buf_printf(out, "%.*s:%u", (int)(colon - address), address, edge_worker_port(self->workers[0]));
    else
        buf_append_str(out, address);
}

static int open_worker(edge_t *self, buf_t *why)
{
    buf_t address = {0};
    choose_address(self, &address);
    edge_worker_options_t options = {
        .config = self->config,
        .auth = self->auth,
        .curve = &self->curve,
        .edge = self,
        .address = buf_text(&address),
        .serves_admin = self->count == 0,
    };
    int err = edge_worker_open(&self->workers[self->count], &options, why);
    self->count += !err;
    buf_fini(&address);
    return err;
}

int edge_open(edge_t **out, const edge_config_t *config, buf_t *why)
{
    raise_descriptors();
    edge_t *self = mem_new(sizeof *self);
    self->config = config;
    self->workers = mem_new_n(config->top.workers, sizeof *self->workers);
    uv_loop_init(&self->loop);
    int err = edge_auth_open(&self->auth, &config->auth, why);
    if (!err)
        err = curve_load_config(&self->curve, &config->curve, why);
    while (!err && self->count < config->top.workers)
        err = open_worker(self, why);
    if (err)
        edge_destroy(&self);
    *out = self;
    return err;
}

static void stop_workers(edge_t *self, bool graceful)
{
    for (size_t i = 0; i < self->count; i++)
        edge_worker_stop(self->workers[i], graceful);
}

/* The first signal lets clients go in peace and ends the signal loop; the second one's default action ends the process. */
static void on_signal(uv_signal_t *handle, int number)
{
    edge_t *self = handle->data;
    if (self->stopping)
        return;
    self->stopping = true;
    log_info("edge.stopping", "signal=%d", number);
    stop_workers(self, true);
    uv_close((uv_handle_t *)&self->terminate, NULL);
    uv_close((uv_handle_t *)&self->interrupt, NULL);
}

/* What goes to the relays can be read, and changed, on the way there. */
static void warn_if_exposed(const edge_t *self)
{
    const config_list_t *relays = &self->config->top.relays;
    for (size_t i = 0; !self->curve.on && i < relays->count; i++) {
        if (endpoint_is_local(relays->items[i]))
            continue;
        log_warn("edge.fabric_insecure", "relay=%s", relays->items[i]);
        return;
    }
}

void edge_run(edge_t *self)
{
    uv_signal_init(&self->loop, &self->terminate);
    uv_signal_init(&self->loop, &self->interrupt);
    self->terminate.data = self->interrupt.data = self;
    uv_signal_start(&self->terminate, on_signal, SIGTERM);
    uv_signal_start(&self->interrupt, on_signal, SIGINT);
    for (size_t i = 0; i < self->count; i++) {
        int err = edge_worker_start(self->workers[i]);
        if (err)
            log_error("edge.thread_failed", "worker=%zu err=%s", i, err_name(err));
    }
    log_info("edge.listening", "address=%s port=%u admin=%u workers=%zu", self->config->listen.address,
             edge_worker_port(self->workers[0]), edge_worker_admin_port(self->workers[0]), self->count);
    const char *admin = self->config->admin.address;
    if (admin[0] && !address_is_loopback(admin))
        log_warn("edge.admin_exposed", "address=%s", admin);
    warn_if_exposed(self);
    uv_run(&self->loop, UV_RUN_DEFAULT);
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    for (size_t i = 0; i < self->count; i++)
        edge_worker_join(self->workers[i]);
    log_info("edge.stopped", "name=%s", self->config->node.name);
}

void edge_destroy(edge_t **self_p)
{
    edge_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    for (size_t i = 0; i < self->count; i++)
        edge_worker_destroy(&self->workers[i]);
    mem_free(self->workers);
    edge_auth_destroy(&self->auth);
    curve_fini(&self->curve);
    uv_loop_close(&self->loop);
    mem_free(self);
}

bool edge_live(const edge_t *self)
{
    bool live = true;
    for (size_t i = 0; i < self->count; i++)
        live &= edge_worker_live(self->workers[i]);
    return live;
}

bool edge_ready(const edge_t *self, buf_t *reasons)
{
    bool ready = true;
    for (size_t i = 0; i < self->count && ready; i++)
        ready = edge_worker_ready(self->workers[i], reasons);
    return ready;
}
