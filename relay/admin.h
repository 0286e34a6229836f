/* relay/admin - a relay's port for operators: /livez, /readyz, /metrics.
 * Owner:  relay/relay.
 * Thread: the relay loop.
 * Life:   relay_admin_open -> relay_admin_close -> the loop runs on -> relay_admin_destroy
 */
#ifndef HEDDLE_RELAY_ADMIN_H
#define HEDDLE_RELAY_ADMIN_H

#include <uv.h>

#include "base/buf.h"
#include "fabric/sockets.h"
#include "relay/front.h"

typedef struct relay_admin relay_admin_t;

/* Borrows front, node, sockets and address for life. ERR_* with a sentence in `why`. */
int relay_admin_open(relay_admin_t **out, uv_loop_t *loop, const char *address, const relay_front_t *front,
                     const node_t *node, const sockets_t *sockets, buf_t *why);
uint16_t relay_admin_port(const relay_admin_t *self);
void relay_admin_close(relay_admin_t *self);
void relay_admin_destroy(relay_admin_t **self_p); /* NULL is fine */

#endif
