/* relay/message - one publication in its place: the encoded MSG, kept by a history and sent to many.
 * Owner:  the history that keeps it; counted nowhere else, as links copy its bytes.
 * Thread: the relay loop.
 */
#ifndef HEDDLE_RELAY_MESSAGE_H
#define HEDDLE_RELAY_MESSAGE_H

#include "base/list.h"
#include "base/span.h"

typedef struct relay_message {
    list_node_t of_store;          /* all messages of the relay, oldest first */
    struct relay_history *history; /* where it is kept */
    uint64_t offset;
    uint64_t time_us; /* monotonic */
    uint32_t size;    /* bytes of the encoded MSG */
    uint8_t bytes[];
} relay_message_t;

static inline span_t relay_message_bytes(const relay_message_t *self)
{
    return span_new(self->bytes, self->size);
}

#endif
