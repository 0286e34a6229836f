#include "base/config/env.h"

#include <ctype.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/config/path.h"
#include "base/config/value.h"
#include "base/err.h"
#include "base/mem.h"

#define PREFIX "HEDDLE_"

void config_env_name(const char *path, buf_t *out)
{
    buf_append_str(out, PREFIX);
    for (const char *at = path; *at; at++)
        buf_append_byte(out, *at == '.' || *at == '-' ? '_' : (uint8_t)toupper((unsigned char)*at));
}

static size_t name_size(span_t text)
{
    size_t size = 0;
    while (size < text.size && (isalnum(text.data[size]) || text.data[size] == '_'))
        size++;
    return size > 0 && isdigit(text.data[0]) ? 0 : size;
}

/* What stands between "${" and "}". */
static int expand_inner(span_t inner, buf_t *out, buf_t *why)
{
    size_t size = name_size(inner);
    span_t rest = span_new(inner.data + size, inner.size - size);
    bool has_default = span_starts(rest, SPAN(":-"));
    if (size == 0 || (rest.size > 0 && !has_default)) {
        buf_append_str(why, "expected ${NAME} or ${NAME:-default}; write $${ for a plain ${");
        return ERR_MALFORMED;
    }
    char *name = mem_dup_n((const char *)inner.data, size);
    const char *value = getenv(name);
    int err = OK;
    if (has_default && (!value || *value == '\0')) {
        buf_append_span(out, span_skip(rest, 2));
    } else if (value) {
        buf_append_str(out, value);
    } else {
        buf_printf(why, "the environment has no %s; ${%s:-default} would give a default", name, name);
        err = ERR_NOT_FOUND;
    }
    mem_free(name);
    return err;
}

int config_env_expand(const char *text, bool *replaced, buf_t *out, buf_t *why)
{
    *replaced = false;
    while (*text) {
        span_t rest = span_str(text);
        if (span_starts(rest, SPAN("$${"))) {
            buf_append_str(out, "${");
            text += 3;
        } else if (span_starts(rest, SPAN("${"))) {
            const char *end = strchr(text, '}');
            if (!end) {
                buf_append_str(why, "'${' without '}'");
                return ERR_MALFORMED;
            }
            int err = expand_inner(span_new(text + 2, (size_t)(end - text) - 2), out, why);
            if (err != OK)
                return err;
            *replaced = true;
            text = end + 1;
        } else {
            size_t size = 1 + strcspn(text + 1, "$");
            buf_append(out, text, size);
            text += size;
        }
    }
    return OK;
}

static int set_list(const config_row_t *row, void *slot, const char *text, buf_t *why)
{
    config_list_t items = {0};
    config_value_split(text, &items);
    config_value_clear(row, slot);
    int err = OK;
    for (size_t i = 0; i < items.count && err == OK; i++)
        err = config_value_add(row, slot, items.items[i], why);
    if (err == OK && items.count == 0 && row->flags & CONFIG_REQUIRED) {
        buf_append_str(why, "must not be empty");
        err = ERR_RANGE;
    }
    config_list_fini(&items);
    return err;
}

/* Sets what has a value, and lists the name of every setting that could have one. */
static void set_known(config_cursor_t *at, config_sources_t *sources, config_report_t *report,
                      config_list_t *names)
{
    buf_t name = {0}, why = {0};
    config_env_name(at->path, &name);
    config_list_add(names, mem_dup(buf_text(&name)));
    const char *text = getenv(buf_text(&name));
    if (text) {
        config_sources_set(sources, at->slot, CONFIG_FROM_ENVIRONMENT, 0);
        int err = at->row->type == CONFIG_LIST ? set_list(at->row, at->slot, text, &why)
                                               : config_value_set(at->row, at->slot, text, &why);
        if (err != OK)
            config_report_add_environment(report, "%s: %s", buf_text(&name), buf_text(&why));
    }
    buf_fini(&why);
    buf_fini(&name);
}

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);
    return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

static bool has_port_part(const char *name)
{
    const char *port = strstr(name, "_PORT_");
    if (!port || !isdigit((unsigned char)port[6]))
        return false;
    const char *protocol = port + 6 + strspn(port + 6, "0123456789");
    return strncmp(protocol, "_TCP", 4) == 0 || strncmp(protocol, "_UDP", 4) == 0;
}

/* Kubernetes gives a pod such names for each service of its namespace ("Discovering services" in its docs):
 * X_SERVICE_HOST, X_SERVICE_PORT[_NAME], X_PORT=tcp://..., X_PORT_80_TCP[_ADDR]. A service called
 * "heddle-relay" must not keep an edge from starting. */
static bool is_service_link(const char *name, const char *value)
{
    return ends_with(name, "_SERVICE_HOST") || strstr(name, "_SERVICE_PORT") || has_port_part(name) ||
           (ends_with(name, "_PORT") && strstr(value, "://"));
}

static bool has_name(const config_list_t *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->items[i], name) == 0)
            return true;
    }
    return false;
}

static void report_unknown(config_report_t *report, const char *name, const config_list_t *names)
{
    const char *near = config_suggest(name, (const char *const *)names->items, names->count);
    config_report_add_environment(report, "%s belongs to no setting%s%s%s", name,
                                  near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static void refuse_unknown(config_report_t *report, const config_list_t *names)
{
    for (char **entry = environ; entry && *entry; entry++) {
        const char *value = strchr(*entry, '=');
        if (!value || strncmp(*entry, PREFIX, sizeof PREFIX - 1) != 0)
            continue;
        char *name = mem_dup_n(*entry, (size_t)(value - *entry));
        if (!has_name(names, name) && !is_service_link(name, value + 1))
            report_unknown(report, name, names);
        mem_free(name);
    }
}

void config_env_apply(const config_part_t *parts, size_t count, config_sources_t *sources,
                      config_report_t *report)
{
    config_list_t names = {0};
    for (config_cursor_t at = config_rows(parts, count); config_next(&at);) {
        if (at.row->type != CONFIG_SECTIONS)
            set_known(&at, sources, report, &names);
    }
    refuse_unknown(report, &names);
    config_list_fini(&names);
}
