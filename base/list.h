/* base/list - an intrusive doubly linked list: the node lives in the item.
 * Thread: the owner's. A list owns no item. An item's node is zero while it is on no list.
 */
#ifndef HEDDLE_BASE_LIST_H
#define HEDDLE_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct list_node {
    struct list_node *next;
    struct list_node *previous;
} list_node_t;

typedef struct list {
    list_node_t head; /* a ring through the head */
} list_t;

/* The item around its node. */
#define LIST_ITEM(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

#define LIST_EACH(node, list) \
    for (list_node_t *node = (list)->head.next; node != &(list)->head; node = node->next)

/* The same, where the body may take the node off the list. */
#define LIST_EACH_SAFE(node, list)                                                                \
    for (list_node_t *node = (list)->head.next, *node##_next = node->next; node != &(list)->head; \
         node = node##_next, node##_next = node->next)

static inline void list_init(list_t *self)
{
    self->head.next = self->head.previous = &self->head;
}

static inline bool list_empty(const list_t *self)
{
    return self->head.next == &self->head;
}

static inline bool list_linked(const list_node_t *node)
{
    return node->next != NULL;
}

static inline void list_append(list_t *self, list_node_t *node)
{
    node->previous = self->head.previous;
    node->next = &self->head;
    self->head.previous->next = node;
    self->head.previous = node;
}

/* Taking off a node that is on no list does nothing. */
static inline void list_remove(list_node_t *node)
{
    if (!node->next)
        return;
    node->previous->next = node->next;
    node->next->previous = node->previous;
    node->next = node->previous = NULL;
}

/* The first node, taken off; NULL when empty. */
static inline list_node_t *list_pop(list_t *self)
{
    if (list_empty(self))
        return NULL;
    list_node_t *node = self->head.next;
    list_remove(node);
    return node;
}

/* Moves everything from `other` to the end of self. */
static inline void list_take(list_t *self, list_t *other)
{
    if (list_empty(other))
        return;
    other->head.next->previous = self->head.previous;
    self->head.previous->next = other->head.next;
    other->head.previous->next = &self->head;
    self->head.previous = other->head.previous;
    list_init(other);
}

#endif
