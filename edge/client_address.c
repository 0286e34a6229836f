#include "edge/client_address.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "base/err.h"

/* An address, or a network of them. IPv4 is kept as the IPv6 addresses that stand for it. */
typedef struct network {
    uint8_t bytes[16];
    unsigned bits; /* that count */
} network_t;

#define V4_PREFIX_BITS 96u

static const uint8_t v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool read_address(span_t text, network_t *out, unsigned *most)
{
    char copy[CLIENT_ADDRESS_SIZE];
    if (text.size == 0 || text.size >= sizeof copy)
        return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    memcpy(out->bytes, v4_prefix, sizeof v4_prefix);
    bool is_v4 = inet_pton(AF_INET, copy, out->bytes + sizeof v4_prefix) == 1;
    *most = is_v4 ? 32 : 128;
    out->bits = 128;
    return is_v4 || inet_pton(AF_INET6, copy, out->bytes) == 1;
}

/* "address" or "address/bits". */
static bool read_network(const char *text, network_t *out)
{
    const char *slash = strchr(text, '/');
    unsigned most;
    span_t address = span_new(text, slash ? (size_t)(slash - text) : strlen(text));
    if (!read_address(address, out, &most))
        return false;
    if (!slash)
        return true;
    char *end;
    unsigned long bits = slash[1] >= '0' && slash[1] <= '9' ? strtoul(slash + 1, &end, 10) : most + 1;
    if (bits > most || *end)
        return false;
    out->bits = (unsigned)bits + (most == 32 ? V4_PREFIX_BITS : 0);
    return true;
}

static bool contains(const network_t *network, const network_t *address)
{
    unsigned whole = network->bits / 8;
    unsigned rest = network->bits % 8;
    if (memcmp(network->bytes, address->bytes, whole) != 0)
        return false;
    return rest == 0 || (network->bytes[whole] ^ address->bytes[whole]) >> (8 - rest) == 0;
}

static bool is_trusted(const config_list_t *trusted_proxies, const network_t *address)
{
    for (size_t i = 0; i < trusted_proxies->count; i++) {
        network_t network;
        if (read_network(trusted_proxies->items[i], &network) && contains(&network, address))
            return true;
    }
    return false;
}

int edge_network_check(const char *text, buf_t *why)
{
    network_t network;
    if (read_network(text, &network))
        return OK;
    buf_append_str(why, "expected an address or a network such as 10.0.0.7, 10.0.0.0/8 or fd00::/8");
    return ERR_MALFORMED;
}

static void write_address(span_t text, char out[CLIENT_ADDRESS_SIZE])
{
    size_t size = text.size < CLIENT_ADDRESS_SIZE ? text.size : CLIENT_ADDRESS_SIZE - 1;
    memcpy(out, text.data, size);
    out[size] = '\0';
}

void edge_client_address(const config_list_t *trusted_proxies, const http_head_t *head, const char *peer,
                         char out[CLIENT_ADDRESS_SIZE])
{
    network_t address;
    unsigned most;
    write_address(span_str(peer), out);
    if (!read_address(span_str(peer), &address, &most) || !is_trusted(trusted_proxies, &address))
        return;
    for (size_t i = 0; i < head->count; i++) { /* a repeated field goes on where the one before ended */
        span_t item, rest = head->fields[i].value;
        if (!http_field_is(&head->fields[i], "x-forwarded-for"))
            continue;
        while (http_next_item(&rest, &item)) {
            if (read_address(item, &address, &most) && !is_trusted(trusted_proxies, &address))
                write_address(item, out);
        }
    }
}
