#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/protocol/link_pair.h"

static void envelopes_of_one_turn_share_a_message(void **state)
{
    (void)state;
    open();
    for (uint64_t i = 1; i <= 100; i++)
        assert_int_equal(say(EDGE, i), OK);
    link_flush(edge(), world.now);
    assert_int_equal(waiting(EDGE), 1);
    carry(EDGE, 1);
    assert_int_equal(world.ends[RELAY].heard, 100);
}

static void small_messages_keep_a_distance_and_large_ones_do_not(void **state)
{
    (void)state;
    open();
    say_apart(EDGE, 1, 1);
    assert_int_equal(say(EDGE, 2), OK);
    link_flush(edge(), world.now);
    assert_int_equal(waiting(EDGE), 1);
    assert_int_equal(link_due(edge()), world.now + 1 * MS);
    for (uint64_t i = 3; i < 3000; i++)
        assert_int_equal(say(EDGE, i), OK);
    link_flush(edge(), world.now);
    assert_int_equal(waiting(EDGE), 2);
    carry_all();
    assert_int_equal(world.ends[RELAY].heard, 2999);
}

static void a_message_that_comes_twice_is_heard_once(void **state)
{
    (void)state;
    open();
    say_apart(EDGE, 1, 1);
    deliver(EDGE, 0);
    deliver(EDGE, 0);
    assert_int_equal(world.ends[RELAY].heard, 1);
    assert_int_equal(counts(RELAY)->duplicates, 1);
    link_flush(relay(), world.now);
    assert_int_equal(waiting(RELAY), 1); /* its acknowledgement was lost, perhaps: at once */
}

static void a_gap_is_asked_for_and_filled_in_order(void **state)
{
    (void)state;
    open();
    say_apart(EDGE, 1, 3);
    lose(EDGE, 1);
    carry(EDGE, 1);
    assert_int_equal(world.ends[RELAY].heard, 0);
    message_t ask = peek(RELAY, 0);
    assert_int_equal(ask.first.kind, KIND_RESEND);
    assert_int_equal(ask.first.resend.from, 1);
    carry(EDGE, 1);
    assert_int_equal(waiting(RELAY), 1); /* once for the same number */
    assert_int_equal(counts(RELAY)->gaps, 1);
    carry(RELAY, 1);
    assert_int_equal(waiting(EDGE), 3);
    carry(EDGE, 3);
    assert_int_equal(world.ends[RELAY].heard, 3);
    assert_int_equal(counts(EDGE)->resent, 3);
}

static void a_request_that_comes_twice_is_answered_once(void **state)
{
    (void)state;
    open();
    say_apart(EDGE, 1, 3);
    lose(EDGE, 2);
    carry(EDGE, 1);
    deliver(RELAY, 0);
    deliver(RELAY, 0);
    assert_int_equal(waiting(EDGE), 3);
}

static void a_beat_shows_what_was_lost_at_the_end(void **state)
{
    (void)state;
    world.ends[EDGE].settings.resend_us = 100 * SECOND;
    make(EDGE, true);
    open();
    say_apart(EDGE, 1, 2);
    lose(EDGE, 2);
    world.now += SECOND;
    tick(EDGE);
    assert_int_equal(peek(EDGE, 0).first.kind, KIND_BEAT);
    assert_int_equal(peek(EDGE, 0).first.beat.last, 2);
    carry_all();
    assert_int_equal(world.ends[RELAY].heard, 2);
}

static void a_thousand_lost_messages_are_repaired_in_two_seconds(void **state)
{
    (void)state;
    open();
    say_apart(EDGE, 1, 1000);
    lose(EDGE, waiting(EDGE));
    run(2 * SECOND);
    assert_int_equal(world.ends[RELAY].heard, 1000);
    assert_int_equal(link_held(edge()), 0);
    assert_true(counts(EDGE)->resent < 1100);
}

static void an_acknowledgement_comes_within_its_delay(void **state)
{
    (void)state;
    open();
    say_apart(EDGE, 1, 1);
    carry(EDGE, 1);
    uint64_t arrived = world.now;
    assert_int_equal(link_due(relay()), arrived + 20 * MS);
    world.now = arrived + 20 * MS - 1;
    link_flush(relay(), world.now);
    assert_int_equal(waiting(RELAY), 0);
    world.now++;
    link_flush(relay(), world.now);
    assert_int_equal(peek(RELAY, 0).header.ack, 1);
    assert_int_equal(peek(RELAY, 0).header.seq, 0);
    assert_true(link_held(edge()) > 0);
    carry(RELAY, 1);
    assert_int_equal(link_held(edge()), 0);
}

