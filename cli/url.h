/* cli/url - the address of a WebSocket server: ws://HOST[:PORT][/PATH], for tools.
 * Thread: any; cli_url_resolve blocks on name resolution.
 */
#ifndef HEDDLE_CLI_URL_H
#define HEDDLE_CLI_URL_H

#include <sys/socket.h>

#include "base/buf.h"

typedef struct cli_url {
    char host[256];      /* without brackets */
    char port[6];        /* "80" where the text has none */
    char authority[272]; /* "host:port" as it stood, for the Host field */
    char target[2048];   /* "/path?query"; "" where the text has none */
} cli_url_t;

/* OK; ERR_UNKNOWN: another scheme than ws; ERR_MALFORMED; ERR_TOO_BIG. */
int cli_url_parse(const char *text, cli_url_t *out);

typedef struct cli_address {
    struct sockaddr_storage storage;
    socklen_t size;
} cli_address_t;

/* The first address of the host. ERR_NOT_FOUND. */
int cli_url_resolve(const cli_url_t *self, cli_address_t *out);

#endif
