#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "protocol/codec.h"
#include "tests/sim/virtual_fabric.h"

#define MS     UINT64_C(1000)
#define SECOND UINT64_C(1000000)

/* A node, and what its events said. */
typedef struct party {
    virtual_port_t port;
    node_t *node;
    unsigned ups, downs;
    int reason; /* of the last down */
    buf_t heard;
} party_t;

typedef struct world {
    virtual_fabric_t fabric;
    party_t relay, edge, other;
} world_t;

static int on_send(void *context, span_t message)
{
    return virtual_port_send(&((party_t *)context)->port, message);
}

static void on_up(void *context, link_t *link, const envelope_t *greeting)
{
    party_t *party = context;
    assert_true(link_is_up(link));
    assert_int_equal(greeting->kind, link_is_initiator(link) ? KIND_WELCOME : KIND_HELLO);
    party->ups++;
}

static void on_envelope(void *context, link_t *link, const envelope_t *envelope)
{
    party_t *party = context;
    assert_true(link_is_up(link));
    assert_int_equal(envelope->kind, KIND_UNSUB);
    buf_append_span(&party->heard, envelope->unsub.channel);
    buf_append_byte(&party->heard, ' ');
}

static void on_down(void *context, link_t *link, int reason)
{
    party_t *party = context;
    assert_false(link_is_up(link));
    party->downs++;
    party->reason = reason;
}

static const node_events_t events = {on_send, on_up, on_envelope, on_down};

static node_options_t edge_options(const char *name)
{
    return (node_options_t){.name = name,
                            .cluster = "c",
                            .role = ROLE_EDGE,
                            .seeks = 1,
                            .link = LINK_SETTINGS_DEFAULT,
                            .events = &events};
}

static node_options_t relay_options(const char *name)
{
    return (node_options_t){.name = name,
                            .cluster = "c",
                            .role = ROLE_RELAY,
                            .accepts = true,
                            .link = LINK_SETTINGS_DEFAULT,
                            .events = &events};
}

static void start(world_t *world, party_t *party, node_options_t options)
{
    options.context = party;
    options.random = &world->fabric.random;
    *party = (party_t){.node = node_new(&options, world->fabric.now_us)};
    party->port.node = party->node;
    party->port.accepts = options.accepts;
    virtual_fabric_join(&world->fabric, &party->port);
}

static void stop(party_t *party)
{
    if (!party->node)
        return;
    virtual_fabric_leave(&party->port);
    node_destroy(&party->node);
    buf_fini(&party->heard);
}

static int set_up(void **state)
{
    static world_t world;
    log_set_level(LOG_LEVEL_OFF);
    world = (world_t){0};
    virtual_fabric_init(&world.fabric, 1);
    start(&world, &world.relay, relay_options("relay-1"));
    start(&world, &world.edge, edge_options("edge-1"));
    *state = &world;
    return 0;
}

static int tear_down(void **state)
{
    world_t *world = *state;
    stop(&world->relay);
    stop(&world->edge);
    stop(&world->other);
    virtual_fabric_fini(&world->fabric);
    return 0;
}

static void run(world_t *world, uint64_t time_us)
{
    virtual_fabric_run(&world->fabric, time_us);
}

static link_t *link_to(const party_t *from, const party_t *to)
{
    return node_find_link(from->node, node_id(to->node));
}

static bool linked(const party_t *from, const party_t *to)
{
    link_t *link = link_to(from, to);
    return link && link_is_up(link);
}

static int say(world_t *world, party_t *from, party_t *to, const char *word)
{
    envelope_t envelope = {.kind = KIND_UNSUB, .unsub = {span_str(word)}};
    return link_send(link_to(from, to), &envelope, world->fabric.now_us);
}

static size_t count_links(const party_t *party)
{
    size_t count = 0;
    for (size_t at = 0; node_next_link(party->node, &at) != NULL;)
        count++;
    return count;
}

