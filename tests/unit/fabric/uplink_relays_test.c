/* The uplink between several relays: which way it goes for each channel, and what it does when that changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "tests/sim/virtual_edge.h"

#define MS     UINT64_C(1000)
#define SECOND UINT64_C(1000000)
#define EPOCH  "abcdEFGH"
#define RELAYS 3u

/* A relay that says only what the test tells it to say; what it hears is written down. */
typedef struct quiet_relay {
    char name[16];
    virtual_port_t port;
    node_t *node;
    link_t *link; /* to the edge; NULL = down */
    buf_t heard;  /* the publications' channels and texts, "!" behind those that were sent before */
    uint64_t last;
} quiet_relay_t;

static struct {
    virtual_fabric_t fabric;
    namespaces_t namespaces;
    quiet_relay_t relays[RELAYS];
    virtual_edge_t edge;
} world;

/* --- relays --- */

static int on_send(void *context, span_t message)
{
    return virtual_port_send(&((quiet_relay_t *)context)->port, message);
}

static void on_up(void *context, link_t *link, const envelope_t *greeting)
{
    (void)greeting;
    ((quiet_relay_t *)context)->link = link;
}

static void on_envelope(void *context, link_t *link, const envelope_t *envelope)
{
    (void)link;
    quiet_relay_t *relay = context;
    if (envelope->kind != KIND_PUB)
        return;
    relay->last = envelope->pub.counter;
    if (envelope->pub.payload.size < 100)
        buf_printf(&relay->heard, "%.*s:%.*s%s ", SPAN_FMT(envelope->pub.channel),
                   SPAN_FMT(envelope->pub.payload), envelope->pub.flags & MESSAGE_RESENT ? "!" : "");
}

static void on_down(void *context, link_t *link, int reason)
{
    (void)link;
    (void)reason;
    ((quiet_relay_t *)context)->link = NULL;
}

static const node_events_t relay_events = {on_send, on_up, on_envelope, on_down};

static void start_relay(unsigned number)
{
    quiet_relay_t *relay = &world.relays[number];
    snprintf(relay->name, sizeof relay->name, "relay-%u", number + 1);
    const node_options_t options = {.name = relay->name,
                                    .cluster = "heddle",
                                    .role = ROLE_RELAY,
                                    .accepts = true,
                                    .link = LINK_SETTINGS_DEFAULT,
                                    .events = &relay_events,
                                    .random = &world.fabric.random,
                                    .context = relay};
    relay->node = node_new(&options, world.fabric.now_us);
    buf_t list = {0};
    namespaces_encode(&world.namespaces, &list);
    node_set_namespaces(relay->node, buf_span(&list));
    buf_fini(&list);
    relay->port.node = relay->node;
    relay->port.accepts = true;
    virtual_fabric_join(&world.fabric, &relay->port);
}

static uint64_t id_of(unsigned number)
{
    return node_id(world.relays[number].node);
}

static void say(unsigned number, envelope_t envelope)
{
    assert_non_null(world.relays[number].link);
    assert_int_equal(link_send(world.relays[number].link, &envelope, world.fabric.now_us), OK);
}

static void run(uint64_t time_us)
{
    virtual_fabric_run(&world.fabric, time_us);
}

/* A view of the relays whose bits are set. */
static view_t view_of(uint64_t lineage, uint64_t number, unsigned members)
{
    view_t view = {.lineage = lineage, .number = number};
    for (unsigned i = 0; i < RELAYS; i++) {
        if (members & 1u << i)
            assert_int_equal(view_add(&view, id_of(i), span_str(world.relays[i].name)), OK);
    }
    return view;
}

static void tell(unsigned number, view_t view)
{
    buf_t list = {0};
    view_write_members(&view, &list);
    say(number, (envelope_t){.kind = KIND_MEMBERS, .members = {view.lineage, view.number, buf_span(&list)}});
    buf_fini(&list);
    run(10 * MS);
}

