#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "protocol/codec.h"
#include "tests/sim/virtual_edge.h"

#define MS     UINT64_C(1000)
#define SECOND UINT64_C(1000000)
#define EPOCH  "abcdEFGH"

/* A relay that says only what the test tells it to say; what it hears is written down. */
typedef struct quiet_relay {
    virtual_port_t port;
    node_t *node;
    link_t *link;         /* to the edge; NULL = down */
    uint64_t first, last; /* counters of publications in the current conversation */
    unsigned publications, repeats;
    unsigned disorder; /* publications whose counter is not above the one before */
    uint64_t last_ask;
    buf_t heard; /* a word for each envelope */
} quiet_relay_t;

typedef struct world {
    virtual_fabric_t fabric;
    namespaces_t namespaces;
    quiet_relay_t relay;
    virtual_edge_t edge;
} world_t;

static world_t world;

/* --- the relay --- */

static int on_send(void *context, span_t message)
{
    return virtual_port_send(&((quiet_relay_t *)context)->port, message);
}

static void on_up(void *context, link_t *link, const envelope_t *greeting)
{
    quiet_relay_t *relay = context;
    (void)greeting;
    relay->link = link;
    relay->first = relay->last = 0;
}

static void take_publication(quiet_relay_t *relay, const envelope_pub_t *pub)
{
    relay->publications++;
    relay->repeats += (pub->flags & MESSAGE_RESENT) != 0;
    relay->disorder += pub->counter <= relay->last;
    relay->last = pub->counter;
    if (!relay->first)
        relay->first = pub->counter;
    assert_int_equal(pub->node, node_id(world.edge.node));
}

static void on_envelope(void *context, link_t *link, const envelope_t *envelope)
{
    quiet_relay_t *relay = context;
    assert_ptr_equal(link, relay->link);
    if (envelope->kind == KIND_PUB)
        take_publication(relay, &envelope->pub);
    else if (envelope->kind == KIND_SUB)
        buf_printf(&relay->heard, "SUB:%.*s:%.*s:%u ", SPAN_FMT(envelope->sub.channel),
                   SPAN_FMT(envelope->sub.epoch), (unsigned)envelope->sub.offset);
    else
        buf_printf(&relay->heard, "%s ", envelope_kind_name(envelope->kind));
    if (envelope->kind == KIND_ASK)
        relay->last_ask = envelope->ask.id;
}

static void on_down(void *context, link_t *link, int reason)
{
    (void)link;
    (void)reason;
    ((quiet_relay_t *)context)->link = NULL;
}

static const node_events_t relay_events = {on_send, on_up, on_envelope, on_down};

static void start_relay(void)
{
    const node_options_t options = {.name = "relay-1",
                                    .cluster = "heddle",
                                    .role = ROLE_RELAY,
                                    .accepts = true,
                                    .link = LINK_SETTINGS_DEFAULT,
                                    .events = &relay_events,
                                    .random = &world.fabric.random,
                                    .context = &world.relay};
    world.relay = (quiet_relay_t){.node = node_new(&options, world.fabric.now_us)};
    buf_t list = {0};
    namespaces_encode(&world.namespaces, &list);
    node_set_namespaces(world.relay.node, buf_span(&list));
    buf_fini(&list);
    world.relay.port.node = world.relay.node;
    world.relay.port.accepts = true;
    virtual_fabric_join(&world.fabric, &world.relay.port);
}

static void stop_relay(void)
{
    if (!world.relay.node)
        return;
    virtual_fabric_leave(&world.relay.port);
    node_destroy(&world.relay.node);
    buf_fini(&world.relay.heard);
}

static void say(envelope_t envelope)
{
    assert_non_null(world.relay.link);
    assert_int_equal(link_send(world.relay.link, &envelope, world.fabric.now_us), OK);
}

static void confirm(uint64_t counter, uint64_t offset)
{
    say((envelope_t){.kind = KIND_PUB_OK, .pub_ok = {counter, SPAN(EPOCH), offset}});
}

