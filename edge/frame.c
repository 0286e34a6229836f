#include "edge/frame.h"

#include "base/check.h"
#include "base/mem.h"

edge_frame_t *edge_frame_new(websocket_opcode_t opcode, span_t payload)
{
    CHECK(payload.size <= UINT32_MAX - WEBSOCKET_HEADER_MAX);
    uint8_t header[WEBSOCKET_HEADER_MAX];
    size_t header_size = websocket_header(header, opcode, payload.size, NULL);
    /* Not mem_new: every byte is written here, zeroing them first is work for nothing. */
    edge_frame_t *self = mem_grow(NULL, 1, sizeof *self + header_size + payload.size);
    self->references = 1;
    self->size = (uint32_t)(header_size + payload.size);
    memcpy(self->bytes, header, header_size);
    if (payload.size)
        memcpy(self->bytes + header_size, payload.data, payload.size);
    return self;
}

void edge_frame_unref(edge_frame_t **self_p)
{
    edge_frame_t *self = *self_p;
    *self_p = NULL;
    if (self && --self->references == 0)
        mem_free(self);
}
