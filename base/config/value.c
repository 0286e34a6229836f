#include "base/config/value.h"

#include "base/check.h"
#include "base/config/path.h"
#include "base/config/report.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/quantity.h"

static const struct type {
    const char *word;
    const char *description;
    quantity_t quantity; /* of a number */
} types[] = {
    [CONFIG_TEXT] = {"TEXT", "a text", QUANTITY_COUNT},
    [CONFIG_BOOL] = {"BOOL", "true or false", QUANTITY_COUNT},
    [CONFIG_COUNT] = {"COUNT", "a whole number such as 8", QUANTITY_COUNT},
    [CONFIG_SIZE] = {"SIZE", "a size such as 512B, 64KiB or 1MiB", QUANTITY_SIZE},
    [CONFIG_DURATION] = {"DURATION", "a duration such as 500ms, 25s or 5m", QUANTITY_DURATION},
    [CONFIG_CHOICE] = {"WORD", "one of ", QUANTITY_COUNT},
    [CONFIG_LIST] = {"LIST", "a list such as [a, b]", QUANTITY_COUNT},
    [CONFIG_SECTIONS] = {"SECTIONS", "named sections such as 'default:'", QUANTITY_COUNT},
};

const char *config_value_type(const config_row_t *row)
{
    return types[row->type].word;
}

static void print_number(const config_row_t *row, uint64_t number, buf_t *out)
{
    quantity_append(out, types[row->type].quantity, number);
}

void config_value_limits(const config_row_t *row, buf_t *out)
{
    if (row->min > 0) {
        buf_append_str(out, row->max > 0 ? "from " : "at least ");
        print_number(row, row->min, out);
    }
    if (row->max > 0) {
        buf_append_str(out, row->min > 0 ? " to " : "at most ");
        print_number(row, row->max, out);
    }
}

void config_value_describe(const config_row_t *row, buf_t *out)
{
    buf_append_str(out, types[row->type].description);
    if (row->type == CONFIG_CHOICE)
        buf_append_str(out, row->choices);
}

static void append_got(const config_row_t *row, const char *text, buf_t *why)
{
    if (row->flags & CONFIG_SECRET)
        return;
    buf_append_str(why, ", got ");
    config_report_quote(why, text);
}

