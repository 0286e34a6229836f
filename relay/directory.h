/* relay/directory - finds channels by name, makes them, and sweeps them.
 * Owner:  the front.
 * Thread: the relay loop.
 * Life:   relay_directory_new -> (find | get | sweep)* -> relay_directory_destroy
 */
#ifndef HEDDLE_RELAY_DIRECTORY_H
#define HEDDLE_RELAY_DIRECTORY_H

#include "base/random.h"
#include "base/table.h"
#include "relay/channel.h"

typedef struct relay_directory relay_directory_t;

/* Borrows all but `seed` for life. At most `limit` channels. */
relay_directory_t *relay_directory_new(relay_context_t *context, const namespaces_t *namespaces, size_t limit,
                                       uint64_t seed);
void relay_directory_destroy(relay_directory_t **self_p);

relay_channel_t *relay_directory_find(const relay_directory_t *self, span_t name); /* NULL */

/* Channels that are about to be found, at most TABLE_PEEK_MAX: fetches them into the processor's cache. */
void relay_directory_expect(const relay_directory_t *self, const span_t *names, size_t count);

/* Finds or makes it. OK; ERR_NOT_FOUND: there is no such namespace; ERR_FULL. */
int relay_directory_get(relay_directory_t *self, span_t name, uint64_t now_us, relay_channel_t **out);

size_t relay_directory_count(const relay_directory_t *self);

/* The channel at a place below the count. Until the next sweep channels keep their places, and new ones come behind
 * them. */
relay_channel_t *relay_directory_at(const relay_directory_t *self, size_t place);

/* Looks at the next `budget` channels, fewer where it is told who has left; a sweep goes through all of them, then
 * rests for RELAY_SWEEP_REST_US unless peers are dead. true: there is more to do now. */
#define RELAY_SWEEP_REST_US 5000000u
bool relay_directory_sweep(relay_directory_t *self, size_t budget, uint64_t now_us);

#endif
