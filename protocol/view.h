/* protocol/view - which relays own the channels: the members of a cluster, as agreed on, and the ranks that follow.
 * Thread: any; pure.
 *
 * A view has a number that grows and a lineage. In one lineage there is one view of each number: a majority of the
 * members of each view has voted for the next one (relay/mesh). A relay that is alone begins a lineage of its own, so
 * different lineages share nothing; where two meet, the greater one takes the other one's relays in.
 */
#ifndef HEDDLE_PROTOCOL_VIEW_H
#define HEDDLE_PROTOCOL_VIEW_H

#include "base/buf.h"
#include "protocol/limits.h"

typedef struct view_member {
    uint64_t id;
    char name[NODE_NAME_MAX + 1]; /* what ranks are made of */
} view_member_t;

typedef struct view {
    uint64_t lineage;
    uint64_t number; /* from 1; 0 = no view */
    size_t count;
    view_member_t members[VIEW_MEMBERS_MAX]; /* by id, ascending */
} view_t;

/* OK; ERR_FULL, ERR_DUPLICATE (that id or that name is there), ERR_MALFORMED (a name that is none, id 0). */
int view_add(view_t *self, uint64_t id, span_t name);

const view_member_t *view_find(const view_t *self, uint64_t id); /* NULL */

/* Both or one of them may be no view. */
bool view_same(const view_t *a, const view_t *b);

/* Which of two lineages takes in the other: the one with more members, else the one with the higher number, else the one
 * with the smaller lineage. A strict order for views of different lineages. */
bool view_is_greater(const view_t *a, const view_t *b);

/* The relays with the highest weights for a channel. */
typedef struct view_ranks {
    uint64_t owner;   /* 0: the view is empty */
    uint64_t replica; /* the second; 0 = there is none */
} view_ranks_t;

view_ranks_t view_ranks(const view_t *self, span_t channel);

/* The list [[id, name], ...] of the members. */
void view_write_members(const view_t *self, buf_t *out);

/* Replaces the members; lineage and number stay. ERR_* for a list that is none (self is unchanged then). */
int view_read_members(view_t *self, span_t list);

/* What WELCOME carries as `members`: [lineage, number, [id, name], ...]; the empty list is no view. */
void view_encode(const view_t *self, buf_t *out);
int view_decode(view_t *self, span_t list);

#endif
