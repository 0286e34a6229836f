#include "base/config/path.h"

#include <stdio.h>

#include "base/check.h"
#include "base/mem.h"

config_cursor_t config_rows(const config_part_t *parts, size_t count)
{
    return (config_cursor_t){.parts = parts, .count = count};
}

bool config_next(config_cursor_t *self)
{
    while (self->part < self->count && self->next == self->parts[self->part].table->count) {
        self->part++;
        self->next = 0;
    }
    if (self->part == self->count)
        return false;
    const config_part_t *part = &self->parts[self->part];
    self->table = part->table;
    self->row = &part->table->rows[self->next++];
    self->slot = part->target ? (char *)part->target + self->row->offset : NULL;
    const char *section = part->table->section;
    int size = snprintf(self->path, sizeof self->path, "%s%s%s", section ? section : "", section ? "." : "",
                        self->row->key);
    CHECK(size > 0 && (size_t)size < sizeof self->path);
    return true;
}

bool config_find(const config_part_t *parts, size_t count, const char *path, config_cursor_t *found)
{
    for (*found = config_rows(parts, count); config_next(found);) {
        if (strcmp(found->path, path) == 0)
            return true;
    }
    return false;
}

/* What is left of `path` behind "section."; NULL if it is not in there. */
static const char *behind(const char *path, const char *section)
{
    size_t size = strlen(section);
    if (size == 0)
        return path;
    return strncmp(path, section, size) == 0 && path[size] == '.' ? path + size + 1 : NULL;
}

bool config_is_section(const config_part_t *parts, size_t count, const char *path)
{
    for (config_cursor_t at = config_rows(parts, count); config_next(&at);) {
        if (behind(at.path, path))
            return true;
    }
    return false;
}

static bool list_has(const config_list_t *list, span_t item)
{
    for (size_t i = 0; i < list->count; i++) {
        if (span_is(item, list->items[i]))
            return true;
    }
    return false;
}

void config_children(const config_part_t *parts, size_t count, const char *section, config_list_t *out)
{
    for (config_cursor_t at = config_rows(parts, count); config_next(&at);) {
        const char *rest = behind(at.path, section);
        if (!rest)
            continue;
        span_t word = span_new(rest, strcspn(rest, "."));
        if (!list_has(out, word))
            config_list_add(out, mem_dup_n(rest, word.size));
    }
}

const char *config_last_word(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot ? dot + 1 : path;
}

config_table_t config_inner_table(const config_row_t *row)
{
    config_table_t table = *row->sections;
    table.section = NULL;
    return table;
}

void config_list_add(config_list_t *list, char *item)
{
    list->items = mem_grow(list->items, list->count + 1, sizeof *list->items);
    list->items[list->count++] = item;
}

void config_list_fini(config_list_t *list)
{
    for (size_t i = 0; i < list->count; i++)
        mem_free(list->items[i]);
    mem_free(list->items);
    *list = (config_list_t){0};
}
