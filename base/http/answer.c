#include "base/http/answer.h"

#include <inttypes.h>
#include <time.h>

static const struct {
    int status;
    const char *text;
} texts[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {304, "Not Modified"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {422, "Unprocessable Content"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

const char *http_status_text(int status)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].status == status)
            return texts[i].text;
    return "";
}

/* The one form that is still to be sent (RFC 9110 section 5.6.7). The names of days and months are English
 * whatever the locale: programs never call setlocale for LC_TIME. */
static void append_date(buf_t *out, uint64_t wall_us)
{
    char text[64];
    struct tm parts;
    time_t seconds = (time_t)(wall_us / 1000000);
    gmtime_r(&seconds, &parts);
    size_t size = strftime(text, sizeof text, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
    buf_append(out, text, size);
}

void http_answer_head(buf_t *out, const http_answer_t *answer, uint64_t wall_us)
{
    buf_printf(out, "HTTP/1.1 %d %s\r\n", answer->status, http_status_text(answer->status));
    append_date(out, wall_us);
    if (answer->content_type)
        buf_printf(out, "Content-Type: %s\r\n", answer->content_type);
    if (answer->status != 204) /* which must not have one (RFC 9110 section 8.6) */
        buf_printf(out, "Content-Length: %" PRIu64 "\r\n", answer->body_size);
    if (answer->headers)
        buf_append_str(out, answer->headers);
    buf_printf(out, "Connection: %s\r\n\r\n", answer->keep_alive ? "keep-alive" : "close");
}
