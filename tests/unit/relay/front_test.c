#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "protocol/codec.h"
#include "protocol/recall.h"
#include "relay/survey.h"
#include "tests/sim/virtual_edge.h"
#include "tests/sim/virtual_relay.h"

#define MS     UINT64_C(1000)
#define SECOND UINT64_C(1000000)

typedef struct world {
    virtual_fabric_t fabric;
    namespaces_t namespaces;
    virtual_relay_options_t options;
    virtual_relay_t relay;
    virtual_edge_t a, b;
    bool answers; /* edges answer what they are asked */
} world_t;

static world_t world;

static void run(uint64_t time_us)
{
    virtual_fabric_run(&world.fabric, time_us);
}

static void add_namespace(const char *name, uint64_t size, bool presence)
{
    const channel_options_t options = {
        .history_size = size, .history_ttl_us = 30 * SECOND, .presence = presence};
    assert_int_equal(namespaces_add(&world.namespaces, span_str(name), &options), OK);
}

static void on_asked(void *context, virtual_edge_t *edge, link_t *relay, const envelope_ask_t *question)
{
    (void)context;
    if (!world.answers)
        return;
    buf_t items = {0};
    codec_write_array(&items, 1);
    codec_write_text(&items, span_str(edge->options.name));
    uplink_answer(edge->uplink, relay, question->id, OK, buf_span(&items), world.fabric.now_us);
    buf_fini(&items);
}

static void start_edge(virtual_edge_t *edge, const char *name, const char *cluster)
{
    virtual_edge_options_t options = VIRTUAL_EDGE_DEFAULT;
    options.name = name;
    options.cluster = cluster;
    options.events.asked = on_asked;
    virtual_edge_start(edge, &world.fabric, &options);
}

static void start_relay(void)
{
    virtual_relay_start(&world.relay, &world.fabric, &world.options);
}

static void settle(void)
{
    assert_true(virtual_fabric_run_until(&world.fabric, virtual_edge_is_linked, &world.a, 2 * SECOND));
    assert_true(virtual_fabric_run_until(&world.fabric, virtual_edge_is_linked, &world.b, 2 * SECOND));
    assert_true(virtual_fabric_run_until(&world.fabric, virtual_edge_is_on, &world.a, 2 * SECOND));
    assert_true(virtual_fabric_run_until(&world.fabric, virtual_edge_is_on, &world.b, 2 * SECOND));
}

static int set_up(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_OFF);
    world = (world_t){.answers = true, .options = VIRTUAL_RELAY_DEFAULT};
    virtual_fabric_init(&world.fabric, 1);
    namespaces_init(&world.namespaces);
    add_namespace("default", 32, false);
    add_namespace("room", 0, true);
    add_namespace("long", 1000, false);
    world.options.namespaces = &world.namespaces;
    start_relay();
    start_edge(&world.a, "edge-a", "heddle");
    start_edge(&world.b, "edge-b", "heddle");
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

static relay_front_counts_t counts(void)
{
    return relay_front_counts(world.relay.front);
}

static void publish(virtual_edge_t *edge, const char *text)
{
    assert_int_equal(virtual_edge_publish(edge, "chat", text), OK);
}

static void publish_numbers(virtual_edge_t *edge, unsigned first, unsigned last)
{
    char text[16];
    for (unsigned i = first; i <= last; i++) {
        snprintf(text, sizeof text, "%u", i);
        publish(edge, text);
    }
}

/* "1 2 3 ... last " */
static const char *numbers(unsigned first, unsigned last)
{
    static buf_t text;
    buf_clear(&text);
    for (unsigned i = first; i <= last; i++)
        buf_printf(&text, "%u ", i);
    return buf_text(&text);
}

/* A link of a node that is not an edge's uplink: says what it wants. */
static void say(virtual_edge_t *edge, envelope_t envelope)
{
    link_t *link = node_find_link(edge->node, node_id(world.relay.node));
    assert_non_null(link);
    assert_int_equal(link_send(link, &envelope, world.fabric.now_us), OK);
}

