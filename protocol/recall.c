#include "protocol/recall.h"

#include "base/err.h"
#include "protocol/codec.h"

void recall_write(buf_t *out, const recall_t *recall, uint32_t count)
{
    codec_write_array(out, 3 + count);
    codec_write_text(out, position_epoch(&recall->top));
    codec_write_uint(out, recall->top.offset);
    codec_write_uint(out, recall->complete);
    buf_append_span(out, recall->messages);
}

int recall_read(span_t list, recall_t *out)
{
    uint32_t count;
    uint64_t complete = 0;
    span_t epoch;
    *out = (recall_t){0};
    int err = codec_read_array(&list, &count);
    if (!err && count < 3)
        err = ERR_MALFORMED;
    if (!err)
        err = codec_read_text(&list, EPOCH_SIZE, &epoch);
    if (!err)
        err = codec_read_uint(&list, &out->top.offset);
    if (!err)
        err = codec_read_uint(&list, &complete);
    if (!err)
        err = position_set_epoch(&out->top, epoch);
    out->complete = complete != 0;
    out->messages = list;
    return err;
}

bool recall_next(span_t *messages, envelope_msg_t *out)
{
    envelope_t envelope;
    while (messages->size) {
        int err = envelope_decode(messages, &envelope);
        if (err && err != ERR_UNKNOWN)
            return false;
        if (!err && envelope.kind == KIND_MSG) {
            *out = envelope.msg;
            return true;
        }
    }
    return false;
}
