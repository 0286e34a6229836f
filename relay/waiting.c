#include "relay/waiting.h"

#include "base/err.h"
#include "base/mem.h"

void relay_waiting_init(relay_waiting_t *self)
{
    *self = (relay_waiting_t){0};
    list_init(&self->requests);
}

void relay_waiting_fini(relay_waiting_t *self)
{
    for (list_node_t *node; (node = list_pop(&self->requests)) != NULL;)
        mem_free(LIST_ITEM(node, relay_request_t, node));
}

int relay_waiting_hold(relay_waiting_t *self, relay_peer_slot_t from, uint64_t asker, unsigned hops,
                       const envelope_t *envelope)
{
    buf_t bytes = {0};
    envelope_encode(&bytes, envelope);
    bool full = self->bytes + bytes.size > RELAY_WAITING_MAX;
    if (!full) {
        relay_request_t *request = mem_grow(NULL, 1, sizeof *request + bytes.size);
        *request = (relay_request_t){.from = from, .asker = asker, .hops = hops, .size = bytes.size};
        memcpy(request->bytes, bytes.data, bytes.size);
        list_append(&self->requests, &request->node);
        self->bytes += bytes.size;
        self->count++;
    }
    buf_fini(&bytes);
    return full ? ERR_FULL : OK;
}

void relay_waiting_take_all(relay_waiting_t *self, list_t *out)
{
    for (list_node_t *node; (node = list_pop(&self->requests)) != NULL;)
        list_append(out, node);
    self->bytes = self->count = 0;
}
