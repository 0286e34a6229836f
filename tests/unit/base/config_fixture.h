/* tests/config_fixture - where each test of the configuration starts: an empty sample, no HEDDLE_* names.
 * Life: set_up -> parse* -> tear_down
 */
#ifndef HEDDLE_TESTS_CONFIG_FIXTURE_H
#define HEDDLE_TESTS_CONFIG_FIXTURE_H

#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/base/config_sample.h"

#define HEAD "node: { name: n }\n" /* the one thing that is required */

static sample_t sample;
static config_part_t parts[SAMPLE_PARTS];
static buf_t report;

static void clear_environment(void)
{
    for (char **entry = environ; *entry;) {
        if (strncmp(*entry, "HEDDLE_", 7) == 0) {
            char *name = strndup(*entry, strcspn(*entry, "="));
            unsetenv(name);
            free(name);
        } else {
            entry++;
        }
    }
}

static int set_up(void **state)
{
    (void)state;
    clear_environment();
    sample = (sample_t){0};
    sample_parts(&sample, parts);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    config_free(parts, SAMPLE_PARTS);
    buf_fini(&report);
    clear_environment();
    return 0;
}

static int parse(const char *text)
{
    config_free(parts, SAMPLE_PARTS);
    buf_clear(&report);
    return config_parse(parts, SAMPLE_PARTS, "edge.yaml", span_str(text), &report);
}

/* Behind HEAD, so that the text starts on line 2. */
static inline int parse_behind_head(const char *text)
{
    buf_t whole = {0};
    buf_printf(&whole, "%s%s", HEAD, text);
    int err = parse(buf_text(&whole));
    buf_fini(&whole);
    return err;
}

#endif
