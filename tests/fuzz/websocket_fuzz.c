/* The same events come out of the bytes whether they come at once or in pieces, and what is held stays under
 * the limit. The first byte chooses the side; the second the size of the pieces. */
#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "protocol/websocket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MESSAGE_LIMIT 300u

static const websocket_limits_t limits = {.message = MESSAGE_LIMIT, .fragments = 5};

static void note(buf_t *out, const websocket_event_t *event)
{
    buf_append_byte(out, (uint8_t)event->opcode);
    buf_append_u64(out, event->close_code);
    buf_append_span(out, event->payload);
    CHECK(event->payload.size <= MESSAGE_LIMIT);
    CHECK(event->opcode != WEBSOCKET_TEXT || utf8_check(event->payload) == OK);
}

static void read_in_pieces(span_t wire, size_t piece_size, bool expect_mask, buf_t *out)
{
    websocket_reader_t reader;
    websocket_reader_init(&reader, &limits, expect_mask);
    int rc = ERR_AGAIN;
    while (wire.size && rc == ERR_AGAIN) {
        size_t size = wire.size < piece_size ? wire.size : piece_size;
        buf_t piece = {0}; /* its own memory, so that a byte too far is noticed */
        buf_append(&piece, wire.data, size);
        wire = span_skip(wire, size);
        uint8_t *data = piece.data;
        websocket_event_t event;
        uint16_t code = 0;
        while ((rc = websocket_read(&reader, &data, &size, &event, &code)) == OK)
            note(out, &event);
        CHECK(reader.message.size <= MESSAGE_LIMIT && reader.control.size <= 125);
        if (rc == ERR_AGAIN)
            CHECK(size == 0);
        else
            buf_append_u64(out, code);
        buf_fini(&piece);
    }
    websocket_reader_fini(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    bool expect_mask = data[0] & 1;
    size_t piece_size = (size_t)data[1] + 1;
    span_t wire = span_new(data + 2, size - 2);
    buf_t at_once = {0}, in_pieces = {0};
    read_in_pieces(wire, SIZE_MAX, expect_mask, &at_once);
    read_in_pieces(wire, piece_size, expect_mask, &in_pieces);
    CHECK(span_eq(buf_span(&at_once), buf_span(&in_pieces)));
    buf_fini(&at_once);
    buf_fini(&in_pieces);
    return 0;
}
