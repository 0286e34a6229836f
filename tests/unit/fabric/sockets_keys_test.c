/* Sockets with keys: a relay behind its gate, an edge, and what happens when sockets are opened anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "fabric/gate.h"
#include "fabric/sockets.h"

#define PATIENCE_US (20 * UINT64_C(1000000))
#define ENVELOPES   2000u

typedef struct party {
    node_t *node;
    sockets_t *sockets;
    curve_t curve;
    link_t *link;        /* the one that is up; NULL = none */
    uint64_t heard;      /* envelopes, numbered from 1 without a hole */
    uint64_t said;       /* ... */
    uint64_t target;     /* keeps saying up to this number */
    unsigned ups, downs; /* of links */
} party_t;

static struct world {
    uv_loop_t loop;
    char directory[64];
    key_list_t *keys;
    gate_t *gate;
    party_t relay, edge;
} world;

/* --- nodes --- */

static int on_send(void *context, span_t message)
{
    return sockets_send(((party_t *)context)->sockets, message);
}

static void on_up(void *context, link_t *link, const envelope_t *greeting)
{
    (void)greeting;
    party_t *party = context;
    party->link = link;
    party->ups++;
}

static void on_envelope(void *context, link_t *link, const envelope_t *envelope)
{
    (void)link;
    party_t *party = context;
    assert_int_equal(envelope->pub.counter, ++party->heard);
}

static void on_down(void *context, link_t *link, int reason)
{
    (void)link;
    (void)reason;
    party_t *party = context;
    party->link = NULL;
    party->downs++;
}

static const node_events_t events = {on_send, on_up, on_envelope, on_down};

static void say_more(void *context, uint64_t now_us)
{
    party_t *party = context;
    if (!party->link || party->said >= party->target)
        return;
    envelope_t envelope = {
        .kind = KIND_PUB, .pub = {.counter = party->said + 1, .channel = SPAN("chat"), .payload = SPAN("x")}};
    party->said += link_send(party->link, &envelope, now_us) == OK;
    sockets_wake(party->sockets);
}

static void start(party_t *party, node_role_t role, const char *bind, const char *connect,
                  const key_list_t *keys)
{
    buf_t why = {0};
    char *addresses[] = {(char *)(uintptr_t)connect};
    const config_list_t list = {addresses, 1};
    const node_options_t node = {.name = role == ROLE_RELAY ? "relay-1" : "edge-1",
                                 .cluster = "c",
                                 .role = role,
                                 .accepts = role == ROLE_RELAY,
                                 .link = LINK_SETTINGS_DEFAULT,
                                 .events = &events,
                                 .context = party};
    party->node = node_new(&node, clock_now_us());
    const sockets_options_t options = {.bind = bind,
                                       .connect = connect ? &list : NULL,
                                       .curve = &party->curve,
                                       .keys = keys,
                                       .node_id = node_id(party->node),
                                       .accepts = role == ROLE_RELAY,
                                       .turn = say_more,
                                       .context = party};
    assert_int_equal(sockets_open(&party->sockets, &options, &why), OK);
    assert_int_equal(sockets_start(party->sockets, &world.loop, party->node), OK);
}

static void start_relay(void)
{
    start(&world.relay, ROLE_RELAY, "tcp://127.0.0.1:0", NULL, world.keys);
}

static void start_edge(void)
{
    char address[64];
    snprintf(address, sizeof address, "tcp://127.0.0.1:%u", sockets_port(world.relay.sockets));
    start(&world.edge, ROLE_EDGE, NULL, address, NULL);
}

/* --- keys --- */

static void allow_edge(roles_t roles)
{
    char path[128];
    buf_t text = {0}, why = {0};
    key_list_changes_t changes;
    key_file_t file = {.half = KEY_PUBLIC, .name = "edge-1", .roles = roles};
    memcpy(file.key, world.edge.curve.public_key, sizeof file.key);
    snprintf(path, sizeof path, "%s/edge.pub", world.directory);
    unlink(path);
    if (roles != ROLES_NONE) {
        key_file_write(&file, NULL, &text);
        FILE *out = fopen(path, "w");
        assert_non_null(out);
        fputs(buf_text(&text), out);
        fclose(out);
    }
    assert_int_equal(key_list_load(world.keys, world.directory, &changes, &why), OK);
    buf_fini(&text);
}

static void make_keys(party_t *party)
{
    curve_generate(party->curve.public_key, party->curve.secret_key);
    memcpy(party->curve.relay_key, world.relay.curve.public_key, sizeof party->curve.relay_key);
    party->curve.on = true;
}

/* --- time --- */

static void wake_up(uv_timer_t *timer)
{
    (void)timer;
}

