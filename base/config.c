#include "base/config.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/config/env.h"
#include "base/config/path.h"
#include "base/config/report.h"
#include "base/config/secret.h"
#include "base/config/source.h"
#include "base/config/value.h"
#include "base/config/yaml.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/table.h"

#define FILE_MAX         (1u << 20) /* bytes of a configuration file */
#define SECTION_NAME_MAX 255u       /* bytes of a section's name; YAML demands short keys */
#define KNOWN_MAX        8u         /* words that a message lists when none is near */

typedef struct loader {
    config_report_t *report;   /* borrowed */
    config_sources_t *sources; /* borrowed */
} loader_t;

/* The settings that stand under one root: the whole file, or one item of a SECTIONS setting. */
typedef struct scope {
    const config_part_t *parts;
    size_t count;
    const char *prefix; /* "" or "namespaces.default.", for messages */
} scope_t;

static void apply_mapping(loader_t *self, const scope_t *scope, const char *path,
                          const config_node_t *mapping);
static void set_defaults(const config_part_t *parts, size_t count);

static const char *kind_name(config_node_kind_t kind)
{
    switch (kind) {
    case CONFIG_NODE_EMPTY: return "nothing";
    case CONFIG_NODE_TEXT: return "a single value";
    case CONFIG_NODE_LIST: return "a list";
    case CONFIG_NODE_MAPPING: return "nested settings";
    case CONFIG_NODE_BAD: break;
    }
    return "something else";
}

static void report_kind(loader_t *self, const char *name, const config_row_t *row, const config_node_t *node)
{
    if (node->kind == CONFIG_NODE_BAD)
        return;
    buf_t expected = {0};
    config_value_describe(row, &expected);
    config_report_add(self->report, node->kind == CONFIG_NODE_EMPTY ? node->key_at : node->at,
                      "%s: expected %s, got %s", name, buf_text(&expected), kind_name(node->kind));
    buf_fini(&expected);
}

/* The text of a scalar with its variables replaced; false if that was reported as a mistake. */
static bool expand(loader_t *self, const char *name, const config_node_t *node, bool *replaced, buf_t *text)
{
    buf_t why = {0};
    int err = config_env_expand(node->text, replaced, text, &why);
    if (err != OK)
        config_report_add(self->report, node->at, "%s: %s", name, buf_text(&why));
    buf_fini(&why);
    return err == OK;
}

/* A number or a truth in quotes is a text to every other reader of YAML, so it is a mistake here. One that
 * comes out of a variable may be quoted: inside {} YAML demands the quotes. */
static bool is_quoted_literal(const config_row_t *row, const config_node_t *node, bool replaced)
{
    return node->quoted && !replaced && (row->type == CONFIG_COUNT || row->type == CONFIG_BOOL);
}

static void apply_scalar(loader_t *self, const char *name, config_cursor_t *at, const config_node_t *node)
{
    if (node->kind != CONFIG_NODE_TEXT) {
        report_kind(self, name, at->row, node);
        return;
    }
    buf_t text = {0}, why = {0};
    bool replaced;
    if (!expand(self, name, node, &replaced, &text))
        goto done;
    if (is_quoted_literal(at->row, node, replaced)) {
        config_value_describe(at->row, &why);
        config_report_add(self->report, node->at, "%s: expected %s; in quotes it is a text, write it without",
                          name, buf_text(&why));
    } else if (config_value_set(at->row, at->slot, buf_text(&text), &why) != OK) {
        config_report_add(self->report, node->at, "%s: %s", name, buf_text(&why));
    }
done:
    buf_fini(&text);
    buf_fini(&why);
}

static void apply_item_of_list(loader_t *self, const char *name, config_cursor_t *at,
                               const config_node_t *node)
{
    if (node->kind == CONFIG_NODE_BAD)
        return;
    if (node->kind != CONFIG_NODE_TEXT) {
        config_report_add(self->report, node->at, "%s: expected a text as an item, got %s", name,
                          kind_name(node->kind));
        return;
    }
    buf_t text = {0}, why = {0};
    bool replaced;
    if (expand(self, name, node, &replaced, &text) &&
        config_value_add(at->row, at->slot, buf_text(&text), &why) != OK)
        config_report_add(self->report, node->at, "%s: %s", name, buf_text(&why));
    buf_fini(&text);
    buf_fini(&why);
}

static void apply_list(loader_t *self, const char *name, config_cursor_t *at, const config_node_t *node)
{
    if (node->kind != CONFIG_NODE_LIST) {
        report_kind(self, name, at->row, node);
        return;
    }
    config_value_clear(at->row, at->slot);
    for (size_t i = 0; i < node->count; i++)
        apply_item_of_list(self, name, at, &node->items[i]);
    if (node->count == 0 && at->row->flags & CONFIG_REQUIRED)
        config_report_add(self->report, node->at, "%s: must not be empty", name);
}

