#include "edge/centrifuge_action.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "edge/centrifuge_subs.h"
#include "edge/hub.h"
#include "edge/token_subs.h"
#include "edge/worker.h"

/* A verdict: 0 = go on, a centrifuge_error_t = answer so, an edge_close_code_t = end the connection. The
 * protocol keeps their numbers apart: errors are below 2000, closes from 3000 on. */
typedef unsigned verdict_t;
#define FINE 0u

static void refuse(edge_session_t *session, uint32_t id, verdict_t verdict)
{
    if (verdict >= EDGE_CLOSE_CONNECTION)
        centrifuge_client_close(session, (edge_close_code_t)verdict);
    else
        centrifuge_client_reply_error(session, id, (centrifuge_error_t)verdict);
}

static void published(void *user, int err, position_t position)
{
    (void)position;
    centrifuge_waiting_t *waiting = user;
    uint32_t id = waiting->id;
    edge_session_t *session = centrifuge_waiting_end(&waiting);
    if (!session)
        return;
    if (err) {
        stats_add(&session->worker->stats.publish_errors, 1);
        centrifuge_client_reply_error(session, id, centrifuge_error_of(err));
    } else {
        centrifuge_client_reply(session, id, CENTRIFUGE_PUBLISH);
    }
    centrifuge_client_go_on(session);
}

static void answered(void *user, int err, span_t items)
{
    centrifuge_waiting_t *waiting = user;
    uint32_t id = waiting->id;
    centrifuge_method_t method = waiting->method;
    position_t since = waiting->since;
    edge_session_t *session = centrifuge_waiting_end(&waiting);
    if (!session)
        return;
    buf_t own = {0}, *out = centrifuge_client_begin(session, &own);
    if (err)
        centrifuge_reply_error(out, id, centrifuge_error_of(err));
    else if (method == CENTRIFUGE_PRESENCE)
        centrifuge_reply_presence(out, id, items);
    else if (method == CENTRIFUGE_PRESENCE_STATS)
        centrifuge_reply_presence_stats(out, id, items);
    else
        centrifuge_reply_history(out, id, items, since);
    centrifuge_client_end(session, &own);
    centrifuge_client_go_on(session);
}

/* --- connect --- */

static int let_in(edge_session_t *session, const centrifuge_command_t *command)
{
    centrifuge_client_t *client = session->state;
    edge_identity_t identity;
    int err = edge_auth_connect(session->worker->auth, command->token, clock_wall_us(), &identity);
    if (err == ERR_EXPIRED || err == ERR_NOT_YET) {
        /* The client fetches a new token and connects again; what it has sent behind this is void. */
        client->phase = CENTRIFUGE_REFUSED;
        centrifuge_client_reply_error(session, command->id, CENTRIFUGE_ERROR_TOKEN_EXPIRED);
        return OK;
    }
    if (err) {
        centrifuge_client_close(session,
                                err == ERR_DENIED ? EDGE_CLOSE_BAD_REQUEST : EDGE_CLOSE_INVALID_TOKEN);
        return OK;
    }
    edge_session_identify(session, &identity);
    centrifuge_connect(session, command);
    return OK;
}

/* --- channels --- */

/* Is it a channel, and of which options? Before the first relay has told the namespaces nobody knows: that
 * passes, so it must not end a subscription. */
static verdict_t find_options(edge_session_t *session, span_t channel, const channel_options_t **options)
{
    const namespaces_t *namespaces = uplink_namespaces(session->worker->uplink);
    if (channel.size == 0)
        return EDGE_CLOSE_BAD_REQUEST;
    if (channel_name_check(channel) != OK)
        return CENTRIFUGE_ERROR_BAD_COMMAND;
    if (namespaces->count == 0)
        return CENTRIFUGE_ERROR_INTERNAL;
    *options = namespaces_find(namespaces, channel);
    return *options ? FINE : CENTRIFUGE_ERROR_UNKNOWN_CHANNEL;
}

/* The wishes that would change what we send. Positions are told and recovery is granted where there is history, joins and
 * leaves where the namespace has them; compression is not, which the answer says by leaving it out. */
