/* protocol/json_value - the part of protocol/json that reads values: numbers, booleans, texts. */
#include "base/err.h"
#include "protocol/json.h"

/* The number without its sign: digits only. */
static int to_magnitude(span_t digits, uint64_t *out)
{
    uint64_t number = 0;
    bool too_big = false;
    for (size_t i = 0; i < digits.size; i++) {
        uint8_t digit = (uint8_t)(digits.data[i] - '0');
        if (digit > 9)
            return ERR_TYPE;
        too_big = too_big || __builtin_mul_overflow(number, 10u, &number) ||
                  __builtin_add_overflow(number, digit, &number);
    }
    if (too_big)
        return ERR_RANGE;
    *out = number;
    return OK;
}

/* Splits the sign off; ERR_TYPE if it is no whole number, ERR_RANGE if it does not fit. */
static int to_integer(const json_value_t *value, bool *negative, uint64_t *magnitude)
{
    if (value->type != JSON_NUMBER)
        return ERR_TYPE;
    *negative = value->raw.data[0] == '-';
    return to_magnitude(*negative ? span_skip(value->raw, 1) : value->raw, magnitude);
}

int json_to_u64(const json_value_t *value, uint64_t *out)
{
    bool negative;
    uint64_t magnitude;
    int err = to_integer(value, &negative, &magnitude);
    if (err)
        return err;
    if (negative)
        return ERR_RANGE;
    *out = magnitude;
    return OK;
}

int json_to_i64(const json_value_t *value, int64_t *out)
{
    bool negative;
    uint64_t magnitude;
    int err = to_integer(value, &negative, &magnitude);
    if (err)
        return err;
    if (magnitude > (uint64_t)INT64_MAX + negative)
        return ERR_RANGE;
    *out = negative && magnitude > 0 ? -(int64_t)(magnitude - 1) - 1 : (int64_t)magnitude;
    return OK;
}

int json_to_bool(const json_value_t *value, bool *out)
{
    if (value->type != JSON_BOOL)
        return ERR_TYPE;
    *out = value->raw.data[0] == 't';
    return OK;
}

static span_t without_quotes(const json_value_t *string)
{
    return span_new(string->raw.data + 1, string->raw.size - 2);
}

int json_to_span(const json_value_t *value, span_t *out)
{
    if (value->type != JSON_STRING)
        return ERR_TYPE;
    span_t text = without_quotes(value);
    if (text.size > 0 && memchr(text.data, '\\', text.size))
        return ERR_TYPE;
    *out = text;
    return OK;
}

/* Four hexadecimal digits, which the parser has seen to be such: of a letter, the low half of the byte is 1
 * to 6. */
static uint32_t read_hex4(const uint8_t *at)
{
    uint32_t unit = 0;
    for (int i = 0; i < 4; i++)
        unit = unit << 4 | ((at[i] & 0xfu) + (at[i] >= 'A' ? 9u : 0u));
    return unit;
}

static void append_code_point(buf_t *out, uint32_t code)
{
    uint8_t bytes[4];
    size_t size = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = {0, 0x00, 0xc0, 0xe0, 0xf0};
    for (size_t i = size - 1; i > 0; i--, code >>= 6)
        bytes[i] = (uint8_t)(0x80 | (code & 0x3f));
    bytes[0] = (uint8_t)(lead[size] | code);
    buf_append(out, bytes, size);
}

/* The four digits behind "\u", and those of a second escape that makes a pair with the first; *at is moved
 * behind. ERR_UTF8 at half a pair. */
static int append_unicode_escape(buf_t *out, const uint8_t **at, const uint8_t *end)
{
    uint32_t code = read_hex4(*at);
    *at += 4;
    if (code >= 0xd800 && code <= 0xdfff) {
        bool pair = code <= 0xdbff && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u';
        uint32_t low = pair ? read_hex4(*at + 2) : 0;
        if (low < 0xdc00 || low > 0xdfff)
            return ERR_UTF8;
        code = 0x10000 + ((code - 0xd800) << 10 | (low - 0xdc00));
        *at += 6;
    }
    append_code_point(out, code);
    return OK;
}

static uint8_t decode_short_escape(uint8_t letter)
{
    switch (letter) {
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return letter;
    }
}

int json_to_text(const json_value_t *value, buf_t *out)
{
    if (value->type != JSON_STRING)
        return ERR_TYPE;
    span_t text = without_quotes(value);
    size_t size_before = out->size;
    const uint8_t *at = text.data, *end = at + text.size;
    while (at < end) {
        const uint8_t *backslash = memchr(at, '\\', (size_t)(end - at));
        const uint8_t *run_end = backslash ? backslash : end;
        buf_append(out, at, (size_t)(run_end - at));
        at = run_end;
        if (!backslash)
            break;
        uint8_t letter = at[1];
        at += 2;
        if (letter != 'u') {
            buf_append_byte(out, decode_short_escape(letter));
        } else if (append_unicode_escape(out, &at, end) != OK) {
            out->size = size_before;
            return ERR_UTF8;
        }
    }
    return OK;
}
