/* tests/unit/edge/fake_api - calls of the API without a connection, and relays that answer when the test says so: call,
 * expect. A test includes it behind cmocka.h.
 */
#ifndef HEDDLE_TESTS_FAKE_API_H
#define HEDDLE_TESTS_FAKE_API_H

#include "base/err.h"
#include "edge/api.h"
#include "edge/worker.h"
#include "fake_relays.h"
#include "protocol/json.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define KEY          "a key of ours"
#define EPOCH        "abcdEFGH"

/* --- an exchange without a connection --- */

struct http_exchange {
    const char *body;
    const char *key, *authorization;
    void (*gone)(void *user);
    void *user;
    int status; /* 0 = not answered yet */
    buf_t answer;
};

span_t http_exchange_body(const http_exchange_t *self)
{
    return span_str(self->body);
}

bool http_exchange_header(const http_exchange_t *self, const char *name, span_t *value)
{
    const char *text = strcmp(name, "x-api-key") == 0       ? self->key
                       : strcmp(name, "authorization") == 0 ? self->authorization
                                                            : NULL;
    *value = span_str(text);
    return text != NULL;
}

void http_exchange_on_gone(http_exchange_t *self, void (*gone)(void *user), void *user)
{
    self->gone = gone;
    self->user = user;
}

void http_exchange_respond(http_exchange_t *self, int status, const char *content_type, const char *headers,
                           span_t body)
{
    (void)headers;
    assert_int_equal(self->status, 0);
    self->status = status;
    assert_int_equal(status == 200, strcmp(content_type, "application/json") == 0);
    buf_append_span(&self->answer, body);
}

/* The caller goes away, if it still waits. */
static inline void leave(http_exchange_t *self)
{
    if (self->gone && !self->status)
        self->gone(self->user);
    self->gone = NULL;
}

/* --- one worker --- */

static edge_worker_t worker;
static edge_config_t config;
static uplink_t *relays;
static http_exchange_t exchange;

static inline int begin(void **state)
{
    (void)state;
    static char first[] = "another key", second[] = KEY;
    static char *keys[] = {first, second};
    relays = fake_relays_new();
    channel_options_t with = {.presence = true}, without = {.publish = PUBLISH_NOBODY};
    namespaces_add(&relays->namespaces, SPAN("default"), &with);
    namespaces_add(&relays->namespaces, SPAN("quiet"), &without);
    channel_options_t kept = {.history_size = 10, .history_ttl_us = 1000000};
    namespaces_add(&relays->namespaces, SPAN("kept"), &kept);
    config.api.keys = (config_list_t){keys, COUNT(keys)};
    worker.config = &config;
    worker.uplink = relays;
    return 0;
}

static inline int end(void **state)
{
    (void)state;
    leave(&exchange);
    fake_relays_destroy(relays);
    buf_fini(&exchange.answer);
    return 0;
}

static inline void call_as(const char *path, const char *body, const char *key, const char *authorization)
{
    leave(&exchange);
    buf_fini(&exchange.answer);
    exchange = (http_exchange_t){.body = body, .key = key, .authorization = authorization};
    for (size_t i = 0; i < edge_api_route_count; i++) {
        if (strcmp(edge_api_routes[i].path, path) == 0) {
            assert_string_equal(edge_api_routes[i].method, "POST");
            edge_api_routes[i].handler(&worker, &exchange);
            return;
        }
    }
    fail_msg("no route %s", path);
}

static inline void call(const char *path, const char *body)
{
    call_as(path, body, KEY, NULL);
}

static inline void expect(const char *answer)
{
    json_value_t value;
    assert_int_equal(exchange.status, 200);
    assert_string_equal(buf_text(&exchange.answer), answer);
    assert_int_equal(json_parse(buf_span(&exchange.answer), &value), OK);
}

static inline void expect_error(unsigned code)
{
    char beginning[40];
    snprintf(beginning, sizeof beginning, "{\"error\":{\"code\":%u,", code);
    if (exchange.status != 200 || !span_starts(buf_span(&exchange.answer), span_str(beginning)))
        fail_msg("%d <%s> instead of error %u", exchange.status, buf_text(&exchange.answer), code);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

#endif
