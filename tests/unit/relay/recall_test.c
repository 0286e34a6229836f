#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/err.h"
#include "protocol/recall.h"
#include "relay/channel.h"

#define SECOND UINT64_C(1000000)
#define NOW    (100 * SECOND)

/* Keeps four of the seven messages "1" to "7": offsets 4 to 7. */
static const channel_options_t options = {.history_size = 4, .history_ttl_us = 30 * SECOND};
static relay_context_t context;
static relay_channel_t *channel;

static int set_up(void **state)
{
    (void)state;
    context = (relay_context_t){0};
    relay_peers_init(&context.peers);
    relay_store_init(&context.store, 1024 * 1024);
    channel = relay_channel_new(SPAN("chat"), &options, 7, NOW);
    for (unsigned i = 1; i <= 7; i++) {
        char text[2] = {(char)('0' + i), '\0'};
        envelope_pub_t pub = {.node = 1, .counter = i, .channel = SPAN("chat"), .payload = span_str(text)};
        relay_channel_publish(channel, &context, &pub, NOW, 1);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    relay_channel_destroy(&channel, &context);
    relay_peers_fini(&context.peers);
    buf_fini(&context.scratch);
    return 0;
}

static position_t at(uint64_t offset)
{
    position_t position = relay_channel_position(channel);
    position.offset = offset;
    return position;
}

/* What comes back, as "top complete: payloads". */
static void assert_recalls(relay_recall_t wanted, uint64_t now_us, const char *text)
{
    buf_t list = {0}, got = {0};
    recall_t recall;
    relay_channel_recall(channel, &context, &wanted, now_us, &list);
    assert_int_equal(recall_read(buf_span(&list), &recall), OK);
    assert_true(position_same_epoch(recall.top, at(0)));
    buf_printf(&got, "%u %d:", (unsigned)recall.top.offset, recall.complete);
    for (envelope_msg_t message; recall_next(&recall.messages, &message);)
        buf_printf(&got, " %.*s", SPAN_FMT(message.payload));
    assert_int_equal(recall.messages.size, 0);
    assert_string_equal(buf_text(&got), text);
    buf_fini(&list);
    buf_fini(&got);
}

static void what_is_behind_a_position_is_complete_if_all_of_it_is_here(void **state)
{
    (void)state;
    assert_recalls((relay_recall_t){.since = at(5), .limit = 300}, NOW, "7 1: 6 7");
    assert_recalls((relay_recall_t){.since = at(7), .limit = 300}, NOW, "7 1:");
    assert_recalls((relay_recall_t){.since = at(3), .limit = 300}, NOW, "7 1: 4 5 6 7");
}

static void what_is_gone_in_part_is_not_complete(void **state)
{
    (void)state;
    assert_recalls((relay_recall_t){.since = at(2), .limit = 300}, NOW, "7 0: 4 5 6 7");
    assert_recalls((relay_recall_t){.since = at(5), .limit = 300}, NOW + 31 * SECOND, "7 0:");
}

static void a_limit_cuts_and_then_it_is_not_complete(void **state)
{
    (void)state;
    assert_recalls((relay_recall_t){.since = at(4), .limit = 2}, NOW, "7 0: 5 6");
    assert_recalls((relay_recall_t){.since = at(4), .limit = 3}, NOW, "7 1: 5 6 7");
    assert_recalls((relay_recall_t){.since = at(4), .limit = 0}, NOW, "7 0:");
}

static void a_position_beyond_the_top_has_nothing_behind_it(void **state)
{
    (void)state;
    assert_recalls((relay_recall_t){.since = at(9), .limit = 300}, NOW, "7 0:");
    assert_recalls((relay_recall_t){.since = at(UINT64_MAX), .limit = 300}, NOW, "7 0:");
}

static void another_epoch_has_nothing_here(void **state)
{
    (void)state;
    position_t other = {.epoch = "OtherOne", .offset = 5};
    assert_recalls((relay_recall_t){.since = other, .limit = 300}, NOW, "7 0:");
}

static void without_a_position_it_starts_at_the_oldest(void **state)
{
    (void)state;
    assert_recalls((relay_recall_t){.limit = 300}, NOW, "7 0: 4 5 6 7");
    assert_recalls((relay_recall_t){.limit = 2}, NOW, "7 0: 4 5");
}

static void backwards_the_newest_comes_first(void **state)
{
    (void)state;
    assert_recalls((relay_recall_t){.limit = 3, .reverse = true}, NOW, "7 0: 7 6 5");
    assert_recalls((relay_recall_t){.since = at(6), .limit = 300, .reverse = true}, NOW, "7 0: 5 4");
    assert_recalls((relay_recall_t){.since = at(4), .limit = 300, .reverse = true}, NOW, "7 0:");
    assert_recalls((relay_recall_t){.since = at(1), .limit = 300, .reverse = true}, NOW, "7 0:");
    assert_recalls((relay_recall_t){.since = at(99), .limit = 2, .reverse = true}, NOW, "7 0: 7 6");
}

static void a_forgotten_history_keeps_the_position(void **state)
{
    (void)state;
    relay_channel_forget(channel, &context);
    assert_recalls((relay_recall_t){.since = at(7), .limit = 300}, NOW, "7 1:");
    assert_recalls((relay_recall_t){.since = at(6), .limit = 300}, NOW, "7 0:");
    assert_int_equal(context.store.bytes, 0);
}

static void an_empty_channel_is_at_its_beginning(void **state)
{
    (void)state;
    relay_channel_destroy(&channel, &context);
    channel = relay_channel_new(SPAN("chat"), &options, 8, NOW);
    assert_recalls((relay_recall_t){.limit = 300}, NOW, "0 0:");
    assert_recalls((relay_recall_t){.since = at(0), .limit = 300}, NOW, "0 1:");
    assert_recalls((relay_recall_t){.limit = 300, .reverse = true}, NOW, "0 0:");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_behind_a_position_is_complete_if_all_of_it_is_here),
        TEST(what_is_gone_in_part_is_not_complete),
        TEST(a_limit_cuts_and_then_it_is_not_complete),
        TEST(a_position_beyond_the_top_has_nothing_behind_it),
        TEST(another_epoch_has_nothing_here),
        TEST(without_a_position_it_starts_at_the_oldest),
        TEST(backwards_the_newest_comes_first),
        TEST(a_forgotten_history_keeps_the_position),
        TEST(an_empty_channel_is_at_its_beginning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
