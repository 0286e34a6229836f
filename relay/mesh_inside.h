/* relay/mesh_inside - what mesh.c (views, and whom the next one should have), mesh_meeting.c (whom it knows, and what they
 * tell each other) and mesh_voting.c share. Nobody else includes it.
 * Owner, thread, life: relay/mesh.
 */
#ifndef HEDDLE_RELAY_MESH_INSIDE_H
#define HEDDLE_RELAY_MESH_INSIDE_H

#include "relay/ballot.h"
#include "relay/mesh.h"

/* Each further place in a view gives those before it so much more time to propose. */
#define MESH_PLACE_DELAY_US 300000u

/* A proposal that nothing has come of. */
#define MESH_PROPOSAL_US 1000000u

/* Views that a member may have to be told of, one after another. */
#define MESH_PAST_VIEWS 16u

/* Lineages that it has left, and where. What was said before may still be on the way, for seconds at most; so many times
 * nobody leaves in seconds. */
#define MESH_LEFT_PLACES 16u

typedef struct mesh_place {
    uint64_t lineage, number;
} mesh_place_t;

/* A relay that this one has a link with. */
typedef struct meeting {
    link_t *link; /* borrowed; NULL = free */
    bool met;     /* it has said MEET */
    bool belongs; /* and was in this lineage then, or once before */
    bool arrived; /* and is in the view that is in force here */
    view_t view;  /* its own */
    uint64_t sees[VIEW_MEMBERS_MAX];
    size_t sees_count;
    uint64_t willing; /* the ballot that it would join by */
    bool differs;     /* in what all must agree on; said once */
} meeting_t;

struct relay_mesh {
    relay_mesh_options_t options;
    const node_t *node; /* borrowed */
    random_t random;
    view_t view;
    view_t *past;                        /* owned; PAST_VIEWS of them, by number */
    meeting_t *meetings;                 /* owned; VIEW_MEMBERS_MAX of them */
    mesh_place_t left[MESH_LEFT_PLACES]; /* a ring */
    size_t left_count;
    ballot_box_t box; /* the vote about the view's successor */
    view_t wanted;    /* whom the next view should have, as it was last worked out */
    uint64_t wanted_since_us;
    uint64_t proposal_ends_us; /* 0 = none is under way */
    uint64_t retry_us;         /* no new proposal before */
    uint64_t alone_since_us;   /* 0 = a majority is in reach */
    uint64_t started_us, installed_us;
    uint64_t now_us; /* of the last tick */
    uint32_t
        torn;    /* a bit for each member whose link went down in this view: it has to come to the next one */
    bool served; /* others had their time to be found */
    bool owes_meet;   /* those who are linked have still to be told of a change */
    bool stirred;     /* since the last tick something has happened */
    uint64_t next_us; /* if nothing happens, when a tick is due */
};

uint64_t relay_mesh_self(const relay_mesh_t *self); /* this node's id */

/* --- mesh.c --- */

/* From now on this view is in force here. */
void relay_mesh_install(relay_mesh_t *self, mesh_step_t step, const view_t *view, bool doubtful,
                        uint64_t now_us);

/* Alone again. */
void relay_mesh_leave(relay_mesh_t *self, bool doubtful, uint64_t now_us);

/* --- mesh_meeting.c --- */

meeting_t *relay_mesh_find(const relay_mesh_t *self, uint64_t id); /* NULL */
bool relay_mesh_sees_each(const relay_mesh_t *self, uint64_t who, uint64_t whom);
bool relay_mesh_sees_greater(const relay_mesh_t *self); /* than one's own lineage */

/* What relays tell each other must not be missing: a link that has no room for it is reset. */
void relay_mesh_send(link_t *link, const envelope_t *envelope, uint64_t now_us);
void relay_mesh_send_meets(relay_mesh_t *self, uint64_t now_us);
void relay_mesh_send_install(link_t *link, const view_t *view, uint64_t now_us);
void relay_mesh_take_meet(relay_mesh_t *self, link_t *link, const envelope_meet_t *meet, uint64_t now_us);
void relay_mesh_look_who_arrived(relay_mesh_t *self, uint64_t now_us);

/* --- mesh_voting.c --- */

size_t relay_mesh_majority(const relay_mesh_t *self);
void relay_mesh_propose(relay_mesh_t *self, uint64_t now_us); /* what is wanted */
void relay_mesh_take_vote(relay_mesh_t *self, link_t *link, const envelope_t *envelope, uint64_t now_us);

#endif
