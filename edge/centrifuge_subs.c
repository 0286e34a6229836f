#include "edge/centrifuge_subs.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "edge/token_subs.h"
#include "edge/worker.h"

/* The answer to `connect`, as far as it is known. */
typedef struct centrifuge_connecting {
    uint32_t id;      /* the client's number of the command */
    unsigned waiting; /* subscriptions that are not on yet, and 1 while they are begun */
    buf_t subs;       /* owned: members of the object `subs` */
} connecting_t;

static connecting_t *connecting_of(const edge_session_t *session)
{
    return ((const centrifuge_client_t *)session->state)->connecting;
}

void centrifuge_connecting_drop(centrifuge_client_t *client)
{
    if (!client->connecting)
        return;
    buf_fini(&client->connecting->subs);
    mem_free(client->connecting);
    client->connecting = NULL;
}

/* --- the answer to `connect` --- */

static uint64_t ping_seconds(const edge_session_t *session)
{
    return (session->worker->config->ping.interval + CLOCK_SEC - 1) / CLOCK_SEC;
}

static void append_connected(const edge_session_t *session, uint32_t id, span_t subs, buf_t *out)
{
    char client[EDGE_CLIENT_ID_SIZE + 1];
    centrifuge_reply_connect(out, id, edge_session_id(session, client), ping_seconds(session),
                             centrifuge_ttl_s(session->identity.expires_us), subs);
}

static void let_in(edge_session_t *session, uint32_t id)
{
    centrifuge_client_t *client = session->state;
    client->phase = CENTRIFUGE_CONNECTED;
    edge_session_activate(session);
    buf_t own = {0};
    append_connected(session, id, (span_t){0}, centrifuge_client_begin(session, &own));
    centrifuge_client_end(session, &own);
}

/* All are on. */
static void let_in_with_subs(edge_session_t *session)
{
    centrifuge_client_t *client = session->state;
    buf_t reply = {0};
    append_connected(session, client->connecting->id, buf_span(&client->connecting->subs), &reply);
    edge_frame_t *frame = edge_frame_new(WEBSOCKET_TEXT, buf_span(&reply));
    buf_fini(&reply);
    centrifuge_connecting_drop(client);
    client->phase = CENTRIFUGE_CONNECTED;
    edge_session_uncork(session, frame);
    edge_session_activate(session);
    edge_frame_unref(&frame);
}

/* What came behind `connect` is void, as is what its channels have brought. */
static void turn_away(edge_session_t *session, unsigned verdict)
{
    centrifuge_client_t *client = session->state;
    uint32_t id = client->connecting->id;
    centrifuge_connecting_drop(client);
    client->phase = CENTRIFUGE_REFUSED;
    edge_hub_unsubscribe_all(session->worker->hub, session);
    if (verdict >= EDGE_CLOSE_CONNECTION) {
        centrifuge_client_close(session, (edge_close_code_t)verdict);
        return;
    }
    buf_t reply = {0};
    centrifuge_reply_error(&reply, id, (centrifuge_error_t)verdict);
    edge_frame_t *frame = edge_frame_new(WEBSOCKET_TEXT, buf_span(&reply));
    buf_fini(&reply);
    edge_session_uncork_alone(session, frame);
    edge_frame_unref(&frame);
}

/* One thing less to wait for. */
static void settle(edge_session_t *session)
{
    if (--connecting_of(session)->waiting == 0)
        let_in_with_subs(session);
}

/* --- making one --- */

/* 0, an error for `connect`, or a code to close with. Before a relay has told the namespaces nobody knows. */
static unsigned check_channel(const edge_session_t *session, span_t channel,
                              const channel_options_t **options)
{
    const namespaces_t *namespaces = uplink_namespaces(session->worker->uplink);
    if (namespaces->count == 0)
        return CENTRIFUGE_ERROR_INTERNAL;
    *options = channel_name_check(channel) == OK ? namespaces_find(namespaces, channel) : NULL;
    return *options ? CENTRIFUGE_ERROR_NONE : CENTRIFUGE_ERROR_UNKNOWN_CHANNEL;
}

static char *dup_raw(span_t raw)
{
    return raw.size ? mem_dup_n((const char *)raw.data, raw.size) : NULL;
}

/* ERR_AGAIN: it is answered later; or as edge_hub_subscribe. `since` may be NULL. */
static int begin_sub(edge_session_t *session, span_t channel, const channel_options_t *options,
                     const edge_sub_options_t *wanted, const position_t *since, edge_subscription_t **out)
{
    int err = edge_hub_subscribe(session->worker->hub, session, channel, dup_raw(wanted->info), since, out);
    if (err && err != ERR_AGAIN)
        return err;
    (*out)->by_server = true;
    (*out)->data = dup_raw(wanted->data);
    (*out)->sees_presence = options->join_leave && (wanted->sees_presence || options->force_push_join_leave);
    return err;
}

/* --- those of a token --- */

/* `memory` is for the epoch. */
static unsigned begin_token_sub(edge_session_t *session, edge_token_subs_t *sub, span_t positions,
                                buf_t *memory)
{
    const channel_options_t *options;
    edge_subscription_t *subscription;
    centrifuge_position_t said = {0};
    int malformed;
    unsigned verdict = check_channel(session, buf_span(&sub->channel), &options);
    if (verdict)
        return verdict;
    bool recover = centrifuge_read_recovery(positions, buf_text(&sub->channel), memory, &said, &malformed);
    if (malformed)
        return EDGE_CLOSE_BAD_REQUEST;
    position_t since = centrifuge_position_of(&said);
    int err = begin_sub(session, buf_span(&sub->channel), options, &sub->options, recover ? &since : NULL,
                        &subscription);
    if (err == ERR_DUPLICATE)
        return EDGE_CLOSE_INVALID_TOKEN;
    if (err == ERR_FULL)
        return EDGE_CLOSE_CHANNEL_LIMIT;
    connecting_of(session)->waiting++;
    if (err == OK)
        centrifuge_subs_answered(subscription, OK, NULL);
    return CENTRIFUGE_ERROR_NONE;
}

