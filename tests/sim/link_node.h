/* sim/link_node - the two nodes of link_sim, each as fabric/node keeps its links, and the world that they
 * live in.
 * Owner:  link_sim owns the one world.
 */
#ifndef HEDDLE_TESTS_SIM_LINK_NODE_H
#define HEDDLE_TESTS_SIM_LINK_NODE_H

#include "base/random.h"
#include "protocol/link.h"
#include "tests/sim/network.h"
#include "tests/sim/oracle.h"

#define MS      UINT64_C(1000)
#define SECOND  UINT64_C(1000000)
#define SETTLED (15 * SECOND) /* into the tail: LATE_MAX, a silence until `down`, greeting, sending again */
#define TALKS   64u /* links of one node: the live one, and those to the other's dead predecessors */

enum { INITIATOR, ACCEPTOR };

typedef struct world world_t;
typedef struct side side_t;

/* One link, as its node keeps it. */
typedef struct talk {
    side_t *side;
    link_t *link;
    conversation_t conversation; /* open = up */
    uint64_t up_at;              /* moved on by pauses */
} talk_t;

struct side {
    world_t *world;
    int index;
    link_identity_t identity;
    link_settings_t settings;
    talk_t *talks[TALKS];
    uint64_t sessions;
    uint64_t paused_at;
    uint64_t paused_until; /* 0 = it runs */
    uint64_t blocked_until;
};

struct world {
    uint64_t seed;
    random_t random;
    uint64_t now;
    bool traced;
    bool mild;
    unsigned trouble; /* of 10,000 actions: restarts, resets, pauses, ... */
    uint64_t blackout_until;
    uint64_t tail_from;
    uint64_t act_at;
    uint64_t relink_at; /* when the initiator's node makes its link anew; UINT64_MAX = it has one */
    side_t sides[2];
    network_t network;
    oracle_t oracle;
};

/* Over all runs. */
extern struct totals {
    uint64_t heard, ended, full, resent, gaps;
} totals;

void trace(const world_t *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
void trace_message(const world_t *world, const char *what, span_t message);
void fail(const world_t *world, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));
const char *side_name(const side_t *side);
bool chance(world_t *world, unsigned per_10000);

/* Says the next thing in a conversation; nothing if it is not open. */
void talk_say(talk_t *talk);

void side_receive(side_t *side, span_t message);
void side_turn(side_t *side);                /* the end of a loop turn */
void side_crash(side_t *side);               /* and comes back under another id */
void side_meet(side_t *side, uint64_t peer); /* it makes its one link anew */
void side_close(side_t *side);
void side_reset(side_t *side);
void side_resume(side_t *side);
void side_reap(side_t *side); /* forgets links that are down */

#endif
