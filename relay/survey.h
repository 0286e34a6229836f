/* relay/survey - a question that every edge has to answer, and the one answer made of theirs.
 * Owner:  the front.
 * Thread: the relay loop. The time is an argument.
 * Life:   relay_surveys_init -> (begin | answer | lost | tick)* -> relay_surveys_fini
 */
#ifndef HEDDLE_RELAY_SURVEY_H
#define HEDDLE_RELAY_SURVEY_H

#include "base/list.h"
#include "relay/peers.h"

#define SURVEY_TIMEOUT_US \
    1500000u /* shorter than UPLINK_ASK_TIMEOUT_US: part of an answer is better than none */
#define SURVEYS_MAX 1024u

typedef struct relay_surveys {
    list_t open; /* of surveys, oldest first */
    size_t count;
    uint64_t last_id;
} relay_surveys_t;

void relay_surveys_init(relay_surveys_t *self);
void relay_surveys_fini(relay_surveys_t *self);

/* Sends the question to all edges; `asker` gets one ANSWER with the lists of all, when all have answered or
 * time is up. `own` is a list item of the relay's own, encoded, or empty. */
void relay_surveys_begin(relay_surveys_t *self, const relay_peers_t *peers, link_t *asker,
                         const envelope_ask_t *ask, span_t own, uint64_t now_us);

/* An edge's ANSWER. */
void relay_surveys_answer(relay_surveys_t *self, const relay_peers_t *peers, link_t *edge,
                          const envelope_answer_t *answer, uint64_t now_us);

/* That peer is gone: nobody waits for it, and nothing is told to it. */
void relay_surveys_lost(relay_surveys_t *self, const relay_peers_t *peers, relay_peer_slot_t slot,
                        uint64_t now_us);

/* Ends those whose time is up. */
void relay_surveys_tick(relay_surveys_t *self, const relay_peers_t *peers, uint64_t now_us);

#endif
