#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "fabric/sockets.h"

#define PATIENCE_US (20 * UINT64_C(1000000))
#define ENVELOPES   10000u

/* A node with its sockets in a loop. */
typedef struct party {
    uv_loop_t *loop; /* borrowed */
    node_t *node;
    sockets_t *sockets;
    link_t *link;    /* the one that is up; NULL = none */
    uint64_t said;   /* envelopes that the link has taken */
    uint64_t heard;  /* ... that have come, numbered from 1 without a hole */
    uint64_t target; /* keeps saying up to this number, in its turns */
    size_t size;     /* of their payloads */
    bool apart;      /* each envelope in a message of its own */
    unsigned downs, refused_sends, full_windows;
} party_t;

static uv_loop_t loops[2];
static party_t relay, edge;

/* --- nodes --- */

static int on_send(void *context, span_t message)
{
    party_t *party = context;
    int err = sockets_send(party->sockets, message);
    assert_true(err == OK || err == ERR_AGAIN || err == ERR_CLOSED);
    party->refused_sends += err == ERR_AGAIN;
    return err;
}

static void on_up(void *context, link_t *link, const envelope_t *greeting)
{
    (void)greeting;
    ((party_t *)context)->link = link;
}

static void on_envelope(void *context, link_t *link, const envelope_t *envelope)
{
    party_t *party = context;
    assert_ptr_equal(link, party->link);
    assert_int_equal(envelope->kind, KIND_PUB);
    assert_int_equal(envelope->pub.counter, party->heard + 1);
    party->heard++;
}

static void on_down(void *context, link_t *link, int reason)
{
    party_t *party = context;
    (void)link;
    (void)reason;
    party->link = NULL;
    party->downs++;
}

static const node_events_t events = {on_send, on_up, on_envelope, on_down};

static void say_more(void *context, uint64_t now_us)
{
    static uint8_t payload[8192];
    party_t *party = context;
    while (party->link && party->said < party->target) {
        envelope_t envelope = {.kind = KIND_PUB,
                               .pub = {.counter = party->said + 1,
                                       .channel = SPAN("chat"),
                                       .payload = span_new(payload, party->size)}};
        if (link_send(party->link, &envelope, now_us)) {
            party->full_windows++;
            return;
        }
        party->said++;
        if (party->apart)
            link_flush(party->link, now_us);
    }
}

static int open_party(party_t *party, uv_loop_t *loop, node_role_t role, const char *bind,
                      const char *connect, buf_t *why)
{
    char *addresses[] = {mem_dup(connect)};
    const config_list_t list = {.items = addresses, .count = 1};
    node_options_t options = {.name = role == ROLE_RELAY ? "relay-1" : "edge-1",
                              .cluster = "c",
                              .role = role,
                              .accepts = role == ROLE_RELAY,
                              .link = LINK_SETTINGS_DEFAULT,
                              .events = &events,
                              .context = party};
    options.link.flush_us = 0;
    *party = (party_t){.loop = loop, .node = node_new(&options, clock_now_us())};
    const sockets_options_t sockets = {.bind = bind,
                                       .connect = connect ? &list : NULL,
                                       .node_id = node_id(party->node),
                                       .accepts = options.accepts,
                                       .turn = say_more,
                                       .context = party};
    int err = sockets_open(&party->sockets, &sockets, why);
    mem_free(addresses[0]);
    return err ? err : sockets_start(party->sockets, loop, party->node);
}

static void close_party(party_t *party)
{
    if (!party->node)
        return;
    if (party->sockets) {
        sockets_close(party->sockets);
        sockets_close(party->sockets); /* idempotent */
        uv_run(party->loop, UV_RUN_DEFAULT);
    }
    sockets_destroy(&party->sockets);
    node_destroy(&party->node);
}

static void start(uv_loop_t *edge_loop)
{
    buf_t why = {0};
    char address[64];
    assert_int_equal(open_party(&relay, &loops[0], ROLE_RELAY, "tcp://127.0.0.1:0", NULL, &why), OK);
    assert_int_not_equal(sockets_port(relay.sockets), 0);
    snprintf(address, sizeof address, "tcp://127.0.0.1:%u", sockets_port(relay.sockets));
    assert_int_equal(open_party(&edge, edge_loop, ROLE_EDGE, NULL, address, &why), OK);
    assert_int_equal(sockets_port(edge.sockets), 0);
    assert_int_equal(why.size, 0);
}

