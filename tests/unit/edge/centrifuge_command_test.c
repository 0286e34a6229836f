#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "edge/centrifuge_command.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* The first command of a frame; the reader stays open for the texts. */
static int read_first(centrifuge_reader_t *reader, const char *frame, centrifuge_command_t *command)
{
    centrifuge_reader_init(reader, span_str(frame));
    return centrifuge_read(reader, command);
}

static int verdict(span_t frame)
{
    centrifuge_reader_t reader;
    centrifuge_command_t command;
    centrifuge_reader_init(&reader, frame);
    int err;
    while ((err = centrifuge_read(&reader, &command)) == OK)
        continue;
    centrifuge_reader_fini(&reader);
    return err;
}

/* --- frames --- */

static void what_the_javascript_library_sends_first_is_read(void **state)
{
    (void)state;
    static const char frame[] = "{\"connect\":{\"name\":\"js\"},\"id\":1}\n"
                                "{\"subscribe\":{\"channel\":\"a:b\",\"flag\":1},\"id\":2}";
    centrifuge_reader_t reader;
    centrifuge_command_t command;
    assert_int_equal(read_first(&reader, frame, &command), OK);
    assert_int_equal(command.method, CENTRIFUGE_CONNECT);
    assert_int_equal(command.id, 1);
    assert_int_equal(command.token.size, 0);
    assert_int_equal(centrifuge_read(&reader, &command), OK);
    assert_int_equal(command.method, CENTRIFUGE_SUBSCRIBE);
    assert_int_equal(command.id, 2);
    assert_true(span_is(command.channel, "a:b"));
    assert_true(span_is(reader.here, "{\"subscribe\":{\"channel\":\"a:b\",\"flag\":1},\"id\":2}"));
    assert_int_equal(centrifuge_read(&reader, &command), ERR_NOT_FOUND);
    centrifuge_reader_fini(&reader);
}

static void a_last_line_end_may_be_there(void **state)
{
    (void)state;
    assert_int_equal(verdict(SPAN("{}")), ERR_NOT_FOUND);
    assert_int_equal(verdict(SPAN("{}\n")), ERR_NOT_FOUND);
    assert_int_equal(verdict(SPAN("{}\r\n{}\r\n")), ERR_NOT_FOUND);
    assert_int_equal(verdict(SPAN(" {} \n\t{}")), ERR_NOT_FOUND);
}

static void empty_frames_and_lines_are_bad(void **state)
{
    (void)state;
    static const char *const frames[] = {"",     "\n",        " ",    "{}\n\n", "{}\n\n{}",
                                         "\n{}", "{}\n \n{}", "{}{}", "{} {}"};
    for (size_t i = 0; i < COUNT(frames); i++)
        if (verdict(span_str(frames[i])) == ERR_NOT_FOUND)
            fail_msg("<%s> was taken", frames[i]);
}

static void a_command_stands_on_one_line(void **state)
{
    (void)state;
    assert_int_not_equal(verdict(SPAN("{\"id\":1,\n\"connect\":{}}")), ERR_NOT_FOUND);
}

/* --- commands --- */

static void each_method_has_its_name(void **state)
{
    (void)state;
    for (int i = CENTRIFUGE_CONNECT; i < CENTRIFUGE_METHOD_COUNT; i++) {
        buf_t frame = {0};
        buf_printf(&frame, "{\"id\":4294967295,\"%s\":{}}", centrifuge_method_name((centrifuge_method_t)i));
        centrifuge_reader_t reader;
        centrifuge_command_t command;
        assert_int_equal(read_first(&reader, buf_text(&frame), &command), OK);
        assert_int_equal(command.method, i);
        assert_int_equal(command.id, UINT32_MAX);
        centrifuge_reader_fini(&reader);
        buf_fini(&frame);
    }
}

static void an_empty_object_is_a_pong(void **state)
{
    (void)state;
    static const char *const frames[] = {"{}", "{\"id\":0}", "{\"id\":null}", "{\"unknown\":1}",
                                         "{\"connect\":null}"};
    for (size_t i = 0; i < COUNT(frames); i++) {
        centrifuge_reader_t reader;
        centrifuge_command_t command;
        assert_int_equal(read_first(&reader, frames[i], &command), OK);
        assert_int_equal(command.method, CENTRIFUGE_PONG);
        centrifuge_reader_fini(&reader);
    }
}

