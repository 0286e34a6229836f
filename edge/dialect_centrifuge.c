/* The Centrifuge client protocol, version 2, as JSON over WebSocket: GET /connection/websocket.
 *
 * Commands are done in the order in which they came; publications, subscriptions and presence are answered
 * when the relay has answered. What can't be done yet (the uplink is full, too much is unanswered, or it is about
 * a channel whose subscription is) is held with all that came behind it, and the client is not read from
 * meanwhile.
 */
#include "base/err.h"
#include "edge/centrifuge_action.h"
#include "edge/centrifuge_subs.h"
#include "edge/dialect.h"
#include "edge/worker.h"

/* --- frames --- */

static void do_lines(edge_session_t *session, centrifuge_reader_t *reader)
{
    centrifuge_client_t *client = session->state;
    centrifuge_command_t command;
    int err = OK;
    while (!err && client->phase != CENTRIFUGE_REFUSED && edge_session_is_open(session)) {
        err = centrifuge_read(reader, &command);
        if (err == ERR_NOT_FOUND)
            return;
        if (err)
            centrifuge_client_close(session, EDGE_CLOSE_BAD_REQUEST);
        else if ((err = centrifuge_act(session, &command)) != OK)
            centrifuge_client_hold(session, reader->here);
    }
}

/* One frame, or what was held of several. */
static void do_frame(edge_session_t *session, span_t frame)
{
    centrifuge_client_t *client = session->state;
    buf_t replies = {0};
    centrifuge_reader_t reader;
    centrifuge_reader_init(&reader, frame);
    client->replies = &replies;
    do_lines(session, &reader);
    centrifuge_client_flush(session);
    client->replies = NULL;
    centrifuge_reader_fini(&reader);
    buf_fini(&replies);
}

/* Text or binary: what counts is whether it is JSON. */
static void message(edge_session_t *session, bool binary, span_t payload)
{
    (void)binary;
    centrifuge_client_t *client = session->state;
    if (client->phase == CENTRIFUGE_REFUSED || payload.size == 0)
        centrifuge_client_close(session, EDGE_CLOSE_BAD_REQUEST);
    else if (client->held.size > 0)
        centrifuge_client_hold(session, payload);
    else
        do_frame(session, payload);
}

static void resumed(edge_session_t *session)
{
    centrifuge_client_t *client = session->state;
    buf_t held = client->held;
    client->held = (buf_t){0};
    if (held.size > 0)
        do_frame(session, buf_span(&held));
    buf_fini(&held);
}

/* --- life --- */

#define PATH        "/connection/websocket"
#define SUBPROTOCOL "centrifuge-json"

static bool wants_protobuf(span_t query)
{
    static const char *const names[] = {"format", "cf_protocol"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char value[16];
        int size = http_query_value(query, names[i], 0, value, sizeof value);
        if (size > 0 && span_is(span_new(value, (size_t)size), "protobuf"))
            return true;
    }
    return false;
}

static int admit(edge_worker_t *worker, const http_head_t *head, edge_session_t **session,
                 const char **subprotocol, const char **why)
{
    if (!span_is(head->path, PATH))
        return 0;
    bool offers = http_head_get(head, "sec-websocket-protocol", NULL) > 0;
    bool offers_json = http_head_has_token(head, "sec-websocket-protocol", SUBPROTOCOL);
    if ((offers && !offers_json) || wants_protobuf(head->query)) {
        *why = "only JSON is spoken here: offer the subprotocol " SUBPROTOCOL ", or none";
        return 400;
    }
    edge_identity_t nobody_yet = {0};
    *session = edge_session_new(worker, &edge_dialect_centrifuge, &nobody_yet);
    *subprotocol = offers_json ? SUBPROTOCOL : NULL;
    return 101;
}

/* --- what the hub and the worker want said --- */

/* Room for what stands around a payload, so that most pushes are written without growing. */
#define AROUND_PAYLOAD 512u

static edge_frame_t *frame(const envelope_msg_t *message)
{
    buf_t push = {0};
    buf_reserve(&push, message->payload.size + AROUND_PAYLOAD);
    centrifuge_push_publication(&push, message);
    edge_frame_t *made = edge_frame_new(WEBSOCKET_TEXT, buf_span(&push));
    buf_fini(&push);
    return made;
}

static edge_frame_t *frame_presence(const envelope_join_t *client, bool came)
{
    buf_t push = {0};
    centrifuge_push_presence(&push, client, came);
    edge_frame_t *made = edge_frame_new(WEBSOCKET_TEXT, buf_span(&push));
    buf_fini(&push);
    return made;
}

static void subscribed(edge_subscription_t *subscription, int err, const edge_recovery_t *recovery)
{
    edge_session_t *session = subscription->session;
    if (subscription->by_server) {
        centrifuge_subs_answered(subscription, err, recovery);
        return;
    }
    if (err) {
        centrifuge_client_reply_error(session, subscription->request, centrifuge_error_of(err));
    } else if (recovery && !recovery->recovered && subscription->must_recover) {
        centrifuge_client_reply_error(session, subscription->request, CENTRIFUGE_ERROR_UNRECOVERABLE);
        edge_hub_unsubscribe(session->worker->hub, &subscription);
    } else {
        centrifuge_client_subscribed(session, subscription, recovery);
    }
    centrifuge_client_go_on_at_once(session);
}

/* There is no way to subscribe again for what a client has not subscribed: it connects again, from its positions. */
static void lost(edge_subscription_t *subscription)
{
    if (subscription->by_server) {
        centrifuge_client_close(subscription->session, EDGE_CLOSE_INSUFFICIENT);
        return;
    }
    centrifuge_client_unsubscribed(subscription->session, edge_channel_name(subscription->channel),
                                   CENTRIFUGE_UNSUBSCRIBE_INSUFFICIENT, "insufficient state");
}

/* A subscribe command that is still unanswered has its answer by this. */
static void unsubscribed(edge_session_t *session, span_t channel, uint32_t code, const char *reason)
{
    edge_hub_t *hub = session->worker->hub;
    edge_subscription_t *subscription = edge_hub_find(hub, session, channel);
    if (!subscription || !edge_subscription_waits(subscription)) {
        centrifuge_client_unsubscribed(session, channel, code, reason);
        return;
    }
    if (subscription->by_server) {
        centrifuge_subs_withdraw(&subscription);
        return;
    }
    centrifuge_client_reply_error(session, subscription->request, CENTRIFUGE_ERROR_DENIED);
    edge_hub_unsubscribe(hub, &subscription);
    centrifuge_client_go_on_at_once(session);
}

static void ping(edge_session_t *session)
{
    edge_session_send_text(session, SPAN("{}"));
}

const edge_dialect_t edge_dialect_centrifuge = {
    .name = "centrifuge",
    .index = 1,
    .outlives_losses = false,
    .grace_us = CENTRIFUGE_GRACE_US,
    .admit = admit,
    .opened = centrifuge_client_open,
    .message = message,
    .frame = frame,
    .frame_presence = frame_presence,
    .subscribed = subscribed,
    .lost = lost,
    .subscribe = centrifuge_subs_add,
    .unsubscribed = unsubscribed,
    .resumed = resumed,
    .expired = centrifuge_client_expired,
    .prolonged = centrifuge_client_prolonged,
    .ping = ping,
    .closed = centrifuge_client_destroy,
};
