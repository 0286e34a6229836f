/* protocol/channel_name - the grammar of channel names, and patterns over them.
 * Thread: any; pure.
 *
 * A name is 1 to 255 bytes of printable ASCII without space (0x21..0x7e). `ns:rest` is in namespace `ns`; a
 * name without
 * ':' is in the default namespace. A namespace's name is 1 to 64 of [A-Za-z0-9_-]; the rest, behind the first
 * ':', may be empty and may hold more of them. A leading '$' does not belong to the namespace (`$ns:rest` is
 * in `ns`) and says that a subscription needs a token.
 */
#ifndef HEDDLE_PROTOCOL_CHANNEL_NAME_H
#define HEDDLE_PROTOCOL_CHANNEL_NAME_H

#include "base/span.h"

#define CHANNEL_NAME_MAX   255u
#define NAMESPACE_NAME_MAX 64u

/* OK; ERR_RANGE if it is empty or too long, ERR_MALFORMED if a byte is not allowed or what stands before the
 * first ':' can be no namespace's name. */
int channel_name_check(span_t name);

/* The same for the name of a namespace alone. */
int channel_name_check_namespace(span_t namespace);

/* The namespace's name; empty for the default one. The name must be valid. */
span_t channel_name_namespace(span_t name);

/* Must a subscription bring a token ('$…')? */
bool channel_name_is_private(span_t name);

/* A pattern is a name in which each '*' stands for any run of bytes, also an empty one. Linear time. */
bool channel_name_matches(span_t name, span_t pattern);

#endif
