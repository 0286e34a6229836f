#include "relay/copies.h"

#include "base/err.h"
#include "base/mem.h"

/* What may be on its way to a replica, of its link's window; behind it publications have to wait. */
#define WINDOW_SHARE 3 / 4

/* A channel's history goes over as one piece, so it may not be larger than that part of a window: the newest messages. */
#define STATE_SHARE 1 / 4

typedef struct entry {
    list_node_t node;
    relay_channel_t *channel; /* borrowed; it stays while it has waiting publications */
    relay_peer_slot_t origin;
    uint64_t origin_node; /* whose slot it was: by now it may be another one's */
    uint64_t counter;     /* the publisher's */
    position_t position;
    uint64_t ordinal; /* done when the replica keeps so many */
    uint32_t size;    /* of the MSG; 0 = only to be confirmed */
    uint8_t bytes[];
} entry_t;

struct relay_replica {
    uint64_t member;
    list_t entries;
    uint64_t sent, kept; /* STATEs and COPYs of this view */
    uint64_t introduced; /* `sent` behind the last STATE and its COPYs */
};

static void init_replicas(relay_copies_t *self)
{
    for (size_t i = 0; i < VIEW_MEMBERS_MAX; i++) {
        self->replicas[i] = (struct relay_replica){0};
        list_init(&self->replicas[i].entries);
    }
}

void relay_copies_init(relay_copies_t *self, relay_tenures_t *tenures, const relay_copies_events_t *events)
{
    *self = (relay_copies_t){.tenures = tenures, .events = *events};
    self->replicas = mem_new_n(VIEW_MEMBERS_MAX, sizeof *self->replicas);
    list_init(&self->held);
    init_replicas(self);
}

static void drop(relay_copies_t *self, entry_t *entry)
{
    list_remove(&entry->node);
    self->bytes -= entry->size;
    mem_free(entry);
}

static void drop_all(relay_copies_t *self, list_t *entries)
{
    while (!list_empty(entries))
        drop(self, LIST_ITEM(entries->head.next, entry_t, node));
}

void relay_copies_fini(relay_copies_t *self)
{
    for (size_t i = 0; i < VIEW_MEMBERS_MAX; i++)
        drop_all(self, &self->replicas[i].entries);
    drop_all(self, &self->held);
    mem_free(self->replicas);
    buf_fini(&self->scratch);
}

void relay_copies_attach(relay_copies_t *self, const node_t *node)
{
    self->node = node;
}

/* The one of a member of this view; made when it is first needed. */
static struct relay_replica *find_replica(relay_copies_t *self, uint64_t member)
{
    size_t at = 0;
    while (self->replicas[at].member && self->replicas[at].member != member)
        at++;
    self->replicas[at].member = member;
    return &self->replicas[at];
}

static relay_replica_state_t look_at_replica(const relay_copies_t *self, span_t channel,
                                             const relay_mesh_t *mesh, link_t **replica)
{
    const relay_tenures_t *tenures = self->tenures;
    if (tenures->view.count < 2 || !tenures->replicas)
        return REPLICA_NONE;
    view_ranks_t ranks = view_ranks(&tenures->view, channel);
    *replica = node_find_link(self->node, ranks.replica);
    bool ready = *replica && link_is_up(*replica) && relay_mesh_has_arrived(mesh, ranks.replica);
    return ready ? REPLICA_READY : REPLICA_LATE;
}

/* What is held goes first. */
relay_replica_state_t relay_copies_state(const relay_copies_t *self, span_t channel, const relay_mesh_t *mesh,
                                         link_t **replica)
{
    if (!list_empty(&self->held))
        return REPLICA_LATE;
    return look_at_replica(self, channel, mesh, replica);
}

/* --- states --- */

/* Where to begin so that what is sent fits; the messages before are left behind. */
static uint32_t first_that_fits(const relay_history_t *history, size_t room)
{
    uint32_t at = history->count;
    size_t bytes = 0;
    while (at > 0) {
        bytes += relay_history_at(history, at - 1)->size + 32u;
        if (bytes > room)
            break;
        at--;
    }
    return at;
}

static int send_state(const relay_copies_t *self, relay_channel_t *channel, link_t *link, unsigned flags,
                      uint32_t count, uint64_t now_us)
{
    const relay_standing_t *standing = relay_channel_standing(channel);
    position_t position = relay_channel_position(channel);
    buf_t presence = {0};
    if (!(flags & STATE_COPY))
        relay_channel_write_presence(channel, self->tenures->context, &presence);
    envelope_t state = {.kind = KIND_STATE,
                        .state = {.channel = relay_channel_name(channel),
                                  .number = self->tenures->view.number,
                                  .tag = standing->tag,
                                  .epoch = standing->renewed ? (span_t){0} : position_epoch(&position),
                                  .offset = position.offset,
                                  .flags = flags,
                                  .count = count,
                                  .presence = buf_span(&presence)}};
    int err = link_send(link, &state, now_us);
    buf_fini(&presence);
    return err;
}

