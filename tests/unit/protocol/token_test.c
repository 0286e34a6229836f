#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/err.h"
#include "protocol/token.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define NOW_S        UINT64_C(1700000000)
#define NOW_US       (NOW_S * 1000000)
#define HEADER       "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define CLAIMS       "{\"sub\":\"42\",\"exp\":1700000001}"

static const span_t secret = {(const uint8_t *)"a secret for tests", 18};

/* --- tokens made another way: with OpenSSL's base64 --- */

static void append_base64url(buf_t *out, span_t bytes)
{
    uint8_t text[8192];
    assert_true(bytes.size < sizeof text / 2);
    int size = EVP_EncodeBlock(text, bytes.data, (int)bytes.size);
    for (int i = 0; i < size && text[i] != '='; i++)
        buf_append_byte(out, text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i]);
}

static buf_t make_with(const char *header, const char *claims, const EVP_MD *digest, span_t key)
{
    buf_t token = {0};
    append_base64url(&token, span_str(header));
    buf_append_byte(&token, '.');
    append_base64url(&token, span_str(claims));
    uint8_t signature[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    assert_non_null(HMAC(digest, key.data, (int)key.size, token.data, token.size, signature, &size));
    buf_append_byte(&token, '.');
    append_base64url(&token, span_new(signature, size));
    return token;
}

static buf_t make(const char *header, const char *claims)
{
    return make_with(header, claims, EVP_sha256(), secret);
}

static int verdict(span_t token)
{
    token_claims_t claims = {0};
    int err = token_check(token, secret, NOW_US, &claims);
    if (err) {
        assert_int_equal(claims.user.size, 0);
        assert_int_equal(claims.expires_us, 0);
    }
    token_fini(&claims);
    return err;
}

static int verdict_and_free(buf_t token)
{
    int err = verdict(buf_span(&token));
    buf_fini(&token);
    return err;
}

static int verdict_of_header(const char *header)
{
    return verdict_and_free(make(header, CLAIMS));
}

static int verdict_of_claims(const char *claims)
{
    return verdict_and_free(make(HEADER, claims));
}

/* --- good ones --- */

static const char rfc7515_a1[] =
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
    ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
static const uint8_t rfc7515_a1_key[] = {
    3,   35,  53, 75,  43,  15, 165, 188, 131, 126, 6,   101, 119, 123, 166, 143,
    90,  179, 40, 230, 240, 84, 201, 40,  169, 15,  132, 178, 210, 80,  46,  191,
    211, 251, 90, 146, 210, 6,  71,  239, 150, 138, 180, 195, 119, 98,  61,  34,
    61,  46,  33, 114, 5,   46, 79,  8,   192, 205, 154, 245, 103, 208, 128, 163,
};

static void the_example_of_rfc_7515_is_good_until_it_expires(void **state)
{
    (void)state;
    span_t key = span_new(rfc7515_a1_key, sizeof rfc7515_a1_key);
    uint64_t expires_us = UINT64_C(1300819380) * 1000000;
    token_claims_t claims = {0};
    assert_int_equal(token_check(SPAN(rfc7515_a1), key, expires_us - 1, &claims), OK);
    assert_int_equal(claims.expires_us, expires_us);
    assert_int_equal(claims.user.size, 0);
    assert_false(claims.has_channel);
    token_fini(&claims);
    assert_int_equal(token_check(SPAN(rfc7515_a1), key, expires_us, &claims), ERR_EXPIRED);
    token_fini(&claims);
}

static void claims_are_handed_out_decoded(void **state)
{
    (void)state;
    buf_t token = make(
        HEADER,
        "{\"sub\":\"\\u00e4lice \\\"A\\\"\",\"channel\":\"$chat:1\",\"client\":\"c-1\",\"jti\":\"t\\/1\","
        "\"info\":{\"name\": \"A\",\"n\":1.10},\"exp\":1700000060,\"iat\":1699999999,\"nbf\":1700000000,"
        "\"unknown\":[{}]}");
    token_claims_t claims = {0};
    assert_int_equal(token_check(buf_span(&token), secret, NOW_US, &claims), OK);
    buf_fini(&token); /* the claims don't need it */
    assert_true(span_is(claims.user, "\xc3\xa4lice \"A\""));
    assert_true(span_is(claims.channel, "$chat:1"));
    assert_true(span_is(claims.client, "c-1"));
    assert_true(span_is(claims.id, "t/1"));
    assert_true(span_is(claims.info, "{\"name\": \"A\",\"n\":1.10}"));
    assert_true(claims.has_channel);
    assert_int_equal(claims.expires_us, NOW_US + 60000000);
    token_fini(&claims);
    assert_int_equal(claims.user.size, 0);
}

/* `subs` comes before `channels`, and null is as good as nothing. */
static void channels_are_handed_out_as_they_stand(void **state)
{
    (void)state;
    static const struct {
        const char *claims, *subs;
    } rows[] = {
        {"\"subs\":{\"a\": {}},\"channels\":[\"b\"]", "{\"a\": {}}"},
        {"\"channels\":[\"a\", 1]", "[\"a\", 1]"},
        {"\"subs\":null,\"channels\":[]", "[]"},
        {"\"subs\":null,\"channels\":null", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        buf_t text = {0};
        token_claims_t claims = {0};
        buf_printf(&text, "{%s,\"exp\":1800000000}", rows[i].claims);
        buf_t token = make(HEADER, buf_text(&text));
        assert_int_equal(token_check(buf_span(&token), secret, NOW_US, &claims), OK);
        assert_true(span_is(claims.subs, rows[i].subs));
        token_fini(&claims);
        buf_fini(&token);
        buf_fini(&text);
    }
}

static void a_made_token_is_good_and_is_what_any_other_maker_makes(void **state)
{
    (void)state;
    static const char *const claims[] = {CLAIMS, "{\"exp\":1700000001,\"sub\":\"x\"}",
                                         "{\"exp\":1700000001,\"sub\":\"xy\"}",
                                         "{\"exp\":1700000001,\"sub\":\"\xc3\xbf\xc3\xbf>>>???\"}"};
    for (size_t i = 0; i < COUNT(claims); i++) {
        buf_t ours = {0}, other = make(HEADER, claims[i]);
        token_make(span_str(claims[i]), secret, &ours);
        assert_int_equal(verdict(buf_span(&ours)), OK);
        assert_true(span_eq(buf_span(&ours), buf_span(&other)));
        buf_fini(&ours);
        buf_fini(&other);
    }
}

static void what_else_a_header_says_has_no_say(void **state)
{
    (void)state;
    assert_int_equal(verdict_of_header("{\"alg\":\"HS256\"}"), OK);
    assert_int_equal(verdict_of_header("{\"typ\":\"JWT\",\"alg\":\"HS256\",\"kid\":\"../../dev/null\"}"), OK);
    /* The key that signed is in the header, and is not ours: that the header brings it must not help. */
    static const char header[] =
        "{\"alg\":\"HS256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"Zm9yZ2Vk\"},\"jku\":\"http://evil/\"}";
    assert_int_equal(verdict_of_header(header), OK);
    assert_int_equal(verdict_and_free(make_with(header, CLAIMS, EVP_sha256(), SPAN("forged"))),
                     ERR_SIGNATURE);
}

/* --- bad headers --- */

static void only_hs256_is_an_algorithm(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "{\"alg\":\"none\"}",
        "{\"alg\":\"None\"}",
        "{\"alg\":\"NONE\"}",
        "{\"alg\":\"nOnE\"}",
        "{\"alg\":\"\"}",
        "{\"alg\":\"HS512\"}",
        "{\"alg\":\"HS384\"}",
        "{\"alg\":\"RS256\"}",
        "{\"alg\":\"ES256\"}",
        "{\"alg\":\"hs256\"}",
        "{\"alg\":\"HS256 \"}",
        "{\"alg\":\"HS2567\"}",
        "{\"alg\":null}",
        "{\"alg\":256}",
        "{\"alg\":[\"HS256\"]}",
        "{\"alg\":{\"a\":\"HS256\"}}",
        "{}",
        "{\"typ\":\"JWT\"}",
        "{\"ALG\":\"HS256\"}",
        "{\"alg\":\"\\u0048S256\"}",
        "{\"alg\":\"HS256\\u0000\"}",
        "{\"x\":{\"alg\":\"HS256\"}}",
        "{\"alg\":true}",
    };
    for (size_t i = 0; i < COUNT(headers); i++)
        if (verdict_of_header(headers[i]) != ERR_UNKNOWN)
            fail_msg("%s", headers[i]);
    assert_int_equal(verdict_and_free(make_with("{\"alg\":\"HS512\"}", CLAIMS, EVP_sha512(), secret)),
                     ERR_UNKNOWN);
}

static void an_unsigned_token_is_refused(void **state)
{
    (void)state;
    buf_t token = make("{\"alg\":\"none\"}", CLAIMS);
    while (token.data[token.size - 1] != '.')
        token.size--;
    assert_int_equal(verdict_and_free(token), ERR_UNKNOWN);
    token = make(HEADER, CLAIMS);
    while (token.data[token.size - 1] != '.')
        token.size--;
    assert_int_equal(verdict_and_free(token), ERR_MALFORMED);
}

static void critical_extensions_are_refused(void **state)
{
    (void)state;
    assert_int_equal(verdict_of_header("{\"alg\":\"HS256\",\"crit\":[\"exp\"],\"exp\":1}"), ERR_UNKNOWN);
    assert_int_equal(verdict_of_header("{\"alg\":\"HS256\",\"crit\":[]}"), ERR_UNKNOWN);
    assert_int_equal(verdict_of_header("{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}"), ERR_UNKNOWN);
}

static void a_header_that_two_readers_could_read_differently_is_refused(void **state)
{
    (void)state;
    assert_int_equal(verdict_of_header("{\"alg\":\"HS256\",\"alg\":\"none\"}"), ERR_DUPLICATE);
    assert_int_equal(verdict_of_header("{\"alg\":\"HS256\",\"alg\":\"HS256\"}"), ERR_DUPLICATE);
    assert_int_equal(verdict_of_header("{\"\\u0061lg\":\"HS256\"}"), ERR_MALFORMED);
    assert_int_equal(verdict_of_header("{\"alg\":\"HS256\",\"\\u0061lg\":\"none\"}"), ERR_MALFORMED);
    assert_int_equal(verdict_of_header("{\"alg\":\"HS256\"}}"), ERR_MALFORMED);
    assert_int_equal(verdict_of_header("{\"alg\":\"HS256\",}"), ERR_MALFORMED);
    assert_int_equal(verdict_of_header("\"HS256\""), ERR_MALFORMED);
    assert_int_equal(verdict_of_header("[]"), ERR_MALFORMED);
    assert_int_equal(verdict_of_header(" "), ERR_MALFORMED);
}

/* --- bad signatures --- */

static void a_change_of_any_letter_is_seen(void **state)
{
    (void)state;
    buf_t token = make(HEADER, CLAIMS);
    for (size_t i = 0; i < token.size; i++) {
        uint8_t before = token.data[i];
        token.data[i] = before == 'A' ? 'B' : 'A';
        assert_int_not_equal(verdict(buf_span(&token)), OK);
        token.data[i] = before;
    }
    assert_int_equal(verdict_and_free(token), OK);
}

static void a_signature_of_another_key_or_text_is_refused(void **state)
{
    (void)state;
    assert_int_equal(verdict_and_free(make_with(HEADER, CLAIMS, EVP_sha256(), SPAN("another secret"))),
                     ERR_SIGNATURE);
    assert_int_equal(verdict_and_free(make_with(HEADER, CLAIMS, EVP_sha512(), secret)), ERR_SIGNATURE);
    buf_t one = make(HEADER, CLAIMS), other = make(HEADER, "{\"sub\":\"43\",\"exp\":1700000001}");
    assert_int_equal(one.size, other.size);
    memcpy(one.data + one.size - 43, other.data + other.size - 43, 43);
    assert_int_equal(verdict_and_free(one), ERR_SIGNATURE);
    buf_fini(&other);
}

static void a_signature_is_refused_at_every_other_length(void **state)
{
    (void)state;
    buf_t token = make(HEADER, CLAIMS);
    for (size_t less = 1; less <= 43; less++) {
        int err = verdict(span_new(token.data, token.size - less));
        assert_true(err == ERR_SIGNATURE || err == ERR_MALFORMED);
    }
    buf_append_str(&token, "AAAA");
    assert_int_not_equal(verdict_and_free(token), OK);
}

static void an_empty_secret_matches_nothing(void **state)
{
    (void)state;
    buf_t token = make_with(HEADER, CLAIMS, EVP_sha256(), SPAN(""));
    token_claims_t claims = {0};
    assert_int_equal(token_check(buf_span(&token), (span_t){0}, NOW_US, &claims), ERR_SIGNATURE);
    token_fini(&claims);
    buf_fini(&token);
}

static void the_signature_comes_before_the_claims(void **state)
{
    (void)state;
    span_t forged = SPAN("forged");
    assert_int_equal(verdict_and_free(make_with(HEADER, "{\"exp\":1}", EVP_sha256(), forged)), ERR_SIGNATURE);
    assert_int_equal(verdict_and_free(make_with(HEADER, "not JSON", EVP_sha256(), forged)), ERR_SIGNATURE);
}

/* --- bad forms --- */

static void three_parts_are_needed(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "", ".", "..", "...", "a", "a.b", "a..b", ".a.b", "eyJhbGciOiJIUzI1NiJ9", "eyJhbGciOiJIUzI1NiJ9."};
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_int_equal(verdict(span_str(wrong[i])), ERR_MALFORMED);
    assert_int_equal(verdict((span_t){0}), ERR_MALFORMED);
    buf_t token = make(HEADER, CLAIMS);
    buf_append_byte(&token, '.');
    assert_int_equal(verdict(buf_span(&token)), ERR_MALFORMED);
    buf_append_str(&token, "AAAA");
    assert_int_equal(verdict(buf_span(&token)), ERR_MALFORMED);
    buf_fini(&token);
    assert_int_equal(verdict_and_free(make("", CLAIMS)), ERR_MALFORMED);
    assert_int_equal(verdict_and_free(make(HEADER, "")), ERR_MALFORMED);
}

