#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "edge/auth.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define NOW_US       UINT64_C(1700000000000000)
#define SECRET       "sixteen bytes..."
#define LATER        "\"exp\":1700000100"

static edge_auth_t *opened(bool required)
{
    edge_auth_config_t config = {.hmac_secret = (char[]){SECRET}, .required = required};
    edge_auth_t *auth;
    buf_t why = {0};
    assert_int_equal(edge_auth_open(&auth, &config, &why), OK);
    assert_int_equal(why.size, 0);
    return auth;
}

/* --- opening --- */

static int open_error(edge_auth_config_t config, const char *expected)
{
    edge_auth_t *auth;
    buf_t why = {0};
    int err = edge_auth_open(&auth, &config, &why);
    assert_true((err != OK) == (auth == NULL));
    if (!strstr(buf_text(&why), expected))
        fail_msg("<%s> does not say <%s>", buf_text(&why), expected);
    assert_null(strstr(buf_text(&why), "squirrel"));
    buf_fini(&why);
    edge_auth_destroy(&auth);
    return err;
}

static void a_short_secret_is_refused_and_not_shown(void **state)
{
    (void)state;
    assert_int_equal(open_error((edge_auth_config_t){.hmac_secret = (char[]){"squirrel-15byte"}},
                                "auth.hmac_secret: the secret has 15 bytes and needs at least 16"),
                     ERR_CONFIG);
    assert_int_equal(open_error((edge_auth_config_t){.hmac_secret = (char[]){"squirrel-16bytes"}}, ""), OK);
}

static void two_secrets_are_refused(void **state)
{
    (void)state;
    edge_auth_config_t config = {.hmac_secret = (char[]){SECRET}, .hmac_secret_file = (char[]){"/x"}};
    assert_int_equal(open_error(config, "exclude each other"), ERR_CONFIG);
}

static void required_needs_a_secret(void **state)
{
    (void)state;
    assert_int_equal(open_error((edge_auth_config_t){.required = true}, "auth.required needs"), ERR_CONFIG);
}

static void a_secret_file_that_is_not_there_is_named(void **state)
{
    (void)state;
    edge_auth_config_t config = {.hmac_secret_file = (char[]){"/nonexistent/secret"}};
    assert_int_equal(open_error(config, "/nonexistent/secret: can't be read"), ERR_IO);
}

static int connect_with_file(const void *content, size_t size, buf_t *why)
{
    char path[] = "/tmp/heddle-auth-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, size), (ssize_t)size);
    close(fd);
    edge_auth_config_t config = {.hmac_secret_file = path};
    edge_auth_t *auth;
    int err = edge_auth_open(&auth, &config, why);
    unlink(path);
    if (!err) {
        buf_t token = {0};
        token_make(SPAN("{\"sub\":\"42\"," LATER "}"), SPAN(SECRET), &token);
        edge_identity_t identity;
        err = edge_auth_connect(auth, buf_span(&token), NOW_US, &identity);
        edge_identity_fini(&identity);
        buf_fini(&token);
    }
    edge_auth_destroy(&auth);
    return err;
}

static void a_secret_files_last_line_end_does_not_count(void **state)
{
    (void)state;
    buf_t why = {0};
    assert_int_equal(connect_with_file(SPAN(SECRET).data, sizeof SECRET - 1, &why), OK);
    assert_int_equal(connect_with_file(SPAN(SECRET "\n").data, sizeof SECRET, &why), OK);
    assert_int_equal(connect_with_file(SPAN(SECRET "\r\n").data, sizeof SECRET + 1, &why), OK);
    assert_int_equal(connect_with_file(SPAN(SECRET "\n\n").data, sizeof SECRET + 1, &why), ERR_SIGNATURE);
    buf_fini(&why);
}

static void a_secret_file_too_long_for_a_secret_is_refused(void **state)
{
    (void)state;
    static const char content[4098];
    buf_t why = {0};
    assert_int_equal(connect_with_file(content, 4097, &why), ERR_CONFIG);
    assert_non_null(strstr(buf_text(&why), "too long"));
    buf_fini(&why);
}

/* --- connections --- */

static int connect_with(const edge_auth_t *auth, const char *claims, edge_identity_t *identity)
{
    buf_t token = {0};
    if (claims)
        token_make(span_str(claims), SPAN(SECRET), &token);
    int err = edge_auth_connect(auth, buf_span(&token), NOW_US, identity);
    buf_fini(&token);
    return err;
}

static int connect_verdict(const edge_auth_t *auth, const char *claims)
{
    edge_identity_t identity;
    int err = connect_with(auth, claims, &identity);
    if (err)
        assert_true(!identity.user && !identity.info && !identity.expires_us);
    edge_identity_fini(&identity);
    return err;
}