static verdict_t check_wishes(const centrifuge_command_t *command)
{
    if (command->type != 0)
        return CENTRIFUGE_ERROR_NOT_AVAILABLE;
    if (command->delta.size > 0 && !span_is(command->delta, "fossil"))
        return EDGE_CLOSE_BAD_REQUEST;
    return command->has_tag_filter ? CENTRIFUGE_ERROR_BAD_COMMAND : FINE;
}

static verdict_t check_count(edge_session_t *session, span_t channel)
{
    if (edge_hub_find(session->worker->hub, session, channel))
        return CENTRIFUGE_ERROR_ALREADY_SUBSCRIBED;
    if (session->subscription_count >= session->worker->config->limits.channels_per_client)
        return CENTRIFUGE_ERROR_LIMIT;
    return FINE;
}

/* A token for somebody else ends the connection; one that is merely bad does not. */
static verdict_t check_permission(edge_session_t *session, const centrifuge_command_t *command,
                                  const channel_options_t *options, edge_subscribe_grant_t *grant)
{
    char id[EDGE_CLIENT_ID_SIZE + 1];
    edge_subscribe_request_t request = {.channel = command->channel,
                                        .token = command->token,
                                        .user = edge_session_user(session),
                                        .client = span_str(edge_session_id(session, id))};
    int err = edge_auth_subscribe(session->worker->auth, options, &request, clock_wall_us(), grant);
    switch (err) {
    case OK: return FINE;
    case ERR_TYPE: return EDGE_CLOSE_INVALID_TOKEN;
    case ERR_EXPIRED:
    case ERR_NOT_YET: return CENTRIFUGE_ERROR_TOKEN_EXPIRED;
    default: return CENTRIFUGE_ERROR_DENIED;
    }
}

/* In the protocol's order. */
static verdict_t check_subscribe(edge_session_t *session, const centrifuge_command_t *command,
                                 const channel_options_t **options, edge_subscribe_grant_t *grant)
{
    verdict_t verdict = command->channel.size > 0 ? FINE : EDGE_CLOSE_BAD_REQUEST;
    if (!verdict)
        verdict = check_wishes(command);
    if (!verdict && command->channel.size > CHANNEL_NAME_MAX)
        verdict = CENTRIFUGE_ERROR_BAD_COMMAND;
    if (!verdict)
        verdict = check_count(session, command->channel);
    if (!verdict)
        verdict = find_options(session, command->channel, options);
    if (!verdict)
        verdict = check_permission(session, command, *options, grant);
    return verdict;
}

/* Bit of `flag` in a subscribe command. */
#define MUST_RECOVER 2

static verdict_t hub_verdict(int err)
{
    return err == ERR_FULL ? CENTRIFUGE_ERROR_LIMIT : centrifuge_error_of(err);
}

static int subscribe(edge_session_t *session, const centrifuge_command_t *command)
{
    const channel_options_t *options;
    edge_subscribe_grant_t grant;
    edge_subscription_t *subscription;
    verdict_t verdict = check_subscribe(session, command, &options, &grant);
    if (verdict) {
        refuse(session, command->id, verdict);
        return OK;
    }
    position_t since = centrifuge_position_of(&command->at);
    int err = edge_hub_subscribe(session->worker->hub, session, command->channel, grant.info,
                                 command->recover ? &since : NULL, &subscription);
    if (err && err != ERR_AGAIN) {
        refuse(session, command->id, hub_verdict(err));
        return OK;
    }
    subscription->request = command->id;
    subscription->must_recover = command->flag & MUST_RECOVER;
    subscription->sees_presence =
        options->join_leave && (command->join_leave || options->force_push_join_leave);
    centrifuge_subscription_expires(subscription, grant.expires_us);
    if (err == OK)
        centrifuge_client_subscribed(session, subscription, NULL);
    return OK;
}

