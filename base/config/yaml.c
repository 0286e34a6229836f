#include "base/config/yaml.h"

#include <yaml.h>

#include "base/check.h"
#include "base/mem.h"

#define LEVELS_MAX 16u
#define NODES_MAX  65536u

typedef struct reader {
    yaml_parser_t parser;
    config_report_t *report; /* borrowed */
    span_t text;             /* borrowed */
    size_t nodes;
    unsigned levels;
    config_mark_t bracket; /* the innermost one that is open; line 0 = none */
} reader_t;

static bool read_node(reader_t *self, yaml_event_t *event, config_node_t *node);

void config_node_fini(config_node_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        config_node_fini(&self->items[i]);
    mem_free(self->items);
    mem_free(self->key);
    mem_free(self->text);
    *self = (config_node_t){0};
}

/* libyaml counts from 0. */
static config_mark_t mark_of(yaml_mark_t mark)
{
    return (config_mark_t){mark.line + 1, mark.column + 1};
}

static config_mark_t mark_at_offset(span_t text, size_t offset)
{
    config_mark_t at = {1, 1};
    for (size_t i = 0; i < offset && i < text.size; i++) {
        if (text.data[i] == '\n')
            at = (config_mark_t){at.line + 1, 1};
        else if ((text.data[i] & 0xc0) != 0x80)
            at.column++;
    }
    return at;
}

/* libyaml's words, and ours for the same thing: what to do rather than what the parser missed. */
static const struct wording {
    const char *problem;
    const char *text;
} wordings[] = {
    {"mapping values are not allowed in this context",
     "a second ': ' in one value; put the value into quotes, or check the indentation"},
    {"could not find expected ':'", "expected 'key: value'"},
    {"did not find expected key", "expected a key here; check the indentation and the quotes above"},
    {"did not find expected '-' indicator", "expected another '- item' here; check the indentation"},
    {"did not find expected ',' or '}'",
     "expected ',' or '}'; put a value that holds ': ' or brackets into quotes"},
    {"did not find expected ',' or ']'",
     "expected ',' or ']'; put a value that holds ': ' or brackets into quotes"},
    {"did not find expected node content", "expected a key or a value here"},
    {"did not find expected <document start>", "expected the end of the file here; check the indentation"},
    {"found character that cannot start any token",
     "a value can't start with this character; put the value into quotes"},
    {"found unknown escape character",
     "unknown escape in a double-quoted text; single quotes take it as it is"},
    {"block sequence entries are not allowed in this context",
     "a list can't start here; put it on its own line"},
};

static const char *wording_of(const char *problem)
{
    for (size_t i = 0; i < sizeof wordings / sizeof *wordings; i++) {
        if (strcmp(problem, wordings[i].problem) == 0)
            return wordings[i].text;
    }
    return problem;
}

static bool is_at_end(const reader_t *self, config_mark_t at)
{
    config_mark_t end = mark_at_offset(self->text, self->text.size);
    return at.line > end.line || (at.line == end.line && at.column >= end.column);
}

/* What is opened and never closed is missed at the end of the file, and shown where it opens. */
static void report_problem(reader_t *self, const char *problem)
{
    const yaml_parser_t *parser = &self->parser;
    config_mark_t at = mark_of(parser->problem_mark);
    bool at_end = is_at_end(self, at);
    if (at_end && parser->context && strcmp(parser->context, "while scanning a quoted scalar") == 0)
        config_report_add(self->report, mark_of(parser->context_mark),
                          "a quote is opened here and never closed");
    else if (at_end && self->bracket.line > 0)
        config_report_add(self->report, self->bracket, "a bracket is opened here and never closed");
    else
        config_report_add(self->report, at, "%s", wording_of(problem));
}

/* When the bytes are no text libyaml knows only which byte it is. */
static void report_bytes(reader_t *self, const char *problem)
{
    config_report_add(self->report, mark_at_offset(self->text, self->parser.problem_offset), "%s",
                      strstr(problem, "UTF-8") ? "invalid UTF-8" : problem);
}

static void report_syntax(reader_t *self)
{
    const yaml_parser_t *parser = &self->parser;
    const char *problem = parser->problem ? parser->problem : "this can't be read as YAML";
    if (parser->error == YAML_READER_ERROR)
        report_bytes(self, problem);
    else if (!config_report_has_line(self->report,
                                     parser->problem_mark.line + 1)) /* else a tab is the cause */
        report_problem(self, problem);
}

static bool next_event(reader_t *self, yaml_event_t *event)
{
    if (yaml_parser_parse(&self->parser, event))
        return true;
    report_syntax(self);
    return false;
}

