#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_api.h"
#include "protocol/codec.h"
#include "protocol/recall.h"

/* --- who may call --- */

static void only_a_key_opens(void **state)
{
    (void)state;
    static const struct row {
        const char *key, *authorization;
        int status;
    } rows[] = {
        {KEY, NULL, 200},
        {"another key", NULL, 200},
        {NULL, "apikey " KEY, 200},
        {NULL, "ApiKey " KEY, 200},
        {NULL, NULL, 401},
        {"", NULL, 401},
        {"a key of our", NULL, 401},
        {"a key of ours ", NULL, 401},
        {"a key of oursa key of ours", NULL, 401},
        {"A key of ours", NULL, 401},
        {NULL, KEY, 401},
        {NULL, "apikey", 401},
        {NULL, "apikey ", 401},
        {NULL, "Bearer " KEY, 401},
        {"wrong", "apikey " KEY, 401},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        call_as("/api/publish", "{}", rows[i].key, rows[i].authorization);
        if (exchange.status != rows[i].status)
            fail_msg("row %zu: %d", i, exchange.status);
        if (exchange.status == 401)
            assert_int_equal(exchange.answer.size, 0);
    }
}

static void without_keys_nobody_may(void **state)
{
    (void)state;
    static char nothing[] = "";
    static char *empty[] = {nothing};
    config.api.keys = (config_list_t){0};
    call_as("/api/info", "{}", "", NULL);
    assert_int_equal(exchange.status, 401);
    config.api.keys = (config_list_t){empty, 1};
    call_as("/api/info", "{}", "", NULL);
    assert_int_equal(exchange.status, 401);
    assert_int_equal(relays->ask_count, 0);
}

static void a_body_that_is_no_object_is_400(void **state)
{
    (void)state;
    static const char *const bodies[] = {"", "[]", "{", "{\"channel\":\"a\",\"channel\":\"b\"}",
                                         "{\"chann\\u0065l\":1}"};
    for (size_t i = 0; i < COUNT(bodies); i++) {
        call("/api/publish", bodies[i]);
        assert_int_equal(exchange.status, 400);
    }
}

/* --- publish --- */

static void a_publication_is_answered_with_its_position(void **state)
{
    (void)state;
    call("/api/publish", "{\"channel\":\"quiet:a\",\"data\":{ \"n\": 1.10 },\"tags\":{\"k\":\"v\"}}");
    assert_int_equal(exchange.status, 0);
    assert_string_equal(buf_text(&relays->publications[0].text), "quiet:a 2    { \"n\": 1.10 }");
    fake_relays_published(relays, OK, EPOCH, 8);
    expect("{\"result\":{\"offset\":8,\"epoch\":\"abcdEFGH\"}}");
}

static void bytes_are_published_as_bytes(void **state)
{
    (void)state;
    call("/api/publish", "{\"channel\":\"a\",\"b64data\":\"AP\\/\\u002f\",\"data\":null}");
    assert_memory_equal(relays->publications[0].text.data, "a 1    \x00\xff\xff", 10);
    assert_int_equal(relays->publications[0].text.size, 10);
    static const char *const bad[] = {"AP8", "AP8=\\n", "_w==", "AP8=="};
    for (size_t i = 0; i < COUNT(bad); i++) {
        char body[100];
        snprintf(body, sizeof body, "{\"channel\":\"a\",\"b64data\":\"%s\",\"data\":1}", bad[i]);
        call("/api/publish", body);
        expect_error(107);
    }
}

static void publications_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const struct row {
        const char *body;
        unsigned code;
    } rows[] = {
        {"{}", 107},
        {"{\"channel\":\"a\"}", 107},
        {"{\"data\":1}", 107},
        {"{\"channel\":\"\",\"data\":1}", 107},
        {"{\"channel\":\"a b\",\"data\":1}", 107},
        {"{\"channel\":5,\"data\":1}", 107},
        {"{\"channel\":\"a\",\"b64data\":7,\"data\":1}", 107},
        {"{\"channel\":\"nope:a\",\"data\":1}", 102},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        call("/api/publish", rows[i].body);
        expect_error(rows[i].code);
    }
    relays->publish_err = ERR_FULL;
    call("/api/publish", "{\"channel\":\"a\",\"data\":1}");
    expect("{\"error\":{\"code\":100,\"message\":\"internal server error\",\"temporary\":true}}");
    relays->publish_err = OK;
    call("/api/publish", "{\"channel\":\"a\",\"data\":1}");
    fake_relays_published(relays, ERR_TIMEOUT, "", 0);
    expect_error(100);
}

