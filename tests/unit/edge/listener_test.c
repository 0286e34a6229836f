#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "edge/listener.h"
#include "tests/unit/edge/fake_session.h"
#include "tests/unit/raw_client.h"

#define UPGRADE                                                                                  \
    "Host: h:8000\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define GET   "GET /ws HTTP/1.1\r\n"
#define HELLO "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"

/* --- a client port; /ws is served, /other is not --- */

typedef struct scene {
    uv_loop_t loop;
    edge_listen_config_t config;
    edge_server_t *server;
    http_server_t *http;
    edge_listener_t *listener;
    edge_session_t *session; /* of the last one who was let in */
    char peer[64];
    unsigned discarded;
    const char *subprotocol; /* to answer with */
} scene_t;

static int admit(void *context, const http_head_t *head, const char *peer, edge_session_t **session,
                 const char **subprotocol, const char **why)
{
    scene_t *scene = context;
    snprintf(scene->peer, sizeof scene->peer, "%s", peer);
    if (!span_is(head->path, "/ws")) {
        *why = "there is nothing here";
        return 404;
    }
    *subprotocol = scene->subprotocol;
    scene->session = *session = fake_new();
    return 101;
}

static void discard(void *context, edge_session_t *session)
{
    ((scene_t *)context)->discarded++;
    fake_destroy(session);
}

static void handle_page(void *context, http_exchange_t *exchange)
{
    (void)context;
    http_exchange_respond(exchange, 200, "text/plain", NULL, http_exchange_body(exchange));
}

static const http_route_t routes[] = {{"GET", "/page", handle_page}, {"POST", "/page", handle_page}};

static void scene_open(scene_t *scene)
{
    *scene = (scene_t){.config = {.address = (char *)(uintptr_t) "127.0.0.1:0", .max_connections = 2}};
    edge_server_options_t server = {.limits = {.message = 1000, .fragments = 4}};
    http_server_options_t http = {.routes = routes, .route_count = 2};
    buf_t why = {0};
    assert_int_equal(uv_loop_init(&scene->loop), 0);
    assert_int_equal(edge_server_open(&scene->server, &scene->loop, &server), OK);
    assert_int_equal(http_server_open(&scene->http, &scene->loop, &http), OK);
    edge_listener_options_t options = {.config = &scene->config,
                                       .server = scene->server,
                                       .http = scene->http,
                                       .admit = admit,
                                       .discard = discard,
                                       .context = scene,
                                       .reuse_port = true};
    assert_int_equal(edge_listener_open(&scene->listener, &scene->loop, &options, &why), OK);
    buf_fini(&why);
}

/* The fake sessions are the test's to free. */
static void scene_close(scene_t *scene)
{
    edge_listener_stop(scene->listener);
    edge_listener_close(scene->listener);
    edge_listener_close(scene->listener);
    edge_server_close(scene->server);
    http_server_close(scene->http, NULL);
    uv_run(&scene->loop, UV_RUN_DEFAULT);
    edge_listener_destroy(&scene->listener);
    edge_server_destroy(&scene->server);
    http_server_destroy(&scene->http);
    assert_int_equal(uv_loop_close(&scene->loop), 0);
}

static client_t connect_to(scene_t *scene)
{
    return client_open(&scene->loop, edge_listener_port(scene->listener), 0);
}

/* One request, the beginning of the answer, and a text in it; the connection ends. */
static void assert_refused(const char *request, const char *status_line, const char *text)
{
    scene_t scene;
    scene_open(&scene);
    client_t client = connect_to(&scene);
    client_send(&client, request);
    client_wait_end(&client);
    assert_ptr_equal(strstr(buf_text(&client.in), status_line), client.in.data);
    assert_true(client_has(&client, text));
    assert_int_equal(edge_server_count(scene.server), 0);
    assert_int_equal(edge_listener_counts(scene.listener).refused, 1);
    assert_int_equal(edge_listener_counts(scene.listener).upgraded, 0);
    client_close(&client);
    scene_close(&scene);
    assert_null(scene.session);
}

/* --- upgrades --- */

static bool has_hello(void *session)
{
    return strcmp(fake_log(session), "opened;TEXT:Hello;") == 0;
}

