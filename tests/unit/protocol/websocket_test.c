#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "protocol/websocket.h"

#define assert_span(span, text) assert_true(span_eq((span), SPAN(text)))

static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
static const websocket_limits_t limits = {.message = 70000, .fragments = 4};

/* --- a peer that speaks through a wire of bytes --- */

/* Appends a frame of our own making; first_byte holds FIN, reserved bits and opcode. */
static void put_frame(buf_t *wire, uint8_t first_byte, span_t payload, bool masked)
{
    uint8_t header[WEBSOCKET_HEADER_MAX];
    size_t size =
        websocket_header(header, (websocket_opcode_t)(first_byte & 15), payload.size, masked ? mask : NULL);
    header[0] = first_byte;
    buf_append(wire, header, size);
    size_t at = wire->size;
    buf_append_span(wire, payload);
    if (masked)
        websocket_mask(wire->data + at, payload.size, mask, 0);
}

/* Reads it all in pieces of that many bytes and writes down what happens: "TEXT:hello;PING:;ERR_UTF8:1007;".
 */
static void transcribe(span_t wire, size_t piece_size, bool expect_mask, buf_t *out)
{
    static const char *const names[] = {[WEBSOCKET_TEXT] = "TEXT",
                                        [WEBSOCKET_BINARY] = "BINARY",
                                        [WEBSOCKET_CLOSE] = "CLOSE",
                                        [WEBSOCKET_PING] = "PING",
                                        [WEBSOCKET_PONG] = "PONG"};
    websocket_reader_t reader;
    websocket_reader_init(&reader, &limits, expect_mask);
    buf_t copy = {0};
    int rc = ERR_AGAIN;
    while (wire.size && rc == ERR_AGAIN) {
        size_t size = wire.size < piece_size ? wire.size : piece_size;
        buf_clear(&copy);
        buf_append(&copy, wire.data, size);
        wire = span_skip(wire, size);
        uint8_t *data = copy.data;
        websocket_event_t event;
        uint16_t code = 0;
        while ((rc = websocket_read(&reader, &data, &size, &event, &code)) == OK) {
            buf_printf(out, "%s:", names[event.opcode]);
            if (event.opcode == WEBSOCKET_CLOSE)
                buf_printf(out, "%u:", event.close_code);
            buf_append_span(out, event.opcode == WEBSOCKET_CLOSE ? event.close_reason : event.payload);
            buf_append_byte(out, ';');
        }
        if (rc != ERR_AGAIN)
            buf_printf(out, "%s:%u;", err_name(rc), code);
        else
            assert_int_equal(size, 0);
    }
    buf_fini(&copy);
    websocket_reader_fini(&reader);
}

/* The same comes out whether the bytes come at once or in pieces of any size. Frees the wire. */
static void assert_reads_as(buf_t *wire, bool expect_mask, const char *expected)
{
    static const size_t sizes[] = {SIZE_MAX, 1, 2, 3, 5, 7, 64};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        buf_t out = {0};
        transcribe(buf_span(wire), sizes[i], expect_mask, &out);
        assert_string_equal(buf_text(&out), expected);
        buf_fini(&out);
    }
    buf_fini(wire);
}

static void assert_bytes_read_as(span_t bytes, bool expect_mask, const char *expected)
{
    buf_t wire = {0};
    buf_append_span(&wire, bytes);
    assert_reads_as(&wire, expect_mask, expected);
}

/* --- frames that are right --- */

