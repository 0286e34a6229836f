/* base/config/print - the printing part of base/config: default file, --help, Markdown, effective values. */
#include <stdio.h>

#include "base/config/env.h"
#include "base/config/path.h"
#include "base/config/source.h"
#include "base/config/value.h"
#include "base/mem.h"

#define STEP           2  /* spaces a level */
#define COMMENT_COLUMN 48 /* where the source of an effective value stands */

/* A file that is being written: which section is open, and how deep its settings stand. */
typedef struct tree {
    buf_t *out;       /* borrowed */
    unsigned indent;  /* spaces before what stands at its top */
    const char *mark; /* "#" if headings are commented out, too */
    char open[CONFIG_PATH_MAX];
} tree_t;

static unsigned depth_of(const char *path)
{
    unsigned dots = 0;
    for (; *path; path++)
        dots += *path == '.';
    return dots;
}

static void indent(buf_t *out, unsigned spaces)
{
    buf_printf(out, "%*s", (int)spaces, "");
}

static void print_heading(const tree_t *self, const config_cursor_t *at, span_t section)
{
    bool whole = at->table->section && span_is(section, at->table->section);
    unsigned dots = 0;
    for (size_t i = 0; i < section.size; i++)
        dots += section.data[i] == '.';
    if (whole && self->out->size > 0)
        buf_append_byte(self->out, '\n');
    if (whole && at->table->help)
        buf_printf(self->out, "# %s\n", at->table->help);
    const uint8_t *dot = memrchr(section.data, '.', section.size);
    span_t word = dot ? span_skip(section, (size_t)(dot - section.data) + 1) : section;
    indent(self->out, self->indent + dots * STEP);
    buf_printf(self->out, "%s%.*s:\n", self->mark, SPAN_FMT(word));
}

/* Prints the headings of the setting's sections that are not open yet; returns where the setting stands. */
static unsigned open_sections(tree_t *self, const config_cursor_t *at)
{
    size_t last = (size_t)(config_last_word(at->path) - at->path);
    size_t size = last > 0 ? last - 1 : 0; /* of the section's name */
    for (size_t end = 1; end <= size; end++) {
        if (end < size && at->path[end] != '.')
            continue;
        char stop = self->open[strnlen(self->open, end)];
        bool is_open = strncmp(self->open, at->path, end) == 0 && (stop == '\0' || stop == '.');
        if (!is_open)
            print_heading(self, at, span_new(at->path, end));
    }
    if (size == 0 && self->open[0] && self->indent == 0) /* back at the top level */
        buf_append_byte(self->out, '\n');
    snprintf(self->open, sizeof self->open, "%.*s", (int)size, at->path);
    return self->indent + depth_of(at->path) * STEP;
}

static void print_fallback(const config_row_t *row, buf_t *out)
{
    union {
        char *text;
        bool truth;
        uint64_t number;
        int choice;
        config_list_t list;
    } slot;
    memset(&slot, 0, sizeof slot);
    config_value_set_default(row, &slot);
    config_value_print(row, &slot, out);
    config_value_clear(row, &slot);
}

/* What a setting is without anybody's doing; nothing if there is no such value. */
static void print_default_value(const config_row_t *row, buf_t *out)
{
    if (row->type == CONFIG_SECTIONS)
        buf_append_str(out, row->fallback ? row->fallback : "");
    else if (row->fallback || row->type != CONFIG_TEXT)
        print_fallback(row, out);
}

/* The sentence for people, and what the table knows beyond it. */
static void print_meaning(const config_row_t *row, buf_t *out)
{
    buf_append_str(out, row->help ? row->help : "");
    if (row->type == CONFIG_CHOICE)
        buf_printf(out, " One of %s.", row->choices);
    if (row->min > 0 || row->max > 0) {
        buf_append_str(out, " Value: ");
        config_value_limits(row, out);
        buf_append_byte(out, '.');
    }
    if (row->flags & CONFIG_REQUIRED)
        buf_append_str(out, " Required.");
}

static void print_default_tree(const config_part_t *parts, size_t count, tree_t *tree);

