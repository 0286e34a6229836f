/* tests/bench/relay_channels - what very many channels cost one relay.
 * Thread: one, with one loop.
 *
 * A holder subscribes to a few channels and a publisher loads them; then the holder subscribes to all, and all are
 * loaded: each message goes to a channel at random, so that none is in a cache because of the one before. At last the
 * holder dies without a word. What it shows: the relay's memory for each further channel, the CPU time and the wall
 * time of a subscription, the CPU time of a message among few and among many channels, and for how long the relay
 * kept anybody waiting: while it is subscribed to and while it digests the death, the publisher sends a
 * message a millisecond, and the longest wait for a confirmation bounds the longest standstill of the relay's loop.
 * Every message has to be the next one of its channel.
 *
 * The relay is started by whoever calls this, for one run; names begin with --prefix, which may choose a namespace.
 *
 *     bench_relay_channels --relay tcp://127.0.0.1:7700 --pid $(pidof heddle-relay) --channels 1000000
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "cli/bench_proc.h"
#include "cli/command.h"
#include "cli/options.h"
#include "party.h"

/* For each step to come to its end. */
#define PATIENCE_MS UINT64_C(60000)

/* How long a death is watched: the relay notices after 5 s of silence, and sweeps all channels again 5 s after it has
 * swept the dead one out. */
#define DEATH_WATCH_MS UINT64_C(15000)

#define PROBE_MS UINT64_C(1)

/* Subscriptions under way: enough to keep the relay busy, few enough to keep probes from waiting for this process. */
#define SUBSCRIBING_MAX UINT64_C(5000)

#define NAME_SIZE 18

typedef struct settings {
    const char *relay;
    const char *prefix;
    uint64_t pid;
    uint64_t few;
    uint64_t channels;
    uint64_t size;
    uint64_t time_us;
    bool json;
} settings_t;

static const cli_option_t rows[] = {
    {.name = "relay",
     .type = CLI_TEXT,
     .offset = offsetof(settings_t, relay),
     .value = "ADDRESS",
     .fallback = "tcp://127.0.0.1:7700",
     .help = "Where the relay listens."},
    {.name = "pid",
     .type = CLI_COUNT,
     .offset = offsetof(settings_t, pid),
     .value = "PID",
     .help = "The relay's process, whose CPU time and memory are read."},
    {.name = "prefix",
     .type = CLI_TEXT,
     .offset = offsetof(settings_t, prefix),
     .value = "TEXT",
     .fallback = "channel-",
     .help = "What the names begin with; digits fill them up to 18 bytes."},
    {.name = "few",
     .type = CLI_COUNT,
     .offset = offsetof(settings_t, few),
     .value = "N",
     .fallback = "1000",
     .help = "Channels at first."},
    {.name = "channels",
     .type = CLI_COUNT,
     .offset = offsetof(settings_t, channels),
     .value = "N",
     .fallback = "1000000",
     .help = "Channels in the end."},
    {.name = "size",
     .type = CLI_SIZE,
     .offset = offsetof(settings_t, size),
     .value = "BYTES",
     .fallback = "128",
     .help = "Of each payload."},
    {.name = "time",
     .type = CLI_DURATION,
     .offset = offsetof(settings_t, time_us),
     .value = "TIME",
     .fallback = "5s",
     .help = "How long to publish, to the few and to all."},
    {.name = "json",
     .type = CLI_FLAG,
     .offset = offsetof(settings_t, json),
     .help = "Print one JSON object."},
};

static const cli_options_t options = {
    .command = "bench_relay_channels",
    .about = "Fills a relay that runs already with channels, and measures what they cost it.",
    .rows = rows,
    .count = sizeof rows / sizeof rows[0],
};

/* --- steps --- */

static void begin_connecting(void);
static bool is_connected(void);
static void begin_subscribing_few(void);
static void begin_subscribing_all(void);
static bool is_subscribed(void);
static void end_subscribing_all(void);
static void begin_loading(void);
static bool is_loaded(void);
static void end_loading(void);
static void begin_dying(void);
static bool is_over(void);

/* One after the other: `begin`, then `done` in each turn until it says true, then `end`. */
typedef struct step {
    const char *name;
    void (*begin)(void);
    bool (*done)(void);
    void (*end)(void); /* may be NULL */
} step_t;

static const step_t steps[] = {
    {"to connect", begin_connecting, is_connected, NULL},
    {"to subscribe to the few", begin_subscribing_few, is_subscribed, NULL},
    {"to load the few", begin_loading, is_loaded, end_loading},
    {"to subscribe to all", begin_subscribing_all, is_subscribed, end_subscribing_all},
    {"to load all", begin_loading, is_loaded, end_loading},
    {"to watch the death", begin_dying, is_over, NULL},
};

