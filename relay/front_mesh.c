/* relay/front_mesh - the part of relay/front that has to do with other relays. */
#include <inttypes.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "protocol/namespaces.h"
#include "relay/front_inside.h"

/* --- events of the parts --- */

static void tell_edges(relay_front_t *self, const view_t *view, uint64_t now_us)
{
    buf_t list = {0};
    view_encode(view, &list);
    node_set_members(self->node, buf_span(&list));
    buf_clear(&list);
    view_write_members(view, &list);
    envelope_t members = {.kind = KIND_MEMBERS, .members = {view->lineage, view->number, buf_span(&list)}};
    relay_peer_slot_t slot = 0;
    for (link_t *link; (link = relay_peers_next(&self->context.peers, &slot)) != NULL;) {
        if (link_peer_role(link) != ROLE_RELAY)
            relay_front_reply(self, slot - 1, &members, now_us);
    }
    buf_fini(&list);
}

/* An owner that was asked in the view that ends may be none in the next one, and who asked may have known that view before
 * this relay: those for whom something was forwarded that lasts begin anew. */
static void reset_those_behind(relay_front_t *self, uint64_t now_us)
{
    relay_peer_slot_t slot = 0;
    for (link_t *link; (link = relay_peers_next(&self->context.peers, &slot)) != NULL;) {
        if (relay_peers_forwarded(&self->context.peers, slot - 1))
            link_reset(link, ERR_CLOSED, now_us);
    }
}

static const char *step_name(mesh_step_t step)
{
    return step == MESH_SUCCEEDED ? "succeeded" : step == MESH_LEFT ? "left" : "joined";
}

static void view_changed(void *context, const mesh_change_t *change, uint64_t now_us)
{
    relay_front_t *self = context;
    log_info("mesh.view", "step=%s number=%" PRIu64 " members=%zu", step_name(change->step),
             change->to->number, change->to->count);
    relay_tenures_step(&self->tenures, change, relay_handover_is_done(&self->handover),
                       relay_copies_states_are_kept(&self->copies), now_us);
    relay_copies_restart(&self->copies);
    relay_handover_begin(&self->handover);
    self->counts.views++;
    reset_those_behind(self, now_us);
    tell_edges(self, change->to, now_us);
}

static void committed(void *context, relay_peer_slot_t origin, uint64_t counter, position_t position,
                      uint64_t now_us)
{
    relay_front_t *self = context;
    envelope_t ok = {.kind = KIND_PUB_OK, .pub_ok = {counter, position_epoch(&position), position.offset}};
    self->counts.published++;
    relay_front_reply(self, origin, &ok, now_us);
}

static void voided(void *context, span_t encoded)
{
    relay_front_t *self = context;
    envelope_t message;
    if (encoded.size && envelope_decode(&encoded, &message) == OK)
        relay_publishers_forget(&self->publishers, message.msg.node, message.msg.counter);
}

static void guest_message(void *context, const envelope_msg_t *message, uint64_t now_us)
{
    relay_front_t *self = context;
    envelope_t pub = {.kind = KIND_PUB,
                      .pub = {.node = message->node,
                              .counter = message->counter,
                              .channel = message->channel,
                              .flags = message->flags | MESSAGE_RESENT,
                              .client = message->client,
                              .user = message->user,
                              .info = message->info,
                              .payload = message->payload}};
    relay_wish_t wish = {.from = RELAY_NO_PEER, .envelope = &pub};
    relay_front_hold(self, &wish, NULL, now_us);
}

/* --- life --- */

static uint64_t digest(const relay_front_options_t *options)
{
    buf_t list = {0};
    namespaces_encode(options->namespaces, &list);
    buf_append_byte(&list, options->replicas);
    uint64_t sum = hash_bytes((hash_key_t){1, 0}, buf_span(&list));
    buf_fini(&list);
    return sum;
}