static void before_a_relay_is_known_a_call_is_worth_trying_again(void **state)
{
    (void)state;
    namespaces_fini(&relays->namespaces);
    namespaces_init(&relays->namespaces);
    call("/api/publish", "{\"channel\":\"a\",\"data\":1}");
    expect_error(100);
}

static void a_broadcast_is_answered_in_order_when_all_are_done(void **state)
{
    (void)state;
    call("/api/broadcast", "{\"channels\":[\"a\",\"nope:b\",\"c\\u0064\",\"\\ud800\",\"e\"],\"data\":\"x\"}");
    assert_int_equal(relays->publication_count, 3);
    assert_string_equal(buf_text(&relays->publications[1].text), "cd 2    \"x\"");
    fake_relays_published(relays, OK, EPOCH, 1);
    fake_relays_published(relays, ERR_TIMEOUT, "", 0);
    assert_int_equal(exchange.status, 0);
    fake_relays_published(relays, OK, EPOCH, 3);
    expect("{\"result\":{\"responses\":[{\"result\":{\"offset\":1,\"epoch\":\"abcdEFGH\"}},"
           "{\"error\":{\"code\":102,\"message\":\"unknown channel\"}},"
           "{\"error\":{\"code\":100,\"message\":\"internal server error\",\"temporary\":true}},"
           "{\"error\":{\"code\":107,\"message\":\"bad request\"}},"
           "{\"result\":{\"offset\":3,\"epoch\":\"abcdEFGH\"}}]}}");
}

static void a_broadcast_with_nothing_to_wait_for_is_answered_at_once(void **state)
{
    (void)state;
    call("/api/broadcast", "{\"channels\":[\"nope:a\"],\"data\":1}");
    expect("{\"result\":{\"responses\":[{\"error\":{\"code\":102,\"message\":\"unknown channel\"}}]}}");
}

static void a_broadcast_has_1_to_1000_channels(void **state)
{
    (void)state;
    for (unsigned count = 1000; count <= 1001; count++) {
        buf_t body = {0};
        buf_append_str(&body, "{\"data\":1,\"channels\":[\"a\"");
        for (unsigned i = 1; i < count; i++)
            buf_append_str(&body, ",\"a\"");
        buf_append_str(&body, "]}");
        call("/api/broadcast", buf_text(&body));
        buf_fini(&body);
        assert_int_equal(relays->publication_count, 1000);
    }
    expect_error(107);
    static const char *const bodies[] = {"{\"data\":1}",
                                         "{\"data\":1,\"channels\":[]}",
                                         "{\"data\":1,\"channels\":\"a\"}",
                                         "{\"data\":1,\"channels\":[\"a\",1]}",
                                         "{\"data\":1,\"channels\":{\"a\":\"b\"}}",
                                         "{\"channels\":[\"a\"]}"};
    for (size_t i = 0; i < COUNT(bodies); i++) {
        call("/api/broadcast", bodies[i]);
        expect_error(107);
    }
}

static void a_caller_that_leaves_is_not_answered(void **state)
{
    (void)state;
    call("/api/broadcast", "{\"channels\":[\"a\",\"b\"],\"data\":1}");
    leave(&exchange);
    call("/api/info", "{}");
    leave(&exchange);
    fake_relays_published(relays, OK, EPOCH, 1);
    fake_relays_published(relays, OK, EPOCH, 1);
    fake_relays_answered(relays, 0, OK, (span_t){0});
    assert_int_equal(exchange.status, 0);
}

/* --- questions --- */

static void presence_is_asked_of_the_owner(void **state)
{
    (void)state;
    buf_t items = {0};
    call("/api/presence", "{\"channel\":\"a\"}");
    assert_string_equal(buf_text(&relays->asks[0].text), "1 a   0 ");
    codec_write_array(&items, 1);
    codec_write_array(&items, 3);
    codec_write_text(&items, SPAN("c-1"));
    codec_write_text(&items, SPAN("42"));
    codec_write_data(&items, SPAN("{\"n\":1}"));
    fake_relays_answered(relays, 0, OK, buf_span(&items));
    expect(
        "{\"result\":{\"presence\":{\"c-1\":{\"user\":\"42\",\"client\":\"c-1\",\"conn_info\":{\"n\":1}}}}}");
    buf_clear(&items);
    call("/api/presence_stats", "{\"channel\":\"a\"}");
    codec_write_array(&items, 2);
    codec_write_uint(&items, 3);
    codec_write_uint(&items, 2);
    fake_relays_answered(relays, 1, OK, buf_span(&items));
    expect("{\"result\":{\"num_clients\":3,\"num_users\":2}}");
    buf_fini(&items);
}

