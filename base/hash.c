#include "base/hash.h"

#include <pthread.h>

#include "base/random.h"

#define ROTATE(x, bits) (((x) << (bits)) | ((x) >> (64 - (bits))))

typedef struct state {
    uint64_t v0, v1, v2, v3;
} state_t;

static inline void mix(state_t *s)
{
    s->v0 += s->v1;
    s->v1 = ROTATE(s->v1, 13) ^ s->v0;
    s->v0 = ROTATE(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = ROTATE(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = ROTATE(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = ROTATE(s->v1, 17) ^ s->v2;
    s->v2 = ROTATE(s->v2, 32);
}

static inline void absorb(state_t *s, uint64_t word)
{
    s->v3 ^= word;
    mix(s);
    s->v0 ^= word;
}

uint64_t hash_bytes(hash_key_t key, span_t bytes)
{
    state_t s = {key.k0 ^ 0x736f6d6570736575u, key.k1 ^ 0x646f72616e646f6du, key.k0 ^ 0x6c7967656e657261u,
                 key.k1 ^ 0x7465646279746573u};
    const uint8_t *at = bytes.data;
    size_t left = bytes.size;
    for (; left >= 8; left -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        absorb(&s, word);
    }
    uint64_t last = (uint64_t)bytes.size << 56;
    for (size_t i = 0; i < left; i++)
        last |= (uint64_t)at[i] << (8 * i);
    absorb(&s, last);
    s.v2 ^= 0xff;
    mix(&s);
    mix(&s);
    mix(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

static hash_key_t process_key;
static pthread_once_t process_key_once = PTHREAD_ONCE_INIT;

static void choose_process_key(void)
{
    random_fill(&process_key, sizeof process_key);
}

hash_key_t hash_process_key(void)
{
    pthread_once(&process_key_once, choose_process_key);
    return process_key;
}

void hash_set_process_key(hash_key_t key)
{
    pthread_once(&process_key_once, choose_process_key);
    process_key = key;
}
