/* tests/bench/relay_load - how many envelopes one relay moves in a second of its CPU.
 * Thread: one, with one loop.
 *
 * One node publishes to N channels as fast as the relay confirms, K others subscribe to all of them, and every
 * message is counted and has to be the next one of its channel. Load and relay share a machine, so what counts
 * is the relay's own CPU time, read from /proc: envelopes in (PUB) and out (PUB_OK, MSG) for each second of it.
 * The relay is started by whoever calls this; its namespace `default` is used.
 *
 *     bench_relay_load --relay tcp://127.0.0.1:7700 --pid $(pidof heddle-relay) --channels 16 --subscribers 1
 *
 * What keys cost shows by --key and --relay-key on a relay that has some, in turn with one that has none.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/bench_proc.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/target.h"
#include "party.h"

/* For the relay to be found, and at the end for what is on its way. */
#define PATIENCE_US (10 * UINT64_C(1000000))

typedef struct settings {
    const char *relay;
    cli_keys_t keys;
    uint64_t pid;
    uint64_t channels;
    uint64_t subscribers;
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
    CLI_TARGET_KEY(settings_t),
    CLI_TARGET_RELAY_KEY(settings_t),
    {.name = "pid",
     .type = CLI_COUNT,
     .offset = offsetof(settings_t, pid),
     .value = "PID",
     .help = "The relay's process, whose CPU time is read."},
    {.name = "channels",
     .type = CLI_COUNT,
     .offset = offsetof(settings_t, channels),
     .value = "N",
     .fallback = "16",
     .help = "Channels that are published to in turn."},
    {.name = "subscribers",
     .type = CLI_COUNT,
     .offset = offsetof(settings_t, subscribers),
     .value = "K",
     .fallback = "1",
     .help = "Nodes that subscribe to all channels; may be 0."},
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
     .help = "How long to publish."},
    {.name = "json",
     .type = CLI_FLAG,
     .offset = offsetof(settings_t, json),
     .help = "Print one JSON object."},
};

static const cli_options_t options = {
    .command = "bench_relay_load",
    .about = "Loads a relay that runs already, and measures what an envelope costs it.",
    .rows = rows,
    .count = sizeof rows / sizeof rows[0],
};

typedef enum phase { PHASE_SUBSCRIBES, PHASE_LOADS, PHASE_DRAINS, PHASE_DONE } phase_t;

/* The first one publishes, the others subscribe. */
typedef struct member {
    party_t party;
    uint64_t *offsets; /* owned; of each channel's newest message */
    size_t answered;   /* subscriptions */
} member_t;

static struct bench {
    settings_t settings;
    curve_t curve;
    uv_loop_t loop;
    uv_timer_t deadline;
    member_t *members; /* owned; settings.subscribers + 1 */
    uint8_t *payload;  /* owned */
    phase_t phase;
    uint64_t now_us;
    uint64_t begun_us, ended_us;
    cli_bench_usage_t before, after;
    uint64_t confirmed, refused, delivered, faults;
    uint64_t next; /* the channel to publish to */
    const char *failure;
} bench;

static member_t *publisher(void)
{
    return &bench.members[0];
}

static void close_all(void)
{
    bench.phase = PHASE_DONE;
    uv_close((uv_handle_t *)&bench.deadline, NULL);
    for (size_t i = 0; i <= bench.settings.subscribers; i++)
        party_leave(&bench.members[i].party);
}

static void give_up(const char *failure)
{
    if (bench.phase == PHASE_DONE)
        return;
    bench.failure = failure;
    close_all();
}

/* --- the load --- */

static span_t channel_name(uint64_t number)
{
    static char name[32];
    int size = snprintf(name, sizeof name, "load-%" PRIu64, number);
    return span_new(name, (size_t)size);
}

/* The number behind "load-"; the number of channels if it is none of ours. */
static uint64_t channel_number(span_t name)
{
    uint64_t number = 0;
    for (size_t i = 5; i < name.size; i++)
        number = number * 10 + (name.data[i] - '0');
    return name.size > 5 && number < bench.settings.channels ? number : bench.settings.channels;
}

static void published(void *user, int err, position_t position)
{
    (void)user;
    (void)position;
    bench.confirmed += err == OK;
    bench.refused += err != OK && bench.phase != PHASE_DONE;
}

static void publish_all(void)
{
    for (;;) {
        const publication_t publication = {.channel = channel_name(bench.next),
                                           .flags = MESSAGE_BINARY,
                                           .payload = span_new(bench.payload, bench.settings.size)};
        if (uplink_publish(publisher()->party.uplink, &publication, published, NULL, bench.now_us))
            return;
        bench.next = (bench.next + 1) % bench.settings.channels;
    }
}

static void message(void *context, link_t *relay, const envelope_msg_t *envelope)
{
    (void)relay;
    member_t *member = context;
    uint64_t number = channel_number(envelope->channel);
    bool next = number < bench.settings.channels && envelope->offset == member->offsets[number] + 1;
    bench.faults += !next;
    if (number < bench.settings.channels)
        member->offsets[number] = envelope->offset;
    bench.delivered++;
}

/* --- phases --- */

static void read_usage(cli_bench_usage_t *out)
{
    if (bench.settings.pid && cli_bench_proc_read((pid_t)bench.settings.pid, out))
        give_up("there is no process of that pid");
}

static void time_is_up(uv_timer_t *timer)
{
    (void)timer;
    give_up(bench.phase == PHASE_SUBSCRIBES ? "the relay was not found, or did not take all subscriptions"
                                            : "not all that was published came back");
}