static void presence_that_cannot_be_had_is_refused(void **state)
{
    (void)state;
    call("/api/presence", "{\"channel\":\"quiet:a\"}");
    expect_error(108);
    call("/api/presence_stats", "{\"channel\":\"nope:a\"}");
    expect_error(102);
    call("/api/presence", "{}");
    expect_error(107);
    call("/api/presence", "{\"channel\":\"a\"}");
    fake_relays_answered(relays, 0, OK, SPAN("\x91\x01"));
    expect_error(100);
    relays->ask_err = ERR_UNAVAILABLE;
    call("/api/presence", "{\"channel\":\"a\"}");
    expect_error(100);
}

static void disconnect_says_whom_and_why(void **state)
{
    (void)state;
    call("/api/disconnect", "{\"user\":\"42\"}");
    assert_string_equal(buf_text(&relays->asks[0].text), "5  42  3503 force disconnect");
    fake_relays_answered(relays, 0, OK, (span_t){0});
    expect("{\"result\":{}}");
    call("/api/disconnect", "{\"client\":\"c-1\",\"disconnect\":{\"code\":4500,\"reason\":\"bye\"},"
                            "\"whitelist\":[\"a\",\"b\"]}");
    assert_string_equal(buf_text(&relays->asks[1].text), "5   c-1 4500 bye");
    assert_true(span_is(buf_span(&relays->asks[1].except), "\x92\xa1"
                                                           "a\xa1"
                                                           "b"));
    call("/api/disconnect", "{\"user\":\"42\",\"disconnect\":{\"code\":3001}}");
    assert_string_equal(buf_text(&relays->asks[2].text), "5  42  3001 shutdown");
}

static void a_disconnect_that_no_client_could_read_is_refused(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "{}",
        "{\"user\":\"\"}",
        "{\"user\":42}",
        "{\"user\":\"42\",\"disconnect\":1}",
        "{\"user\":\"42\",\"disconnect\":{\"code\":2999}}",
        "{\"user\":\"42\",\"disconnect\":{\"code\":5000}}",
        "{\"user\":\"42\",\"disconnect\":{\"code\":\"4000\"}}",
        "{\"user\":\"42\",\"disconnect\":{\"reason\":\"{}\"}}",
        "{\"user\":\"42\",\"disconnect\":{\"reason\":\"1\"}}",
        "{\"user\":\"42\",\"whitelist\":\"a\"}",
        "{\"user\":\"42\",\"whitelist\":[1]}",
    };
    for (size_t i = 0; i < COUNT(bodies); i++) {
        call("/api/disconnect", bodies[i]);
        expect_error(107);
    }
    for (int size = 123; size <= 124; size++) {
        char body[300];
        snprintf(body, sizeof body, "{\"user\":\"42\",\"disconnect\":{\"reason\":\"%-*sx\"}}", size - 1, "a");
        call("/api/disconnect", body);
    }
    expect_error(107);
    assert_int_equal(relays->ask_count, 1);
}

static void texts_too_long_for_a_question_are_refused(void **state)
{
    (void)state;
    buf_t body = {0};
    buf_printf(&body, "{\"user\":\"%0256d\"}", 1);
    call("/api/disconnect", buf_text(&body));
    expect_error(107);
    buf_clear(&body);
    buf_printf(&body, "{\"client\":\"%065d\"}", 1);
    call("/api/disconnect", buf_text(&body));
    expect_error(107);
    buf_clear(&body);
    buf_append_str(&body, "{\"user\":\"42\",\"whitelist\":[\"\"");
    for (int i = 0; i < 200; i++)
        buf_append_str(&body, ",\"0d1f0000-0000-4000-8000-000000000000\"");
    buf_append_str(&body, "]}");
    call("/api/disconnect", buf_text(&body));
    expect_error(107);
    buf_clear(&body);
    buf_printf(&body, "{\"pattern\":\"%0256d\"}", 1);
    call("/api/channels", buf_text(&body));
    expect_error(107);
    buf_fini(&body);
    assert_int_equal(relays->ask_count, 0);
}

