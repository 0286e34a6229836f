/* fabric/key_list - the keys that a relay lets in, and what their holders may be.
 * Owner:  the relay.
 * Thread: its loop. key_list_load blocks on the files.
 * Life:   key_list_new -> key_list_load* -> key_list_destroy
 *
 * A directory holds one public key file for each, called *.pub; whatever else is there is passed over. A load takes all
 * of it or, if one file is wrong, nothing. Each key has a number from its first appearance on, and keeps it when it
 * is taken away or comes back, so that a number that was handed out never means another key.
 * Number 0 is the relays' own key; it needs no file, and one that is there says nothing.
 */
#ifndef HEDDLE_FABRIC_KEY_LIST_H
#define HEDDLE_FABRIC_KEY_LIST_H

#include "fabric/key_file.h"

#define KEY_LIST_MAX 10000u /* keys that are let in at once */

#define KEY_NUMBER_RELAYS 0u
#define KEY_NUMBER_NONE   UINT32_MAX

typedef struct key_list key_list_t;

typedef struct key_list_changes {
    size_t count;   /* keys that are let in now, without the relays' own */
    size_t added;   /* ... and were not before, or may be more now */
    size_t revoked; /* gone, or may be less now */
} key_list_changes_t;

key_list_t *key_list_new(const char *own_key);
void key_list_destroy(key_list_t **self_p);

/* OK, or ERR_* with a sentence in `why` that names the file and its line; then nothing has changed. */
int key_list_load(key_list_t *self, const char *directory, key_list_changes_t *changes, buf_t *why);

/* KEY_NUMBER_NONE: not let in. */
uint32_t key_list_find(const key_list_t *self, span_t key);

/* ROLES_NONE: not let in (any more). Any number may be asked for. */
roles_t key_list_roles(const key_list_t *self, uint32_t number);
const char *key_list_name(const key_list_t *self, uint32_t number); /* for people; "?" */

#endif
