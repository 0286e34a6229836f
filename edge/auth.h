/* edge/auth - who is a client, and what may it do? Tokens against the configured secret, rules of namespaces.
 * Owner:  the process; read only once made, so all workers share it.
 * Thread: any.
 */
#ifndef HEDDLE_EDGE_AUTH_H
#define HEDDLE_EDGE_AUTH_H

#include "base/config.h"
#include "protocol/namespaces.h"
#include "protocol/token.h"

/* The `auth:` section. */
typedef struct edge_auth_config {
    char *hmac_secret;
    char *hmac_secret_file; /* one of the two; a trailing newline of the file does not count */
    bool required;          /* no token, no connection */
} edge_auth_config_t;

extern const config_table_t edge_auth_config_table;

typedef struct edge_auth edge_auth_t;

/* ERR_IO (the file), ERR_CONFIG (both, or `required` without a secret, or a secret under 16 bytes); a
 * sentence in `why`. */
int edge_auth_open(edge_auth_t **out, const edge_auth_config_t *config, buf_t *why);
void edge_auth_destroy(edge_auth_t **self_p);

/* Who a client is; a session owns one. */
typedef struct edge_identity {
    char *user;          /* owned; NULL = anonymous */
    char *info;          /* owned raw JSON; NULL = none */
    char *subs;          /* owned raw JSON, for edge/token_subs; NULL = none */
    uint64_t expires_us; /* wall clock; 0 = never */
} edge_identity_t;

void edge_identity_fini(edge_identity_t *self);

/* A connection with this token; empty = none. OK; ERR_DENIED: anonymous clients are not let in; or an error
 * of token_check; ERR_TYPE for a subscription's token; ERR_MALFORMED for a user's name with a NUL in it,
 * ERR_TOO_BIG for one over USER_ID_MAX; ERR_UNAVAILABLE: no secret is configured. On an error `out` is empty.
 */
int edge_auth_connect(const edge_auth_t *self, span_t token, uint64_t wall_us, edge_identity_t *out);

typedef struct edge_subscribe_request {
    span_t channel;
    span_t token; /* empty = none */
    span_t user;  /* empty = anonymous */
    span_t client;
} edge_subscribe_request_t;

/* What its token adds to a subscription; all zero without one. */
typedef struct edge_subscribe_grant {
    char *info;          /* owned raw JSON; NULL = none */
    uint64_t expires_us; /* wall clock; 0 = never */
} edge_subscribe_grant_t;

/* Is a subscription let in? OK; ERR_DENIED; ERR_EXPIRED; ERR_SIGNATURE and others of token_check; ERR_TYPE: the
 * token is for another channel, user or client. A private channel ('$…') and the rule `token` want a token;
 * elsewhere one is welcome, and checked. A good token lets in under every rule but `nobody`. On an error
 * `out` is all zero. */
int edge_auth_subscribe(const edge_auth_t *self, const channel_options_t *options,
                        const edge_subscribe_request_t *request, uint64_t wall_us,
                        edge_subscribe_grant_t *out);

/* May it publish? OK or ERR_DENIED. */
int edge_auth_publish(const channel_options_t *options, span_t user, bool subscribed);

/* May it see presence? Subscribers may. OK, ERR_UNAVAILABLE (presence is off), ERR_DENIED. */
int edge_auth_presence(const channel_options_t *options, bool subscribed);

#endif