/* --- time --- */

/* Turns the loops until it is true. */
static void wait_until(bool (*condition)(void))
{
    uint64_t deadline = clock_now_us() + PATIENCE_US;
    while (!condition()) {
        if (clock_now_us() > deadline)
            fail_msg("nothing happened for too long");
        uv_run(&loops[0], relay.loop == edge.loop ? UV_RUN_ONCE : UV_RUN_NOWAIT);
        if (edge.loop && edge.loop != &loops[0])
            uv_run(edge.loop, UV_RUN_NOWAIT);
    }
}

static bool both_are_linked(void)
{
    return relay.link && edge.link;
}

static bool all_is_heard(void)
{
    return relay.heard == edge.target && edge.heard == relay.target;
}

static int set_up(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_OFF);
    relay = edge = (party_t){0};
    return uv_loop_init(&loops[0]) || uv_loop_init(&loops[1]);
}

/* Nothing may be left behind in a loop. */
static int tear_down(void **state)
{
    (void)state;
    if (relay.sockets)
        sockets_close(relay.sockets); /* the loop that both share ends when both are closed */
    close_party(&edge);
    close_party(&relay);
    assert_int_equal(uv_loop_close(&loops[0]), 0);
    assert_int_equal(uv_loop_close(&loops[1]), 0);
    return 0;
}

/* --- behaviours --- */

static void an_edge_and_a_relay_link_over_tcp(void **state)
{
    (void)state;
    start(&loops[0]);
    wait_until(both_are_linked);
    assert_string_equal(link_peer_name(edge.link), "relay-1");
    assert_string_equal(link_peer_name(relay.link), "edge-1");
}

static void an_edge_finds_a_relay_by_name(void **state)
{
    (void)state;
    buf_t why = {0};
    char address[64];
    assert_int_equal(open_party(&relay, &loops[0], ROLE_RELAY, "tcp://127.0.0.1:0", NULL, &why), OK);
    snprintf(address, sizeof address, "dns://localhost:%u", sockets_port(relay.sockets));
    assert_int_equal(open_party(&edge, &loops[0], ROLE_EDGE, NULL, address, &why), OK);
    wait_until(both_are_linked);
}

static void ten_thousand_envelopes_pass_each_way_in_order(void **state)
{
    (void)state;
    start(&loops[0]);
    relay.target = edge.target = ENVELOPES;
    relay.size = edge.size = 100;
    wait_until(all_is_heard);
    assert_int_equal(relay.downs + edge.downs, 0);
}

static bool the_pipe_is_full(void)
{
    return edge.refused_sends > 0;
}

/* The relay's loop stands still until the edge's pipe is full, and then its window. */
static void a_receiver_whose_loop_does_not_turn_loses_nothing(void **state)
{
    (void)state;
    start(&loops[1]);
    wait_until(both_are_linked);
    edge.target = ENVELOPES;
    edge.size = sizeof(uint8_t[8192]);
    edge.apart = true;
    uint64_t deadline = clock_now_us() + PATIENCE_US;
    while (!the_pipe_is_full() || !edge.full_windows) {
        assert_true(clock_now_us() < deadline);
        sockets_wake(edge.sockets);
        uv_run(edge.loop, UV_RUN_NOWAIT);
    }
    assert_true(edge.said < ENVELOPES);
    assert_int_equal(relay.heard, 0);
    wait_until(all_is_heard);
    assert_int_equal(relay.downs + edge.downs, 0);
}

static bool the_edge_is_alone(void)
{
    return !edge.link;
}

static void a_relay_that_says_goodbye_is_gone_at_once_and_found_when_it_is_back(void **state)
{
    (void)state;
    buf_t why = {0};
    char address[64];
    start(&loops[1]);
    wait_until(both_are_linked);
    snprintf(address, sizeof address, "tcp://127.0.0.1:%u", sockets_port(relay.sockets));
    node_close(relay.node, "restarts", clock_now_us());
    close_party(&relay);
    uint64_t closed = clock_now_us();
    relay.loop = NULL;
    wait_until(the_edge_is_alone);
    assert_true(clock_now_us() < closed + 2000000); /* not only when five heartbeats are missing */
    while (open_party(&relay, &loops[0], ROLE_RELAY, address, NULL, &why)) { /* ZeroMQ frees it in its time */
        assert_true(clock_now_us() < closed + PATIENCE_US);
        node_destroy(&relay.node);
        uv_run(edge.loop, UV_RUN_NOWAIT);
    }
    wait_until(both_are_linked);
    assert_int_equal(edge.downs, 1);
    buf_fini(&why);
}

