#include "cli/bench_dialect.h"

#include <inttypes.h>

#include "base/err.h"
#include "cli/bench_stamp.h"
#include "protocol/json.h"

#define CENTRIFUGE_PUBLISHERS 16u /* enough that none of them is the bottleneck, few enough to batch */

uint64_t cli_bench_publishers(const cli_bench_plan_t *plan)
{
    if (plan->rate == 0)
        return 0;
    if (plan->dialect == CLI_BENCH_RAW || plan->channels < CENTRIFUGE_PUBLISHERS)
        return plan->channels;
    return CENTRIFUGE_PUBLISHERS;
}

void cli_bench_target(const cli_bench_plan_t *plan, uint64_t stream, bool publishes, buf_t *out)
{
    if (plan->dialect == CLI_BENCH_RAW)
        buf_printf(out, "/ws/%s%" PRIu64 "?mode=%s", plan->prefix, stream, publishes ? "pub" : "sub");
    else
        buf_append_str(out, "/connection/websocket");
}

void cli_bench_headers(const cli_bench_plan_t *plan, buf_t *out)
{
    if (plan->token && plan->dialect == CLI_BENCH_RAW)
        buf_printf(out, "Authorization: Bearer %s\r\n", plan->token);
}

void cli_bench_greeting(const cli_bench_plan_t *plan, uint64_t stream, bool publishes, buf_t *out)
{
    if (plan->dialect == CLI_BENCH_RAW)
        return;
    buf_append_str(out, "{\"id\":1,\"connect\":{");
    if (plan->token) {
        buf_append_str(out, "\"token\":");
        json_append_string(out, span_str(plan->token));
    }
    buf_append_str(out, "}}");
    if (!publishes)
        buf_printf(out, "\n{\"id\":2,\"subscribe\":{\"channel\":\"%s%" PRIu64 "\"}}", plan->prefix, stream);
}

uint64_t cli_bench_last_greeting_id(bool publishes)
{
    return publishes ? 1 : 2;
}

void cli_bench_publication(const cli_bench_plan_t *plan, uint64_t stream, uint64_t id, span_t payload,
                           buf_t *out)
{
    if (plan->dialect == CLI_BENCH_RAW) {
        buf_append_span(out, payload);
        return;
    }
    buf_append_str(out, "{\"id\":");
    buf_append_u64(out, id);
    buf_append_str(out, ",\"publish\":{\"channel\":\"");
    buf_append_str(out, plan->prefix);
    buf_append_u64(out, stream);
    buf_append_str(out, "\",\"data\":\"");
    buf_append_span(out, payload);
    buf_append_str(out, "\"}}");
}

/* A push is found by its beginning and its payload by the stamp's magic: a parser would cost more than all
 * else that is done for a delivery. */
static cli_bench_heard_t hear_push(span_t line, span_t *payload)
{
    const uint8_t *stamp = memmem(line.data, line.size, CLI_BENCH_MAGIC, sizeof CLI_BENCH_MAGIC - 1);
    if (!stamp)
        return CLI_BENCH_OTHER;
    *payload = span_new(stamp, (size_t)(line.data + line.size - stamp));
    return CLI_BENCH_PAYLOAD;
}

static cli_bench_heard_t hear_reply(span_t line, span_t *payload, uint64_t *id)
{
    json_value_t object;
    json_value_t member;
    if (json_parse(line, &object) != OK || object.type != JSON_OBJECT || !json_get(&object, "id", &member) ||
        json_to_u64(&member, id) != OK)
        return CLI_BENCH_STRANGE;
    if (!json_get(&object, "error", &member))
        return CLI_BENCH_REPLY;
    *payload = member.raw;
    return CLI_BENCH_REFUSAL;
}

cli_bench_heard_t cli_bench_hear(span_t *message, span_t *payload, uint64_t *id)
{
    while (message->size && message->data[0] == '\n')
        *message = span_skip(*message, 1);
    if (message->size == 0)
        return CLI_BENCH_END;
    const uint8_t *end = memchr(message->data, '\n', message->size);
    span_t line = span_new(message->data, end ? (size_t)(end - message->data) : message->size);
    *message = span_skip(*message, line.size);
    if (span_starts(line, SPAN("{\"push\":")))
        return hear_push(line, payload);
    return span_is(line, "{}") ? CLI_BENCH_PING : hear_reply(line, payload, id);
}