enum { STEPS = sizeof steps / sizeof steps[0] };

typedef struct load {
    uint64_t channels;
    uint64_t messages;
    uint64_t cpu_us; /* the relay's */
    uint64_t wall_us;
} load_t;

static struct bench {
    settings_t settings;
    uv_loop_t loop;
    uv_timer_t deadline, probe, death;
    party_t publisher, holder;
    uint64_t *offsets; /* owned; of each channel's newest message at the holder */
    uint8_t *payload;  /* owned */
    random_t random;
    size_t step;
    uint64_t now_us;
    uint64_t begun_us;        /* of this step */
    cli_bench_usage_t before; /* this step */
    uint64_t channels;        /* that there are to be by the end of this step */
    uint64_t asked, answered; /* subscriptions */
    uint64_t confirmed, refused, delivered, faults;
    uint64_t worst_wait_us; /* of a probe in this step */
    load_t loads[2];
    size_t load_count;
    load_t subscribing;
    uint64_t subscribing_wait_us;
    int64_t memory; /* bytes that the further channels took */
    bool over;      /* the death was watched long enough */
    const char *failure;
} bench;

static bool running(void)
{
    return bench.step < STEPS;
}

static void close_all(void)
{
    bench.step = STEPS;
    uv_close((uv_handle_t *)&bench.deadline, NULL);
    uv_close((uv_handle_t *)&bench.probe, NULL);
    uv_close((uv_handle_t *)&bench.death, NULL);
    party_leave(&bench.publisher);
    party_leave(&bench.holder);
}

static void give_up(const char *failure)
{
    if (!running())
        return;
    bench.failure = failure;
    close_all();
}

static void time_is_up(uv_timer_t *timer)
{
    static char text[80];
    (void)timer;
    snprintf(text, sizeof text, "it took too long %s", steps[bench.step].name);
    give_up(text);
}

static cli_bench_usage_t usage(void)
{
    cli_bench_usage_t now = {0};
    if (bench.settings.pid && cli_bench_proc_read((pid_t)bench.settings.pid, &now))
        give_up("there is no process of that pid");
    return now;
}

static void begin_step(void)
{
    bench.begun_us = bench.now_us;
    bench.worst_wait_us = 0;
    bench.before = usage();
    if (!running())
        return;
    uv_timer_start(&bench.deadline, time_is_up, PATIENCE_MS + bench.settings.time_us / CLOCK_MS, 0);
    steps[bench.step].begin();
}

static void go_on(void)
{
    if (!running() || !steps[bench.step].done())
        return;
    if (steps[bench.step].end)
        steps[bench.step].end();
    if (!running())
        return;
    if (bench.step + 1 == STEPS) {
        close_all();
        return;
    }
    bench.step++;
    begin_step();
}

/* What this step has cost the relay so far. */
static load_t cost(uint64_t messages)
{
    return (load_t){.channels = bench.channels,
                    .messages = messages,
                    .cpu_us = usage().cpu_us - bench.before.cpu_us,
                    .wall_us = bench.now_us - bench.begun_us};
}

/* --- messages --- */

static span_t channel_name(uint64_t number)
{
    static char name[64];
    int digits = NAME_SIZE - (int)strlen(bench.settings.prefix);
    int size = snprintf(name, sizeof name, "%s%0*" PRIu64, bench.settings.prefix, digits, number);
    return span_new(name, (size_t)size);
}

/* The number at the end of a name; false if it is none of ours. */
static bool channel_number(span_t name, uint64_t *number)
{
    *number = 0;
    for (size_t i = strlen(bench.settings.prefix); i < name.size; i++)
        *number = *number * 10 + (uint64_t)(name.data[i] - '0');
    return name.size == NAME_SIZE && *number < bench.settings.channels;
}

/* `user` is when a probe left, 0 for what is no probe. */
static void published(void *user, int err, position_t position)
{
    (void)position;
    uint64_t left_us = (uintptr_t)user;
    uint64_t wait_us = left_us ? clock_now_us() - left_us : 0;
    if (wait_us > bench.worst_wait_us)
        bench.worst_wait_us = wait_us;
    bench.confirmed += err == OK && !left_us;
    bench.refused += err != OK && running();
}

