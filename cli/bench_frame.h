/* cli/bench_frame - a light reader of a server's frames, for reading millions a second where they lie.
 * Thread: any; pure.
 *
 * protocol/websocket reads everything that RFC 6455 allows, in any pieces. This takes whole, unmasked,
 * unfragmented frames out of a run of bytes and leaves the rest to be completed.
 */
#ifndef HEDDLE_CLI_BENCH_FRAME_H
#define HEDDLE_CLI_BENCH_FRAME_H

#include <endian.h>
#include <sys/types.h>

#include "base/err.h"
#include "protocol/websocket.h"

#define CLI_BENCH_FRAME_LIMIT (256u << 10) /* bytes of a payload; a bench sends 64 KiB at most */

typedef struct cli_bench_frame {
    websocket_opcode_t opcode;
    span_t payload; /* points into the bytes */
} cli_bench_frame_t;

/* The frame's bytes; 0: not whole yet; ERR_MALFORMED: masked, fragmented, reserved bits, or over the limit.
 */
static inline ssize_t cli_bench_frame_read(span_t bytes, cli_bench_frame_t *out)
{
    if (!bytes.data || bytes.size < 2)
        return 0;
    uint64_t size = bytes.data[1];
    size_t header = 2;
    if ((bytes.data[0] & 0xf0) != 0x80 || size > 127)
        return ERR_MALFORMED;
    if (size >= 126) {
        uint64_t wide = 0;
        size_t width = size == 126 ? 2 : 8;
        header += width;
        if (bytes.size < header)
            return 0;
        memcpy((uint8_t *)&wide + (8 - width), bytes.data + 2, width);
        size = be64toh(wide);
    }
    if (size > CLI_BENCH_FRAME_LIMIT)
        return ERR_MALFORMED;
    if (bytes.size - header < size)
        return 0;
    out->opcode = (websocket_opcode_t)(bytes.data[0] & 0x0f);
    out->payload = span_new(bytes.data + header, size);
    return (ssize_t)(header + size);
}

#endif
