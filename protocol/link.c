#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "protocol/link_inside.h"

/* After so many bytes an acknowledgement does not wait for its delay: far below any window, many batches. */
#define ACK_BYTES (256u * 1024)

/* Sent again in one go; its acknowledgement calls for the next. */
#define RESEND_BURST (1024u * 1024)

/* A batch that has grown so far is not held back for pacing any more. */
#define PACED_BYTES (16u * 1024)

/* After a refused send, link_due waits so long: the reader is behind by more than that, and asking at once
 * would turn the loop for nothing. */
#define RETRY_US 5000u

/* --- state --- */

#define BIT(state) (1u << LINK_##state)

static const unsigned legal[] = {
    [LINK_GREETING] = BIT(UP) | BIT(DOWN),
    [LINK_UP] = BIT(SUSPECT) | BIT(GREETING) | BIT(DOWN),
    [LINK_SUSPECT] = BIT(UP) | BIT(GREETING) | BIT(DOWN),
    [LINK_DOWN] = BIT(UP), /* a HELLO revives the accepting side */
};

void link_go(link_t *self, link_state_t next)
{
    CHECK(legal[self->state] >> next & 1u);
    self->state = next;
}

void link_start_session(link_t *self, uint64_t peer_session, uint64_t now_us)
{
    send_queue_clear(&self->queue);
    self->session = self->session_fn(self->context);
    self->peer_session = peer_session;
    self->received = 0;
    self->resend_at = self->ack_due = 0;
    self->resend_wait = self->settings->resend_us;
    self->resent_from = self->resent_to = self->resent_at = self->lost_to = 0;
    self->ack_bytes = 0;
    self->asked_resend = self->asked_at = 0;
    self->last_flush = 0;
    self->last_heard = now_us;
}

link_t *link_new(const link_options_t *options, uint64_t now_us)
{
    link_t *self = mem_new(sizeof *self);
    self->self = options->self;
    self->settings = options->settings;
    self->events = options->events;
    self->session_fn = options->session;
    self->context = options->context;
    self->peer = options->peer;
    self->initiator = options->initiator;
    self->heartbeat_us = options->settings->heartbeat_us;
    self->state = options->initiator ? LINK_GREETING : LINK_DOWN;
    send_queue_init(&self->queue);
    self->last_sent = self->last_heard = self->greet_at = now_us;
    if (self->initiator)
        link_start_session(self, 0, now_us);
    return self;
}

void link_destroy(link_t **self_p)
{
    link_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    send_queue_clear(&self->queue);
    buf_fini(&self->scratch);
    mem_free(self);
}

/* --- accessors --- */

void link_set_user(link_t *self, void *user)
{
    self->user = user;
}

void link_set_ahead(link_t *self, link_ahead_fn *ahead)
{
    self->ahead = ahead;
}

void *link_user(const link_t *self)
{
    return self->user;
}

link_state_t link_state(const link_t *self)
{
    return self->state;
}

bool link_is_up(const link_t *self)
{
    return self->state == LINK_UP || self->state == LINK_SUSPECT;
}

uint64_t link_peer(const link_t *self)
{
    return self->peer;
}

const char *link_peer_name(const link_t *self)
{
    return self->peer_name;
}

node_role_t link_peer_role(const link_t *self)
{
    return self->peer_role;
}

size_t link_held(const link_t *self)
{
    return self->queue.held;
}

size_t link_window(const link_t *self)
{
    return self->settings->window;
}

bool link_is_initiator(const link_t *self)
{
    return self->initiator;
}

const link_counts_t *link_counts(const link_t *self)
{
    return &self->counts;
}

/* --- sending --- */

void link_write_reset(buf_t *out, const link_identity_t *self, uint64_t peer, uint64_t theirs, int reason)
{
    link_header_t header = {WIRE_VERSION, self->id, 0, 0, theirs, 0};
    link_header_write(buf_reserve(out, LINK_PREFIX_SIZE), peer, &header);
    buf_advance(out, LINK_PREFIX_SIZE);
    envelope_t reset = {.kind = KIND_RESET, .reset = {(uint64_t)-reason}};
    envelope_encode(out, &reset);
}

static int emit(link_t *self, span_t message, uint64_t now_us)
{
    int err = self->events->send(self->context, self, message);
    self->retry_at = err ? now_us + RETRY_US : 0;
    if (err)
        return err;
    self->last_sent = now_us;
    self->counts.bytes_out += message.size;
    return OK;
}

static void acknowledged(link_t *self)
{
    self->ack_due = 0;
    self->ack_bytes = 0;
}

