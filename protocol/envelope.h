/* protocol/envelope - one thing that one node says to another, as a struct; and its way on and off the wire.
 * Thread: any; pure. A decoded envelope borrows from the bytes that it was decoded from.
 */
#ifndef HEDDLE_PROTOCOL_ENVELOPE_H
#define HEDDLE_PROTOCOL_ENVELOPE_H

#include "base/buf.h"
#include "protocol/kinds.h"

#define FIELD_UINT(name) uint64_t name;
#define FIELD_TEXT(name) span_t name;
#define FIELD_DATA(name) span_t name;
#define FIELD_LIST(name) span_t name; /* a whole msgpack array; empty = [] */
#define FIELD_NAME(name) span_t name;

/* struct envelope_pub { uint64_t node; ... }; one for each kind */
#define ENVELOPE_FIELD(type, name, max) FIELD_##type(name)
#define ENVELOPE_STRUCT(NAME, member, code, layer, FIELDS, text) \
    typedef struct envelope_##member {                           \
        FIELDS(ENVELOPE_FIELD)                                   \
    } envelope_##member##_t;
ENVELOPE_KINDS(ENVELOPE_STRUCT)
#undef ENVELOPE_STRUCT
#undef ENVELOPE_FIELD

typedef struct envelope {
    envelope_kind_t kind;
    union {
#define ENVELOPE_MEMBER(NAME, member, code, layer, FIELDS, text) envelope_##member##_t member;
        ENVELOPE_KINDS(ENVELOPE_MEMBER)
#undef ENVELOPE_MEMBER
    };
} envelope_t;

/* "PUB"; "?" for a number that is no kind. */
const char *envelope_kind_name(unsigned code);

/* Does it travel unnumbered, as part of the link itself? */
bool envelope_is_link(envelope_kind_t kind);

/* Appends. The fields keep their maxima: that is the caller's duty, as is the size of PUB and MSG payloads.
 */
void envelope_encode(buf_t *out, const envelope_t *envelope);

/* Takes the next envelope off the front of *rest. OK; ERR_UNKNOWN for a kind that we don't know (*rest is
 * then behind it, so the reader can go on); any other error says that the rest is of no use. */
int envelope_decode(span_t *rest, envelope_t *out);

/* --- the link header that opens every message --- */

typedef struct link_header {
    uint64_t version;
    uint64_t source;      /* the sending node's id */
    uint64_t session;     /* the sender's session of this link; 0 outside of any */
    uint64_t seq;         /* of this message; 0 = unnumbered */
    uint64_t ack_session; /* the receiver's session that `ack` is about; 0 = none */
    uint64_t ack;         /* all up to here have arrived */
} link_header_t;

#define LINK_TOPIC_SIZE  8u
#define LINK_HEADER_SIZE 47u /* the array, a version below 128, five wide integers */
#define LINK_PREFIX_SIZE (LINK_TOPIC_SIZE + LINK_HEADER_SIZE)

/* The topic that relays subscribe to beside their own id: "heddle?!" */
#define HELLO_TOPIC UINT64_C(0x686564646c653f21)

/* Writes topic and header, LINK_PREFIX_SIZE bytes. */
void link_header_write(uint8_t *out, uint64_t topic, const link_header_t *header);

/* Takes topic and header off the front of *rest. ERR_VERSION with the header's version set if it isn't ours.
 */
int link_header_read(span_t *rest, uint64_t *topic, link_header_t *out);

#endif
