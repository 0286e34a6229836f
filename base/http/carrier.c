#include "base/http/carrier.h"

#include <libwebsockets.h>
#include <pthread.h>

#include "base/check.h"
#include "base/err.h"
#include "base/log.h"

#define VHOST         "carrier"
#define DESTROY_TURNS 3u /* see turn */

static void log_line(int level, const char *line)
{
    (void)level;
    log_debug("http.lws", "text=%s", log_safe(span_new(line, strcspn(line, "\n"))));
}

/* Making a context touches what all contexts of the process share: the log, the plugin, OpenSSL. */
static struct lws_context *create_context(const struct lws_context_creation_info *info)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&mutex);
    lws_set_log_level(LLL_ERR | LLL_WARN, log_line);
    struct lws_context *context = lws_create_context(info);
    pthread_mutex_unlock(&mutex);
    return context;
}

int carrier_open(carrier_t *self, uv_loop_t *loop, const carrier_options_t *options)
{
    static const lws_retry_bo_t no_validity = {
        0}; /* no pings and no time-outs of its own: its timers are O(n) */
    void *loops[] = {loop};
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .protocols = options->protocols,
        .options = LWS_SERVER_OPTION_LIBUV,
        .foreign_loops = loops,
        .fd_limit_per_thread = options->limit,
        .pt_serv_buf_size = options->read_size,
        .retry_and_idle_policy = &no_validity,
        .vhost_name = VHOST,
        .user = options->owner,
        .gid = -1,
        .uid = -1,
    };
    *self = (carrier_t){.owner = options->owner, .context = create_context(&info)};
    if (!self->context)
        return ERR_UNAVAILABLE;
    uv_idle_init(loop, &self->idle);
    self->idle.data = self;
    return OK;
}

struct lws *carrier_adopt(carrier_t *self, int fd)
{
    struct lws_vhost *vhost = lws_get_vhost_by_name(self->context, VHOST);
    CHECK(vhost);
    return lws_adopt_descriptor_vhost(vhost, LWS_ADOPT_SOCKET, (lws_sock_file_fd_type){.sockfd = fd}, NULL,
                                      NULL);
}

static void on_idle_closed(uv_handle_t *handle)
{
    carrier_t *self = handle->data;
    if (self->on_closed)
        self->on_closed(self->owner);
}

/* On a foreign loop libwebsockets closes its sockets' handles in the turn of the first call, its own in the
 * next; it tells nobody, and frees what is left only when it is called again after that. */
static void turn(uv_idle_t *idle)
{
    carrier_t *self = idle->data;
    self->turns++;
    if (self->turns == 1) {
        lws_context_destroy(self->context);
    } else if (self->turns > DESTROY_TURNS) {
        lws_context_destroy(self->context);
        self->context = NULL;
        uv_close((uv_handle_t *)idle, on_idle_closed);
    }
}

void carrier_close(carrier_t *self, void (*on_closed)(void *owner))
{
    self->on_closed = on_closed;
    uv_idle_start(&self->idle, turn); /* not here: one of its callbacks may be on the stack */
}

void carrier_drop(struct lws *wsi)
{
    lws_set_timeout(wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_SYNC);
}
