#include "protocol/token.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/check.h"
#include "base/err.h"
#include "protocol/base64.h"
#include "protocol/json.h"

#define SIGNATURE_SIZE 32u                 /* SHA-256 */
#define SECONDS_MAX    (UINT64_C(1) << 53) /* every whole number up to here is one in any JSON reader */
#define US_PER_SECOND  UINT64_C(1000000)

/* --- the three parts --- */

typedef struct parts {
    span_t header, claims, signature; /* as they stand in the token */
    span_t signed_text;               /* header, dot, claims */
} parts_t;

static int split(span_t token, parts_t *out)
{
    const uint8_t *first = token.size ? memchr(token.data, '.', token.size) : NULL;
    if (!first)
        return ERR_MALFORMED;
    out->header = span_new(token.data, (size_t)(first - token.data));
    span_t rest = span_skip(token, out->header.size + 1);
    const uint8_t *second = rest.size ? memchr(rest.data, '.', rest.size) : NULL;
    if (!second)
        return ERR_MALFORMED;
    out->claims = span_new(rest.data, (size_t)(second - rest.data));
    out->signed_text = span_new(token.data, (size_t)(second - token.data));
    out->signature = span_skip(rest, out->claims.size + 1);
    return OK;
}

static void sign(span_t text, span_t secret, uint8_t out[SIGNATURE_SIZE])
{
    unsigned size = SIGNATURE_SIZE;
    CHECK(secret.size > 0 && secret.size <= INT_MAX);
    CHECK(HMAC(EVP_sha256(), secret.data, (int)secret.size, text.data, text.size, out, &size));
    CHECK(size == SIGNATURE_SIZE);
}

/* No part of a token is empty. ERR_MALFORMED, and then nothing is appended. */
static int append_decoded(buf_t *out, span_t part)
{
    return part.size == 0 ? ERR_MALFORMED : base64url_decode(out, part);
}

/* A part that is a JSON object, decoded into memory that does not move while the object is in use. */
static int read_object(span_t part, buf_t *memory, json_value_t *out)
{
    size_t begin = memory->size;
    if (append_decoded(memory, part) != OK ||
        json_parse(span_new(memory->data + begin, memory->size - begin), out) != OK ||
        out->type != JSON_OBJECT)
        return ERR_MALFORMED;
    return json_check_keys(out);
}

/* What else a header says (typ, kid, jwk, jku, x5u …) has no say: the key and its algorithm are ours. */
static int check_header(const json_value_t *header)
{
    json_value_t value;
    span_t algorithm;
    if (json_get(header, "crit", &value) || !json_get(header, "alg", &value) ||
        json_to_span(&value, &algorithm) != OK || !span_is(algorithm, "HS256"))
        return ERR_UNKNOWN;
    return OK;
}

static bool is_signature(span_t given, span_t text, span_t secret)
{
    if (secret.size == 0 || given.size != SIGNATURE_SIZE)
        return false;
    uint8_t expected[SIGNATURE_SIZE];
    sign(text, secret, expected);
    return CRYPTO_memcmp(given.data, expected, SIGNATURE_SIZE) == 0;
}

static int check_signature(const parts_t *parts, span_t secret)
{
    buf_t given = {0};
    int err = append_decoded(&given, parts->signature);
    if (!err && !is_signature(buf_span(&given), parts->signed_text, secret))
        err = ERR_SIGNATURE;
    buf_fini(&given);
    return err;
}

/* --- the claims --- */

static const struct text_claim {
    const char *name;
    size_t place; /* of the span_t in token_claims_t */
} text_claims[] = {
    {"sub", offsetof(token_claims_t, user)},
    {"channel", offsetof(token_claims_t, channel)},
    {"client", offsetof(token_claims_t, client)},
    {"jti", offsetof(token_claims_t, id)},
};

static int read_texts(const json_value_t *object, token_claims_t *out)
{
    for (size_t i = 0; i < sizeof text_claims / sizeof *text_claims; i++) {
        json_value_t value;
        if (!json_get(object, text_claims[i].name, &value))
            continue;
        size_t begin = out->memory.size;
        if (json_to_text(&value, &out->memory) != OK)
            return ERR_TYPE;
        span_t *span = (span_t *)(void *)((char *)out + text_claims[i].place);
        *span = span_new(out->memory.data + begin, out->memory.size - begin);
    }
    return OK;
}

