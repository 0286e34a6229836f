#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cli/bench_frame.h"

/* A frame of one opcode with `size` bytes of payload. Owned by the caller. */
static buf_t frame_of(websocket_opcode_t opcode, size_t size)
{
    buf_t out = {0};
    uint8_t header[WEBSOCKET_HEADER_MAX];
    buf_append(&out, header, websocket_header(header, opcode, size, NULL));
    memset(buf_reserve(&out, size + 1), 'x', size);
    buf_advance(&out, size);
    return out;
}

static void a_whole_frame_is_read_where_it_lies(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 125, 126, 65535, 65536, CLI_BENCH_FRAME_LIMIT};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        buf_t bytes = frame_of(WEBSOCKET_TEXT, sizes[i]);
        cli_bench_frame_t frame;
        assert_int_equal(cli_bench_frame_read(buf_span(&bytes), &frame), bytes.size);
        assert_int_equal(frame.opcode, WEBSOCKET_TEXT);
        assert_int_equal(frame.payload.size, sizes[i]);
        assert_ptr_equal(frame.payload.data, bytes.data + bytes.size - sizes[i]);
        buf_fini(&bytes);
    }
}

/* Each prefix lies in memory of its own, so that a read beyond it is seen by the sanitizer. */
static void a_frame_that_is_cut_anywhere_is_not_whole_yet(void **state)
{
    (void)state;
    static const size_t sizes[] = {5, 126, 65536};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        buf_t bytes = frame_of(WEBSOCKET_BINARY, sizes[i]);
        for (size_t cut = 0; cut < bytes.size; cut += cut < 20 ? 1 : 4001) {
            cli_bench_frame_t frame;
            char *copy = mem_dup_n((const char *)bytes.data, cut);
            assert_int_equal(cli_bench_frame_read(span_new(copy, cut), &frame), 0);
            mem_free(copy);
        }
        buf_fini(&bytes);
    }
}

static void frames_behind_one_another_are_read_one_by_one(void **state)
{
    (void)state;
    buf_t bytes = frame_of(WEBSOCKET_TEXT, 3);
    buf_t second = frame_of(WEBSOCKET_PING, 0);
    cli_bench_frame_t frame;
    buf_append_span(&bytes, buf_span(&second));
    ssize_t first = cli_bench_frame_read(buf_span(&bytes), &frame);
    assert_int_equal(first, 5);
    assert_int_equal(cli_bench_frame_read(span_skip(buf_span(&bytes), 5), &frame), 2);
    assert_int_equal(frame.opcode, WEBSOCKET_PING);
    buf_fini(&bytes);
    buf_fini(&second);
}

static void what_a_server_must_not_send_is_malformed(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        uint8_t bytes[10];
    } cases[] = {
        {"a fragment", {0x01, 0x00}},
        {"a reserved bit", {0xc1, 0x00}},
        {"a masked frame", {0x81, 0x80}},
        {"2^63 bytes", {0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0}},
        {"a byte over the limit", {0x82, 127, 0, 0, 0, 0, 0, 4, 0, 1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cli_bench_frame_t frame;
        if (cli_bench_frame_read(span_new(cases[i].bytes, sizeof cases[i].bytes), &frame) != ERR_MALFORMED)
            fail_msg("%s passed", cases[i].what);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_frame_is_read_where_it_lies),
        cmocka_unit_test(a_frame_that_is_cut_anywhere_is_not_whole_yet),
        cmocka_unit_test(frames_behind_one_another_are_read_one_by_one),
        cmocka_unit_test(what_a_server_must_not_send_is_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
