/* fabric/key_file - the text of a key: one half of a node's CURVE key pair, who it is for, and what its holder may be.
 * Thread: any. key_file_read blocks on the file.
 *
 *     heddle public key 1                              heddle secret key 1
 *     key: nxxpT1bUqwXs3^l/EY:LKR&XT+)8mDf5#X]sk0uI    key: ...
 *     name: edge-1                                     name: edge-1
 *     roles: edge
 *
 * The first line says which half it is and the format's version; then one field a line, each at most once, in
 * any order. `key` is 32 bytes in Z85 (rfc.zeromq.org/spec/32), `name` is for people, and `comment` may say anything.
 * Lines that are empty or begin with '#' are passed over. What the secret half may be is for others to say.
 */
#ifndef HEDDLE_FABRIC_KEY_FILE_H
#define HEDDLE_FABRIC_KEY_FILE_H

#include "fabric/roles.h"

#define KEY_TEXT_SIZE   40u   /* letters of a key */
#define KEY_FILE_LIMIT  4096u /* bytes; more is another file given by mistake */
#define KEY_FILE_SUFFIX ".pub"

typedef enum key_half { KEY_PUBLIC, KEY_SECRET } key_half_t;

typedef struct key_file {
    key_half_t half;
    char key[KEY_TEXT_SIZE + 1];
    char name[NODE_NAME_MAX + 1];
    roles_t roles; /* of a public key */
} key_file_t;

/* Reads the text of a file called `path`. OK, or ERR_* with "edge-1.pub:3: ..." in `why`, which never shows a key. */
int key_file_parse(key_file_t *out, const char *path, span_t text, buf_t *why);

void key_file_write(const key_file_t *file, const char *comment, buf_t *out); /* comment may be NULL */

/* Reads the file, which must hold this half. A secret half that users other than its owner and group may read, or other
 * than its owner may write, is refused: ERR_DENIED. The caller wipes `out`. */
int key_file_read(key_file_t *out, const char *path, key_half_t half, buf_t *why);

/* 32 bytes in Z85? */
bool key_text_is_good(span_t text);

#endif