/* The place of the nearest mapping above a setting that is missing; none if not even its section is there. */
static config_mark_t nearest_mark(const config_node_t *node, const char *path)
{
    config_mark_t at = node->key_at;
    for (size_t i = 0; i < node->count;) {
        const config_node_t *item = &node->items[i++];
        size_t size = strlen(item->key);
        if (strncmp(item->key, path, size) != 0 || path[size] != '.')
            continue;
        node = item;
        at = item->key_at;
        path += size + 1;
        i = 0;
        if (node->kind != CONFIG_NODE_MAPPING)
            break;
    }
    return at;
}

static void check_required(loader_t *self, const scope_t *scope, const config_node_t *root)
{
    for (config_cursor_t at = config_rows(scope->parts, scope->count); config_next(&at);) {
        if (!(at.row->flags & CONFIG_REQUIRED) ||
            config_sources_get(self->sources, at.slot).kind != CONFIG_FROM_DEFAULT)
            continue;
        const char *example = at.row->example;
        config_mark_t mark = root->kind == CONFIG_NODE_MAPPING ? nearest_mark(root, at.path) : root->key_at;
        config_report_add(self->report, mark, "the required key '%s%s' is missing%s%s%s", scope->prefix,
                          at.path, example ? " (for example: " : "", example ? example : "",
                          example ? ")" : "");
    }
}

/* The sections of a setting are one array, which is as large as it will be from the start: the places of the
 * values in it are known to the sources. */
static void reserve_sections(const config_row_t *row, config_sections_t *sections, size_t capacity)
{
    config_value_clear(row, sections);
    sections->items = mem_new_n(capacity, row->sections->size);
}

static void *append_section(const config_row_t *row, config_sections_t *sections, const char *name)
{
    config_part_t part = {row->sections, config_section_at(row, sections, sections->count++)};
    *(char **)part.target = mem_dup(name);
    set_defaults(&part, 1);
    return part.target;
}

static bool has_section(const config_row_t *row, const config_sections_t *sections, const char *name)
{
    for (size_t i = 0; i < sections->count; i++) {
        if (strcmp(*(char **)config_section_at(row, sections, i), name) == 0)
            return true;
    }
    return false;
}

/* Adds those that always exist and are not there yet. */
static void append_missing(const config_row_t *row, config_sections_t *sections, const config_list_t *names)
{
    for (size_t i = 0; i < names->count; i++) {
        if (!has_section(row, sections, names->items[i]))
            append_section(row, sections, names->items[i]);
    }
}

static void list_standing_names(const config_row_t *row, config_list_t *names)
{
    if (row->fallback)
        config_value_split(row->fallback, names);
}

static void apply_section(loader_t *self, const char *path, const config_row_t *row, void *target,
                          const config_node_t *node)
{
    buf_t prefix = {0};
    buf_printf(&prefix, "%s.", path);
    config_table_t table = config_inner_table(row);
    config_part_t part = {&table, target};
    scope_t scope = {&part, 1, buf_text(&prefix)};
    if (node->kind == CONFIG_NODE_MAPPING)
        apply_mapping(self, &scope, "", node);
    else if (node->kind == CONFIG_NODE_TEXT || node->kind == CONFIG_NODE_LIST)
        config_report_add(self->report, node->at, "%s: expected nested settings, got %s", path,
                          kind_name(node->kind));
    check_required(self, &scope, node);
    buf_fini(&prefix);
}

static span_t node_key(const void *item)
{
    return span_str(((const config_node_t *)item)->key);
}

/* Whether the key stands there for the first time; reports it if not. */
static bool is_first(loader_t *self, table_t *seen, const char *path, config_node_t *item)
{
    const config_node_t *first = table_get(seen, node_key(item));
    if (first) {
        config_report_add(self->report, item->key_at, "duplicate key '%s'; it stands on line %zu already",
                          path, first->key_at.line);
        return false;
    }
    table_put(seen, item);
    return true;
}

static void append_path(buf_t *out, const char *parent, const char *key)
{
    buf_append_str(out, parent);
    buf_append_str(out, *parent ? "." : "");
    buf_append_str(out, key);
}

static void apply_named_section(loader_t *self, const char *name, config_cursor_t *at, table_t *seen,
                                config_node_t *item)
{
    buf_t path = {0};
    append_path(&path, name, item->key);
    if (item->key[0] == '\0')
        config_report_add(self->report, item->key_at, "%s: a name must not be empty", name);
    else if (strlen(item->key) > SECTION_NAME_MAX)
        config_report_add(self->report, item->key_at, "%s: a name has at most %u bytes", name,
                          SECTION_NAME_MAX);
    else if (is_first(self, seen, buf_text(&path), item))
        apply_section(self, buf_text(&path), at->row, append_section(at->row, at->slot, item->key), item);
    buf_fini(&path);
}

