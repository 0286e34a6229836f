/* relay/front_inside - what front.c (links, channels), front_questions.c and front_mesh.c (other relays) share. Nobody else
 * includes it.
 * Owner, thread, life: relay/front.
 */
#ifndef HEDDLE_RELAY_FRONT_INSIDE_H
#define HEDDLE_RELAY_FRONT_INSIDE_H

#include "relay/front.h"
#include "relay/handover.h"
#include "relay/survey.h"
#include "relay/waiting.h"

struct relay_front {
    const char *name; /* borrowed */
    node_t *node;     /* borrowed */
    relay_context_t context;
    relay_directory_t *directory; /* owned */
    relay_publishers_t publishers;
    relay_surveys_t surveys;
    relay_mesh_t *mesh; /* owned */
    relay_tenures_t tenures;
    relay_copies_t copies;
    relay_handover_t handover;
    relay_waiting_t waiting;
    bool relays_only; /* edges may not use this relay now, as the node was told; nothing is served */
    uint64_t started_us;
    uint64_t publishers_swept_us;
    uint64_t wall_us;            /* of this turn */
    relay_front_counts_t counts; /* those that nobody else counts */
};

/* One request: who wants what. */
typedef struct relay_wish {
    relay_peer_slot_t from; /* RELAY_NO_PEER: another relay's message, that nobody waits for */
    const envelope_t *envelope;
    unsigned hops; /* relays that it has come through */
} relay_wish_t;

/* A reply to a peer; nothing if it has gone. */
void relay_front_reply(relay_front_t *self, relay_peer_slot_t to, const envelope_t *envelope,
                       uint64_t now_us);

/* Serves it, forwards it to the owner, or lets it wait. */
void relay_front_take(relay_front_t *self, const relay_wish_t *wish, uint64_t now_us);

/* Says no, whatever it was. */
void relay_front_refuse(relay_front_t *self, const relay_wish_t *wish, int err, uint64_t now_us);

/* --- front_questions.c --- */

/* Answers a question about a channel that this relay owns. */
void relay_front_answer(relay_front_t *self, const relay_wish_t *wish, relay_channel_t *channel,
                        uint64_t now_us);

/* Asks all edges. */
void relay_front_survey(relay_front_t *self, link_t *asker, const envelope_ask_t *ask, uint64_t now_us);

/* --- front_mesh.c --- */

void relay_front_open_mesh(relay_front_t *self, const relay_front_options_t *options, uint64_t now_us);
void relay_front_close_mesh(relay_front_t *self);

/* It can't be served now: it waits. */
void relay_front_hold(relay_front_t *self, const relay_wish_t *wish, relay_channel_t *channel,
                      uint64_t now_us);

void relay_front_forward(relay_front_t *self, const relay_wish_t *wish, uint64_t owner, uint64_t now_us);

/* Envelopes of relays. false: it is none of those. */
bool relay_front_take_from_relay(relay_front_t *self, link_t *link, const envelope_t *envelope,
                                 uint64_t now_us);

/* A peer is gone; its slot is still alive. */
void relay_front_mesh_down(relay_front_t *self, link_t *link, uint64_t now_us);

bool relay_front_mesh_turn(relay_front_t *self, uint64_t now_us);

#endif
