/* fabric/resolver - one lookup: the addresses of a name, from the system's resolver, in a thread of its own.
 * Owner:  whoever asks, until `done`.
 * Thread: the loop's; the lookup's own thread touches nothing that others see.
 * Life:   resolver_start -> done, and it is gone; or resolver_drop before
 *
 * Not uv_getaddrinfo: a lookup can't be interrupted, lasts 10 s and more where no name server answers, and
 * libuv waits for its threads at the end. A program that is told to stop would stand there. This thread is
 * left behind instead.
 */
#ifndef HEDDLE_FABRIC_RESOLVER_H
#define HEDDLE_FABRIC_RESOLVER_H

#include <uv.h>

typedef struct resolver resolver_t;

/* In the loop: `found` for each numeric address ("10.0.0.1", "fd00::1"), then `done`: OK, ERR_NOT_FOUND (no
 * such name, or no address), ERR_AGAIN (no name server answers), ERR_UNAVAILABLE. */
typedef struct resolver_events {
    void (*found)(void *context, const char *host);
    void (*done)(void *context, int err);
} resolver_events_t;

/* ERR_AGAIN: no thread is to be had; then there is no event. Borrows events and context. */
int resolver_start(resolver_t **out, uv_loop_t *loop, const char *name, const resolver_events_t *events,
                   void *context);

/* No event comes any more; a turn of the loop later nothing is left in it. */
void resolver_drop(resolver_t **self_p);

#endif
