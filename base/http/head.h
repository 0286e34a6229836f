/* base/http/head - the head of an HTTP/1.x request or answer, strictly (RFC 9112).
 * Thread: any; pure; allocates nothing.
 *
 * Lines end in CR LF; no obs-fold, no bare CR or LF, no white space before a colon, no NUL; a field value is
 * visible ASCII, spaces, tabs and bytes from 0x80. What is lenient elsewhere is where requests get smuggled.
 */
#ifndef HEDDLE_BASE_HTTP_HEAD_H
#define HEDDLE_BASE_HTTP_HEAD_H

#include "base/span.h"

#define HTTP_HEAD_LIMIT  8192u /* bytes of a whole head; above: 431 */
#define HTTP_HEAD_FIELDS 64u   /* header fields; above: 431 */

typedef struct http_field {
    span_t name;  /* as sent; compare with http_head_get */
    span_t value; /* without white space around */
} http_field_t;

typedef struct http_head {
    span_t method;
    span_t target;      /* as sent */
    span_t path, query; /* of the target, also of an absolute one ("http://host/path"); query without '?' */
    int version_major, version_minor;
    http_field_t fields[HTTP_HEAD_FIELDS];
    size_t count; /* fields */
} http_head_t;

/* The head's bytes if it is complete. ERR_AGAIN: more bytes are needed; ERR_MALFORMED; ERR_TOO_BIG;
 * ERR_VERSION: an HTTP version that is not 1.x. `out` points into the bytes. Errors are found as early as the
 * bytes allow. */
int http_head_parse(span_t bytes, http_head_t *out);

/* The same for an answer: 100 to 999 in `status`; method, target, path and query stay empty. */
int http_head_parse_answer(span_t bytes, http_head_t *out, int *status);

/* How often the field is there; the first one's value in `value` (may be NULL). `name` in lower case. */
size_t http_head_get(const http_head_t *self, const char *name, span_t *value);

/* Has the field this name (in lower case)? For walks over all fields. */
bool http_field_is(const http_field_t *self, const char *name);

/* Does a comma-separated field (all occurrences) hold the token, letter case aside? */
bool http_head_has_token(const http_head_t *self, const char *name, const char *token);

/* The body's size by Content-Length; 0 without one. ERR_UNAVAILABLE: a Transfer-Encoding, which we don't read
 * (411); ERR_MALFORMED: a length that is no number, or two; ERR_TOO_BIG: over the limit (413). */
int http_head_body_size(const http_head_t *self, uint64_t limit, uint64_t *size);

/* May another request follow on this connection (RFC 9112 section 9.3)? */
bool http_head_keeps_alive(const http_head_t *self);

/* Splits the next item off a comma-separated value, past empty ones; false at its end. */
bool http_next_item(span_t *rest, span_t *item);

/* The value of a parameter in a query string, percent-decoded, '+' as space. The `nth` one of that name, from
 * 0. Its length; ERR_NOT_FOUND, ERR_TOO_BIG, ERR_MALFORMED. */
int http_query_value(span_t query, const char *name, size_t nth, char *out, size_t size);

/* Percent-decodes a path segment or value into `out`. Its length; ERR_TOO_BIG, ERR_MALFORMED. */
int http_percent_decode(span_t text, bool plus_is_space, char *out, size_t size);

#endif
