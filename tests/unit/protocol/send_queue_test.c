#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "protocol/envelope.h"
#include "protocol/send_queue.h"

static uint8_t room[4 * WIRE_BATCH];

static span_t envelope(size_t size)
{
    return span_new(room, size);
}

static int set_up(void **state)
{
    static send_queue_t queue;
    send_queue_init(&queue);
    *state = &queue;
    return 0;
}

static int tear_down(void **state)
{
    send_queue_clear(*state);
    return 0;
}

/* Puts `count` messages of one envelope each into the queue. */
static void put(send_queue_t *queue, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(send_queue_append(queue, envelope(100), SIZE_MAX), OK);
        send_queue_close_batch(queue);
    }
}

static void send(send_queue_t *queue, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_non_null(send_queue_next_unsent(queue));
        send_queue_mark_sent(queue);
    }
}

static void small_envelopes_share_a_message(void **state)
{
    send_queue_t *queue = *state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(send_queue_append(queue, envelope(100), SIZE_MAX), OK);
    assert_null(send_queue_next_unsent(queue));
    send_queue_close_batch(queue);
    send_message_t *message = send_queue_next_unsent(queue);
    assert_int_equal(message->size, LINK_PREFIX_SIZE + 300);
    assert_int_equal(message->seq, 1);
    assert_int_equal(queue->held, message->size);
    send_queue_mark_sent(queue);
    assert_null(send_queue_next_unsent(queue));
}

static void closing_without_a_batch_makes_no_message(void **state)
{
    send_queue_t *queue = *state;
    send_queue_close_batch(queue);
    assert_null(send_queue_next_unsent(queue));
    assert_int_equal(queue->last_seq, 0);
}

static void a_batch_is_cut_where_it_would_grow_too_large(void **state)
{
    send_queue_t *queue = *state;
    size_t half = WIRE_BATCH / 2;
    for (int i = 0; i < 3; i++)
        assert_int_equal(send_queue_append(queue, envelope(half), SIZE_MAX), OK);
    send_queue_close_batch(queue);
    for (uint64_t seq = 1; seq <= 3; seq++) {
        send_message_t *message = send_queue_next_unsent(queue);
        assert_int_equal(message->seq, seq);
        assert_int_equal(message->size, LINK_PREFIX_SIZE + half);
        send_queue_mark_sent(queue);
    }
}

static void a_full_queue_refuses_the_next(void **state)
{
    send_queue_t *queue = *state;
    assert_int_equal(send_queue_append(queue, envelope(600), 1000), OK);
    size_t held = queue->held, batch = queue->batch.size;
    assert_int_equal(send_queue_append(queue, envelope(600), 1000), ERR_FULL);
    assert_int_equal(queue->held, held);
    assert_int_equal(queue->batch.size, batch);
    assert_int_equal(send_queue_append(queue, envelope(1000 - held), 1000), OK);
    assert_int_equal(send_queue_append(queue, envelope(1), 1000), ERR_FULL);
}

static void an_empty_queue_takes_one_of_any_size(void **state)
{
    send_queue_t *queue = *state;
    assert_int_equal(send_queue_append(queue, envelope(sizeof room), 1000), OK);
    assert_int_equal(send_queue_append(queue, envelope(1), 1000), ERR_FULL);
    send_queue_close_batch(queue);
    assert_int_equal(send_queue_append(queue, envelope(1), 1000), ERR_FULL);
    send(queue, 1);
    assert_true(send_queue_ack(queue, 1));
    assert_int_equal(queue->held, 0);
    assert_int_equal(send_queue_append(queue, envelope(sizeof room), 1000), OK);
}

static void an_acknowledgement_frees_all_up_to_its_number(void **state)
{
    send_queue_t *queue = *state;
    put(queue, 5);
    send(queue, 4);
    assert_true(send_queue_ack(queue, 3));
    assert_int_equal(queue->held, 2 * (LINK_PREFIX_SIZE + 100));
    assert_int_equal(send_queue_first_sent(queue, 0)->seq, 4);
    assert_int_equal(send_queue_next_unsent(queue)->seq, 5);
}

