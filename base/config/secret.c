#include "base/config/secret.h"

#include <ctype.h>

#include "base/config/path.h"
#include "base/mem.h"

#define FOR_EVER ((size_t)1 << 40) /* a column behind every line */

static void list_secrets(const config_part_t *parts, size_t count, config_list_t *words)
{
    for (config_cursor_t at = config_rows(parts, count); config_next(&at);) {
        if (at.row->flags & CONFIG_SECRET)
            config_list_add(words, mem_dup(config_last_word(at.path)));
        if (at.row->type == CONFIG_SECTIONS) {
            config_part_t inner = {at.row->sections, NULL};
            list_secrets(&inner, 1, words);
        }
    }
}

static bool is_word(uint8_t byte)
{
    return isalnum(byte) || byte == '_' || byte == '-';
}

static bool names_secret(span_t word, const config_list_t *words)
{
    char *text = mem_dup_n((const char *)word.data, word.size);
    bool near = config_suggest(text, (const char *const *)words->items, words->count) != NULL;
    mem_free(text);
    return near;
}

static size_t characters(span_t text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += (text.data[i] & 0xc0) != 0x80;
    return count;
}

/* The column behind the first key of the line that names a secret; 0 = there is none. */
static size_t find_secret(span_t line, const config_list_t *words)
{
    for (size_t at = 0; at < line.size;) {
        size_t begin = at;
        while (at < line.size && is_word(line.data[at]))
            at++;
        span_t word = {line.data + begin, at - begin};
        size_t behind = at + strspn((const char *)line.data + at, "\"' ");
        if (word.size > 0 && behind < line.size && line.data[behind] == ':' && names_secret(word, words))
            return characters(span_new(line.data, behind)) + 2;
        at += word.size == 0;
    }
    return 0;
}

static size_t indentation(span_t line)
{
    size_t size = 0;
    while (size < line.size && (line.data[size] == ' ' || line.data[size] == '\t'))
        size++;
    return size;
}

/* Whether a line goes on with what a key above it began: it is deeper, or blank, or an item of the key's
 * list, which may stand as far to the left as the key. */
static bool goes_on(span_t line, size_t level)
{
    size_t at = indentation(line);
    return at == line.size || at > level || (at == level && line.data[at] == '-');
}

static void hide_lines(const config_list_t *words, config_report_t *report, span_t rest)
{
    bool inside = false; /* a secret that began further up */
    size_t level = 0;    /* its key's indentation */
    for (size_t number = 1; rest.size > 0; number++) {
        const uint8_t *end = memchr(rest.data, '\n', rest.size);
        span_t line = {rest.data, end ? (size_t)(end - rest.data) : rest.size};
        rest = span_skip(rest, end ? line.size + 1 : line.size);
        inside = inside && goes_on(line, level);
        size_t column = inside ? 1 : find_secret(line, words);
        if (column == 0)
            continue;
        config_report_hide(report, (config_mark_t){number, column}, (config_mark_t){number, FOR_EVER});
        if (!inside)
            level = indentation(line);
        inside = true;
    }
}

void config_secret_hide(const config_part_t *parts, size_t count, config_report_t *report)
{
    config_list_t words = {0};
    list_secrets(parts, count, &words);
    /* A copy, so that a NUL stands behind the last line. */
    char *text = mem_dup_n((const char *)report->source.data, report->source.size);
    if (words.count > 0)
        hide_lines(&words, report, span_new(text, report->source.size));
    mem_free(text);
    config_list_fini(&words);
}
