#include "base/log.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/table.h"

#define LINES_PER_SECOND 20u
#define FIELDS_MAX       2048u /* bytes of key=value text; half of what a pipe writes as one (PIPE_BUF) */
#define NODE_MAX         64u
#define SAFE_INPUT_MAX   64u
#define SAFE_BUFFERS     4u
#define ESCAPE_MAX       6u /* bytes of "\u00ff" */

enum format { FORMAT_AUTO, FORMAT_TEXT, FORMAT_JSON };

static const config_row_t config_rows[] = {
    {.key = "level",
     .type = CONFIG_CHOICE,
     .offset = offsetof(log_config_t, level),
     .fallback = "info",
     .choices = "debug|info|warn|error|off",
     .help = "What is logged: this level and those above."},
    {.key = "format",
     .type = CONFIG_CHOICE,
     .offset = offsetof(log_config_t, format),
     .fallback = "auto",
     .choices = "auto|text|json",
     .help = "The shape of a line; auto is text on a terminal, and json otherwise."},
};

const config_table_t log_config_table =
    CONFIG_TABLE("log", config_rows, log_config_t, "What the node tells on standard error.");

/* Name and journald priority (sd-daemon(3)) of each level. */
static const struct level {
    const char *name;
    char priority;
} levels[] = {{"debug", '7'}, {"info", '6'}, {"warn", '4'}, {"error", '3'}};

/* How much an event name has logged of late. */
typedef struct event {
    const char *name;    /* a constant */
    uint64_t second_us;  /* when the running second began, monotonic */
    unsigned lines;      /* written in it */
    uint64_t suppressed; /* lines not written since the last one that was */
} event_t;

static atomic_int threshold = LOG_LEVEL_INFO;

/* `lock` guards what follows. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static enum format shape = FORMAT_AUTO; /* FORMAT_AUTO until somebody asks */
static bool journal;                    /* standard error is the journal; known when shape is not AUTO */
static char node[NODE_MAX];
static table_t events;

/* What one line needs of the shared state. */
typedef struct line_setup {
    enum format format;
    bool journal;
    char node[NODE_MAX];
    uint64_t suppressed; /* lines of the event before this one */
} line_setup_t;

/* systemd.exec(5): JOURNAL_STREAM is "device:inode" of the journal's socket. Standard error may have been
 * redirected since, so it is compared. */
static bool is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat status;
    if (!stream || fstat(STDERR_FILENO, &status) != 0)
        return false;
    char *end;
    bool same_device = strtoumax(stream, &end, 10) == status.st_dev;
    return same_device && *end == ':' && strtoumax(end + 1, NULL, 10) == status.st_ino;
}

static void settle_format(enum format wanted)
{
    shape = wanted != FORMAT_AUTO ? wanted : isatty(STDERR_FILENO) ? FORMAT_TEXT : FORMAT_JSON;
    journal = is_journal();
}

void log_configure(const log_config_t *config, const char *node_name)
{
    log_set_level((log_level_t)config->level);
    pthread_mutex_lock(&lock);
    settle_format((enum format)config->format);
    snprintf(node, sizeof node, "%s", node_name ? node_name : "");
    pthread_mutex_unlock(&lock);
}

void log_set_level(log_level_t level)
{
    atomic_store_explicit(&threshold, (int)level, memory_order_relaxed);
}

bool log_enabled(log_level_t level)
{
    return (int)level >= atomic_load_explicit(&threshold, memory_order_relaxed) && level < LOG_LEVEL_OFF;
}

static span_t event_key(const void *item)
{
    return span_str(((const event_t *)item)->name);
}

static event_t *find_event(const char *name)
{
    if (!events.key)
        table_init(&events, event_key);
    event_t *event = table_get(&events, span_str(name));
    if (!event) {
        event = mem_new(sizeof *event);
        event->name = name;
        table_put(&events, event);
    }
    return event;
}

/* Whether the event may log now; counts the line either way. */
static bool admit(event_t *event, uint64_t now_us)
{
    if (now_us - event->second_us >= CLOCK_SEC) {
        event->second_us = now_us;
        event->lines = 0;
    }
    if (event->lines < LINES_PER_SECOND) {
        event->lines++;
        return true;
    }
    event->suppressed++;
    return false;
}

