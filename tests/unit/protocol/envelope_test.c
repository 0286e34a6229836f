#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/random.h"
#include "protocol/codec.h"
#include "protocol/envelope.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static uint8_t bytes[ENVELOPE_MAX]; /* what the largest field holds */
static uint8_t list[LIST_MAX];      /* one array with as many small integers as fit */

/* How a kind is filled, how full, and compared; from the same lists as the kinds themselves. */
typedef struct kind {
    envelope_kind_t code;
    bool link;
    uint32_t fields;
    void (*fill)(envelope_t *out, bool full);
    bool (*same)(const envelope_t *a, const envelope_t *b);
} kind_t;

static span_t list_of(size_t size)
{
    list[0] = 0xdd;
    for (int i = 0; i < 4; i++)
        list[1 + i] = (uint8_t)((size - 5) >> (24 - 8 * i));
    return span_new(list, size);
}

#define LINK                  true
#define FLOW                  false
#define FILL_UINT(name, max)  body->name = full ? UINT64_MAX : 300;
#define FILL_TEXT(name, max)  body->name = span_new(bytes, full ? (max) : 3);
#define FILL_DATA(name, max)  body->name = span_new(bytes, full ? (max) : 3);
#define FILL_NAME(name, max)  body->name = span_new(bytes, full ? (max) : 3);
#define FILL_LIST(name, max)  body->name = list_of(full ? (max) : 8);
#define FILL(type, name, max) FILL_##type(name, max)
#define SAME_UINT(name)       a->name == b->name
#define SAME_TEXT(name)       span_eq(a->name, b->name)
#define SAME_DATA(name)       span_eq(a->name, b->name)
#define SAME_NAME(name)       span_eq(a->name, b->name)
#define SAME_LIST(name)       span_eq(a->name, b->name)
#define SAME(type, name, max) &&SAME_##type(name)
#define ONE(type, name, max)  +1
#define KIND_FUNCTIONS(NAME, member, code, layer, FIELDS, text)         \
    static void fill_##member(envelope_t *out, bool full)               \
    {                                                                   \
        envelope_##member##_t *body = &out->member;                     \
        FIELDS(FILL)                                                    \
    }                                                                   \
    static bool same_##member(const envelope_t *x, const envelope_t *y) \
    {                                                                   \
        const envelope_##member##_t *a = &x->member, *b = &y->member;   \
        return x->kind == y->kind FIELDS(SAME);                         \
    }
ENVELOPE_KINDS(KIND_FUNCTIONS)

static const kind_t kinds[] = {
#define KIND_ROW(NAME, member, code, layer, FIELDS, text) \
    {KIND_##NAME, layer, 0 FIELDS(ONE), fill_##member, same_##member},
    ENVELOPE_KINDS(KIND_ROW)};

static envelope_t filled(const kind_t *kind, bool full)
{
    envelope_t envelope = {.kind = kind->code};
    kind->fill(&envelope, full);
    return envelope;
}

static buf_t encoded(const kind_t *kind, bool full)
{
    buf_t out = {0};
    envelope_t envelope = filled(kind, full);
    envelope_encode(&out, &envelope);
    return out;
}

/* The first `count` values of an envelope's array, behind the head of an array of `claimed`. */
static buf_t rebuilt(span_t whole, uint32_t count, uint32_t claimed)
{
    buf_t out = {0};
    uint32_t had;
    assert_int_equal(codec_read_array(&whole, &had), OK);
    const uint8_t *from = whole.data;
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(codec_skip(&whole), OK);
    codec_write_array(&out, claimed);
    buf_append(&out, from, (size_t)(whole.data - from));
    return out;
}

static void every_kind_comes_back_with_its_fields_at_their_limits(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        envelope_t before = filled(&kinds[i], true), after;
        buf_t out = encoded(&kinds[i], true);
        span_t rest = buf_span(&out);
        assert_int_equal(envelope_decode(&rest, &after), OK);
        assert_int_equal(rest.size, 0);
        assert_true(kinds[i].same(&before, &after));
        assert_int_equal(after.kind, kinds[i].code);
        buf_fini(&out);
    }
}

static void what_is_published_fits_into_one_message(void **state)
{
    (void)state;
    static const envelope_kind_t largest[] = {KIND_PUB, KIND_MSG, KIND_ANSWER, KIND_ASK};
    for (size_t i = 0; i < COUNT(kinds); i++)
        for (size_t n = 0; n < COUNT(largest); n++)
            if (kinds[i].code == largest[n]) {
                buf_t out = encoded(&kinds[i], true);
                assert_true(LINK_PREFIX_SIZE + out.size <= WIRE_MESSAGE_MAX);
                buf_fini(&out);
            }
}

