#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "session_fixture.h"

/* --- sending --- */

static void what_is_sent_in_a_turn_is_one_write(void **state)
{
    (void)state;
    say("a");
    say("b");
    assert_int_equal(conn.writes, 0);
    fake_worker_flush(worker);
    assert_int_equal(conn.writes, 1);
    span_t rest = written();
    assert_text_frame(&rest, "a");
    assert_text_frame(&rest, "b");
    assert_int_equal(rest.size, 0);
    assert_int_equal(stats_get(&worker->worker.stats.messages_out), 2);
    assert_int_equal(stats_get(&worker->worker.stats.bytes_out), 6);
    assert_int_equal(stats_get(&worker->worker.stats.outbox_bytes), 0);
}

static void a_kernel_that_takes_no_more_is_waited_for(void **state)
{
    (void)state;
    conn.room = 4;
    say("abc");
    fake_worker_flush(worker);
    assert_true(conn.wants_writable);
    assert_int_equal(conn.written.size, 4);
    say("def");
    assert_true(list_empty(&worker->worker.dirty));
    conn.room = SIZE_MAX;
    edge_session_writable(session);
    span_t rest = written();
    assert_text_frame(&rest, "abc");
    assert_text_frame(&rest, "def");
}

static void one_session_writes_so_much_a_turn_and_no_more(void **state)
{
    (void)state;
    worker->config.limits.outbox = 1u << 20;
    say_big('a', 60000);
    say_big('b', 60000);
    say_big('c', 60000);
    fake_worker_flush(worker);
    assert_int_equal(conn.written.size, 60004);
    assert_true(list_linked(&session->dirty));
    fake_worker_flush(worker);
    fake_worker_flush(worker);
    assert_int_equal(conn.written.size, 3 * 60004);
    assert_true(list_empty(&worker->worker.dirty));
}

static void a_frame_above_the_write_size_goes_in_several_turns(void **state)
{
    (void)state;
    say_big('a', 2 * EDGE_WRITE_SIZE);
    fake_worker_flush(worker);
    assert_int_equal(conn.written.size, EDGE_WRITE_SIZE);
    fake_worker_flush(worker);
    fake_worker_flush(worker);
    assert_int_equal(conn.written.size, 2 * EDGE_WRITE_SIZE + 10);
}

static void a_broken_connection_lets_its_outbox_go(void **state)
{
    (void)state;
    conn.broken = true;
    say("a");
    fake_worker_flush(worker);
    assert_int_equal(session->outbox.count, 0);
    assert_int_equal(stats_get(&worker->worker.stats.outbox_bytes), 0);
}

/* --- slow clients --- */

static void a_slow_client_is_closed_without_what_waits(void **state)
{
    (void)state;
    conn.room = 0;
    say_big('a', 500);
    fake_worker_flush(worker);
    say_big('b', 500);
    assert_false(edge_session_is_open(session));
    assert_int_equal(stats_get(&worker->worker.stats.closed_slow), 1);
    conn.room = SIZE_MAX;
    edge_session_writable(session);
    span_t rest = written();
    assert_close_frame(&rest, 3008, "slow");
    assert_true(conn.shut);
    assert_false(conn.shut_now);
}

static void a_slow_client_in_the_middle_of_a_frame_gets_its_end_and_then_the_close(void **state)
{
    (void)state;
    conn.room = 100;
    say_big('a', 500);
    fake_worker_flush(worker);
    say_big('b', 900);
    assert_false(conn.shut);
    assert_int_equal(conn.written.size, 100);
    conn.room = SIZE_MAX;
    edge_session_writable(session);
    span_t rest = written();
    rest = span_skip(rest, 4 + 500); /* the first message, header and all */
    assert_close_frame(&rest, 3008, "slow");
    assert_true(conn.shut);
    assert_false(conn.shut_now);
}