/* False if the event has logged enough for now. */
static bool set_up(line_setup_t *setup, const char *event_name)
{
    pthread_mutex_lock(&lock);
    if (shape == FORMAT_AUTO)
        settle_format(FORMAT_AUTO);
    event_t *event = find_event(event_name);
    bool admitted = admit(event, clock_now_us());
    if (admitted) {
        setup->format = shape;
        setup->journal = journal;
        memcpy(setup->node, node, sizeof node);
        setup->suppressed = event->suppressed;
        event->suppressed = 0;
    }
    pthread_mutex_unlock(&lock);
    return admitted;
}

/* The bytes of the UTF-8 character at the start of a non-empty text; 0 if there is no valid one (RFC 3629).
 */
static size_t utf8_size(span_t text)
{
    uint8_t first = text.data[0];
    size_t size = first < 0x80   ? 1
                  : first < 0xc2 ? 0
                  : first < 0xe0 ? 2
                  : first < 0xf0 ? 3
                  : first < 0xf5 ? 4
                                 : 0;
    if (size < 2 || size > text.size)
        return size <= text.size ? size : 0;
    for (size_t i = 1; i < size; i++) {
        if ((text.data[i] & 0xc0) != 0x80)
            return 0;
    }
    uint8_t second = text.data[1];
    bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
    bool beyond = (first == 0xed && second > 0x9f) || (first == 0xf4 && second > 0x8f);
    return overlong || beyond ? 0 : size;
}

/* Writes one character as JSON would have it in a string; a byte that is not UTF-8 becomes \u00NN. Returns
 * how many bytes of `text` it took. */
static size_t escape(buf_t *out, span_t text)
{
    size_t size = utf8_size(text);
    uint8_t byte = text.data[0];
    if (size > 1)
        buf_append(out, text.data, size);
    else if (byte == '"' || byte == '\\')
        buf_printf(out, "\\%c", byte);
    else if (byte == '\n')
        buf_append_str(out, "\\n");
    else if (byte < 0x20 || byte >= 0x7f)
        buf_printf(out, "\\u%04x", byte);
    else
        buf_append_byte(out, byte);
    return size > 1 ? size : 1;
}

static void escape_all(buf_t *out, span_t text)
{
    while (text.size > 0)
        text = span_skip(text, escape(out, text));
}

static bool is_plain(span_t text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (byte <= ' ' || byte >= 0x7f || byte == '"' || byte == '\\' || byte == '=')
            return false;
    }
    return text.size > 0;
}

/* At most `size` bytes of the longer text, so that no UTF-8 character is cut in two. */
static size_t whole_characters(span_t text, size_t size)
{
    for (size_t back = 0; back < 4; back++) {
        if ((text.data[size - back] & 0xc0) != 0x80)
            return size - back;
    }
    return size;
}

const char *log_safe(span_t text)
{
    static _Thread_local char buffers[SAFE_BUFFERS][(size_t)SAFE_INPUT_MAX * ESCAPE_MAX + sizeof "\"...\""];
    static _Thread_local unsigned next;
    char *buffer = buffers[next++ % SAFE_BUFFERS];

    bool cut = text.size > SAFE_INPUT_MAX;
    span_t shown = {text.data, cut ? whole_characters(text, SAFE_INPUT_MAX) : text.size};
    const char *quote = is_plain(shown) ? "" : "\"";
    buf_t out = {0};
    buf_append_str(&out, quote);
    escape_all(&out, shown);
    buf_append_str(&out, cut ? "..." : "");
    buf_append_str(&out, quote);
    snprintf(buffer, sizeof buffers[0], "%s", buf_text(&out));
    buf_fini(&out);
    return buffer;
}

static void write_time(buf_t *out)
{
    uint64_t now_us = clock_wall_us();
    time_t whole = (time_t)(now_us / CLOCK_SEC);
    struct tm utc;
    gmtime_r(&whole, &utc);
    char text[sizeof "2026-11-24T06:38:55"];
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    buf_printf(out, "%s.%03uZ", text, (unsigned)(now_us % CLOCK_SEC / CLOCK_MS));
}

/* A field's text may hold what would end the line, if somebody forgot log_safe. */
static void write_text_fields(buf_t *out, span_t fields)
{
    for (size_t i = 0; i < fields.size; i++) {
        uint8_t byte = fields.data[i];
        if (byte < 0x20 || byte == 0x7f)
            buf_printf(out, "\\u%04x", byte);
        else
            buf_append_byte(out, byte);
    }
}

