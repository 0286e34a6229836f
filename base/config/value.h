/* base/config/value - one value of a setting: from text, to text, its default, its end.
 * Thread: any; no state. A slot is the place of the value in its target struct; it starts zeroed.
 *
 * `why` gets the reason without the setting's name ("expected a duration such as 500ms, 25s or 5m, got
 * '25'"), and never a secret.
 */
#ifndef HEDDLE_BASE_CONFIG_VALUE_H
#define HEDDLE_BASE_CONFIG_VALUE_H

#include "base/config.h"

/* Any type but LIST and SECTIONS. On an error the slot keeps its value. */
int config_value_set(const config_row_t *row, void *slot, const char *text, buf_t *why);

/* Appends an item to a LIST. */
int config_value_add(const config_row_t *row, void *slot, const char *text, buf_t *why);

/* The row's default, also of a LIST; not of SECTIONS. The default is ours, so it must fit its own row. */
void config_value_set_default(const config_row_t *row, void *slot);

/* Frees what the value owns, and zeroes it. Any type. */
void config_value_clear(const config_row_t *row, void *slot);

/* As it would stand in a file; "***" for a secret. Any type but SECTIONS. */
void config_value_print(const config_row_t *row, const void *slot, buf_t *out);

/* The texts of "[a, b]", "a, b" or "", without brackets, quotes and outer spaces. */
void config_value_split(const char *text, config_list_t *out);

/* "a duration such as 500ms, 25s or 5m" */
void config_value_describe(const config_row_t *row, buf_t *out);

/* "from 1 to 64", "at most 1MiB"; nothing if there are no limits. */
void config_value_limits(const config_row_t *row, buf_t *out);

/* The type in one word. */
const char *config_value_type(const config_row_t *row);

/* The item's part of a SECTIONS value. */
void *config_section_at(const config_row_t *row, const void *slot, size_t index);

#endif
