#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "relay/survey.h"
#include "tests/unit/relay/listener.h"

enum { TOOL, EDGE_A, EDGE_B, PARTIES };

typedef struct fixture {
    relay_peers_t peers;
    relay_surveys_t surveys;
    listener_t parties[PARTIES];
} fixture_t;

static int set_up(void **state)
{
    static fixture_t fixture;
    relay_peers_init(&fixture.peers);
    relay_surveys_init(&fixture.surveys);
    for (unsigned i = 0; i < PARTIES; i++)
        listener_start(&fixture.parties[i], &fixture.peers, 10 + i, i == TOOL ? ROLE_TOOL : ROLE_EDGE, 0);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    fixture_t *fixture = *state;
    relay_surveys_fini(&fixture->surveys);
    for (int i = 0; i < PARTIES; i++)
        listener_stop(&fixture->parties[i]);
    relay_peers_fini(&fixture->peers);
    return 0;
}

static void begin(fixture_t *f, int asker, uint64_t id, span_t own)
{
    const envelope_ask_t ask = {.id = id, .question = QUESTION_CHANNELS, .channel = SPAN("*")};
    relay_surveys_begin(&f->surveys, &f->peers, f->parties[asker].link, &ask, own, NOW);
}

/* An answer of one text, or a list that is given. */
static void answer_list(fixture_t *f, int edge, uint64_t id, span_t items)
{
    const envelope_answer_t answer = {id, 0, items};
    relay_surveys_answer(&f->surveys, &f->peers, f->parties[edge].link, &answer, NOW);
}

static void answer(fixture_t *f, int edge, uint64_t id, const char *text)
{
    buf_t list = {0};
    codec_write_array(&list, 1);
    codec_write_text(&list, span_str(text));
    answer_list(f, edge, id, buf_span(&list));
    buf_fini(&list);
}

static void lose(fixture_t *f, int which)
{
    relay_peer_slot_t slot = f->parties[which].slot;
    link_reset(f->parties[which].link, ERR_TIMEOUT, NOW);
    relay_surveys_lost(&f->surveys, &f->peers, slot, NOW);
}

static const char *heard(fixture_t *f, int which)
{
    return listener_heard(&f->parties[which]);
}

/* The texts of the last answer. */
static const char *items(fixture_t *f, int which)
{
    static buf_t words;
    span_t rest = buf_span(&f->parties[which].items);
    span_t word;
    uint32_t count;
    buf_clear(&words);
    assert_int_equal(codec_read_array(&rest, &count), OK);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(codec_read_text(&rest, 64, &word), OK);
        buf_printf(&words, "%.*s ", SPAN_FMT(word));
    }
    assert_int_equal(rest.size, 0);
    return buf_text(&words);
}

static void every_edge_is_asked_and_one_answer_is_made_of_theirs(void **state)
{
    fixture_t *f = *state;
    const uint8_t own[] = {0xa4, 's', 'e', 'l', 'f'};
    begin(f, TOOL, 77, span_new(own, sizeof own));
    assert_string_equal(heard(f, EDGE_A), "ASK:1 ");
    assert_string_equal(heard(f, EDGE_B), "ASK:1 ");
    answer(f, EDGE_B, 1, "b");
    assert_string_equal(heard(f, TOOL), "");
    answer(f, EDGE_A, 1, "a");
    assert_string_equal(heard(f, TOOL), "ANSWER:77:0 ");
    assert_string_equal(items(f, TOOL), "self b a ");
    assert_int_equal(f->surveys.count, 0);
}

static void an_edge_may_ask_and_is_asked_itself(void **state)
{
    fixture_t *f = *state;
    begin(f, EDGE_A, 5, (span_t){0});
    assert_string_equal(heard(f, EDGE_A), "ASK:1 ");
    answer(f, EDGE_A, 1, "a");
    answer(f, EDGE_B, 1, "b");
    assert_string_equal(heard(f, EDGE_A), "ANSWER:5:0 ");
    assert_string_equal(items(f, EDGE_A), "a b ");
}

static void an_edge_that_never_answers_is_not_waited_for_for_ever(void **state)
{
    fixture_t *f = *state;
    begin(f, TOOL, 77, (span_t){0});
    answer(f, EDGE_A, 1, "a");
    relay_surveys_tick(&f->surveys, &f->peers, NOW + SURVEY_TIMEOUT_US - 1);
    assert_string_equal(heard(f, TOOL), "");
    relay_surveys_tick(&f->surveys, &f->peers, NOW + SURVEY_TIMEOUT_US);
    assert_string_equal(heard(f, TOOL), "ANSWER:77:0 ");
    assert_string_equal(items(f, TOOL), "a ");
    answer(f, EDGE_B, 1, "too late");
    assert_string_equal(heard(f, TOOL), "");
}