static void refuse(unsigned number, uint64_t counter, int err)
{
    say(number, (envelope_t){.kind = KIND_PUB_NO, .pub_no = {counter, (uint64_t)-err}});
}

static void assert_relay_heard(unsigned number, const char *text)
{
    assert_string_equal(buf_text(&world.relays[number].heard), text);
    buf_clear(&world.relays[number].heard);
}

/* --- the edge --- */

typedef struct outcome {
    unsigned calls;
    int err;
} outcome_t;

static void published(void *user, int err, position_t position)
{
    (void)position;
    outcome_t *outcome = user;
    outcome->calls++;
    outcome->err = err;
}

static void publish(const char *channel, const char *text, outcome_t *outcome)
{
    const publication_t publication = {.channel = span_str(channel), .payload = span_str(text)};
    assert_int_equal(uplink_publish(world.edge.uplink, &publication, outcome ? published : NULL, outcome,
                                    world.fabric.now_us),
                     OK);
}

static uint64_t route(const char *channel)
{
    const link_t *relay = uplink_route(world.edge.uplink, span_str(channel));
    return relay ? link_peer(relay) : 0;
}

/* A channel that this relay of the view owns. */
static const char *channel_owned_by(const view_t *view, uint64_t owner)
{
    static char name[16];
    for (unsigned i = 0;; i++) {
        snprintf(name, sizeof name, "c%u", i);
        if (view_ranks(view, span_str(name)).owner == owner)
            return name;
    }
}

static void lose(unsigned number)
{
    link_reset(node_find_link(world.edge.node, id_of(number)), ERR_CLOSED, world.fabric.now_us);
}

static bool all_linked(void *context)
{
    (void)context;
    return node_links_up(world.edge.node) == RELAYS;
}

static int set_up(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_OFF);
    memset(&world, 0, sizeof world);
    virtual_fabric_init(&world.fabric, 1);
    namespaces_init(&world.namespaces);
    for (unsigned i = 0; i < RELAYS; i++)
        start_relay(i);
    virtual_edge_options_t edge = VIRTUAL_EDGE_DEFAULT;
    edge.relays = RELAYS;
    edge.link.window = 100 * 1024;
    virtual_edge_start(&world.edge, &world.fabric, &edge);
    assert_true(virtual_fabric_run_until(&world.fabric, all_linked, NULL, SECOND));
    run(MS);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    virtual_edge_stop(&world.edge);
    for (unsigned i = 0; i < RELAYS; i++) {
        virtual_fabric_leave(&world.relays[i].port);
        node_destroy(&world.relays[i].node);
        buf_fini(&world.relays[i].heard);
    }
    namespaces_fini(&world.namespaces);
    virtual_fabric_fini(&world.fabric);
    return 0;
}

static bool has_heard(void *relay)
{
    return ((const quiet_relay_t *)relay)->heard.size > 0;
}

/* --- ways --- */

static void without_a_view_the_relay_with_the_highest_weight_is_the_way(void **state)
{
    (void)state;
    const view_t all = view_of(1, 1, 7);
    for (unsigned i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "c%u", i);
        assert_int_equal(route(name), view_ranks(&all, span_str(name)).owner);
    }
    assert_int_equal(world.edge.moved, 0);
}

static void the_owner_is_the_way_and_without_a_link_to_it_the_next_one(void **state)
{
    (void)state;
    const view_t all = view_of(1, 1, 7);
    tell(0, all);
    lose(2);
    unsigned forwarded = 0;
    for (unsigned i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "c%u", i);
        view_ranks_t ranks = view_ranks(&all, span_str(name));
        assert_int_equal(route(name), ranks.owner == id_of(2) ? ranks.replica : ranks.owner);
        forwarded += ranks.owner == id_of(2);
    }
    assert_in_range(forwarded, 10, 60);
}

