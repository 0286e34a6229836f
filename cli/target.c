#include "cli/target.h"

#include "base/err.h"
#include "cli/command.h"

bool cli_target_is_edge(const char *to)
{
    return span_starts(span_str(to), SPAN("ws://"));
}

static int exit_of(int err)
{
    switch (err) {
    case ERR_MALFORMED: /* the address */
    case ERR_UNKNOWN: /* its scheme */ return CLI_USAGE;
    case ERR_NOT_FOUND: /* the host */
    case ERR_UNAVAILABLE:
    case ERR_TIMEOUT: return CLI_UNREACHABLE;
    default: return CLI_FAILED;
    }
}

int cli_target_exit(const cli_options_t *set, int err, buf_t *why)
{
    if (err == OK)
        return CLI_OK;
    return cli_fail(set, exit_of(err), "%s", why->size ? buf_text(why) : err_text(err));
}
