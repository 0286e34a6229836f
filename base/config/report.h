/* base/config/report - the mistakes found in one reading of a configuration, and their text for people.
 * Owner:  config_parse, for the time of one call.
 * Thread: its owner's.
 * Life:   {.name, .source} -> (add | hide)* -> print -> fini
 *
 * A mistake is shown with its source line; what was hidden (secrets) shows as asterisks there.
 */
#ifndef HEDDLE_BASE_CONFIG_REPORT_H
#define HEDDLE_BASE_CONFIG_REPORT_H

#include "base/buf.h"

/* A place in the file, counted from 1, columns in characters. Line 0 = no place. */
typedef struct config_mark {
    size_t line, column;
} config_mark_t;

typedef enum config_origin { CONFIG_ORIGIN_FILE, CONFIG_ORIGIN_ENVIRONMENT } config_origin_t;

typedef struct config_mistake {
    config_origin_t origin;
    config_mark_t at;
    size_t order; /* keeps the order of finding among equals */
    char *text;   /* owned */
} config_mistake_t;

typedef struct config_hidden {
    config_mark_t from, to; /* `to` is the place behind */
} config_hidden_t;

typedef struct config_report {
    const char *name;           /* borrowed; of the file; NULL = there is none */
    span_t source;              /* borrowed; the file's text */
    config_mistake_t *mistakes; /* owned */
    size_t count;
    config_hidden_t *hidden; /* owned */
    size_t hidden_count;
} config_report_t;

void config_report_fini(config_report_t *self);

/* Control bytes in a message are shown as '?'. */
void config_report_add(config_report_t *self, config_mark_t at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void config_report_add_environment(config_report_t *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Keeps a part of the file out of every source line that is shown. */
void config_report_hide(config_report_t *self, config_mark_t from, config_mark_t to);

bool config_report_has_line(const config_report_t *self, size_t line);

/* All mistakes by place, then how many there are. */
void config_report_print(config_report_t *self, buf_t *out);

/* Appends 'text' to what becomes a message; long texts are cut. */
void config_report_quote(buf_t *out, const char *text);

#endif
