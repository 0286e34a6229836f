#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

void *mem_new(size_t size)
{
    void *memory = calloc(1, size ? size : 1);
    CHECK(memory);
    return memory;
}

void *mem_new_n(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size ? size : 1);
    CHECK(memory);
    return memory;
}

char *mem_dup(const char *text)
{
    return text ? mem_dup_n(text, strlen(text)) : NULL;
}

char *mem_dup_n(const char *text, size_t size)
{
    char *copy = malloc(size + 1);
    CHECK(copy);
    if (size)
        memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

void *mem_grow(void *memory, size_t count, size_t size)
{
    CHECK(size == 0 || count <= SIZE_MAX / size);
    void *grown = realloc(memory, count > 0 && size > 0 ? count * size : 1);
    CHECK(grown);
    return grown;
}

void *mem_try(size_t size)
{
    return malloc(size ? size : 1);
}

void mem_free(void *memory)
{
    free(memory);
}
