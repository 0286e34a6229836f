#include "protocol/codec.h"

#include <endian.h>
#include <msgpack/pack.h>

#include "base/err.h"
#include "protocol/limits.h"

/* --- reading --- */

/* Of 1, 2, 4 or 8 bytes. */
static uint64_t big_endian(const uint8_t *at, size_t width)
{
    uint16_t two;
    uint32_t four;
    uint64_t eight;
    switch (width) {
    case 1: return at[0];
    case 2: memcpy(&two, at, sizeof two); return be16toh(two);
    case 4: memcpy(&four, at, sizeof four); return be32toh(four);
    default: memcpy(&eight, at, sizeof eight); return be64toh(eight);
    }
}

/* What a value begins with: its class, and for sized classes the count or length that follows. */
typedef enum shape {
    SHAPE_UINT,
    SHAPE_INT, /* of a signed format */
    SHAPE_STR,
    SHAPE_BIN,
    SHAPE_ARRAY,
    SHAPE_MAP,
    SHAPE_EXT,
    SHAPE_PLAIN,
    SHAPE_BAD
} shape_t;

typedef struct head {
    shape_t shape;
    size_t size;     /* bytes of the head itself, with what a PLAIN value carries */
    uint64_t amount; /* UINT, INT: the value; STR, BIN, EXT: bytes that follow; ARRAY: items; MAP: pairs */
} head_t;

/* Formats 0xc0..0xdf: the shape, and how many bytes of a number follow the first byte. For PLAIN these bytes
 * are the value; for EXT a type byte comes after the length. */
typedef struct format {
    uint8_t shape;
    uint8_t width;
    uint8_t amount; /* where the format itself says it (fixext) */
} format_t;

static const format_t formats[32] = {
    {SHAPE_PLAIN, 0, 0},                                                              /* c0 nil */
    {SHAPE_BAD, 0, 0},                                                                /* c1 never used */
    {SHAPE_PLAIN, 0, 0},                                                              /* c2 false */
    {SHAPE_PLAIN, 0, 0},                                                              /* c3 true */
    {SHAPE_BIN, 1, 0},   {SHAPE_BIN, 2, 0},   {SHAPE_BIN, 4, 0},                      /* c4-c6 bin */
    {SHAPE_EXT, 1, 0},   {SHAPE_EXT, 2, 0},   {SHAPE_EXT, 4, 0},                      /* c7-c9 ext */
    {SHAPE_PLAIN, 4, 0}, {SHAPE_PLAIN, 8, 0},                                         /* ca-cb float */
    {SHAPE_UINT, 1, 0},  {SHAPE_UINT, 2, 0},  {SHAPE_UINT, 4, 0}, {SHAPE_UINT, 8, 0}, /* cc-cf uint */
    {SHAPE_INT, 1, 0},   {SHAPE_INT, 2, 0},   {SHAPE_INT, 4, 0},  {SHAPE_INT, 8, 0},  /* d0-d3 int */
    {SHAPE_EXT, 0, 1},   {SHAPE_EXT, 0, 2},   {SHAPE_EXT, 0, 4},  {SHAPE_EXT, 0, 8},  /* d4-d7 fixext */
    {SHAPE_EXT, 0, 16},                                                               /* d8 fixext 16 */
    {SHAPE_STR, 1, 0},   {SHAPE_STR, 2, 0},   {SHAPE_STR, 4, 0},                      /* d9-db str */
    {SHAPE_ARRAY, 2, 0}, {SHAPE_ARRAY, 4, 0},                                         /* dc-dd array */
    {SHAPE_MAP, 2, 0},   {SHAPE_MAP, 4, 0},                                           /* de-df map */
};

/* Inline: each reader needs only a part of it, and every field of every envelope is read by one. */
static inline int read_head(span_t rest, head_t *out)
{
    if (rest.size == 0)
        return ERR_TRUNCATED;
    uint8_t first = rest.data[0];
    if (first <= 0x7f) {
        *out = (head_t){SHAPE_UINT, 1, first};
    } else if (first <= 0x8f) {
        *out = (head_t){SHAPE_MAP, 1, first & 0x0fu};
    } else if (first <= 0x9f) {
        *out = (head_t){SHAPE_ARRAY, 1, first & 0x0fu};
    } else if (first <= 0xbf) {
        *out = (head_t){SHAPE_STR, 1, first & 0x1fu};
    } else if (first >= 0xe0) {
        *out = (head_t){SHAPE_INT, 1, first}; /* -32 .. -1 */
    } else {
        format_t format = formats[first - 0xc0];
        if (format.shape == SHAPE_BAD)
            return ERR_MALFORMED;
        size_t size = 1u + format.width + (format.shape == SHAPE_EXT);
        if (rest.size < size)
            return ERR_TRUNCATED;
        uint64_t amount = format.amount;
        if (format.width && format.shape != SHAPE_PLAIN)
            amount = big_endian(rest.data + 1, format.width);
        *out = (head_t){(shape_t)format.shape, size, amount};
    }
    return OK;
}

