/* protocol/token - signed tokens: JWT with HS256 and nothing else (RFC 7515, RFC 7519).
 * Thread: any; pure: the time is an argument.
 *
 * The algorithm belongs to the key, never to the token: `alg` must say HS256. Strict base64url without padding; `crit`,
 * and tokens over 4 KiB are refused; the signature is compared in constant time, before any claim is read.
 */
#ifndef HEDDLE_PROTOCOL_TOKEN_H
#define HEDDLE_PROTOCOL_TOKEN_H

#include "base/buf.h"

#define TOKEN_LIMIT  4096u     /* bytes of a whole token */
#define TOKEN_LEEWAY 30000000u /* microseconds that clocks may differ for nbf (and for exp, where asked for) */

typedef struct token_claims {
    buf_t memory; /* owned; the spans below point into it */

    span_t user;    /* `sub`; empty = anonymous */
    span_t channel; /* `channel`; empty = absent */
    span_t client;  /* `client`; empty = absent */
    span_t info;    /* `info`: raw JSON; empty = absent */
    span_t id;      /* `jti` */
    uint64_t expires_us; /* `exp` on the wall clock; always given, it is required */
    bool has_channel;
} token_claims_t;

/* Checks and reads. OK; ERR_TOO_BIG, ERR_MALFORMED, ERR_UNKNOWN (another algorithm), ERR_SIGNATURE, ERR_TYPE (a claim of
 * the wrong type, or no exp), ERR_EXPIRED, ERR_NOT_YET. `out` is zeroed memory, and to be given to token_fini
 * whatever happens. */
int token_check(span_t token, span_t secret, uint64_t wall_us, token_claims_t *out);
void token_fini(token_claims_t *claims);

/* Appends the signed token of these claims (a JSON object, validated by the caller). */
void token_make(span_t claims_json, span_t secret, buf_t *out);

/* Appends header and claims as they stand, as JSON, without checking the signature; for people. ERR_MALFORMED. */
int token_read(span_t token, buf_t *header, buf_t *claims);

#endif
