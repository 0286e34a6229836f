#include "protocol/websocket.h"

#include "base/err.h"

#define FIN          0x80u /* of a header's first byte */
#define RESERVED     0x70u
#define OPCODE       0x0fu
#define MASKED       0x80u /* of its second byte */
#define LENGTH       0x7fu
#define LENGTH_16    126u
#define LENGTH_64    127u
#define CONTROL_MAX  125u
#define CONTROL      0x8u /* this bit of an opcode */
#define CODE_NONE    1005u
#define REASON_MAX   (CONTROL_MAX - 2)
#define CLOSE_BROKEN 1002u
#define CLOSE_UTF8   1007u
#define CLOSE_POLICY 1008u
#define CLOSE_BIG    1009u

/* --- writing --- */

static void put_big_endian(uint8_t *out, uint64_t number, size_t size)
{
    for (size_t i = size; i-- > 0; number >>= 8)
        out[i] = (uint8_t)number;
}

static uint64_t get_big_endian(const uint8_t *bytes, size_t size)
{
    uint64_t number = 0;
    for (size_t i = 0; i < size; i++)
        number = number << 8 | bytes[i];
    return number;
}

size_t websocket_header(uint8_t out[WEBSOCKET_HEADER_MAX], websocket_opcode_t opcode, uint64_t size,
                        const uint8_t mask[4])
{
    size_t extended = size < LENGTH_16 ? 0 : size <= UINT16_MAX ? 2 : 8;
    uint8_t length = extended == 0 ? (uint8_t)size : extended == 2 ? LENGTH_16 : LENGTH_64;
    out[0] = (uint8_t)(FIN | (unsigned)opcode);
    out[1] = (uint8_t)(length | (mask ? MASKED : 0));
    put_big_endian(out + 2, size, extended);
    if (mask)
        memcpy(out + 2 + extended, mask, 4);
    return 2 + extended + (mask ? 4 : 0);
}

void websocket_mask(uint8_t *data, size_t size, const uint8_t mask[4], uint64_t at)
{
    uint8_t turned[8];
    for (size_t i = 0; i < sizeof turned; i++)
        turned[i] = mask[(at + i) & 3];
    uint64_t wide, word;
    memcpy(&wide, turned, sizeof wide);
    for (; size >= sizeof word; data += sizeof word, size -= sizeof word) {
        memcpy(&word, data, sizeof word);
        word ^= wide;
        memcpy(data, &word, sizeof word);
    }
    for (size_t i = 0; i < size; i++)
        data[i] ^= turned[i];
}

void websocket_close_payload(buf_t *out, uint16_t code, span_t reason)
{
    if (reason.size > REASON_MAX) {
        reason.size = REASON_MAX;
        while (reason.size && (reason.data[reason.size] & 0xc0) == 0x80)
            reason.size--;
    }
    put_big_endian(buf_reserve(out, 2), code, 2);
    buf_advance(out, 2);
    buf_append_span(out, reason);
}

/* --- reading --- */

static int refuse(uint16_t *close_code, uint16_t code, int err)
{
    *close_code = code;
    return err;
}

static bool is_control(uint8_t opcode)
{
    return opcode & CONTROL;
}

static bool opcode_exists(uint8_t opcode)
{
    return opcode <= WEBSOCKET_BINARY || (opcode >= WEBSOCKET_CLOSE && opcode <= WEBSOCKET_PONG);
}

static size_t extended_size(const uint8_t *header)
{
    uint8_t length = header[1] & LENGTH;
    return length == LENGTH_64 ? 8 : length == LENGTH_16 ? 2 : 0;
}

static size_t header_size(const uint8_t *header)
{
    return 2 + extended_size(header) + (header[1] & MASKED ? 4 : 0);
}