/* Anchors and tags are the same two members in three kinds of events. */
static void refuse_properties(reader_t *self, const yaml_event_t *event, const yaml_char_t *anchor,
                              const yaml_char_t *tag)
{
    if (anchor)
        config_report_add(self->report, mark_of(event->start_mark),
                          "anchors are not supported; write the value where it is used");
    if (tag)
        config_report_add(self->report, mark_of(event->start_mark),
                          "tags are not supported; the setting says what type it has");
}

static void read_scalar(reader_t *self, const yaml_event_t *event, config_node_t *node)
{
    refuse_properties(self, event, event->data.scalar.anchor, event->data.scalar.tag);
    const char *text = (const char *)event->data.scalar.value;
    size_t size = event->data.scalar.length;
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (memchr(text, '\0', size)) {
        config_report_add(self->report, mark_of(event->start_mark), "a text can't hold a NUL character");
        node->kind = CONFIG_NODE_BAD;
        return;
    }
    node->kind = size == 0 && !node->quoted ? CONFIG_NODE_EMPTY : CONFIG_NODE_TEXT;
    node->text = mem_dup_n(text, size);
}

/* Doubles at powers of two, so that a long list costs no square. */
static void append_node(config_node_t *parent, config_node_t node)
{
    if ((parent->count & (parent->count - 1)) == 0)
        parent->items = mem_grow(parent->items, parent->count ? parent->count * 2 : 1, sizeof *parent->items);
    parent->items[parent->count++] = node;
}

/* An item that could not be read to its end is not kept: it would be judged by its first half. */
static bool read_into(reader_t *self, yaml_event_t *event, config_node_t *item, config_node_t *parent)
{
    bool whole = read_node(self, event, item);
    if (whole)
        append_node(parent, *item);
    else
        config_node_fini(item);
    return whole;
}

static bool read_list(reader_t *self, config_node_t *node)
{
    node->kind = CONFIG_NODE_LIST;
    for (;;) {
        yaml_event_t event;
        if (!next_event(self, &event))
            return false;
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            node->end = mark_of(event.end_mark);
            yaml_event_delete(&event);
            return true;
        }
        config_node_t item = {0};
        if (!read_into(self, &event, &item, node))
            return false;
    }
}

static bool is_merge_key(const yaml_event_t *event)
{
    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           strcmp((const char *)event->data.scalar.value, "<<") == 0;
}

/* Takes the event. `*usable` is false for a key that was reported: its value is then read and dropped. */
static bool read_key(reader_t *self, yaml_event_t *event, config_node_t *item, bool *usable)
{
    config_node_t key = {0};
    bool scalar = event->type == YAML_SCALAR_EVENT;
    bool merge = scalar && is_merge_key(event);
    if (merge)
        config_report_add(self->report, mark_of(event->start_mark),
                          "merge keys are not supported; write the settings where they apply");
    if (!read_node(self, event, &key)) {
        config_node_fini(&key);
        return false;
    }
    *usable = key.kind == CONFIG_NODE_TEXT && !merge;
    if (scalar && key.kind == CONFIG_NODE_EMPTY)
        config_report_add(self->report, key.at, "a key is missing before ':'");
    else if (!scalar && key.kind != CONFIG_NODE_BAD)
        config_report_add(self->report, key.at, "a key must be a single word");
    if (*usable) {
        item->key = key.text;
        key.text = NULL;
        item->key_at = key.at;
    }
    config_node_fini(&key);
    return true;
}

static bool read_pair(reader_t *self, yaml_event_t *key_event, config_node_t *mapping)
{
    config_node_t item = {0}, dropped = {0};
    yaml_event_t event;
    bool usable;
    if (!read_key(self, key_event, &item, &usable))
        return false;
    if (!next_event(self, &event)) {
        config_node_fini(&item);
        return false;
    }
    bool whole = read_into(self, &event, &item, usable ? mapping : &dropped);
    config_node_fini(&dropped);
    return whole;
}

static bool read_mapping(reader_t *self, config_node_t *node)
{
    node->kind = CONFIG_NODE_MAPPING;
    for (;;) {
        yaml_event_t event;
        if (!next_event(self, &event))
            return false;
        if (event.type == YAML_MAPPING_END_EVENT) {
            node->end = mark_of(event.end_mark);
            yaml_event_delete(&event);
            return true;
        }
        if (!read_pair(self, &event, node))
            return false;
    }
}

static bool within_limits(reader_t *self, config_mark_t at)
{
    if (self->levels >= LEVELS_MAX)
        config_report_add(self->report, at, "nested deeper than %u levels", LEVELS_MAX);
    else if (self->nodes >= NODES_MAX)
        config_report_add(self->report, at, "more than %u values in one file", NODES_MAX);
    else
        return true;
    return false;
}

