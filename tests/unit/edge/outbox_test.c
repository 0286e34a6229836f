#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "edge/outbox.h"

#define NO_LIMIT SIZE_MAX

static uint8_t scratch[256];

static edge_frame_t *frame_of(const char *text)
{
    return edge_frame_new(WEBSOCKET_TEXT, span_str(text));
}

static void push(edge_outbox_t *outbox, const char *text)
{
    assert_int_equal(edge_outbox_push(outbox, frame_of(text), NO_LIMIT), OK);
}

static void assert_gathers(const edge_outbox_t *outbox, const char *bytes)
{
    span_t got = edge_outbox_gather(outbox, scratch, sizeof scratch);
    assert_true(span_is(got, bytes));
}

static void an_empty_outbox_has_nothing_to_write(void **state)
{
    (void)state;
    edge_outbox_t outbox = {0};
    assert_int_equal(edge_outbox_gather(&outbox, scratch, sizeof scratch).size, 0);
    assert_int_equal(edge_outbox_drop_oldest(&outbox), 0);
    edge_outbox_fini(&outbox);
}

static void a_single_frame_is_lent_not_copied(void **state)
{
    (void)state;
    edge_outbox_t outbox = {0};
    edge_frame_t *frame = frame_of("hello");
    assert_int_equal(edge_outbox_push(&outbox, frame, NO_LIMIT), OK);
    assert_ptr_equal(edge_outbox_gather(&outbox, scratch, sizeof scratch).data, frame->bytes);
    edge_outbox_consume(&outbox, 3);
    span_t rest = edge_outbox_gather(&outbox, scratch, sizeof scratch);
    assert_ptr_equal(rest.data, frame->bytes + 3);
    assert_int_equal(rest.size, 4);
    assert_int_equal(outbox.bytes, 4);
    edge_outbox_fini(&outbox);
}

static void several_frames_become_one_run_in_order(void **state)
{
    (void)state;
    edge_outbox_t outbox = {0};
    push(&outbox, "a");
    push(&outbox, "b");
    push(&outbox, "c");
    assert_gathers(&outbox, "\x81\x01"
                            "a"
                            "\x81\x01"
                            "b"
                            "\x81\x01"
                            "c");
    edge_outbox_consume(&outbox, 4);
    assert_gathers(&outbox, "\x01"
                            "b"
                            "\x81\x01"
                            "c");
    edge_outbox_consume(&outbox, 5);
    assert_int_equal(outbox.count, 0);
    assert_int_equal(outbox.bytes, 0);
    edge_outbox_fini(&outbox);
}

static void only_whole_frames_are_gathered(void **state)
{
    (void)state;
    edge_outbox_t outbox = {0};
    push(&outbox, "aaaa");
    push(&outbox, "bbbb");
    push(&outbox, "cccc");
    assert_int_equal(edge_outbox_gather(&outbox, scratch, 17).size, 12);
    assert_int_equal(edge_outbox_gather(&outbox, scratch, 18).size, 18);
    edge_outbox_fini(&outbox);
}

static void a_first_frame_beyond_the_scratch_is_lent_alone(void **state)
{
    (void)state;
    edge_outbox_t outbox = {0};
    edge_frame_t *big = frame_of("more than ten bytes");
    assert_int_equal(edge_outbox_push(&outbox, big, NO_LIMIT), OK);
    push(&outbox, "b");
    span_t got = edge_outbox_gather(&outbox, scratch, 10);
    assert_ptr_equal(got.data, big->bytes);
    assert_int_equal(got.size, big->size);
    edge_outbox_fini(&outbox);
}

static void a_full_outbox_refuses_the_next(void **state)
{
    (void)state;
    edge_outbox_t outbox = {0};
    edge_frame_t *frame = frame_of("12345678"); /* 10 bytes */
    assert_int_equal(edge_outbox_push(&outbox, edge_frame_ref(frame), 20), OK);
    assert_int_equal(edge_outbox_push(&outbox, edge_frame_ref(frame), 20), OK);
    assert_int_equal(edge_outbox_push(&outbox, frame, 20), ERR_FULL);
    assert_int_equal(frame->references, 3);
    edge_outbox_consume(&outbox, 10);
    assert_int_equal(edge_outbox_push(&outbox, edge_frame_ref(frame), 20), OK);
    edge_outbox_fini(&outbox);
    assert_int_equal(frame->references, 1);
    edge_frame_unref(&frame);
}

static void an_empty_outbox_takes_a_frame_above_the_limit(void **state)
{
    (void)state;
    edge_outbox_t outbox = {0};
    edge_frame_t *small = frame_of("");
    assert_int_equal(edge_outbox_push(&outbox, frame_of("far above the limit"), 5), OK);
    assert_int_equal(edge_outbox_push(&outbox, small, 5), ERR_FULL);
    edge_frame_unref(&small);
    edge_outbox_fini(&outbox);
}