static int unexpected(const config_row_t *row, const char *text, buf_t *why)
{
    buf_append_str(why, "expected ");
    config_value_describe(row, why);
    append_got(row, text, why);
    return ERR_TYPE;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int out_of_range(const config_row_t *row, const char *text, buf_t *why)
{
    bool limited = row->min > 0 || row->max > 0;
    buf_append_str(why, limited ? "must be " : "the number is too large");
    config_value_limits(row, why);
    append_got(row, text, why);
    return ERR_RANGE;
}

/* Says what is wrong with a number that other readers would take for another one, or for none. */
static int refuse_number(const config_row_t *row, const char *text, buf_t *why)
{
    int err = unexpected(row, text, why);
    if (text[0] == '0' && is_digit(text[1]))
        buf_append_str(why, "; numbers are decimal, write them without leading zeros");
    else if (is_digit(text[0]) && strchr(text, '_'))
        buf_append_str(why, "; write the digits without '_'");
    else if (types[row->type].quantity != QUANTITY_COUNT && text[strspn(text, "0123456789")] == '\0' &&
             text[0])
        buf_append_str(why, "; the unit is missing");
    return err;
}

static int set_number(const config_row_t *row, uint64_t *slot, const char *text, buf_t *why)
{
    uint64_t number;
    int err = quantity_read_strict(types[row->type].quantity, span_str(text), &number);
    if (err == ERR_MALFORMED)
        return refuse_number(row, text, why);
    if (err || number < row->min || (row->max > 0 && number > row->max))
        return out_of_range(row, text, why);
    *slot = number;
    return OK;
}

static int set_bool(const config_row_t *row, bool *slot, const char *text, buf_t *why)
{
    bool yes = strcmp(text, "true") == 0;
    if (!yes && strcmp(text, "false") != 0)
        return unexpected(row, text, why);
    *slot = yes;
    return OK;
}

/* The words of "debug|info|warn". */
static void split_choices(const char *choices, config_list_t *out)
{
    for (const char *at = choices;; at++) {
        size_t size = strcspn(at, "|");
        config_list_add(out, mem_dup_n(at, size));
        at += size;
        if (*at == '\0')
            return;
    }
}

static int refuse_choice(const config_row_t *row, const char *text, const config_list_t *words, buf_t *why)
{
    config_report_quote(why, row->flags & CONFIG_SECRET ? "***" : text);
    buf_printf(why, " is not one of %s", row->choices);
    const char *near = config_suggest(text, (const char *const *)words->items, words->count);
    if (near)
        buf_printf(why, "; did you mean '%s'?", near);
    return ERR_UNKNOWN;
}

static int set_choice(const config_row_t *row, int *slot, const char *text, buf_t *why)
{
    config_list_t words = {0};
    split_choices(row->choices, &words);
    size_t at = 0;
    while (at < words.count && strcmp(words.items[at], text) != 0)
        at++;
    int err = at < words.count ? OK : refuse_choice(row, text, &words, why);
    if (err == OK)
        *slot = (int)at;
    config_list_fini(&words);
    return err;
}

static int check_text(const config_row_t *row, const char *text, buf_t *why)
{
    if (row->flags & CONFIG_REQUIRED && text[0] == '\0') {
        buf_append_str(why, "must not be empty");
        return ERR_RANGE;
    }
    int err = row->check ? row->check(text, why) : OK;
    if (err != OK)
        append_got(row, text, why);
    return err;
}

static int set_text(const config_row_t *row, char **slot, const char *text, buf_t *why)
{
    int err = check_text(row, text, why);
    if (err != OK)
        return err;
    mem_free(*slot);
    *slot = mem_dup(text);
    return OK;
}

int config_value_set(const config_row_t *row, void *slot, const char *text, buf_t *why)
{
    switch (row->type) {
    case CONFIG_TEXT: return set_text(row, slot, text, why);
    case CONFIG_BOOL: return set_bool(row, slot, text, why);
    case CONFIG_COUNT:
    case CONFIG_SIZE:
    case CONFIG_DURATION: return set_number(row, slot, text, why);
    case CONFIG_CHOICE: return set_choice(row, slot, text, why);
    case CONFIG_LIST:
    case CONFIG_SECTIONS: break;
    }
    return unexpected(row, text, why);
}

int config_value_add(const config_row_t *row, void *slot, const char *text, buf_t *why)
{
    int err = check_text(row, text, why);
    if (err == OK)
        config_list_add(slot, mem_dup(text));
    return err;
}

static span_t trim(span_t text)
{
    while (text.size > 0 && text.data[0] == ' ')
        text = span_skip(text, 1);
    while (text.size > 0 && text.data[text.size - 1] == ' ')
        text.size--;
    return text;
}

static span_t strip_pair(span_t text, uint8_t open, uint8_t close)
{
    if (text.size >= 2 && text.data[0] == open && text.data[text.size - 1] == close)
        return span_new(text.data + 1, text.size - 2);
    return text;
}

void config_value_split(const char *text, config_list_t *out)
{
    span_t rest = trim(strip_pair(trim(span_str(text)), '[', ']'));
    while (rest.size > 0) {
        const uint8_t *comma = memchr(rest.data, ',', rest.size);
        size_t size = comma ? (size_t)(comma - rest.data) : rest.size;
        span_t item = strip_pair(trim(span_new(rest.data, size)), '"', '"');
        config_list_add(out, mem_dup_n((const char *)item.data, item.size));
        rest = span_skip(rest, comma ? size + 1 : size);
    }
}

void config_value_set_default(const config_row_t *row, void *slot)
{
    config_value_clear(row, slot);
    if (!row->fallback)
        return;
    buf_t why = {0};
    if (row->type == CONFIG_LIST) {
        config_list_t items = {0};
        config_value_split(row->fallback, &items);
        for (size_t i = 0; i < items.count; i++)
            CHECK(config_value_add(row, slot, items.items[i], &why) == OK);
        config_list_fini(&items);
    } else {
        CHECK(config_value_set(row, slot, row->fallback, &why) == OK);
    }
    buf_fini(&why);
}

void *config_section_at(const config_row_t *row, const void *slot, size_t index)
{
    const config_sections_t *sections = slot;
    return (char *)sections->items + index * row->sections->size;
}

static void clear_sections(const config_row_t *row, config_sections_t *sections)
{
    for (size_t i = 0; i < sections->count; i++) {
        void *item = config_section_at(row, sections, i);
        config_part_t part = {row->sections, item};
        config_free(&part, 1);
        mem_free(*(char **)item);
    }
    mem_free(sections->items);
    *sections = (config_sections_t){0};
}

void config_value_clear(const config_row_t *row, void *slot)
{
    switch (row->type) {
    case CONFIG_TEXT:
        mem_free(*(char **)slot);
        *(char **)slot = NULL;
        break;
    case CONFIG_BOOL: *(bool *)slot = false; break;
    case CONFIG_COUNT:
    case CONFIG_SIZE:
    case CONFIG_DURATION: *(uint64_t *)slot = 0; break;
    case CONFIG_CHOICE: *(int *)slot = 0; break;
    case CONFIG_LIST: config_list_fini(slot); break;
    case CONFIG_SECTIONS: clear_sections(row, slot); break;
    }
}

/* Whether YAML and we ourselves read the text back as it is without quotes around it: letters, digits and
 * what is harmless between them. */
static bool is_bare(const char *text)
{
    size_t size = strlen(text);
    if (size == 0 || strchr("-:", text[0]) || text[size - 1] == ':')
        return false;
    for (const char *at = text; *at; at++) {
        bool letter = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || is_digit(*at);
        if (!letter && !strchr("_-./:+", *at))
            return false;
    }
    return true;
}

/* The next character and its bytes. A byte that is no UTF-8 (the environment may hold any) counts as the
 * character of its number. */
static size_t decode(span_t text, uint32_t *code)
{
    uint8_t first = text.data[0];
    size_t size = first < 0xc2 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 1;
    *code = size == 1 ? first : first & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if (i == text.size || (text.data[i] & 0xc0) != 0x80) {
            *code = first;
            return 1;
        }
        *code = *code << 6 | (text.data[i] & 0x3fu);
    }
    return size;
}