static void an_envelope_with_nothing_in_it_comes_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        envelope_t before = {.kind = kinds[i].code}, after;
        buf_t out = {0};
        envelope_encode(&out, &before);
        span_t rest = buf_span(&out);
        int err = envelope_decode(&rest, &after);
        assert_true(err == OK || err == ERR_RANGE); /* a channel's name can't be empty */
        buf_fini(&out);
    }
}

static void missing_fields_at_the_end_are_taken_as_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        buf_t whole = encoded(&kinds[i], false);
        for (uint32_t fields = 0; fields <= kinds[i].fields; fields++) {
            buf_t part = rebuilt(buf_span(&whole), 1 + fields, 1 + fields);
            span_t rest = buf_span(&part);
            envelope_t short_one, full_one = filled(&kinds[i], false);
            memset(&short_one, 0xff, sizeof short_one);
            assert_int_equal(envelope_decode(&rest, &short_one), OK);
            assert_int_equal(rest.size, 0);
            assert_true(kinds[i].same(&short_one, &full_one) == (fields == kinds[i].fields));
            if (fields == 0) {
                envelope_t nothing = {.kind = kinds[i].code};
                assert_true(kinds[i].same(&short_one, &nothing));
            }
            buf_fini(&part);
        }
        buf_fini(&whole);
    }
}

static void fields_that_we_do_not_know_are_passed_over(void **state)
{
    (void)state;
    static const uint8_t later[] = {0xc0, 0x92, 0x01, 0x81, 0xa1, 'k', 0xca, 0, 0, 0, 0};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        buf_t whole = encoded(&kinds[i], false);
        buf_t longer = rebuilt(buf_span(&whole), 1 + kinds[i].fields, 3 + kinds[i].fields);
        buf_append(&longer, later, sizeof later);
        buf_append_span(&longer, buf_span(&whole));
        span_t rest = buf_span(&longer);
        envelope_t want = filled(&kinds[i], false), first, second;
        assert_int_equal(envelope_decode(&rest, &first), OK);
        assert_int_equal(envelope_decode(&rest, &second), OK);
        assert_int_equal(rest.size, 0);
        assert_true(kinds[i].same(&want, &first) && kinds[i].same(&want, &second));
        buf_fini(&longer);
        buf_fini(&whole);
    }
}

static void an_unknown_kind_is_passed_over_and_the_next_is_read(void **state)
{
    (void)state;
    static const uint8_t unknown[] = {0x93, 0xcd, 0x10, 0x00, 0xa1, 'x', 0x91, 0x91, 0xc0};
    buf_t out = {0};
    envelope_t beat = {.kind = KIND_BEAT, .beat = {7}}, got;
    buf_append(&out, unknown, sizeof unknown);
    envelope_encode(&out, &beat);
    span_t rest = buf_span(&out);
    assert_int_equal(envelope_decode(&rest, &got), ERR_UNKNOWN);
    assert_int_equal(envelope_decode(&rest, &got), OK);
    assert_int_equal(got.beat.last, 7);
    buf_fini(&out);
}

static void an_envelope_that_is_cut_anywhere_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        buf_t whole = encoded(&kinds[i], false);
        for (size_t size = 0; size < whole.size; size++) {
            uint8_t *exact = mem_new(size + !size); /* so that a sanitizer sees the end */
            memcpy(exact, whole.data, size);
            span_t rest = span_new(exact, size);
            envelope_t got;
            assert_int_equal(envelope_decode(&rest, &got), ERR_TRUNCATED);
            mem_free(exact);
        }
        buf_fini(&whole);
    }
}

static void a_field_of_another_type_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        buf_t whole = encoded(&kinds[i], false);
        for (uint32_t field = 0; field <= kinds[i].fields; field++) { /* 0 is the kind itself */
            buf_t wrong = rebuilt(buf_span(&whole), field, field + 1);
            buf_append_byte(&wrong, 0xc3);
            span_t rest = buf_span(&wrong);
            envelope_t got;
            assert_int_equal(envelope_decode(&rest, &got), ERR_TYPE);
            buf_fini(&wrong);
        }
        buf_fini(&whole);
    }
}