static void a_slow_client_that_outlives_losses_gets_the_newest(void **state)
{
    (void)state;
    worker->config.limits.on_slow_client = SLOW_DROP_OLDEST;
    reconnect_as(&careless);
    conn.room = 0;
    say_big('a', 400);
    say_big('b', 400);
    fake_worker_flush(worker);
    say_big('c', 400);
    say_big('d', 400);
    assert_true(edge_session_is_open(session));
    assert_int_equal(stats_get(&worker->worker.stats.dropped_slow), 2);
    assert_true(session->outbox.bytes <= 1000);
    assert_int_equal(stats_get(&worker->worker.stats.outbox_bytes), session->outbox.bytes);
    conn.room = SIZE_MAX;
    edge_session_writable(session);
    span_t rest = written();
    assert_int_equal(fake_next_frame(&rest).payload.data[0], 'c');
    assert_int_equal(fake_next_frame(&rest).payload.data[0], 'd');
    assert_int_equal(rest.size, 0);
}

static void what_dropping_can_not_make_room_for_is_not_sent(void **state)
{
    (void)state;
    worker->config.limits.on_slow_client = SLOW_DROP_OLDEST;
    reconnect_as(&careless);
    conn.room = 1;
    say_big('a', 900);
    fake_worker_flush(worker);
    say_big('b', 900);
    assert_int_equal(stats_get(&worker->worker.stats.dropped_slow), 1);
    assert_int_equal(session->outbox.bytes, 903);
    assert_int_equal(stats_get(&worker->worker.stats.outbox_bytes), 903);
}

static void dropping_is_not_for_dialects_that_must_not_lose(void **state)
{
    (void)state;
    worker->config.limits.on_slow_client = SLOW_DROP_OLDEST;
    conn.room = 0;
    say_big('a', 900);
    say_big('b', 900);
    assert_false(edge_session_is_open(session));
    assert_int_equal(stats_get(&worker->worker.stats.closed_slow), 1);
}

/* --- closing --- */

static void closing_sends_what_waits_then_the_code(void **state)
{
    (void)state;
    say("last");
    edge_session_close(session, EDGE_CLOSE_SHUTDOWN, "shutdown", true);
    edge_session_close(session, EDGE_CLOSE_FORCE, "force disconnect", true);
    say("too late");
    assert_int_equal(session->close_code, 3001);
    fake_worker_flush(worker);
    span_t rest = written();
    assert_text_frame(&rest, "last");
    assert_close_frame(&rest, 3001, "shutdown");
    assert_true(conn.shut);
    assert_int_equal(stats_get(&worker->worker.stats.closed_shutdown), 1);
    assert_int_equal(stats_get(&worker->worker.stats.closed_api), 0);
}

static void a_code_that_is_in_no_table_counts_as_the_apis(void **state)
{
    (void)state;
    edge_session_close(session, 4242, "because", true);
    assert_int_equal(stats_get(&worker->worker.stats.closed_api), 1);
    assert_string_equal(edge_close_reason(4242), "closed by the server");
    assert_string_equal(edge_close_reason(EDGE_CLOSE_STALE), "stale");
}

static void a_client_that_never_reads_does_not_keep_us(void **state)
{
    (void)state;
    conn.room = 1;
    say("last");
    edge_session_close(session, EDGE_CLOSE_SHUTDOWN, "shutdown", true);
    fake_worker_pass(worker, 4 * CLOCK_SEC);
    assert_false(conn.shut);
    fake_worker_pass(worker, 2 * CLOCK_SEC);
    assert_true(conn.shut);
    assert_true(conn.shut_now);
}

static void a_close_is_answered_with_its_code(void **state)
{
    (void)state;
    edge_session_close_received(session, 1000);
    fake_worker_flush(worker);
    span_t rest = written();
    assert_close_frame(&rest, 1000, "");
    assert_true(conn.shut);
    assert_int_equal(stats_get(&worker->worker.stats.closed_client), 1);
    fake_client_gone(session, &conn);
    session = NULL;
    assert_int_equal(stats_get(&worker->worker.stats.closed_client), 1);
}

static void a_close_without_a_code_is_answered_without_one(void **state)
{
    (void)state;
    edge_session_close_received(session, 1005);
    fake_worker_flush(worker);
    assert_int_equal(conn.written.size, 2);
    assert_memory_equal(conn.written.data, "\x88\0", 2);
}

static void a_client_that_breaks_the_protocol_is_told_and_counted(void **state)
{
    (void)state;
    edge_session_failed(session, 1002, edge_close_reason(1002));
    fake_worker_flush(worker);
    span_t rest = written();
    assert_close_frame(&rest, 1002, "protocol error");
    assert_int_equal(stats_get(&worker->worker.stats.closed_protocol), 1);
}

