#include "base/config/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define SHOWN_MAX 100u /* mistakes; a file with more is another kind of file */
#define LINE_MAX  160u /* characters of a source line */
#define TEXT_MAX  500u /* bytes of a message */
#define QUOTE_MAX 60u  /* bytes of a value in a message */

void config_report_fini(config_report_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        mem_free(self->mistakes[i].text);
    mem_free(self->mistakes);
    mem_free(self->hidden);
    *self = (config_report_t){0};
}

/* Keys and values from the file are in messages, which may go to a terminal. */
static void make_safe(char *text)
{
    for (; *text; text++) {
        if ((uint8_t)*text < 0x20 || *text == 0x7f)
            *text = '?';
    }
}

static void add(config_report_t *self, config_origin_t origin, config_mark_t at, const char *format,
                va_list arguments)
{
    char text[TEXT_MAX + 1];
    vsnprintf(text, sizeof text, format, arguments);
    make_safe(text);
    self->mistakes = mem_grow(self->mistakes, self->count + 1, sizeof *self->mistakes);
    self->mistakes[self->count] =
        (config_mistake_t){.origin = origin, .at = at, .order = self->count, .text = mem_dup(text)};
    self->count++;
}

void config_report_add(config_report_t *self, config_mark_t at, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add(self, CONFIG_ORIGIN_FILE, at, format, arguments);
    va_end(arguments);
}

void config_report_add_environment(config_report_t *self, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add(self, CONFIG_ORIGIN_ENVIRONMENT, (config_mark_t){0}, format, arguments);
    va_end(arguments);
}

void config_report_hide(config_report_t *self, config_mark_t from, config_mark_t to)
{
    self->hidden = mem_grow(self->hidden, self->hidden_count + 1, sizeof *self->hidden);
    self->hidden[self->hidden_count++] = (config_hidden_t){from, to};
}

bool config_report_has_line(const config_report_t *self, size_t line)
{
    for (size_t i = 0; i < self->count; i++) {
        if (self->mistakes[i].origin == CONFIG_ORIGIN_FILE && self->mistakes[i].at.line == line)
            return true;
    }
    return false;
}

static span_t source_line(span_t source, size_t number)
{
    for (; number > 1 && source.size > 0; number--) {
        const uint8_t *end = memchr(source.data, '\n', source.size);
        source = end ? span_skip(source, (size_t)(end - source.data) + 1) : (span_t){0};
    }
    const uint8_t *end = source.size > 0 ? memchr(source.data, '\n', source.size) : NULL;
    if (end)
        source.size = (size_t)(end - source.data);
    if (source.size > 0 && source.data[source.size - 1] == '\r')
        source.size--;
    return source;
}

static bool before(config_mark_t a, config_mark_t b)
{
    return a.line != b.line ? a.line < b.line : a.column < b.column;
}

/* Whether a terminal may get the character: no control byte, and as many bytes as its first one announces. */
static bool is_printable(const uint8_t *bytes, size_t size)
{
    uint8_t first = bytes[0];
    size_t announced = first < 0x80   ? 1
                       : first < 0xc2 ? 0
                       : first < 0xe0 ? 2
                       : first < 0xf0 ? 3
                       : first < 0xf5 ? 4
                                      : 0;
    return size == announced && first >= 0x20 && first != 0x7f;
}

/* Which columns of the line are hidden. */
static void find_hidden(const config_report_t *self, size_t line, bool hidden[LINE_MAX + 1])
{
    for (size_t i = 0; i < self->hidden_count; i++) {
        const config_hidden_t *part = &self->hidden[i];
        if (line < part->from.line || line > part->to.line)
            continue;
        for (size_t column = 1; column <= LINE_MAX; column++) {
            config_mark_t at = {line, column};
            hidden[column] |= !before(at, part->from) && before(at, part->to);
        }
    }
}

static size_t character_size(span_t text)
{
    size_t size = 1;
    while (size < text.size && (text.data[size] & 0xc0) == 0x80)
        size++;
    return size;
}

