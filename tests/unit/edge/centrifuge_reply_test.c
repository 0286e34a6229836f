#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "edge/centrifuge_reply.h"
#include "protocol/codec.h"

/* Is it these bytes, and one line of JSON? */
static void expect(buf_t *out, const char *text)
{
    json_value_t value;
    assert_string_equal(buf_text(out), text);
    assert_int_equal(json_parse(buf_span(out), &value), OK);
    assert_null(memchr(out->data, '\n', out->size));
    buf_fini(out);
}

static void replies_have_the_clients_number(void **state)
{
    (void)state;
    buf_t out = {0};
    centrifuge_reply_empty(&out, 4294967295u, CENTRIFUGE_PUBLISH);
    expect(&out, "{\"id\":4294967295,\"publish\":{}}");
    centrifuge_reply_empty(&out, 1, CENTRIFUGE_SUBSCRIBE);
    expect(&out, "{\"id\":1,\"subscribe\":{}}");
}

static void errors_have_code_message_and_whether_they_pass(void **state)
{
    (void)state;
    buf_t out = {0};
    centrifuge_reply_error(&out, 7, CENTRIFUGE_ERROR_DENIED);
    expect(&out, "{\"id\":7,\"error\":{\"code\":103,\"message\":\"permission denied\"}}");
    centrifuge_reply_error(&out, 7, CENTRIFUGE_ERROR_INTERNAL);
    expect(&out,
           "{\"id\":7,\"error\":{\"code\":100,\"message\":\"internal server error\",\"temporary\":true}}");
}

static void what_passes_by_itself_is_temporary(void **state)
{
    (void)state;
    assert_int_equal(centrifuge_error_of(ERR_TIMEOUT), CENTRIFUGE_ERROR_INTERNAL);
    assert_int_equal(centrifuge_error_of(ERR_UNAVAILABLE), CENTRIFUGE_ERROR_INTERNAL);
    assert_int_equal(centrifuge_error_of(ERR_CLOSED), CENTRIFUGE_ERROR_INTERNAL);
    assert_int_equal(centrifuge_error_of(ERR_UNKNOWN), CENTRIFUGE_ERROR_UNKNOWN_CHANNEL);
    assert_int_equal(centrifuge_error_of(ERR_DENIED), CENTRIFUGE_ERROR_DENIED);
    assert_int_equal(centrifuge_error_of(ERR_DUPLICATE), CENTRIFUGE_ERROR_ALREADY_SUBSCRIBED);
    assert_int_equal(centrifuge_error_of(ERR_TOO_BIG), CENTRIFUGE_ERROR_LIMIT);
}

static void what_ends_is_told_with_the_time_that_is_left(void **state)
{
    (void)state;
    buf_t out = {0};
    centrifuge_reply_connect(&out, 1, "c", 0, 590, (span_t){0});
    expect(&out, "{\"id\":1,\"connect\":{\"client\":\"c\",\"version\":\"heddle " HEDDLE_VERSION
                 "\",\"expires\":true,\"ttl\":590}}");
    centrifuge_reply_refresh(&out, 9, CENTRIFUGE_REFRESH, 600);
    expect(&out, "{\"id\":9,\"refresh\":{\"expires\":true,\"ttl\":600}}");
    centrifuge_reply_refresh(&out, 5, CENTRIFUGE_SUB_REFRESH, 300);
    expect(&out, "{\"id\":5,\"sub_refresh\":{\"expires\":true,\"ttl\":300}}");
    centrifuge_subscribed_t subscribed = {.ttl_s = 300};
    centrifuge_reply_subscribe(&out, 2, &subscribed);
    expect(&out, "{\"id\":2,\"subscribe\":{\"expires\":true,\"ttl\":300}}");
    subscribed.recoverable = true;
    position_set_epoch(&subscribed.position, SPAN("abcdEFGH"));
    centrifuge_reply_subscribe(&out, 2, &subscribed);
    expect(&out, "{\"id\":2,\"subscribe\":{\"recoverable\":true,\"positioned\":true,\"epoch\":\"abcdEFGH\","
                 "\"offset\":0,\"expires\":true,\"ttl\":300}}");
}

static void connect_tells_pings_only_where_there_are_any(void **state)
{
    (void)state;
    buf_t out = {0};
    centrifuge_reply_connect(&out, 1, "c", 25, 0, (span_t){0});
    expect(&out, "{\"id\":1,\"connect\":{\"client\":\"c\",\"version\":\"heddle " HEDDLE_VERSION
                 "\",\"ping\":25,\"pong\":true}}");
    centrifuge_reply_connect(&out, 1, "c", 0, 0, (span_t){0});
    expect(&out, "{\"id\":1,\"connect\":{\"client\":\"c\",\"version\":\"heddle " HEDDLE_VERSION "\"}}");
}