/* A whole message of a node that may not exist. */
static span_t forge(uint64_t topic, uint64_t source, uint64_t session, uint64_t seq,
                    const envelope_t *envelope)
{
    static buf_t message;
    link_header_t header = {.version = WIRE_VERSION, .source = source, .session = session, .seq = seq};
    buf_fini(&message);
    link_header_write(buf_reserve(&message, LINK_PREFIX_SIZE), topic, &header);
    buf_advance(&message, LINK_PREFIX_SIZE);
    if (envelope)
        envelope_encode(&message, envelope);
    return buf_span(&message);
}

/* --- coming and going --- */

static void a_node_that_seeks_finds_a_relay_and_links_with_it(void **state)
{
    world_t *world = *state;
    run(world, 10 * MS);
    assert_true(linked(&world->edge, &world->relay) && linked(&world->relay, &world->edge));
    assert_int_equal(world->edge.ups, 1);
    assert_int_equal(world->relay.ups, 1);
    assert_int_equal(node_links_up(world->relay.node), 1);
    assert_string_equal(link_peer_name(link_to(&world->edge, &world->relay)), "relay-1");
    assert_int_equal(link_peer_role(link_to(&world->relay, &world->edge)), ROLE_EDGE);
}

static void both_sides_hear_each_other_in_order(void **state)
{
    world_t *world = *state;
    run(world, 10 * MS);
    assert_int_equal(say(world, &world->edge, &world->relay, "a"), OK);
    assert_int_equal(say(world, &world->edge, &world->relay, "b"), OK);
    assert_int_equal(say(world, &world->relay, &world->edge, "c"), OK);
    run(world, 10 * MS);
    assert_string_equal(buf_text(&world->relay.heard), "a b ");
    assert_string_equal(buf_text(&world->edge.heard), "c ");
}

static void what_the_network_loses_is_heard_all_the_same(void **state)
{
    world_t *world = *state;
    run(world, 10 * MS);
    world->edge.port.lose = 3;
    for (int i = 0; i < 8; i++) {
        char word[2] = {(char)('a' + i), '\0'};
        assert_int_equal(say(world, &world->edge, &world->relay, word), OK);
        run(world, 2 * MS);
    }
    run(world, SECOND);
    assert_string_equal(buf_text(&world->relay.heard), "a b c d e f g h ");
    assert_int_equal(world->relay.downs, 0);
}

static void a_seeker_keeps_looking_while_no_relay_is_there(void **state)
{
    world_t *world = *state;
    world->relay.port.cut = true;
    run(world, 60 * SECOND);
    assert_int_equal(world->edge.ups, 0);
    world->relay.port.cut = false;
    run(world, 150 * MS);
    assert_true(linked(&world->edge, &world->relay));
}

static void a_restarted_relay_is_found_within_a_second_and_the_old_link_goes(void **state)
{
    world_t *world = *state;
    run(world, 10 * SECOND);
    stop(&world->relay);
    start(world, &world->relay, relay_options("relay-1"));
    run(world, SECOND + 10 * MS);
    assert_true(linked(&world->edge, &world->relay));
    assert_int_equal(world->edge.downs, 1);
    assert_int_equal(node_links_up(world->edge.node), 1);
    run(world, 15 * SECOND); /* the old id has been greeted in vain long enough */
    assert_int_equal(count_links(&world->edge), 1);
}

static void a_relay_under_another_name_is_linked_to_as_well(void **state)
{
    world_t *world = *state;
    run(world, 10 * MS);
    start(world, &world->other, relay_options("relay-2"));
    run(world, SECOND + 10 * MS);
    assert_true(linked(&world->edge, &world->relay) && linked(&world->edge, &world->other));
    assert_int_equal(world->edge.downs, 0);
}

static void a_silent_peer_is_down_after_five_heartbeats_on_both_sides(void **state)
{
    world_t *world = *state;
    run(world, 10 * MS);
    world->edge.port.cut = true;
    run(world, 4 * SECOND);
    assert_int_equal(world->relay.downs + world->edge.downs, 0);
    run(world, 3 * SECOND);
    assert_int_equal(world->relay.downs, 1);
    assert_int_equal(world->edge.downs, 1);
    assert_int_equal(world->relay.reason, ERR_TIMEOUT);
    assert_int_equal(count_links(&world->relay), 0);
}

