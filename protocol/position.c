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

/* Digits as position_print writes them: no sign, no leading zero. */
static int parse_offset(span_t digits, uint64_t *out)
{
    if (digits.size == 0 || (digits.data[0] == '0' && digits.size > 1))
        return ERR_MALFORMED;
    uint64_t number = 0;
    for (size_t i = 0; i < digits.size; i++) {
        uint8_t digit = (uint8_t)(digits.data[i] - '0');
        if (digit > 9 || __builtin_mul_overflow(number, 10u, &number) ||
            __builtin_add_overflow(number, digit, &number))
            return ERR_MALFORMED;
    }
    *out = number;
    return OK;
}

int position_parse(span_t text, position_t *out)
{
    position_t parsed = {0};
    if (text.size == 0) {
        *out = parsed;
        return OK;
    }
    if (text.size <= EPOCH_SIZE || text.data[EPOCH_SIZE] != ':' ||
        position_set_epoch(&parsed, span_new(text.data, EPOCH_SIZE)) != OK ||
        parse_offset(span_skip(text, EPOCH_SIZE + 1), &parsed.offset) != OK)
        return ERR_MALFORMED;
    *out = parsed;
    return OK;
}