void link_send_control(link_t *self, const envelope_t *envelope, uint64_t now_us)
{
    buf_t message = {0};
    link_header_t header = {WIRE_VERSION,       self->self->id, self->session, 0,
                            self->peer_session, self->received};
    link_header_write(buf_reserve(&message, LINK_PREFIX_SIZE), self->peer, &header);
    buf_advance(&message, LINK_PREFIX_SIZE);
    if (envelope)
        envelope_encode(&message, envelope);
    if (emit(self, buf_span(&message), now_us) == OK)
        acknowledged(self);
    buf_fini(&message);
}

/* Tells the other side that its session `theirs` is void. */
static void send_reset(link_t *self, uint64_t theirs, int reason, uint64_t now_us)
{
    buf_t message = {0};
    link_write_reset(&message, self->self, self->peer, theirs, reason);
    (void)emit(self, buf_span(&message),
               now_us); /* if it can't go, the next stray message calls for another */
    buf_fini(&message);
}

static int send_message(link_t *self, send_message_t *message, uint64_t now_us)
{
    link_header_t header = {WIRE_VERSION, self->self->id,     self->session,
                            message->seq, self->peer_session, self->received};
    link_header_write(message->bytes, self->peer, &header);
    int err = emit(self, span_new(message->bytes, message->size), now_us);
    if (err)
        return err;
    acknowledged(self);
    if (!self->resend_at)
        self->resend_at = now_us + self->resend_wait;
    return OK;
}

static void send_unsent(link_t *self, uint64_t now_us)
{
    for (send_message_t *message; (message = send_queue_next_unsent(&self->queue)) != NULL;) {
        if (send_message(self, message, now_us))
            return;
        send_queue_mark_sent(&self->queue);
        self->counts.messages_out++;
        self->last_flush = now_us;
    }
}

int link_send_encoded(link_t *self, span_t envelope, uint64_t now_us)
{
    if (!link_is_up(self))
        return ERR_CLOSED;
    int err = send_queue_append(&self->queue, envelope, self->settings->window);
    if (err)
        return err;
    self->counts.envelopes_out++;
    if (self->queue.batch.size >= WIRE_BATCH)
        send_queue_close_batch(&self->queue);
    /* What is whole goes at once, not at the end of the turn: a receiver whose window is too small for all that
     * a turn brings must not be reset with nothing gained. */
    if (send_queue_next_unsent(&self->queue) && now_us >= self->retry_at)
        send_unsent(self, now_us);
    return OK;
}

int link_send(link_t *self, const envelope_t *envelope, uint64_t now_us)
{
    buf_clear(&self->scratch);
    envelope_encode(&self->scratch, envelope);
    int err = link_send_encoded(self, buf_span(&self->scratch), now_us);
    if (self->scratch.capacity > 4 * WIRE_BATCH)
        buf_fini(&self->scratch);
    return err;
}

static bool paced(const link_t *self, uint64_t now_us)
{
    return self->queue.batch.size < PACED_BYTES && now_us < self->last_flush + self->settings->flush_us;
}

void link_flush(link_t *self, uint64_t now_us)
{
    if (!link_is_up(self))
        return;
    if (!paced(self, now_us))
        send_queue_close_batch(&self->queue);
    send_unsent(self, now_us);
    if (self->ack_due && (self->ack_bytes >= ACK_BYTES || now_us >= self->ack_due))
        link_send_control(self, NULL, now_us);
}

/* --- the end of a session --- */

void link_end_session(link_t *self, int reason, uint64_t now_us)
{
    link_go(self, self->initiator ? LINK_GREETING : LINK_DOWN);
    if (self->initiator)
        link_start_session(self, 0, now_us);
    else
        send_queue_clear(&self->queue);
    self->events->down(self->context, self, reason);
}

void link_reset(link_t *self, int reason, uint64_t now_us)
{
    if (!link_is_up(self))
        return;
    send_reset(self, self->peer_session, reason, now_us);
    link_end_session(self, reason, now_us);
}

void link_close(link_t *self, const char *reason, uint64_t now_us)
{
    if (link_is_up(self)) {
        send_queue_close_batch(&self->queue);
        send_unsent(self, now_us);
        envelope_t bye = {.kind = KIND_BYE, .bye = {span_str(reason)}};
        link_send_control(self, &bye, now_us);
    }
    if (self->state != LINK_DOWN)
        link_go(self, LINK_DOWN);
    send_queue_clear(&self->queue);
}

/* --- receiving --- */