static void refresh_says_whom_and_until_when(void **state)
{
    (void)state;
    call("/api/refresh", "{\"user\":\"42\",\"expire_at\":1890000000}");
    assert_string_equal(buf_text(&relays->asks[0].text), "9  42  1890000000 ");
    fake_relays_answered(relays, 0, OK, (span_t){0});
    expect("{\"result\":{}}");
    call("/api/refresh", "{\"client\":\"c-1\"}");
    assert_string_equal(buf_text(&relays->asks[1].text), "9   c-1 0 ");
    call("/api/refresh", "{\"user\":\"42\",\"expired\":true,\"expire_at\":1890000000}");
    assert_string_equal(buf_text(&relays->asks[2].text), "5  42  3005 connection expired");
    for (unsigned i = 1; i < 3; i++)
        fake_relays_answered(relays, i, OK, (span_t){0});
    static const char *const bad[] = {"{\"expire_at\":1}", "{\"user\":\"42\",\"expire_at\":-1}",
                                      "{\"user\":\"42\",\"expired\":1}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        call("/api/refresh", bad[i]);
        expect_error(107);
    }
}

static void unsubscribe_says_whom_and_from_what(void **state)
{
    (void)state;
    call("/api/unsubscribe", "{\"user\":\"42\",\"channel\":\"a\"}");
    assert_string_equal(buf_text(&relays->asks[0].text), "6 a 42  0 ");
    fake_relays_answered(relays, 0, OK, (span_t){0});
    expect("{\"result\":{}}");
    call("/api/unsubscribe", "{\"channel\":\"a\"}");
    expect_error(107);
    call("/api/unsubscribe", "{\"user\":\"42\"}");
    expect_error(107);
    call("/api/unsubscribe", "{\"user\":\"42\",\"channel\":\"nope:a\"}");
    expect_error(102);
}

static void subscribe_says_whom_and_to_what(void **state)
{
    (void)state;
    call("/api/subscribe", "{\"user\":\"42\",\"channel\":\"a\"}");
    assert_string_equal(buf_text(&relays->asks[0].text), "10 a 42  0 ");
    assert_string_equal(buf_text(&relays->asks[0].wanted), ":0 0 0");
    assert_string_equal(buf_text(&relays->asks[0].told), "  0");
    fake_relays_answered(relays, 0, OK, (span_t){0});
    expect("{\"result\":{}}");
    call("/api/subscribe", "{\"user\":\"42\",\"client\":\"c\",\"channel\":\"a\",\"expire_at\":1890000000,"
                           "\"info\":{\"n\":\n1},\"data\":[2],\"recover_since\":{\"epoch\":\"" EPOCH
                           "\",\"offset\":5},\"override\":{\"force_push_join_leave\":{\"value\":true}}}");
    assert_string_equal(buf_text(&relays->asks[1].text), "10 a 42 c 1890000000 ");
    assert_string_equal(buf_text(&relays->asks[1].wanted), EPOCH ":5 0 0");
    assert_string_equal(buf_text(&relays->asks[1].told), "{\"n\":1} [2] 1");
}

static void a_subscription_that_cannot_be_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        unsigned code;
    } rows[] = {
        {"{\"channel\":\"a\"}", 107},
        {"{\"user\":\"42\"}", 107},
        {"{\"user\":\"42\",\"channel\":\"nope:a\"}", 102},
        {"{\"user\":\"42\",\"channel\":\"a\",\"expire_at\":-1}", 107},
        {"{\"user\":\"42\",\"channel\":\"a\",\"override\":1}", 107},
        {"{\"user\":\"42\",\"channel\":\"a\",\"recover_since\":1}", 107},
        {"{\"user\":\"42\",\"channel\":\"a\",\"recover_since\":{\"offset\":1}}", 112},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        call("/api/subscribe", rows[i].body);
        expect_error(rows[i].code);
    }
    assert_int_equal(relays->ask_count, 0);
}

static void write_channel(buf_t *items, const char *name, uint64_t clients)
{
    codec_write_array(items, 2);
    codec_write_text(items, span_str(name));
    codec_write_uint(items, clients);
}

