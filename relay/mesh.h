/* relay/mesh - which relays the cluster consists of: agrees with the others on one view after another.
 * Owner:  the front.
 * Thread: the relay loop. No sockets, no clock: envelopes and the time in, envelopes out through links.
 * Life:   relay_mesh_new -> attach -> (up | down | envelope | tick)* -> relay_mesh_destroy
 *
 * A relay begins alone, with a lineage of its own. Each tells all other relays that it is linked with its view and whom
 * it sees (MEET). When the relays that see each other are not the members of the view, one of them proposes a
 * successor, and the members of the view vote: single-decree Paxos (Lamport, "Paxos Made Simple", 2001) for each
 * number of a lineage, where a majority of the members of view n decides what view n + 1 is. All members learn it in
 * order (INSTALL), none is passed over. From the moment that a member votes for a successor, nothing of the view is
 * written any more (relay_mesh_voted), so whatever a successor does not know was never confirmed to anybody.
 *
 * Who can't reach a majority any more leaves: it is alone again, in a new lineage. Who meets a greater lineage joins it
 * (protocol/view), as a member that brings what it has as a guest's gift. docs/decisions/0009 has the whole of it.
 */
#ifndef HEDDLE_RELAY_MESH_H
#define HEDDLE_RELAY_MESH_H

#include "base/random.h"
#include "fabric/node.h"
#include "protocol/view.h"

typedef struct relay_mesh relay_mesh_t;

typedef enum mesh_step {
    MESH_SUCCEEDED, /* `to` is the successor of `from`, decided by a majority of it */
    MESH_LEFT,   /* this relay alone, in a new lineage: no majority of `from` in reach, or it was left out */
    MESH_JOINED, /* a member of another, greater lineage now */
} mesh_step_t;

typedef struct mesh_change {
    mesh_step_t step;
    const view_t *from; /* lent for the call */
    const view_t *to;
    bool
        doubtful; /* MESH_LEFT, and this relay had voted for a successor of `from`: it may have been decided */
} mesh_change_t;

typedef struct relay_mesh_events {
    /* A new view is in force here. */
    void (*changed)(void *context, const mesh_change_t *change, uint64_t now_us);
    /* Another member has come to the view that is in force here: it takes what belongs to this view. */
    void (*arrived)(void *context, uint64_t member, uint64_t now_us);
    /* SYNCED, SETTLED, STATE, COPY, COPIED, FORWARD, BACK, GONE are not the mesh's: the front hands them elsewhere. */
} relay_mesh_events_t;

typedef struct relay_mesh_options {
    const char *name;                  /* borrowed */
    bool peers;                        /* others are configured: without any, it serves at once */
    uint64_t options;                  /* a digest of what all relays must agree on (namespaces, replicas) */
    uint64_t seed;                     /* for lineages and for who waits how long */
    const relay_mesh_events_t *events; /* borrowed */
    void *context;                     /* borrowed */
} relay_mesh_options_t;

relay_mesh_t *relay_mesh_new(const relay_mesh_options_t *options, uint64_t now_us);
void relay_mesh_destroy(relay_mesh_t **self_p);

void relay_mesh_attach(relay_mesh_t *self, const node_t *node); /* borrowed; before anything else */

/* For the node's events about links with relays, and for envelopes from MEET to INSTALL. */
void relay_mesh_up(relay_mesh_t *self, link_t *link, uint64_t now_us);
void relay_mesh_down(relay_mesh_t *self, link_t *link, uint64_t now_us);
void relay_mesh_envelope(relay_mesh_t *self, link_t *link, const envelope_t *envelope, uint64_t now_us);

/* Once a turn. true: something may be different now; nothing costs nothing. */
bool relay_mesh_tick(relay_mesh_t *self, uint64_t now_us);
uint64_t relay_mesh_due(const relay_mesh_t *self); /* when the next tick has something to do, us */

const view_t *relay_mesh_view(const relay_mesh_t *self);

/* It has voted for a successor that is not in force here yet: nothing of this view is confirmed any more. */
bool relay_mesh_voted(const relay_mesh_t *self);

/* Is that member in the very view that is in force here? */
bool relay_mesh_has_arrived(const relay_mesh_t *self, uint64_t member);

/* May edges use this relay? Not while it waits for others after its start (MESH_START_US at most), and not
 * while it sees a greater lineage that it has still to join. */
bool relay_mesh_serves(const relay_mesh_t *self);

#define MESH_START_US 2000000u /* how long others may take to be found */
/* Without a majority in reach: then it leaves. To leave ends epochs, so of three or more a relay waits for the others to come
 * back, as long as they can; of two the one that is left has nobody to wait for. */
#define MESH_ALONE_US    1000000u
#define MESH_MINORITY_US 10000000u

#endif
