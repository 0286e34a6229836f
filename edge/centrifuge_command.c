#include "edge/centrifuge_command.h"

#include "base/err.h"

static const char *const method_names[] = {
#define NAME(NAME, member) [CENTRIFUGE_##NAME] = (member),
    CENTRIFUGE_METHODS(NAME)
#undef NAME
};

const char *centrifuge_method_name(centrifuge_method_t method)
{
    return method_names[method];
}

/* --- the fields of requests --- */

typedef enum field_type { TEXT, RAW, COUNT, WHOLE, FLAG, OBJECT, PRESENT, POSITION } field_type_t;

#define INTO(member) offsetof(centrifuge_command_t, member)
#define NOWHERE      SIZE_MAX /* only its type counts, as the protocol fixes it */

/* A name means the same in all requests that have it. */
static const struct field {
    const char *name;
    field_type_t type;
    size_t place;
} fields[] = {
    {"channel", TEXT, INTO(channel)},
    {"token", TEXT, INTO(token)},
    {"data", RAW, INTO(data)},
    {"delta", TEXT, INTO(delta)},
    {"type", WHOLE, INTO(type)},
    {"tf", PRESENT, INTO(has_tag_filter)},
    {"name", TEXT, NOWHERE},
    {"version", TEXT, NOWHERE},
    {"headers", OBJECT, NOWHERE},
    {"subs", OBJECT, INTO(subs)},
    {"flag", WHOLE, INTO(flag)},
    {"recover", FLAG, INTO(recover)},
    {"epoch", TEXT, INTO(at.epoch)},
    {"offset", COUNT, INTO(at.offset)},
    {"positioned", FLAG, NOWHERE},
    {"recoverable", FLAG, NOWHERE},
    {"join_leave", FLAG, INTO(join_leave)},
    {"limit", WHOLE, INTO(limit)},
    {"since", POSITION, INTO(since)},
    {"reverse", FLAG, INTO(reverse)},
    {"method", TEXT, NOWHERE},
};

/* A string decoded; into `memory`, which has room for it, if it has escapes. */
static int take_text(const json_value_t *value, buf_t *memory, span_t *out)
{
    if (json_to_span(value, out) == OK)
        return OK;
    size_t begin = memory->size;
    int err = json_to_text(value, memory);
    if (!err)
        *out = span_new(memory->data + begin, memory->size - begin);
    return err;
}

/* {"offset":3,"epoch":"aB"} */
static int take_position(const json_value_t *value, buf_t *memory, centrifuge_position_t *out)
{
    json_value_t member;
    int err = json_check_keys(value);
    if (!err && json_get(value, "epoch", &member) && member.type != JSON_NULL)
        err = take_text(&member, memory, &out->epoch);
    if (!err && json_get(value, "offset", &member) && member.type != JSON_NULL)
        err = json_to_u64(&member, &out->offset);
    out->given = true;
    return err;
}

static int take_object(const json_value_t *value, span_t *out)
{
    if (value->type == JSON_NULL)
        return OK;
    *out = value->raw;
    return value->type == JSON_OBJECT ? OK : ERR_TYPE;
}

/* Takes what the field wants, or only looks whether it could. */
static int take_field(const struct field *field, const json_value_t *value, buf_t *memory,
                      centrifuge_command_t *out)
{
    union {
        span_t span;
        uint64_t count;
        int64_t whole;
        bool flag;
    } unused;
    void *place = field->place == NOWHERE ? (void *)&unused : (char *)out + field->place;
    switch (field->type) {
    case RAW: *(span_t *)place = value->raw; return OK;
    case PRESENT: *(bool *)place = value->type != JSON_NULL; return OK;
    case TEXT: return value->type == JSON_NULL ? OK : take_text(value, memory, place);
    case COUNT: return value->type == JSON_NULL ? OK : json_to_u64(value, place);
    case WHOLE: return value->type == JSON_NULL ? OK : json_to_i64(value, place);
    case FLAG: return value->type == JSON_NULL ? OK : json_to_bool(value, place);
    case POSITION: return value->type == JSON_NULL ? OK : take_position(value, memory, place);
    case OBJECT: return take_object(value, place);
    }
    return ERR_TYPE;
}

static const struct field *find_field(span_t name)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (span_is(name, fields[i].name))
            return &fields[i];
    return NULL;
}

