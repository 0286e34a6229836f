/* protocol/json - a strict JSON reader that hands out spans, and a writer of strings.
 * json.c has the grammar and the walk, json_value.c takes values, json_write.c writes.
 * Thread: any; pure; allocates nothing (except in a caller's buf_t).
 *
 * RFC 8259, whole: no BOM, no comments, no trailing commas, numbers as the grammar has them, UTF-8 checked
 * inside strings. Escaped lone surrogates ("\ud800") pass, as the RFC lets them; they are refused only where
 * a string is decoded. A value is handed out as the bytes that stood in the text, so numbers like
 * 12345678901234567890 and 1.10 pass through untouched. The text is validated once, whole, by json_parse;
 * walking what it accepted is then cheap.
 *
 * jansson.h has some of the same names: never include both.
 */
#ifndef HEDDLE_PROTOCOL_JSON_H
#define HEDDLE_PROTOCOL_JSON_H

#include "base/buf.h"

#define JSON_DEPTH 64u /* arrays and objects nested at most; the 65th is ERR_DEPTH */

typedef enum json_type {
    JSON_NULL,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
} json_type_t;

typedef struct json_value {
    json_type_t type;
    span_t raw; /* the value's bytes as they stood, with quotes, without white space around */
} json_value_t;

/* Exactly one value with white space around it. OK; ERR_TRUNCATED (it might go on: also for an empty text),
 * ERR_MALFORMED, ERR_DEPTH, ERR_UTF8. On an error *out stays as it was. */
int json_parse(span_t text, json_value_t *out);

/* The first value of *rest, which is moved behind it and the white space that follows; for values joined by
 * newlines (or other white space; without any between two values, ERR_MALFORMED). ERR_NOT_FOUND when only
 * white space is left, otherwise as json_parse. On an error *rest stays as it was. */
int json_parse_next(span_t *rest, json_value_t *out);

/* --- walking a value that was accepted --- */

typedef struct json_cursor {
    span_t rest;
} json_cursor_t;

json_cursor_t json_cursor(
    const json_value_t *container); /* of an ARRAY or OBJECT; of others it is at the end */
bool json_next_item(json_cursor_t *self, json_value_t *item);
/* `key` is what stands between the quotes, escapes and all. */
bool json_next_member(json_cursor_t *self, span_t *key, json_value_t *value);

/* The first member of that name; compares raw bytes, so a key written with escapes does not match. false if
 * there is none, or `object` is none. */
bool json_get(const json_value_t *object, const char *key, json_value_t *out);

/* ERR_DUPLICATE if two keys are equal, ERR_MALFORMED if a key has a backslash, ERR_TYPE if it is no object.
 * For objects whose members we act on: no other reader can then see another command than we do. Quadratic up
 * to 32 members, above that ERR_TOO_BIG. */
int json_check_keys(const json_value_t *object);

/* --- taking values --- */

/* Whole numbers, plain digits behind a '-': 1.0 and 1e3 are ERR_TYPE, what does not fit is ERR_RANGE. */
int json_to_u64(const json_value_t *value, uint64_t *out);
int json_to_i64(const json_value_t *value, int64_t *out);
int json_to_bool(const json_value_t *value, bool *out);

/* The text of a string without escapes, as a span into the value. ERR_TYPE if it is no string or has escapes.
 */
int json_to_span(const json_value_t *value, span_t *out);

/* Appends the decoded text, which may hold NUL ("\u0000"). ERR_TYPE if it is no string, ERR_UTF8 at a lone
 * surrogate; then nothing is appended. */
int json_to_text(const json_value_t *value, buf_t *out);

/* --- writing --- */

/* Appends the text as a JSON string with its quotes. The text must be UTF-8 (each cut or wrong sequence
 * is replaced by one U+FFFD). */
void json_append_string(buf_t *out, span_t text);

/* Appends the value's bytes without line feeds (white space between tokens, so the meaning stays): frames of
 * newline-joined JSON need it. */
void json_append_line(buf_t *out, span_t raw);

#endif