static void a_link_that_was_lost_is_made_anew_when_the_way_is_free(void **state)
{
    world_t *world = *state;
    run(world, 10 * MS);
    world->edge.port.cut = true;
    run(world, 8 * SECOND);
    world->edge.port.cut = false;
    run(world, SECOND);
    assert_true(linked(&world->edge, &world->relay) && linked(&world->relay, &world->edge));
    assert_int_equal(say(world, &world->edge, &world->relay, "again"), OK);
    run(world, 10 * MS);
    assert_string_equal(buf_text(&world->relay.heard), "again ");
}

static void a_node_that_closes_says_so_and_takes_nothing_any_more(void **state)
{
    world_t *world = *state;
    run(world, 10 * MS);
    node_close(world->relay.node, "the end", world->fabric.now_us);
    run(world, SECOND);
    assert_int_equal(world->edge.downs, 1);
    assert_int_equal(world->relay.downs, 0);
    assert_int_equal(node_links_up(world->edge.node), 0);
    assert_int_equal(world->edge.ups, 1); /* SEEK and HELLO are not answered */
    assert_int_equal(world->relay.ups, 1);
    assert_true(node_due(world->relay.node) == UINT64_MAX);
}

/* --- stalls --- */

static void a_node_that_did_not_run_blames_nobody(void **state)
{
    world_t *world = *state;
    run(world, 10 * MS);
    world->edge.port.stalled = true;
    run(world, 4500 * MS);
    world->edge.port.stalled = false;
    run(world, 10 * MS);
    assert_int_equal(world->edge.downs, 0);
    run(world, 10 * SECOND);
    assert_int_equal(world->edge.downs + world->relay.downs, 0);
}

/* As when a machine sleeps: nobody has said anything, and nobody was there to hear it. */
static void nodes_that_did_not_run_together_are_still_linked(void **state)
{
    world_t *world = *state;
    run(world, 10 * MS);
    world->edge.port.stalled = world->relay.port.stalled = true;
    run(world, 20 * SECOND);
    world->edge.port.stalled = world->relay.port.stalled = false;
    run(world, 10 * SECOND);
    assert_int_equal(world->edge.downs + world->relay.downs, 0);
}

/* What waited in the sockets is heard before the node looks at the time: then the pause must not count twice. */
static void a_stall_does_not_make_the_next_silence_unnoticed(void **state)
{
    world_t *world = *state;
    run(world, 10 * MS);
    world->edge.port.stalled = true;
    run(world, 4500 * MS);
    world->edge.port.stalled = false;
    run(world, MS);
    world->relay.port.cut = true;
    run(world, 6 * SECOND);
    assert_int_equal(world->edge.downs, 1);
}

/* --- resets --- */

static void a_reset_takes_the_link_down_on_both_sides_and_it_comes_again(void **state)
{
    world_t *world = *state;
    run(world, 10 * MS);
    link_reset(link_to(&world->relay, &world->edge), ERR_FULL, world->fabric.now_us);
    assert_int_equal(world->relay.reason, ERR_FULL);
    run(world, 300 * MS);
    assert_int_equal(world->edge.downs, 1);
    assert_int_equal(world->relay.ups, 2);
    assert_true(linked(&world->edge, &world->relay));
}

/* The reader whose link is reset is often the one to whom nothing can be sent just now. */
static void a_reset_that_is_lost_is_told_when_the_other_side_next_says_anything(void **state)
{
    world_t *world = *state;
    run(world, 10 * MS);
    world->relay.port.lose = 1;
    link_reset(link_to(&world->relay, &world->edge), ERR_FULL, world->fabric.now_us);
    run(world, SECOND + 300 * MS); /* a heartbeat, and a greeting */
    assert_int_equal(world->edge.downs, 1);
    assert_true(linked(&world->edge, &world->relay) && linked(&world->relay, &world->edge));
}

