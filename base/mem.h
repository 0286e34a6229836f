/* base/mem - memory.
 * Thread: any.
 *
 * mem_new* are for sizes that we choose: they zero, and abort when there is no memory. mem_try is for sizes
 * that come from outside: the caller has capped the size, and handles NULL.
 */
#ifndef HEDDLE_BASE_MEM_H
#define HEDDLE_BASE_MEM_H

#include <stddef.h>

void *mem_new(size_t size);
void *mem_new_n(size_t count, size_t size); /* checks the product */
char *mem_dup(const char *text);            /* text may be NULL: then NULL */
char *mem_dup_n(const char *text, size_t size);

/* Grows an array; keeps what is in it; what is new is not zeroed. */
void *mem_grow(void *memory, size_t count, size_t size);

void *mem_try(size_t size);

void mem_free(void *memory); /* NULL is fine */

#endif
