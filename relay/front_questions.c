/* relay/front_questions - the part of relay/front that answers, and that asks the edges. */
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "protocol/codec.h"
#include "protocol/recall.h"
#include "relay/front_inside.h"

/* --- about one channel --- */

static void answer_presence(relay_front_t *self, const relay_channel_t *channel, buf_t *items)
{
    const relay_presence_t *presence = channel ? relay_channel_presence(channel) : NULL;
    if (!presence)
        codec_write_array(items, 0);
    else if (!relay_presence_list(presence, &self->context.peers, items))
        log_warn("presence.cut", "channel=%s", log_safe(relay_channel_name(channel)));
}

static void answer_presence_stats(relay_front_t *self, const relay_channel_t *channel, buf_t *items)
{
    uint64_t clients = 0;
    uint64_t users = 0;
    const relay_presence_t *presence = channel ? relay_channel_presence(channel) : NULL;
    if (presence)
        relay_presence_stats(presence, &self->context.peers, &clients, &users);
    codec_write_array(items, 2);
    codec_write_uint(items, clients);
    codec_write_uint(items, users);
}

/* A channel that does not exist yet was made: who asks is about to go on from the position that it is told. Half of a
 * link's window is for what is live, so that many who come back at once don't cost the link. */
static int answer_history(relay_front_t *self, const relay_wish_t *wish, relay_channel_t *channel,
                          uint64_t now_us, buf_t *items)
{
    const envelope_ask_t *ask = &wish->envelope->ask;
    const link_t *link = relay_peers_link(&self->context.peers, wish->from);
    relay_recall_t recall = {
        .since = {.offset = ask->offset},
        .limit = ask->limit < RECALL_MAX ? ask->limit : RECALL_MAX,
        .reverse = ask->reverse != 0,
    };
    int err = link && link_held(link) > link_window(link) / 2 ? ERR_FULL : OK;
    if (!err)
        err = position_set_epoch(&recall.since, ask->epoch);
    if (!err)
        relay_channel_recall(channel, &self->context, &recall, now_us, items);
    return err;
}

static void answer_forget(relay_front_t *self, relay_channel_t *channel, buf_t *items)
{
    if (channel) {
        relay_channel_forget(channel, &self->context);
        relay_channel_standing(channel)->copied = false; /* the replica is told anew, and forgets it, too */
    }
    codec_write_array(items, 0);
}

static int write_answer(relay_front_t *self, const relay_wish_t *wish, relay_channel_t *channel,
                        uint64_t now_us, buf_t *items)
{
    switch (wish->envelope->ask.question) {
    case QUESTION_PRESENCE: answer_presence(self, channel, items); return OK;
    case QUESTION_PRESENCE_STATS: answer_presence_stats(self, channel, items); return OK;
    case QUESTION_HISTORY: return answer_history(self, wish, channel, now_us, items);
    default: answer_forget(self, channel, items); return OK;
    }
}

/* An answer that does not fit says so instead: who asked may do so again, and the link does not go for it. */
static int refuse_what_does_not_fit(const relay_front_t *self, relay_peer_slot_t to, const buf_t *items)
{
    const link_t *link = relay_peers_link(&self->context.peers, to);
    bool fits =
        !link || link_held(link) == 0 || link_held(link) + items->size < link_window(link) - WIRE_BATCH;
    return fits ? OK : ERR_FULL;
}

void relay_front_answer(relay_front_t *self, const relay_wish_t *wish, relay_channel_t *channel,
                        uint64_t now_us)
{
    buf_t items = {0};
    int err = write_answer(self, wish, channel, now_us, &items);
    if (!err)
        err = refuse_what_does_not_fit(self, wish->from, &items);
    envelope_t answer = {
        .kind = KIND_ANSWER,
        .answer = {wish->envelope->ask.id, (uint64_t)-err, err ? (span_t){0} : buf_span(&items)}};
    relay_front_reply(self, wish->from, &answer, now_us);
    buf_fini(&items);
}

/* --- about this relay --- */

static void answer_canary(relay_front_t *self, relay_peer_slot_t from, uint64_t id, uint64_t now_us)
{
    envelope_t answer = {.kind = KIND_ANSWER, .answer = {.id = id}};
    relay_front_reply(self, from, &answer, now_us);
}

/* --- about all edges --- */

/* The relay's own line in QUESTION_NODES; see protocol/kinds.h. */
static void describe_self(const relay_front_t *self, uint64_t now_us, buf_t *item)
{
    codec_write_array(item, 9);
    codec_write_uint(item, node_id(self->node));
    codec_write_text(item, span_str(self->name));
    codec_write_uint(item, ROLE_RELAY);
    codec_write_text(item, SPAN("heddle " HEDDLE_VERSION));
    codec_write_uint(item, 0);
    codec_write_uint(item, 0);
    codec_write_uint(item, 0);
    codec_write_uint(item, relay_directory_count(self->directory));
    codec_write_uint(item, (now_us - self->started_us) / CLOCK_SEC);
}

void relay_front_survey(relay_front_t *self, link_t *asker, const envelope_ask_t *ask, uint64_t now_us)
{
    buf_t items = {0};
    switch (ask->question) {
    case QUESTION_CANARY: answer_canary(self, relay_peers_slot(asker), ask->id, now_us); break;
    case QUESTION_NODES: describe_self(self, now_us, &items); /* fall through */
    case QUESTION_CHANNELS:
    case QUESTION_DISCONNECT:
    case QUESTION_UNSUBSCRIBE:
    case QUESTION_REFRESH:
    case QUESTION_SUBSCRIBE:
        relay_surveys_begin(&self->surveys, &self->context.peers, asker, ask, buf_span(&items), now_us);
        break;
    default: {
        envelope_t answer = {.kind = KIND_ANSWER, .answer = {ask->id, (uint64_t)-ERR_UNKNOWN, {0}}};
        relay_front_reply(self, relay_peers_slot(asker), &answer, now_us);
    }
    }
    buf_fini(&items);
}
