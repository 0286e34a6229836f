#include "protocol/json.h"

#include "base/err.h"
#include "protocol/json_plain.h"
#include "protocol/utf8.h"

#define KEYS_CHECKED 32u /* members that json_check_keys compares, each with each */

/* --- the grammar --- */

typedef struct scanner {
    const uint8_t *at;
    const uint8_t *end;
    uint64_t objects; /* one bit a container that is open, the innermost lowest: 1 = object, 0 = array */
    unsigned depth;   /* containers that are open, at most the bits above */
} scanner_t;

/* What a step returns when it went well, but the value needs another value inside it to be complete. OK:
 * complete. */
#define INSIDE 1

static scanner_t scanner(span_t text)
{
    return (scanner_t){.at = text.data, .end = text.size ? text.data + text.size : text.data};
}

static void skip_space(scanner_t *self)
{
    while (self->at < self->end && *self->at <= ' ' &&
           (*self->at == ' ' || *self->at == '\n' || *self->at == '\t' || *self->at == '\r'))
        self->at++;
}

static bool take(scanner_t *self, uint8_t byte)
{
    if (self->at == self->end || *self->at != byte)
        return false;
    self->at++;
    return true;
}

/* What went wrong where another byte was expected. */
static int unexpected(const scanner_t *self)
{
    return self->at == self->end ? ERR_TRUNCATED : ERR_MALFORMED;
}

static int expect(scanner_t *self, uint8_t byte)
{
    return take(self, byte) ? OK : unexpected(self);
}

/* A run of bytes above ASCII. */
static int scan_characters(scanner_t *self)
{
    const uint8_t *begin = self->at;
    while (self->at < self->end && *self->at >= 0x80)
        self->at++;
    utf8_state_t state = 0;
    if (utf8_feed(&state, span_new(begin, (size_t)(self->at - begin))) != OK)
        return ERR_UTF8;
    return state == 0 ? OK : self->at == self->end ? ERR_TRUNCATED : ERR_UTF8;
}

static bool is_hex(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'F') || (byte >= 'a' && byte <= 'f');
}

static int scan_escape(scanner_t *self)
{
    self->at++;
    if (take(self, 'u')) {
        for (int i = 0; i < 4; i++, self->at++)
            if (self->at == self->end || !is_hex(*self->at))
                return unexpected(self);
        return OK;
    }
    if (self->at == self->end || *self->at == '\0' || !strchr("\"\\/bfnrt", *self->at))
        return unexpected(self);
    self->at++;
    return OK;
}

/* Behind the opening quote. */
static int scan_string(scanner_t *self)
{
    for (;;) {
        self->at = json_skip_plain(self->at, self->end);
        if (take(self, '"'))
            return OK;
        int err = self->at == self->end ? ERR_TRUNCATED
                  : *self->at == '\\'   ? scan_escape(self)
                  : *self->at >= 0x80   ? scan_characters(self)
                                        : ERR_MALFORMED;
        if (err)
            return err;
    }
}

static int scan_digits(scanner_t *self)
{
    const uint8_t *begin = self->at;
    while (self->at < self->end && *self->at >= '0' && *self->at <= '9')
        self->at++;
    return self->at > begin ? OK : unexpected(self);
}

static int scan_number(scanner_t *self)
{
    take(self, '-');
    int err = take(self, '0') ? OK : scan_digits(self);
    if (!err && take(self, '.'))
        err = scan_digits(self);
    if (!err && (take(self, 'e') || take(self, 'E'))) {
        if (!take(self, '-'))
            take(self, '+');
        err = scan_digits(self);
    }
    return err;
}

static int scan_word(scanner_t *self, const char *word)
{
    for (; *word; word++, self->at++)
        if (self->at == self->end || *self->at != (uint8_t)*word)
            return unexpected(self);
    return OK;
}

/* From before a key to behind the colon. */
static int scan_key(scanner_t *self)
{
    skip_space(self);
    int err = expect(self, '"');
    if (!err)
        err = scan_string(self);
    if (err)
        return err;
    skip_space(self);
    return expect(self, ':');
}

/* At the bracket. An empty container is complete. */
static int open_container(scanner_t *self, bool object)
{
    if (self->depth == JSON_DEPTH)
        return ERR_DEPTH;
    self->at++;
    skip_space(self);
    if (take(self, object ? '}' : ']'))
        return OK;
    self->objects = self->objects << 1 | object;
    self->depth++;
    int err = object ? scan_key(self) : OK;
    return err ? err : INSIDE;
}

/* A scalar, or a container as far as its first value. */
static int begin_value(scanner_t *self)
{
    skip_space(self);
    if (self->at == self->end)
        return ERR_TRUNCATED;
    switch (*self->at) {
    case '{': return open_container(self, true);
    case '[': return open_container(self, false);
    case '"': self->at++; return scan_string(self);
    case 't': return scan_word(self, "true");
    case 'f': return scan_word(self, "false");
    case 'n': return scan_word(self, "null");
    default: return scan_number(self);
    }
}

/* Behind a value: closes what ends there, and goes on to the next value of what is still open. */
static int end_value(scanner_t *self)
{
    while (self->depth > 0) {
        bool object = self->objects & 1;
        skip_space(self);
        if (take(self, ',')) {
            int err = object ? scan_key(self) : OK;
            return err ? err : INSIDE;
        }
        int err = expect(self, object ? '}' : ']');
        if (err)
            return err;
        self->objects >>= 1;
        self->depth--;
    }
    return OK;
}