/* --- the edge --- */

/* What became of a publication or a question. Static in each test, since it outlives the test: what is pending is told
 * when the uplink goes. */
typedef struct outcome {
    unsigned calls;
    int err;
    position_t position;
    char items[64];
} outcome_t;

static void published(void *user, int err, position_t position)
{
    outcome_t *outcome = user;
    outcome->calls++;
    outcome->err = err;
    outcome->position = position;
}

static void answered(void *user, int err, span_t items)
{
    outcome_t *outcome = user;
    outcome->calls++;
    outcome->err = err;
    uint32_t count;
    span_t text = {0};
    if (!err && !codec_read_array(&items, &count))
        assert_int_equal(codec_read_text(&items, 63, &text), OK);
    if (text.size)
        memcpy(outcome->items, text.data, text.size);
}

static int publish(const char *text, outcome_t *outcome)
{
    const publication_t publication = {.channel = SPAN("chat"), .payload = span_str(text)};
    return uplink_publish(world.edge.uplink, &publication, outcome ? published : NULL, outcome,
                          world.fabric.now_us);
}

static int ask(outcome_t *outcome)
{
    envelope_ask_t question = {.question = QUESTION_PRESENCE, .channel = SPAN("chat")};
    return uplink_ask(world.edge.uplink, question, answered, outcome, world.fabric.now_us);
}

static void run(uint64_t time_us)
{
    virtual_fabric_run(&world.fabric, time_us);
}

static int set_up(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_OFF);
    world = (world_t){0};
    virtual_fabric_init(&world.fabric, 1);
    namespaces_init(&world.namespaces);
    const channel_options_t options = {.history_size = 7};
    assert_int_equal(namespaces_add(&world.namespaces, SPAN("default"), &options), OK);
    const virtual_edge_options_t edge = VIRTUAL_EDGE_DEFAULT;
    virtual_edge_start(&world.edge, &world.fabric, &edge);
    return 0;
}

static int set_up_linked(void **state)
{
    set_up(state);
    start_relay();
    assert_true(virtual_fabric_run_until(&world.fabric, virtual_edge_is_linked, &world.edge, SECOND));
    run(MS);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    virtual_edge_stop(&world.edge);
    stop_relay();
    namespaces_fini(&world.namespaces);
    virtual_fabric_fini(&world.fabric);
    return 0;
}

/* --- publications --- */

static void a_publication_is_confirmed_with_its_position(void **state)
{
    (void)state;
    static outcome_t outcome;
    assert_int_equal(publish("hello", &outcome), OK);
    assert_int_equal(outcome.calls, 0); /* never within the call */
    run(10 * MS);
    assert_int_equal(world.relay.publications, 1);
    assert_int_equal(world.relay.repeats, 0);
    assert_int_equal(outcome.calls, 0);
    confirm(world.relay.last, 42);
    run(10 * MS);
    assert_int_equal(outcome.calls, 1);
    assert_int_equal(outcome.err, OK);
    assert_int_equal(outcome.position.offset, 42);
    assert_memory_equal(outcome.position.epoch, EPOCH, EPOCH_SIZE);
    assert_int_equal(uplink_counts(world.edge.uplink).pending, 0);
}

static void an_answer_counts_once(void **state)
{
    (void)state;
    static outcome_t outcome;
    assert_int_equal(publish("hello", &outcome), OK);
    run(10 * MS);
    confirm(world.relay.last, 42);
    confirm(world.relay.last, 43);
    confirm(world.relay.last + 1, 44);
    confirm(0, 45);
    confirm(UINT64_MAX, 46);
    say((envelope_t){.kind = KIND_PUB_NO, .pub_no = {world.relay.last, (uint64_t)-ERR_DENIED}});
    run(10 * MS);
    assert_int_equal(outcome.calls, 1);
    assert_int_equal(outcome.position.offset, 42);
    assert_int_equal(uplink_counts(world.edge.uplink).confirmed, 1);
    assert_int_equal(uplink_counts(world.edge.uplink).refused, 0);
}