static void a_relay_outside_of_the_view_is_no_way(void **state)
{
    (void)state;
    const view_t two = view_of(1, 1, 3);
    tell(0, two);
    for (unsigned i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "c%u", i);
        assert_int_equal(route(name), view_ranks(&two, span_str(name)).owner);
    }
}

static void without_a_member_any_relay_will_do(void **state)
{
    (void)state;
    view_t strangers = {.lineage = 1, .number = 1};
    assert_int_equal(view_add(&strangers, 12345, SPAN("elsewhere")), OK);
    tell(0, strangers);
    assert_int_not_equal(route("chat"), 0);
}

static void of_one_lineage_the_newest_view_counts_whoever_tells_it(void **state)
{
    (void)state;
    tell(0, view_of(1, 4, 7));
    tell(1, view_of(1, 5, 2)); /* smaller, but newer */
    tell(2, view_of(1, 4, 7));
    assert_int_equal(route("chat"), id_of(1));
    assert_int_equal(world.edge.moved, 2);
}

static void of_several_lineages_the_greater_one_counts(void **state)
{
    (void)state;
    tell(0, view_of(1, 9, 1));
    assert_int_equal(route("chat"), id_of(0));
    tell(1, view_of(2, 3, 6));
    assert_int_not_equal(route("chat"), id_of(0));
    tell(0, view_of(1, 10, 1)); /* still the lesser one */
    assert_int_not_equal(route("chat"), id_of(0));
    assert_int_equal(world.edge.moved, 2);
}

static void a_view_that_has_lost_its_majority_is_over_whoever_still_tells_it(void **state)
{
    (void)state;
    const view_t two = view_of(1, 3, 3);
    tell(0, two);
    tell(1, two);
    tell(0, view_of(2, 1, 1)); /* alone, though relay-2, which has crashed, says that there are two */
    for (unsigned i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof name, "c%u", i);
        assert_int_equal(route(name), id_of(0));
    }
}

static void one_of_three_that_has_left_does_not_end_their_view(void **state)
{
    (void)state;
    const view_t all = view_of(1, 3, 7);
    for (unsigned i = 0; i < RELAYS; i++)
        tell(i, all);
    tell(2, view_of(2, 1, 4));
    assert_int_equal(route(channel_owned_by(&all, id_of(0))), id_of(0));
    assert_int_equal(route(channel_owned_by(&all, id_of(1))), id_of(1));
}

static void a_view_goes_with_the_link_that_told_it(void **state)
{
    (void)state;
    tell(0, view_of(1, 4, 4));
    tell(1, view_of(1, 5, 2));
    assert_int_equal(route("chat"), id_of(1));
    lose(1);
    assert_int_equal(route("chat"), id_of(2));
    assert_int_equal(world.edge.moved, 3);
}

static void a_greeting_tells_the_view(void **state)
{
    (void)state;
    buf_t list = {0};
    const view_t view = view_of(1, 5, 2);
    view_encode(&view, &list);
    node_set_members(world.relays[0].node, buf_span(&list));
    buf_fini(&list);
    lose(0);
    assert_true(virtual_fabric_run_until(&world.fabric, all_linked, NULL, 5 * SECOND));
    assert_int_equal(route("chat"), id_of(1));
    assert_int_equal(world.edge.moved, 1);
}

static void a_view_that_nobody_can_read_changes_nothing(void **state)
{
    (void)state;
    tell(0, view_of(1, 4, 1));
    const uint8_t bad[] = {0x92, 0x92, 0x01, 0xa1, 'x', 0x92, 0x01, 0xa1, 'y'}; /* one id twice */
    say(0, (envelope_t){.kind = KIND_MEMBERS, .members = {1, 5, span_new(bad, sizeof bad)}});
    run(10 * MS);
    assert_int_equal(route("chat"), id_of(0));
    assert_int_equal(world.edge.moved, 1);
}

