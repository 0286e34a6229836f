/* fabric/node - one party on the fabric: its id, and its links to others. Pure: messages and the time in,
 * messages out.
 * Owner:  an edge worker, a relay, a bridge, a tool: whoever has a pair of sockets (fabric/sockets) or a
 *         simulated network.
 * Thread: its owner's loop.
 * Life:   node_new -> (node_receive | node_tick | node_flush)* -> node_destroy; never within an event
 *
 * A node that seeks asks the hello address which relays are there and opens a link to each one that answers;
 * a node that accepts (a relay) answers, and takes HELLOs. Of two relays that seek each other the one with the
 * smaller id opens the link. What comes from strangers is answered by RESET,
 * and counted. A link belongs to the key of the message that began it; with another one nobody can speak on it, and its
 * other end is nothing that this key may not be.
 */
#ifndef HEDDLE_FABRIC_NODE_H
#define HEDDLE_FABRIC_NODE_H

#include "base/random.h"
#include "fabric/roles.h"
#include "protocol/link.h"

typedef struct node node_t;

typedef struct node_events {
    /* One whole message for the fabric, topic first. OK, or ERR_AGAIN: it can't go now. */
    int (*send)(void *context, span_t message);
    void (*up)(void *context, link_t *link, const envelope_t *greeting);
    void (*envelope)(void *context, link_t *link, const envelope_t *envelope);
    /* The link's conversation is void. `link` is good until the event returns; after that only if it is an
     * initiator's. */
    void (*down)(void *context, link_t *link, int reason);
} node_events_t;

typedef struct node_options {
    const char *name;    /* borrowed */
    const char *cluster; /* borrowed */
    node_role_t role;
    bool accepts;         /* answers SEEK and takes HELLO */
    size_t seeks;         /* how many relays there should be; 0 = does not seek */
    link_settings_t link; /* copied */
    size_t max_links;     /* ERR_FULL beyond; 0 = 4096 */
    random_t *random;     /* borrowed; for ids and sessions. NULL = the system's, which nobody can guess */
    const node_events_t *events; /* borrowed */
    link_ahead_fn *ahead;        /* of all links, with this context (link_set_ahead); may be NULL */
    void *context;               /* borrowed */
} node_options_t;

/* Counted for metrics; node_counts sums over links that live and links that are gone. */
typedef struct node_counts {
    link_counts_t link;
    uint64_t malformed; /* messages that are none */
    uint64_t strangers; /* messages of nodes that believe in a link with us, answered by RESET */
    uint64_t impostors; /* messages that claim to come from this very node, or from one with another key */
    uint64_t denied;    /* messages and envelopes that the sender's role, or its key, does not allow */
    uint64_t versions;  /* messages of another version */
    uint64_t refusals;  /* HELLOs refused (table full, cluster, version) or refused to us */
    uint64_t downs;     /* links gone down */
} node_counts_t;

node_t *node_new(const node_options_t *options, uint64_t now_us);
void node_destroy(node_t **self_p);

uint64_t node_id(const node_t *self);

/* The lists that WELCOME carries; copied. For a node that accepts. */
void node_set_namespaces(node_t *self, span_t list);
void node_set_members(node_t *self, span_t list);

/* true: takes HELLOs of relays only, and resets the links with all others. Not within an event of a link. */
void node_set_relays_only(node_t *self, bool relays_only, uint64_t now_us);

/* node_options.seeks from now on. */
void node_set_expected(node_t *self, size_t relays, uint64_t now_us);

/* Who a message comes from, as far as the sockets vouch for it. */
typedef struct node_sender {
    uint32_t key;  /* the number of its key; messages of a link all have the same */
    roles_t roles; /* what it may be */
} node_sender_t;

/* Where there are no keys, each is what it says it is. */
#define NODE_SENDER_ANYONE ((node_sender_t){0, ROLES_ALL})

/* One message off the fabric, whole. */
void node_receive(node_t *self, node_sender_t sender, span_t message, uint64_t now_us);

/* The keys have changed: resets each link whose key may not be any more what it was, as `roles` says. Not within an event
 * of a link. Returns how many. */
size_t node_recheck(node_t *self, roles_t (*roles)(void *context, uint32_t key), void *context,
                    uint64_t now_us);

/* Sends what the links have queued. At the end of each loop turn. */
void node_flush(node_t *self, uint64_t now_us);

/* Does what is due; frees links that are gone. */
void node_tick(node_t *self, uint64_t now_us);
uint64_t node_due(const node_t *self); /* when node_tick or node_flush has to be called next, us */

/* Says BYE to all; nothing is sent or taken afterwards. */
void node_close(node_t *self, const char *reason, uint64_t now_us);

/* Walks the links: for (size_t at = 0; (link = node_next_link(n, &at)) != NULL;). Links must not come or go
 * meanwhile. */
link_t *node_next_link(const node_t *self, size_t *at);
link_t *node_find_link(const node_t *self, uint64_t peer); /* NULL */
size_t node_links_up(const node_t *self);

node_counts_t node_counts(const node_t *self);

/* For config tables: names of nodes and clusters are 1 to NODE_NAME_MAX bytes of printable ASCII without
 * space. */
int node_check_name(const char *text, buf_t *why);

#endif
