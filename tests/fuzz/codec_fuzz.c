/* Any bytes as a message: topic, header, envelopes. What is read lies inside, reading ends, and an envelope that
 * is accepted comes back the same from what is written of it. */
#include "base/check.h"
#include "base/err.h"
#include "protocol/codec.h"
#include "protocol/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every error leaves the input where it was; every success moves on. */
static void check_cursor(span_t whole)
{
    span_t rest = whole, out;
    uint64_t number;
    uint32_t count;
    CHECK((codec_read_uint(&rest, &number) == OK) == (rest.size < whole.size));
    rest = whole;
    CHECK((codec_read_text(&rest, 100, &out) == OK) == (rest.size < whole.size));
    rest = whole;
    CHECK((codec_read_data(&rest, 100, &out) == OK) == (rest.size < whole.size));
    rest = whole;
    CHECK((codec_read_array(&rest, &count) == OK) == (rest.size < whole.size));
    CHECK(rest.size == whole.size || count <= rest.size);
    rest = whole;
    CHECK((codec_read_list(&rest, 100, &out) == OK) == (rest.size < whole.size));
    if (rest.size < whole.size)
        CHECK(out.data == whole.data && out.size == whole.size - rest.size && out.size <= 100);
    rest = whole;
    CHECK((codec_skip(&rest) == OK) == (rest.size < whole.size));
}

static void check_round_trip(const envelope_t *envelope)
{
    buf_t once = {0}, twice = {0};
    envelope_t again;
    envelope_encode(&once, envelope);
    span_t rest = buf_span(&once);
    int err = envelope_decode(&rest, &again);
    CHECK(err == OK || err == ERR_RANGE); /* a channel that was missing is written as "" */
    if (err == OK) {
        envelope_encode(&twice, &again);
        CHECK(rest.size == 0 && span_eq(buf_span(&once), buf_span(&twice)));
    }
    buf_fini(&once);
    buf_fini(&twice);
}

static void check_envelopes(span_t rest)
{
    while (rest.size) {
        envelope_t envelope;
        size_t before = rest.size;
        int err = envelope_decode(&rest, &envelope);
        CHECK(rest.size <= before);
        if (err == ERR_UNKNOWN)
            continue;
        if (err)
            return;
        CHECK(rest.size < before);
        check_round_trip(&envelope);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    span_t rest = span_new(data, size);
    link_header_t header;
    uint64_t topic;
    check_cursor(rest);
    check_envelopes(rest);
    if (link_header_read(&rest, &topic, &header) == OK)
        check_envelopes(rest);
    return 0;
}
