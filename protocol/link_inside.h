/* protocol/link_inside - what link.c and link_greeting.c share: a link's parts, and what the greeting needs of the
 * conversation. Nobody else includes it.
 * Owner, thread, life: protocol/link.
 */
#ifndef HEDDLE_PROTOCOL_LINK_INSIDE_H
#define HEDDLE_PROTOCOL_LINK_INSIDE_H

#include "protocol/link.h"
#include "protocol/send_queue.h"

struct link {
    const link_identity_t *self;     /* borrowed */
    const link_settings_t *settings; /* borrowed */
    const link_events_t *events;     /* borrowed */
    link_session_fn *session_fn;
    link_ahead_fn *ahead; /* may be NULL */
    void *context;        /* borrowed */
    void *user;           /* the owner's */

    uint64_t peer;
    char peer_name[NODE_NAME_MAX + 1];
    node_role_t peer_role;
    bool initiator;
    bool refused;
    uint64_t heartbeat_us; /* the accepting side's, once it is known */
    link_state_t state;
    uint64_t session;      /* mine; 0 before the first */
    uint64_t peer_session; /* theirs; 0 = not known */

    /* sending */
    send_queue_t queue;
    buf_t scratch;        /* where link_send encodes */
    uint64_t last_sent;   /* us; anything at all */
    uint64_t last_flush;  /* us; a numbered message, for pacing */
    uint64_t retry_at;    /* us; 0 = the last send was not refused */
    uint64_t resend_at;   /* us; 0 = nothing waits for an acknowledgement */
    uint64_t resend_wait; /* us; the current backoff */
    uint64_t resent_from; /* the numbers that were sent again last */
    uint64_t resent_to;
    uint64_t resent_at; /* us; when */
    uint64_t lost_to;   /* the last that was sent when something was found missing */

    /* receiving */
    uint64_t received;     /* all up to here have arrived here */
    uint64_t last_heard;   /* us */
    uint64_t ack_due;      /* us; 0 = no acknowledgement is owed */
    size_t ack_bytes;      /* received since the last acknowledgement */
    uint64_t asked_resend; /* the number that was asked for last */
    uint64_t asked_at;     /* us */

    uint64_t greet_at; /* us; the next HELLO */
    link_counts_t counts;
};

/* The only writer of state. */
void link_go(link_t *self, link_state_t next);

/* Forgets the conversation so far; both directions start from nothing. */
void link_start_session(link_t *self, uint64_t peer_session, uint64_t now_us);

/* The session is void: GREETING with a new one for the initiator, DOWN for the other side. Calls `down`. */
void link_end_session(link_t *self, int reason, uint64_t now_us);

/* An unnumbered message with one envelope, or none: then it is a bare acknowledgement. Nobody keeps it; if it
 * can't go now, the other side asks again. */
void link_send_control(link_t *self, const envelope_t *envelope, uint64_t now_us);

/* The greeting: HELLO, until WELCOME or REFUSE. */
void link_send_hello(link_t *self, uint64_t now_us);
void link_take_hello(link_t *self, const link_header_t *header, const envelope_t *envelope, uint64_t now_us);
void link_take_welcome(link_t *self, const link_header_t *header, const envelope_t *envelope,
                       uint64_t now_us);
void link_take_refuse(link_t *self, const link_header_t *header, const envelope_t *envelope);

#endif
