#include "cli/bench_measure.h"

#include <inttypes.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/err.h"
#include "base/random.h"
#include "cli/bench_clients.h"
#include "cli/bench_dialect.h"
#include "cli/bench_proc.h"

#define NS_PER_SEC   1000000000u
#define FILES_BESIDE 32u                         /* descriptors that are no connections */
#define IDLE_TURN_NS (NS_PER_SEC / 20)           /* how long a turn waits at most when nothing is due */
#define SETTLE_NS    (UINT64_C(20) * NS_PER_SEC) /* for the first message to reach every subscriber */
#define SEND_BURST   256u /* messages a turn when behind: reading must go on meanwhile */

typedef struct run {
    const cli_bench_plan_t *plan;
    cli_bench_result_t *result;
    cli_bench_ledger_t *ledger;
    cli_bench_clients_t *clients;
    cli_bench_progress_fn *progress;
    uint64_t start_ns; /* of the schedule */
    uint64_t rate;     /* of the schedule */
    uint64_t next;     /* message of the schedule */
    const char *phase;
    uint64_t phase_start_ns, phase_ns; /* phase_ns 0: no fixed end */
    uint64_t shown_ns, shown_deliveries;
} run_t;

/* --- what the processes used --- */

static uint64_t own_cpu_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000u +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static int read_servers(const run_t *run, cli_bench_usage_t out[CLI_BENCH_SERVERS], buf_t *why)
{
    for (size_t i = 0; i < run->plan->server_count; i++) {
        int err = cli_bench_proc_read(run->plan->servers[i], &out[i]);
        if (err) {
            buf_printf(why, "there is no process %d", (int)run->plan->servers[i]);
            return err;
        }
    }
    return OK;
}

/* --- the schedule --- */

static uint64_t intended_ns(const run_t *run, uint64_t message)
{
    uint64_t seconds = message / run->rate;
    return run->start_ns + seconds * NS_PER_SEC + (message % run->rate) * NS_PER_SEC / run->rate;
}

static void start_schedule(run_t *run, uint64_t rate)
{
    run->start_ns = cli_bench_now_ns();
    run->rate = rate;
    run->next = 0;
}

/* Sends what is due before `until_ns`, a burst at most. Returns how long the loop may sleep. */
static uint64_t send_due(run_t *run, uint64_t until_ns)
{
    if (run->rate == 0)
        return IDLE_TURN_NS;
    for (unsigned sent = 0; sent < SEND_BURST; sent++) {
        uint64_t due_ns = intended_ns(run, run->next);
        uint64_t now_ns = cli_bench_now_ns();
        if (due_ns >= until_ns)
            return IDLE_TURN_NS;
        if (due_ns > now_ns)
            return due_ns - now_ns < IDLE_TURN_NS ? due_ns - now_ns : IDLE_TURN_NS;
        cli_bench_clients_publish(run->clients, run->next % run->plan->channels, due_ns, now_ns);
        run->next++;
    }
    return 0;
}

/* --- phases --- */

static void show(run_t *run, uint64_t now_ns)
{
    uint64_t since_ns = now_ns - run->shown_ns;
    if (!run->progress || since_ns < NS_PER_SEC)
        return;
    uint64_t deliveries = cli_bench_ledger_totals(run->ledger)->deliveries;
    cli_bench_progress_t progress = {
        .phase = run->phase,
        .elapsed_us = (now_ns - run->phase_start_ns) / 1000u,
        .total_us = run->phase_ns / 1000u,
        .deliveries = deliveries,
        .deliveries_per_s = (deliveries - run->shown_deliveries) * 1000u / (since_ns / 1000000u),
    };
    run->progress(&progress);
    run->shown_ns = now_ns;
    run->shown_deliveries = deliveries;
}

static void begin_phase(run_t *run, const char *phase, uint64_t start_ns, uint64_t duration_us)
{
    run->phase = phase;
    run->phase_start_ns = start_ns;
    run->phase_ns = duration_us * 1000u;
}

static bool owes_messages(const run_t *run, uint64_t until_ns)
{
    return run->rate && intended_ns(run, run->next) < until_ns;
}

/* Keeps to the schedule until the phase has taken its time and all that was due in it is sent, late or not.
 */
static void run_phase(run_t *run)
{
    uint64_t end_ns = run->phase_start_ns + run->phase_ns;
    for (uint64_t now_ns; (now_ns = cli_bench_now_ns()) < end_ns || owes_messages(run, end_ns);
         show(run, now_ns)) {
        uint64_t wait_ns = send_due(run, end_ns);
        uint64_t left_ns = now_ns < end_ns ? end_ns - now_ns : 0;
        cli_bench_clients_turn(run->clients, wait_ns < left_ns ? wait_ns : left_ns);
    }
}

/* At least a message a second on each channel, until all have heard one. */
static int settle(run_t *run, buf_t *why)
{
    const cli_bench_totals_t *totals = cli_bench_ledger_totals(run->ledger);
    if (run->plan->rate == 0)
        return OK;
    start_schedule(run, run->plan->rate > run->plan->channels ? run->plan->rate : run->plan->channels);
    begin_phase(run, "settle", run->start_ns, 0);
    for (uint64_t now_ns; totals->unheard; show(run, now_ns)) {
        now_ns = cli_bench_now_ns();
        if (now_ns - run->phase_start_ns > SETTLE_NS) {
            const char *trouble = cli_bench_clients_trouble(run->clients);
            buf_printf(why, "%" PRIu64 " subscribers have heard nothing for 20 s%s%s", totals->unheard,
                       *trouble ? "; " : "", trouble);
            return ERR_TIMEOUT;
        }
        cli_bench_clients_turn(run->clients, send_due(run, UINT64_MAX));
    }
    return OK;
}

