#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "relay/presence.h"
#include "tests/unit/relay/listener.h"

typedef struct fixture {
    relay_peers_t peers;
    listener_t edges[2];
    relay_presence_t *presence;
    buf_t left; /* "c1/ann/{} " of each who has left */
} fixture_t;

static int set_up(void **state)
{
    static fixture_t fixture;
    relay_peers_init(&fixture.peers);
    for (unsigned i = 0; i < 2; i++)
        listener_start(&fixture.edges[i], &fixture.peers, 10 + i, ROLE_EDGE, 0);
    fixture.presence = relay_presence_new();
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    fixture_t *fixture = *state;
    relay_presence_destroy(&fixture->presence);
    buf_fini(&fixture->left);
    for (int i = 0; i < 2; i++)
        listener_stop(&fixture->edges[i]);
    relay_peers_fini(&fixture->peers);
    return 0;
}

/* Is it news? */
static bool join(fixture_t *f, int edge, const char *client, const char *user, const char *info)
{
    const envelope_join_t join = {SPAN("chat"), span_str(client), span_str(user), span_str(info)};
    return relay_presence_join(f->presence, &join, f->edges[edge].slot);
}

static void write_left(void *context, span_t client, span_t user, span_t info)
{
    buf_printf(context, "%.*s/%.*s/%.*s ", SPAN_FMT(client), SPAN_FMT(user), SPAN_FMT(info));
}

static void leave(fixture_t *f, int edge, const char *client)
{
    relay_presence_leave(f->presence, span_str(client), f->edges[edge].slot, write_left, &f->left);
}

/* The edge's link is down, and it has not come back in time. */
static void die(fixture_t *f, int edge)
{
    link_reset(f->edges[edge].link, ERR_TIMEOUT, NOW);
    listeners_die(&f->peers);
}

static bool sweep(fixture_t *f, size_t most)
{
    return relay_presence_sweep(f->presence, &f->peers, &most, write_left, &f->left);
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* "client/user/info ..." in order of clients. */
static const char *listed(fixture_t *f)
{
    static char text[1024];
    char words[8][64];
    buf_t list = {0};
    uint32_t count;
    assert_true(relay_presence_list(f->presence, &f->peers, &list));
    span_t rest = buf_span(&list);
    assert_int_equal(codec_read_array(&rest, &count), OK);
    assert_in_range(count, 0, 8);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t fields;
        span_t client, user, info;
        assert_int_equal(codec_read_array(&rest, &fields), OK);
        assert_int_equal(fields, 3);
        assert_int_equal(codec_read_text(&rest, 64, &client), OK);
        assert_int_equal(codec_read_text(&rest, 64, &user), OK);
        assert_int_equal(codec_read_data(&rest, 64, &info), OK);
        snprintf(words[i], sizeof words[i], "%.*s/%.*s/%.*s ", SPAN_FMT(client), SPAN_FMT(user),
                 SPAN_FMT(info));
    }
    assert_int_equal(rest.size, 0);
    qsort(words, count, sizeof words[0], compare);
    text[0] = '\0';
    for (uint32_t i = 0; i < count; i++)
        strcat(text, words[i]);
    buf_fini(&list);
    return text;
}

static void who_joins_is_listed_and_who_leaves_is_not(void **state)
{
    fixture_t *f = *state;
    assert_string_equal(listed(f), "");
    join(f, 0, "c1", "ann", "{}");
    join(f, 1, "c2", "", "");
    assert_string_equal(listed(f), "c1/ann/{} c2// ");
    leave(f, 0, "c1");
    leave(f, 0, "nobody");
    assert_string_equal(listed(f), "c2// ");
    assert_int_equal(relay_presence_count(f->presence), 1);
}

static void a_second_join_replaces_the_first(void **state)
{
    fixture_t *f = *state;
    join(f, 0, "c1", "ann", "old");
    join(f, 0, "c1", "ann", "a longer text");
    assert_string_equal(listed(f), "c1/ann/a longer text ");
    assert_false(join(f, 1, "c1", "ann", "elsewhere")); /* who is there already is no news */
    leave(f, 0, "c1");                                  /* the old edge's word comes late */
    assert_string_equal(listed(f), "c1/ann/elsewhere ");
}

static void only_its_own_edge_can_take_a_client_away(void **state)
{
    fixture_t *f = *state;
    join(f, 0, "c1", "ann", "");
    leave(f, 1, "c1");
    assert_string_equal(listed(f), "c1/ann/ ");
}

static void clients_of_a_dead_edge_are_not_listed_and_a_sweep_frees_them(void **state)
{
    fixture_t *f = *state;
    uint64_t clients, users;
    join(f, 0, "c1", "ann", "");
    join(f, 1, "c2", "bob", "");
    link_reset(f->edges[0].link, ERR_TIMEOUT, NOW);
    assert_string_equal(listed(f), "c2/bob/ ");
    relay_presence_stats(f->presence, &f->peers, &clients, &users);
    assert_int_equal(clients, 1);
    assert_int_equal(users, 1);
    assert_int_equal(relay_presence_count(f->presence), 2);
    assert_true(sweep(f, SIZE_MAX));
    assert_int_equal(relay_presence_count(f->presence), 2); /* the edge may be back yet */
    listeners_die(&f->peers);
    assert_true(sweep(f, SIZE_MAX));
    assert_int_equal(relay_presence_count(f->presence), 1);
    assert_string_equal(listed(f), "c2/bob/ ");
    assert_string_equal(buf_text(&f->left), "c1/ann/ ");
}

