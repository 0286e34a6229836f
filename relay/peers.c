#include "relay/peers.h"

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"

typedef enum peer_state {
    FREE,
    LIVE,
    CUT, /* behind a relay that has still to be told so */
    LINGERING,
    DEAD
} peer_state_t;

struct relay_peer {
    link_t *link;  /* borrowed; while LIVE or CUT */
    uint64_t node; /* 0: the link's own peer; of one that lingers, its id */
    peer_state_t state;
    bool forwarded;
    uint64_t left_us; /* when it began to linger */
    uint64_t died_in; /* the sweep that was the last to begin when it died */
};

void relay_peers_init(relay_peers_t *self)
{
    *self = (relay_peers_t){0};
}

void relay_peers_fini(relay_peers_t *self)
{
    mem_free(self->slots);
    buf_fini(&self->scratch);
    relay_peers_init(self);
}

static relay_peer_slot_t take_slot(relay_peers_t *self, link_t *link, uint64_t node)
{
    size_t at = 0;
    while (at < self->count && self->slots[at].state != FREE)
        at++;
    if (at == self->count)
        self->slots = mem_grow(self->slots, ++self->count, sizeof *self->slots);
    self->slots[at] = (struct relay_peer){.link = link, .node = node, .state = LIVE};
    return (relay_peer_slot_t)at;
}

relay_peer_slot_t relay_peers_add(relay_peers_t *self, link_t *link)
{
    relay_peer_slot_t slot = take_slot(self, link, 0);
    link_set_user(link, (void *)(uintptr_t)(slot + 1)); /* 0 = none */
    return slot;
}

relay_peer_slot_t relay_peers_slot(const link_t *link)
{
    uintptr_t mark = (uintptr_t)link_user(link);
    CHECK(mark);
    return (relay_peer_slot_t)(mark - 1);
}

relay_peer_slot_t relay_peers_find_behind(const relay_peers_t *self, const link_t *relay, uint64_t node)
{
    for (size_t i = 0; i < self->count; i++) {
        const struct relay_peer *peer = &self->slots[i];
        if (peer->state == LIVE && peer->node == node && peer->link == relay)
            return (relay_peer_slot_t)i;
    }
    return RELAY_NO_PEER;
}

relay_peer_slot_t relay_peers_find_any_behind(const relay_peers_t *self, uint64_t node)
{
    for (size_t i = 0; node && i < self->count; i++) {
        if (self->slots[i].state == LIVE && self->slots[i].node == node)
            return (relay_peer_slot_t)i;
    }
    return RELAY_NO_PEER;
}

relay_peer_slot_t relay_peers_behind(relay_peers_t *self, link_t *relay, uint64_t node)
{
    relay_peer_slot_t slot = relay_peers_find_behind(self, relay, node);
    return slot == RELAY_NO_PEER ? take_slot(self, relay, node) : slot;
}

void relay_peers_kill(relay_peers_t *self, relay_peer_slot_t slot, uint64_t now_us)
{
    CHECK(slot < self->count && self->slots[slot].link);
    struct relay_peer *peer = &self->slots[slot];
    uint64_t node = peer->node ? peer->node : link_peer(peer->link);
    if (peer->node == 0)
        link_set_user(peer->link, NULL);
    self->waning += peer->state == LIVE;
    *peer = (struct relay_peer){.state = LINGERING, .node = node, .left_us = now_us};
}

void relay_peers_kill_behind(relay_peers_t *self, const link_t *relay, uint64_t now_us)
{
    for (size_t i = 0; i < self->count; i++) {
        if (self->slots[i].link == relay && self->slots[i].node)
            relay_peers_kill(self, (relay_peer_slot_t)i, now_us);
    }
}

relay_peer_slot_t relay_peers_absent(relay_peers_t *self, uint64_t node, uint64_t now_us)
{
    for (size_t i = 0; i < self->count; i++) {
        if (self->slots[i].state == LINGERING && self->slots[i].node == node)
            return (relay_peer_slot_t)i;
    }
    relay_peer_slot_t slot = take_slot(self, NULL, node);
    self->slots[slot].state = LINGERING;
    self->slots[slot].left_us = now_us;
    self->waning++;
    return slot;
}

static const struct relay_peer *find_live(const relay_peers_t *self, relay_peer_slot_t slot)
{
    return slot < self->count && self->slots[slot].state == LIVE ? &self->slots[slot] : NULL;
}