/* A section of a setting with all its own settings, commented out. */
static void print_example_section(const config_row_t *row, unsigned at, buf_t *out)
{
    config_list_t names = {0};
    config_value_split(row->fallback ? row->fallback : row->example ? row->example : "name", &names);
    indent(out, at);
    buf_printf(out, "#%s:\n", names.count > 0 ? names.items[0] : "name");
    config_table_t table = config_inner_table(row);
    config_part_t part = {&table, NULL};
    tree_t tree = {.out = out, .indent = at + STEP, .mark = "#"};
    print_default_tree(&part, 1, &tree);
    config_list_fini(&names);
}

static void print_default_row(const config_row_t *row, unsigned at, const char *mark, buf_t *out)
{
    bool given = row->flags & CONFIG_REQUIRED && *mark == '\0';
    buf_t value = {0};
    if (row->example && (!row->fallback || given))
        buf_append_str(&value, row->example);
    else
        print_default_value(row, &value);
    indent(out, at);
    buf_printf(out, "%s%s:%s%s\n", given ? "" : "#", config_last_word(row->key), value.size > 0 ? " " : "",
               buf_text(&value));
    buf_fini(&value);
}

static void print_default_tree(const config_part_t *parts, size_t count, tree_t *tree)
{
    for (config_cursor_t at = config_rows(parts, count); config_next(&at);) {
        unsigned column = open_sections(tree, &at);
        indent(tree->out, column);
        buf_append_str(tree->out, "# ");
        print_meaning(at.row, tree->out);
        buf_append_byte(tree->out, '\n');
        if (at.row->type != CONFIG_SECTIONS) {
            print_default_row(at.row, column, tree->mark, tree->out);
            continue;
        }
        indent(tree->out, column);
        buf_printf(tree->out, "%s%s:\n", tree->mark, config_last_word(at.path));
        print_example_section(at.row, column + STEP, tree->out);
    }
}

void config_print_default(const config_part_t *parts, size_t count, buf_t *out)
{
    tree_t tree = {.out = out, .mark = ""};
    print_default_tree(parts, count, &tree);
}

/* One setting for a list of all: those inside SECTIONS have the item's name as NAME, and no environment. */
typedef void visit_fn(void *context, const char *path, const config_row_t *row, bool inside);

static void visit(const config_part_t *parts, size_t count, const char *prefix, visit_fn *call, void *context)
{
    for (config_cursor_t at = config_rows(parts, count); config_next(&at);) {
        buf_t path = {0};
        buf_printf(&path, "%s%s", prefix, at.path);
        call(context, buf_text(&path), at.row, *prefix != '\0');
        if (at.row->type == CONFIG_SECTIONS) {
            config_table_t table = config_inner_table(at.row);
            config_part_t part = {&table, NULL};
            buf_append_str(&path, ".NAME.");
            visit(&part, 1, buf_text(&path), call, context);
        }
        buf_fini(&path);
    }
}

#define HELP_INDENT 6
#define HELP_WIDTH  80 /* a terminal's */

/* The text in lines between HELP_INDENT and HELP_WIDTH, broken at spaces. */
static void print_wrapped(const char *text, buf_t *out)
{
    size_t column = 0;
    while (*text) {
        size_t size = strcspn(text, " ");
        if (column > 0 && column + 1 + size > HELP_WIDTH) {
            buf_append_byte(out, '\n');
            column = 0;
        }
        indent(out, column == 0 ? HELP_INDENT : 1);
        buf_append(out, text, size);
        column += size + (column == 0 ? HELP_INDENT : 1);
        text += size + (text[size] == ' ');
    }
    buf_append_byte(out, '\n');
}

static void print_help_row(void *context, const char *path, const config_row_t *row, bool inside)
{
    (void)inside;
    buf_t *out = context;
    buf_t value = {0}, meaning = {0};
    print_default_value(row, &value);
    print_meaning(row, &meaning);
    buf_printf(out, "\n  %s (%s", path, config_value_type(row));
    if (value.size > 0)
        buf_printf(out, ", default %s", buf_text(&value));
    buf_append_str(out, ")\n");
    print_wrapped(buf_text(&meaning), out);
    buf_fini(&value);
    buf_fini(&meaning);
}

void config_print_help(const config_part_t *parts, size_t count, buf_t *out)
{
    visit(parts, count, "", print_help_row, out);
}

static void print_cell(buf_t *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            buf_append_byte(out, '\\');
        buf_append_byte(out, (uint8_t)*text);
    }
}

static void print_code_cell(buf_t *out, const char *text)
{
    buf_append_str(out, *text ? " | `" : " | ");
    print_cell(out, text);
    buf_append_str(out, *text ? "`" : "");
}

