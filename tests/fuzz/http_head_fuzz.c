/* A head that is whole is whole at that byte and no byte before, its spans lie in the input, and the query
 * functions read any bytes. */
#include "base/check.h"
#include "base/err.h"
#include "base/http/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(span_t whole, span_t part)
{
    CHECK(part.size == 0 || (part.data >= whole.data && part.data + part.size <= whole.data + whole.size));
}

static void check_request(span_t bytes)
{
    http_head_t head, shorter;
    int size = http_head_parse(bytes, &head);
    if (size < 0)
        return;
    CHECK(size > 0 && (size_t)size <= bytes.size && head.count <= HTTP_HEAD_FIELDS);
    check_inside(bytes, head.target);
    check_inside(bytes, head.query);
    for (size_t i = 0; i < head.count; i++) {
        check_inside(bytes, head.fields[i].name);
        check_inside(bytes, head.fields[i].value);
    }
    for (int i = 0; i < size; i++)
        CHECK(http_head_parse(span_new(bytes.data, (size_t)i), &shorter) == ERR_AGAIN);
    http_head_has_token(&head, "connection", "upgrade");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    span_t bytes = span_new(data, size);
    http_head_t head;
    int status = 0;
    char out[32];
    check_request(bytes);
    if (http_head_parse_answer(bytes, &head, &status) > 0)
        CHECK(status >= 100 && status <= 999);
    CHECK(http_query_value(bytes, "channel", 1, out, sizeof out) <= (int)sizeof out);
    CHECK(http_percent_decode(bytes, false, out, sizeof out) <= (int)sizeof out);
    return 0;
}
