#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/ws_client.h"
#include "tests/unit/cli/ws_server.h"

static uint64_t soon(void)
{
    return clock_now_us() + 5 * CLOCK_SEC;
}

/* Answers what was sent; "bye" with a close frame, "ping" with a ping before the answer, "cut" with a
 * hang-up. */
static bool echo(ws_server_t *server, ws_peer_t *peer, const websocket_event_t *event)
{
    (void)server;
    if (span_is(event->payload, "cut"))
        return false;
    if (span_is(event->payload, "ping"))
        ws_server_send(peer, WEBSOCKET_PING, SPAN("are you there?"));
    if (span_is(event->payload, "bye") || event->opcode == WEBSOCKET_CLOSE)
        ws_server_send(peer, WEBSOCKET_CLOSE, SPAN("\x0b\xb9going"));
    else if (event->opcode == WEBSOCKET_PONG)
        ws_server_send(peer, WEBSOCKET_BINARY, event->payload);
    else
        ws_server_send(peer, event->opcode, event->payload);
    return true;
}

typedef struct pair {
    ws_server_t server;
    cli_ws_client_t *client;
} pair_t;

static int set_up(void **state)
{
    pair_t *pair = mem_new(sizeof *pair);
    char url[128];
    buf_t why = {0};
    ws_server_start(&pair->server, echo);
    snprintf(url, sizeof url, "%s/ws/a?mode=sub", pair->server.url);
    assert_int_equal(cli_ws_client_open(&pair->client, url, NULL, soon(), &why), OK);
    buf_fini(&why);
    *state = pair;
    return 0;
}

static int tear_down(void **state)
{
    pair_t *pair = *state;
    cli_ws_client_destroy(&pair->client);
    ws_server_stop(&pair->server);
    mem_free(pair);
    return 0;
}

static void assert_next(cli_ws_client_t *client, websocket_opcode_t opcode, span_t payload)
{
    websocket_event_t event;
    assert_int_equal(cli_ws_client_receive(client, soon(), &event), OK);
    assert_int_equal(event.opcode, opcode);
    assert_true(span_eq(event.payload, payload));
}

static void a_message_goes_and_comes(void **state)
{
    pair_t *pair = *state;
    assert_int_equal(cli_ws_client_send(pair->client, WEBSOCKET_TEXT, SPAN("hello"), soon()), OK);
    assert_next(pair->client, WEBSOCKET_TEXT, SPAN("hello"));
    assert_int_equal(cli_ws_client_send(pair->client, WEBSOCKET_BINARY, (span_t){0}, soon()), OK);
    assert_next(pair->client, WEBSOCKET_BINARY, (span_t){0});
}

