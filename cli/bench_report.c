#include "cli/bench_report.h"

#include <inttypes.h>
#include <stdio.h>

#include "protocol/json.h"

#define LATE_NS    5000000u /* a p99 of the generator's lag above this is not noise any more */
#define BUSY_SHARE 0.9      /* of one core */

bool cli_bench_is_clean(const cli_bench_result_t *result)
{
    return result->lost + result->duplicates + result->reordered + result->strays + result->closed +
               result->refused ==
           0;
}

static double own_share(const cli_bench_result_t *result)
{
    return result->window_us ? (double)result->own_cpu_us / (double)result->window_us : 0;
}

bool cli_bench_generator_was_limit(const cli_bench_result_t *result)
{
    return histogram_at(&result->lag, 0.99) > LATE_NS || own_share(result) > BUSY_SHARE;
}

uint64_t cli_bench_deliveries_per_s(const cli_bench_result_t *result)
{
    return result->window_us ? (uint64_t)((double)result->deliveries * 1e6 / (double)result->window_us) : 0;
}

static uint64_t servers_cpu_us(const cli_bench_result_t *result)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < result->server_count; i++)
        sum += result->servers[i].cpu_us;
    return sum;
}

static int64_t rss_growth(const cli_bench_server_t *server)
{
    return (int64_t)server->rss_holding - (int64_t)server->rss_before;
}

/* Microseconds a delivery, which is also seconds a million deliveries. */
static double cpu_per_delivery(const cli_bench_result_t *result)
{
    return result->deliveries ? (double)servers_cpu_us(result) / (double)result->deliveries : 0;
}

/* --- text --- */

static void append_count(buf_t *out, uint64_t number)
{
    char digits[32];
    int size = snprintf(digits, sizeof digits, "%" PRIu64, number);
    for (int i = 0; i < size; i++) {
        if (i && (size - i) % 3 == 0)
            buf_append_byte(out, ',');
        buf_append_byte(out, (uint8_t)digits[i]);
    }
}

static void append_labelled(buf_t *out, const char *label, uint64_t number)
{
    buf_printf(out, "   %s ", label);
    append_count(out, number);
}

static void append_time(buf_t *out, const char *label, uint64_t ns)
{
    buf_printf(out, "   %s %.3f ms", label, (double)ns / 1e6);
}

static void text_plan(const cli_bench_plan_t *plan, const cli_bench_result_t *result, buf_t *out)
{
    buf_printf(out, "%s: %" PRIu64 " x %" PRIu64 " subscribers", plan->name, plan->channels,
               plan->subscribers);
    if (plan->rate)
        buf_printf(out, ", %" PRIu64 " messages/s of %" PRIu64 " bytes", plan->rate, plan->size);
    buf_printf(out, ", %s, %.1f s\n", plan->dialect == CLI_BENCH_RAW ? "raw" : "centrifuge",
               (double)plan->duration_us / 1e6);
    buf_append_str(out, "  connections ");
    append_count(out, result->connections);
    append_labelled(out, "closed", result->closed);
    buf_append_byte(out, '\n');
}

static void text_messages(const cli_bench_result_t *result, buf_t *out)
{
    buf_append_str(out, "  deliveries  ");
    append_count(out, result->deliveries);
    append_labelled(out, "per second", cli_bench_deliveries_per_s(result));
    buf_append_str(out, "\n  exact       ");
    append_count(out, result->received);
    append_labelled(out, "of", result->expected);
    append_labelled(out, "lost", result->lost);
    append_labelled(out, "duplicate", result->duplicates);
    append_labelled(out, "out of order", result->reordered);
    append_labelled(out, "stray", result->strays);
    append_labelled(out, "refused", result->refused);
    buf_append_str(out, "\n  latency ");
    append_time(out, "p50", histogram_at(&result->latency, 0.5));
    append_time(out, "p99", histogram_at(&result->latency, 0.99));
    append_time(out, "p99.9", histogram_at(&result->latency, 0.999));
    append_time(out, "max", result->latency.max);
    buf_append_byte(out, '\n');
}