static void print_markdown_row(void *context, const char *path, const config_row_t *row, bool inside)
{
    buf_t *out = context;
    buf_t value = {0}, name = {0}, meaning = {0};
    print_default_value(row, &value);
    if (!inside && row->type != CONFIG_SECTIONS)
        config_env_name(path, &name);
    print_meaning(row, &meaning);
    buf_printf(out, "| `%s` | %s", path, config_value_type(row));
    print_code_cell(out, buf_text(&value));
    print_code_cell(out, buf_text(&name));
    buf_append_str(out, " | ");
    print_cell(out, buf_text(&meaning));
    buf_append_str(out, " |\n");
    buf_fini(&value);
    buf_fini(&name);
    buf_fini(&meaning);
}

void config_print_markdown(const config_part_t *parts, size_t count, buf_t *out)
{
    for (size_t i = 0; i < count; i++) {
        const config_table_t *table = parts[i].table;
        buf_append_str(out, out->size > 0 ? "\n" : "");
        if (table->section)
            buf_printf(out, "## `%s`\n\n", table->section);
        else
            buf_append_str(out, "## At the top level\n\n");
        if (table->help)
            buf_printf(out, "%s\n\n", table->help);
        buf_append_str(out, "| Key | Type | Default | Environment | Meaning |\n|---|---|---|---|---|\n");
        visit(&parts[i], 1, "", print_markdown_row, out);
    }
}

static void print_source(const config_cursor_t *at, const config_sources_t *sources, buf_t *out)
{
    config_source_t source = config_sources_get(sources, at->slot);
    if (source.kind == CONFIG_FROM_DEFAULT) {
        buf_append_str(out, "# default");
    } else if (source.kind == CONFIG_FROM_FILE) {
        buf_printf(out, "# %s:%zu", config_sources_file(sources), source.line);
    } else {
        buf_append_str(out, "# ");
        config_env_name(at->path, out);
    }
}

static bool is_unset(const config_cursor_t *at)
{
    return at->row->type == CONFIG_TEXT && *(char *const *)at->slot == NULL;
}

static void print_effective_row(const config_cursor_t *at, unsigned column, const config_sources_t *sources,
                                buf_t *out)
{
    size_t begin = out->size;
    indent(out, column);
    buf_printf(out, "%s%s: ", is_unset(at) ? "#" : "", config_last_word(at->path));
    if (!is_unset(at))
        config_value_print(at->row, at->slot, out);
    size_t width = out->size - begin;
    if (sources) {
        indent(out, width < COMMENT_COLUMN ? (unsigned)(COMMENT_COLUMN - width) : 1);
        print_source(at, sources, out);
    }
    buf_append_byte(out, '\n');
}

static void print_effective_tree(const config_part_t *parts, size_t count, const config_sources_t *sources,
                                 tree_t *tree);

static void print_effective_sections(const config_cursor_t *at, unsigned column,
                                     const config_sources_t *sources, buf_t *out)
{
    static const config_row_t name_row = {.type = CONFIG_TEXT};
    const config_sections_t *sections = at->slot;
    indent(out, column);
    buf_printf(out, "%s:%s\n", config_last_word(at->path), sections->count > 0 ? "" : " {}");
    for (size_t i = 0; i < sections->count; i++) {
        void *item = config_section_at(at->row, sections, i);
        indent(out, column + STEP);
        config_value_print(&name_row, item, out);
        buf_append_str(out, ":\n");
        config_table_t table = config_inner_table(at->row);
        config_part_t part = {&table, item};
        tree_t inner = {.out = out, .indent = column + 2 * STEP, .mark = ""};
        print_effective_tree(&part, 1, sources, &inner);
    }
}

static void print_effective_tree(const config_part_t *parts, size_t count, const config_sources_t *sources,
                                 tree_t *tree)
{
    for (config_cursor_t at = config_rows(parts, count); config_next(&at);) {
        unsigned column = open_sections(tree, &at);
        if (at.row->type == CONFIG_SECTIONS)
            print_effective_sections(&at, column, sources, tree->out);
        else
            print_effective_row(&at, column, sources, tree->out);
    }
}

void config_print_effective(const config_part_t *parts, size_t count, const config_sources_t *sources,
                            buf_t *out)
{
    tree_t tree = {.out = out, .mark = ""};
    print_effective_tree(parts, count, sources, &tree);
}
