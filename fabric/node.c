#include "fabric/node.h"

#include <inttypes.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/table.h"

/* A relay that is missing is asked for this often; it may be starting right now. */
#define SEEK_HASTE_US (100u * CLOCK_MS)

/* When all are there: a relay that was restarted has a new id, and is found this soon. */
#define SEEK_CALM_US CLOCK_SEC

/* An initiator's link that greets in vain for so long is given up: the id is gone, SEEK finds the new one. */
#define GREETING_MAX_US (10u * CLOCK_SEC)

#define MAX_LINKS_DEFAULT 4096u

_Static_assert(CLUSTER_MAX == NODE_NAME_MAX, "one check serves both names");

typedef struct peer {
    uint64_t id;
    link_t *link; /* owned */
    list_node_t node;
    uint32_t key;            /* of whoever began it */
    uint64_t greeting_since; /* us; initiator's links */
} peer_t;

struct node {
    node_options_t options;
    link_identity_t identity;
    link_events_t link_events;
    buf_t namespaces, members; /* what identity's lists point to */
    table_t peers;             /* by id */
    list_t order;              /* the same peers */
    uint64_t sessions;
    uint64_t seek_at;   /* us */
    uint64_t last_turn; /* us */
    size_t up;          /* links that are up */
    bool gone;          /* some accepted link is at its end and is to be freed */
    bool relays_only;   /* HELLOs of others are not answered */
    bool closed;
    node_counts_t counts; /* of the node, and of links that are gone */
};

/* --- links --- */

static span_t peer_key(const void *item)
{
    const peer_t *peer = item;
    return span_new(&peer->id, sizeof peer->id);
}

static peer_t *find_peer(const node_t *self, uint64_t id)
{
    return table_get(&self->peers, span_new(&id, sizeof id));
}

static void add_counts(link_counts_t *sum, const link_counts_t *counts)
{
    sum->messages_in += counts->messages_in;
    sum->messages_out += counts->messages_out;
    sum->envelopes_in += counts->envelopes_in;
    sum->envelopes_out += counts->envelopes_out;
    sum->bytes_in += counts->bytes_in;
    sum->bytes_out += counts->bytes_out;
    sum->gaps += counts->gaps;
    sum->duplicates += counts->duplicates;
    sum->resent += counts->resent;
    sum->stale += counts->stale;
    sum->unknown += counts->unknown;
}

static void remove_peer(node_t *self, peer_t *peer)
{
    table_remove(&self->peers, peer_key(peer));
    list_remove(&peer->node);
    add_counts(&self->counts.link, link_counts(peer->link));
    link_destroy(&peer->link);
    mem_free(peer);
}

static uint64_t random_number(node_t *self)
{
    return self->options.random ? random_next(self->options.random) : random_u64();
}

/* A counter in the high half, so that sessions grow; chance in the low half, so that they can't be guessed
 * (docs/decisions/0007). */
static uint64_t new_session(void *context)
{
    node_t *self = context;
    return ++self->sessions << 32 | (random_number(self) & UINT32_MAX);
}

static void link_ahead(void *context, const envelope_t *envelopes, size_t count)
{
    const node_t *self = context;
    self->options.ahead(self->options.context, envelopes, count);
}

/* NULL when the table is full. */
static peer_t *add_peer(node_t *self, uint64_t id, uint32_t key, bool initiator, uint64_t now_us)
{
    size_t limit = self->options.max_links ? self->options.max_links : MAX_LINKS_DEFAULT;
    if (self->peers.count >= limit) {
        self->counts.refusals++;
        log_warn("node.full", "links=%zu", limit);
        return NULL;
    }
    peer_t *peer = mem_new(sizeof *peer);
    peer->id = id;
    peer->key = key;
    peer->greeting_since = now_us;
    link_options_t options = {&self->identity, &self->options.link, &self->link_events, new_session, self, id,
                              initiator};
    peer->link = link_new(&options, now_us);
    link_set_ahead(peer->link, self->options.ahead ? link_ahead : NULL);
    table_put(&self->peers, peer);
    list_append(&self->order, &peer->node);
    return peer;
}

/* --- events of links --- */

