/* heddle-edge: settings in, an edge that runs until it is told to stop. */
#include <signal.h>

#include "base/log.h"
#include "base/program.h"
#include "edge/edge.h"

static int run(const edge_config_t *config)
{
    edge_t *edge = NULL;
    buf_t why = {0};
    int err = edge_open(&edge, config, &why);
    if (err)
        log_error("edge.failed", "why=\"%s\"", buf_text(&why));
    else
        edge_run(edge);
    edge_destroy(&edge);
    buf_fini(&why);
    return err ? PROGRAM_FAILED : PROGRAM_OK;
}

static int check(const void *settings, buf_t *why)
{
    return edge_config_check(settings, why);
}

int main(int argc, char **argv)
{
    edge_config_t config = {0};
    config_part_t parts[EDGE_CONFIG_PARTS];
    edge_config_parts(&config, parts);
    program_t program = {
        .name = "heddle-edge",
        .purpose = "holds WebSocket clients and carries their messages to the relays",
        .parts = parts,
        .count = EDGE_CONFIG_PARTS,
        .check = check,
        .settings = &config,
    };
    int exit_code;
    if (program_start(&program, argc, argv, &exit_code)) {
        signal(SIGPIPE, SIG_IGN);
        log_configure(&config.log, config.node.name);
        exit_code = run(&config);
    }
    config_free(parts, EDGE_CONFIG_PARTS);
    return exit_code;
}
