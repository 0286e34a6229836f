/* relay/publishers - which publications of which node have been accepted, so that one that is sent again is
 * not published again.
 * Owner:  the front.
 * Thread: the relay loop. The time is an argument.
 * Life:   relay_publishers_init -> (find | record | sweep)* -> relay_publishers_fini
 *
 * A node has at most PUBLISHER_MEMORY publications unanswered (fabric/uplink), and sends them again in order,
 * so remembering the last so many of each node is enough: exact, and bounded.
 */
#ifndef HEDDLE_RELAY_PUBLISHERS_H
#define HEDDLE_RELAY_PUBLISHERS_H

#include "base/table.h"
#include "protocol/position.h"

#define PUBLISHER_MEMORY 8192u /* as many as UPLINK_PENDING_MAX */

/* A node gives its publications up after 10 s; what is older than this is asked for by nobody. */
#define PUBLISHER_IDLE_US 60000000u

typedef struct relay_publishers {
    table_t by_node;
    struct publisher *last; /* of by_node: who recorded last; a batch is of one node. NULL = nobody */
} relay_publishers_t;

void relay_publishers_init(relay_publishers_t *self);
void relay_publishers_fini(relay_publishers_t *self);

/* It was not, after all. */
void relay_publishers_forget(relay_publishers_t *self, uint64_t node, uint64_t counter);

/* Was this one accepted before? Then where. */
bool relay_publishers_find(const relay_publishers_t *self, uint64_t node, uint64_t counter,
                           position_t *position);
void relay_publishers_record(relay_publishers_t *self, uint64_t node, uint64_t counter, position_t position,
                             uint64_t now_us);

/* Forgets nodes that have not published for PUBLISHER_IDLE_US. */
void relay_publishers_sweep(relay_publishers_t *self, uint64_t now_us);

#endif
