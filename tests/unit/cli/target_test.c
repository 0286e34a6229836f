#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "cli/command.h"
#include "cli/target.h"

static const cli_options_t set = {.command = "heddle test"};

static void an_error_has_the_exit_code_that_scripts_go_by(void **state)
{
    (void)state;
    static const struct {
        int err, code;
    } rows[] = {
        {OK, CLI_OK},
        {ERR_MALFORMED, CLI_USAGE},
        {ERR_UNKNOWN, CLI_USAGE},
        {ERR_UNAVAILABLE, CLI_UNREACHABLE},
        {ERR_NOT_FOUND, CLI_UNREACHABLE},
        {ERR_TIMEOUT, CLI_UNREACHABLE},
        {ERR_DENIED, CLI_FAILED},
        {ERR_CLOSED, CLI_FAILED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        buf_t why = {0};
        assert_int_equal(cli_target_exit(&set, rows[i].err, &why), rows[i].code);
        buf_fini(&why);
    }
}

static void an_edge_is_told_from_a_relay(void **state)
{
    (void)state;
    assert_true(cli_target_is_edge("ws://127.0.0.1:8000"));
    assert_false(cli_target_is_edge("tcp://127.0.0.1:7700"));
    assert_false(cli_target_is_edge("ws:"));
    assert_false(cli_target_is_edge(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_has_the_exit_code_that_scripts_go_by),
        cmocka_unit_test(an_edge_is_told_from_a_relay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