/* --- presence --- */

static void write_entry(buf_t *items, const char *client, const char *user, const char *info)
{
    codec_write_array(items, 3);
    codec_write_text(items, span_str(client));
    codec_write_text(items, span_str(user));
    codec_write_data(items, span_str(info));
}

static void presence_is_by_client(void **state)
{
    (void)state;
    buf_t items = {0}, out = {0};
    codec_write_array(&items, 3);
    write_entry(&items, "c-1", "42", "{\"n\":\n\"A\"}");
    write_entry(&items, "c-2", "", "");
    write_entry(&items, "c-\"", "\\", "{broken");
    centrifuge_reply_presence(&out, 5, buf_span(&items));
    expect(&out, "{\"id\":5,\"presence\":{\"presence\":{"
                 "\"c-1\":{\"user\":\"42\",\"client\":\"c-1\",\"conn_info\":{\"n\":\"A\"}},"
                 "\"c-2\":{\"user\":\"\",\"client\":\"c-2\"},"
                 "\"c-\\\"\":{\"user\":\"\\\\\",\"client\":\"c-\\\"\"}}}}");
    buf_fini(&items);
    centrifuge_reply_presence(&out, 5, (span_t){0});
    expect(&out, "{\"id\":5,\"presence\":{\"presence\":{}}}");
}

static void fields_that_a_newer_relay_adds_are_passed_over(void **state)
{
    (void)state;
    buf_t items = {0}, out = {0};
    codec_write_array(&items, 2);
    for (int i = 0; i < 2; i++) {
        codec_write_array(&items, 4);
        codec_write_text(&items, i ? SPAN("b") : SPAN("a"));
        codec_write_text(&items, SPAN("42"));
        codec_write_data(&items, (span_t){0});
        codec_write_uint(&items, 9);
    }
    assert_int_equal(centrifuge_append_presence(&out, buf_span(&items)), OK);
    expect(&out, "{\"a\":{\"user\":\"42\",\"client\":\"a\"},\"b\":{\"user\":\"42\",\"client\":\"b\"}}");
    buf_fini(&items);
}

static void presence_stats_are_two_numbers(void **state)
{
    (void)state;
    buf_t items = {0}, out = {0};
    codec_write_array(&items, 2);
    codec_write_uint(&items, 2);
    codec_write_uint(&items, 1);
    centrifuge_reply_presence_stats(&out, 6, buf_span(&items));
    expect(&out, "{\"id\":6,\"presence_stats\":{\"num_clients\":2,\"num_users\":1}}");
    buf_fini(&items);
}

static void an_answer_that_makes_no_sense_is_an_error(void **state)
{
    (void)state;
    static const uint8_t cut[] = {0x92, 0x93, 0xa1, 'a', 0xa0}, short_entry[] = {0x91, 0x92, 0xa1, 'a', 0xa0},
                         numbers[] = {0x91, 0x93, 1, 2, 3};
    const span_t answers[] = {span_new(cut, sizeof cut), span_new(short_entry, sizeof short_entry),
                              span_new(numbers, sizeof numbers), SPAN("\xc1"), SPAN("\x01")};
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        buf_t out = {0};
        centrifuge_reply_presence(&out, 5, answers[i]);
        expect(
            &out,
            "{\"id\":5,\"error\":{\"code\":100,\"message\":\"internal server error\",\"temporary\":true}}");
        centrifuge_reply_presence_stats(&out, 6, answers[i]);
        expect(
            &out,
            "{\"id\":6,\"error\":{\"code\":100,\"message\":\"internal server error\",\"temporary\":true}}");
    }
}

/* --- pushes --- */

static envelope_msg_t message(unsigned flags, span_t payload)
{
    return (envelope_msg_t){.channel = SPAN("c"), .flags = flags, .payload = payload, .offset = 8};
}

