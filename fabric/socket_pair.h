/* fabric/socket_pair - a node's PUB and SUB socket of libzmq: how they are set up, bound and connected.
 * Owner:  fabric/sockets.
 * Thread: the loop's.
 * Life:   socket_pair_open -> bind, connect -> socket_pair_shut -> socket_pair_reopen, and so on -> socket_pair_fini
 *
 * A pair that is shut knows where it was bound and connected, and is there again once it is opened anew. A relay whose handshake
 * has failed is connected to again by socket_pair_look: libzmq (4.3.4) gives it up where keys are the reason.
 */
#ifndef HEDDLE_FABRIC_SOCKET_PAIR_H
#define HEDDLE_FABRIC_SOCKET_PAIR_H

#include <czmq.h>

#include "fabric/curve.h"
#include "fabric/handshakes.h"

typedef struct socket_pair_options {
    const char *bind;     /* NULL = none */
    const curve_t *curve; /* borrowed; NULL = no keys */
    uint64_t node_id;     /* subscribed to */
    bool accepts;         /* the hello address, too; and of relays only the deliveries are connected to */
} socket_pair_options_t;

/* A relay that is connected to. */
typedef struct socket_connection {
    char *address; /* owned; where it listens */
    bool failed;   /* a handshake has */
} socket_connection_t;

typedef struct socket_pair {
    socket_pair_options_t options;    /* texts are copied */
    zsock_t *sub, *pub;               /* owned; NULL = shut */
    void *sub_handle, *pub_handle;    /* of libzmq, for the hot path */
    uint16_t port;                    /* of the SUB socket; 0 = not bound, or not to one */
    socket_connection_t *connections; /* owned array */
    size_t connection_count;
    handshakes_t *sub_handshakes, *pub_handshakes; /* owned */
    uint64_t handshake_failures[HANDSHAKE_FAULT_COUNT];
    uint64_t told_at[HANDSHAKE_FAULT_COUNT]; /* us */
    uint64_t look_at;                        /* us; when socket_pair_look has something to do */
} socket_pair_t;

/* ERR_IO (bind) with a sentence for people in `why`. To be given to socket_pair_fini whatever happens. */
int socket_pair_open(socket_pair_t *self, const socket_pair_options_t *options, buf_t *why);
void socket_pair_fini(socket_pair_t *self);

/* Closes both sockets. At once: what has not been sent is dropped. */
void socket_pair_shut(socket_pair_t *self, bool at_once);

/* Opens them again, where they were. ERR_IO: not yet. */
int socket_pair_reopen(socket_pair_t *self, buf_t *why);

/* To the relay that listens there: now, and at once when it is opened if it is shut. ERR_IO, with errno. */
int socket_pair_connect(socket_pair_t *self, const char *address);
void socket_pair_disconnect(socket_pair_t *self, const char *address);

/* Logs and counts which handshakes have failed, and tries again. */
void socket_pair_look(socket_pair_t *self, uint64_t now_us);

/* What libuv waits for. */
int socket_pair_descriptor(void *handle);

#endif
