/* cli/bench - `heddle bench SCENARIO`: an open-loop load generator. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/quantity.h"
#include "cli/bench_measure.h"
#include "cli/bench_report.h"
#include "cli/bench_stamp.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/target.h"

#define PREFIX_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-:."

/* --- scenarios --- */

typedef struct scenario {
    const char *name;
    const char *help;
    uint64_t channels, subscribers, rate;
} scenario_t;

static const scenario_t scenarios[] = {
    {"fanout", "one channel with many subscribers", 1, 1000, 50},
    {"chat", "many channels with some subscribers each", 1000, 10, 5000},
    {"direct", "a channel for each subscriber", 5000, 1, 10000},
    {"idle", "subscribed connections and no messages, for memory and CPU", 100, 100, 0},
    {"latency", "few messages for few subscribers", 1, 10, 100},
};
#define SCENARIOS (sizeof scenarios / sizeof scenarios[0])

/* --- options --- */

typedef struct bench_options {
    const char *publish, *subscribe, *prefix, *token;
    uint64_t channels, subscribers, rate, size, duration_us, warmup_us, drain_us;
    int dialect;
    cli_list_t pids;
    bool find_max;
    uint64_t max_latency_us;
    bool json;
} bench_options_t;

#define ROW(field) .offset = offsetof(bench_options_t, field)
static const cli_option_t rows[] = {
    {.name = "publish",
     .letter = 'p',
     .type = CLI_TEXT,
     ROW(publish),
     .value = "URL",
     .fallback = "ws://127.0.0.1:8000",
     .help = "where the publishers connect"},
    {.name = "subscribe",
     .letter = 's',
     .type = CLI_TEXT,
     ROW(subscribe),
     .value = "URL",
     .fallback = "ws://127.0.0.1:8001",
     .help = "where the subscribers connect"},
    {.name = "channels", .letter = 'c', .type = CLI_COUNT, ROW(channels), .value = "N", .help = "channels"},
    {.name = "subscribers",
     .letter = 'n',
     .type = CLI_COUNT,
     ROW(subscribers),
     .value = "N",
     .help = "subscribers of each channel"},
    {.name = "rate",
     .letter = 'r',
     .type = CLI_COUNT,
     ROW(rate),
     .value = "N",
     .help = "messages a second, over all channels"},
    {.name = "size",
     .type = CLI_SIZE,
     ROW(size),
     .value = "BYTES",
     .fallback = "128",
     .help = "of a payload"},
    {.name = "duration",
     .letter = 'd',
     .type = CLI_DURATION,
     ROW(duration_us),
     .value = "TIME",
     .fallback = "10s",
     .help = "what is measured"},
    {.name = "warmup",
     .type = CLI_DURATION,
     ROW(warmup_us),
     .value = "TIME",
     .fallback = "2s",
     .help = "before that; counted for loss, not for speed"},
    {.name = "drain",
     .type = CLI_DURATION,
     ROW(drain_us),
     .value = "TIME",
     .fallback = "10s",
     .help = "how long to wait for what is still missing at the end"},
    {.name = "dialect",
     .type = CLI_CHOICE,
     ROW(dialect),
     .choices = "raw|centrifuge",
     .fallback = "raw",
     .help = "the client protocol"},
    {.name = "pids",
     .type = CLI_LIST,
     ROW(pids),
     .value = "PID,…",
     .help = "the servers' processes, whose CPU and memory are read from /proc"},
    {.name = "prefix",
     .type = CLI_TEXT,
     ROW(prefix),
     .value = "TEXT",
     .fallback = "bench-",
     .help = "what the channels' names begin with"},
    {.name = "token",
     .letter = 't',
     .type = CLI_TEXT,
     ROW(token),
     .value = "TOKEN",
     .help = "to log in with"},
    {.name = "find-max",
     .type = CLI_FLAG,
     ROW(find_max),
     .help = "raises the rate until messages are lost or late, and reports the highest that went well"},
    {.name = "max-latency",
     .type = CLI_DURATION,
     ROW(max_latency_us),
     .value = "TIME",
     .fallback = "100ms",
     .help = "for --find-max: a p99 from which on messages are late"},
    {.name = "json", .type = CLI_FLAG, ROW(json), .help = "prints the result as one JSON object"},
};

static const cli_options_t set = {
    .command = "heddle bench",
    .arguments = "SCENARIO",
    .about =
        "Loads running nodes at a fixed rate, whatever comes back, and says what arrived, how late, and\n"
        "what it cost. Latency counts from the moment a message was meant to be sent.",
    .rows = rows,
    .count = sizeof rows / sizeof rows[0],
    .arguments_min = 1,
    .arguments_max = 1,
};

