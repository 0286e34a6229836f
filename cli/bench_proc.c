#include "cli/bench_proc.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"

#define TEXT_SIZE 4096

static bool read_text(pid_t pid, const char *name, char out[TEXT_SIZE])
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    size_t size = fread(out, 1, TEXT_SIZE - 1, file);
    fclose(file);
    out[size] = '\0';
    return size > 0;
}

bool cli_bench_proc_field(const char *text, const char *name, uint64_t *out)
{
    size_t size = strlen(name);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, size) == 0 && line[size] == ':') {
            *out = strtoull(line + size + 1, NULL, 10);
            return true;
        }
        if (!*line)
            return false;
    }
    return false;
}

/* Moves *text behind the next number. */
static bool next_number(const char **text, uint64_t *out)
{
    char *end;
    *out = strtoull(*text, &end, 10); /* negative ones wrap, and are only skipped here */
    bool found = end != *text;
    *text = end;
    return found;
}

bool cli_bench_proc_ticks(const char *text, uint64_t *out)
{
    /* The name stands in parentheses and may hold spaces and parentheses itself. Behind it: " S ", ten
     * numbers, then user and system time (proc(5)). */
    const char *at = strrchr(text, ')');
    uint64_t number;
    uint64_t system;
    if (!at || strlen(at) < 4)
        return false;
    at += 4;
    for (unsigned i = 0; i < 10; i++) {
        if (!next_number(&at, &number))
            return false;
    }
    if (!next_number(&at, &number) || !next_number(&at, &system))
        return false;
    *out = number + system;
    return true;
}

int cli_bench_proc_read(pid_t pid, cli_bench_usage_t *out)
{
    char text[TEXT_SIZE];
    uint64_t ticks;
    uint64_t kib = 0;
    if (!read_text(pid, "stat", text) || !cli_bench_proc_ticks(text, &ticks))
        return ERR_NOT_FOUND;
    out->cpu_us = ticks * 1000000u / (uint64_t)sysconf(_SC_CLK_TCK);
    bool known = read_text(pid, "smaps_rollup", text) && cli_bench_proc_field(text, "Rss", &kib);
    if (!known && read_text(pid, "status", text))
        cli_bench_proc_field(text, "VmRSS", &kib);
    out->rss = kib * 1024u;
    return OK;
}