static void a_refusal_says_why(void **state)
{
    (void)state;
    const struct {
        uint64_t code;
        int err;
    } cases[] = {
        {(uint64_t)-ERR_NOT_FOUND, ERR_NOT_FOUND},
        {(uint64_t)-ERR_DENIED, ERR_DENIED},
        {(uint64_t)-ERR_FULL,
         ERR_UNAVAILABLE}, /* the relay has no room: not the publisher's fault, and it may pass */
        {0, ERR_UNAVAILABLE},
        {UINT64_MAX, ERR_UNAVAILABLE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        outcome_t outcome = {0};
        assert_int_equal(publish("hello", &outcome), OK);
        run(10 * MS);
        say((envelope_t){.kind = KIND_PUB_NO, .pub_no = {world.relay.last, cases[i].code}});
        run(10 * MS);
        assert_int_equal(outcome.calls, 1);
        assert_int_equal(outcome.err, cases[i].err);
    }
    assert_int_equal(uplink_counts(world.edge.uplink).refused, 5);
}

static void publications_wait_while_no_relay_is_there(void **state)
{
    (void)state;
    static outcome_t outcomes[3]; /* they are told at the end, behind this function */
    for (int i = 0; i < 3; i++)
        assert_int_equal(publish("early", &outcomes[i]), OK);
    run(5 * SECOND);
    assert_int_equal(outcomes[0].calls, 0);
    start_relay();
    run(SECOND);
    assert_int_equal(world.relay.publications, 3);
    assert_int_equal(world.relay.repeats + world.relay.disorder, 0);
}

static void publications_time_out_in_order_when_nobody_answers(void **state)
{
    (void)state;
    static outcome_t first;
    static outcome_t second;
    assert_int_equal(publish("a", &first), OK);
    run(SECOND);
    assert_int_equal(publish("b", &second), OK);
    run(UPLINK_PUBLISH_TIMEOUT_US - SECOND - MS);
    assert_int_equal(first.calls, 0);
    run(1100 * MS);
    assert_int_equal(first.calls, 1);
    assert_int_equal(first.err, ERR_TIMEOUT);
    assert_int_equal(second.calls, 1); /* a second later, as it came */
    assert_int_equal(uplink_counts(world.edge.uplink).timed_out, 2);
    start_relay();
    run(SECOND);
    assert_int_equal(world.relay.publications, 0); /* what has timed out is not sent late */
    assert_int_equal(publish("c", NULL), OK);
    run(10 * MS);
    assert_int_equal(world.relay.publications, 1);
}

static void unanswered_publications_are_sent_again_to_a_restarted_relay_in_order(void **state)
{
    (void)state;
    static outcome_t outcomes[20];
    for (int i = 0; i < 10; i++)
        assert_int_equal(publish("a", &outcomes[i]), OK);
    run(10 * MS);
    assert_int_equal(world.relay.publications, 10);
    confirm(1, 1);
    confirm(3, 2); /* answered out of order, as other channels' may be */
    run(10 * MS);
    stop_relay();
    for (int i = 10; i < 20; i++)
        assert_int_equal(publish("b", &outcomes[i]), OK);
    start_relay();
    run(2 * SECOND);
    assert_int_equal(world.relay.publications, 18);
    assert_int_equal(world.relay.first, 2);
    assert_int_equal(world.relay.last, 20);
    assert_int_equal(world.relay.disorder, 0);
    /* Ten were sent before the crash; of the others none knows whether it went. */
    assert_true(world.relay.repeats >= 8);
    for (uint64_t counter = 2; counter <= 20; counter++)
        confirm(counter, counter);
    run(10 * MS);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(outcomes[i].calls, 1);
        assert_int_equal(outcomes[i].err, OK);
    }
}

