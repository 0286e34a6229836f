#include "base/secret_file.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"

int secret_file_read(const char *path, buf_t *out)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return ERR_IO;
    uint8_t *text = buf_reserve(out, SECRET_FILE_LIMIT + 1);
    size_t size = fread(text, 1, SECRET_FILE_LIMIT + 1, file);
    int err = ferror(file) ? ERR_IO : size > SECRET_FILE_LIMIT ? ERR_TOO_BIG : OK;
    fclose(file);
    if (err) {
        explicit_bzero(text, size);
        return err;
    }
    if (size > 0 && text[size - 1] == '\n')
        size--;
    if (size > 0 && text[size - 1] == '\r')
        size--;
    buf_advance(out, size);
    return OK;
}