static void bytes_have_one_text_only(void **state)
{
    (void)state;
    buf_t token = make(HEADER, CLAIMS);
    static const char *const behind[] = {"=", "==", "\n", " ", "+", "/", "%3d"};
    for (size_t i = 0; i < COUNT(behind); i++) {
        size_t size = token.size;
        buf_append_str(&token, behind[i]);
        assert_int_equal(verdict(buf_span(&token)), ERR_MALFORMED);
        token.size = size;
    }
    /* The last of 43 letters carries four bits and two that must be 0: the next three letters mean the same
     * bytes. */
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t last = token.data[token.size - 1];
    for (int i = 1; i <= 3; i++) {
        token.data[token.size - 1] = (uint8_t)strchr(letters, last)[i];
        assert_int_equal(verdict(buf_span(&token)), ERR_MALFORMED);
    }
    buf_fini(&token);
}

static void the_letters_of_plain_base64_are_refused(void **state)
{
    (void)state;
    /* ">>>???" in three rotations gives letters 62 and 63 in the claims. */
    static const char *const claims[] = {"{\"exp\":1700000001,\"sub\":\">>>???\"}",
                                         "{\"exp\":1700000001, \"sub\":\">>>???\"}",
                                         "{\"exp\":1700000001,  \"sub\":\">>>???\"}"};
    size_t changed = 0;
    for (size_t i = 0; i < COUNT(claims); i++) {
        buf_t token = make(HEADER, claims[i]);
        assert_int_equal(verdict(buf_span(&token)), OK);
        for (size_t at = 0; at < token.size; at++) {
            uint8_t before = token.data[at];
            if (before != '-' && before != '_')
                continue;
            token.data[at] = before == '-' ? '+' : '/';
            assert_int_equal(verdict(buf_span(&token)), at < token.size - 43 ? ERR_SIGNATURE : ERR_MALFORMED);
            token.data[at] = before;
            changed++;
        }
        buf_fini(&token);
    }
    assert_true(changed > 0);
    /* Signed with those very letters, so that nothing but the letters is wrong. */
    buf_t token = {0};
    append_base64url(&token, SPAN(HEADER));
    buf_append_str(&token, ".eyJleHAiOjE3MDAwMDAwMDEsInN1YiI6Ij4+Pj8/PyJ9");
    uint8_t signature[32];
    HMAC(EVP_sha256(), secret.data, (int)secret.size, token.data, token.size, signature, NULL);
    buf_append_byte(&token, '.');
    append_base64url(&token, span_new(signature, sizeof signature));
    assert_int_equal(verdict_and_free(token), ERR_MALFORMED);
}

