/* fabric/gate - who may connect to a relay: answers ZeroMQ's question for each key (ZAP, rfc.zeromq.org/spec/27).
 * Owner:  the relay.
 * Thread: the loop's, as the list of keys is; so there is nothing to lock, and a list that was loaded is in force at once.
 * Life:   gate_open -> ... -> gate_close (idempotent) -> the loop runs on until its handles are gone -> gate_destroy
 *
 * One in a process, and it must be open before a socket is bound. A connection that is let in carries its key's number as
 * the property User-Id of each of its messages; fabric/sockets reads it.
 */
#ifndef HEDDLE_FABRIC_GATE_H
#define HEDDLE_FABRIC_GATE_H

#include <uv.h>

#include "fabric/key_list.h"

typedef struct gate gate_t;

/* Borrows the list. ERR_IO: there is a gate in this process already. */
int gate_open(gate_t **out, uv_loop_t *loop, const key_list_t *keys);
void gate_close(gate_t *self);
void gate_destroy(gate_t **self_p);

#endif