static void apply_sections(loader_t *self, const char *name, config_cursor_t *at, const config_node_t *node)
{
    if (node->kind == CONFIG_NODE_EMPTY)
        return;
    if (node->kind != CONFIG_NODE_MAPPING) {
        report_kind(self, name, at->row, node);
        return;
    }
    config_list_t standing = {0};
    table_t seen;
    table_init(&seen, node_key);
    list_standing_names(at->row, &standing);
    reserve_sections(at->row, at->slot, node->count + standing.count);
    for (size_t i = 0; i < node->count; i++)
        apply_named_section(self, name, at, &seen, &node->items[i]);
    append_missing(at->row, at->slot, &standing);
    table_fini(&seen);
    config_list_fini(&standing);
}

static void apply_setting(loader_t *self, const scope_t *scope, config_cursor_t *at,
                          const config_node_t *node)
{
    buf_t name = {0};
    buf_printf(&name, "%s%s", scope->prefix, at->path);
    config_sources_set(self->sources, at->slot, CONFIG_FROM_FILE, node->key_at.line);
    if (at->row->flags & CONFIG_SECRET)
        config_report_hide(self->report, node->at, node->end);
    if (at->row->type == CONFIG_LIST)
        apply_list(self, buf_text(&name), at, node);
    else if (at->row->type == CONFIG_SECTIONS)
        apply_sections(self, buf_text(&name), at, node);
    else
        apply_scalar(self, buf_text(&name), at, node);
    buf_fini(&name);
}

/* The full name of a setting whose last word is this; false if there is none or several. */
static bool find_by_word(const scope_t *scope, const char *word, config_cursor_t *found)
{
    size_t matches = 0;
    for (config_cursor_t at = config_rows(scope->parts, scope->count); config_next(&at);) {
        if (strcmp(config_last_word(at.path), word) != 0)
            continue;
        *found = at;
        matches++;
    }
    return matches == 1;
}

static void append_hint(const scope_t *scope, const char *parent, const char *key, buf_t *hint)
{
    config_list_t known = {0};
    config_children(scope->parts, scope->count, parent, &known);
    const char *near = config_suggest(key, (const char *const *)known.items, known.count);
    config_cursor_t elsewhere;
    if (strchr(key, '.')) {
        buf_append_str(hint, "; write a section and the key in it on lines of their own");
    } else if (near) {
        buf_printf(hint, "; did you mean '%s'?", near);
    } else if (find_by_word(scope, key, &elsewhere)) {
        buf_printf(hint, "; did you mean '%s%s'?", scope->prefix, elsewhere.path);
    } else if (known.count <= KNOWN_MAX) {
        buf_append_str(hint, "; known here: ");
        for (size_t i = 0; i < known.count; i++)
            buf_printf(hint, "%s%s", i > 0 ? ", " : "", known.items[i]);
    }
    config_list_fini(&known);
}

static void report_unknown(loader_t *self, const scope_t *scope, const char *parent, const char *path,
                           const config_node_t *item)
{
    buf_t name = {0}, hint = {0};
    buf_printf(&name, "%s%s", scope->prefix, path);
    append_hint(scope, parent, item->key, &hint);
    buf_t quoted = {0};
    config_report_quote(&quoted, buf_text(&name));
    config_report_add(self->report, item->key_at, "unknown key %s%s", buf_text(&quoted), buf_text(&hint));
    buf_fini(&quoted);
    buf_fini(&name);
    buf_fini(&hint);
}

static void apply_group(loader_t *self, const scope_t *scope, const char *path, const config_node_t *node)
{
    if (node->kind == CONFIG_NODE_MAPPING)
        apply_mapping(self, scope, path, node);
    else if (node->kind == CONFIG_NODE_TEXT || node->kind == CONFIG_NODE_LIST)
        config_report_add(self->report, node->at, "%s%s: expected nested settings, got %s", scope->prefix,
                          path, kind_name(node->kind));
}

static void apply_item(loader_t *self, const scope_t *scope, const char *parent, const char *path,
                       const config_node_t *item)
{
    config_cursor_t at;
    bool dotted = strchr(item->key, '.') != NULL; /* "listen.address" as one key is not the way to write it */
    if (!dotted && config_find(scope->parts, scope->count, path, &at))
        apply_setting(self, scope, &at, item);
    else if (!dotted && config_is_section(scope->parts, scope->count, path))
        apply_group(self, scope, path, item);
    else
        report_unknown(self, scope, parent, path, item);
}