static int take_request(const json_value_t *request, buf_t *memory, centrifuge_command_t *out)
{
    int err = json_check_keys(request);
    json_cursor_t cursor = json_cursor(request);
    span_t name;
    json_value_t value;
    while (!err && json_next_member(&cursor, &name, &value)) {
        const struct field *field = find_field(name);
        if (field)
            err = take_field(field, &value, memory, out);
    }
    return err;
}

bool centrifuge_read_recovery(span_t subs, const char *channel, buf_t *memory, centrifuge_position_t *out,
                              int *err)
{
    json_value_t all, one;
    centrifuge_command_t fields_of = {0};
    *err = subs.size ? json_parse(subs, &all) : OK;
    if (*err || subs.size == 0 || !json_get(&all, channel, &one) || one.type == JSON_NULL)
        return false;
    buf_clear(memory);
    buf_reserve(memory, one.raw.size); /* so that nothing moves */
    *err = take_request(&one, memory, &fields_of);
    *out = fields_of.at;
    return *err == OK && fields_of.recover;
}

/* --- a command --- */

static int take_id(const json_value_t *value, uint32_t *out)
{
    uint64_t id = 0;
    int err = value->type == JSON_NULL ? OK : json_to_u64(value, &id);
    if (!err && id > UINT32_MAX)
        err = ERR_RANGE;
    *out = (uint32_t)id;
    return err;
}

static centrifuge_method_t find_method(span_t name)
{
    for (int i = CENTRIFUGE_CONNECT; i < CENTRIFUGE_METHOD_COUNT; i++)
        if (span_is(name, method_names[i]))
            return (centrifuge_method_t)i;
    return CENTRIFUGE_PONG;
}

/* The id, and the method that comes first in the list, PONG if there is none; all that are there must be
 * objects. */
static int take_members(const json_value_t *command, centrifuge_command_t *out, json_value_t *request)
{
    json_cursor_t cursor = json_cursor(command);
    span_t name;
    json_value_t value;
    int err = OK;
    while (!err && json_next_member(&cursor, &name, &value)) {
        centrifuge_method_t method = find_method(name);
        if (span_is(name, "id"))
            err = take_id(&value, &out->id);
        if (method == CENTRIFUGE_PONG || value.type == JSON_NULL)
            continue;
        if (value.type != JSON_OBJECT)
            return ERR_TYPE;
        if (out->method == CENTRIFUGE_PONG || method < out->method) {
            out->method = method;
            *request = value;
        }
    }
    return err;
}

/* Only a pong and `send` go without a number. The original takes any command without one for a pong; we
 * rather tell its author than lose what it says. */
static bool is_numbered_right(const centrifuge_command_t *command)
{
    if (command->method == CENTRIFUGE_PONG)
        return command->id == 0;
    return command->id > 0 || command->method == CENTRIFUGE_SEND;
}

static int read_command(span_t line, buf_t *memory, centrifuge_command_t *out)
{
    json_value_t command, request;
    *out = (centrifuge_command_t){0};
    int err = json_parse(line, &command);
    if (!err)
        err = json_check_keys(&command);
    if (!err)
        err = take_members(&command, out, &request);
    if (!err && !is_numbered_right(out))
        err = ERR_MALFORMED;
    if (err || out->method == CENTRIFUGE_PONG)
        return err;
    return take_request(&request, memory, out);
}

/* --- a frame --- */

void centrifuge_reader_init(centrifuge_reader_t *self, span_t frame)
{
    *self = (centrifuge_reader_t){.rest = frame};
}

void centrifuge_reader_fini(centrifuge_reader_t *self)
{
    buf_fini(&self->memory);
}

int centrifuge_read(centrifuge_reader_t *self, centrifuge_command_t *out)
{
    if (self->rest.size == 0)
        return self->begun ? ERR_NOT_FOUND : ERR_MALFORMED;
    self->begun = true;
    self->here = self->rest;
    const uint8_t *end = memchr(self->rest.data, '\n', self->rest.size);
    span_t line = span_new(self->rest.data, end ? (size_t)(end - self->rest.data) : self->rest.size);
    self->rest = span_skip(self->rest, end ? line.size + 1 : line.size);
    buf_clear(&self->memory);
    /* Decoded texts are never longer than they were written; with room for all, none moves. */
    if (memchr(line.data, '\\', line.size))
        buf_reserve(&self->memory, line.size);
    return read_command(line, &self->memory, out);
}