static void four_kilobytes_are_the_limit(void **state)
{
    (void)state;
    buf_t claims = {0};
    buf_append_str(&claims, CLAIMS);
    while (claims.size < 3700)
        buf_append_byte(&claims, ' ');
    assert_int_equal(verdict_of_claims(buf_text(&claims)), ERR_TOO_BIG);
    claims.size = 2900;
    assert_int_equal(verdict_of_claims(buf_text(&claims)), OK);
    buf_fini(&claims);
    uint8_t bytes[TOKEN_LIMIT + 1];
    memset(bytes, 'A', sizeof bytes);
    assert_int_equal(verdict(span_new(bytes, TOKEN_LIMIT)), ERR_MALFORMED);
    assert_int_equal(verdict(span_new(bytes, TOKEN_LIMIT + 1)), ERR_TOO_BIG);
}

/* --- bad claims --- */

static void claims_of_the_wrong_type_are_refused(void **state)
{
    (void)state;
    static const char *const claims[] = {
        "{}",
        "{\"sub\":\"42\"}",
        "{\"exp\":null}",
        "{\"exp\":\"1700000001\"}",
        "{\"exp\":1.8e9}",
        "{\"exp\":1800000000.0}",
        "{\"exp\":-1}",
        "{\"exp\":9007199254740993}",
        "{\"exp\":99999999999999999999}",
        "{\"exp\":true}",
        "{\"exp\":[1800000000]}",
        "{\"exp\":1800000000,\"sub\":42}",
        "{\"exp\":1800000000,\"sub\":null}",
        "{\"exp\":1800000000,\"sub\":[\"42\"]}",
        "{\"exp\":1800000000,\"sub\":\"\\ud800\"}",
        "{\"exp\":1800000000,\"channel\":1}",
        "{\"exp\":1800000000,\"channel\":[\"a\"]}",
        "{\"exp\":1800000000,\"client\":{}}",
        "{\"exp\":1800000000,\"jti\":7}",
        "{\"exp\":1800000000,\"subs\":[]}",
        "{\"exp\":1800000000,\"subs\":\"a\"}",
        "{\"exp\":1800000000,\"channels\":{}}",
        "{\"exp\":1800000000,\"channels\":\"a\"}",
        "{\"exp\":1800000000,\"nbf\":\"0\"}",
        "{\"exp\":1800000000,\"nbf\":-1}",
        "{\"exp\":1800000000,\"nbf\":1.5}",
        "{\"exp\":1800000000,\"iat\":\"1\"}",
        "{\"exp\":1800000000,\"iat\":null}",
        "{\"EXP\":1800000000}",
        "{\"x\":{\"exp\":1800000000}}",
    };
    for (size_t i = 0; i < COUNT(claims); i++)
        if (verdict_of_claims(claims[i]) != ERR_TYPE)
            fail_msg("%s", claims[i]);
}

