/* edge/raw_request - what a raw client asks for in the target of its handshake.
 * Thread: any; pure. The request belongs to its reader; its spans borrow from the head and from itself.
 *
 *     GET /ws/CHANNEL                the channel, percent-encoded
 *     GET /ws?channel=A&channel=B    several; what the client sends goes to the first
 *       mode=sub | mode=pub          only listens, only publishes
 *       echo=0                       not what the client itself publishes
 *       since=EPOCH:OFFSET           goes on from there; for one channel
 *       positions=1                  the first frame of each channel tells where it begins
 *       token=T                      or "Authorization: Bearer T"
 */
#ifndef HEDDLE_EDGE_RAW_REQUEST_H
#define HEDDLE_EDGE_RAW_REQUEST_H

#include "base/buf.h"
#include "base/http/head.h"
#include "protocol/position.h"
#include "protocol/token.h"

typedef struct raw_request {
    buf_t names;  /* owned; the channels' names, valid, each once, each with a NUL behind it */
    size_t count; /* names */
    bool listens, publishes, echoes, tells_positions;
    position_t since; /* not known = from now on */
    span_t token;     /* empty = none */
    char token_memory[TOKEN_LIMIT + 1];
} raw_request_t;

/* 0: not a raw client's path; 101: read; 400: with a sentence in *why. To be given to fini whatever happens. */
int raw_request_read(raw_request_t *self, const http_head_t *head, uint64_t max_channels, const char **why);
void raw_request_fini(raw_request_t *self);

/* Takes the next name off *rest, which begins as buf_span(&names); empty at the end. */
span_t raw_request_next_name(span_t *rest);

#endif
