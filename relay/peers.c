#include "relay/peers.h"

#include "base/check.h"
#include "base/mem.h"

typedef enum peer_state { FREE, LIVE, DEAD } peer_state_t;

struct relay_peer {
    link_t *link; /* borrowed; while LIVE */
    peer_state_t state;
    uint64_t died_in; /* the sweep that was the last to begin then */
};

void relay_peers_init(relay_peers_t *self)
{
    *self = (relay_peers_t){0};
}

void relay_peers_fini(relay_peers_t *self)
{
    mem_free(self->slots);
    relay_peers_init(self);
}

relay_peer_slot_t relay_peers_add(relay_peers_t *self, link_t *link)
{
    size_t at = 0;
    while (at < self->count && self->slots[at].state != FREE)
        at++;
    if (at == self->count)
        self->slots = mem_grow(self->slots, ++self->count, sizeof *self->slots);
    self->slots[at] = (struct relay_peer){link, LIVE, 0};
    link_set_user(link, (void *)(uintptr_t)(at + 1)); /* 0 = none */
    return (relay_peer_slot_t)at;
}

relay_peer_slot_t relay_peers_slot(const link_t *link)
{
    uintptr_t mark = (uintptr_t)link_user(link);
    CHECK(mark);
    return (relay_peer_slot_t)(mark - 1);
}

void relay_peers_kill(relay_peers_t *self, relay_peer_slot_t slot)
{
    CHECK(slot < self->count && self->slots[slot].state == LIVE);
    link_set_user(self->slots[slot].link, NULL);
    self->slots[slot] = (struct relay_peer){NULL, DEAD, self->sweep};
    self->dead++;
}

link_t *relay_peers_link(const relay_peers_t *self, relay_peer_slot_t slot)
{
    return slot < self->count ? self->slots[slot].link : NULL;
}

bool relay_peers_live(const relay_peers_t *self, relay_peer_slot_t slot)
{
    return relay_peers_link(self, slot) != NULL;
}

link_t *relay_peers_next(const relay_peers_t *self, relay_peer_slot_t *at)
{
    while (*at < self->count) {
        link_t *link = self->slots[(*at)++].link;
        if (link)
            return link;
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
