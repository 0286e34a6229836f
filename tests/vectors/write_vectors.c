/* Writes the test vectors of the wire: whole messages, each described in wire.json, and as "name hex" in
 * wire.hex for readers without JSON. `write_vectors DIR` writes them, `write_vectors --check DIR` says if they
 * are what this tree would write.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/check.h"
#include "protocol/envelope.h"

typedef struct vector {
    const char *name;
    uint64_t topic;
    link_header_t header;
    envelope_t envelopes[3];
} vector_t;

/* SPAN for static memory, where a compound literal may not stand. */
#define STR(literal)                                    \
    {                                                   \
        (const uint8_t *)(literal), sizeof(literal) - 1 \
    }

#define EDGE   UINT64_C(0x1122334455667788)
#define RELAY  UINT64_C(0xfedcba9876543210)
#define MINE   UINT64_C(0x0000000300000001) /* the edge's session */
#define THEIRS UINT64_C(0x0000000700000002)

#define TO_RELAY(seq)                            \
    RELAY,                                       \
    {                                            \
        WIRE_VERSION, EDGE, MINE, seq, THEIRS, 5 \
    }
#define TO_EDGE(seq)                              \
    EDGE,                                         \
    {                                             \
        WIRE_VERSION, RELAY, THEIRS, seq, MINE, 9 \
    }
#define EPOCH STR("abcdEFGH")
#define PAIR                                               \
    STR("\x92\x92\xcf\xfe\xdc\xba\x98\x76\x54\x32\x10\xa7" \
        "relay-1\x92\x08\xa7relay-2")
#define WHO STR("7f9d2c"), STR("user-42"), STR("{\"name\":\"Zo\xc3\xab\"}")

