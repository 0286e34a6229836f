/* tests/unit/edge/fake_session - sessions that write down what the server tells them, and do what a test
 * says. Stands in for edge/session.c, so a test program includes it once.
 */
#ifndef HEDDLE_TESTS_FAKE_SESSION_H
#define HEDDLE_TESTS_FAKE_SESSION_H

#include "base/mem.h"
#include "edge/session.h"

typedef struct fake {
    edge_session_t session; /* first, so that the one is the other */
    buf_t log;              /* "opened;TEXT:hi;closed;" */
    bool closed;
    unsigned writable;                 /* how often */
    void (*on_message)(struct fake *); /* may be NULL */
} fake_t;

static inline edge_session_t *fake_new(void)
{
    return mem_new(sizeof(fake_t));
}

static inline fake_t *fake_of(edge_session_t *session)
{
    return (fake_t *)session;
}

static inline void fake_destroy(edge_session_t *session)
{
    buf_fini(&fake_of(session)->log);
    mem_free(session);
}

static inline const char *fake_log(edge_session_t *session)
{
    return buf_text(&fake_of(session)->log);
}

void edge_session_opened(edge_session_t *self, edge_conn_t *conn)
{
    self->conn = conn;
    buf_append_str(&fake_of(self)->log, "opened;");
}

void edge_session_message(edge_session_t *self, bool binary, span_t payload)
{
    fake_t *fake = fake_of(self);
    if (fake->on_message)
        fake->on_message(fake);
    buf_append_str(&fake->log, binary ? "BINARY:" : "TEXT:");
    buf_append_span(&fake->log, payload); /* after on_message: it must still be there */
    buf_append_byte(&fake->log, ';');
}

void edge_session_control(edge_session_t *self, websocket_opcode_t opcode, span_t payload)
{
    buf_printf(&fake_of(self)->log, "%s:%.*s;", opcode == WEBSOCKET_PING ? "PING" : "PONG",
               SPAN_FMT(payload));
}

void edge_session_close_received(edge_session_t *self, uint16_t code)
{
    buf_printf(&fake_of(self)->log, "CLOSE:%u;", code);
}

void edge_session_failed(edge_session_t *self, uint16_t code, const char *reason)
{
    buf_printf(&fake_of(self)->log, "failed:%u:%s;", code, reason);
}

void edge_session_writable(edge_session_t *self)
{
    fake_of(self)->writable++;
}

void edge_session_closed(edge_session_t *self)
{
    fake_of(self)->closed = true;
    self->conn = NULL;
    buf_append_str(&fake_of(self)->log, "closed;");
}

#endif
