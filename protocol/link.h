/* protocol/link - the numbered, acknowledged conversation of two nodes, as a pure state machine: messages and
 * the time in, messages out; no socket, no clock.
 * Owner:  fabric/node makes and destroys links.
 * Thread: its node's loop.
 * Life:   link_new -> (link_receive | link_send | link_flush | link_tick)* -> link_destroy; never within an
 *         event
 *
 *         +----------- down (reset, timeout, bye) ------------+
 *         v                                                   |
 *     GREETING --WELCOME--> UP <--> SUSPECT ------------------+--> DOWN (the end, for the side that accepted)
 *
 * One side, the initiator, says HELLO until the other says WELCOME; each has a session number for its side.
 * Messages with envelopes are numbered from 1 in each session and delivered in order, once. What is not
 * acknowledged is kept and sent again: at once when the other side reports a gap, or when no acknowledgement
 * comes. A new session voids the one before, on both sides: whoever gets `down` must take as undone what was
 * not confirmed end to end.
 *
 * Sessions grow within a node's life and are hard to guess, so what is late from an older session is known as
 * such.
 */
#ifndef HEDDLE_PROTOCOL_LINK_H
#define HEDDLE_PROTOCOL_LINK_H

#include "protocol/envelope.h"

typedef struct link link_t;

typedef enum link_state { LINK_GREETING, LINK_UP, LINK_SUSPECT, LINK_DOWN } link_state_t;

/* How this node introduces itself; borrowed by all its links. */
typedef struct link_identity {
    uint64_t id;      /* random, new at each start */
    const char *name; /* configured */
    const char *cluster;
    node_role_t role;
    span_t members; /* for WELCOME: msgpack arrays; empty = [] */
    span_t namespaces;
} link_identity_t;

/* All times in microseconds. */
typedef struct link_settings {
    uint64_t heartbeat_us;  /* a BEAT after so long a silence; the initiator takes the other side's */
    uint32_t suspect_beats; /* heartbeats without a word: SUSPECT */
    uint32_t down_beats;    /* ... DOWN */
    uint64_t ack_delay_us;  /* an acknowledgement waits so long for a message to ride on */
    uint64_t resend_us;     /* the first wait for an acknowledgement; doubles up to heartbeat_us * 3 */
    uint64_t greet_us;      /* between HELLOs */
    uint64_t flush_us;      /* between two messages, so that small envelopes share one; 0 = none */
    size_t window; /* bytes held for the other side (sent or not, not acknowledged); above: ERR_FULL */
} link_settings_t;

#define LINK_SETTINGS_DEFAULT                                                                  \
    {                                                                                          \
        .heartbeat_us = 1000000, .suspect_beats = 3, .down_beats = 5, .ack_delay_us = 20000,   \
        .resend_us = 300000, .greet_us = 200000, .flush_us = 1000, .window = 32u * 1024 * 1024 \
    }

/* What happened on a link, counted; `link_counts` lends them. */
typedef struct link_counts {
    uint64_t messages_in, messages_out; /* numbered, first sendings */
    uint64_t envelopes_in, envelopes_out;
    uint64_t bytes_in, bytes_out;
    uint64_t gaps;       /* seen here */
    uint64_t duplicates; /* dropped here */
    uint64_t resent;     /* messages sent again */
    uint64_t stale;      /* of another session, dropped */
    uint64_t unknown;    /* envelopes of unknown kinds, passed over */
} link_counts_t;

/* Calls out of a link. Within them, but for `send`, the link may be sent to and reset, not destroyed. */
typedef struct link_events {
    /* One whole message. OK, or ERR_AGAIN if it can't go now: the link keeps it and tries again at the next
     * flush. */
    int (*send)(void *context, link_t *link, span_t message);
    /* HELLO (accepted) or WELCOME came: the conversation starts from nothing. */
    void (*up)(void *context, link_t *link, const envelope_t *greeting);
    void (*envelope)(void *context, link_t *link, const envelope_t *envelope);
    /* The session is void. The initiator greets anew by itself; for the other side the link is at its end. */
    void (*down)(void *context, link_t *link, int reason);
    /* The other side will not have us (ERR_VERSION, ERR_CLUSTER, ERR_DENIED); greeting goes on, slowly. */
    void (*refused)(void *context, link_t *link, int code, span_t reason);
} link_events_t;

/* `session` for each new session, strictly growing within the node's life. */
typedef uint64_t link_session_fn(void *context);

typedef struct link_options {
    const link_identity_t *self;     /* borrowed */
    const link_settings_t *settings; /* borrowed */
    const link_events_t *events;     /* borrowed */
    link_session_fn *session;
    void *context; /* borrowed; for events and session */
    uint64_t peer; /* the other node's id */
    bool initiator;
} link_options_t;

/* An initiator starts GREETING at the next tick; the other side waits for the HELLO that made it. */
link_t *link_new(const link_options_t *options, uint64_t now_us);
void link_destroy(link_t **self_p);

/* The owner's own, e.g. what a relay knows of an edge. */
void link_set_user(link_t *self, void *user);
void *link_user(const link_t *self);

link_state_t link_state(const link_t *self);
bool link_is_up(const link_t *self); /* UP or SUSPECT: envelopes are taken */
uint64_t link_peer(const link_t *self);
const char *link_peer_name(const link_t *self); /* "" before the greeting */
node_role_t link_peer_role(const link_t *self);
size_t link_held(const link_t *self);   /* bytes that wait to be sent or acknowledged */
size_t link_window(const link_t *self); /* how many may */
bool link_is_initiator(const link_t *self);
const link_counts_t *link_counts(const link_t *self);

/* `ahead` is shown the envelopes that come next, at most LINK_AHEAD, before the first of them is an event; with the
 * events' context. It may fetch the memory that they will need, and nothing else: if the session ends meanwhile, the
 * rest of them never comes. */
#define LINK_AHEAD 16u
typedef void link_ahead_fn(void *context, const envelope_t *envelopes, size_t count);
void link_set_ahead(link_t *self, link_ahead_fn *ahead);

/* A message from this peer; `rest` is what is behind its header. Calls events. */
void link_receive(link_t *self, const link_header_t *header, span_t rest, uint64_t now_us);

/* Queues one envelope. OK; ERR_CLOSED when not up; ERR_FULL when the window is full (nothing is queued then).
 */
int link_send(link_t *self, const envelope_t *envelope, uint64_t now_us);

/* The same for an envelope that is encoded already: what a fan-out sends to many. */
int link_send_encoded(link_t *self, span_t envelope, uint64_t now_us);

/* Sends what is queued, as far as pacing and events.send let it. Call at the end of each loop turn. */
void link_flush(link_t *self, uint64_t now_us);

/* Does what is due: greetings, beats, acknowledgements, sending again, giving up. */
void link_tick(link_t *self, uint64_t now_us);

/* When link_tick or link_flush has something to do next; UINT64_MAX = nothing. */
uint64_t link_due(const link_t *self);

/* Ends the session from here: tells the other side (RESET with the reason), calls down. */
void link_reset(link_t *self, int reason, uint64_t now_us);

/* Says BYE and ends; no down is called. The owner destroys it then. */
void link_close(link_t *self, const char *reason, uint64_t now_us);

/* Appends a whole message that tells `peer` that its session `theirs` is void: for a node that has no link
 * with it. */
void link_write_reset(buf_t *out, const link_identity_t *self, uint64_t peer, uint64_t theirs, int reason);

/* The node itself was not running for so long: the other side's silence was ours. */
void link_excuse(link_t *self, uint64_t stall_us);

#endif
