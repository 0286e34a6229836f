#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/protocol/link_pair.h"

/* --- greeting --- */

static void two_nodes_greet_and_know_each_other(void **state)
{
    (void)state;
    assert_int_equal(link_state(edge()), LINK_GREETING);
    assert_int_equal(link_state(relay()), LINK_DOWN);
    tick(EDGE);
    message_t hello = peek(EDGE, 0);
    assert_int_equal(hello.first.kind, KIND_HELLO);
    assert_true(hello.header.session != 0 && hello.header.seq == 0 && hello.header.ack_session == 0);
    carry(EDGE, 1);
    message_t welcome = peek(RELAY, 0);
    assert_int_equal(welcome.first.kind, KIND_WELCOME);
    assert_int_equal(welcome.header.ack_session, hello.header.session);
    carry(RELAY, 1);
    assert_int_equal(link_state(edge()), LINK_UP);
    assert_int_equal(link_state(relay()), LINK_UP);
    assert_string_equal(link_peer_name(edge()), "relay-1");
    assert_string_equal(link_peer_name(relay()), "edge-1");
    assert_int_equal(link_peer_role(edge()), ROLE_RELAY);
    assert_int_equal(link_peer_role(relay()), ROLE_EDGE);
    assert_int_equal(world.ends[EDGE].ups, 1);
    assert_int_equal(world.ends[RELAY].ups, 1);
}

static void a_lost_welcome_is_said_again_and_changes_nothing(void **state)
{
    (void)state;
    tick(EDGE);
    carry(EDGE, 1);
    uint64_t session = peek(RELAY, 0).header.session;
    lose(RELAY, 1);
    assert_int_equal(link_due(edge()), world.now + 200 * MS);
    world.now = link_due(edge());
    tick(EDGE);
    carry(EDGE, 1);
    assert_int_equal(peek(RELAY, 0).header.session, session);
    assert_int_equal(world.ends[RELAY].ups, 1);
    assert_int_equal(world.ends[RELAY].downs, 0);
    carry(RELAY, 1);
    assert_true(link_is_up(edge()));
}

static void who_greeted_for_long_is_not_taken_for_silent(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        world.now = link_due(edge());
        tick(EDGE);
        lose(EDGE, waiting(EDGE));
    }
    run(SECOND);
    open();
    run(20 * SECOND);
    assert_int_equal(world.ends[EDGE].downs, 0);
}

static void another_cluster_is_refused_and_asks_seldom(void **state)
{
    (void)state;
    world.ends[EDGE].identity.cluster = "other";
    tick(EDGE);
    carry(EDGE, 1);
    assert_int_equal(peek(RELAY, 0).first.kind, KIND_REFUSE);
    assert_int_equal(link_state(relay()), LINK_DOWN);
    carry(RELAY, 1);
    assert_int_equal(world.ends[EDGE].refusals, 1);
    assert_int_equal(world.ends[EDGE].reason, ERR_CLUSTER);
    world.now = link_due(edge());
    tick(EDGE);
    assert_int_equal(link_due(edge()), world.now + 5 * SECOND);
    world.ends[EDGE].identity.cluster = "c";
    carry_all();
    world.now = link_due(edge());
    run(10 * MS);
    assert_true(link_is_up(edge()));
}

static void another_version_of_the_protocol_is_refused(void **state)
{
    (void)state;
    tick(EDGE);
    message_t message = peek(EDGE, 0);
    buf_t changed = {0};
    message.first.hello.protocol = WIRE_VERSION + 1;
    envelope_encode(&changed, &message.first);
    link_receive(relay(), &message.header, buf_span(&changed), world.now);
    lose(EDGE, 1);
    carry_all();
    assert_int_equal(world.ends[EDGE].refusals, 1);
    assert_int_equal(world.ends[EDGE].reason, ERR_VERSION);
    buf_fini(&changed);
}

static void a_refused_greeting_voids_the_session_before(void **state)
{
    (void)state;
    open();
    world.ends[EDGE].identity.cluster = "other";
    make(EDGE, true);
    tick(EDGE);
    carry(EDGE, 1);
    assert_int_equal(world.ends[RELAY].downs, 1);
    assert_int_equal(link_state(relay()), LINK_DOWN);
}

static void a_hello_of_an_older_session_changes_nothing(void **state)
{
    (void)state;
    tick(EDGE);
    make(EDGE, true); /* a newer session; the old HELLO is still on its way */
    tick(EDGE);
    deliver(EDGE, 1);
    assert_int_equal(world.ends[RELAY].ups, 1);
    deliver(EDGE, 0);
    assert_int_equal(world.ends[RELAY].ups, 1);
    assert_int_equal(world.ends[RELAY].downs, 0);
    assert_int_equal(waiting(RELAY), 1);
}

static void a_welcome_to_an_older_session_is_not_taken(void **state)
{
    (void)state;
    tick(EDGE);
    carry(EDGE, 1);
    make(EDGE, true);
    carry(RELAY, 1);
    assert_int_equal(link_state(edge()), LINK_GREETING);
    assert_int_equal(counts(EDGE)->stale, 1);
}

