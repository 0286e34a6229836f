/* What the tests of a relay's parts share: a link that is up, whose other side writes down what it hears. A test
 * includes it behind cmocka.h.
 */
#ifndef HEDDLE_TESTS_UNIT_RELAY_LISTENER_H
#define HEDDLE_TESTS_UNIT_RELAY_LISTENER_H

#include "base/err.h"
#include "protocol/codec.h"
#include "protocol/link.h"
#include "relay/peers.h"

#define MS      UINT64_C(1000)
#define SECOND  UINT64_C(1000000)
#define NOW     (1000 * SECOND)
#define SESSION 5u

typedef struct listener {
    relay_peers_t *peers; /* borrowed; a link that goes down is killed there, as the front does it */
    link_identity_t relay;
    link_settings_t settings;
    link_t *link;           /* owned */
    relay_peer_slot_t slot; /* in peers */
    unsigned downs;
    int reason;
    buf_t heard; /* a word and a space for each envelope */
    buf_t items; /* of the last ANSWER */
} listener_t;

static inline void write_down(listener_t *self, const envelope_t *envelope)
{
    switch (envelope->kind) {
    case KIND_MSG:
        buf_printf(&self->heard, "%.*s@%u ", SPAN_FMT(envelope->msg.payload), (unsigned)envelope->msg.offset);
        break;
    case KIND_SUB_OK:
        buf_printf(&self->heard, "SUB_OK:%u:%u:%u ", (unsigned)envelope->sub_ok.offset,
                   (unsigned)envelope->sub_ok.since, (unsigned)envelope->sub_ok.recovered);
        break;
    case KIND_ASK: buf_printf(&self->heard, "ASK:%u ", (unsigned)envelope->ask.id); break;
    case KIND_ANSWER:
        buf_printf(&self->heard, "ANSWER:%u:%d ", (unsigned)envelope->answer.id, -(int)envelope->answer.code);
        buf_clear(&self->items);
        buf_append_span(&self->items, envelope->answer.items);
        break;
    case KIND_JOIN:
        buf_printf(&self->heard, "JOIN:%.*s:%.*s:%.*s ", SPAN_FMT(envelope->join.client),
                   SPAN_FMT(envelope->join.user), SPAN_FMT(envelope->join.info));
        break;
    case KIND_LEAVE:
        buf_printf(&self->heard, "LEAVE:%.*s:%.*s:%.*s ", SPAN_FMT(envelope->leave.client),
                   SPAN_FMT(envelope->leave.user), SPAN_FMT(envelope->leave.info));
        break;
    default: buf_printf(&self->heard, "%s ", envelope_kind_name(envelope->kind));
    }
}

static inline int listener_send(void *context, link_t *link, span_t message)
{
    uint64_t topic;
    link_header_t header;
    (void)link;
    assert_int_equal(link_header_read(&message, &topic, &header), OK);
    while (header.seq && message.size) {
        envelope_t envelope;
        assert_int_equal(envelope_decode(&message, &envelope), OK);
        write_down(context, &envelope);
    }
    return OK;
}

static inline void listener_up(void *context, link_t *link, const envelope_t *greeting)
{
    listener_t *self = context;
    (void)greeting;
    self->slot = relay_peers_add(self->peers, link);
}

static inline void listener_envelope(void *context, link_t *link, const envelope_t *envelope)
{
    (void)context;
    (void)link;
    (void)envelope;
}

static inline void listener_down(void *context, link_t *link, int reason)
{
    listener_t *self = context;
    relay_peers_kill(self->peers, relay_peers_slot(link), NOW);
    self->downs++;
    self->reason = reason;
}

static inline void listener_refused(void *context, link_t *link, int code, span_t reason)
{
    (void)context;
    (void)link;
    (void)code;
    (void)reason;
}

static inline uint64_t listener_session(void *context)
{
    (void)context;
    return SESSION;
}

/* All whose links went down are dead from now on. */
static inline void listeners_die(relay_peers_t *peers)
{
    relay_peers_tick(peers, NOW + RELAY_PEER_LINGER_US);
}

static const link_events_t listener_events = {listener_send, listener_up, listener_envelope, listener_down,
                                              listener_refused};

/* `window` as the link's setting; 0 = the default. */
static inline void listener_start(listener_t *self, relay_peers_t *peers, uint64_t peer, node_role_t role,
                                  size_t window)
{
    const link_settings_t settings = LINK_SETTINGS_DEFAULT;
    *self = (listener_t){.peers = peers,
                         .relay = {.id = 1, .name = "relay-1", .cluster = "c", .role = ROLE_RELAY},
                         .settings = settings};
    self->settings.flush_us = 0;
    if (window)
        self->settings.window = window;
    const link_options_t options = {
        &self->relay, &self->settings, &listener_events, listener_session, self, peer, false};
    self->link = link_new(&options, NOW);
    envelope_t hello = {.kind = KIND_HELLO, .hello = {WIRE_VERSION, SPAN("e"), role, SPAN("c"), SPAN("")}};
    buf_t bytes = {0};
    envelope_encode(&bytes, &hello);
    const link_header_t header = {.version = WIRE_VERSION, .source = peer, .session = SESSION};
    link_receive(self->link, &header, buf_span(&bytes), NOW);
    buf_fini(&bytes);
    assert_true(link_is_up(self->link));
}

static inline void listener_stop(listener_t *self)
{
    link_destroy(&self->link);
    buf_fini(&self->heard);
    buf_fini(&self->items);
}

/* All that it has heard since the last call. */
static inline const char *listener_heard(listener_t *self)
{
    static buf_t text;
    link_flush(self->link, NOW);
    buf_clear(&text);
    buf_append_span(&text, buf_span(&self->heard));
    buf_clear(&self->heard);
    return buf_text(&text);
}

#endif