static void an_edge_that_is_lost_is_not_waited_for(void **state)
{
    fixture_t *f = *state;
    begin(f, TOOL, 77, (span_t){0});
    begin(f, TOOL, 78, (span_t){0});
    answer(f, EDGE_A, 1, "a");
    answer(f, EDGE_A, 2, "b");
    lose(f, EDGE_B);
    assert_string_equal(heard(f, TOOL), "ANSWER:77:0 ANSWER:78:0 ");
    assert_string_equal(items(f, TOOL), "b ");
}

static void an_asker_that_is_lost_ends_its_survey(void **state)
{
    fixture_t *f = *state;
    begin(f, TOOL, 77, (span_t){0});
    begin(f, EDGE_A, 5, (span_t){0});
    lose(f, TOOL);
    assert_int_equal(f->surveys.count, 1);
    answer(f, EDGE_A, 1, "nobody wants it");
    answer(f, EDGE_A, 2, "a");
    answer(f, EDGE_B, 2, "b");
    heard(f, EDGE_A);
    assert_string_equal(items(f, EDGE_A), "a b ");
}

static void an_answer_counts_once_and_only_from_who_was_asked(void **state)
{
    fixture_t *f = *state;
    begin(f, EDGE_B, 5, (span_t){0});
    answer(f, EDGE_A, 1, "a");
    answer(f, EDGE_A, 1, "again");
    answer(f, TOOL, 1, "not asked");
    answer(f, EDGE_B, 99, "no such survey");
    answer(f, EDGE_B, 1, "b");
    heard(f, EDGE_B);
    assert_string_equal(items(f, EDGE_B), "a b ");
}

static void without_an_edge_the_answer_comes_at_once(void **state)
{
    fixture_t *f = *state;
    lose(f, EDGE_A);
    lose(f, EDGE_B);
    begin(f, TOOL, 77, (span_t){0});
    assert_string_equal(heard(f, TOOL), "ANSWER:77:0 ");
    assert_string_equal(items(f, TOOL), "");
}

static void too_many_open_surveys_are_refused(void **state)
{
    fixture_t *f = *state;
    for (unsigned i = 0; i < SURVEYS_MAX; i++)
        begin(f, TOOL, i, (span_t){0});
    assert_string_equal(heard(f, TOOL), "");
    begin(f, TOOL, 5000, (span_t){0});
    char expected[32];
    snprintf(expected, sizeof expected, "ANSWER:5000:%d ", ERR_FULL);
    assert_string_equal(heard(f, TOOL), expected);
    relay_surveys_tick(&f->surveys, &f->peers, NOW + SURVEY_TIMEOUT_US);
    assert_int_equal(f->surveys.count, 0);
}

static void what_would_not_fit_into_one_answer_is_left_out(void **state)
{
    fixture_t *f = *state;
    uint8_t *large = mem_new(LIST_MAX - 100);
    buf_t list = {0};
    codec_write_array(&list, 1);
    codec_write_data(&list, span_new(large, LIST_MAX - 100));
    begin(f, TOOL, 77, (span_t){0});
    answer(f, EDGE_A, 1, "small");
    answer_list(f, EDGE_B, 1, buf_span(&list));
    heard(f, TOOL);
    assert_in_range(f->parties[TOOL].items.size, LIST_MAX - 100, LIST_MAX);
    begin(f, TOOL, 78, (span_t){0});
    answer_list(f, EDGE_B, 2, buf_span(&list));
    answer_list(f, EDGE_A, 2, buf_span(&list));
    heard(f, TOOL);
    assert_in_range(f->parties[TOOL].items.size, LIST_MAX - 100, LIST_MAX);
    buf_fini(&list);
    mem_free(large);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_edge_is_asked_and_one_answer_is_made_of_theirs),
        TEST(an_edge_may_ask_and_is_asked_itself),
        TEST(an_edge_that_never_answers_is_not_waited_for_for_ever),
        TEST(an_edge_that_is_lost_is_not_waited_for),
        TEST(an_asker_that_is_lost_ends_its_survey),
        TEST(an_answer_counts_once_and_only_from_who_was_asked),
        TEST(without_an_edge_the_answer_comes_at_once),
        TEST(too_many_open_surveys_are_refused),
        TEST(what_would_not_fit_into_one_answer_is_left_out),
    };
    return cmocka_run_group_tests_name("relay/survey", tests, NULL, NULL);
}
