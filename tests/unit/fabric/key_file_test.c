#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "fabric/key_file.h"

#define KEY "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7" /* of rfc.zeromq.org/spec/26 */

static buf_t why;

static int parse(key_file_t *out, const char *text)
{
    buf_clear(&why);
    return key_file_parse(out, "k", span_str(text), &why);
}

static int clean_up(void **state)
{
    (void)state;
    buf_fini(&why);
    return 0;
}

static void both_halves_are_read(void **state)
{
    (void)state;
    key_file_t file;
    assert_int_equal(parse(&file, "heddle public key 1\nkey: " KEY "\nname: edge-1\nroles: edge tool\n"), OK);
    assert_int_equal(file.half, KEY_PUBLIC);
    assert_string_equal(file.key, KEY);
    assert_string_equal(file.name, "edge-1");
    assert_int_equal(file.roles, roles_of(ROLE_EDGE) | roles_of(ROLE_TOOL));
    assert_int_equal(parse(&file, "heddle secret key 1\nname: edge-1\nkey: " KEY), OK);
    assert_int_equal(file.half, KEY_SECRET);
    assert_int_equal(file.roles, ROLES_NONE);
    assert_int_equal(why.size, 0);
}

static void comments_empty_lines_and_foreign_line_ends_are_fine(void **state)
{
    (void)state;
    key_file_t file;
    assert_int_equal(parse(&file, "heddle public key 1\r\n# roles: relay\r\n\r\nkey: " KEY
                                  "\r\nroles: edge\r\ncomment: anything: at # all\r\nname: e\r\n"),
                     OK);
    assert_int_equal(file.roles, roles_of(ROLE_EDGE));
}

static void what_is_written_is_read_again(void **state)
{
    (void)state;
    key_file_t before = {.half = KEY_PUBLIC, .key = KEY, .name = "bench-7", .roles = roles_of(ROLE_TOOL)},
               after;
    for (before.half = KEY_PUBLIC; before.half <= KEY_SECRET; before.half++) {
        buf_t text = {0};
        key_file_write(&before, "made for a test", &text);
        assert_int_equal(parse(&after, buf_text(&text)), OK);
        assert_int_equal(after.half, before.half);
        assert_string_equal(after.key, before.key);
        assert_string_equal(after.name, before.name);
        assert_int_equal(after.roles, before.half == KEY_PUBLIC ? before.roles : ROLES_NONE);
        buf_fini(&text);
    }
}

#define PUBLIC "heddle public key 1\n"
#define GOOD   PUBLIC "key: " KEY "\nname: e\nroles: edge\n"

static void each_mistake_is_told_with_its_line_and_without_the_key(void **state)
{
    (void)state;
    static const struct {
        const char *text, *told;
    } rows[] = {
        {"", "k:1: not a key file"},
        {"\n" GOOD, "k:1: not a key file"},
        {"heddle public key 2\n", "k:1: not a key file"},
        {"heddle public key 1 \n", "k:1: not a key file"},
        {PUBLIC "key: " KEY "x\n", "k:2: key: not a key"},
        {PUBLIC "key: \n", "k:2: key: not a key"},
        {PUBLIC "key:" KEY "\n", "k:2: expected one of the fields"},
        {PUBLIC " key: " KEY "\n", "k:2: expected one of the fields"},
        {PUBLIC "key: rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf \n", "k:2: key: not a key"},
        {PUBLIC "key: ########################################\n", "k:2: key: not a key"},
        {GOOD "role: edge\n", "k:5: expected one of the fields"},
        {GOOD "name: f\n", "k:5: 'name' stands twice"},
        {PUBLIC "name: a b\n", "k:2: name: expected 1 to"},
        {PUBLIC "name: \n", "k:2: name: expected 1 to"},
        {PUBLIC "\n\nroles: edges\n", "k:4: roles: expected some of: edge relay bridge tool"},
        {PUBLIC "name: e\nroles: edge\n", "k: 'key' is missing"},
        {PUBLIC "key: " KEY "\nroles: edge\n", "k: 'name' is missing"},
        {PUBLIC "key: " KEY "\nname: e\n", "k: 'roles' is missing"},
        {"heddle secret key 1\nroles: edge\n", "k:2: 'roles' has no place in a secret key"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        key_file_t file;
        assert_int_not_equal(parse(&file, rows[i].text), OK);
        if (!span_starts(buf_span(&why), span_str(rows[i].told)))
            fail_msg("\"%s\" is told as \"%s\"", rows[i].text, buf_text(&why));
        assert_null(strstr(buf_text(&why), "Lns47E"));
    }
}

static void a_name_with_a_nul_in_it_is_refused(void **state)
{
    (void)state;
    key_file_t file;
    static const char text[] = PUBLIC "name: a\0b\n";
    buf_clear(&why);
    assert_int_equal(key_file_parse(&file, "k", span_new(text, sizeof text - 1), &why), ERR_MALFORMED);
}

/* --- files --- */

static int read_with_mode(const char *text, mode_t mode, key_half_t half)
{
    char path[] = "/tmp/heddle-key-XXXXXX";
    key_file_t file;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    buf_clear(&why);
    int err = key_file_read(&file, path, half, &why);
    unlink(path);
    return err;
}

static void a_secret_that_others_may_read_or_change_is_refused(void **state)
{
    (void)state;
    static const char secret[] = "heddle secret key 1\nkey: " KEY "\nname: e\n";
    static const struct {
        mode_t mode;
        int err;
    } rows[] = {{0600, OK},         {0400, OK},         {0640, OK},         {0644, ERR_DENIED},
                {0604, ERR_DENIED}, {0660, ERR_DENIED}, {0602, ERR_DENIED}, {0601, ERR_DENIED}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(read_with_mode(secret, rows[i].mode, KEY_SECRET), rows[i].err);
    assert_int_equal(read_with_mode(GOOD, 0644, KEY_PUBLIC), OK);
}

static void the_other_half_is_refused(void **state)
{
    (void)state;
    assert_int_equal(read_with_mode(GOOD, 0600, KEY_SECRET), ERR_TYPE);
    assert_non_null(strstr(buf_text(&why), "holds a public key, and a secret key is wanted"));
    assert_int_equal(read_with_mode("heddle secret key 1\nkey: " KEY "\nname: e\n", 0600, KEY_PUBLIC),
                     ERR_TYPE);
}

static void a_file_that_is_none_or_too_long_is_told_by_name(void **state)
{
    (void)state;
    static char text[KEY_FILE_LIMIT + 2];
    key_file_t file;
    memset(text, '#', sizeof text - 1);
    buf_clear(&why);
    assert_int_equal(key_file_read(&file, "/nowhere/e.key", KEY_SECRET, &why), ERR_IO);
    assert_true(span_starts(buf_span(&why), SPAN("/nowhere/e.key: ")));
    assert_int_equal(read_with_mode(text, 0600, KEY_PUBLIC), ERR_TOO_BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_halves_are_read),
        cmocka_unit_test(comments_empty_lines_and_foreign_line_ends_are_fine),
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(each_mistake_is_told_with_its_line_and_without_the_key),
        cmocka_unit_test(a_name_with_a_nul_in_it_is_refused),
        cmocka_unit_test(a_secret_that_others_may_read_or_change_is_refused),
        cmocka_unit_test(the_other_half_is_refused),
        cmocka_unit_test(a_file_that_is_none_or_too_long_is_told_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, clean_up);
}