static const vector_t vectors[] = {
    {"seek", HELLO_TOPIC, {WIRE_VERSION, EDGE, 0, 0, 0, 0}, {{KIND_SEEK, .seek = {STR("prod")}}}},
    {"here", EDGE, {WIRE_VERSION, RELAY, 0, 0, 0, 0}, {{KIND_HERE, .here = {STR("prod"), STR("relay-1")}}}},
    {"hello",
     RELAY,
     {WIRE_VERSION, EDGE, MINE, 0, 0, 0},
     {{KIND_HELLO, .hello = {1, STR("edge-1"), ROLE_EDGE, STR("prod"), STR("heddle 0.1.0")}}}},
    {"welcome",
     EDGE,
     {WIRE_VERSION, RELAY, THEIRS, 0, MINE, 0},
     {{KIND_WELCOME, .welcome = {1, STR("relay-1"), ROLE_RELAY, STR("prod"), STR("heddle 0.1.0"), 1000000,
                                 STR("\x91\x92\xcf\xfe\xdc\xba\x98\x76\x54\x32\x10\xa7relay-1"),
                                 STR("\x92\x92\xa0\x20\x92\xa4"
                                     "chat\x64")}}}},
    {"refuse",
     EDGE,
     {WIRE_VERSION, RELAY, 0, 0, MINE, 0},
     {{KIND_REFUSE, .refuse = {23, STR("another cluster")}}}},
    {"beat", TO_RELAY(0), {{KIND_BEAT, .beat = {1000}}}},
    {"resend", TO_RELAY(0), {{KIND_RESEND, .resend = {6}}}},
    {"reset", RELAY, {WIRE_VERSION, EDGE, 0, 0, THEIRS, 0}, {{KIND_RESET, .reset = {12}}}},
    {"bye", TO_RELAY(0), {{KIND_BYE, .bye = {STR("the edge stops")}}}},
    {"acknowledgement", TO_RELAY(0), {{0}}},
    {"sub", TO_RELAY(1), {{KIND_SUB, .sub = {STR("chat:1"), EPOCH, 41, 0, 7}}}},
    {"sub_without_position", TO_RELAY(1), {{KIND_SUB, .sub = {.channel = STR("chat:1")}}}},
    {"sub_ok", TO_EDGE(1), {{KIND_SUB_OK, .sub_ok = {STR("chat:1"), EPOCH, 43, 41, 1, 7}}}},
    {"sub_no", TO_EDGE(2), {{KIND_SUB_NO, .sub_no = {STR("chat:1"), 14, 7}}}},
    {"unsub", TO_RELAY(2), {{KIND_UNSUB, .unsub = {STR("chat:1")}}}},
    {"pub",
     TO_RELAY(3),
     {{KIND_PUB,
       .pub = {EDGE, 77, STR("chat:1"), MESSAGE_JSON | MESSAGE_RESENT, 0, WHO, STR("{\"a\":1.10}")}}}},
    {"pub_ok", TO_EDGE(3), {{KIND_PUB_OK, .pub_ok = {77, EPOCH, 42}}}},
    {"pub_no", TO_EDGE(4), {{KIND_PUB_NO, .pub_no = {78, 14}}}},
    {"msg",
     TO_EDGE(5),
     {{KIND_MSG, .msg = {STR("chat:1"), EPOCH, 42, UINT64_C(1764000000000000), EDGE, 77, MESSAGE_BINARY, WHO,
                         STR("\x00\xff\x80")}}}},
    {"join", TO_RELAY(4), {{KIND_JOIN, .join = {STR("chat:1"), WHO}}}},
    {"leave", TO_RELAY(5), {{KIND_LEAVE, .leave = {.channel = STR("chat:1"), .client = STR("7f9d2c")}}}},
    {"join_told", TO_EDGE(8), {{KIND_JOIN, .join = {STR("chat:1"), WHO}}}},
    {"leave_told", TO_EDGE(9), {{KIND_LEAVE, .leave = {STR("chat:1"), WHO}}}},
    {"ask_presence", TO_RELAY(6), {{KIND_ASK, .ask = {1, QUESTION_PRESENCE, .channel = STR("chat:1")}}}},
    {"ask_disconnect",
     TO_RELAY(7),
     {{KIND_ASK, .ask = {.id = 2,
                         .question = QUESTION_DISCONNECT,
                         .user = STR("user-42"),
                         .code = 3503,
                         .reason = STR("force disconnect"),
                         .except = STR("\x91\xa6"
                                       "7f9d2c")}}}},
    {"ask_subscribe",
     TO_RELAY(8),
     {{KIND_ASK, .ask = {.id = 3,
                         .question = QUESTION_SUBSCRIBE,
                         .channel = STR("chat:1"),
                         .user = STR("user-42"),
                         .code = 1890000000,
                         .epoch = EPOCH,
                         .offset = 41,
                         .info = STR("{\"n\":1}"),
                         .data = STR("[2]"),
                         .flags = ASK_SEES_PRESENCE}}}},
    {"answer",
     TO_EDGE(6),
     {{KIND_ANSWER, .answer = {1, 0,
                               STR("\x91\x93\xa6"
                                   "7f9d2c\xa7user-42\xc4\x02{}")}}}},
    {"members", TO_EDGE(7), {{KIND_MEMBERS, .members = {77, 3, PAIR}}}},
    {"meet", TO_RELAY(7), {{KIND_MEET, .meet = {77, 3, PAIR, STR("\x91\x08"), 12345}}}},
    {"vote",
     TO_RELAY(8),
     {{KIND_PREPARE, .prepare = {77, 3, 1}},
      {KIND_PROMISE, .promise = {77, 3, 1, 0, 0, STR("\x90")}},
      {KIND_ACCEPT, .accept = {77, 3, 1, PAIR}}}},
    {"voted",
     TO_RELAY(9),
     {{KIND_ACCEPTED, .accepted = {77, 3, 1}},
      {KIND_NACK, .nack = {77, 3, 2}},
      {KIND_INSTALL, .install = {77, 4, PAIR}}}},
    {"hand_over",
     TO_RELAY(10),
     {{KIND_STATE, .state = {STR("chat:42"), 4, 3, EPOCH, 17, 0, 1, STR("\x90")}},
      {KIND_COPY, .copy = {4, 2000000, STR("\x94\x15\x07\xa0\x00")}},
      {KIND_COPIED, .copied = {4, 2}}}},
    {"handed_over",
     TO_RELAY(11),
     {{KIND_SYNCED, .synced = {77, 4}}, {KIND_SETTLED, .settled = {77, 4}}, {KIND_GONE, .gone = {EDGE}}}},
    {"forward",
     TO_RELAY(12),
     {{KIND_FORWARD, .forward = {EDGE, 1,
                                 STR("\x92\x13\xa7"
                                     "chat:42")}},
      {KIND_BACK, .back = {EDGE, STR("\x94\x15\x07\xa0\x00")}}}},
    {"batch",
     TO_EDGE(7),
     {{KIND_SUB_OK, .sub_ok = {STR("$secret"), EPOCH, 1, 0, 0, 0}},
      {KIND_MSG, .msg = {STR("$secret"), EPOCH, 1, 1, 2, 3, 0, .payload = STR("")}},
      {KIND_PUB_OK, .pub_ok = {1, EPOCH, 1}}}},
    {"largest_numbers",
     UINT64_MAX,
     {WIRE_VERSION, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX},
     {{KIND_PUB_OK, .pub_ok = {UINT64_MAX, EPOCH, UINT64_MAX}}}},
};

/* --- describing --- */

static void print_hex(buf_t *out, span_t bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        buf_printf(out, "%02x", bytes.data[i]);
}

static void print_number(buf_t *out, const char *name, uint64_t value)
{
    buf_printf(out, ", \"%s\": %" PRIu64, name, value);
}

