/* Who hears of whose coming and going, while links come and go.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "relay/peers.h"
#include "tests/sim/virtual_edge.h"
#include "tests/sim/virtual_relay.h"

#define MS     UINT64_C(1000)
#define SECOND UINT64_C(1000000)

static struct world {
    virtual_fabric_t fabric;
    namespaces_t namespaces;
    virtual_relay_t relay;
    virtual_edge_t a, b;
} world;

static void run(uint64_t time_us)
{
    virtual_fabric_run(&world.fabric, time_us);
}

static void settle(void)
{
    assert_true(virtual_fabric_run_until(&world.fabric, virtual_edge_is_on, &world.a, 5 * SECOND));
    assert_true(virtual_fabric_run_until(&world.fabric, virtual_edge_is_on, &world.b, 5 * SECOND));
}

static void start_edge(virtual_edge_t *edge, const char *name)
{
    virtual_edge_options_t options = VIRTUAL_EDGE_DEFAULT;
    options.name = name;
    virtual_edge_start(edge, &world.fabric, &options);
    assert_true(virtual_fabric_run_until(&world.fabric, virtual_edge_is_linked, edge, 2 * SECOND));
    virtual_edge_subscribe(edge, "chat");
}

static int set_up(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_OFF);
    world = (struct world){0};
    virtual_fabric_init(&world.fabric, 1);
    namespaces_init(&world.namespaces);
    const channel_options_t told = {.join_leave = true};
    assert_int_equal(namespaces_add(&world.namespaces, SPAN("default"), &told), OK);
    virtual_relay_options_t options = VIRTUAL_RELAY_DEFAULT;
    options.namespaces = &world.namespaces;
    virtual_relay_start(&world.relay, &world.fabric, &options);
    start_edge(&world.a, "edge-a");
    start_edge(&world.b, "edge-b");
    settle();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    virtual_edge_stop(&world.a);
    virtual_edge_stop(&world.b);
    virtual_relay_stop(&world.relay);
    namespaces_fini(&world.namespaces);
    virtual_fabric_fini(&world.fabric);
    return 0;
}

static void join(virtual_edge_t *edge, const char *client)
{
    const envelope_join_t join = {SPAN("chat"), span_str(client), SPAN("ann"), SPAN("{}")};
    assert_int_equal(uplink_join(edge->uplink, &join, world.fabric.now_us), OK);
    run(10 * MS);
}

static void leave(virtual_edge_t *edge, const char *client)
{
    assert_int_equal(uplink_leave(edge->uplink, SPAN("chat"), span_str(client), world.fabric.now_us), OK);
    run(10 * MS);
}

static void assert_heard(virtual_edge_t *edge, const char *text)
{
    assert_string_equal(buf_text(&edge->heard), text);
    buf_clear(&edge->heard);
}

/* The relay cuts a's link; a is back at once. */
static void cut_link_of_a(void)
{
    link_reset(node_find_link(world.relay.node, node_id(world.a.node)), ERR_CLOSED, world.fabric.now_us);
    run(50 * MS);
    settle();
}

static void all_edges_hear_who_comes_and_goes(void **state)
{
    (void)state;
    join(&world.a, "c1");
    join(&world.b, "c2");
    join(&world.b, "c2");
    leave(&world.a, "c1");
    leave(&world.a, "c2"); /* not its own */
    assert_heard(&world.a, "+c1 +c2 -c1 ");
    assert_heard(&world.b, "+c1 +c2 -c1 ");
}

static void who_is_back_after_a_link_loss_has_neither_left_nor_come(void **state)
{
    (void)state;
    join(&world.a, "c1");
    cut_link_of_a();
    join(&world.a, "c1");
    run(10 * SECOND);
    assert_heard(&world.b, "+c1 ");
    leave(&world.a, "c1");
    assert_heard(&world.b, "-c1 ");
}

static void who_goes_while_the_link_is_down_leaves_all_the_same(void **state)
{
    (void)state;
    join(&world.a, "c1");
    join(&world.a, "c2");
    cut_link_of_a();
    join(&world.a, "c2"); /* and c1 does not */
    join(&world.a, "c3");
    run(10 * SECOND);
    assert_heard(&world.b, "+c1 +c2 +c3 -c1 ");
}

static void who_comes_back_too_late_has_left_and_come(void **state)
{
    (void)state;
    join(&world.a, "c1");
    cut_link_of_a();
    run(RELAY_PEER_LINGER_US + SECOND);
    join(&world.a, "c1");
    assert_heard(&world.b, "+c1 -c1 +c1 ");
}

static void the_clients_of_a_dead_edge_leave_each_once(void **state)
{
    (void)state;
    enum { CLIENTS = 500 };
    char name[16];
    for (unsigned i = 0; i < CLIENTS; i++) {
        snprintf(name, sizeof name, "c%u", i);
        join(&world.a, name);
    }
    buf_clear(&world.b.heard);
    virtual_edge_stop(&world.a);
    run(10 * SECOND);
    size_t words = 0;
    for (size_t i = 0; i < world.b.heard.size; i++)
        words += world.b.heard.data[i] == ' ';
    assert_int_equal(words, CLIENTS);
    for (unsigned i = 0; i < CLIENTS; i++) {
        snprintf(name, sizeof name, "-c%u ", i);
        assert_non_null(strstr(buf_text(&world.b.heard), name));
    }
    start_edge(&world.a, "edge-a");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_edges_hear_who_comes_and_goes),
        TEST(who_is_back_after_a_link_loss_has_neither_left_nor_come),
        TEST(who_goes_while_the_link_is_down_leaves_all_the_same),
        TEST(who_comes_back_too_late_has_left_and_come),
        TEST(the_clients_of_a_dead_edge_leave_each_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
