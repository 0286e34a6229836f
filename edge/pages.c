#include "edge/pages.h"

#include "base/buf.h"
#include "edge/worker.h"
#include "protocol/json.h"

/* A file of web/ as bytes of the program: `NAME_begin` to `NAME_end`. */
#define EMBED(name, file)                                                                             \
    __asm__(".pushsection .rodata\n" #name "_begin:\n.incbin \"" HEDDLE_WEB_DIR "/" file "\"\n" #name \
            "_end:\n.byte 0\n.popsection\n");                                                         \
    extern const uint8_t name##_begin[], name##_end[]

EMBED(edge_page_html, "index.html");
EMBED(edge_page_css, "demo.css");
EMBED(edge_page_js, "demo.js");
EMBED(edge_page_svg, "demo.svg");

/* Its own files, and WebSockets to the edges that the configuration names; nothing inline, nothing from
 * elsewhere, no frames around it. */
#define POLICY_START                                                                                     \
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " \
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; connect-src 'self'"
#define OTHER_HEADERS \
    "\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nCache-Control: no-cache\r\n"

/* An address from the configuration may stand in a header and in a policy if it is made of what addresses
 * are made of. */
static bool is_plain_address(const char *address)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:/-_[]";
    return address[strspn(address, plain)] == '\0';
}

static void respond(edge_worker_t *worker, http_exchange_t *exchange, const char *type, span_t body)
{
    const config_list_t *edges = &worker->config->demo.edges;
    buf_t headers = {0};
    if (edges->count == 0) {
        http_exchange_respond(exchange, 404, "text/plain; charset=utf-8", NULL, SPAN("not found\n"));
        return;
    }
    buf_append_str(&headers, POLICY_START);
    for (size_t i = 0; i < edges->count; i++)
        if (is_plain_address(edges->items[i]))
            buf_printf(&headers, " %s", edges->items[i]);
    buf_append_str(&headers, OTHER_HEADERS);
    http_exchange_respond(exchange, 200, type, buf_text(&headers), body);
    buf_fini(&headers);
}

#define HANDLER(name, type)                                                         \
    static void handle_##name(void *context, http_exchange_t *exchange)             \
    {                                                                               \
        size_t size = (size_t)(edge_page_##name##_end - edge_page_##name##_begin);  \
        respond(context, exchange, type, span_new(edge_page_##name##_begin, size)); \
    }

HANDLER(html, "text/html; charset=utf-8")
HANDLER(css, "text/css; charset=utf-8")
HANDLER(js, "text/javascript; charset=utf-8")
HANDLER(svg, "image/svg+xml")

/* {"edges":["ws://127.0.0.1:8000","ws://127.0.0.1:8001"]}: what each pane connects to. */
static void handle_edges(void *context, http_exchange_t *exchange)
{
    const edge_worker_t *worker = context;
    const config_list_t *edges = &worker->config->demo.edges;
    buf_t body = {0};
    buf_append_str(&body, "{\"edges\":[");
    for (size_t i = 0; i < edges->count; i++) {
        if (i > 0)
            buf_append_byte(&body, ',');
        json_append_string(&body, span_str(edges->items[i]));
    }
    buf_append_str(&body, "]}");
    respond(context, exchange, "application/json", buf_span(&body));
    buf_fini(&body);
}

const http_route_t edge_pages[EDGE_PAGES] = {
    {"GET", "/", handle_html},
    {"GET", "/demo.css", handle_css},
    {"GET", "/demo.js", handle_js},
    {"GET", "/demo.svg", handle_svg},
    {"GET", "/demo/edges.json", handle_edges},
};
