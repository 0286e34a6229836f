/* The same answers come out whether the bytes come at once or in pieces, their dates aside. The first byte
 * chooses the size of the pieces. */
#include <strings.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/http/connection.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct memory {
    buf_t written;
    bool shut;
} memory_t;

static int memory_write(void *socket, span_t bytes)
{
    buf_append_span(&((memory_t *)socket)->written, bytes);
    return OK;
}

static bool memory_is_full(void *socket)
{
    (void)socket;
    return false;
}

static void ignore(void *socket)
{
    (void)socket;
}

static void memory_shut(void *socket)
{
    ((memory_t *)socket)->shut = true;
}

static const http_wire_t wire = {.write = memory_write,
                                 .is_full = memory_is_full,
                                 .wait = ignore,
                                 .resume = ignore,
                                 .shut = memory_shut,
                                 .drop = ignore};

static void echo(void *context, http_exchange_t *exchange)
{
    (void)context;
    char name[16];
    span_t key = {0};
    buf_t body = {0};
    int size = http_exchange_query_value(exchange, "name", name, sizeof name);
    http_exchange_header(exchange, "x-api-key", &key);
    buf_append(&body, name, size > 0 ? (size_t)size : 0);
    buf_append_span(&body, key);
    buf_append_span(&body, http_exchange_body(exchange));
    http_exchange_respond(exchange, 200, "text/plain", NULL, buf_span(&body));
    buf_fini(&body);
}

static const http_route_t routes[] = {{"GET", "/*", echo}, {"POST", "/*", echo}};
static const http_site_t site = {.wire = &wire, .routes = routes, .route_count = 2, .body_limit = 200};

static void forget_dates(buf_t *text)
{
    static const char date[] = "\r\nDate: ";
    for (size_t at = 0; at + sizeof date + 28 < text->size; at++)
        if (memcmp(text->data + at, date, sizeof date - 1) == 0)
            memset(text->data + at + sizeof date - 1, 'x', 29);
}

static void serve(span_t bytes, size_t piece_size, buf_t *out)
{
    memory_t memory = {0};
    http_connection_t *connection = http_connection_new(&site, &memory);
    int rc = OK;
    while (bytes.size && rc == OK && !memory.shut) {
        size_t size = bytes.size < piece_size ? bytes.size : piece_size;
        buf_t piece = {0}; /* its own memory, so that a byte too far is noticed */
        buf_append(&piece, bytes.data, size);
        rc = http_connection_receive(connection, buf_span(&piece));
        bytes = span_skip(bytes, size);
        buf_fini(&piece);
    }
    http_connection_destroy(&connection);
    *out = memory.written;
    forget_dates(out);
}

/* A client that asks first is only told to go on if its body isn't there yet: that depends on the pieces. */
static bool asks_first(span_t bytes)
{
    for (size_t i = 0; i + 12 <= bytes.size; i++)
        if (strncasecmp((const char *)bytes.data + i, "100-continue", 12) == 0)
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    buf_t at_once, in_pieces;
    span_t bytes = span_new(data + 1, size - 1);
    serve(bytes, SIZE_MAX, &at_once);
    serve(bytes, (size_t)data[0] + 1, &in_pieces);
    CHECK(asks_first(bytes) || span_eq(buf_span(&at_once), buf_span(&in_pieces)));
    buf_fini(&at_once);
    buf_fini(&in_pieces);
    return 0;
}