static int decode_one_field(envelope_kind_t kind, span_t value, bool binary)
{
    buf_t out = {0};
    codec_write_array(&out, 2);
    codec_write_uint(&out, kind);
    if (binary)
        codec_write_data(&out, value);
    else
        codec_write_text(&out, value);
    span_t rest = buf_span(&out);
    envelope_t got;
    int err = envelope_decode(&rest, &got);
    buf_fini(&out);
    return err;
}

static void a_field_over_its_limit_is_refused(void **state)
{
    (void)state;
    assert_int_equal(decode_one_field(KIND_SEEK, span_new(bytes, CLUSTER_MAX), false), OK);
    assert_int_equal(decode_one_field(KIND_SEEK, span_new(bytes, CLUSTER_MAX + 1), false), ERR_TOO_BIG);
    assert_int_equal(decode_one_field(KIND_BYE, span_new(bytes, REASON_MAX + 1), false), ERR_TOO_BIG);
    assert_int_equal(decode_one_field(KIND_UNSUB, span_new(bytes, CHANNEL_NAME_MAX + 1), false), ERR_TOO_BIG);
    assert_int_equal(decode_one_field(KIND_SEEK, span_new(bytes, 3), true), ERR_TYPE);
}

static void a_channel_must_have_a_channels_name(void **state)
{
    (void)state;
    assert_int_equal(decode_one_field(KIND_SUB, SPAN("chat:1"), false), OK);
    assert_int_equal(decode_one_field(KIND_SUB, SPAN(""), false), ERR_RANGE);
    assert_int_equal(decode_one_field(KIND_SUB, SPAN("a b"), false), ERR_MALFORMED);
    assert_int_equal(decode_one_field(KIND_SUB, SPAN("a\0b"), false), ERR_MALFORMED);
}

static void what_is_no_envelope_is_refused(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[12];
        size_t size;
        int err;
    } cases[] = {
        {{0x90}, 1, ERR_MALFORMED},
        {{0xc0}, 1, ERR_TYPE},
        {{0x81, 0x06, 0x01}, 3, ERR_TYPE},
        {{0xc1}, 1, ERR_MALFORMED},
        {{0xdd, 0xff, 0xff, 0xff, 0xff}, 5, ERR_TRUNCATED},
        {{0xdd, 0xff, 0xff, 0xff, 0xff, 0x06, 0x01}, 7, ERR_TRUNCATED},
        {{0x92, 0x63, 0xdd, 0xff, 0xff, 0xff, 0xff}, 7, ERR_TRUNCATED},
        {{0x92, 0x63, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x01}, 12, ERR_DEPTH},
        {{0x92, 0xff, 0x01}, 3, ERR_RANGE},
        {{0x92, 0x06, 0xff}, 3, ERR_RANGE},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        span_t rest = span_new(cases[i].bytes, cases[i].size);
        envelope_t got;
        assert_int_equal(envelope_decode(&rest, &got), cases[i].err);
    }
}

static void any_bytes_are_read_to_an_end(void **state)
{
    (void)state;
    random_t random = {7};
    for (int round = 0; round < 20000; round++) {
        size_t size = random_below(&random, 64);
        uint8_t *exact = mem_new(size + !size);
        for (size_t i = 0; i < size; i++)
            exact[i] = (uint8_t)random_next(&random);
        if (size > 2) {
            exact[0] = (uint8_t)(0x90 + random_below(&random, 16));
            exact[1] = (uint8_t)random_below(&random, 30);
        }
        span_t rest = span_new(exact, size);
        envelope_t got;
        for (int err = OK; rest.size && (err == OK || err == ERR_UNKNOWN);) {
            size_t before = rest.size;
            err = envelope_decode(&rest, &got);
            assert_true(rest.size <= before);
            if (err == OK || err == ERR_UNKNOWN)
                assert_true(rest.size < before);
        }
        mem_free(exact);
    }
}

static void kinds_have_names_and_know_their_layer(void **state)
{
    (void)state;
    assert_string_equal(envelope_kind_name(KIND_PUB), "PUB");
    assert_string_equal(envelope_kind_name(KIND_SUB_OK), "SUB_OK");
    assert_string_equal(envelope_kind_name(0), "?");
    assert_string_equal(envelope_kind_name(4000000000u), "?");
    for (size_t i = 0; i < COUNT(kinds); i++)
        assert_int_equal(envelope_is_link(kinds[i].code), kinds[i].link);
}

/* --- the header --- */

static const link_header_t some = {WIRE_VERSION, UINT64_MAX, 2, 3, 0xff, 1ull << 40};

