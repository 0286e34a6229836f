/* base/config - settings from a YAML file, the environment and defaults; strict, driven by tables.
 * Owner:  a table is static and belongs to the module that uses the settings; the target struct is main's.
 * Thread: main, before any other thread runs. Blocks on the file.
 * Life:   zeroed targets -> config_load -> ... -> config_free
 *
 * One row is one setting. The rows yield the parser, the checks, `--help`, the default file and
 * docs/config.md, so each fact about a setting stands once. Precedence: environment, then file, then the
 * row's default.
 *
 * The file is a strict part of YAML: one document of at most 1 MiB and 16 levels; no anchors, aliases, tags,
 * merge keys; duplicate keys, unknown keys, tabs in indentation and octal-looking numbers are errors. Types
 * come from the table, never from the text; a COUNT or BOOL in quotes is an error, since others would read a
 * text. A section with nothing in it is fine.
 *
 * ${NAME} and ${NAME:-default} are replaced inside scalars ("$${" stands for "${"). All mistakes are reported
 * in one run, and no message shows a secret:
 *
 *     edge.yaml:2:3: error: unknown key 'listen.adress'; did you mean 'address'?
 *          2 |   adress: 0.0.0.0:8080
 *            |   ^
 *
 * Environment: HEDDLE_ and the key in capitals with '_' for '.' (HEDDLE_LISTEN_ADDRESS, a list split at
 * commas). An unknown HEDDLE_* name is an error with a suggestion, too, but for those that Kubernetes makes
 * for a service called heddle-... (HEDDLE_RELAY_SERVICE_HOST). Settings inside CONFIG_SECTIONS have none.
 */
#ifndef HEDDLE_BASE_CONFIG_H
#define HEDDLE_BASE_CONFIG_H

#include <stdbool.h>

#include "base/buf.h"

typedef enum config_type {
    CONFIG_TEXT,     /* char *, owned by the target */
    CONFIG_BOOL,     /* bool: true | false */
    CONFIG_COUNT,    /* uint64_t, decimal */
    CONFIG_SIZE,     /* uint64_t bytes: 512B, 64KiB, 1MiB, 2GiB; 0 alone is fine */
    CONFIG_DURATION, /* uint64_t microseconds: 500us, 500ms, 25s, 5m, 12h, 30d; 0 alone is fine */
    CONFIG_CHOICE,   /* int, the place of the word in `choices` */
    CONFIG_LIST,     /* config_list_t of texts; replaced, never appended to */
    CONFIG_SECTIONS, /* config_sections_t: name -> a struct described by `sections` */
} config_type_t;

typedef struct config_list {
    char **items; /* owned array of owned texts */
    size_t count;
} config_list_t;

/* Each item is a struct of `sections->size` bytes whose first member is `char *name` (owned). */
typedef struct config_sections {
    void *items; /* owned array */
    size_t count;
} config_sections_t;

enum config_flags {
    CONFIG_SECRET = 1,   /* never shown: not in errors, not in `config show` */
    CONFIG_REQUIRED = 2, /* must be given */
};

struct config_table;

/* A check of one text beyond its type, e.g. an address: OK, or an ERR_* with a short text for people in `why`
 * ("expected host:port"). Pure. */
typedef int config_check_fn(const char *text, buf_t *why);

typedef struct config_row {
    const char *key; /* within its section: "address"; "history.size" stands in a mapping "history" */
    config_type_t type;
    size_t offset;        /* of the value in the target struct */
    const char *fallback; /* the default, written as in the file; NULL = none (zero, NULL, empty list);
                             SECTIONS: the names that always exist, e.g. "[default]" */
    unsigned flags;
    uint64_t min, max;                   /* COUNT, SIZE, DURATION; max 0 = no limit */
    const char *choices;                 /* CHOICE: "debug|info|warn" */
    config_check_fn *check;              /* TEXT, and each item of a LIST; may be NULL */
    const struct config_table *sections; /* SECTIONS: what each holds */
    const char *example; /* for docs and the default file where there is no default; may be NULL */
    const char *help;    /* one sentence for people */
} config_row_t;

typedef struct config_table {
    const char *section; /* "listen"; NULL = the top level */
    const char *help;    /* what the section is for */
    const config_row_t *rows;
    size_t count; /* rows */
    size_t size;  /* of the target struct */
} config_table_t;

/* The initializer of a table: its section, its array of rows, the target struct's type, its help. */
#define CONFIG_TABLE(section_name, row_array, target_type, text)                      \
    {                                                                                 \
        .section = (section_name), .help = (text), .rows = (row_array),               \
        .count = sizeof(row_array) / sizeof *(row_array), .size = sizeof(target_type) \
    }

/* One table and the struct that it fills. */
typedef struct config_part {
    const config_table_t *table;
    void *target;
} config_part_t;

/* Fills the targets from defaults, `file` (NULL = none) and the environment. OK, or ERR_CONFIG with all
 * mistakes in `report`, ready to print; ERR_IO if the file can't be read (with the reason in `report`). The
 * targets are to be given to config_free whatever happens. */
int config_load(const config_part_t *parts, size_t count, const char *file, buf_t *report);

/* The same from text that is already here; `name` stands for the file in messages. */
int config_parse(const config_part_t *parts, size_t count, const char *name, span_t text, buf_t *report);

/* Where each value came from, for config_print_effective. */
typedef struct config_sources config_sources_t;

/* config_load that also yields the sources, whatever it returns; they are yours. */
int config_load_traced(const config_part_t *parts, size_t count, const char *file, config_sources_t **sources,
                       buf_t *report);
void config_sources_destroy(config_sources_t **self_p);

void config_free(const config_part_t *parts, size_t count);

/* The default file: every setting with its meaning, commented out with its default. A required one is not
 * commented out and has its example. */
void config_print_default(const config_part_t *parts, size_t count, buf_t *out);

/* A table of the settings for `--help` (text) and for docs/config.md (Markdown). */
void config_print_help(const config_part_t *parts, size_t count, buf_t *out);
void config_print_markdown(const config_part_t *parts, size_t count, buf_t *out);

/* The effective values as a file, each with where it came from (default, file:line, environment) if `sources`
 * is not NULL; secrets as "***". */
void config_print_effective(const config_part_t *parts, size_t count, const config_sources_t *sources,
                            buf_t *out);

/* Of `candidates`, the one that `word` most likely was meant to be; NULL if none is near. */
const char *config_suggest(const char *word, const char *const *candidates, size_t count);

#endif
