/* base/stats - counters and gauges, and their text for Prometheus.
 * Owner:  each module has its own struct of stat_t; the registry only borrows it.
 * Thread: a stat_t has one writing thread; any thread may read (relaxed atomics). register, unregister and
 *         render lock, and are for cold paths.
 * Life:   stats_register -> (stats_add | stats_set)* -> stats_unregister
 *
 * A metric is one row of an X-list; the list yields the struct, and the rows for the registry:
 *
 *     #define RELAY_STATS(X)                                                                              \
 *         X(published, STAT_COUNTER, "heddle_relay_publications_total", NULL, "Publications accepted")    \
 *         X(dropped_full, STAT_COUNTER, "heddle_dropped_total", "reason=\"full\"", "What was lost, by cause")
 *     typedef struct relay_stats { RELAY_STATS(STATS_FIELD) } relay_stats_t;
 *
 *     #define ROW(field, kind, name, labels, help) \
 *         {offsetof(relay_stats_t, field), kind, name, labels, help},
 *     static const stat_row_t rows[] = {RELAY_STATS(ROW)};
 *
 * What several registered structs have of one series (a name with its labels; one struct per worker) is
 * summed when rendered; modules may share a name under labels of their own.
 */
#ifndef HEDDLE_BASE_STATS_H
#define HEDDLE_BASE_STATS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

typedef _Atomic uint64_t stat_t;

typedef enum stat_kind { STAT_COUNTER, STAT_GAUGE } stat_kind_t;

typedef struct stat_row {
    size_t offset; /* of the stat_t in its struct */
    stat_kind_t kind;
    const char *name;   /* rows of the same name stand together in the list */
    const char *labels; /* `reason="full"`, or NULL */
    const char *help;
} stat_row_t;

#define STATS_FIELD(field, kind, name, labels, help) stat_t field;

static inline void stats_add(stat_t *stat, uint64_t count)
{
    atomic_store_explicit(stat, atomic_load_explicit(stat, memory_order_relaxed) + count,
                          memory_order_relaxed);
}

static inline void stats_sub(stat_t *stat, uint64_t count)
{
    atomic_store_explicit(stat, atomic_load_explicit(stat, memory_order_relaxed) - count,
                          memory_order_relaxed);
}

static inline void stats_set(stat_t *stat, uint64_t value)
{
    atomic_store_explicit(stat, value, memory_order_relaxed);
}

static inline uint64_t stats_get(const stat_t *stat)
{
    return atomic_load_explicit(stat, memory_order_relaxed);
}

/* Borrows rows and values until unregister. `values` is the struct that the rows' offsets are in. */
void stats_register(const stat_row_t *rows, size_t count, const void *values);
void stats_unregister(const void *values);

/* Appends everything registered, and process_* and heddle_build_info, in the Prometheus text format 0.0.4. */
void stats_render(buf_t *out);

#endif
