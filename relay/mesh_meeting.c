/* relay/mesh_meeting - the part of relay/mesh that knows the other relays, and tells them what they need. */
#include "base/err.h"
#include "base/log.h"
#include "protocol/codec.h"
#include "relay/mesh_inside.h"

_Static_assert(VIEW_MEMBERS_MAX <= 32, "each member has a bit");

/* --- whom it knows --- */

meeting_t *relay_mesh_find(const relay_mesh_t *self, uint64_t id)
{
    for (size_t i = 0; i < VIEW_MEMBERS_MAX; i++) {
        meeting_t *meeting = &self->meetings[i];
        if (meeting->link && link_peer(meeting->link) == id)
            return meeting;
    }
    return NULL;
}

bool relay_mesh_sees_each(const relay_mesh_t *self, uint64_t who, uint64_t whom)
{
    if (who == relay_mesh_self(self))
        return relay_mesh_find(self, whom) != NULL;
    const meeting_t *meeting = relay_mesh_find(self, who);
    for (size_t i = 0; meeting && i < meeting->sees_count; i++) {
        if (meeting->sees[i] == whom)
            return true;
    }
    return false;
}

bool relay_mesh_sees_greater(const relay_mesh_t *self)
{
    for (size_t i = 0; i < VIEW_MEMBERS_MAX; i++) {
        const meeting_t *meeting = &self->meetings[i];
        if (meeting->link && meeting->met && meeting->view.lineage != self->view.lineage &&
            view_is_greater(&meeting->view, &self->view))
            return true;
    }
    return false;
}

/* --- telling --- */

void relay_mesh_send(link_t *link, const envelope_t *envelope, uint64_t now_us)
{
    if (link_send(link, envelope, now_us) == ERR_FULL)
        link_reset(link, ERR_FULL, now_us); /* what relays tell each other must not be missing */
}

static void write_sees(const relay_mesh_t *self, buf_t *out)
{
    buf_t ids = {0};
    uint32_t count = 0;
    for (size_t i = 0; i < VIEW_MEMBERS_MAX; i++) {
        if (!self->meetings[i].link)
            continue;
        codec_write_uint(&ids, link_peer(self->meetings[i].link));
        count++;
    }
    codec_write_array(out, count);
    buf_append_span(out, buf_span(&ids));
    buf_fini(&ids);
}

void relay_mesh_send_meets(relay_mesh_t *self, uint64_t now_us)
{
    buf_t members = {0}, seen = {0};
    view_write_members(&self->view, &members);
    write_sees(self, &seen);
    envelope_t meet = {.kind = KIND_MEET,
                       .meet = {self->view.lineage, self->view.number, buf_span(&members), buf_span(&seen),
                                self->options.options}};
    self->owes_meet = false;
    for (size_t i = 0; i < VIEW_MEMBERS_MAX; i++) {
        if (self->meetings[i].link)
            relay_mesh_send(self->meetings[i].link, &meet, now_us);
    }
    buf_fini(&members);
    buf_fini(&seen);
}

void relay_mesh_send_install(link_t *link, const view_t *view, uint64_t now_us)
{
    buf_t members = {0};
    view_write_members(view, &members);
    envelope_t install = {.kind = KIND_INSTALL, .install = {view->lineage, view->number, buf_span(&members)}};
    relay_mesh_send(link, &install, now_us);
    buf_fini(&members);
}

/* A member that is behind learns each view in turn. */
static void send_what_it_lacks(relay_mesh_t *self, link_t *link, uint64_t number, uint64_t now_us)
{
    uint64_t oldest = self->view.number >= MESH_PAST_VIEWS ? self->view.number - MESH_PAST_VIEWS + 1 : 1;
    if (number + 1 < oldest)
        return;
    while (++number <= self->view.number) {
        const view_t *view = &self->past[number % MESH_PAST_VIEWS];
        if (view->lineage == self->view.lineage && view->number == number)
            relay_mesh_send_install(link, view, now_us);
    }
}

