/* Commands of a Centrifuge client: whatever comes, reading ends; texts lie in the frame or in the reader's
 * memory; a command that is held back and read again from its line on is the same command, and so are all
 * behind it. */
#include "base/check.h"
#include "base/err.h"
#include "edge/centrifuge_command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(span_t frame, const buf_t *memory, span_t part)
{
    CHECK(part.size == 0 || (part.data >= frame.data && part.data + part.size <= frame.data + frame.size) ||
          (part.data >= memory->data && part.data + part.size <= memory->data + memory->size));
}

static void check_same(const centrifuge_command_t *a, const centrifuge_command_t *b)
{
    CHECK(a->method == b->method && a->id == b->id && a->type == b->type &&
          a->has_tag_filter == b->has_tag_filter);
    CHECK(span_eq(a->channel, b->channel) && span_eq(a->token, b->token) && span_eq(a->data, b->data) &&
          span_eq(a->delta, b->delta));
}

static void check_command(span_t frame, const centrifuge_reader_t *reader,
                          const centrifuge_command_t *command)
{
    CHECK(command->method < CENTRIFUGE_METHOD_COUNT);
    CHECK(command->id > 0 || command->method == CENTRIFUGE_PONG || command->method == CENTRIFUGE_SEND);
    CHECK(reader->here.data + reader->here.size == frame.data + frame.size);
    CHECK(reader->rest.size < reader->here.size);
    CHECK(command->data.size == 0 || !memchr(command->data.data, '\n', command->data.size));
    check_inside(frame, &reader->memory, command->channel);
    check_inside(frame, &reader->memory, command->token);
    check_inside(frame, &reader->memory, command->data);
    check_inside(frame, &reader->memory, command->delta);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    span_t frame = span_new(data, size);
    centrifuge_reader_t reader;
    centrifuge_command_t command;
    centrifuge_reader_init(&reader, frame);
    int err;
    size_t count = 0;
    while ((err = centrifuge_read(&reader, &command)) == OK) {
        check_command(frame, &reader, &command);
        centrifuge_reader_t again;
        centrifuge_command_t same;
        centrifuge_reader_init(&again, reader.here);
        CHECK(centrifuge_read(&again, &same) == OK);
        check_same(&command, &same);
        CHECK(again.rest.size == reader.rest.size);
        centrifuge_reader_fini(&again);
        count++;
    }
    CHECK(err != ERR_NOT_FOUND || count > 0);
    centrifuge_reader_fini(&reader);
    return 0;
}