static int send_message(relay_copies_t *self, link_t *link, span_t encoded, uint64_t age_us, uint64_t now_us)
{
    envelope_t copy = {.kind = KIND_COPY, .copy = {self->tenures->view.number, age_us, encoded}};
    buf_clear(&self->scratch);
    envelope_encode(&self->scratch, &copy);
    return link_send_encoded(link, buf_span(&self->scratch), now_us);
}

int relay_copies_send_state(relay_copies_t *self, relay_channel_t *channel, link_t *link, unsigned flags,
                            uint64_t now_us, uint64_t *sent)
{
    const relay_history_t *history = relay_channel_history(channel);
    size_t window = link_window(link);
    if (link_held(link) > window / 2)
        return ERR_FULL;
    uint32_t at = first_that_fits(history, window * STATE_SHARE);
    while ((flags & STATE_FOREIGN) && at < history->count &&
           relay_history_at(history, at)->time_us < self->tenures->left_us)
        at++;
    int err = send_state(self, channel, link, flags, history->count - at, now_us);
    if (err)
        return err;
    ++*sent;
    self->states++;
    for (; at < history->count; at++) {
        const relay_message_t *message = relay_history_at(history, at);
        err = send_message(self, link, relay_message_bytes(message), now_us - message->time_us, now_us);
        if (err) { /* half a channel is worse than none */
            link_reset(link, err, now_us);
            return err;
        }
        ++*sent;
    }
    return OK;
}

int relay_copies_introduce(relay_copies_t *self, relay_channel_t *channel, link_t *replica, uint64_t now_us)
{
    relay_standing_t *standing = relay_channel_standing(channel);
    if (standing->copied)
        return OK;
    struct relay_replica *to = find_replica(self, link_peer(replica));
    int err = relay_copies_send_state(self, channel, replica, STATE_COPY, now_us, &to->sent);
    standing->copied = err == OK;
    to->introduced = err ? to->introduced : to->sent;
    return err;
}

/* --- publications --- */

static bool has_room(const link_t *replica)
{
    return link_held(replica) <= link_window(replica) * WINDOW_SHARE;
}

static entry_t *add(relay_copies_t *self, list_t *entries, relay_channel_t *channel, span_t encoded)
{
    entry_t *entry = mem_grow(NULL, 1, sizeof *entry + encoded.size);
    *entry = (entry_t){.channel = channel, .size = (uint32_t)encoded.size};
    if (encoded.size)
        memcpy(entry->bytes, encoded.data, encoded.size);
    list_append(entries, &entry->node);
    self->bytes += encoded.size;
    return entry;
}

int relay_copies_publish(relay_copies_t *self, relay_channel_t *channel, link_t *replica,
                         const envelope_pub_t *publication, relay_peer_slot_t origin, uint64_t now_us,
                         uint64_t wall_us, position_t *position)
{
    relay_context_t *context = self->tenures->context;
    if (!has_room(replica))
        return ERR_FULL;
    int err = relay_copies_introduce(self, channel, replica, now_us);
    if (err)
        return err;
    *position = relay_channel_place_next(channel, context, publication, now_us, wall_us);
    span_t encoded = buf_span(&context->scratch);
    err = send_message(self, replica, encoded, 0, now_us);
    if (err) {
        relay_channel_standing(channel)->waiting--;
        return err;
    }
    self->copies++;
    struct relay_replica *to = find_replica(self, link_peer(replica));
    entry_t *entry = add(self, &to->entries, channel, encoded);
    entry->origin = origin;
    entry->origin_node = relay_peers_node(&self->tenures->context->peers, origin);
    entry->counter = publication->counter;
    entry->position = *position;
    entry->ordinal = ++to->sent;
    return OK;
}

void relay_copies_confirm(relay_copies_t *self, relay_channel_t *channel, link_t *replica,
                          relay_peer_slot_t origin, uint64_t counter, position_t position)
{
    struct relay_replica *to = find_replica(self, link_peer(replica));
    entry_t *entry = add(self, &to->entries, channel, (span_t){0});
    entry->origin = origin;
    entry->origin_node = relay_peers_node(&self->tenures->context->peers, origin);
    entry->counter = counter;
    entry->position = position;
    entry->ordinal = to->sent;
}