static void an_address_in_use_is_an_error_with_a_reason(void **state)
{
    (void)state;
    buf_t why = {0};
    char address[64];
    start(&loops[0]);
    snprintf(address, sizeof address, "tcp://127.0.0.1:%u", sockets_port(relay.sockets));
    const sockets_options_t options = {.bind = address, .node_id = 1, .accepts = true};
    sockets_t *second = NULL;
    assert_int_equal(sockets_open(&second, &options, &why), ERR_IO);
    assert_null(second);
    assert_non_null(strstr(buf_text(&why), "in use"));
    buf_fini(&why);
}

/* When only the upper port of the pair is taken, the lower one is given back. */
static void half_a_pair_of_ports_is_no_pair(void **state)
{
    (void)state;
    buf_t why = {0};
    char address[64];
    start(&loops[0]);
    snprintf(address, sizeof address, "tcp://127.0.0.1:%u", sockets_port(relay.sockets) - 1);
    const sockets_options_t options = {.bind = address, .node_id = 1, .accepts = true};
    sockets_t *second = NULL;
    assert_int_equal(sockets_open(&second, &options, &why), ERR_IO);
    assert_null(second);
    buf_fini(&why);
}

static void each_open_on_port_0_finds_ports_of_its_own(void **state)
{
    (void)state;
    buf_t why = {0};
    sockets_t *all[8];
    for (unsigned i = 0; i < 8; i++) {
        const sockets_options_t options = {.bind = "tcp://127.0.0.1:0", .node_id = i + 1, .accepts = true};
        assert_int_equal(sockets_open(&all[i], &options, &why), OK);
        for (unsigned k = 0; k < i; k++) {
            int distance = sockets_port(all[i]) - sockets_port(all[k]);
            assert_true(distance < -1 || distance > 1);
        }
    }
    for (unsigned i = 0; i < 8; i++) {
        sockets_close(all[i]);
        sockets_destroy(&all[i]);
    }
}

static int connect_raw(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void who_speaks_no_zmtp_disturbs_nobody(void **state)
{
    (void)state;
    start(&loops[0]);
    wait_until(both_are_linked);
    int fds[4];
    uint8_t noise[512];
    for (int i = 0; i < 4; i++) {
        for (size_t k = 0; k < sizeof noise; k++)
            noise[k] = (uint8_t)(k * 31u + (unsigned)i);
        fds[i] = connect_raw((uint16_t)(sockets_port(relay.sockets) + i % 2));
        (void)!send(fds[i], noise, sizeof noise, MSG_NOSIGNAL);
    }
    edge.target = relay.target = 100;
    sockets_wake(edge.sockets);
    wait_until(all_is_heard);
    assert_int_equal(relay.downs + edge.downs, 0);
    for (int i = 0; i < 4; i++)
        close(fds[i]);
}

static void closed_sockets_send_nothing(void **state)
{
    (void)state;
    start(&loops[0]);
    wait_until(both_are_linked);
    sockets_close(edge.sockets);
    assert_int_equal(sockets_send(edge.sockets, SPAN("01234567")), ERR_CLOSED);
    sockets_wake(edge.sockets);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_edge_and_a_relay_link_over_tcp),
        TEST(an_edge_finds_a_relay_by_name),
        TEST(ten_thousand_envelopes_pass_each_way_in_order),
        TEST(a_receiver_whose_loop_does_not_turn_loses_nothing),
        TEST(a_relay_that_says_goodbye_is_gone_at_once_and_found_when_it_is_back),
        TEST(an_address_in_use_is_an_error_with_a_reason),
        TEST(half_a_pair_of_ports_is_no_pair),
        TEST(each_open_on_port_0_finds_ports_of_its_own),
        TEST(who_speaks_no_zmtp_disturbs_nobody),
        TEST(closed_sockets_send_nothing),
    };
    return cmocka_run_group_tests_name("fabric/sockets", tests, NULL, NULL);
}
