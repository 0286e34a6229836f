#include "tests/sim/link_node.h"

#include <inttypes.h>

#include "base/err.h"
#include "base/mem.h"

static void post(world_t *world, span_t message)
{
    bool lost = world->now < world->blackout_until || !network_post(&world->network, message, world->now);
    trace_message(world, lost ? "  lost" : "  sent", message);
}

/* --- what the nodes say --- */

void talk_say(talk_t *talk)
{
    world_t *world = talk->side->world;
    if (!talk->conversation.id)
        return;
    envelope_t envelope = oracle_next(&world->oracle, &talk->conversation);
    int err = link_send(talk->link, &envelope, world->now);
    if (err == OK)
        talk->conversation.said++;
    else if (err != ERR_FULL)
        fail(world, "link_send in an open conversation says %s", err_name(err));
    size_t window = talk->side->settings.window, largest = ORACLE_PAYLOAD + 64u;
    if (link_held(talk->link) > (window > largest ? window : largest) + LINK_PREFIX_SIZE)
        fail(world, "the link holds %zu bytes", link_held(talk->link));
    if (err == ERR_FULL) {
        totals.full++;
        trace(world, "%s is full at %zu", side_name(talk->side), link_held(talk->link));
        if (!world->mild && chance(world, 300))
            link_reset(talk->link, ERR_FULL, world->now);
    }
}

/* --- a link's events --- */

static int on_send(void *context, link_t *link, span_t message)
{
    const talk_t *talk = context;
    (void)link;
    if (talk->side->world->now < talk->side->blocked_until)
        return ERR_AGAIN;
    post(talk->side->world, message);
    return OK;
}

static void on_up(void *context, link_t *link, const envelope_t *greeting)
{
    talk_t *talk = context;
    world_t *world = talk->side->world;
    (void)link;
    (void)greeting;
    if (talk->conversation.id)
        fail(world, "`up` in an open conversation");
    if (!oracle_open(&world->oracle, &talk->conversation))
        fail(world, "the link goes up and down without end");
    talk->up_at = world->now;
    trace(world, "%s up, conversation %" PRIu64, side_name(talk->side), talk->conversation.id);
    if (chance(world, 3000))
        talk_say(talk);
}

static void on_envelope(void *context, link_t *link, const envelope_t *envelope)
{
    talk_t *talk = context;
    world_t *world = talk->side->world;
    const char *fault = oracle_hear(&world->oracle, &talk->conversation, envelope);
    if (fault)
        fail(world, "%s: %s", side_name(talk->side), fault);
    totals.heard++;
    if (chance(world, 400) && world->now < world->tail_from)
        talk_say(talk);
    if (chance(world, world->trouble / 50))
        link_reset(link, ERR_DENIED, world->now);
}

static void on_down(void *context, link_t *link, int reason)
{
    talk_t *talk = context;
    world_t *world = talk->side->world;
    trace(world, "%s down, conversation %" PRIu64 ": %s", side_name(talk->side), talk->conversation.id,
          err_name(reason));
    if (!talk->conversation.id)
        fail(world, "`down` outside of a conversation");
    if (link_is_up(link))
        fail(world, "`down` and still up");
    const link_settings_t *settings = &world->sides[ACCEPTOR].settings;
    if (reason == ERR_TIMEOUT && world->now < talk->up_at + settings->down_beats * settings->heartbeat_us)
        fail(world, "`down` for silence sooner than silence can last");
    if (world->mild)
        fail(world, "`down` for %s, and there was no trouble", err_name(reason));
    if (world->now > world->tail_from + SETTLED)
        fail(world, "`down` for %s long after the trouble", err_name(reason));
    talk->conversation = (conversation_t){0};
    totals.ended++;
}

static void on_refused(void *context, link_t *link, int code, span_t reason)
{
    const talk_t *talk = context;
    (void)link;
    (void)reason;
    fail(talk->side->world, "refused: %s", err_name(code));
}

static const link_events_t events = {on_send, on_up, on_envelope, on_down, on_refused};

static uint64_t next_session(void *context)
{
    const talk_t *talk = context;
    return talk->side->sessions += 1 + random_below(&talk->side->world->random, 9);
}

/* --- nodes --- */

static talk_t *talk_with(side_t *side, uint64_t peer)
{
    for (size_t i = 0; i < TALKS; i++)
        if (side->talks[i] && link_peer(side->talks[i]->link) == peer)
            return side->talks[i];
    return NULL;
}

