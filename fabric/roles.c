#include "fabric/roles.h"

#include "base/err.h"

#define KIND_BIT(kind) (UINT64_C(1) << (kind))

#define CLIENT_KINDS (KIND_BIT(KIND_SUB) | KIND_BIT(KIND_UNSUB) | KIND_BIT(KIND_PUB) | KIND_BIT(KIND_ASK))

/* What each role may say: a bit for each kind. */
#define EDGE_MAY_SAY   (CLIENT_KINDS | KIND_BIT(KIND_JOIN) | KIND_BIT(KIND_LEAVE) | KIND_BIT(KIND_ANSWER))
#define RELAY_MAY_SAY  UINT64_MAX
#define BRIDGE_MAY_SAY (CLIENT_KINDS | KIND_BIT(KIND_ANSWER))
#define TOOL_MAY_SAY   CLIENT_KINDS

static const struct {
    node_role_t role;
    const char *name;
    uint64_t may_say;
} rows[] = {
#define ROLE_ROW(NAME, code, text) {ROLE_##NAME, text, NAME##_MAY_SAY},
    NODE_ROLES(ROLE_ROW)
#undef ROLE_ROW
};

#define ROWS (sizeof rows / sizeof rows[0])

roles_t roles_of(uint64_t role)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].role == role)
            return 1u << role;
    }
    return ROLES_NONE;
}

bool role_may_say(node_role_t role, envelope_kind_t kind)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].role == role)
            return kind < 64 && (rows[i].may_say & KIND_BIT(kind));
    }
    return false;
}

const char *roles_name(node_role_t role)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].role == role)
            return rows[i].name;
    }
    return "?";
}

static roles_t role_named(span_t name)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (span_is(name, rows[i].name))
            return roles_of(rows[i].role);
    }
    return ROLES_NONE;
}

int roles_parse(span_t text, roles_t *out)
{
    *out = ROLES_NONE;
    if (text.size == 0)
        return ERR_MALFORMED;
    for (;;) {
        const uint8_t *space = memchr(text.data, ' ', text.size);
        size_t size = space ? (size_t)(space - text.data) : text.size;
        roles_t role = role_named(span_new(text.data, size));
        if (role == ROLES_NONE)
            return ERR_UNKNOWN;
        if (*out & role)
            return ERR_DUPLICATE;
        *out |= role;
        if (!space)
            return OK;
        text = span_skip(text, size + 1);
    }
}

void roles_write(roles_t roles, buf_t *out)
{
    const char *separator = "";
    for (size_t i = 0; i < ROWS; i++) {
        if (!(roles & roles_of(rows[i].role)))
            continue;
        buf_printf(out, "%s%s", separator, rows[i].name);
        separator = " ";
    }
}
