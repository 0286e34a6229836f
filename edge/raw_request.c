#include "edge/raw_request.h"

#include <strings.h>

#include "base/err.h"
#include "protocol/channel_name.h"

#define PATH   SPAN("/ws")
#define BEARER SPAN("bearer ")

/* What `mode` may say. */
enum mode { MODE_SUB, MODE_PUB, MODE_BOTH };
static const char *const mode_words[] = {"sub", "pub", NULL};

static const char *const zero_one_words[] = {"0", "1", NULL};

static int refuse(const char **why, const char *sentence)
{
    *why = sentence;
    return 400;
}

/* The place of a parameter's value among the words, or `absent`; negative if it is another, or stands twice. */
static int read_word(span_t query, const char *name, const char *const *words, int absent)
{
    char value[8];
    int size = http_query_value(query, name, 0, value, sizeof value);
    if (size == ERR_NOT_FOUND)
        return absent;
    char again[1];
    if (size < 0 || http_query_value(query, name, 1, again, sizeof again) != ERR_NOT_FOUND)
        return ERR_MALFORMED;
    for (int i = 0; words[i]; i++) {
        if (span_is(span_new(value, (size_t)size), words[i]))
            return i;
    }
    return ERR_UNKNOWN;
}

span_t raw_request_next_name(span_t *rest)
{
    span_t name = span_new(rest->data, rest->size ? strlen((const char *)rest->data) : 0);
    if (rest->size)
        *rest = span_skip(*rest, name.size + 1);
    return name;
}

static bool has_name(const raw_request_t *self, span_t wanted)
{
    span_t rest = buf_span(&self->names);
    while (rest.size) {
        if (span_eq(raw_request_next_name(&rest), wanted))
            return true;
    }
    return false;
}

static int add_name(raw_request_t *self, span_t name, uint64_t max, const char **why)
{
    if (channel_name_check(name) != OK)
        return refuse(why, "not a channel's name");
    if (has_name(self, name))
        return refuse(why, "a channel stands twice");
    if (self->count == max)
        return refuse(why, "too many channels");
    buf_append_span(&self->names, name);
    buf_append_byte(&self->names, '\0');
    self->count++;
    return 101;
}

/* `size` is what decoding returned. */
static int add_decoded(raw_request_t *self, const char *name, int size, uint64_t max, const char **why)
{
    if (size < 0)
        return refuse(why, "not a channel's name");
    return add_name(self, span_new(name, (size_t)size), max, why);
}

/* The path's channel first, then the query's. */
static int read_names(raw_request_t *self, const http_head_t *head, uint64_t max, const char **why)
{
    char name[CHANNEL_NAME_MAX];
    int status = 101;
    if (head->path.size > PATH.size) {
        span_t encoded = span_skip(head->path, PATH.size + 1);
        int size = http_percent_decode(encoded, false, name, sizeof name);
        status = add_decoded(self, name, size, max, why);
    }
    for (size_t nth = 0; status == 101; nth++) {
        int size = http_query_value(head->query, "channel", nth, name, sizeof name);
        if (size == ERR_NOT_FOUND)
            break;
        status = add_decoded(self, name, size, max, why);
    }
    if (status == 101 && self->count == 0)
        return refuse(why, "a channel is missing: /ws/CHANNEL or /ws?channel=CHANNEL");
    return status;
}

static int read_options(raw_request_t *self, span_t query, const char **why)
{
    int mode = read_word(query, "mode", mode_words, MODE_BOTH);
    if (mode < 0)
        return refuse(why, "mode is sub or pub");
    int echo = read_word(query, "echo", zero_one_words, 1);
    if (echo < 0)
        return refuse(why, "echo is 0 or 1");
    self->listens = mode != MODE_PUB;
    self->publishes = mode != MODE_SUB;
    self->echoes = echo == 1;
    int positions = read_word(query, "positions", zero_one_words, 0);
    if (positions < 0)
        return refuse(why, "positions is 0 or 1");
    self->tells_positions = positions == 1;
    return 101;
}

static int read_since(raw_request_t *self, span_t query, const char **why)
{
    char text[POSITION_TEXT_SIZE];
    int size = http_query_value(query, "since", 0, text, sizeof text);
    if (size == ERR_NOT_FOUND)
        return 101;
    char again[1];
    if (size <= 0 || position_parse(span_new(text, (size_t)size), &self->since) != OK ||
        http_query_value(query, "since", 1, again, sizeof again) != ERR_NOT_FOUND)
        return refuse(why, "since is EPOCH:OFFSET, as the edge told it");
    if (self->count > 1 || !self->listens)
        return refuse(why, "since is for one channel that is listened to");
    return 101;
}

/* Another scheme is not for us: a proxy in front may have its own. */
static span_t bearer_of(span_t field)
{
    if (field.size < BEARER.size || strncasecmp((const char *)field.data, "bearer ", BEARER.size) != 0)
        return (span_t){0};
    return span_skip(field, BEARER.size);
}

static int read_token(raw_request_t *self, const http_head_t *head, const char **why)
{
    span_t field = {0};
    if (http_head_get(head, "authorization", &field) > 1)
        return refuse(why, "more than one token");
    self->token = bearer_of(field);
    int size = http_query_value(head->query, "token", 0, self->token_memory, sizeof self->token_memory);
    if (size == ERR_NOT_FOUND)
        return 101;
    if (size < 0)
        return refuse(why, "the token is not readable");
    char again[1];
    if (self->token.size || http_query_value(head->query, "token", 1, again, sizeof again) != ERR_NOT_FOUND)
        return refuse(why, "more than one token");
    self->token = span_new(self->token_memory, (size_t)size);
    return 101;
}

static bool is_mine(span_t path)
{
    return span_starts(path, PATH) && (path.size == PATH.size || path.data[PATH.size] == '/');
}

int raw_request_read(raw_request_t *self, const http_head_t *head, uint64_t max_channels, const char **why)
{
    *self = (raw_request_t){0};
    if (!is_mine(head->path))
        return 0;
    int status = read_options(self, head->query, why);
    if (status == 101)
        status = read_names(self, head, max_channels, why);
    if (status == 101)
        status = read_since(self, head->query, why);
    if (status == 101)
        status = read_token(self, head, why);
    return status;
}

void raw_request_fini(raw_request_t *self)
{
    buf_fini(&self->names);
}
