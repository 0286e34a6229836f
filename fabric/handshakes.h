/* fabric/handshakes - what goes wrong when connections of a socket begin, told and counted by cause.
 * Owner:  fabric/sockets, one for each socket.
 * Thread: the loop's.
 * Life:   handshakes_open -> handshakes_look* -> handshakes_close
 *
 * It matters for more than the log: a socket that was refused by the other side, or met one without keys, never
 * tries again (libzmq 4.3.4). Whoever connected has to do so anew.
 */
#ifndef HEDDLE_FABRIC_HANDSHAKES_H
#define HEDDLE_FABRIC_HANDSHAKES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(NAME, "name in logs and metrics", what it says) */
#define HANDSHAKE_FAULTS(X)                                            \
    X(NO_KEYS, "no_keys", "one side has keys, and the other has none") \
    X(WRONG_KEY, "wrong_key", "it was meant for another relay key")    \
    X(REFUSED, "refused", "the key is not let in")                     \
    X(BROKEN, "broken", "the connection ended before it was made; with keys, maybe for a wrong relay key")

typedef enum handshake_fault {
#define FAULT_ENUM(NAME, name, text) HANDSHAKE_##NAME,
    HANDSHAKE_FAULTS(FAULT_ENUM)
#undef FAULT_ENUM
        HANDSHAKE_FAULT_COUNT
} handshake_fault_t;

const char *handshake_fault_name(handshake_fault_t fault);
const char *handshake_fault_text(handshake_fault_t fault);

typedef struct handshakes handshakes_t;

/* Watches one of libzmq's sockets, from before it is bound or connected. */
void handshakes_open(handshakes_t **out, void *socket);
void handshakes_close(handshakes_t **self_p); /* before the socket is closed */

/* `address` is the one that was bound or connected to. */
typedef void handshakes_fn(void *context, const char *address, handshake_fault_t fault);

/* Tells what has happened since the last look, as much of it as a turn of the loop has time for. */
void handshakes_look(handshakes_t *self, handshakes_fn *failed, void *context);

#endif
