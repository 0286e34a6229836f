/* base/buf - a growing run of bytes.
 * Owner:  whoever embeds it.
 * Thread: its owner's.
 * Life:   init (or zeroed memory) -> append* -> fini
 *
 * Grows by doubling and aborts when there is no memory, so it is for what we build ourselves; a size that
 * comes from outside is capped by the caller first.
 */
#ifndef HEDDLE_BASE_BUF_H
#define HEDDLE_BASE_BUF_H

#include "base/span.h"

typedef struct buf {
    uint8_t *data;   /* owned */
    size_t size;     /* bytes in use */
    size_t capacity; /* bytes allocated */
} buf_t;

void buf_fini(buf_t *self); /* frees, and leaves it empty and usable */

/* Makes room for `count` more bytes, which there is not; for buf_reserve. */
void buf_grow(buf_t *self, size_t count);

/* Room for `count` more bytes; returns where they go. Write there, then buf_advance. */
static inline uint8_t *buf_reserve(buf_t *self, size_t count)
{
    if (count > self->capacity - self->size)
        buf_grow(self, count);
    return self->data + self->size;
}

static inline void buf_advance(buf_t *self, size_t count)
{
    self->size += count;
}

static inline void buf_clear(buf_t *self)
{
    self->size = 0;
}

static inline span_t buf_span(const buf_t *self)
{
    return (span_t){self->data, self->size};
}

/* Inline, as is buf_reserve: every field of every envelope goes through here. */
static inline void buf_append(buf_t *self, const void *data, size_t size)
{
    if (size == 0)
        return;
    memcpy(buf_reserve(self, size), data, size);
    self->size += size;
}

static inline void buf_append_span(buf_t *self, span_t span)
{
    buf_append(self, span.data, span.size);
}

void buf_append_str(buf_t *self, const char *text);
void buf_append_u64(buf_t *self, uint64_t number); /* in decimal */
void buf_append_byte(buf_t *self, uint8_t byte);
void buf_printf(buf_t *self, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Takes `count` bytes from the front away and moves the rest there. */
void buf_consume(buf_t *self, size_t count);

/* The text with a NUL behind it, which size does not count. Lent until the next call. */
const char *buf_text(buf_t *self);

#endif