/* Sends again what was sent and is numbered `from` or more, as much as a burst holds. */
static void resend(link_t *self, uint64_t from, size_t burst, uint64_t now_us)
{
    size_t bytes = 0;
    send_message_t *message = send_queue_first_sent(&self->queue, from);
    if (!message)
        return;
    self->resend_at = now_us + self->resend_wait;
    self->resent_from = from;
    self->resent_at = now_us;
    for (; message && bytes < burst; message = send_queue_next_sent(&self->queue, message)) {
        if (send_message(self, message, now_us))
            return;
        self->resent_to = message->seq;
        self->counts.resent++;
        bytes += message->size;
    }
}

/* Something is missing on the other side: all that is on its way may be. */
static void recover(link_t *self, uint64_t from, size_t burst, uint64_t now_us)
{
    self->lost_to = send_queue_last_sent(&self->queue);
    resend(self, from, burst, now_us);
}

/* The other side asks again no sooner than resend_us / 4; a request that comes within half of that came
 * twice, or crossed what its own acknowledgement called for. */
static void take_resend(link_t *self, uint64_t from, uint64_t now_us)
{
    if (from != self->resent_from || now_us >= self->resent_at + self->settings->resend_us / 8)
        recover(self, from, RESEND_BURST, now_us);
}

static void take_ack(link_t *self, uint64_t ack, uint64_t now_us)
{
    if (!send_queue_ack(&self->queue, ack))
        return;
    self->resend_wait = self->settings->resend_us;
    self->resend_at = send_queue_first_sent(&self->queue, 0) ? now_us + self->resend_wait : 0;
    /* All that was sent again is there, and not a message more: what followed it was lost as well. */
    if (ack == self->resent_to && ack < self->lost_to)
        resend(self, ack + 1, RESEND_BURST, now_us);
}

/* A message beyond the next one came, or the other side's count is ahead: asks for what is missing, once a
 * while for the same number. */
static void ask_resend(link_t *self, uint64_t now_us)
{
    uint64_t from = self->received + 1;
    if (self->asked_resend == from && now_us < self->asked_at + self->settings->resend_us / 4)
        return;
    self->counts.gaps += self->asked_resend != from;
    self->asked_resend = from;
    self->asked_at = now_us;
    envelope_t ask = {.kind = KIND_RESEND, .resend = {from}};
    link_send_control(self, &ask, now_us);
}

/* Does the header belong to the conversation that is on? */
static bool current(const link_t *self, const link_header_t *header)
{
    return link_is_up(self) && header->session == self->peer_session && header->ack_session == self->session;
}

static void take_control(link_t *self, const link_header_t *header, const envelope_t *envelope,
                         uint64_t now_us)
{
    switch (envelope->kind) {
    case KIND_HELLO: link_take_hello(self, header, envelope, now_us); return;
    case KIND_WELCOME: link_take_welcome(self, header, envelope, now_us); return;
    case KIND_REFUSE: link_take_refuse(self, header, envelope); return;
    case KIND_RESET:
        if (link_is_up(self) && header->ack_session == self->session)
            link_end_session(self, ERR_CLOSED, now_us);
        return;
    default: break;
    }
    if (!current(self, header))
        return;
    switch (envelope->kind) {
    case KIND_BEAT:
        if (envelope->beat.last > self->received)
            ask_resend(self, now_us);
        return;
    case KIND_RESEND: take_resend(self, envelope->resend.from, now_us); return;
    case KIND_BYE: link_end_session(self, ERR_CLOSED, now_us); return;
    default: self->counts.unknown++; return;
    }
}

/* The next envelopes that are the owner's business; their number, at most LINK_AHEAD. Any error says that nothing can
 * be read behind them. */
static size_t decode_some(link_t *self, span_t *rest, envelope_t *out, int *err)
{
    size_t count = 0;
    while (rest->size && count < LINK_AHEAD) {
        *err = envelope_decode(rest, &out[count]);
        if (*err && *err != ERR_UNKNOWN)
            break;
        if (*err == ERR_UNKNOWN || envelope_is_link(out[count].kind))
            self->counts.unknown++;
        else
            count++;
        *err = OK;
    }
    return count;
}

/* The envelopes of one numbered message, in order, as long as the session lasts: an event may end it. */
static void deliver(link_t *self, span_t rest, uint64_t now_us)
{
    uint64_t session = self->session;
    int err = OK;
    while (rest.size && !err) {
        envelope_t envelopes[LINK_AHEAD];
        size_t count = decode_some(self, &rest, envelopes, &err);
        if (self->ahead && count)
            self->ahead(self->context, envelopes, count);
        for (size_t i = 0; i < count; i++) {
            self->counts.envelopes_in++;
            self->events->envelope(self->context, self, &envelopes[i]);
            if (self->session != session || !link_is_up(self))
                return;
        }
    }
    if (err)
        link_reset(self, ERR_MALFORMED, now_us);
}

