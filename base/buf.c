#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "base/mem.h"

#define FIRST_CAPACITY 64u

void buf_fini(buf_t *self)
{
    mem_free(self->data);
    *self = (buf_t){0};
}

void buf_grow(buf_t *self, size_t count)
{
    CHECK(count <= SIZE_MAX / 4 && self->size <= SIZE_MAX / 4);
    size_t needed = self->size + count;
    size_t capacity = self->capacity ? self->capacity : FIRST_CAPACITY;
    while (capacity < needed)
        capacity *= 2;
    self->data = mem_grow(self->data, capacity, 1);
    self->capacity = capacity;
}

void buf_append_str(buf_t *self, const char *text)
{
    buf_append(self, text, strlen(text));
}

void buf_append_u64(buf_t *self, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    buf_append(self, digits + at, sizeof digits - at);
}

void buf_append_byte(buf_t *self, uint8_t byte)
{
    *buf_reserve(self, 1) = byte;
    self->size++;
}

void buf_printf(buf_t *self, const char *format, ...)
{
    CHECK(format);
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    CHECK(size >= 0);
    va_start(arguments, format);
    vsnprintf((char *)buf_reserve(self, (size_t)size + 1), (size_t)size + 1, format, arguments);
    va_end(arguments);
    self->size += (size_t)size;
}

void buf_consume(buf_t *self, size_t count)
{
    CHECK(count <= self->size);
    if (count == 0)
        return;
    memmove(self->data, self->data + count, self->size - count);
    self->size -= count;
}

const char *buf_text(buf_t *self)
{
    *buf_reserve(self, 1) = '\0';
    return (const char *)self->data;
}
