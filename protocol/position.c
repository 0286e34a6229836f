#include "protocol/position.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/err.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
#define LETTER_COUNT (sizeof letters - 1)

static bool is_letter(uint8_t byte)
{
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
}

/* 52^8 is about 2^45.6: the modulo makes no epoch likelier than another by more than one part in 2^18. */
void position_new_epoch(position_t *self, uint64_t random)
{
    for (size_t i = 0; i < EPOCH_SIZE; i++) {
        self->epoch[i] = letters[random % LETTER_COUNT];
        random /= LETTER_COUNT;
    }
}

int position_set_epoch(position_t *self, span_t epoch)
{
    if (epoch.size == 0) {
        memset(self->epoch, 0, EPOCH_SIZE);
        return OK;
    }
    if (epoch.size != EPOCH_SIZE)
        return ERR_MALFORMED;
    for (size_t i = 0; i < EPOCH_SIZE; i++)
        if (!is_letter(epoch.data[i]))
            return ERR_MALFORMED;
    memcpy(self->epoch, epoch.data, EPOCH_SIZE);
    return OK;
}

const char *position_print(position_t self, char out[POSITION_TEXT_SIZE])
{
    if (position_known(self))
        snprintf(out, POSITION_TEXT_SIZE, "%.*s:%" PRIu64, (int)EPOCH_SIZE, self.epoch, self.offset);
    else
        out[0] = '\0';
    return out;
}