static void the_frames_of_the_rfc_are_read(void **state)
{
    (void)state; /* RFC 6455 section 5.7 */
    assert_bytes_read_as(SPAN("\x81\x05Hello"), false, "TEXT:Hello;");
    assert_bytes_read_as(SPAN("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), true, "TEXT:Hello;");
    assert_bytes_read_as(SPAN("\x01\x03Hel\x80\x02lo"), false, "TEXT:Hello;");
    assert_bytes_read_as(SPAN("\x89\x05Hello\x8a\x05Hello"), false, "PING:Hello;PONG:Hello;");
}

static void control_frames_pass_between_fragments(void **state)
{
    (void)state;
    buf_t wire = {0};
    put_frame(&wire, 0x01, SPAN("one "), true);
    put_frame(&wire, 0x89, SPAN("p"), true);
    put_frame(&wire, 0x00, SPAN(""), true);
    put_frame(&wire, 0x8a, SPAN(""), true);
    put_frame(&wire, 0x80, SPAN("two"), true);
    put_frame(&wire, 0x82, SPAN("three"), true);
    assert_reads_as(&wire, true, "PING:p;PONG:;TEXT:one two;BINARY:three;");
}

static void empty_messages_are_messages(void **state)
{
    (void)state;
    buf_t wire = {0};
    put_frame(&wire, 0x81, SPAN(""), true);
    put_frame(&wire, 0x02, SPAN(""), true);
    put_frame(&wire, 0x80, SPAN(""), true);
    assert_reads_as(&wire, true, "TEXT:;BINARY:;");
}

static void close_frames_give_code_and_reason(void **state)
{
    (void)state;
    buf_t wire = {0};
    put_frame(&wire, 0x88, SPAN(""), true);
    put_frame(&wire, 0x88, SPAN("\x03\xe8"), true);
    put_frame(&wire, 0x88, SPAN("\x0f\xa1gr\xc3\xbc\xc3\x9f"), true);
    assert_reads_as(&wire, true, "CLOSE:1005:;CLOSE:1000:;CLOSE:4001:gr\xc3\xbc\xc3\x9f;");
}

static void every_length_survives_the_way_there(void **state)
{
    (void)state;
    static const struct {
        size_t size, header;
    } cases[] = {{0, 2}, {1, 2}, {125, 2}, {126, 4}, {127, 4}, {65535, 4}, {65536, 10}, {70000, 10}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (unsigned masked = 0; masked < 2; masked++) {
            buf_t payload = {0}, wire = {0};
            for (size_t at = 0; at < cases[i].size; at++)
                buf_append_byte(&payload, (uint8_t)(at * 7));
            put_frame(&wire, 0x82, buf_span(&payload), masked);
            assert_int_equal(wire.size, cases[i].size + cases[i].header + 4 * masked);
            websocket_reader_t reader;
            websocket_reader_init(&reader, &limits, masked);
            websocket_event_t event;
            uint16_t code;
            uint8_t *data = wire.data;
            size_t size = wire.size;
            assert_int_equal(websocket_read(&reader, &data, &size, &event, &code), OK);
            assert_true(span_eq(event.payload, buf_span(&payload)));
            websocket_reader_fini(&reader);
            buf_fini(&payload);
            buf_fini(&wire);
        }
    }
}

/* --- memory --- */

static void a_frame_that_lies_in_the_input_is_not_copied(void **state)
{
    (void)state;
    buf_t wire = {0};
    put_frame(&wire, 0x81, SPAN("first"), true);
    put_frame(&wire, 0x89, SPAN("second"), true);
    websocket_reader_t reader;
    websocket_reader_init(&reader, &limits, true);
    websocket_event_t event;
    uint16_t code;
    uint8_t *data = wire.data;
    size_t size = wire.size;
    assert_int_equal(websocket_read(&reader, &data, &size, &event, &code), OK);
    assert_ptr_equal(event.payload.data, wire.data + 6);
    assert_int_equal(websocket_read(&reader, &data, &size, &event, &code), OK);
    assert_ptr_equal(event.payload.data, wire.data + 6 + 5 + 6);
    assert_null(reader.message.data);
    assert_null(reader.control.data);
    buf_fini(&wire);
}

static void an_idle_reader_holds_no_memory(void **state)
{
    (void)state;
    buf_t wire = {0};
    put_frame(&wire, 0x01, SPAN("one "), true);
    put_frame(&wire, 0x89, SPAN("ping"), true);
    put_frame(&wire, 0x80, SPAN("two"), true);
    websocket_reader_t reader;
    websocket_reader_init(&reader, &limits, true);
    websocket_event_t event;
    uint16_t code;
    bool held = false;
    for (size_t i = 0; i < wire.size; i++) {
        uint8_t *data = wire.data + i;
        size_t size = 1;
        while (websocket_read(&reader, &data, &size, &event, &code) == OK)
            held |= reader.message.data && reader.control.data;
    }
    assert_true(held);
    assert_null(reader.message.data);
    assert_null(reader.control.data);
    buf_fini(&wire);
}

static void a_claimed_length_reserves_nothing(void **state)
{
    (void)state;
    websocket_limits_t generous = {.message = UINT64_C(1) << 40, .fragments = 1};
    uint8_t bytes[] = {0x82, 0x7f, 0, 0, 0, 0x80, 0, 0, 0, 0, 'x'};
    websocket_reader_t reader;
    websocket_reader_init(&reader, &generous, false);
    websocket_event_t event;
    uint16_t code;
    uint8_t *data = bytes;
    size_t size = sizeof bytes;
    assert_int_equal(websocket_read(&reader, &data, &size, &event, &code), ERR_AGAIN);
    assert_in_range(reader.message.capacity, 1, 4096);
    websocket_reader_fini(&reader);
}

/* --- frames that are wrong --- */

static void broken_frames_end_with_1002(void **state)
{
    (void)state;
    const span_t cases[] = {
        SPAN("\xc1\x00"),                                 /* reserved bit 1 */
        SPAN("\xa1\x00"),                                 /* reserved bit 2 */
        SPAN("\x91\x00"),                                 /* reserved bit 3 */
        SPAN("\x83\x00"),                                 /* opcode 3 */
        SPAN("\x87\x00"),                                 /* opcode 7 */
        SPAN("\x8b\x00"),                                 /* opcode 11 */
        SPAN("\x8f\x00"),                                 /* opcode 15 */
        SPAN("\x09\x00"),                                 /* fragmented ping */
        SPAN("\x89\x7e\x00\x7e"),                         /* long ping */
        SPAN("\x88\x7f"),                                 /* very long close */
        SPAN("\x80\x00"),                                 /* continuation of nothing */
        SPAN("\x01\x01x\x81\x01y"),                       /* text within a message */
        SPAN("\x01\x00\x81\x01y"),                        /* text within an empty beginning */
        SPAN("\x82\x7e\x00\x7d"),                         /* 125 in two bytes */
        SPAN("\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff"), /* 65535 in eight bytes */
        SPAN("\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00"), /* a length with the sign bit */
        SPAN("\x88\x01\x03"),                             /* a close of one byte */
        SPAN("\x81\x80\x01\x02\x03\x04"),                 /* a masked frame from a server */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_bytes_read_as(cases[i], false, "ERR_MALFORMED:1002;");
}

static void an_unmasked_frame_to_a_server_ends_with_1002(void **state)
{
    (void)state;
    assert_bytes_read_as(SPAN("\x81\x05Hello"), true, "ERR_MALFORMED:1002;");
    assert_bytes_read_as(SPAN("\x89\x00"), true, "ERR_MALFORMED:1002;");
}

static void close_codes_that_may_not_be_sent_end_with_1002(void **state)
{
    (void)state;
    for (unsigned code = 0; code <= UINT16_MAX; code++) {
        bool right = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
                     (code >= 3000 && code <= 4999);
        buf_t wire = {0}, out = {0};
        const uint8_t payload[2] = {(uint8_t)(code >> 8), (uint8_t)code};
        put_frame(&wire, 0x88, span_new(payload, 2), true);
        transcribe(buf_span(&wire), SIZE_MAX, true, &out);
        assert_string_equal(buf_text(&out)[0] == 'C' ? "right" : "wrong", right ? "right" : "wrong");
        if (!right)
            assert_string_equal(buf_text(&out), "ERR_MALFORMED:1002;");
        buf_fini(&wire);
        buf_fini(&out);
    }
}

static void bad_utf8_ends_with_1007(void **state)
{
    (void)state;
    assert_bytes_read_as(SPAN("\x81\x02\xc3\x28"), false, "ERR_UTF8:1007;");
    assert_bytes_read_as(SPAN("\x81\x03\xed\xa0\x80"), false, "ERR_UTF8:1007;");
    assert_bytes_read_as(SPAN("\x81\x01\xc3"), false, "ERR_UTF8:1007;");         /* cut at the end */
    assert_bytes_read_as(SPAN("\x01\x01\xc3\x80\x00"), false, "ERR_UTF8:1007;"); /* cut, then an empty end */
    assert_bytes_read_as(SPAN("\x88\x03\x03\xe8\xff"), false, "ERR_UTF8:1007;"); /* in a reason */
    assert_bytes_read_as(SPAN("\x88\x03\x03\xe8\xc3"), false, "ERR_UTF8:1007;");
}

static void bad_utf8_is_told_before_the_message_ends(void **state)
{
    (void)state;
    assert_bytes_read_as(SPAN("\x01\x05xx\xff"), false, "ERR_UTF8:1007;");
}

static void a_character_may_be_split_by_fragments_and_pings(void **state)
{
    (void)state;
    assert_bytes_read_as(SPAN("\x01\x01\xc3\x89\x01\xff\x80\x01\xa4"), false, "PING:\xff;TEXT:\xc3\xa4;");
}

static void binary_is_any_bytes(void **state)
{
    (void)state;
    assert_bytes_read_as(SPAN("\x82\x02\xff\xc3"), false, "BINARY:\xff\xc3;");
}

static void a_message_over_the_limit_ends_with_1009_at_its_header(void **state)
{
    (void)state; /* the limit is 70000 = 0x11170 */
    assert_bytes_read_as(SPAN("\x82\x7f\x00\x00\x00\x00\x00\x01\x11\x71"), false, "ERR_TOO_BIG:1009;");
    assert_bytes_read_as(SPAN("\x82\x7f\x40\x00\x00\x00\x00\x00\x00\x00"), false, "ERR_TOO_BIG:1009;");
    assert_bytes_read_as(SPAN("\x02\x01x\x80\x7f\x00\x00\x00\x00\x00\x01\x11\x70"), false,
                         "ERR_TOO_BIG:1009;");
}

static void too_many_fragments_end_with_1008(void **state)
{
    (void)state;
    assert_bytes_read_as(SPAN("\x02\x00\x00\x00\x00\x00\x80\x00"), false, "BINARY:;");
    assert_bytes_read_as(SPAN("\x02\x00\x00\x00\x00\x00\x00\x00\x80\x00"), false, "ERR_FULL:1008;");
}

static void what_came_before_an_error_is_told_first(void **state)
{
    (void)state;
    assert_bytes_read_as(SPAN("\x81\x01x\x89\x00\x83\x00"), false, "TEXT:x;PING:;ERR_MALFORMED:1002;");
}

/* --- writing --- */

static void a_long_close_reason_is_cut_between_characters(void **state)
{
    (void)state;
    buf_t reason = {0}, payload = {0};
    buf_append_byte(&reason, 'x');
    for (int i = 0; i < 70; i++)
        buf_append_str(&reason, "\xc3\xa4");
    websocket_close_payload(&payload, 3001, buf_span(&reason));
    assert_int_equal(payload.size, 2 + 123);
    assert_int_equal(payload.data[0] << 8 | payload.data[1], 3001);
    buf_clear(&payload);
    websocket_close_payload(&payload, 3001, span_skip(buf_span(&reason), 1));
    assert_int_equal(payload.size, 2 + 122);
    buf_clear(&payload);
    websocket_close_payload(&payload, 1000, (span_t){0});
    assert_int_equal(payload.size, 2);
    buf_fini(&reason);
    buf_fini(&payload);
}

static void masking_in_pieces_is_masking_at_once(void **state)
{
    (void)state;
    uint8_t whole[67], pieces[67];
    for (size_t i = 0; i < sizeof whole; i++)
        whole[i] = pieces[i] = (uint8_t)(i * 31);
    websocket_mask(whole, sizeof whole, mask, 0);
    for (size_t i = 0; i < sizeof whole; i++)
        assert_int_equal(whole[i], (uint8_t)(i * 31) ^ mask[i % 4]);
    for (size_t at = 0, step = 1; at < sizeof pieces; at += step, step += 3) {
        size_t size = sizeof pieces - at < step ? sizeof pieces - at : step;
        websocket_mask(pieces + at, size, mask, at);
    }
    assert_memory_equal(whole, pieces, sizeof whole);
}

/* --- the handshake --- */

#define REST "Upgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"
#define KEY  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static int check(const char *text)
{
    http_head_t head;
    const char *why = NULL;
    assert_int_equal(http_head_parse(span_str(text), &head), (int)strlen(text));
    int status = websocket_check_request(&head, &why);
    assert_true((status == 101) == (why == NULL));
    return status;
}

static void a_right_handshake_is_accepted(void **state)
{
    (void)state;
    assert_int_equal(check("GET /ws HTTP/1.1\r\nHost: h\r\n" REST KEY "\r\n"), 101);
    assert_int_equal(check("GET /ws HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n" REST KEY "\r\n"), 101);
}

static void a_wrong_handshake_is_refused_with_its_status(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *request;
    } cases[] = {
        {405, "POST / HTTP/1.1\r\nHost: h\r\n" REST KEY "\r\n"},
        {405, "get / HTTP/1.1\r\nHost: h\r\n" REST KEY "\r\n"},
        {505, "GET / HTTP/1.0\r\nHost: h\r\n" REST KEY "\r\n"},
        {505, "GET / HTTP/1.2\r\nHost: h\r\n" REST KEY "\r\n"},
        {400, "GET / HTTP/1.1\r\n" REST KEY "\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n" REST KEY "\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: h\r\n" KEY "Connection: upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: h\r\n" REST KEY "Upgrade: h2c\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\n" KEY
              "Upgrade: h2c, websocket\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade, http2-settings\r\nUpgrade: h2c\r\n"
              "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: close\r\n" KEY
              "Sec-WebSocket-Version: 13\r\n\r\n"},
        {426, "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\n" KEY
              "Sec-WebSocket-Version: 8\r\n\r\n"},
        {426, "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\n" KEY "\r\n"},
        {426, "GET / HTTP/1.1\r\nHost: h\r\n" REST KEY "Sec-WebSocket-Version: 13\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: h\r\n" REST "\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: h\r\n" REST KEY KEY "\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: h\r\n" REST "Sec-WebSocket-Key: AQID\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: h\r\n" REST "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: h\r\n" REST "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ-==\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: h\r\n" REST KEY "Content-Length: 1\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: h\r\n" REST KEY "Content-Length: 0\r\nContent-Length: 0\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: h\r\n" REST KEY "Transfer-Encoding: chunked\r\n\r\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(check(cases[i].request), cases[i].status);
    }
}

static void an_upgrade_is_known_by_its_fields(void **state)
{
    (void)state;
    http_head_t head;
    http_head_parse(SPAN("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), &head);
    assert_false(websocket_is_upgrade(&head));
    http_head_parse(SPAN("GET / HTTP/1.1\r\nSEC-WebSocket-Version: 13\r\n\r\n"), &head);
    assert_true(websocket_is_upgrade(&head));
    http_head_parse(SPAN("GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n"), &head);
    assert_true(websocket_is_upgrade(&head));
}

static void the_accept_of_the_rfc_comes_out(void **state)
{
    (void)state; /* RFC 6455 section 1.3 */
    char out[WEBSOCKET_ACCEPT_SIZE + 1];
    websocket_accept(SPAN("dGhlIHNhbXBsZSBub25jZQ=="), out);
    assert_string_equal(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

static const uint8_t sample_key[16] = "the sample nonce";

static void our_own_request_is_a_right_handshake(void **state)
{
    (void)state;
    buf_t text = {0};
    websocket_client_request(&text, "h:80", "/ws?a=b", sample_key, "Origin: http://h\r\n");
    http_head_t head;
    const char *why;
    span_t value;
    assert_int_equal(http_head_parse(buf_span(&text), &head), (int)text.size);
    assert_int_equal(websocket_check_request(&head, &why), 101);
    assert_int_equal(http_head_get(&head, "sec-websocket-key", &value), 1);
    assert_span(value, "dGhlIHNhbXBsZSBub25jZQ==");
    assert_int_equal(http_head_get(&head, "origin", &value), 1);
    assert_span(value, "http://h");
    buf_fini(&text);
}

#define ANSWER  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
#define ACCEPT  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
#define REFUSED "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"

static void a_client_knows_a_right_answer(void **state)
{
    (void)state;
    int status = 0;
    span_t right = SPAN(ANSWER ACCEPT "\r\n\x81\x00");
    assert_int_equal(websocket_client_check(right, sample_key, &status), (int)right.size - 2);
    assert_int_equal(status, 101);
    right.size -= 3;
    assert_int_equal(websocket_client_check(right, sample_key, &status), ERR_AGAIN);
    assert_int_equal(websocket_client_check(SPAN(REFUSED), sample_key, &status), ERR_DENIED);
    assert_int_equal(status, 403);
}

static void a_client_refuses_a_wrong_answer(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "SSH-2.0-x\r\n",
        ANSWER "\r\n",
        ANSWER "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOO=\r\n\r\n",
        ANSWER ACCEPT ACCEPT "\r\n",
        ANSWER ACCEPT "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
        "HTTP/1.0 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" ACCEPT "\r\n",
        "HTTP/1.1 101 x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n" ACCEPT "\r\n",
        "HTTP/1.1 101 x\r\nUpgrade: websocket\r\n" ACCEPT "\r\n",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int status = 0;
        assert_int_equal(websocket_client_check(span_str(cases[i]), sample_key, &status), ERR_MALFORMED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_frames_of_the_rfc_are_read),
        cmocka_unit_test(control_frames_pass_between_fragments),
        cmocka_unit_test(empty_messages_are_messages),
        cmocka_unit_test(close_frames_give_code_and_reason),
        cmocka_unit_test(every_length_survives_the_way_there),
        cmocka_unit_test(a_frame_that_lies_in_the_input_is_not_copied),
        cmocka_unit_test(an_idle_reader_holds_no_memory),
        cmocka_unit_test(a_claimed_length_reserves_nothing),
        cmocka_unit_test(broken_frames_end_with_1002),
        cmocka_unit_test(an_unmasked_frame_to_a_server_ends_with_1002),
        cmocka_unit_test(close_codes_that_may_not_be_sent_end_with_1002),
        cmocka_unit_test(bad_utf8_ends_with_1007),
        cmocka_unit_test(bad_utf8_is_told_before_the_message_ends),
        cmocka_unit_test(a_character_may_be_split_by_fragments_and_pings),
        cmocka_unit_test(binary_is_any_bytes),
        cmocka_unit_test(a_message_over_the_limit_ends_with_1009_at_its_header),
        cmocka_unit_test(too_many_fragments_end_with_1008),
        cmocka_unit_test(what_came_before_an_error_is_told_first),
        cmocka_unit_test(a_long_close_reason_is_cut_between_characters),
        cmocka_unit_test(masking_in_pieces_is_masking_at_once),
        cmocka_unit_test(a_right_handshake_is_accepted),
        cmocka_unit_test(a_wrong_handshake_is_refused_with_its_status),
        cmocka_unit_test(an_upgrade_is_known_by_its_fields),
        cmocka_unit_test(the_accept_of_the_rfc_comes_out),
        cmocka_unit_test(our_own_request_is_a_right_handshake),
        cmocka_unit_test(a_client_knows_a_right_answer),
        cmocka_unit_test(a_client_refuses_a_wrong_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
