#include "base/stats.h"

#include <dirent.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"

typedef struct source {
    const stat_row_t *rows; /* borrowed */
    size_t count;           /* rows */
    const void *values;     /* borrowed */
} source_t;

/* One line of the output: a metric with its labels, summed over the sources. */
typedef struct sample {
    const stat_row_t *row; /* borrowed; of the first source that has it */
    uint64_t value;
    bool printed;
} sample_t;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static source_t *sources;
static size_t source_count;

void stats_register(const stat_row_t *rows, size_t count, const void *values)
{
    pthread_mutex_lock(&lock);
    sources = mem_grow(sources, source_count + 1, sizeof *sources);
    sources[source_count++] = (source_t){rows, count, values};
    pthread_mutex_unlock(&lock);
}

void stats_unregister(const void *values)
{
    pthread_mutex_lock(&lock);
    size_t kept = 0;
    for (size_t i = 0; i < source_count; i++) {
        if (sources[i].values != values)
            sources[kept++] = sources[i];
    }
    source_count = kept;
    if (kept == 0) {
        mem_free(sources);
        sources = NULL;
    }
    pthread_mutex_unlock(&lock);
}

static bool same_series(const stat_row_t *a, const stat_row_t *b)
{
    return a == b || (strcmp(a->name, b->name) == 0 &&
                      strcmp(a->labels ? a->labels : "", b->labels ? b->labels : "") == 0);
}

static uint64_t read_value(const source_t *source, const stat_row_t *row)
{
    return stats_get((const stat_t *)(const void *)((const char *)source->values + row->offset));
}

/* Adds the row to the sample of its series, or makes one; returns how many samples there are. */
static size_t sum_row(sample_t *samples, size_t count, const stat_row_t *row, uint64_t value)
{
    for (size_t i = 0; i < count; i++) {
        if (same_series(samples[i].row, row)) {
            samples[i].value += value;
            return count;
        }
    }
    samples[count] = (sample_t){.row = row, .value = value};
    return count + 1;
}

/* Sums the sources, series by series, into an array that the caller frees. */
static sample_t *collect(size_t *count)
{
    size_t rows = 0;
    for (size_t i = 0; i < source_count; i++)
        rows += sources[i].count;
    sample_t *samples = mem_new_n(rows, sizeof *samples);
    *count = 0;
    for (size_t i = 0; i < source_count; i++) {
        for (size_t j = 0; j < sources[i].count; j++) {
            const stat_row_t *row = &sources[i].rows[j];
            *count = sum_row(samples, *count, row, read_value(&sources[i], row));
        }
    }
    return samples;
}

static void render_head(buf_t *out, const char *name, stat_kind_t kind, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
               kind == STAT_COUNTER ? "counter" : "gauge");
}

/* A metric and all its series in one run, as the format demands, wherever their rows stand. */
static void render_metric(buf_t *out, sample_t *samples, size_t count)
{
    const stat_row_t *first = samples[0].row;
    render_head(out, first->name, first->kind, first->help);
    for (size_t i = 0; i < count; i++) {
        const stat_row_t *row = samples[i].row;
        if (samples[i].printed || strcmp(row->name, first->name) != 0)
            continue;
        samples[i].printed = true;
        if (row->labels)
            buf_printf(out, "%s{%s} %" PRIu64 "\n", row->name, row->labels, samples[i].value);
        else
            buf_printf(out, "%s %" PRIu64 "\n", row->name, samples[i].value);
    }
}

static void render_sources(buf_t *out)
{
    size_t count;
    pthread_mutex_lock(&lock);
    sample_t *samples = collect(&count);
    pthread_mutex_unlock(&lock);
    for (size_t i = 0; i < count; i++) {
        if (!samples[i].printed)
            render_metric(out, samples + i, count - i);
    }
    mem_free(samples);
}

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/* The first line of a file of proc(5); empty if there is none. */
static void read_line(const char *path, char *line, int size)
{
    line[0] = '\0';
    FILE *file = fopen(path, "re");
    if (!file)
        return;
    if (!fgets(line, size, file))
        line[0] = '\0';
    fclose(file);
}

/* Field `number` (from 0) of a line of numbers; 0 if the line is shorter. */
static double field_of(const char *line, unsigned number)
{
    for (; number > 0 && *line; number--) {
        line += strcspn(line, " ");
        line += strspn(line, " ");
    }
    return (double)strtoull(line, NULL, 10);
}

static double resident_bytes(void)
{
    char line[256];
    read_line("/proc/self/statm", line, sizeof line);
    return field_of(line, 1) * (double)sysconf(_SC_PAGESIZE);
}

static double open_fds(void)
{
    DIR *directory = opendir("/proc/self/fd");
    if (!directory)
        return 0;
    unsigned count = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] != '.')
            count++;
    }
    closedir(directory);
    return count > 0 ? count - 1 : 0; /* less the one of the directory itself */
}

static double max_fds(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    return (double)limit.rlim_cur;
}

/* The start in clock ticks since boot: field 22 of stat, which is the 20th behind the command's name; that
 * may itself hold spaces and parentheses. */
static double start_ticks(void)
{
    char line[1024];
    read_line("/proc/self/stat", line, sizeof line);
    const char *behind_name = strrchr(line, ')');
    return behind_name ? field_of(behind_name, 20) : 0;
}

static double start_seconds;

static void find_start(void)
{
    struct timespec boot;
    clock_gettime(CLOCK_BOOTTIME, &boot);
    double uptime = (double)boot.tv_sec + (double)boot.tv_nsec / 1e9;
    double started = start_ticks() / (double)sysconf(_SC_CLK_TCK);
    start_seconds = (double)clock_wall_us() / (double)CLOCK_SEC - uptime + started;
}

/* Found once, so that a step of the wall clock does not look like a restart. */
static double start_time(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_start);
    return start_seconds;
}

static const struct process_metric {
    const char *name;
    stat_kind_t kind;
    double (*read)(void);
    const char *help;
} process_metrics[] = {
    {"process_cpu_seconds_total", STAT_COUNTER, cpu_seconds, "User and system CPU time spent in seconds"},
    {"process_resident_memory_bytes", STAT_GAUGE, resident_bytes, "Resident memory size in bytes"},
    {"process_open_fds", STAT_GAUGE, open_fds, "Number of open file descriptors"},
    {"process_max_fds", STAT_GAUGE, max_fds, "Maximum number of open file descriptors"},
    {"process_start_time_seconds", STAT_GAUGE, start_time, "Start of the process in seconds since 1970"},
};

static void render_process(buf_t *out)
{
    for (size_t i = 0; i < sizeof process_metrics / sizeof *process_metrics; i++) {
        const struct process_metric *metric = &process_metrics[i];
        render_head(out, metric->name, metric->kind, metric->help);
        buf_printf(out, "%s %.15g\n", metric->name, metric->read());
    }
}

void stats_render(buf_t *out)
{
    render_sources(out);
    render_head(out, "heddle_build_info", STAT_GAUGE, "The running version; always 1");
    buf_append_str(out, "heddle_build_info{version=\"" HEDDLE_VERSION "\"} 1\n");
    render_process(out);
}
