#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/err.h"
#include "protocol/owner.h"

#define CHANNELS 10000u

static const char *const relays[] = {"relay-1", "relay-2", "relay-3", "relay-4"};

static span_t channel(unsigned number)
{
    static char name[32];
    snprintf(name, sizeof name, "chat:%u", number);
    return span_str(name);
}

/* The relay with the highest weight of the first `count`, but for `without`. */
static unsigned owner_of(span_t name, unsigned count, unsigned without)
{
    unsigned best = without == 0;
    for (unsigned i = 0; i < count; i++) {
        if (i != without &&
            owner_weight(name, span_str(relays[i])) > owner_weight(name, span_str(relays[best])))
            best = i;
    }
    return best;
}

/* Every node, of any version and in any language, has to compute these. */
static void the_weight_is_the_one_that_the_specification_says(void **state)
{
    (void)state;
    assert_true(owner_weight(SPAN("chat:1"), SPAN("relay-1")) == UINT64_C(0x85bed1769dc4a706));
    assert_true(owner_weight(SPAN("chat:1"), SPAN("relay-2")) == UINT64_C(0x383266bf0ebabcad));
    assert_true(owner_weight(SPAN(""), SPAN("")) == UINT64_C(0xaf938822902e4085));
}

static void channels_spread_evenly_over_relays(void **state)
{
    (void)state;
    unsigned owned[4] = {0};
    for (unsigned i = 0; i < CHANNELS; i++)
        owned[owner_of(channel(i), 4, 99)]++;
    for (unsigned i = 0; i < 4; i++)
        assert_in_range(owned[i], CHANNELS / 4 - CHANNELS / 40, CHANNELS / 4 + CHANNELS / 40);
}

static void a_relay_that_goes_moves_only_its_own_channels(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CHANNELS; i++) {
        unsigned before = owner_of(channel(i), 4, 99);
        unsigned after = owner_of(channel(i), 4, 2);
        assert_true(before == 2 ? after != 2 : after == before);
    }
}

static void a_relay_that_comes_takes_its_share_and_moves_nothing_else(void **state)
{
    (void)state;
    unsigned moved = 0;
    for (unsigned i = 0; i < CHANNELS; i++) {
        unsigned before = owner_of(channel(i), 3, 99);
        unsigned after = owner_of(channel(i), 4, 99);
        assert_true(after == before || after == 3);
        moved += after != before;
    }
    assert_in_range(moved, CHANNELS / 4 - CHANNELS / 40, CHANNELS / 4 + CHANNELS / 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_weight_is_the_one_that_the_specification_says),
        cmocka_unit_test(channels_spread_evenly_over_relays),
        cmocka_unit_test(a_relay_that_goes_moves_only_its_own_channels),
        cmocka_unit_test(a_relay_that_comes_takes_its_share_and_moves_nothing_else),
    };
    return cmocka_run_group_tests_name("protocol/owner", tests, NULL, NULL);
}
