#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "edge/dialect.h"
#include "edge/hub.h"
#include "fake_uplink.h"
#include "fake_worker.h"

#define EPOCH "abcdEFGH"
#define OTHER "ZYXWvuts"

#define CLIENTS 4u

static link_t relay = {.peer = 7};
static link_t second_relay = {.peer = 8};
static fake_worker_t *worker;
static uplink_t *uplink;
static edge_hub_t *hub;
static edge_session_t *clients[CLIENTS];
static edge_conn_t conns[CLIENTS];

/* What the dialect heard: "1:a OK|" or "1:a lost|", by client and channel. */
static buf_t heard;
static unsigned frames_made;

/* What a client does within its callback. */
static void (*within_callback)(edge_session_t *session);

static unsigned client_number(const edge_session_t *session)
{
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (clients[i] == session)
            return i;
    }
    fail();
    return CLIENTS;
}

static void hear(const edge_subscription_t *subscription, const char *what)
{
    buf_printf(&heard, "%u:%.*s %s|", client_number(subscription->session),
               SPAN_FMT(edge_channel_name(subscription->channel)), what);
    if (within_callback)
        within_callback(subscription->session);
}

static void on_subscribed(edge_subscription_t *subscription, int err)
{
    hear(subscription, err_name(err));
}

static void on_lost(edge_subscription_t *subscription)
{
    hear(subscription, "lost");
}

static void nothing(edge_session_t *session)
{
    (void)session;
}

static edge_frame_t *frame_of_any(const envelope_msg_t *message)
{
    frames_made++;
    return edge_frame_new(WEBSOCKET_TEXT, message->payload);
}

static edge_frame_t *frame_of_text(const envelope_msg_t *message)
{
    return message->flags & MESSAGE_BINARY ? NULL : frame_of_any(message);
}

static const edge_dialect_t any = {.name = "any",
                                   .index = 0,
                                   .opened = edge_session_activate,
                                   .frame = frame_of_any,
                                   .subscribed = on_subscribed,
                                   .lost = on_lost,
                                   .ping = nothing,
                                   .closed = nothing};
static const edge_dialect_t text_only = {.name = "text",
                                         .index = 1,
                                         .opened = edge_session_activate,
                                         .frame = frame_of_text,
                                         .subscribed = on_subscribed,
                                         .lost = on_lost,
                                         .ping = nothing,
                                         .closed = nothing};

static int set_up(void **state)
{
    (void)state;
    worker = fake_worker_new();
    uplink = fake_uplink_new(&relay);
    hub = edge_hub_new(&worker->worker, uplink);
    worker->worker.hub = hub;
    worker->worker.uplink = uplink;
    channel_options_t plain = {0}, present = {.presence = true};
    assert_int_equal(namespaces_add(&uplink->namespaces, SPAN("default"), &plain), OK);
    assert_int_equal(namespaces_add(&uplink->namespaces, SPAN("here"), &present), OK);
    for (unsigned i = 0; i < CLIENTS; i++) {
        edge_identity_t identity = {.user = mem_dup("u"), .info = mem_dup("{}")};
        const edge_dialect_t *dialect = i < 2 ? &any : &text_only;
        clients[i] = edge_session_new(&worker->worker, dialect, &identity);
        fake_client_of(worker, clients[i], &conns[i]);
    }
    frames_made = 0;
    within_callback = NULL;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CLIENTS; i++)
        fake_client_gone(clients[i], &conns[i]);
    assert_int_equal(edge_hub_subscriptions(hub), 0);
    edge_hub_destroy(&hub);
    fake_uplink_destroy(uplink);
    fake_worker_destroy(worker);
    buf_fini(&heard);
    return 0;
}

/* --- in short --- */

static int subscribe(unsigned client, const char *channel)
{
    edge_subscription_t *subscription;
    return edge_hub_subscribe(hub, clients[client], span_str(channel), NULL, &subscription);
}

static void unsubscribe(unsigned client, const char *channel)
{
    edge_subscription_t *subscription = edge_hub_find(hub, clients[client], span_str(channel));
    assert_non_null(subscription);
    edge_hub_unsubscribe(hub, &subscription);
    assert_null(subscription);
}