static void a_malformed_envelope_in_a_numbered_message_resets_the_link(void **state)
{
    world_t *world = *state;
    run(world, 10 * MS);
    link_t *link = link_to(&world->edge, &world->relay);
    const uint8_t bad[] = {0x92, KIND_UNSUB, 0xc1};
    assert_int_equal(link_send_encoded(link, span_new(bad, sizeof bad), world->fabric.now_us), OK);
    run(world, 500 * MS);
    assert_int_equal(world->relay.downs, 1);
    assert_int_equal(world->relay.reason, ERR_MALFORMED);
    assert_int_equal(world->edge.downs, 1);
    assert_true(linked(&world->edge, &world->relay));
    assert_int_equal(say(world, &world->edge, &world->relay, "well"), OK);
    run(world, 10 * MS);
    assert_string_equal(buf_text(&world->relay.heard), "well ");
}

static void an_unknown_kind_is_passed_over(void **state)
{
    world_t *world = *state;
    run(world, 10 * MS);
    const uint8_t unknown[] = {0x92, 0x7e, 0xc3};
    assert_int_equal(link_send_encoded(link_to(&world->edge, &world->relay),
                                       span_new(unknown, sizeof unknown), world->fabric.now_us),
                     OK);
    assert_int_equal(say(world, &world->edge, &world->relay, "known"), OK);
    run(world, 10 * MS);
    assert_string_equal(buf_text(&world->relay.heard), "known ");
    assert_int_equal(node_counts(world->relay.node).link.unknown, 1);
    assert_int_equal(world->relay.downs, 0);
}

/* --- what does not belong --- */

static void another_cluster_is_not_linked_with(void **state)
{
    world_t *world = *state;
    node_options_t options = edge_options("foreigner");
    options.cluster = "d";
    start(world, &world->other, options);
    run(world, 5 * SECOND);
    assert_int_equal(world->other.ups, 0);
    assert_int_equal(world->relay.ups, 1); /* edge-1 */

    envelope_t hello = {.kind = KIND_HELLO,
                        .hello = {WIRE_VERSION, SPAN("x"), ROLE_EDGE, SPAN("d"), SPAN("")}};
    virtual_port_inject(&world->relay.port, forge(node_id(world->relay.node), 7, 5, 0, &hello));
    run(world, 10 * MS);
    assert_int_equal(world->relay.ups, 1);
    assert_int_equal(count_links(&world->relay), 1);
}

static void noise_is_counted_and_changes_nothing(void **state)
{
    world_t *world = *state;
    run(world, 10 * MS);
    uint8_t noise[200];
    for (int i = 0; i < 1000; i++) {
        for (size_t k = 0; k < sizeof noise; k++)
            noise[k] = (uint8_t)random_next(&world->fabric.random);
        virtual_port_inject(&world->relay.port, span_new(noise, (size_t)i % sizeof noise));
    }
    run(world, 5 * SECOND);
    node_counts_t counts = node_counts(world->relay.node);
    assert_int_equal(counts.malformed + counts.versions + counts.strangers, 1000);
    assert_int_equal(world->relay.downs + world->edge.downs, 0);
    assert_int_equal(count_links(&world->relay), 1);
}

static void another_version_is_counted_as_such(void **state)
{
    world_t *world = *state;
    run(world, 10 * MS);
    span_t message = forge(node_id(world->relay.node), 7, 5, 1, NULL);
    ((uint8_t *)(uintptr_t)message.data)[LINK_TOPIC_SIZE + 1] = WIRE_VERSION + 1;
    virtual_port_inject(&world->relay.port, message);
    assert_int_equal(node_counts(world->relay.node).versions, 1);
    assert_int_equal(node_counts(world->relay.node).malformed, 0);
}

static void who_claims_to_be_the_node_itself_is_dropped(void **state)
{
    world_t *world = *state;
    run(world, 10 * MS);
    uint64_t id = node_id(world->relay.node);
    envelope_t hello = {.kind = KIND_HELLO,
                        .hello = {WIRE_VERSION, SPAN("x"), ROLE_EDGE, SPAN("c"), SPAN("")}};
    virtual_port_inject(&world->relay.port, forge(id, id, 5, 0, &hello));
    virtual_port_inject(&world->relay.port, forge(id, 0, 5, 0, &hello));
    assert_int_equal(node_counts(world->relay.node).impostors, 2);
    assert_int_equal(count_links(&world->relay), 1);
}

