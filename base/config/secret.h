/* base/config/secret - keeps secrets out of the source lines that a report shows.
 * Thread: its caller's; no state.
 */
#ifndef HEDDLE_BASE_CONFIG_SECRET_H
#define HEDDLE_BASE_CONFIG_SECRET_H

#include "base/config.h"
#include "base/config/report.h"

/* Hides what follows each key of the source that is, or nearly is, the name of a secret setting: to the end
 * of its line, and all lines below that are indented deeper. It reads the text and not the tree, because it
 * has to hold for files that are no YAML. */
void config_secret_hide(const config_part_t *parts, size_t count, config_report_t *report);

#endif