/* The command's own text, and a line for each scenario. */
static void describe(buf_t *out)
{
    buf_printf(out, "%s\n\nScenarios:\n", set.about);
    for (size_t i = 0; i < SCENARIOS; i++) {
        const scenario_t *row = &scenarios[i];
        buf_printf(out, "  %-9s %s: %" PRIu64 " x %" PRIu64, row->name, row->help, row->channels,
                   row->subscribers);
        if (row->rate)
            buf_printf(out, ", %" PRIu64 " messages/s", row->rate);
        buf_append_str(out, i + 1 < SCENARIOS ? "\n" : "");
    }
}

static const scenario_t *find_scenario(const char *name)
{
    for (size_t i = 0; i < SCENARIOS; i++) {
        if (strcmp(scenarios[i].name, name) == 0)
            return &scenarios[i];
    }
    return NULL;
}

static int take_pids(const cli_list_t *pids, cli_bench_plan_t *plan)
{
    if (pids->count > CLI_BENCH_SERVERS)
        return cli_fail(&set, CLI_USAGE, "--pids: at most %u", CLI_BENCH_SERVERS);
    for (size_t i = 0; i < pids->count; i++) {
        uint64_t pid;
        if (quantity_read(QUANTITY_COUNT, span_str(pids->items[i]), &pid) != OK || pid == 0 ||
            pid > INT32_MAX)
            return cli_fail(&set, CLI_USAGE, "--pids: '%s' is no process id", pids->items[i]);
        plan->servers[plan->server_count++] = (pid_t)pid;
    }
    return CLI_OK;
}

static int check_plan(const cli_bench_plan_t *plan)
{
    if (plan->size < CLI_BENCH_STAMP_SIZE || plan->size > 65536)
        return cli_fail(&set, CLI_USAGE, "--size: %u bytes to 64KiB", CLI_BENCH_STAMP_SIZE);
    if (plan->channels > 1000000 || plan->subscribers > 1000000 || plan->rate > 10000000)
        return cli_fail(&set, CLI_USAGE, "a number of this size is a mistake");
    if (strspn(plan->prefix, PREFIX_LETTERS) != strlen(plan->prefix) || strlen(plan->prefix) > 200)
        return cli_fail(&set, CLI_USAGE, "--prefix: letters, digits and _-:. only");
    return CLI_OK;
}

static int make_plan(const bench_options_t *options, const char *name, cli_bench_plan_t *out)
{
    const scenario_t *scenario = find_scenario(name);
    if (!scenario)
        return cli_fail(&set, CLI_USAGE, "unknown scenario '%s'; --help lists them", name);
    *out = (cli_bench_plan_t){
        .name = scenario->name,
        .publish_url = options->publish,
        .subscribe_url = options->subscribe,
        .prefix = options->prefix,
        .token = options->token,
        .dialect = (cli_bench_dialect_t)options->dialect,
        .channels = options->channels ? options->channels : scenario->channels,
        .subscribers = options->subscribers ? options->subscribers : scenario->subscribers,
        .rate = options->rate ? options->rate : scenario->rate,
        .size = options->size,
        .warmup_us = options->warmup_us,
        .duration_us = options->duration_us,
        .drain_us = options->drain_us,
    };
    if (options->rate && !scenario->rate)
        return cli_fail(&set, CLI_USAGE, "--rate: %s sends nothing", name);
    int exit_code = take_pids(&options->pids, out);
    return exit_code == CLI_OK ? check_plan(out) : exit_code;
}

/* --- running --- */

static void show_progress(const cli_bench_progress_t *progress)
{
    fprintf(stderr, "\r\033[K%s %" PRIu64, progress->phase, progress->elapsed_us / 1000000);
    if (progress->total_us)
        fprintf(stderr, "/%" PRIu64, progress->total_us / 1000000);
    fprintf(stderr, " s   %" PRIu64 " deliveries   %" PRIu64 "/s ", progress->deliveries,
            progress->deliveries_per_s);
}

static int measure(const cli_bench_plan_t *plan, cli_bench_result_t *result, buf_t *why)
{
    bool on_terminal = isatty(STDERR_FILENO);
    int err = cli_bench_measure(plan, on_terminal ? show_progress : NULL, result, why);
    if (on_terminal)
        fputs("\r\033[K", stderr);
    return err;
}

