#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "fake_api.h"
#include "protocol/codec.h"
#include "protocol/recall.h"

#define PUBLISH(channel) "{\"publish\":{\"channel\":\"" channel "\",\"data\":1}}"
#define UNKNOWN          "{\"error\":{\"code\":102,\"message\":\"unknown channel\"}}"

static void commands_are_done_one_after_the_other(void **state)
{
    (void)state;
    call("/api/batch",
         "{\"commands\":[" PUBLISH("a") "," PUBLISH("b") ",{\"history_remove\":{\"channel\":\"kept:c\"}}]}");
    assert_int_equal(relays->publication_count, 1);
    fake_relays_published(relays, OK, EPOCH, 7);
    assert_int_equal(relays->publication_count, 2);
    assert_int_equal(relays->ask_count, 0);
    fake_relays_published(relays, OK, EPOCH, 1);
    assert_int_equal(relays->ask_count, 1);
    assert_int_equal(exchange.status, 0);
    fake_relays_answered(relays, 0, OK, (span_t){0});
    expect("{\"replies\":[{\"publish\":{\"offset\":7,\"epoch\":\"" EPOCH "\"}},"
           "{\"publish\":{\"offset\":1,\"epoch\":\"" EPOCH "\"}},{\"history_remove\":{}}]}");
}

static void parallel_commands_are_begun_at_once_and_answered_in_their_order(void **state)
{
    (void)state;
    call("/api/batch",
         "{\"parallel\":true,\"commands\":[{\"history_remove\":{\"channel\":\"kept:a\"}}," PUBLISH(
             "b") ","
                  "{\"history_remove\":{\"channel\":\"kept:c\"}}]}");
    assert_int_equal(relays->ask_count, 2);
    assert_int_equal(relays->publication_count, 1);
    fake_relays_answered(relays, 1, OK, (span_t){0});
    fake_relays_published(relays, OK, EPOCH, 7);
    assert_int_equal(exchange.status, 0);
    fake_relays_answered(relays, 0, ERR_TIMEOUT, (span_t){0});
    expect(
        "{\"replies\":[{\"error\":{\"code\":100,\"message\":\"internal server error\",\"temporary\":true}},"
        "{\"publish\":{\"offset\":7,\"epoch\":\"" EPOCH "\"}},{\"history_remove\":{}}]}");
}

static void what_is_refused_at_once_does_not_stop_the_others(void **state)
{
    (void)state;
    call("/api/batch", "{\"commands\":[" PUBLISH("nope:a") "," PUBLISH("a") "," PUBLISH("nope:b") "]}");
    fake_relays_published(relays, OK, EPOCH, 7);
    expect("{\"replies\":[" UNKNOWN ",{\"publish\":{\"offset\":7,\"epoch\":\"" EPOCH "\"}}," UNKNOWN "]}");
    call("/api/batch", "{\"commands\":[" PUBLISH("nope:a") "]}"); /* nothing to wait for */
    expect("{\"replies\":[" UNKNOWN "]}");
}

static void a_command_that_is_none_has_its_error(void **state)
{
    (void)state;
    static const struct {
        const char *command;
        unsigned code;
    } rows[] = {
        {"{\"batch\":{\"commands\":[]}}", 104},
        {"{\"nonsense\":{}}", 104},
        {"{}", 107},
        {"1", 107},
        {"{\"publish\":[]}", 107},
        {"{\"publish\":{\"channel\":\"a\",\"data\":1},\"info\":{}}", 107},
        {"{\"publish\":{\"channel\":\"a\",\"channel\":\"b\",\"data\":1}}", 107},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char body[200], beginning[60];
        snprintf(body, sizeof body, "{\"commands\":[%s]}", rows[i].command);
        snprintf(beginning, sizeof beginning, "{\"replies\":[{\"error\":{\"code\":%u,", rows[i].code);
        call("/api/batch", body);
        if (!span_starts(buf_span(&exchange.answer), span_str(beginning)))
            fail_msg("%s: <%s>", rows[i].command, buf_text(&exchange.answer));
    }
    assert_int_equal(relays->publication_count, 0);
}