static void a_channel_of_two_edges_is_one_channel(void **state)
{
    (void)state;
    buf_t items = {0};
    call("/api/channels", "{\"pattern\":\"chat:*\"}");
    assert_string_equal(buf_text(&relays->asks[0].text), "3 chat:*   0 ");
    codec_write_array(&items, 4);
    write_channel(&items, "chat:1", 3);
    write_channel(&items, "chat:\"2\"", 1);
    write_channel(&items, "chat:1", 4);
    codec_write_array(&items, 3);
    codec_write_text(&items, SPAN("chat:3"));
    codec_write_uint(&items, 5);
    codec_write_uint(&items, 0); /* what a newer edge adds */
    fake_relays_answered(relays, 0, OK, buf_span(&items));
    expect("{\"result\":{\"channels\":{\"chat:1\":{\"num_clients\":7},\"chat:\\\"2\\\"\":{\"num_clients\":1},"
           "\"chat:3\":{\"num_clients\":5}}}}");
    buf_fini(&items);
    call("/api/channels", "{}");
    assert_string_equal(buf_text(&relays->asks[1].text), "3 *   0 ");
    fake_relays_answered(relays, 1, OK, (span_t){0});
    expect("{\"result\":{\"channels\":{}}}");
}

static void info_lists_all_nodes(void **state)
{
    (void)state;
    buf_t items = {0};
    call("/api/info", "{}");
    assert_string_equal(buf_text(&relays->asks[0].text), "4    0 ");
    codec_write_array(&items, 1);
    codec_write_array(&items, 9);
    codec_write_uint(&items, 0xabc);
    codec_write_text(&items, SPAN("edge-1"));
    codec_write_uint(&items, ROLE_EDGE);
    codec_write_text(&items, SPAN("heddle 0.1.0"));
    for (uint64_t number = 1; number <= 5; number++)
        codec_write_uint(&items, number);
    fake_relays_answered(relays, 0, OK, buf_span(&items));
    expect("{\"result\":{\"nodes\":[{\"uid\":\"0000000000000abc\",\"name\":\"edge-1\",\"role\":\"edge\","
           "\"version\":\"heddle 0.1.0\",\"num_clients\":1,\"num_users\":2,\"num_subs\":3,\"num_channels\":4,"
           "\"uptime\":5}]}}");
    buf_fini(&items);
}

static void lists_that_make_no_sense_are_an_error(void **state)
{
    (void)state;
    static const char *const paths[] = {"/api/channels", "/api/info"};
    static const char *const answers[] = {"\x01", "\x92\x01\x02", "\x91\x90", "\x91\x92\x01\x01", "\xc1"};
    for (size_t i = 0; i < COUNT(paths); i++) {
        for (size_t j = 0; j < COUNT(answers); j++) {
            call(paths[i], "{}");
            fake_relays_answered(relays, relays->ask_count - 1, OK, span_str(answers[j]));
            expect_error(100);
        }
    }
    call("/api/info", "{}");
    fake_relays_answered(relays, relays->ask_count - 1, ERR_TIMEOUT, (span_t){0});
    expect_error(100);
}

/* --- history --- */

static void recalled(size_t which)
{
    buf_t messages = {0}, items = {0};
    envelope_t message = {.kind = KIND_MSG,
                          .msg = {.channel = SPAN("kept:a"),
                                  .epoch = SPAN(EPOCH),
                                  .offset = 7,
                                  .flags = MESSAGE_JSON,
                                  .payload = SPAN("{\"t\":1}")}};
    envelope_encode(&messages, &message);
    recall_write(&items, &(recall_t){{.epoch = EPOCH, .offset = 7}, false, buf_span(&messages)}, 1);
    fake_relays_answered(relays, which, OK, buf_span(&items));
    buf_fini(&messages);
    buf_fini(&items);
}

static void history_is_asked_of_the_owner(void **state)
{
    (void)state;
    call("/api/history", "{\"channel\":\"kept:a\",\"limit\":2}");
    assert_string_equal(buf_text(&relays->asks[0].text), "7 kept:a   0 ");
    recalled(0);
    expect("{\"result\":{\"publications\":[{\"data\":{\"t\":1},\"offset\":7}],\"epoch\":\"" EPOCH
           "\",\"offset\":7}}");
    call("/api/history", "{\"channel\":\"kept:a\",\"since\":{\"offset\":3,\"epoch\":\"OtherOne\"}}");
    recalled(1);
    expect_error(112);
    call("/api/history", "{\"channel\":\"kept:a\"}");
    fake_relays_answered(relays, 2, OK, SPAN("\x91\x01"));
    expect_error(100);
}

