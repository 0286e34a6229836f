#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "edge/close_code.h"
#include "edge/dialect.h"
#include "fake_worker.h"

static unsigned unsubscribed_all;

void edge_hub_unsubscribe_all(edge_hub_t *self, edge_session_t *session)
{
    (void)self;
    (void)session;
    unsubscribed_all++;
}

/* --- a dialect that does nothing but count --- */

static struct {
    unsigned opened, messages, pings, resumed, closed;
    bool pauses_again;
} calls;

static void count_opened(edge_session_t *session)
{
    (void)session;
    calls.opened++;
}

static void count_message(edge_session_t *session, bool binary, span_t payload)
{
    (void)session;
    (void)binary;
    (void)payload;
    calls.messages++;
}

static void count_ping(edge_session_t *session)
{
    calls.pings++;
    edge_session_send_frame(session, WEBSOCKET_PING, (span_t){0});
}

static void count_resumed(edge_session_t *session)
{
    calls.resumed++;
    if (calls.pauses_again)
        edge_session_pause(session);
}

static void count_closed(edge_session_t *session)
{
    (void)session;
    calls.closed++;
}

static const edge_dialect_t careful = {.name = "careful",
                                       .opened = count_opened,
                                       .message = count_message,
                                       .ping = count_ping,
                                       .resumed = count_resumed,
                                       .closed = count_closed};
static const edge_dialect_t careless = {.name = "careless",
                                        .outlives_losses = true,
                                        .opened = count_opened,
                                        .message = count_message,
                                        .ping = count_ping,
                                        .closed = count_closed};

/* --- one client --- */

static fake_worker_t *worker;
static edge_conn_t conn;
static edge_session_t *session;

static void connect_as(const edge_dialect_t *dialect)
{
    edge_identity_t identity = {0};
    session = fake_client_of(worker, edge_session_new(&worker->worker, dialect, &identity), &conn);
}

static int set_up(void **state)
{
    (void)state;
    memset(&calls, 0, sizeof calls);
    unsubscribed_all = 0;
    worker = fake_worker_new();
    connect_as(&careful);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (session)
        fake_client_gone(session, &conn);
    session = NULL;
    fake_worker_destroy(worker);
    return 0;
}

static void reconnect_as(const edge_dialect_t *dialect)
{
    fake_client_gone(session, &conn);
    connect_as(dialect);
}

static span_t written(void)
{
    return buf_span(&conn.written);
}

static void say(const char *text)
{
    edge_session_send_text(session, span_str(text));
}

/* A text of `size` bytes, which in a frame become `size` + 4. */
static void say_big(uint8_t letter, size_t size)
{
    buf_t text = {0};
    memset(buf_reserve(&text, size), letter, size);
    buf_advance(&text, size);
    edge_session_send_text(session, buf_span(&text));
    buf_fini(&text);
}

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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

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
        TEST(a_paused_session_is_not_read_from_until_it_resumes),
        TEST(a_dialect_may_pause_again_when_it_resumes),
        TEST(a_paused_session_that_closes_is_read_again),
        TEST(an_id_is_a_uuid_that_can_be_read_back),
        TEST(what_is_no_uuid_is_no_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