static void the_first_method_of_the_list_counts(void **state)
{
    (void)state;
    centrifuge_reader_t reader;
    centrifuge_command_t command;
    assert_int_equal(
        read_first(&reader, "{\"publish\":{\"channel\":\"b\"},\"id\":1,\"subscribe\":{\"channel\":\"a\"}}",
                   &command),
        OK);
    assert_int_equal(command.method, CENTRIFUGE_SUBSCRIBE);
    assert_true(span_is(command.channel, "a"));
    centrifuge_reader_fini(&reader);
}

static void send_needs_no_number_and_others_do(void **state)
{
    (void)state;
    assert_int_equal(verdict(SPAN("{\"send\":{}}")), ERR_NOT_FOUND);
    assert_int_equal(verdict(SPAN("{\"publish\":{\"channel\":\"a\",\"data\":1}}")), ERR_MALFORMED);
    assert_int_equal(verdict(SPAN("{\"id\":0,\"connect\":{}}")), ERR_MALFORMED);
    assert_int_equal(verdict(SPAN("{\"id\":5}")), ERR_MALFORMED);
}

/* --- fields --- */

static void all_fields_of_a_request_are_taken(void **state)
{
    (void)state;
    centrifuge_reader_t reader;
    centrifuge_command_t command;
    assert_int_equal(
        read_first(
            &reader,
            "{\"id\":7,\"subscribe\":{\"channel\":\"chat:1\",\"token\":\"J\",\"recover\":true,\"offset\":7,"
            "\"epoch\":\"aBcd\",\"flag\":1,\"positioned\":true,\"recoverable\":true,\"join_leave\":true,"
            "\"delta\":\"fossil\",\"data\":{\"k\": 1.10},\"type\":-3,\"tf\":{},\"what\":[{}]}}",
            &command),
        OK);
    assert_true(span_is(command.channel, "chat:1"));
    assert_true(span_is(command.token, "J"));
    assert_true(span_is(command.delta, "fossil"));
    assert_true(span_is(command.data, "{\"k\": 1.10}"));
    assert_int_equal(command.type, -3);
    assert_true(command.has_tag_filter);
    centrifuge_reader_fini(&reader);
}

static void absent_and_null_are_the_same_but_for_data(void **state)
{
    (void)state;
    centrifuge_reader_t reader;
    centrifuge_command_t command;
    assert_int_equal(
        read_first(&reader,
                   "{\"id\":7,\"publish\":{\"channel\":null,\"token\":null,\"type\":null,\"tf\":null,"
                   "\"headers\":null,\"recover\":null,\"offset\":null,\"data\":null}}",
                   &command),
        OK);
    assert_int_equal(command.channel.size, 0);
    assert_int_equal(command.type, 0);
    assert_false(command.has_tag_filter);
    assert_true(span_is(command.data, "null"));
    centrifuge_reader_fini(&reader);
}

static void escapes_in_values_are_decoded(void **state)
{
    (void)state;
    centrifuge_reader_t reader;
    centrifuge_command_t command;
    assert_int_equal(
        read_first(&reader,
                   "{\"id\":7,\"subscribe\":{\"channel\":\"chat\\u003a\\/1\",\"token\":\"\\u00e9\\n\"}}",
                   &command),
        OK);
    assert_true(span_is(command.channel, "chat:/1"));
    assert_true(span_is(command.token, "\xc3\xa9\n"));
    centrifuge_reader_fini(&reader);
}

