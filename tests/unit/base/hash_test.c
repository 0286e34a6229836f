#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"

/* SipHash-1-3 with the key 00..0f over the first i bytes of 00 01 02...; computed with an independent program
 * that gives the vector of the paper's appendix A for SipHash-2-4. */
static const uint64_t vectors[] = {
    0xabac0158050fc4dcu, 0xc9f49bf37d57ca93u, 0x82cb9b024dc7d44du, 0x8bf80ab8e7ddf7fbu, 0xcf75576088d38328u,
    0xdef9d52f49533b67u, 0xc50d2b50c59f22a7u, 0xd3927d989bb11140u, 0x369095118d299a8eu, 0x25a48eb36c063de4u,
    0x79de85ee92ff097fu, 0x70c118c1f94dc352u, 0x78a384b157b4d9a2u, 0x306f760c1229ffa7u, 0x605aa111c0f95d34u,
    0xd320d86d2a519956u, 0xcc4fdd1a7d908b66u, 0x9cf2689063dbd80cu, 0x8ffc389cb473e63eu, 0xf21f9de58d297d1cu,
    0xc0dc2f46a6cce040u, 0xb992abfe2b45f844u, 0x7ffe7b9ba320872eu, 0x525a0e7fdae6c123u,
};

static void the_reference_vectors_match(void **state)
{
    (void)state;
    uint8_t bytes[64];
    hash_key_t key = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        bytes[i] = (uint8_t)i;
        assert_int_equal(hash_bytes(key, span_new(bytes, i)), vectors[i]);
    }
}

static void another_key_gives_another_hash(void **state)
{
    (void)state;
    assert_true(hash_bytes((hash_key_t){1, 2}, SPAN("a")) != hash_bytes((hash_key_t){1, 3}, SPAN("a")));
    assert_true(hash_bytes((hash_key_t){1, 2}, SPAN("a")) != hash_bytes((hash_key_t){2, 2}, SPAN("a")));
}

static void the_process_key_stays_the_same(void **state)
{
    (void)state;
    hash_key_t first = hash_process_key(), second = hash_process_key();
    assert_true(first.k0 != 0 || first.k1 != 0);
    assert_int_equal(first.k0, second.k0);
    assert_int_equal(first.k1, second.k1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_vectors_match),
        cmocka_unit_test(another_key_gives_another_hash),
        cmocka_unit_test(the_process_key_stays_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
