#include "protocol/channel_name.h"

#include "base/err.h"

static bool is_namespace_byte(uint8_t byte)
{
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') ||
           byte == '_' || byte == '-';
}

/* What stands before the first ':', without the '$'; false if there is no ':'. */
static bool find_namespace(span_t name, span_t *out)
{
    span_t rest = channel_name_is_private(name) ? span_skip(name, 1) : name;
    const uint8_t *colon = rest.size ? memchr(rest.data, ':', rest.size) : NULL;
    if (!colon)
        return false;
    *out = span_new(rest.data, (size_t)(colon - rest.data));
    return true;
}

int channel_name_check_namespace(span_t namespace)
{
    if (namespace.size == 0 || namespace.size > NAMESPACE_NAME_MAX)
        return ERR_RANGE;
    for (size_t i = 0; i < namespace.size; i++)
        if (!is_namespace_byte(namespace.data[i]))
            return ERR_MALFORMED;
    return OK;
}

int channel_name_check(span_t name)
{
    if (name.size == 0 || name.size > CHANNEL_NAME_MAX)
        return ERR_RANGE;
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] < 0x21 || name.data[i] > 0x7e)
            return ERR_MALFORMED;
    span_t namespace;
    if (find_namespace(name, &namespace) && channel_name_check_namespace(namespace) != OK)
        return ERR_MALFORMED;
    return OK;
}

span_t channel_name_namespace(span_t name)
{
    span_t namespace = {0};
    find_namespace(name, &namespace);
    return namespace;
}

bool channel_name_is_private(span_t name)
{
    return name.size > 0 && name.data[0] == '$';
}

/* The pattern up to its first '*', or all of it; *rest gets what is behind the '*', and star says if there
 * was one. */
static span_t cut_at_star(span_t pattern, span_t *rest, bool *star)
{
    const uint8_t *at = pattern.size ? memchr(pattern.data, '*', pattern.size) : NULL;
    *star = at != NULL;
    if (!at) {
        *rest = span_new(NULL, 0);
        return pattern;
    }
    size_t size = (size_t)(at - pattern.data);
    *rest = span_skip(pattern, size + 1);
    return span_new(pattern.data, size);
}

/* The runs between the stars are looked for from left to right, each at its first place: if there is a match
 * at all, there is one with those. memmem is linear, so the whole is. */
bool channel_name_matches(span_t name, span_t pattern)
{
    bool star;
    span_t run = cut_at_star(pattern, &pattern, &star);
    if (!star)
        return span_eq(name, run);
    if (!span_starts(name, run))
        return false;
    name = span_skip(name, run.size);
    for (;;) {
        run = cut_at_star(pattern, &pattern, &star);
        if (!star)
            return name.size >= run.size && span_eq(span_skip(name, name.size - run.size), run);
        if (run.size == 0)
            continue;
        const uint8_t *found = name.size ? memmem(name.data, name.size, run.data, run.size) : NULL;
        if (!found)
            return false;
        name = span_skip(name, (size_t)(found - name.data) + run.size);
    }
}