static bool is_subscribed(unsigned client, const char *channel)
{
    return edge_hub_find(hub, clients[client], span_str(channel)) != NULL;
}

static void turn(void)
{
    edge_hub_turn(hub, worker->worker.now_us);
}

static void sub_ok(const char *channel, const char *epoch, uint64_t since, bool recovered)
{
    envelope_sub_ok_t answer = {.channel = span_str(channel),
                                .epoch = span_str(epoch),
                                .offset = since,
                                .since = since,
                                .recovered = recovered};
    edge_hub_subscribed(hub, &answer);
}

static void sub_no(const char *channel, int err)
{
    envelope_sub_no_t answer = {.channel = span_str(channel), .code = (uint64_t)-err};
    edge_hub_not_subscribed(hub, &answer);
}

static void message(const char *channel, const char *epoch, uint64_t offset, const char *payload)
{
    envelope_msg_t msg = {.channel = span_str(channel),
                          .epoch = span_str(epoch),
                          .offset = offset,
                          .payload = span_str(payload)};
    edge_hub_message(hub, &msg);
}

static void assert_heard(const char *text)
{
    assert_string_equal(buf_text(&heard), text);
    buf_clear(&heard);
}

/* The client got these texts since the last call, joined by commas. */
static void assert_got(unsigned client, const char *texts)
{
    buf_t got = {0};
    fake_worker_flush(worker);
    span_t rest = buf_span(&conns[client].written);
    while (rest.size) {
        fake_frame_t frame = fake_next_frame(&rest);
        if (got.size)
            buf_append_byte(&got, ',');
        buf_append_span(&got, frame.opcode == WEBSOCKET_CLOSE ? SPAN("close") : frame.payload);
    }
    buf_clear(&conns[client].written);
    assert_string_equal(buf_text(&got), texts);
    buf_fini(&got);
}

/* The client is on in the channel, at the epoch's offset 5. */
static void be_on(unsigned client, const char *channel)
{
    assert_int_equal(subscribe(client, channel), ERR_AGAIN);
    turn();
    sub_ok(channel, EPOCH, 5, false);
    buf_clear(&uplink->said);
    buf_clear(&heard);
}

/* --- subscribing --- */

static void the_first_listener_subscribes_upstream_and_is_answered(void **state)
{
    (void)state;
    edge_subscription_t *subscription = NULL;
    assert_int_equal(edge_hub_subscribe(hub, clients[0], SPAN("a"), NULL, &subscription), ERR_AGAIN);
    assert_true(edge_subscription_waits(subscription));
    assert_said(uplink, "");
    turn();
    turn();
    assert_said(uplink, "SUB a |");
    assert_heard("");
    sub_ok("a", EPOCH, 5, false);
    assert_heard("0:a OK|");
    assert_false(edge_subscription_waits(subscription));
    assert_int_equal(edge_channel_position(subscription->channel).offset, 5);
    assert_int_equal(stats_get(&worker->worker.stats.subscriptions), 1);
    assert_int_equal(stats_get(&worker->worker.stats.channels), 1);
}

static void the_next_listener_is_on_at_once(void **state)
{
    (void)state;
    be_on(0, "a");
    assert_int_equal(subscribe(1, "a"), OK);
    turn();
    assert_said(uplink, "");
    assert_heard("");
    message("a", EPOCH, 6, "six");
    assert_got(0, "six");
    assert_got(1, "six");
}

static void listeners_that_wait_are_answered_together(void **state)
{
    (void)state;
    assert_int_equal(subscribe(0, "a"), ERR_AGAIN);
    turn();
    assert_int_equal(subscribe(1, "a"), ERR_AGAIN);
    turn();
    assert_said(uplink, "SUB a |");
    sub_ok("a", EPOCH, 5, false);
    assert_heard("1:a OK|0:a OK|");
}

static void a_second_subscription_to_a_channel_is_refused(void **state)
{
    (void)state;
    be_on(0, "a");
    edge_subscription_t *subscription;
    assert_int_equal(edge_hub_subscribe(hub, clients[0], SPAN("a"), mem_dup("{}"), &subscription),
                     ERR_DUPLICATE);
}