/* Its own address may stand in the list of those that it connects to. */
static void its_own_question_that_comes_back_is_passed_over(void **state)
{
    world_t *world = *state;
    const envelope_t seek = {.kind = KIND_SEEK, .seek = {SPAN("c")}};
    node_receive(world->relay.node, NODE_SENDER_ANYONE,
                 forge(HELLO_TOPIC, node_id(world->relay.node), 0, 0, &seek), world->fabric.now_us);
    assert_int_equal(node_counts(world->relay.node).impostors, 0);
    assert_int_equal(count_links(&world->relay), 0);
    const envelope_t here = {.kind = KIND_HERE, .here = {SPAN("c"), SPAN("relay-1")}};
    node_receive(world->relay.node, NODE_SENDER_ANYONE,
                 forge(node_id(world->relay.node), node_id(world->relay.node), 0, 0, &here),
                 world->fabric.now_us);
    assert_int_equal(node_counts(world->relay.node).impostors, 1);
}

static void a_node_seeks_as_soon_as_it_is_told_to_expect_a_relay(void **state)
{
    world_t *world = *state;
    node_options_t options = edge_options("edge-2");
    options.seeks = 0;
    start(world, &world->other, options);
    run(world, 2 * SECOND);
    assert_int_equal(world->other.ups, 0);
    node_set_expected(world->other.node, 1, world->fabric.now_us);
    run(world, 10 * MS);
    assert_true(linked(&world->other, &world->relay));
}

static void a_forged_message_of_another_session_does_not_touch_the_link(void **state)
{
    world_t *world = *state;
    run(world, 10 * MS);
    uint64_t edge = node_id(world->edge.node);
    envelope_t bye = {.kind = KIND_BYE};
    envelope_t word = {.kind = KIND_UNSUB, .unsub = {SPAN("forged")}};
    for (uint64_t session = 0; session < 3; session++) {
        virtual_port_inject(&world->relay.port, forge(node_id(world->relay.node), edge, session, 0, &bye));
        virtual_port_inject(&world->relay.port, forge(node_id(world->relay.node), edge, session, 1, &word));
    }
    run(world, SECOND);
    assert_int_equal(world->relay.downs + world->edge.downs, 0);
    assert_int_equal(world->relay.heard.size, 0);
}

static void a_stranger_in_the_middle_of_a_talk_is_told_that_it_is_over(void **state)
{
    world_t *world = *state;
    run(world, 10 * MS);
    envelope_t word = {.kind = KIND_UNSUB, .unsub = {SPAN("hello")}};
    envelope_t beat = {.kind = KIND_BEAT};
    uint64_t relay = node_id(world->relay.node);
    uint64_t sent = world->fabric.network.posted;
    virtual_port_inject(&world->relay.port, forge(relay, 7, 5, 1, &word));
    virtual_port_inject(&world->relay.port, forge(relay, 7, 5, 0, &beat));
    virtual_port_inject(&world->relay.port, forge(relay, 7, 5, 0, NULL)); /* a bare acknowledgement */
    assert_int_equal(node_counts(world->relay.node).strangers, 3);
    assert_int_equal(node_counts(world->relay.node).malformed, 0);
    assert_int_equal(world->fabric.network.posted, sent + 3);
    assert_int_equal(world->relay.heard.size, 0);
}

/* Or two nodes that have forgotten each other would go on for ever. */
static void a_reset_of_a_stranger_is_not_answered(void **state)
{
    world_t *world = *state;
    run(world, 10 * MS);
    envelope_t reset = {.kind = KIND_RESET};
    envelope_t bye = {.kind = KIND_BYE};
    uint64_t sent = world->fabric.network.posted;
    virtual_port_inject(&world->relay.port, forge(node_id(world->relay.node), 7, 0, 0, &reset));
    virtual_port_inject(&world->relay.port, forge(node_id(world->relay.node), 7, 5, 0, &reset));
    virtual_port_inject(&world->relay.port, forge(node_id(world->relay.node), 7, 5, 0, &bye));
    assert_int_equal(world->fabric.network.posted, sent);
}