static void wrong_types_are_bad(void **state)
{
    (void)state;
    static const char *const commands[] = {
        "[]",
        "1",
        "\"connect\"",
        "null",
        "{\"id\":\"1\",\"connect\":{}}",
        "{\"id\":-1,\"connect\":{}}",
        "{\"id\":1.0,\"connect\":{}}",
        "{\"id\":4294967296,\"connect\":{}}",
        "{\"id\":1,\"connect\":[]}",
        "{\"id\":1,\"connect\":\"\"}",
        "{\"id\":1,\"connect\":{},\"rpc\":1}",
        "{\"id\":1,\"connect\":{\"token\":1}}",
        "{\"id\":1,\"connect\":{\"name\":{}}}",
        "{\"id\":1,\"connect\":{\"headers\":[]}}",
        "{\"id\":1,\"connect\":{\"subs\":1}}",
        "{\"id\":1,\"subscribe\":{\"channel\":[\"a\"]}}",
        "{\"id\":1,\"subscribe\":{\"channel\":\"a\",\"recover\":1}}",
        "{\"id\":1,\"subscribe\":{\"channel\":\"a\",\"offset\":-1}}",
        "{\"id\":1,\"subscribe\":{\"channel\":\"a\",\"offset\":18446744073709551616}}",
        "{\"id\":1,\"subscribe\":{\"channel\":\"a\",\"type\":\"map\"}}",
        "{\"id\":1,\"subscribe\":{\"channel\":\"\\ud800\"}}",
    };
    for (size_t i = 0; i < COUNT(commands); i++)
        if (verdict(span_str(commands[i])) == ERR_NOT_FOUND)
            fail_msg("<%s> was taken", commands[i]);
}

static void what_another_reader_could_read_otherwise_is_bad(void **state)
{
    (void)state;
    assert_int_equal(verdict(SPAN("{\"id\":1,\"id\":2,\"connect\":{}}")), ERR_DUPLICATE);
    assert_int_equal(verdict(SPAN("{\"id\":1,\"connect\":{},\"connect\":{}}")), ERR_DUPLICATE);
    assert_int_equal(verdict(SPAN("{\"id\":1,\"c\\u006fnnect\":{}}")), ERR_MALFORMED);
    assert_int_equal(verdict(SPAN("{\"id\":1,\"publish\":{\"channel\":\"a\",\"channel\":\"b\",\"data\":1}}")),
                     ERR_DUPLICATE);
    assert_int_equal(verdict(SPAN("{\"id\":1,\"publish\":{\"ch\\u0061nnel\":\"a\",\"data\":1}}")),
                     ERR_MALFORMED);
    assert_int_equal(
        verdict(SPAN("{\"id\":1,\"publish\":{\"channel\":\"a\",\"data\":{\"x\":1,\"x\":2,\"\\n\":3}}}")),
        ERR_NOT_FOUND);
}

static void json_that_is_none_is_bad(void **state)
{
    (void)state;
    static const char *const commands[] = {
        "{",
        "}",
        "{\"id\":1,}",
        "{'id':1}",
        "{id:1}",
        "{\"id\":01}",
        "{\"a\":NaN}",
        "{\"a\":\"\x01\"}",
        "{\"a\":\"\xff\"}",
        "\xef\xbb\xbf{}",
        "{}//",
        "{\"id\":1,\"publish\":{\"channel\":\"a\",\"data\":}}",
    };
    for (size_t i = 0; i < COUNT(commands); i++)
        if (verdict(span_str(commands[i])) == ERR_NOT_FOUND)
            fail_msg("<%s> was taken", commands[i]);
    assert_int_not_equal(verdict(SPAN("{}\0")), ERR_NOT_FOUND);
}

static void data_nested_too_deep_is_bad(void **state)
{
    (void)state;
    for (unsigned depth = 62; depth <= 63; depth++) { /* two objects are around it */
        buf_t frame = {0};
        buf_append_str(&frame, "{\"id\":1,\"rpc\":{\"data\":");
        for (unsigned i = 0; i < depth; i++)
            buf_append_byte(&frame, '[');
        for (unsigned i = 0; i < depth; i++)
            buf_append_byte(&frame, ']');
        buf_append_str(&frame, "}}");
        assert_int_equal(verdict(buf_span(&frame)), depth == 62 ? ERR_NOT_FOUND : ERR_DEPTH);
        buf_fini(&frame);
    }
}

/* --- positions --- */

static void a_subscribe_command_may_say_where_to_go_on(void **state)
{
    (void)state;
    centrifuge_reader_t reader;
    centrifuge_command_t command;
    assert_int_equal(read_first(&reader,
                                "{\"id\":1,\"subscribe\":{\"channel\":\"a\",\"recover\":true,\"epoch\":"
                                "\"ab\\u0063d\",\"offset\":18446744073709551615,\"flag\":3}}",
                                &command),
                     OK);
    assert_true(command.recover);
    assert_true(span_is(command.at.epoch, "abcd"));
    assert_true(command.at.offset == UINT64_MAX);
    assert_int_equal(command.flag, 3);
    assert_false(command.since.given);
    centrifuge_reader_fini(&reader);
}

