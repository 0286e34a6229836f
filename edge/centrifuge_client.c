#include "edge/centrifuge_client.h"

#include "base/mem.h"
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
    buf_fini(&client->held);
    mem_free(client);
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
void centrifuge_client_subscribed(edge_session_t *session, const edge_subscription_t *subscription,
                                  const edge_recovery_t *recovery)
{
    span_t channel = edge_channel_name(subscription->channel);
    centrifuge_subscribed_t subscribed = {.recoverable = has_history(session, channel),
                                          .position = edge_channel_position(subscription->channel),
                                          .wanted = recovery != NULL};
    if (recovery && recovery->recovered) {
        subscribed.recovered = true;
        subscribed.position = recovery->since;
        subscribed.messages = recovery->messages;
    }
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