/* Never an error: a client library would connect again. */
static int unsubscribe(edge_session_t *session, const centrifuge_command_t *command)
{
    if (command->channel.size == 0) {
        centrifuge_client_close(session, EDGE_CLOSE_BAD_REQUEST);
        return OK;
    }
    edge_hub_t *hub = session->worker->hub;
    edge_subscription_t *subscription = edge_hub_find(hub, session, command->channel);
    if (subscription) {
        /* It was on for no time at all: every command has its answer, and in order. */
        if (edge_subscription_waits(subscription) && !subscription->by_server)
            centrifuge_client_reply(session, subscription->request, CENTRIFUGE_SUBSCRIBE);
        edge_hub_unsubscribe(hub, &subscription);
    }
    centrifuge_client_reply(session, command->id, CENTRIFUGE_UNSUBSCRIBE);
    return OK;
}

/* One that waits is not met here: the command has been held until it is on, or refused. */
static bool is_subscribed(edge_session_t *session, span_t channel)
{
    return edge_hub_find(session->worker->hub, session, channel) != NULL;
}

/* --- new tokens --- */

/* Is it who it was? Its name has no NUL. */
static bool is_same_user(const edge_session_t *session, const edge_identity_t *identity)
{
    return span_eq(edge_session_user(session), span_str(identity->user));
}

static int refresh(edge_session_t *session, const centrifuge_command_t *command)
{
    if (command->token.size == 0) {
        centrifuge_client_close(session, EDGE_CLOSE_BAD_REQUEST);
        return OK;
    }
    edge_identity_t identity;
    int err = edge_auth_connect(session->worker->auth, command->token, clock_wall_us(), &identity);
    if (err == ERR_EXPIRED || err == ERR_NOT_YET) {
        centrifuge_client_close(session, EDGE_CLOSE_EXPIRED);
    } else if (err || !is_same_user(session, &identity)) {
        centrifuge_client_close(session, EDGE_CLOSE_INVALID_TOKEN);
    } else if (!edge_token_subs_equal(session->identity.subs, identity.subs)) {
        centrifuge_client_close(session, EDGE_CLOSE_INSUFFICIENT); /* it comes back for the new ones */
    } else {
        edge_session_identify(session, &identity);
        centrifuge_client_refreshed(session, command, session->identity.expires_us);
    }
    edge_identity_fini(&identity);
    return OK;
}

/* In the protocol's order. Only the token's time is taken. */
static verdict_t check_refresh(edge_session_t *session, const centrifuge_command_t *command,
                               edge_subscription_t *subscription, uint64_t *expires_us)
{
    const channel_options_t *options;
    edge_subscribe_grant_t grant;
    if (command->channel.size == 0)
        return EDGE_CLOSE_BAD_REQUEST;
    if (!subscription)
        return CENTRIFUGE_ERROR_DENIED;
    if (command->token.size == 0)
        return CENTRIFUGE_ERROR_BAD_COMMAND;
    verdict_t verdict = find_options(session, command->channel, &options);
    if (!verdict)
        verdict = check_permission(session, command, options, &grant);
    if (verdict)
        return verdict;
    *expires_us = grant.expires_us;
    mem_free(grant.info);
    return FINE;
}

/* A client library takes an error for the end of the subscription. One that has brought a token too late is to
 * subscribe again, so the subscription ends before. */
static int refresh_subscription(edge_session_t *session, const centrifuge_command_t *command)
{
    edge_subscription_t *subscription = edge_hub_find(session->worker->hub, session, command->channel);
    uint64_t expires_us;
    verdict_t verdict = check_refresh(session, command, subscription, &expires_us);
    if (verdict == CENTRIFUGE_ERROR_TOKEN_EXPIRED)
        centrifuge_subscription_end(&subscription);
    if (verdict) {
        refuse(session, command->id, verdict);
        return OK;
    }
    centrifuge_subscription_expires(subscription, expires_us);
    centrifuge_client_refreshed(session, command, expires_us);
    return OK;
}

/* --- publish --- */