static void coming_is_news_once_and_again_after_leaving(void **state)
{
    fixture_t *f = *state;
    assert_true(join(f, 0, "c1", "ann", "{}"));
    assert_false(join(f, 0, "c1", "ann", "{}"));
    leave(f, 0, "c1");
    leave(f, 0, "c1");
    assert_string_equal(buf_text(&f->left), "c1/ann/{} ");
    assert_true(join(f, 0, "c1", "ann", "{}"));
}

static void who_is_back_before_its_edge_is_dead_has_never_left(void **state)
{
    fixture_t *f = *state;
    join(f, 0, "c1", "ann", "");
    link_reset(f->edges[0].link, ERR_TIMEOUT, NOW);
    assert_false(join(f, 1, "c1", "ann", "")); /* the same edge, by another link */
    listeners_die(&f->peers);
    assert_true(sweep(f, SIZE_MAX));
    assert_string_equal(buf_text(&f->left), "");
    assert_string_equal(listed(f), "c1/ann/ ");
}

static void a_sweep_tells_of_as_many_as_it_may_and_of_each_once(void **state)
{
    fixture_t *f = *state;
    enum { CLIENTS = 100 };
    char client[16];
    for (unsigned i = 0; i < CLIENTS; i++) {
        snprintf(client, sizeof client, "c%u", i);
        join(f, i % 10 == 0, client, "", "");
    }
    die(f, 0);
    unsigned calls = 1;
    for (; !sweep(f, 7); calls++)
        continue;
    assert_int_equal(calls, (90 + 6) / 7);
    for (unsigned i = 0; i < CLIENTS; i++) {
        snprintf(client, sizeof client, "c%u// ", i);
        const char *told = strstr(buf_text(&f->left), client);
        assert_true((told != NULL) == (i % 10 != 0));
        assert_true(!told || !strstr(told + 1, client));
    }
    assert_int_equal(relay_presence_count(f->presence), 10);
}

static void who_is_back_before_its_leaving_was_told_has_never_left(void **state)
{
    fixture_t *f = *state;
    join(f, 0, "c1", "ann", "");
    die(f, 0);
    assert_false(sweep(f, 0));
    assert_int_equal(relay_presence_count(f->presence), 0);
    assert_false(join(f, 1, "c1", "ann", ""));
    assert_true(sweep(f, 1));
    assert_string_equal(buf_text(&f->left), "");
    assert_string_equal(listed(f), "c1/ann/ ");
}

static void a_user_counts_once_and_the_anonymous_together(void **state)
{
    fixture_t *f = *state;
    uint64_t clients, users;
    join(f, 0, "c1", "ann", "");
    join(f, 1, "c2", "ann", "");
    join(f, 0, "c3", "bob", "");
    join(f, 0, "c4", "", "");
    join(f, 1, "c5", "", "");
    relay_presence_stats(f->presence, &f->peers, &clients, &users);
    assert_int_equal(clients, 5);
    assert_int_equal(users, 3);
}

static void a_list_that_would_be_too_long_is_cut_between_two_clients(void **state)
{
    fixture_t *f = *state;
    char client[32], info[4001];
    memset(info, 'x', 4000);
    info[4000] = '\0';
    unsigned clients = LIST_MAX / 4000 + 10;
    for (unsigned i = 0; i < clients; i++) {
        snprintf(client, sizeof client, "c%u", i);
        join(f, 0, client, "", info);
    }
    buf_t list = {0};
    assert_false(relay_presence_list(f->presence, &f->peers, &list));
    assert_in_range(list.size, LIST_MAX - 5000, LIST_MAX);
    span_t rest = buf_span(&list);
    span_t whole;
    assert_int_equal(codec_read_list(&rest, LIST_MAX, &whole), OK);
    assert_int_equal(rest.size, 0);
    buf_fini(&list);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_joins_is_listed_and_who_leaves_is_not),
        TEST(a_second_join_replaces_the_first),
        TEST(only_its_own_edge_can_take_a_client_away),
        TEST(clients_of_a_dead_edge_are_not_listed_and_a_sweep_frees_them),
        TEST(coming_is_news_once_and_again_after_leaving),
        TEST(who_is_back_before_its_edge_is_dead_has_never_left),
        TEST(a_sweep_tells_of_as_many_as_it_may_and_of_each_once),
        TEST(who_is_back_before_its_leaving_was_told_has_never_left),
        TEST(a_user_counts_once_and_the_anonymous_together),
        TEST(a_list_that_would_be_too_long_is_cut_between_two_clients),
    };
    return cmocka_run_group_tests_name("relay/presence", tests, NULL, NULL);
}
