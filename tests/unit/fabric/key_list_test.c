#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <dirent.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "fabric/curve.h"
#include "fabric/key_list.h"

#define KEYS 4

/* A directory of key files, and the list that is made from it. */
static struct world {
    char directory[64];
    char keys[KEYS][KEY_TEXT_SIZE + 1];
    char own[KEY_TEXT_SIZE + 1];
    key_list_t *list;
    key_list_changes_t changes;
    buf_t why;
} world;

static void path_of(const char *file, char out[512])
{
    snprintf(out, 512, "%s/%s", world.directory, file);
}

static void put_text(const char *file, const char *text)
{
    char path[512];
    path_of(file, path);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
}

static void put(const char *file, const char *key, roles_t roles)
{
    key_file_t content = {.half = KEY_PUBLIC, .name = "somebody", .roles = roles};
    buf_t text = {0};
    memcpy(content.key, key, sizeof content.key);
    key_file_write(&content, NULL, &text);
    put_text(file, buf_text(&text));
    buf_fini(&text);
}

static void take_away(const char *file)
{
    char path[512];
    path_of(file, path);
    assert_int_equal(unlink(path), 0);
}

static int load(void)
{
    buf_clear(&world.why);
    return key_list_load(world.list, world.directory, &world.changes, &world.why);
}

static uint32_t number(int key)
{
    return key_list_find(world.list, span_str(world.keys[key]));
}

static int set_up(void **state)
{
    (void)state;
    char secret[KEY_TEXT_SIZE + 1];
    world = (struct world){.directory = "/tmp/heddle-keys-XXXXXX"};
    for (int i = 0; i < KEYS; i++)
        curve_generate(world.keys[i], secret);
    curve_generate(world.own, secret);
    world.list = key_list_new(world.own);
    return mkdtemp(world.directory) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    DIR *directory = opendir(world.directory);
    for (struct dirent *item; (item = readdir(directory)) != NULL;) {
        if (item->d_name[0] != '.')
            take_away(item->d_name);
    }
    closedir(directory);
    key_list_destroy(&world.list);
    buf_fini(&world.why);
    return rmdir(world.directory);
}

static void the_relays_own_key_needs_no_file(void **state)
{
    (void)state;
    assert_int_equal(load(), OK);
    assert_int_equal(key_list_find(world.list, span_str(world.own)), KEY_NUMBER_RELAYS);
    assert_int_equal(key_list_roles(world.list, KEY_NUMBER_RELAYS), roles_of(ROLE_RELAY));
    put("relay.key.pub", world.own, roles_of(ROLE_EDGE));
    assert_int_equal(load(), OK);
    assert_int_equal(key_list_roles(world.list, KEY_NUMBER_RELAYS), roles_of(ROLE_RELAY));
    assert_int_equal(world.changes.count, 0);
}

static void keys_come_and_go_with_their_files(void **state)
{
    (void)state;
    put("a.pub", world.keys[0], roles_of(ROLE_EDGE));
    put("b.pub", world.keys[1], roles_of(ROLE_TOOL));
    assert_int_equal(load(), OK);
    assert_int_equal(world.changes.count, 2);
    assert_int_equal(world.changes.added, 2);
    assert_int_equal(world.changes.revoked, 0);
    assert_int_equal(key_list_roles(world.list, number(0)), roles_of(ROLE_EDGE));
    assert_string_equal(key_list_name(world.list, number(0)), "somebody");
    assert_int_equal(number(2), KEY_NUMBER_NONE);
    take_away("a.pub");
    put("c.pub", world.keys[2], roles_of(ROLE_EDGE));
    assert_int_equal(load(), OK);
    assert_int_equal(world.changes.added, 1);
    assert_int_equal(world.changes.revoked, 1);
    assert_int_equal(number(0), KEY_NUMBER_NONE);
    assert_int_not_equal(number(2), KEY_NUMBER_NONE);
    assert_int_equal(load(), OK);
    assert_int_equal(world.changes.added + world.changes.revoked, 0);
}