static int send_from_link(void *context, link_t *link, span_t message)
{
    (void)link;
    node_t *self = context;
    return self->options.events->send(self->options.context, message);
}

/* A relay of this name with another id is the same relay, started anew: the old link need not wait for its
 * death. */
static void reset_namesake(node_t *self, uint64_t id, span_t name, uint64_t now_us)
{
    LIST_EACH_SAFE (node, &self->order) {
        peer_t *peer = LIST_ITEM(node, peer_t, node);
        if (peer->id != id && link_is_up(peer->link) && span_is(name, link_peer_name(peer->link)))
            link_reset(peer->link, ERR_CLOSED, now_us);
    }
}

static void link_up(void *context, link_t *link, const envelope_t *greeting)
{
    node_t *self = context;
    self->up++;
    log_info("link.up", "peer=%s id=%016" PRIx64, log_safe(span_str(link_peer_name(link))), link_peer(link));
    if (link_peer_role(link) == ROLE_RELAY)
        reset_namesake(self, link_peer(link), span_str(link_peer_name(link)), self->last_turn);
    self->options.events->up(self->options.context, link, greeting);
}

static void link_envelope(void *context, link_t *link, const envelope_t *envelope)
{
    node_t *self = context;
    if (!role_may_say(link_peer_role(link), envelope->kind)) {
        self->counts.denied++;
        log_warn("node.denied", "peer=%s role=%s kind=%s", log_safe(span_str(link_peer_name(link))),
                 roles_name(link_peer_role(link)), envelope_kind_name(envelope->kind));
        return;
    }
    self->options.events->envelope(self->options.context, link, envelope);
}

static void link_down(void *context, link_t *link, int reason)
{
    node_t *self = context;
    self->up--;
    self->counts.downs++;
    peer_t *peer = find_peer(self, link_peer(link));
    CHECK(peer && peer->link == link);
    peer->greeting_since = self->last_turn;
    self->gone |= !link_is_initiator(link);
    log_warn("link.down", "peer=%s id=%016" PRIx64 " reason=%s", log_safe(span_str(link_peer_name(link))),
             link_peer(link), err_name(reason));
    self->options.events->down(self->options.context, link, reason);
}

static void link_refused(void *context, link_t *link, int code, span_t reason)
{
    node_t *self = context;
    self->counts.refusals++;
    log_error("link.refused", "id=%016" PRIx64 " code=%s reason=%s", link_peer(link), err_name(code),
              log_safe(reason));
}

/* --- life --- */

node_t *node_new(const node_options_t *options, uint64_t now_us)
{
    node_t *self = mem_new(sizeof *self);
    self->options = *options;
    self->link_events = (link_events_t){send_from_link, link_up, link_envelope, link_down, link_refused};
    self->identity =
        (link_identity_t){.name = options->name, .cluster = options->cluster, .role = options->role};
    do
        self->identity.id = random_number(self);
    while (self->identity.id == 0 || self->identity.id == HELLO_TOPIC);
    table_init(&self->peers, peer_key);
    list_init(&self->order);
    self->seek_at = options->seeks ? now_us : UINT64_MAX;
    self->last_turn = now_us;
    return self;
}

void node_destroy(node_t **self_p)
{
    node_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    while (!list_empty(&self->order))
        remove_peer(self, LIST_ITEM(self->order.head.next, peer_t, node));
    table_fini(&self->peers);
    buf_fini(&self->namespaces);
    buf_fini(&self->members);
    mem_free(self);
}

uint64_t node_id(const node_t *self)
{
    return self->identity.id;
}

void node_set_namespaces(node_t *self, span_t list)
{
    buf_clear(&self->namespaces);
    buf_append_span(&self->namespaces, list);
    self->identity.namespaces = buf_span(&self->namespaces);
}

void node_set_members(node_t *self, span_t list)
{
    buf_clear(&self->members);
    buf_append_span(&self->members, list);
    self->identity.members = buf_span(&self->members);
}