/* --- meeting --- */

void relay_mesh_up(relay_mesh_t *self, link_t *link, uint64_t now_us)
{
    (void)now_us;
    size_t at = 0;
    while (at < VIEW_MEMBERS_MAX && self->meetings[at].link)
        at++;
    if (at == VIEW_MEMBERS_MAX) {
        log_error("mesh.full", "relays=%u", VIEW_MEMBERS_MAX);
        return;
    }
    self->meetings[at] = (meeting_t){.link = link};
    self->owes_meet = self->stirred = true;
}

void relay_mesh_down(relay_mesh_t *self, link_t *link, uint64_t now_us)
{
    (void)now_us;
    meeting_t *meeting = relay_mesh_find(self, link_peer(link));
    const view_member_t *member = view_find(&self->view, link_peer(link));
    if (meeting)
        *meeting = (meeting_t){0};
    if (member)
        self->torn |= UINT32_C(1) << (member - self->view.members);
    self->owes_meet = self->stirred = true;
}

/* What was on the way over a link that went down is gone. So nobody goes on as if it were there: the same members come
 * together in a new view, and hand over and copy what that takes. */
static bool is_torn(const relay_mesh_t *self, uint64_t id)
{
    const view_member_t *member = view_find(&self->view, id);
    return member && self->torn >> (member - self->view.members) & 1u;
}

void relay_mesh_look_who_arrived(relay_mesh_t *self, uint64_t now_us)
{
    for (size_t i = 0; i < VIEW_MEMBERS_MAX; i++) {
        meeting_t *meeting = &self->meetings[i];
        if (!meeting->link || !meeting->met || meeting->arrived || !view_same(&meeting->view, &self->view) ||
            is_torn(self, link_peer(meeting->link)))
            continue;
        meeting->arrived = true;
        if (self->options.events->arrived)
            self->options.events->arrived(self->options.context, link_peer(meeting->link), now_us);
    }
}

static int read_sees(meeting_t *meeting, span_t list)
{
    uint32_t count = 0;
    int err = list.size ? codec_read_array(&list, &count) : OK;
    if (!err && count > VIEW_MEMBERS_MAX)
        err = ERR_TOO_BIG;
    meeting->sees_count = 0;
    for (uint32_t i = 0; !err && i < count; i++) {
        err = codec_read_uint(&list, &meeting->sees[i]);
        meeting->sees_count += !err;
    }
    return err;
}

static void compare_options(const relay_mesh_t *self, meeting_t *meeting, uint64_t options)
{
    if (options != self->options.options && !meeting->differs)
        log_error("mesh.options_differ", "relay=%s namespaces and replicas have to be the same on all relays",
                  log_safe(span_str(link_peer_name(meeting->link))));
    meeting->differs = options != self->options.options;
}

void relay_mesh_take_meet(relay_mesh_t *self, link_t *link, const envelope_meet_t *meet, uint64_t now_us)
{
    meeting_t *meeting = relay_mesh_find(self, link_peer(link));
    view_t view = {.lineage = meet->lineage, .number = meet->number};
    if (!meeting)
        return;
    if (view.number == 0 || view_read_members(&view, meet->members) || read_sees(meeting, meet->sees)) {
        log_warn("mesh.malformed", "relay=%s", log_safe(span_str(link_peer_name(link))));
        return;
    }
    compare_options(self, meeting, meet->options);
    meeting->met = true;
    meeting->view = view;
    meeting->belongs = meeting->belongs || view.lineage == self->view.lineage;
    if (view.lineage != self->view.lineage)
        return;
    if (view.number < self->view.number)
        send_what_it_lacks(self, link, view.number, now_us);
    else if (view.number > self->view.number && !view_find(&view, relay_mesh_self(self)))
        relay_mesh_leave(self, true, now_us);
}
