#include "cli/options.h"

#include <stdarg.h>

#include "base/check.h"
#include "base/config.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/quantity.h"
#include "cli/command.h"

#define HELP_COLUMN 28

typedef struct parser {
    const cli_options_t *set;
    void *target;
    buf_t *report;
    int argc, at;
    char **argv;
    bool help; /* --help was seen */
    bool bad;  /* a mistake was seen */
} parser_t;

static void complain(parser_t *self, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void complain(parser_t *self, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    buf_printf(self->report, "%s: %s\n", self->set->command, text);
    self->bad = true;
}

/* --- values --- */

static void *slot(const cli_option_t *row, void *target)
{
    return (char *)target + row->offset;
}

static void list_add(cli_list_t *list, const char *text)
{
    while (*text) {
        size_t size = strcspn(text, ",");
        if (size) {
            list->items = mem_grow(list->items, list->count + 1, sizeof *list->items);
            list->items[list->count++] = mem_dup_n(text, size);
        }
        text += size + (text[size] == ',');
    }
}

/* The place of the word in "a|b|c", or ERR_UNKNOWN. */
static int choice_place(const char *choices, const char *word)
{
    int place = 0;
    for (const char *at = choices;; place++) {
        size_t size = strcspn(at, "|");
        if (strlen(word) == size && memcmp(word, at, size) == 0)
            return place;
        if (!at[size])
            return ERR_UNKNOWN;
        at += size + 1;
    }
}

static int store(const cli_option_t *row, void *target, const char *text)
{
    switch (row->type) {
    case CLI_TEXT: *(const char **)slot(row, target) = text; return OK;
    case CLI_COUNT: return quantity_read(QUANTITY_COUNT, span_str(text), slot(row, target));
    case CLI_SIZE: return quantity_read(QUANTITY_SIZE, span_str(text), slot(row, target));
    case CLI_DURATION: return quantity_read(QUANTITY_DURATION, span_str(text), slot(row, target));
    case CLI_FLAG: *(bool *)slot(row, target) = true; return OK;
    case CLI_LIST: list_add(slot(row, target), text); return OK;
    case CLI_CHOICE: break;
    }
    int place = choice_place(row->choices, text);
    if (place < 0)
        return place;
    *(int *)slot(row, target) = place;
    return OK;
}

static const char *expectation(const cli_option_t *row)
{
    switch (row->type) {
    case CLI_COUNT: return "a number like 250";
    case CLI_SIZE: return "a size like 128 or 64KiB";
    case CLI_DURATION: return "a duration like 500ms or 10s";
    case CLI_CHOICE: return row->choices;
    default: return "a value";
    }
}

static void store_checked(parser_t *self, const cli_option_t *row, const char *text)
{
    if (store(row, self->target, text) != OK)
        complain(self, "--%s: '%s' is not %s%s", row->name, text, row->type == CLI_CHOICE ? "one of " : "",
                 expectation(row));
}

/* --- finding and taking options --- */

static const cli_option_t *find_name(const cli_options_t *set, const char *name, size_t size)
{
    for (size_t i = 0; i < set->count; i++) {
        if (strlen(set->rows[i].name) == size && memcmp(set->rows[i].name, name, size) == 0)
            return &set->rows[i];
    }
    return NULL;
}

static const cli_option_t *find_letter(const cli_options_t *set, char letter)
{
    for (size_t i = 0; i < set->count; i++) {
        if (letter && set->rows[i].letter == letter)
            return &set->rows[i];
    }
    return NULL;
}

static void complain_unknown(parser_t *self, const char *name, size_t size)
{
    const char **names = mem_new_n(self->set->count + 1, sizeof *names);
    for (size_t i = 0; i < self->set->count; i++)
        names[i] = self->set->rows[i].name;
    names[self->set->count] = "help";
    char *word = mem_dup_n(name, size);
    const char *near = config_suggest(word, names, self->set->count + 1);
    if (near)
        complain(self, "unknown option '--%s'; did you mean '--%s'?", word, near);
    else
        complain(self, "unknown option '--%s'", word);
    mem_free(word);
    mem_free(names);
}

/* The value of an option that has none attached: the next word. NULL and a complaint if there is none. */
static const char *next_word(parser_t *self, const cli_option_t *row)
{
    if (self->at + 1 < self->argc)
        return self->argv[++self->at];
    complain(self, "--%s needs %s%s", row->name, row->type == CLI_CHOICE ? "one of " : "", expectation(row));
    return NULL;
}

static void take_long(parser_t *self, const char *word)
{
    size_t size = strcspn(word, "=");
    const char *attached = word[size] == '=' ? word + size + 1 : NULL;
    if (strcmp(word, "help") == 0) {
        self->help = true;
        return;
    }
    const cli_option_t *row = find_name(self->set, word, size);
    if (!row) {
        complain_unknown(self, word, size);
        return;
    }
    if (row->type == CLI_FLAG && attached) {
        complain(self, "--%s takes no value", row->name);
        return;
    }
    if (row->type != CLI_FLAG && !attached)
        attached = next_word(self, row);
    if (row->type == CLI_FLAG || attached)
        store_checked(self, row, attached);
}

/* "jv", "n5": letters of flags, then at most one option with its value attached or in the next word. */
static void take_letters(parser_t *self, const char *word)
{
    for (; *word; word++) {
        const cli_option_t *row = find_letter(self->set, *word);
        if (*word == 'h' && !row) {
            self->help = true;
            return;
        }
        if (!row) {
            complain(self, "unknown option '-%c'", *word);
            return;
        }
        if (row->type != CLI_FLAG) {
            const char *value = word[1] ? word + 1 : next_word(self, row);
            if (value)
                store_checked(self, row, value);
            return;
        }
        store_checked(self, row, NULL);
    }
}

static void set_defaults(const cli_options_t *set, void *target)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->rows[i].fallback)
            CHECK(store(&set->rows[i], target, set->rows[i].fallback) == OK);
    }
}

