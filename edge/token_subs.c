#include "edge/token_subs.h"

#include "base/err.h"
#include "protocol/limits.h"

/* --- options --- */

static bool get(const json_value_t *object, const char *name, json_value_t *out)
{
    return json_get(object, name, out) && out->type != JSON_NULL;
}

static int read_raw(const json_value_t *object, const char *name, span_t *out)
{
    json_value_t value;
    *out = get(object, name, &value) ? value.raw : (span_t){0};
    return out->size > CLIENT_INFO_MAX ? ERR_TOO_BIG : OK;
}

/* {"force_push_join_leave": {"value": true}}; other overrides are the namespace's alone. */
static int read_override(const json_value_t *object, bool *sees_presence)
{
    json_value_t override, wish, value;
    *sees_presence = false;
    if (!get(object, "override", &override))
        return OK;
    int err = json_check_keys(&override);
    if (err || !get(&override, "force_push_join_leave", &wish))
        return err;
    return get(&wish, "value", &value) ? json_to_bool(&value, sees_presence) : ERR_TYPE;
}

int edge_sub_options_read(const json_value_t *object, edge_sub_options_t *out)
{
    *out = (edge_sub_options_t){0};
    int err = json_check_keys(object);
    if (!err)
        err = read_raw(object, "info", &out->info);
    if (!err)
        err = read_raw(object, "data", &out->data);
    return err ? err : read_override(object, &out->sees_presence);
}

/* --- walking --- */

void edge_token_subs_init(edge_token_subs_t *self, const char *subs)
{
    json_value_t value;
    *self = (edge_token_subs_t){0};
    if (!subs || json_parse(span_str(subs), &value) != OK)
        return;
    self->is_list = value.type == JSON_ARRAY;
    self->rest = json_cursor(&value);
}

void edge_token_subs_fini(edge_token_subs_t *self)
{
    buf_fini(&self->channel);
}

static int next_item(edge_token_subs_t *self)
{
    json_value_t item;
    self->options = (edge_sub_options_t){0};
    return json_next_item(&self->rest, &item) ? json_to_text(&item, &self->channel) : ERR_NOT_FOUND;
}

static int next_member(edge_token_subs_t *self)
{
    span_t key;
    json_value_t options;
    if (!json_next_member(&self->rest, &key, &options))
        return ERR_NOT_FOUND;
    json_value_t name = {JSON_STRING, span_new(key.data - 1, key.size + 2)}; /* with its quotes */
    int err = json_to_text(&name, &self->channel);
    return err ? err : edge_sub_options_read(&options, &self->options);
}

int edge_token_subs_next(edge_token_subs_t *self)
{
    buf_clear(&self->channel);
    return self->is_list ? next_item(self) : next_member(self);
}

/* --- comparing --- */

static bool has(const char *subs, span_t channel)
{
    edge_token_subs_t walk;
    bool found = false;
    edge_token_subs_init(&walk, subs);
    while (!found && edge_token_subs_next(&walk) == OK)
        found = span_eq(buf_span(&walk.channel), channel);
    edge_token_subs_fini(&walk);
    return found;
}

static bool has_all_of(const char *subs, const char *others)
{
    edge_token_subs_t walk;
    int err;
    bool all = true;
    edge_token_subs_init(&walk, others);
    while (all && (err = edge_token_subs_next(&walk)) != ERR_NOT_FOUND)
        all = !err && has(subs, buf_span(&walk.channel));
    edge_token_subs_fini(&walk);
    return all;
}

bool edge_token_subs_equal(const char *a, const char *b)
{
    if (a && b && strcmp(a, b) == 0) /* the rule: only the token's end is another one */
        return true;
    return has_all_of(a, b) && has_all_of(b, a);
}
