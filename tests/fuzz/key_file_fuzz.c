/* Any bytes into fabric/key_file: what is taken can be written, and is then read as the same; what is refused is told in
 * one line that does not show the key. */
#include "base/check.h"
#include "base/err.h"
#include "fabric/key_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_taken(const key_file_t *file)
{
    key_file_t again;
    buf_t text = {0}, why = {0};
    CHECK(key_text_is_good(span_str(file->key)));
    CHECK((file->half == KEY_PUBLIC) == (file->roles != ROLES_NONE));
    key_file_write(file, "x", &text);
    CHECK(key_file_parse(&again, "again", buf_span(&text), &why) == OK);
    CHECK(again.half == file->half && again.roles == file->roles);
    CHECK(strcmp(again.key, file->key) == 0 && strcmp(again.name, file->name) == 0);
    buf_fini(&text);
    buf_fini(&why);
}

static void check_refused(const key_file_t *file, buf_t *why)
{
    CHECK(span_starts(buf_span(why), SPAN("f:")));
    CHECK(!memchr(why->data, '\n', why->size));
    CHECK(!file->key[0] || !strstr(buf_text(why), file->key));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    key_file_t file;
    buf_t why = {0};
    if (key_file_parse(&file, "f", span_new(data, size), &why) == OK)
        check_taken(&file);
    else
        check_refused(&file, &why);
    buf_fini(&why);
    return 0;
}
