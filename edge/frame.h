/* edge/frame - the bytes of one WebSocket frame, made once and shared by all who get them.
 * Owner:  counted references: what new and ref return is yours, unref gives it back.
 * Thread: one worker's; the count is not atomic.
 */
#ifndef HEDDLE_EDGE_FRAME_H
#define HEDDLE_EDGE_FRAME_H

#include "base/span.h"
#include "protocol/websocket.h"

typedef struct edge_frame {
    uint32_t references;
    uint32_t size; /* bytes */
    uint8_t bytes[];
} edge_frame_t;

/* A server's frame of this payload, which the caller has capped below 4 GiB. */
edge_frame_t *edge_frame_new(websocket_opcode_t opcode, span_t payload);

static inline edge_frame_t *edge_frame_ref(edge_frame_t *self)
{
    self->references++;
    return self;
}

void edge_frame_unref(edge_frame_t **self_p); /* NULL is fine */

/* Is it a ping, pong or close? Those have bit 3 of the opcode (RFC 6455 section 5.5). */
static inline bool edge_frame_is_control(const edge_frame_t *self)
{
    return self->bytes[0] & 0x08;
}

#endif