static envelope_t pub(uint64_t node, uint64_t counter, uint64_t flags, const char *text)
{
    return (envelope_t){.kind = KIND_PUB,
                        .pub = {.node = node,
                                .counter = counter,
                                .channel = SPAN("chat"),
                                .flags = flags,
                                .payload = span_str(text)}};
}

/* --- publishing --- */

static void every_subscriber_gets_what_any_edge_publishes_in_one_order(void **state)
{
    (void)state;
    virtual_subscription_t *on_a = virtual_edge_subscribe(&world.a, "chat");
    virtual_subscription_t *on_b = virtual_edge_subscribe(&world.b, "chat");
    settle();
    for (unsigned i = 0; i < 100; i++) {
        publish_numbers(i % 2 ? &world.a : &world.b, 10 * i, 10 * i + 9);
        run(random_below(&world.fabric.random, 3) * MS);
    }
    run(100 * MS);
    assert_int_equal(on_a->messages, 1000);
    assert_int_equal(on_a->faults + on_b->faults, 0);
    assert_string_equal(buf_text(&world.a.heard), buf_text(&world.b.heard));
    assert_int_equal(uplink_counts(world.a.uplink).confirmed + uplink_counts(world.b.uplink).confirmed, 1000);
    assert_int_equal(counts().published, 1000);
    assert_int_equal(counts().deliveries, 2000);
}

static void a_publication_that_is_sent_again_is_published_once(void **state)
{
    (void)state;
    virtual_edge_subscribe(&world.b, "chat");
    settle();
    uint64_t id = node_id(world.a.node);
    say(&world.a, pub(id, 1, 0, "one"));
    say(&world.a, pub(id, 2, 0, "two"));
    say(&world.a, pub(id, 1, MESSAGE_RESENT, "one"));
    say(&world.a, pub(id, 3, MESSAGE_RESENT, "three"));
    run(100 * MS);
    assert_string_equal(buf_text(&world.b.heard), "one two three ");
    assert_int_equal(counts().duplicates, 1);
    assert_int_equal(counts().published, 3);
}

typedef struct outcome {
    unsigned calls;
    int err;
    position_t position;
} outcome_t;

static void published(void *user, int err, position_t position)
{
    outcome_t *outcome = user;
    *outcome = (outcome_t){outcome->calls + 1, err, position};
}

static int publish_for(virtual_edge_t *edge, const char *channel, outcome_t *outcome)
{
    const publication_t publication = {.channel = span_str(channel), .payload = SPAN("x")};
    return uplink_publish(edge->uplink, &publication, published, outcome, world.fabric.now_us);
}

static void an_answer_that_was_lost_comes_again_with_the_first_position(void **state)
{
    (void)state;
    outcome_t outcome = {0};
    publish(&world.b, "before");
    run(10 * MS);
    assert_int_equal(publish_for(&world.a, "chat", &outcome), OK);
    run(1);
    world.relay.port.lose = 1; /* the answer, and the link with it */
    run(MS);
    assert_int_equal(counts().published, 2);
    publish(&world.b, "behind");
    link_reset(node_find_link(world.a.node, node_id(world.relay.node)), ERR_CLOSED, world.fabric.now_us);
    run(SECOND);
    assert_int_equal(outcome.calls, 1);
    assert_int_equal(outcome.err, OK);
    assert_int_equal(outcome.position.offset, 2);
    assert_int_equal(counts().published, 3);
    assert_int_equal(counts().duplicates, 1);
}

static void a_namespace_that_does_not_exist_is_refused(void **state)
{
    (void)state;
    outcome_t outcome = {0};
    assert_int_equal(publish_for(&world.a, "nowhere:chat", &outcome), OK);
    virtual_subscription_t *subscription = virtual_edge_subscribe(&world.b, "nowhere:chat");
    run(100 * MS);
    assert_int_equal(outcome.err, ERR_NOT_FOUND);
    assert_int_equal(subscription->refusals, 1);
    assert_int_equal(subscription->refusal, ERR_NOT_FOUND);
    assert_int_equal(counts().refused, 1);
    assert_int_equal(counts().channels, 0);
}