static void after_a_reset_what_is_new_waits_behind_what_is_sent_again(void **state)
{
    (void)state;
    assert_int_equal(publish("a", NULL), OK);
    assert_int_equal(publish("b", NULL), OK);
    run(10 * MS);
    link_reset(world.relay.link, ERR_FULL, world.fabric.now_us);
    run(100);
    assert_int_equal(publish("c", NULL), OK); /* while the link is down */
    run(SECOND);
    assert_int_equal(publish("d", NULL), OK);
    run(10 * MS);
    assert_int_equal(world.relay.first, 1);
    assert_int_equal(world.relay.last, 4);
    assert_int_equal(world.relay.disorder, 0);
    assert_int_equal(world.relay.repeats, 2);
    assert_int_equal(uplink_counts(world.edge.uplink).resent, 2);
}

static void too_many_unanswered_publications_are_refused_until_there_is_room(void **state)
{
    (void)state;
    for (unsigned i = 0; i < UPLINK_PENDING_MAX; i++)
        assert_int_equal(publish("x", NULL), OK);
    assert_int_equal(publish("x", NULL), ERR_FULL);
    assert_false(uplink_has_room(world.edge.uplink));
    run(SECOND);
    assert_int_equal(world.edge.rooms, 0);
    for (uint64_t counter = 1; counter <= UPLINK_PENDING_MAX / 2; counter++)
        confirm(counter, counter);
    run(SECOND);
    assert_int_equal(world.edge.rooms, 1);
    assert_true(uplink_has_room(world.edge.uplink));
    assert_int_equal(publish("x", NULL), OK);
    run(SECOND);
    assert_int_equal(world.edge.rooms, 1); /* told once */
}

static void too_many_unanswered_bytes_are_refused_as_well(void **state)
{
    (void)state;
    char *large = mem_new(PAYLOAD_MAX + 1);
    memset(large, 'x', PAYLOAD_MAX);
    unsigned taken = 0;
    while (publish(large, NULL) == OK)
        taken++;
    mem_free(large);
    assert_int_equal(taken, UPLINK_PENDING_BYTES / PAYLOAD_MAX);
    assert_false(uplink_has_room(world.edge.uplink));
}

/* A window smaller than what waits: the rest follows as acknowledgements come. */
static void what_does_not_fit_into_the_window_goes_later_and_in_order(void **state)
{
    (void)state;
    virtual_edge_stop(&world.edge);
    virtual_edge_options_t options = VIRTUAL_EDGE_DEFAULT;
    options.link.window = 100 * 1024;
    virtual_edge_start(&world.edge, &world.fabric, &options);
    char text[10001];
    memset(text, 'x', 10000);
    text[10000] = '\0';
    for (int i = 0; i < 100; i++)
        assert_int_equal(publish(text, NULL), OK);
    run(2 * SECOND);
    assert_int_equal(world.relay.publications, 100);
    assert_int_equal(world.relay.disorder + world.relay.repeats, 0);
}

static void a_small_publication_does_not_overtake_a_large_one_that_waits(void **state)
{
    (void)state;
    virtual_edge_stop(&world.edge);
    virtual_edge_options_t options = VIRTUAL_EDGE_DEFAULT;
    options.link.window = 100 * 1024;
    virtual_edge_start(&world.edge, &world.fabric, &options);
    assert_true(virtual_fabric_run_until(&world.fabric, virtual_edge_is_linked, &world.edge, SECOND));
    char text[60001];
    memset(text, 'x', 60000);
    text[60000] = '\0';
    assert_int_equal(publish(text, NULL), OK);
    assert_int_equal(publish(text, NULL), OK); /* does not fit */
    assert_int_equal(publish("small", NULL), OK);
    run(SECOND);
    assert_int_equal(world.relay.publications, 3);
    assert_int_equal(world.relay.disorder, 0);
}

