/* An uplink that writes down what it is told: "SUB a abcdEFGH:3|UNSUB a|". The functions here take the place
 * of fabric/uplink's and of link_peer.
 */
#ifndef HEDDLE_TESTS_EDGE_FAKE_UPLINK_H
#define HEDDLE_TESTS_EDGE_FAKE_UPLINK_H

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "fabric/uplink.h"

struct link {
    uint64_t peer;
};

struct uplink {
    buf_t said;
    link_t *relay;   /* NULL = none is up */
    link_t *of_b;    /* the way to channels whose names begin with b; NULL = relay */
    link_t *full;    /* has no room; NULL = none */
    uint64_t former; /* what uplink_moved_from says */
    unsigned room;   /* envelopes that fit */
    namespaces_t namespaces;
    uplink_published_fn *published; /* of the last publication */
    void *user;
    unsigned publications, forgotten, withdrawn;
    uplink_answered_fn *answered; /* of the last question */
    void *asker;
};

uint64_t link_peer(const link_t *self)
{
    return self->peer;
}

link_t *uplink_route(const uplink_t *self, span_t channel)
{
    return self->of_b && channel.data[0] == 'b' ? self->of_b : self->relay;
}

bool uplink_is_owner(const uplink_t *self, span_t channel, const link_t *relay)
{
    (void)self;
    (void)channel;
    (void)relay;
    return true;
}

uint64_t uplink_moved_from(const uplink_t *self, span_t channel)
{
    (void)channel;
    return self->former;
}

bool uplink_is_not_now(uint64_t code)
{
    return code == (uint64_t)-ERR_UNAVAILABLE;
}

const namespaces_t *uplink_namespaces(const uplink_t *self)
{
    return &self->namespaces;
}

static int fake_uplink_take(uplink_t *self, span_t channel)
{
    const link_t *relay = uplink_route(self, channel);
    if (!relay)
        return ERR_UNAVAILABLE;
    if (self->room == 0 || relay == self->full)
        return ERR_FULL;
    self->room--;
    return OK;
}

int uplink_subscribe(uplink_t *self, span_t channel, position_t from, uint64_t request, uint64_t now_us)
{
    (void)request;
    (void)now_us;
    char position[POSITION_TEXT_SIZE];
    int err = fake_uplink_take(self, channel);
    if (err == OK)
        buf_printf(&self->said, "SUB %.*s %s|", SPAN_FMT(channel), position_print(from, position));
    return err;
}

/* What another relay than the channel's way is told stands there with its id. */
int uplink_unsubscribe(uplink_t *self, uint64_t relay, span_t channel, uint64_t now_us)
{
    (void)now_us;
    const link_t *route = uplink_route(self, channel);
    if (self->room == 0 || (self->full && self->full->peer == relay))
        return ERR_FULL;
    self->room--;
    buf_printf(&self->said, "UNSUB %.*s", SPAN_FMT(channel));
    if (!route || route->peer != relay)
        buf_printf(&self->said, "@%u", (unsigned)relay);
    buf_append_byte(&self->said, '|');
    return OK;
}

int uplink_join(uplink_t *self, const envelope_join_t *join, uint64_t now_us)
{
    (void)now_us;
    assert_int_equal(join->client.size, 36);
    int err = fake_uplink_take(self, join->channel);
    if (err == OK)
        buf_printf(&self->said, "JOIN %.*s %.*s %.*s|", SPAN_FMT(join->channel), SPAN_FMT(join->user),
                   SPAN_FMT(join->info));
    return err;
}

int uplink_leave(uplink_t *self, span_t channel, span_t client, uint64_t now_us)
{
    (void)now_us;
    assert_int_equal(client.size, 36);
    int err = fake_uplink_take(self, channel);
    if (err == OK)
        buf_printf(&self->said, "LEAVE %.*s|", SPAN_FMT(channel));
    return err;
}

int uplink_publish(uplink_t *self, const publication_t *publication, uplink_published_fn *published,
                   void *user, uint64_t now_us)
{
    (void)now_us;
    if (self->room == 0)
        return ERR_FULL;
    self->room--;
    self->publications++;
    self->published = published;
    self->user = user;
    buf_printf(&self->said, "PUB %.*s %u %.*s|", SPAN_FMT(publication->channel), publication->flags,
               SPAN_FMT(publication->payload));
    return OK;
}

void uplink_forget(uplink_t *self, void *user)
{
    (void)user;
    self->forgotten++;
}

int uplink_ask(uplink_t *self, envelope_ask_t question, uplink_answered_fn *answered, void *user,
               uint64_t now_us)
{
    (void)now_us;
    int err = fake_uplink_take(self, question.channel);
    if (err)
        return err;
    self->answered = answered;
    self->asker = user;
    buf_printf(&self->said, "ASK %.*s %.*s:%u|", SPAN_FMT(question.channel), SPAN_FMT(question.epoch),
               (unsigned)question.offset);
    return OK;
}

void uplink_withdraw(uplink_t *self, const void *user)
{
    (void)user;
    self->withdrawn++;
}

static uplink_t *fake_uplink_new(link_t *relay)
{
    uplink_t *self = mem_new(sizeof *self);
    self->relay = relay;
    self->room = 1000;
    namespaces_init(&self->namespaces);
    return self;
}

static void fake_uplink_destroy(uplink_t *self)
{
    buf_fini(&self->said);
    namespaces_fini(&self->namespaces);
    mem_free(self);
}

/* What was said since the last call is exactly this. */
static void assert_said(uplink_t *self, const char *text)
{
    assert_string_equal(buf_text(&self->said), text);
    buf_clear(&self->said);
}

#endif