static void it_says_who_owned_a_channel_until_now(void **state)
{
    (void)state;
    const view_t all = view_of(1, 1, 7);
    const view_t two = view_of(1, 2, 3);
    tell(0, all);
    assert_int_equal(uplink_moved_from(world.edge.uplink, SPAN("chat")), 0); /* nobody, as far as it knows */
    tell(0, two);
    const char *moved = channel_owned_by(&all, id_of(2));
    assert_int_equal(uplink_moved_from(world.edge.uplink, span_str(moved)), id_of(2));
    const char *stays = channel_owned_by(&all, id_of(0));
    assert_int_equal(uplink_moved_from(world.edge.uplink, span_str(stays)), 0);
    tell(0, view_of(9, 1, 7)); /* another lineage: whoever owns it begins anew, or has been handed it */
    assert_int_equal(uplink_moved_from(world.edge.uplink, span_str(stays)), id_of(0));
}

/* --- publications --- */

static void unanswered_publications_go_to_the_new_owner_in_order(void **state)
{
    (void)state;
    static outcome_t first, second;
    tell(0, view_of(1, 1, 1));
    publish("chat", "one", &first);
    publish("chat", "two", &second);
    publish("chat", "three", NULL);
    run(10 * MS);
    assert_relay_heard(0, "chat:one chat:two chat:three ");
    say(0, (envelope_t){.kind = KIND_PUB_OK, .pub_ok = {1, SPAN(EPOCH), 1}});
    run(10 * MS);
    tell(0, view_of(1, 2, 2));
    publish("chat", "four", NULL);
    run(10 * MS);
    assert_relay_heard(0, "");
    assert_relay_heard(1, "chat:two! chat:three! chat:four ");
    refuse(0, 2, ERR_DENIED); /* it has nothing to say any more */
    run(10 * MS);
    assert_int_equal(first.calls, 1);
    assert_int_equal(second.calls, 0);
    say(0, (envelope_t){.kind = KIND_PUB_OK, .pub_ok = {2, SPAN(EPOCH), 2}}); /* but what it did, it did */
    run(10 * MS);
    assert_int_equal(second.calls, 1);
    assert_int_equal(second.err, OK);
}

static void another_owner_behind_the_same_relay_is_sent_them_as_well(void **state)
{
    (void)state;
    view_t before = view_of(1, 1, 1);
    view_t after = view_of(1, 2, 1);
    assert_int_equal(view_add(&before, 5, SPAN("unseen-a")), OK);
    assert_int_equal(view_add(&after, 6, SPAN("unseen-b")), OK);
    tell(0, before);
    const char *channel = channel_owned_by(&before, 5);
    publish(channel, "one", NULL);
    run(10 * MS);
    buf_clear(&world.relays[0].heard);
    tell(0, after);
    char expected[32];
    snprintf(expected, sizeof expected, "%s:one! ", channel);
    assert_relay_heard(0, expected);
}

static void what_stays_where_it_is_is_not_sent_again(void **state)
{
    (void)state;
    tell(0, view_of(1, 1, 1));
    publish("chat", "one", NULL);
    run(10 * MS);
    tell(0, view_of(1, 2, 1));
    lose(1);
    run(5 * SECOND);
    assert_relay_heard(0, "chat:one ");
    assert_int_equal(uplink_counts(world.edge.uplink).resent, 0);
}