static void a_publisher_that_is_gone_is_not_called(void **state)
{
    (void)state;
    static outcome_t gone;
    static outcome_t other;
    assert_int_equal(publish("a", &gone), OK);
    assert_int_equal(publish("b", &other), OK);
    uplink_forget(world.edge.uplink, &gone);
    run(10 * MS);
    assert_int_equal(world.relay.publications, 2); /* the publication itself goes on */
    confirm(1, 1);
    confirm(2, 2);
    run(10 * SECOND);
    assert_int_equal(gone.calls, 0);
    assert_int_equal(other.calls, 1);
}

static void what_is_pending_at_the_end_is_told(void **state)
{
    (void)state;
    static outcome_t publication;
    static outcome_t question;
    assert_int_equal(publish("a", &publication), OK);
    assert_int_equal(ask(&question), OK);
    virtual_edge_stop(&world.edge);
    assert_int_equal(publication.calls, 1);
    assert_int_equal(publication.err, ERR_CLOSED);
    assert_int_equal(question.calls, 1);
    assert_int_equal(question.err, ERR_CLOSED);
}

static outcome_t second_try;

static void publish_again(void *user, int err, position_t position)
{
    published(user, err, position);
    assert_int_equal(publish("again", &second_try), OK);
}

static void a_publisher_may_publish_from_its_answer(void **state)
{
    (void)state;
    static outcome_t outcome;
    second_try = (outcome_t){0};
    const publication_t publication = {.channel = SPAN("chat"), .payload = SPAN("first")};
    assert_int_equal(
        uplink_publish(world.edge.uplink, &publication, publish_again, &outcome, world.fabric.now_us), OK);
    run(10 * MS);
    confirm(1, 1);
    run(10 * MS);
    assert_int_equal(world.relay.last, 2);
    confirm(2, 2);
    run(10 * MS);
    assert_int_equal(second_try.calls, 1);
}

/* --- subscriptions --- */

static void a_subscription_needs_a_relay_and_goes_out_when_one_is_found(void **state)
{
    (void)state;
    assert_int_equal(
        uplink_subscribe(world.edge.uplink, SPAN("chat"), (position_t){0}, 0, world.fabric.now_us),
        ERR_UNAVAILABLE);
    assert_null(uplink_route(world.edge.uplink, SPAN("chat")));
    virtual_edge_subscribe(&world.edge, "chat");
    start_relay();
    run(SECOND);
    assert_string_equal(buf_text(&world.relay.heard), "SUB:chat::0 ");
    assert_int_equal(world.edge.found, 1);
}

static void after_a_loss_the_subscriber_is_told_and_asks_from_its_position(void **state)
{
    (void)state;
    virtual_edge_subscribe(&world.edge, "chat");
    run(10 * MS);
    say((envelope_t){.kind = KIND_SUB_OK,
                     .sub_ok = {SPAN("chat"), SPAN(EPOCH), 5, 5, 0, world.edge.subscriptions[0].request}});
    say((envelope_t){
        .kind = KIND_MSG,
        .msg = {.channel = SPAN("chat"), .epoch = SPAN(EPOCH), .offset = 6, .payload = SPAN("six")}});
    run(10 * MS);
    assert_string_equal(buf_text(&world.edge.heard), "six ");
    link_reset(world.relay.link, ERR_FULL, world.fabric.now_us);
    run(SECOND);
    assert_int_equal(world.edge.lost, 1);
    assert_int_equal(world.edge.found, 2);
    assert_string_equal(buf_text(&world.relay.heard), "SUB:chat::0 SUB:chat:" EPOCH ":6 ");
}

static void namespaces_are_those_of_the_relay(void **state)
{
    (void)state;
    assert_null(namespaces_find(uplink_namespaces(world.edge.uplink), SPAN("chat")));
    start_relay();
    run(SECOND);
    const channel_options_t *options = namespaces_find(uplink_namespaces(world.edge.uplink), SPAN("chat"));
    assert_non_null(options);
    assert_int_equal(options->history_size, 7);
    assert_null(namespaces_find(uplink_namespaces(world.edge.uplink), SPAN("other:chat")));
}