static void an_acknowledgement_that_says_nothing_new_is_no_news(void **state)
{
    send_queue_t *queue = *state;
    put(queue, 3);
    send(queue, 3);
    assert_true(send_queue_ack(queue, 2));
    assert_false(send_queue_ack(queue, 2));
    assert_false(send_queue_ack(queue, 1));
    assert_false(send_queue_ack(queue, 0));
    assert_int_equal(queue->acked, 2);
}

static void an_acknowledgement_of_what_was_not_sent_is_passed_over(void **state)
{
    send_queue_t *queue = *state;
    put(queue, 3);
    send(queue, 2);
    assert_false(send_queue_ack(queue, 3));
    assert_false(send_queue_ack(queue, UINT64_MAX));
    assert_int_equal(send_queue_first_sent(queue, 0)->seq, 1);
    assert_int_equal(queue->held, 3 * (LINK_PREFIX_SIZE + 100));
}

static void what_was_sent_is_found_from_a_number_on(void **state)
{
    send_queue_t *queue = *state;
    assert_null(send_queue_first_sent(queue, 0));
    put(queue, 4);
    assert_null(send_queue_first_sent(queue, 0));
    send(queue, 3);
    send_message_t *second = send_queue_first_sent(queue, 2);
    assert_int_equal(second->seq, 2);
    assert_int_equal(send_queue_next_sent(queue, second)->seq, 3);
    assert_null(send_queue_next_sent(queue, send_queue_next_sent(queue, second)));
    assert_null(send_queue_first_sent(queue, 4));
    assert_int_equal(send_queue_last_sent(queue), 3);
    send(queue, 1);
    assert_int_equal(send_queue_last_sent(queue), 4);
}

static void numbers_go_on_when_the_queue_has_run_empty(void **state)
{
    send_queue_t *queue = *state;
    put(queue, 2);
    send(queue, 2);
    assert_true(send_queue_ack(queue, 2));
    put(queue, 1);
    assert_int_equal(send_queue_next_unsent(queue)->seq, 3);
    assert_int_equal(send_queue_last_sent(queue), 2);
}

static void a_cleared_queue_is_fit_for_a_new_session(void **state)
{
    send_queue_t *queue = *state;
    put(queue, 3);
    send(queue, 2);
    assert_int_equal(send_queue_append(queue, envelope(10), SIZE_MAX), OK);
    send_queue_clear(queue);
    assert_int_equal(queue->held, 0);
    assert_null(send_queue_next_unsent(queue));
    assert_null(send_queue_first_sent(queue, 0));
    put(queue, 1);
    assert_int_equal(send_queue_next_unsent(queue)->seq, 1);
}

static void the_room_of_a_large_envelope_is_given_back(void **state)
{
    send_queue_t *queue = *state;
    assert_int_equal(send_queue_append(queue, envelope(sizeof room), SIZE_MAX), OK);
    send_queue_close_batch(queue);
    assert_int_equal(queue->batch.capacity, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(small_envelopes_share_a_message),
        TEST(closing_without_a_batch_makes_no_message),
        TEST(a_batch_is_cut_where_it_would_grow_too_large),
        TEST(a_full_queue_refuses_the_next),
        TEST(an_empty_queue_takes_one_of_any_size),
        TEST(an_acknowledgement_frees_all_up_to_its_number),
        TEST(an_acknowledgement_that_says_nothing_new_is_no_news),
        TEST(an_acknowledgement_of_what_was_not_sent_is_passed_over),
        TEST(what_was_sent_is_found_from_a_number_on),
        TEST(numbers_go_on_when_the_queue_has_run_empty),
        TEST(a_cleared_queue_is_fit_for_a_new_session),
        TEST(the_room_of_a_large_envelope_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
