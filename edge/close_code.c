#include "edge/close_code.h"

#include "edge/worker.h"

const char *edge_close_reason(unsigned code)
{
    switch (code) {
#define REASON(NAME, number, reason, counter) \
    case number: return reason;
        EDGE_CLOSE_CODES(REASON)
#undef REASON
    default: return "closed by the server";
    }
}

stat_t *edge_close_counter(edge_stats_t *stats, unsigned code)
{
    switch (code) {
#define COUNTER(NAME, number, reason, counter) \
    case number: return &stats->counter;
        EDGE_CLOSE_CODES(COUNTER)
#undef COUNTER
    default: return &stats->closed_api;
    }
}
