/* protocol/base64 - base64 with padding and base64url without (RFC 4648 sections 4 and 5), strictly: one text
 * for each run of bytes.
 * Thread: any; pure.
 */
#ifndef HEDDLE_PROTOCOL_BASE64_H
#define HEDDLE_PROTOCOL_BASE64_H

#include "base/buf.h"

/* Appends the text of these bytes. */
void base64_encode(buf_t *out, span_t bytes);
void base64url_encode(buf_t *out, span_t bytes);

/* Appends the bytes of this text. ERR_MALFORMED, and nothing is appended, for other letters (also white space
 * and those of the other alphabet), padding that is missing, in the wrong place or not asked for, and bits
 * left over. */
int base64_decode(buf_t *out, span_t text);
int base64url_decode(buf_t *out, span_t text);

#endif