static verdict_t check_publish(edge_session_t *session, const centrifuge_command_t *command)
{
    const channel_options_t *options;
    if (command->data.size == 0)
        return EDGE_CLOSE_BAD_REQUEST;
    verdict_t verdict = find_options(session, command->channel, &options);
    if (verdict)
        return verdict;
    if (edge_auth_publish(options, edge_session_user(session), is_subscribed(session, command->channel)) !=
        OK)
        return CENTRIFUGE_ERROR_DENIED;
    return command->data.size > PAYLOAD_MAX ? CENTRIFUGE_ERROR_LIMIT : FINE;
}

static int send_publication(edge_session_t *session, const centrifuge_command_t *command)
{
    char id[EDGE_CLIENT_ID_SIZE + 1];
    publication_t publication = {.channel = command->channel,
                                 .flags = MESSAGE_JSON,
                                 .client = span_str(edge_session_id(session, id)),
                                 .user = edge_session_user(session),
                                 .info = edge_session_info(session),
                                 .payload = command->data};
    edge_worker_t *worker = session->worker;
    centrifuge_waiting_t *waiting = centrifuge_waiting_begin(session, command);
    int err = uplink_publish(worker->uplink, &publication, published, waiting, worker->now_us);
    if (err)
        centrifuge_waiting_end(&waiting);
    else
        stats_add(&worker->stats.publications, 1);
    return err;
}

static int publish(edge_session_t *session, const centrifuge_command_t *command)
{
    verdict_t verdict = check_publish(session, command);
    int err = verdict ? OK : send_publication(session, command);
    if (err == ERR_FULL)
        return ERR_FULL;
    if (err)
        verdict = centrifuge_error_of(err);
    if (verdict) {
        stats_add(&session->worker->stats.publish_errors, 1);
        refuse(session, command->id, verdict);
    }
    return OK;
}

/* --- presence --- */

static verdict_t check_presence(edge_session_t *session, const centrifuge_command_t *command)
{
    const channel_options_t *options;
    verdict_t verdict = find_options(session, command->channel, &options);
    if (verdict)
        return verdict;
    int err = edge_auth_presence(options, is_subscribed(session, command->channel));
    return !err ? FINE : err == ERR_UNAVAILABLE ? CENTRIFUGE_ERROR_NOT_AVAILABLE : CENTRIFUGE_ERROR_DENIED;
}

static int ask(edge_session_t *session, const centrifuge_command_t *command, const envelope_ask_t *question,
               position_t since)
{
    edge_worker_t *worker = session->worker;
    centrifuge_waiting_t *waiting = centrifuge_waiting_begin(session, command);
    waiting->since = since;
    int err = uplink_ask(worker->uplink, *question, answered, waiting, worker->now_us);
    if (err) {
        centrifuge_waiting_end(&waiting);
        centrifuge_client_reply_error(session, command->id, CENTRIFUGE_ERROR_INTERNAL);
    }
    return OK;
}

static int ask_presence(edge_session_t *session, const centrifuge_command_t *command)
{
    verdict_t verdict = check_presence(session, command);
    if (verdict) {
        refuse(session, command->id, verdict);
        return OK;
    }
    envelope_ask_t question = {.question = command->method == CENTRIFUGE_PRESENCE ? QUESTION_PRESENCE
                                                                                  : QUESTION_PRESENCE_STATS,
                               .channel = command->channel};
    return ask(session, command, &question, (position_t){0});
}

/* --- history --- */

static verdict_t check_history(edge_session_t *session, const centrifuge_command_t *command)
{
    const channel_options_t *options;
    verdict_t verdict = find_options(session, command->channel, &options);
    if (verdict)
        return verdict;
    if (options->history_size == 0 || options->history_ttl_us == 0)
        return CENTRIFUGE_ERROR_NOT_AVAILABLE;
    if (!is_subscribed(session, command->channel))
        return CENTRIFUGE_ERROR_DENIED;
    if (command->reverse && command->since.given && command->since.offset == 0)
        return CENTRIFUGE_ERROR_BAD_COMMAND;
    return FINE;
}

