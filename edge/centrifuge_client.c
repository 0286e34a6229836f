#include "edge/centrifuge_client.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "edge/centrifuge_subs.h"
#include "edge/worker.h"

/* Beyond two messages: what a socket may have delivered before the pause took hold. */
#define HELD_EXTRA (256u * 1024)

/* Answers to one frame are sent in pieces of about this size, so that they don't grow with the frame. */
#define REPLIES_SIZE (32u * 1024)

void centrifuge_client_open(edge_session_t *session)
{
    centrifuge_client_t *client = mem_new(sizeof *client);
    list_init(&client->waiting);
    session->state = client;
}

void centrifuge_client_destroy(edge_session_t *session)
{
    centrifuge_client_t *client = session->state;
    if (!client)
        return;
    session->state = NULL;
    list_node_t *node;
    while ((node = list_pop(&client->waiting)))
        LIST_ITEM(node, centrifuge_waiting_t, of_client)->session = NULL;
    centrifuge_connecting_drop(client);
    buf_fini(&client->held);
    mem_free(client);
}

position_t centrifuge_position_of(const centrifuge_position_t *said)
{
    position_t position = {.offset = said->offset};
    if (position_set_epoch(&position, said->epoch) != OK)
        return (position_t){0};
    return position;
}

/* --- what is said --- */

void centrifuge_client_flush(edge_session_t *session)
{
    centrifuge_client_t *client = session->state;
    if (!client->replies || client->replies->size == 0)
        return;
    edge_session_send_text(session, buf_span(client->replies));
    buf_clear(client->replies);
}

buf_t *centrifuge_client_begin(edge_session_t *session, buf_t *own)
{
    buf_t *replies = ((centrifuge_client_t *)session->state)->replies;
    if (!replies)
        return own;
    if (replies->size > 0)
        buf_append_byte(replies, '\n');
    return replies;
}

void centrifuge_client_end(edge_session_t *session, buf_t *own)
{
    centrifuge_client_t *client = session->state;
    if (!client->replies)
        edge_session_send_text(session, buf_span(own));
    else if (client->replies->size >= REPLIES_SIZE)
        centrifuge_client_flush(session);
    buf_fini(own);
}

void centrifuge_client_reply(edge_session_t *session, uint32_t id, centrifuge_method_t method)
{
    buf_t own = {0};
    centrifuge_reply_empty(centrifuge_client_begin(session, &own), id, method);
    centrifuge_client_end(session, &own);
}

void centrifuge_client_reply_error(edge_session_t *session, uint32_t id, centrifuge_error_t error)
{
    buf_t own = {0};
    centrifuge_reply_error(centrifuge_client_begin(session, &own), id, error);
    centrifuge_client_end(session, &own);
}

void centrifuge_client_unsubscribed(edge_session_t *session, span_t channel, uint32_t code,
                                    const char *reason)
{
    buf_t own = {0};
    centrifuge_push_unsubscribe(centrifuge_client_begin(session, &own), channel, code, reason);
    centrifuge_client_end(session, &own);
}

void centrifuge_client_close(edge_session_t *session, edge_close_code_t code)
{
    centrifuge_client_flush(session);
    edge_session_close(session, (uint16_t)code, edge_close_reason(code), true);
}

void centrifuge_client_refreshed(edge_session_t *session, const centrifuge_command_t *command,
                                 uint64_t expires_us)
{
    buf_t own = {0};
    centrifuge_reply_refresh(centrifuge_client_begin(session, &own), command->id, command->method,
                             centrifuge_ttl_s(expires_us));
    centrifuge_client_end(session, &own);
}

/* --- tokens that end --- */

static uint64_t expiry_us(const edge_subscription_t *subscription)
{
    return (uint64_t)subscription->expires_s * CLOCK_SEC;
}

uint64_t centrifuge_ttl_s(uint64_t expires_us)
{
    if (expires_us == 0)
        return 0;
    uint64_t wall_us = clock_wall_us();
    uint64_t left_us = expires_us > wall_us ? expires_us - wall_us : 1;
    uint64_t left_s = left_us / CLOCK_SEC + (left_us % CLOCK_SEC > 0);
    return left_s < UINT32_MAX ? left_s : UINT32_MAX;
}

/* A token's end is in whole seconds; past 2106 it is as good as that. */
void centrifuge_subscription_expires(edge_subscription_t *subscription, uint64_t expires_us)
{
    uint64_t expires_s = expires_us / CLOCK_SEC;
    subscription->expires_s = expires_s < UINT32_MAX ? (uint32_t)expires_s : UINT32_MAX;
    if (expires_us)
        edge_session_expire_by(subscription->session, expiry_us(subscription) + CENTRIFUGE_GRACE_US);
}