static void a_client_has_so_many_channels_and_no_more(void **state)
{
    (void)state;
    assert_int_equal(subscribe(0, "a"), ERR_AGAIN);
    assert_int_equal(subscribe(0, "b"), ERR_AGAIN);
    assert_int_equal(subscribe(0, "c"), ERR_AGAIN);
    assert_int_equal(subscribe(0, "d"), ERR_AGAIN);
    assert_int_equal(subscribe(0, "e"), ERR_FULL);
    unsubscribe(0, "b");
    assert_int_equal(subscribe(0, "e"), ERR_AGAIN);
    assert_int_equal(subscribe(1, "e"), ERR_AGAIN);
}

static void a_refusal_reaches_all_who_wait(void **state)
{
    (void)state;
    subscribe(0, "a");
    subscribe(2, "a");
    turn();
    sub_no("a", ERR_DENIED);
    assert_heard("2:a ERR_DENIED|0:a ERR_DENIED|");
    assert_int_equal(edge_hub_subscriptions(hub), 0);
    assert_int_equal(edge_hub_channels(hub), 0);
    turn();
    assert_said(uplink, "SUB a |");
}

static void a_relay_that_takes_a_subscription_back_loses_its_listeners(void **state)
{
    (void)state;
    be_on(0, "a");
    sub_no("a", ERR_UNAVAILABLE);
    assert_heard("0:a lost|");
    assert_int_equal(edge_hub_channels(hub), 0);
}

static void a_refusal_with_a_senseless_code_is_still_one(void **state)
{
    (void)state;
    subscribe(0, "a");
    turn();
    envelope_sub_no_t answer = {.channel = SPAN("a"), .code = UINT64_MAX};
    edge_hub_not_subscribed(hub, &answer);
    assert_heard("0:a ERR_UNAVAILABLE|");
}

static void who_waits_too_long_is_told(void **state)
{
    (void)state;
    uplink->relay = NULL;
    subscribe(0, "a");
    worker->worker.now_us += 3 * CLOCK_SEC;
    subscribe(1, "a");
    turn();
    assert_heard("");
    worker->worker.now_us += 1 * CLOCK_SEC;
    turn();
    assert_heard("0:a ERR_TIMEOUT|");
    assert_false(is_subscribed(0, "a"));
    worker->worker.now_us += 3 * CLOCK_SEC;
    turn();
    assert_heard("1:a ERR_TIMEOUT|");
    assert_int_equal(edge_hub_channels(hub), 0);
}

static void a_full_uplink_is_tried_again_next_turn(void **state)
{
    (void)state;
    uplink->room = 1;
    subscribe(0, "a");
    subscribe(0, "b");
    turn();
    turn();
    assert_said(uplink, "SUB a |");
    uplink->room = 9;
    turn();
    assert_said(uplink, "SUB b |");
}

/* --- leaving --- */

static void the_last_listener_unsubscribes_upstream(void **state)
{
    (void)state;
    be_on(0, "a");
    assert_int_equal(subscribe(1, "a"), OK);
    unsubscribe(0, "a");
    turn();
    assert_said(uplink, "");
    unsubscribe(1, "a");
    turn();
    assert_said(uplink, "UNSUB a|");
    assert_int_equal(edge_hub_channels(hub), 0);
    message("a", EPOCH, 6, "late");
    sub_ok("a", EPOCH, 6, false);
    sub_no("a", ERR_DENIED);
    assert_got(0, "");
}

static void an_unsubscription_that_does_not_fit_waits(void **state)
{
    (void)state;
    be_on(0, "a");
    uplink->room = 0;
    unsubscribe(0, "a");
    turn();
    uplink->room = 9;
    turn();
    assert_said(uplink, "UNSUB a|");
}

static void who_comes_back_within_a_turn_goes_on_without_a_word_upstream(void **state)
{
    (void)state;
    be_on(0, "a");
    unsubscribe(0, "a");
    message("a", EPOCH, 6, "six");
    assert_int_equal(subscribe(1, "a"), OK);
    turn();
    assert_said(uplink, "");
    message("a", EPOCH, 7, "seven");
    assert_got(1, "seven");
}