static void a_relay_that_has_all_the_channels_that_it_may_have_refuses_new_ones(void **state)
{
    (void)state;
    char name[16];
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "c%u", i);
        assert_int_equal(virtual_edge_publish(&world.a, name, "x"), OK);
    }
    run(100 * MS);
    outcome_t outcome = {0};
    assert_int_equal(publish_for(&world.a, "one-more", &outcome), OK);
    virtual_subscription_t *subscription = virtual_edge_subscribe(&world.b, "one-more");
    run(100 * MS);
    assert_int_equal(outcome.calls, 1);
    assert_int_equal(outcome.err, ERR_UNAVAILABLE);
    assert_int_equal(subscription->refusal, ERR_FULL);
    assert_int_equal(publish_for(&world.a, "c999", &outcome), OK);
    run(100 * MS);
    assert_int_equal(outcome.err, OK);
}

/* --- losses --- */

static void what_was_missed_during_a_link_loss_is_delivered_after_it(void **state)
{
    (void)state;
    virtual_subscription_t *subscription = virtual_edge_subscribe(&world.b, "chat");
    settle();
    publish_numbers(&world.a, 1, 10);
    run(10 * MS);
    world.b.port.cut = true;
    publish_numbers(&world.a, 11, 20);
    run(8 * SECOND); /* both sides have given up */
    publish_numbers(&world.a, 21, 30);
    run(10 * MS);
    world.b.port.cut = false;
    settle();
    run(100 * MS);
    assert_string_equal(buf_text(&world.b.heard), numbers(1, 30));
    assert_int_equal(subscription->recovered, 1);
    assert_int_equal(subscription->told + subscription->faults, 0);
}

static void what_history_has_lost_meanwhile_is_told(void **state)
{
    (void)state;
    virtual_subscription_t *subscription = virtual_edge_subscribe(&world.b, "chat");
    settle();
    publish_numbers(&world.a, 1, 1);
    run(10 * MS);
    world.b.port.cut = true;
    run(8 * SECOND);
    publish_numbers(&world.a, 2, 34); /* one more than the history holds */
    run(10 * MS);
    world.b.port.cut = false;
    settle();
    publish_numbers(&world.a, 35, 36);
    run(10 * MS);
    assert_string_equal(buf_text(&world.b.heard), "1 35 36 ");
    assert_int_equal(subscription->told, 1);
    assert_int_equal(subscription->faults, 0);
    assert_int_equal(counts().unrecovered, 1);
}

static void a_subscriber_that_reads_nothing_is_reset_and_the_others_notice_nothing(void **state)
{
    (void)state;
    virtual_edge_stop(&world.b);
    virtual_relay_stop(&world.relay);
    world.options.link.window = 256 * 1024;
    start_relay();
    start_edge(&world.b, "edge-b", "heddle");
    virtual_subscription_t *on_a = virtual_edge_subscribe(&world.a, "chat");
    virtual_subscription_t *on_b = virtual_edge_subscribe(&world.b, "chat");
    settle();
    char *text = mem_new(40001);
    memset(text, 'x', 40000);
    world.b.port.stalled = true;
    for (unsigned i = 0; i < 30; i++) {
        publish(&world.a, text);
        run(5 * MS);
    }
    mem_free(text);
    assert_int_equal(counts().overflows, 1);
    assert_int_equal(on_a->messages, 30);
    assert_int_equal(world.a.lost, 1); /* of the first relay */
    world.b.port.stalled = false;
    settle();
    run(SECOND);
    assert_int_equal(on_b->messages, 30); /* it goes on from its position, in as many steps as it takes */
    assert_int_equal(on_a->faults + on_b->faults + on_b->told, 0);
}

static void a_full_pipe_is_no_loss(void **state)
{
    (void)state;
    virtual_subscription_t *subscription = virtual_edge_subscribe(&world.b, "chat");
    settle();
    world.relay.port.blocked = true;
    for (unsigned i = 0; i < 20; i++) {
        publish_numbers(&world.a, i + 1, i + 1);
        run(20 * MS);
    }
    assert_int_equal(subscription->messages, 0);
    world.relay.port.blocked = false;
    run(100 * MS);
    assert_string_equal(buf_text(&world.b.heard), numbers(1, 20));
    assert_int_equal(world.b.lost, 0);
}