static void more_links_than_the_limit_are_refused(void **state)
{
    world_t *world = *state;
    stop(&world->relay);
    node_options_t options = relay_options("relay-1");
    options.max_links = 1;
    start(world, &world->relay, options);
    run(world, 10 * MS);
    start(world, &world->other, edge_options("edge-2"));
    run(world, 2 * SECOND);
    assert_int_equal(world->edge.ups + world->other.ups, 1);
    assert_true(node_counts(world->relay.node).refusals > 0);
    party_t *inside = world->edge.ups ? &world->edge : &world->other;
    node_close(inside->node, "makes room", world->fabric.now_us);
    run(world, SECOND);
    assert_int_equal(world->edge.ups + world->other.ups, 2);
}

static void counts_of_links_that_are_gone_are_not_forgotten(void **state)
{
    world_t *world = *state;
    run(world, 10 * MS);
    assert_int_equal(say(world, &world->edge, &world->relay, "a"), OK);
    run(world, 10 * MS);
    stop(&world->edge);
    run(world, 10 * SECOND);
    assert_int_equal(count_links(&world->relay), 0);
    assert_int_equal(node_counts(world->relay.node).link.envelopes_in, 1);
    assert_int_equal(node_counts(world->relay.node).downs, 1);
}

static void names_are_short_printable_words(void **state)
{
    (void)state;
    buf_t why = {0};
    char longest[NODE_NAME_MAX + 2];
    memset(longest, 'x', sizeof longest);
    longest[NODE_NAME_MAX] = '\0';
    assert_int_equal(node_check_name("edge-1.eu", &why), OK);
    assert_int_equal(node_check_name(longest, &why), OK);
    assert_int_equal(why.size, 0);
    longest[NODE_NAME_MAX] = 'x';
    longest[NODE_NAME_MAX + 1] = '\0';
    assert_int_equal(node_check_name(longest, &why), ERR_MALFORMED);
    assert_int_equal(node_check_name("", &why), ERR_MALFORMED);
    assert_int_equal(node_check_name("edge 1", &why), ERR_MALFORMED);
    assert_int_equal(node_check_name("\xc3\xa9", &why), ERR_MALFORMED);
    assert_true(why.size > 0);
    buf_fini(&why);
}

/* --- keys --- */

#define EDGE_KEY  ((node_sender_t){7, roles_of(ROLE_EDGE)})
#define OTHER_KEY ((node_sender_t){8, roles_of(ROLE_EDGE) | roles_of(ROLE_TOOL)})

static void hear(world_t *world, node_sender_t sender, const envelope_t *envelope, uint64_t source,
                 uint64_t session)
{
    node_receive(world->relay.node, sender, forge(node_id(world->relay.node), source, session, 0, envelope),
                 world->fabric.now_us);
}

static envelope_t hello_of(uint64_t role)
{
    return (envelope_t){.kind = KIND_HELLO,
                        .hello = {WIRE_VERSION, SPAN("somebody"), role, SPAN("c"), SPAN("x")}};
}

static void a_key_is_no_more_than_it_may_be(void **state)
{
    world_t *world = *state;
    const uint64_t roles[] = {ROLE_RELAY, ROLE_TOOL, ROLE_BRIDGE, 0, 77};
    for (uint64_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        envelope_t hello = hello_of(roles[i]);
        hear(world, EDGE_KEY, &hello, 1000 + i, 5);
        assert_null(node_find_link(world->relay.node, 1000 + i));
        assert_int_equal(node_counts(world->relay.node).denied, i + 1);
    }
    envelope_t hello = hello_of(ROLE_EDGE);
    hear(world, EDGE_KEY, &hello, 2000, 5);
    assert_true(link_is_up(node_find_link(world->relay.node, 2000)));
    hello = hello_of(ROLE_RELAY); /* greets again, as more */
    hear(world, EDGE_KEY, &hello, 2000, 6);
    assert_int_equal(link_peer_role(node_find_link(world->relay.node, 2000)), ROLE_EDGE);
}

static void an_edges_key_can_not_say_that_a_relay_is_here(void **state)
{
    world_t *world = *state;
    node_options_t options = relay_options("relay-2");
    options.seeks = 1;
    start(world, &world->other, options);
    const envelope_t here = {.kind = KIND_HERE, .here = {SPAN("c"), SPAN("relay-3")}};
    node_receive(world->other.node, EDGE_KEY, forge(node_id(world->other.node), UINT64_MAX, 0, 0, &here),
                 world->fabric.now_us);
    assert_null(node_find_link(world->other.node, UINT64_MAX));
    assert_int_equal(node_counts(world->other.node).denied, 1);
}

