#include "tests/sim/seeds.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/log.h"

static void run_past_failures(const seeds_t *self)
{
    char line[256];
    FILE *file = fopen(self->file, "r");
    CHECK(file);
    while (fgets(line, sizeof line, file)) {
        if (line[0] >= '0' && line[0] <= '9')
            self->run(strtoull(line, NULL, 10), false);
    }
    fclose(file);
}

bool seeds_run(const seeds_t *self, int argc, char **argv)
{
    hash_set_process_key((hash_key_t){1, 2});
    uint64_t count = self->count;
    uint64_t from = (uint64_t)time(NULL) * self->count;
    for (int i = 1; i + 1 < argc; i += 2) {
        uint64_t number = strtoull(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--seed") == 0) {
            log_set_level(LOG_LEVEL_DEBUG);
            self->run(number, true);
            return false;
        }
        if (strcmp(argv[i], "--seeds") == 0)
            count = number;
        else if (strcmp(argv[i], "--from") == 0)
            from = number;
    }
    log_set_level(LOG_LEVEL_OFF);
    printf("%s: %" PRIu64 " seeds from %" PRIu64 "\n", self->name, count, from);
    fflush(stdout);
    for (uint64_t seed = from; seed < from + count; seed++)
        self->run(seed, false);
    run_past_failures(self);
    return true;
}
