/* Two links, and an input that is the rest of the world: it lets time pass, carries, loses and doubles what they
 * send, makes up messages of its own, refuses sends, resets and restarts. They must live, go up and down in
 * turn, and hold no more than their window.
 *
 * The input is a row of steps of three bytes: what, and two arguments; a made-up message takes its body from
 * what follows.
 */
#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "protocol/link.h"

#define POSTED 64u
#define WINDOW 20000u
#define LARGE  (80u * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct end {
    link_t *link;
    link_identity_t identity;
    buf_t posted[POSTED];
    size_t count;
    uint64_t sessions;
    bool refuses;
    bool up;
    unsigned answers; /* what its events still do of their own accord */
} end_t;

typedef struct world {
    uint64_t now;
    span_t input;
    end_t ends[2];
} world_t;

static world_t world;
static uint8_t payload[LARGE];

static void say(link_t *link, size_t size)
{
    envelope_t envelope = {.kind = KIND_PUB,
                           .pub = {.channel = SPAN("c"), .payload = span_new(payload, size)}};
    int err = link_send(link, &envelope, world.now);
    CHECK(err == OK || err == ERR_FULL || (err == ERR_CLOSED && !link_is_up(link)));
    CHECK(link_held(link) <= WINDOW + LINK_PREFIX_SIZE || link_held(link) <= LARGE + 2 * LINK_PREFIX_SIZE);
}

static int on_send(void *context, link_t *link, span_t message)
{
    end_t *end = context;
    (void)link;
    CHECK(message.size >= LINK_PREFIX_SIZE && message.size <= WIRE_MESSAGE_MAX);
    if (end->refuses || end->count == POSTED)
        return ERR_AGAIN;
    buf_t *copy = &end->posted[end->count++];
    *copy = (buf_t){0};
    buf_append_span(copy, message);
    return OK;
}

static void on_up(void *context, link_t *link, const envelope_t *greeting)
{
    end_t *end = context;
    CHECK(!end->up && link_is_up(link));
    CHECK(greeting->kind == KIND_HELLO || greeting->kind == KIND_WELCOME);
    end->up = true;
}

static void on_envelope(void *context, link_t *link, const envelope_t *envelope)
{
    end_t *end = context;
    CHECK(end->up && !envelope_is_link(envelope->kind));
    if (end->answers) {
        end->answers--;
        say(link, 10);
        if (end->answers == 3)
            link_reset(link, ERR_DENIED, world.now);
    }
}

static void on_down(void *context, link_t *link, int reason)
{
    end_t *end = context;
    CHECK(end->up && !link_is_up(link) && reason < 0);
    end->up = false;
}

static void on_refused(void *context, link_t *link, int code, span_t reason)
{
    (void)context;
    (void)link;
    CHECK(code < 0 && reason.size <= REASON_MAX);
}

static uint64_t on_session(void *context)
{
    end_t *end = context;
    return ++end->sessions;
}

static void make(int which)
{
    static const link_events_t events = {on_send, on_up, on_envelope, on_down, on_refused};
    static link_settings_t settings = LINK_SETTINGS_DEFAULT;
    settings.window = WINDOW;
    end_t *end = &world.ends[which];
    link_options_t options = {&end->identity,       &settings, &events, on_session, end,
                              2u - (unsigned)which, which == 0};
    link_destroy(&end->link);
    end->up = false;
    end->link = link_new(&options, world.now);
}

static uint8_t take_byte(void)
{
    if (world.input.size == 0)
        return 0;
    uint8_t byte = world.input.data[0];
    world.input = span_skip(world.input, 1);
    return byte;
}

static void receive(int to, span_t message)
{
    link_header_t header;
    uint64_t topic;
    if (link_header_read(&message, &topic, &header) == OK)
        link_receive(world.ends[to].link, &header, message, world.now);
}

/* Delivers what `from` posted: the one at `index`, and keeps it if it is to come again. */
static void carry(int from, size_t index, bool keep)
{
    end_t *end = &world.ends[from];
    if (end->count == 0)
        return;
    index %= end->count;
    buf_t message = end->posted[index];
    if (!keep) {
        memmove(&end->posted[index], &end->posted[index + 1], (end->count - index - 1) * sizeof message);
        end->count--;
        receive(!from, buf_span(&message));
        buf_fini(&message);
        return;
    }
    buf_t copy = {0};
    buf_append_span(&copy, buf_span(&message));
    receive(!from, buf_span(&copy));
    buf_fini(&copy);
}

static void lose(int from)
{
    end_t *end = &world.ends[from];
    while (end->count)
        buf_fini(&end->posted[--end->count]);
}

/* A message that nobody sent. Its sessions are near the right ones, since chance would never hit them. */
static void make_up(int to, uint8_t form, uint8_t numbers)
{
    uint64_t theirs = world.ends[!to].sessions + (form & 3u) - 1,
             mine = world.ends[to].sessions + (form >> 2 & 3u) - 1;
    link_header_t header = {WIRE_VERSION, 2u - (unsigned)to, theirs, numbers & 15u, mine, numbers >> 4};
    size_t size = take_byte();
    size = size < world.input.size ? size : world.input.size;
    span_t body = span_new(world.input.data, size);
    world.input = span_skip(world.input, size);
    link_receive(world.ends[to].link, &header, body, world.now);
}

static void step(void)
{
    uint8_t what = take_byte(), a = take_byte(), b = take_byte();
    int side = what >> 7;
    end_t *end = &world.ends[side];
    switch (what & 15) {
    case 0:
    case 1: carry(side, a, b & 1); return;
    case 2: world.now += (uint64_t)a * 1000 << (b & 7); return;
    case 3: say(end->link, b & 1 ? (size_t)a * 300 : a); return;
    case 4: make_up(side, a, b); return;
    case 5: link_flush(end->link, world.now); return;
    case 6: end->refuses = a & 1; return;
    case 7: lose(side); return;
    case 8: link_reset(end->link, ERR_FULL, world.now); return;
    case 9:
        link_close(end->link, "done", world.now);
        make(side);
        return;
    case 10: make(side); return;
    case 11: link_excuse(end->link, a * 100000u); return;
    case 12: end->answers = a & 7; return;
    default: link_tick(end->link, world.now); return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    world = (world_t){.now = 1000000, .input = span_new(data, size)};
    for (int i = 0; i < 2; i++) {
        world.ends[i].identity = (link_identity_t){
            .id = 1u + (unsigned)i, .name = "node", .cluster = "c", .role = i ? ROLE_RELAY : ROLE_EDGE};
        make(i);
    }
    while (world.input.size)
        step();
    for (int i = 0; i < 2; i++) {
        lose(i);
        link_destroy(&world.ends[i].link);
    }
    return 0;
}
