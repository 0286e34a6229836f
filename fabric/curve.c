#include "fabric/curve.h"

#include <zmq.h>

#include "base/check.h"
#include "base/err.h"

#define ZAP_DOMAIN "heddle"

#ifndef ZMQ_ZAP_ENFORCE_DOMAIN /* it is there, but Debian's header hides it among the drafts */
#define ZMQ_ZAP_ENFORCE_DOMAIN 93
#endif

static bool given(const char *file)
{
    return file && file[0];
}

/* --- the configuration --- */

static const config_row_t rows[] = {
    {.key = "curve.secret_key_file",
     .type = CONFIG_TEXT,
     .offset = offsetof(curve_client_config_t, secret_key_file),
     .fallback = "",
     .example = "/etc/heddle/edge.key",
     .help = "This edge's secret key, made by `heddle keygen`; empty: nothing is encrypted."},
    {.key = "curve.relay_key_file",
     .type = CONFIG_TEXT,
     .offset = offsetof(curve_client_config_t, relay_key_file),
     .fallback = "",
     .example = "/etc/heddle/relay.key.pub",
     .help = "The relays' public key; who has another one is not talked to."},
};

const config_table_t curve_client_config_table =
    CONFIG_TABLE("fabric", rows, curve_client_config_t, "How the links to the relays are protected.");

int curve_load_config(curve_t *self, const curve_client_config_t *config, buf_t *why)
{
    static const char *const names[2] = {"fabric.curve.secret_key_file", "fabric.curve.relay_key_file"};
    return curve_load_client(self, config->secret_key_file, config->relay_key_file, names, why);
}

/* --- loading --- */

static int load_pair(curve_t *self, const char *path, buf_t *why)
{
    key_file_t file;
    int err = key_file_read(&file, path, KEY_SECRET, why);
    if (!err) {
        memcpy(self->secret_key, file.key, sizeof file.key);
        CHECK(zmq_curve_public(self->public_key, self->secret_key) == 0);
    }
    explicit_bzero(&file, sizeof file);
    return err;
}

int curve_load_relay(curve_t *self, const char *secret_key_file, buf_t *why)
{
    int err = load_pair(self, secret_key_file, why);
    memcpy(self->relay_key, self->public_key, sizeof self->relay_key);
    self->on = !err;
    return err;
}

static int load_relay_key(curve_t *self, const char *path, buf_t *why)
{
    key_file_t file;
    int err = key_file_read(&file, path, KEY_PUBLIC, why);
    if (err)
        return err;
    if (!(file.roles & roles_of(ROLE_RELAY))) {
        buf_printf(why, "%s: '%s' is not the key of relays", path, file.name);
        return ERR_TYPE;
    }
    memcpy(self->relay_key, file.key, sizeof file.key);
    return OK;
}

int curve_load_client(curve_t *self, const char *secret_key_file, const char *relay_key_file,
                      const char *const names[2], buf_t *why)
{
    bool own = given(secret_key_file);
    if (!own && !given(relay_key_file))
        return OK;
    if (!own || !given(relay_key_file)) {
        buf_printf(why, "%s is given without %s", names[own ? 0 : 1], names[own ? 1 : 0]);
        return ERR_CONFIG;
    }
    int err = load_pair(self, secret_key_file, why);
    if (!err)
        err = load_relay_key(self, relay_key_file, why);
    self->on = !err;
    return err;
}

void curve_fini(curve_t *self)
{
    explicit_bzero(self, sizeof *self);
}

/* --- using --- */

static void set(void *socket, int option, const void *value, size_t size)
{
    int failed = zmq_setsockopt(socket, option, value, size);
    CHECK(!failed);
}

void curve_serve(const curve_t *self, void *socket)
{
    static const int yes = 1;
    if (!self->on)
        return;
    set(socket, ZMQ_CURVE_SERVER, &yes, sizeof yes);
    set(socket, ZMQ_CURVE_SECRETKEY, self->secret_key, sizeof self->secret_key);
    set(socket, ZMQ_ZAP_DOMAIN, ZAP_DOMAIN, sizeof ZAP_DOMAIN - 1);
    set(socket, ZMQ_ZAP_ENFORCE_DOMAIN, &yes, sizeof yes); /* no gate: nobody, instead of everybody */
}

void curve_connect(const curve_t *self, void *socket)
{
    if (!self->on)
        return;
    set(socket, ZMQ_CURVE_PUBLICKEY, self->public_key, sizeof self->public_key);
    set(socket, ZMQ_CURVE_SECRETKEY, self->secret_key, sizeof self->secret_key);
    set(socket, ZMQ_CURVE_SERVERKEY, self->relay_key, sizeof self->relay_key); /* no server any more */
}

void curve_generate(char public_key[KEY_TEXT_SIZE + 1], char secret_key[KEY_TEXT_SIZE + 1])
{
    CHECK(zmq_curve_keypair(public_key, secret_key) == 0);
}

bool key_text_is_good(span_t text)
{
    char copy[KEY_TEXT_SIZE + 1] = "";
    uint8_t bytes[KEY_TEXT_SIZE / 5 * 4];
    if (text.size != KEY_TEXT_SIZE || memchr(text.data, '\0', text.size))
        return false;
    memcpy(copy, text.data, KEY_TEXT_SIZE);
    bool good = zmq_z85_decode(bytes, copy) != NULL;
    explicit_bzero(copy, sizeof copy);
    explicit_bzero(bytes, sizeof bytes);
    return good;
}
