#include "fabric/canary.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"

void canary_init(canary_t *self, uplink_t *uplink)
{
    *self = (canary_t){.uplink = uplink};
}

static void let_go(canary_t *self, canary_relay_t *relay)
{
    uplink_withdraw(self->uplink, relay);
    *relay = (canary_relay_t){0};
}

void canary_fini(canary_t *self)
{
    for (size_t i = 0; i < VIEW_MEMBERS_MAX; i++)
        let_go(self, &self->relays[i]);
}

/* It is not asked while it is not there, and remembered. */
static void recall(canary_t *self, canary_relay_t *relay)
{
    uplink_withdraw(self->uplink, relay);
    relay->state = CANARY_HOME;
}

/* --- questions --- */

/* A refusal is an answer, too: so an older relay says that it does not know the question. That the link has gone is none,
 * but then the relay is no way any more. */
static void answered(void *user, int err, span_t items)
{
    (void)items;
    canary_relay_t *relay = user;
    relay->state = err == ERR_TIMEOUT ? CANARY_LOST : CANARY_BACK;
}

static void ask(canary_t *self, canary_relay_t *relay, link_t *link, uint64_t now_us)
{
    const envelope_ask_t question = {.question = QUESTION_CANARY};
    relay->asked_us = now_us;
    if (uplink_ask_at(self->uplink, link, question, answered, relay, now_us) == OK)
        relay->state = CANARY_OUT;
}

static void count_answer(canary_counts_t *counts, uint64_t round_trip_us)
{
#define CANARY_COUNT(name, bound, label) \
    if (round_trip_us <= (bound)) {      \
        counts->name++;                  \
        return;                          \
    }
    CANARY_ROUND_TRIPS(CANARY_COUNT)
#undef CANARY_COUNT
}

static void take_answer(canary_t *self, canary_relay_t *relay, uint64_t now_us)
{
    if (relay->state == CANARY_BACK) {
        count_answer(&self->counts, now_us - relay->asked_us);
        relay->heard_us = now_us;
        relay->state = CANARY_HOME;
    } else if (relay->state == CANARY_LOST) {
        self->counts.lost++;
        relay->state = CANARY_HOME;
    }
}

/* --- whom it depends on --- */

static bool is_listed(const canary_relay_t *relay, link_t *const *ways, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (link_peer(ways[i]) == relay->id)
            return true;
    }
    return false;
}

/* id 0: a free place. NULL: there is none. */
static canary_relay_t *find(canary_t *self, uint64_t id)
{
    for (size_t i = 0; i < VIEW_MEMBERS_MAX; i++) {
        if (self->relays[i].id == id)
            return &self->relays[i];
    }
    return NULL;
}

/* Its link has just come up, or its view has: that is as good as an answer. */
static canary_relay_t *add(canary_t *self, const link_t *way, uint64_t now_us)
{
    canary_relay_t *relay = find(self, 0);
    if (!relay)
        return NULL;
    relay->id = link_peer(way);
    relay->heard_us = now_us;
    snprintf(relay->name, sizeof relay->name, "%s", link_peer_name(way));
    return relay;
}

void canary_tick(canary_t *self, uint64_t now_us)
{
    link_t *ways[VIEW_MEMBERS_MAX];
    size_t count = uplink_ways(self->uplink, ways, VIEW_MEMBERS_MAX);
    for (size_t i = 0; i < VIEW_MEMBERS_MAX; i++) {
        canary_relay_t *relay = &self->relays[i];
        if (relay->id && is_listed(relay, ways, count))
            take_answer(self, relay, now_us);
        else if (relay->id && count > 0)
            let_go(self, relay);
        else if (relay->id)
            recall(self, relay);
    }
    for (size_t i = 0; i < count; i++) {
        canary_relay_t *relay = find(self, link_peer(ways[i]));
        if (!relay)
            relay = add(self, ways[i], now_us);
        if (relay && relay->state == CANARY_HOME &&
            (!relay->asked_us || now_us >= relay->asked_us + CANARY_INTERVAL_US))
            ask(self, relay, ways[i], now_us);
    }
}

bool canary_is_well(const canary_t *self, uint64_t now_us, buf_t *why)
{
    const canary_relay_t *worst = NULL;
    for (size_t i = 0; i < VIEW_MEMBERS_MAX; i++) {
        const canary_relay_t *relay = &self->relays[i];
        if (relay->id && (!worst || relay->heard_us < worst->heard_us))
            worst = relay;
    }
    if (!worst || now_us < worst->heard_us + CANARY_LIMIT_US)
        return true;
    buf_printf(why, "%s: no answer for %" PRIu64 " s", worst->name, (now_us - worst->heard_us) / CLOCK_SEC);
    return false;
}