static void print_result(const bench_options_t *options, const cli_bench_plan_t *plan,
                         const cli_bench_result_t *result, buf_t *trouble)
{
    buf_t out = {0};
    if (options->json)
        cli_bench_report_json(plan, result, buf_text(trouble), &out);
    else
        cli_bench_report_text(plan, result, buf_text(trouble), &out);
    fputs(buf_text(&out), stdout);
    buf_fini(&out);
}

static int run_once(const bench_options_t *options, const cli_bench_plan_t *plan)
{
    cli_bench_result_t result;
    buf_t why = {0};
    int err = measure(plan, &result, &why);
    int exit_code = err                           ? cli_target_exit(&set, err, &why)
                    : cli_bench_is_clean(&result) ? CLI_OK
                                                  : CLI_FAILED;
    if (!err)
        print_result(options, plan, &result, &why);
    buf_fini(&why);
    return exit_code;
}

/* --- the highest rate that goes well --- */

#define RAISE_PERCENT  150u /* of the rate, after each that went well, until one goes wrong */
#define PRECISE_ENOUGH 105u /* percent: how near the highest good and the lowest bad rate come */

typedef struct search {
    uint64_t good, bad; /* rates; 0 = none yet */
    /* The plan\'s rate went wrong once; only the second time counts, for machines have hiccups. */
    bool doubted;
    cli_bench_plan_t plan;
    cli_bench_plan_t best_plan;
    cli_bench_result_t best;
} search_t;

static uint64_t next_rate(const search_t *search)
{
    if (search->bad == 0)
        return search->good * RAISE_PERCENT / 100 + 1;
    return search->good ? (search->good + search->bad) / 2 : search->bad / 2;
}

static bool found(const search_t *search)
{
    return search->bad && (search->bad <= 1 || search->good * PRECISE_ENOUGH / 100 >= search->bad);
}

static bool went_well(const bench_options_t *options, const cli_bench_result_t *result)
{
    return cli_bench_is_clean(result) &&
           histogram_at(&result->latency, 0.99) < options->max_latency_us * 1000u;
}

/* One step of the search. An error of the first step is told; later ones only mean that the rate was too
 * high. */
static int step(const bench_options_t *options, search_t *search, buf_t *why)
{
    cli_bench_result_t result = {0};
    buf_clear(why);
    int err = measure(&search->plan, &result, why);
    if (err && !search->good)
        return err;
    bool good = !err && went_well(options, &result);
    fprintf(stderr,
            "%8" PRIu64 " messages/s  %10" PRIu64 " deliveries/s  p99 %8.2f ms  lost %" PRIu64
            "  closed %" PRIu64 "  %s%s\n",
            search->plan.rate, cli_bench_deliveries_per_s(&result),
            (double)histogram_at(&result.latency, 0.99) / 1e6, result.lost, result.closed,
            good ? "good" : "too much",
            cli_bench_generator_was_limit(&result) ? " (generator at its limit)" : "");
    if (good) {
        search->good = search->plan.rate;
        search->best = result;
        search->best_plan = search->plan;
    } else if (search->doubted) {
        search->bad = search->plan.rate;
    }
    search->doubted = !good && !search->doubted;
    return OK;
}

static int find_max(const bench_options_t *options, const cli_bench_plan_t *plan)
{
    search_t search = {.plan = *plan};
    buf_t why = {0};
    int err = OK;
    if (plan->rate == 0)
        return cli_fail(&set, CLI_USAGE, "--find-max: this scenario sends nothing");
    while (!err && !found(&search)) {
        err = step(options, &search, &why);
        if (!search.doubted)
            search.plan.rate = next_rate(&search);
    }
    int exit_code = err ? cli_target_exit(&set, err, &why) : CLI_OK;
    if (!err && !search.good)
        exit_code = cli_fail(&set, CLI_FAILED, "no rate went well");
    if (search.good) {
        buf_clear(&why);
        print_result(options, &search.best_plan, &search.best, &why);
    }
    buf_fini(&why);
    return exit_code;
}

int cli_bench_run(int argc, char **argv)
{
    bench_options_t options = {0};
    cli_bench_plan_t plan = {0};
    int exit_code;
    buf_t about = {0};
    describe(&about);
    cli_options_t described = set;
    described.about = buf_text(&about);
    if (cli_options_begin(&described, &argc, argv, &options, &exit_code)) {
        exit_code = make_plan(&options, argv[0], &plan);
        if (exit_code == CLI_OK)
            exit_code = options.find_max ? find_max(&options, &plan) : run_once(&options, &plan);
    }
    cli_options_free(&set, &options);
    buf_fini(&about);
    return exit_code;
}
