#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "fabric/roles.h"

#define EDGE   roles_of(ROLE_EDGE)
#define RELAY  roles_of(ROLE_RELAY)
#define BRIDGE roles_of(ROLE_BRIDGE)
#define TOOL   roles_of(ROLE_TOOL)

static void a_list_of_roles_is_read_and_written(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        roles_t roles;
    } rows[] = {
        {"edge", 1u << ROLE_EDGE},
        {"relay tool", 1u << ROLE_RELAY | 1u << ROLE_TOOL},
        {"edge relay bridge tool", 1u << ROLE_EDGE | 1u << ROLE_RELAY | 1u << ROLE_BRIDGE | 1u << ROLE_TOOL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        roles_t roles;
        buf_t text = {0};
        assert_int_equal(roles_parse(span_str(rows[i].text), &roles), OK);
        assert_int_equal(roles, rows[i].roles);
        roles_write(roles, &text);
        assert_string_equal(buf_text(&text), rows[i].text);
        buf_fini(&text);
    }
}

static void a_list_with_a_mistake_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int err;
    } rows[] = {
        {"", ERR_MALFORMED},    {" ", ERR_UNKNOWN},           {"edge ", ERR_UNKNOWN},
        {" edge", ERR_UNKNOWN}, {"edge  tool", ERR_UNKNOWN},  {"edge,tool", ERR_UNKNOWN},
        {"Edge", ERR_UNKNOWN},  {"edge edge", ERR_DUPLICATE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        roles_t roles;
        assert_int_equal(roles_parse(span_str(rows[i].text), &roles), rows[i].err);
    }
}

static void a_number_off_the_wire_that_is_no_role_is_none(void **state)
{
    (void)state;
    assert_int_equal(roles_of(0), ROLES_NONE);
    assert_int_equal(roles_of(5), ROLES_NONE);
    assert_int_equal(roles_of(UINT64_MAX), ROLES_NONE);
    assert_false(role_may_say((node_role_t)0, KIND_PUB));
    assert_string_equal(roles_name((node_role_t)0), "?");
}

static roles_t who_may_say(envelope_kind_t kind)
{
    roles_t roles = ROLES_NONE;
    for (unsigned role = ROLE_EDGE; role <= ROLE_TOOL; role++)
        roles |= role_may_say((node_role_t)role, kind) ? roles_of(role) : ROLES_NONE;
    return roles;
}

static void each_kind_is_for_those_who_need_it(void **state)
{
    (void)state;
    assert_int_equal(who_may_say(KIND_PUB), EDGE | RELAY | BRIDGE | TOOL);
    assert_int_equal(who_may_say(KIND_SUB), EDGE | RELAY | BRIDGE | TOOL);
    assert_int_equal(who_may_say(KIND_ASK), EDGE | RELAY | BRIDGE | TOOL);
    assert_int_equal(who_may_say(KIND_ANSWER), EDGE | RELAY | BRIDGE);
    assert_int_equal(who_may_say(KIND_JOIN), EDGE | RELAY);
    assert_int_equal(who_may_say(KIND_MSG), RELAY);
    assert_int_equal(who_may_say(KIND_FORWARD), RELAY);
    assert_int_equal(who_may_say(KIND_COPY), RELAY);
    assert_int_equal(who_may_say(KIND_INSTALL), RELAY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_of_roles_is_read_and_written),
        cmocka_unit_test(a_list_with_a_mistake_is_refused),
        cmocka_unit_test(a_number_off_the_wire_that_is_no_role_is_none),
        cmocka_unit_test(each_kind_is_for_those_who_need_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
