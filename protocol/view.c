#include "protocol/view.h"

#include "base/err.h"
#include "protocol/codec.h"
#include "protocol/owner.h"

_Static_assert(VIEW_LIST_MAX >= VIEW_MEMBERS_MAX * (12 + NODE_NAME_MAX) + 21, "the largest view has room");

static span_t name_of(const view_member_t *member)
{
    return span_str(member->name);
}

static bool is_name(span_t name)
{
    if (name.size == 0 || name.size > NODE_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] <= ' ' || name.data[i] >= 0x7f)
            return false;
    return true;
}

int view_add(view_t *self, uint64_t id, span_t name)
{
    if (id == 0 || !is_name(name))
        return ERR_MALFORMED;
    size_t place = 0;
    for (size_t i = 0; i < self->count; i++) {
        if (self->members[i].id == id || span_eq(name_of(&self->members[i]), name))
            return ERR_DUPLICATE;
        place += self->members[i].id < id;
    }
    if (self->count == VIEW_MEMBERS_MAX)
        return ERR_FULL;
    view_member_t *member = &self->members[place];
    memmove(member + 1, member, (self->count - place) * sizeof *member);
    *member = (view_member_t){.id = id};
    memcpy(member->name, name.data, name.size);
    self->count++;
    return OK;
}

const view_member_t *view_find(const view_t *self, uint64_t id)
{
    for (size_t i = 0; i < self->count; i++)
        if (self->members[i].id == id)
            return &self->members[i];
    return NULL;
}

bool view_same(const view_t *a, const view_t *b)
{
    return a->lineage == b->lineage && a->number == b->number;
}

bool view_is_greater(const view_t *a, const view_t *b)
{
    if (a->count != b->count)
        return a->count > b->count;
    if (a->number != b->number)
        return a->number > b->number;
    return a->lineage < b->lineage;
}

/* --- ranks --- */

typedef struct rank {
    const view_member_t *member; /* NULL = nobody */
    uint64_t weight;
} rank_t;

/* Weights are 64 bits wide: that two are equal is all but impossible, and still everyone must agree. */
static bool outranks(const rank_t *a, const rank_t *b)
{
    if (!b->member)
        return true;
    if (a->weight != b->weight)
        return a->weight > b->weight;
    return strcmp(a->member->name, b->member->name) < 0;
}

view_ranks_t view_ranks(const view_t *self, span_t channel)
{
    rank_t first = {0};
    rank_t second = {0};
    for (size_t i = 0; i < self->count; i++) {
        rank_t rank = {&self->members[i], owner_weight(channel, name_of(&self->members[i]))};
        if (outranks(&rank, &first)) {
            second = first;
            first = rank;
        } else if (outranks(&rank, &second)) {
            second = rank;
        }
    }
    return (view_ranks_t){first.member ? first.member->id : 0, second.member ? second.member->id : 0};
}

/* --- the wire --- */

static void write_member(const view_member_t *member, buf_t *out)
{
    codec_write_array(out, 2);
    codec_write_uint(out, member->id);
    codec_write_text(out, name_of(member));
}

void view_write_members(const view_t *self, buf_t *out)
{
    codec_write_array(out, (uint32_t)self->count);
    for (size_t i = 0; i < self->count; i++)
        write_member(&self->members[i], out);
}

static int read_member(view_t *self, span_t *rest)
{
    uint32_t fields = 0;
    uint64_t id = 0;
    span_t name = {0};
    int err = codec_read_array(rest, &fields);
    if (!err && fields < 2)
        err = ERR_MALFORMED;
    if (!err)
        err = codec_read_uint(rest, &id);
    if (!err)
        err = codec_read_text(rest, NODE_NAME_MAX, &name);
    for (uint32_t i = 2; !err && i < fields; i++)
        err = codec_skip(rest);
    return err ? err : view_add(self, id, name);
}

int view_read_members(view_t *self, span_t list)
{
    view_t read = {.lineage = self->lineage, .number = self->number};
    uint32_t count = 0;
    int err = list.size ? codec_read_array(&list, &count) : OK;
    for (uint32_t i = 0; !err && i < count; i++)
        err = read_member(&read, &list);
    if (!err)
        *self = read;
    return err;
}

void view_encode(const view_t *self, buf_t *out)
{
    if (self->number == 0) {
        codec_write_array(out, 0);
        return;
    }
    codec_write_array(out, 2 + (uint32_t)self->count);
    codec_write_uint(out, self->lineage);
    codec_write_uint(out, self->number);
    for (size_t i = 0; i < self->count; i++)
        write_member(&self->members[i], out);
}

int view_decode(view_t *self, span_t list)
{
    view_t read = {0};
    uint32_t count = 0;
    int err = list.size ? codec_read_array(&list, &count) : OK;
    if (!err && count == 1)
        err = ERR_MALFORMED;
    if (!err && count)
        err = codec_read_uint(&list, &read.lineage);
    if (!err && count)
        err = codec_read_uint(&list, &read.number);
    if (!err && count && read.number == 0)
        err = ERR_MALFORMED;
    for (uint32_t i = 2; !err && i < count; i++)
        err = read_member(&read, &list);
    if (!err)
        *self = read;
    return err;
}
