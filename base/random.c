#include "base/random.h"

#include <errno.h>
#include <sys/random.h>

#include "base/check.h"

void random_fill(void *memory, size_t size)
{
    uint8_t *at = memory;
    while (size) {
        ssize_t got = getrandom(at, size, 0);
        CHECK(got > 0 || errno == EINTR);
        if (got > 0) {
            at += got;
            size -= (size_t)got;
        }
    }
}

uint64_t random_u64(void)
{
    uint64_t number;
    random_fill(&number, sizeof number);
    return number;
}
