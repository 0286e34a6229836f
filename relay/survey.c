#include "relay/survey.h"

#include "base/err.h"
#include "base/mem.h"
#include "protocol/codec.h"

typedef struct survey {
    list_node_t node;
    uint64_t id;       /* ours, in the question to the edges */
    uint64_t asker_id; /* the asker's own, in the answer to it */
    relay_peer_slot_t asker;
    uint64_t deadline_us;
    relay_peer_slot_t *waiting; /* owned; who has not answered */
    size_t waiting_count;
    buf_t items; /* encoded list items */
    uint32_t item_count;
} survey_t;

void relay_surveys_init(relay_surveys_t *self)
{
    *self = (relay_surveys_t){0};
    list_init(&self->open);
}

static void destroy(relay_surveys_t *self, survey_t *survey)
{
    list_remove(&survey->node);
    self->count--;
    buf_fini(&survey->items);
    mem_free(survey->waiting);
    mem_free(survey);
}

void relay_surveys_fini(relay_surveys_t *self)
{
    while (!list_empty(&self->open))
        destroy(self, LIST_ITEM(self->open.head.next, survey_t, node));
}

static void send_answer(link_t *asker, uint64_t id, int err, span_t items, uint64_t now_us)
{
    envelope_t answer = {.kind = KIND_ANSWER, .answer = {id, (uint64_t)-err, items}};
    (void)link_send(asker, &answer, now_us); /* the asker has a deadline */
}

static void finish(relay_surveys_t *self, const relay_peers_t *peers, survey_t *survey, uint64_t now_us)
{
    link_t *asker = relay_peers_link(peers, survey->asker);
    if (asker) {
        buf_t list = {0};
        codec_write_array(&list, survey->item_count);
        buf_append_span(&list, buf_span(&survey->items));
        send_answer(asker, survey->asker_id, OK, buf_span(&list), now_us);
        buf_fini(&list);
    }
    destroy(self, survey);
}

static void ask_all(survey_t *survey, const relay_peers_t *peers, const envelope_ask_t *ask, uint64_t now_us)
{
    envelope_t question = {.kind = KIND_ASK, .ask = *ask};
    question.ask.id = survey->id;
    survey->waiting = mem_new_n(peers->count, sizeof *survey->waiting);
    relay_peer_slot_t slot = 0;
    for (link_t *link; (link = relay_peers_next(peers, &slot)) != NULL;) {
        if (link_peer_role(link) == ROLE_EDGE && link_send(link, &question, now_us) == OK)
            survey->waiting[survey->waiting_count++] = slot - 1;
    }
}

void relay_surveys_begin(relay_surveys_t *self, const relay_peers_t *peers, link_t *asker,
                         const envelope_ask_t *ask, span_t own, uint64_t now_us)
{
    if (self->count >= SURVEYS_MAX) {
        send_answer(asker, ask->id, ERR_FULL, (span_t){0}, now_us);
        return;
    }
    survey_t *survey = mem_new(sizeof *survey);
    survey->id = ++self->last_id;
    survey->asker_id = ask->id;
    survey->asker = relay_peers_slot(asker);
    survey->deadline_us = now_us + SURVEY_TIMEOUT_US;
    buf_append_span(&survey->items, own);
    survey->item_count = own.size > 0;
    list_append(&self->open, &survey->node);
    self->count++;
    ask_all(survey, peers, ask, now_us);
    if (survey->waiting_count == 0)
        finish(self, peers, survey, now_us);
}

/* true if it was one of those who are waited for. */
static bool take_off(survey_t *survey, relay_peer_slot_t slot)
{
    for (size_t i = 0; i < survey->waiting_count; i++) {
        if (survey->waiting[i] == slot) {
            survey->waiting[i] = survey->waiting[--survey->waiting_count];
            return true;
        }
    }
    return false;
}

/* As far as they fit; the codec has checked that the list is whole. */
static void add_items(survey_t *survey, span_t list)
{
    uint32_t count;
    if (list.size == 0 || codec_read_array(&list, &count))
        return;
    if (survey->items.size + list.size > LIST_MAX - 8)
        return;
    buf_append_span(&survey->items, list);
    survey->item_count += count;
}

void relay_surveys_answer(relay_surveys_t *self, const relay_peers_t *peers, link_t *edge,
                          const envelope_answer_t *answer, uint64_t now_us)
{
    LIST_EACH (node, &self->open) {
        survey_t *survey = LIST_ITEM(node, survey_t, node);
        if (survey->id != answer->id)
            continue;
        if (take_off(survey, relay_peers_slot(edge)))
            add_items(survey, answer->items);
        if (survey->waiting_count == 0)
            finish(self, peers, survey, now_us);
        return;
    }
}

void relay_surveys_lost(relay_surveys_t *self, const relay_peers_t *peers, relay_peer_slot_t slot,
                        uint64_t now_us)
{
    LIST_EACH_SAFE (node, &self->open) {
        survey_t *survey = LIST_ITEM(node, survey_t, node);
        bool asked = survey->asker == slot;
        take_off(survey, slot);
        if (asked)
            destroy(self, survey);
        else if (survey->waiting_count == 0)
            finish(self, peers, survey, now_us);
    }
}

void relay_surveys_tick(relay_surveys_t *self, const relay_peers_t *peers, uint64_t now_us)
{
    while (!list_empty(&self->open)) {
        survey_t *oldest = LIST_ITEM(self->open.head.next, survey_t, node);
        if (now_us < oldest->deadline_us)
            return;
        finish(self, peers, oldest, now_us);
    }
}
