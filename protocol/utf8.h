/* protocol/utf8 - is it UTF-8? As Unicode defines it (RFC 3629): no overlongs, no surrogates, at most
 * U+10FFFF.
 * Thread: any; pure.
 */
#ifndef HEDDLE_PROTOCOL_UTF8_H
#define HEDDLE_PROTOCOL_UTF8_H

#include "base/span.h"

/* The state between two pieces of one text; 0 = at the start, or between characters. */
typedef uint32_t utf8_state_t;

/* Goes on through a piece. OK, or ERR_UTF8 (and then the state is of no use). At the end of the text the
 * state must be 0, or the last character is cut. */
int utf8_feed(utf8_state_t *state, span_t piece);

/* A whole text: OK or ERR_UTF8. */
int utf8_check(span_t text);

#endif
