/* protocol/json_write - the part of protocol/json that writes. */
#include "base/err.h"
#include "protocol/json.h"
#include "protocol/json_plain.h"
#include "protocol/utf8.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

static void append_escape(buf_t *out, uint8_t byte)
{
    static const char short_escape[0x20] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    if (byte == '"' || byte == '\\')
        buf_append(out, (uint8_t[]){'\\', byte}, 2);
    else if (short_escape[byte])
        buf_append(out, (uint8_t[]){'\\', (uint8_t)short_escape[byte]}, 2);
    else
        buf_printf(out, "\\u%04x", byte);
}

/* One character above ASCII, or U+FFFD for the longest beginning of one; returns what is behind. */
static const uint8_t *append_character(buf_t *out, const uint8_t *at, const uint8_t *end)
{
    const uint8_t *begin = at;
    utf8_state_t state = 0;
    do {
        if (utf8_feed(&state, span_new(at, 1)) != OK) {
            buf_append_span(out, SPAN(REPLACEMENT));
            return at > begin ? at : at + 1;
        }
        at++;
    } while (state && at < end);
    buf_append_span(out, state ? SPAN(REPLACEMENT) : span_new(begin, (size_t)(at - begin)));
    return at;
}

void json_append_string(buf_t *out, span_t text)
{
    const uint8_t *at = text.data, *end = text.size ? at + text.size : at;
    buf_reserve(out, text.size + 2);
    buf_append_byte(out, '"');
    while (at < end) {
        const uint8_t *run_end = json_skip_plain(at, end);
        buf_append(out, at, (size_t)(run_end - at));
        at = run_end;
        if (at == end)
            break;
        if (*at >= 0x80)
            at = append_character(out, at, end);
        else
            append_escape(out, *at++);
    }
    buf_append_byte(out, '"');
}

/* A string can't hold a raw line feed, so each that is found stands between tokens; there a bracket, comma or
 * colon is on one side at least, and what it parted stays apart. */
void json_append_line(buf_t *out, span_t raw)
{
    while (raw.size > 0) {
        const uint8_t *feed = memchr(raw.data, '\n', raw.size);
        size_t size = feed ? (size_t)(feed - raw.data) : raw.size;
        buf_append(out, raw.data, size);
        raw = span_skip(raw, feed ? size + 1 : size);
    }
}