static void claims_that_two_readers_could_read_differently_are_refused(void **state)
{
    (void)state;
    assert_int_equal(verdict_of_claims("{\"exp\":1800000000,\"exp\":1}"), ERR_DUPLICATE);
    assert_int_equal(verdict_of_claims("{\"exp\":1800000000,\"sub\":\"a\",\"sub\":\"b\"}"), ERR_DUPLICATE);
    assert_int_equal(verdict_of_claims("{\"exp\":1800000000,\"\\u0073ub\":\"a\"}"), ERR_MALFORMED);
    assert_int_equal(verdict_of_claims("{\"exp\":01800000000}"), ERR_MALFORMED);
    assert_int_equal(verdict_of_claims("{\"exp\":1800000000} {}"), ERR_MALFORMED);
    assert_int_equal(verdict_of_claims("[{\"exp\":1800000000}]"), ERR_MALFORMED);
    assert_int_equal(verdict_of_claims("\xef\xbb\xbf{\"exp\":1800000000}"), ERR_MALFORMED);
    assert_int_equal(verdict_of_claims("{\"exp\":1800000000,\"sub\":\"\xff\"}"), ERR_MALFORMED);
}

static void a_token_expires_at_its_second_without_leeway(void **state)
{
    (void)state;
    assert_int_equal(verdict_of_claims("{\"exp\":1700000001}"), OK);
    assert_int_equal(verdict_of_claims("{\"exp\":1700000000}"), ERR_EXPIRED);
    assert_int_equal(verdict_of_claims("{\"exp\":1699999999}"), ERR_EXPIRED);
    assert_int_equal(verdict_of_claims("{\"exp\":0}"), ERR_EXPIRED);
    assert_int_equal(verdict_of_claims("{\"exp\":9007199254740992}"), OK);
}