static void an_acknowledgement_rides_on_what_is_said(void **state)
{
    (void)state;
    open();
    say_apart(EDGE, 1, 1);
    carry(EDGE, 1);
    say_apart(RELAY, 1, 1);
    assert_int_equal(waiting(RELAY), 1);
    assert_int_equal(peek(RELAY, 0).header.ack, 1);
    carry(RELAY, 1);
    assert_int_equal(link_held(edge()), 0);
    world.now += 50 * MS;
    link_flush(relay(), world.now);
    assert_int_equal(waiting(RELAY), 0);
}

static void an_acknowledgement_of_what_was_never_sent_is_passed_over(void **state)
{
    (void)state;
    open();
    say_apart(EDGE, 1, 2);
    size_t held = link_held(edge());
    link_flush(relay(), world.now += 30 * MS);
    world.now += SECOND;
    tick(RELAY);
    message_t beat = peek(RELAY, 0);
    beat.header.ack = UINT64_MAX;
    link_receive(edge(), &beat.header, beat.rest, world.now);
    assert_int_equal(link_held(edge()), held);
}

static void a_full_window_refuses_the_next_until_it_is_acknowledged(void **state)
{
    (void)state;
    world.ends[EDGE].settings.window = 1000;
    open();
    uint64_t said = 0;
    while (say(EDGE, said + 1) == OK)
        said++;
    assert_in_range(said, 10, 1000);
    assert_int_equal(say(EDGE, said + 1), ERR_FULL);
    assert_true(link_held(edge()) <= 1000 + LINK_PREFIX_SIZE);
    link_flush(edge(), world.now);
    assert_int_equal(say(EDGE, said + 1), ERR_FULL);
    run(100 * MS);
    assert_int_equal(link_held(edge()), 0);
    assert_int_equal(say(EDGE, said + 1), OK);
    run(100 * MS);
    assert_int_equal(world.ends[RELAY].heard, said + 1);
}

static void what_can_not_go_now_goes_at_the_next_flush(void **state)
{
    (void)state;
    open();
    world.ends[EDGE].refuse_sends = ERR_AGAIN;
    say_apart(EDGE, 1, 3);
    assert_true(link_due(edge()) > world.now);
    assert_int_equal(counts(EDGE)->messages_out, 0);
    world.ends[EDGE].refuse_sends = OK;
    link_flush(edge(), world.now);
    carry_all();
    assert_int_equal(world.ends[RELAY].heard, 3);
    assert_int_equal(counts(EDGE)->resent, 0);
}

static void a_large_envelope_is_a_message_of_its_own(void **state)
{
    (void)state;
    open();
    static uint8_t payload[100000];
    buf_t large = {0};
    envelope_t pub = {.kind = KIND_PUB,
                      .pub = {.channel = SPAN("c"), .payload = span_new(payload, sizeof payload)}};
    envelope_encode(&large, &pub);
    assert_int_equal(say(EDGE, 1), OK);
    assert_int_equal(link_send_encoded(edge(), buf_span(&large), world.now), OK);
    assert_int_equal(waiting(EDGE), 2); /* it does not wait for the flush */
    assert_int_equal(peek(EDGE, 1).first.kind, KIND_PUB);
    buf_fini(&large);
}

static void nothing_is_taken_when_not_up(void **state)
{
    (void)state;
    assert_int_equal(say(EDGE, 1), ERR_CLOSED);
    assert_int_equal(say(RELAY, 1), ERR_CLOSED);
    assert_int_equal(link_held(edge()), 0);
}

static void receive_numbered(span_t envelopes)
{
    say_apart(EDGE, 1, 1);
    message_t message = peek(EDGE, 0);
    lose(EDGE, 1);
    link_receive(relay(), &message.header, envelopes, world.now);
}

static void a_malformed_envelope_resets_the_link(void **state)
{
    (void)state;
    open();
    receive_numbered(SPAN("\xdd\xff\xff\xff\xff"));
    assert_int_equal(world.ends[RELAY].downs, 1);
    assert_int_equal(world.ends[RELAY].reason, ERR_MALFORMED);
    assert_int_equal(peek(RELAY, 0).first.kind, KIND_RESET);
    carry(RELAY, 1);
    assert_int_equal(world.ends[EDGE].downs, 1);
}