static void what_is_wanted_of_history_is_asked_for_within_the_limit(void **state)
{
    (void)state;
    static const struct row {
        const char *wish, *wanted;
    } rows[] = {
        {"", ":0 0 0"},
        {",\"limit\":null,\"reverse\":null,\"since\":null", ":0 0 0"},
        {",\"limit\":300", ":0 300 0"},
        {",\"limit\":301", ":0 300 0"},
        {",\"limit\":-1", ":0 300 0"},
        {",\"limit\":5,\"reverse\":true", ":0 5 1"},
        {",\"since\":{\"offset\":null,\"epoch\":\"" EPOCH "\"}", EPOCH ":0 0 0"},
        {",\"since\":{\"offset\":3,\"epoch\":\"" EPOCH "\"},\"reverse\":true", EPOCH ":3 0 1"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        buf_t body = {0};
        buf_printf(&body, "{\"channel\":\"kept:a\"%s}", rows[i].wish);
        call("/api/history", buf_text(&body));
        assert_string_equal(buf_text(&relays->asks[i].wanted), rows[i].wanted);
        leave(&exchange);
        buf_fini(&body);
    }
}

static void history_that_cannot_be_had_is_refused(void **state)
{
    (void)state;
    static const struct row {
        const char *body;
        unsigned code;
    } rows[] = {
        {"{}", 107},
        {"{\"channel\":\"quiet:a\"}", 108},
        {"{\"channel\":\"nope:a\"}", 102},
        {"{\"channel\":\"kept:a\",\"limit\":\"1\"}", 107},
        {"{\"channel\":\"kept:a\",\"reverse\":1}", 107},
        {"{\"channel\":\"kept:a\",\"since\":1}", 107},
        {"{\"channel\":\"kept:a\",\"since\":{\"offset\":-1,\"epoch\":\"" EPOCH "\"}}", 107},
        {"{\"channel\":\"kept:a\",\"since\":{\"offset\":1,\"epoch\":7}}", 107},
        {"{\"channel\":\"kept:a\",\"since\":{\"offset\":1,\"epoch\":\"x\"}}", 112},
        {"{\"channel\":\"kept:a\",\"since\":{\"offset\":1}}", 112},
        {"{\"channel\":\"kept:a\",\"reverse\":true,\"since\":{\"offset\":0,\"epoch\":\"" EPOCH "\"}}", 107},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        call("/api/history", rows[i].body);
        expect_error(rows[i].code);
    }
    call("/api/history_remove", "{\"channel\":\"quiet:a\"}");
    expect_error(108);
    call("/api/history_remove", "{\"channel\":1}");
    expect_error(107);
    assert_int_equal(relays->ask_count, 0);
}

static void history_is_removed_by_its_owner(void **state)
{
    (void)state;
    call("/api/history_remove", "{\"channel\":\"kept:a\"}");
    assert_string_equal(buf_text(&relays->asks[0].text), "8 kept:a   0 ");
    fake_relays_answered(relays, 0, OK, SPAN("\x90"));
    expect("{\"result\":{}}");
    call("/api/history_remove", "{\"channel\":\"kept:a\"}");
    fake_relays_answered(relays, 1, ERR_TIMEOUT, (span_t){0});
    expect_error(100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_a_key_opens),
        TEST(without_keys_nobody_may),
        TEST(a_body_that_is_no_object_is_400),
        TEST(a_publication_is_answered_with_its_position),
        TEST(bytes_are_published_as_bytes),
        TEST(publications_that_cannot_be_are_refused),
        TEST(before_a_relay_is_known_a_call_is_worth_trying_again),
        TEST(a_broadcast_is_answered_in_order_when_all_are_done),
        TEST(a_broadcast_with_nothing_to_wait_for_is_answered_at_once),
        TEST(a_broadcast_has_1_to_1000_channels),
        TEST(a_caller_that_leaves_is_not_answered),
        TEST(presence_is_asked_of_the_owner),
        TEST(presence_that_cannot_be_had_is_refused),
        TEST(disconnect_says_whom_and_why),
        TEST(a_disconnect_that_no_client_could_read_is_refused),
        TEST(texts_too_long_for_a_question_are_refused),
        TEST(refresh_says_whom_and_until_when),
        TEST(unsubscribe_says_whom_and_from_what),
        TEST(subscribe_says_whom_and_to_what),
        TEST(a_subscription_that_cannot_be_is_refused),
        TEST(a_channel_of_two_edges_is_one_channel),
        TEST(info_lists_all_nodes),
        TEST(lists_that_make_no_sense_are_an_error),
        TEST(history_is_asked_of_the_owner),
        TEST(what_is_wanted_of_history_is_asked_for_within_the_limit),
        TEST(history_that_cannot_be_had_is_refused),
        TEST(history_is_removed_by_its_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