static void print_string(buf_t *out, const char *name, span_t text)
{
    buf_printf(out, ", \"%s\": \"", name);
    for (size_t i = 0; i < text.size; i++)
        buf_printf(out, text.data[i] == '"' || text.data[i] == '\\' ? "\\%c" : "%c", text.data[i]);
    buf_append_byte(out, '"');
}

static void print_bytes(buf_t *out, const char *name, const char *type, span_t bytes)
{
    buf_printf(out, ", \"%s\": {\"%s\": \"", name, type);
    print_hex(out, bytes);
    buf_append_str(out, "\"}");
}

#define PRINT_UINT(name)       print_number(out, #name, body->name);
#define PRINT_TEXT(name)       print_string(out, #name, body->name);
#define PRINT_NAME(name)       print_string(out, #name, body->name);
#define PRINT_DATA(name)       print_bytes(out, #name, "bin", body->name);
#define PRINT_LIST(name)       print_bytes(out, #name, "msgpack", body->name.size ? body->name : SPAN("\x90"));
#define PRINT(type, name, max) PRINT_##type(name)
#define PRINT_KIND(NAME, member, code, layer, FIELDS, text)    \
    case KIND_##NAME: {                                        \
        const envelope_##member##_t *body = &envelope->member; \
        FIELDS(PRINT)                                          \
        break;                                                 \
    }

static void print_envelope(buf_t *out, const envelope_t *envelope)
{
    buf_printf(out, "{\"kind\": \"%s\"", envelope_kind_name(envelope->kind));
    switch (envelope->kind) {
        ENVELOPE_KINDS(PRINT_KIND)
    }
    buf_append_byte(out, '}');
}

static size_t envelope_count(const vector_t *vector)
{
    size_t count = 0;
    while (count < 3 && vector->envelopes[count].kind)
        count++;
    return count;
}

static void encode(buf_t *out, const vector_t *vector)
{
    link_header_write(buf_reserve(out, LINK_PREFIX_SIZE), vector->topic, &vector->header);
    buf_advance(out, LINK_PREFIX_SIZE);
    for (size_t i = 0; i < envelope_count(vector); i++)
        envelope_encode(out, &vector->envelopes[i]);
}

static void describe(buf_t *json, buf_t *hex, const vector_t *vector)
{
    buf_t message = {0};
    const link_header_t *header = &vector->header;
    encode(&message, vector);
    buf_printf(json, "{\"name\": \"%s\", \"topic\": %" PRIu64 ",\n \"header\": {\"version\": %" PRIu64,
               vector->name, vector->topic, header->version);
    print_number(json, "source", header->source);
    print_number(json, "session", header->session);
    print_number(json, "seq", header->seq);
    print_number(json, "ack_session", header->ack_session);
    print_number(json, "ack", header->ack);
    buf_append_str(json, "},\n \"envelopes\": [");
    for (size_t i = 0; i < envelope_count(vector); i++) {
        buf_append_str(json, i ? ",\n               " : "");
        print_envelope(json, &vector->envelopes[i]);
    }
    buf_append_str(json, "],\n \"hex\": \"");
    print_hex(json, buf_span(&message));
    buf_append_str(json, "\"}");
    buf_printf(hex, "%s ", vector->name);
    print_hex(hex, buf_span(&message));
    buf_append_byte(hex, '\n');
    buf_fini(&message);
}

/* --- files --- */

static bool write_file(const char *path, span_t bytes)
{
    FILE *file = fopen(path, "wb");
    bool ok = file && fwrite(bytes.data, 1, bytes.size, file) == bytes.size;
    return file && fclose(file) == 0 && ok;
}

static bool same_file(const char *path, span_t bytes)
{
    FILE *file = fopen(path, "rb");
    size_t at = 0;
    for (int byte; file && (byte = getc(file)) != EOF; at++)
        if (at >= bytes.size || bytes.data[at] != byte)
            break;
    bool same = file && feof(file) && at == bytes.size;
    if (file)
        fclose(file);
    return same;
}

static bool put(const char *directory, const char *name, span_t bytes, bool check)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    bool ok = check ? same_file(path, bytes) : write_file(path, bytes);
    if (!ok)
        fprintf(stderr, "%s %s\n", path,
                check ? "is stale: write_vectors DIR writes it" : "can't be written");
    return ok;
}

int main(int argc, char **argv)
{
    bool check = argc == 3 && strcmp(argv[1], "--check") == 0;
    if (argc != 2 && !check) {
        fputs("usage: write_vectors [--check] DIR\n", stderr);
        return 2;
    }
    buf_t json = {0}, hex = {0};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        buf_append_str(&json, i ? ",\n" : "[");
        describe(&json, &hex, &vectors[i]);
    }
    buf_append_str(&json, "]\n");
    bool ok = put(argv[argc - 1], "wire.json", buf_span(&json), check);
    ok = put(argv[argc - 1], "wire.hex", buf_span(&hex), check) && ok;
    buf_fini(&json);
    buf_fini(&hex);
    return ok ? 0 : 1;
}