static void append_confirmations(buf_t *batch, uint64_t count)
{
    for (uint64_t i = 1; i <= count; i++) {
        envelope_t ok = {.kind = KIND_PUB_OK, .pub_ok = {.counter = i}};
        envelope_encode(batch, &ok);
    }
}

static void what_stands_before_a_malformed_envelope_is_heard(void **state)
{
    (void)state;
    open();
    buf_t batch = {0};
    append_confirmations(&batch, 2);
    buf_append(&batch, "\xdd\xff\xff\xff\xff", 5);
    receive_numbered(buf_span(&batch));
    assert_int_equal(world.ends[RELAY].newest, 2);
    assert_int_equal(world.ends[RELAY].downs, 1);
    assert_int_equal(world.ends[RELAY].reason, ERR_MALFORMED);
    buf_fini(&batch);
}

static uint64_t shown_ahead;

static void on_ahead(void *context, const envelope_t *envelopes, size_t count)
{
    const end_t *end = context;
    assert_in_range(count, 1, LINK_AHEAD);
    assert_int_equal(shown_ahead, end->newest); /* all that was shown before has been heard */
    for (size_t i = 0; i < count; i++)
        assert_int_equal(envelopes[i].pub_ok.counter, ++shown_ahead);
}

static void envelopes_are_shown_before_they_are_heard(void **state)
{
    (void)state;
    open();
    buf_t batch = {0};
    const uint64_t count = 2 * LINK_AHEAD + 1;
    shown_ahead = 0;
    link_set_ahead(relay(), on_ahead);
    append_confirmations(&batch, count);
    receive_numbered(buf_span(&batch));
    assert_int_equal(shown_ahead, count);
    assert_int_equal(world.ends[RELAY].newest, count);
    buf_fini(&batch);
}

static void unknown_kinds_and_the_links_own_are_passed_over_in_a_batch(void **state)
{
    (void)state;
    open();
    buf_t batch = {0};
    envelope_t bye = {.kind = KIND_BYE}, ok = {.kind = KIND_PUB_OK, .pub_ok = {.counter = 1}};
    buf_append(&batch, "\x92\x63\xa1x", 4);
    envelope_encode(&batch, &bye);
    envelope_encode(&batch, &ok);
    receive_numbered(buf_span(&batch));
    assert_int_equal(world.ends[RELAY].heard, 1);
    assert_int_equal(world.ends[RELAY].downs, 0);
    assert_int_equal(counts(RELAY)->unknown, 2);
    buf_fini(&batch);
}

static void what_follows_a_reset_in_the_same_message_is_not_heard(void **state)
{
    (void)state;
    open();
    world.ends[RELAY].reset_at = 2;
    for (uint64_t i = 1; i <= 5; i++)
        assert_int_equal(say(EDGE, i), OK);
    link_flush(edge(), world.now);
    carry(EDGE, 1);
    assert_int_equal(world.ends[RELAY].heard, 2);
    assert_int_equal(world.ends[RELAY].downs, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(envelopes_of_one_turn_share_a_message),
        TEST(small_messages_keep_a_distance_and_large_ones_do_not),
        TEST(a_message_that_comes_twice_is_heard_once),
        TEST(a_gap_is_asked_for_and_filled_in_order),
        TEST(a_request_that_comes_twice_is_answered_once),
        TEST(a_beat_shows_what_was_lost_at_the_end),
        TEST(a_thousand_lost_messages_are_repaired_in_two_seconds),
        TEST(an_acknowledgement_comes_within_its_delay),
        TEST(an_acknowledgement_rides_on_what_is_said),
        TEST(an_acknowledgement_of_what_was_never_sent_is_passed_over),
        TEST(a_full_window_refuses_the_next_until_it_is_acknowledged),
        TEST(what_can_not_go_now_goes_at_the_next_flush),
        TEST(a_large_envelope_is_a_message_of_its_own),
        TEST(nothing_is_taken_when_not_up),
        TEST(a_malformed_envelope_resets_the_link),
        TEST(what_stands_before_a_malformed_envelope_is_heard),
        TEST(envelopes_are_shown_before_they_are_heard),
        TEST(unknown_kinds_and_the_links_own_are_passed_over_in_a_batch),
        TEST(what_follows_a_reset_in_the_same_message_is_not_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
