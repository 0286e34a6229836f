/* base/log - what happened: an event name, then key=value. One line an event, on standard error.
 * Thread: any; a line is written with one write(2), so lines never mix.
 * Life:   log_configure once at start (optional), then log_* for ever.
 *
 *     log_info("link.up", "peer=%s rtt_us=%" PRIu64, name, rtt);
 *
 * The event name is a constant that can be searched for. Values with spaces are quoted with
 * log_safe, and so is every text from outside. Never payloads, never tokens.
 * Each event name may log 20 lines a second; what is above is counted and told in the next line that passes
 * ("suppressed=812").
 */
#ifndef HEDDLE_BASE_LOG_H
#define HEDDLE_BASE_LOG_H

#include <stdbool.h>

#include "base/config.h"
#include "base/span.h"

typedef enum log_level {
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_INFO,
    LOG_LEVEL_WARN,
    LOG_LEVEL_ERROR,
    LOG_LEVEL_OFF
} log_level_t;

/* The `log:` section of a configuration. */
typedef struct log_config {
    int level;  /* a log_level_t */
    int format; /* 0 auto: text on a terminal, json otherwise; 1 text; 2 json */
} log_config_t;

extern const config_table_t log_config_table;

void log_configure(const log_config_t *config, const char *node_name);
void log_set_level(log_level_t level);
bool log_enabled(log_level_t level);

#define log_debug(...) LOG_WRITE(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...)  LOG_WRITE(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warn(...)  LOG_WRITE(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_error(...) LOG_WRITE(LOG_LEVEL_ERROR, __VA_ARGS__)

#define LOG_WRITE(level, ...)              \
    do {                                   \
        if (log_enabled(level))            \
            log_write(level, __VA_ARGS__); \
    } while (0)

/* `event` is a string literal, `format` yields the key=value text; NULL = no fields. What is above 2 KiB is
 * cut. */
void log_write(log_level_t level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Text from outside, made safe for a log line: cut at 64 bytes ("..."), and put into quotes, escaped as a
 * JSON string, unless it is one word of printable ASCII. A byte that is not UTF-8 becomes \u00NN. The memory
 * is the thread's own, good for four calls. */
const char *log_safe(span_t text);

#endif