static void a_new_session_voids_the_one_before(void **state)
{
    (void)state;
    open();
    assert_int_equal(say(RELAY, 1), OK);
    make(EDGE, true);
    open();
    run(SECOND);
    assert_int_equal(world.ends[RELAY].downs, 1);
    assert_int_equal(world.ends[RELAY].ups, 2);
    assert_int_equal(world.ends[EDGE].heard, 0);
    assert_int_equal(link_held(relay()), 0);
}

static void greetings_keep_their_distance_over_sessions(void **state)
{
    (void)state;
    open();
    for (int i = 0; i < 3; i++) {
        uint64_t before = world.now;
        assert_true(link_is_up(edge()));
        link_reset(relay(), ERR_MALFORMED, world.now);
        carry_all();
        run(200 * MS);
        assert_true(world.now >= before + 200 * MS);
        assert_int_equal(world.ends[RELAY].ups, 2 + i);
    }
}

static void the_initiator_takes_the_heartbeat_of_the_welcome(void **state)
{
    (void)state;
    world.ends[RELAY].settings.heartbeat_us = 6 * SECOND;
    make(RELAY, false);
    open();
    run(60 * SECOND);
    assert_int_equal(world.ends[EDGE].downs, 0);
    assert_int_equal(link_state(edge()), LINK_UP);
    assert_true(link_due(edge()) <= world.now + 6 * SECOND);
}

/* --- silence --- */

static void silence_is_broken_by_beats(void **state)
{
    (void)state;
    open();
    size_t before = world.ends[EDGE].count;
    run(10 * SECOND);
    assert_in_range(world.ends[EDGE].count - before, 9, 11);
    assert_int_equal(link_state(edge()), LINK_UP);
    assert_int_equal(link_state(relay()), LINK_UP);
}

static void three_missing_beats_make_a_suspect_and_five_the_end(void **state)
{
    (void)state;
    open();
    run(1 * SECOND);
    uint64_t heard = world.now;
    while (link_state(relay()) == LINK_UP) {
        world.now = link_due(relay());
        tick(RELAY);
    }
    assert_int_equal(link_state(relay()), LINK_SUSPECT);
    assert_in_range(world.now, heard + 2 * SECOND, heard + 3 * SECOND);
    assert_true(link_is_up(relay()));
    assert_int_equal(say(RELAY, 1), OK);
    while (link_state(relay()) == LINK_SUSPECT) {
        world.now = link_due(relay());
        tick(RELAY);
    }
    assert_in_range(world.now, heard + 4 * SECOND, heard + 5 * SECOND);
    assert_int_equal(world.ends[RELAY].reason, ERR_TIMEOUT);
    assert_int_equal(link_held(relay()), 0);
}

static void a_word_clears_a_suspect(void **state)
{
    (void)state;
    open();
    while (link_state(relay()) == LINK_UP) {
        world.now = link_due(relay());
        tick(RELAY);
    }
    tick(EDGE);
    carry(EDGE, 1);
    assert_int_equal(link_state(relay()), LINK_UP);
    assert_int_equal(world.ends[RELAY].ups, 1);
}

static void the_other_sides_silence_is_excused_when_it_was_ours(void **state)
{
    (void)state;
    open();
    world.now += 60 * SECOND;
    link_excuse(relay(), 60 * SECOND);
    tick(RELAY);
    assert_int_equal(link_state(relay()), LINK_UP);
}

/* --- the end of a session --- */

static void a_reset_is_heard_by_both_and_the_initiator_greets_anew(void **state)
{
    (void)state;
    open();
    say_apart(RELAY, 1, 3);
    run(SECOND);
    say_apart(EDGE, 1, 2);
    lose(EDGE, 2);
    link_reset(relay(), ERR_FULL, world.now);
    assert_int_equal(world.ends[RELAY].reason, ERR_FULL);
    assert_int_equal(link_state(relay()), LINK_DOWN);
    message_t reset = peek(RELAY, 0);
    assert_int_equal(reset.first.kind, KIND_RESET);
    assert_int_equal(reset.first.reset.code, -ERR_FULL);
    carry(RELAY, 1);
    assert_int_equal(world.ends[EDGE].downs, 1);
    assert_int_equal(link_state(edge()), LINK_GREETING);
    assert_int_equal(link_held(edge()), 0);
    open();
    say_apart(EDGE, 1, 1);
    say_apart(RELAY, 1, 1);
    carry_all();
    assert_int_equal(world.ends[RELAY].heard, 1);
    assert_int_equal(world.ends[EDGE].heard, 1);
}

static void a_reset_of_an_older_session_changes_nothing(void **state)
{
    (void)state;
    open();
    link_reset(relay(), ERR_FULL, world.now);
    message_t reset = peek(RELAY, 0);
    run(SECOND);
    assert_true(link_is_up(edge()));
    assert_int_equal(world.ends[EDGE].downs, 1);
    link_receive(edge(), &reset.header, reset.rest, world.now);
    assert_int_equal(world.ends[EDGE].downs, 1);
}

