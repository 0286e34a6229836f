/* base/config/path - the full names of settings ("listen.address"), and a walk over all settings.
 * Thread: any; no state.
 */
#ifndef HEDDLE_BASE_CONFIG_PATH_H
#define HEDDLE_BASE_CONFIG_PATH_H

#include "base/config.h"

#define CONFIG_PATH_MAX 128u /* bytes of a full name with its NUL; the tables are ours */

/* for (config_cursor_t at = config_rows(parts, count); config_next(&at);) */
typedef struct config_cursor {
    const config_part_t *parts; /* borrowed */
    size_t count;
    size_t part, next; /* the row that comes next */
    const config_table_t *table;
    const config_row_t *row;
    void *slot; /* the value in the target; NULL if the part has no target */
    char path[CONFIG_PATH_MAX];
} config_cursor_t;

config_cursor_t config_rows(const config_part_t *parts, size_t count);
bool config_next(config_cursor_t *self);

/* Finds the setting with this full name. */
bool config_find(const config_part_t *parts, size_t count, const char *path, config_cursor_t *found);

/* Whether settings stand under this name ("listen"). */
bool config_is_section(const config_part_t *parts, size_t count, const char *path);

/* Appends the words that may stand right under a section ("" = at the top). Each item is yours. */
void config_children(const config_part_t *parts, size_t count, const char *section, config_list_t *out);

/* The last word of a full name. */
const char *config_last_word(const char *path);

/* The table of the items of a SECTIONS row as a part of its own, whose names start at the item. */
config_table_t config_inner_table(const config_row_t *row);

void config_list_add(config_list_t *list, char *item); /* takes item */
void config_list_fini(config_list_t *list);

#endif
