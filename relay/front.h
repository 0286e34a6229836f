/* relay/front - the core of a relay: what comes over links becomes calls on channels. No sockets, no clock:
 * the simulation runs it, too.
 * Owner:  relay/relay, or a simulation.
 * Thread: the relay loop.
 * Life:   relay_front_new -> attach -> (up | envelope | down | turn)* -> relay_front_destroy
 */
#ifndef HEDDLE_RELAY_FRONT_H
#define HEDDLE_RELAY_FRONT_H

#include "fabric/node.h"
#include "protocol/namespaces.h"

typedef struct relay_front relay_front_t;

typedef struct relay_front_options {
    const char *name;               /* borrowed */
    const namespaces_t *namespaces; /* borrowed */
    size_t channels;                /* existing at once, at most */
    size_t history_memory;          /* bytes */
    uint64_t seed;                  /* for epochs, lineages, and who waits how long */
    bool peers;                     /* other relays are configured */
    bool replicas;                  /* each channel is kept by a second relay, too */
} relay_front_options_t;

typedef struct relay_front_counts {
    uint64_t published;   /* publications accepted */
    uint64_t duplicates;  /* sent again and already there */
    uint64_t refused;     /* no such namespace, no room, a false sender */
    uint64_t deliveries;  /* MSGs queued to links */
    uint64_t overflows;   /* links reset because their window was full */
    uint64_t unrecovered; /* subscriptions that could not go on from their position */
    uint64_t dropped_size, dropped_age, dropped_memory; /* history messages gone, by cause */
    uint64_t history_bytes;
    uint64_t views;     /* steps of the mesh */
    uint64_t forwarded; /* requests sent on to their channels' owners */
    uint64_t waiting;   /* requests that wait for a channel to change hands, now */
    uint64_t given, taken,
        guests;              /* channels handed over, taken in; messages of another lineage published again */
    uint64_t copies;         /* publications sent to a replica */
    uint64_t copies_refused; /* channels of other relays that there was no room for */
    uint64_t uncommitted;    /* bytes that wait for a replica, now */
    size_t members;          /* of the view */
    bool settled;            /* all channels are where they belong in this view */
    bool serves;             /* edges may use this relay */
    uint64_t unexpected;     /* envelopes that make no sense here */
    size_t channels;
    size_t edges; /* links with edges */
    size_t links;
} relay_front_counts_t;

relay_front_t *relay_front_new(const relay_front_options_t *options, uint64_t now_us);
void relay_front_destroy(relay_front_t **self_p);

/* The node whose links these are; borrowed. */
void relay_front_attach(relay_front_t *self, node_t *node);

/* When the next turn has something to do of itself, us. */
uint64_t relay_front_due(const relay_front_t *self);

/* For the node's events of the same names. `wall_us` stamps publications. */
void relay_front_up(relay_front_t *self, link_t *link, uint64_t now_us);

void relay_front_envelope(relay_front_t *self, link_t *link, const envelope_t *envelope, uint64_t now_us,
                          uint64_t wall_us);
void relay_front_down(relay_front_t *self, link_t *link, uint64_t now_us);

/* For links (link_set_ahead): waits for the memory of all their channels at once, where it is far away. */
void relay_front_expect(const relay_front_t *self, const envelope_t *envelopes, size_t count);

/* Once a turn: sweeps some, ends surveys. true: there is more to do, come again soon. */
bool relay_front_turn(relay_front_t *self, uint64_t now_us);

relay_front_counts_t relay_front_counts(const relay_front_t *self);

#endif
