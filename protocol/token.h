/* protocol/token - signed tokens: JWT with HS256 and nothing else (RFC 7515, RFC 7519).
 * Thread: any; pure: the time is an argument.
 *
 * The algorithm belongs to the key, never to the token: `alg` must say HS256. Strict base64url without
 * padding; `crit`, and tokens over 4 KiB are refused; the signature is compared in constant time, before any
 * claim is read.
 */
#ifndef HEDDLE_PROTOCOL_TOKEN_H
#define HEDDLE_PROTOCOL_TOKEN_H

#include "base/buf.h"

#define TOKEN_LIMIT  4096u     /* bytes of a whole token */
#define TOKEN_LEEWAY 30000000u /* microseconds that clocks may differ for nbf; exp has none */

typedef struct token_claims {
    buf_t memory; /* owned; the spans below point into it */

    span_t user;         /* `sub`; empty = anonymous */
    span_t channel;      /* `channel`; empty = absent */
    span_t client;       /* `client`; empty = absent */
    span_t info;         /* `info`: raw JSON; empty = absent */
    span_t id;           /* `jti` */
    span_t subs;         /* `subs`, a JSON object, or else `channels`, an array: raw; empty = absent */
    uint64_t expires_us; /* `exp` on the wall clock; always given, it is required */
    bool has_channel;
} token_claims_t;

/* Checks and reads. OK; ERR_TOO_BIG (the token, or over 32 members in a part), ERR_MALFORMED (parts,
 * base64url, JSON), ERR_DUPLICATE (a key twice), ERR_UNKNOWN (another algorithm, or crit), ERR_SIGNATURE (an
 * empty secret matches none), ERR_TYPE (a claim of the wrong type, a time that is not whole seconds from 0 to
 * 2^53, or no exp), ERR_EXPIRED, ERR_NOT_YET. `out` is zeroed memory, holds claims only after OK, and is to
 * be given to token_fini whatever happens. Texts may hold any character, NUL too. */
int token_check(span_t token, span_t secret, uint64_t wall_us, token_claims_t *out);
void token_fini(token_claims_t *claims);

/* Appends the signed token of these claims (a JSON object, validated by the caller). The secret is not empty.
 */
void token_make(span_t claims_json, span_t secret, buf_t *out);

/* Appends header and claims as they stand, as JSON, without looking at the signature; for people.
 * ERR_MALFORMED, and then nothing is appended. */
int token_read(span_t token, buf_t *header, buf_t *claims);

#endif