/* Load is binary and probes are not, so that the holder can tell them apart. */
static int publish(uint64_t left_us)
{
    uint64_t number = random_below(&bench.random, bench.channels);
    const publication_t publication = {.channel = channel_name(number),
                                       .flags = left_us ? 0 : MESSAGE_BINARY,
                                       .payload = span_new(bench.payload, bench.settings.size)};
    return uplink_publish(bench.publisher.uplink, &publication, published, (void *)(uintptr_t)left_us,
                          bench.now_us);
}

static void probe(uv_timer_t *timer)
{
    (void)timer;
    bench.now_us = clock_now_us();
    if (publish(bench.now_us))
        give_up("the relay does not keep up with a message a millisecond");
}

static void message(void *context, link_t *relay, const envelope_msg_t *envelope)
{
    (void)relay;
    (void)context;
    uint64_t number;
    bool known = channel_number(envelope->channel, &number);
    bench.faults += !known || envelope->offset != bench.offsets[number] + 1;
    if (known)
        bench.offsets[number] = envelope->offset;
    bench.delivered += (envelope->flags & MESSAGE_BINARY) != 0;
}

/* --- the steps --- */

static void begin_connecting(void)
{
}

static bool is_connected(void)
{
    return party_is_linked(&bench.publisher) && party_is_linked(&bench.holder);
}

static void begin_subscribing_few(void)
{
    bench.channels = bench.settings.few;
}

static void begin_subscribing_all(void)
{
    bench.channels = bench.settings.channels;
    uv_timer_start(&bench.probe, probe, PROBE_MS, PROBE_MS);
}

static bool is_subscribed(void)
{
    while (bench.asked < bench.channels && bench.asked - bench.answered < SUBSCRIBING_MAX) {
        if (uplink_subscribe(bench.holder.uplink, channel_name(bench.asked), (position_t){0}, 0,
                             bench.now_us))
            break;
        bench.asked++;
    }
    return bench.answered == bench.channels;
}

static void end_subscribing_all(void)
{
    uv_timer_stop(&bench.probe);
    bench.subscribing = cost(bench.settings.channels - bench.settings.few);
    bench.memory = (int64_t)usage().rss - (int64_t)bench.before.rss;
    bench.subscribing_wait_us = bench.worst_wait_us;
}

static void begin_loading(void)
{
    bench.confirmed = bench.delivered = 0;
}

/* Publishes as fast as the relay confirms, then waits for the last message. */
static bool is_loaded(void)
{
    bool time_is_over = bench.now_us >= bench.begun_us + bench.settings.time_us;
    while (!time_is_over && publish(0) == OK)
        ;
    return time_is_over && uplink_counts(bench.publisher.uplink).pending == 0 &&
           bench.delivered == bench.confirmed;
}

static void end_loading(void)
{
    bench.loads[bench.load_count++] = cost(bench.confirmed);
}

static void death_is_over(uv_timer_t *timer)
{
    (void)timer;
    bench.over = true;
}

static void begin_dying(void)
{
    party_die(&bench.holder);
    uv_timer_start(&bench.probe, probe, PROBE_MS, PROBE_MS);
    uv_timer_start(&bench.death, death_is_over, DEATH_WATCH_MS, 0);
}

static bool is_over(void)
{
    return bench.over;
}

/* --- events of uplinks --- */

static void found(void *context, link_t *relay)
{
    (void)context;
    (void)relay;
}

static void lost(void *context, link_t *relay)
{
    (void)context;
    (void)relay;
    give_up("the relay was lost, or has reset a link");
}

static void moved(void *context) /* there is one relay */
{
    (void)context;
}

static void subscribed(void *context, link_t *relay, const envelope_sub_ok_t *answer)
{
    (void)relay;
    (void)context;
    uint64_t number;
    if (channel_number(answer->channel, &number))
        bench.offsets[number] = answer->since;
    bench.answered++;
}

static void not_subscribed(void *context, link_t *relay, const envelope_sub_no_t *answer)
{
    (void)relay;
    (void)context;
    (void)answer;
    give_up("the relay refuses a subscription");
}

static void asked(void *context, link_t *relay, const envelope_ask_t *question)
{
    (void)context;
    (void)relay;
    (void)question;
}

static void room(void *context)
{
    (void)context;
}

static const uplink_events_t uplink_events = {found,          lost,  moved, message, subscribed,
                                              not_subscribed, asked, room,  NULL};

static void end_turn(void *context, uint64_t now_us)
{
    (void)context;
    bench.now_us = now_us;
    go_on();
}

/* --- life --- */

static double each(uint64_t sum, uint64_t count)
{
    return count ? (double)sum / (double)count : 0;
}