static void json_goes_through_byte_for_byte_but_for_line_feeds(void **state)
{
    (void)state;
    buf_t out = {0};
    envelope_msg_t given =
        message(MESSAGE_JSON, SPAN("{ \"n\":\n12345678901234567890,\r\n\"x\":[1.10,\"\\u00e9\\n\"]}"));
    centrifuge_push_publication(&out, &given);
    expect(&out, "{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":{ \"n\":12345678901234567890,\r\"x\":[1.10,"
                 "\"\\u00e9\\n\"]},\"offset\":8}}}");
}

static void other_text_becomes_a_string(void **state)
{
    (void)state;
    buf_t out = {0};
    envelope_msg_t given = message(0, SPAN("a \"b\"\n\xc3\xa9"));
    centrifuge_push_publication(&out, &given);
    expect(&out, "{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":\"a \\\"b\\\"\\n\xc3\xa9\",\"offset\":8}}}");
    given = message(0, (span_t){0});
    centrifuge_push_publication(&out, &given);
    expect(&out, "{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":\"\",\"offset\":8}}}");
}

static void bytes_become_base64(void **state)
{
    (void)state;
    buf_t out = {0};
    envelope_msg_t given = message(MESSAGE_BINARY, span_new("\x00\xff\n", 3));
    centrifuge_push_publication(&out, &given);
    expect(&out, "{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":{\"b64data\":\"AP8K\"},\"offset\":8}}}");
}

static void who_published_is_told_if_it_was_a_client(void **state)
{
    (void)state;
    buf_t out = {0};
    envelope_msg_t given = message(MESSAGE_JSON, SPAN("1"));
    given.channel = SPAN("a\"b\\c");
    given.client = SPAN("c-1");
    given.user = SPAN("42");
    given.info = SPAN("{\"n\":\"A\"}");
    given.offset = 0;
    centrifuge_push_publication(&out, &given);
    expect(&out, "{\"push\":{\"channel\":\"a\\\"b\\\\c\",\"pub\":{\"data\":1,"
                 "\"info\":{\"user\":\"42\",\"client\":\"c-1\",\"conn_info\":{\"n\":\"A\"}}}}}");
}

static void an_unsubscribe_push_says_why(void **state)
{
    (void)state;
    buf_t out = {0};
    centrifuge_push_unsubscribe(&out, SPAN("c"), CENTRIFUGE_UNSUBSCRIBE_INSUFFICIENT, "insufficient state");
    expect(
        &out,
        "{\"push\":{\"channel\":\"c\",\"unsubscribe\":{\"code\":2500,\"reason\":\"insufficient state\"}}}");
}

/* --- positions --- */

#define EPOCH "abcdEFGH"

/* Two messages, of a client and of nobody, at 8 and 9. */
static void write_messages(buf_t *out)
{
    envelope_t first = {.kind = KIND_MSG,
                        .msg = {.channel = SPAN("c"),
                                .epoch = SPAN(EPOCH),
                                .offset = 8,
                                .flags = MESSAGE_JSON,
                                .client = SPAN("c-1"),
                                .user = SPAN("42"),
                                .payload = SPAN("{\"m\":\n1}")}};
    envelope_t second = {
        .kind = KIND_MSG,
        .msg = {.channel = SPAN("c"), .epoch = SPAN(EPOCH), .offset = 9, .payload = SPAN("two")}};
    envelope_encode(out, &first);
    envelope_encode(out, &second);
}

#define PUBLICATIONS                                                                                     \
    "\"publications\":[{\"data\":{\"m\":1},\"info\":{\"user\":\"42\",\"client\":\"c-1\"},\"offset\":8}," \
    "{\"data\":\"two\",\"offset\":9}]"

static void without_history_a_subscription_has_no_position(void **state)
{
    (void)state;
    buf_t out = {0};
    centrifuge_subscribed_t subscribed = {.position = {.epoch = EPOCH, .offset = 7}, .wanted = true};
    centrifuge_reply_subscribe(&out, 2, &subscribed);
    expect(&out, "{\"id\":2,\"subscribe\":{}}");
}

static void a_recoverable_subscription_says_where_it_is(void **state)
{
    (void)state;
    buf_t out = {0};
    centrifuge_subscribed_t subscribed = {.recoverable = true, .position = {.epoch = EPOCH, .offset = 7}};
    centrifuge_reply_subscribe(&out, 2, &subscribed);
    expect(&out, "{\"id\":2,\"subscribe\":{\"recoverable\":true,\"positioned\":true,\"epoch\":\"" EPOCH
                 "\",\"offset\":7}}");
    subscribed.wanted = true;
    centrifuge_reply_subscribe(&out, 2, &subscribed);
    expect(&out, "{\"id\":2,\"subscribe\":{\"recoverable\":true,\"positioned\":true,\"epoch\":\"" EPOCH
                 "\",\"offset\":7,\"was_recovering\":true}}");
}

static void who_goes_on_gets_publications_in_order(void **state)
{
    (void)state;
    buf_t out = {0}, messages = {0};
    write_messages(&messages);
    centrifuge_subscribed_t subscribed = {.recoverable = true,
                                          .position = {.epoch = EPOCH, .offset = 7},
                                          .wanted = true,
                                          .recovered = true,
                                          .messages = buf_span(&messages)};
    centrifuge_reply_subscribe(&out, 2, &subscribed);
    expect(&out, "{\"id\":2,\"subscribe\":{\"recoverable\":true,\"positioned\":true,\"epoch\":\"" EPOCH
                 "\",\"offset\":7,\"was_recovering\":true,\"recovered\":true," PUBLICATIONS "}}");
    subscribed.messages = (span_t){0};
    centrifuge_reply_subscribe(&out, 2, &subscribed);
    expect(&out, "{\"id\":2,\"subscribe\":{\"recoverable\":true,\"positioned\":true,\"epoch\":\"" EPOCH
                 "\",\"offset\":7,\"was_recovering\":true,\"recovered\":true,\"publications\":[]}}");
    buf_fini(&messages);
}

static void history_is_publications_and_the_top(void **state)
{
    (void)state;
    buf_t out = {0}, messages = {0}, items = {0};
    write_messages(&messages);
    recall_write(&items, &(recall_t){{.epoch = EPOCH, .offset = 9}, false, buf_span(&messages)}, 2);
    position_t since = {0};
    centrifuge_reply_history(&out, 7, buf_span(&items), since);
    expect(&out, "{\"id\":7,\"history\":{" PUBLICATIONS ",\"epoch\":\"" EPOCH "\",\"offset\":9}}");
    since = (position_t){.epoch = EPOCH, .offset = 7};
    assert_int_equal(centrifuge_append_history(&out, buf_span(&items), since), OK);
    expect(&out, "{" PUBLICATIONS ",\"epoch\":\"" EPOCH "\",\"offset\":9}");
    buf_fini(&messages);
    buf_fini(&items);
}

static void history_of_another_epoch_cannot_be_had(void **state)
{
    (void)state;
    buf_t out = {0}, items = {0};
    recall_write(&items, &(recall_t){.top = {.epoch = EPOCH, .offset = 9}}, 0);
    position_t since = {.epoch = "OtherOne", .offset = 7};
    assert_int_equal(centrifuge_append_history(&out, buf_span(&items), since), ERR_NOT_FOUND);
    assert_int_equal(out.size, 0);
    centrifuge_reply_history(&out, 7, buf_span(&items), since);
    expect(&out, "{\"id\":7,\"error\":{\"code\":112,\"message\":\"unrecoverable position\"}}");
    buf_fini(&items);
}

static void history_that_makes_no_sense_is_an_error(void **state)
{
    (void)state;
    buf_t out = {0};
    centrifuge_reply_history(&out, 7, SPAN("\x92\xa0\x01"), (position_t){0});
    expect(&out,
           "{\"id\":7,\"error\":{\"code\":100,\"message\":\"internal server error\",\"temporary\":true}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_have_the_clients_number),
        cmocka_unit_test(errors_have_code_message_and_whether_they_pass),
        cmocka_unit_test(what_passes_by_itself_is_temporary),
        cmocka_unit_test(what_ends_is_told_with_the_time_that_is_left),
        cmocka_unit_test(connect_tells_pings_only_where_there_are_any),
        cmocka_unit_test(presence_is_by_client),
        cmocka_unit_test(fields_that_a_newer_relay_adds_are_passed_over),
        cmocka_unit_test(presence_stats_are_two_numbers),
        cmocka_unit_test(an_answer_that_makes_no_sense_is_an_error),
        cmocka_unit_test(json_goes_through_byte_for_byte_but_for_line_feeds),
        cmocka_unit_test(other_text_becomes_a_string),
        cmocka_unit_test(bytes_become_base64),
        cmocka_unit_test(who_published_is_told_if_it_was_a_client),
        cmocka_unit_test(an_unsubscribe_push_says_why),
        cmocka_unit_test(without_history_a_subscription_has_no_position),
        cmocka_unit_test(a_recoverable_subscription_says_where_it_is),
        cmocka_unit_test(who_goes_on_gets_publications_in_order),
        cmocka_unit_test(history_is_publications_and_the_top),
        cmocka_unit_test(history_of_another_epoch_cannot_be_had),
        cmocka_unit_test(history_that_makes_no_sense_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
