/* heddle-relay: settings in, a relay that runs until it is told to stop. */
#include <signal.h>

#include "base/log.h"
#include "base/program.h"
#include "relay/relay.h"

static int run(const relay_config_t *config)
{
    relay_t *relay = NULL;
    buf_t why = {0};
    int err = relay_open(&relay, config, &why);
    if (err)
        log_error("relay.failed", "why=\"%s\"", buf_text(&why));
    else
        relay_run(relay);
    relay_destroy(&relay);
    buf_fini(&why);
    return err ? PROGRAM_FAILED : PROGRAM_OK;
}

static int check(const void *settings, buf_t *why)
{
    return relay_config_check(settings, why);
}

int main(int argc, char **argv)
{
    relay_config_t config = {0};
    config_part_t parts[RELAY_CONFIG_PARTS];
    relay_config_parts(&config, parts);
    program_t program = {
        .name = "heddle-relay",
        .purpose = "routes messages between edges and keeps each channel's order",
        .parts = parts,
        .count = RELAY_CONFIG_PARTS,
        .check = check,
        .settings = &config,
    };
    int exit_code;
    if (program_start(&program, argc, argv, &exit_code)) {
        signal(SIGPIPE, SIG_IGN);
        log_configure(&config.log, config.node.name);
        exit_code = run(&config);
    }
    config_free(parts, RELAY_CONFIG_PARTS);
    return exit_code;
}