static void a_restarted_relay_serves_within_a_second_and_tells_the_subscribers(void **state)
{
    (void)state;
    virtual_subscription_t *subscription = virtual_edge_subscribe(&world.b, "chat");
    settle();
    publish_numbers(&world.a, 1, 3);
    run(10 * MS);
    virtual_relay_stop(&world.relay);
    publish_numbers(&world.a, 4, 6); /* wait in the edge */
    run(100 * MS);
    start_relay();
    run(SECOND + 100 * MS);
    assert_int_equal(subscription->told, 1); /* another epoch */
    publish_numbers(&world.a, 7, 8);
    run(10 * MS);
    assert_int_equal(uplink_counts(world.a.uplink).confirmed, 8);
    assert_int_equal(subscription->faults, 0);
    assert_int_equal(subscription->position.offset, 5); /* in that epoch: 4 to 8 */
}

static void an_edge_that_is_gone_frees_its_place_in_the_channels(void **state)
{
    (void)state;
    virtual_edge_subscribe(&world.a, "chat");
    virtual_edge_subscribe(&world.b, "chat");
    settle();
    virtual_edge_stop(&world.b);
    run(20 * SECOND);
    assert_int_equal(counts().links, 1);
    publish(&world.a, "x");
    run(10 * MS);
    assert_int_equal(counts().deliveries, 1);
    start_edge(&world.b, "edge-b", "heddle");
    virtual_edge_subscribe(&world.b, "chat");
    settle();
    publish(&world.a, "y");
    run(10 * MS);
    assert_int_equal(counts().deliveries, 3);
    assert_string_equal(buf_text(&world.b.heard), "y ");
}

/* --- liars and nonsense --- */

static void a_node_may_not_publish_in_the_name_of_another(void **state)
{
    (void)state;
    virtual_edge_subscribe(&world.b, "chat");
    settle();
    say(&world.a, pub(node_id(world.b.node), 1, 0, "forged"));
    say(&world.a, pub(0, 2, 0, "forged"));
    say(&world.a, pub(node_id(world.a.node), 3, 0, "true"));
    run(100 * MS);
    assert_string_equal(buf_text(&world.b.heard), "true ");
    assert_int_equal(counts().refused, 2);
    assert_int_equal(world.a.lost, 0);
}

/* Its own ids would be taken for repeats of the forged ones otherwise. */
static void a_forged_id_does_not_stop_the_true_one(void **state)
{
    (void)state;
    outcome_t outcome = {0};
    say(&world.a, pub(node_id(world.b.node), 1, 0, "forged"));
    run(10 * MS);
    assert_int_equal(publish_for(&world.b, "chat", &outcome), OK);
    run(10 * MS);
    assert_int_equal(outcome.calls, 1);
    assert_int_equal(outcome.position.offset, 1);
}

static void what_only_relays_may_say_is_counted_and_dropped(void **state)
{
    (void)state;
    say(&world.a,
        (envelope_t){.kind = KIND_MSG, .msg = {.channel = SPAN("chat"), .epoch = SPAN("abcdEFGH")}});
    say(&world.a, (envelope_t){.kind = KIND_SUB_OK, .sub_ok = {.channel = SPAN("chat")}});
    say(&world.a, (envelope_t){.kind = KIND_PUB_OK});
    run(100 * MS);
    assert_int_equal(node_counts(world.relay.node).denied, 3);
    assert_int_equal(counts().channels, 0);
    assert_int_equal(world.a.lost, 0);
}