static void a_header_comes_back_behind_its_topic(void **state)
{
    (void)state;
    uint8_t out[LINK_PREFIX_SIZE + 1] = {0};
    link_header_t got;
    uint64_t topic = 0;
    link_header_write(out, HELLO_TOPIC, &some);
    assert_memory_equal(out, "heddle?!", 8);
    span_t rest = span_new(out, sizeof out);
    assert_int_equal(link_header_read(&rest, &topic, &got), OK);
    assert_int_equal(rest.size, 1);
    assert_true(topic == HELLO_TOPIC);
    assert_memory_equal(&got, &some, sizeof got);
}

static void a_header_that_is_cut_anywhere_is_truncated(void **state)
{
    (void)state;
    uint8_t out[LINK_PREFIX_SIZE];
    link_header_write(out, 1, &some);
    for (size_t size = 0; size < sizeof out; size++) {
        span_t rest = span_new(out, size);
        link_header_t got;
        uint64_t topic;
        assert_int_equal(link_header_read(&rest, &topic, &got), ERR_TRUNCATED);
    }
}

static int read_header(const uint8_t *header, size_t size, link_header_t *out)
{
    uint8_t whole[64] = {0};
    uint64_t topic;
    memcpy(whole + LINK_TOPIC_SIZE, header, size);
    span_t rest = span_new(whole, LINK_TOPIC_SIZE + size);
    int err = link_header_read(&rest, &topic, out);
    if (!err)
        assert_int_equal(rest.size, 0);
    return err;
}

static void a_header_may_be_narrow_and_may_have_more_fields(void **state)
{
    (void)state;
    static const uint8_t narrow[] = {0x96, 1, 2, 3, 4, 5, 6},
                         longer[] = {0x98, 1, 2, 3, 4, 5, 6, 0xa1, 'x', 0x90};
    link_header_t got, want = {1, 2, 3, 4, 5, 6};
    assert_int_equal(read_header(narrow, sizeof narrow, &got), OK);
    assert_memory_equal(&got, &want, sizeof got);
    assert_int_equal(read_header(longer, sizeof longer, &got), OK);
    assert_memory_equal(&got, &want, sizeof got);
}

static void a_header_of_another_version_is_known_whatever_follows(void **state)
{
    (void)state;
    static const uint8_t short_one[] = {0x91, 2}, other[] = {0x93, 0xcd, 1, 1, 0xc0, 0xa0}, none[] = {0x90},
                         missing[] = {0x95, 1, 2, 3, 4, 5};
    link_header_t got;
    assert_int_equal(read_header(short_one, sizeof short_one, &got), ERR_VERSION);
    assert_int_equal(got.version, 2);
    assert_int_equal(read_header(other, sizeof other, &got), ERR_VERSION);
    assert_int_equal(got.version, 257);
    assert_int_equal(read_header(none, sizeof none, &got), ERR_MALFORMED);
    assert_int_equal(read_header(missing, sizeof missing, &got), ERR_MALFORMED);
}

int main(void)
{
    memset(bytes, 'x', sizeof bytes);
    memset(list, 1, sizeof list);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_comes_back_with_its_fields_at_their_limits),
        cmocka_unit_test(what_is_published_fits_into_one_message),
        cmocka_unit_test(an_envelope_with_nothing_in_it_comes_back),
        cmocka_unit_test(missing_fields_at_the_end_are_taken_as_nothing),
        cmocka_unit_test(fields_that_we_do_not_know_are_passed_over),
        cmocka_unit_test(an_unknown_kind_is_passed_over_and_the_next_is_read),
        cmocka_unit_test(an_envelope_that_is_cut_anywhere_is_refused),
        cmocka_unit_test(a_field_of_another_type_is_refused),
        cmocka_unit_test(a_field_over_its_limit_is_refused),
        cmocka_unit_test(a_channel_must_have_a_channels_name),
        cmocka_unit_test(what_is_no_envelope_is_refused),
        cmocka_unit_test(any_bytes_are_read_to_an_end),
        cmocka_unit_test(kinds_have_names_and_know_their_layer),
        cmocka_unit_test(a_header_comes_back_behind_its_topic),
        cmocka_unit_test(a_header_that_is_cut_anywhere_is_truncated),
        cmocka_unit_test(a_header_may_be_narrow_and_may_have_more_fields),
        cmocka_unit_test(a_header_of_another_version_is_known_whatever_follows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