static void a_token_of_the_future_is_refused_beyond_the_leeway(void **state)
{
    (void)state;
    assert_int_equal(verdict_of_claims("{\"exp\":1800000000,\"nbf\":1700000000}"), OK);
    assert_int_equal(verdict_of_claims("{\"exp\":1800000000,\"nbf\":1700000030}"), OK);
    assert_int_equal(verdict_of_claims("{\"exp\":1800000000,\"nbf\":1700000031}"), ERR_NOT_YET);
    assert_int_equal(verdict_of_claims("{\"exp\":1800000000,\"nbf\":9007199254740992}"), ERR_NOT_YET);
    assert_int_equal(verdict_of_claims("{\"exp\":1,\"nbf\":1700000031}"), ERR_EXPIRED);
}

static void an_empty_channel_is_a_channel_claim(void **state)
{
    (void)state;
    buf_t token = make(HEADER, "{\"exp\":1800000000,\"channel\":\"\",\"info\":null}");
    token_claims_t claims = {0};
    assert_int_equal(token_check(buf_span(&token), secret, NOW_US, &claims), OK);
    assert_true(claims.has_channel);
    assert_int_equal(claims.channel.size, 0);
    assert_true(span_is(claims.info, "null"));
    token_fini(&claims);
    buf_fini(&token);
}

