/* base/config/env - the part that the environment has in a configuration: HEDDLE_* and ${NAME}.
 * Thread: main, before any other thread runs: the environment is read without a lock.
 */
#ifndef HEDDLE_BASE_CONFIG_ENV_H
#define HEDDLE_BASE_CONFIG_ENV_H

#include "base/config/report.h"
#include "base/config/source.h"

/* Appends "HEDDLE_LISTEN_ADDRESS" for "listen.address". */
void config_env_name(const char *path, buf_t *out);

/* Appends `text` with ${NAME} and ${NAME:-default} replaced, the default also for an empty variable, and
 * "$${" as "${". `*replaced` says if anything was. ERR_MALFORMED or ERR_NOT_FOUND with the reason in `why`. */
int config_env_expand(const char *text, bool *replaced, buf_t *out, buf_t *why);

/* Sets what the environment has a HEDDLE_* name for, and reports names that belong to no setting. */
void config_env_apply(const config_part_t *parts, size_t count, config_sources_t *sources,
                      config_report_t *report);

#endif