static void what_makes_no_sense_does_nothing_and_the_link_goes_on(void **state)
{
    (void)state;
    say(&world.a, (envelope_t){.kind = KIND_UNSUB, .unsub = {SPAN("never-subscribed")}});
    say(&world.a,
        (envelope_t){.kind = KIND_LEAVE, .leave = {.channel = SPAN("room:1"), .client = SPAN("nobody")}});
    say(&world.a, (envelope_t){.kind = KIND_ANSWER, .answer = {.id = 999}});
    say(&world.a, (envelope_t){.kind = KIND_SUB, .sub = {SPAN("chat"), SPAN("12"), 3, 0, 0}}); /* no epoch */
    run(100 * MS);
    assert_int_equal(counts().channels, 0);
    assert_int_equal(world.a.lost, 0);
}

static void a_malformed_envelope_costs_its_sender_the_link_and_nobody_else(void **state)
{
    (void)state;
    virtual_edge_subscribe(&world.b, "chat");
    settle();
    const uint8_t bad[] = {0x92, KIND_SUB, 0xa4, 'c', 'h', 'a'};
    link_t *link = node_find_link(world.a.node, node_id(world.relay.node));
    assert_int_equal(link_send_encoded(link, span_new(bad, sizeof bad), world.fabric.now_us), OK);
    publish(&world.a, "behind it");
    run(SECOND);
    assert_int_equal(world.a.lost, 1);
    assert_int_equal(world.b.lost, 0);
    assert_string_equal(buf_text(&world.b.heard), "behind it "); /* sent again on the new link */
}

static void a_node_of_another_cluster_reaches_nobody(void **state)
{
    (void)state;
    virtual_edge_t foreigner;
    start_edge(&foreigner, "edge-c", "elsewhere");
    virtual_edge_subscribe(&foreigner, "chat");
    run(3 * SECOND);
    assert_int_equal(foreigner.found, 0);
    assert_int_equal(counts().links, 2);
    virtual_edge_stop(&foreigner);
}

/* --- presence --- */

typedef struct answer {
    unsigned calls;
    int err;
    buf_t items;
} answer_t;

static void answered(void *user, int err, span_t items)
{
    answer_t *answer = user;
    answer->calls++;
    answer->err = err;
    buf_clear(&answer->items);
    buf_append_span(&answer->items, items);
}

static void ask(virtual_edge_t *edge, question_t question, const char *channel, answer_t *answer)
{
    envelope_ask_t envelope = {.question = question, .channel = span_str(channel)};
    assert_int_equal(uplink_ask(edge->uplink, envelope, answered, answer, world.fabric.now_us), OK);
}

/* The number of items in an answer's list. */
static uint32_t size_of(const answer_t *answer)
{
    span_t rest = buf_span(&answer->items);
    uint32_t count = 0;
    assert_int_equal(codec_read_array(&rest, &count), OK);
    return count;
}

static void join(virtual_edge_t *edge, const char *client)
{
    const envelope_join_t join = {SPAN("room:1"), span_str(client), SPAN("ann"), SPAN("{}")};
    assert_int_equal(uplink_join(edge->uplink, &join, world.fabric.now_us), OK);
}

static uint32_t present(void)
{
    answer_t answer = {0};
    ask(&world.a, QUESTION_PRESENCE, "room:1", &answer);
    run(10 * MS);
    assert_int_equal(answer.calls, 1);
    uint32_t count = size_of(&answer);
    buf_fini(&answer.items);
    return count;
}

static void who_joins_is_present_until_it_leaves_or_its_edge_dies(void **state)
{
    (void)state;
    assert_int_equal(present(), 0);
    virtual_edge_subscribe(&world.a, "room:1");
    virtual_edge_subscribe(&world.b, "room:1");
    settle();
    join(&world.a, "c1");
    join(&world.a, "c2");
    join(&world.b, "c3");
    run(10 * MS);
    assert_int_equal(present(), 3);
    assert_int_equal(uplink_leave(world.a.uplink, SPAN("room:1"), SPAN("c1"), world.fabric.now_us), OK);
    assert_int_equal(uplink_leave(world.a.uplink, SPAN("room:1"), SPAN("c3"), world.fabric.now_us), OK);
    run(10 * MS);
    assert_int_equal(present(), 2); /* c3 is not a's to take away */
    virtual_edge_stop(&world.b);
    run(7 * SECOND);
    assert_int_equal(present(), 1);
}

