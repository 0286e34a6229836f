/* A Centrifuge client that is told who joins its channels and who leaves them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_centrifuge.h"

static void somebody(const char *channel, const char *info, bool came)
{
    const envelope_join_t client = {span_str(channel), SPAN("c-1"), SPAN("42"), span_str(info)};
    edge_hub_presence(worker->worker.hub, &uplink->relay, &client, came);
}

static void subscribe_with(const char *channel, const char *wishes)
{
    buf_t text = {0};
    buf_printf(&text, "{\"id\":2,\"subscribe\":{\"channel\":\"%s\"%s}}", channel, wishes);
    say(buf_text(&text));
    turn();
    sub_ok(channel);
    hear("{\"id\":2,\"subscribe\":{}}");
    buf_fini(&text);
}

static void who_asks_for_it_is_told_who_joins_and_leaves(void **state)
{
    (void)state;
    connect_anonymous();
    subscribe_with("told:a", ",\"join_leave\":true");
    somebody("told:a", "{\"n\":\n\"A\"}", true);
    hear("{\"push\":{\"channel\":\"told:a\",\"join\":{\"info\":{\"user\":\"42\",\"client\":\"c-1\","
         "\"conn_info\":{\"n\":\"A\"}}}}}");
    somebody("told:a", "", false);
    hear("{\"push\":{\"channel\":\"told:a\",\"leave\":{\"info\":{\"user\":\"42\",\"client\":\"c-1\"}}}}");
}

static void an_info_that_is_no_json_is_left_out(void **state)
{
    (void)state;
    connect_anonymous();
    subscribe_with("told:a", ",\"join_leave\":true");
    somebody("told:a", "{\"n\":", true);
    hear("{\"push\":{\"channel\":\"told:a\",\"join\":{\"info\":{\"user\":\"42\",\"client\":\"c-1\"}}}}");
}

static void who_does_not_ask_is_not_told_but_where_all_are(void **state)
{
    (void)state;
    connect_anonymous();
    subscribe_with("told:a", "");
    subscribe_with("forced:a", ",\"join_leave\":false");
    somebody("told:a", "", true);
    hear_nothing();
    somebody("forced:a", "", true);
    hear("{\"push\":{\"channel\":\"forced:a\",\"join\":{\"info\":{\"user\":\"42\",\"client\":\"c-1\"}}}}");
}

static void where_it_is_off_asking_for_it_is_no_use(void **state)
{
    (void)state;
    connect_anonymous();
    subscribe_with("a", ",\"join_leave\":true");
    somebody("a", "", true);
    hear_nothing();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_asks_for_it_is_told_who_joins_and_leaves),
        TEST(an_info_that_is_no_json_is_left_out),
        TEST(who_does_not_ask_is_not_told_but_where_all_are),
        TEST(where_it_is_off_asking_for_it_is_no_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
