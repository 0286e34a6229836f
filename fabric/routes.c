#include "fabric/routes.h"

#include "base/mem.h"
#include "protocol/owner.h"

typedef struct linked_relay {
    list_node_t node;
    link_t *link; /* borrowed */
    view_t told;  /* number 0: nothing yet */
    bool open;    /* may be chosen */
} linked_relay_t;

void routes_init(routes_t *self)
{
    *self = (routes_t){0};
    list_init(&self->relays);
}

void routes_fini(routes_t *self)
{
    for (list_node_t *node; (node = list_pop(&self->relays)) != NULL;)
        mem_free(LIST_ITEM(node, linked_relay_t, node));
}

static linked_relay_t *find_relay(const routes_t *self, uint64_t id)
{
    LIST_EACH (node, &self->relays) {
        linked_relay_t *relay = LIST_ITEM(node, linked_relay_t, node);
        if (link_peer(relay->link) == id)
            return relay;
    }
    return NULL;
}

/* --- the view in use --- */

/* Has a relay told a later view of the same lineage? */
static bool is_outdated(const routes_t *self, const view_t *view)
{
    LIST_EACH (node, &self->relays) {
        const view_t *told = &LIST_ITEM(node, linked_relay_t, node)->told;
        if (told->lineage == view->lineage && told->number > view->number)
            return true;
    }
    return false;
}

/* Have so many of its members gone on in another lineage that the others are no majority? Then it has ended, whoever
 * still tells it: one that has crashed tells nothing else until its link is given up. */
static bool has_ended(const routes_t *self, const view_t *view)
{
    size_t left = 0;
    LIST_EACH (node, &self->relays) {
        const linked_relay_t *relay = LIST_ITEM(node, linked_relay_t, node);
        bool elsewhere = relay->told.number && relay->told.lineage != view->lineage;
        left += elsewhere && view_find(view, link_peer(relay->link));
    }
    return (view->count - left) * 2 <= view->count;
}

/* "Greater" orders lineages only: an outdated view may have more members than its own successor. */
static const view_t *greatest(const routes_t *self)
{
    static const view_t none = {0};
    const view_t *best = &none;
    LIST_EACH (node, &self->relays) {
        const view_t *told = &LIST_ITEM(node, linked_relay_t, node)->told;
        if (told->number == 0 || is_outdated(self, told) || has_ended(self, told))
            continue;
        if (best->number == 0 || (told->lineage != best->lineage && view_is_greater(told, best)))
            best = told;
    }
    return best;
}

/* A member that has told another lineage has left, though the others may not have noticed: what it says of its channels is
 * not what they will say. */
static bool is_member(const routes_t *self, const linked_relay_t *relay)
{
    bool left = relay->told.number && relay->told.lineage != self->view.lineage;
    return !left && view_find(&self->view, link_peer(relay->link));
}

/* true: some relay is a way now that was none, or the other way round. */
static bool open_members(routes_t *self)
{
    size_t members = 0;
    bool changed = false;
    LIST_EACH (node, &self->relays)
        members += is_member(self, LIST_ITEM(node, linked_relay_t, node));
    self->open = 0;
    LIST_EACH (node, &self->relays) {
        linked_relay_t *relay = LIST_ITEM(node, linked_relay_t, node);
        bool open = members == 0 || is_member(self, relay);
        changed |= open != relay->open;
        relay->open = open;
        self->open += open;
    }
    return changed;
}

typedef struct arranged {
    bool view, ways; /* what is another one now */
} arranged_t;

static arranged_t arrange(routes_t *self)
{
    self->before = self->view;
    self->view = *greatest(self);
    return (arranged_t){.ways = open_members(self), .view = !view_same(&self->before, &self->view)};
}

/* --- events --- */

bool routes_up(routes_t *self, link_t *link, const view_t *told)
{
    linked_relay_t *relay = find_relay(self, link_peer(link));
    if (!relay) {
        relay = mem_new(sizeof *relay);
        list_append(&self->relays, &relay->node);
    }
    relay->link = link;
    relay->told = *told;
    return arrange(self).view;
}

bool routes_told(routes_t *self, const link_t *link, const view_t *told)
{
    linked_relay_t *relay = find_relay(self, link_peer(link));
    if (relay)
        relay->told = *told;
    arranged_t arranged = arrange(self);
    return arranged.view || arranged.ways;
}

bool routes_down(routes_t *self, const link_t *link)
{
    linked_relay_t *relay = find_relay(self, link_peer(link));
    if (relay)
        list_remove(&relay->node);
    mem_free(relay);
    return arrange(self).view;
}

/* --- ways --- */

link_t *routes_find(const routes_t *self, span_t channel)
{
    link_t *best = NULL;
    uint64_t best_weight = 0;
    LIST_EACH (node, &self->relays) {
        const linked_relay_t *relay = LIST_ITEM(node, linked_relay_t, node);
        if (!relay->open || !link_is_up(relay->link))
            continue;
        if (self->open == 1)
            return relay->link;
        uint64_t weight = owner_weight(channel, span_str(link_peer_name(relay->link)));
        if (!best || weight > best_weight) {
            best = relay->link;
            best_weight = weight;
        }
    }
    return best;
}

size_t routes_ways(const routes_t *self, link_t **out, size_t max)
{
    size_t count = 0;
    LIST_EACH (node, &self->relays) {
        const linked_relay_t *relay = LIST_ITEM(node, linked_relay_t, node);
        if (count < max && relay->open && link_is_up(relay->link))
            out[count++] = relay->link;
    }
    return count;
}

link_t *routes_to(const routes_t *self, uint64_t id)
{
    const linked_relay_t *relay = find_relay(self, id);
    return relay && relay->open ? relay->link : NULL;
}

uint64_t routes_moved_from(const routes_t *self, span_t channel)
{
    if (view_same(&self->before, &self->view))
        return 0;
    uint64_t owner = view_ranks(&self->before, channel).owner;
    bool same_lineage = self->before.lineage == self->view.lineage;
    return same_lineage && view_ranks(&self->view, channel).owner == owner ? 0 : owner;
}
