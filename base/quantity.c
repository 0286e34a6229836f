#include "base/quantity.h"

#include "base/clock.h"
#include "base/err.h"

typedef struct unit {
    const char *name;
    uint64_t factor;
} unit_t;

/* The largest first; the last one divides everything. */
static const unit_t count_units[] = {{"", 1}, {0}};
static const unit_t size_units[] = {{"GiB", 1u << 30}, {"MiB", 1u << 20}, {"KiB", 1u << 10}, {"B", 1}, {0}};
static const unit_t duration_units[] = {
    {"d", (uint64_t)24 * 3600 * CLOCK_SEC},
    {"h", (uint64_t)3600 * CLOCK_SEC},
    {"m", (uint64_t)60 * CLOCK_SEC},
    {"s", CLOCK_SEC},
    {"ms", CLOCK_MS},
    {"us", 1},
    {0},
};
static const unit_t *const units[] = {
    [QUANTITY_COUNT] = count_units,
    [QUANTITY_SIZE] = size_units,
    [QUANTITY_DURATION] = duration_units,
};

/* The digits that the text begins with; returns how many there are. `*fits` says whether 64 bits hold them. */
static size_t read_digits(span_t text, uint64_t *number, bool *fits)
{
    size_t count = 0;
    *number = 0;
    *fits = true;
    for (; count < text.size && text.data[count] >= '0' && text.data[count] <= '9'; count++) {
        if (__builtin_mul_overflow(*number, 10u, number) ||
            __builtin_add_overflow(*number, (uint64_t)(text.data[count] - '0'), number))
            *fits = false;
    }
    return count;
}

/* 0 for a name that is none of this kind's. */
static uint64_t factor_of(quantity_t kind, span_t name)
{
    const unit_t *unit = units[kind];
    while (unit->name && !span_is(name, unit->name))
        unit++;
    return unit->factor;
}

static int read(quantity_t kind, span_t text, bool strict, uint64_t *out)
{
    uint64_t number;
    bool fits;
    size_t digits = read_digits(text, &number, &fits);
    if (digits == 0 || (strict && digits > 1 && text.data[0] == '0'))
        return ERR_MALFORMED;
    bool needs_unit = (kind == QUANTITY_DURATION || strict) && !(fits && number == 0);
    uint64_t factor = digits == text.size && !needs_unit ? 1 : factor_of(kind, span_skip(text, digits));
    if (factor == 0)
        return ERR_MALFORMED;
    if (!fits || __builtin_mul_overflow(number, factor, &number))
        return ERR_RANGE;
    *out = number;
    return OK;
}

int quantity_read(quantity_t kind, span_t text, uint64_t *out)
{
    return read(kind, text, false, out);
}

int quantity_read_strict(quantity_t kind, span_t text, uint64_t *out)
{
    return read(kind, text, true, out);
}

void quantity_append(buf_t *out, quantity_t kind, uint64_t number)
{
    const unit_t *unit = units[number == 0 ? QUANTITY_COUNT : kind];
    while (number % unit->factor != 0)
        unit++;
    buf_append_u64(out, number / unit->factor);
    buf_append_str(out, unit->name);
}
