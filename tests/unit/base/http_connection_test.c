#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/http/connection.h"

/* --- a wire of memory that can be full --- */

typedef struct memory {
    buf_t written;
    bool full, waiting, shut, dropped;
    http_connection_t *connection;
} memory_t;

static http_exchange_t *kept;

static int memory_write(void *socket, span_t bytes)
{
    buf_append_span(&((memory_t *)socket)->written, bytes);
    return OK;
}

static bool memory_is_full(void *socket)
{
    return ((memory_t *)socket)->full;
}

static void memory_wait(void *socket)
{
    ((memory_t *)socket)->waiting = true;
}

static void memory_resume(void *socket)
{
    ((memory_t *)socket)->waiting = false;
}

static void memory_shut(void *socket)
{
    ((memory_t *)socket)->shut = true;
}

static void memory_drop(void *socket)
{
    ((memory_t *)socket)->dropped = true;
}

static const http_wire_t wire = {.write = memory_write,
                                 .is_full = memory_is_full,
                                 .wait = memory_wait,
                                 .resume = memory_resume,
                                 .shut = memory_shut,
                                 .drop = memory_drop};

static void keep(void *context, http_exchange_t *exchange)
{
    (void)context;
    kept = exchange;
}

static const http_route_t routes[] = {{"POST", "/", keep}};
static const http_site_t site = {.wire = &wire, .routes = routes, .route_count = 1, .body_limit = 100};

static const http_site_t site_of_one_request = {
    .wire = &wire, .routes = routes, .route_count = 1, .body_limit = 100, .one_request = true};

static void open_memory(memory_t *self)
{
    *self = (memory_t){0};
    self->connection = http_connection_new(&site, self);
}

static void close_memory(memory_t *self)
{
    http_connection_destroy(&self->connection);
    buf_fini(&self->written);
}

static void receive(memory_t *self, const char *text)
{
    assert_int_equal(http_connection_receive(self->connection, span_str(text)), OK);
}

/* Late in more than `seconds` and not before. */
static void assert_patience(const memory_t *self, unsigned seconds)
{
    uint64_t now_us = clock_now_us();
    assert_false(http_connection_is_late(self->connection, now_us + (seconds - 1) * (uint64_t)CLOCK_SEC));
    assert_true(http_connection_is_late(self->connection, now_us + seconds * (uint64_t)CLOCK_SEC));
}

static void each_wait_has_its_end(void **state)
{
    (void)state;
    memory_t memory;
    open_memory(&memory);
    assert_patience(&memory, 10); /* a head */
    receive(&memory, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n");
    assert_patience(&memory, 10);
    receive(&memory, "\r\n");
    assert_patience(&memory, 30); /* a body */
    receive(&memory, "ok");
    assert_false(http_connection_is_late(memory.connection, UINT64_MAX)); /* our own time */
    memory.full = true;
    http_exchange_respond(kept, 200, NULL, NULL, SPAN("x"));
    assert_true(memory.waiting);
    assert_patience(&memory, 30); /* the client to read */
    memory.full = false;
    assert_int_equal(http_connection_writable(memory.connection), OK);
    assert_false(memory.waiting);
    assert_patience(&memory, 60); /* the next request */
    receive(&memory, "P");
    assert_patience(&memory, 10);
    receive(&memory, "?");
    assert_true(memory.shut);
    assert_patience(&memory, 2); /* the client to close */
    close_memory(&memory);
}

/* A byte now and then must not buy another ten seconds. */
static void the_time_for_a_head_does_not_begin_anew_with_each_byte(void **state)
{
    (void)state;
    memory_t memory;
    open_memory(&memory);
    uint64_t start_us = clock_now_us();
    while (clock_now_us() < start_us + 2000) { /* so that a renewed deadline could be told from the first */
    }
    receive(&memory, "P");
    assert_true(http_connection_is_late(memory.connection, start_us + 10 * (uint64_t)CLOCK_SEC + 1000));
    close_memory(&memory);
}

static void a_site_of_one_request_ends_with_its_answer_and_says_so(void **state)
{
    (void)state;
    memory_t memory = {0};
    memory.connection = http_connection_new(&site_of_one_request, &memory);
    receive(&memory, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
    http_exchange_respond(kept, 200, NULL, NULL, SPAN("x"));
    assert_non_null(strstr(buf_text(&memory.written), "\r\nConnection: close\r\n"));
    assert_true(memory.shut);
    close_memory(&memory);
}

static void what_comes_after_the_last_answer_is_thrown_away(void **state)
{
    (void)state;
    memory_t memory;
    open_memory(&memory);
    receive(&memory, "?");
    size_t answered = memory.written.size;
    receive(&memory, "POST / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(memory.written.size, answered);
    close_memory(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_wait_has_its_end),
        cmocka_unit_test(the_time_for_a_head_does_not_begin_anew_with_each_byte),
        cmocka_unit_test(a_site_of_one_request_ends_with_its_answer_and_says_so),
        cmocka_unit_test(what_comes_after_the_last_answer_is_thrown_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
