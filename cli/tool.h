/* cli/tool - a tool's node on the fabric: a loop, a pair of sockets, an uplink; for commands that talk to relays.
 * Owner:  a command's run function.
 * Thread: main; cli_tool_run blocks until it is stopped.
 * Life:   cli_tool_open -> cli_tool_run -> cli_tool_destroy
 */
#ifndef HEDDLE_CLI_TOOL_H
#define HEDDLE_CLI_TOOL_H

#include "base/buf.h"
#include "fabric/curve.h"
#include "fabric/uplink.h"

typedef struct cli_tool cli_tool_t;

/* All may be NULL. */
typedef struct cli_tool_events {
    void (*found)(void *context, cli_tool_t *tool); /* a relay is there (again) */
    void (*moved)(void *context, cli_tool_t *tool); /* see uplink_events */
    void (*message)(void *context, cli_tool_t *tool, const envelope_msg_t *message);
    void (*subscribed)(void *context, cli_tool_t *tool, const envelope_sub_ok_t *answer);
    void (*not_subscribed)(void *context, cli_tool_t *tool, const envelope_sub_no_t *answer);
    void (*room)(void *context, cli_tool_t *tool); /* after ERR_FULL of uplink_publish */
    void (*turn)(void *context, cli_tool_t *tool); /* once a turn of the loop */
} cli_tool_events_t;

/* The files of --key and --relay-key; both or neither. */
typedef struct cli_keys {
    const char *own;
    const char *relays;
} cli_keys_t;

/* Without files there are no keys. ERR_* with a sentence in `why`. */
int cli_keys_load(const cli_keys_t *self, curve_t *out, buf_t *why);

typedef struct cli_tool_options {
    const char *relay;   /* "tcp://127.0.0.1:7700" or "dns://relays:7700" */
    const char *cluster; /* NULL = "heddle" */
    uint64_t connect_us; /* how long a relay may take to be found */
    uint64_t run_us;     /* how long it runs at most; 0 = until stopped */
    cli_keys_t keys;
} cli_tool_options_t;

/* ERR_* with a sentence in `why`. Borrows options' texts, events and context. */
int cli_tool_open(cli_tool_t **out, const cli_tool_options_t *options, const cli_tool_events_t *events,
                  void *context, buf_t *why);
void cli_tool_destroy(cli_tool_t **self_p);

uplink_t *cli_tool_uplink(const cli_tool_t *self);
uint64_t cli_tool_now(const cli_tool_t *self);

/* Runs until cli_tool_stop, SIGINT, SIGTERM (both OK), the end of run_us (ERR_TIMEOUT), or no relay was found in time
 * (ERR_UNAVAILABLE, with a sentence in `why`). */
int cli_tool_run(cli_tool_t *self, buf_t *why);

/* Ends the run; cli_tool_run returns err. The first call counts. */
void cli_tool_stop(cli_tool_t *self, int err);

#endif
