/* cli/target - the node that a command talks to: the options that name it, and how a command ends that could
 * not do its work there.
 * Thread: main.
 */
#ifndef HEDDLE_CLI_TARGET_H
#define HEDDLE_CLI_TARGET_H

#include "cli/options.h"
#include "cli/tool.h"

/* Rows of a command's table, whose target struct has the members `to` and `token`. */
#define CLI_TARGET_TO(target, text)                                                                    \
    {                                                                                                  \
        .name = "to", .letter = 't', .type = CLI_TEXT, .offset = offsetof(target, to), .value = "URL", \
        .fallback = "tcp://127.0.0.1:7700", .help = (text)                                             \
    }
#define CLI_TARGET_TOKEN(target)                                                                \
    {                                                                                           \
        .name = "token", .type = CLI_TEXT, .offset = offsetof(target, token), .value = "TOKEN", \
        .help = "ws://: who one is"                                                             \
    }

/* The same, with a member `keys`, a cli_keys_t. */
#define CLI_TARGET_KEY(target)                                                                \
    {                                                                                         \
        .name = "key", .letter = 'k', .type = CLI_TEXT, .offset = offsetof(target, keys.own), \
        .value = "FILE", .help = "tcp://: this tool's secret key, where the fabric has keys"  \
    }
#define CLI_TARGET_RELAY_KEY(target)                                                                   \
    {                                                                                                  \
        .name = "relay-key", .letter = 'K', .type = CLI_TEXT, .offset = offsetof(target, keys.relays), \
        .value = "FILE", .help = "tcp://: the relays' public key"                                      \
    }

/* An edge ("ws://…"), or else a relay. */
bool cli_target_is_edge(const char *to);

/* The cli_exit_t for how the work ended. Has said why not: `why`, or if that is empty the error's text. */
int cli_target_exit(const cli_options_t *set, int err, buf_t *why);

#endif
