#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/err.h"
#include "base/mem.h"

/* A sanitizer's allocator would rather end the program than return NULL as malloc(3) does. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__tsan_default_options(void);

const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void new_memory_is_zero(void **state)
{
    (void)state;
    unsigned char *memory = mem_new_n(100, 3);
    for (size_t i = 0; i < 300; i++)
        assert_int_equal(memory[i], 0);
    mem_free(memory);
}

static void nothing_asked_for_is_still_memory_to_free(void **state)
{
    (void)state;
    void *memory[] = {mem_new(0), mem_new_n(0, 8), mem_new_n(8, 0), mem_try(0), mem_grow(NULL, 0, 8)};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++) {
        assert_non_null(memory[i]);
        mem_free(memory[i]);
    }
    mem_free(NULL);
}

static void a_copy_of_a_text_is_its_own(void **state)
{
    (void)state;
    char text[] = "abcdef";
    char *whole = mem_dup(text), *part = mem_dup_n(text, 3), *none = mem_dup_n(NULL, 0);
    text[0] = 'X';
    assert_string_equal(whole, "abcdef");
    assert_string_equal(part, "abc");
    assert_string_equal(none, "");
    assert_null(mem_dup(NULL));
    mem_free(whole);
    mem_free(part);
    mem_free(none);
}

static void growing_keeps_what_is_there(void **state)
{
    (void)state;
    unsigned *numbers = NULL;
    for (unsigned i = 0; i < 1000; i++) {
        numbers = mem_grow(numbers, i + 1, sizeof *numbers);
        numbers[i] = i;
    }
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(numbers[i], i);
    mem_free(numbers);
}

static void a_tried_size_that_is_absurd_gives_null(void **state)
{
    (void)state;
    volatile size_t absurd = SIZE_MAX / 2;
    assert_null(mem_try(absurd));
}

static void every_error_has_its_name_and_its_text(void **state)
{
    (void)state;
    assert_int_equal(OK, 0);
#define CHECK_ROW(name, code, text)             \
    assert_string_equal(err_name(name), #name); \
    assert_string_equal(err_text(code), text);
    ERR_LIST(CHECK_ROW)
#undef CHECK_ROW
}

static void no_two_errors_share_a_code(void **state)
{
    (void)state;
#define CODE(name, code, text) code,
    static const int codes[] = {ERR_LIST(CODE)};
#undef CODE
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(codes[i], codes[j]);
    }
}

static void an_unknown_code_has_a_name_for_the_log(void **state)
{
    (void)state;
    assert_string_equal(err_name(-9999), "ERR_?");
    assert_string_equal(err_name(1), "ERR_?");
    assert_non_null(err_text(-9999));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_memory_is_zero),
        cmocka_unit_test(nothing_asked_for_is_still_memory_to_free),
        cmocka_unit_test(a_copy_of_a_text_is_its_own),
        cmocka_unit_test(growing_keeps_what_is_there),
        cmocka_unit_test(a_tried_size_that_is_absurd_gives_null),
        cmocka_unit_test(every_error_has_its_name_and_its_text),
        cmocka_unit_test(no_two_errors_share_a_code),
        cmocka_unit_test(an_unknown_code_has_a_name_for_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
