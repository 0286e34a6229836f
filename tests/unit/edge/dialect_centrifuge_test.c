#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "fake_centrifuge.h"

/* --- the handshake --- */

static int admit(const char *request, const char **subprotocol, const char **why)
{
    http_head_t head;
    edge_session_t *admitted = NULL;
    assert_true(http_head_parse(span_str(request), &head) > 0);
    int status = edge_dialect_centrifuge.admit(&worker->worker, &head, &admitted, subprotocol, why);
    assert_int_equal(status == 101, admitted != NULL);
    edge_session_discard(&admitted);
    return status;
}

#define GET(target, fields) "GET " target " HTTP/1.1\r\nHost: a\r\n" fields "\r\n"

static void the_path_and_the_subprotocol_decide_who_is_served(void **state)
{
    (void)state;
    static const struct row {
        const char *request;
        int status;
        const char *subprotocol;
    } rows[] = {
        {GET("/connection/websocket", ""), 101, NULL},
        {GET("/connection/websocket?x=1", "Sec-WebSocket-Protocol: centrifuge-json\r\n"), 101,
         "centrifuge-json"},
        {GET("/connection/websocket", "Sec-WebSocket-Protocol: centrifuge-protobuf, centrifuge-json\r\n"),
         101, "centrifuge-json"},
        {GET("/connection/websocket", "Sec-WebSocket-Protocol: centrifuge-protobuf\r\n"), 400, NULL},
        {GET("/connection/websocket", "Sec-WebSocket-Protocol: graphql-ws\r\n"), 400, NULL},
        {GET("/connection/websocket?format=protobuf", ""), 400, NULL},
        {GET("/connection/websocket?cf_protocol=protobuf", ""), 400, NULL},
        {GET("/connection/websocket?format=json", ""), 101, NULL},
        {GET("/connection/websocket/", ""), 0, NULL},
        {GET("/ws/a", "Sec-WebSocket-Protocol: centrifuge-json\r\n"), 0, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *subprotocol = NULL, *why = NULL;
        assert_int_equal(admit(rows[i].request, &subprotocol, &why), rows[i].status);
        if (rows[i].subprotocol)
            assert_string_equal(subprotocol, rows[i].subprotocol);
        else
            assert_null(subprotocol);
        assert_int_equal(rows[i].status == 400, why != NULL);
    }
}

/* --- connect --- */

static void an_anonymous_client_is_let_in(void **state)
{
    (void)state;
    connect_anonymous();
    assert_int_equal(session->state_now, EDGE_SESSION_ACTIVE);
    assert_int_equal(edge_session_user(session).size, 0);
}

static void without_pings_none_are_promised(void **state)
{
    (void)state;
    worker->config.ping.interval = 0;
    say("{\"id\":1,\"connect\":{}}");
    char text[200];
    snprintf(text, sizeof text,
             "{\"id\":1,\"connect\":{\"client\":\"%s\",\"version\":\"heddle " HEDDLE_VERSION "\"}}", id);
    hear(text);
}

static void a_token_says_who_the_client_is(void **state)
{
    (void)state;
    connect_as("42");
    assert_true(span_is(edge_session_user(session), "42"));
    assert_true(span_is(edge_session_info(session), "{\"n\":\"A\"}"));
    assert_true(session->identity.expires_us > clock_wall_us());
}

static void where_tokens_are_required_anonymous_clients_are_closed(void **state)
{
    (void)state;
    close_auth();
    open_auth(true);
    say("{\"id\":1,\"connect\":{}}");
    hear_close(EDGE_CLOSE_BAD_REQUEST);
}

static void a_bad_token_closes(void **state)
{
    (void)state;
    say(CONNECT_TOKEN "a.b.c\"}}");
    hear_close(EDGE_CLOSE_INVALID_TOKEN);
}

static void a_subscription_token_does_not_connect(void **state)
{
    (void)state;
    say_with_token(CONNECT_TOKEN, "{\"sub\":\"42\",\"channel\":\"a\",\"exp\":%s}", 60, "\"}}");
    hear_close(EDGE_CLOSE_INVALID_TOKEN);
}

static void an_expired_token_is_an_error_and_what_was_sent_behind_it_is_not_done(void **state)
{
    (void)state;
    say_with_token(CONNECT_TOKEN, "{\"sub\":\"42\",\"exp\":%s}", -60,
                   "\"}}\n{\"id\":2,\"subscribe\":{\"channel\":\"a\"}}\n{\"id\":3,\"publish\":{\"channel\":"
                   "\"a\",\"data\":1}}");
    hear_error(1, CENTRIFUGE_ERROR_TOKEN_EXPIRED);
    hear_nothing();
    assert_int_equal(session->subscription_count, 0);
    assert_int_equal(uplink->publication_count, 0);
    assert_true(edge_session_is_open(session));
    say("{\"id\":4,\"connect\":{}}");
    hear_close(EDGE_CLOSE_BAD_REQUEST);
}

static void a_token_of_the_future_is_an_error(void **state)
{
    (void)state;
    say_with_token(CONNECT_TOKEN, "{\"sub\":\"42\",\"nbf\":%s,\"exp\":9000000000}", 600, "\"}}");
    hear_error(1, CENTRIFUGE_ERROR_TOKEN_EXPIRED);
}

static void silence_after_a_refused_connect_is_stale(void **state)
{
    (void)state;
    say_with_token(CONNECT_TOKEN, "{\"sub\":\"42\",\"exp\":%s}", -60, "\"}}");
    hear_error(1, CENTRIFUGE_ERROR_TOKEN_EXPIRED);
    fake_worker_pass(worker, 11 * CLOCK_SEC);
    hear_close(EDGE_CLOSE_STALE);
}

static void bad_requests_close(void **state)
{
    (void)state;
    static const char *const first[] = {
        "",
        "\n",
        "x",
        "[]",
        "{}",
        "{\"id\":1}",
        "{\"id\":1,\"subscribe\":{\"channel\":\"a\"}}",
        "{\"send\":{\"data\":1}}",
        "{\"id\":1,\"id\":2,\"connect\":{}}",
        "{\"id\":1,\"c\\u006fnnect\":{}}",
        "{\"id\":1,\"connect\":{\"token\":5}}",
    };
    for (size_t i = 0; i < COUNT(first); i++) {
        say(first[i]);
        hear_close(EDGE_CLOSE_BAD_REQUEST);
        fake_client_gone(session, &conn);
        open_session();
    }
    static const char *const later[] = {
        "",
        "\n",
        "{}\n\n{}",
        "{\"id\":2,\"connect\":{}}",
        "{\"id\":2,\"ping\":{}}",
        "{\"id\":2}",
        "{\"subscribe\":{\"channel\":\"a\"}}",
        "{\"id\":2,\"subscribe\":{}}",
        "{\"id\":2,\"subscribe\":{\"channel\":7}}",
        "{\"id\":2,\"subscribe\":{\"channel\":\"a\",\"delta\":\"xdelta\"}}",
        "{\"id\":2,\"unsubscribe\":{}}",
        "{\"id\":2,\"refresh\":{}}",
        "{\"id\":2,\"publish\":{\"data\":1}}",
        "{\"id\":2,\"publish\":{\"channel\":\"a\"}}",
        "{\"id\":2,\"presence\":{}}",
        "{\"id\":2,\"presence_stats\":{\"channel\":\"\"}}",
    };
    for (size_t i = 0; i < COUNT(later); i++) {
        connect_anonymous();
        say(later[i]);
        hear_close(EDGE_CLOSE_BAD_REQUEST);
        fake_client_gone(session, &conn);
        open_session();
    }
}

static void what_was_answered_before_a_bad_line_is_still_sent(void **state)
{
    (void)state;
    connect_anonymous();
    say("{\"id\":2,\"rpc\":{}}\n{\"id\":3,\"unsubscribe\":{\"channel\":\"a\"}}\nbroken\n{\"id\":4,\"rpc\":{}"
        "}");
    hear("{\"id\":2,\"error\":{\"code\":108,\"message\":\"not available\"}}\n{\"id\":3,\"unsubscribe\":{}}");
    hear_close(EDGE_CLOSE_BAD_REQUEST);
}

static void commands_that_are_not_there_are_not_available(void **state)
{
    (void)state;
    static const char *const methods[] = {"history", "rpc"};
    connect_anonymous();
    for (unsigned i = 0; i < COUNT(methods); i++) {
        char text[100];
        snprintf(text, sizeof text, "{\"id\":%u,\"%s\":{\"channel\":\"a\",\"token\":\"J\"}}", i + 2,
                 methods[i]);
        say(text);
        hear_error(i + 2, CENTRIFUGE_ERROR_NOT_AVAILABLE);
    }
    say("{\"send\":{\"data\":{\"fire\":1}}}");
    hear_close(EDGE_CLOSE_NOT_AVAILABLE);
}

/* --- signs of life --- */

/* Time goes by until something is said. */
static void wait_for_ping(void)
{
    for (unsigned tenths = 0; unseen().size == 0; tenths++) {
        assert_true(tenths < 260);
        fake_worker_pass(worker, CLOCK_SEC / 10);
    }
    hear("{}");
}

static void a_client_that_answers_pings_stays(void **state)
{
    (void)state;
    static const char *const answers[] = {"{}", "{\"id\":2,\"unsubscribe\":{\"channel\":\"a\"}}", "{}\n"};
    connect_anonymous();
    for (size_t i = 0; i < COUNT(answers); i++) {
        wait_for_ping();
        say(answers[i]);
        if (i == 1)
            hear("{\"id\":2,\"unsubscribe\":{}}");
    }
    fake_worker_pass(worker, 20 * CLOCK_SEC);
    assert_true(edge_session_is_open(session));
}

static void a_client_that_does_not_answer_is_closed(void **state)
{
    (void)state;
    connect_anonymous();
    wait_for_ping();
    fake_worker_pass(worker, 9 * CLOCK_SEC);
    hear_close(EDGE_CLOSE_NO_PONG);
}

static void a_pong_that_nobody_asked_for_is_tolerated(void **state)
{
    (void)state;
    connect_anonymous();
    say("{}\n{}\n");
    hear_nothing();
    assert_true(edge_session_is_open(session));
}

/* --- a full uplink --- */

static void what_meets_a_full_uplink_is_held_and_done_in_order(void **state)
{
    (void)state;
    connect_anonymous();
    uplink->publish_err = ERR_FULL;
    say("{\"id\":2,\"rpc\":{}}\n{\"id\":3,\"publish\":{\"channel\":\"a\",\"data\":\"one\"}}\n{\"id\":4,"
        "\"rpc\":{}}");
    hear_error(2, CENTRIFUGE_ERROR_NOT_AVAILABLE);
    assert_true(conn.paused);
    say("{\"id\":5,\"publish\":{\"channel\":\"a\",\"data\":\"two\"}}\n");
    say("{}");
    say("{\"id\":6,\"publish\":{\"channel\":\"a\",\"data\":\"three\"}}");
    edge_session_resume(session); /* there was no room after all */
    hear_nothing();
    assert_true(conn.paused);
    assert_int_equal(uplink->publication_count, 0);
    uplink->publish_err = OK;
    edge_session_resume(session);
    assert_false(conn.paused);
    hear_error(4, CENTRIFUGE_ERROR_NOT_AVAILABLE);
    static const char *const payloads[] = {"\"one\"", "\"two\"", "\"three\""};
    assert_int_equal(uplink->publication_count, COUNT(payloads));
    for (size_t i = 0; i < COUNT(payloads); i++)
        assert_non_null(strstr(buf_text(&uplink->publications[i].text), payloads[i]));
    fake_relays_published(uplink, OK, EPOCH, 1);
    hear("{\"id\":3,\"publish\":{}}");
    say("{\"id\":7,\"rpc\":{}}");
    hear_error(7, CENTRIFUGE_ERROR_NOT_AVAILABLE);
}

static void a_bad_line_behind_a_held_one_closes_when_its_turn_comes(void **state)
{
    (void)state;
    connect_anonymous();
    uplink->publish_err = ERR_FULL;
    say("{\"id\":2,\"publish\":{\"channel\":\"a\",\"data\":1}}");
    say("\n");
    assert_true(edge_session_is_open(session));
    uplink->publish_err = OK;
    edge_session_resume(session);
    assert_int_equal(uplink->publication_count, 1);
    hear_close(EDGE_CLOSE_BAD_REQUEST);
}

static void what_is_held_is_bounded(void **state)
{
    (void)state;
    connect_anonymous();
    uplink->publish_err = ERR_FULL;
    buf_t frame = {0};
    buf_printf(&frame, "{\"id\":2,\"publish\":{\"channel\":\"a\",\"data\":\"%060000d\"}}", 7);
    unsigned count = 0;
    while (edge_session_is_open(session) && count++ < 100)
        edge_session_message(session, false, buf_span(&frame));
    assert_in_range(count, 2, 10);
    buf_fini(&frame);
    hear_close(EDGE_CLOSE_TOO_MANY);
}

static void a_client_has_so_many_commands_unanswered_and_no_more(void **state)
{
    (void)state;
    connect_anonymous();
    for (unsigned i = 0; i < CENTRIFUGE_WAITING_MAX + 10; i++)
        say("{\"id\":2,\"publish\":{\"channel\":\"a\",\"data\":1}}");
    assert_int_equal(uplink->publication_count, CENTRIFUGE_WAITING_MAX);
    assert_true(conn.paused);
    for (unsigned i = CENTRIFUGE_WAITING_MAX; i > CENTRIFUGE_WAITING_LOW + 1; i--)
        fake_relays_published(uplink, OK, EPOCH, 1);
    assert_true(conn.paused);
    fake_relays_published(uplink, OK, EPOCH, 1);
    assert_false(conn.paused);
    assert_int_equal(uplink->publication_count, CENTRIFUGE_WAITING_MAX + 10);
}

static void many_answers_to_one_frame_go_in_pieces(void **state)
{
    (void)state;
    connect_anonymous();
    buf_t frame = {0};
    for (unsigned i = 0; i < 2000; i++)
        buf_append_str(&frame, "{\"id\":2,\"unsubscribe\":{\"channel\":\"a\"}}\n");
    edge_session_message(session, false, buf_span(&frame));
    buf_fini(&frame);
    span_t rest = unseen();
    size_t frames = 0, bytes = 0;
    while (rest.size > 0) {
        bytes += fake_next_frame(&rest).payload.size + 1;
        frames++;
    }
    assert_int_equal(frames, 2);
    assert_int_equal(bytes, 2000 * sizeof "{\"id\":2,\"unsubscribe\":{}}");
    seen = conn.written.size;
}

/* --- what is sent --- */

static void payloads_of_all_kinds_are_json(void **state)
{
    (void)state;
    connect_anonymous();
    subscribe_to("a");
    arrive("a", 1, MESSAGE_JSON, SPAN("[1,\n2]"));
    hear("{\"push\":{\"channel\":\"a\",\"pub\":{\"data\":[1,2],\"offset\":1}}}");
    arrive("a", 2, 0, SPAN("plain\n"));
    hear("{\"push\":{\"channel\":\"a\",\"pub\":{\"data\":\"plain\\n\",\"offset\":2}}}");
    arrive("a", 3, MESSAGE_BINARY, SPAN("\xff"));
    hear("{\"push\":{\"channel\":\"a\",\"pub\":{\"data\":{\"b64data\":\"/w==\"},\"offset\":3}}}");
}

static void a_client_that_does_not_read_is_closed_as_slow(void **state)
{
    (void)state;
    worker->config.limits.outbox = 300;
    worker->config.limits.on_slow_client = SLOW_DROP_OLDEST; /* not for clients that count on every message */
    connect_anonymous();
    subscribe_to("a");
    conn.room = 0;
    for (uint64_t offset = 1; offset <= 10; offset++) {
        arrive("a", offset, MESSAGE_JSON, SPAN("\"some message\""));
        fake_worker_flush(worker);
    }
    assert_false(edge_session_is_open(session));
    assert_int_equal(session->close_code, EDGE_CLOSE_SLOW);
}

static void every_close_has_a_reason_that_is_not_json(void **state)
{
    (void)state;
#define CODE(NAME, code, reason, counter) EDGE_CLOSE_##NAME,
    static const edge_close_code_t codes[] = {EDGE_CLOSE_CODES(CODE)};
#undef CODE
    for (size_t i = 0; i < COUNT(codes); i++) {
        span_t reason = span_str(edge_close_reason(codes[i]));
        json_value_t value;
        assert_in_range(reason.size, 1, 123);
        assert_int_not_equal(json_parse(reason, &value), OK);
    }
}

/* --- recovery --- */

/* Asks to go on behind 5; the channel is at 7 by then. */
static void recover(const char *channel, const char *epoch, unsigned flag)
{
    buf_t text = {0};
    buf_printf(&text,
               "{\"id\":2,\"subscribe\":{\"channel\":\"%s\",\"recover\":true,\"epoch\":\"%s\",\"offset\":5,"
               "\"flag\":%u}}",
               channel, epoch, flag);
    say(buf_text(&text));
    buf_fini(&text);
    turn();
    sub_ok_at(channel, 7);
    turn();
}

static void who_goes_on_gets_what_it_missed_in_the_answer(void **state)
{
    (void)state;
    connect_anonymous();
    recover("kept:a", EPOCH, 1);
    hear_nothing();
    assert_string_equal(buf_text(&uplink->asks[0].wanted), EPOCH ":5 300 0");
    arrive("kept:a", 8, MESSAGE_JSON, SPAN("8"));
    recalled(0, "kept:a", 8, true, 3);
    hear("{\"id\":2,\"subscribe\":{\"recoverable\":true,\"positioned\":true,\"epoch\":\"" EPOCH
         "\",\"offset\":5,\"was_recovering\":true,\"recovered\":true,\"publications\":["
         "{\"data\":6,\"offset\":6},{\"data\":7,\"offset\":7},{\"data\":8,\"offset\":8}]}}");
    arrive("kept:a", 9, MESSAGE_JSON, SPAN("9"));
    hear("{\"push\":{\"channel\":\"kept:a\",\"pub\":{\"data\":9,\"offset\":9}}}");
}

#define NOT_RECOVERED                                                                      \
    "{\"id\":2,\"subscribe\":{\"recoverable\":true,\"positioned\":true,\"epoch\":\"" EPOCH \
    "\",\"offset\":7,"                                                                     \
    "\"was_recovering\":true}}"

static void who_cannot_go_on_starts_from_the_top(void **state)
{
    (void)state;
    connect_anonymous();
    recover("kept:a", EPOCH, 1);
    recalled(0, "kept:a", 7, false, 1);
    hear(NOT_RECOVERED);
    assert_int_equal(session->subscription_count, 1);
    arrive("kept:a", 8, MESSAGE_JSON, SPAN("8"));
    hear("{\"push\":{\"channel\":\"kept:a\",\"pub\":{\"data\":8,\"offset\":8}}}");
}

static void an_epoch_that_was_never_ours_starts_from_the_top(void **state)
{
    (void)state;
    connect_anonymous();
    recover("kept:a", "x1", 1);
    hear(NOT_RECOVERED);
    assert_int_equal(uplink->ask_count, 0);
}

static void who_must_go_on_and_cannot_is_refused(void **state)
{
    (void)state;
    connect_anonymous();
    recover("kept:a", EPOCH, 3);
    recalled(0, "kept:a", 7, false, 1);
    hear_error(2, CENTRIFUGE_ERROR_UNRECOVERABLE);
    assert_int_equal(session->subscription_count, 0);
    arrive("kept:a", 8, MESSAGE_JSON, SPAN("8"));
    hear_nothing();
}

static void without_history_nothing_is_said_about_positions(void **state)
{
    (void)state;
    connect_anonymous();
    recover("a", EPOCH, 1);
    recalled(0, "a", 7, false, 0);
    hear("{\"id\":2,\"subscribe\":{}}");
}

static void a_subscription_that_is_still_going_on_may_be_ended(void **state)
{
    (void)state;
    connect_anonymous();
    recover("kept:a", EPOCH, 1);
    say("{\"id\":3,\"unsubscribe\":{\"channel\":\"kept:a\"}}");
    hear("{\"id\":2,\"subscribe\":{}}\n{\"id\":3,\"unsubscribe\":{}}");
    assert_null(uplink->asks[0].answered);
    assert_int_equal(session->subscription_count, 0);
}

/* What goes on when the first is answered takes away the next that would be. */
static void one_that_is_answered_may_end_another_that_would_be(void **state)
{
    (void)state;
    connect_anonymous();
    say("{\"id\":2,\"subscribe\":{\"channel\":\"kept:a\"}}\n{\"id\":3,\"subscribe\":{\"channel\":\"kept:b\"}}"
        "\n"
        "{\"id\":4,\"unsubscribe\":{\"channel\":\"kept:a\"}}\n{\"id\":5,\"unsubscribe\":{\"channel\":\"kept:"
        "b\"}}");
    turn();
    seen = conn.written.size;
    say("{\"id\":6,\"subscribe\":{\"channel\":\"kept:a\",\"recover\":true,\"epoch\":\"x\"}}\n"
        "{\"id\":7,\"subscribe\":{\"channel\":\"kept:b\",\"recover\":true,\"epoch\":\"x\"}}\n"
        "{\"id\":8,\"publish\":{\"channel\":\"kept:a\",\"data\":1}}\n"
        "{\"id\":9,\"unsubscribe\":{\"channel\":\"kept:b\"}}");
    turn();
    sub_ok_at("kept:a", 7);
    sub_ok_at("kept:b", 7);
    turn();
    assert_int_equal(session->subscription_count, 1);
    assert_int_equal(uplink->publication_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_path_and_the_subprotocol_decide_who_is_served),
        TEST(an_anonymous_client_is_let_in),
        TEST(without_pings_none_are_promised),
        TEST(a_token_says_who_the_client_is),
        TEST(where_tokens_are_required_anonymous_clients_are_closed),
        TEST(a_bad_token_closes),
        TEST(a_subscription_token_does_not_connect),
        TEST(an_expired_token_is_an_error_and_what_was_sent_behind_it_is_not_done),
        TEST(a_token_of_the_future_is_an_error),
        TEST(silence_after_a_refused_connect_is_stale),
        TEST(bad_requests_close),
        TEST(what_was_answered_before_a_bad_line_is_still_sent),
        TEST(commands_that_are_not_there_are_not_available),
        TEST(a_client_that_answers_pings_stays),
        TEST(a_client_that_does_not_answer_is_closed),
        TEST(a_pong_that_nobody_asked_for_is_tolerated),
        TEST(what_meets_a_full_uplink_is_held_and_done_in_order),
        TEST(a_bad_line_behind_a_held_one_closes_when_its_turn_comes),
        TEST(what_is_held_is_bounded),
        TEST(a_client_has_so_many_commands_unanswered_and_no_more),
        TEST(many_answers_to_one_frame_go_in_pieces),
        TEST(payloads_of_all_kinds_are_json),
        TEST(a_client_that_does_not_read_is_closed_as_slow),
        TEST(every_close_has_a_reason_that_is_not_json),
        TEST(who_goes_on_gets_what_it_missed_in_the_answer),
        TEST(who_cannot_go_on_starts_from_the_top),
        TEST(an_epoch_that_was_never_ours_starts_from_the_top),
        TEST(who_must_go_on_and_cannot_is_refused),
        TEST(without_history_nothing_is_said_about_positions),
        TEST(a_subscription_that_is_still_going_on_may_be_ended),
        TEST(one_that_is_answered_may_end_another_that_would_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
