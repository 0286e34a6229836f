#include "edge/auth.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/secret_file.h"
#include "protocol/json.h"
#include "protocol/limits.h"

#define SECRET_MIN 16u /* bytes; what is shorter is guessed from one token, offline */

#define ROW(field) .offset = offsetof(edge_auth_config_t, field)
static const config_row_t rows[] = {
    {.key = "hmac_secret",
     .type = CONFIG_TEXT,
     ROW(hmac_secret),
     .flags = CONFIG_SECRET,
     .help = "The secret that tokens are signed with (HS256), at least 16 bytes."},
    {.key = "hmac_secret_file",
     .type = CONFIG_TEXT,
     ROW(hmac_secret_file),
     .example = "/etc/heddle/token-secret",
     .help = "A file with that secret; the end of its last line does not count."},
    {.key = "required",
     .type = CONFIG_BOOL,
     ROW(required),
     .fallback = "false",
     .help = "Clients without a token are not let in."},
};
#undef ROW

const config_table_t edge_auth_config_table =
    CONFIG_TABLE("auth", rows, edge_auth_config_t, "Who clients are: tokens that your own system signs.");

struct edge_auth {
    buf_t secret; /* empty = none is configured */
    bool required;
};

/* --- the secret --- */

static bool is_given(const char *text)
{
    return text && *text;
}

static int take_secret(edge_auth_t *self, const edge_auth_config_t *config, buf_t *why)
{
    bool text = is_given(config->hmac_secret), file = is_given(config->hmac_secret_file);
    if (text && file) {
        buf_append_str(why, "auth.hmac_secret and auth.hmac_secret_file exclude each other");
        return ERR_CONFIG;
    }
    if (text)
        buf_append_str(&self->secret, config->hmac_secret);
    int err = file ? secret_file_read(config->hmac_secret_file, &self->secret) : OK;
    if (err) {
        buf_printf(why, "auth.hmac_secret_file: %s: %s", config->hmac_secret_file,
                   err == ERR_IO ? "can't be read" : "too long for a secret");
        return err == ERR_IO ? ERR_IO : ERR_CONFIG;
    }
    if ((text || file) && self->secret.size < SECRET_MIN) {
        buf_printf(why, "auth.%s: the secret has %zu bytes and needs at least %u (try: openssl rand -hex 32)",
                   text ? "hmac_secret" : "hmac_secret_file", self->secret.size, SECRET_MIN);
        return ERR_CONFIG;
    }
    if (config->required && !text && !file) {
        buf_append_str(why, "auth.required needs auth.hmac_secret or auth.hmac_secret_file");
        return ERR_CONFIG;
    }
    return OK;
}

int edge_auth_open(edge_auth_t **out, const edge_auth_config_t *config, buf_t *why)
{
    edge_auth_t *self = mem_new(sizeof *self);
    self->required = config->required;
    int err = take_secret(self, config, why);
    if (err)
        edge_auth_destroy(&self);
    *out = self;
    return err;
}

void edge_auth_destroy(edge_auth_t **self_p)
{
    edge_auth_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    if (self->secret.size > 0)
        explicit_bzero(self->secret.data, self->secret.capacity);
    buf_fini(&self->secret);
    mem_free(self);
}

/* --- connections --- */

void edge_identity_fini(edge_identity_t *self)
{
    mem_free(self->user);
    mem_free(self->info);
    mem_free(self->subs);
    *self = (edge_identity_t){0};
}

/* The JSON as an owned text on one line, so that it can stand in any frame; NULL for none. */
static char *dup_json(span_t raw)
{
    if (raw.size == 0)
        return NULL;
    buf_t line = {0};
    json_append_line(&line, raw);
    char *copy = mem_dup_n((const char *)line.data, line.size);
    buf_fini(&line);
    return copy;
}

/* A user's id is kept as a text of C: with a NUL in it, "admin\0x" would become somebody else. */
static int check_claims(const token_claims_t *claims)
{
    if (claims->user.size > USER_ID_MAX || claims->info.size > CLIENT_INFO_MAX)
        return ERR_TOO_BIG;
    if (claims->user.size > 0 && memchr(claims->user.data, '\0', claims->user.size))
        return ERR_MALFORMED;
    return OK;
}

/* A token of any use; `claims` is to be given to token_fini whatever happens. */
static int read_token(const edge_auth_t *self, span_t token, uint64_t wall_us, token_claims_t *claims)
{
    if (self->secret.size == 0)
        return ERR_UNAVAILABLE;
    int err = token_check(token, buf_span(&self->secret), wall_us, claims);
    return err ? err : check_claims(claims);
}

int edge_auth_connect(const edge_auth_t *self, span_t token, uint64_t wall_us, edge_identity_t *out)
{
    *out = (edge_identity_t){0};
    if (token.size == 0)
        return self->required ? ERR_DENIED : OK;
    token_claims_t claims = {0};
    int err = read_token(self, token, wall_us, &claims);
    if (!err && claims.has_channel)
        err = ERR_TYPE;
    if (!err) {
        out->user = claims.user.size ? mem_dup_n((const char *)claims.user.data, claims.user.size) : NULL;
        out->info = dup_json(claims.info);
        out->subs = dup_json(claims.subs);
        out->expires_us = claims.expires_us;
    }
    token_fini(&claims);
    return err;
}

/* --- subscriptions --- */

static int check_subscription_token(const edge_auth_t *self, const edge_subscribe_request_t *request,
                                    uint64_t wall_us, edge_subscribe_grant_t *out)
{
    token_claims_t claims = {0};
    int err = read_token(self, request->token, wall_us, &claims);
    if (err == ERR_TYPE) /* of a claim; here it would say that the token is somebody else's */
        err = ERR_MALFORMED;
    if (!err && (!span_eq(claims.channel, request->channel) || !span_eq(claims.user, request->user) ||
                 (claims.client.size > 0 && !span_eq(claims.client, request->client))))
        err = ERR_TYPE;
    if (!err)
        *out = (edge_subscribe_grant_t){.info = dup_json(claims.info), .expires_us = claims.expires_us};
    token_fini(&claims);
    return err;
}

int edge_auth_subscribe(const edge_auth_t *self, const channel_options_t *options,
                        const edge_subscribe_request_t *request, uint64_t wall_us,
                        edge_subscribe_grant_t *out)
{
    *out = (edge_subscribe_grant_t){0};
    if (options->subscribe == SUBSCRIBE_NOBODY)
        return ERR_DENIED;
    if (request->token.size > 0)
        return check_subscription_token(self, request, wall_us, out);
    if (options->subscribe == SUBSCRIBE_TOKEN || channel_name_is_private(request->channel))
        return ERR_DENIED;
    if (options->subscribe == SUBSCRIBE_AUTHENTICATED && request->user.size == 0)
        return ERR_DENIED;
    return OK;
}

/* --- the rest --- */

int edge_auth_publish(const channel_options_t *options, span_t user, bool subscribed)
{
    switch (options->publish) {
    case PUBLISH_ANYONE: return OK;
    case PUBLISH_AUTHENTICATED: return user.size > 0 ? OK : ERR_DENIED;
    case PUBLISH_SUBSCRIBERS: return subscribed ? OK : ERR_DENIED;
    case PUBLISH_NOBODY: return ERR_DENIED;
    }
    return ERR_DENIED;
}

int edge_auth_presence(const channel_options_t *options, bool subscribed)
{
    if (!options->presence)
        return ERR_UNAVAILABLE;
    return subscribed ? OK : ERR_DENIED;
}