link_t *relay_peers_link(const relay_peers_t *self, relay_peer_slot_t slot)
{
    const struct relay_peer *peer = find_live(self, slot);
    return peer ? peer->link : NULL;
}

bool relay_peers_live(const relay_peers_t *self, relay_peer_slot_t slot)
{
    return find_live(self, slot) != NULL;
}

bool relay_peers_dead(const relay_peers_t *self, relay_peer_slot_t slot)
{
    return slot >= self->count || self->slots[slot].state == DEAD || self->slots[slot].state == FREE;
}

bool relay_peers_is_behind(const relay_peers_t *self, relay_peer_slot_t slot)
{
    const struct relay_peer *peer = find_live(self, slot);
    return peer && peer->node;
}

uint64_t relay_peers_node(const relay_peers_t *self, relay_peer_slot_t slot)
{
    const struct relay_peer *peer = find_live(self, slot);
    if (!peer)
        return 0;
    return peer->node ? peer->node : link_peer(peer->link);
}

uint64_t relay_peers_last_node(const relay_peers_t *self, relay_peer_slot_t slot)
{
    bool lingers = slot < self->count && self->slots[slot].state == LINGERING;
    return lingers ? self->slots[slot].node : relay_peers_node(self, slot);
}

/* --- sending --- */

static int send_back(relay_peers_t *self, const struct relay_peer *peer, span_t encoded, uint64_t now_us)
{
    envelope_t back = {.kind = KIND_BACK, .back = {peer->node, encoded}};
    buf_clear(&self->scratch);
    envelope_encode(&self->scratch, &back);
    return link_send_encoded(peer->link, buf_span(&self->scratch), now_us);
}

static void cut_off(relay_peers_t *self, relay_peer_slot_t slot, uint64_t now_us)
{
    struct relay_peer *peer = &self->slots[slot];
    self->overflows++;
    if (peer->node) {
        peer->state = CUT;
        self->waning++;
    } else {
        link_reset(peer->link, ERR_FULL, now_us);
    }
}

int relay_peers_send(relay_peers_t *self, relay_peer_slot_t slot, span_t encoded, uint64_t now_us)
{
    const struct relay_peer *peer = find_live(self, slot);
    if (!peer)
        return ERR_CLOSED;
    int err =
        peer->node ? send_back(self, peer, encoded, now_us) : link_send_encoded(peer->link, encoded, now_us);
    if (err == ERR_FULL)
        cut_off(self, slot, now_us);
    return err;
}

void relay_peers_tick(relay_peers_t *self, uint64_t now_us)
{
    for (size_t i = 0; self->waning && i < self->count; i++) {
        struct relay_peer *peer = &self->slots[i];
        envelope_t cut = {.kind = KIND_BACK, .back = {peer->node, {0}}};
        if (peer->state == CUT && link_send(peer->link, &cut, now_us) == OK)
            relay_peers_kill(self, (relay_peer_slot_t)i, now_us);
        if (peer->state == LINGERING && now_us >= peer->left_us + RELAY_PEER_LINGER_US) {
            *peer = (struct relay_peer){.state = DEAD, .died_in = self->sweep};
            self->dead++;
            self->waning--;
        }
    }
}

void relay_peers_set_forwarded(relay_peers_t *self, relay_peer_slot_t slot)
{
    if (find_live(self, slot))
        self->slots[slot].forwarded = true;
}

bool relay_peers_forwarded(const relay_peers_t *self, relay_peer_slot_t slot)
{
    const struct relay_peer *peer = find_live(self, slot);
    return peer && peer->forwarded;
}

/* --- walking and sweeping --- */

link_t *relay_peers_next(const relay_peers_t *self, relay_peer_slot_t *at)
{
    while (*at < self->count) {
        const struct relay_peer *peer = &self->slots[(*at)++];
        if (peer->state == LIVE && peer->node == 0)
            return peer->link;
    }
    return NULL;
}

void relay_peers_sweep_begins(relay_peers_t *self)
{
    self->sweep++;
}

void relay_peers_sweep_ends(relay_peers_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        struct relay_peer *peer = &self->slots[i];
        if (peer->state == DEAD && peer->died_in < self->sweep) {
            *peer = (struct relay_peer){0};
            self->dead--;
        }
    }
}
