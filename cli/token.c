/* cli/token - `heddle token make` and `heddle token read`. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/secret_file.h"
#include "cli/command.h"
#include "cli/options.h"
#include "protocol/channel_name.h"
#include "protocol/json.h"
#include "protocol/token.h"

typedef struct secret_options {
    const char *text;
    const char *file;
} secret_options_t;

/* --- the secret --- */

/* Appends the secret; `found` says whether one was given at all. Returns a cli_exit_t and has said why. */
static int take_secret(const cli_options_t *set, const secret_options_t *options, buf_t *out, bool *found)
{
    *found = options->text || options->file;
    if (options->text && options->file)
        return cli_fail(set, CLI_USAGE, "--secret and --secret-file exclude each other");
    if (options->text)
        buf_append_str(out, options->text);
    int err = options->file ? secret_file_read(options->file, out) : OK;
    if (err)
        return cli_fail(set, CLI_USAGE, "--secret-file %s: %s", options->file, err_text(err));
    if (*found && out->size == 0)
        return cli_fail(set, CLI_USAGE, "the secret is empty");
    return CLI_OK;
}

/* --- make --- */

typedef struct make_options {
    secret_options_t secret;
    const char *user;
    uint64_t ttl_us;
    const char *channel;
    const char *client;
    const char *info;
    bool json;
} make_options_t;

#define MAKE_ROW(field) .offset = offsetof(make_options_t, field)
static const cli_option_t make_rows[] = {
    {.name = "secret",
     .letter = 's',
     .type = CLI_TEXT,
     MAKE_ROW(secret.text),
     .value = "SECRET",
     .help = "the edges' auth.hmac_secret; others can see it in the process list"},
    {.name = "secret-file",
     .letter = 'S',
     .type = CLI_TEXT,
     MAKE_ROW(secret.file),
     .value = "FILE",
     .help = "a file that holds the secret"},
    {.name = "user",
     .letter = 'u',
     .type = CLI_TEXT,
     MAKE_ROW(user),
     .value = "USER",
     .help = "the user's id; empty = anonymous"},
    {.name = "ttl",
     .letter = 't',
     .type = CLI_DURATION,
     MAKE_ROW(ttl_us),
     .value = "TIME",
     .fallback = "1h",
     .help = "how long the token is good"},
    {.name = "channel",
     .letter = 'c',
     .type = CLI_TEXT,
     MAKE_ROW(channel),
     .value = "CHANNEL",
     .help = "makes a subscription token for this channel"},
    {.name = "client",
     .type = CLI_TEXT,
     MAKE_ROW(client),
     .value = "ID",
     .help = "only for the connection with this client id"},
    {.name = "info",
     .letter = 'i',
     .type = CLI_TEXT,
     MAKE_ROW(info),
     .value = "JSON",
     .help = "what others see of the user in presence and publications"},
    {.name = "json", .type = CLI_FLAG, MAKE_ROW(json), .help = "prints {\"token\":…,\"expires\":…}"},
};

static const cli_options_t make_set = {
    .command = "heddle token make",
    .about = "Makes a token (JWT, HS256) for a connection, or with --channel for a subscription.",
    .rows = make_rows,
    .count = sizeof make_rows / sizeof make_rows[0],
};

static void claim_text(buf_t *out, const char *name, const char *text)
{
    if (!text)
        return;
    buf_printf(out, ",\"%s\":", name);
    json_append_string(out, span_str(text));
}

static void write_claims(const make_options_t *options, uint64_t now_s, uint64_t expires_s, buf_t *out)
{
    buf_printf(out, "{\"iat\":%" PRIu64 ",\"exp\":%" PRIu64, now_s, expires_s);
    claim_text(out, "sub", options->user);
    claim_text(out, "channel", options->channel);
    claim_text(out, "client", options->client);
    if (options->info)
        buf_printf(out, ",\"info\":%s", options->info);
    buf_append_byte(out, '}');
}

/* What the parser can't check. Returns a cli_exit_t and has said why. */
static int check_make(const make_options_t *options, bool have_secret)
{
    json_value_t info;
    if (!have_secret)
        return cli_fail(&make_set, CLI_USAGE, "needs --secret or --secret-file");
    if (!options->user)
        return cli_fail(&make_set, CLI_USAGE, "needs --user");
    if (options->ttl_us < CLOCK_SEC)
        return cli_fail(&make_set, CLI_USAGE, "--ttl is shorter than a second");
    if (options->channel && channel_name_check(span_str(options->channel)) != OK)
        return cli_fail(&make_set, CLI_USAGE, "--channel: not the name of a channel");
    if (options->info && json_parse(span_str(options->info), &info) != OK)
        return cli_fail(&make_set, CLI_USAGE, "--info is not JSON");
    return CLI_OK;
}

static int make_token(const make_options_t *options, span_t secret)
{
    uint64_t now_us = clock_wall_us();
    uint64_t expires_s = (now_us + options->ttl_us) / CLOCK_SEC;
    buf_t claims = {0};
    buf_t token = {0};
    write_claims(options, now_us / CLOCK_SEC, expires_s, &claims);
    token_make(buf_span(&claims), secret, &token);
    int exit_code = CLI_OK;
    if (token.size > TOKEN_LIMIT)
        exit_code = cli_fail(&make_set, CLI_FAILED, "the token would have %zu bytes; edges take at most %u",
                             token.size, TOKEN_LIMIT);
    else if (options->json)
        printf("{\"token\":\"%s\",\"expires\":%" PRIu64 "}\n", buf_text(&token), expires_s);
    else
        puts(buf_text(&token));
    buf_fini(&token);
    buf_fini(&claims);
    return exit_code;
}