/* Goes through the words, moves those that are no options to the front, and returns their number. */
static int take_all(parser_t *self)
{
    int arguments = 0;
    bool only_arguments = false;
    for (self->at = 1; self->at < self->argc; self->at++) {
        char *word = self->argv[self->at];
        if (only_arguments || word[0] != '-' || !word[1])
            self->argv[arguments++] = word;
        else if (strcmp(word, "--") == 0)
            only_arguments = true;
        else if (word[1] == '-')
            take_long(self, word + 2);
        else
            take_letters(self, word + 1);
    }
    return arguments;
}

cli_options_result_t cli_options_parse(const cli_options_t *self, int *argc, char **argv, void *target,
                                       buf_t *report)
{
    parser_t parser = {.set = self, .target = target, .report = report, .argc = *argc, .argv = argv};
    set_defaults(self, target);
    *argc = take_all(&parser);
    if (parser.help)
        return CLI_OPTIONS_HELP;
    if (parser.bad) /* the value of an unknown option would be taken for an argument */
        return CLI_OPTIONS_BAD;
    if ((size_t)*argc > self->arguments_max)
        complain(&parser, "unexpected '%s'", argv[self->arguments_max]);
    else if ((size_t)*argc < self->arguments_min)
        complain(&parser, "needs %s", self->arguments);
    return parser.bad ? CLI_OPTIONS_BAD : CLI_OPTIONS_GO;
}

bool cli_options_begin(const cli_options_t *self, int *argc, char **argv, void *target, int *exit_code)
{
    buf_t text = {0};
    cli_options_result_t result = cli_options_parse(self, argc, argv, target, &text);
    if (result == CLI_OPTIONS_HELP) {
        buf_clear(&text);
        cli_options_help(self, &text);
        fputs(buf_text(&text), stdout);
        *exit_code = CLI_OK;
    } else if (result == CLI_OPTIONS_BAD) {
        buf_printf(&text, "%s --help lists the options.\n", self->command);
        fputs(buf_text(&text), stderr);
        *exit_code = CLI_USAGE;
    }
    buf_fini(&text);
    return result == CLI_OPTIONS_GO;
}

void cli_options_free(const cli_options_t *self, void *target)
{
    for (size_t i = 0; i < self->count; i++) {
        if (self->rows[i].type != CLI_LIST)
            continue;
        cli_list_t *list = slot(&self->rows[i], target);
        for (size_t item = 0; item < list->count; item++)
            mem_free(list->items[item]);
        mem_free(list->items);
        *list = (cli_list_t){0};
    }
}

/* --- help --- */

/* Columns on a terminal: bytes, without those that continue a character of UTF-8. */
static size_t columns(const uint8_t *text, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += (text[i] & 0xc0) != 0x80;
    return count;
}

static void help_row(buf_t *out, const cli_option_t *row)
{
    size_t start = out->size;
    buf_printf(out, "  ");
    if (row->letter)
        buf_printf(out, "-%c, ", row->letter);
    else
        buf_append_str(out, "    ");
    buf_printf(out, "--%s", row->name);
    if (row->value)
        buf_printf(out, " %s", row->value);
    else if (row->choices)
        buf_printf(out, " %s", row->choices);
    size_t width = columns(out->data + start, out->size - start);
    if (width + 1 > HELP_COLUMN) {
        buf_append_byte(out, '\n');
        width = 0;
    }
    buf_printf(out, "%*s%s", (int)(HELP_COLUMN - width), "", row->help);
    if (row->fallback)
        buf_printf(out, " [%s]", row->fallback);
    buf_append_byte(out, '\n');
}

void cli_options_help(const cli_options_t *self, buf_t *out)
{
    static const cli_option_t help = {
        .name = "help", .letter = 'h', .type = CLI_FLAG, .help = "prints this text"};
    buf_printf(out, "Usage: %s [OPTION…]%s%s\n\n%s\n\nOptions:\n", self->command, self->arguments ? " " : "",
               self->arguments ? self->arguments : "", self->about);
    for (size_t i = 0; i < self->count; i++)
        help_row(out, &self->rows[i]);
    help_row(out, &help);
}

int cli_fail(const cli_options_t *self, int exit_code, const char *format, ...)
{
    va_list arguments;
    fprintf(stderr, "%s: ", self->command);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return exit_code;
}