void centrifuge_subscription_end(edge_subscription_t **subscription_p)
{
    edge_subscription_t *subscription = *subscription_p;
    edge_session_t *session = subscription->session;
    if (subscription->by_server)
        centrifuge_client_close(session, EDGE_CLOSE_SUBSCRIPTION_EXPIRED);
    else if (edge_subscription_waits(subscription))
        centrifuge_client_reply_error(session, subscription->request, CENTRIFUGE_ERROR_TOKEN_EXPIRED);
    else
        centrifuge_client_unsubscribed(session, edge_channel_name(subscription->channel),
                                       CENTRIFUGE_UNSUBSCRIBE_EXPIRED, "subscription expired");
    edge_hub_unsubscribe(session->worker->hub, subscription_p);
}

void centrifuge_client_prolonged(edge_session_t *session)
{
    const centrifuge_client_t *client = session->state;
    if (client->phase != CENTRIFUGE_CONNECTED)
        return;
    buf_t own = {0};
    centrifuge_push_refresh(centrifuge_client_begin(session, &own),
                            centrifuge_ttl_s(session->identity.expires_us));
    centrifuge_client_end(session, &own);
}

/* NULL if none does. */
static edge_subscription_t *first_to_expire(const edge_session_t *session)
{
    edge_subscription_t *first = NULL;
    LIST_EACH (node, &session->subscriptions) {
        edge_subscription_t *subscription = LIST_ITEM(node, edge_subscription_t, of_session);
        if (subscription->expires_s && (!first || subscription->expires_s < first->expires_s))
            first = subscription;
    }
    return first;
}

void centrifuge_client_expired(edge_session_t *session, uint64_t wall_us)
{
    edge_subscription_t *first;
    while ((first = first_to_expire(session)) && expiry_us(first) + CENTRIFUGE_GRACE_US <= wall_us)
        centrifuge_subscription_end(&first);
    if (first)
        edge_session_expire_by(session, expiry_us(first) + CENTRIFUGE_GRACE_US);
    centrifuge_client_go_on_at_once(session); /* what was held for one that has gone */
}

/* --- commands that wait for the relays --- */

centrifuge_waiting_t *centrifuge_waiting_begin(edge_session_t *session, const centrifuge_command_t *command)
{
    centrifuge_client_t *client = session->state;
    centrifuge_waiting_t *waiting = mem_new(sizeof *waiting);
    waiting->session = session;
    waiting->id = command->id;
    waiting->method = command->method;
    list_append(&client->waiting, &waiting->of_client);
    client->waiting_count++;
    return waiting;
}

edge_session_t *centrifuge_waiting_end(centrifuge_waiting_t **self_p)
{
    edge_session_t *session = (*self_p)->session;
    if (session) {
        list_remove(&(*self_p)->of_client);
        ((centrifuge_client_t *)session->state)->waiting_count--;
    }
    mem_free(*self_p);
    *self_p = NULL;
    return session && edge_session_is_open(session) ? session : NULL;
}

/* --- subscriptions --- */

static bool has_history(const edge_session_t *session, span_t channel)
{
    const channel_options_t *options = namespaces_find(uplink_namespaces(session->worker->uplink), channel);
    return options && options->history_size > 0 && options->history_ttl_us > 0;
}

/* A client that goes on is told the position that it gave, and moves on by the publications. */
centrifuge_subscribed_t centrifuge_describe(const edge_subscription_t *subscription,
                                            const edge_recovery_t *recovery)
{
    span_t channel = edge_channel_name(subscription->channel);
    centrifuge_subscribed_t subscribed = {.recoverable = has_history(subscription->session, channel),
                                          .position = edge_channel_position(subscription->channel),
                                          .wanted = recovery != NULL,
                                          .ttl_s = centrifuge_ttl_s(expiry_us(subscription)),
                                          .data = span_str(subscription->data)};
    if (recovery && recovery->recovered) {
        subscribed.recovered = true;
        subscribed.position = recovery->since;
        subscribed.messages = recovery->messages;
    }
    return subscribed;
}

void centrifuge_client_subscribed(edge_session_t *session, const edge_subscription_t *subscription,
                                  const edge_recovery_t *recovery)
{
    centrifuge_subscribed_t subscribed = centrifuge_describe(subscription, recovery);
    buf_t own = {0};
    centrifuge_reply_subscribe(centrifuge_client_begin(session, &own), subscription->request, &subscribed);
    centrifuge_client_end(session, &own);
}

/* --- commands that are held --- */

void centrifuge_client_hold(edge_session_t *session, span_t lines)
{
    centrifuge_client_t *client = session->state;
    if (client->held.size + lines.size > 2 * session->worker->config->limits.message + HELD_EXTRA) {
        centrifuge_client_close(session, EDGE_CLOSE_TOO_MANY);
        return;
    }
    buf_append_span(&client->held, lines);
    if (lines.data[lines.size - 1] != '\n')
        buf_append_byte(&client->held, '\n');
    edge_session_pause(session);
}

void centrifuge_client_go_on_at_once(edge_session_t *session)
{
    centrifuge_client_t *client = session->state;
    if (client->held.size > 0)
        edge_session_resume(session);
}

void centrifuge_client_go_on(edge_session_t *session)
{
    centrifuge_client_t *client = session->state;
    if (client->waiting_count == CENTRIFUGE_WAITING_LOW)
        centrifuge_client_go_on_at_once(session);
}