static int run_make(int argc, char **argv)
{
    make_options_t options = {0};
    buf_t secret = {0};
    bool have_secret = false;
    int exit_code;
    if (!cli_options_begin(&make_set, &argc, argv, &options, &exit_code))
        return exit_code;
    exit_code = take_secret(&make_set, &options.secret, &secret, &have_secret);
    if (exit_code == CLI_OK)
        exit_code = check_make(&options, have_secret);
    if (exit_code == CLI_OK)
        exit_code = make_token(&options, buf_span(&secret));
    buf_fini(&secret);
    return exit_code;
}

/* --- read --- */

typedef struct read_options {
    secret_options_t secret;
    bool json;
} read_options_t;

#define READ_ROW(field) .offset = offsetof(read_options_t, field)
static const cli_option_t read_rows[] = {
    {.name = "secret",
     .letter = 's',
     .type = CLI_TEXT,
     READ_ROW(secret.text),
     .value = "SECRET",
     .help = "checks signature and times, too; others can see it in the process list"},
    {.name = "secret-file",
     .letter = 'S',
     .type = CLI_TEXT,
     READ_ROW(secret.file),
     .value = "FILE",
     .help = "a file that holds the secret"},
    {.name = "json", .type = CLI_FLAG, READ_ROW(json), .help = "prints one JSON object"},
};

static const cli_options_t read_set = {
    .command = "heddle token read",
    .arguments = "TOKEN",
    .about = "Shows what a token says, and with a secret whether an edge would accept it now\n"
             "(exit code 1 if not).",
    .rows = read_rows,
    .count = sizeof read_rows / sizeof read_rows[0],
    .arguments_min = 1,
    .arguments_max = 1,
};

typedef struct reading {
    buf_t header, claims; /* JSON as it stood in the token */
    bool checked;         /* a secret was given */
    int verdict;          /* of token_check */
} reading_t;

/* "2026-11-24T08:00:00Z, in 3599 s" after "exp", where the claims have one that can be read. */
static void print_expiry(span_t claims)
{
    json_value_t object;
    json_value_t member;
    uint64_t expires_s;
    if (json_parse(claims, &object) != OK || object.type != JSON_OBJECT ||
        !json_get(&object, "exp", &member) || json_to_u64(&member, &expires_s) != OK)
        return;
    time_t when = (time_t)expires_s;
    struct tm utc;
    char text[32];
    if (!gmtime_r(&when, &utc) || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        return;
    uint64_t now_s = clock_wall_us() / CLOCK_SEC;
    bool past = expires_s <= now_s;
    printf("expires  %s, %s%" PRIu64 " s%s\n", text, past ? "" : "in ",
           past ? now_s - expires_s : expires_s - now_s, past ? " ago" : "");
}

static void print_text(reading_t *reading)
{
    printf("header   %s\n", buf_text(&reading->header));
    printf("claims   %s\n", buf_text(&reading->claims));
    print_expiry(buf_span(&reading->claims));
    if (!reading->checked)
        printf("check    not done: no secret was given\n");
    else
        printf("check    %s\n", reading->verdict == OK ? "good" : err_text(reading->verdict));
}

static void print_json(reading_t *reading)
{
    printf("{\"header\":%s,\"claims\":%s,\"checked\":%s", buf_text(&reading->header),
           buf_text(&reading->claims), reading->checked ? "true" : "false");
    if (reading->checked)
        printf(",\"good\":%s,\"verdict\":\"%s\"", reading->verdict == OK ? "true" : "false",
               err_text(reading->verdict));
    printf("}\n");
}

static int read_token(const read_options_t *options, const char *text, span_t secret, bool have_secret)
{
    span_t token = span_str(text);
    token_claims_t claims = {0};
    reading_t reading = {.checked = have_secret};
    int exit_code = CLI_OK;
    if (have_secret)
        reading.verdict = token_check(token, secret, clock_wall_us(), &claims);
    int err = token_read(token, &reading.header, &reading.claims);
    if (err)
        exit_code = cli_fail(&read_set, CLI_FAILED, "this is no token: %s", err_text(err));
    else if (options->json)
        print_json(&reading);
    else
        print_text(&reading);
    if (reading.checked && reading.verdict != OK)
        exit_code = CLI_FAILED;
    token_fini(&claims);
    buf_fini(&reading.header);
    buf_fini(&reading.claims);
    return exit_code;
}

static int run_read(int argc, char **argv)
{
    read_options_t options = {0};
    buf_t secret = {0};
    bool have_secret = false;
    int exit_code;
    if (!cli_options_begin(&read_set, &argc, argv, &options, &exit_code))
        return exit_code;
    exit_code = take_secret(&read_set, &options.secret, &secret, &have_secret);
    if (exit_code == CLI_OK)
        exit_code = read_token(&options, argv[0], buf_span(&secret), have_secret);
    buf_fini(&secret);
    return exit_code;
}

int cli_token_run(int argc, char **argv)
{
    static const cli_command_t commands[] = {
        {"make", "makes a token", run_make},
        {"read", "shows what a token says, and checks it", run_read},
        {0},
    };
    return cli_command_dispatch("heddle token",
                                "Signed tokens (JWT, HS256): who a client is, and what it may subscribe to.",
                                commands, argc, argv);
}