/* What YAML 1.1 (section 5.1) does not take, or takes for the end of a line, or eats at the start of one. */
static bool needs_escape(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029 ||
           code == 0xfeff || code == 0xfffe || code == 0xffff || (code >= 0xd800 && code < 0xe000);
}

static void print_quoted(span_t text, buf_t *out)
{
    buf_append_byte(out, '"');
    while (text.size > 0) {
        uint32_t code;
        size_t size = decode(text, &code);
        if (needs_escape(code) || (size == 1 && code >= 0x80))
            buf_printf(out, code < 0x100 ? "\\x%02x" : "\\u%04x", code);
        else if (code == '"' || code == '\\')
            buf_printf(out, "\\%c", (char)code);
        else if (span_starts(text, SPAN("${")))
            buf_append_str(out, "$$");
        else
            buf_append(out, text.data, size);
        text = span_skip(text, size);
    }
    buf_append_byte(out, '"');
}

static void print_text(const char *text, buf_t *out)
{
    if (is_bare(text))
        buf_append_str(out, text);
    else
        print_quoted(span_str(text), out);
}

static void print_list(const config_row_t *row, const config_list_t *list, buf_t *out)
{
    buf_append_byte(out, '[');
    for (size_t i = 0; i < list->count; i++) {
        buf_append_str(out, i > 0 ? ", " : "");
        if (row->flags & CONFIG_SECRET)
            buf_append_str(out, "\"***\"");
        else
            print_text(list->items[i], out);
    }
    buf_append_byte(out, ']');
}

static void print_choice(const config_row_t *row, int choice, buf_t *out)
{
    config_list_t words = {0};
    split_choices(row->choices, &words);
    buf_append_str(out, choice >= 0 && (size_t)choice < words.count ? words.items[choice] : "?");
    config_list_fini(&words);
}

void config_value_print(const config_row_t *row, const void *slot, buf_t *out)
{
    if (row->flags & CONFIG_SECRET && row->type != CONFIG_LIST) {
        buf_append_str(out, "\"***\"");
        return;
    }
    switch (row->type) {
    case CONFIG_TEXT: print_text(*(char *const *)slot ? *(char *const *)slot : "", out); break;
    case CONFIG_BOOL: buf_append_str(out, *(const bool *)slot ? "true" : "false"); break;
    case CONFIG_COUNT:
    case CONFIG_SIZE:
    case CONFIG_DURATION: print_number(row, *(const uint64_t *)slot, out); break;
    case CONFIG_CHOICE: print_choice(row, *(const int *)slot, out); break;
    case CONFIG_LIST: print_list(row, slot, out); break;
    case CONFIG_SECTIONS: break;
    }
}