/* A NumericDate (whole seconds only) in microseconds, at most UINT64_MAX. ERR_NOT_FOUND if it is absent. */
static int read_time(const json_value_t *object, const char *name, uint64_t *us)
{
    json_value_t value;
    uint64_t seconds;
    if (!json_get(object, name, &value))
        return ERR_NOT_FOUND;
    if (json_to_u64(&value, &seconds) != OK || seconds > SECONDS_MAX)
        return ERR_TYPE;
    if (__builtin_mul_overflow(seconds, US_PER_SECOND, us))
        *us = UINT64_MAX;
    return OK;
}

static int check_times(const json_value_t *object, uint64_t wall_us, uint64_t *expires_us)
{
    uint64_t not_before_us = 0, issued_us;
    if (read_time(object, "exp", expires_us) != OK || read_time(object, "nbf", &not_before_us) == ERR_TYPE ||
        read_time(object, "iat", &issued_us) == ERR_TYPE)
        return ERR_TYPE;
    if (wall_us >= *expires_us)
        return ERR_EXPIRED;
    return not_before_us > wall_us && not_before_us - wall_us > TOKEN_LEEWAY ? ERR_NOT_YET : OK;
}

/* null is as good as absent. */
static int read_subs(const json_value_t *object, token_claims_t *out)
{
    json_value_t value;
    bool given = json_get(object, "subs", &value) && value.type != JSON_NULL;
    json_type_t type = given ? JSON_OBJECT : JSON_ARRAY;
    if (!given)
        given = json_get(object, "channels", &value) && value.type != JSON_NULL;
    if (given && value.type != type)
        return ERR_TYPE;
    if (given)
        out->subs = value.raw;
    return OK;
}

static int read_claims(span_t part, uint64_t wall_us, token_claims_t *out)
{
    json_value_t object, value;
    int err = read_object(part, &out->memory, &object);
    if (!err)
        err = read_texts(&object, out);
    if (!err)
        err = check_times(&object, wall_us, &out->expires_us);
    if (!err)
        err = read_subs(&object, out);
    if (err)
        return err;
    out->has_channel = json_get(&object, "channel", &value);
    if (json_get(&object, "info", &value))
        out->info = value.raw;
    return OK;
}

int token_check(span_t token, span_t secret, uint64_t wall_us, token_claims_t *out)
{
    parts_t parts;
    json_value_t header;
    if (token.size > TOKEN_LIMIT)
        return ERR_TOO_BIG;
    int err = split(token, &parts);
    if (err)
        return err;
    /* Enough for both decoded parts and the claims' texts once more, so that spans into it stay good. */
    buf_reserve(&out->memory, 2 * token.size);
    err = read_object(parts.header, &out->memory, &header);
    if (!err)
        err = check_header(&header);
    if (!err)
        err = check_signature(&parts, secret);
    if (!err)
        err = read_claims(parts.claims, wall_us, out);
    if (err)
        *out = (token_claims_t){.memory = out->memory};
    return err;
}

void token_fini(token_claims_t *claims)
{
    buf_fini(&claims->memory);
    *claims = (token_claims_t){0};
}

/* --- making, and reading for people --- */

void token_make(span_t claims_json, span_t secret, buf_t *out)
{
    size_t begin = out->size;
    base64url_encode(out, SPAN("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"));
    buf_append_byte(out, '.');
    base64url_encode(out, claims_json);
    uint8_t signature[SIGNATURE_SIZE];
    sign(span_new(out->data + begin, out->size - begin), secret, signature);
    buf_append_byte(out, '.');
    base64url_encode(out, span_new(signature, sizeof signature));
}

static int append_json(buf_t *out, span_t part)
{
    json_value_t value;
    size_t begin = out->size;
    if (append_decoded(out, part) == OK &&
        json_parse(span_new(out->data + begin, out->size - begin), &value) == OK)
        return OK;
    out->size = begin;
    return ERR_MALFORMED;
}

int token_read(span_t token, buf_t *header, buf_t *claims)
{
    parts_t parts;
    size_t header_begin = header->size;
    int err = split(token, &parts);
    if (!err)
        err = append_json(header, parts.header);
    if (!err)
        err = append_json(claims, parts.claims);
    if (err)
        header->size = header_begin;
    return err;
}