/* What the first two bytes tell. */
static bool start_is_right(const websocket_reader_t *self, const uint8_t *header)
{
    uint8_t opcode = header[0] & OPCODE;
    if (header[0] & RESERVED || !opcode_exists(opcode))
        return false;
    if (is_control(opcode) && (!(header[0] & FIN) || (header[1] & LENGTH) > CONTROL_MAX))
        return false;
    return !!(header[1] & MASKED) == self->expect_mask;
}

/* The shortest form, and no sign bit (RFC 6455 section 5.2). */
static bool length_is_right(uint64_t size, size_t extended)
{
    if (extended == 2)
        return size >= LENGTH_16;
    return extended == 0 || (size > UINT16_MAX && size <= INT64_MAX);
}

/* A frame of a message begins; its place among the message's frames and its claimed length are judged. */
static int open_data(websocket_reader_t *self, uint16_t *close_code)
{
    bool continues = self->opcode == WEBSOCKET_CONTINUATION;
    if (continues != (self->message_opcode != 0))
        return refuse(close_code, CLOSE_BROKEN, ERR_MALFORMED);
    if (!continues) {
        self->message_opcode = self->opcode;
        self->fragments = 0;
        self->utf8 = 0;
    }
    if (self->left > self->limits->message - self->message.size)
        return refuse(close_code, CLOSE_BIG, ERR_TOO_BIG);
    if (++self->fragments > self->limits->fragments)
        return refuse(close_code, CLOSE_POLICY, ERR_FULL);
    return OK;
}

static int open_frame(websocket_reader_t *self, const uint8_t *header, uint16_t *close_code)
{
    size_t extended = extended_size(header);
    self->left = extended ? get_big_endian(header + 2, extended) : header[1] & LENGTH;
    if (!length_is_right(self->left, extended))
        return refuse(close_code, CLOSE_BROKEN, ERR_MALFORMED);
    self->opcode = header[0] & OPCODE;
    self->final = header[0] & FIN;
    self->phase_in_mask = 0;
    if (self->expect_mask)
        memcpy(self->mask, header + 2 + extended, sizeof self->mask);
    self->in_payload = true;
    return is_control(self->opcode) ? OK : open_data(self, close_code);
}

static uint8_t *take(uint8_t **data, size_t *size, size_t count)
{
    uint8_t *taken = *data;
    *data += count;
    *size -= count;
    return taken;
}

static int collect_header(websocket_reader_t *self, uint8_t **data, size_t *size, uint16_t *close_code)
{
    while (*size) {
        self->header[self->header_size++] = *take(data, size, 1);
        if (self->header_size < 2)
            continue;
        if (!start_is_right(self, self->header))
            return refuse(close_code, CLOSE_BROKEN, ERR_MALFORMED);
        if (self->header_size == header_size(self->header)) {
            self->header_size = 0;
            return open_frame(self, self->header, close_code);
        }
    }
    return ERR_AGAIN;
}

static int read_header(websocket_reader_t *self, uint8_t **data, size_t *size, uint16_t *close_code)
{
    bool whole = self->header_size == 0 && *size >= 2 && *size >= header_size(*data);
    if (!whole)
        return collect_header(self, data, size, close_code);
    if (!start_is_right(self, *data))
        return refuse(close_code, CLOSE_BROKEN, ERR_MALFORMED);
    return open_frame(self, take(data, size, header_size(*data)), close_code);
}

/* The codes that may be sent: RFC 6455 section 7.4, and IANA's registry for 1012 to 1014. */
static bool close_code_is_right(uint16_t code)
{
    if (code >= 3000)
        return code <= 4999;
    return code >= 1000 && code <= 1014 && (code < 1004 || code > 1006);
}

