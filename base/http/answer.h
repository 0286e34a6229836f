/* base/http/answer - the head of an HTTP/1.1 answer.
 * Thread: any; pure.
 */
#ifndef HEDDLE_BASE_HTTP_ANSWER_H
#define HEDDLE_BASE_HTTP_ANSWER_H

#include "base/buf.h"

typedef struct http_answer {
    int status;
    const char *content_type; /* NULL: none */
    const char *headers;      /* NULL, or whole "Name: value\r\n" lines */
    uint64_t body_size;
    bool keep_alive;
} http_answer_t;

/* "Not Found"; "" for a status that is not in the list. Static memory. */
const char *http_status_text(int status);

/* Appends the head. `wall_us` is the time for its Date. */
void http_answer_head(buf_t *out, const http_answer_t *answer, uint64_t wall_us);

#endif
