/* base/secret_file - a secret that stands alone in a file.
 * Thread: any. Blocks on the file.
 */
#ifndef HEDDLE_BASE_SECRET_FILE_H
#define HEDDLE_BASE_SECRET_FILE_H

#include "base/buf.h"

#define SECRET_FILE_LIMIT 4096u /* bytes; more is another file given by mistake */

/* Appends the file's bytes without the end of the last line, which editors put there. OK, ERR_IO, or
 * ERR_TOO_BIG; on an error nothing is appended, nor left in memory. */
int secret_file_read(const char *path, buf_t *out);

/* The same, and ERR_DENIED if anybody but its owner may change the file, or anybody but its owner and group may read
 * it: a secret that lies open is none any more. The group may, since it is how containers are lent a secret. */
int secret_file_read_private(const char *path, buf_t *out);

/* Overwrites all that the buffer has room for, and frees it. */
void secret_wipe(buf_t *secret);

#endif