static void report(void)
{
    const load_t *few = &bench.loads[0];
    const load_t *all = &bench.loads[1];
    const load_t *subscribing = &bench.subscribing;
    double few_us = each(few->cpu_us, few->messages);
    double all_us = each(all->cpu_us, all->messages);
    double bytes = (double)bench.memory / (double)subscribing->messages;
    double ratio = few_us > 0 ? all_us / few_us : 0;
    double wait_ms = (double)bench.subscribing_wait_us / CLOCK_MS;
    double death_ms = (double)bench.worst_wait_us / CLOCK_MS;
    if (bench.settings.json) {
        printf("{\"few\": %" PRIu64 ", \"channels\": %" PRIu64 ", \"bytes_per_channel\": %.1f, "
               "\"subscribe_s\": %.3f, \"subscribe_cpu_us\": %.3f, \"subscribe_wait_ms\": %.2f, "
               "\"message_cpu_us_few\": %.3f, \"message_cpu_us\": %.3f, \"message_ratio\": %.3f, "
               "\"death_wait_ms\": %.2f}\n",
               few->channels, all->channels, bytes, (double)subscribing->wall_us / CLOCK_SEC,
               each(subscribing->cpu_us, subscribing->messages), wait_ms, few_us, all_us, ratio, death_ms);
        return;
    }
    printf("%" PRIu64 " channels      %8.1f bytes each\n", all->channels, bytes);
    printf("subscribing     %8.2f s  %8.3f us CPU each, longest wait %.2f ms\n",
           (double)subscribing->wall_us / CLOCK_SEC, each(subscribing->cpu_us, subscribing->messages),
           wait_ms);
    for (size_t i = 0; i < bench.load_count; i++)
        printf("%7" PRIu64 " loaded  %10.0f messages a second  %8.3f us CPU each\n", bench.loads[i].channels,
               (double)bench.loads[i].messages * CLOCK_SEC / (double)bench.loads[i].wall_us,
               each(bench.loads[i].cpu_us, bench.loads[i].messages));
    printf("ratio           %8.2f\n", ratio);
    printf("a death         %8.2f ms longest wait\n", death_ms);
}

static int open_all(buf_t *why)
{
    uv_loop_init(&bench.loop);
    uv_timer_init(&bench.loop, &bench.deadline);
    uv_timer_init(&bench.loop, &bench.probe);
    uv_timer_init(&bench.loop, &bench.death);
    bench.now_us = clock_now_us();
    bench.offsets = mem_new_n(bench.settings.channels, sizeof *bench.offsets);
    bench.payload = mem_new((size_t)bench.settings.size);
    int err =
        party_open(&bench.publisher, &bench.loop, bench.settings.relay, &uplink_events, end_turn, NULL, why);
    return err ? err
               : party_open(&bench.holder, &bench.loop, bench.settings.relay, &uplink_events, end_turn, NULL,
                            why);
}

static const char *run(buf_t *why)
{
    if (open_all(why))
        return buf_text(why);
    begin_step();
    uv_run(&bench.loop, UV_RUN_DEFAULT);
    party_destroy(&bench.publisher);
    party_destroy(&bench.holder);
    mem_free(bench.offsets);
    mem_free(bench.payload);
    uv_loop_close(&bench.loop);
    if (!bench.failure && bench.refused)
        bench.failure = "the relay refused publications";
    if (!bench.failure && bench.faults)
        bench.failure = "messages came out of order, twice, or not at all";
    return bench.failure;
}

static const char *check_settings(void)
{
    const settings_t *settings = &bench.settings;
    if (settings->few == 0 || settings->channels <= settings->few || settings->channels > 10000000)
        return "--channels is more than --few, which is at least 1, and at most 10000000";
    if (strlen(settings->prefix) > NAME_SIZE - 8)
        return "--prefix is too long";
    return settings->size > PAYLOAD_MAX ? "--size is more than a payload may have" : NULL;
}

int main(int argc, char **argv)
{
    int exit_code;
    buf_t why = {0};
    bool go = cli_options_begin(&options, &argc, argv, &bench.settings, &exit_code);
    if (go) {
        log_set_level(LOG_LEVEL_ERROR);
        const char *failure = check_settings();
        if (!failure)
            failure = run(&why);
        if (!failure)
            report();
        exit_code = failure ? cli_fail(&options, CLI_FAILED, "%s", failure) : CLI_OK;
    }
    cli_options_free(&options, &bench.settings);
    buf_fini(&why);
    return exit_code;
}