/* What stands in brackets, or in lines of its own. When reading stops inside, the bracket stays noted. */
static bool read_collection(reader_t *self, config_node_t *node, bool in_brackets,
                            bool (*read)(reader_t *, config_node_t *))
{
    config_mark_t outer = self->bracket;
    if (in_brackets)
        self->bracket = node->at;
    if (!read(self, node))
        return false;
    self->bracket = outer;
    return true;
}

/* The contents of the node that the event begins. */
static bool read_contents(reader_t *self, const yaml_event_t *event, config_node_t *node)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT: read_scalar(self, event, node); return true;
    case YAML_SEQUENCE_START_EVENT:
        refuse_properties(self, event, event->data.sequence_start.anchor, event->data.sequence_start.tag);
        return read_collection(self, node, event->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE,
                               read_list);
    case YAML_MAPPING_START_EVENT:
        refuse_properties(self, event, event->data.mapping_start.anchor, event->data.mapping_start.tag);
        return read_collection(self, node, event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE,
                               read_mapping);
    default: /* an alias: nothing else starts a node */
        config_report_add(self->report, node->at,
                          "aliases are not supported; write the value here, or put it into quotes");
        node->kind = CONFIG_NODE_BAD;
        return true;
    }
}

/* Takes the event. */
static bool read_node(reader_t *self, yaml_event_t *event, config_node_t *node)
{
    node->at = mark_of(event->start_mark);
    node->end = mark_of(event->end_mark);
    bool whole = within_limits(self, node->at);
    if (whole) {
        self->nodes++;
        self->levels++;
        whole = read_contents(self, event, node);
        self->levels--;
    }
    yaml_event_delete(event);
    return whole;
}

static void refuse_directives(reader_t *self, const yaml_event_t *event)
{
    if (event->data.document_start.version_directive ||
        event->data.document_start.tag_directives.start != event->data.document_start.tag_directives.end)
        config_report_add(self->report, mark_of(event->start_mark), "directives (%%) are not supported");
}

/* The stream's events in their order: start, then a document or none, then the end or a second document. */
static bool read_stream(reader_t *self, config_node_t *root)
{
    for (size_t documents = 0;;) {
        yaml_event_t event;
        if (!next_event(self, &event))
            return false;
        yaml_event_type_t type = event.type;
        if (type == YAML_DOCUMENT_START_EVENT) {
            refuse_directives(self, &event);
            if (documents++ > 0)
                config_report_add(self->report, mark_of(event.start_mark),
                                  "a second document; one file holds one configuration");
        }
        bool node = type == YAML_SCALAR_EVENT || type == YAML_SEQUENCE_START_EVENT ||
                    type == YAML_MAPPING_START_EVENT || type == YAML_ALIAS_EVENT;
        if (node && !read_node(self, &event, root))
            return false;
        if (!node)
            yaml_event_delete(&event);
        if (type == YAML_STREAM_END_EVENT || documents > 1)
            return true;
    }
}

static span_t take_line(span_t *text)
{
    const uint8_t *end = memchr(text->data, '\n', text->size);
    size_t size = end ? (size_t)(end - text->data) : text->size;
    span_t line = {text->data, size};
    *text = span_skip(*text, end ? size + 1 : size);
    return line;
}

/* libyaml takes some tabs as spaces and stumbles over others; we take none, so that what one sees is what it
 * is. */
static void refuse_tabs(reader_t *self)
{
    span_t rest = self->text;
    for (size_t number = 1; rest.size > 0; number++) {
        span_t line = take_line(&rest);
        size_t tab = 0, at = 0;
        for (; at < line.size && (line.data[at] == ' ' || line.data[at] == '\t'); at++) {
            if (line.data[at] == '\t' && tab == 0)
                tab = at + 1;
        }
        if (tab > 0 && at < line.size && line.data[at] != '\r' && line.data[at] != '#')
            config_report_add(self->report, (config_mark_t){number, tab},
                              "a tab in the indentation; use spaces");
    }
}

/* A value on the line where reading stopped may be half of what was meant: nothing more is said of it. */
static void drop_line(config_node_t *node, size_t line)
{
    if (node->at.line == line && node->kind == CONFIG_NODE_TEXT)
        node->kind = CONFIG_NODE_BAD;
    for (size_t i = 0; i < node->count; i++)
        drop_line(&node->items[i], line);
}

bool config_yaml_read(span_t text, config_node_t *root, config_report_t *report)
{
    reader_t self = {.report = report, .text = text};
    CHECK(yaml_parser_initialize(&self.parser));
    yaml_parser_set_encoding(&self.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&self.parser, text.data ? text.data : (const uint8_t *)"", text.size);
    refuse_tabs(&self);
    bool whole = read_stream(&self, root);
    if (!whole)
        drop_line(root, mark_of(self.parser.problem_mark).line);
    yaml_parser_delete(&self.parser);
    return whole;
}
