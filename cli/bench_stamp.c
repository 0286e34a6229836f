#include "cli/bench_stamp.h"

static void write_letters(uint8_t *out, uint32_t number)
{
    for (size_t i = 0; i < 8; i++, number >>= 4)
        out[i] = (uint8_t)('a' + (number & 15u));
}

void cli_bench_stamp_prefix(uint8_t out[CLI_BENCH_PREFIX_SIZE], uint32_t run)
{
    static const uint8_t magic[8] = CLI_BENCH_MAGIC;
    memcpy(out, magic, sizeof magic);
    write_letters(out + 8, run);
}

void cli_bench_stamp_write(uint8_t out[CLI_BENCH_STAMP_SIZE], const uint8_t prefix[CLI_BENCH_PREFIX_SIZE],
                           cli_bench_stamp_t stamp)
{
    memcpy(out, prefix, CLI_BENCH_PREFIX_SIZE);
    write_letters(out + 16, stamp.stream);
    write_letters(out + 24, stamp.sequence);
    write_letters(out + 32, (uint32_t)stamp.intended_ns);
    write_letters(out + 40, (uint32_t)(stamp.intended_ns >> 32));
}
