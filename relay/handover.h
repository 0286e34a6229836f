/* relay/handover - after a step of the mesh: what this relay has and others own goes to them, and what others have of
 * its own comes in.
 * Owner:  the front.
 * Thread: the relay loop.
 * Life:   relay_handover_init -> (begin | take_* | turn)* -> relay_handover_fini
 *
 *   begin -> (all members are in the view) -> GIVING -> SYNCED to all -> (SYNCED from all) -> COPYING -> SETTLED to all
 *         -> (SETTLED from all) -> done
 *
 * GIVING walks all channels: those that others own are sent to them. COPYING walks them again: those that are this
 * relay's are taken, whatever came of them, and sent to their replicas. Each turn does a slice.
 */
#ifndef HEDDLE_RELAY_HANDOVER_H
#define HEDDLE_RELAY_HANDOVER_H

#include "relay/copies.h"
#include "relay/publishers.h"

typedef enum relay_handover_stage {
    HANDOVER_GATHERING, /* members are still on their way into the view */
    HANDOVER_GIVING,
    HANDOVER_RECEIVING, /* SYNCED is said, not yet heard from all */
    HANDOVER_COPYING,
    HANDOVER_SETTLING, /* SETTLED is said, not yet heard from all */
    HANDOVER_DONE,
} relay_handover_stage_t;

typedef struct relay_handover_events {
    /* A message of another lineage, for a channel that has its own: to be published, or to wait until it can be. */
    void (*guest)(void *context, const envelope_msg_t *message, uint64_t now_us);
    void *context;
} relay_handover_events_t;

typedef struct relay_handover {
    relay_tenures_t *tenures;       /* borrowed */
    relay_copies_t *copies;         /* borrowed */
    relay_publishers_t *publishers; /* borrowed */
    const relay_mesh_t *mesh;       /* borrowed */
    const node_t *node;             /* borrowed */
    relay_handover_events_t events;
    relay_handover_stage_t stage;
    size_t walk;                   /* the next channel */
    struct relay_giver *givers;    /* owned; what each member has said and sent, in the order of the view */
    uint64_t given, taken, guests; /* channels sent, channels taken in, messages of guests */
    uint64_t refused;              /* channels that there was no room for */
} relay_handover_t;

void relay_handover_init(relay_handover_t *self, relay_tenures_t *tenures, relay_copies_t *copies,
                         relay_publishers_t *publishers, const relay_handover_events_t *events);
void relay_handover_fini(relay_handover_t *self);
void relay_handover_attach(relay_handover_t *self, const node_t *node, const relay_mesh_t *mesh);

/* A new view is in force. */
void relay_handover_begin(relay_handover_t *self);

void relay_handover_take_state(relay_handover_t *self, link_t *from, const envelope_state_t *state,
                               uint64_t now_us);
void relay_handover_take_copy(relay_handover_t *self, link_t *from, const envelope_copy_t *copy,
                              uint64_t now_us);
void relay_handover_take_synced(relay_handover_t *self, const link_t *from, const envelope_synced_t *synced);
void relay_handover_take_settled(relay_handover_t *self, const link_t *from,
                                 const envelope_settled_t *settled);

/* The channel, which is this relay's, is in force from now on, if it was not. */
void relay_handover_take(relay_handover_t *self, relay_channel_t *channel, uint64_t now_us);

/* Once a turn: says what is kept (COPIED), does a slice. true: there is more to do now. */
bool relay_handover_turn(relay_handover_t *self, uint64_t now_us);

static inline bool relay_handover_is_done(const relay_handover_t *self)
{
    return self->stage == HANDOVER_DONE;
}

#endif
