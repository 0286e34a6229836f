/* relay/copies - publications on their way to the replica: an owner confirms and delivers what the replica keeps.
 * Owner:  the front.
 * Thread: the relay loop.
 * Life:   relay_copies_init -> (publish | kept | restart | turn)* -> relay_copies_fini
 *
 * For each replica a queue in the order of sending. A replica counts what it keeps of a view and says how many that are
 * (COPIED); so far the queue is committed. When the view changes, what is not committed is sent to the replica of the
 * new one, as far as the channel is still this relay's.
 */
#ifndef HEDDLE_RELAY_COPIES_H
#define HEDDLE_RELAY_COPIES_H

#include "relay/tenure.h"

typedef struct relay_copies_events {
    /* The publication that came from that peer under that counter is in force. */
    void (*committed)(void *context, relay_peer_slot_t origin, uint64_t counter, position_t position,
                      uint64_t now_us);
    /* This MSG will never be: its channel is another relay's now, or in another epoch. */
    void (*voided)(void *context, span_t encoded);
    void *context;
} relay_copies_events_t;

typedef struct relay_copies {
    relay_tenures_t *tenures; /* borrowed */
    const node_t *node;       /* borrowed */
    relay_copies_events_t events;
    struct relay_replica *replicas; /* owned; one for each member of the view */
    list_t held;                    /* of a view that has ended, in order; to be sent again */
    buf_t scratch;
    size_t bytes;            /* of all that waits */
    uint64_t states, copies; /* sent, in all */
} relay_copies_t;

void relay_copies_init(relay_copies_t *self, relay_tenures_t *tenures, const relay_copies_events_t *events);
void relay_copies_fini(relay_copies_t *self);
void relay_copies_attach(relay_copies_t *self, const node_t *node);

/* The replica of a channel in the view that is in force. */
typedef enum relay_replica_state {
    REPLICA_NONE, /* publish without */
    REPLICA_READY,
    REPLICA_LATE, /* it is not in this view yet, or has not answered for long: not now */
} relay_replica_state_t;

/* `arrived` tells whether a member is in the view that is in force. */
relay_replica_state_t relay_copies_state(const relay_copies_t *self, span_t channel, const relay_mesh_t *mesh,
                                         link_t **replica);

/* Gives the publication its place and sends it. It will be committed later. ERR_FULL: not now, and nothing is done. */
int relay_copies_publish(relay_copies_t *self, relay_channel_t *channel, link_t *replica,
                         const envelope_pub_t *publication, relay_peer_slot_t origin, uint64_t now_us,
                         uint64_t wall_us, position_t *position);

/* Calls committed for that position as well, behind what waits now: the publication was sent again meanwhile. */
void relay_copies_confirm(relay_copies_t *self, relay_channel_t *channel, link_t *replica,
                          relay_peer_slot_t origin, uint64_t counter, position_t position);

/* Does the publication of that id wait at that position? */
bool relay_copies_holds(const relay_copies_t *self, const relay_channel_t *channel, position_t position,
                        uint64_t node, uint64_t counter);

/* Sends the replica what the channel is, if it was not yet. ERR_FULL: not now. */
int relay_copies_introduce(relay_copies_t *self, relay_channel_t *channel, link_t *replica, uint64_t now_us);

/* A replica keeps so many of this view. */
void relay_copies_kept(relay_copies_t *self, const link_t *replica, const envelope_copied_t *copied,
                       uint64_t now_us);

/* A new view is in force: what waits is held. */
void relay_copies_restart(relay_copies_t *self);

/* Sends what is held, once all replicas of the view are there. true: nothing is held any more. */
bool relay_copies_resume(relay_copies_t *self, const relay_mesh_t *mesh, uint64_t now_us);

/* Does each replica keep all STATEs, with what belongs to them, that it was sent in this view? */
bool relay_copies_states_are_kept(const relay_copies_t *self);

/* Is everything kept that was sent? */
bool relay_copies_are_kept(const relay_copies_t *self);

/* STATE and the COPYs of a channel, over a link that has room. ERR_FULL: not now. `sent` counts them. */
int relay_copies_send_state(relay_copies_t *self, relay_channel_t *channel, link_t *link, unsigned flags,
                            uint64_t now_us, uint64_t *sent);

#endif
