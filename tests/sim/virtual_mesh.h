/* sim/virtual_mesh - a relay of which there is nothing but its node and its mesh, on a virtual fabric.
 * Owner:  a test or a simulation embeds it.
 * Life:   virtual_mesh_start -> virtual_mesh_stop, any number of times: a new start is a new relay
 */
#ifndef HEDDLE_TESTS_SIM_VIRTUAL_MESH_H
#define HEDDLE_TESTS_SIM_VIRTUAL_MESH_H

#include "relay/mesh.h"
#include "tests/sim/virtual_fabric.h"

typedef struct virtual_mesh virtual_mesh_t;

/* Within the mesh's own events, and after each thing that it has done. All may be NULL. */
typedef struct virtual_mesh_events {
    void (*changed)(void *context, virtual_mesh_t *self, const mesh_change_t *change);
    void (*arrived)(void *context, virtual_mesh_t *self, uint64_t member);
    void (*turned)(void *context, virtual_mesh_t *self);
} virtual_mesh_events_t;

typedef struct virtual_mesh_options {
    const char *name;
    const char *cluster;
    unsigned host; /* of its port */
    size_t peers;  /* how many others are configured */
    uint64_t digest;
    link_settings_t link;
    const virtual_mesh_events_t *events; /* borrowed; may be NULL */
    void *context;                       /* borrowed */
} virtual_mesh_options_t;

#define VIRTUAL_MESH_DEFAULT                                                              \
    {                                                                                     \
        .name = "relay-1", .cluster = "heddle", .peers = 2, .link = LINK_SETTINGS_DEFAULT \
    }

struct virtual_mesh {
    virtual_port_t port;
    node_t *node;       /* owned; NULL = stopped */
    relay_mesh_t *mesh; /* owned */
    virtual_mesh_options_t options;
};

void virtual_mesh_start(virtual_mesh_t *self, virtual_fabric_t *fabric,
                        const virtual_mesh_options_t *options);

/* Without a word, as a crash; for a farewell call node_close before. */
void virtual_mesh_stop(virtual_mesh_t *self);

uint64_t virtual_mesh_id(const virtual_mesh_t *self);
const view_t *virtual_mesh_view(const virtual_mesh_t *self);

/* The link from one to the other; NULL = there is none that is up. */
link_t *virtual_mesh_link(const virtual_mesh_t *self, const virtual_mesh_t *other);

#endif