static void a_message_of_a_session_that_is_gone_is_answered_with_reset(void **state)
{
    (void)state;
    open();
    make(RELAY, false);
    tick(EDGE);
    make(RELAY, false); /* the node has lost its link twice, and a late HELLO makes one that is nobody's */
    link_header_t hello = {WIRE_VERSION, 1000, world.ends[EDGE].sessions, 0, 0, 0};
    buf_t late = {0};
    envelope_t envelope = {.kind = KIND_HELLO,
                           .hello = {WIRE_VERSION, SPAN("edge-1"), ROLE_EDGE, SPAN("c"), SPAN("s")}};
    envelope_encode(&late, &envelope);
    link_receive(relay(), &hello, buf_span(&late), world.now);
    lose(RELAY, waiting(RELAY));
    say_apart(EDGE, 1, 1);
    carry(EDGE, waiting(EDGE));
    assert_int_equal(world.ends[RELAY].heard, 0);
    message_t reset = peek(RELAY, 0);
    assert_int_equal(reset.first.kind, KIND_RESET);
    assert_int_equal(reset.header.ack_session, world.ends[EDGE].sessions);
    carry(RELAY, 1);
    assert_int_equal(world.ends[EDGE].downs, 1);
    buf_fini(&late);
}

static void a_node_without_a_link_can_reset_a_stranger(void **state)
{
    (void)state;
    open();
    buf_t out = {0};
    uint64_t session = world.ends[EDGE].sessions;
    link_write_reset(&out, &world.ends[RELAY].identity, 1000, session, ERR_CLOSED);
    posted_t posted = {out.size, out.data};
    message_t reset = read_message(&posted);
    assert_int_equal(reset.topic, 1000);
    assert_int_equal(reset.header.session, 0);
    link_receive(edge(), &reset.header, reset.rest, world.now);
    assert_int_equal(world.ends[EDGE].downs, 1);
    buf_fini(&out);
}

static void a_newer_session_of_the_other_side_makes_the_initiator_start_anew(void **state)
{
    (void)state;
    open();
    say_apart(RELAY, 1, 1);
    message_t message = peek(RELAY, 0);
    message.header.session += 10;
    link_receive(edge(), &message.header, message.rest, world.now);
    assert_int_equal(world.ends[EDGE].heard, 0);
    assert_int_equal(world.ends[EDGE].downs, 1);
}

static void what_was_waiting_goes_before_goodbye(void **state)
{
    (void)state;
    open();
    assert_int_equal(say(EDGE, 1), OK);
    link_close(edge(), "maintenance", world.now);
    assert_int_equal(link_state(edge()), LINK_DOWN);
    assert_int_equal(world.ends[EDGE].downs, 0);
    assert_int_equal(waiting(EDGE), 2);
    assert_int_equal(peek(EDGE, 1).first.kind, KIND_BYE);
    carry(EDGE, 2);
    assert_int_equal(world.ends[RELAY].heard, 1);
    assert_int_equal(world.ends[RELAY].downs, 1);
    assert_int_equal(link_due(edge()), UINT64_MAX);
}

static void a_link_closes_in_any_state(void **state)
{
    (void)state;
    link_close(edge(), "early", world.now);
    link_close(edge(), "again", world.now);
    link_close(relay(), "never was", world.now);
    assert_int_equal(waiting(EDGE) + waiting(RELAY), 0);
    assert_int_equal(link_state(edge()), LINK_DOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(two_nodes_greet_and_know_each_other),
        TEST(a_lost_welcome_is_said_again_and_changes_nothing),
        TEST(who_greeted_for_long_is_not_taken_for_silent),
        TEST(another_cluster_is_refused_and_asks_seldom),
        TEST(another_version_of_the_protocol_is_refused),
        TEST(a_refused_greeting_voids_the_session_before),
        TEST(a_hello_of_an_older_session_changes_nothing),
        TEST(a_welcome_to_an_older_session_is_not_taken),
        TEST(a_new_session_voids_the_one_before),
        TEST(greetings_keep_their_distance_over_sessions),
        TEST(the_initiator_takes_the_heartbeat_of_the_welcome),
        TEST(silence_is_broken_by_beats),
        TEST(three_missing_beats_make_a_suspect_and_five_the_end),
        TEST(a_word_clears_a_suspect),
        TEST(the_other_sides_silence_is_excused_when_it_was_ours),
        TEST(a_reset_is_heard_by_both_and_the_initiator_greets_anew),
        TEST(a_reset_of_an_older_session_changes_nothing),
        TEST(a_message_of_a_session_that_is_gone_is_answered_with_reset),
        TEST(a_node_without_a_link_can_reset_a_stranger),
        TEST(a_newer_session_of_the_other_side_makes_the_initiator_start_anew),
        TEST(what_was_waiting_goes_before_goodbye),
        TEST(a_link_closes_in_any_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
