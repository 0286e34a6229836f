#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "session_fixture.h"

/* --- messages and time --- */

static void messages_reach_the_dialect_while_it_is_open(void **state)
{
    (void)state;
    edge_session_message(session, false, SPAN("abc"));
    edge_session_close(session, EDGE_CLOSE_FORCE, "force disconnect", true);
    edge_session_message(session, false, SPAN("abc"));
    assert_int_equal(calls.messages, 1);
    assert_int_equal(stats_get(&worker->worker.stats.bytes_in), 6);
}

static void a_ping_is_answered_with_its_payload(void **state)
{
    (void)state;
    edge_session_control(session, WEBSOCKET_PING, SPAN("x"));
    fake_worker_flush(worker);
    assert_int_equal(conn.written.size, 3);
    assert_memory_equal(conn.written.data, "\x8a\x01x", 3);
}

static void a_session_that_is_not_let_in_goes_stale(void **state)
{
    (void)state;
    fake_worker_pass(worker, 9 * CLOCK_SEC);
    assert_true(edge_session_is_open(session));
    fake_worker_pass(worker, 2 * CLOCK_SEC);
    span_t rest = written();
    assert_close_frame(&rest, 3502, "stale");
}

static void the_first_ping_comes_between_half_and_a_whole_interval(void **state)
{
    (void)state;
    edge_session_activate(session);
    fake_worker_pass(worker, 12 * CLOCK_SEC);
    assert_int_equal(calls.pings, 0);
    fake_worker_pass(worker, 14 * CLOCK_SEC);
    assert_int_equal(calls.pings, 1);
}

static void a_client_that_answers_pings_stays(void **state)
{
    (void)state;
    edge_session_activate(session);
    for (unsigned seconds = 0; seconds < 200; seconds++) {
        fake_worker_pass(worker, CLOCK_SEC);
        edge_session_control(session, WEBSOCKET_PONG, (span_t){0});
    }
    assert_true(edge_session_is_open(session));
    assert_in_range(calls.pings, 7, 9);
}

static void any_message_is_an_answer_to_a_ping(void **state)
{
    (void)state;
    edge_session_activate(session);
    while (!session->awaits_pong)
        fake_worker_pass(worker, CLOCK_SEC);
    edge_session_message(session, false, SPAN("I live"));
    fake_worker_pass(worker, 9 * CLOCK_SEC);
    assert_true(edge_session_is_open(session));
}

static void a_client_that_does_not_answer_a_ping_is_closed(void **state)
{
    (void)state;
    edge_session_activate(session);
    fake_worker_pass(worker, 26 * CLOCK_SEC);
    fake_worker_pass(worker, 9 * CLOCK_SEC);
    assert_int_equal(calls.pings, 1);
    assert_int_equal(session->close_code, 3012);
    assert_int_equal(stats_get(&worker->worker.stats.closed_ping), 1);
}

/* The deadline of closing must not become a ping's. */
static void a_pong_does_not_prolong_closing(void **state)
{
    (void)state;
    edge_session_activate(session);
    while (!session->awaits_pong)
        fake_worker_pass(worker, CLOCK_SEC);
    conn.room = 0;
    edge_session_close(session, EDGE_CLOSE_SHUTDOWN, "shutdown", true);
    edge_session_control(session, WEBSOCKET_PONG, (span_t){0});
    fake_worker_pass(worker, 6 * CLOCK_SEC);
    assert_true(conn.shut_now);
}

static void a_client_whose_token_expires_is_closed(void **state)
{
    (void)state;
    session->identity.expires_us = clock_wall_us() - 1;
    edge_session_activate(session);
    fake_worker_pass(worker, 26 * CLOCK_SEC);
    span_t rest = written();
    assert_close_frame(&rest, 3005, "connection expired");
    assert_int_equal(calls.pings, 0);
}

static void an_expiry_does_not_wait_for_the_next_ping(void **state)
{
    (void)state;
    uint64_t expires_us = clock_wall_us() + 20 * CLOCK_MS;
    session->identity.expires_us = expires_us;
    edge_session_activate(session);
    while (clock_wall_us() < expires_us) /* 20 ms at most */
        continue;
    fake_worker_pass(worker, CLOCK_SEC);
    span_t rest = written();
    assert_close_frame(&rest, 3005, "connection expired");
}

static void a_grace_begins_when_the_token_ends(void **state)
{
    (void)state;
    static const edge_dialect_t patient = {.name = "patient",
                                           .grace_us = 1000 * CLOCK_SEC,
                                           .opened = count_opened,
                                           .message = count_message,
                                           .ping = count_ping,
                                           .closed = count_closed};
    reconnect_as(&patient);
    session->identity.expires_us = clock_wall_us() - 900 * CLOCK_SEC;
    edge_session_activate(session);
    while (!session->awaits_pong)
        fake_worker_pass(worker, CLOCK_SEC);
    assert_int_equal(calls.pings, 1);
    session->identity.expires_us = clock_wall_us() - 1001 * CLOCK_SEC;
    edge_session_message(session, false, SPAN("I live"));
    fake_worker_pass(worker, CLOCK_SEC);
    assert_int_equal(session->close_code, 3005);
}