static void presence_stats_count_clients_and_users(void **state)
{
    (void)state;
    answer_t answer = {0};
    virtual_edge_subscribe(&world.a, "room:1");
    settle();
    join(&world.a, "c1");
    join(&world.a, "c2");
    run(10 * MS);
    ask(&world.b, QUESTION_PRESENCE_STATS, "room:1", &answer);
    run(10 * MS);
    const uint8_t expected[] = {0x92, 2, 1};
    assert_int_equal(answer.items.size, sizeof expected);
    assert_memory_equal(answer.items.data, expected, sizeof expected);
    ask(&world.b, QUESTION_PRESENCE_STATS, "chat", &answer); /* presence is off there */
    run(10 * MS);
    assert_memory_equal(answer.items.data, ((uint8_t[]){0x92, 0, 0}), 3);
    buf_fini(&answer.items);
}

/* --- questions --- */

static void every_edge_answers_a_survey(void **state)
{
    (void)state;
    answer_t answer = {0};
    ask(&world.a, QUESTION_CHANNELS, "*", &answer);
    run(100 * MS);
    assert_int_equal(answer.calls, 1);
    assert_int_equal(size_of(&answer), 2);
    ask(&world.a, QUESTION_NODES, "", &answer);
    run(100 * MS);
    assert_int_equal(size_of(&answer), 3); /* and the relay itself */
    buf_fini(&answer.items);
}

static void an_edge_that_never_answers_makes_the_answer_later_and_smaller(void **state)
{
    (void)state;
    answer_t answer = {0};
    world.answers = false;
    ask(&world.a, QUESTION_NODES, "", &answer);
    run(SURVEY_TIMEOUT_US - 100 * MS);
    assert_int_equal(answer.calls, 0);
    run(SECOND);
    assert_int_equal(answer.calls, 1);
    assert_int_equal(answer.err, OK);
    assert_int_equal(size_of(&answer), 1);
    buf_fini(&answer.items);
}

static void an_edge_that_dies_is_not_waited_for(void **state)
{
    (void)state;
    answer_t answer = {0};
    world.answers = false;
    ask(&world.a, QUESTION_NODES, "", &answer);
    run(10 * MS);
    link_reset(node_find_link(world.b.node, node_id(world.relay.node)), ERR_CLOSED, world.fabric.now_us);
    run(10 * MS);
    assert_int_equal(answer.calls, 0); /* edge-a itself is still asked */
    virtual_edge_stop(&world.b);
    run(3 * SECOND);
    assert_int_equal(answer.calls, 1);
    buf_fini(&answer.items);
}

static void a_question_that_the_relay_does_not_know_is_refused(void **state)
{
    (void)state;
    answer_t answer = {0};
    ask(&world.a, (question_t)99, "", &answer);
    run(100 * MS);
    assert_int_equal(answer.calls, 1);
    assert_int_equal(answer.err, ERR_UNAVAILABLE);
    buf_fini(&answer.items);
}

/* --- history --- */

/* What edge-a is told of "chat": "top complete: payloads". */
static void assert_recalls(const envelope_ask_t *question, const char *text)
{
    answer_t answer = {0};
    recall_t recall;
    buf_t got = {0};
    assert_int_equal(uplink_ask(world.a.uplink, *question, answered, &answer, world.fabric.now_us), OK);
    run(10 * MS);
    assert_int_equal(answer.calls, 1);
    assert_int_equal(answer.err, OK);
    assert_int_equal(recall_read(buf_span(&answer.items), &recall), OK);
    buf_printf(&got, "%u %d:", (unsigned)recall.top.offset, recall.complete);
    for (envelope_msg_t message; recall_next(&recall.messages, &message);)
        buf_printf(&got, " %.*s", SPAN_FMT(message.payload));
    assert_string_equal(buf_text(&got), text);
    buf_fini(&got);
    buf_fini(&answer.items);
}

