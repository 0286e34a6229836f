#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "protocol/json.h"
#include "protocol/token.h"
#include "tests/unit/cli/command_output.h"

static command_output_t output;

#define RUN(...) command_run(&output, cli_token_run, (char *[]){"token", __VA_ARGS__, NULL})

static void assert_says(buf_t *text, const char *part)
{
    if (!strstr(buf_text(text), part))
        fail_msg("'%s' is not in:\n%s", part, buf_text(text));
}

static int tear_down(void **state)
{
    (void)state;
    command_output_fini(&output);
    return 0;
}

/* Makes a token and takes its line without the line's end. */
static char *made(void)
{
    static char token[TOKEN_LIMIT + 1];
    assert_int_equal(output.exit_code, CLI_OK);
    snprintf(token, sizeof token, "%s", buf_text(&output.out));
    token[strcspn(token, "\n")] = '\0';
    return token;
}

static void a_made_token_is_one_that_edges_accept(void **state)
{
    (void)state;
    RUN("make", "--secret", "s3cret", "--user", "42", "--channel", "chat:1", "--client", "c\"1", "--info",
        "{\"n\":1.10}", "--ttl", "5m");
    token_claims_t claims = {0};
    uint64_t now_us = clock_wall_us();
    assert_int_equal(token_check(span_str(made()), SPAN("s3cret"), now_us, &claims), OK);
    assert_true(span_is(claims.user, "42"));
    assert_true(span_is(claims.channel, "chat:1"));
    assert_true(span_is(claims.client, "c\"1"));
    assert_true(span_is(claims.info, "{\"n\":1.10}"));
    assert_true(claims.expires_us > now_us + 298 * (uint64_t)CLOCK_SEC);
    assert_true(claims.expires_us <= now_us + 300 * (uint64_t)CLOCK_SEC);
    token_fini(&claims);
}

static void a_made_token_is_read_with_its_verdict(void **state)
{
    (void)state;
    RUN("make", "-s", "s3cret", "-u", "42");
    char *token = made();
    RUN("read", token);
    assert_int_equal(output.exit_code, CLI_OK);
    assert_says(&output.out, "\"sub\":\"42\"");
    assert_says(&output.out, "not done: no secret was given");
    RUN("read", token, "-s", "s3cret");
    assert_int_equal(output.exit_code, CLI_OK);
    assert_says(&output.out, "check    good");
    RUN("read", token, "-s", "another");
    assert_int_equal(output.exit_code, CLI_FAILED);
    assert_says(&output.out, "the signature does not match");
}

static void json_output_is_json(void **state)
{
    (void)state;
    json_value_t value;
    json_value_t member;
    RUN("make", "-s", "s3cret", "-u", "42", "--json");
    assert_int_equal(json_parse(buf_span(&output.out), &value), OK);
    assert_true(json_get(&value, "token", &member) && json_get(&value, "expires", &member));
    RUN("make", "-s", "s3cret", "-u", "42");
    RUN("read", made(), "-s", "no", "--json");
    assert_int_equal(json_parse(buf_span(&output.out), &value), OK);
    assert_true(json_get(&value, "good", &member));
    assert_true(span_is(member.raw, "false"));
}

static void a_secret_file_is_read_without_its_line_end(void **state)
{
    (void)state;
    char path[] = "/tmp/heddle-token-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "s3cret\r\n", 8), 8);
    close(fd);
    RUN("make", "--secret-file", path, "-u", "42");
    RUN("read", made(), "-s", "s3cret");
    assert_int_equal(output.exit_code, CLI_OK);
    unlink(path);
    RUN("make", "--secret-file", path, "-u", "42");
    assert_int_equal(output.exit_code, CLI_USAGE);
}

static void what_no_edge_would_accept_is_not_made(void **state)
{
    (void)state;
    static const struct {
        char *words[8];
        const char *says;
    } cases[] = {
        {{"make", "-u", "42"}, "needs --secret or --secret-file"},
        {{"make", "-s", "x"}, "needs --user"},
        {{"make", "-s", "", "-u", "42"}, "the secret is empty"},
        {{"make", "-s", "x", "-S", "y", "-u", "42"}, "exclude each other"},
        {{"make", "-s", "x", "-u", "42", "-c", "a b"}, "not the name of a channel"},
        {{"make", "-s", "x", "-u", "42", "-i", "{n:1}"}, "--info is not JSON"},
        {{"make", "-s", "x", "-u", "42", "-t", "10ms"}, "shorter than a second"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *words[9] = {"token"};
        memcpy(words + 1, cases[i].words, sizeof cases[i].words);
        command_run(&output, cli_token_run, words);
        assert_int_equal(output.exit_code, CLI_USAGE);
        assert_says(&output.err, cases[i].says);
        assert_int_equal(output.out.size, 0);
    }
}

static void what_is_no_token_is_told(void **state)
{
    (void)state;
    RUN("read", "hello");
    assert_int_equal(output.exit_code, CLI_FAILED);
    assert_says(&output.err, "this is no token");
}

static void an_unknown_word_is_told_with_the_nearest_one(void **state)
{
    (void)state;
    RUN("mkae");
    assert_int_equal(output.exit_code, CLI_USAGE);
    assert_says(&output.err, "did you mean 'make'?");
    RUN("--help");
    assert_int_equal(output.exit_code, CLI_OK);
    assert_says(&output.out, "makes a token");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_made_token_is_one_that_edges_accept, tear_down),
        cmocka_unit_test_teardown(a_made_token_is_read_with_its_verdict, tear_down),
        cmocka_unit_test_teardown(json_output_is_json, tear_down),
        cmocka_unit_test_teardown(a_secret_file_is_read_without_its_line_end, tear_down),
        cmocka_unit_test_teardown(what_no_edge_would_accept_is_not_made, tear_down),
        cmocka_unit_test_teardown(what_is_no_token_is_told, tear_down),
        cmocka_unit_test_teardown(an_unknown_word_is_told_with_the_nearest_one, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
