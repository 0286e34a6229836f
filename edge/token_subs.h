/* edge/token_subs - the channels that a connection's token subscribes its client to (edge_identity_t.subs).
 * Thread: any; pure.
 *
 * `subs` is {"CHANNEL": {"info": ..., "data": ..., "override": {...}}, ...}, `channels` is ["CHANNEL", ...].
 */
#ifndef HEDDLE_EDGE_TOKEN_SUBS_H
#define HEDDLE_EDGE_TOKEN_SUBS_H

#include "protocol/json.h"

/* What a server-side subscription is to be like: from a token or from a back end. */
typedef struct edge_sub_options {
    span_t info;        /* raw JSON; empty = the connection's */
    span_t data;        /* raw JSON, told to the client with the subscription; empty = none */
    bool sees_presence; /* it is told who joins and leaves */
} edge_sub_options_t;

/* The members `info`, `data` and `override` of an object. ERR_TYPE; ERR_TOO_BIG: info or data over CLIENT_INFO_MAX. */
int edge_sub_options_read(const json_value_t *object, edge_sub_options_t *out);

typedef struct edge_token_subs {
    json_cursor_t rest;
    bool is_list;
    buf_t channel; /* owned: the last one's name */
    edge_sub_options_t options;
} edge_token_subs_t;

/* Borrows `subs` (NULL = none) for life. init -> next* -> fini */
void edge_token_subs_init(edge_token_subs_t *self, const char *subs);
void edge_token_subs_fini(edge_token_subs_t *self);

/* OK: `channel` and `options` are the next one's, lent until the next call; ERR_NOT_FOUND: that was all; another
 * ERR_*: it is no such list. A name may be no channel's, and may stand twice. */
int edge_token_subs_next(edge_token_subs_t *self);

/* Are they the same channels, whatever their options? What is no such list equals nothing but itself. */
bool edge_token_subs_equal(const char *a, const char *b);

#endif