static void not_now_is_tried_again_and_holds_up_its_channel_alone(void **state)
{
    (void)state;
    tell(0, view_of(1, 1, 1));
    static outcome_t outcome;
    publish("chat", "one", &outcome);
    run(10 * MS);
    uint64_t refused_us = world.fabric.now_us;
    refuse(0, 1, ERR_UNAVAILABLE);
    run(10 * MS);
    publish("chat", "two", NULL);
    publish("news", "three", NULL);
    run(10 * MS);
    assert_relay_heard(0, "chat:one news:three ");
    assert_true(virtual_fabric_run_until(&world.fabric, has_heard, &world.relays[0], SECOND)); /* at a turn */
    assert_in_range(world.fabric.now_us, refused_us + UPLINK_RETRY_US, UINT64_MAX);
    assert_relay_heard(0, "chat:one! chat:two ");
    assert_int_equal(outcome.calls, 0);
    say(0, (envelope_t){.kind = KIND_PUB_OK, .pub_ok = {1, SPAN(EPOCH), 1}});
    run(10 * MS);
    assert_int_equal(outcome.calls, 1);
    assert_int_equal(outcome.err, OK);
    assert_int_equal(uplink_counts(world.edge.uplink).refused, 0);
}

static void not_now_for_too_long_is_a_timeout(void **state)
{
    (void)state;
    tell(0, view_of(1, 1, 1));
    static outcome_t outcome;
    publish("chat", "one", &outcome);
    uint64_t end_us = world.fabric.now_us + UPLINK_PUBLISH_TIMEOUT_US - SECOND;
    while (world.fabric.now_us < end_us) {
        if (world.relays[0].heard.size)
            refuse(0, 1, ERR_UNAVAILABLE);
        buf_clear(&world.relays[0].heard);
        run(10 * MS);
    }
    assert_int_equal(outcome.calls, 0);
    run(2 * SECOND);
    assert_int_equal(outcome.calls, 1);
    assert_int_equal(outcome.err, ERR_TIMEOUT);
}

static void a_full_link_does_not_hold_up_what_is_for_other_relays(void **state)
{
    (void)state;
    const view_t two = view_of(1, 1, 3);
    tell(0, two);
    char full[16], free[16], text[60001];
    snprintf(full, sizeof full, "%s", channel_owned_by(&two, id_of(0)));
    snprintf(free, sizeof free, "%s", channel_owned_by(&two, id_of(1)));
    memset(text, 'x', 60000);
    text[60000] = '\0';
    world.relays[0].port.stalled = true;
    publish(full, text, NULL);
    publish(full, text, NULL); /* does not fit */
    publish(full, "small", NULL);
    publish(free, "other", NULL);
    run(100 * MS);
    char expected[32];
    snprintf(expected, sizeof expected, "%s:other ", free);
    assert_relay_heard(1, expected);
    world.relays[0].port.stalled = false;
    run(SECOND);
    snprintf(expected, sizeof expected, "%s:small ", full);
    assert_relay_heard(0, expected);
    assert_int_equal(world.relays[0].last, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_view_the_relay_with_the_highest_weight_is_the_way),
        TEST(the_owner_is_the_way_and_without_a_link_to_it_the_next_one),
        TEST(a_relay_outside_of_the_view_is_no_way),
        TEST(without_a_member_any_relay_will_do),
        TEST(of_one_lineage_the_newest_view_counts_whoever_tells_it),
        TEST(of_several_lineages_the_greater_one_counts),
        TEST(a_view_that_has_lost_its_majority_is_over_whoever_still_tells_it),
        TEST(one_of_three_that_has_left_does_not_end_their_view),
        TEST(a_view_goes_with_the_link_that_told_it),
        TEST(a_greeting_tells_the_view),
        TEST(a_view_that_nobody_can_read_changes_nothing),
        TEST(it_says_who_owned_a_channel_until_now),
        TEST(unanswered_publications_go_to_the_new_owner_in_order),
        TEST(another_owner_behind_the_same_relay_is_sent_them_as_well),
        TEST(what_stays_where_it_is_is_not_sent_again),
        TEST(not_now_is_tried_again_and_holds_up_its_channel_alone),
        TEST(not_now_for_too_long_is_a_timeout),
        TEST(a_full_link_does_not_hold_up_what_is_for_other_relays),
    };
    return cmocka_run_group_tests_name("fabric/uplink_relays", tests, NULL, NULL);
}
