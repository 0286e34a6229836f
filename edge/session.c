#include "edge/session.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "edge/close_code.h"
#include "edge/dialect.h"
#include "edge/worker.h"

/* A client that has its handshake behind it and says nothing holds a socket for so long at most. */
#define OPENING_US (10u * CLOCK_SEC)

/* What is queued may take a slow client a moment; one that never reads must not keep us. */
#define CLOSING_US (5u * CLOCK_SEC)

/* What a close frame without a code is said to have (RFC 6455 section 7.4.1); never sent. */
#define NO_CODE 1005u

#define BIT(state) (uint8_t)(1u << (state))

static const uint8_t legal[] = {
    [EDGE_SESSION_OPENING] = BIT(EDGE_SESSION_ACTIVE) | BIT(EDGE_SESSION_CLOSING),
    [EDGE_SESSION_ACTIVE] = BIT(EDGE_SESSION_CLOSING),
    [EDGE_SESSION_CLOSING] = BIT(EDGE_SESSION_SHUT),
    [EDGE_SESSION_SHUT] = 0,
};

static void go(edge_session_t *self, edge_session_state_t state)
{
    CHECK(legal[self->state_now] & BIT(state));
    self->state_now = (uint8_t)state;
}

static const char *state_name(edge_session_state_t state)
{
    switch (state) {
#define STATE_NAME(name) \
    case EDGE_SESSION_##name: return #name;
        EDGE_SESSION_STATES(STATE_NAME)
#undef STATE_NAME
    }
    return "?";
}

bool edge_session_is_open(const edge_session_t *self)
{
    return self->state_now < EDGE_SESSION_CLOSING;
}

/* --- who it is --- */

/* A random UUID: version 4, variant 1 (RFC 4122 section 4.4). */
static void make_id(uint8_t id[EDGE_CLIENT_ID_BYTES])
{
    random_fill(id, EDGE_CLIENT_ID_BYTES);
    id[6] = (uint8_t)((id[6] & 0x0f) | 0x40);
    id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
}

/* Where a UUID as text has its dashes: behind these bytes. */
static bool dash_behind(size_t byte)
{
    return byte == 3 || byte == 5 || byte == 7 || byte == 9;
}

const char *edge_session_id(const edge_session_t *self, char out[EDGE_CLIENT_ID_SIZE + 1])
{
    static const char digits[] = "0123456789abcdef";
    char *at = out;
    for (size_t i = 0; i < EDGE_CLIENT_ID_BYTES; i++) {
        *at++ = digits[self->id[i] >> 4];
        *at++ = digits[self->id[i] & 15];
        if (dash_behind(i))
            *at++ = '-';
    }
    *at = '\0';
    return out;
}

