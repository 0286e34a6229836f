/* Any bytes into protocol/json. What is accepted must hold together: spans lie inside, walking ends and sees
 * what parsing saw, a line parses again, and a string that can be decoded comes back from what is written of
 * it. */
#include "base/check.h"
#include "base/err.h"
#include "protocol/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool lies_inside(span_t part, span_t whole)
{
    return part.data >= whole.data && part.data + part.size <= whole.data + whole.size;
}

static void check_string(const json_value_t *value)
{
    buf_t text = {0}, json = {0}, again = {0};
    span_t span;
    int err = json_to_text(value, &text);
    CHECK(err == OK || (err == ERR_UTF8 && text.size == 0));
    if (err == OK) {
        json_value_t written;
        json_append_string(&json, buf_span(&text));
        CHECK(json_parse(buf_span(&json), &written) == OK && written.type == JSON_STRING);
        CHECK(json_to_text(&written, &again) == OK && span_eq(buf_span(&again), buf_span(&text)));
    }
    if (json_to_span(value, &span) == OK)
        CHECK(err == OK && span_eq(span, buf_span(&text)));
    buf_fini(&text);
    buf_fini(&json);
    buf_fini(&again);
}

static void check_number(const json_value_t *value)
{
    uint64_t unsigned_number = 0;
    int64_t number = 0;
    if (json_to_u64(value, &unsigned_number) == OK && json_to_i64(value, &number) == OK)
        CHECK((uint64_t)number == unsigned_number);
}

static void check_value(const json_value_t *value, unsigned depth);

static void check_items(const json_value_t *array, unsigned depth)
{
    json_cursor_t cursor = json_cursor(array);
    json_value_t item;
    while (json_next_item(&cursor, &item)) {
        CHECK(lies_inside(item.raw, array->raw));
        check_value(&item, depth + 1);
    }
    CHECK(cursor.rest.size == 0);
}

static void check_members(const json_value_t *object, unsigned depth)
{
    json_cursor_t cursor = json_cursor(object);
    json_value_t value;
    span_t key;
    while (json_next_member(&cursor, &key, &value)) {
        CHECK(lies_inside(key, object->raw) && lies_inside(value.raw, object->raw));
        check_value(&value, depth + 1);
    }
    CHECK(cursor.rest.size == 0);
    (void)json_check_keys(object);
}

/* What the walk hands out must be what the parser would make of these very bytes. */
static void check_value(const json_value_t *value, unsigned depth)
{
    json_value_t parsed;
    CHECK(depth <= JSON_DEPTH);
    CHECK(json_parse(value->raw, &parsed) == OK);
    CHECK(parsed.type == value->type && span_eq(parsed.raw, value->raw));
    switch (value->type) {
    case JSON_STRING: check_string(value); break;
    case JSON_NUMBER: check_number(value); break;
    case JSON_ARRAY: check_items(value, depth); break;
    case JSON_OBJECT: check_members(value, depth); break;
    case JSON_BOOL:
    case JSON_NULL: break;
    }
}

static void check_line(const json_value_t *value)
{
    buf_t line = {0};
    json_value_t parsed;
    json_append_line(&line, value->raw);
    CHECK(!memchr(line.data, '\n', line.size));
    CHECK(json_parse(buf_span(&line), &parsed) == OK && parsed.type == value->type);
    buf_fini(&line);
}

static void check_row(span_t text)
{
    span_t rest = text;
    json_value_t value;
    while (json_parse_next(&rest, &value) == OK) {
        CHECK(lies_inside(value.raw, text) && lies_inside(rest, text));
        CHECK(value.raw.data + value.raw.size <= rest.data);
    }
}

/* Whatever the bytes are, they can be written as a string. */
static void check_written(span_t text)
{
    buf_t json = {0};
    json_value_t value;
    json_append_string(&json, text);
    CHECK(json_parse(buf_span(&json), &value) == OK && value.type == JSON_STRING);
    buf_fini(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    span_t text = span_new(data, size);
    json_value_t value;
    if (json_parse(text, &value) == OK) {
        CHECK(lies_inside(value.raw, text));
        check_value(&value, 0);
        check_line(&value);
    }
    check_row(text);
    check_written(text);
    return 0;
}