void relay_front_open_mesh(relay_front_t *self, const relay_front_options_t *options, uint64_t now_us)
{
    static const relay_mesh_events_t mesh_events = {.changed = view_changed};
    const relay_copies_events_t copies_events = {committed, voided, self};
    const relay_handover_events_t handover_events = {guest_message, self};
    const relay_mesh_options_t mesh = {.name = options->name,
                                       .peers = options->peers,
                                       .options = digest(options),
                                       .seed = options->seed + 1,
                                       .events = &mesh_events,
                                       .context = self};
    self->mesh = relay_mesh_new(&mesh, now_us);
    relay_tenures_init(&self->tenures, &self->context, self->directory, options->replicas, options->seed + 2);
    relay_copies_init(&self->copies, &self->tenures, &copies_events);
    relay_handover_init(&self->handover, &self->tenures, &self->copies, &self->publishers, &handover_events);
    relay_waiting_init(&self->waiting);
}

void relay_front_close_mesh(relay_front_t *self)
{
    relay_waiting_fini(&self->waiting);
    relay_handover_fini(&self->handover);
    relay_copies_fini(&self->copies);
    relay_tenures_fini(&self->tenures);
    relay_mesh_destroy(&self->mesh);
}

static void serve_or_not(relay_front_t *self, uint64_t now_us)
{
    bool relays_only = !relay_mesh_serves(self->mesh);
    if (relays_only == self->relays_only)
        return;
    self->relays_only = relays_only;
    log_info("mesh.serves", "edges=%s", relays_only ? "no" : "yes");
    node_set_relays_only(self->node, relays_only, now_us);
}

void relay_front_attach(relay_front_t *self, node_t *node)
{
    self->node = node;
    relay_mesh_attach(self->mesh, node);
    relay_copies_attach(&self->copies, node);
    relay_handover_attach(&self->handover, node, self->mesh);
    relay_tenures_begin(&self->tenures, node_id(node), relay_mesh_view(self->mesh));
    serve_or_not(self, self->started_us);
}

uint64_t relay_front_due(const relay_front_t *self)
{
    return relay_mesh_due(self->mesh);
}

/* --- waiting --- */

void relay_front_hold(relay_front_t *self, const relay_wish_t *wish, relay_channel_t *channel,
                      uint64_t now_us)
{
    int err =
        relay_waiting_hold(&self->waiting, wish->from, relay_peers_node(&self->context.peers, wish->from),
                           wish->hops, wish->envelope);
    if (err)
        relay_front_refuse(self, wish, ERR_UNAVAILABLE, now_us);
    else if (channel)
        relay_channel_standing(channel)->held++;
}

static void let_go(relay_front_t *self, const envelope_t *envelope)
{
    span_t name = envelope->kind == KIND_PUB ? envelope->pub.channel : envelope->sub.channel;
    relay_channel_t *channel = relay_directory_find(self->directory, name);
    if (channel)
        relay_channel_standing(channel)->held = 0;
}

/* In the order that they came; what has still to wait does so again, in that order. */
static void try_again(relay_front_t *self, uint64_t now_us)
{
    list_t requests;
    envelope_t envelope;
    list_init(&requests);
    relay_waiting_take_all(&self->waiting, &requests);
    LIST_EACH (node, &requests) {
        const relay_request_t *request = LIST_ITEM(node, relay_request_t, node);
        span_t bytes = span_new(request->bytes, request->size);
        if (envelope_decode(&bytes, &envelope) == OK && envelope.kind != KIND_ASK)
            let_go(self, &envelope);
    }
    for (list_node_t *node; (node = list_pop(&requests)) != NULL;) {
        relay_request_t *request = LIST_ITEM(node, relay_request_t, node);
        span_t bytes = span_new(request->bytes, request->size);
        bool wanted = relay_peers_node(&self->context.peers, request->from) == request->asker;
        if (wanted && envelope_decode(&bytes, &envelope) == OK) {
            relay_wish_t wish = {request->from, &envelope, request->hops};
            relay_front_take(self, &wish, now_us);
        }
        mem_free(request);
    }
}