static bool is_that(const entry_t *entry, const relay_channel_t *channel, position_t position, uint64_t node,
                    uint64_t counter)
{
    if (entry->channel != channel || entry->size == 0 || entry->position.offset != position.offset)
        return false;
    envelope_t message;
    span_t bytes = span_new(entry->bytes, entry->size);
    return envelope_decode(&bytes, &message) == OK && message.msg.node == node &&
           message.msg.counter == counter;
}

bool relay_copies_holds(const relay_copies_t *self, const relay_channel_t *channel, position_t position,
                        uint64_t node, uint64_t counter)
{
    for (size_t i = 0; i < VIEW_MEMBERS_MAX && self->replicas[i].member; i++) {
        LIST_EACH (at, &self->replicas[i].entries) {
            if (is_that(LIST_ITEM(at, entry_t, node), channel, position, node, counter))
                return true;
        }
    }
    return false;
}

static void commit(relay_copies_t *self, entry_t *entry, uint64_t now_us)
{
    if (entry->size)
        relay_channel_commit(entry->channel, self->tenures->context, span_new(entry->bytes, entry->size),
                             now_us);
    bool is_there = relay_peers_node(&self->tenures->context->peers, entry->origin) == entry->origin_node;
    self->events.committed(self->events.context, is_there ? entry->origin : RELAY_NO_PEER, entry->counter,
                           entry->position, now_us);
    drop(self, entry);
}

void relay_copies_kept(relay_copies_t *self, const link_t *replica, const envelope_copied_t *copied,
                       uint64_t now_us)
{
    if (copied->number != self->tenures->view.number || !view_find(&self->tenures->view, link_peer(replica)))
        return;
    struct relay_replica *from = find_replica(self, link_peer(replica));
    if (copied->count > from->sent || copied->count < from->kept)
        return;
    from->kept = copied->count;
    while (!list_empty(&from->entries)) {
        entry_t *entry = LIST_ITEM(from->entries.head.next, entry_t, node);
        if (entry->ordinal > from->kept)
            return;
        commit(self, entry, now_us);
    }
}

bool relay_copies_states_are_kept(const relay_copies_t *self)
{
    for (size_t i = 0; i < VIEW_MEMBERS_MAX && self->replicas[i].member; i++) {
        if (self->replicas[i].kept < self->replicas[i].introduced)
            return false;
    }
    return true;
}

bool relay_copies_are_kept(const relay_copies_t *self)
{
    for (size_t i = 0; i < VIEW_MEMBERS_MAX && self->replicas[i].member; i++) {
        if (self->replicas[i].kept < self->replicas[i].sent)
            return false;
    }
    return list_empty(&self->held);
}

/* --- a new view --- */

/* Within one replica's queue, and so within one channel, the order stays. */
void relay_copies_restart(relay_copies_t *self)
{
    for (size_t i = 0; i < VIEW_MEMBERS_MAX; i++) {
        for (list_node_t *node; (node = list_pop(&self->replicas[i].entries)) != NULL;)
            list_append(&self->held, node);
    }
    init_replicas(self);
}

/* Not this relay's any more, or in another epoch: its publisher sends it again, to whom it may concern. */
static bool is_void(relay_copies_t *self, const entry_t *entry)
{
    relay_tenures_judge(self->tenures, entry->channel);
    return relay_channel_standing(entry->channel)->tenure != RELAY_OWNED ||
           !position_same_epoch(relay_channel_position(entry->channel), entry->position);
}

static int send_held(relay_copies_t *self, entry_t *entry, link_t *replica, uint64_t now_us)
{
    if (!has_room(replica))
        return ERR_FULL;
    struct relay_replica *to = find_replica(self, link_peer(replica));
    if (entry->size) {
        int err = relay_copies_introduce(self, entry->channel, replica, now_us);
        if (!err)
            err = send_message(self, replica, span_new(entry->bytes, entry->size), 0, now_us);
        if (err)
            return err;
        to->sent++;
    }
    entry->ordinal = to->sent;
    list_remove(&entry->node);
    list_append(&to->entries, &entry->node);
    return OK;
}

bool relay_copies_resume(relay_copies_t *self, const relay_mesh_t *mesh, uint64_t now_us)
{
    while (!list_empty(&self->held)) {
        entry_t *entry = LIST_ITEM(self->held.head.next, entry_t, node);
        link_t *replica = NULL;
        if (is_void(self, entry)) {
            self->events.voided(self->events.context, span_new(entry->bytes, entry->size));
            drop(self, entry);
            continue;
        }
        switch (look_at_replica(self, relay_channel_name(entry->channel), mesh, &replica)) {
        case REPLICA_NONE: commit(self, entry, now_us); break;
        case REPLICA_LATE: return false;
        case REPLICA_READY:
            if (send_held(self, entry, replica, now_us))
                return false;
        }
    }
    return true;
}
