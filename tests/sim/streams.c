#include "tests/sim/streams.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "base/mem.h"

/* Offsets that a publication and its repetition may lie apart. */
#define REPEAT_WINDOW 300u

stream_t *streams_get(streams_t *self, const char *epoch)
{
    for (size_t i = 0; i < self->count; i++) {
        if (memcmp(self->list[i].epoch, epoch, EPOCH_SIZE) == 0)
            return &self->list[i];
    }
    CHECK(self->count < STREAMS_MAX);
    stream_t *stream = &self->list[self->count++];
    memcpy(stream->epoch, epoch, EPOCH_SIZE);
    return stream;
}

const stream_t *streams_newest(const streams_t *self)
{
    return self->count ? &self->list[self->count - 1] : NULL;
}

static void make_room(stream_t *stream, uint64_t offset)
{
    if (offset < stream->room)
        return;
    size_t room = offset * 2;
    stream->ids = mem_grow(stream->ids, room, sizeof *stream->ids);
    memset(stream->ids + stream->room, 0, (room - stream->room) * sizeof *stream->ids);
    stream->room = room;
}

const char *streams_claim(streams_t *self, position_t position, uint64_t id)
{
    stream_t *stream = streams_get(self, position.epoch);
    if (position.offset == 0 || position.offset > 1000000) {
        snprintf(self->why, sizeof self->why, "offset %" PRIu64, position.offset);
        return self->why;
    }
    make_room(stream, position.offset);
    uint64_t *known = &stream->ids[position.offset];
    if (*known && *known != id) {
        snprintf(self->why, sizeof self->why, "offset %" PRIu64 " is %" PRIx64 " and %" PRIx64,
                 position.offset, *known, id);
        return self->why;
    }
    *known = id;
    return NULL;
}

static bool is_repeated(const stream_t *stream, size_t offset, size_t *other)
{
    for (*other = offset + 1; *other < stream->room && *other < offset + REPEAT_WINDOW; ++*other) {
        if (stream->ids[offset] && stream->ids[offset] == stream->ids[*other])
            return true;
    }
    return false;
}

const char *streams_check_unique(streams_t *self)
{
    size_t other;
    for (size_t i = 0; i < self->count; i++) {
        const stream_t *stream = &self->list[i];
        for (size_t offset = 1; offset < stream->room; offset++) {
            if (!is_repeated(stream, offset, &other))
                continue;
            snprintf(self->why, sizeof self->why, "%" PRIx64 " is at %zu and at %zu", stream->ids[offset],
                     offset, other);
            return self->why;
        }
    }
    return NULL;
}

/* The offset of the first publication that comes behind a later one of its life; 0 = none does. `last` has a place for each
 * life. */
static size_t find_disorder(const stream_t *stream, uint32_t *last)
{
    for (size_t offset = 1; offset < stream->room; offset++) {
        uint32_t life = (uint32_t)(stream->ids[offset] >> 32);
        uint32_t number = (uint32_t)stream->ids[offset];
        if (stream->ids[offset] && number <= last[life])
            return offset;
        if (stream->ids[offset])
            last[life] = number;
    }
    return 0;
}

const char *streams_check_orders(streams_t *self, uint32_t lives)
{
    size_t offset = 0;
    for (size_t i = 0; i < self->count && !offset; i++) {
        uint32_t *last = mem_new_n(lives + 1u, sizeof *last);
        offset = find_disorder(&self->list[i], last);
        if (offset)
            snprintf(self->why, sizeof self->why,
                     "%" PRIx64 " at %zu comes after a later one of the same edge", self->list[i].ids[offset],
                     offset);
        mem_free(last);
    }
    return offset ? self->why : NULL;
}

void streams_fini(streams_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        mem_free(self->list[i].ids);
    self->count = 0;
}