static talk_t *talk_new(side_t *side, uint64_t peer)
{
    size_t slot = 0;
    while (slot < TALKS && side->talks[slot])
        slot++;
    if (slot == TALKS)
        fail(side->world, "links to dead nodes pile up");
    talk_t *talk = mem_new(sizeof *talk);
    *talk = (talk_t){.side = side};
    link_options_t options = {&side->identity,         &side->settings, &events, next_session, talk, peer,
                              side->index == INITIATOR};
    talk->link = link_new(&options, side->world->now);
    side->talks[slot] = talk;
    return talk;
}

static void talk_destroy(talk_t **self_p)
{
    totals.resent += link_counts((*self_p)->link)->resent;
    totals.gaps += link_counts((*self_p)->link)->gaps;
    link_destroy(&(*self_p)->link);
    mem_free(*self_p);
    *self_p = NULL;
}

static void destroy_talks(side_t *side)
{
    for (size_t i = 0; i < TALKS; i++)
        if (side->talks[i])
            talk_destroy(&side->talks[i]);
}

/* The accepting node forgets a link that is down. */
void side_reap(side_t *side)
{
    for (size_t i = 0; i < TALKS; i++) {
        talk_t *talk = side->talks[i];
        if (talk && (talk->conversation.id != 0) != link_is_up(talk->link))
            fail(side->world, "%s: the events and link_is_up disagree", side_name(side));
        if (talk && link_state(talk->link) == LINK_DOWN)
            talk_destroy(&side->talks[i]);
    }
}

void side_receive(side_t *side, span_t message)
{
    world_t *world = side->world;
    link_header_t header;
    uint64_t topic;
    trace_message(world, side->index == INITIATOR ? "initiator gets" : "acceptor gets", message);
    if (link_header_read(&message, &topic, &header) != OK)
        fail(world, "a header that can't be read");
    talk_t *talk = talk_with(side, header.source);
    span_t peek = message;
    envelope_t first;
    if (!talk && side->index == ACCEPTOR && header.seq == 0 && envelope_decode(&peek, &first) == OK &&
        first.kind == KIND_HELLO)
        talk = talk_new(side, header.source);
    if (talk) {
        link_receive(talk->link, &header, message, world->now);
    } else if (header.seq) {
        buf_t reset = {0};
        link_write_reset(&reset, &side->identity, header.source, header.session, ERR_CLOSED);
        post(world, buf_span(&reset));
        buf_fini(&reset);
    }
    side_reap(side);
}

/* The end of a loop turn. */
void side_turn(side_t *side)
{
    for (size_t i = 0; i < TALKS; i++) {
        talk_t *talk = side->talks[i];
        if (!talk)
            continue;
        link_flush(talk->link, side->world->now);
        if (link_due(talk->link) <= side->world->now) {
            link_tick(talk->link, side->world->now);
            if (link_due(talk->link) <= side->world->now)
                fail(side->world, "%s: what was due is due again at once", side_name(side));
        }
    }
    side_reap(side);
}

void side_crash(side_t *side)
{
    destroy_talks(side);
    side->paused_until = side->blocked_until = 0;
    side->identity.id = random_next(&side->world->random) | 1u;
}

void side_meet(side_t *side, uint64_t peer)
{
    destroy_talks(side);
    talk_new(side, peer);
}

void side_close(side_t *side)
{
    world_t *world = side->world;
    trace(world, "%s closes", side_name(side));
    for (size_t i = 0; i < TALKS; i++)
        if (side->talks[i]) {
            link_close(side->talks[i]->link, "done", world->now);
            talk_destroy(&side->talks[i]);
        }
}

void side_reset(side_t *side)
{
    trace(side->world, "%s resets", side_name(side));
    for (size_t i = 0; i < TALKS; i++)
        if (side->talks[i])
            link_reset(side->talks[i]->link, ERR_FULL, side->world->now);
    side_reap(side);
}

void side_resume(side_t *side)
{
    uint64_t stall = side->world->now - side->paused_at;
    trace(side->world, "%s resumes", side_name(side));
    side->paused_until = 0;
    for (size_t i = 0; i < TALKS; i++) {
        if (!side->talks[i])
            continue;
        link_excuse(side->talks[i]->link, stall);
        side->talks[i]->up_at += stall;
    }
}
