#include "relay/admission.h"

#include "base/err.h"
#include "base/log.h"

#define ROW(field, kind, name, labels, help) \
    {offsetof(struct relay_admission_stats, field), kind, name, labels, help},
static const stat_row_t rows[] = {RELAY_ADMISSION_STATS(ROW)};

static bool given(const char *path)
{
    return path && path[0];
}

/* --- loading --- */

static int check_settings(const relay_fabric_config_t *config, buf_t *why)
{
    if (given(config->secret_key_file) == given(config->allowed_keys_dir))
        return OK;
    buf_append_str(why,
                   "fabric.curve: secret_key_file and allowed_keys_dir go together; one of them is missing");
    return ERR_CONFIG;
}

static int load(relay_admission_t *self, buf_t *why)
{
    key_list_changes_t changes;
    int err = check_settings(self->config, why);
    if (err || !given(self->config->secret_key_file))
        return err;
    err = curve_load_relay(&self->curve, self->config->secret_key_file, why);
    if (err)
        return err;
    self->keys = key_list_new(self->curve.public_key);
    err = key_list_load(self->keys, self->config->allowed_keys_dir, &changes, why);
    stats_set(&self->stats.keys, changes.count);
    stats_set(&self->stats.reload_good, !err);
    return err;
}

int relay_admission_check(const relay_fabric_config_t *config, buf_t *why)
{
    relay_admission_t admission = {.config = config};
    int err = load(&admission, why);
    key_list_destroy(&admission.keys);
    curve_fini(&admission.curve);
    return err;
}

/* --- life --- */

int relay_admission_open(relay_admission_t *self, const relay_fabric_config_t *config, uv_loop_t *loop,
                         buf_t *why)
{
    *self = (relay_admission_t){.config = config};
    stats_register(rows, sizeof rows / sizeof rows[0], &self->stats);
    stats_set(&self->stats.reload_good, 1);
    int err = load(self, why);
    if (err || !self->keys)
        return err;
    err = gate_open(&self->gate, loop, self->keys);
    if (err)
        buf_append_str(why, "the gate for keys cannot be opened");
    return err;
}

void relay_admission_close(relay_admission_t *self)
{
    if (self->gate)
        gate_close(self->gate);
}

void relay_admission_fini(relay_admission_t *self)
{
    if (!self->config)
        return;
    stats_unregister(&self->stats);
    gate_destroy(&self->gate);
    key_list_destroy(&self->keys);
    curve_fini(&self->curve);
}

/* --- reloading --- */

static roles_t roles_now(void *context, uint32_t key)
{
    return key_list_roles(context, key);
}

void relay_admission_reload(relay_admission_t *self, node_t *node, sockets_t *sockets, uint64_t now_us)
{
    buf_t why = {0};
    key_list_changes_t changes;
    if (!self->keys) {
        log_info("fabric.keys_reloaded", "keys=none");
        return;
    }
    int err = key_list_load(self->keys, self->config->allowed_keys_dir, &changes, &why);
    stats_set(&self->stats.reload_good, !err);
    if (err) {
        log_error("fabric.keys_kept", "why=\"%s\"", buf_text(&why));
    } else {
        stats_set(&self->stats.keys, changes.count);
        size_t links = changes.revoked ? node_recheck(node, roles_now, self->keys, now_us) : 0;
        if (changes.revoked)
            sockets_reopen(sockets);
        log_info("fabric.keys_reloaded", "keys=%zu added=%zu revoked=%zu links_reset=%zu", changes.count,
                 changes.added, changes.revoked, links);
    }
    buf_fini(&why);
}
