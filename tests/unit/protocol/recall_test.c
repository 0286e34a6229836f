#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "protocol/codec.h"
#include "protocol/recall.h"

#define EPOCH "abcdEFGH"

static buf_t messages, list;

static int tear_down(void **state)
{
    (void)state;
    buf_fini(&messages);
    buf_fini(&list);
    return 0;
}

static void add_message(uint64_t offset, span_t payload)
{
    envelope_t envelope = {
        .kind = KIND_MSG,
        .msg = {.channel = SPAN("a"), .epoch = SPAN(EPOCH), .offset = offset, .payload = payload}};
    envelope_encode(&messages, &envelope);
}

static void write_list(uint64_t top, bool complete, uint32_t count)
{
    recall_t recall = {{.epoch = EPOCH, .offset = top}, complete, buf_span(&messages)};
    recall_write(&list, &recall, count);
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    recall_t recall;
    envelope_msg_t message;
    add_message(8, SPAN("eight"));
    add_message(9, (span_t){0});
    write_list(9, true, 2);
    span_t rest = buf_span(&list);
    assert_int_equal(codec_skip(&rest), OK);
    assert_int_equal(rest.size, 0);
    assert_int_equal(recall_read(buf_span(&list), &recall), OK);
    assert_true(span_is(position_epoch(&recall.top), EPOCH));
    assert_int_equal(recall.top.offset, 9);
    assert_true(recall.complete);
    assert_true(recall_next(&recall.messages, &message));
    assert_int_equal(message.offset, 8);
    assert_true(span_is(message.payload, "eight"));
    assert_true(recall_next(&recall.messages, &message));
    assert_int_equal(message.offset, 9);
    assert_int_equal(message.payload.size, 0);
    assert_false(recall_next(&recall.messages, &message));
}

static void no_messages_are_an_answer_too(void **state)
{
    (void)state;
    recall_t recall;
    envelope_msg_t message;
    write_list(UINT64_MAX, false, 0);
    assert_int_equal(recall_read(buf_span(&list), &recall), OK);
    assert_int_equal(recall.top.offset, UINT64_MAX);
    assert_false(recall.complete);
    assert_false(recall_next(&recall.messages, &message));
}

static void what_is_cut_anywhere_in_front_of_the_messages_is_no_answer(void **state)
{
    (void)state;
    recall_t recall;
    write_list(1000, true, 0);
    for (size_t size = 0; size < list.size; size++)
        assert_int_not_equal(recall_read(span_new(list.data, size), &recall), OK);
}

static void other_lists_are_no_answers(void **state)
{
    (void)state;
    static const struct row {
        const char *bytes;
        size_t size;
    } rows[] = {
        {"\x92\xa0\x01", 3},     /* too short a list */
        {"\x93\x01\x01\x01", 4}, /* the epoch is no text */
        {"\x93\xa3"
         "abc"
         "\x01\x01",
         7}, /* nor an epoch */
        {"\x93\xa0\xa1"
         "1"
         "\x01",
         5},                     /* the offset is no number */
        {"\x93\xa0\x01\xc3", 4}, /* a truth instead of 0 or 1 */
        {"\xa3"
         "abc",
         4},
        {"\xc1", 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        recall_t recall;
        if (recall_read(span_new(rows[i].bytes, rows[i].size), &recall) == OK)
            fail_msg("row %zu was read", i);
    }
}

static void what_is_no_message_is_passed_over(void **state)
{
    (void)state;
    envelope_t other = {.kind = KIND_BYE};
    envelope_msg_t message;
    envelope_encode(&messages, &other);
    buf_append_span(&messages, SPAN("\x92\x79\x01")); /* a kind of the future */
    add_message(3, SPAN("three"));
    envelope_encode(&messages, &other);
    span_t rest = buf_span(&messages);
    assert_true(recall_next(&rest, &message));
    assert_int_equal(message.offset, 3);
    assert_false(recall_next(&rest, &message));
}

static void at_broken_bytes_it_ends(void **state)
{
    (void)state;
    envelope_msg_t message;
    add_message(3, SPAN("three"));
    size_t whole = messages.size;
    add_message(4, SPAN("four"));
    for (size_t size = whole; size < messages.size; size++) {
        span_t rest = span_new(messages.data, size);
        assert_true(recall_next(&rest, &message));
        assert_false(recall_next(&rest, &message));
    }
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_written_is_read),
        TEST(no_messages_are_an_answer_too),
        TEST(what_is_cut_anywhere_in_front_of_the_messages_is_no_answer),
        TEST(other_lists_are_no_answers),
        TEST(what_is_no_message_is_passed_over),
        TEST(at_broken_bytes_it_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