static void turn_until(bool (*condition)(void))
{
    uv_timer_t timer;
    uint64_t deadline = clock_now_us() + PATIENCE_US;
    uv_timer_init(&world.loop, &timer);
    uv_timer_start(&timer, wake_up, 1, 10);
    while (!condition()) {
        if (clock_now_us() > deadline)
            fail_msg("nothing happened for too long");
        uv_run(&world.loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&world.loop, UV_RUN_NOWAIT);
}

static bool both_are_linked(void)
{
    return world.relay.link && world.edge.link;
}

static bool all_is_heard(void)
{
    return world.relay.heard == world.edge.target;
}

static bool half_is_heard(void)
{
    return world.relay.heard >= world.edge.target / 2;
}

static bool the_edge_is_refused(void)
{
    return sockets_counts(world.edge.sockets).handshakes[HANDSHAKE_REFUSED] > 0;
}

static bool somebody_failed(void)
{
    sockets_counts_t counts = sockets_counts(world.edge.sockets);
    uint64_t sum = 0;
    for (int i = 0; i < HANDSHAKE_FAULT_COUNT; i++)
        sum += counts.handshakes[i];
    return sum > 0;
}

static int set_up(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_OFF);
    world = (struct world){.directory = "/tmp/heddle-gate-XXXXXX"};
    make_keys(&world.relay);
    memcpy(world.relay.curve.relay_key, world.relay.curve.public_key, sizeof world.relay.curve.relay_key);
    make_keys(&world.edge);
    world.keys = key_list_new(world.relay.curve.public_key);
    if (uv_loop_init(&world.loop) || !mkdtemp(world.directory))
        return -1;
    return gate_open(&world.gate, &world.loop, world.keys);
}

static void stop(party_t *party)
{
    if (party->sockets)
        sockets_close(party->sockets);
}

/* Nothing may be left behind in the loop. */
static int tear_down(void **state)
{
    (void)state;
    stop(&world.edge);
    stop(&world.relay);
    if (world.gate)
        gate_close(world.gate);
    uv_run(&world.loop, UV_RUN_DEFAULT);
    sockets_destroy(&world.edge.sockets);
    sockets_destroy(&world.relay.sockets);
    gate_destroy(&world.gate);
    node_destroy(&world.edge.node);
    node_destroy(&world.relay.node);
    allow_edge(ROLES_NONE);
    key_list_destroy(&world.keys);
    assert_int_equal(rmdir(world.directory), 0);
    return uv_loop_close(&world.loop);
}

/* --- behaviours --- */

static void a_key_that_is_known_gets_in(void **state)
{
    (void)state;
    allow_edge(roles_of(ROLE_EDGE));
    start_relay();
    start_edge();
    turn_until(both_are_linked);
}

static void a_key_that_is_not_known_gets_in_once_it_is(void **state)
{
    (void)state;
    start_relay();
    start_edge();
    turn_until(the_edge_is_refused);
    assert_int_equal(world.relay.ups, 0);
    allow_edge(roles_of(ROLE_EDGE));
    turn_until(both_are_linked);
}

static void without_a_gate_nobody_gets_in(void **state)
{
    (void)state;
    allow_edge(roles_of(ROLE_EDGE));
    gate_close(world.gate);
    uv_run(&world.loop, UV_RUN_DEFAULT);
    start_relay();
    start_edge();
    turn_until(somebody_failed);
    assert_int_equal(world.relay.ups, 0);
}

static void a_second_gate_in_a_process_is_refused(void **state)
{
    (void)state;
    gate_t *second;
    assert_int_equal(gate_open(&second, &world.loop, world.keys), ERR_IO);
    assert_null(second);
}

static void a_link_lasts_while_the_sockets_are_opened_anew(void **state)
{
    (void)state;
    allow_edge(roles_of(ROLE_EDGE));
    start_relay();
    start_edge();
    world.edge.target = ENVELOPES;
    turn_until(half_is_heard);
    uint16_t port = sockets_port(world.relay.sockets);
    sockets_reopen(world.relay.sockets);
    sockets_reopen(world.relay.sockets); /* once is enough */
    turn_until(all_is_heard);
    assert_int_equal(sockets_port(world.relay.sockets), port);
    sockets_reopen(world.edge.sockets);
    world.edge.target *= 2;
    turn_until(all_is_heard);
    assert_int_equal(world.relay.downs + world.edge.downs, 0);
}

static void sockets_that_are_being_opened_anew_can_be_closed(void **state)
{
    (void)state;
    allow_edge(roles_of(ROLE_EDGE));
    start_relay();
    start_edge();
    turn_until(both_are_linked);
    sockets_reopen(world.relay.sockets); /* closed by tear_down before it is through */
    sockets_reopen(world.edge.sockets);
    uv_run(&world.loop, UV_RUN_NOWAIT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_key_that_is_known_gets_in),
        TEST(a_key_that_is_not_known_gets_in_once_it_is),
        TEST(without_a_gate_nobody_gets_in),
        TEST(a_second_gate_in_a_process_is_refused),
        TEST(a_link_lasts_while_the_sockets_are_opened_anew),
        TEST(sockets_that_are_being_opened_anew_can_be_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