/* The line, and below it what leads to the column: tabs stay tabs, so that the caret stands right. */
static void print_source(const config_report_t *self, config_mark_t at, buf_t *out)
{
    span_t line = source_line(self->source, at.line);
    buf_t lead = {0};
    bool hidden[LINE_MAX + 1] = {false};
    find_hidden(self, at.line, hidden);
    buf_printf(out, "%6zu | ", at.line);
    for (size_t column = 1; line.size > 0 && column <= LINE_MAX; column++) {
        size_t size = character_size(line);
        if (line.data[0] == '\t')
            buf_append_byte(out, '\t');
        else if (hidden[column])
            buf_append_byte(out, '*');
        else if (!is_printable(line.data, size))
            buf_append_byte(out, '?');
        else
            buf_append(out, line.data, size);
        if (column < at.column)
            buf_append_byte(&lead, line.data[0] == '\t' ? '\t' : ' ');
        line = span_skip(line, size);
    }
    buf_append_byte(out, '\n');
    if (at.column <= LINE_MAX)
        buf_printf(out, "       | %s^\n", buf_text(&lead));
    buf_fini(&lead);
}

static void print_mistake(const config_report_t *self, const config_mistake_t *mistake, buf_t *out)
{
    if (mistake->origin == CONFIG_ORIGIN_ENVIRONMENT)
        buf_append_str(out, "environment: ");
    else if (self->name)
        buf_printf(out, "%s:", self->name);
    if (mistake->at.line > 0)
        buf_printf(out, "%zu:%zu:", mistake->at.line, mistake->at.column);
    if (mistake->origin == CONFIG_ORIGIN_FILE && self->name)
        buf_append_byte(out, ' ');
    buf_printf(out, "error: %s\n", mistake->text);
    if (mistake->at.line > 0)
        print_source(self, mistake->at, out);
}

/* The file's mistakes from top to bottom, those that have no place in it next, then the environment's. */
static int compare_mistakes(const void *left, const void *right)
{
    const config_mistake_t *a = left, *b = right;
    if (a->origin != b->origin)
        return a->origin < b->origin ? -1 : 1;
    config_mark_t at = a->at, bt = b->at;
    if ((at.line == 0) != (bt.line == 0))
        return at.line == 0 ? 1 : -1;
    if (before(at, bt) || before(bt, at))
        return before(at, bt) ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

static void print_total(const config_report_t *self, buf_t *out)
{
    size_t in_file = 0;
    for (size_t i = 0; i < self->count; i++)
        in_file += self->mistakes[i].origin == CONFIG_ORIGIN_FILE;
    const char *name = self->name ? self->name : "the configuration";
    buf_printf(out, "%zu %s in ", self->count, self->count == 1 ? "error" : "errors");
    if (in_file == self->count)
        buf_append_str(out, name);
    else if (in_file == 0)
        buf_append_str(out, "the environment");
    else
        buf_printf(out, "%s and the environment", name);
    buf_append_str(out, "; nothing was changed\n");
}

void config_report_print(config_report_t *self, buf_t *out)
{
    if (self->count == 0)
        return;
    qsort(self->mistakes, self->count, sizeof *self->mistakes, compare_mistakes);
    for (size_t i = 0; i < self->count && i < SHOWN_MAX; i++)
        print_mistake(self, &self->mistakes[i], out);
    if (self->count > SHOWN_MAX)
        buf_printf(out, "... and %zu more\n", self->count - SHOWN_MAX);
    print_total(self, out);
}

void config_report_quote(buf_t *out, const char *text)
{
    span_t rest = span_str(text);
    bool cut = rest.size > QUOTE_MAX;
    buf_append_byte(out, '\'');
    for (size_t taken = 0; rest.size > 0;) {
        size_t size = character_size(rest);
        taken += size;
        if (taken > QUOTE_MAX)
            break;
        buf_append(out, rest.data, size);
        rest = span_skip(rest, size);
    }
    buf_append_str(out, cut ? "...'" : "'");
}
