/* relay/admission - who may connect to a relay: its own keys, the list of those that it lets in, and the gate before its
 * sockets. Without keys in the configuration there is none of it, and everybody may.
 * Owner:  relay/relay.
 * Thread: the relay loop. Opening and reloading block on the files.
 * Life:   relay_admission_open -> reload* -> relay_admission_close (idempotent) -> the loop runs on ->
 *         relay_admission_fini
 */
#ifndef HEDDLE_RELAY_ADMISSION_H
#define HEDDLE_RELAY_ADMISSION_H

#include "base/stats.h"
#include "fabric/gate.h"
#include "fabric/sockets.h"
#include "relay/config.h"

#define RELAY_ADMISSION_STATS(X)                                                                            \
    X(keys, STAT_GAUGE, "heddle_fabric_keys", NULL, "Keys that are let in, without the relays' own")        \
    X(reload_good, STAT_GAUGE, "heddle_fabric_keys_reload_success", NULL,                                   \
      "1: the keys in force are those in the directory as it was last read; 0: a file there is wrong, and " \
      "the keys from before are in force")

typedef struct relay_admission {
    const relay_fabric_config_t *config; /* borrowed */
    curve_t curve;
    key_list_t *keys; /* owned; NULL without keys */
    gate_t *gate;     /* owned; NULL without keys */
    struct relay_admission_stats {
        RELAY_ADMISSION_STATS(STATS_FIELD)
    } stats;
} relay_admission_t;

/* Are the settings and all files good? ERR_* with a sentence in `why`. */
int relay_admission_check(const relay_fabric_config_t *config, buf_t *why);

/* To be given to fini whatever happens; what was never opened is fine there, too. */
int relay_admission_open(relay_admission_t *self, const relay_fabric_config_t *config, uv_loop_t *loop,
                         buf_t *why);
void relay_admission_close(relay_admission_t *self);
void relay_admission_fini(relay_admission_t *self);

/* Reads the list again. Whose key is gone, or may be less, loses its links and connections at once; everybody else is back
 * within moments. A list that has a fault changes nothing. */
void relay_admission_reload(relay_admission_t *self, node_t *node, sockets_t *sockets, uint64_t now_us);

#endif
