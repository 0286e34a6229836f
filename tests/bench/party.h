/* tests/bench/party - a node of a bench: its sockets, and the uplink that it speaks through.
 * Owner:  the bench.
 * Thread: its loop's.
 * Life:   zeroed memory -> party_open -> party_leave or party_die -> the loop runs on until their handles are gone
 *         -> party_destroy
 */
#ifndef HEDDLE_BENCH_PARTY_H
#define HEDDLE_BENCH_PARTY_H

#include "fabric/sockets.h"
#include "fabric/uplink.h"

typedef void party_turn_fn(void *context, uint64_t now_us);

typedef struct party {
    const curve_t *curve; /* borrowed; set before party_open. NULL = no keys */
    node_t *node;         /* owned */
    sockets_t *sockets;   /* owned */
    uplink_t *uplink;     /* owned */
    uint64_t now_us;      /* of this turn */
    party_turn_fn *turn;
    void *context; /* borrowed; turn's */
} party_t;

/* Connects to the relay at that address. `events` are the uplink's; they and `turn`, once in each of its turns, get
 * `context`. ERR_MALFORMED, ERR_IO, with a sentence in `why`; destroy it then, too. */
int party_open(party_t *self, uv_loop_t *loop, const char *relay, const uplink_events_t *events,
               party_turn_fn *turn, void *context, buf_t *why);

bool party_is_linked(const party_t *self);

void party_leave(party_t *self); /* says goodbye; once more is fine, also after party_die */
void party_die(party_t *self);   /* says nothing more, as if it had been killed */
void party_destroy(party_t *self);

#endif
