#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/secret_file.h"

/* What is read from a file of this text, behind "before:". */
static int read_back(const void *text, size_t size, buf_t *out)
{
    char path[] = "/tmp/heddle-secret-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, size), size);
    close(fd);
    buf_append_str(out, "before:");
    int err = secret_file_read(path, out);
    unlink(path);
    return err;
}

static void one_line_end_does_not_count(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", "before:"},         {"a", "before:a"}, {"a\n", "before:a"},     {"a\r\n", "before:a"},
        {"a\n\n", "before:a\n"}, {"\n", "before:"}, {" a \n", "before: a "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        buf_t out = {0};
        assert_int_equal(read_back(rows[i][0], strlen(rows[i][0]), &out), OK);
        assert_string_equal(buf_text(&out), rows[i][1]);
        buf_fini(&out);
    }
}

static void what_is_too_long_for_a_secret_is_refused_and_not_kept(void **state)
{
    (void)state;
    static uint8_t text[SECRET_FILE_LIMIT + 1];
    memset(text, 's', sizeof text);
    buf_t out = {0};
    assert_int_equal(read_back(text, sizeof text, &out), ERR_TOO_BIG);
    assert_true(span_is(buf_span(&out), "before:"));
    assert_null(memchr(out.data, 's', out.size + sizeof text));
    buf_clear(&out);
    assert_int_equal(read_back(text, SECRET_FILE_LIMIT, &out), OK);
    assert_int_equal(out.size, strlen("before:") + SECRET_FILE_LIMIT);
    buf_fini(&out);
}

static void a_file_that_cannot_be_read_is_an_error(void **state)
{
    (void)state;
    buf_t out = {0};
    assert_int_equal(secret_file_read("/nonexistent/secret", &out), ERR_IO);
    assert_int_equal(secret_file_read("/tmp", &out), ERR_IO); /* a folder opens, and is no file */
    assert_int_equal(out.size, 0);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_line_end_does_not_count),
        cmocka_unit_test(what_is_too_long_for_a_secret_is_refused_and_not_kept),
        cmocka_unit_test(a_file_that_cannot_be_read_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
