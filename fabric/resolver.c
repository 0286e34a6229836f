#include "fabric/resolver.h"

#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/mem.h"

#define HOST_SIZE 64 /* a numeric IPv6 address, with its zone */

/* What thread and loop share. Who is through with it last frees it. */
typedef struct question {
    pthread_mutex_t lock; /* for all below but the name */
    resolver_t *asker;    /* borrowed; NULL = dropped */
    bool answered;
    char *name;             /* owned */
    struct addrinfo *found; /* owned */
    int status;             /* of getaddrinfo */
} question_t;

struct resolver {
    uv_async_t wake;
    question_t *question;            /* shared with the thread */
    const resolver_events_t *events; /* borrowed */
    void *context;                   /* borrowed */
};

static void free_question(question_t *question)
{
    if (question->found)
        freeaddrinfo(question->found);
    pthread_mutex_destroy(&question->lock);
    mem_free(question->name);
    mem_free(question);
}

/* --- the thread --- */

static void *ask(void *context)
{
    question_t *question = context;
    /* ADDRCONFIG: no IPv6 addresses where there is no IPv6. */
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *found = NULL;
    int status = getaddrinfo(question->name, NULL, &hints, &found);
    pthread_mutex_lock(&question->lock);
    question->status = status;
    question->found = status ? NULL : found;
    question->answered = true;
    bool dropped = !question->asker;
    if (!dropped)
        uv_async_send(&question->asker->wake); /* under the lock: the handle can't be closed meanwhile */
    pthread_mutex_unlock(&question->lock);
    if (dropped)
        free_question(question);
    return NULL;
}

/* Nobody waits for it, and signals are for the others. */
static int start_thread(question_t *question)
{
    pthread_t thread;
    pthread_attr_t detached;
    sigset_t all, before;
    sigfillset(&all);
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&thread, &detached, ask, question);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&detached);
    return failed ? ERR_AGAIN : OK;
}

/* --- the loop --- */

static int error_of(int status)
{
    switch (status) {
    case 0: return OK;
    case EAI_NONAME:
#ifdef EAI_NODATA
    case EAI_NODATA:
#endif
        return ERR_NOT_FOUND;
    case EAI_AGAIN: return ERR_AGAIN;
    default: return ERR_UNAVAILABLE;
    }
}

static void handle_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

/* Parts with the thread. The question, if it has been answered: then it is the caller's. */
static question_t *part(resolver_t *self)
{
    question_t *question = self->question;
    pthread_mutex_lock(&question->lock);
    question->asker = NULL;
    bool answered = question->answered;
    pthread_mutex_unlock(&question->lock);
    uv_close((uv_handle_t *)&self->wake, handle_closed);
    return answered ? question : NULL;
}

static void tell(const question_t *question, const resolver_events_t *events, void *context)
{
    char host[HOST_SIZE];
    for (const struct addrinfo *item = question->found; item; item = item->ai_next) {
        if (getnameinfo(item->ai_addr, item->ai_addrlen, host, sizeof host, NULL, 0, NI_NUMERICHOST) == 0)
            events->found(context, host);
    }
    events->done(context, error_of(question->status));
}

static void woken(uv_async_t *handle)
{
    resolver_t *self = handle->data;
    question_t *question = part(self);
    tell(question, self->events, self->context);
    free_question(question);
}

int resolver_start(resolver_t **out, uv_loop_t *loop, const char *name, const resolver_events_t *events,
                   void *context)
{
    resolver_t *self = mem_new(sizeof *self);
    question_t *question = mem_new(sizeof *question);
    *self = (resolver_t){.question = question, .events = events, .context = context};
    self->wake.data = self;
    pthread_mutex_init(&question->lock, NULL);
    question->asker = self;
    question->name = mem_dup(name);
    *out = NULL;
    if (uv_async_init(loop, &self->wake, woken)) {
        mem_free(self);
        free_question(question);
        return ERR_AGAIN;
    }
    if (start_thread(question)) {
        question->answered = true; /* nobody else will */
        free_question(part(self));
        return ERR_AGAIN;
    }
    *out = self;
    return OK;
}

void resolver_drop(resolver_t **self_p)
{
    resolver_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    question_t *question = part(self);
    if (question)
        free_question(question);
}
