/* protocol/json_plain - the bytes that stand in a JSON string as they are; shared by the reader and the
 * writer.
 * Thread: any; pure.
 */
#ifndef HEDDLE_PROTOCOL_JSON_PLAIN_H
#define HEDDLE_PROTOCOL_JSON_PLAIN_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define JSON_EACH_BYTE(byte) (0x0101010101010101u * (uint64_t)(byte))

/* The end of the run of bytes that stand in a string as they are: ASCII without controls, quote, backslash.
 * Eight bytes a step. Each term sets a byte's top bit if the byte is special; a borrow can set a wrong one
 * only above a right one, so the lowest, which is all we ask for, is right. */
static inline const uint8_t *json_skip_plain(const uint8_t *at, const uint8_t *end)
{
    while (end - at >= (ptrdiff_t)sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        word = le64toh(word);
        uint64_t control = word - JSON_EACH_BYTE(0x20);
        uint64_t quote = (word ^ JSON_EACH_BYTE('"')) - JSON_EACH_BYTE(1);
        uint64_t backslash = (word ^ JSON_EACH_BYTE('\\')) - JSON_EACH_BYTE(1);
        uint64_t special = (word | control | quote | backslash) & JSON_EACH_BYTE(0x80);
        if (special)
            return at + __builtin_ctzll(special) / 8;
        at += sizeof word;
    }
    while (at < end && *at >= 0x20 && *at < 0x80 && *at != '"' && *at != '\\')
        at++;
    return at;
}

#endif
