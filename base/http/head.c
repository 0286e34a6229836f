#include "base/http/head.h"

#include <limits.h>

#include "base/err.h"

/* Every take_* moves `rest` on, and answers ERR_AGAIN when the bytes end before the grammar is broken: so a
 * bad head is refused at its first bad byte, and not when the sender pleases to end it. */

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_token(uint8_t c)
{
    return is_letter(c) || is_digit(c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* Visible, and no fragment: a '#' is never sent in a request. */
static bool is_target(uint8_t c)
{
    return c > ' ' && c < 0x7f && c != '#';
}

static bool is_value(uint8_t c)
{
    return (c >= ' ' && c != 0x7f) || c == '\t';
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool same_letters(span_t text, const char *other)
{
    if (text.size != strlen(other))
        return false;
    for (size_t i = 0; i < text.size; i++)
        if (lower(text.data[i]) != lower((uint8_t)other[i]))
            return false;
    return true;
}

static span_t trim(span_t text)
{
    while (text.size && is_space(text.data[0]))
        text = span_skip(text, 1);
    while (text.size && is_space(text.data[text.size - 1]))
        text.size--;
    return text;
}

/* The longest run of bytes of that class, up to a byte that must follow. */
static span_t take_run(span_t *rest, bool (*is_member)(uint8_t))
{
    span_t run = {rest->data, 0};
    while (run.size < rest->size && is_member(rest->data[run.size]))
        run.size++;
    *rest = span_skip(*rest, run.size);
    return run;
}

static int take_literal(span_t *rest, span_t literal)
{
    size_t size = rest->size < literal.size ? rest->size : literal.size;
    if (size && memcmp(rest->data, literal.data, size) != 0)
        return ERR_MALFORMED;
    if (size < literal.size)
        return ERR_AGAIN;
    *rest = span_skip(*rest, size);
    return OK;
}

/* A run of at least one byte, and the literal behind it. */
static int take_until(span_t *rest, bool (*is_member)(uint8_t), span_t literal, span_t *run)
{
    *run = take_run(rest, is_member);
    if (run->size == 0 && rest->size)
        return ERR_MALFORMED;
    return take_literal(rest, literal);
}

static int take_digit(span_t *rest, int *digit)
{
    if (rest->size == 0)
        return ERR_AGAIN;
    if (!is_digit(rest->data[0]))
        return ERR_MALFORMED;
    *digit = rest->data[0] - '0';
    *rest = span_skip(*rest, 1);
    return OK;
}

static int take_version(span_t *rest, http_head_t *out)
{
    int rc = take_literal(rest, SPAN("HTTP/"));
    if (!rc)
        rc = take_digit(rest, &out->version_major);
    if (!rc)
        rc = take_literal(rest, SPAN("."));
    if (!rc)
        rc = take_digit(rest, &out->version_minor);
    if (!rc && out->version_major != 1)
        rc = ERR_VERSION;
    return rc;
}

static void split_query(span_t text, http_head_t *out)
{
    const uint8_t *mark = text.size ? memchr(text.data, '?', text.size) : NULL;
    out->path = text;
    out->query = (span_t){0};
    if (mark) {
        out->path.size = (size_t)(mark - text.data);
        out->query = span_skip(text, out->path.size + 1);
    }
}

/* The part of an absolute target behind its authority: "http://host/path?query". */
static int split_absolute(span_t target, http_head_t *out)
{
    span_t rest = target;
    span_t scheme = take_run(&rest, is_letter);
    if (scheme.size == 0 || take_literal(&rest, SPAN("://")) != OK)
        return ERR_MALFORMED;
    size_t authority = 0;
    while (authority < rest.size && rest.data[authority] != '/' && rest.data[authority] != '?')
        authority++;
    if (authority == 0)
        return ERR_MALFORMED;
    split_query(span_skip(rest, authority), out);
    if (out->path.size == 0)
        out->path = SPAN("/");
    return OK;
}

/* The four forms of RFC 9112 section 3.2. */
static int split_target(http_head_t *out)
{
    if (out->target.data[0] == '/') {
        split_query(out->target, out);
        return OK;
    }
    bool whole =
        span_is(out->method, "CONNECT") || (span_is(out->method, "OPTIONS") && span_is(out->target, "*"));
    if (!whole)
        return split_absolute(out->target, out);
    out->path = out->target;
    return OK;
}

static int take_request_line(span_t *rest, http_head_t *out)
{
    int rc = take_until(rest, is_token, SPAN(" "), &out->method);
    if (!rc)
        rc = take_until(rest, is_target, SPAN(" "), &out->target);
    if (!rc)
        rc = take_version(rest, out);
    if (!rc)
        rc = take_literal(rest, SPAN("\r\n"));
    return rc ? rc : split_target(out);
}

static int take_status_line(span_t *rest, http_head_t *out, int *status)
{
    int digits[3];
    int rc = take_version(rest, out);
    if (!rc)
        rc = take_literal(rest, SPAN(" "));
    for (int i = 0; !rc && i < 3; i++)
        rc = take_digit(rest, &digits[i]);
    if (rc)
        return rc;
    *status = digits[0] * 100 + digits[1] * 10 + digits[2];
    if (*status < 100)
        return ERR_MALFORMED;
    if (rest->size && rest->data[0] == ' ')
        take_run(rest, is_value); /* the reason, which means nothing */
    return take_literal(rest, SPAN("\r\n"));
}

static int take_field(span_t *rest, http_head_t *out)
{
    http_field_t field;
    int rc = take_until(rest, is_token, SPAN(":"), &field.name);
    if (rc)
        return rc;
    field.value = trim(take_run(rest, is_value));
    rc = take_literal(rest, SPAN("\r\n"));
    if (rc)
        return rc;
    if (out->count == HTTP_HEAD_FIELDS)
        return ERR_TOO_BIG;
    out->fields[out->count++] = field;
    return OK;
}

static int take_fields(span_t *rest, http_head_t *out)
{
    for (;;) {
        if (rest->size && rest->data[0] == '\r')
            return take_literal(rest, SPAN("\r\n"));
        int rc = take_field(rest, out);
        if (rc)
            return rc;
    }
}

static void reset(http_head_t *out)
{
    out->method = out->target = out->path = out->query = (span_t){0};
    out->version_major = out->version_minor = 0;
    out->count = 0;
}

/* `status` is NULL for a request. */
static int parse(span_t bytes, http_head_t *out, int *status)
{
    reset(out);
    if (bytes.size > HTTP_HEAD_LIMIT)
        bytes.size = HTTP_HEAD_LIMIT;
    span_t rest = bytes;
    int rc = status ? take_status_line(&rest, out, status) : take_request_line(&rest, out);
    if (!rc)
        rc = take_fields(&rest, out);
    if (rc == ERR_AGAIN && bytes.size == HTTP_HEAD_LIMIT)
        rc = ERR_TOO_BIG;
    return rc ? rc : (int)(bytes.size - rest.size);
}

int http_head_parse(span_t bytes, http_head_t *out)
{
    return parse(bytes, out, NULL);
}

int http_head_parse_answer(span_t bytes, http_head_t *out, int *status)
{
    return parse(bytes, out, status);
}

bool http_field_is(const http_field_t *self, const char *name)
{
    return same_letters(self->name, name);
}

size_t http_head_get(const http_head_t *self, const char *name, span_t *value)
{
    size_t found = 0;
    for (size_t i = 0; i < self->count; i++) {
        if (!http_field_is(&self->fields[i], name))
            continue;
        if (found++ == 0 && value)
            *value = self->fields[i].value;
    }
    return found;
}

bool http_head_has_token(const http_head_t *self, const char *name, const char *token)
{
    for (size_t i = 0; i < self->count; i++) {
        if (!same_letters(self->fields[i].name, name))
            continue;
        span_t rest = self->fields[i].value, item;
        while (http_next_item(&rest, &item))
            if (same_letters(item, token))
                return true;
    }
    return false;
}

int http_head_body_size(const http_head_t *self, uint64_t limit, uint64_t *size)
{
    span_t value = {0};
    size_t count = http_head_get(self, "content-length", &value);
    *size = 0;
    if (http_head_get(self, "transfer-encoding", NULL) > 0)
        return ERR_UNAVAILABLE;
    if (count > 1 || (count == 1 && value.size == 0))
        return ERR_MALFORMED;
    bool over = false;
    for (size_t i = 0; i < value.size; i++) {
        if (!is_digit(value.data[i]))
            return ERR_MALFORMED;
        if (!over) /* far from an overflow: limits are sizes of memory */
            *size = *size * 10 + (uint64_t)(value.data[i] - '0');
        over = *size > limit;
    }
    return over ? ERR_TOO_BIG : OK;
}

bool http_head_keeps_alive(const http_head_t *self)
{
    if (http_head_has_token(self, "connection", "close"))
        return false;
    return self->version_minor >= 1 || http_head_has_token(self, "connection", "keep-alive");
}

/* Splits off what stands before the separator, and drops the separator. */
static span_t split_off(span_t *rest, char separator)
{
    const uint8_t *end = rest->size ? memchr(rest->data, separator, rest->size) : NULL;
    span_t part = {rest->data, end ? (size_t)(end - rest->data) : rest->size};
    *rest = span_skip(*rest, part.size + (end ? 1 : 0));
    return part;
}

bool http_next_item(span_t *rest, span_t *item)
{
    while (rest->size) {
        *item = trim(split_off(rest, ','));
        if (item->size)
            return true;
    }
    return false;
}

static int hex_digit(uint8_t c)
{
    if (is_digit(c))
        return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The next byte of a text that is not empty; ERR_MALFORMED. */
static int take_decoded(span_t *rest, bool plus_is_space)
{
    uint8_t c = rest->data[0];
    *rest = span_skip(*rest, 1);
    if (c == '+' && plus_is_space)
        return ' ';
    if (c != '%')
        return c;
    if (rest->size < 2)
        return ERR_MALFORMED;
    int high = hex_digit(rest->data[0]), low = hex_digit(rest->data[1]);
    if (high < 0 || low < 0)
        return ERR_MALFORMED;
    *rest = span_skip(*rest, 2);
    return high * 16 + low;
}

static bool decodes_to(span_t text, const char *name)
{
    for (; text.size && *name; name++)
        if (take_decoded(&text, true) != (uint8_t)*name)
            return false;
    return text.size == 0 && *name == '\0';
}

int http_query_value(span_t query, const char *name, size_t nth, char *out, size_t size)
{
    while (query.size) {
        span_t value = split_off(&query, '&');
        span_t key = split_off(&value, '=');
        if (decodes_to(key, name) && nth-- == 0)
            return http_percent_decode(value, true, out, size);
    }
    return ERR_NOT_FOUND;
}

int http_percent_decode(span_t text, bool plus_is_space, char *out, size_t size)
{
    size_t length = 0;
    while (text.size) {
        int c = take_decoded(&text, plus_is_space);
        if (c < 0)
            return c;
        if (length == size || length == INT_MAX)
            return ERR_TOO_BIG;
        out[length++] = (char)c;
    }
    return (int)length;
}
