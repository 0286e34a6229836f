#include "base/secret_file.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"

static int read_all(FILE *file, buf_t *out)
{
    uint8_t *text = buf_reserve(out, SECRET_FILE_LIMIT + 1);
    size_t size = fread(text, 1, SECRET_FILE_LIMIT + 1, file);
    int err = ferror(file) ? ERR_IO : size > SECRET_FILE_LIMIT ? ERR_TOO_BIG : OK;
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

static int check_private(FILE *file)
{
    struct stat status;
    if (fstat(fileno(file), &status))
        return ERR_IO;
    return status.st_mode & (S_IWGRP | S_IRWXO) ? ERR_DENIED : OK;
}

static int read_file(const char *path, bool private, buf_t *out)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return ERR_IO;
    setvbuf(file, NULL, _IONBF, 0); /* no copy is left behind */
    int err = private ? check_private(file) : OK;
    if (!err)
        err = read_all(file, out);
    fclose(file);
    return err;
}

int secret_file_read(const char *path, buf_t *out)
{
    return read_file(path, false, out);
}

int secret_file_read_private(const char *path, buf_t *out)
{
    return read_file(path, true, out);
}

void secret_wipe(buf_t *secret)
{
    if (secret->data)
        explicit_bzero(secret->data, secret->capacity);
    buf_fini(secret);
}