static int ask_history(edge_session_t *session, const centrifuge_command_t *command)
{
    verdict_t verdict = check_history(session, command);
    position_t since = centrifuge_position_of(&command->since);
    if (!verdict && command->since.given && !position_known(since))
        verdict = CENTRIFUGE_ERROR_UNRECOVERABLE;
    if (verdict) {
        refuse(session, command->id, verdict);
        return OK;
    }
    bool all = command->limit < 0 || command->limit > (int64_t)RECALL_MAX;
    envelope_ask_t question = {.question = QUESTION_HISTORY,
                               .channel = command->channel,
                               .epoch = position_epoch(&since),
                               .offset = since.offset,
                               .limit = all ? RECALL_MAX : (uint64_t)command->limit,
                               .reverse = command->reverse};
    return ask(session, command, &question, since);
}

/* --- the rest --- */

static int ignore(edge_session_t *session, const centrifuge_command_t *command)
{
    (void)session;
    (void)command;
    return OK;
}

static int refuse_bad(edge_session_t *session, const centrifuge_command_t *command)
{
    (void)command;
    centrifuge_client_close(session, EDGE_CLOSE_BAD_REQUEST);
    return OK;
}

static int refuse_send(edge_session_t *session, const centrifuge_command_t *command)
{
    (void)command;
    centrifuge_client_close(session, EDGE_CLOSE_NOT_AVAILABLE);
    return OK;
}

static int refuse_unavailable(edge_session_t *session, const centrifuge_command_t *command)
{
    centrifuge_client_reply_error(session, command->id, CENTRIFUGE_ERROR_NOT_AVAILABLE);
    return OK;
}

/* Each is done, answered or refused when it returns OK; ERR_FULL: it has to be tried again later. A pong
 * needs nothing, since anything that a client says is a sign of life, and so a late one does no harm. Clients
 * send no pings. */
static int (*const actions[CENTRIFUGE_METHOD_COUNT])(edge_session_t *, const centrifuge_command_t *) = {
    [CENTRIFUGE_PONG] = ignore,
    [CENTRIFUGE_CONNECT] = let_in,
    [CENTRIFUGE_SUBSCRIBE] = subscribe,
    [CENTRIFUGE_UNSUBSCRIBE] = unsubscribe,
    [CENTRIFUGE_PUBLISH] = publish,
    [CENTRIFUGE_PRESENCE] = ask_presence,
    [CENTRIFUGE_PRESENCE_STATS] = ask_presence,
    [CENTRIFUGE_HISTORY] = ask_history,
    [CENTRIFUGE_PING] = refuse_bad,
    [CENTRIFUGE_SEND] = refuse_send,
    [CENTRIFUGE_RPC] = refuse_unavailable,
    [CENTRIFUGE_REFRESH] = refresh,
    [CENTRIFUGE_SUB_REFRESH] = refresh_subscription,
};

/* Must it wait until its channel is on? Else a publication would overtake the subscription before it, and its
 * author would not see it; and who may only do as a subscriber what comes next would be refused. */
static bool comes_too_early(edge_session_t *session, const centrifuge_command_t *command)
{
    if (command->method != CENTRIFUGE_PUBLISH && command->method != CENTRIFUGE_PRESENCE &&
        command->method != CENTRIFUGE_PRESENCE_STATS && command->method != CENTRIFUGE_HISTORY &&
        command->method != CENTRIFUGE_SUB_REFRESH)
        return false;
    const edge_subscription_t *subscription = edge_hub_find(session->worker->hub, session, command->channel);
    return subscription && edge_subscription_waits(subscription);
}

/* `connect` comes first, and once. */
int centrifuge_act(edge_session_t *session, const centrifuge_command_t *command)
{
    centrifuge_client_t *client = session->state;
    if ((command->method == CENTRIFUGE_CONNECT) != (client->phase == CENTRIFUGE_GREETING))
        return refuse_bad(session, command);
    if (client->waiting_count >= CENTRIFUGE_WAITING_MAX)
        return ERR_FULL;
    if (client->phase == CENTRIFUGE_CONNECTING)
        return ERR_AGAIN;
    if (comes_too_early(session, command))
        return ERR_AGAIN;
    return actions[command->method](session, command);
}