/* SUB, UNSUB, SUB are on their way when the first answer comes, and then what was sent before the UNSUB. */
static void an_answer_to_a_subscription_given_up_is_not_the_new_ones(void **state)
{
    (void)state;
    subscribe(0, "a");
    turn();
    unsubscribe(0, "a");
    turn();
    subscribe(0, "a");
    turn();
    assert_said(uplink, "SUB a |UNSUB a|SUB a |");
    sub_ok("a", EPOCH, 5, false);
    message("a", EPOCH, 6, "six");
    assert_heard("");
    assert_got(0, "");
    sub_ok("a", EPOCH, 9, false);
    assert_heard("0:a OK|");
    message("a", EPOCH, 10, "ten");
    assert_got(0, "ten");
}

static void a_channel_given_up_stays_until_its_answer_has_come(void **state)
{
    (void)state;
    subscribe(0, "a");
    turn();
    unsubscribe(0, "a");
    turn();
    assert_int_equal(edge_hub_channels(hub), 1);
    sub_ok("a", EPOCH, 5, false);
    assert_int_equal(edge_hub_channels(hub), 0);
}

static void a_refusal_is_an_answer_too(void **state)
{
    (void)state;
    subscribe(0, "a");
    turn();
    unsubscribe(0, "a");
    turn();
    subscribe(0, "a");
    turn();
    sub_no("a", ERR_FULL);
    assert_heard("");
    sub_ok("a", EPOCH, 5, false);
    assert_heard("0:a OK|");
}

/* What was on its way before the UNSUB arrives behind the new SUB. */
static void messages_of_a_subscription_given_up_are_dropped(void **state)
{
    (void)state;
    be_on(0, "a");
    unsubscribe(0, "a");
    turn();
    subscribe(0, "a");
    turn();
    assert_said(uplink, "UNSUB a|SUB a |");
    message("a", EPOCH, 6, "old");
    assert_got(0, "");
    sub_ok("a", EPOCH, 8, false);
    message("a", EPOCH, 9, "nine");
    assert_got(0, "nine");
}

/* The channel stays, with the position that its former listeners had, until their SUB is answered. */
static void who_comes_to_a_channel_given_up_begins_where_the_stream_is(void **state)
{
    (void)state;
    be_on(0, "a");
    edge_hub_lost(hub, &relay);
    turn();
    unsubscribe(0, "a");
    turn();
    subscribe(1, "a");
    turn();
    assert_said(uplink, "SUB a " EPOCH ":5|UNSUB a|SUB a |");
}

/* --- messages --- */

static void a_message_is_framed_once_for_each_dialect(void **state)
{
    (void)state;
    be_on(0, "a");
    for (unsigned i = 1; i < CLIENTS; i++)
        assert_int_equal(subscribe(i, "a"), OK);
    message("a", EPOCH, 6, "six");
    assert_int_equal(frames_made, 2);
    for (unsigned i = 0; i < CLIENTS; i++)
        assert_got(i, "six");
}

static void a_message_that_a_dialect_can_not_say_is_counted(void **state)
{
    (void)state;
    be_on(0, "a");
    subscribe(2, "a");
    subscribe(3, "a");
    envelope_msg_t msg = {.channel = SPAN("a"),
                          .epoch = SPAN(EPOCH),
                          .offset = 6,
                          .flags = MESSAGE_BINARY,
                          .payload = SPAN("six")};
    edge_hub_message(hub, &msg);
    assert_got(0, "six");
    assert_got(2, "");
    assert_int_equal(stats_get(&worker->worker.stats.dropped_dialect), 2);
}

static void a_duplicate_is_dropped(void **state)
{
    (void)state;
    be_on(0, "a");
    message("a", EPOCH, 6, "six");
    message("a", EPOCH, 6, "six");
    message("a", EPOCH, 3, "three");
    assert_got(0, "six");
    assert_heard("");
}

static void a_jump_is_told_and_counted_and_nothing_behind_it_passed_on(void **state)
{
    (void)state;
    be_on(0, "a");
    subscribe(1, "a");
    message("a", EPOCH, 9, "nine");
    assert_heard("1:a lost|0:a lost|");
    assert_got(0, "");
    assert_int_equal(stats_get(&worker->worker.stats.dropped_lost), 8);
    assert_false(is_subscribed(0, "a"));
    turn();
    assert_said(uplink, "UNSUB a|");
}

