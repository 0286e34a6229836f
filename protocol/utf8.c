#include "protocol/utf8.h"

#include "base/err.h"

/* A state says what the next byte has to be: how many continuation bytes are due, and between which two
 * values the next of them lies (only the second byte of a character is narrower than 80..BF). */
#define STATE(due, low, high) ((utf8_state_t)(due) | (utf8_state_t)(low) << 8 | (utf8_state_t)(high) << 16)

/* The Unicode Standard, table 3-7 "Well-Formed UTF-8 Byte Sequences", one row each; the first is for bytes
 * that begin no character. */
enum { NONE, TWO, E0, THREE, ED, F0, FOUR, F4 };
static const utf8_state_t after_lead[] = {
    [NONE] = 0,
    [TWO] = STATE(1, 0x80, 0xbf),
    [E0] = STATE(2, 0xa0, 0xbf), /* not an overlong of two bytes */
    [THREE] = STATE(2, 0x80, 0xbf),
    [ED] = STATE(2, 0x80, 0x9f), /* not a surrogate */
    [F0] = STATE(3, 0x90, 0xbf), /* not an overlong of three bytes */
    [FOUR] = STATE(3, 0x80, 0xbf),
    [F4] = STATE(3, 0x80, 0x8f), /* not above U+10FFFF */
};

/* The row for each byte from C0 on, sixteen a line; 80..BF are continuation bytes and begin nothing. */
/* clang-format off */
static const uint8_t lead_row[64] = {
    NONE, NONE, TWO, TWO, TWO, TWO, TWO, TWO, TWO, TWO, TWO, TWO, TWO, TWO, TWO, TWO,
    TWO, TWO, TWO, TWO, TWO, TWO, TWO, TWO, TWO, TWO, TWO, TWO, TWO, TWO, TWO, TWO,
    E0, THREE, THREE, THREE, THREE, THREE, THREE, THREE, THREE, THREE, THREE, THREE, THREE, ED, THREE, THREE,
    F0, FOUR, FOUR, FOUR, F4, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE,
};
/* clang-format on */

static const uint8_t *skip_ascii(const uint8_t *at, const uint8_t *end)
{
    while (end - at >= (ptrdiff_t)sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        if (word & 0x8080808080808080u)
            break;
        at += sizeof word;
    }
    while (at < end && *at < 0x80)
        at++;
    return at;
}

/* Takes a continuation byte; false if it is not the one that is due. */
static bool go_on(utf8_state_t *state, uint8_t byte)
{
    utf8_state_t due = *state & 0xff, low = *state >> 8 & 0xff, high = *state >> 16;
    if (byte < low || byte > high)
        return false;
    *state = due > 1 ? STATE(due - 1, 0x80, 0xbf) : 0;
    return true;
}

int utf8_feed(utf8_state_t *state, span_t piece)
{
    const uint8_t *at = piece.data;
    const uint8_t *end = piece.size ? at + piece.size : at;
    utf8_state_t now = *state;
    while (at < end) {
        if (now) {
            if (!go_on(&now, *at++))
                return ERR_UTF8;
        } else if (*at < 0x80) {
            at = skip_ascii(at, end);
        } else {
            now = *at < 0xc0 ? 0 : after_lead[lead_row[*at - 0xc0]];
            if (!now)
                return ERR_UTF8;
            at++;
        }
    }
    *state = now;
    return OK;
}

int utf8_check(span_t text)
{
    utf8_state_t state = 0;
    int err = utf8_feed(&state, text);
    return err ? err : state ? ERR_UTF8 : OK;
}
