/* edge/dialect_raw - plain WebSocket frames: a payload as it was sent, nothing around it.
 *
 * There is no way to say anything else, so what goes wrong is said by a close code: 3507 for what is not
 * permitted, 3010 for messages that were missed, 3000 and others for the rest.
 */
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "edge/close_code.h"
#include "edge/dialect.h"
#include "edge/raw_request.h"
#include "edge/worker.h"
#include "protocol/json.h"
#include "protocol/recall.h"

/* A client's message that came while the uplink was full. */
typedef struct held_message {
    list_node_t node;
    bool binary;
    size_t size;
    uint8_t payload[];
} held_message_t;

/* session->state */
typedef struct raw_client {
    char *names; /* owned; the channels, each with a NUL behind it; the first is the one to publish to */
    size_t names_size;
    list_t held;          /* of held_message_t, owned: no more than was read before reading was held back */
    uint32_t unconfirmed; /* publications whose `published` is still to be called */
    bool listens, publishes, echoes, tells_positions;
    position_t since; /* where it wants to go on from; not known = from now on */
} raw_client_t;

static void close_with(edge_session_t *session, edge_close_code_t code)
{
    edge_session_close(session, (uint16_t)code, edge_close_reason(code), true);
}

static void close_for(edge_session_t *session, int err)
{
    close_with(session, err == ERR_DENIED ? EDGE_CLOSE_NOT_PERMITTED : EDGE_CLOSE_CONNECTION);
}

/* --- the handshake --- */

static int authenticate(const edge_worker_t *worker, const raw_request_t *request, edge_identity_t *identity,
                        const char **why)
{
    switch (edge_auth_connect(worker->auth, request->token, clock_wall_us(), identity)) {
    case OK: return 101;
    case ERR_DENIED: *why = "a token is needed"; return 401;
    case ERR_EXPIRED: *why = "the token has expired"; return 401;
    default: *why = "the token is not valid"; return 401;
    }
}

/* A client that only publishes is told now what it would be told at its first message. */
static int authorize_channel(const edge_worker_t *worker, const raw_request_t *request, span_t channel,
                             const edge_identity_t *identity, const char **why)
{
    const channel_options_t *options = namespaces_find(uplink_namespaces(worker->uplink), channel);
    if (!options) {
        *why = "unknown namespace";
        return 404;
    }
    span_t user = span_str(identity->user);
    edge_subscribe_request_t wanted = {.channel = channel, .user = user};
    edge_subscribe_grant_t grant; /* nothing, as no subscription token is given */
    int err = request->listens ? edge_auth_subscribe(worker->auth, options, &wanted, clock_wall_us(), &grant)
                               : edge_auth_publish(options, user, false);
    if (err == OK)
        return 101;
    *why = request->listens ? "may not subscribe to this channel" : "may not publish to this channel";
    return 403;
}

static int authorize(const edge_worker_t *worker, const raw_request_t *request, edge_identity_t *identity,
                     const char **why)
{
    if (uplink_namespaces(worker->uplink)->count == 0) {
        *why = "no relay has been reached yet";
        return 503;
    }
    int status = authenticate(worker, request, identity, why);
    span_t rest = buf_span(&request->names);
    while (status == 101 && rest.size)
        status = authorize_channel(worker, request, raw_request_next_name(&rest), identity, why);
    return status;
}

static raw_client_t *client_new(const raw_request_t *request)
{
    raw_client_t *self = mem_new(sizeof *self);
    self->names = mem_dup_n((const char *)request->names.data, request->names.size);
    self->names_size = request->names.size;
    list_init(&self->held);
    self->listens = request->listens;
    self->publishes = request->publishes;
    self->echoes = request->echoes;
    self->tells_positions = request->tells_positions;
    self->since = request->since;
    return self;
}

static int admit(edge_worker_t *worker, const http_head_t *head, edge_session_t **session,
                 const char **subprotocol, const char **why)
{
    raw_request_t request;
    edge_identity_t identity = {0};
    int status = raw_request_read(&request, head, worker->config->limits.channels_per_client, why);
    if (status == 101)
        status = authorize(worker, &request, &identity, why);
    if (status == 101) {
        *session = edge_session_new(worker, &edge_dialect_raw, &identity);
        (*session)->state = client_new(&request);
        *subprotocol = NULL;
    }
    edge_identity_fini(&identity);
    raw_request_fini(&request);
    return status;
}