void node_set_relays_only(node_t *self, bool relays_only, uint64_t now_us)
{
    self->relays_only = relays_only;
    if (!relays_only)
        return;
    LIST_EACH_SAFE (node, &self->order) {
        link_t *link = LIST_ITEM(node, peer_t, node)->link;
        if (link_is_up(link) && link_peer_role(link) != ROLE_RELAY)
            link_reset(link, ERR_UNAVAILABLE, now_us);
    }
}

/* --- seeking --- */

void node_set_expected(node_t *self, size_t relays, uint64_t now_us)
{
    if (relays == 0)
        self->seek_at = UINT64_MAX;
    else if (relays > self->options.seeks)
        self->seek_at = now_us;
    self->options.seeks = relays;
}

/* A message of one envelope outside of any link; it may answer a session. */
static void send_loose(node_t *self, uint64_t topic, uint64_t session, const envelope_t *envelope)
{
    buf_t message = {0};
    link_header_t header = {.version = WIRE_VERSION, .source = self->identity.id, .ack_session = session};
    link_header_write(buf_reserve(&message, LINK_PREFIX_SIZE), topic, &header);
    buf_advance(&message, LINK_PREFIX_SIZE);
    envelope_encode(&message, envelope);
    (void)self->options.events->send(self->options.context, buf_span(&message)); /* asked again soon */
    buf_fini(&message);
}

static void seek(node_t *self, uint64_t now_us)
{
    envelope_t question = {.kind = KIND_SEEK, .seek = {span_str(self->identity.cluster)}};
    send_loose(self, HELLO_TOPIC, 0, &question);
    self->seek_at = now_us + (self->up < self->options.seeks ? SEEK_HASTE_US : SEEK_CALM_US);
}

static void take_seek(node_t *self, const link_header_t *header, const envelope_t *envelope)
{
    if (!self->options.accepts || !span_is(envelope->seek.cluster, self->identity.cluster))
        return;
    envelope_t answer = {.kind = KIND_HERE,
                         .here = {span_str(self->identity.cluster), span_str(self->identity.name)}};
    send_loose(self, header->source, 0, &answer);
}

/* Of two that both seek and accept, the one with the smaller id opens the link. */
static void take_here(node_t *self, uint32_t key, const link_header_t *header, const envelope_t *envelope,
                      uint64_t now_us)
{
    if (!self->options.seeks || find_peer(self, header->source))
        return;
    if (!span_is(envelope->here.cluster, self->identity.cluster))
        return;
    reset_namesake(self, header->source, envelope->here.name, now_us);
    if (self->options.accepts && header->source < self->identity.id)
        return;
    peer_t *peer = add_peer(self, header->source, key, true, now_us);
    if (peer)
        link_tick(peer->link, now_us);
}

/* --- receiving --- */

/* Not having run for long (a stopped process, a stalled machine), what the others said may still wait in the
 * sockets: that time counts for nobody's silence. To be looked at before anything is heard, or the pause would
 * be granted on top of what was heard after it. */
static void excuse_stall(node_t *self, uint64_t now_us)
{
    uint64_t pause = now_us - self->last_turn;
    if (pause < 2 * self->options.link.heartbeat_us)
        return;
    self->last_turn = now_us;
    log_warn("node.stalled", "for_ms=%" PRIu64, pause / CLOCK_MS);
    LIST_EACH (node, &self->order) {
        link_excuse(LIST_ITEM(node, peer_t, node)->link, pause);
    }
}

static void answer_stranger(node_t *self, const link_header_t *header)
{
    self->counts.strangers++;
    if (header->session == 0)
        return;
    buf_t message = {0};
    link_write_reset(&message, &self->identity, header->source, header->session, ERR_CLOSED);
    (void)self->options.events->send(self->options.context, buf_span(&message));
    buf_fini(&message);
}

static bool welcomes(const node_t *self, const envelope_t *hello)
{
    return self->options.accepts && (hello->hello.role == ROLE_RELAY || !self->relays_only);
}

static void take_hello(node_t *self, uint32_t key, const link_header_t *header, const envelope_t *hello,
                       span_t whole, uint64_t now_us)
{
    peer_t *peer = welcomes(self, hello) ? add_peer(self, header->source, key, false, now_us) : NULL;
    if (!peer)
        return;
    link_receive(peer->link, header, whole, now_us);
    if (link_state(peer->link) == LINK_DOWN) {
        self->counts.refusals++;
        self->gone = true;
    }
}