static void another_epoch_is_a_loss(void **state)
{
    (void)state;
    be_on(0, "a");
    message("a", OTHER, 6, "six");
    assert_heard("0:a lost|");
    assert_got(0, "");
    assert_int_equal(stats_get(&worker->worker.stats.dropped_lost), 1);
}

static void a_message_without_a_proper_epoch_is_dropped(void **state)
{
    (void)state;
    be_on(0, "a");
    message("a", "", 6, "six");
    message("a", "short", 6, "six");
    assert_heard("");
    assert_got(0, "");
    message("a", EPOCH, 6, "six");
    assert_got(0, "six");
}

static void who_does_not_want_its_own_gets_all_others(void **state)
{
    (void)state;
    be_on(0, "a");
    subscribe(1, "a");
    edge_hub_find(hub, clients[0], SPAN("a"))->skips_own = true;
    char id[EDGE_CLIENT_ID_SIZE + 1];
    envelope_msg_t msg = {.channel = SPAN("a"), .epoch = SPAN(EPOCH), .offset = 6, .payload = SPAN("x")};
    msg.client = span_str(edge_session_id(clients[0], id));
    edge_hub_message(hub, &msg);
    assert_got(0, "");
    assert_got(1, "x");
    msg.offset = 7;
    msg.client = span_str(edge_session_id(clients[1], id));
    edge_hub_message(hub, &msg);
    assert_got(0, "x");
    msg.offset = 8;
    msg.client = (span_t){0};
    edge_hub_message(hub, &msg);
    assert_got(0, "x");
}

static void a_slow_listener_does_not_stop_the_others(void **state)
{
    (void)state;
    be_on(0, "a");
    subscribe(1, "a");
    subscribe(2, "a");
    conns[1].room = 0;
    char big[600];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    message("a", EPOCH, 6, big);
    assert_got(0, big);
    assert_got(2, big);
    message("a", EPOCH, 7, big);
    message("a", EPOCH, 8, "eight");
    assert_false(edge_session_is_open(clients[1]));
    assert_true(is_subscribed(1, "a"));
    fake_worker_flush(worker);
    assert_int_equal(stats_get(&worker->worker.stats.closed_slow), 1);
    span_t rest = buf_span(&conns[2].written);
    fake_next_frame(&rest);
    assert_text_frame(&rest, "eight");
}

/* --- relays come and go --- */

static void after_a_link_loss_the_channel_resumes_from_its_position(void **state)
{
    (void)state;
    be_on(0, "a");
    message("a", EPOCH, 6, "six");
    uplink->relay = NULL;
    edge_hub_lost(hub, &relay);
    turn();
    worker->worker.now_us += 60 * CLOCK_SEC;
    turn();
    assert_said(uplink, "");
    assert_heard("");
    uplink->relay = &relay;
    edge_hub_found(hub, &relay);
    turn();
    assert_said(uplink, "SUB a " EPOCH ":6|");
    sub_ok("a", EPOCH, 6, true);
    message("a", EPOCH, 7, "seven");
    assert_heard("");
    assert_got(0, "six,seven");
}

static void what_can_not_be_recovered_is_told_to_those_who_were_on(void **state)
{
    (void)state;
    be_on(0, "a");
    edge_hub_lost(hub, &relay);
    subscribe(1, "a");
    turn();
    sub_ok("a", EPOCH, 8, false);
    assert_heard("0:a lost|1:a OK|");
    assert_int_equal(stats_get(&worker->worker.stats.dropped_lost), 3);
    message("a", EPOCH, 9, "nine");
    assert_got(0, "");
    assert_got(1, "nine");
}

static void an_owner_that_lost_its_memory_is_a_loss(void **state)
{
    (void)state;
    be_on(0, "a");
    edge_hub_lost(hub, &relay);
    turn();
    sub_ok("a", OTHER, 0, true);
    assert_heard("0:a lost|");
}

