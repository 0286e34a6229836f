#include "tests/sim/virtual_fabric.h"

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"

#define START_US UINT64_C(100000000) /* not 0, which says `never` in many places */
#define DELAY_US 50u

void virtual_fabric_init(virtual_fabric_t *self, uint64_t seed)
{
    *self = (virtual_fabric_t){.now_us = START_US, .random = {seed}};
    network_init(&self->network, &self->random);
    self->network.delay = DELAY_US;
    list_init(&self->ports);
}

void virtual_fabric_fini(virtual_fabric_t *self)
{
    CHECK(list_empty(&self->ports));
    network_fini(&self->network);
}

void virtual_fabric_join(virtual_fabric_t *self, virtual_port_t *port)
{
    port->fabric = self;
    list_append(&self->ports, &port->of_fabric);
}

void virtual_fabric_leave(virtual_port_t *port)
{
    list_remove(&port->of_fabric);
    port->fabric = NULL;
    while (port->inbox_count)
        mem_free(port->inbox[--port->inbox_count]);
    mem_free(port->inbox);
    port->inbox = NULL;
}

/* --- messages --- */

static uint64_t topic_of(span_t message)
{
    uint64_t topic = 0;
    CHECK(message.size >= LINK_TOPIC_SIZE);
    for (size_t i = 0; i < LINK_TOPIC_SIZE; i++)
        topic = topic << 8 | message.data[i];
    return topic;
}

static bool listens(const virtual_port_t *port, uint64_t topic)
{
    return topic == HELLO_TOPIC ? port->accepts : topic == node_id(port->node);
}

int virtual_port_send(virtual_port_t *self, span_t message)
{
    uint64_t topic = topic_of(message);
    CHECK(self->fabric);
    if (self->blocked)
        return ERR_AGAIN;
    LIST_EACH (node, &self->fabric->ports) {
        const virtual_port_t *port = LIST_ITEM(node, virtual_port_t, of_fabric);
        if (port->inbox_count >= VIRTUAL_PIPE && listens(port, topic))
            return ERR_AGAIN;
    }
    if (self->lose)
        self->lose--;
    else if (!self->cut)
        network_post(&self->fabric->network, message, self->fabric->now_us);
    return OK;
}

static void put_aside(virtual_port_t *port, span_t message)
{
    flight_t *flight = mem_grow(NULL, sizeof *flight + message.size, 1);
    flight->size = message.size;
    memcpy(flight->bytes, message.data, message.size);
    port->inbox = mem_grow(port->inbox, port->inbox_count + 1, sizeof(flight_t *));
    port->inbox[port->inbox_count++] = flight;
}

void virtual_port_inject(virtual_port_t *self, span_t message)
{
    if (self->stalled)
        put_aside(self, message);
    else
        node_receive(self->node, NODE_SENDER_ANYONE, message, self->fabric->now_us);
}

/* The host that it comes from, as a bit; 0 = its sender has gone. */
static uint64_t host_of(const virtual_fabric_t *self, span_t message)
{
    uint64_t topic;
    link_header_t header;
    if (link_header_read(&message, &topic, &header))
        return 0;
    LIST_EACH (node, &self->ports) {
        const virtual_port_t *port = LIST_ITEM(node, virtual_port_t, of_fabric);
        if (node_id(port->node) == header.source)
            return UINT64_C(1) << port->host;
    }
    return 0;
}

static void deliver(virtual_fabric_t *self, span_t message)
{
    uint64_t topic = topic_of(message);
    uint64_t host = host_of(self, message);
    LIST_EACH (node, &self->ports) {
        virtual_port_t *port = LIST_ITEM(node, virtual_port_t, of_fabric);
        if (!port->cut && !(port->deaf & host) && listens(port, topic))
            virtual_port_inject(port, message);
    }
}

/* --- time --- */

static void turn(virtual_port_t *self, uint64_t now_us)
{
    for (size_t i = 0; i < self->inbox_count; i++) {
        node_receive(self->node, NODE_SENDER_ANYONE, span_new(self->inbox[i]->bytes, self->inbox[i]->size),
                     now_us);
        mem_free(self->inbox[i]);
    }
    self->inbox_count = 0;
    if (now_us >= node_due(self->node))
        node_tick(self->node, now_us);
    if (self->turn)
        self->turn(self->context, now_us);
    node_flush(self->node, now_us);
}

static void step(virtual_fabric_t *self)
{
    while (network_due(&self->network) <= self->now_us) {
        flight_t *flight = network_take(&self->network);
        deliver(self, span_new(flight->bytes, flight->size));
        mem_free(flight);
    }
    LIST_EACH (node, &self->ports) {
        virtual_port_t *port = LIST_ITEM(node, virtual_port_t, of_fabric);
        if (!port->stalled)
            turn(port, self->now_us);
    }
}

static uint64_t port_due(const virtual_port_t *port)
{
    uint64_t of_node = node_due(port->node);
    uint64_t own = port->due ? port->due(port->context) : UINT64_MAX;
    return own < of_node ? own : of_node;
}

static uint64_t next_due(const virtual_fabric_t *self)
{
    uint64_t due = network_due(&self->network);
    LIST_EACH (node, &self->ports) {
        const virtual_port_t *port = LIST_ITEM(node, virtual_port_t, of_fabric);
        uint64_t of_port = port->stalled ? UINT64_MAX : port_due(port);
        if (of_port < due)
            due = of_port;
    }
    return due > self->now_us ? due : self->now_us + 1;
}

static bool never(void *context)
{
    (void)context;
    return false;
}

bool virtual_fabric_run_until(virtual_fabric_t *self, bool (*condition)(void *context), void *context,
                              uint64_t patience_us)
{
    uint64_t end = self->now_us + patience_us;
    for (;;) {
        step(self);
        if (condition(context))
            return true;
        if (self->now_us >= end)
            return false;
        uint64_t next = next_due(self);
        self->now_us = next < end ? next : end;
    }
}

void virtual_fabric_run(virtual_fabric_t *self, uint64_t time_us)
{
    virtual_fabric_run_until(self, never, NULL, time_us);
}
