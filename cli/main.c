/* cli/main - `heddle`: the tools for people, one file per subcommand. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/command.h"

static const cli_command_t commands[] = {
    {"sub", "prints the messages of channels as they come", cli_sub_run},
    {"pub", "publishes messages", cli_pub_run},
    {"status", "lists the nodes of the cluster", cli_status_run},
    {"check", "checks configuration files without starting anything", cli_check_run},
    {"keygen", "makes the key pair of a node on the fabric", cli_keygen_run},
    {"token", "makes and reads the signed tokens that clients log in with", cli_token_run},
    {"bench", "measures throughput, latency, loss and memory of running nodes", cli_bench_run},
    {0},
};

int main(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "--version") == 0) {
        puts("heddle " HEDDLE_VERSION);
        return CLI_OK;
    }
    log_set_level(LOG_LEVEL_ERROR); /* commands say themselves what people need to know */
    return cli_command_dispatch(
        "heddle", "Heddle carries WebSocket traffic across many machines; this is its tool box.", commands,
        argc, argv);
}