/* The value of a lower-case hexadecimal digit; -1 for anything else. */
static int digit_value(uint8_t letter)
{
    if (letter >= '0' && letter <= '9')
        return letter - '0';
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

bool edge_client_id_parse(span_t text, uint8_t out[EDGE_CLIENT_ID_BYTES])
{
    if (text.size != EDGE_CLIENT_ID_SIZE)
        return false;
    const uint8_t *at = text.data;
    for (size_t i = 0; i < EDGE_CLIENT_ID_BYTES; i++) {
        int high = digit_value(at[0]);
        int low = digit_value(at[1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
        at += 2;
        if (dash_behind(i) && *at++ != '-')
            return false;
    }
    return true;
}

span_t edge_session_user(const edge_session_t *self)
{
    return span_str(self->identity.user);
}

span_t edge_session_info(const edge_session_t *self)
{
    return span_str(self->identity.info);
}

/* --- life --- */

edge_session_t *edge_session_new(edge_worker_t *worker, const edge_dialect_t *dialect,
                                 edge_identity_t *identity)
{
    edge_session_t *self = mem_new(sizeof *self);
    self->worker = worker;
    self->dialect = dialect;
    self->identity = *identity;
    *identity = (edge_identity_t){0};
    list_init(&self->subscriptions);
    make_id(self->id);
    return self;
}

static void destroy(edge_session_t *self)
{
    self->dialect->closed(self);
    edge_outbox_fini(&self->outbox);
    edge_identity_fini(&self->identity);
    mem_free(self);
}

void edge_session_discard(edge_session_t **self_p)
{
    edge_session_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    CHECK(!self->conn);
    destroy(self);
}

static void arm(edge_session_t *self, uint64_t wait_us)
{
    wheel_arm(&self->worker->wheel, &self->timer, self->worker->now_us + wait_us);
}

/* When it ends for want of new credentials, on the wall clock; 0 = never. A token may say any time. */
static uint64_t end_us(const edge_session_t *self)
{
    uint64_t expires_us = self->identity.expires_us, grace_us = self->dialect->grace_us;
    if (!expires_us)
        return 0;
    return expires_us < UINT64_MAX - grace_us ? expires_us + grace_us : UINT64_MAX;
}

/* The shorter of a time to wait and that until `at_us` on the wall clock; 0 is no time at all. */
static uint64_t sooner(uint64_t wait_us, uint64_t at_us)
{
    if (!at_us)
        return wait_us;
    uint64_t wall_us = clock_wall_us();
    uint64_t left_us = at_us > wall_us ? at_us - wall_us : 0;
    return left_us < wait_us ? left_us : wait_us;
}

/* For an ACTIVE session: when something of it expires, that comes first. While a ping is unanswered only its
 * own end does, as the timer's firing else means that no answer came. */
static void arm_until_expiry(edge_session_t *self, uint64_t wait_us)
{
    wait_us = sooner(wait_us, end_us(self));
    arm(self, self->awaits_pong ? wait_us : sooner(wait_us, self->next_expiry_us));
}

/* An expiry has changed: what the timer was armed for stays, if it does not come later. But while a ping is
 * unanswered it may have been the old expiry, so the answer gets its whole time again. */
static void arm_anew(edge_session_t *self)
{
    uint64_t due_us = self->timer.due_us, now_us = self->worker->now_us;
    uint64_t left_us = due_us > now_us ? due_us - now_us : 0;
    if (self->state_now == EDGE_SESSION_ACTIVE)
        arm_until_expiry(self, self->awaits_pong ? self->worker->config->ping.timeout : left_us);
}

void edge_session_identify(edge_session_t *self, edge_identity_t *identity)
{
    edge_identity_fini(&self->identity);
    self->identity = *identity;
    *identity = (edge_identity_t){0};
    arm_anew(self);
}

void edge_session_prolong(edge_session_t *self, uint64_t expires_us)
{
    self->identity.expires_us = expires_us;
    arm_anew(self);
}

void edge_session_expire_by(edge_session_t *self, uint64_t wall_us)
{
    if (self->next_expiry_us && self->next_expiry_us <= wall_us)
        return;
    self->next_expiry_us = wall_us;
    arm_anew(self);
}

void edge_session_opened(edge_session_t *self, edge_conn_t *conn)
{
    CHECK(!self->conn && conn);
    self->conn = conn;
    self->opened_us = self->worker->now_us;
    list_append(&self->worker->sessions, &self->of_worker);
    stats_add(&self->worker->stats.connections, 1);
    arm(self, OPENING_US);
    self->dialect->opened(self);
}

/* The first ping comes at a random point, so that those who came together are not pinged together. The id is
 * random enough for that. */
void edge_session_activate(edge_session_t *self)
{
    go(self, EDGE_SESSION_ACTIVE);
    uint64_t half = self->worker->config->ping.interval / 2;
    uint32_t random;
    memcpy(&random, self->id, sizeof random);
    arm_until_expiry(self, half + random % (half + 1));
}

/* Lets the messages go that wait: not the rest of one that is half written, or no close frame could follow. */
static void drop_messages(edge_session_t *self)
{
    size_t dropped;
    while ((dropped = edge_outbox_drop_oldest(&self->outbox)) > 0)
        stats_sub(&self->worker->stats.outbox_bytes, dropped);
}

/* Lets all that waits go. */
static void drop_outbox(edge_session_t *self)
{
    stats_sub(&self->worker->stats.outbox_bytes, self->outbox.bytes);
    edge_outbox_fini(&self->outbox);
}

void edge_session_closed(edge_session_t *self)
{
    edge_worker_t *worker = self->worker;
    if (edge_session_is_open(self)) {
        go(self, EDGE_SESSION_CLOSING);
        stats_add(&worker->stats.closed_client, 1);
    }
    char id[EDGE_CLIENT_ID_SIZE + 1];
    log_debug("session.closed", "client=%s dialect=%s state=%s code=%u age_us=%" PRIu64,
              edge_session_id(self, id), self->dialect->name, state_name(self->state_now), self->close_code,
              worker->now_us - self->opened_us);
    edge_hub_unsubscribe_all(worker->hub, self);
    wheel_disarm(&self->timer);
    list_remove(&self->of_worker);
    list_remove(&self->dirty);
    list_remove(&self->paused);
    drop_outbox(self);
    stats_sub(&worker->stats.connections, 1);
    destroy(self);
}

/* --- what it sends --- */

/* While the kernel takes no more, edge_session_writable is waited for, not the turn's end. */
static inline void mark_dirty(edge_session_t *self)
{
    if (!self->saturated && !self->corked && !list_linked(&self->dirty))
        list_append(&self->worker->dirty, &self->dirty);
}

/* Makes room by dropping what is old; if that does not help, the new frame is not sent. */
static int push_dropping(edge_session_t *self, edge_frame_t *frame)
{
    edge_worker_t *worker = self->worker;
    int err;
    size_t dropped;
    while ((err = edge_outbox_push(&self->outbox, frame, worker->config->limits.outbox)) == ERR_FULL &&
           (dropped = edge_outbox_drop_oldest(&self->outbox)) > 0) {
        stats_sub(&worker->stats.outbox_bytes, dropped);
        stats_add(&worker->stats.dropped_slow, 1);
    }
    if (err)
        stats_add(&worker->stats.dropped_slow, 1);
    return err;
}

/* The outbox is full. OK if the policy has made room and the frame is in. */
static int apply_slow_policy(edge_session_t *self, edge_frame_t *frame)
{
    if (self->worker->config->limits.on_slow_client == SLOW_DROP_OLDEST && self->dialect->outlives_losses &&
        !self->counts_messages)
        return push_dropping(self, frame);
    edge_session_close(self, EDGE_CLOSE_SLOW, edge_close_reason(EDGE_CLOSE_SLOW), false);
    return ERR_FULL;
}

void edge_session_send(edge_session_t *self, edge_frame_t *frame)
{
    if (!edge_session_is_open(self))
        return;
    edge_worker_t *worker = self->worker;
    if (edge_outbox_push(&self->outbox, frame, worker->config->limits.outbox) != OK &&
        apply_slow_policy(self, frame) != OK)
        return;
    edge_frame_ref(frame);
    stats_add(&worker->stats.messages_out, 1);
    stats_add(&worker->stats.outbox_bytes, frame->size);
    mark_dirty(self);
}

void edge_session_cork(edge_session_t *self)
{
    self->corked = true;
}

void edge_session_uncork(edge_session_t *self, edge_frame_t *first)
{
    if (!self->corked || !edge_session_is_open(self))
        return;
    self->corked = false;
    edge_outbox_push_first(&self->outbox, edge_frame_ref(first));
    stats_add(&self->worker->stats.messages_out, 1);
    stats_add(&self->worker->stats.outbox_bytes, first->size);
    mark_dirty(self);
}

void edge_session_uncork_alone(edge_session_t *self, edge_frame_t *frame)
{
    drop_messages(self);
    edge_session_uncork(self, frame);
}

void edge_session_send_frame(edge_session_t *self, websocket_opcode_t opcode, span_t payload)
{
    edge_frame_t *frame = edge_frame_new(opcode, payload);
    edge_session_send(self, frame);
    edge_frame_unref(&frame);
}

void edge_session_send_text(edge_session_t *self, span_t text)
{
    edge_session_send_frame(self, WEBSOCKET_TEXT, text);
}

/* The last byte is written, or none will be. */
static void shut(edge_session_t *self, bool now)
{
    go(self, EDGE_SESSION_SHUT);
    wheel_disarm(&self->timer);
    list_remove(&self->dirty);
    drop_outbox(self);
    edge_conn_shut(self->conn, now);
}

/* One write a turn: all that waits up to EDGE_WRITE_SIZE in one system call, and then it is the others' turn.
 */
void edge_session_flush(edge_session_t *self)
{
    edge_worker_t *worker = self->worker;
    list_remove(&self->dirty);
    if (self->corked)
        return;
    span_t bytes = edge_outbox_gather(&self->outbox, worker->scratch, EDGE_WRITE_SIZE);
    if (bytes.size > EDGE_WRITE_SIZE)
        bytes.size = EDGE_WRITE_SIZE;
    if (bytes.size == 0)
        return;
    long written = edge_conn_write(self->conn, bytes.data, bytes.size);
    if (written < 0) { /* broken: edge_session_closed is on its way */
        drop_outbox(self);
        return;
    }
    edge_outbox_consume(&self->outbox, (size_t)written);
    stats_sub(&worker->stats.outbox_bytes, (uint64_t)written);
    stats_add(&worker->stats.bytes_out, (uint64_t)written);
    if ((size_t)written < bytes.size) {
        self->saturated = true;
        edge_conn_want_writable(self->conn);
    } else if (self->outbox.count) {
        mark_dirty(self);
    } else if (self->state_now == EDGE_SESSION_CLOSING) {
        shut(self, false);
    }
}

void edge_session_writable(edge_session_t *self)
{
    self->saturated = false;
    edge_session_flush(self);
}

/* --- how it ends --- */

/* Past every limit: it is the last frame. */
static void queue_close_frame(edge_session_t *self, uint16_t code, span_t reason)
{
    buf_t payload = {0};
    if (code != NO_CODE)
        websocket_close_payload(&payload, code, reason);
    edge_frame_t *frame = edge_frame_new(WEBSOCKET_CLOSE, buf_span(&payload));
    buf_fini(&payload);
    stats_add(&self->worker->stats.outbox_bytes, frame->size);
    CHECK(edge_outbox_push(&self->outbox, frame, SIZE_MAX) == OK);
}

static void begin_closing(edge_session_t *self, uint16_t code, span_t reason, bool flush)
{
    go(self, EDGE_SESSION_CLOSING);
    self->close_code = code;
    self->awaits_pong = false;
    arm(self, CLOSING_US);
    if (list_linked(&self->paused)) { /* or the client's answer is never read */
        list_remove(&self->paused);
        edge_conn_resume(self->conn);
    }
    if (!flush || self->corked)
        drop_messages(self);
    self->corked = false;
    queue_close_frame(self, code, reason);
    mark_dirty(self);
}

void edge_session_close(edge_session_t *self, uint16_t code, const char *reason, bool flush)
{
    if (!edge_session_is_open(self))
        return;
    stats_add(edge_close_counter(&self->worker->stats, code), 1);
    begin_closing(self, code, span_str(reason), flush);
}

static void close_with(edge_session_t *self, edge_close_code_t code)
{
    edge_session_close(self, (uint16_t)code, edge_close_reason(code), true);
}

void edge_session_close_received(edge_session_t *self, uint16_t code)
{
    if (!edge_session_is_open(self))
        return;
    stats_add(&self->worker->stats.closed_client, 1);
    begin_closing(self, code, (span_t){0}, true);
}

void edge_session_failed(edge_session_t *self, uint16_t code, const char *reason)
{
    edge_session_close(self, code, reason, true);
}

/* --- what it hears, and the time --- */

/* An answered ping is a period begun anew; so there is nothing to do for all that comes when none is out. */
static inline void hear(edge_session_t *self)
{
    if (!self->awaits_pong)
        return;
    self->awaits_pong = false;
    arm_until_expiry(self, self->worker->config->ping.interval);
}

void edge_session_message(edge_session_t *self, bool binary, span_t payload)
{
    stats_add(&self->worker->stats.messages_in, 1);
    stats_add(&self->worker->stats.bytes_in, payload.size);
    hear(self);
    if (edge_session_is_open(self))
        self->dialect->message(self, binary, payload);
}

void edge_session_control(edge_session_t *self, websocket_opcode_t opcode, span_t payload)
{
    hear(self);
    if (opcode == WEBSOCKET_PING)
        edge_session_send_frame(self, WEBSOCKET_PONG, payload);
}

static bool has_expired(const edge_session_t *self)
{
    return self->identity.expires_us && clock_wall_us() >= end_us(self);
}

/* Tells the dialect if the time is there that it has given. */
static void check_expiry(edge_session_t *self)
{
    uint64_t wall_us = self->next_expiry_us ? clock_wall_us() : 0;
    if (!self->next_expiry_us || wall_us < self->next_expiry_us)
        return;
    self->next_expiry_us = 0;
    self->dialect->expired(self, wall_us);
}

/* What expires is met with a ping, which needs no second timer and does no harm. */
static void ping(edge_session_t *self)
{
    if (has_expired(self)) {
        close_with(self, EDGE_CLOSE_EXPIRED);
    } else if (self->awaits_pong) {
        close_with(self, EDGE_CLOSE_NO_PONG);
    } else {
        self->awaits_pong = true;
        arm_until_expiry(self, self->worker->config->ping.timeout);
        self->dialect->ping(self); /* it may close the session, and that has a deadline of its own */
        check_expiry(self);
    }
}

void edge_session_timer(edge_session_t *self, uint64_t now_us)
{
    (void)now_us; /* the same as the worker's, which is what timers are armed by */
    switch ((edge_session_state_t)self->state_now) {
    case EDGE_SESSION_OPENING: close_with(self, EDGE_CLOSE_STALE); break;
    case EDGE_SESSION_ACTIVE: ping(self); break;
    case EDGE_SESSION_CLOSING: shut(self, true); break;
    case EDGE_SESSION_SHUT: break;
    }
}

void edge_session_pause(edge_session_t *self)
{
    if (!edge_session_is_open(self) || list_linked(&self->paused))
        return;
    list_append(&self->worker->paused, &self->paused);
    edge_conn_pause(self->conn);
}

/* A session that the dialect has closed meanwhile is read from, too: for the client's answer. */
void edge_session_resume(edge_session_t *self)
{
    if (!list_linked(&self->paused))
        return;
    list_remove(&self->paused);
    self->dialect->resumed(self);
    if (!list_linked(&self->paused))
        edge_conn_resume(self->conn);
}
