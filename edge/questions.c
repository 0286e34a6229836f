#include "edge/questions.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/table.h"
#include "edge/close_code.h"
#include "edge/dialect.h"
#include "protocol/codec.h"

/* Bytes of one edge's list: several of them have to fit into one answer (LIST_MAX). */
#define CHANNELS_SIZE (1024u * 1024)

#define UNSUBSCRIBED_CODE   2000u
#define UNSUBSCRIBED_REASON "server unsubscribe"

static void answer(edge_worker_t *worker, link_t *relay, const envelope_ask_t *question, int err,
                   span_t items)
{
    uplink_answer(worker->uplink, relay, question->id, err, items, worker->now_us);
}

/* --- CHANNELS --- */

typedef struct channel_list {
    span_t pattern;
    buf_t items;
    uint32_t count;   /* items */
    size_t left_over; /* channels that match and did not fit */
} channel_list_t;

static void list_channel(void *context, span_t name, size_t listeners)
{
    channel_list_t *list = context;
    if (!channel_name_matches(name, list->pattern))
        return;
    if (list->items.size + name.size + 16 > CHANNELS_SIZE) {
        list->left_over++;
        return;
    }
    codec_write_array(&list->items, 2);
    codec_write_text(&list->items, name);
    codec_write_uint(&list->items, listeners);
    list->count++;
}

static void answer_channels(edge_worker_t *worker, link_t *relay, const envelope_ask_t *question)
{
    channel_list_t list = {.pattern = question->channel};
    buf_t items = {0};
    edge_hub_each_channel(worker->hub, list_channel, &list);
    codec_write_array(&items, list.count);
    buf_append_span(&items, buf_span(&list.items));
    if (list.left_over > 0)
        log_warn("questions.channels_cut", "listed=%u left_over=%zu", list.count, list.left_over);
    answer(worker, relay, question, OK, buf_span(&items));
    buf_fini(&list.items);
    buf_fini(&items);
}

/* --- NODES --- */

static span_t user_key(const void *session)
{
    return edge_session_user(session);
}

/* Users that are here, each once, however many clients they have; all who are anonymous are one, as in
 * presence. */
static size_t count_users(const edge_worker_t *worker)
{
    table_t users;
    table_init(&users, user_key);
    LIST_EACH (node, &worker->sessions) {
        edge_session_t *session = LIST_ITEM(node, edge_session_t, of_worker);
        if (!table_get(&users, edge_session_user(session)))
            table_put(&users, session);
    }
    size_t count = users.count;
    table_fini(&users);
    return count;
}

static void answer_nodes(edge_worker_t *worker, link_t *relay, const envelope_ask_t *question)
{
    buf_t items = {0};
    codec_write_array(&items, 1);
    codec_write_array(&items, 9);
    codec_write_uint(&items, node_id(worker->node));
    codec_write_text(&items, span_str(worker->config->node.name));
    codec_write_uint(&items, ROLE_EDGE);
    codec_write_text(&items, SPAN("heddle " HEDDLE_VERSION));
    codec_write_uint(&items, stats_get(&worker->stats.connections));
    codec_write_uint(&items, count_users(worker));
    codec_write_uint(&items, edge_hub_subscriptions(worker->hub));
    codec_write_uint(&items, edge_hub_channels(worker->hub));
    codec_write_uint(&items, (worker->now_us - worker->started_us) / CLOCK_SEC);
    answer(worker, relay, question, OK, buf_span(&items));
    buf_fini(&items);
}

/* --- DISCONNECT, SUBSCRIBE, UNSUBSCRIBE, REFRESH: which clients are meant --- */

static bool is_client(const edge_session_t *session, span_t text)
{
    uint8_t id[EDGE_CLIENT_ID_BYTES];
    return edge_client_id_parse(text, id) && memcmp(session->id, id, sizeof id) == 0;
}

static bool is_listed(const edge_session_t *session, span_t clients)
{
    uint32_t count = 0;
    span_t client;
    if (clients.size == 0 || codec_read_array(&clients, &count) != OK)
        return false;
    while (count-- > 0 && codec_read_text(&clients, CLIENT_ID_MAX, &client) == OK)
        if (is_client(session, client))
            return true;
    return false;
}

/* A question that names nobody means nobody. */
static bool is_meant(const edge_session_t *session, const envelope_ask_t *question)
{
    if (question->user.size == 0 && question->client.size == 0)
        return false;
    if (question->user.size > 0 && !span_eq(edge_session_user(session), question->user))
        return false;
    if (question->client.size > 0 && !is_client(session, question->client))
        return false;
    return !is_listed(session, question->except);
}

typedef void session_fn(edge_session_t *session, const envelope_ask_t *question);

static void each_meant(edge_worker_t *worker, link_t *relay, const envelope_ask_t *question, session_fn *act)
{
    LIST_EACH_SAFE (node, &worker->sessions) {
        edge_session_t *session = LIST_ITEM(node, edge_session_t, of_worker);
        if (is_meant(session, question))
            act(session, question);
    }
    answer(worker, relay, question, OK, (span_t){0});
}

static void disconnect(edge_session_t *session, const envelope_ask_t *question)
{
    bool known = question->code >= EDGE_CLOSE_CHOICE_MIN && question->code <= EDGE_CLOSE_CHOICE_MAX;
    uint16_t code = known ? (uint16_t)question->code : EDGE_CLOSE_FORCE;
    char reason[EDGE_CLOSE_REASON_MAX + 1] = "";
    if (question->reason.size > 0 && question->reason.size < sizeof reason)
        memcpy(reason, question->reason.data, question->reason.size);
    edge_session_close(session, code, reason[0] ? reason : edge_close_reason(code), true);
}

/* The dialect is told first, while it can still see what there was; it may take the subscription away itself. */
static void unsubscribe(edge_session_t *session, const envelope_ask_t *question)
{
    edge_hub_t *hub = session->worker->hub;
    if (!edge_hub_find(hub, session, question->channel))
        return;
    session->dialect->unsubscribed(session, question->channel, UNSUBSCRIBED_CODE, UNSUBSCRIBED_REASON);
    edge_subscription_t *subscription = edge_hub_find(hub, session, question->channel);
    if (subscription)
        edge_hub_unsubscribe(hub, &subscription);
}

static void subscribe(edge_session_t *session, const envelope_ask_t *question)
{
    if (session->dialect->subscribe && edge_session_is_open(session))
        session->dialect->subscribe(session, question);
}

static void refresh(edge_session_t *session, const envelope_ask_t *question)
{
    if (!edge_session_is_open(session))
        return;
    bool fits = question->code <= UINT64_MAX / CLOCK_SEC;
    edge_session_prolong(session, fits ? question->code * CLOCK_SEC : UINT64_MAX);
    if (session->dialect->prolonged)
        session->dialect->prolonged(session);
}

void edge_answer_question(edge_worker_t *worker, link_t *relay, const envelope_ask_t *question)
{
    switch (question->question) {
    case QUESTION_CHANNELS: answer_channels(worker, relay, question); break;
    case QUESTION_NODES: answer_nodes(worker, relay, question); break;
    case QUESTION_DISCONNECT: each_meant(worker, relay, question, disconnect); break;
    case QUESTION_UNSUBSCRIBE: each_meant(worker, relay, question, unsubscribe); break;
    case QUESTION_SUBSCRIBE: each_meant(worker, relay, question, subscribe); break;
    case QUESTION_REFRESH: each_meant(worker, relay, question, refresh); break;
    default: answer(worker, relay, question, ERR_UNKNOWN, (span_t){0}); break;
    }
}