static void take_numbered(link_t *self, const link_header_t *header, span_t rest, uint64_t now_us)
{
    if (header->seq > self->received + 1) {
        ask_resend(self, now_us);
        return;
    }
    if (!self->ack_due)
        self->ack_due = now_us + self->settings->ack_delay_us;
    if (header->seq <= self->received) {
        self->counts.duplicates++;
        self->ack_due = now_us; /* the acknowledgement was lost: at once */
        return;
    }
    self->received = header->seq;
    self->ack_bytes += rest.size;
    self->counts.messages_in++;
    self->counts.bytes_in += rest.size + LINK_PREFIX_SIZE;
    deliver(self, rest, now_us);
}

/* A numbered message of another conversation than the one that is on. An old one is late, no more. Otherwise
 * the two sides disagree about what is on, and whoever can see that starts anew. */
static void take_stray(link_t *self, const link_header_t *header, uint64_t now_us)
{
    self->counts.stale++;
    if (header->session < self->peer_session)
        return;
    if (!self->initiator)
        send_reset(self, header->session, ERR_CLOSED, now_us);
    else if (link_is_up(self) && header->session > self->peer_session && header->ack_session == self->session)
        link_end_session(self, ERR_CLOSED, now_us);
}

static void heard(link_t *self, uint64_t now_us)
{
    self->last_heard = now_us;
    if (self->state == LINK_SUSPECT)
        link_go(self, LINK_UP);
}

void link_receive(link_t *self, const link_header_t *header, span_t rest, uint64_t now_us)
{
    if (current(self, header)) {
        heard(self, now_us);
        take_ack(self, header->ack, now_us);
    }
    if (header->seq == 0) {
        envelope_t envelope;
        if (rest.size && envelope_decode(&rest, &envelope) == OK)
            take_control(self, header, &envelope, now_us);
        else if (rest.size)
            self->counts.unknown++;
    } else if (current(self, header)) {
        take_numbered(self, header, rest, now_us);
    } else {
        take_stray(self, header, now_us);
    }
}

/* --- time --- */

static void give_up_or_suspect(link_t *self, uint64_t now_us)
{
    uint64_t silence = now_us > self->last_heard ? now_us - self->last_heard : 0;
    if (silence >= self->settings->down_beats * self->heartbeat_us)
        link_reset(self, ERR_TIMEOUT, now_us);
    else if (self->state == LINK_UP && silence >= self->settings->suspect_beats * self->heartbeat_us)
        link_go(self, LINK_SUSPECT);
}

static void beat(link_t *self, uint64_t now_us)
{
    envelope_t envelope = {.kind = KIND_BEAT, .beat = {send_queue_last_sent(&self->queue)}};
    link_send_control(self, &envelope, now_us);
    self->last_sent = now_us; /* also when it could not go: the next one is due a heartbeat later */
}

/* One message, to see whether it is the other side that is slow or the way that lost. */
static void resend_oldest(link_t *self, uint64_t now_us)
{
    uint64_t longest = self->heartbeat_us * 3;
    self->resend_wait = self->resend_wait * 2 < longest ? self->resend_wait * 2 : longest;
    recover(self, self->queue.acked + 1, 1, now_us);
}

void link_tick(link_t *self, uint64_t now_us)
{
    if (link_is_up(self))
        give_up_or_suspect(self, now_us);
    if (self->state == LINK_GREETING && now_us >= self->greet_at)
        link_send_hello(self, now_us);
    if (!link_is_up(self))
        return;
    if (self->resend_at && now_us >= self->resend_at)
        resend_oldest(self, now_us);
    link_flush(self, now_us);
    if (now_us >= self->last_sent + self->heartbeat_us)
        beat(self, now_us);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t link_due(const link_t *self)
{
    if (self->state == LINK_GREETING)
        return self->greet_at;
    if (!link_is_up(self))
        return UINT64_MAX;
    uint64_t beats = self->state == LINK_UP ? self->settings->suspect_beats : self->settings->down_beats;
    uint64_t due = earlier(self->last_sent, UINT64_MAX - self->heartbeat_us) + self->heartbeat_us;
    due = earlier(due, self->last_heard + beats * self->heartbeat_us);
    if (self->resend_at)
        due = earlier(due, self->resend_at);
    if (self->ack_due)
        due = earlier(due, self->ack_due);
    if (self->queue.batch.size || send_queue_next_unsent(&self->queue))
        due = earlier(due, self->last_flush + self->settings->flush_us);
    return due > self->retry_at ? due : self->retry_at;
}

void link_excuse(link_t *self, uint64_t stall_us)
{
    self->last_heard += stall_us;
}
