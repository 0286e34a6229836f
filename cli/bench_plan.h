/* cli/bench_plan - what a bench is to do, and what came out.
 * Thread: main; plain data.
 */
#ifndef HEDDLE_CLI_BENCH_PLAN_H
#define HEDDLE_CLI_BENCH_PLAN_H

#include <sys/types.h>

#include "base/histogram.h"
#include "base/span.h"

#define CLI_BENCH_SERVERS 16u /* processes that are watched, at most */

typedef enum cli_bench_dialect { CLI_BENCH_RAW, CLI_BENCH_CENTRIFUGE } cli_bench_dialect_t;

/* Each channel has one publisher and `subscribers` connections that listen to it; message k of the plan goes
 * to channel k modulo `channels` at its own time, k / rate seconds after the start, whatever came back until
 * then. */
typedef struct cli_bench_plan {
    const char *name;          /* of the scenario */
    const char *publish_url;   /* ws://HOST:PORT[/PREFIX] */
    const char *subscribe_url; /* may be another node */
    const char *prefix;        /* of the channels' names; letters that need no escaping in a URL */
    const char *token;         /* NULL = none */
    cli_bench_dialect_t dialect;
    uint64_t channels;
    uint64_t subscribers; /* a channel */
    uint64_t rate;        /* messages a second over all channels; 0 = only hold the connections */
    uint64_t size;        /* bytes of a payload */
    uint64_t warmup_us;   /* counted for loss, not for latency and CPU */
    uint64_t duration_us;
    uint64_t drain_us; /* after the last message: how long to wait for what is still missing */
    pid_t servers[CLI_BENCH_SERVERS];
    size_t server_count;
} cli_bench_plan_t;

typedef struct cli_bench_server {
    pid_t pid;
    uint64_t cpu_us;      /* user and system, in the window */
    uint64_t rss_before;  /* bytes, before the first connection */
    uint64_t rss_holding; /* with all connections, at the window's start */
    uint64_t rss_after;   /* at its end */
} cli_bench_server_t;

typedef struct cli_bench_result {
    uint64_t connections; /* publishers included */
    uint64_t closed;      /* connections that the servers ended */

    /* All messages after every subscriber was heard from; exact. */
    uint64_t sent;       /* messages */
    uint64_t expected;   /* deliveries: sent, times the subscribers of a channel */
    uint64_t received;   /* of them; each once */
    uint64_t lost;       /* expected, and never came */
    uint64_t duplicates; /* came again */
    uint64_t reordered;  /* came behind a later one */
    uint64_t strays;     /* on the wrong channel, or never sent */
    uint64_t refused;    /* publishes that a server answered with an error */

    /* The window: from the end of the warm-up until the last delivery. */
    uint64_t window_us;
    uint64_t deliveries; /* in it */
    histogram_t latency; /* ns from the intended time of sending to the read that brought the message */
    histogram_t lag;     /* ns from the intended time of sending to the send: the generator's own delay */
    uint64_t own_cpu_us; /* in the window */
    cli_bench_server_t servers[CLI_BENCH_SERVERS];
    size_t server_count;
} cli_bench_result_t;

#endif