static void a_history_command_says_what_is_wanted(void **state)
{
    (void)state;
    centrifuge_reader_t reader;
    centrifuge_command_t command;
    assert_int_equal(read_first(&reader,
                                "{\"id\":1,\"history\":{\"channel\":\"a\",\"limit\":-1,\"reverse\":true,"
                                "\"since\":{\"offset\":7,\"epoch\":\"\\u0061b\"}}}",
                                &command),
                     OK);
    assert_int_equal(command.limit, -1);
    assert_true(command.reverse);
    assert_true(command.since.given);
    assert_true(span_is(command.since.epoch, "ab"));
    assert_int_equal(command.since.offset, 7);
    centrifuge_reader_fini(&reader);
}

static void what_is_absent_or_null_is_not_wanted(void **state)
{
    (void)state;
    static const char *const frames[] = {
        "{\"id\":1,\"history\":{}}",
        "{\"id\":1,\"history\":{\"limit\":null,\"since\":null,\"reverse\":null}}",
        "{\"id\":1,\"subscribe\":{\"recover\":null,\"epoch\":null,\"offset\":null,\"flag\":null}}",
    };
    for (size_t i = 0; i < COUNT(frames); i++) {
        centrifuge_reader_t reader;
        centrifuge_command_t command;
        assert_int_equal(read_first(&reader, frames[i], &command), OK);
        assert_false(command.recover || command.reverse || command.since.given);
        assert_int_equal(command.flag, 0);
        assert_int_equal(command.limit, 0);
        assert_int_equal(command.at.epoch.size + command.at.offset, 0);
        centrifuge_reader_fini(&reader);
    }
    assert_int_equal(verdict(SPAN("{\"id\":1,\"history\":{\"since\":{\"offset\":null,\"epoch\":null}}}")),
                     ERR_NOT_FOUND);
}

static void wishes_of_a_wrong_type_are_bad(void **state)
{
    (void)state;
    static const char *const fields[] = {
        "\"recover\":1",
        "\"recover\":\"true\"",
        "\"epoch\":1",
        "\"epoch\":{}",
        "\"offset\":-1",
        "\"offset\":1.5",
        "\"offset\":\"1\"",
        "\"offset\":18446744073709551616",
        "\"flag\":true",
        "\"flag\":9223372036854775808",
        "\"limit\":\"1\"",
        "\"limit\":[]",
        "\"reverse\":0",
        "\"since\":1",
        "\"since\":[]",
        "\"since\":\"abcdEFGH:1\"",
        "\"since\":{\"offset\":-1}",
        "\"since\":{\"epoch\":1}",
        "\"since\":{\"offset\":1,\"offset\":2}",
    };
    for (size_t i = 0; i < COUNT(fields); i++) {
        buf_t frame = {0};
        buf_printf(&frame, "{\"id\":1,\"history\":{%s}}", fields[i]);
        if (verdict(buf_span(&frame)) == ERR_NOT_FOUND)
            fail_msg("<%s> was taken", buf_text(&frame));
        buf_fini(&frame);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_javascript_library_sends_first_is_read),
        cmocka_unit_test(a_last_line_end_may_be_there),
        cmocka_unit_test(empty_frames_and_lines_are_bad),
        cmocka_unit_test(a_command_stands_on_one_line),
        cmocka_unit_test(each_method_has_its_name),
        cmocka_unit_test(an_empty_object_is_a_pong),
        cmocka_unit_test(the_first_method_of_the_list_counts),
        cmocka_unit_test(send_needs_no_number_and_others_do),
        cmocka_unit_test(all_fields_of_a_request_are_taken),
        cmocka_unit_test(absent_and_null_are_the_same_but_for_data),
        cmocka_unit_test(escapes_in_values_are_decoded),
        cmocka_unit_test(wrong_types_are_bad),
        cmocka_unit_test(what_another_reader_could_read_otherwise_is_bad),
        cmocka_unit_test(json_that_is_none_is_bad),
        cmocka_unit_test(data_nested_too_deep_is_bad),
        cmocka_unit_test(a_subscribe_command_may_say_where_to_go_on),
        cmocka_unit_test(a_history_command_says_what_is_wanted),
        cmocka_unit_test(what_is_absent_or_null_is_not_wanted),
        cmocka_unit_test(wishes_of_a_wrong_type_are_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