static void without_a_token_one_is_anonymous_unless_one_is_required(void **state)
{
    (void)state;
    edge_auth_t *open = opened(false), *closed = opened(true);
    edge_identity_t identity;
    assert_int_equal(connect_with(open, NULL, &identity), OK);
    assert_null(identity.user);
    edge_identity_fini(&identity);
    assert_int_equal(connect_verdict(closed, NULL), ERR_DENIED);
    edge_auth_destroy(&open);
    edge_auth_destroy(&closed);
}

static void a_token_says_who_it_is(void **state)
{
    (void)state;
    edge_auth_t *auth = opened(true);
    edge_identity_t identity;
    assert_int_equal(
        connect_with(auth, "{\"sub\":\"42\",\"info\":{\"n\":\n 1.10},\"exp\":1700000100}", &identity), OK);
    assert_string_equal(identity.user, "42");
    assert_string_equal(identity.info, "{\"n\": 1.10}");
    assert_int_equal(identity.expires_us, UINT64_C(1700000100000000));
    edge_identity_fini(&identity);
    assert_int_equal(connect_with(auth, "{" LATER "}", &identity), OK);
    assert_null(identity.user);
    edge_identity_fini(&identity);
    edge_auth_destroy(&auth);
}

static void tokens_that_let_nobody_in(void **state)
{
    (void)state;
    edge_auth_t *auth = opened(false);
    assert_int_equal(connect_verdict(auth, "{\"sub\":\"42\",\"exp\":1600000000}"), ERR_EXPIRED);
    assert_int_equal(connect_verdict(auth, "{\"sub\":\"42\",\"nbf\":1700000090," LATER "}"), ERR_NOT_YET);
    assert_int_equal(connect_verdict(auth, "{\"sub\":\"42\"}"), ERR_TYPE);
    assert_int_equal(connect_verdict(auth, "{\"sub\":\"42\",\"channel\":\"a\"," LATER "}"), ERR_TYPE);
    assert_int_equal(connect_verdict(auth, "{\"sub\":\"42\",\"channel\":\"\"," LATER "}"), ERR_TYPE);
    assert_int_equal(connect_verdict(auth, "{\"sub\":\"admin\\u0000x\"," LATER "}"), ERR_MALFORMED);
    buf_t long_user = {0};
    buf_printf(&long_user, "{\"sub\":\"%0256d\"," LATER "}", 1);
    assert_int_equal(connect_verdict(auth, buf_text(&long_user)), ERR_TOO_BIG);
    buf_fini(&long_user);
    edge_identity_t identity;
    assert_int_equal(edge_auth_connect(auth, SPAN("a.b.c"), NOW_US, &identity), ERR_MALFORMED);
    edge_auth_destroy(&auth);
}

static void a_token_without_a_secret_to_check_it_is_not_believed(void **state)
{
    (void)state;
    edge_auth_config_t config = {0};
    edge_auth_t *auth;
    buf_t why = {0};
    assert_int_equal(edge_auth_open(&auth, &config, &why), OK);
    assert_int_equal(connect_verdict(auth, "{\"sub\":\"42\"," LATER "}"), ERR_UNAVAILABLE);
    edge_auth_destroy(&auth);
}

/* --- subscriptions --- */

static int subscribe(subscribe_rule_t rule, const char *channel, const char *user, const char *claims,
                     edge_subscribe_grant_t *grant)
{
    edge_auth_t *auth = opened(false);
    channel_options_t options = {.subscribe = rule};
    buf_t token = {0};
    if (claims)
        token_make(span_str(claims), SPAN(SECRET), &token);
    edge_subscribe_request_t request = {.channel = span_str(channel),
                                        .token = buf_span(&token),
                                        .user = span_str(user),
                                        .client = SPAN("client-1")};
    int err = edge_auth_subscribe(auth, &options, &request, NOW_US, grant);
    buf_fini(&token);
    edge_auth_destroy(&auth);
    return err;
}

