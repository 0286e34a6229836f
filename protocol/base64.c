#include "protocol/base64.h"

#include "base/err.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
#define NO_LETTER 64u

void base64_encode(buf_t *out, span_t bytes)
{
    uint8_t *at = buf_reserve(out, (bytes.size + 2) / 3 * 4);
    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t left = bytes.size - i;
        uint32_t bits = (uint32_t)bytes.data[i] << 16;
        if (left > 1)
            bits |= (uint32_t)bytes.data[i + 1] << 8;
        if (left > 2)
            bits |= bytes.data[i + 2];
        *at++ = (uint8_t)letters[bits >> 18];
        *at++ = (uint8_t)letters[bits >> 12 & 63];
        *at++ = (uint8_t)(left > 1 ? letters[bits >> 6 & 63] : '=');
        *at++ = (uint8_t)(left > 2 ? letters[bits & 63] : '=');
    }
    buf_advance(out, (bytes.size + 2) / 3 * 4);
}

static uint32_t letter_value(uint8_t letter)
{
    if (letter >= 'A' && letter <= 'Z')
        return letter - 'A';
    if (letter >= 'a' && letter <= 'z')
        return letter - 'a' + 26u;
    if (letter >= '0' && letter <= '9')
        return letter - '0' + 52u;
    return letter == '+' ? 62u : letter == '/' ? 63u : NO_LETTER;
}

static size_t count_padding(span_t text)
{
    size_t count = 0;
    while (count < 2 && count < text.size && text.data[text.size - 1 - count] == '=')
        count++;
    return count;
}

int base64_decode(buf_t *out, span_t text)
{
    if (text.size % 4 != 0)
        return ERR_MALFORMED;
    size_t letter_count = text.size - count_padding(text);
    uint8_t *begin = buf_reserve(out, text.size / 4 * 3), *at = begin;
    uint32_t bits = 0;
    unsigned count = 0;
    for (size_t i = 0; i < letter_count; i++) {
        uint32_t value = letter_value(text.data[i]);
        if (value == NO_LETTER)
            return ERR_MALFORMED;
        bits = bits << 6 | value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            *at++ = (uint8_t)(bits >> count);
        }
    }
    if ((bits & ((1u << count) - 1)) != 0)
        return ERR_MALFORMED;
    buf_advance(out, (size_t)(at - begin));
    return OK;
}