/* A message may carry it still. */
static void a_number_never_means_another_key(void **state)
{
    (void)state;
    put("a.pub", world.keys[0], roles_of(ROLE_EDGE));
    assert_int_equal(load(), OK);
    uint32_t first = number(0);
    take_away("a.pub");
    put("b.pub", world.keys[1], roles_of(ROLE_EDGE));
    assert_int_equal(load(), OK);
    assert_int_not_equal(number(1), first);
    assert_int_equal(key_list_roles(world.list, first), ROLES_NONE);
    put("a.pub", world.keys[0], roles_of(ROLE_TOOL));
    assert_int_equal(load(), OK);
    assert_int_equal(number(0), first);
    assert_int_equal(key_list_roles(world.list, first), roles_of(ROLE_TOOL));
}

static void a_role_that_is_taken_away_is_a_revocation(void **state)
{
    (void)state;
    put("a.pub", world.keys[0], roles_of(ROLE_EDGE) | roles_of(ROLE_TOOL));
    assert_int_equal(load(), OK);
    put("a.pub", world.keys[0], roles_of(ROLE_TOOL) | roles_of(ROLE_BRIDGE));
    assert_int_equal(load(), OK);
    assert_int_equal(world.changes.added, 1);
    assert_int_equal(world.changes.revoked, 1);
}

static void one_bad_file_and_the_old_list_stays(void **state)
{
    (void)state;
    put("a.pub", world.keys[0], roles_of(ROLE_EDGE));
    assert_int_equal(load(), OK);
    take_away("a.pub");
    put("b.pub", world.keys[1], roles_of(ROLE_EDGE));
    put_text("c.pub", "heddle public key 1\nkey: short\n");
    assert_int_not_equal(load(), OK);
    assert_non_null(strstr(buf_text(&world.why), "/c.pub:2: key: "));
    assert_int_not_equal(number(0), KEY_NUMBER_NONE);
    assert_int_equal(number(1), KEY_NUMBER_NONE);
}

static void the_same_key_in_two_files_is_a_fault(void **state)
{
    (void)state;
    put("a.pub", world.keys[0], roles_of(ROLE_EDGE));
    put("b.pub", world.keys[0], roles_of(ROLE_TOOL));
    assert_int_equal(load(), ERR_DUPLICATE);
    assert_non_null(strstr(buf_text(&world.why), "/b.pub: the same key"));
    assert_int_equal(number(0), KEY_NUMBER_NONE);
}

static void a_secret_key_in_the_directory_is_a_fault(void **state)
{
    (void)state;
    key_file_t content = {.half = KEY_SECRET, .name = "oops"};
    buf_t text = {0};
    memcpy(content.key, world.keys[0], sizeof content.key);
    key_file_write(&content, NULL, &text);
    put_text("a.pub", buf_text(&text));
    buf_fini(&text);
    assert_int_equal(load(), ERR_TYPE);
}

static void other_files_are_passed_over(void **state)
{
    (void)state;
    put_text("README", "not a key");
    put_text("a.pub.bak", "not a key");
    put_text("pub", "not a key");
    assert_int_equal(load(), OK);
    assert_int_equal(world.changes.count, 0);
}

static void a_directory_that_is_none_is_told(void **state)
{
    (void)state;
    assert_int_equal(key_list_load(world.list, "/nowhere/keys", &world.changes, &world.why), ERR_IO);
    assert_non_null(strstr(buf_text(&world.why), "/nowhere/keys: No such file"));
}

static void any_number_may_be_asked_for(void **state)
{
    (void)state;
    assert_int_equal(key_list_roles(world.list, 77), ROLES_NONE);
    assert_int_equal(key_list_roles(world.list, KEY_NUMBER_NONE), ROLES_NONE);
    assert_string_equal(key_list_name(world.list, 77), "?");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_relays_own_key_needs_no_file),         TEST(keys_come_and_go_with_their_files),
        TEST(a_number_never_means_another_key),         TEST(a_role_that_is_taken_away_is_a_revocation),
        TEST(one_bad_file_and_the_old_list_stays),      TEST(the_same_key_in_two_files_is_a_fault),
        TEST(a_secret_key_in_the_directory_is_a_fault), TEST(other_files_are_passed_over),
        TEST(a_directory_that_is_none_is_told),         TEST(any_number_may_be_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
