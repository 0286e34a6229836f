/* fabric/routes - which relay to talk to for each channel: the relays that are linked, and what each of them told of the
 * members (protocol/view).
 * Owner:  an uplink embeds it.
 * Thread: its node's loop. Pure.
 * Life:   routes_init -> routes_up | routes_told | routes_down -> routes_fini
 *
 * The view in use is the greatest one that a linked relay told: of one lineage the newest, of several lineages the one that
 * takes the others in; one that a majority has left does not count. The way to a channel is the relay of that view with the
 * highest weight among those that are linked and have not left it: that is the owner, if it is one of them, and otherwise one
 * that forwards. Where no linked relay is a member of
 * the view, or none told one (an older relay, or one that is always alone), each one will do.
 */
#ifndef HEDDLE_FABRIC_ROUTES_H
#define HEDDLE_FABRIC_ROUTES_H

#include "base/list.h"
#include "protocol/link.h"
#include "protocol/view.h"

typedef struct routes {
    list_t relays; /* of those that are linked; owned */
    size_t open;   /* how many of them are ways */
    view_t view;   /* in use */
    view_t before; /* in use before the last event */
} routes_t;

void routes_init(routes_t *self);
void routes_fini(routes_t *self);

/* Events. The link is borrowed from up to down. True: another view is in use; of what a linked relay
 * told also: other relays are ways now. */
bool routes_up(routes_t *self, link_t *relay, const view_t *told);
bool routes_told(routes_t *self, const link_t *relay, const view_t *told);
bool routes_down(routes_t *self, const link_t *relay);

link_t *routes_find(const routes_t *self, span_t channel); /* NULL = no relay is there */

/* All that routes_find chooses from: lends at most `max` links; returns how many. */
size_t routes_ways(const routes_t *self, link_t **out, size_t max);

/* The link to this relay, if it is one of those that routes_find chooses from; NULL. */
link_t *routes_to(const routes_t *self, uint64_t relay);

/* Who owned the channel before the last event, if that event gave it another owner, or another lineage; else 0. */
uint64_t routes_moved_from(const routes_t *self, span_t channel);

#endif
