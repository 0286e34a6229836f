/* protocol/codec - msgpack: a bounded cursor for what comes off a wire, msgpack-c for what we write. The one
 * file that includes msgpack.h.
 * Thread: any; pure.
 *
 * The cursor allocates nothing, checks each length against the bytes that are there, and takes integers in
 * any width. msgpack-c's own unpacker asks malloc for what a header claims: 5 bytes make it 4 GB
 * (docs/decisions/0003).
 */
#ifndef HEDDLE_PROTOCOL_CODEC_H
#define HEDDLE_PROTOCOL_CODEC_H

#include "base/buf.h"

/* --- reading: each takes the next value off the front of *rest, or leaves *rest as it was and returns
 * ERR_TRUNCATED, ERR_TYPE, ERR_RANGE, ERR_TOO_BIG or (0xc1) ERR_MALFORMED --- */

int codec_read_uint(span_t *rest, uint64_t *out); /* of any width, signed or not; ERR_RANGE if below 0 */
int codec_read_text(span_t *rest, size_t max, span_t *out); /* str */
int codec_read_data(span_t *rest, size_t max, span_t *out); /* bin or str */
int codec_read_array(span_t *rest, uint32_t *count);        /* its header only; count <= bytes left */
int codec_skip(span_t *rest); /* any value, nested at most WIRE_DEPTH; else ERR_DEPTH */
int codec_read_list(span_t *rest, size_t max, span_t *out); /* a whole array as its bytes */

/* --- writing --- */

void codec_write_uint(buf_t *out, uint64_t value);
void codec_write_text(buf_t *out, span_t text);
void codec_write_data(buf_t *out, span_t data);
void codec_write_array(buf_t *out, uint32_t count);

/* Writes an integer in its widest form: 9 bytes, whatever it is. */
void codec_put_uint_wide(uint8_t *at, uint64_t value);

#endif