static void namespaces_that_nobody_can_read_leave_the_old_ones(void **state)
{
    (void)state;
    stop_relay();
    start_relay();
    const uint8_t bad[] = {0x91, 0x91, 0xa1, 'x'};
    node_set_namespaces(world.relay.node, span_new(bad, sizeof bad));
    run(2 * SECOND);
    assert_int_equal(world.edge.found, 2);
    assert_non_null(namespaces_find(uplink_namespaces(world.edge.uplink), SPAN("chat")));
}

static void what_a_relay_should_not_say_is_passed_over(void **state)
{
    (void)state;
    say((envelope_t){.kind = KIND_SUB, .sub = {SPAN("chat"), SPAN(""), 0, 0, 0}});
    say((envelope_t){.kind = KIND_PUB_OK, .pub_ok = {1, SPAN("12345678"), 1}}); /* no epoch */
    say((envelope_t){.kind = KIND_ANSWER, .answer = {99, 0, {0}}});
    static outcome_t outcome;
    assert_int_equal(publish("a", &outcome), OK);
    run(10 * MS);
    say((envelope_t){.kind = KIND_PUB_OK, .pub_ok = {1, SPAN("1234"), 1}});
    run(10 * MS);
    assert_int_equal(outcome.calls, 0);
    confirm(1, 1);
    run(10 * MS);
    assert_int_equal(outcome.calls, 1);
    assert_int_equal(world.edge.lost, 0);
}

/* --- questions --- */

static void a_question_gets_the_answer_with_its_number(void **state)
{
    (void)state;
    static outcome_t first;
    static outcome_t second;
    assert_int_equal(ask(&first), OK);
    assert_int_equal(ask(&second), OK);
    run(10 * MS);
    const uint8_t list[] = {0x91, 0xa2, 'm', 'e'};
    say((envelope_t){.kind = KIND_ANSWER, .answer = {world.relay.last_ask, 0, span_new(list, sizeof list)}});
    run(10 * MS);
    assert_int_equal(first.calls, 0);
    assert_int_equal(second.calls, 1);
    assert_string_equal(second.items, "me");
    say((envelope_t){.kind = KIND_ANSWER, .answer = {world.relay.last_ask - 1, (uint64_t)-ERR_FULL, {0}}});
    run(10 * MS);
    assert_int_equal(first.calls, 1);
    assert_int_equal(first.err, ERR_UNAVAILABLE);
}

static void a_question_without_an_answer_times_out(void **state)
{
    (void)state;
    static outcome_t outcome;
    assert_int_equal(ask(&outcome), OK);
    run(UPLINK_ASK_TIMEOUT_US - MS);
    assert_int_equal(outcome.calls, 0);
    run(SECOND);
    assert_int_equal(outcome.calls, 1);
    assert_int_equal(outcome.err, ERR_TIMEOUT);
}

static void a_question_without_a_relay_is_refused_at_once(void **state)
{
    (void)state;
    static outcome_t outcome;
    assert_int_equal(ask(&outcome), ERR_UNAVAILABLE);
    assert_int_equal(outcome.calls, 0);
}

static void a_question_whose_link_goes_is_answered_at_once(void **state)
{
    (void)state;
    outcome_t first = {0}, second = {0};
    assert_int_equal(ask(&first), OK);
    assert_int_equal(ask(&second), OK);
    run(10 * MS);
    link_reset(node_find_link(world.edge.node, node_id(world.relay.node)), ERR_CLOSED, world.fabric.now_us);
    assert_int_equal(first.calls, 1);
    assert_int_equal(first.err, ERR_UNAVAILABLE);
    assert_int_equal(second.calls, 1);
    run(2 * UPLINK_ASK_TIMEOUT_US);
    assert_int_equal(first.calls, 1);
    assert_int_equal(second.calls, 1);
}

