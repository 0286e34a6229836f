#include "protocol/envelope.h"

#include "base/check.h"
#include "base/err.h"
#include "protocol/codec.h"

typedef enum field_type { UINT, TEXT, DATA, LIST, NAME } field_type_t;

typedef struct field {
    uint8_t type;    /* a field_type_t */
    uint16_t offset; /* in envelope_t */
    uint32_t max;    /* bytes */
} field_t;

typedef struct kind {
    const char *name;
    bool link;
    uint8_t count;
    const field_t *fields;
} kind_t;

#define LINK                       true
#define FLOW                       false
#define FIELD_ROW(type, name, max) {type, (uint16_t)offsetof(row_t, name), max},

/* NULL for a number that is no kind. */
static const kind_t *find_kind(uint64_t code)
{
    switch (code) {
#define KIND_CASE(NAME, member, code, layer, FIELDS, text)                                   \
    case code: {                                                                             \
        typedef envelope_##member##_t row_t;                                                 \
        static const field_t fields[] = {FIELDS(FIELD_ROW)};                                 \
        static const kind_t kind = {#NAME, layer, sizeof fields / sizeof fields[0], fields}; \
        return &kind;                                                                        \
    }
        ENVELOPE_KINDS(KIND_CASE)
    default: return NULL;
    }
}

const char *envelope_kind_name(unsigned code)
{
    const kind_t *kind = find_kind(code);
    return kind ? kind->name : "?";
}

bool envelope_is_link(envelope_kind_t code)
{
    const kind_t *kind = find_kind(code);
    return kind && kind->link;
}

/* The union's members all start at the same place. */
#define BODY offsetof(envelope_t, seek)

static void encode_field(buf_t *out, const field_t *field, const uint8_t *body)
{
    const void *at = body + field->offset;
    if (field->type == UINT) {
        codec_write_uint(out, *(const uint64_t *)at);
        return;
    }
    span_t span = *(const span_t *)at;
    CHECK(span.size <= field->max);
    if (field->type == DATA)
        codec_write_data(out, span);
    else if (field->type != LIST)
        codec_write_text(out, span);
    else if (span.size)
        buf_append_span(out, span);
    else
        codec_write_array(out, 0);
}

void envelope_encode(buf_t *out, const envelope_t *envelope)
{
    const kind_t *kind = find_kind(envelope->kind);
    CHECK(kind);
    codec_write_array(out, 1u + kind->count);
    codec_write_uint(out, envelope->kind);
    for (size_t i = 0; i < kind->count; i++)
        encode_field(out, &kind->fields[i], (const uint8_t *)envelope + BODY);
}

static int decode_field(span_t *rest, const field_t *field, uint8_t *body)
{
    void *at = body + field->offset;
    int err = ERR_TYPE;
    switch ((field_type_t)field->type) {
    case UINT: return codec_read_uint(rest, at);
    case TEXT: return codec_read_text(rest, field->max, at);
    case DATA: return codec_read_data(rest, field->max, at);
    case LIST: return codec_read_list(rest, field->max, at);
    case NAME:
        err = codec_read_text(rest, field->max, at);
        return err ? err : channel_name_check(*(span_t *)at);
    }
    return err;
}

static int skip_values(span_t *rest, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        int err = codec_skip(rest);
        if (err)
            return err;
    }
    return OK;
}

int envelope_decode(span_t *rest, envelope_t *out)
{
    uint32_t count;
    uint64_t code;
    int err = codec_read_array(rest, &count);
    if (err)
        return err;
    if (count == 0)
        return ERR_MALFORMED;
    err = codec_read_uint(rest, &code);
    if (err)
        return err;
    const kind_t *kind = find_kind(code);
    if (!kind) {
        err = skip_values(rest, count - 1);
        return err ? err : ERR_UNKNOWN;
    }
    memset(out, 0, sizeof *out);
    out->kind = (envelope_kind_t)code;
    uint32_t known = count - 1 < kind->count ? count - 1 : kind->count;
    for (uint32_t i = 0; i < known; i++) {
        err = decode_field(rest, &kind->fields[i], (uint8_t *)out + BODY);
        if (err)
            return err;
    }
    return skip_values(rest, count - 1 - known);
}

/* --- the link header --- */

/* Places within the prefix; each wide integer is 9 bytes. */
#define AT_VERSION     (LINK_TOPIC_SIZE + 1u)
#define AT_SOURCE      (AT_VERSION + 1u)
#define AT_SESSION     (AT_SOURCE + 9u)
#define AT_SEQ         (AT_SESSION + 9u)
#define AT_ACK_SESSION (AT_SEQ + 9u)
#define AT_ACK         (AT_ACK_SESSION + 9u)
_Static_assert(AT_ACK + 9u == LINK_PREFIX_SIZE, "the header's places add up");

static void write_topic(uint8_t *out, uint64_t topic)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(topic >> (56 - 8 * i));
}

void link_header_write(uint8_t *out, uint64_t topic, const link_header_t *header)
{
    CHECK(header->version < 128);
    write_topic(out, topic);
    out[LINK_TOPIC_SIZE] = 0x96; /* an array of six */
    out[AT_VERSION] = (uint8_t)header->version;
    codec_put_uint_wide(out + AT_SOURCE, header->source);
    codec_put_uint_wide(out + AT_SESSION, header->session);
    codec_put_uint_wide(out + AT_SEQ, header->seq);
    codec_put_uint_wide(out + AT_ACK_SESSION, header->ack_session);
    codec_put_uint_wide(out + AT_ACK, header->ack);
}

static int read_topic(span_t *rest, uint64_t *topic)
{
    if (rest->size < LINK_TOPIC_SIZE)
        return ERR_TRUNCATED;
    *topic = 0;
    for (size_t i = 0; i < LINK_TOPIC_SIZE; i++)
        *topic = *topic << 8 | rest->data[i];
    *rest = span_skip(*rest, LINK_TOPIC_SIZE);
    return OK;
}

int link_header_read(span_t *rest, uint64_t *topic, link_header_t *out)
{
    uint64_t *const fields[] = {&out->source, &out->session, &out->seq, &out->ack_session, &out->ack};
    size_t known = sizeof fields / sizeof fields[0];
    uint32_t count = 0;
    int err = read_topic(rest, topic);
    if (!err)
        err = codec_read_array(rest, &count);
    if (!err)
        err = count ? codec_read_uint(rest, &out->version) : ERR_MALFORMED;
    if (!err && out->version != WIRE_VERSION) /* what follows may have any form */
        return ERR_VERSION;
    if (!err && count < 1 + known)
        err = ERR_MALFORMED;
    for (size_t i = 0; !err && i < known; i++)
        err = codec_read_uint(rest, fields[i]);
    if (!err)
        err = skip_values(rest, count - 1 - (uint32_t)known);
    return err;
}
