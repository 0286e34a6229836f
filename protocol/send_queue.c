#include "protocol/send_queue.h"

#include "base/err.h"
#include "base/mem.h"
#include "protocol/envelope.h"

static send_message_t *message_of(list_node_t *node)
{
    return LIST_ITEM(node, send_message_t, node);
}

void send_queue_init(send_queue_t *self)
{
    *self = (send_queue_t){0};
    list_init(&self->messages);
    self->unsent = &self->messages.head;
}

void send_queue_clear(send_queue_t *self)
{
    for (list_node_t *node; (node = list_pop(&self->messages)) != NULL;)
        mem_free(message_of(node));
    buf_fini(&self->batch);
    send_queue_init(self);
}

int send_queue_append(send_queue_t *self, span_t envelope, size_t limit)
{
    if (self->held && self->held + envelope.size > limit)
        return ERR_FULL;
    if (self->batch.size && self->batch.size + envelope.size > WIRE_BATCH)
        send_queue_close_batch(self);
    if (self->batch.size == 0) {
        buf_reserve(&self->batch, LINK_PREFIX_SIZE);
        buf_advance(&self->batch, LINK_PREFIX_SIZE);
        self->held += LINK_PREFIX_SIZE;
    }
    buf_append_span(&self->batch, envelope);
    self->held += envelope.size;
    return OK;
}

void send_queue_close_batch(send_queue_t *self)
{
    if (self->batch.size == 0)
        return;
    send_message_t *message = mem_grow(NULL, sizeof *message + self->batch.size, 1);
    message->node = (list_node_t){0};
    message->seq = ++self->last_seq;
    message->size = self->batch.size;
    memcpy(message->bytes, self->batch.data, self->batch.size);
    list_append(&self->messages, &message->node);
    if (self->unsent == &self->messages.head)
        self->unsent = &message->node;
    if (self->batch.capacity > 4 * WIRE_BATCH) /* a large envelope's room is not kept for the next */
        buf_fini(&self->batch);
    buf_clear(&self->batch);
}

send_message_t *send_queue_next_unsent(const send_queue_t *self)
{
    return self->unsent == &self->messages.head ? NULL : message_of(self->unsent);
}

void send_queue_mark_sent(send_queue_t *self)
{
    self->unsent = self->unsent->next;
}

send_message_t *send_queue_first_sent(const send_queue_t *self, uint64_t from)
{
    list_node_t *node = self->messages.head.next;
    while (node != self->unsent && message_of(node)->seq < from)
        node = node->next;
    return node == self->unsent ? NULL : message_of(node);
}

send_message_t *send_queue_next_sent(const send_queue_t *self, const send_message_t *message)
{
    return message->node.next == self->unsent ? NULL : message_of(message->node.next);
}

uint64_t send_queue_last_sent(const send_queue_t *self)
{
    send_message_t *unsent = send_queue_next_unsent(self);
    return unsent ? unsent->seq - 1 : self->last_seq;
}

bool send_queue_ack(send_queue_t *self, uint64_t ack)
{
    if (ack <= self->acked || ack > send_queue_last_sent(self))
        return false;
    self->acked = ack;
    while (self->messages.head.next != self->unsent) {
        send_message_t *first = message_of(self->messages.head.next);
        if (first->seq > ack)
            break;
        list_remove(&first->node);
        self->held -= first->size;
        mem_free(first);
    }
    return true;
}
