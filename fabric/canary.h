/* fabric/canary - whether the relays that a node depends on answer: each is asked once a second, over the way that all
 * requests take.
 * Owner:  an edge worker.
 * Thread: its node's loop. Pure: the time comes in, questions go out through the uplink.
 * Life:   canary_init -> canary_tick* -> canary_fini, before the uplink goes
 *
 * Depended on are the relays that the uplink chooses from: those of the view in use that are linked. A member without
 * a link is reached through these, so that their answers speak for it. A relay that is connected and says nothing holds
 * up its channels until its link is given up or the others go on without it; until then the node is not well. While no
 * relay at all is linked, the last ones are remembered, so that it can be said who is missed.
 */
#ifndef HEDDLE_FABRIC_CANARY_H
#define HEDDLE_FABRIC_CANARY_H

#include "fabric/uplink.h"

#define CANARY_INTERVAL_US 1000000u

/* Without an answer for so long, a relay counts as silent: longer than the others take to go on without one of them. A
 * silent link lives for five heartbeats of the relay, which may be shorter or longer. */
#define CANARY_LIMIT_US 3000000u

/* Upper bounds of round trips, in us, with what they are called in metrics (seconds). */
#define CANARY_ROUND_TRIPS(X)       \
    X(within_1ms, 1000u, "0.001")   \
    X(within_10ms, 10000u, "0.01")  \
    X(within_100ms, 100000u, "0.1") \
    X(within_1s, 1000000u, "1")     \
    X(later, UINT64_MAX, "+Inf")

typedef struct canary_counts {
#define CANARY_FIELD(name, bound, label) uint64_t name;
    CANARY_ROUND_TRIPS(CANARY_FIELD) /* answers: each counts once, at the smallest bound that it keeps */
#undef CANARY_FIELD
    uint64_t lost; /* questions whose answer did not come in time */
} canary_counts_t;

typedef enum canary_state { CANARY_HOME, CANARY_OUT, CANARY_BACK, CANARY_LOST } canary_state_t;

typedef struct canary_relay {
    uint64_t id; /* 0: the place is free */
    char name[NODE_NAME_MAX + 1];
    canary_state_t state; /* of the last question */
    uint64_t asked_us;    /* when it went out; 0: never */
    uint64_t heard_us;    /* the last answer, or when the relay became one of those that are depended on */
} canary_relay_t;

typedef struct canary {
    uplink_t *uplink; /* borrowed */
    canary_relay_t relays[VIEW_MEMBERS_MAX];
    canary_counts_t counts;
} canary_t;

void canary_init(canary_t *self, uplink_t *uplink);
void canary_fini(canary_t *self);

/* Once a turn, behind the envelopes that came in it. */
void canary_tick(canary_t *self, uint64_t now_us);

/* Does each relay answer? Else appends which one has been silent for longest: "relay-2: no answer for 4 s". True also if
 * there has never been one. */
bool canary_is_well(const canary_t *self, uint64_t now_us, buf_t *why);

#endif
