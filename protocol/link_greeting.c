/* protocol/link_greeting - the part of protocol/link that greets: HELLO, WELCOME, refusals. */
#include "base/err.h"
#include "protocol/link_inside.h"

#define SOFTWARE "heddle " HEDDLE_VERSION

/* A refused initiator asks so many times less often. */
#define REFUSED_FACTOR 25u

void link_send_hello(link_t *self, uint64_t now_us)
{
    envelope_t hello = {.kind = KIND_HELLO,
                        .hello = {WIRE_VERSION, span_str(self->self->name), self->self->role,
                                  span_str(self->self->cluster), SPAN(SOFTWARE)}};
    link_send_control(self, &hello, now_us);
    self->greet_at = now_us + self->settings->greet_us * (self->refused ? REFUSED_FACTOR : 1u);
}

static void send_welcome(link_t *self, uint64_t now_us)
{
    envelope_t welcome = {.kind = KIND_WELCOME,
                          .welcome = {WIRE_VERSION, span_str(self->self->name), self->self->role,
                                      span_str(self->self->cluster), SPAN(SOFTWARE), self->heartbeat_us,
                                      self->self->members, self->self->namespaces}};
    link_send_control(self, &welcome, now_us);
}

static void send_refuse(link_t *self, int code, const char *reason, uint64_t now_us)
{
    envelope_t refuse = {.kind = KIND_REFUSE, .refuse = {(uint64_t)-code, span_str(reason)}};
    link_send_control(self, &refuse, now_us);
}

static void learn_peer(link_t *self, span_t name, uint64_t role)
{
    size_t size = name.size < NODE_NAME_MAX ? name.size : NODE_NAME_MAX;
    memcpy(self->peer_name, name.data, size);
    self->peer_name[size] = '\0';
    self->peer_role = role <= ROLE_TOOL ? (node_role_t)role : (node_role_t)0;
}

static int greeting_fault(const link_t *self, uint64_t protocol, span_t cluster)
{
    if (protocol != WIRE_VERSION)
        return ERR_VERSION;
    return span_is(cluster, self->self->cluster) ? OK : ERR_CLUSTER;
}

void link_take_hello(link_t *self, const link_header_t *header, const envelope_t *envelope, uint64_t now_us)
{
    if (self->initiator || header->session < self->peer_session || header->session == 0) {
        self->counts.stale++;
        return;
    }
    if (header->session == self->peer_session && link_is_up(self)) {
        send_welcome(self, now_us); /* ours was lost */
        return;
    }
    if (link_is_up(self))
        link_end_session(self, ERR_CLOSED, now_us);
    int fault = greeting_fault(self, envelope->hello.protocol, envelope->hello.cluster);
    if (fault) {
        self->peer_session = header->session;
        send_refuse(self, fault,
                    fault == ERR_VERSION ? "this relay speaks another version" : "another cluster", now_us);
        return;
    }
    link_start_session(self, header->session, now_us);
    learn_peer(self, envelope->hello.name, envelope->hello.role);
    link_go(self, LINK_UP);
    send_welcome(self, now_us);
    self->events->up(self->context, self, envelope);
}

void link_take_welcome(link_t *self, const link_header_t *header, const envelope_t *envelope, uint64_t now_us)
{
    if (self->state != LINK_GREETING || !self->initiator || header->ack_session != self->session ||
        header->session == 0 || greeting_fault(self, envelope->welcome.protocol, envelope->welcome.cluster)) {
        self->counts.stale++;
        return;
    }
    self->peer_session = header->session;
    self->last_heard = now_us;
    if (envelope->welcome.heartbeat_us >= HEARTBEAT_MIN_US &&
        envelope->welcome.heartbeat_us <= HEARTBEAT_MAX_US)
        self->heartbeat_us = envelope->welcome.heartbeat_us;
    self->refused = false;
    learn_peer(self, envelope->welcome.name, envelope->welcome.role);
    link_go(self, LINK_UP);
    self->events->up(self->context, self, envelope);
}

static int refusal(uint64_t code)
{
    if (code == (uint64_t)-ERR_CLUSTER)
        return ERR_CLUSTER;
    return code == (uint64_t)-ERR_DENIED ? ERR_DENIED : ERR_VERSION;
}

void link_take_refuse(link_t *self, const link_header_t *header, const envelope_t *envelope)
{
    if (self->state != LINK_GREETING || header->ack_session != self->session)
        return;
    self->refused = true;
    self->events->refused(self->context, self, refusal(envelope->refuse.code), envelope->refuse.reason);
}