static void a_right_handshake_gets_101_and_a_session(void **state)
{
    (void)state;
    scene_t scene;
    scene_open(&scene);
    client_t client = connect_to(&scene);
    client_send(&client, GET UPGRADE "\r\n");
    client_wait(&client, "\r\n\r\n");
    assert_ptr_equal(strstr(buf_text(&client.in), "HTTP/1.1 101 Switching Protocols\r\n"), client.in.data);
    assert_true(client_has(&client, "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    assert_false(client_has(&client, "Protocol:"));
    assert_false(client_has(&client, "Extensions"));
    assert_string_equal(scene.peer, "127.0.0.1");
    client_send_span(&client, SPAN(HELLO));
    serve_until(&scene.loop, has_hello, scene.session);
    edge_listener_counts_t counts = edge_listener_counts(scene.listener);
    assert_int_equal(counts.accepted, 1);
    assert_int_equal(counts.upgraded, 1);
    assert_int_equal(counts.refused, 0);
    scene_close(&scene);
    fake_destroy(scene.session);
    client_close(&client);
}

static void a_handshake_may_come_byte_by_byte_with_frames_behind_it(void **state)
{
    (void)state;
    scene_t scene;
    scene_open(&scene);
    client_t client = connect_to(&scene);
    const char request[] = GET UPGRADE "\r\n";
    for (size_t i = 0; i < sizeof request - 2; i++) {
        client_send_span(&client, span_new(request + i, 1));
        turn(&scene.loop, -1);
    }
    client_send_span(&client, SPAN("\n" HELLO));
    client_wait(&client, "\r\n\r\n");
    serve_until(&scene.loop, has_hello, scene.session);
    scene_close(&scene);
    fake_destroy(scene.session);
    client_close(&client);
}

static void a_subprotocol_is_answered(void **state)
{
    (void)state;
    scene_t scene;
    scene_open(&scene);
    scene.subprotocol = "centrifuge-json";
    client_t client = connect_to(&scene);
    client_send(&client, GET UPGRADE "\r\n");
    client_wait(&client, "\r\nSec-WebSocket-Protocol: centrifuge-json\r\n\r\n");
    scene_close(&scene);
    fake_destroy(scene.session);
    client_close(&client);
}

static void wrong_handshakes_get_their_status_and_a_sentence(void **state)
{
    (void)state;
    assert_refused("POST /ws HTTP/1.1\r\n" UPGRADE "\r\n", "HTTP/1.1 405 ", "\r\nAllow: GET\r\n");
    assert_refused("GET /ws HTTP/1.0\r\n" UPGRADE "\r\n", "HTTP/1.1 505 ", "is HTTP/1.1\n");
    assert_refused(GET UPGRADE "Host: other\r\n\r\n", "HTTP/1.1 400 ", "one Host field\n");
    assert_refused(GET UPGRADE "Upgrade: h2c\r\n\r\n", "HTTP/1.1 400 ", "nothing else\n");
    assert_refused(
        GET "Host: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 12\r\n\r\n",
        "HTTP/1.1 426 ", "\r\nSec-WebSocket-Version: 13\r\n");
    assert_refused("GET /other HTTP/1.1\r\n" UPGRADE "\r\n", "HTTP/1.1 404 ", "there is nothing here\n");
}

static void h2c_is_never_answered_with_101(void **state)
{
    (void)state;
    assert_refused(GET "Host: h\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n"
                       "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
                   "HTTP/1.1 400 ", "nothing else\n");
}

static void a_foreign_page_is_refused(void **state)
{
    (void)state;
    assert_refused(GET UPGRADE "Origin: http://evil\r\n\r\n", "HTTP/1.1 403 ", "origin may not connect\n");
}

static void who_comes_above_the_limit_gets_503(void **state)
{
    (void)state;
    scene_t scene;
    scene_open(&scene);
    client_t clients[3];
    edge_session_t *sessions[2];
    for (int i = 0; i < 2; i++) {
        clients[i] = connect_to(&scene);
        client_send(&clients[i], GET UPGRADE "\r\n");
        client_wait(&clients[i], "101 Switching");
        sessions[i] = scene.session;
    }
    clients[2] = connect_to(&scene);
    client_send(&clients[2], GET UPGRADE "\r\n");
    client_wait_end(&clients[2]);
    assert_true(client_has(&clients[2], "HTTP/1.1 503 "));
    assert_true(client_has(&clients[2], "\r\nRetry-After: "));
    scene_close(&scene);
    for (int i = 0; i < 3; i++)
        client_close(&clients[i]);
    fake_destroy(sessions[0]);
    fake_destroy(sessions[1]);
}

/* --- all the rest --- */

static void other_requests_go_to_the_http_server(void **state)
{
    (void)state;
    scene_t scene;
    scene_open(&scene);
    client_t client = connect_to(&scene);
    client_send(&client, "POST /page HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabc");
    turn(&scene.loop, -1);
    client_send(&client, "def");
    client_wait(&client, "\r\n\r\nabcdef");
    client_send(&client, "GET /page HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    client_wait_end(&client);
    assert_int_equal(edge_listener_counts(scene.listener).accepted, 1);
    assert_int_equal(edge_listener_counts(scene.listener).refused, 0);
    client_close(&client);
    scene_close(&scene);
}

static void what_breaks_the_grammar_is_answered(void **state)
{
    (void)state;
    assert_refused("\x16\x03\x01\x02", "HTTP/1.1 400 ", "Bad Request\n"); /* TLS to a plain port */
    assert_refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 505 ", "");
    buf_t head = {0};
    buf_append_str(&head, GET UPGRADE "Cookie: ");
    for (int i = 0; i < 20000; i++)
        buf_append_byte(&head, 'x');
    assert_refused(buf_text(&head), "HTTP/1.1 431 ", "");
    buf_fini(&head);
}

/* The deadline is of the real clock, so this test lasts as long. */
static void who_is_too_slow_gets_408(void **state)
{
    (void)state;
    scene_t scene;
    scene_open(&scene);
    client_t silent = connect_to(&scene), slow = connect_to(&scene);
    uint64_t start = clock_now_us();
    client_send(&slow, GET);
    client_wait_end(&silent);
    client_wait_end(&slow);
    assert_true(clock_now_us() - start >= EDGE_HEAD_DEADLINE_US);
    assert_true(client_has(&silent, "HTTP/1.1 408 Request Timeout\r\n"));
    assert_true(client_has(&slow, "HTTP/1.1 408 Request Timeout\r\n"));
    assert_int_equal(edge_listener_counts(scene.listener).timed_out, 2);
    client_close(&silent);
    client_close(&slow);
    scene_close(&scene);
}

static void who_leaves_before_the_head_leaves_nothing_behind(void **state)
{
    (void)state;
    scene_t scene;
    scene_open(&scene);
    client_t client = connect_to(&scene);
    client_send(&client, "GET /");
    turn(&scene.loop, -1);
    client_close(&client);
    assert_in_range(count_turns(&scene.loop), 1, 100);
    scene_close(&scene);
}

static void a_stopped_listener_accepts_nobody_and_keeps_its_clients(void **state)
{
    (void)state;
    scene_t scene;
    scene_open(&scene);
    client_t client = connect_to(&scene);
    client_send(&client, GET UPGRADE "\r\n");
    client_wait(&client, "101 Switching");
    edge_listener_stop(scene.listener);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(edge_listener_port(scene.listener)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), -1);
    close(fd);
    client_send_span(&client, SPAN(HELLO));
    serve_until(&scene.loop, has_hello, scene.session);
    scene_close(&scene);
    fake_destroy(scene.session);
    client_close(&client);
}

static void a_session_whose_connection_fails_is_given_back(void **state)
{
    (void)state;
    scene_t scene;
    scene_open(&scene);
    client_t client = connect_to(&scene);
    edge_server_close(scene.server);
    client_send(&client, GET UPGRADE "\r\n");
    client_wait_end(&client);
    assert_int_equal(scene.discarded, 1);
    client_close(&client);
    scene_close(&scene);
}

static void workers_share_a_port(void **state)
{
    (void)state;
    scene_t scene;
    scene_open(&scene);
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%u", edge_listener_port(scene.listener));
    edge_listen_config_t config = {.address = address, .max_connections = 1};
    edge_listener_options_t options = {.config = &config, .reuse_port = true};
    edge_listener_t *second = NULL;
    buf_t why = {0};
    assert_int_equal(edge_listener_open(&second, &scene.loop, &options, &why), OK);
    assert_int_equal(edge_listener_port(second), edge_listener_port(scene.listener));
    options.reuse_port = false;
    edge_listener_t *third = NULL;
    assert_int_equal(edge_listener_open(&third, &scene.loop, &options, &why), ERR_IO);
    assert_non_null(strstr(buf_text(&why), address));
    buf_clear(&why);
    config.address = (char *)(uintptr_t) "nowhere";
    assert_int_equal(edge_listener_open(&third, &scene.loop, &options, &why), ERR_MALFORMED);
    assert_non_null(strstr(buf_text(&why), "expected an address"));
    buf_fini(&why);
    edge_listener_close(second);
    scene_close(&scene);
    edge_listener_destroy(&second);
}

/* --- Origin --- */

static void origins_are_judged_by_the_list_or_by_the_host(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *host, *origin;
        bool allowed;
    } cases[] = {
        {NULL, "h", NULL, true}, /* not a browser */
        {NULL, "h", "http://h", true},
        {NULL, "h", "https://h", true},
        {NULL, "H:8000", "http://h:8000", true},
        {NULL, "h:443", "https://h", true},
        {NULL, "h", "https://h:443", true},
        {NULL, "h:80", "http://h", true},
        {NULL, "h", "http://h:8000", false},
        {NULL, "h:443", "http://h", false},
        {NULL, "h", "http://h.evil", false},
        {NULL, "h", "http://evil-h", false},
        {NULL, "h", "null", false},
        {NULL, "h", "", false},
        {NULL, "", "http://", false},
        {NULL, "h", "ftp://h", false},
        {"http://a", "h", "http://a", true},
        {"http://a", "h", "HTTP://A", true},
        {"http://a", "h", "http://h", false}, /* with a list, the host is nothing special */
        {"http://a", "h", "http://ab", false},
        {"http://a", "h", NULL, true},
        {"https://*.example.org", "h", "https://a.b.example.org", true},
        {"https://*.example.org", "h", "https://example.org", false},
        {"https://*.example.org", "h", "https://a.example.org.evil", false},
        {"https://*.example.org", "h", "https://a.example.org.example.org", true},
        {"http://localhost:*", "h", "http://localhost:3000", true},
        {"*", "h", "null", true},
        {"null", "h", "null", true},
        {"a*b*c", "h", "aXbXbc", true},
        {"a*b*c", "h", "aXcXb", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *item = (char *)(uintptr_t)cases[i].pattern;
        config_list_t list = {&item, item ? 1 : 0};
        buf_t text = {0};
        buf_printf(&text, "GET / HTTP/1.1\r\nHost: %s\r\n", cases[i].host);
        if (cases[i].origin)
            buf_printf(&text, "Origin: %s\r\n", cases[i].origin);
        buf_append_str(&text, "\r\n");
        http_head_t head;
        assert_true(http_head_parse(buf_span(&text), &head) > 0);
        if (edge_origin_allowed(&list, &head) != cases[i].allowed)
            fail_msg("case %zu", i);
        buf_fini(&text);
    }
}

static void two_origins_are_none(void **state)
{
    (void)state;
    http_head_t head;
    config_list_t none = {0};
    http_head_parse(SPAN("GET / HTTP/1.1\r\nHost: h\r\nOrigin: http://h\r\nOrigin: http://h\r\n\r\n"), &head);
    assert_false(edge_origin_allowed(&none, &head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_right_handshake_gets_101_and_a_session),
        cmocka_unit_test(a_handshake_may_come_byte_by_byte_with_frames_behind_it),
        cmocka_unit_test(a_subprotocol_is_answered),
        cmocka_unit_test(wrong_handshakes_get_their_status_and_a_sentence),
        cmocka_unit_test(h2c_is_never_answered_with_101),
        cmocka_unit_test(a_foreign_page_is_refused),
        cmocka_unit_test(who_comes_above_the_limit_gets_503),
        cmocka_unit_test(other_requests_go_to_the_http_server),
        cmocka_unit_test(what_breaks_the_grammar_is_answered),
        cmocka_unit_test(who_is_too_slow_gets_408),
        cmocka_unit_test(who_leaves_before_the_head_leaves_nothing_behind),
        cmocka_unit_test(a_stopped_listener_accepts_nobody_and_keeps_its_clients),
        cmocka_unit_test(a_session_whose_connection_fails_is_given_back),
        cmocka_unit_test(workers_share_a_port),
        cmocka_unit_test(origins_are_judged_by_the_list_or_by_the_host),
        cmocka_unit_test(two_origins_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
