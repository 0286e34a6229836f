/* protocol/recall - the answer to QUESTION_HISTORY: where a channel is, and messages of its history.
 * Thread: any; pure. What is read borrows from the list.
 *
 * The list is [epoch, top offset, complete, MSG, ...], each MSG a whole envelope as it was sent live.
 */
#ifndef HEDDLE_PROTOCOL_RECALL_H
#define HEDDLE_PROTOCOL_RECALL_H

#include "protocol/envelope.h"

/* Messages of one answer at most, whatever was asked for. */
#define RECALL_MAX 300u

typedef struct recall {
    position_t top;  /* of the channel */
    bool complete;   /* nothing is missing between what was asked for and the top */
    span_t messages; /* encoded MSGs, for recall_next */
} recall_t;

/* `messages` are `count` encoded MSGs. */
void recall_write(buf_t *out, const recall_t *recall, uint32_t count);

/* ERR_* if it is no such list. */
int recall_read(span_t list, recall_t *out);

/* Takes the next message off the front; false at the end. What is no MSG is passed over. */
bool recall_next(span_t *messages, envelope_msg_t *out);

#endif
