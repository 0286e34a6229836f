#include "fabric/handshakes.h"

#include <czmq.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "base/mem.h"

/* Failures that one look tells of; each takes libzmq's thread some 50 us, and us less than one. */
#define LOOK_MAX 4096u

#define ADDRESS_MAX 256u

#define WATCHED                                                                   \
    (ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | \
     ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)

struct handshakes {
    void *watched;    /* borrowed */
    zsock_t *monitor; /* owned; PAIR */
    void *handle;     /* of libzmq */
};

typedef struct event {
    uint16_t id;
    uint32_t value;
    char address[ADDRESS_MAX];
} event_t;

static const struct {
    const char *name, *text;
} faults[] = {
#define FAULT_ROW(NAME, name, text) [HANDSHAKE_##NAME] = {name, text},
    HANDSHAKE_FAULTS(FAULT_ROW)
#undef FAULT_ROW
};

const char *handshake_fault_name(handshake_fault_t fault)
{
    return faults[fault].name;
}

const char *handshake_fault_text(handshake_fault_t fault)
{
    return faults[fault].text;
}

void handshakes_open(handshakes_t **out, void *socket)
{
    static _Atomic uint64_t number; /* endpoints belong to the process */
    char endpoint[64];
    handshakes_t *self = mem_new(sizeof *self);
    self->watched = socket;
    snprintf(endpoint, sizeof endpoint, "inproc://handshakes-%" PRIu64, ++number);
    CHECK(zmq_socket_monitor(socket, endpoint, WATCHED) == 0);
    self->monitor = zsock_new(ZMQ_PAIR);
    self->handle = zsock_resolve(self->monitor);
    zsock_set_rcvhwm(self->monitor, 0); /* a full pipe would stop libzmq's thread */
    CHECK(zmq_connect(self->handle, endpoint) == 0);
    *out = self;
}

void handshakes_close(handshakes_t **self_p)
{
    handshakes_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    zmq_socket_monitor(self->watched, NULL, 0);
    zsock_destroy(&self->monitor);
    mem_free(self);
}

/* Two frames: id and value, then the address (zmq_socket_monitor(3)). */
static bool receive(handshakes_t *self, event_t *out)
{
    uint8_t head[6];
    if (zmq_recv(self->handle, head, sizeof head, ZMQ_DONTWAIT) != sizeof head)
        return false;
    int size = zmq_recv(self->handle, out->address, sizeof out->address - 1, ZMQ_DONTWAIT);
    if (size < 0)
        return false;
    out->address[(size_t)size < ADDRESS_MAX ? (size_t)size : ADDRESS_MAX - 1] = '\0';
    memcpy(&out->id, head, sizeof out->id);
    memcpy(&out->value, head + 2, sizeof out->value);
    return true;
}

static handshake_fault_t fault_of(const event_t *event)
{
    if (event->id == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
        return HANDSHAKE_REFUSED;
    if (event->id != ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL)
        return HANDSHAKE_BROKEN;
    switch (event->value) {
    case ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH: return HANDSHAKE_NO_KEYS;
    case ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC: return HANDSHAKE_WRONG_KEY;
    default: return HANDSHAKE_BROKEN;
    }
}

void handshakes_look(handshakes_t *self, handshakes_fn *failed, void *context)
{
    event_t event;
    for (size_t i = 0; i < LOOK_MAX && receive(self, &event); i++)
        failed(context, event.address, fault_of(&event));
}