static void a_lost_connection_counts_as_the_clients_close(void **state)
{
    (void)state;
    say("never read");
    fake_client_gone(session, &conn);
    session = NULL;
    assert_int_equal(stats_get(&worker->worker.stats.closed_client), 1);
    assert_int_equal(unsubscribed_all, 1);
    assert_int_equal(calls.closed, 1);
}

static void a_session_that_was_never_opened_is_discarded(void **state)
{
    (void)state;
    edge_identity_t identity = {.user = mem_dup("42")};
    edge_session_t *other = edge_session_new(&worker->worker, &careful, &identity);
    assert_null(identity.user);
    assert_true(span_is(edge_session_user(other), "42"));
    edge_session_discard(&other);
    assert_null(other);
    assert_int_equal(calls.closed, 1);
}

/* --- ids --- */

static void an_id_is_a_uuid_that_can_be_read_back(void **state)
{
    (void)state;
    char text[EDGE_CLIENT_ID_SIZE + 1];
    uint8_t id[EDGE_CLIENT_ID_BYTES];
    edge_session_id(session, text);
    assert_int_equal(strlen(text), EDGE_CLIENT_ID_SIZE);
    assert_int_equal(text[8], '-');
    assert_int_equal(text[14], '4');
    assert_true(edge_client_id_parse(span_str(text), id));
    assert_memory_equal(id, session->id, sizeof id);
}

static void what_is_no_uuid_is_no_id(void **state)
{
    (void)state;
    uint8_t id[EDGE_CLIENT_ID_BYTES];
    assert_true(edge_client_id_parse(SPAN("00112233-4455-6677-8899-aabbccddeeff"), id));
    assert_int_equal(id[15], 0xff);
    assert_false(edge_client_id_parse(SPAN(""), id));
    assert_false(edge_client_id_parse(SPAN("00112233-4455-6677-8899-aabbccddeef"), id));
    assert_false(edge_client_id_parse(SPAN("00112233-4455-6677-8899-aabbccddeegf"), id));
    assert_false(edge_client_id_parse(SPAN("00112233x4455-6677-8899-aabbccddeeff"), id));
    assert_false(edge_client_id_parse(SPAN("00112233-4455-6677-8899-AABBCCDDEEFF"), id));
}

static void dropping_is_not_for_clients_that_count(void **state)
{
    (void)state;
    worker->config.limits.on_slow_client = SLOW_DROP_OLDEST;
    reconnect_as(&careless);
    session->counts_messages = true;
    conn.room = 0;
    say_big('a', 900);
    say_big('b', 900);
    assert_false(edge_session_is_open(session));
    assert_int_equal(stats_get(&worker->worker.stats.closed_slow), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_sent_in_a_turn_is_one_write),
        TEST(a_kernel_that_takes_no_more_is_waited_for),
        TEST(one_session_writes_so_much_a_turn_and_no_more),
        TEST(a_frame_above_the_write_size_goes_in_several_turns),
        TEST(a_broken_connection_lets_its_outbox_go),
        TEST(a_slow_client_is_closed_without_what_waits),
        TEST(a_slow_client_in_the_middle_of_a_frame_gets_its_end_and_then_the_close),
        TEST(a_slow_client_that_outlives_losses_gets_the_newest),
        TEST(what_dropping_can_not_make_room_for_is_not_sent),
        TEST(dropping_is_not_for_dialects_that_must_not_lose),
        TEST(closing_sends_what_waits_then_the_code),
        TEST(a_code_that_is_in_no_table_counts_as_the_apis),
        TEST(a_client_that_never_reads_does_not_keep_us),
        TEST(a_close_is_answered_with_its_code),
        TEST(a_close_without_a_code_is_answered_without_one),
        TEST(a_client_that_breaks_the_protocol_is_told_and_counted),
        TEST(a_lost_connection_counts_as_the_clients_close),
        TEST(a_session_that_was_never_opened_is_discarded),
        TEST(an_id_is_a_uuid_that_can_be_read_back),
        TEST(what_is_no_uuid_is_no_id),
        TEST(dropping_is_not_for_clients_that_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
