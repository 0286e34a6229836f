/* relay/tenure - which channels this relay owns, and whether what it has of them is in force.
 * Owner:  the front.
 * Thread: the relay loop. Pure.
 * Life:   relay_tenures_init -> (step | claim | judge)* -> relay_tenures_fini
 *
 * After each step of the mesh every channel has to be judged anew: who owns it, who keeps the copy, may its epoch go on.
 * That is done for one channel at a time, when somebody wants it or the hand-over comes by (docs/decisions/0009).
 */
#ifndef HEDDLE_RELAY_TENURE_H
#define HEDDLE_RELAY_TENURE_H

#include "relay/directory.h"
#include "relay/mesh.h"

/* Steps that a channel can be behind. The hand-over visits all of them after each step, so few is enough. */
#define RELAY_STEPS 16u

typedef struct relay_tenures {
    relay_context_t *context;     /* borrowed */
    relay_directory_t *directory; /* borrowed */
    uint64_t self;                /* this node's id */
    bool replicas;
    random_t random;  /* for epochs */
    uint64_t left_us; /* when this relay left its lineage: what is older, the others have; 0 = never */
    uint32_t step;    /* of the mesh's steps, how many there were */
    bool synced;      /* all members have handed over what this relay owns */
    bool clean; /* the view before this one was settled: nobody but its owners and replicas has anything */
    struct relay_step *steps; /* owned; the last RELAY_STEPS, by number */
    view_t view;              /* in force */
} relay_tenures_t;

void relay_tenures_init(relay_tenures_t *self, relay_context_t *context, relay_directory_t *directory,
                        bool replicas, uint64_t seed);
void relay_tenures_fini(relay_tenures_t *self);

/* The first view; a relay that is alone has it from the start. */
void relay_tenures_begin(relay_tenures_t *self, uint64_t self_id, const view_t *view);

/* `settled`: the view that ends was; `copied`: its replicas keep all that they were introduced to. */
void relay_tenures_step(relay_tenures_t *self, const mesh_change_t *change, bool settled, bool copied,
                        uint64_t now_us);

/* The replica of a view; 0 = none, or this relay keeps none. */
uint64_t relay_tenures_replica(const relay_tenures_t *self, const view_ranks_t *ranks);

/* Brings the channel's standing up to date. */
void relay_tenures_judge(relay_tenures_t *self, relay_channel_t *channel);

/* Of a channel that others own, judged: may this relay know something that its owner does not? */
bool relay_tenures_may_know_more(const relay_tenures_t *self, relay_channel_t *channel);

typedef enum relay_claim {
    CLAIM_MINE,   /* go on; the channel may still have to be made */
    CLAIM_WAIT,   /* it is this relay's, and others may know more of it: later */
    CLAIM_OTHERS, /* `owner` owns it */
} relay_claim_t;

/* Who has to do with a channel now. `*channel` is NULL if it does not exist here. */
relay_claim_t relay_tenures_claim(relay_tenures_t *self, span_t name, relay_channel_t **channel,
                                  uint64_t *owner);

/* The channel, judged, owned by rank and known as well as it will be, is in force from now on. */
void relay_tenures_take(relay_tenures_t *self, relay_channel_t *channel);

#endif
