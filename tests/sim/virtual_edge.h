/* sim/virtual_edge - an edge without clients: a node and an uplink on a virtual fabric, and subscriptions that
 * go on from their position whenever a relay is found, as edge/hub does it.
 * Owner:  a test or a simulation embeds it.
 * Life:   virtual_edge_start -> (virtual_edge_subscribe | uplink calls)* -> virtual_edge_stop
 */
#ifndef HEDDLE_TESTS_SIM_VIRTUAL_EDGE_H
#define HEDDLE_TESTS_SIM_VIRTUAL_EDGE_H

#include "fabric/uplink.h"
#include "tests/sim/virtual_fabric.h"

#define VIRTUAL_SUBSCRIPTIONS 64u

typedef enum virtual_subscribed {
    SUBSCRIPTION_WAITS,
    SUBSCRIPTION_ASKED,
    SUBSCRIPTION_ON
} virtual_subscribed_t;

typedef struct virtual_subscription {
    char channel[32];
    virtual_subscribed_t state;
    uint64_t via;        /* the relay that was asked last; what others say of the channel is late */
    uint64_t request;    /* the number of the last SUB */
    position_t position; /* of the newest message, or as the relay said when what came before was lost */
    unsigned answers;    /* SUB_OK */
    unsigned recovered;  /* ... with all that was missed */
    unsigned told;       /* ... that say: you have missed something, and it is gone */
    unsigned refusals;   /* SUB_NO */
    int refusal;         /* the code of the last one */
    uint64_t messages;
    uint64_t faults; /* messages that are not the next one */
} virtual_subscription_t;

typedef struct virtual_edge virtual_edge_t;

/* What a test wants to see itself; each may be NULL. */
typedef struct virtual_edge_events {
    void (*message)(void *context, virtual_edge_t *edge, const virtual_subscription_t *subscription,
                    const envelope_msg_t *message);
    void (*asked)(void *context, virtual_edge_t *edge, link_t *relay, const envelope_ask_t *question);
    void (*turn)(void *context, virtual_edge_t *edge); /* once in each turn */
} virtual_edge_events_t;

typedef struct virtual_edge_options {
    const char *name;
    const char *cluster;
    node_role_t role;
    size_t relays; /* how many are expected */
    link_settings_t link;
    virtual_edge_events_t events;
    void *context; /* borrowed */
} virtual_edge_options_t;

#define VIRTUAL_EDGE_DEFAULT                                                                                 \
    {                                                                                                        \
        .name = "edge-1", .cluster = "heddle", .role = ROLE_EDGE, .relays = 1, .link = LINK_SETTINGS_DEFAULT \
    }

struct virtual_edge {
    virtual_port_t port;
    node_t *node;     /* owned */
    uplink_t *uplink; /* owned */
    virtual_edge_options_t options;
    virtual_subscription_t subscriptions[VIRTUAL_SUBSCRIPTIONS];
    size_t subscription_count;
    unsigned found, lost, moved, rooms; /* events */
    buf_t
        heard; /* payloads of messages, who came ("+c1") and who left ("-c1"), each with a space behind it */
    uint64_t strays; /* messages and answers of channels that it has no subscription for */
};

void virtual_edge_start(virtual_edge_t *self, virtual_fabric_t *fabric,
                        const virtual_edge_options_t *options);
void virtual_edge_stop(virtual_edge_t *self); /* without a word */

/* From the end of the channel on; goes on when links come and go. Lent until the edge stops. */
virtual_subscription_t *virtual_edge_subscribe(virtual_edge_t *self, const char *channel);

/* Is each subscription on? For virtual_fabric_run_until. */
bool virtual_edge_is_on(void *self);
bool virtual_edge_is_linked(void *self);

/* Publishes a text; answers are counted by uplink_counts. */
int virtual_edge_publish(virtual_edge_t *self, const char *channel, const char *text);

#endif
