/* cli/check - `heddle check FILE…`: asks the program that a configuration file is for whether it likes it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/options.h"
#include "protocol/json.h"

#define FILE_LIMIT (1u << 20) /* bytes of a file that are looked at to tell whose it is */

extern char **environ;

typedef struct check_options {
    bool edge;
    bool relay;
    bool json;
} check_options_t;

#define ROW(field) .offset = offsetof(check_options_t, field)
static const cli_option_t rows[] = {
    {.name = "edge",
     .letter = 'e',
     .type = CLI_FLAG,
     ROW(edge),
     .help = "the files are edges' configurations"},
    {.name = "relay",
     .letter = 'r',
     .type = CLI_FLAG,
     ROW(relay),
     .help = "the files are relays' configurations"},
    {.name = "json", .type = CLI_FLAG, ROW(json), .help = "prints one JSON object a file"},
};

static const cli_options_t set = {
    .command = "heddle check",
    .arguments = "FILE…",
    .about = "Checks configuration files with heddle-edge -t or heddle-relay -t, whichever a file's keys are "
             "for.\n"
             "Exit code 2 if one of them is wrong.",
    .rows = rows,
    .count = sizeof rows / sizeof rows[0],
    .arguments_min = 1,
    .arguments_max = INT_MAX,
};

/* --- whose file is it? --- */

static const struct {
    const char *key; /* at the top level, and of this program only */
    const char *program;
} owners[] = {
    {"relays", "heddle-edge"}, {"auth", "heddle-edge"},    {"api", "heddle-edge"},
    {"ping", "heddle-edge"},   {"workers", "heddle-edge"}, {"namespaces", "heddle-relay"},
    {"peers", "heddle-relay"},
};

static const char *owner_of_line(span_t line)
{
    for (size_t i = 0; i < sizeof owners / sizeof owners[0]; i++) {
        size_t size = strlen(owners[i].key);
        if (line.size > size && line.data[size] == ':' && span_starts(line, span_str(owners[i].key)))
            return owners[i].program;
    }
    return NULL;
}

/* NULL if no line, or lines of both programs, say whose the text is. */
static const char *owner_of_text(span_t text)
{
    const char *found = NULL;
    while (text.size) {
        const uint8_t *end = memchr(text.data, '\n', text.size);
        span_t line = span_new(text.data, end ? (size_t)(end - text.data) : text.size);
        const char *owner = owner_of_line(line);
        if (owner && found && strcmp(owner, found) != 0)
            return NULL;
        found = found ? found : owner;
        text = span_skip(text, line.size + (end ? 1 : 0));
    }
    return found;
}

/* The program whose keys the file has. OK, ERR_IO, ERR_NOT_FOUND. */
static int find_owner(const char *path, const char **program)
{
    buf_t text = {0};
    FILE *file = fopen(path, "rb");
    if (!file)
        return ERR_IO;
    size_t got = fread(buf_reserve(&text, FILE_LIMIT), 1, FILE_LIMIT, file);
    buf_advance(&text, got);
    int err = ferror(file) ? ERR_IO : OK;
    fclose(file);
    *program = err ? NULL : owner_of_text(buf_span(&text));
    buf_fini(&text);
    return err ? err : *program ? OK : ERR_NOT_FOUND;
}

/* --- asking it --- */

/* Beside our own executable if it is there, else left to PATH. */
static void find_program(const char *program, char out[PATH_MAX])
{
    char own[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", own, sizeof own - 1);
    if (size > 0) {
        own[size] = '\0';
        char *slash = strrchr(own, '/');
        int needed = snprintf(out, PATH_MAX, "%.*s/%s", slash ? (int)(slash - own) : 0, own, program);
        if (slash && needed < PATH_MAX && access(out, X_OK) == 0)
            return;
    }
    snprintf(out, PATH_MAX, "%s", program);
}

static void read_all(int fd, buf_t *out)
{
    for (;;) {
        ssize_t got = read(fd, buf_reserve(out, 4096), 4096);
        if (got > 0)
            buf_advance(out, (size_t)got);
        else if (got == 0 || errno != EINTR)
            return;
    }
}

/* Starts `program -t -c path` with both outputs in the pipe; its pid, or ERR_UNAVAILABLE. */
static int start(const char *program, const char *path, int write_end, pid_t *pid)
{
    char file[PATH_MAX];
    find_program(program, file);
    char *arguments[] = {file, (char[]){"-t"}, (char[]){"-c"}, mem_dup(path), NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, write_end, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, write_end, STDERR_FILENO);
    int failed = posix_spawnp(pid, file, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    mem_free(arguments[3]);
    return failed ? ERR_UNAVAILABLE : OK;
}

/* OK; ERR_CONFIG: it does not like the file; ERR_UNAVAILABLE: it did not run. What it said is in `said`. */
static int ask(const char *program, const char *path, buf_t *said)
{
    int ends[2];
    pid_t pid;
    int status = -1;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return ERR_UNAVAILABLE;
    int err = start(program, path, ends[1], &pid);
    close(ends[1]);
    if (err == OK) {
        read_all(ends[0], said);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
        err = !WIFEXITED(status) || WEXITSTATUS(status) == 127 ? ERR_UNAVAILABLE
              : WEXITSTATUS(status) == 0                       ? OK
                                                               : ERR_CONFIG;
    }
    close(ends[0]);
    return err;
}

/* --- the command --- */

static void print_json(const char *path, const char *program, bool good, const buf_t *said)
{
    buf_t line = {0};
    buf_append_str(&line, "{\"file\":");
    json_append_string(&line, span_str(path));
    buf_printf(&line, ",\"program\":\"%s\",\"good\":%s,\"report\":", program, good ? "true" : "false");
    json_append_string(&line, buf_span(said));
    buf_append_byte(&line, '}');
    puts(buf_text(&line));
    buf_fini(&line);
}

static int check_file(const check_options_t *options, const char *path)
{
    const char *program = options->edge ? "heddle-edge" : options->relay ? "heddle-relay" : NULL;
    int err = program ? OK : find_owner(path, &program);
    if (err == ERR_NOT_FOUND)
        return cli_fail(&set, CLI_USAGE, "%s: can't tell whose file it is; say --edge or --relay", path);
    if (err)
        return cli_fail(&set, CLI_USAGE, "%s: %s", path, strerror(errno));
    buf_t said = {0};
    err = ask(program, path, &said);
    if (options->json)
        print_json(path, program, err == OK, &said);
    else
        fputs(buf_text(&said), err == OK ? stdout : stderr);
    if (err == ERR_UNAVAILABLE)
        cli_fail(&set, CLI_FAILED, "%s does not run; is it installed?", program);
    else if (!options->json && (err || said.size == 0))
        printf("%s: %s (%s)\n", path, err == OK ? "good" : "wrong", program);
    buf_fini(&said);
    return err == OK ? CLI_OK : err == ERR_CONFIG ? CLI_USAGE : CLI_FAILED;
}

int cli_check_run(int argc, char **argv)
{
    check_options_t options = {0};
    int exit_code;
    if (!cli_options_begin(&set, &argc, argv, &options, &exit_code))
        return exit_code;
    if (options.edge && options.relay)
        return cli_fail(&set, CLI_USAGE, "--edge and --relay exclude each other");
    exit_code = CLI_OK;
    for (int i = 0; i < argc; i++) {
        int one = check_file(&options, argv[i]);
        exit_code = exit_code == CLI_USAGE ? CLI_USAGE : one == CLI_OK ? exit_code : one;
    }
    return exit_code;
}
