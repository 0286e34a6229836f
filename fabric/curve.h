/* fabric/curve - the keys that a node's sockets use: its own pair, and the relays' public key.
 * Owner:  whoever opens the sockets.
 * Thread: any, read only once loaded. Loading blocks on the files.
 * Life:   zeroed (no keys) -> curve_load_relay | curve_load_client -> sockets -> curve_fini
 *
 * All relays share one pair (docs/decisions/0010): whoever connects to a relay has to know its public key before it knows
 * which relay it will be.
 */
#ifndef HEDDLE_FABRIC_CURVE_H
#define HEDDLE_FABRIC_CURVE_H

#include "base/config.h"
#include "fabric/key_file.h"

typedef struct curve {
    bool on;
    char public_key[KEY_TEXT_SIZE + 1];
    char secret_key[KEY_TEXT_SIZE + 1];
    char relay_key[KEY_TEXT_SIZE + 1];
} curve_t;

/* `fabric.curve` of an edge's configuration. */
typedef struct curve_client_config {
    char *secret_key_file; /* empty: none */
    char *relay_key_file;
} curve_client_config_t;

extern const config_table_t curve_client_config_table;

/* The relays' pair. OK, or ERR_* with a sentence in `why`. */
int curve_load_relay(curve_t *self, const char *secret_key_file, buf_t *why);

/* The pair of a node that connects. Without both files there are no keys; with one of them it is ERR_CONFIG. `names` are
 * what the two settings are called, for `why`. */
int curve_load_client(curve_t *self, const char *secret_key_file, const char *relay_key_file,
                      const char *const names[2], buf_t *why);
int curve_load_config(curve_t *self, const curve_client_config_t *config, buf_t *why);

void curve_fini(curve_t *self); /* wipes it */

/* Sets up one of libzmq's sockets, before it is bound, and then before it is connected. Without keys, nothing. Who is let
 * in to a bound one is for the gate to say; without a gate, nobody is. */
void curve_serve(const curve_t *self, void *socket);
void curve_connect(const curve_t *self, void *socket);

/* A new pair. */
void curve_generate(char public_key[KEY_TEXT_SIZE + 1], char secret_key[KEY_TEXT_SIZE + 1]);

#endif
