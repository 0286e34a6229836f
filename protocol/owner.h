/* protocol/owner - which relay owns a channel: rendezvous hashing (Thaler and Ravishankar 1996).
 * Thread: any; pure.
 *
 * Every node computes the same weight for (channel, relay name); the live relay with the highest one owns the channel. A
 * relay that comes or goes moves only its own share.
 */
#ifndef HEDDLE_PROTOCOL_OWNER_H
#define HEDDLE_PROTOCOL_OWNER_H

#include "base/span.h"

/* SipHash-1-3 of the channel's name, keyed by two SipHash-1-3 of the relay's name with the keys (1, 0) and (2, 0). */
uint64_t owner_weight(span_t channel, span_t relay_name);

#endif