static void history_is_told_by_its_owner(void **state)
{
    (void)state;
    publish_numbers(&world.b, 1, 5);
    run(10 * MS);
    assert_recalls(&(envelope_ask_t){.question = QUESTION_HISTORY, .channel = SPAN("chat"), .limit = 3},
                   "5 0: 1 2 3");
    assert_recalls(
        &(envelope_ask_t){
            .question = QUESTION_HISTORY, .channel = SPAN("chat"), .limit = UINT64_MAX, .reverse = 1},
        "5 0: 5 4 3 2 1");
    assert_recalls(&(envelope_ask_t){.question = QUESTION_HISTORY, .channel = SPAN("chat"), .offset = 3},
                   "5 0:");
}

static void history_of_a_channel_that_is_not_there_is_empty_from_now_on(void **state)
{
    (void)state;
    assert_recalls(&(envelope_ask_t){.question = QUESTION_HISTORY, .channel = SPAN("new"), .limit = 3},
                   "0 0:");
    assert_int_equal(counts().channels, 1);
}

static void history_is_told_to_the_limit_of_an_answer_only(void **state)
{
    (void)state;
    answer_t answer = {0};
    recall_t recall;
    uint32_t told = 0;
    publish_for(&world.b, "long:1", &(outcome_t){0});
    run(10 * MS);
    for (unsigned i = 0; i < RECALL_MAX + 50; i++)
        assert_int_equal(virtual_edge_publish(&world.b, "long:1", "x"), OK);
    run(SECOND);
    envelope_ask_t question = {.question = QUESTION_HISTORY, .channel = SPAN("long:1"), .limit = UINT64_MAX};
    assert_int_equal(uplink_ask(world.a.uplink, question, answered, &answer, world.fabric.now_us), OK);
    run(100 * MS);
    assert_int_equal(answer.calls, 1);
    assert_int_equal(recall_read(buf_span(&answer.items), &recall), OK);
    assert_int_equal(recall.top.offset, RECALL_MAX + 51);
    for (envelope_msg_t message; recall_next(&recall.messages, &message);)
        told++;
    assert_int_equal(told, RECALL_MAX);
    buf_fini(&answer.items);
}

static void history_that_cannot_be_asked_for_is_refused(void **state)
{
    (void)state;
    static const envelope_ask_t questions[] = {
        {.question = QUESTION_HISTORY, .channel = {(const uint8_t *)"nowhere:a", 9}},
        {.question = QUESTION_HISTORY, .channel = {(const uint8_t *)"a b", 3}},
        {.question = QUESTION_HISTORY},
        {.question = QUESTION_HISTORY,
         .channel = {(const uint8_t *)"chat", 4},
         .epoch = {(const uint8_t *)"x", 1}},
    };
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        answer_t answer = {0};
        assert_int_equal(uplink_ask(world.a.uplink, questions[i], answered, &answer, world.fabric.now_us),
                         OK);
        run(10 * MS);
        assert_int_equal(answer.calls, 1);
        assert_int_not_equal(answer.err, OK);
        buf_fini(&answer.items);
    }
    assert_int_equal(counts().channels, 0);
}

static void a_forgotten_history_is_gone_and_the_position_is_not(void **state)
{
    (void)state;
    answer_t answer = {0};
    publish_numbers(&world.b, 1, 5);
    run(10 * MS);
    ask(&world.a, QUESTION_FORGET, "chat", &answer);
    run(10 * MS);
    assert_int_equal(answer.err, OK);
    assert_int_equal(size_of(&answer), 0);
    ask(&world.a, QUESTION_FORGET, "unknown", &answer);
    run(10 * MS);
    assert_int_equal(answer.calls, 2);
    assert_int_equal(answer.err, OK);
    assert_recalls(&(envelope_ask_t){.question = QUESTION_HISTORY, .channel = SPAN("chat"), .limit = 9},
                   "5 0:");
    assert_int_equal(counts().channels, 1);
    buf_fini(&answer.items);
}