static void the_rule_decides_about_subscriptions(void **state)
{
    (void)state;
#define TOKEN "{\"sub\":\"42\",\"channel\":\"a\"," LATER "}"
    static const struct row {
        subscribe_rule_t rule;
        const char *channel, *user, *claims;
        int expected;
    } rows[] = {
        {SUBSCRIBE_ANYONE, "a", "", NULL, OK},
        {SUBSCRIBE_ANYONE, "$a", "42", NULL, ERR_DENIED},
        {SUBSCRIBE_AUTHENTICATED, "a", "", NULL, ERR_DENIED},
        {SUBSCRIBE_AUTHENTICATED, "a", "42", NULL, OK},
        {SUBSCRIBE_AUTHENTICATED, "a", "", "{\"channel\":\"a\"," LATER "}", OK},
        {SUBSCRIBE_TOKEN, "a", "42", NULL, ERR_DENIED},
        {SUBSCRIBE_TOKEN, "a", "42", TOKEN, OK},
        {SUBSCRIBE_NOBODY, "a", "42", TOKEN, ERR_DENIED},
        {SUBSCRIBE_ANYONE, "$a", "42", "{\"sub\":\"42\",\"channel\":\"$a\"," LATER "}", OK},
        {SUBSCRIBE_ANYONE, "$a", "42", TOKEN, ERR_TYPE},
        {SUBSCRIBE_ANYONE, "a", "43", TOKEN, ERR_TYPE},
        {SUBSCRIBE_ANYONE, "a", "", TOKEN, ERR_TYPE},
        {SUBSCRIBE_ANYONE, "a", "42", "{\"sub\":\"42\"," LATER "}", ERR_TYPE},
        {SUBSCRIBE_ANYONE, "a", "42", "{\"sub\":\"42\",\"channel\":\"a\",\"client\":\"client-1\"," LATER "}",
         OK},
        {SUBSCRIBE_ANYONE, "a", "42", "{\"sub\":\"42\",\"channel\":\"a\",\"client\":\"client-2\"," LATER "}",
         ERR_TYPE},
        {SUBSCRIBE_ANYONE, "a", "42", "{\"sub\":\"42\",\"channel\":\"a\",\"exp\":1600000000}", ERR_EXPIRED},
        {SUBSCRIBE_ANYONE, "a", "42", "{\"sub\":\"42\",\"channel\":\"a\"}", ERR_MALFORMED},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        edge_subscribe_grant_t grant;
        int err = subscribe(rows[i].rule, rows[i].channel, rows[i].user, rows[i].claims, &grant);
        if (err != rows[i].expected)
            fail_msg("row %zu: %s instead of %s", i, err_name(err), err_name(rows[i].expected));
        assert_null(grant.info);
        assert_int_equal(grant.expires_us > 0, err == OK && rows[i].claims);
    }
#undef TOKEN
}

static void a_subscription_token_adds_its_info_and_its_end(void **state)
{
    (void)state;
    edge_subscribe_grant_t grant;
    assert_int_equal(
        subscribe(SUBSCRIBE_TOKEN, "a", "", "{\"channel\":\"a\",\"info\":[1,2],\"exp\":1700000060}", &grant),
        OK);
    assert_string_equal(grant.info, "[1,2]");
    assert_int_equal(grant.expires_us, UINT64_C(1700000060000000));
    free(grant.info);
}

static void the_rule_decides_about_publications(void **state)
{
    (void)state;
    static const struct row {
        publish_rule_t rule;
        const char *user;
        bool subscribed;
        int expected;
    } rows[] = {
        {PUBLISH_ANYONE, "", false, OK},
        {PUBLISH_AUTHENTICATED, "42", false, OK},
        {PUBLISH_AUTHENTICATED, "", true, ERR_DENIED},
        {PUBLISH_SUBSCRIBERS, "", true, OK},
        {PUBLISH_SUBSCRIBERS, "42", false, ERR_DENIED},
        {PUBLISH_NOBODY, "42", true, ERR_DENIED},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        channel_options_t options = {.publish = rows[i].rule};
        assert_int_equal(edge_auth_publish(&options, span_str(rows[i].user), rows[i].subscribed),
                         rows[i].expected);
    }
}

static void presence_is_for_subscribers_where_it_is_kept(void **state)
{
    (void)state;
    channel_options_t without = {.presence = false}, with = {.presence = true};
    assert_int_equal(edge_auth_presence(&without, true), ERR_UNAVAILABLE);
    assert_int_equal(edge_auth_presence(&with, false), ERR_DENIED);
    assert_int_equal(edge_auth_presence(&with, true), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_short_secret_is_refused_and_not_shown),
        cmocka_unit_test(two_secrets_are_refused),
        cmocka_unit_test(required_needs_a_secret),
        cmocka_unit_test(a_secret_file_that_is_not_there_is_named),
        cmocka_unit_test(a_secret_files_last_line_end_does_not_count),
        cmocka_unit_test(a_secret_file_too_long_for_a_secret_is_refused),
        cmocka_unit_test(without_a_token_one_is_anonymous_unless_one_is_required),
        cmocka_unit_test(a_token_says_who_it_is),
        cmocka_unit_test(tokens_that_let_nobody_in),
        cmocka_unit_test(a_token_without_a_secret_to_check_it_is_not_believed),
        cmocka_unit_test(the_rule_decides_about_subscriptions),
        cmocka_unit_test(a_subscription_token_adds_its_info_and_its_end),
        cmocka_unit_test(the_rule_decides_about_publications),
        cmocka_unit_test(presence_is_for_subscribers_where_it_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