static void dropping_spares_what_is_half_sent(void **state)
{
    (void)state;
    edge_outbox_t outbox = {0};
    push(&outbox, "a");
    push(&outbox, "b");
    push(&outbox, "c");
    edge_outbox_consume(&outbox, 1);
    assert_int_equal(edge_outbox_drop_oldest(&outbox), 3);
    assert_gathers(&outbox, "\x01"
                            "a"
                            "\x81\x01"
                            "c");
    assert_int_equal(edge_outbox_drop_oldest(&outbox), 3);
    assert_int_equal(edge_outbox_drop_oldest(&outbox), 0);
    assert_gathers(&outbox, "\x01"
                            "a");
    assert_int_equal(outbox.bytes, 2);
    edge_outbox_fini(&outbox);
}

static void dropping_spares_control_frames(void **state)
{
    (void)state;
    edge_outbox_t outbox = {0};
    assert_int_equal(edge_outbox_push(&outbox, edge_frame_new(WEBSOCKET_PING, SPAN("p")), NO_LIMIT), OK);
    push(&outbox, "a");
    push(&outbox, "b");
    assert_int_equal(edge_outbox_drop_oldest(&outbox), 3);
    assert_gathers(&outbox, "\x89\x01"
                            "p"
                            "\x81\x01"
                            "b");
    edge_outbox_fini(&outbox);
}

/* Around the ring many times, with all lengths of queues. */
static void frames_come_out_as_they_went_in(void **state)
{
    (void)state;
    edge_outbox_t outbox = {0};
    uint8_t in = 0, out = 0;
    for (unsigned round = 0; round < 200; round++) {
        for (unsigned i = 0; i <= round % 23; i++) {
            edge_frame_t *frame = edge_frame_new(WEBSOCKET_BINARY, span_new(&in, 1));
            assert_int_equal(edge_outbox_push(&outbox, frame, NO_LIMIT), OK);
            in++;
        }
        for (unsigned i = 0; outbox.count && i <= round % 29; i++) {
            assert_int_equal(edge_outbox_gather(&outbox, scratch, 3).data[2], out++);
            edge_outbox_consume(&outbox, 3);
        }
    }
    while (outbox.count) {
        assert_int_equal(edge_outbox_gather(&outbox, scratch, 3).data[2], out++);
        edge_outbox_consume(&outbox, 3);
    }
    assert_int_equal(in, out);
    edge_outbox_fini(&outbox);
}

static void one_may_go_first_but_not_into_another(void **state)
{
    (void)state;
    edge_outbox_t outbox = {0};
    edge_outbox_push_first(&outbox, edge_frame_new(WEBSOCKET_TEXT, SPAN("1")));
    assert_gathers(&outbox, "\x81\x01"
                            "1");
    push(&outbox, "2");
    edge_outbox_push_first(&outbox, edge_frame_new(WEBSOCKET_TEXT, SPAN("0")));
    assert_gathers(&outbox, "\x81\x01"
                            "0"
                            "\x81\x01"
                            "1"
                            "\x81\x01"
                            "2");
    edge_outbox_consume(&outbox, 1);
    edge_outbox_push_first(&outbox, edge_frame_new(WEBSOCKET_TEXT, SPAN("x")));
    assert_gathers(&outbox, "\x01"
                            "0"
                            "\x81\x01"
                            "x"
                            "\x81\x01"
                            "1"
                            "\x81\x01"
                            "2");
    assert_int_equal(outbox.bytes, 11);
    edge_outbox_fini(&outbox);
}

static void a_small_ring_is_kept_a_large_one_goes(void **state)
{
    (void)state;
    edge_outbox_t outbox = {0};
    for (unsigned i = 0; i < 8; i++)
        push(&outbox, "");
    edge_outbox_consume(&outbox, 16);
    assert_non_null(outbox.ring);
    for (unsigned i = 0; i < 9; i++)
        push(&outbox, "");
    edge_outbox_consume(&outbox, 18);
    assert_null(outbox.ring);
    push(&outbox, "x");
    assert_gathers(&outbox, "\x81\x01x");
    edge_outbox_fini(&outbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_outbox_has_nothing_to_write),
        cmocka_unit_test(a_single_frame_is_lent_not_copied),
        cmocka_unit_test(several_frames_become_one_run_in_order),
        cmocka_unit_test(only_whole_frames_are_gathered),
        cmocka_unit_test(a_first_frame_beyond_the_scratch_is_lent_alone),
        cmocka_unit_test(a_full_outbox_refuses_the_next),
        cmocka_unit_test(an_empty_outbox_takes_a_frame_above_the_limit),
        cmocka_unit_test(dropping_spares_what_is_half_sent),
        cmocka_unit_test(dropping_spares_control_frames),
        cmocka_unit_test(frames_come_out_as_they_went_in),
        cmocka_unit_test(one_may_go_first_but_not_into_another),
        cmocka_unit_test(a_small_ring_is_kept_a_large_one_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
