#include "edge/outbox.h"

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"

/* Most clients get one frame at a time, and there are many of them. */
#define FIRST_SLOTS 2u

/* An empty outbox keeps a ring of this size, so that a busy client does not allocate for each message. */
#define KEPT_SLOTS 8u

static inline edge_frame_t **slot(const edge_outbox_t *self, uint32_t at)
{
    return &self->ring[(self->first + at) & (self->capacity - 1)];
}

static void free_ring(edge_outbox_t *self)
{
    mem_free(self->ring);
    self->ring = NULL;
    self->capacity = self->first = 0;
}

static void grow(edge_outbox_t *self)
{
    uint32_t capacity = self->capacity ? self->capacity * 2 : FIRST_SLOTS;
    edge_frame_t **ring = mem_new_n(capacity, sizeof *ring);
    for (uint32_t i = 0; i < self->count; i++)
        ring[i] = *slot(self, i);
    mem_free(self->ring);
    self->ring = ring;
    self->capacity = capacity;
    self->first = 0;
}

void edge_outbox_fini(edge_outbox_t *self)
{
    for (uint32_t i = 0; i < self->count; i++)
        edge_frame_unref(slot(self, i));
    free_ring(self);
    *self = (edge_outbox_t){0};
}

int edge_outbox_push(edge_outbox_t *self, edge_frame_t *frame, size_t limit)
{
    if (self->count && (self->bytes > limit || frame->size > limit - self->bytes))
        return ERR_FULL;
    if (self->count == self->capacity)
        grow(self);
    *slot(self, self->count) = frame;
    self->count++;
    self->bytes += frame->size;
    return OK;
}

void edge_outbox_push_first(edge_outbox_t *self, edge_frame_t *frame)
{
    if (self->count == self->capacity)
        grow(self);
    self->first = (self->first - 1) & (self->capacity - 1);
    self->count++;
    self->bytes += frame->size;
    *slot(self, 0) = frame;
    if (self->sent) {
        *slot(self, 0) = *slot(self, 1);
        *slot(self, 1) = frame;
    }
}

/* Lets the oldest frame go, which is in the first slot. */
static void pop(edge_outbox_t *self)
{
    edge_frame_unref(slot(self, 0));
    self->first = (self->first + 1) & (self->capacity - 1);
    self->count--;
    self->sent = 0;
    if (self->count == 0 && self->capacity > KEPT_SLOTS)
        free_ring(self);
}

size_t edge_outbox_drop_oldest(edge_outbox_t *self)
{
    uint32_t at = self->sent ? 1 : 0;
    while (at < self->count && edge_frame_is_control(*slot(self, at)))
        at++;
    if (at >= self->count)
        return 0;
    edge_frame_t *dropped = *slot(self, at);
    size_t size = dropped->size;
    /* What is older, few frames at most, moves one slot on. */
    for (; at > 0; at--)
        *slot(self, at) = *slot(self, at - 1);
    *slot(self, 0) = dropped;
    uint32_t sent = self->sent;
    pop(self);
    self->sent = sent;
    self->bytes -= size;
    return size;
}

span_t edge_outbox_gather(const edge_outbox_t *self, uint8_t *scratch, size_t size)
{
    if (self->count == 0)
        return (span_t){0};
    const edge_frame_t *oldest = *slot(self, 0);
    span_t alone = span_new(oldest->bytes + self->sent, oldest->size - self->sent);
    if (self->count == 1 || alone.size + (*slot(self, 1))->size > size)
        return alone;
    memcpy(scratch, alone.data, alone.size);
    size_t used = alone.size;
    for (uint32_t i = 1; i < self->count; i++) {
        const edge_frame_t *frame = *slot(self, i);
        if (frame->size > size - used)
            break;
        memcpy(scratch + used, frame->bytes, frame->size);
        used += frame->size;
    }
    return span_new(scratch, used);
}

void edge_outbox_consume(edge_outbox_t *self, size_t count)
{
    CHECK(count <= self->bytes);
    self->bytes -= count;
    while (count) {
        size_t left = (*slot(self, 0))->size - self->sent;
        if (count < left) {
            self->sent += (uint32_t)count;
            return;
        }
        count -= left;
        pop(self);
    }
}
