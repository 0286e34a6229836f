#include "tests/sim/oracle.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/random.h"

#define SMALL   400u
#define TEXTURE 4096u

static uint8_t texture[TEXTURE + ORACLE_PAYLOAD];

void oracle_init(oracle_t *self, uint64_t seed)
{
    *self = (oracle_t){.seed = seed};
    random_t random = {1};
    for (size_t i = 0; texture[0] == 0 && i < sizeof texture; i++)
        texture[sizeof texture - 1 - i] = (uint8_t)(random_next(&random) | 1u);
}

bool oracle_open(oracle_t *self, conversation_t *conversation)
{
    if (self->opened + 1 == ORACLE_CONVERSATIONS)
        return false;
    *conversation = (conversation_t){.id = ++self->opened};
    return true;
}

/* The size of an envelope's payload, and where in the texture it begins, follow from its number. */
static span_t payload_of(const oracle_t *self, uint64_t id, uint64_t counter)
{
    random_t random = {self->seed ^ id << 32 ^ counter};
    uint64_t bits = random_next(&random);
    size_t most = bits % 10000 < self->large ? ORACLE_PAYLOAD : SMALL;
    return span_new(texture + (bits >> 20) % TEXTURE, random_below(&random, most));
}

envelope_t oracle_next(const oracle_t *self, const conversation_t *conversation)
{
    uint64_t counter = conversation->said + 1;
    return (envelope_t){.kind = KIND_PUB,
                        .pub = {.node = conversation->id,
                                .counter = counter,
                                .channel = SPAN("sim:channel"),
                                .payload = payload_of(self, conversation->id, counter)}};
}

/* Two conversations hear each other and nobody else. */
static bool fits(oracle_t *self, conversation_t *conversation, uint64_t source)
{
    if (!conversation->hears && !self->heard_by[source]) {
        self->heard_by[source] = conversation->id;
        conversation->hears = source;
    }
    uint64_t hears_me = self->heard_by[conversation->id];
    return conversation->hears == source && self->heard_by[source] == conversation->id &&
           (hears_me == 0 || hears_me == source);
}

const char *oracle_hear(oracle_t *self, conversation_t *conversation, const envelope_t *envelope)
{
    if (envelope->kind != KIND_PUB || envelope->pub.node == 0 || envelope->pub.node > self->opened)
        return "an envelope that nobody said";
    if (!conversation->id)
        return "an envelope outside of a conversation";
    uint64_t source = envelope->pub.node, counter = envelope->pub.counter;
    bool right = fits(self, conversation, source) && counter == conversation->heard + 1 &&
                 span_eq(envelope->pub.payload, payload_of(self, source, counter));
    if (!right) {
        snprintf(self->fault, sizeof self->fault,
                 "conversation %" PRIu64 " hears envelope %" PRIu64 " of %" PRIu64 ", after %" PRIu64
                 " of %" PRIu64,
                 conversation->id, counter, source, conversation->heard, conversation->hears);
        return self->fault;
    }
    conversation->heard++;
    return NULL;
}