static void stop_loading(uv_timer_t *timer)
{
    bench.phase = PHASE_DRAINS;
    uv_timer_start(timer, time_is_up, PATIENCE_US / CLOCK_MS, 0);
}

static bool all_subscribed(void)
{
    for (size_t i = 0; i <= bench.settings.subscribers; i++) {
        const member_t *member = &bench.members[i];
        if (!party_is_linked(&member->party) || (i && member->answered < bench.settings.channels))
            return false;
    }
    return true;
}

static void go_on(void)
{
    uplink_counts_t counts = uplink_counts(publisher()->party.uplink);
    if (bench.phase == PHASE_SUBSCRIBES && all_subscribed()) {
        bench.phase = PHASE_LOADS;
        bench.begun_us = bench.now_us;
        read_usage(&bench.before);
        uv_timer_start(&bench.deadline, stop_loading, bench.settings.time_us / CLOCK_MS, 0);
    }
    if (bench.phase == PHASE_LOADS)
        publish_all();
    if (bench.phase == PHASE_DRAINS && counts.pending == 0 &&
        bench.delivered >= bench.confirmed * bench.settings.subscribers) {
        bench.ended_us = bench.now_us;
        read_usage(&bench.after);
        if (bench.phase != PHASE_DONE)
            close_all();
    }
}

/* --- events of uplinks --- */

static void found(void *context, link_t *relay)
{
    member_t *member = context;
    (void)relay;
    if (member == publisher())
        return;
    for (uint64_t i = 0; i < bench.settings.channels; i++) {
        if (uplink_subscribe(member->party.uplink, channel_name(i), (position_t){0}, 0, bench.now_us))
            give_up("the subscriptions do not fit into the link");
    }
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
    member_t *member = context;
    uint64_t number = channel_number(answer->channel);
    if (number < bench.settings.channels)
        member->offsets[number] = answer->since;
    member->answered++;
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

/* --- life --- */

static void end_turn(void *context, uint64_t now_us)
{
    (void)context;
    bench.now_us = now_us;
    if (bench.phase != PHASE_DONE)
        go_on();
}

static int open_member(member_t *member, buf_t *why)
{
    member->offsets = mem_new_n(bench.settings.channels, sizeof *member->offsets);
    member->party.curve = &bench.curve;
    return party_open(&member->party, &bench.loop, bench.settings.relay, &uplink_events, end_turn, member,
                      why);
}

static void destroy_member(member_t *member)
{
    party_destroy(&member->party);
    mem_free(member->offsets);
}

static void report(void)
{
    double wall_s = (double)(bench.ended_us - bench.begun_us) / CLOCK_SEC;
    double cpu_s = (double)(bench.after.cpu_us - bench.before.cpu_us) / CLOCK_SEC;
    uint64_t in = bench.confirmed;
    uint64_t out = bench.confirmed + bench.delivered;
    double per_cpu_s = cpu_s > 0 ? (double)(in + out) / cpu_s : 0;
    double cost_us = in + out ? cpu_s * CLOCK_SEC / (double)(in + out) : 0;
    if (bench.settings.json) {
        printf("{\"channels\": %" PRIu64 ", \"subscribers\": %" PRIu64 ", \"size\": %" PRIu64
               ", \"seconds\": %.3f, \"envelopes_in\": %" PRIu64 ", \"envelopes_out\": %" PRIu64
               ", \"relay_cpu_s\": %.2f, \"envelopes_per_cpu_s\": %.0f, \"cpu_s_per_million\": %.4f}\n",
               bench.settings.channels, bench.settings.subscribers, bench.settings.size, wall_s, in, out,
               cpu_s, per_cpu_s, cost_us);
        return;
    }
    printf("%" PRIu64 " channels, %" PRIu64 " subscribers, %" PRIu64 " bytes, %.1f s\n",
           bench.settings.channels, bench.settings.subscribers, bench.settings.size, wall_s);
    printf("envelopes in   %12" PRIu64 "  %10.0f a second\n", in, (double)in / wall_s);
    printf("envelopes out  %12" PRIu64 "  %10.0f a second\n", out, (double)out / wall_s);
    if (bench.settings.pid)
        printf("relay's CPU    %10.2f s  %10.0f envelopes a CPU second, %.3f s a million\n", cpu_s, per_cpu_s,
               cost_us);
}

static const char *run(buf_t *why)
{
    uv_loop_init(&bench.loop);
    uv_timer_init(&bench.loop, &bench.deadline);
    uv_timer_start(&bench.deadline, time_is_up, PATIENCE_US / CLOCK_MS, 0);
    bench.now_us = clock_now_us();
    size_t count = (size_t)bench.settings.subscribers + 1;
    bench.members = mem_new_n(count, sizeof *bench.members);
    bench.payload = mem_new((size_t)bench.settings.size);
    for (size_t i = 0; i < count; i++) {
        if (open_member(&bench.members[i], why))
            return buf_text(why);
    }
    uv_run(&bench.loop, UV_RUN_DEFAULT);
    for (size_t i = 0; i < count; i++)
        destroy_member(&bench.members[i]);
    mem_free(bench.members);
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
    if (settings->channels == 0 || settings->channels > 1000000)
        return "--channels is 1 to 1000000";
    if (settings->subscribers > 100)
        return "--subscribers is at most 100";
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
        if (!failure && cli_keys_load(&bench.settings.keys, &bench.curve, &why))
            failure = buf_text(&why);
        if (!failure)
            failure = run(&why);
        if (!failure)
            report();
        exit_code = failure ? cli_fail(&options, CLI_FAILED, "%s", failure) : CLI_OK;
    }
    curve_fini(&bench.curve);
    cli_options_free(&options, &bench.settings);
    buf_fini(&why);
    return exit_code;
}