/* --- subscriptions --- */

/* {"channel":"c","position":"abcdEFGH:7","recovered":true}: offsets are dense, so a client that counts frames from here
 * on knows the position of each. */
static void tell_position(const edge_subscription_t *subscription, const edge_recovery_t *recovery)
{
    bool recovered = recovery && recovery->recovered;
    char position[POSITION_TEXT_SIZE];
    buf_t text = {0};
    buf_append_span(&text, SPAN("{\"channel\":"));
    json_append_string(&text, edge_channel_name(subscription->channel));
    buf_printf(
        &text, ",\"position\":\"%s\"",
        position_print(recovered ? recovery->since : edge_channel_position(subscription->channel), position));
    if (recovery)
        buf_printf(&text, ",\"recovered\":%s", recovered ? "true" : "false");
    buf_append_byte(&text, '}');
    edge_session_send_text(subscription->session, buf_span(&text));
    buf_fini(&text);
}

static edge_frame_t *frame(const envelope_msg_t *message)
{
    return edge_frame_new(message->flags & MESSAGE_BINARY ? WEBSOCKET_BINARY : WEBSOCKET_TEXT,
                          message->payload);
}

/* What it published itself since it came is among them. */
static void send_missed(const edge_subscription_t *subscription, span_t messages)
{
    edge_session_t *session = subscription->session;
    char id[EDGE_CLIENT_ID_SIZE + 1];
    span_t own = span_str(edge_session_id(session, id));
    for (envelope_msg_t message; recall_next(&messages, &message);) {
        if (subscription->skips_own && span_eq(message.client, own))
            continue;
        edge_frame_t *made = frame(&message);
        edge_session_send(session, made);
        edge_frame_unref(&made);
    }
}

/* It is on. A client that can't be told in words that it has missed something is told by the close. */
static void begin(edge_subscription_t *subscription, const edge_recovery_t *recovery)
{
    edge_session_t *session = subscription->session;
    const raw_client_t *client = session->state;
    if (client->tells_positions)
        tell_position(subscription, recovery);
    if (recovery && recovery->recovered)
        send_missed(subscription, recovery->messages);
    else if (recovery && !client->tells_positions)
        close_with(session, EDGE_CLOSE_INSUFFICIENT);
}

static void subscribe(edge_session_t *session, const raw_client_t *client, span_t channel)
{
    edge_hub_t *hub = session->worker->hub;
    edge_subscription_t *subscription;
    const position_t *since = position_known(client->since) ? &client->since : NULL;
    int err = edge_hub_subscribe(hub, session, channel, NULL, since, &subscription);
    if (err != OK && err != ERR_AGAIN) {
        close_for(session, err);
        return;
    }
    subscription->skips_own = !client->echoes;
    if (err == OK)
        begin(subscription, NULL);
}

/* Keeps of the names what is needed from now on, the first. */
static void forget_names(raw_client_t *client)
{
    client->names_size = strlen(client->names) + 1;
    client->names = mem_grow(client->names, client->names_size, 1);
}

static void opened(edge_session_t *session)
{
    raw_client_t *client = session->state;
    edge_session_activate(session);
    session->counts_messages = client->tells_positions;
    span_t rest = span_new(client->names, client->names_size);
    while (client->listens && rest.size)
        subscribe(session, client, raw_request_next_name(&rest));
    forget_names(client);
}

static void subscribed(edge_subscription_t *subscription, int err, const edge_recovery_t *recovery)
{
    if (err)
        close_for(subscription->session, err);
    else
        begin(subscription, recovery);
}

static void lost(edge_subscription_t *subscription)
{
    close_with(subscription->session, EDGE_CLOSE_INSUFFICIENT);
}

static void unsubscribed(edge_session_t *session, span_t channel, uint32_t code, const char *reason)
{
    (void)channel;
    (void)code;
    (void)reason;
    close_with(session, EDGE_CLOSE_FORCE);
}

/* --- publications --- */

/* Whoever sent it believes that it was published: if it was not, or nobody knows, the connection ends. */
static void published(void *user, int err, position_t position)
{
    (void)position;
    edge_session_t *session = user;
    raw_client_t *client = session->state;
    client->unconfirmed--;
    if (err == OK)
        return;
    stats_add(&session->worker->stats.publish_errors, 1);
    close_for(session, err);
}