static int read_close(websocket_event_t *event, uint16_t *close_code)
{
    event->close_code = CODE_NONE;
    if (event->payload.size == 0)
        return OK;
    if (event->payload.size == 1)
        return refuse(close_code, CLOSE_BROKEN, ERR_MALFORMED);
    event->close_code = (uint16_t)get_big_endian(event->payload.data, 2);
    event->close_reason = span_skip(event->payload, 2);
    if (!close_code_is_right(event->close_code))
        return refuse(close_code, CLOSE_BROKEN, ERR_MALFORMED);
    if (utf8_check(event->close_reason) != OK)
        return refuse(close_code, CLOSE_UTF8, ERR_UTF8);
    return OK;
}

/* What has come of a payload so far, whole or not: the piece itself if it is all, else gathered in `held`. */
static span_t gather(buf_t *held, span_t piece, bool is_all)
{
    if (is_all && held->size == 0)
        return piece;
    buf_append_span(held, piece);
    return buf_span(held);
}

static int read_control(websocket_reader_t *self, span_t piece, websocket_event_t *event,
                        uint16_t *close_code)
{
    span_t payload = gather(&self->control, piece, self->left == 0);
    if (self->left)
        return ERR_AGAIN;
    self->in_payload = false;
    *event = (websocket_event_t){.opcode = (websocket_opcode_t)self->opcode, .payload = payload};
    return self->opcode == WEBSOCKET_CLOSE ? read_close(event, close_code) : OK;
}

static int read_data(websocket_reader_t *self, span_t piece, websocket_event_t *event, uint16_t *close_code)
{
    bool is_text = self->message_opcode == WEBSOCKET_TEXT;
    bool is_all = self->left == 0 && self->final;
    if (is_text && (utf8_feed(&self->utf8, piece) != OK || (is_all && self->utf8 != 0)))
        return refuse(close_code, CLOSE_UTF8, ERR_UTF8);
    span_t payload = gather(&self->message, piece, is_all);
    if (self->left == 0)
        self->in_payload = false;
    if (!is_all)
        return ERR_AGAIN;
    *event = (websocket_event_t){.opcode = (websocket_opcode_t)self->message_opcode, .payload = payload};
    self->message_opcode = 0;
    return OK;
}

static int read_payload(websocket_reader_t *self, uint8_t **data, size_t *size, websocket_event_t *event,
                        uint16_t *close_code)
{
    size_t count = self->left < *size ? (size_t)self->left : *size;
    uint8_t *piece = take(data, size, count);
    self->left -= count;
    if (self->expect_mask) {
        websocket_mask(piece, count, self->mask, self->phase_in_mask);
        self->phase_in_mask = (uint8_t)((self->phase_in_mask + count) & 3);
    }
    span_t span = span_new(piece, count);
    return is_control(self->opcode) ? read_control(self, span, event, close_code)
                                    : read_data(self, span, event, close_code);
}

static int step(websocket_reader_t *self, uint8_t **data, size_t *size, websocket_event_t *event,
                uint16_t *close_code)
{
    if (!self->in_payload) {
        int rc = read_header(self, data, size, close_code);
        if (rc)
            return rc;
    }
    return read_payload(self, data, size, event, close_code);
}

/* The memory of the event before, which was lent until now. */
static void release_lent(websocket_reader_t *self)
{
    if (self->message.data && self->message_opcode == 0)
        buf_fini(&self->message);
    if (self->control.data && !self->in_payload)
        buf_fini(&self->control);
}

int websocket_read(websocket_reader_t *self, uint8_t **data, size_t *size, websocket_event_t *event,
                   uint16_t *close_code)
{
    release_lent(self);
    int rc;
    do
        rc = step(self, data, size, event, close_code);
    while (rc == ERR_AGAIN && *size); /* a fragment ended, the next frame is here */
    return rc;
}

void websocket_reader_init(websocket_reader_t *self, const websocket_limits_t *limits, bool expect_mask)
{
    *self = (websocket_reader_t){.limits = limits, .expect_mask = expect_mask};
}

void websocket_reader_fini(websocket_reader_t *self)
{
    buf_fini(&self->message);
    buf_fini(&self->control);
}
