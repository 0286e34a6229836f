/* fabric/addresses - which addresses a list of relays stands for now: its fixed entries, and what the names
 * among them (dns://NAME:PORT) have for records, asked for again and again.
 * Owner:  fabric/sockets.
 * Thread: the loop's. Names are looked up in threads of their own (fabric/resolver).
 * Life:   addresses_new -> addresses_start -> addresses_tick* -> addresses_close (idempotent) -> the loop runs
 *         on until its handles are gone -> addresses_destroy
 *
 * What a lookup finds is there at once; what is missing from one is gone only after three in a row, since a
 * resolver may answer in part. A lookup that fails, or finds nothing, changes nothing. An address that several
 * entries stand for comes once, and goes with the last of them.
 */
#ifndef HEDDLE_FABRIC_ADDRESSES_H
#define HEDDLE_FABRIC_ADDRESSES_H

#include <uv.h>

#include "base/buf.h"
#include "base/config.h"

#define ADDRESSES_PER_NAME 64u /* what a name has beyond is left out, and logged */

typedef struct addresses addresses_t;
typedef struct addresses_lookup addresses_lookup_t;

/* Looks `name` up without blocking: addresses_found for each numeric host ("10.0.0.1", "fd00::1"), then
 * addresses_looked_up exactly once, both on the loop's thread and maybe before it returns. */
typedef void addresses_resolve_fn(void *context, const char *name, addresses_lookup_t *lookup);

typedef struct addresses_options {
    const config_list_t *list;     /* checked by endpoint_check_connect; not needed after addresses_new */
    uint64_t interval_us;          /* between the lookups of a name; 0 = 5 s */
    addresses_resolve_fn *resolve; /* NULL = the system's */
    /* "tcp://10.0.0.1:7700". An error leaves the address out until the next lookup. */
    int (*came)(void *context, const char *address);
    void (*gone)(void *context, const char *address);
    void *context; /* of all three */
} addresses_options_t;

addresses_t *addresses_new(const addresses_options_t *options);
void addresses_destroy(addresses_t **self_p);

/* The fixed entries come. The first error of `came` ends it; then `failed` is the entry, lent. */
int addresses_start(addresses_t *self, const char **failed);

/* Begins the lookups that are due. `loop` is where the system's lookups end; it may be NULL with another
 * resolve. */
void addresses_tick(addresses_t *self, uv_loop_t *loop, uint64_t now_us);
uint64_t addresses_due(const addresses_t *self); /* us; UINT64_MAX = never: there are no names */

/* Different addresses that are there. */
size_t addresses_count(const addresses_t *self);

/* No more events. The system's lookups that go on are left behind; those of another resolve still have to end
 * before addresses_destroy, unheard. */
void addresses_close(addresses_t *self);

/* --- for resolve functions --- */

void addresses_found(addresses_lookup_t *lookup, const char *host);
void addresses_looked_up(addresses_lookup_t *lookup, int err);

#endif