static unsigned begin_all(edge_session_t *session, span_t positions)
{
    edge_token_subs_t sub;
    buf_t memory = {0};
    unsigned verdict = CENTRIFUGE_ERROR_NONE;
    int err = OK;
    edge_token_subs_init(&sub, session->identity.subs);
    while (!verdict && (err = edge_token_subs_next(&sub)) == OK)
        verdict = begin_token_sub(session, &sub, positions, &memory);
    edge_token_subs_fini(&sub);
    buf_fini(&memory);
    return !verdict && err != ERR_NOT_FOUND ? EDGE_CLOSE_INVALID_TOKEN : verdict;
}

void centrifuge_connect(edge_session_t *session, const centrifuge_command_t *command)
{
    centrifuge_client_t *client = session->state;
    if (!session->identity.subs) {
        let_in(session, command->id);
        return;
    }
    client->phase = CENTRIFUGE_CONNECTING;
    client->connecting = mem_new(sizeof *client->connecting);
    *client->connecting = (connecting_t){.id = command->id, .waiting = 1};
    edge_session_cork(session);
    unsigned verdict = begin_all(session, command->subs);
    if (verdict)
        turn_away(session, verdict);
    else
        settle(session);
}

/* --- those of a back end --- */

void centrifuge_subs_add(edge_session_t *session, const envelope_ask_t *question)
{
    const centrifuge_client_t *client = session->state;
    const channel_options_t *options;
    edge_subscription_t *subscription;
    position_t since = {.offset = question->offset};
    if ((client->phase != CENTRIFUGE_CONNECTED && client->phase != CENTRIFUGE_CONNECTING) ||
        check_channel(session, question->channel, &options) || position_set_epoch(&since, question->epoch))
        return;
    edge_sub_options_t wanted = {question->info, question->data, (question->flags & ASK_SEES_PRESENCE) != 0};
    int err = begin_sub(session, question->channel, options, &wanted, position_known(since) ? &since : NULL,
                        &subscription);
    if (err == ERR_FULL)
        centrifuge_client_close(session, EDGE_CLOSE_CHANNEL_LIMIT);
    if (err && err != ERR_AGAIN) /* it has one already, or goes */
        return;
    bool fits = question->code <= UINT64_MAX / CLOCK_SEC;
    centrifuge_subscription_expires(subscription, fits ? question->code * CLOCK_SEC : UINT64_MAX);
    if (client->connecting)
        client->connecting->waiting++;
    if (err == OK)
        centrifuge_subs_answered(subscription, OK, NULL);
}

/* --- answers --- */

/* "CHANNEL":{...} */
static void add_to_reply(connecting_t *connecting, span_t channel, const centrifuge_subscribed_t *subscribed)
{
    if (connecting->subs.size > 0)
        buf_append_byte(&connecting->subs, ',');
    json_append_string(&connecting->subs, channel);
    buf_append_byte(&connecting->subs, ':');
    centrifuge_append_subscribed(&connecting->subs, subscribed);
}

static void push(edge_session_t *session, span_t channel, const centrifuge_subscribed_t *subscribed)
{
    buf_t own = {0};
    centrifuge_push_subscribe(centrifuge_client_begin(session, &own), channel, subscribed);
    centrifuge_client_end(session, &own);
    span_t missed = subscribed->messages;
    for (envelope_msg_t message; recall_next(&missed, &message);) {
        own = (buf_t){0};
        centrifuge_push_publication(centrifuge_client_begin(session, &own), &message);
        centrifuge_client_end(session, &own);
    }
}

static void tell(edge_subscription_t *subscription, const edge_recovery_t *recovery)
{
    edge_session_t *session = subscription->session;
    centrifuge_subscribed_t subscribed = centrifuge_describe(subscription, recovery);
    span_t channel = edge_channel_name(subscription->channel);
    if (connecting_of(session))
        add_to_reply(connecting_of(session), channel, &subscribed);
    else
        push(session, channel, &subscribed);
    mem_free(subscription->data);
    subscription->data = NULL;
}

void centrifuge_subs_answered(edge_subscription_t *subscription, int err, const edge_recovery_t *recovery)
{
    edge_session_t *session = subscription->session;
    bool connecting = connecting_of(session) != NULL;
    if (!edge_session_is_open(session))
        return;
    if (!err)
        tell(subscription, recovery);
    else
        log_info("centrifuge.subscribe_failed", "channel=%s err=%s",
                 log_safe(edge_channel_name(subscription->channel)), err_name(err));
    if (!connecting)
        return;
    if (err)
        turn_away(session, CENTRIFUGE_ERROR_INTERNAL);
    else
        settle(session);
    centrifuge_client_go_on_at_once(session);
}

void centrifuge_subs_withdraw(edge_subscription_t **subscription_p)
{
    edge_session_t *session = (*subscription_p)->session;
    edge_hub_unsubscribe(session->worker->hub, subscription_p);
    if (!connecting_of(session))
        return;
    settle(session);
    centrifuge_client_go_on_at_once(session);
}
