#include "protocol/base64.h"

#include "base/err.h"

/* The letters by their value. The alphabets differ in the last two. */
#define LETTERS_AND_DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
static const char standard[] = LETTERS_AND_DIGITS "+/";
static const char url[] = LETTERS_AND_DIGITS "-_";
#define NO_LETTER 64u

static void append_letters(buf_t *out, span_t bytes, const char *alphabet)
{
    uint8_t *begin = buf_reserve(out, bytes.size / 3 * 4 + 3), *at = begin;
    uint32_t bits = 0;
    unsigned count = 0; /* of bits that are not written yet */
    for (size_t i = 0; i < bytes.size; i++) {
        bits = bits << 8 | bytes.data[i];
        for (count += 8; count >= 6; count -= 6)
            *at++ = (uint8_t)alphabet[bits >> (count - 6) & 63];
    }
    if (count > 0)
        *at++ = (uint8_t)alphabet[bits << (6 - count) & 63];
    buf_advance(out, (size_t)(at - begin));
}

static uint32_t letter_value(uint8_t letter, const char *alphabet)
{
    if (letter >= 'A' && letter <= 'Z')
        return letter - 'A';
    if (letter >= 'a' && letter <= 'z')
        return letter - 'a' + 26u;
    if (letter >= '0' && letter <= '9')
        return letter - '0' + 52u;
    return (char)letter == alphabet[62] ? 62u : (char)letter == alphabet[63] ? 63u : NO_LETTER;
}

/* Bits that are left over must be 0, and fewer than a letter's, so that each run of bytes has one text. */
static int append_bytes(buf_t *out, span_t letters, const char *alphabet)
{
    uint8_t *begin = buf_reserve(out, letters.size / 4 * 3 + 2), *at = begin;
    uint32_t bits = 0;
    unsigned count = 0; /* of bits that are no byte yet */
    for (size_t i = 0; i < letters.size; i++) {
        uint32_t value = letter_value(letters.data[i], alphabet);
        if (value == NO_LETTER)
            return ERR_MALFORMED;
        bits = bits << 6 | value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            *at++ = (uint8_t)(bits >> count);
        }
    }
    if (count == 6 || (bits & ((1u << count) - 1)) != 0)
        return ERR_MALFORMED;
    buf_advance(out, (size_t)(at - begin));
    return OK;
}

void base64_encode(buf_t *out, span_t bytes)
{
    static const char *const padding[] = {"", "==", "="};
    append_letters(out, bytes, standard);
    buf_append_str(out, padding[bytes.size % 3]);
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
    text.size -= count_padding(text);
    return append_bytes(out, text, standard);
}

void base64url_encode(buf_t *out, span_t bytes)
{
    append_letters(out, bytes, url);
}

int base64url_decode(buf_t *out, span_t text)
{
    return append_bytes(out, text, url);
}