static void a_message_larger_than_every_buffer_comes_whole(void **state)
{
    pair_t *pair = *state;
    enum { SIZE = 600000 };
    uint8_t *payload = mem_new(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        payload[i] = (uint8_t)(i * 31);
    assert_int_equal(cli_ws_client_send(pair->client, WEBSOCKET_BINARY, span_new(payload, SIZE), soon()), OK);
    assert_next(pair->client, WEBSOCKET_BINARY, span_new(payload, SIZE));
    mem_free(payload);
}

static void messages_that_come_together_are_received_one_by_one(void **state)
{
    pair_t *pair = *state;
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(cli_ws_client_send(pair->client, WEBSOCKET_TEXT, SPAN("again"), soon()), OK);
    for (unsigned i = 0; i < 20; i++)
        assert_next(pair->client, WEBSOCKET_TEXT, SPAN("again"));
}

static void a_ping_is_answered_while_waiting(void **state)
{
    pair_t *pair = *state;
    assert_int_equal(cli_ws_client_send(pair->client, WEBSOCKET_TEXT, SPAN("ping"), soon()), OK);
    assert_next(pair->client, WEBSOCKET_TEXT, SPAN("ping"));
    assert_next(pair->client, WEBSOCKET_BINARY, SPAN("are you there?"));
}

static void silence_ends_at_the_deadline_and_leaves_the_connection_good(void **state)
{
    pair_t *pair = *state;
    websocket_event_t event;
    assert_int_equal(cli_ws_client_receive(pair->client, clock_now_us() + 2 * CLOCK_MS, &event), ERR_TIMEOUT);
    assert_int_equal(cli_ws_client_receive(pair->client, 0, &event), ERR_TIMEOUT);
    a_message_goes_and_comes(state);
}

static void a_close_frame_is_received_with_its_code(void **state)
{
    pair_t *pair = *state;
    websocket_event_t event;
    assert_int_equal(cli_ws_client_send(pair->client, WEBSOCKET_TEXT, SPAN("bye"), soon()), OK);
    assert_int_equal(cli_ws_client_receive(pair->client, soon(), &event), OK);
    assert_int_equal(event.opcode, WEBSOCKET_CLOSE);
    assert_int_equal(event.close_code, 3001);
    assert_true(span_is(event.close_reason, "going"));
}

static void close_waits_for_the_other_side(void **state)
{
    pair_t *pair = *state;
    assert_int_equal(cli_ws_client_close(pair->client, 1000, "done", soon()), OK);
}

static void a_connection_that_breaks_is_closed(void **state)
{
    pair_t *pair = *state;
    websocket_event_t event;
    assert_int_equal(cli_ws_client_send(pair->client, WEBSOCKET_TEXT, SPAN("cut"), soon()), OK);
    assert_int_equal(cli_ws_client_receive(pair->client, soon(), &event), ERR_CLOSED);
}

/* --- opening --- */

static void assert_refused(const char *url, uint64_t deadline_us, int err, const char *reason)
{
    cli_ws_client_t *client = NULL;
    buf_t why = {0};
    assert_int_equal(cli_ws_client_open(&client, url, NULL, deadline_us, &why), err);
    assert_null(client);
    if (!strstr(buf_text(&why), reason))
        fail_msg("'%s' does not say '%s'", buf_text(&why), reason);
    buf_fini(&why);
}

static void a_refused_handshake_tells_the_status(void **state)
{
    (void)state;
    ws_server_t server = {.status = 403};
    ws_server_start(&server, echo);
    assert_refused(server.url, soon(), ERR_DENIED, "HTTP status 403");
    ws_server_stop(&server);
}

/* A bound socket that does not listen refuses, and the port is nobody else's. */
static void where_nobody_listens_the_reason_is_told(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    char url[64];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    snprintf(url, sizeof url, "ws://127.0.0.1:%u", ntohs(address.sin_port));
    assert_refused(url, soon(), ERR_UNAVAILABLE, "Connection refused");
    assert_int_equal(listen(fd, 1), 0);
    assert_refused(url, clock_now_us() + 2 * CLOCK_MS, ERR_TIMEOUT, "timed out");
    close(fd);
}

static void a_wrong_url_is_refused(void **state)
{
    (void)state;
    assert_refused("http://127.0.0.1", soon(), ERR_UNKNOWN, "does not begin with ws://");
    assert_refused("ws://", soon(), ERR_MALFORMED, "ws://");
}

int main(void)
{
#define WITH_PAIR(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_PAIR(a_message_goes_and_comes),
        WITH_PAIR(a_message_larger_than_every_buffer_comes_whole),
        WITH_PAIR(messages_that_come_together_are_received_one_by_one),
        WITH_PAIR(a_ping_is_answered_while_waiting),
        WITH_PAIR(silence_ends_at_the_deadline_and_leaves_the_connection_good),
        WITH_PAIR(a_close_frame_is_received_with_its_code),
        WITH_PAIR(close_waits_for_the_other_side),
        WITH_PAIR(a_connection_that_breaks_is_closed),
        cmocka_unit_test(a_refused_handshake_tells_the_status),
        cmocka_unit_test(where_nobody_listens_the_reason_is_told),
        cmocka_unit_test(a_wrong_url_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
