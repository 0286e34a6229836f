/* cli/bench_clients - thousands of WebSocket connections on one epoll loop: publishers that send on command,
 * and subscribers that hand what comes to the ledger.
 * Owner:  cli/bench_measure.
 * Thread: its owner's; only open blocks.
 * Life:   new -> open -> (publish | turn)* -> destroy
 *
 * What happens between a recv() and the ledger is the bench's own cost, up to millions of times a second. So
 * frames are read where they lie, and only what is cut off at the end of a read is copied.
 */
#ifndef HEDDLE_CLI_BENCH_CLIENTS_H
#define HEDDLE_CLI_BENCH_CLIENTS_H

#include "base/buf.h"
#include "cli/bench_ledger.h"
#include "cli/bench_plan.h"

typedef struct cli_bench_clients cli_bench_clients_t;

typedef struct cli_bench_contacts {
    uint64_t ready;   /* connections that can be used, or could be */
    uint64_t closed;  /* of them, those that the server ended or that broke */
    uint64_t refused; /* publishes that were answered with an error */
} cli_bench_contacts_t;

/* Monotonic nanoseconds: the bench's clock. */
uint64_t cli_bench_now_ns(void);

/* Borrows plan and ledger until destroy. */
cli_bench_clients_t *cli_bench_clients_new(const cli_bench_plan_t *plan, cli_bench_ledger_t *ledger);
void cli_bench_clients_destroy(cli_bench_clients_t **self_p);

/* Connects all and waits until each is ready. ERR_MALFORMED, ERR_UNKNOWN, ERR_NOT_FOUND (a URL),
 * ERR_UNAVAILABLE (a connection failed or was refused), ERR_TIMEOUT; `why` gets a sentence. */
int cli_bench_clients_open(cli_bench_clients_t *self, buf_t *why);

/* Queues the stream's next message; it leaves in the next turn. */
void cli_bench_clients_publish(cli_bench_clients_t *self, uint64_t stream, uint64_t intended_ns,
                               uint64_t now_ns);

/* Sends what is queued, then waits up to `wait_ns` for events and takes a bounded number of them. */
void cli_bench_clients_turn(cli_bench_clients_t *self, uint64_t wait_ns);

const cli_bench_contacts_t *cli_bench_clients_contacts(const cli_bench_clients_t *self);

/* The first thing that went wrong with a connection or a publish; "" if nothing did. Lent until the next
 * call. */
const char *cli_bench_clients_trouble(cli_bench_clients_t *self);

#endif