/* Until all has come that was sent, or patience ends. */
static void drain(run_t *run)
{
    const cli_bench_totals_t *totals = cli_bench_ledger_totals(run->ledger);
    uint64_t expected = cli_bench_ledger_expected(run->ledger);
    begin_phase(run, "drain", cli_bench_now_ns(), run->plan->drain_us);
    uint64_t end_ns = run->phase_start_ns + run->phase_ns;
    for (uint64_t now_ns; totals->counts.received < expected; show(run, now_ns)) {
        now_ns = cli_bench_now_ns();
        if (now_ns >= end_ns)
            return;
        cli_bench_clients_turn(run->clients, IDLE_TURN_NS);
    }
}

/* The window: from here CPU, deliveries and times count. */
static int measure_window(run_t *run, buf_t *why)
{
    cli_bench_usage_t before[CLI_BENCH_SERVERS] = {0};
    cli_bench_usage_t after[CLI_BENCH_SERVERS] = {0};
    cli_bench_result_t *result = run->result;
    const cli_bench_totals_t *totals = cli_bench_ledger_totals(run->ledger);
    int err = read_servers(run, before, why);
    if (err)
        return err;
    uint64_t deliveries = totals->deliveries;
    uint64_t cpu_us = own_cpu_us();
    /* Where the warm-up was to end, so that the schedule alone says how many messages there are. */
    uint64_t start_ns = run->phase_start_ns + run->phase_ns;
    begin_phase(run, "measure", start_ns, run->plan->duration_us);
    cli_bench_ledger_measure_from(run->ledger, start_ns);
    run_phase(run);
    uint64_t end_ns = cli_bench_now_ns();
    drain(run);
    err = read_servers(run, after, why);
    result->own_cpu_us = own_cpu_us() - cpu_us;
    result->deliveries = totals->deliveries - deliveries;
    result->window_us =
        ((totals->last_delivery_ns > end_ns ? totals->last_delivery_ns : end_ns) - start_ns) / 1000u;
    for (size_t i = 0; !err && i < run->plan->server_count; i++) {
        result->servers[i].cpu_us = after[i].cpu_us - before[i].cpu_us;
        result->servers[i].rss_holding = before[i].rss;
        result->servers[i].rss_after = after[i].rss;
    }
    return err;
}

static int run_all(run_t *run, buf_t *why)
{
    cli_bench_usage_t before[CLI_BENCH_SERVERS] = {0};
    int err = read_servers(run, before, why);
    for (size_t i = 0; !err && i < run->plan->server_count; i++)
        run->result->servers[i] =
            (cli_bench_server_t){.pid = run->plan->servers[i], .rss_before = before[i].rss};
    run->result->server_count = run->plan->server_count;
    if (!err)
        err = cli_bench_clients_open(run->clients, why);
    if (!err)
        err = settle(run, why);
    if (err)
        return err;
    cli_bench_ledger_start_counting(run->ledger);
    start_schedule(run, run->plan->rate);
    begin_phase(run, "warm up", run->start_ns, run->plan->warmup_us);
    run_phase(run);
    return measure_window(run, why);
}

static void fill_result(const run_t *run)
{
    const cli_bench_totals_t *totals = cli_bench_ledger_totals(run->ledger);
    const cli_bench_contacts_t *contacts = cli_bench_clients_contacts(run->clients);
    cli_bench_result_t *result = run->result;
    result->connections = contacts->ready;
    result->closed = contacts->closed;
    result->refused = contacts->refused;
    result->sent = totals->sent;
    result->expected = cli_bench_ledger_expected(run->ledger);
    result->received = totals->counts.received;
    result->lost = cli_bench_ledger_lost(run->ledger);
    result->duplicates = totals->counts.duplicates;
    result->reordered = totals->counts.reordered;
    result->strays = totals->strays;
    result->latency = totals->latency;
    result->lag = totals->lag;
}

/* As many files as the plan needs, if the system lets us. */
static int raise_file_limit(const cli_bench_plan_t *plan, buf_t *why)
{
    struct rlimit limit;
    uint64_t needed = cli_bench_publishers(plan) + plan->channels * plan->subscribers + FILES_BESIDE;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return OK;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (needed <= limit.rlim_cur)
        return OK;
    buf_printf(why,
               "the plan needs %" PRIu64 " open files and the system's limit is %" PRIu64 " (ulimit -Hn)",
               needed, (uint64_t)limit.rlim_cur);
    return ERR_RANGE;
}

int cli_bench_measure(const cli_bench_plan_t *plan, cli_bench_progress_fn *progress, cli_bench_result_t *out,
                      buf_t *why)
{
    *out = (cli_bench_result_t){0};
    int err = raise_file_limit(plan, why);
    if (err)
        return err;
    prctl(PR_SET_TIMERSLACK, 1ul); /* the default of 50 us would make every message late */
    run_t run = {.plan = plan, .result = out, .progress = progress, .shown_ns = cli_bench_now_ns()};
    run.ledger = cli_bench_ledger_new(plan->channels, plan->channels * plan->subscribers, plan->size,
                                      (uint32_t)random_u64());
    run.clients = cli_bench_clients_new(plan, run.ledger);
    err = run_all(&run, why);
    fill_result(&run);
    if (!err)
        buf_append_str(why, cli_bench_clients_trouble(run.clients));
    cli_bench_clients_destroy(&run.clients);
    cli_bench_ledger_destroy(&run.ledger);
    return err;
}