/* Offsets below ours are new messages if the owner says that it could not recover. */
static void an_owner_that_fell_behind_is_a_loss_and_its_next_messages_count(void **state)
{
    (void)state;
    be_on(0, "a");
    edge_hub_lost(hub, &relay);
    subscribe(1, "a");
    turn();
    sub_ok("a", EPOCH, 3, false);
    assert_heard("0:a lost|1:a OK|");
    message("a", EPOCH, 4, "four");
    assert_got(1, "four");
}

static void what_comes_again_after_a_recovery_is_dropped(void **state)
{
    (void)state;
    be_on(0, "a");
    edge_hub_lost(hub, &relay);
    turn();
    sub_ok("a", EPOCH, 4, true);
    message("a", EPOCH, 5, "five");
    message("a", EPOCH, 6, "six");
    assert_heard("");
    assert_got(0, "six");
}

static void an_answer_on_its_way_when_the_link_is_lost_does_not_count(void **state)
{
    (void)state;
    subscribe(0, "a");
    turn();
    edge_hub_lost(hub, &relay);
    turn();
    assert_said(uplink, "SUB a |SUB a |");
    sub_ok("a", EPOCH, 5, false);
    assert_heard("0:a OK|");
}

static void a_channel_that_waits_for_an_answer_goes_with_the_link(void **state)
{
    (void)state;
    subscribe(0, "a");
    subscribe(0, "b");
    turn();
    unsubscribe(0, "a");
    turn();
    unsubscribe(0, "b");
    assert_int_equal(edge_hub_channels(hub), 2);
    edge_hub_lost(hub, &relay);
    assert_int_equal(edge_hub_channels(hub), 0);
}

static void another_relays_loss_changes_nothing(void **state)
{
    (void)state;
    be_on(0, "a");
    edge_hub_lost(hub, &second_relay);
    turn();
    assert_said(uplink, "");
    message("a", EPOCH, 6, "six");
    assert_got(0, "six");
}

static void a_channel_moves_to_a_relay_that_is_a_better_way(void **state)
{
    (void)state;
    be_on(0, "a");
    uplink->relay = &second_relay;
    edge_hub_found(hub, &second_relay);
    turn();
    assert_said(uplink, "SUB a " EPOCH ":5|");
    sub_ok("a", EPOCH, 5, true);
    edge_hub_lost(hub, &relay);
    turn();
    assert_said(uplink, "");
    assert_heard("");
}

static void an_answer_without_a_proper_epoch_is_none(void **state)
{
    (void)state;
    subscribe(0, "a");
    turn();
    sub_ok("a", "", 5, false);
    sub_ok("a", "abcdEFG1", 5, false);
    assert_heard("");
    worker->worker.now_us += 4 * CLOCK_SEC;
    turn();
    assert_heard("0:a ERR_TIMEOUT|");
}

/* --- callbacks that do something --- */

static void subscribe_again(edge_session_t *session)
{
    within_callback = NULL;
    edge_subscription_t *subscription;
    edge_hub_subscribe(hub, session, SPAN("a"), NULL, &subscription);
}

static void drop_everything(edge_session_t *session)
{
    (void)session;
    for (unsigned i = 0; i < CLIENTS; i++)
        edge_hub_unsubscribe_all(hub, clients[i]);
}

static void close_session(edge_session_t *session)
{
    edge_session_close(session, 3000, "connection closed", true);
}

static void who_is_refused_may_ask_again_at_once(void **state)
{
    (void)state;
    subscribe(0, "a");
    turn();
    within_callback = subscribe_again;
    sub_no("a", ERR_FULL);
    turn();
    assert_said(uplink, "SUB a |SUB a |");
    sub_ok("a", EPOCH, 5, false);
    assert_heard("0:a ERR_FULL|0:a OK|");
}

static void who_lost_may_ask_again_at_once(void **state)
{
    (void)state;
    be_on(0, "a");
    subscribe(1, "a");
    within_callback = subscribe_again;
    message("a", EPOCH, 9, "nine");
    assert_heard("1:a lost|0:a lost|");
    assert_true(is_subscribed(1, "a"));
    message("a", EPOCH, 10, "ten");
    assert_got(1, "ten");
    assert_got(0, "");
}

