/* protocol/websocket_handshake - the part of protocol/websocket before the first frame (RFC 6455 section 4). */
#include <openssl/evp.h>
#include <openssl/sha.h>

#include "base/err.h"
#include "protocol/websocket.h"

#define KEY_SIZE    16u
#define KEY_LETTERS 24u
#define GUID        "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* RFC 6455 section 1.3 */

static bool has_prefix(span_t name, const char *prefix)
{
    size_t size = strlen(prefix);
    if (name.size < size)
        return false;
    for (size_t i = 0; i < size; i++) {
        uint8_t c = name.data[i];
        if ((c >= 'A' && c <= 'Z' ? c | 0x20 : c) != (uint8_t)prefix[i])
            return false;
    }
    return true;
}

bool websocket_is_upgrade(const http_head_t *head)
{
    for (size_t i = 0; i < head->count; i++)
        if (has_prefix(head->fields[i].name, "sec-websocket-"))
            return true;
    return http_head_get(head, "upgrade", NULL) > 0;
}

/* --- the server's rules, one function each --- */

static bool method_is_right(const http_head_t *head)
{
    return span_is(head->method, "GET");
}

static bool version_is_right(const http_head_t *head)
{
    return head->version_major == 1 && head->version_minor == 1;
}

static bool host_is_right(const http_head_t *head)
{
    return http_head_get(head, "host", NULL) == 1;
}

/* One field with one item: a server that is offered something else beside could be taken at its word. */
static bool upgrade_is_right(const http_head_t *head)
{
    span_t value, item;
    return http_head_get(head, "upgrade", &value) == 1 && http_head_has_token(head, "upgrade", "websocket") &&
           http_next_item(&value, &item) && !http_next_item(&value, &item);
}

static bool connection_is_right(const http_head_t *head)
{
    return http_head_has_token(head, "connection", "upgrade");
}

static bool protocol_version_is_right(const http_head_t *head)
{
    span_t value;
    return http_head_get(head, "sec-websocket-version", &value) == 1 && span_is(value, "13");
}

static bool is_base64_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
}

/* 16 bytes in base64 are 22 letters and two '='. */
static bool key_is_right(const http_head_t *head)
{
    span_t key;
    if (http_head_get(head, "sec-websocket-key", &key) != 1 || key.size != KEY_LETTERS)
        return false;
    for (size_t i = 0; i < KEY_LETTERS - 2; i++)
        if (!is_base64_letter(key.data[i]))
            return false;
    return key.data[KEY_LETTERS - 2] == '=' && key.data[KEY_LETTERS - 1] == '=';
}

static bool has_no_body(const http_head_t *head)
{
    span_t length;
    size_t lengths = http_head_get(head, "content-length", &length);
    return http_head_get(head, "transfer-encoding", NULL) == 0 &&
           (lengths == 0 || (lengths == 1 && span_is(length, "0")));
}

static const struct {
    bool (*is_right)(const http_head_t *head);
    int status;
    const char *why;
} rules[] = {
    {method_is_right, 405, "a WebSocket handshake is a GET"},
    {version_is_right, 505, "a WebSocket handshake is HTTP/1.1"},
    {host_is_right, 400, "there must be one Host field"},
    {upgrade_is_right, 400, "the Upgrade field must be \"websocket\" and nothing else"},
    {connection_is_right, 400, "the Connection field must hold \"Upgrade\""},
    {protocol_version_is_right, 426, "the Sec-WebSocket-Version must be 13"},
    {key_is_right, 400, "there must be one Sec-WebSocket-Key of 16 bytes in base64"},
    {has_no_body, 400, "a WebSocket handshake has no body"},
};

int websocket_check_request(const http_head_t *head, const char **why)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (!rules[i].is_right(head)) {
            *why = rules[i].why;
            return rules[i].status;
        }
    }
    return 101;
}

void websocket_accept(span_t key, char out[WEBSOCKET_ACCEPT_SIZE + 1])
{
    uint8_t text[KEY_LETTERS + sizeof GUID - 1], digest[SHA_DIGEST_LENGTH];
    size_t size = key.size < KEY_LETTERS ? key.size : KEY_LETTERS;
    memcpy(text, key.data, size);
    memcpy(text + size, GUID, sizeof GUID - 1);
    SHA1(text, size + sizeof GUID - 1, digest);
    EVP_EncodeBlock((unsigned char *)out, digest, sizeof digest);
}

/* --- the client's side --- */

static void encode_key(const uint8_t key[KEY_SIZE], char out[KEY_LETTERS + 1])
{
    EVP_EncodeBlock((unsigned char *)out, key, KEY_SIZE);
}

void websocket_client_request(buf_t *out, const char *host, const char *target, const uint8_t key[16],
                              const char *headers)
{
    char letters[KEY_LETTERS + 1];
    encode_key(key, letters);
    buf_printf(out,
               "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n%s\r\n",
               target, host, letters, headers ? headers : "");
}

static bool accept_is_right(const http_head_t *head, const uint8_t key[KEY_SIZE])
{
    char letters[KEY_LETTERS + 1], expected[WEBSOCKET_ACCEPT_SIZE + 1];
    span_t value;
    encode_key(key, letters);
    websocket_accept(span_str(letters), expected);
    return http_head_get(head, "sec-websocket-accept", &value) == 1 && span_is(value, expected);
}

int websocket_client_check(span_t bytes, const uint8_t key[16], int *status)
{
    http_head_t head;
    int rc = http_head_parse_answer(bytes, &head, status);
    if (rc < 0)
        return rc == ERR_AGAIN ? ERR_AGAIN : ERR_MALFORMED;
    if (*status != 101)
        return ERR_DENIED;
    bool right = version_is_right(&head) && upgrade_is_right(&head) && connection_is_right(&head) &&
                 accept_is_right(&head, key) && http_head_get(&head, "sec-websocket-extensions", NULL) == 0;
    return right ? rc : ERR_MALFORMED;
}