/* --- forwarding --- */

/* What has to be done again by the node itself if that owner goes. */
static bool lasts(const envelope_t *envelope)
{
    return envelope->kind == KIND_SUB || envelope->kind == KIND_JOIN;
}

/* A publication may reach its owner on two ways, so it has to look whether it has it. */
static void encode_forward(const relay_wish_t *wish, uint64_t node, buf_t *out)
{
    buf_t inner = {0};
    envelope_t envelope = *wish->envelope;
    if (envelope.kind == KIND_PUB)
        envelope.pub.flags |= MESSAGE_RESENT;
    envelope_encode(&inner, &envelope);
    envelope_t forward = {.kind = KIND_FORWARD, .forward = {node, wish->hops + 1, buf_span(&inner)}};
    envelope_encode(out, &forward);
    buf_fini(&inner);
}

void relay_front_forward(relay_front_t *self, const relay_wish_t *wish, uint64_t owner, uint64_t now_us)
{
    uint64_t node = wish->from == RELAY_NO_PEER ? wish->envelope->pub.node
                                                : relay_peers_node(&self->context.peers, wish->from);
    link_t *link = node_find_link(self->node, owner);
    if (node == 0)
        return;
    if (wish->hops >= HOPS_MAX) {
        relay_front_refuse(self, wish, ERR_UNAVAILABLE, now_us);
        return;
    }
    if (!link || !link_is_up(link)) { /* the view is about to change */
        relay_front_hold(self, wish, NULL, now_us);
        return;
    }
    if (link_held(link) > link_window(link) / 2) { /* the rest is for what relays have to tell each other */
        relay_front_refuse(self, wish, ERR_UNAVAILABLE, now_us);
        return;
    }
    buf_t bytes = {0};
    encode_forward(wish, node, &bytes);
    if (link_send_encoded(link, buf_span(&bytes), now_us))
        relay_front_refuse(self, wish, ERR_UNAVAILABLE, now_us);
    else
        self->counts.forwarded++;
    if (lasts(wish->envelope))
        relay_peers_set_forwarded(&self->context.peers, wish->from);
    buf_fini(&bytes);
}

static bool is_forwardable(envelope_kind_t kind)
{
    return kind == KIND_PUB || kind == KIND_SUB || kind == KIND_UNSUB || kind == KIND_JOIN ||
           kind == KIND_LEAVE || kind == KIND_ASK;
}

static void take_forward(relay_front_t *self, link_t *link, const envelope_forward_t *forward,
                         uint64_t now_us)
{
    envelope_t envelope;
    span_t bytes = forward->envelope;
    if (forward->node == 0 || envelope_decode(&bytes, &envelope) || bytes.size ||
        !is_forwardable(envelope.kind)) {
        self->counts.unexpected++;
        return;
    }
    relay_wish_t wish = {.from = relay_peers_behind(&self->context.peers, link, forward->node),
                         .envelope = &envelope,
                         .hops = forward->hops < HOPS_MAX ? (unsigned)forward->hops : HOPS_MAX};
    relay_front_take(self, &wish, now_us);
}

/* What a relay says of a channel that it owns no more is late: the node has been told to ask another one. */
static bool is_late(const relay_front_t *self, const link_t *from, span_t bytes)
{
    envelope_t envelope;
    if (envelope_decode(&bytes, &envelope))
        return true;
    span_t channel = envelope.kind == KIND_MSG      ? envelope.msg.channel
                     : envelope.kind == KIND_SUB_OK ? envelope.sub_ok.channel
                     : envelope.kind == KIND_SUB_NO ? envelope.sub_no.channel
                                                    : (span_t){0};
    return channel.size && view_ranks(&self->tenures.view, channel).owner != link_peer(from);
}

/* It starts again from its positions. */
static void cut_off(relay_front_t *self, uint64_t node, uint64_t now_us)
{
    link_t *link = node_find_link(self->node, node);
    if (link && link_is_up(link) && link_peer_role(link) != ROLE_RELAY)
        link_reset(link, ERR_FULL, now_us);
}

