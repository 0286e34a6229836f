/* sim/virtual_relay - a relay without its sockets: a node and a front on a virtual fabric.
 * Owner:  a test or a simulation embeds it.
 * Life:   virtual_relay_start -> virtual_relay_stop, any number of times: a new start is a new relay
 */
#ifndef HEDDLE_TESTS_SIM_VIRTUAL_RELAY_H
#define HEDDLE_TESTS_SIM_VIRTUAL_RELAY_H

#include "relay/front.h"
#include "tests/sim/virtual_fabric.h"

typedef struct virtual_relay_options {
    const char *name;
    const char *cluster;
    const namespaces_t *namespaces; /* borrowed */
    size_t channels;
    size_t history_memory;
    link_settings_t link;
    size_t max_links; /* 0 = the node's own limit */
    size_t peers;     /* other relays that are expected */
    bool replicas;
} virtual_relay_options_t;

#define VIRTUAL_RELAY_DEFAULT                                                                    \
    {                                                                                            \
        .name = "relay-1", .cluster = "heddle", .channels = 1000, .history_memory = 1024 * 1024, \
        .link = LINK_SETTINGS_DEFAULT                                                            \
    }

typedef struct virtual_relay {
    virtual_port_t port;
    node_t *node; /* owned */
    relay_front_t *front;
} virtual_relay_t;

/* Publications are stamped with the virtual clock. */
void virtual_relay_start(virtual_relay_t *self, virtual_fabric_t *fabric,
                         const virtual_relay_options_t *options);

/* Without a word, as a crash; for a farewell call node_close before. */
void virtual_relay_stop(virtual_relay_t *self);

#endif