/* Unnumbered, and from a node that we have no link with. */
static void take_loose(node_t *self, uint32_t key, const link_header_t *header, span_t rest, uint64_t now_us)
{
    envelope_t envelope = {0}; /* stays so for a bare acknowledgement */
    span_t whole = rest;
    if (rest.size && envelope_decode(&rest, &envelope) != OK) {
        self->counts.malformed++;
        return;
    }
    switch (envelope.kind) {
    case KIND_SEEK: take_seek(self, header, &envelope); return;
    case KIND_HERE: take_here(self, key, header, &envelope, now_us); return;
    case KIND_HELLO: take_hello(self, key, header, &envelope, whole, now_us); return;
    case KIND_REFUSE:
    case KIND_RESET:
    case KIND_BYE: return; /* it is through with us, too */
    default: answer_stranger(self, header);
    }
}

static bool is_seeking(span_t rest)
{
    envelope_t envelope;
    return envelope_decode(&rest, &envelope) == OK &&
           (envelope.kind == KIND_SEEK || envelope.kind == KIND_HERE);
}

/* Something that is no message of ours: counted, told, dropped. */
static void drop(node_t *self, int err, const link_header_t *header)
{
    if (err == ERR_VERSION) {
        self->counts.versions++;
        log_warn("node.version", "id=%016" PRIx64 " version=%" PRIu64, header->source, header->version);
    } else {
        self->counts.malformed++;
        log_warn("node.malformed", "err=%s", err_name(err));
    }
}

/* Its own address may stand among those that it connects to: then its questions come back. */
static bool is_echo(const node_t *self, const link_header_t *header, span_t rest)
{
    envelope_t envelope;
    return header->source == self->identity.id && header->seq == 0 &&
           envelope_decode(&rest, &envelope) == OK && envelope.kind == KIND_SEEK;
}

/* What the sender says that it is, where it says so; ROLES_ALL elsewhere. */
static roles_t claimed_roles(const envelope_t *envelope)
{
    switch (envelope->kind) {
    case KIND_HERE: return roles_of(ROLE_RELAY);
    case KIND_HELLO: return roles_of(envelope->hello.role);
    case KIND_WELCOME: return roles_of(envelope->welcome.role);
    default: return ROLES_ALL;
    }
}

static void refuse_role(node_t *self, uint32_t key, const link_header_t *header, roles_t claimed)
{
    buf_t names = {0};
    roles_write(claimed, &names);
    self->counts.denied++;
    log_warn("node.role_refused", "id=%016" PRIx64 " key=%" PRIu32 " role=%s", header->source, key,
             log_safe(buf_span(&names)));
    buf_fini(&names);
    envelope_t refusal = {.kind = KIND_REFUSE,
                          .refuse = {(uint64_t)-ERR_DENIED, SPAN("the key does not allow this role")}};
    send_loose(self, header->source, header->session, &refusal);
}

/* Its key, not its word, says what a sender is. */
static bool is_entitled(node_t *self, node_sender_t sender, const link_header_t *header, span_t rest)
{
    envelope_t envelope;
    if (sender.roles == ROLES_ALL || header->seq || envelope_decode(&rest, &envelope))
        return true;
    roles_t claimed = claimed_roles(&envelope);
    if (claimed == ROLES_ALL || (sender.roles & claimed))
        return true;
    refuse_role(self, sender.key, header, claimed);
    return false;
}

static bool is_impostor(const node_t *self, node_sender_t sender, const peer_t *peer, uint64_t source)
{
    return source == self->identity.id || source == 0 || (peer && peer->key != sender.key);
}