static void apply_mapping(loader_t *self, const scope_t *scope, const char *path,
                          const config_node_t *mapping)
{
    table_t seen;
    table_init(&seen, node_key);
    for (size_t i = 0; i < mapping->count; i++) {
        config_node_t *item = &mapping->items[i];
        buf_t inner = {0}, name = {0};
        append_path(&inner, path, item->key);
        buf_printf(&name, "%s%s", scope->prefix, buf_text(&inner));
        if (is_first(self, &seen, buf_text(&name), item))
            apply_item(self, scope, path, buf_text(&inner), item);
        buf_fini(&inner);
        buf_fini(&name);
    }
    table_fini(&seen);
}

static void set_default_sections(const config_row_t *row, config_sections_t *sections)
{
    config_list_t standing = {0};
    list_standing_names(row, &standing);
    reserve_sections(row, sections, standing.count);
    append_missing(row, sections, &standing);
    config_list_fini(&standing);
}

static void set_defaults(const config_part_t *parts, size_t count)
{
    for (config_cursor_t at = config_rows(parts, count); config_next(&at);) {
        if (at.row->type == CONFIG_SECTIONS)
            set_default_sections(at.row, at.slot);
        else
            config_value_set_default(at.row, at.slot);
    }
}

static void apply_root(loader_t *self, const scope_t *scope, const config_node_t *root)
{
    if (root->kind == CONFIG_NODE_MAPPING)
        apply_mapping(self, scope, "", root);
    else if (root->kind == CONFIG_NODE_TEXT || root->kind == CONFIG_NODE_LIST)
        config_report_add(self->report, root->at, "expected settings such as 'log:', got %s",
                          kind_name(root->kind));
}

/* Some editors put a byte order mark before UTF-8. */
static span_t without_bom(span_t text)
{
    return span_starts(text, SPAN("\xef\xbb\xbf")) ? span_skip(text, 3) : text;
}

static int parse(const config_part_t *parts, size_t count, const char *name, span_t text,
                 config_sources_t *sources, buf_t *out)
{
    config_report_t report = {.name = name, .source = text};
    loader_t self = {&report, sources};
    scope_t scope = {parts, count, ""};
    config_node_t root = {0};
    set_defaults(parts, count);
    bool whole = config_yaml_read(text, &root, &report);
    apply_root(&self, &scope, &root);
    config_env_apply(parts, count, sources, &report);
    if (whole) /* else what is missing may stand behind the mistake */
        check_required(&self, &scope, &root);
    config_node_fini(&root);

    int err = report.count > 0 ? ERR_CONFIG : OK;
    if (err != OK)
        config_secret_hide(parts, count, &report);
    config_report_print(&report, out);
    config_report_fini(&report);
    return err;
}

int config_parse(const config_part_t *parts, size_t count, const char *name, span_t text, buf_t *report)
{
    config_sources_t *sources = config_sources_new(name);
    int err = parse(parts, count, name, without_bom(text), sources, report);
    config_sources_destroy(&sources);
    return err;
}

/* Reads at most one byte more than a configuration may have. */
static int read_some(int fd, buf_t *text)
{
    while (text->size <= FILE_MAX) {
        ssize_t size = read(fd, buf_reserve(text, FILE_MAX + 1), FILE_MAX + 1 - text->size);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            return size < 0 ? ERR_IO : OK;
        buf_advance(text, (size_t)size);
    }
    return ERR_TOO_BIG;
}

static int read_file(const char *file, buf_t *text, buf_t *report)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    int err = fd < 0 ? ERR_IO : read_some(fd, text);
    if (err == ERR_IO)
        buf_printf(report, "%s: error: can't read the file: %s\n", file, strerror(errno));
    if (err == ERR_TOO_BIG) {
        buf_printf(report, "%s: error: the file is larger than %u KiB\n", file, FILE_MAX / 1024);
        err = ERR_CONFIG;
    }
    if (fd >= 0)
        close(fd);
    return err;
}

int config_load_traced(const config_part_t *parts, size_t count, const char *file, config_sources_t **sources,
                       buf_t *report)
{
    *sources = config_sources_new(file);
    buf_t text = {0};
    int err = file ? read_file(file, &text, report) : OK;
    if (err == OK)
        err = parse(parts, count, file, without_bom(buf_span(&text)), *sources, report);
    buf_fini(&text);
    return err;
}

int config_load(const config_part_t *parts, size_t count, const char *file, buf_t *report)
{
    config_sources_t *sources;
    int err = config_load_traced(parts, count, file, &sources, report);
    config_sources_destroy(&sources);
    return err;
}

void config_free(const config_part_t *parts, size_t count)
{
    for (config_cursor_t at = config_rows(parts, count); config_next(&at);)
        config_value_clear(at.row, at.slot);
}
