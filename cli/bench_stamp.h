/* cli/bench_stamp - what a bench writes into its payloads to know them again.
 * Thread: any; pure.
 *
 * 48 bytes of printable text without quotes and backslashes, so that they stand in JSON as they are: the
 * prefix "bench/1:" with 8 letters of the run, the stream, the sequence number, the intended time of sending.
 * Numbers are written a nibble a letter, 'a' to 'p', lowest first: eight letters are read with five
 * operations.
 */
#ifndef HEDDLE_CLI_BENCH_STAMP_H
#define HEDDLE_CLI_BENCH_STAMP_H

#include <endian.h>

#include "base/span.h"

#define CLI_BENCH_MAGIC       "bench/1:"
#define CLI_BENCH_PREFIX_SIZE 16u
#define CLI_BENCH_STAMP_SIZE  48u

typedef struct cli_bench_stamp {
    uint32_t stream;      /* the channel's number, and so its publisher's */
    uint32_t sequence;    /* within the stream, from 0 */
    uint64_t intended_ns; /* monotonic */
} cli_bench_stamp_t;

void cli_bench_stamp_prefix(uint8_t out[CLI_BENCH_PREFIX_SIZE], uint32_t run);
void cli_bench_stamp_write(uint8_t out[CLI_BENCH_STAMP_SIZE], const uint8_t prefix[CLI_BENCH_PREFIX_SIZE],
                           cli_bench_stamp_t stamp);

static inline bool cli_bench_letters_read(const uint8_t *in, uint32_t *out)
{
    uint64_t word;
    memcpy(&word, in, sizeof word);
    word = le64toh(word) - 0x6161616161616161u;
    if (word & 0xf0f0f0f0f0f0f0f0u)
        return false;
    word = (word | word >> 4) & 0x00ff00ff00ff00ffu;
    word = (word | word >> 8) & 0x0000ffff0000ffffu;
    *out = (uint32_t)(word | word >> 16);
    return true;
}

/* false: not a stamp of this run. Inline, because it runs for each of millions of deliveries a second. */
static inline bool cli_bench_stamp_read(span_t payload, const uint8_t prefix[CLI_BENCH_PREFIX_SIZE],
                                        cli_bench_stamp_t *out)
{
    uint32_t low;
    uint32_t high;
    const uint8_t *at = payload.data;
    if (payload.size < CLI_BENCH_STAMP_SIZE || memcmp(at, prefix, CLI_BENCH_PREFIX_SIZE) != 0)
        return false;
    if (!cli_bench_letters_read(at + 16, &out->stream) || !cli_bench_letters_read(at + 24, &out->sequence) ||
        !cli_bench_letters_read(at + 32, &low) || !cli_bench_letters_read(at + 40, &high))
        return false;
    out->intended_ns = (uint64_t)high << 32 | low;
    return true;
}

#endif