static void all_may_go_within_an_answer(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CLIENTS; i++)
        subscribe(i, "a");
    turn();
    within_callback = drop_everything;
    sub_ok("a", EPOCH, 5, false);
    assert_heard("3:a OK|");
    assert_int_equal(edge_hub_subscriptions(hub), 0);
}

static void all_may_go_within_a_loss(void **state)
{
    (void)state;
    be_on(0, "a");
    for (unsigned i = 1; i < CLIENTS; i++)
        subscribe(i, "a");
    within_callback = drop_everything;
    message("a", OTHER, 1, "x");
    assert_heard("3:a lost|");
    assert_int_equal(edge_hub_subscriptions(hub), 0);
}

static void all_may_go_within_a_timeout(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CLIENTS; i++)
        subscribe(i, "a");
    within_callback = drop_everything;
    worker->worker.now_us += 4 * CLOCK_SEC;
    turn();
    assert_heard("0:a ERR_TIMEOUT|");
    assert_int_equal(edge_hub_channels(hub), 0);
}

static void all_may_close_within_an_answer(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CLIENTS; i++)
        subscribe(i, "a");
    turn();
    within_callback = close_session;
    sub_ok("a", EPOCH, 5, false);
    assert_int_equal(edge_hub_subscriptions(hub), CLIENTS);
    message("a", EPOCH, 6, "six");
    for (unsigned i = 0; i < CLIENTS; i++)
        assert_got(i, "close");
}

/* --- presence --- */

static void who_is_on_joins_and_who_goes_leaves(void **state)
{
    (void)state;
    edge_subscription_t *subscription;
    edge_hub_subscribe(hub, clients[0], SPAN("here:1"), mem_dup("[1]"), &subscription);
    turn();
    assert_said(uplink, "SUB here:1 |");
    sub_ok("here:1", EPOCH, 5, false);
    assert_said(uplink, "JOIN here:1 u [1]|"); /* no turn later: the client may ask who is there */
    subscribe(1, "here:1");
    assert_said(uplink, "JOIN here:1 u {}|");
    unsubscribe(0, "here:1");
    assert_said(uplink, "LEAVE here:1|");
    edge_hub_unsubscribe_all(hub, clients[1]);
    turn();
    assert_said(uplink, "LEAVE here:1|UNSUB here:1|");
}

static void a_namespace_without_presence_has_no_joins(void **state)
{
    (void)state;
    be_on(0, "a");
    turn();
    unsubscribe(0, "a");
    assert_said(uplink, "");
}

static void who_goes_before_its_join_does_not_leave(void **state)
{
    (void)state;
    subscribe(0, "here:1");
    turn();
    buf_clear(&uplink->said);
    uplink->room = 0;
    sub_ok("here:1", EPOCH, 5, false);
    unsubscribe(0, "here:1");
    uplink->room = 9;
    turn();
    assert_said(uplink, "UNSUB here:1|");
}

static void after_a_link_loss_all_join_again(void **state)
{
    (void)state;
    be_on(0, "here:1");
    turn();
    edge_hub_lost(hub, &relay);
    buf_clear(&uplink->said);
    turn();
    sub_ok("here:1", EPOCH, 5, true);
    turn();
    assert_said(uplink, "SUB here:1 " EPOCH ":5|JOIN here:1 u {}|");
}

static void who_goes_while_the_link_is_down_does_not_leave(void **state)
{
    (void)state;
    be_on(0, "here:1");
    turn();
    edge_hub_lost(hub, &relay);
    buf_clear(&uplink->said);
    unsubscribe(0, "here:1");
    turn();
    assert_said(uplink, "");
}

static void joins_and_leaves_that_do_not_fit_go_later_in_order(void **state)
{
    (void)state;
    be_on(0, "here:1");
    turn();
    buf_clear(&uplink->said);
    uplink->room = 0;
    subscribe(1, "here:1");
    unsubscribe(0, "here:1");
    subscribe(0, "here:1");
    turn();
    assert_said(uplink, "");
    uplink->room = 2;
    turn();
    assert_said(uplink, "LEAVE here:1|JOIN here:1 u {}|");
    uplink->room = 9;
    turn();
    assert_said(uplink, "JOIN here:1 u {}|");
}

