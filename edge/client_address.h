/* edge/client_address - where a client is, also behind proxies.
 * Thread: any; pure.
 *
 * A proxy puts the address of who speaks to it at the end of X-Forwarded-For. What stands there is believed only as far
 * as trusted proxies wrote it: the client is the last one in the list that is no trusted proxy itself.
 */
#ifndef HEDDLE_EDGE_CLIENT_ADDRESS_H
#define HEDDLE_EDGE_CLIENT_ADDRESS_H

#include "base/config.h"
#include "base/http/head.h"

#define CLIENT_ADDRESS_SIZE 46u /* an IPv6 address as text, with a NUL */

/* The client's address as text in `out`: `peer`, who has the connection, or whom it speaks for. */
void edge_client_address(const config_list_t *trusted_proxies, const http_head_t *head, const char *peer,
                         char out[CLIENT_ADDRESS_SIZE]);

/* For config tables: "10.0.0.7", "10.0.0.0/8", "fd00::/8". */
int edge_network_check(const char *text, buf_t *why);

#endif