static char *many(size_t count)
{
    buf_t body = {0};
    buf_append_str(&body, "{\"commands\":[");
    for (size_t i = 0; i < count; i++)
        buf_append_str(&body, i ? "," PUBLISH("nope:a") : PUBLISH("nope:a"));
    buf_append_str(&body, "]}");
    char *text = mem_dup(buf_text(&body));
    buf_fini(&body);
    return text;
}

static void a_batch_has_1_to_1000_commands(void **state)
{
    (void)state;
    static const char *const none[] = {"{}", "{\"commands\":[]}", "{\"commands\":{}}",
                                       "{\"commands\":[" PUBLISH("a") "],\"parallel\":1}"};
    for (size_t i = 0; i < COUNT(none); i++) {
        call("/api/batch", none[i]);
        expect_error(107);
    }
    for (size_t count = 1000; count <= 1001; count++) {
        char *body = many(count);
        call("/api/batch", body);
        assert_true(span_starts(buf_span(&exchange.answer), SPAN("{\"replies\":[")) == (count == 1000));
        mem_free(body);
    }
    expect_error(107);
}

/* A history with one message of that many bytes. */
static void answer_history(size_t which, size_t size)
{
    char *payload = mem_new(size + 3);
    memset(payload, 'x', size + 2);
    payload[0] = payload[size + 1] = '"';
    buf_t items = {0}, messages = {0};
    envelope_t message = {.kind = KIND_MSG,
                          .msg = {.channel = SPAN("kept:a"),
                                  .epoch = SPAN(EPOCH),
                                  .offset = 1,
                                  .flags = MESSAGE_JSON,
                                  .payload = span_str(payload)}};
    envelope_encode(&messages, &message);
    recall_write(&items, &(recall_t){{.epoch = EPOCH, .offset = 1}, true, buf_span(&messages)}, 1);
    fake_relays_answered(relays, which, OK, buf_span(&items));
    buf_fini(&items);
    buf_fini(&messages);
    mem_free(payload);
}

static void replies_that_are_too_many_bytes_are_errors(void **state)
{
    (void)state;
#define HISTORY "{\"history\":{\"channel\":\"kept:a\",\"limit\":1}}"
    call("/api/batch", "{\"commands\":[" HISTORY "," HISTORY "," HISTORY "," HISTORY "]}");
    for (size_t i = 0; i < 4; i++)
        answer_history(i, i < 3 ? 7u * 1024 * 1024 : 10);
    assert_int_equal(exchange.status, 200);
    json_value_t answer, replies, reply, member;
    assert_int_equal(json_parse(buf_span(&exchange.answer), &answer), OK);
    assert_true(json_get(&answer, "replies", &replies));
    json_cursor_t cursor = json_cursor(&replies);
    for (size_t i = 0; i < 4; i++) {
        assert_true(json_next_item(&cursor, &reply));
        assert_true(json_get(&reply, i == 2 ? "error" : "history", &member));
    }
}

static void when_the_caller_leaves_nothing_more_is_begun(void **state)
{
    (void)state;
    call("/api/batch", "{\"commands\":[" PUBLISH("a") "," PUBLISH("b") "]}");
    leave(&exchange);
    fake_relays_published(relays, OK, EPOCH, 7);
    assert_int_equal(relays->publication_count, 1);
}

static void a_batch_needs_a_key(void **state)
{
    (void)state;
    call_as("/api/batch", "{\"commands\":[" PUBLISH("a") "]}", "wrong", NULL);
    assert_int_equal(exchange.status, 401);
    assert_int_equal(relays->publication_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(commands_are_done_one_after_the_other),
        TEST(parallel_commands_are_begun_at_once_and_answered_in_their_order),
        TEST(what_is_refused_at_once_does_not_stop_the_others),
        TEST(a_command_that_is_none_has_its_error),
        TEST(a_batch_has_1_to_1000_commands),
        TEST(replies_that_are_too_many_bytes_are_errors),
        TEST(when_the_caller_leaves_nothing_more_is_begun),
        TEST(a_batch_needs_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