static unsigned flags_of(bool binary, span_t payload)
{
    json_value_t value;
    if (binary)
        return MESSAGE_BINARY;
    return json_parse(payload, &value) == OK ? MESSAGE_JSON : 0;
}

/* OK; ERR_FULL: not now; ERR_DENIED, ERR_NOT_FOUND (no such namespace any more) and others: never. */
static int publish(edge_session_t *session, bool binary, span_t payload)
{
    raw_client_t *client = session->state;
    edge_worker_t *worker = session->worker;
    span_t channel = span_str(client->names), user = edge_session_user(session);
    const channel_options_t *options = namespaces_find(uplink_namespaces(worker->uplink), channel);
    if (!options)
        return ERR_NOT_FOUND;
    /* It listens to this channel from its first moment to its last. */
    if (edge_auth_publish(options, user, client->listens) != OK)
        return ERR_DENIED;
    char id[EDGE_CLIENT_ID_SIZE + 1];
    publication_t publication = {.channel = channel,
                                 .flags = flags_of(binary, payload),
                                 .client = span_str(edge_session_id(session, id)),
                                 .user = user,
                                 .info = edge_session_info(session),
                                 .payload = payload};
    int err = uplink_publish(worker->uplink, &publication, published, session, worker->now_us);
    if (err == OK) {
        client->unconfirmed++;
        stats_add(&worker->stats.publications, 1);
    }
    return err;
}

/* Keeps the message until there is room, and reads no more until then. */
static void hold(edge_session_t *session, bool binary, span_t payload)
{
    raw_client_t *client = session->state;
    held_message_t *held = mem_try(sizeof *held + payload.size);
    if (!held) {
        stats_add(&session->worker->stats.publish_errors, 1);
        close_with(session, EDGE_CLOSE_INTERNAL);
        return;
    }
    *held = (held_message_t){.binary = binary, .size = payload.size};
    if (payload.size)
        memcpy(held->payload, payload.data, payload.size);
    list_append(&client->held, &held->node);
    edge_session_pause(session);
}

static void message(edge_session_t *session, bool binary, span_t payload)
{
    raw_client_t *client = session->state;
    if (!client->publishes) {
        close_with(session, EDGE_CLOSE_NOT_PERMITTED);
        return;
    }
    int err = list_empty(&client->held) ? publish(session, binary, payload) : ERR_FULL;
    if (err == ERR_FULL) {
        hold(session, binary, payload);
    } else if (err) {
        stats_add(&session->worker->stats.publish_errors, 1);
        close_for(session, err);
    }
}

static void resumed(edge_session_t *session)
{
    raw_client_t *client = session->state;
    while (!list_empty(&client->held)) {
        held_message_t *held = LIST_ITEM(client->held.head.next, held_message_t, node);
        int err = publish(session, held->binary, span_new(held->payload, held->size));
        if (err == ERR_FULL) {
            edge_session_pause(session);
            return;
        }
        if (err) { /* the rest is counted when the session goes */
            close_for(session, err);
            return;
        }
        list_remove(&held->node);
        mem_free(held);
    }
}

/* --- life --- */

static void ping(edge_session_t *session)
{
    edge_session_send_frame(session, WEBSOCKET_PING, (span_t){0});
}

static void closed(edge_session_t *session)
{
    raw_client_t *client = session->state;
    if (!client)
        return;
    session->state = NULL;
    if (client->unconfirmed)
        uplink_forget(session->worker->uplink, session);
    for (list_node_t *node; (node = list_pop(&client->held)) != NULL;) {
        stats_add(&session->worker->stats.publish_errors, 1);
        mem_free(LIST_ITEM(node, held_message_t, node));
    }
    mem_free(client->names);
    mem_free(client);
}

const edge_dialect_t edge_dialect_raw = {
    .name = "raw",
    .index = 0,
    .outlives_losses = true,
    .admit = admit,
    .opened = opened,
    .message = message,
    .frame = frame,
    .subscribed = subscribed,
    .lost = lost,
    .unsubscribed = unsubscribed,
    .resumed = resumed,
    .ping = ping,
    .closed = closed,
};