void node_receive(node_t *self, node_sender_t sender, span_t message, uint64_t now_us)
{
    uint64_t topic;
    link_header_t header = {0};
    if (self->closed)
        return;
    excuse_stall(self, now_us);
    int err = link_header_read(&message, &topic, &header);
    if (err) {
        drop(self, err, &header);
        return;
    }
    if (is_echo(self, &header, message))
        return;
    peer_t *peer = find_peer(self, header.source);
    if (is_impostor(self, sender, peer, header.source)) {
        self->counts.impostors++;
        log_warn("node.impostor", "id=%016" PRIx64 " key=%" PRIu32, header.source, sender.key);
        return;
    }
    if (!is_entitled(self, sender, &header, message))
        return;
    if (peer && !(header.session == 0 && header.seq == 0 && is_seeking(message)))
        link_receive(peer->link, &header, message, now_us);
    else if (header.seq == 0)
        take_loose(self, sender.key, &header, message, now_us);
    else
        answer_stranger(self, &header);
}

size_t node_recheck(node_t *self, roles_t (*roles)(void *context, uint32_t key), void *context,
                    uint64_t now_us)
{
    size_t count = 0;
    LIST_EACH_SAFE (node, &self->order) {
        peer_t *peer = LIST_ITEM(node, peer_t, node);
        if (!link_is_up(peer->link) || (roles(context, peer->key) & roles_of(link_peer_role(peer->link))))
            continue;
        link_reset(peer->link, ERR_DENIED, now_us);
        count++;
    }
    return count;
}

/* --- time --- */

void node_flush(node_t *self, uint64_t now_us)
{
    LIST_EACH (node, &self->order) {
        link_flush(LIST_ITEM(node, peer_t, node)->link, now_us);
    }
}

static void reap(node_t *self, uint64_t now_us)
{
    LIST_EACH_SAFE (node, &self->order) {
        peer_t *peer = LIST_ITEM(node, peer_t, node);
        link_state_t state = link_state(peer->link);
        if (state == LINK_UP)
            peer->greeting_since = now_us;
        if (state == LINK_DOWN ||
            (state == LINK_GREETING && now_us >= peer->greeting_since + GREETING_MAX_US))
            remove_peer(self, peer);
    }
    self->gone = false;
}

void node_tick(node_t *self, uint64_t now_us)
{
    if (self->closed)
        return;
    excuse_stall(self, now_us);
    self->last_turn = now_us;
    LIST_EACH_SAFE (node, &self->order) {
        link_tick(LIST_ITEM(node, peer_t, node)->link, now_us);
    }
    reap(self, now_us);
    if (now_us >= self->seek_at)
        seek(self, now_us);
}

uint64_t node_due(const node_t *self)
{
    if (self->closed)
        return UINT64_MAX;
    if (self->gone)
        return 0;
    /* At least once a heartbeat, so that a stall can be told from an idle node. */
    uint64_t due = self->last_turn + self->options.link.heartbeat_us;
    if (self->seek_at < due)
        due = self->seek_at;
    LIST_EACH (node, &self->order) {
        uint64_t of_link = link_due(LIST_ITEM(node, peer_t, node)->link);
        if (of_link < due)
            due = of_link;
    }
    return due;
}

void node_close(node_t *self, const char *reason, uint64_t now_us)
{
    LIST_EACH (node, &self->order) {
        link_close(LIST_ITEM(node, peer_t, node)->link, reason, now_us);
    }
    self->up = 0;
    self->closed = true;
}

/* --- looking --- */

link_t *node_next_link(const node_t *self, size_t *at)
{
    peer_t *peer = table_next(&self->peers, at);
    return peer ? peer->link : NULL;
}

link_t *node_find_link(const node_t *self, uint64_t id)
{
    peer_t *peer = find_peer(self, id);
    return peer ? peer->link : NULL;
}

size_t node_links_up(const node_t *self)
{
    return self->up;
}

node_counts_t node_counts(const node_t *self)
{
    node_counts_t counts = self->counts;
    LIST_EACH (node, &self->order) {
        add_counts(&counts.link, link_counts(LIST_ITEM(node, peer_t, node)->link));
    }
    return counts;
}

int node_check_name(const char *text, buf_t *why)
{
    size_t size = strlen(text);
    size_t printable = 0;
    while (text[printable] > ' ' && text[printable] < 0x7f)
        printable++;
    if (size > 0 && size <= NODE_NAME_MAX && printable == size)
        return OK;
    buf_printf(why, "expected 1 to %u printable characters without space", NODE_NAME_MAX);
    return ERR_MALFORMED;
}
