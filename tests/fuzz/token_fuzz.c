/* Any bytes into protocol/token, twice: as a token, which must not be good without the secret, and as the
 * claims of a token that is signed, which get past the signature and whose spans must then lie in the claims'
 * own memory. */
#include "base/check.h"
#include "base/err.h"
#include "protocol/json.h"
#include "protocol/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WALL_US UINT64_C(1700000000000000)

/* No seed is signed with it. */
static const span_t secret = {(const uint8_t *)"\x8f\x1d\xe2\x07kept from the corpus of seeds", 34};

static void check_span(const token_claims_t *claims, span_t span)
{
    CHECK(span.size == 0 || (span.data >= claims->memory.data &&
                             span.data + span.size <= claims->memory.data + claims->memory.size));
}

static void check_claims(const token_claims_t *claims, int err)
{
    check_span(claims, claims->user);
    check_span(claims, claims->channel);
    check_span(claims, claims->client);
    check_span(claims, claims->id);
    check_span(claims, claims->info);
    json_value_t info;
    CHECK(claims->info.size == 0 || json_parse(claims->info, &info) == OK);
    CHECK(err == OK ? claims->expires_us > WALL_US : claims->expires_us == 0 && claims->user.size == 0);
}

static void check_foreign_token(span_t token)
{
    token_claims_t claims = {0};
    buf_t header = {0}, text = {0};
    int err = token_check(token, secret, WALL_US, &claims);
    CHECK(err != OK);
    check_claims(&claims, err);
    int read_err = token_read(token, &header, &text);
    CHECK(read_err == OK || header.size + text.size == 0);
    token_fini(&claims);
    buf_fini(&header);
    buf_fini(&text);
}

static void check_own_token(span_t claims_json)
{
    token_claims_t claims = {0};
    buf_t token = {0}, header = {0}, text = {0};
    json_value_t value;
    token_make(claims_json, secret, &token);
    int err = token_check(buf_span(&token), secret, WALL_US, &claims);
    CHECK(err != ERR_SIGNATURE && err != ERR_UNKNOWN);
    check_claims(&claims, err);
    bool is_json = json_parse(claims_json, &value) == OK;
    CHECK(err != OK || (is_json && value.type == JSON_OBJECT));
    CHECK((token_read(buf_span(&token), &header, &text) == OK) == is_json);
    CHECK(!is_json || span_eq(buf_span(&text), claims_json));
    token_fini(&claims);
    buf_fini(&token);
    buf_fini(&header);
    buf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_foreign_token(span_new(data, size));
    check_own_token(span_new(data, size));
    return 0;
}