int codec_read_uint(span_t *rest, uint64_t *out)
{
    head_t head;
    int err = read_head(*rest, &head);
    if (err)
        return err;
    if (head.shape == SHAPE_INT && rest->data[head.size > 1] & 0x80)
        return ERR_RANGE;
    if (head.shape != SHAPE_UINT && head.shape != SHAPE_INT)
        return ERR_TYPE;
    *out = head.amount;
    *rest = span_skip(*rest, head.size);
    return OK;
}

static int read_bytes(span_t *rest, size_t max, bool text_only, span_t *out)
{
    head_t head;
    int err = read_head(*rest, &head);
    if (err)
        return err;
    if (head.shape != SHAPE_STR && (text_only || head.shape != SHAPE_BIN))
        return ERR_TYPE;
    if (head.amount > max)
        return ERR_TOO_BIG;
    if (head.amount > rest->size - head.size)
        return ERR_TRUNCATED;
    *out = span_new(rest->data + head.size, (size_t)head.amount);
    *rest = span_skip(*rest, head.size + (size_t)head.amount);
    return OK;
}

int codec_read_text(span_t *rest, size_t max, span_t *out)
{
    return read_bytes(rest, max, true, out);
}

int codec_read_data(span_t *rest, size_t max, span_t *out)
{
    return read_bytes(rest, max, false, out);
}

int codec_read_array(span_t *rest, uint32_t *count)
{
    head_t head;
    int err = read_head(*rest, &head);
    if (err)
        return err;
    if (head.shape != SHAPE_ARRAY)
        return ERR_TYPE;
    if (head.amount > rest->size - head.size) /* each item takes a byte at least */
        return ERR_TRUNCATED;
    *count = (uint32_t)head.amount;
    *rest = span_skip(*rest, head.size);
    return OK;
}

/* Passes over one head and the bytes that belong to it; says how many values are nested in it. */
static int skip_head(span_t *rest, uint64_t *nested)
{
    head_t head;
    int err = read_head(*rest, &head);
    if (err)
        return err;
    size_t left = rest->size - head.size;
    uint64_t bytes = 0;
    *nested = 0;
    if (head.shape == SHAPE_STR || head.shape == SHAPE_BIN || head.shape == SHAPE_EXT)
        bytes = head.amount;
    else if (head.shape == SHAPE_ARRAY)
        *nested = head.amount;
    else if (head.shape == SHAPE_MAP)
        *nested = head.amount * 2;
    if (bytes > left || *nested > left)
        return ERR_TRUNCATED;
    *rest = span_skip(*rest, head.size + (size_t)bytes);
    return OK;
}

int codec_skip(span_t *rest)
{
    uint64_t open[WIRE_DEPTH + 1] = {1}; /* values still to come on each level */
    size_t depth = 0;
    span_t at = *rest;
    for (;;) {
        while (open[depth] == 0) {
            if (depth == 0) {
                *rest = at;
                return OK;
            }
            depth--;
        }
        open[depth]--;
        uint64_t nested;
        int err = skip_head(&at, &nested);
        if (err)
            return err;
        if (nested) {
            if (depth == WIRE_DEPTH)
                return ERR_DEPTH;
            open[++depth] = nested;
        }
    }
}

int codec_read_list(span_t *rest, size_t max, span_t *out)
{
    head_t head;
    int err = read_head(*rest, &head);
    if (err)
        return err;
    if (head.shape != SHAPE_ARRAY)
        return ERR_TYPE;
    span_t after = *rest;
    err = codec_skip(&after);
    if (err)
        return err;
    size_t size = rest->size - after.size;
    if (size > max)
        return ERR_TOO_BIG;
    *out = span_new(rest->data, size);
    *rest = after;
    return OK;
}

/* --- writing --- */

static int append(void *data, const char *bytes, size_t size)
{
    buf_append(data, bytes, size);
    return 0;
}

static msgpack_packer packer(buf_t *out)
{
    msgpack_packer packer;
    msgpack_packer_init(&packer, out, append);
    return packer;
}

void codec_write_uint(buf_t *out, uint64_t value)
{
    msgpack_packer to = packer(out);
    msgpack_pack_uint64(&to, value);
}

void codec_write_text(buf_t *out, span_t text)
{
    msgpack_packer to = packer(out);
    msgpack_pack_str_with_body(&to, text.data, text.size);
}

void codec_write_data(buf_t *out, span_t data)
{
    msgpack_packer to = packer(out);
    msgpack_pack_bin_with_body(&to, data.data, data.size);
}

void codec_write_array(buf_t *out, uint32_t count)
{
    msgpack_packer to = packer(out);
    msgpack_pack_array(&to, count);
}

void codec_put_uint_wide(uint8_t *at, uint64_t value)
{
    at[0] = 0xcf;
    for (int i = 0; i < 8; i++)
        at[1 + i] = (uint8_t)(value >> (56 - 8 * i));
}
