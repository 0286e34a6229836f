#include "base/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"

typedef union endpoint {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} endpoint_t;

/* ":9000", with the whole text behind the colon a number of 16 bits. */
static int parse_port(const char *colon, in_port_t *port)
{
    char *end;
    if (colon[1] < '0' || colon[1] > '9')
        return ERR_MALFORMED;
    errno = 0;
    unsigned long number = strtoul(colon + 1, &end, 10);
    if (errno || *end || number > UINT16_MAX)
        return ERR_MALFORMED;
    *port = htons((uint16_t)number);
    return OK;
}

static int parse(const char *text, endpoint_t *out)
{
    char host[INET6_ADDRSTRLEN];
    const char *colon = strrchr(text, ':');
    if (!colon)
        return ERR_MALFORMED;
    bool is_v6 = text[0] == '[' && colon > text + 1 && colon[-1] == ']';
    const char *begin = text + is_v6;
    size_t size = (size_t)(colon - is_v6 - begin);
    if (size >= sizeof host)
        return ERR_MALFORMED;
    memcpy(host, begin, size);
    host[size] = '\0';
    memset(out, 0, sizeof *out);
    out->any.sa_family = is_v6 ? AF_INET6 : AF_INET;
    void *number = is_v6 ? (void *)&out->v6.sin6_addr : (void *)&out->v4.sin_addr;
    if (inet_pton(out->any.sa_family, host, number) != 1)
        return ERR_MALFORMED;
    return parse_port(colon, is_v6 ? &out->v6.sin6_port : &out->v4.sin_port);
}

int address_check(const char *text, buf_t *why)
{
    endpoint_t endpoint;
    if (parse(text, &endpoint) == OK)
        return OK;
    buf_append_str(why, "expected an address like 127.0.0.1:8000 or [::1]:8000");
    return ERR_MALFORMED;
}

bool address_is_loopback(const char *text)
{
    endpoint_t endpoint;
    if (parse(text, &endpoint) != OK)
        return false;
    if (endpoint.any.sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&endpoint.v6.sin6_addr);
    return ntohl(endpoint.v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

/* The endpoint gets the port that was bound. */
static bool bind_and_listen(int fd, endpoint_t *endpoint, bool reuse_port)
{
    int yes = 1;
    bool is_v6 = endpoint->any.sa_family == AF_INET6;
    socklen_t size = sizeof *endpoint;
    return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
           (!reuse_port || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes) == 0) &&
           (!is_v6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes) == 0) &&
           bind(fd, &endpoint->any, is_v6 ? sizeof endpoint->v6 : sizeof endpoint->v4) == 0 &&
           listen(fd, SOMAXCONN) == 0 && getsockname(fd, &endpoint->any, &size) == 0;
}

int address_listen(const char *text, bool reuse_port, int *fd, uint16_t *port)
{
    endpoint_t endpoint;
    if (parse(text, &endpoint) != OK)
        return ERR_MALFORMED;
    int made = socket(endpoint.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (made < 0)
        return ERR_IO;
    if (!bind_and_listen(made, &endpoint, reuse_port)) {
        int error = errno;
        close(made);
        errno = error;
        return ERR_IO;
    }
    *fd = made;
    *port = ntohs(endpoint.any.sa_family == AF_INET6 ? endpoint.v6.sin6_port : endpoint.v4.sin_port);
    return OK;
}
