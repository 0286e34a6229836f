/* edge/api_batch - the part of edge/api that does several calls in one: one after the other, or all at once.
 *
 * A batch lives until all that it began is answered. When its client leaves it begins nothing more.
 */
#include "base/err.h"
#include "base/mem.h"
#include "edge/api_inside.h"

#define COMMANDS_MAX 1000u /* as many as a broadcast's channels */

/* Of all replies together: a history alone may be as large as a list. What comes behind is an error. */
#define REPLIES_MAX (2 * LIST_MAX)

typedef struct reply {
    const char *method; /* static; NULL: none of ours */
    buf_t text;         /* owned */
} reply_t;

typedef struct edge_api_batch {
    edge_worker_t *worker;     /* borrowed */
    http_exchange_t *exchange; /* borrowed; NULL: the client has left */
    buf_t body;                /* owned; what `rest` walks */
    json_cursor_t rest;        /* commands that have not begun */
    size_t begun, waiting;     /* commands; of them, those that are not answered */
    size_t bytes;              /* of all replies */
    bool parallel;
    bool beginning; /* an answer that comes at once does not begin the next one itself */
    size_t count;
    reply_t replies[];
} batch_t;

static void gone(void *user)
{
    ((batch_t *)user)->exchange = NULL;
}

static void batch_destroy(batch_t **self_p)
{
    batch_t *self = *self_p;
    *self_p = NULL;
    for (size_t i = 0; i < self->count; i++)
        buf_fini(&self->replies[i].text);
    buf_fini(&self->body);
    mem_free(self);
}

/* {"replies":[...]}, and the end of it. */
static void finish(batch_t *self)
{
    buf_t text = {0};
    buf_append_str(&text, "{\"replies\":[");
    for (size_t i = 0; self->exchange && i < self->count; i++) {
        if (i > 0)
            buf_append_byte(&text, ',');
        buf_append_span(&text, buf_span(&self->replies[i].text));
    }
    buf_append_str(&text, "]}");
    if (self->exchange)
        http_exchange_respond(self->exchange, 200, "application/json", NULL, buf_span(&text));
    buf_fini(&text);
    batch_destroy(&self);
}

/* {"publish":{...}}: the one member of a command, whose value has no key twice. */
static centrifuge_error_t read_command(const json_value_t *command, const edge_api_method_t **method,
                                       json_value_t *body)
{
    json_cursor_t cursor = json_cursor(command);
    json_value_t other;
    span_t name, second;
    if (command->type != JSON_OBJECT || !json_next_member(&cursor, &name, body) ||
        json_next_member(&cursor, &second, &other) || json_check_keys(body) != OK)
        return CENTRIFUGE_ERROR_BAD_COMMAND;
    *method = edge_api_find_method(name);
    return *method ? CENTRIFUGE_ERROR_NONE : CENTRIFUGE_ERROR_NO_METHOD;
}

static void begin_command(batch_t *self, const json_value_t *command)
{
    const edge_api_method_t *method = NULL;
    json_value_t body;
    edge_api_call_t *call = mem_new(sizeof *call);
    *call = (edge_api_call_t){.worker = self->worker, .batch = self, .place = self->begun++};
    self->waiting++;
    centrifuge_error_t error = read_command(command, &method, &body);
    if (error) {
        edge_api_refuse(&call, error);
        return;
    }
    self->replies[call->place].method = method->name;
    method->serve(&call, &body);
}

/* Begins what may begin now; ends the batch when there is nothing left to do. */
static void go_on(batch_t *self)
{
    json_value_t command;
    self->beginning = true;
    while (self->exchange && (self->parallel || self->waiting == 0) && json_next_item(&self->rest, &command))
        begin_command(self, &command);
    self->beginning = false;
    if (self->waiting == 0)
        finish(self);
}

void edge_api_batch_answered(batch_t *self, size_t place, centrifuge_error_t error, span_t result)
{
    reply_t *reply = &self->replies[place];
    if (!error && result.size > REPLIES_MAX - self->bytes)
        error = CENTRIFUGE_ERROR_LIMIT;
    if (error) {
        edge_api_append_error(&reply->text, error);
    } else {
        self->bytes += result.size;
        buf_printf(&reply->text, "{\"%s\":", reply->method);
        buf_append_span(&reply->text, result);
        buf_append_byte(&reply->text, '}');
    }
    self->waiting--;
    if (!self->beginning)
        go_on(self);
}

/* ERR_TYPE, ERR_NOT_FOUND (no commands), ERR_TOO_BIG. */
static int count_commands(const json_value_t *body, size_t *count)
{
    json_value_t list, item;
    *count = 0;
    if (!json_get(body, "commands", &list))
        return ERR_NOT_FOUND;
    if (list.type != JSON_ARRAY)
        return ERR_TYPE;
    for (json_cursor_t cursor = json_cursor(&list); json_next_item(&cursor, &item);) {
        if (++*count > COMMANDS_MAX)
            return ERR_TOO_BIG;
    }
    return *count ? OK : ERR_NOT_FOUND;
}

static int read_parallel(const json_value_t *body, bool *parallel)
{
    json_value_t value;
    *parallel = false;
    return json_get(body, "parallel", &value) && value.type != JSON_NULL ? json_to_bool(&value, parallel)
                                                                         : OK;
}

/* Copies the commands, since they outlive the request. */
static batch_t *batch_new(edge_worker_t *worker, http_exchange_t *exchange, const json_value_t *body,
                          size_t count)
{
    json_value_t list;
    batch_t *self = mem_new(sizeof *self + count * sizeof *self->replies);
    self->worker = worker;
    self->exchange = exchange;
    self->count = count;
    (void)json_get(body, "commands", &list);
    buf_append_span(&self->body, list.raw);
    list.raw = buf_span(&self->body);
    self->rest = json_cursor(&list);
    http_exchange_on_gone(exchange, gone, self);
    return self;
}

void edge_api_batch(edge_worker_t *worker, http_exchange_t *exchange, const json_value_t *body)
{
    size_t count;
    bool parallel;
    int err = count_commands(body, &count);
    if (!err)
        err = read_parallel(body, &parallel);
    if (err) {
        buf_t text = {0};
        edge_api_append_error(&text, CENTRIFUGE_ERROR_BAD_COMMAND);
        http_exchange_respond(exchange, 200, "application/json", NULL, buf_span(&text));
        buf_fini(&text);
        return;
    }
    batch_t *self = batch_new(worker, exchange, body, count);
    self->parallel = parallel;
    go_on(self);
}
