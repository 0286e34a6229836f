/* fabric/roles - what nodes of each role may say, and sets of roles.
 * Thread: any. Pure.
 *
 * Relays speak for others and move channels among themselves, so they may say everything; all others only what
 * stands for them in the table. A new kind is the relays' alone until it has a row there.
 */
#ifndef HEDDLE_FABRIC_ROLES_H
#define HEDDLE_FABRIC_ROLES_H

#include "base/buf.h"
#include "protocol/envelope.h"

/* A bit for each role. */
typedef unsigned roles_t;

#define ROLES_NONE 0u
#define ROLES_ALL  (~0u)

roles_t roles_of(uint64_t role); /* of one, as it came off the wire; ROLES_NONE if there is no such role */

/* May a node of this role send this kind on a link? */
bool role_may_say(node_role_t role, envelope_kind_t kind);

const char *roles_name(node_role_t role); /* "edge"; "?" */

/* "edge tool", names parted by single spaces. OK, or ERR_UNKNOWN, ERR_DUPLICATE, ERR_MALFORMED (none). */
int roles_parse(span_t text, roles_t *out);
void roles_write(roles_t roles, buf_t *out);

#endif