static void leaves_that_are_owed_go_with_the_hub(void **state)
{
    (void)state;
    be_on(0, "here:1");
    turn();
    uplink->room = 0;
    unsubscribe(0, "here:1");
}

/* --- questions --- */

static void note_channel(void *context, span_t name, size_t listeners)
{
    buf_printf(context, "%.*s=%zu|", SPAN_FMT(name), listeners);
}

static void channels_are_listed_with_their_listeners(void **state)
{
    (void)state;
    be_on(0, "a");
    subscribe(1, "a");
    subscribe(2, "b");
    turn();
    unsubscribe(2, "b");
    turn();
    buf_t list = {0};
    edge_hub_each_channel(hub, note_channel, &list);
    assert_string_equal(buf_text(&list), "a=2|");
    buf_fini(&list);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_listener_subscribes_upstream_and_is_answered),
        TEST(the_next_listener_is_on_at_once),
        TEST(listeners_that_wait_are_answered_together),
        TEST(a_second_subscription_to_a_channel_is_refused),
        TEST(a_client_has_so_many_channels_and_no_more),
        TEST(a_refusal_reaches_all_who_wait),
        TEST(a_relay_that_takes_a_subscription_back_loses_its_listeners),
        TEST(a_refusal_with_a_senseless_code_is_still_one),
        TEST(who_waits_too_long_is_told),
        TEST(a_full_uplink_is_tried_again_next_turn),
        TEST(the_last_listener_unsubscribes_upstream),
        TEST(an_unsubscription_that_does_not_fit_waits),
        TEST(who_comes_back_within_a_turn_goes_on_without_a_word_upstream),
        TEST(an_answer_to_a_subscription_given_up_is_not_the_new_ones),
        TEST(a_channel_given_up_stays_until_its_answer_has_come),
        TEST(a_refusal_is_an_answer_too),
        TEST(messages_of_a_subscription_given_up_are_dropped),
        TEST(who_comes_to_a_channel_given_up_begins_where_the_stream_is),
        TEST(a_message_is_framed_once_for_each_dialect),
        TEST(a_message_that_a_dialect_can_not_say_is_counted),
        TEST(a_duplicate_is_dropped),
        TEST(a_jump_is_told_and_counted_and_nothing_behind_it_passed_on),
        TEST(another_epoch_is_a_loss),
        TEST(a_message_without_a_proper_epoch_is_dropped),
        TEST(who_does_not_want_its_own_gets_all_others),
        TEST(a_slow_listener_does_not_stop_the_others),
        TEST(after_a_link_loss_the_channel_resumes_from_its_position),
        TEST(what_can_not_be_recovered_is_told_to_those_who_were_on),
        TEST(an_owner_that_lost_its_memory_is_a_loss),
        TEST(an_owner_that_fell_behind_is_a_loss_and_its_next_messages_count),
        TEST(what_comes_again_after_a_recovery_is_dropped),
        TEST(an_answer_on_its_way_when_the_link_is_lost_does_not_count),
        TEST(a_channel_that_waits_for_an_answer_goes_with_the_link),
        TEST(another_relays_loss_changes_nothing),
        TEST(a_channel_moves_to_a_relay_that_is_a_better_way),
        TEST(an_answer_without_a_proper_epoch_is_none),
        TEST(who_is_refused_may_ask_again_at_once),
        TEST(who_lost_may_ask_again_at_once),
        TEST(all_may_go_within_an_answer),
        TEST(all_may_go_within_a_loss),
        TEST(all_may_go_within_a_timeout),
        TEST(all_may_close_within_an_answer),
        TEST(who_is_on_joins_and_who_goes_leaves),
        TEST(a_namespace_without_presence_has_no_joins),
        TEST(who_goes_before_its_join_does_not_leave),
        TEST(after_a_link_loss_all_join_again),
        TEST(who_goes_while_the_link_is_down_does_not_leave),
        TEST(joins_and_leaves_that_do_not_fit_go_later_in_order),
        TEST(leaves_that_are_owed_go_with_the_hub),
        TEST(channels_are_listed_with_their_listeners),
    };
    log_set_level(LOG_LEVEL_OFF); /* losses are logged, and there are many */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