static void new_credentials_that_end_sooner_are_met_in_time(void **state)
{
    (void)state;
    edge_identity_t identity = {.user = mem_dup("42"), .expires_us = clock_wall_us()};
    edge_session_activate(session);
    edge_session_identify(session, &identity);
    assert_null(identity.user);
    fake_worker_pass(worker, CLOCK_SEC);
    assert_int_equal(session->close_code, 3005);
}

static void a_session_prolonged_while_a_ping_is_unanswered_has_time_to_answer(void **state)
{
    (void)state;
    edge_session_activate(session);
    while (!session->awaits_pong)
        fake_worker_pass(worker, CLOCK_SEC);
    edge_session_prolong(session, clock_wall_us() + 2 * CLOCK_SEC);
    edge_session_prolong(session, 0);
    fake_worker_pass(worker, 5 * CLOCK_SEC);
    assert_true(edge_session_is_open(session));
    fake_worker_pass(worker, 4 * CLOCK_SEC);
    assert_int_equal(session->close_code, 3012);
}

/* What is told of the dialect's own times; no ping is due in the first second. */
static void the_earliest_time_that_was_given_is_told_once(void **state)
{
    (void)state;
    edge_session_activate(session);
    edge_session_expire_by(session, clock_wall_us() - 1);
    edge_session_expire_by(session, clock_wall_us() + 1000 * CLOCK_SEC);
    fake_worker_pass(worker, CLOCK_SEC);
    assert_int_equal(calls.expired, 1);
    edge_session_message(session, false, SPAN("I live"));
    fake_worker_pass(worker, 26 * CLOCK_SEC);
    assert_int_equal(calls.expired, 1);
    assert_int_equal(calls.pings, 2);
}

static void a_time_that_comes_while_a_ping_is_unanswered_waits_for_the_answer(void **state)
{
    (void)state;
    edge_session_activate(session);
    while (!session->awaits_pong)
        fake_worker_pass(worker, CLOCK_SEC);
    edge_session_expire_by(session, clock_wall_us() - 1);
    fake_worker_pass(worker, CLOCK_SEC);
    assert_int_equal(calls.expired, 0);
    assert_true(edge_session_is_open(session));
    edge_session_message(session, false, SPAN("I live"));
    fake_worker_pass(worker, CLOCK_SEC);
    assert_int_equal(calls.expired, 1);
}

/* --- holding back --- */

static void a_paused_session_is_not_read_from_until_it_resumes(void **state)
{
    (void)state;
    edge_session_resume(session);
    assert_int_equal(calls.resumed, 0);
    edge_session_pause(session);
    edge_session_pause(session);
    assert_true(conn.paused);
    assert_ptr_equal(list_pop(&worker->worker.paused), &session->paused);
    list_append(&worker->worker.paused, &session->paused);
    edge_session_resume(session);
    assert_false(conn.paused);
    assert_int_equal(calls.resumed, 1);
}

static void a_dialect_may_pause_again_when_it_resumes(void **state)
{
    (void)state;
    calls.pauses_again = true;
    edge_session_pause(session);
    edge_session_resume(session);
    assert_true(conn.paused);
    assert_true(list_linked(&session->paused));
}

static void a_paused_session_that_closes_is_read_again(void **state)
{
    (void)state;
    edge_session_pause(session);
    edge_session_close(session, EDGE_CLOSE_SHUTDOWN, "shutdown", true);
    assert_false(conn.paused);
    assert_true(list_empty(&worker->worker.paused));
    edge_session_pause(session);
    assert_false(conn.paused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(messages_reach_the_dialect_while_it_is_open),
        TEST(a_ping_is_answered_with_its_payload),
        TEST(a_session_that_is_not_let_in_goes_stale),
        TEST(the_first_ping_comes_between_half_and_a_whole_interval),
        TEST(a_client_that_answers_pings_stays),
        TEST(any_message_is_an_answer_to_a_ping),
        TEST(a_client_that_does_not_answer_a_ping_is_closed),
        TEST(a_pong_does_not_prolong_closing),
        TEST(a_client_whose_token_expires_is_closed),
        TEST(an_expiry_does_not_wait_for_the_next_ping),
        TEST(a_grace_begins_when_the_token_ends),
        TEST(new_credentials_that_end_sooner_are_met_in_time),
        TEST(a_session_prolonged_while_a_ping_is_unanswered_has_time_to_answer),
        TEST(the_earliest_time_that_was_given_is_told_once),
        TEST(a_time_that_comes_while_a_ping_is_unanswered_waits_for_the_answer),
        TEST(a_paused_session_is_not_read_from_until_it_resumes),
        TEST(a_dialect_may_pause_again_when_it_resumes),
        TEST(a_paused_session_that_closes_is_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
