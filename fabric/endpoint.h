/* fabric/endpoint - the texts that say where nodes are.
 * Thread: any. Pure.
 *
 *     tcp://HOST:PORT   a relay's port; its deliveries leave one port above
 *     ipc://PATH        a socket of this machine; its deliveries leave at PATH.deliveries
 *     dns://NAME:PORT   every address that the name has, now and later; only to connect to
 */
#ifndef HEDDLE_FABRIC_ENDPOINT_H
#define HEDDLE_FABRIC_ENDPOINT_H

#include "base/buf.h"

/* For config tables: may a relay listen there, may a node connect there? OK, or ERR_MALFORMED with a short
 * text in `why`. */
int endpoint_check_listen(const char *text, buf_t *why);
int endpoint_check_connect(const char *text, buf_t *why);

/* Of an address to listen at: can none but this machine reach it? Names of hosts and interfaces count as
 * reachable. */
bool endpoint_is_local(const char *text);

/* Of tcp:// and dns://: the port, and how much of the text stands before its colon. false for others. */
bool endpoint_split(const char *text, size_t *host_size, uint16_t *port);

/* Of dns://: the name, and the port. false for others. */
bool endpoint_name(const char *text, span_t *name, uint16_t *port);

/* Where the PUB socket of that relay is. Lent from `out`, which is cleared first. */
const char *endpoint_deliveries(const char *text, buf_t *out);

#endif
