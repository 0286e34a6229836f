/* cli/bench_dialect - how a bench says things in each client protocol, and what it hears.
 * Thread: any; pure.
 */
#ifndef HEDDLE_CLI_BENCH_DIALECT_H
#define HEDDLE_CLI_BENCH_DIALECT_H

#include "base/buf.h"
#include "cli/bench_plan.h"

/* How many connections publish: raw has a channel a connection, centrifuge may share. */
uint64_t cli_bench_publishers(const cli_bench_plan_t *plan);

/* Appends the target of the request, behind what the URL already has. */
void cli_bench_target(const cli_bench_plan_t *plan, uint64_t stream, bool publishes, buf_t *out);

/* Appends header lines for the request; nothing if there is no token. */
void cli_bench_headers(const cli_bench_plan_t *plan, buf_t *out);

/* Appends the first message of a connection. Empty: there is none, and the connection is ready with its
 * handshake. */
void cli_bench_greeting(const cli_bench_plan_t *plan, uint64_t stream, bool publishes, buf_t *out);

/* The id of the reply that makes a connection ready. */
uint64_t cli_bench_last_greeting_id(bool publishes);

/* Appends the message that publishes the payload. */
void cli_bench_publication(const cli_bench_plan_t *plan, uint64_t stream, uint64_t id, span_t payload,
                           buf_t *out);

/* --- centrifuge: what a message holds --- */

typedef enum cli_bench_heard {
    CLI_BENCH_END,     /* nothing more in this message */
    CLI_BENCH_PAYLOAD, /* a publication of a bench; `payload` begins with the stamp */
    CLI_BENCH_PING,    /* to be answered with cli_bench_pong */
    CLI_BENCH_REPLY,   /* to the command `id` */
    CLI_BENCH_REFUSAL, /* the same, with an error: `payload` is its JSON */
    CLI_BENCH_OTHER,   /* of no concern: a join, somebody else's publication */
    CLI_BENCH_STRANGE, /* not of this protocol */
} cli_bench_heard_t;

/* Takes the next object off the front of *message. */
cli_bench_heard_t cli_bench_hear(span_t *message, span_t *payload, uint64_t *id);

#define CLI_BENCH_PONG SPAN("{}")

#endif
