/* Relays that answer when the test says so: publications and questions are kept until then. The uplink_*
 * functions here take the place of fabric/uplink's.
 */
#ifndef HEDDLE_TESTS_EDGE_FAKE_RELAYS_H
#define HEDDLE_TESTS_EDGE_FAKE_RELAYS_H

#include "base/err.h"
#include "base/mem.h"
#include "fabric/uplink.h"

#define FAKE_PUBLICATIONS_MAX 2048u
#define FAKE_ASKS_MAX         16u

struct link {
    uint64_t peer;
};

typedef struct fake_publication {
    buf_t text; /* "channel flags client user info payload" */
    uplink_published_fn *published;
    void *user;
} fake_publication_t;

typedef struct fake_ask {
    buf_t text; /* "question channel user client code reason" */
    buf_t except;
    buf_t wanted;                 /* "epoch:offset limit reverse" */
    buf_t told;                   /* "info data flags" */
    uplink_answered_fn *answered; /* NULL once it is */
    void *user;
} fake_ask_t;

struct uplink {
    link_t relay;
    namespaces_t namespaces;
    int publish_err, ask_err; /* what the next calls return */
    fake_publication_t publications[FAKE_PUBLICATIONS_MAX];
    size_t publication_count, published_count; /* taken, and answered: in order */
    fake_ask_t asks[FAKE_ASKS_MAX];
    size_t ask_count;
    uint64_t answer_id; /* of the last uplink_answer */
    int answer_err;
    buf_t answer;
    unsigned answer_count;
};

static uplink_t *fake_relays_new(void)
{
    uplink_t *self = mem_new(sizeof *self);
    self->relay.peer = 1;
    namespaces_init(&self->namespaces);
    return self;
}

/* Answers the oldest publication that has none. */
static void fake_relays_published(uplink_t *self, int err, const char *epoch, uint64_t offset)
{
    assert_true(self->published_count < self->publication_count);
    fake_publication_t *publication = &self->publications[self->published_count++];
    position_t position = {.offset = offset};
    assert_int_equal(position_set_epoch(&position, span_str(epoch)), OK);
    publication->published(publication->user, err, position);
}

static void fake_relays_answered(uplink_t *self, size_t which, int err, span_t items)
{
    assert_true(which < self->ask_count && self->asks[which].answered);
    uplink_answered_fn *answered = self->asks[which].answered;
    self->asks[which].answered = NULL;
    answered(self->asks[which].user, err, items);
}

/* What is still unanswered is ended, as the real one does it. */
static void fake_relays_destroy(uplink_t *self)
{
    while (self->published_count < self->publication_count)
        fake_relays_published(self, ERR_CLOSED, "", 0);
    for (size_t i = 0; i < self->ask_count; i++)
        if (self->asks[i].answered)
            fake_relays_answered(self, i, ERR_CLOSED, (span_t){0});
    for (size_t i = 0; i < self->publication_count; i++)
        buf_fini(&self->publications[i].text);
    for (size_t i = 0; i < self->ask_count; i++) {
        buf_fini(&self->asks[i].text);
        buf_fini(&self->asks[i].except);
        buf_fini(&self->asks[i].wanted);
        buf_fini(&self->asks[i].told);
    }
    buf_fini(&self->answer);
    namespaces_fini(&self->namespaces);
    mem_free(self);
}

uint64_t link_peer(const link_t *self)
{
    return self->peer;
}

const namespaces_t *uplink_namespaces(const uplink_t *self)
{
    return &self->namespaces;
}

link_t *uplink_route(const uplink_t *self, span_t channel)
{
    (void)channel;
    return (link_t *)(uintptr_t)&self->relay;
}

int uplink_subscribe(uplink_t *self, span_t channel, position_t from, uint64_t request, uint64_t now_us)
{
    (void)request;
    (void)self;
    (void)channel;
    (void)from;
    (void)now_us;
    return OK;
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
    (void)self;
    (void)channel;
    return 0;
}

bool uplink_is_not_now(uint64_t code)
{
    return code == (uint64_t)-ERR_UNAVAILABLE;
}

int uplink_unsubscribe(uplink_t *self, uint64_t relay, span_t channel, uint64_t now_us)
{
    (void)self;
    (void)relay;
    (void)channel;
    (void)now_us;
    return OK;
}

int uplink_join(uplink_t *self, const envelope_join_t *join, uint64_t now_us)
{
    (void)self;
    (void)join;
    (void)now_us;
    return OK;
}

int uplink_leave(uplink_t *self, span_t channel, span_t client, uint64_t now_us)
{
    (void)self;
    (void)channel;
    (void)client;
    (void)now_us;
    return OK;
}

int uplink_publish(uplink_t *self, const publication_t *publication, uplink_published_fn *published,
                   void *user, uint64_t now_us)
{
    (void)now_us;
    if (self->publish_err)
        return self->publish_err;
    assert_true(self->publication_count < FAKE_PUBLICATIONS_MAX);
    fake_publication_t *kept = &self->publications[self->publication_count++];
    kept->published = published;
    kept->user = user;
    buf_printf(&kept->text, "%.*s %u %.*s %.*s %.*s ", SPAN_FMT(publication->channel), publication->flags,
               SPAN_FMT(publication->client), SPAN_FMT(publication->user), SPAN_FMT(publication->info));
    buf_append_span(&kept->text, publication->payload);
    return OK;
}

int uplink_ask(uplink_t *self, envelope_ask_t question, uplink_answered_fn *answered, void *user,
               uint64_t now_us)
{
    (void)now_us;
    if (self->ask_err)
        return self->ask_err;
    assert_true(self->ask_count < FAKE_ASKS_MAX);
    fake_ask_t *kept = &self->asks[self->ask_count++];
    kept->answered = answered;
    kept->user = user;
    buf_printf(&kept->text, "%u %.*s %.*s %.*s %u %.*s", (unsigned)question.question,
               SPAN_FMT(question.channel), SPAN_FMT(question.user), SPAN_FMT(question.client),
               (unsigned)question.code, SPAN_FMT(question.reason));
    buf_append_span(&kept->except, question.except);
    buf_printf(&kept->wanted, "%.*s:%u %u %u", SPAN_FMT(question.epoch), (unsigned)question.offset,
               (unsigned)question.limit, (unsigned)question.reverse);
    buf_printf(&kept->told, "%.*s %.*s %u", SPAN_FMT(question.info), SPAN_FMT(question.data),
               (unsigned)question.flags);
    return OK;
}

void uplink_withdraw(uplink_t *self, const void *user)
{
    for (size_t i = 0; i < self->ask_count; i++)
        if (self->asks[i].user == user)
            self->asks[i].answered = NULL;
}

void uplink_answer(uplink_t *self, link_t *relay, uint64_t id, int err, span_t items, uint64_t now_us)
{
    (void)now_us;
    assert_ptr_equal(relay, &self->relay);
    self->answer_id = id;
    self->answer_err = err;
    buf_clear(&self->answer);
    buf_append_span(&self->answer, items);
    self->answer_count++;
}

#endif
