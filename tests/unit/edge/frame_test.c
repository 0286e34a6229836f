#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "edge/frame.h"

static void a_frame_is_header_and_payload(void **state)
{
    (void)state;
    edge_frame_t *frame = edge_frame_new(WEBSOCKET_BINARY, SPAN("abc"));
    assert_int_equal(frame->size, 5);
    assert_memory_equal(frame->bytes,
                        "\x82\x03"
                        "abc",
                        5);
    assert_false(edge_frame_is_control(frame));
    edge_frame_unref(&frame);
    assert_null(frame);
}

static void a_frame_of_64_KiB_has_the_long_header(void **state)
{
    (void)state;
    uint8_t *payload = mem_new(65536);
    edge_frame_t *frame = edge_frame_new(WEBSOCKET_TEXT, span_new(payload, 65536));
    assert_int_equal(frame->size, 65536 + 10);
    assert_memory_equal(frame->bytes, "\x81\x7f\0\0\0\0\0\1\0\0", 10);
    edge_frame_unref(&frame);
    mem_free(payload);
}

static void a_frame_lives_until_the_last_reference_goes(void **state)
{
    (void)state;
    edge_frame_t *frame = edge_frame_new(WEBSOCKET_TEXT, SPAN("x"));
    edge_frame_t *other = edge_frame_ref(frame);
    edge_frame_unref(&frame);
    assert_int_equal(other->references, 1);
    assert_memory_equal(other->bytes, "\x81\x01x", 3);
    edge_frame_unref(&other);
    edge_frame_unref(&other);
}

static void control_frames_are_told_from_messages(void **state)
{
    (void)state;
    const websocket_opcode_t control[] = {WEBSOCKET_CLOSE, WEBSOCKET_PING, WEBSOCKET_PONG};
    for (size_t i = 0; i < sizeof control / sizeof control[0]; i++) {
        edge_frame_t *frame = edge_frame_new(control[i], (span_t){0});
        assert_true(edge_frame_is_control(frame));
        edge_frame_unref(&frame);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_is_header_and_payload),
        cmocka_unit_test(a_frame_of_64_KiB_has_the_long_header),
        cmocka_unit_test(a_frame_lives_until_the_last_reference_goes),
        cmocka_unit_test(control_frames_are_told_from_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