static void take_back(relay_front_t *self, const link_t *from, const envelope_back_t *back, uint64_t now_us)
{
    if (back->envelope.size == 0) { /* it can't keep up with that owner */
        cut_off(self, back->node, now_us);
        return;
    }
    if (is_late(self, from, back->envelope))
        return;
    link_t *link = node_find_link(self->node, back->node);
    if (link && link_is_up(link) && link_peer_role(link) != ROLE_RELAY)
        (void)relay_peers_send(&self->context.peers, relay_peers_slot(link), back->envelope, now_us);
    else if (!link)
        (void)relay_peers_send(&self->context.peers,
                               relay_peers_find_any_behind(&self->context.peers, back->node), back->envelope,
                               now_us);
}

/* A node that the other relay forwarded for has gone. */
static void take_gone(relay_front_t *self, link_t *from, uint64_t node, uint64_t now_us)
{
    relay_peer_slot_t slot = relay_peers_find_behind(&self->context.peers, from, node);
    if (slot != RELAY_NO_PEER)
        relay_peers_kill(&self->context.peers, slot, now_us);
}

static void tell_relays_gone(relay_front_t *self, uint64_t node, uint64_t now_us)
{
    envelope_t gone = {.kind = KIND_GONE, .gone = {node}};
    relay_peer_slot_t slot = 0;
    for (link_t *link; (link = relay_peers_next(&self->context.peers, &slot)) != NULL;) {
        if (link_peer_role(link) == ROLE_RELAY)
            relay_front_reply(self, slot - 1, &gone, now_us);
    }
}

void relay_front_mesh_down(relay_front_t *self, link_t *link, uint64_t now_us)
{
    if (link_peer_role(link) == ROLE_RELAY) {
        relay_peers_kill_behind(&self->context.peers, link, now_us);
        relay_mesh_down(self->mesh, link, now_us);
    } else if (relay_peers_forwarded(&self->context.peers, relay_peers_slot(link))) {
        tell_relays_gone(self, link_peer(link), now_us);
    }
}

/* --- dispatch --- */

bool relay_front_take_from_relay(relay_front_t *self, link_t *link, const envelope_t *envelope,
                                 uint64_t now_us)
{
    switch (envelope->kind) {
    case KIND_MEET:
    case KIND_PREPARE:
    case KIND_PROMISE:
    case KIND_ACCEPT:
    case KIND_ACCEPTED:
    case KIND_NACK:
    case KIND_INSTALL: relay_mesh_envelope(self->mesh, link, envelope, now_us); return true;
    case KIND_SYNCED: relay_handover_take_synced(&self->handover, link, &envelope->synced); return true;
    case KIND_SETTLED: relay_handover_take_settled(&self->handover, link, &envelope->settled); return true;
    case KIND_STATE: relay_handover_take_state(&self->handover, link, &envelope->state, now_us); return true;
    case KIND_COPY: relay_handover_take_copy(&self->handover, link, &envelope->copy, now_us); return true;
    case KIND_COPIED: relay_copies_kept(&self->copies, link, &envelope->copied, now_us); return true;
    case KIND_FORWARD: take_forward(self, link, &envelope->forward, now_us); return true;
    case KIND_BACK: take_back(self, link, &envelope->back, now_us); return true;
    case KIND_GONE: take_gone(self, link, envelope->gone.node, now_us); return true;
    default: return false;
    }
}

bool relay_front_mesh_turn(relay_front_t *self, uint64_t now_us)
{
    if (relay_mesh_tick(self->mesh, now_us))
        serve_or_not(self, now_us);
    bool more = relay_handover_turn(&self->handover, now_us);
    bool resumed = relay_copies_resume(&self->copies, self->mesh, now_us);
    if (resumed && self->waiting.count)
        try_again(self, now_us);
    return more;
}
