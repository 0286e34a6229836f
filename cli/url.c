#include "cli/url.h"

#include <netdb.h>
#include <stdio.h>

#include "base/err.h"
#include "base/quantity.h"

static int copy(char *out, size_t size, span_t text)
{
    if (text.size >= size)
        return ERR_TOO_BIG;
    memcpy(out, text.data, text.size);
    out[text.size] = '\0';
    return OK;
}

/* A query right behind the authority is one of "/" (RFC 9112 section 3.2.1). */
static int copy_target(cli_url_t *self, span_t target)
{
    bool needs_slash = target.size && target.data[0] == '?';
    self->target[0] = '/';
    return copy(self->target + needs_slash, sizeof self->target - needs_slash, target);
}

/* No control bytes and no spaces: nothing that could end a line of the request. */
static bool is_plain(span_t text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] <= ' ' || text.data[i] >= 0x7f)
            return false;
    }
    return true;
}

/* Splits "host:port", "[v6]:port", "host". */
static int split_authority(span_t authority, span_t *host, span_t *port)
{
    const uint8_t *end = authority.data + authority.size;
    const uint8_t *colon = memrchr(authority.data, ':', authority.size);
    const uint8_t *bracket = memrchr(authority.data, ']', authority.size);
    if (colon && bracket && colon < bracket)
        colon = NULL;
    *host = span_new(authority.data, (size_t)((colon ? colon : end) - authority.data));
    *port = colon ? span_new(colon + 1, (size_t)(end - colon - 1)) : SPAN("80");
    if (host->size >= 2 && host->data[0] == '[' && host->data[host->size - 1] == ']')
        *host = span_new(host->data + 1, host->size - 2);
    uint64_t number;
    if (host->size == 0 || quantity_read(QUANTITY_COUNT, *port, &number) != OK || number == 0 ||
        number > 65535)
        return ERR_MALFORMED;
    return OK;
}

int cli_url_parse(const char *text, cli_url_t *out)
{
    span_t rest = span_str(text);
    span_t host;
    span_t port;
    if (!span_starts(rest, SPAN("ws://")))
        return ERR_UNKNOWN;
    rest = span_skip(rest, 5);
    if (rest.size == 0 || !is_plain(rest))
        return ERR_MALFORMED;
    size_t authority_size = strcspn((const char *)rest.data, "/?");
    span_t authority = span_new(rest.data, authority_size);
    int err = authority_size ? split_authority(authority, &host, &port) : ERR_MALFORMED;
    if (!err)
        err = copy(out->host, sizeof out->host, host);
    if (!err)
        err = copy(out->port, sizeof out->port, port);
    if (!err)
        err = copy(out->authority, sizeof out->authority, authority);
    if (!err)
        err = copy_target(out, span_skip(rest, authority_size));
    return err;
}

int cli_url_resolve(const cli_url_t *self, cli_address_t *out)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    if (getaddrinfo(self->host, self->port, &hints, &found) != 0)
        return ERR_NOT_FOUND;
    memset(out, 0, sizeof *out);
    memcpy(&out->storage, found->ai_addr, found->ai_addrlen);
    out->size = found->ai_addrlen;
    freeaddrinfo(found);
    return OK;
}