static void text_servers(const cli_bench_result_t *result, buf_t *out)
{
    for (size_t i = 0; i < result->server_count; i++) {
        const cli_bench_server_t *server = &result->servers[i];
        buf_printf(out, "  pid %-7d CPU %.2f s   RSS %.1f -> %.1f MiB, %.2f KiB a connection\n",
                   (int)server->pid, (double)server->cpu_us / 1e6, (double)server->rss_before / 1048576.0,
                   (double)server->rss_holding / 1048576.0,
                   result->connections ? (double)rss_growth(server) / 1024.0 / (double)result->connections
                                       : 0);
    }
    if (result->server_count)
        buf_printf(out, "  servers     CPU %.2f s   %.3f CPU seconds per million deliveries\n",
                   (double)servers_cpu_us(result) / 1e6, cpu_per_delivery(result));
}

void cli_bench_report_text(const cli_bench_plan_t *plan, const cli_bench_result_t *result,
                           const char *trouble, buf_t *out)
{
    text_plan(plan, result, out);
    if (plan->rate)
        text_messages(result, out);
    text_servers(result, out);
    buf_printf(out, "  generator   CPU %.0f %% of a core", own_share(result) * 100);
    append_time(out, "lag p99", histogram_at(&result->lag, 0.99));
    buf_append_byte(out, '\n');
    if (cli_bench_generator_was_limit(result))
        buf_append_str(
            out, "  ! the generator itself was the limit, or was not given the CPU it needs: the servers may "
                 "be faster than this\n");
    if (*trouble)
        buf_printf(out, "  ! %s\n", trouble);
}

/* --- JSON --- */

static void json_histogram(const char *name, const histogram_t *values, buf_t *out)
{
    buf_printf(out,
               ",\"%s_us\":{\"count\":%" PRIu64
               ",\"p50\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f,\"mean\":%.1f}",
               name, values->total, (double)histogram_at(values, 0.5) / 1e3,
               (double)histogram_at(values, 0.99) / 1e3, (double)histogram_at(values, 0.999) / 1e3,
               (double)values->max / 1e3,
               values->total ? (double)values->sum / (double)values->total / 1e3 : 0);
}

static void json_servers(const cli_bench_result_t *result, buf_t *out)
{
    buf_append_str(out, ",\"servers\":[");
    for (size_t i = 0; i < result->server_count; i++) {
        const cli_bench_server_t *server = &result->servers[i];
        buf_printf(out,
                   "%s{\"pid\":%d,\"cpu_s\":%.6f,\"rss_before\":%" PRIu64 ",\"rss_holding\":%" PRIu64
                   ",\"rss_after\":%" PRIu64 ",\"rss_per_connection\":%.1f}",
                   i ? "," : "", (int)server->pid, (double)server->cpu_us / 1e6, server->rss_before,
                   server->rss_holding, server->rss_after,
                   result->connections ? (double)rss_growth(server) / (double)result->connections : 0);
    }
    buf_append_byte(out, ']');
}

void cli_bench_report_json(const cli_bench_plan_t *plan, const cli_bench_result_t *result,
                           const char *trouble, buf_t *out)
{
    const struct {
        const char *name;
        uint64_t number;
    } rows[] = {
        {"channels", plan->channels},
        {"subscribers", plan->subscribers},
        {"rate", plan->rate},
        {"size", plan->size},
        {"duration_us", plan->duration_us},
        {"window_us", result->window_us},
        {"connections", result->connections},
        {"closed", result->closed},
        {"sent", result->sent},
        {"expected", result->expected},
        {"received", result->received},
        {"lost", result->lost},
        {"duplicates", result->duplicates},
        {"reordered", result->reordered},
        {"strays", result->strays},
        {"refused", result->refused},
        {"deliveries", result->deliveries},
        {"deliveries_per_s", cli_bench_deliveries_per_s(result)},
    };
    buf_printf(out, "{\"scenario\":\"%s\",\"dialect\":\"%s\"", plan->name,
               plan->dialect == CLI_BENCH_RAW ? "raw" : "centrifuge");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        buf_printf(out, ",\"%s\":%" PRIu64, rows[i].name, rows[i].number);
    json_histogram("latency", &result->latency, out);
    json_histogram("lag", &result->lag, out);
    json_servers(result, out);
    buf_printf(out, ",\"cpu_s\":%.6f,\"cpu_us_per_delivery\":%.4f,\"generator_cpu_share\":%.4f",
               (double)servers_cpu_us(result) / 1e6, cpu_per_delivery(result), own_share(result));
    buf_printf(out, ",\"generator_was_limit\":%s,\"clean\":%s,\"trouble\":",
               cli_bench_generator_was_limit(result) ? "true" : "false",
               cli_bench_is_clean(result) ? "true" : "false");
    json_append_string(out, span_str(trouble));
    buf_append_str(out, "}\n");
}