static json_type_t type_of(uint8_t first)
{
    switch (first) {
    case '{': return JSON_OBJECT;
    case '[': return JSON_ARRAY;
    case '"': return JSON_STRING;
    case 't':
    case 'f': return JSON_BOOL;
    case 'n': return JSON_NULL;
    default: return JSON_NUMBER;
    }
}

/* One value, after white space. Not recursive: the open containers are bits. */
static int scan_value(scanner_t *self, json_value_t *out)
{
    skip_space(self);
    const uint8_t *begin = self->at;
    int step;
    do {
        step = begin_value(self);
        if (step == OK)
            step = end_value(self);
    } while (step == INSIDE);
    if (step == OK)
        *out = (json_value_t){type_of(*begin), span_new(begin, (size_t)(self->at - begin))};
    return step;
}

int json_parse(span_t text, json_value_t *out)
{
    scanner_t scan = scanner(text);
    json_value_t value;
    int err = scan_value(&scan, &value);
    if (err)
        return err;
    skip_space(&scan);
    if (scan.at < scan.end)
        return ERR_MALFORMED;
    *out = value;
    return OK;
}

int json_parse_next(span_t *rest, json_value_t *out)
{
    scanner_t scan = scanner(*rest);
    json_value_t value;
    skip_space(&scan);
    if (scan.at == scan.end)
        return ERR_NOT_FOUND;
    int err = scan_value(&scan, &value);
    if (err)
        return err;
    const uint8_t *behind = scan.at;
    skip_space(&scan);
    if (scan.at == behind && scan.at < scan.end)
        return ERR_MALFORMED;
    *out = value;
    *rest = span_new(scan.at, (size_t)(scan.end - scan.at));
    return OK;
}

/* --- walking: what was accepted is not judged again, only skipped (and never left: it ends where its span
 * does) --- */

json_cursor_t json_cursor(const json_value_t *container)
{
    if (container->type != JSON_ARRAY && container->type != JSON_OBJECT)
        return (json_cursor_t){0};
    return (json_cursor_t){span_new(container->raw.data + 1, container->raw.size - 2)};
}

/* Behind the opening quote; false if there is no closing one. */
static bool skip_string(scanner_t *self)
{
    for (;;) {
        self->at = json_skip_plain(self->at, self->end);
        while (self->at < self->end && *self->at >= 0x80)
            self->at++;
        if (self->at == self->end)
            return false;
        if (take(self, '"'))
            return true;
        if (take(self, '\\') && self->at < self->end)
            self->at++;
    }
}

static void skip_container(scanner_t *self)
{
    unsigned depth = 0;
    do {
        switch (*self->at++) {
        case '"': skip_string(self); break;
        case '[':
        case '{': depth++; break;
        case ']':
        case '}': depth--; break;
        default: break;
        }
    } while (depth > 0 && self->at < self->end);
}

/* A number, true, false or null: up to what may stand behind it. */
static void skip_word(scanner_t *self)
{
    while (self->at<self->end && * self->at> ' ' && *self->at != ',')
        self->at++;
}

/* The next value, and the comma behind it if there is one; false at the end of the container. */
static bool walk(scanner_t *self, json_value_t *out)
{
    skip_space(self);
    if (self->at == self->end)
        return false;
    const uint8_t *begin = self->at;
    json_type_t type = type_of(*begin);
    if (type == JSON_STRING) {
        self->at++;
        skip_string(self);
    } else if (type == JSON_ARRAY || type == JSON_OBJECT) {
        skip_container(self);
    } else {
        skip_word(self);
    }
    *out = (json_value_t){type, span_new(begin, (size_t)(self->at - begin))};
    skip_space(self);
    take(self, ',');
    return true;
}

static void keep_place(json_cursor_t *self, const scanner_t *scan)
{
    self->rest = span_new(scan->at, (size_t)(scan->end - scan->at));
}

bool json_next_item(json_cursor_t *self, json_value_t *item)
{
    scanner_t scan = scanner(self->rest);
    bool found = walk(&scan, item);
    keep_place(self, &scan);
    return found;
}

bool json_next_member(json_cursor_t *self, span_t *key, json_value_t *value)
{
    scanner_t scan = scanner(self->rest);
    skip_space(&scan);
    keep_place(self, &scan);
    if (!take(&scan, '"'))
        return false;
    const uint8_t *name = scan.at;
    if (!skip_string(&scan))
        return false;
    *key = span_new(name, (size_t)(scan.at - name) - 1);
    skip_space(&scan);
    take(&scan, ':');
    bool found = walk(&scan, value);
    keep_place(self, &scan);
    return found;
}

bool json_get(const json_value_t *object, const char *key, json_value_t *out)
{
    if (object->type != JSON_OBJECT)
        return false;
    json_cursor_t cursor = json_cursor(object);
    span_t wanted = span_str(key), name;
    json_value_t value;
    while (json_next_member(&cursor, &name, &value))
        if (span_eq(name, wanted)) {
            *out = value;
            return true;
        }
    return false;
}

int json_check_keys(const json_value_t *object)
{
    if (object->type != JSON_OBJECT)
        return ERR_TYPE;
    span_t keys[KEYS_CHECKED];
    size_t count = 0;
    json_cursor_t cursor = json_cursor(object);
    span_t key;
    json_value_t value;
    while (json_next_member(&cursor, &key, &value)) {
        if (count == KEYS_CHECKED)
            return ERR_TOO_BIG;
        if (key.size > 0 && memchr(key.data, '\\', key.size))
            return ERR_MALFORMED;
        for (size_t i = 0; i < count; i++)
            if (span_eq(keys[i], key))
                return ERR_DUPLICATE;
        keys[count++] = key;
    }
    return OK;
}