/* --- for people --- */

static void a_token_is_read_whoever_signed_it(void **state)
{
    (void)state;
    buf_t header = {0}, claims = {0};
    buf_append_str(&header, "header: ");
    assert_int_equal(token_read(SPAN(rfc7515_a1), &header, &claims), OK);
    assert_string_equal(buf_text(&header), "header: {\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}");
    assert_string_equal(buf_text(&claims),
                        "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}");
    buf_clear(&claims);
    assert_int_equal(token_read(SPAN("e30.e30."), &header, &claims), OK);
    assert_string_equal(buf_text(&claims), "{}");
    buf_fini(&header);
    buf_fini(&claims);
}

static void what_can_not_be_read_leaves_nothing(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",          "..",      ".e30.",   "eyB9A.e30.", "e30..",
                                        "e30",       "e30.e30", "e30.e3.", "e30.e31.",   "e3.e30.",
                                        "e30=.e30.", "e30.Ww.", "Ww.e30."};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        buf_t header = {0}, claims = {0};
        assert_int_equal(token_read(span_str(wrong[i]), &header, &claims), ERR_MALFORMED);
        assert_int_equal(header.size + claims.size, 0);
        buf_fini(&header);
        buf_fini(&claims);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_rfc_7515_is_good_until_it_expires),
        cmocka_unit_test(claims_are_handed_out_decoded),
        cmocka_unit_test(channels_are_handed_out_as_they_stand),
        cmocka_unit_test(a_made_token_is_good_and_is_what_any_other_maker_makes),
        cmocka_unit_test(what_else_a_header_says_has_no_say),
        cmocka_unit_test(only_hs256_is_an_algorithm),
        cmocka_unit_test(an_unsigned_token_is_refused),
        cmocka_unit_test(critical_extensions_are_refused),
        cmocka_unit_test(a_header_that_two_readers_could_read_differently_is_refused),
        cmocka_unit_test(a_change_of_any_letter_is_seen),
        cmocka_unit_test(a_signature_of_another_key_or_text_is_refused),
        cmocka_unit_test(a_signature_is_refused_at_every_other_length),
        cmocka_unit_test(an_empty_secret_matches_nothing),
        cmocka_unit_test(the_signature_comes_before_the_claims),
        cmocka_unit_test(three_parts_are_needed),
        cmocka_unit_test(bytes_have_one_text_only),
        cmocka_unit_test(the_letters_of_plain_base64_are_refused),
        cmocka_unit_test(four_kilobytes_are_the_limit),
        cmocka_unit_test(claims_of_the_wrong_type_are_refused),
        cmocka_unit_test(claims_that_two_readers_could_read_differently_are_refused),
        cmocka_unit_test(a_token_expires_at_its_second_without_leeway),
        cmocka_unit_test(a_token_of_the_future_is_refused_beyond_the_leeway),
        cmocka_unit_test(an_empty_channel_is_a_channel_claim),
        cmocka_unit_test(a_token_is_read_whoever_signed_it),
        cmocka_unit_test(what_can_not_be_read_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
