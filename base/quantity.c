#include "base/quantity.h"

#include "base/err.h"

typedef struct unit {
    const char *name;
    uint64_t factor;
} unit_t;

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

static const unit_t sizes[] = {{"", 1}, {"B", 1}, {"KiB", 1u << 10}, {"MiB", 1u << 20}, {"GiB", 1u << 30}};

static const unit_t durations[] = {
    {"us", 1}, {"ms", 1000}, {"s", 1000000}, {"m", 60000000ul}, {"h", 3600000000ul}, {"d", 86400000000ul},
};

/* The digits at the beginning of *text, which is moved behind them. */
static int take_digits(span_t *text, uint64_t *out)
{
    uint64_t number = 0;
    size_t at = 0;
    for (; at < text->size && text->data[at] >= '0' && text->data[at] <= '9'; at++) {
        uint64_t digit = (uint64_t)(text->data[at] - '0');
        if (number > (UINT64_MAX - digit) / 10)
            return ERR_RANGE;
        number = number * 10 + digit;
    }
    if (at == 0)
        return ERR_MALFORMED;
    *text = span_skip(*text, at);
    *out = number;
    return OK;
}

static int with_unit(span_t text, const unit_t *units, size_t count, uint64_t *out)
{
    uint64_t number;
    int err = take_digits(&text, &number);
    if (err)
        return err;
    for (size_t i = 0; i < count; i++) {
        if (!span_is(text, units[i].name))
            continue;
        if (number > UINT64_MAX / units[i].factor)
            return ERR_RANGE;
        *out = number * units[i].factor;
        return OK;
    }
    return ERR_MALFORMED;
}

int quantity_count(span_t text, uint64_t *out)
{
    uint64_t number;
    int err = take_digits(&text, &number);
    if (err)
        return err;
    if (text.size)
        return ERR_MALFORMED;
    *out = number;
    return OK;
}

int quantity_size(span_t text, uint64_t *out)
{
    return with_unit(text, sizes, COUNT_OF(sizes), out);
}

int quantity_duration(span_t text, uint64_t *out_us)
{
    if (span_is(text, "0")) {
        *out_us = 0;
        return OK;
    }
    return with_unit(text, durations, COUNT_OF(durations), out_us);
}
