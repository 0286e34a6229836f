/* tests/unit/edge/session_fixture - where each test of a session starts: one client of a dialect that counts
 * its calls, on a worker whose time and kernel the test holds in its hands.
 * Life: set_up -> (say | reconnect_as | ...)* -> tear_down
 */
#ifndef HEDDLE_TESTS_SESSION_FIXTURE_H
#define HEDDLE_TESTS_SESSION_FIXTURE_H

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
    unsigned opened, messages, pings, resumed, expired, closed;
    bool pauses_again;
} calls;

static inline void count_opened(edge_session_t *session)
{
    (void)session;
    calls.opened++;
}

static inline void count_message(edge_session_t *session, bool binary, span_t payload)
{
    (void)session;
    (void)binary;
    (void)payload;
    calls.messages++;
}

static inline void count_ping(edge_session_t *session)
{
    calls.pings++;
    edge_session_send_frame(session, WEBSOCKET_PING, (span_t){0});
}

static inline void count_resumed(edge_session_t *session)
{
    calls.resumed++;
    if (calls.pauses_again)
        edge_session_pause(session);
}

static inline void count_expired(edge_session_t *session, uint64_t wall_us)
{
    (void)session;
    (void)wall_us;
    calls.expired++;
}

static inline void count_closed(edge_session_t *session)
{
    (void)session;
    calls.closed++;
}

static const edge_dialect_t careful = {.name = "careful",
                                       .opened = count_opened,
                                       .message = count_message,
                                       .ping = count_ping,
                                       .resumed = count_resumed,
                                       .expired = count_expired,
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

static inline void connect_as(const edge_dialect_t *dialect)
{
    edge_identity_t identity = {0};
    session = fake_client_of(worker, edge_session_new(&worker->worker, dialect, &identity), &conn);
}

static inline int set_up(void **state)
{
    (void)state;
    memset(&calls, 0, sizeof calls);
    unsubscribed_all = 0;
    worker = fake_worker_new();
    connect_as(&careful);
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    if (session)
        fake_client_gone(session, &conn);
    session = NULL;
    fake_worker_destroy(worker);
    return 0;
}

static inline void reconnect_as(const edge_dialect_t *dialect)
{
    fake_client_gone(session, &conn);
    connect_as(dialect);
}

static inline span_t written(void)
{
    return buf_span(&conn.written);
}

static inline void say(const char *text)
{
    edge_session_send_text(session, span_str(text));
}

/* A text of `size` bytes, which in a frame become `size` + 4. */
static inline void say_big(uint8_t letter, size_t size)
{
    buf_t text = {0};
    memset(buf_reserve(&text, size), letter, size);
    buf_advance(&text, size);
    edge_session_send_text(session, buf_span(&text));
    buf_fini(&text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
