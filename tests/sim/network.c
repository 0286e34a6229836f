#include "tests/sim/network.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/err.h"
#include "base/mem.h"
#include "protocol/envelope.h"

void network_init(network_t *self, random_t *random)
{
    *self = (network_t){.random = random};
}

void network_fini(network_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        mem_free(self->flights[i]);
    mem_free(self->flights);
    *self = (network_t){0};
}

static bool sooner(const flight_t *a, const flight_t *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void push(network_t *self, flight_t *flight)
{
    if (self->count == self->room) {
        self->room = self->room ? self->room * 2 : 64;
        self->flights = mem_grow(self->flights, self->room, sizeof *self->flights);
    }
    size_t at = self->count++;
    for (; at && sooner(flight, self->flights[(at - 1) / 2]); at = (at - 1) / 2)
        self->flights[at] = self->flights[(at - 1) / 2];
    self->flights[at] = flight;
}

flight_t *network_take(network_t *self)
{
    flight_t **heap = self->flights, *first = heap[0], *last = heap[--self->count];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < self->count; at = child) {
        if (child + 1 < self->count && sooner(heap[child + 1], heap[child]))
            child++;
        if (!sooner(heap[child], last))
            break;
        heap[at] = heap[child];
    }
    heap[at] = last;
    return first;
}

void network_return(network_t *self, flight_t *flight, uint64_t at)
{
    flight->at = at;
    push(self, flight);
}

uint64_t network_due(const network_t *self)
{
    return self->count ? self->flights[0]->at : UINT64_MAX;
}

static bool chance(network_t *self, unsigned per_10000)
{
    return random_below(self->random, 10000) < per_10000;
}

static void post_copy(network_t *self, span_t message, uint64_t now_us)
{
    flight_t *flight = mem_grow(NULL, sizeof *flight + message.size, 1);
    flight->at = now_us + self->delay;
    if (self->jitter)
        flight->at += random_below(self->random, self->jitter);
    if (chance(self, self->late))
        flight->at += random_below(self->random, self->late_max);
    flight->order = self->posted++;
    flight->size = message.size;
    memcpy(flight->bytes, message.data, message.size);
    push(self, flight);
}

bool network_post(network_t *self, span_t message, uint64_t now_us)
{
    if (chance(self, self->loss))
        return false;
    do
        post_copy(self, message, now_us);
    while (chance(self, self->doubling));
    return true;
}

void network_calm(network_t *self)
{
    self->loss = self->doubling = self->late = 0;
    self->jitter = 0;
}

const char *network_describe(span_t message, char *out, size_t size)
{
    link_header_t header = {0};
    uint64_t topic = 0;
    envelope_t first = {0};
    size_t whole = message.size;
    int err = link_header_read(&message, &topic, &header);
    const char *kind = "acknowledgement";
    if (err)
        kind = "unreadable";
    else if (message.size)
        kind = envelope_decode(&message, &first) == OK ? envelope_kind_name(first.kind) : "?";
    snprintf(out, size,
             "%016" PRIx64 " to %016" PRIx64 ": session=%" PRIu64 " seq=%" PRIu64 " ack=%" PRIu64 ":%" PRIu64
             " %s, %zu bytes",
             header.source, topic, header.session, header.seq, header.ack_session, header.ack, kind, whole);
    return out;
}
