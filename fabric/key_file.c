#include "fabric/key_file.h"

#include <stdio.h>

#include "base/err.h"
#include "base/secret_file.h"
#include "fabric/node.h"

static const char *const first_lines[] = {
    [KEY_PUBLIC] = "heddle public key 1",
    [KEY_SECRET] = "heddle secret key 1",
};

static const char *const half_names[] = {[KEY_PUBLIC] = "public", [KEY_SECRET] = "secret"};

/* --- fields --- */

static int take_key(key_file_t *out, span_t value, buf_t *why)
{
    if (!key_text_is_good(value)) {
        buf_printf(why, "not a key: expected %u letters of Z85", KEY_TEXT_SIZE);
        return ERR_MALFORMED;
    }
    memcpy(out->key, value.data, KEY_TEXT_SIZE);
    out->key[KEY_TEXT_SIZE] = '\0';
    return OK;
}

static int take_name(key_file_t *out, span_t value, buf_t *why)
{
    size_t size = value.size < sizeof out->name ? value.size : sizeof out->name - 1;
    memcpy(out->name, value.data, size);
    out->name[size] = '\0';
    if (size == value.size && strlen(out->name) == size)
        return node_check_name(out->name, why);
    buf_printf(why, "expected 1 to %u printable characters without space", NODE_NAME_MAX);
    return ERR_MALFORMED;
}

static int take_roles(key_file_t *out, span_t value, buf_t *why)
{
    int err = roles_parse(value, &out->roles);
    if (err)
        buf_append_str(why, "expected some of: ");
    if (err)
        roles_write(ROLES_ALL, why);
    return err;
}

static int take_comment(key_file_t *out, span_t value, buf_t *why)
{
    (void)out;
    (void)value;
    (void)why;
    return OK;
}

#define IN_PUBLIC (1u << KEY_PUBLIC)
#define IN_SECRET (1u << KEY_SECRET)

static const struct {
    const char *name;
    unsigned allowed, required; /* in which halves */
    int (*take)(key_file_t *out, span_t value, buf_t *why);
} fields[] = {
    {"key", IN_PUBLIC | IN_SECRET, IN_PUBLIC | IN_SECRET, take_key},
    {"name", IN_PUBLIC | IN_SECRET, IN_PUBLIC | IN_SECRET, take_name},
    {"roles", IN_PUBLIC, IN_PUBLIC, take_roles},
    {"comment", IN_PUBLIC | IN_SECRET, 0, take_comment},
};

#define FIELDS (sizeof fields / sizeof fields[0])

/* --- lines --- */

typedef struct reader {
    key_file_t *out;
    const char *path;
    span_t rest;
    unsigned line;
    unsigned seen; /* a bit for each field */
    buf_t *why;
} reader_t;

static void where(reader_t *self)
{
    buf_printf(self->why, "%s:%u: ", self->path, self->line);
}

static int fault(reader_t *self, int err, const char *text)
{
    where(self);
    buf_append_str(self->why, text);
    return err;
}

/* Without the end of the line; false at the end of the text. */
static bool next_line(reader_t *self, span_t *out)
{
    if (self->rest.size == 0)
        return false;
    const uint8_t *end = memchr(self->rest.data, '\n', self->rest.size);
    *out = span_new(self->rest.data, end ? (size_t)(end - self->rest.data) : self->rest.size);
    self->rest = span_skip(self->rest, out->size + (end ? 1 : 0));
    self->line++;
    if (out->size && out->data[out->size - 1] == '\r')
        out->size--;
    return true;
}

static int take_first_line(reader_t *self)
{
    span_t line;
    if (next_line(self, &line)) {
        for (key_half_t half = KEY_PUBLIC; half <= KEY_SECRET; half++) {
            self->out->half = half;
            if (span_is(line, first_lines[half]))
                return OK;
        }
    }
    self->line = 1;
    return fault(self, ERR_MALFORMED,
                 "not a key file: it begins with \"heddle public key 1\" or \"heddle secret key 1\"");
}

static int take_field(reader_t *self, size_t i, span_t value)
{
    unsigned bit = 1u << i;
    unsigned half = 1u << self->out->half;
    if (!(fields[i].allowed & half) || self->seen & bit) {
        where(self);
        buf_printf(self->why, self->seen & bit ? "'%s' stands twice" : "'%s' has no place in a secret key",
                   fields[i].name);
        return self->seen & bit ? ERR_DUPLICATE : ERR_UNKNOWN;
    }
    self->seen |= bit;
    buf_t reason = {0};
    int err = fields[i].take(self->out, value, &reason);
    if (err) {
        where(self);
        buf_printf(self->why, "%s: %s", fields[i].name, buf_text(&reason));
    }
    buf_fini(&reason);
    return err;
}

static int take_line(reader_t *self, span_t line)
{
    if (line.size == 0 || line.data[0] == '#')
        return OK;
    for (size_t i = 0; i < FIELDS; i++) {
        size_t size = strlen(fields[i].name);
        if (span_starts(line, span_str(fields[i].name)) && span_starts(span_skip(line, size), SPAN(": ")))
            return take_field(self, i, span_skip(line, size + 2));
    }
    return fault(self, ERR_UNKNOWN,
                 "expected one of the fields key, name, roles, comment, as in \"name: edge-1\"");
}

static int check_missing(const reader_t *self)
{
    for (size_t i = 0; i < FIELDS; i++) {
        if (!(fields[i].required & (1u << self->out->half)) || self->seen & (1u << i))
            continue;
        buf_printf(self->why, "%s: '%s' is missing", self->path, fields[i].name);
        return ERR_TRUNCATED;
    }
    return OK;
}

int key_file_parse(key_file_t *out, const char *path, span_t text, buf_t *why)
{
    *out = (key_file_t){0};
    reader_t reader = {.out = out, .path = path, .rest = text, .why = why};
    int err = take_first_line(&reader);
    span_t line;
    while (!err && next_line(&reader, &line))
        err = take_line(&reader, line);
    return err ? err : check_missing(&reader);
}

void key_file_write(const key_file_t *file, const char *comment, buf_t *out)
{
    buf_printf(out, "%s\nkey: %s\nname: %s\n", first_lines[file->half], file->key, file->name);
    if (file->half == KEY_PUBLIC) {
        buf_append_str(out, "roles: ");
        roles_write(file->roles, out);
        buf_append_byte(out, '\n');
    }
    if (comment)
        buf_printf(out, "comment: %s\n", comment);
}

/* --- files --- */

static void explain(const char *path, int err, buf_t *why)
{
    switch (err) {
    case ERR_DENIED:
        buf_printf(why, "%s: others may read or change this secret; chmod 600 (or 640) it", path);
        return;
    case ERR_TOO_BIG: buf_printf(why, "%s: too long for a key file", path); return;
    default: buf_printf(why, "%s: cannot be read", path);
    }
}

int key_file_read(key_file_t *out, const char *path, key_half_t half, buf_t *why)
{
    buf_t text = {0};
    *out = (key_file_t){0};
    int err = half == KEY_SECRET ? secret_file_read_private(path, &text) : secret_file_read(path, &text);
    if (err)
        explain(path, err, why);
    else
        err = key_file_parse(out, path, buf_span(&text), why);
    if (!err && out->half != half) {
        buf_printf(why, "%s: holds a %s key, and a %s key is wanted", path, half_names[out->half],
                   half_names[half]);
        err = ERR_TYPE;
    }
    secret_wipe(&text);
    return err;
}
