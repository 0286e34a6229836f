/* The messages of tests/vectors: as C writes them, and as Python's msgpack does, which chooses other widths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/err.h"
#include "protocol/envelope.h"

#define VECTORS_MAX 64u

typedef struct vector {
    char name[64];
    uint8_t bytes[1024];
    size_t size;
} vector_t;

static size_t read_vectors(const char *path, vector_t *out)
{
    static char line[4096];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t count = 0;
    for (; fgets(line, sizeof line, file); count++) {
        assert_true(count < VECTORS_MAX);
        vector_t *vector = &out[count];
        int at = 0;
        unsigned byte;
        assert_int_equal(sscanf(line, "%63s %n", vector->name, &at), 1);
        vector->size = 0;
        for (; sscanf(line + at, "%2x", &byte) == 1; at += 2) {
            assert_true(vector->size < sizeof vector->bytes);
            vector->bytes[vector->size++] = (uint8_t)byte;
        }
    }
    fclose(file);
    return count;
}

/* Reads a whole message, and writes it again as this side would. */
static void rewrite(const vector_t *vector, buf_t *out)
{
    span_t rest = span_new(vector->bytes, vector->size);
    link_header_t header;
    envelope_t envelope;
    uint64_t topic;
    assert_int_equal(link_header_read(&rest, &topic, &header), OK);
    link_header_write(buf_reserve(out, LINK_PREFIX_SIZE), topic, &header);
    buf_advance(out, LINK_PREFIX_SIZE);
    while (rest.size) {
        assert_int_equal(envelope_decode(&rest, &envelope), OK);
        envelope_encode(out, &envelope);
    }
}

static void messages_of_both_writers_say_the_same(void **state)
{
    (void)state;
    static vector_t ours[VECTORS_MAX], theirs[VECTORS_MAX];
    size_t count = read_vectors(TEST_SOURCE_DIR "/vectors/wire.hex", ours);
    assert_true(count > 20);
    assert_int_equal(read_vectors(TEST_SOURCE_DIR "/vectors/python.hex", theirs), count);
    for (size_t i = 0; i < count; i++) {
        buf_t from_ours = {0}, from_theirs = {0};
        assert_string_equal(ours[i].name, theirs[i].name);
        rewrite(&ours[i], &from_ours);
        rewrite(&theirs[i], &from_theirs);
        assert_true(span_eq(buf_span(&from_ours), span_new(ours[i].bytes, ours[i].size)));
        assert_true(span_eq(buf_span(&from_theirs), buf_span(&from_ours)));
        buf_fini(&from_ours);
        buf_fini(&from_theirs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(messages_of_both_writers_say_the_same)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
