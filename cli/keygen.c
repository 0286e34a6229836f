/* cli/keygen - `heddle keygen`: makes the key pair of a node. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/secret_file.h"
#include "cli/command.h"
#include "cli/options.h"
#include "fabric/curve.h"
#include "fabric/node.h"
#include "protocol/json.h"

typedef struct keygen_options {
    const char *out;
    const char *name;
    cli_list_t roles;
    bool json;
} keygen_options_t;

#define ROW(field) .offset = offsetof(keygen_options_t, field)
static const cli_option_t rows[] = {
    {.name = "out",
     .letter = 'o',
     .type = CLI_TEXT,
     ROW(out),
     .value = "FILE",
     .help = "where the secret key goes; the public one goes to FILE" KEY_FILE_SUFFIX},
    {.name = "role",
     .letter = 'r',
     .type = CLI_LIST,
     ROW(roles),
     .value = "ROLE,…",
     .help = "what its holder may be: edge, relay, bridge, tool [edge]"},
    {.name = "name",
     .letter = 'n',
     .type = CLI_TEXT,
     ROW(name),
     .value = "NAME",
     .help = "whose it is, for people; without it FILE's own name"},
    {.name = "json", .type = CLI_FLAG, ROW(json), .help = "prints one JSON object"},
};

static const cli_options_t set = {
    .command = "heddle keygen",
    .about =
        "Makes a key pair for the fabric. The secret half stays where the node runs and nobody else can\n"
        "read it; the public half goes into the relays' fabric.curve.allowed_keys_dir. All relays\n"
        "share one pair, and each edge has its public half (fabric.curve.relay_key_file).",
    .rows = rows,
    .count = sizeof rows / sizeof rows[0],
};

/* --- what is asked for --- */

static int read_roles(const cli_list_t *list, roles_t *out)
{
    buf_t text = {0};
    for (size_t i = 0; i < list->count; i++)
        buf_printf(&text, "%s%s", i ? " " : "", list->items[i]);
    int err = roles_parse(list->count ? buf_span(&text) : SPAN("edge"), out);
    buf_fini(&text);
    return err;
}

/* "edge-1" of "/etc/heddle/edge-1.key". */
static void name_from_path(const char *path, buf_t *out)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    size_t size = strlen(base);
    const char *dot = strrchr(base, '.');
    if (dot && dot > base)
        size = (size_t)(dot - base);
    buf_append(out, base, size);
}

/* Returns a cli_exit_t and has said why. */
static int read_request(const keygen_options_t *options, key_file_t *public)
{
    buf_t name = {0}, why = {0};
    int exit_code = CLI_OK;
    if (!options->out || !options->out[0])
        return cli_fail(&set, CLI_USAGE, "needs --out");
    if (read_roles(&options->roles, &public->roles))
        return cli_fail(&set, CLI_USAGE, "--role: expected some of edge, relay, bridge, tool, each once");
    if (options->name)
        buf_append_str(&name, options->name);
    else
        name_from_path(options->out, &name);
    if (node_check_name(buf_text(&name), &why))
        exit_code = cli_fail(&set, CLI_USAGE, "--name: %s", buf_text(&why));
    else
        memcpy(public->name, buf_text(&name), name.size + 1);
    buf_fini(&name);
    buf_fini(&why);
    return exit_code;
}

/* --- writing --- */

/* A new file; a key that is there is never overwritten. OK, or ERR_IO with errno. */
static int write_new(const char *path, mode_t mode, span_t text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return ERR_IO;
    bool good = write(fd, text.data, text.size) == (ssize_t)text.size && fsync(fd) == 0;
    int cause = good ? 0 : errno;
    good &= close(fd) == 0;
    if (good)
        return OK;
    unlink(path);
    errno = cause ? cause : errno;
    return ERR_IO;
}

static int write_half(const char *path, const key_file_t *half, const char *comment)
{
    buf_t text = {0};
    key_file_write(half, comment, &text);
    int err = write_new(path, half->half == KEY_SECRET ? 0600 : 0644, buf_span(&text));
    secret_wipe(&text);
    return err ? cli_fail(&set, CLI_FAILED, "%s: %s", path, strerror(errno)) : CLI_OK;
}

static void make_comment(char out[64])
{
    time_t now = (time_t)(clock_wall_us() / CLOCK_SEC);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(out, 64, "made %Y-%m-%d by heddle " HEDDLE_VERSION, &utc);
}

static int write_pair(const char *path, const char *public_path, key_file_t *public)
{
    char comment[64];
    key_file_t secret = {.half = KEY_SECRET};
    memcpy(secret.name, public->name, sizeof secret.name);
    curve_generate(public->key, secret.key);
    make_comment(comment);
    int exit_code = write_half(path, &secret, comment);
    explicit_bzero(&secret, sizeof secret);
    if (exit_code)
        return exit_code;
    exit_code = write_half(public_path, public, comment);
    if (exit_code)
        unlink(path); /* half a pair is none */
    return exit_code;
}

/* --- the command --- */

static void report(const keygen_options_t *options, const char *public_path, const key_file_t *public)
{
    buf_t roles = {0};
    roles_write(public->roles, &roles);
    if (options->json) {
        buf_t line = {0};
        buf_append_str(&line, "{\"secret_key_file\":");
        json_append_string(&line, span_str(options->out));
        buf_append_str(&line, ",\"public_key_file\":");
        json_append_string(&line, span_str(public_path));
        buf_append_str(&line, ",\"public_key\":");
        json_append_string(&line, span_str(public->key));
        buf_append_str(&line, ",\"name\":");
        json_append_string(&line, span_str(public->name));
        buf_printf(&line, ",\"roles\":\"%s\"}", buf_text(&roles));
        puts(buf_text(&line));
        buf_fini(&line);
    } else {
        printf("%s: the secret key of %s\n%s: the public key (%s)\n", options->out, public->name, public_path,
               buf_text(&roles));
    }
    buf_fini(&roles);
}

static int make(const keygen_options_t *options)
{
    key_file_t public = {.half = KEY_PUBLIC};
    buf_t public_path = {0};
    int exit_code = read_request(options, &public);
    if (exit_code)
        return exit_code;
    buf_printf(&public_path, "%s" KEY_FILE_SUFFIX, options->out);
    exit_code = write_pair(options->out, buf_text(&public_path), &public);
    if (exit_code == CLI_OK)
        report(options, buf_text(&public_path), &public);
    buf_fini(&public_path);
    return exit_code;
}

int cli_keygen_run(int argc, char **argv)
{
    keygen_options_t options = {0};
    int exit_code;
    if (cli_options_begin(&set, &argc, argv, &options, &exit_code))
        exit_code = make(&options);
    cli_options_free(&set, &options);
    return exit_code;
}