static void nobody_speaks_on_the_link_of_another_key(void **state)
{
    world_t *world = *state;
    envelope_t hello = hello_of(ROLE_EDGE);
    const envelope_t bye = {.kind = KIND_BYE};
    hear(world, EDGE_KEY, &hello, 2000, 5);
    hear(world, OTHER_KEY, &hello, 2000, 6);
    hear(world, OTHER_KEY, &bye, 2000, 5);
    assert_int_equal(node_counts(world->relay.node).impostors, 2);
    assert_true(link_is_up(node_find_link(world->relay.node, 2000)));
}

static roles_t only_tools(void *context, uint32_t key)
{
    (void)context;
    return key == OTHER_KEY.key ? roles_of(ROLE_TOOL) : ROLES_ALL;
}

static void who_may_be_less_loses_what_it_was(void **state)
{
    world_t *world = *state;
    envelope_t edge = hello_of(ROLE_EDGE), tool = hello_of(ROLE_TOOL);
    hear(world, EDGE_KEY, &edge, 2000, 5);
    hear(world, OTHER_KEY, &edge, 2001, 5);
    hear(world, OTHER_KEY, &tool, 2002, 5);
    assert_int_equal(node_recheck(world->relay.node, only_tools, NULL, world->fabric.now_us), 1);
    assert_true(link_is_up(node_find_link(world->relay.node, 2000)));
    assert_false(link_is_up(node_find_link(world->relay.node, 2001)));
    assert_true(link_is_up(node_find_link(world->relay.node, 2002)));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_key_is_no_more_than_it_may_be),
        TEST(an_edges_key_can_not_say_that_a_relay_is_here),
        TEST(nobody_speaks_on_the_link_of_another_key),
        TEST(who_may_be_less_loses_what_it_was),
        TEST(a_node_that_seeks_finds_a_relay_and_links_with_it),
        TEST(both_sides_hear_each_other_in_order),
        TEST(what_the_network_loses_is_heard_all_the_same),
        TEST(a_seeker_keeps_looking_while_no_relay_is_there),
        TEST(a_restarted_relay_is_found_within_a_second_and_the_old_link_goes),
        TEST(a_relay_under_another_name_is_linked_to_as_well),
        TEST(a_silent_peer_is_down_after_five_heartbeats_on_both_sides),
        TEST(a_link_that_was_lost_is_made_anew_when_the_way_is_free),
        TEST(a_node_that_closes_says_so_and_takes_nothing_any_more),
        TEST(a_node_that_did_not_run_blames_nobody),
        TEST(nodes_that_did_not_run_together_are_still_linked),
        TEST(a_stall_does_not_make_the_next_silence_unnoticed),
        TEST(a_reset_takes_the_link_down_on_both_sides_and_it_comes_again),
        TEST(a_reset_that_is_lost_is_told_when_the_other_side_next_says_anything),
        TEST(a_malformed_envelope_in_a_numbered_message_resets_the_link),
        TEST(an_unknown_kind_is_passed_over),
        TEST(another_cluster_is_not_linked_with),
        TEST(noise_is_counted_and_changes_nothing),
        TEST(another_version_is_counted_as_such),
        TEST(who_claims_to_be_the_node_itself_is_dropped),
        TEST(its_own_question_that_comes_back_is_passed_over),
        TEST(a_node_seeks_as_soon_as_it_is_told_to_expect_a_relay),
        TEST(a_forged_message_of_another_session_does_not_touch_the_link),
        TEST(a_stranger_in_the_middle_of_a_talk_is_told_that_it_is_over),
        TEST(a_reset_of_a_stranger_is_not_answered),
        TEST(more_links_than_the_limit_are_refused),
        TEST(counts_of_links_that_are_gone_are_not_forgotten),
        TEST(names_are_short_printable_words),
    };
    return cmocka_run_group_tests_name("fabric/node", tests, NULL, NULL);
}
