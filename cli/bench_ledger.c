#include "cli/bench_ledger.h"

#include "base/check.h"
#include "base/mem.h"
#include "cli/bench_stamp.h"

typedef struct stream {
    uint32_t sent;        /* messages, from 0 */
    uint32_t base;        /* the first that counts */
    uint32_t subscribers; /* how many listen to it */
} stream_t;

typedef struct subscriber {
    uint32_t stream;
    bool heard;
    cli_bench_tracker_t tracker; /* of sequence - base */
} subscriber_t;

struct cli_bench_ledger {
    stream_t *streams;         /* owned array */
    subscriber_t *subscribers; /* owned array */
    uint64_t stream_count, subscriber_count;
    uint8_t prefix[CLI_BENCH_PREFIX_SIZE];
    uint8_t *payload; /* owned: the stamp, then letters up to `size` */
    uint64_t size;
    bool counting;
    uint64_t measure_from_ns; /* UINT64_MAX: not yet */
    cli_bench_totals_t totals;
};

cli_bench_ledger_t *cli_bench_ledger_new(uint64_t streams, uint64_t subscribers, uint64_t size, uint32_t run)
{
    CHECK(streams > 0 && streams <= UINT32_MAX && size >= CLI_BENCH_STAMP_SIZE);
    cli_bench_ledger_t *self = mem_new(sizeof *self);
    self->streams = mem_new_n(streams, sizeof *self->streams);
    self->stream_count = streams;
    self->subscribers = mem_new_n(subscribers, sizeof *self->subscribers);
    self->subscriber_count = subscribers;
    for (uint64_t i = 0; i < subscribers; i++) {
        self->subscribers[i].stream = (uint32_t)(i % streams);
        self->streams[i % streams].subscribers++;
    }
    self->totals.unheard = subscribers;
    self->payload = mem_new(size);
    self->size = size;
    memset(self->payload, '.', size);
    cli_bench_stamp_prefix(self->prefix, run);
    self->measure_from_ns = UINT64_MAX;
    return self;
}

void cli_bench_ledger_destroy(cli_bench_ledger_t **self_p)
{
    cli_bench_ledger_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    for (uint64_t i = 0; i < self->subscriber_count; i++)
        cli_bench_tracker_fini(&self->subscribers[i].tracker);
    mem_free(self->subscribers);
    mem_free(self->streams);
    mem_free(self->payload);
    mem_free(self);
}

span_t cli_bench_ledger_compose(cli_bench_ledger_t *self, uint64_t stream, uint64_t intended_ns,
                                uint64_t now_ns)
{
    CHECK(stream < self->stream_count);
    cli_bench_stamp_t stamp = {(uint32_t)stream, self->streams[stream].sent++, intended_ns};
    cli_bench_stamp_write(self->payload, self->prefix, stamp);
    if (self->counting)
        self->totals.sent++;
    if (intended_ns >= self->measure_from_ns)
        histogram_add(&self->totals.lag, now_ns > intended_ns ? now_ns - intended_ns : 0);
    return span_new(self->payload, self->size);
}

static void note_heard(cli_bench_ledger_t *self, subscriber_t *subscriber)
{
    if (!subscriber->heard) {
        subscriber->heard = true;
        self->totals.unheard--;
    }
}

void cli_bench_ledger_take(cli_bench_ledger_t *self, uint64_t subscriber, span_t payload, uint64_t now_ns)
{
    cli_bench_stamp_t stamp;
    if (!cli_bench_stamp_read(payload, self->prefix, &stamp))
        return;
    subscriber_t *reader = &self->subscribers[subscriber];
    const stream_t *stream = &self->streams[reader->stream];
    if (stamp.stream != reader->stream || stamp.sequence >= stream->sent) {
        self->totals.strays++;
        return;
    }
    note_heard(self, reader);
    self->totals.deliveries++;
    self->totals.last_delivery_ns = now_ns;
    if (!self->counting || stamp.sequence < stream->base)
        return;
    cli_bench_tracker_take(&reader->tracker, stamp.sequence - stream->base, &self->totals.counts);
    if (stamp.intended_ns >= self->measure_from_ns)
        histogram_add(&self->totals.latency, now_ns > stamp.intended_ns ? now_ns - stamp.intended_ns : 0);
}

void cli_bench_ledger_start_counting(cli_bench_ledger_t *self)
{
    self->counting = true;
    for (uint64_t i = 0; i < self->stream_count; i++)
        self->streams[i].base = self->streams[i].sent;
}

void cli_bench_ledger_measure_from(cli_bench_ledger_t *self, uint64_t from_ns)
{
    self->measure_from_ns = from_ns;
}

const cli_bench_totals_t *cli_bench_ledger_totals(const cli_bench_ledger_t *self)
{
    return &self->totals;
}

uint64_t cli_bench_ledger_expected(const cli_bench_ledger_t *self)
{
    uint64_t expected = 0;
    for (uint64_t i = 0; i < self->stream_count; i++)
        expected += (uint64_t)(self->streams[i].sent - self->streams[i].base) * self->streams[i].subscribers;
    return expected;
}

uint64_t cli_bench_ledger_lost(const cli_bench_ledger_t *self)
{
    uint64_t lost = 0;
    for (uint64_t i = 0; i < self->subscriber_count; i++) {
        const stream_t *stream = &self->streams[self->subscribers[i].stream];
        lost += cli_bench_tracker_lost(&self->subscribers[i].tracker, stream->sent - stream->base);
    }
    return lost;
}