static void write_text(buf_t *out, log_level_t level, const char *event, span_t fields)
{
    write_time(out);
    buf_printf(out, " %s %s", levels[level].name, event);
    if (fields.size > 0)
        buf_append_byte(out, ' ');
    write_text_fields(out, fields);
}

static size_t size_until(span_t text, const char *stops)
{
    size_t size = 0;
    while (size < text.size && !strchr(stops, text.data[size]))
        size++;
    return size;
}

static bool is_byte_escape(span_t text)
{
    return text.size >= ESCAPE_MAX && span_starts(text, SPAN("\\u00")) && isxdigit(text.data[4]) &&
           isxdigit(text.data[5]);
}

/* The inside of a quoted value is a JSON string already if it comes from log_safe; a backslash that starts no
 * escape of JSON's is escaped itself. Returns the bytes taken, with the closing quote. */
static size_t write_json_quoted(buf_t *out, span_t text)
{
    size_t at = 0;
    while (at < text.size && text.data[at] != '"') {
        span_t rest = span_skip(text, at);
        if (rest.size >= 2 && rest.data[0] == '\\' && strchr("\"\\n", rest.data[1])) {
            buf_append(out, rest.data, 2);
            at += 2;
        } else if (is_byte_escape(rest)) {
            buf_append(out, rest.data, ESCAPE_MAX);
            at += ESCAPE_MAX;
        } else {
            at += escape(out, rest);
        }
    }
    return at < text.size ? at + 1 : at;
}

/* One key=value of the text, as a member of an object; a word without '=' is a flag. Returns the bytes taken.
 */
static size_t write_json_field(buf_t *out, span_t fields)
{
    size_t at = size_until(fields, "= ");
    buf_append_byte(out, '"');
    escape_all(out, span_new(fields.data, at));
    if (at == fields.size || fields.data[at] == ' ') {
        buf_append_str(out, "\":true");
        return at;
    }
    at++;
    buf_append_str(out, "\":\"");
    span_t value = span_skip(fields, at);
    if (span_starts(value, SPAN("\""))) {
        at += 1 + write_json_quoted(out, span_skip(value, 1));
    } else {
        size_t size = size_until(value, " ");
        escape_all(out, span_new(value.data, size));
        at += size;
    }
    buf_append_byte(out, '"');
    return at;
}

static void write_json_fields(buf_t *out, span_t fields)
{
    const char *comma = "";
    while (fields.size > 0) {
        if (fields.data[0] == ' ') {
            fields = span_skip(fields, 1);
            continue;
        }
        buf_append_str(out, comma);
        fields = span_skip(fields, write_json_field(out, fields));
        comma = ",";
    }
}

static void write_json(buf_t *out, log_level_t level, const char *event, const char *node_name, span_t fields)
{
    buf_append_str(out, "{\"ts\":\"");
    write_time(out);
    buf_printf(out, "\",\"level\":\"%s\",\"event\":\"%s\",\"node\":\"", levels[level].name, event);
    escape_all(out, span_str(node_name));
    buf_append_str(out, "\",\"fields\":{");
    write_json_fields(out, fields);
    buf_append_str(out, "}}");
}

static void write_line(log_level_t level, const char *event, const line_setup_t *setup, span_t fields)
{
    buf_t line = {0};
    if (setup->journal)
        buf_printf(&line, "<%c>", levels[level].priority);
    if (setup->format == FORMAT_JSON)
        write_json(&line, level, event, setup->node, fields);
    else
        write_text(&line, level, event, fields);
    buf_append_byte(&line, '\n');
    /* If standard error is gone or full there is nobody left to tell. */
    while (write(STDERR_FILENO, line.data, line.size) < 0 && errno == EINTR)
        continue;
    buf_fini(&line);
}

void log_write(log_level_t level, const char *event, const char *format, ...)
{
    line_setup_t setup;
    if (!log_enabled(level) || !set_up(&setup, event))
        return;
    char text[FIELDS_MAX] = "";
    va_list arguments;
    va_start(arguments, format);
    if (format)
        vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);

    buf_t fields = {0};
    buf_append_str(&fields, text);
    if (setup.suppressed > 0)
        buf_printf(&fields, "%ssuppressed=%" PRIu64, text[0] ? " " : "", setup.suppressed);
    write_line(level, event, &setup, buf_span(&fields));
    buf_fini(&fields);
}
