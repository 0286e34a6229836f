/* edge/outbox - the frames that wait for one client, bounded in bytes. The slow-client policy acts where it
 * is full.
 * Owner:  a session embeds it; it holds references to its frames.
 * Thread: the worker's.
 * Life:   zeroed memory -> (push | gather, consume | drop_oldest)* -> edge_outbox_fini
 */
#ifndef HEDDLE_EDGE_OUTBOX_H
#define HEDDLE_EDGE_OUTBOX_H

#include "edge/frame.h"

typedef struct edge_outbox {
    edge_frame_t **ring; /* owned; NULL until the first push */
    uint32_t capacity;   /* slots, a power of two */
    uint32_t first;      /* slot of the oldest frame */
    uint32_t count;      /* frames */
    uint32_t sent;       /* bytes of the oldest frame that are gone already */
    size_t bytes;        /* of all frames, less `sent` */
} edge_outbox_t;

void edge_outbox_fini(edge_outbox_t *self); /* leaves it empty and usable */

/* Takes the reference on OK; ERR_FULL (nothing taken) if it would hold more than `limit` bytes. An empty
 * outbox takes any one frame. */
int edge_outbox_push(edge_outbox_t *self, edge_frame_t *frame, size_t limit);

/* The same, before all that have not been sent in part, and whatever the limit. */
void edge_outbox_push_first(edge_outbox_t *self, edge_frame_t *frame);

/* Lets the oldest message go that has not been sent in part; its bytes, 0 if there is none. Control frames
 * stay: without its ping a client that only listens would be taken for dead. */
size_t edge_outbox_drop_oldest(edge_outbox_t *self);

/* What to write next: the oldest frames' bytes, in one run. One frame is lent as it is; several are copied
 * into `scratch`, as many whole ones as fit into `size` bytes. Empty when there is nothing. */
span_t edge_outbox_gather(const edge_outbox_t *self, uint8_t *scratch, size_t size);

/* So many bytes were written. */
void edge_outbox_consume(edge_outbox_t *self, size_t count);

#endif