static outcome_t withdrawn;

static void withdraw_the_other(void *user, int err, span_t items)
{
    answered(user, err, items);
    uplink_withdraw(world.edge.uplink, &withdrawn);
}

static void who_hears_of_a_lost_link_may_take_back_other_questions(void **state)
{
    (void)state;
    envelope_ask_t question = {.question = QUESTION_PRESENCE, .channel = SPAN("chat")};
    outcome_t first = {0};
    withdrawn = (outcome_t){0};
    assert_int_equal(uplink_ask(world.edge.uplink, question, withdraw_the_other, &first, world.fabric.now_us),
                     OK);
    assert_int_equal(ask(&withdrawn), OK);
    link_reset(node_find_link(world.edge.node, node_id(world.relay.node)), ERR_CLOSED, world.fabric.now_us);
    assert_int_equal(first.calls, 1);
    run(2 * UPLINK_ASK_TIMEOUT_US);
    assert_int_equal(withdrawn.calls, 0);
}

static void a_question_taken_back_is_not_answered(void **state)
{
    (void)state;
    outcome_t gone = {0}, other = {0};
    assert_int_equal(ask(&other), OK);
    assert_int_equal(ask(&gone), OK);
    uplink_withdraw(world.edge.uplink, &gone);
    run(10 * MS);
    const uint8_t list[] = {0x91, 0xa2, 'm', 'e'};
    for (uint64_t id = world.relay.last_ask; id + 1 >= world.relay.last_ask; id--)
        say((envelope_t){.kind = KIND_ANSWER, .answer = {id, 0, span_new(list, sizeof list)}});
    run(2 * UPLINK_ASK_TIMEOUT_US);
    assert_int_equal(gone.calls, 0);
    assert_int_equal(other.calls, 1);
    assert_int_equal(other.err, OK);
}

#define TEST(name)   cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define LINKED(name) cmocka_unit_test_setup_teardown(name, set_up_linked, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LINKED(a_publication_is_confirmed_with_its_position),
        LINKED(an_answer_counts_once),
        LINKED(a_refusal_says_why),
        TEST(publications_wait_while_no_relay_is_there),
        TEST(publications_time_out_in_order_when_nobody_answers),
        LINKED(unanswered_publications_are_sent_again_to_a_restarted_relay_in_order),
        LINKED(after_a_reset_what_is_new_waits_behind_what_is_sent_again),
        LINKED(too_many_unanswered_publications_are_refused_until_there_is_room),
        LINKED(too_many_unanswered_bytes_are_refused_as_well),
        LINKED(what_does_not_fit_into_the_window_goes_later_and_in_order),
        LINKED(a_small_publication_does_not_overtake_a_large_one_that_waits),
        LINKED(a_publisher_that_is_gone_is_not_called),
        LINKED(what_is_pending_at_the_end_is_told),
        LINKED(a_publisher_may_publish_from_its_answer),
        TEST(a_subscription_needs_a_relay_and_goes_out_when_one_is_found),
        LINKED(after_a_loss_the_subscriber_is_told_and_asks_from_its_position),
        TEST(namespaces_are_those_of_the_relay),
        LINKED(namespaces_that_nobody_can_read_leave_the_old_ones),
        LINKED(what_a_relay_should_not_say_is_passed_over),
        LINKED(a_question_gets_the_answer_with_its_number),
        LINKED(a_question_without_an_answer_times_out),
        TEST(a_question_without_a_relay_is_refused_at_once),
        LINKED(a_question_whose_link_goes_is_answered_at_once),
        LINKED(who_hears_of_a_lost_link_may_take_back_other_questions),
        LINKED(a_question_taken_back_is_not_answered),
    };
    return cmocka_run_group_tests_name("fabric/uplink", tests, NULL, NULL);
}