/* Many who come back at once: what does not fit beside what is live is refused, and the link stays. */
static void history_that_would_fill_a_link_is_refused_and_the_link_stays(void **state)
{
    (void)state;
    enum { QUESTIONS = 100 };
    static answer_t answers[QUESTIONS];
    static char big[1024];
    unsigned told = 0, refused = 0;
    memset(big, 'x', sizeof big - 1);
    virtual_edge_stop(&world.a);
    virtual_relay_stop(&world.relay);
    world.options.link.window = 256 * 1024;
    start_relay();
    start_edge(&world.a, "edge-a", "heddle");
    settle();
    for (unsigned i = 0; i < 32; i++)
        publish(&world.b, big);
    run(SECOND);
    envelope_ask_t question = {.question = QUESTION_HISTORY, .channel = SPAN("chat"), .limit = 32};
    for (unsigned i = 0; i < QUESTIONS; i++) {
        answers[i] = (answer_t){0};
        assert_int_equal(uplink_ask(world.a.uplink, question, answered, &answers[i], world.fabric.now_us),
                         OK);
    }
    run(SECOND);
    for (unsigned i = 0; i < QUESTIONS; i++) {
        assert_int_equal(answers[i].calls, 1);
        told += answers[i].err == OK;
        refused += answers[i].err == ERR_UNAVAILABLE;
        buf_fini(&answers[i].items);
    }
    assert_int_equal(told + refused, QUESTIONS);
    assert_true(told > 0 && refused > 0);
    assert_int_equal(counts().overflows, 0);
    assert_int_equal(world.a.lost, 0);
}

static void a_canary_comes_back_and_leaves_nothing_behind(void **state)
{
    (void)state;
    answer_t answer = {0};
    ask(&world.a, QUESTION_CANARY, "", &answer);
    run(10 * MS);
    assert_int_equal(answer.calls, 1);
    assert_int_equal(answer.err, OK);
    assert_int_equal(size_of(&answer), 0);
    assert_int_equal(counts().channels, 0);
    assert_int_equal(counts().unexpected, 0);
    buf_fini(&answer.items);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_subscriber_gets_what_any_edge_publishes_in_one_order),
        TEST(a_publication_that_is_sent_again_is_published_once),
        TEST(an_answer_that_was_lost_comes_again_with_the_first_position),
        TEST(a_namespace_that_does_not_exist_is_refused),
        TEST(a_relay_that_has_all_the_channels_that_it_may_have_refuses_new_ones),
        TEST(what_was_missed_during_a_link_loss_is_delivered_after_it),
        TEST(what_history_has_lost_meanwhile_is_told),
        TEST(a_subscriber_that_reads_nothing_is_reset_and_the_others_notice_nothing),
        TEST(a_full_pipe_is_no_loss),
        TEST(a_restarted_relay_serves_within_a_second_and_tells_the_subscribers),
        TEST(an_edge_that_is_gone_frees_its_place_in_the_channels),
        TEST(a_node_may_not_publish_in_the_name_of_another),
        TEST(a_forged_id_does_not_stop_the_true_one),
        TEST(what_only_relays_may_say_is_counted_and_dropped),
        TEST(what_makes_no_sense_does_nothing_and_the_link_goes_on),
        TEST(a_malformed_envelope_costs_its_sender_the_link_and_nobody_else),
        TEST(a_node_of_another_cluster_reaches_nobody),
        TEST(who_joins_is_present_until_it_leaves_or_its_edge_dies),
        TEST(presence_stats_count_clients_and_users),
        TEST(every_edge_answers_a_survey),
        TEST(an_edge_that_never_answers_makes_the_answer_later_and_smaller),
        TEST(an_edge_that_dies_is_not_waited_for),
        TEST(a_question_that_the_relay_does_not_know_is_refused),
        TEST(history_is_told_by_its_owner),
        TEST(history_of_a_channel_that_is_not_there_is_empty_from_now_on),
        TEST(history_is_told_to_the_limit_of_an_answer_only),
        TEST(history_that_cannot_be_asked_for_is_refused),
        TEST(a_forgotten_history_is_gone_and_the_position_is_not),
        TEST(history_that_would_fill_a_link_is_refused_and_the_link_stays),
        TEST(a_canary_comes_back_and_leaves_nothing_behind),
    };
    return cmocka_run_group_tests_name("relay/front", tests, NULL, NULL);
}
