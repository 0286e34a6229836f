/* base/span - a borrowed run of bytes.
 * Thread: any. A span owns nothing: it is good as long as the memory that it points into.
 */
#ifndef HEDDLE_BASE_SPAN_H
#define HEDDLE_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct span {
    const uint8_t *data; /* borrowed; may be NULL when size is 0 */
    size_t size;         /* bytes */
} span_t;

/* For printf: printf("%.*s", SPAN_FMT(s)). */
#define SPAN_FMT(s) (int)(s).size, (const char *)(s).data

/* A span over a string literal, without strlen. */
#define SPAN(literal) ((span_t){(const uint8_t *)(literal), sizeof(literal) - 1})

static inline span_t span_new(const void *data, size_t size)
{
    return (span_t){data, size};
}

static inline span_t span_str(const char *text)
{
    return (span_t){(const uint8_t *)text, text ? strlen(text) : 0};
}

static inline bool span_eq(span_t a, span_t b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool span_is(span_t a, const char *text)
{
    return span_eq(a, span_str(text));
}

static inline bool span_starts(span_t a, span_t prefix)
{
    return a.size >= prefix.size && (prefix.size == 0 || memcmp(a.data, prefix.data, prefix.size) == 0);
}

/* What is left behind the first `count` bytes (count <= size). */
static inline span_t span_skip(span_t a, size_t count)
{
    return (span_t){a.data ? a.data + count : NULL, a.size - count};
}

#endif
