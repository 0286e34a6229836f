#include "protocol/owner.h"

#include "base/hash.h"

uint64_t owner_weight(span_t channel, span_t relay_name)
{
    hash_key_t key = {hash_bytes((hash_key_t){1, 0}, relay_name), hash_bytes((hash_key_t){2, 0}, relay_name)};
    return hash_bytes(key, channel);
}
