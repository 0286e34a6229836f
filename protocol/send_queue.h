/* protocol/send_queue - what one side of a link has for the other: an open batch of envelopes, numbered
 * messages that wait to be sent, and messages that were sent and wait to be acknowledged. Bounded in bytes.
 * Owner:  a link embeds it.
 * Thread: the link's.
 * Life:   send_queue_init -> (append | close | next ... | ack)* -> send_queue_clear (which leaves it fit for
 * a new session)
 */
#ifndef HEDDLE_PROTOCOL_SEND_QUEUE_H
#define HEDDLE_PROTOCOL_SEND_QUEUE_H

#include "base/buf.h"
#include "base/list.h"

/* One numbered message. */
typedef struct send_message {
    list_node_t node;
    uint64_t seq;
    size_t size; /* bytes, prefix included */
    uint8_t bytes[];
} send_message_t;

typedef struct send_queue {
    buf_t batch;         /* room for the prefix, then envelopes; empty = none is open */
    list_t messages;     /* of send_message_t, in order: sent ones, then unsent ones */
    list_node_t *unsent; /* the first unsent one, or the list's head */
    size_t held;         /* bytes of batch and messages */
    uint64_t last_seq;   /* of the newest message */
    uint64_t acked;      /* all up to here have arrived */
} send_queue_t;

void send_queue_init(send_queue_t *self);
void send_queue_clear(send_queue_t *self);

/* Adds one encoded envelope to the open batch. ERR_FULL above `limit` bytes held (an empty queue takes any
 * one). A batch that would grow past WIRE_BATCH is closed first. */
int send_queue_append(send_queue_t *self, span_t envelope, size_t limit);

/* The open batch becomes a message with the next number; its prefix is still to be written. No batch:
 * nothing. */
void send_queue_close_batch(send_queue_t *self);

send_message_t *send_queue_next_unsent(const send_queue_t *self); /* NULL = all is sent */
void send_queue_mark_sent(send_queue_t *self);                    /* that one */

/* The first message that was sent and is numbered `from` or more; NULL = none. */
send_message_t *send_queue_first_sent(const send_queue_t *self, uint64_t from);
send_message_t *send_queue_next_sent(const send_queue_t *self, const send_message_t *message);

uint64_t send_queue_last_sent(const send_queue_t *self); /* its number */

/* Forgets all up to `ack`. false if that is no news, or beyond what was sent. */
bool send_queue_ack(send_queue_t *self, uint64_t ack);

#endif
