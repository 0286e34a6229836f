#include "fabric/gate.h"

#include <czmq.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"

#define ENDPOINT "inproc://zeromq.zap.01"

#define KEY_BYTES (KEY_TEXT_SIZE / 5 * 4)

/* Questions answered before others get a turn; each costs about 10 us. */
#define QUESTIONS_MAX 100u

/* The frames of a question and of an answer. */
enum { Q_VERSION, Q_ID, Q_DOMAIN, Q_ADDRESS, Q_IDENTITY, Q_MECHANISM, Q_KEY, Q_FRAMES };
enum { A_VERSION, A_ID, A_STATUS, A_TEXT, A_USER, A_METADATA, A_FRAMES };

struct gate {
    const key_list_t *keys; /* borrowed */
    zsock_t *socket;        /* owned; REP */
    void *handle;           /* of libzmq */
    uv_poll_t poll;
    uv_idle_t idle; /* there are more questions */
    bool closed;
    int open_handles;
};

typedef struct inquiry {
    buf_t frames[Q_FRAMES];
    size_t count; /* may be more than there is room for */
} inquiry_t;

/* --- one question --- */

static bool receive(gate_t *self, inquiry_t *out)
{
    zmq_msg_t frame;
    bool more = true;
    zmq_msg_init(&frame);
    for (out->count = 0; more; out->count++) {
        if (zmq_msg_recv(&frame, self->handle, ZMQ_DONTWAIT) < 0)
            break;
        more = zmq_msg_more(&frame);
        if (out->count < Q_FRAMES)
            buf_append(&out->frames[out->count], zmq_msg_data(&frame), zmq_msg_size(&frame));
    }
    zmq_msg_close(&frame);
    return out->count > 0;
}

static bool is_curve(const inquiry_t *question)
{
    return question->count == Q_FRAMES && question->frames[Q_KEY].size == KEY_BYTES &&
           span_is(buf_span(&question->frames[Q_MECHANISM]), "CURVE");
}

static uint32_t decide(const gate_t *self, const inquiry_t *question)
{
    char key[KEY_TEXT_SIZE + 1] = "?";
    if (is_curve(question))
        zmq_z85_encode(key, question->frames[Q_KEY].data, KEY_BYTES);
    uint32_t number = key_list_find(self->keys, span_str(key));
    span_t address = buf_span(&question->frames[Q_ADDRESS]);
    if (number == KEY_NUMBER_NONE)
        log_warn("fabric.key_refused", "address=%s key=%s", log_safe(address), log_safe(span_str(key)));
    else
        log_info("fabric.key_admitted", "address=%s name=%s key=%" PRIu32, log_safe(address),
                 key_list_name(self->keys, number), number);
    return number;
}

static void answer(const gate_t *self, const inquiry_t *question, uint32_t number)
{
    char user[16] = "";
    bool good = number != KEY_NUMBER_NONE;
    if (good)
        snprintf(user, sizeof user, "%" PRIu32, number);
    const span_t frames[A_FRAMES] = {
        [A_VERSION] = buf_span(&question->frames[Q_VERSION]),
        [A_ID] = buf_span(&question->frames[Q_ID]),
        [A_STATUS] = good ? SPAN("200") : SPAN("400"),
        [A_TEXT] = good ? SPAN("OK") : SPAN("unknown key"),
        [A_USER] = span_str(user),
    };
    for (int i = 0; i < A_FRAMES; i++)
        zmq_send(self->handle, frames[i].data, frames[i].size, i + 1 < A_FRAMES ? ZMQ_SNDMORE : 0);
}

/* false: there was none. */
static bool take_question(gate_t *self)
{
    inquiry_t question = {.count = 0};
    bool found = receive(self, &question);
    if (found)
        answer(self, &question, decide(self, &question));
    for (size_t i = 0; i < Q_FRAMES; i++)
        buf_fini(&question.frames[i]);
    return found;
}

/* --- in the loop --- */

static void more_questions(uv_idle_t *idle);

/* Until there is none: the descriptor tells only of the next one that comes after that. */
static void take_questions(gate_t *self)
{
    for (size_t i = 0; i < QUESTIONS_MAX; i++) {
        if (!take_question(self)) {
            uv_idle_stop(&self->idle);
            return;
        }
    }
    uv_idle_start(&self->idle, more_questions);
}

static void more_questions(uv_idle_t *idle)
{
    take_questions(idle->data);
}

static void question_came(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    take_questions(poll->data);
}

/* --- life --- */

int gate_open(gate_t **out, uv_loop_t *loop, const key_list_t *keys)
{
    gate_t *self = mem_new(sizeof *self);
    *out = NULL;
    self->keys = keys;
    self->socket = zsock_new(ZMQ_REP);
    self->handle = zsock_resolve(self->socket);
    if (zmq_bind(self->handle, ENDPOINT) || uv_poll_init(loop, &self->poll, zsock_fd(self->socket))) {
        gate_destroy(&self);
        return ERR_IO;
    }
    uv_idle_init(loop, &self->idle);
    self->poll.data = self->idle.data = self;
    self->open_handles = 2;
    uv_poll_start(&self->poll, UV_READABLE, question_came);
    take_questions(self);
    *out = self;
    return OK;
}

/* Closing alone frees the name only when libzmq gets to it. */
static void close_socket(gate_t *self)
{
    if (self->socket)
        zmq_unbind(self->handle, ENDPOINT);
    zsock_destroy(&self->socket);
}

static void handle_closed(uv_handle_t *handle)
{
    gate_t *self = handle->data;
    if (--self->open_handles == 0)
        close_socket(self);
}

void gate_close(gate_t *self)
{
    if (self->closed || !self->open_handles)
        return;
    self->closed = true;
    uv_close((uv_handle_t *)&self->poll, handle_closed);
    uv_close((uv_handle_t *)&self->idle, handle_closed);
}

void gate_destroy(gate_t **self_p)
{
    gate_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    close_socket(self);
    mem_free(self);
}
