#include "fabric/endpoint.h"

#include <stdlib.h>

#include "base/address.h"
#include "base/err.h"

#define TCP "tcp://"
#define IPC "ipc://"
#define DNS "dns://"

#define SCHEME_SIZE (sizeof TCP - 1)

#define PORT_MAX     65534u /* the deliveries are one above */
#define DNS_NAME_MAX 253u   /* RFC 1035, written out */

static bool has_scheme(const char *text, const char *scheme)
{
    return strncmp(text, scheme, SCHEME_SIZE) == 0;
}

bool endpoint_split(const char *text, size_t *host_size, uint16_t *port)
{
    const char *colon = strrchr(text, ':');
    char *end;
    if (!(has_scheme(text, TCP) || has_scheme(text, DNS)) || !colon || colon[1] < '0' || colon[1] > '9')
        return false;
    unsigned long number = strtoul(colon + 1, &end, 10);
    if (*end || number > PORT_MAX)
        return false;
    *host_size = (size_t)(colon - text);
    *port = (uint16_t)number;
    return true;
}

/* Nothing that a resolver or ZeroMQ would take for more than a name. */
static bool is_name(span_t text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
    for (size_t i = 0; i < text.size; i++) {
        if (!memchr(allowed, text.data[i], sizeof allowed - 1))
            return false;
    }
    return text.size > 0 && text.size <= DNS_NAME_MAX;
}

bool endpoint_name(const char *text, span_t *name, uint16_t *port)
{
    size_t host_size;
    if (!has_scheme(text, DNS) || !endpoint_split(text, &host_size, port) || *port == 0)
        return false;
    *name = span_new(text + SCHEME_SIZE, host_size - SCHEME_SIZE);
    return is_name(*name);
}

static bool is_address(const char *text)
{
    size_t host_size;
    uint16_t port;
    if (has_scheme(text, IPC))
        return text[SCHEME_SIZE] != '\0';
    return has_scheme(text, TCP) && endpoint_split(text, &host_size, &port) && host_size > SCHEME_SIZE;
}

int endpoint_check_listen(const char *text, buf_t *why)
{
    if (is_address(text))
        return OK;
    buf_append_str(why, "expected tcp://host:port (the port above is used, too) or ipc://path");
    return ERR_MALFORMED;
}

int endpoint_check_connect(const char *text, buf_t *why)
{
    span_t name;
    uint16_t port;
    if (is_address(text) || endpoint_name(text, &name, &port))
        return OK;
    buf_append_str(why,
                   "expected tcp://host:port (the port above is used, too), dns://name:port or ipc://path");
    return ERR_MALFORMED;
}

bool endpoint_is_local(const char *text)
{
    return has_scheme(text, TCP) ? address_is_loopback(text + SCHEME_SIZE) : has_scheme(text, IPC);
}

const char *endpoint_deliveries(const char *text, buf_t *out)
{
    size_t host_size;
    uint16_t port;
    buf_clear(out);
    if (endpoint_split(text, &host_size, &port))
        buf_printf(out, "%.*s:%u", (int)host_size, text, port + 1u);
    else
        buf_printf(out, "%s.deliveries", text);
    return buf_text(out);
}
