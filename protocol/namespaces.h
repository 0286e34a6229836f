/* protocol/namespaces - what may be done in which channels: the options of each namespace.
 * Owner:  the relays' configuration is their one home; edges learn them in WELCOME.
 * Thread: the owner's; once built, a set is read only.
 * Life:   namespaces_init -> (add* | decode) -> find* -> namespaces_fini
 */
#ifndef HEDDLE_PROTOCOL_NAMESPACES_H
#define HEDDLE_PROTOCOL_NAMESPACES_H

#include "base/buf.h"
#include "protocol/channel_name.h"

#define NAMESPACES_MAX 256u

/* Who may subscribe: the words of the configuration, in this order. `token`: only with a subscription token.
 */
#define SUBSCRIBE_RULES "anyone|authenticated|token|nobody"
typedef enum subscribe_rule {
    SUBSCRIBE_ANYONE,
    SUBSCRIBE_AUTHENTICATED,
    SUBSCRIBE_TOKEN,
    SUBSCRIBE_NOBODY
} subscribe_rule_t;

/* Who may publish. */
#define PUBLISH_RULES "anyone|authenticated|subscribers|nobody"
typedef enum publish_rule {
    PUBLISH_ANYONE,
    PUBLISH_AUTHENTICATED,
    PUBLISH_SUBSCRIBERS,
    PUBLISH_NOBODY
} publish_rule_t;

typedef struct channel_options {
    uint64_t history_size;   /* publications kept */
    uint64_t history_ttl_us; /* ... so long */
    bool presence;
    bool join_leave;            /* those who listen can hear who comes and goes ... */
    bool force_push_join_leave; /* ... and do, whether they ask for it or not */
    subscribe_rule_t subscribe;
    publish_rule_t publish;
} channel_options_t;

typedef struct namespaces {
    struct namespace_entry *entries; /* owned, sorted by name */
    size_t count;
} namespaces_t;

void namespaces_init(namespaces_t *self); /* empty: no namespace exists, not even the default one */
void namespaces_fini(namespaces_t *self);

/* `name` "default" is the namespace of names without ':'. ERR_DUPLICATE, ERR_MALFORMED (name), ERR_FULL. */
int namespaces_add(namespaces_t *self, span_t name, const channel_options_t *options);

/* The options of a channel (a valid name); NULL: its namespace does not exist. Lent as long as self is
 * unchanged. */
const channel_options_t *namespaces_find(const namespaces_t *self, span_t channel);

/* The list that WELCOME carries: [[name, history size, history ttl us, presence, subscribe, publish, join_leave,
 * force_push_join_leave], ...]. */
void namespaces_encode(const namespaces_t *self, buf_t *out);

/* Replaces self by what a list says; on an error (ERR_TYPE, ...) self is unchanged. */
int namespaces_decode(namespaces_t *self, span_t list);

#endif
