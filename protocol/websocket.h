/* protocol/websocket - RFC 6455: the opening handshake's rules, and frames; for servers and clients.
 * Thread: any; pure: bytes in, events out. A reader belongs to its connection.
 *
 * No extensions are negotiated. Why this is ours and not libwebsockets': docs/decisions/0002.
 */
#ifndef HEDDLE_PROTOCOL_WEBSOCKET_H
#define HEDDLE_PROTOCOL_WEBSOCKET_H

#include "base/buf.h"
#include "base/http/head.h"
#include "protocol/utf8.h"

/* --- the opening handshake (RFC 6455 section 4.2.1) --- */

#define WEBSOCKET_ACCEPT_SIZE 28u /* letters of Sec-WebSocket-Accept */

/* Is this a request to upgrade to anything at all (an Upgrade field, or a Sec-WebSocket-* field)? */
bool websocket_is_upgrade(const http_head_t *head);

/* 101 if every rule of the RFC holds; else the HTTP status to refuse with, and a sentence for people in
 * `why`: GET only (405), HTTP/1.1 only (505 for others), exactly one Host (400), Upgrade: websocket and
 * nothing else (400; so h2c never gets an answer but this), Connection: upgrade (400), version 13 (426), one
 * key of 16 bytes in base64 (400), no body (400). */
int websocket_check_request(const http_head_t *head, const char **why);

void websocket_accept(span_t key, char out[WEBSOCKET_ACCEPT_SIZE + 1]);

/* --- frames (section 5) --- */

typedef enum websocket_opcode {
    WEBSOCKET_CONTINUATION = 0x0,
    WEBSOCKET_TEXT = 0x1,
    WEBSOCKET_BINARY = 0x2,
    WEBSOCKET_CLOSE = 0x8,
    WEBSOCKET_PING = 0x9,
    WEBSOCKET_PONG = 0xa
} websocket_opcode_t;

#define WEBSOCKET_HEADER_MAX 14u

/* Writes a frame's header, FIN set, and returns its bytes (2 to 14). With `mask` NULL the frame is a
 * server's; with a mask it is a client's, and the payload is to be run through websocket_mask. */
size_t websocket_header(uint8_t out[WEBSOCKET_HEADER_MAX], websocket_opcode_t opcode, uint64_t size,
                        const uint8_t mask[4]);

/* XORs in place; `at` is the place of the first byte within its payload. Also unmasks. */
void websocket_mask(uint8_t *data, size_t size, const uint8_t mask[4], uint64_t at);

/* Appends the payload of a close frame: code and reason (cut to 123 bytes at a character's end). */
void websocket_close_payload(buf_t *out, uint16_t code, span_t reason);

typedef struct websocket_limits {
    uint64_t message;   /* bytes of a whole message; refused by the claimed length already */
    uint32_t fragments; /* frames of one message */
} websocket_limits_t;

/* Idle, a reader holds no memory beside itself. */
typedef struct websocket_reader {
    const websocket_limits_t *limits; /* borrowed, shared by all readers of a server */
    buf_t message;                    /* what has come of a message that is not whole yet */
    uint64_t left;                    /* payload bytes of the current frame still to come */
    uint32_t fragments;               /* frames of the current message so far */
    utf8_state_t utf8;
    uint8_t header[WEBSOCKET_HEADER_MAX]; /* a header that came in pieces; then its mask is header_size-4.. */
    uint8_t header_size;                  /* bytes of it so far */
    uint8_t mask[4];
    uint8_t phase_in_mask;  /* payload bytes of this frame so far, modulo 4 */
    uint8_t opcode;         /* of the current frame */
    uint8_t message_opcode; /* TEXT or BINARY while a message is open, else 0 */
    bool final;             /* the current frame has FIN */
    bool in_payload;        /* header read, payload (or its end) to come */
    bool expect_mask;       /* a server's reader: frames must be masked; a client's: must not */
    buf_t control;          /* the payload of a control frame that came in pieces */
} websocket_reader_t;

typedef struct websocket_event {
    websocket_opcode_t opcode; /* TEXT, BINARY: a whole message; PING, PONG, CLOSE */
    span_t payload;            /* lent until the next call; points into the input where it could */
    uint16_t close_code;       /* CLOSE: as sent; 1005 when the frame had none */
    span_t close_reason;       /* CLOSE */
} websocket_event_t;

void websocket_reader_init(websocket_reader_t *self, const websocket_limits_t *limits, bool expect_mask);
void websocket_reader_fini(websocket_reader_t *self);

/* Reads on in [*data, *data + *size), unmasks in place, and moves both behind what it used. OK: `event` holds
 * one event, call again for the next; ERR_AGAIN: all is used, no event. Errors end the connection, with
 * `close_code` to send: ERR_MALFORMED 1002 (unmasked, reserved bits or opcodes, fragmented or long control
 * frames, bad continuation, non-minimal or over-long length, bad close payload), ERR_UTF8 1007, ERR_TOO_BIG
 * 1009 (message), ERR_FULL 1008 (fragments). After an error the reader is of no use. */
int websocket_read(websocket_reader_t *self, uint8_t **data, size_t *size, websocket_event_t *event,
                   uint16_t *close_code);

/* --- the client's side, for tools --- */

/* Appends the request head. `key` is 16 random bytes; `headers` is NULL or whole "Name: value\r\n" lines. */
void websocket_client_request(buf_t *out, const char *host, const char *target, const uint8_t key[16],
                              const char *headers);

/* Reads the server's answer. The head's bytes when it is a right 101; ERR_AGAIN; ERR_DENIED with `status` set
 * for another status; ERR_MALFORMED (no proper answer, or a wrong accept). */
int websocket_client_check(span_t bytes, const uint8_t key[16], int *status);

#endif
