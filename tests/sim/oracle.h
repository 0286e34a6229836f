/* sim/oracle - knows what was said in each conversation, and judges what is heard. A conversation is what
 * lies between one `up` and the next `down` on one side of a link.
 * Owner:  a simulation embeds it, and a conversation in each of its links.
 * Life:   oracle_init -> (oracle_open | oracle_next | oracle_hear)*
 */
#ifndef HEDDLE_TESTS_SIM_ORACLE_H
#define HEDDLE_TESTS_SIM_ORACLE_H

#include "protocol/envelope.h"

#define ORACLE_CONVERSATIONS 4096u
#define ORACLE_PAYLOAD       (160u * 1024)

typedef struct oracle {
    uint64_t seed;
    unsigned large; /* of 10,000 payloads: up to ORACLE_PAYLOAD; the others are small */
    uint64_t opened;
    uint64_t heard_by[ORACLE_CONVERSATIONS]; /* conversation -> the one that hears it; 0 = none yet */
    char fault[160];
} oracle_t;

typedef struct conversation {
    uint64_t id;    /* 0 = not open */
    uint64_t said;  /* envelopes */
    uint64_t heard; /* envelopes */
    uint64_t hears; /* the other side's conversation; 0 = none yet */
} conversation_t;

void oracle_init(oracle_t *self, uint64_t seed);

/* Begins a conversation. false when ORACLE_CONVERSATIONS have been. */
bool oracle_open(oracle_t *self, conversation_t *conversation);

/* The envelope to say next; it is said when the caller counts it in `said`. */
envelope_t oracle_next(const oracle_t *self, const conversation_t *conversation);

/* NULL if it is right to hear this now; else why not, until the next call. */
const char *oracle_hear(oracle_t *self, conversation_t *conversation, const envelope_t *envelope);

#endif
