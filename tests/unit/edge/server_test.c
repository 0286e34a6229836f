#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "tests/unit/edge/fake_session.h"
#include "tests/unit/raw_client.h"

#define HELLO "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58" /* RFC 6455 section 5.7 */
#define PING  "\x89\x81\0\0\0\0p"
#define CLOSE "\x88\x82\0\0\0\0\x03\xe8" /* 1000 */

/* --- a server with one client --- */

typedef struct scene {
    uv_loop_t loop;
    edge_server_t *server;
    edge_session_t *session; /* a fake */
    client_t client;
} scene_t;

static void connect_client(scene_t *scene, span_t early)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    scene->client = (client_t){.loop = &scene->loop, .fd = pair[0]};
    scene->session = fake_new();
    edge_conn_t *conn = edge_server_adopt(scene->server, pair[1], scene->session, early);
    assert_non_null(conn);
    assert_ptr_equal(conn, scene->session->conn);
}

static void scene_open(scene_t *scene, span_t early)
{
    edge_server_options_t options = {.limits = {.message = 1000, .fragments = 4}, .controls_per_second = 50};
    *scene = (scene_t){0};
    assert_int_equal(uv_loop_init(&scene->loop), 0);
    assert_int_equal(edge_server_open(&scene->server, &scene->loop, &options), OK);
    connect_client(scene, early);
}

static void scene_close(scene_t *scene)
{
    edge_server_close(scene->server);
    edge_server_close(scene->server);
    uv_run(&scene->loop, UV_RUN_DEFAULT);
    assert_int_equal(edge_server_count(scene->server), 0);
    assert_int_equal(edge_server_total(), 0);
    edge_server_destroy(&scene->server);
    assert_int_equal(uv_loop_close(&scene->loop), 0);
    assert_true(fake_of(scene->session)->closed);
    fake_destroy(scene->session);
    client_close(&scene->client);
}

static bool is_closed(void *session)
{
    return fake_of(session)->closed;
}

static bool has_text(void *session)
{
    return strstr(fake_log(session), "TEXT:") != NULL;
}

static bool has_close(void *session)
{
    return strstr(fake_log(session), "CLOSE:") != NULL;
}

static bool has_failed(void *session)
{
    return strstr(fake_log(session), "failed:") != NULL;
}

static void wait_for(scene_t *scene, bool (*is_so)(void *))
{
    serve_until(&scene->loop, is_so, scene->session);
}

/* --- what comes in --- */

static void frames_reach_the_session(void **state)
{
    (void)state;
    scene_t scene;
    scene_open(&scene, (span_t){0});
    assert_int_equal(edge_server_count(scene.server), 1);
    assert_int_equal(edge_server_total(), 1);
    client_send_span(&scene.client, SPAN(PING "\x82\x81\0\0\0\0\xff" HELLO));
    wait_for(&scene, has_text);
    assert_string_equal(fake_log(scene.session), "opened;PING:p;BINARY:\xff;TEXT:Hello;");
    scene_close(&scene);
}

static void frames_that_came_with_the_handshake_count(void **state)
{
    (void)state;
    scene_t scene;
    scene_open(&scene, SPAN(PING "\x81\x85\x37\xfa"));
    assert_string_equal(fake_log(scene.session), "opened;PING:p;");
    client_send_span(&scene.client, SPAN("\x21\x3d\x7f\x9f\x4d\x51\x58"));
    wait_for(&scene, has_text);
    assert_string_equal(fake_log(scene.session), "opened;PING:p;TEXT:Hello;");
    scene_close(&scene);
}

static void a_broken_frame_is_told_once_and_ends_the_reading(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *log;
    } cases[] = {
        {"\x81\x05Hello", "opened;failed:1002:protocol error;"},
        {"\x83\x81"
         "maskx",
         "opened;failed:1002:protocol error;"},
        {"\x81\x81"
         "\1\1\1\1\xfe",
         "opened;failed:1007:invalid UTF-8;"},
        {"\x82\xfe\x03\xe9"
         "mask",
         "opened;failed:1009:message too big;"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        scene_t scene;
        scene_open(&scene, (span_t){0});
        client_send(&scene.client, cases[i].bytes);
        wait_for(&scene, has_failed);
        client_send_span(&scene.client, SPAN(HELLO));
        count_turns(&scene.loop);
        assert_string_equal(fake_log(scene.session), cases[i].log);
        scene_close(&scene);
    }
}

static void a_flood_of_control_frames_ends_with_1008(void **state)
{
    (void)state;
    scene_t scene;
    scene_open(&scene, (span_t){0});
    for (int i = 0; i < 200; i++)
        client_send_span(&scene.client, SPAN(PING));
    wait_for(&scene, has_failed);
    assert_non_null(strstr(fake_log(scene.session), "PING:p;failed:1008:too many control frames;"));
    scene_close(&scene);
}

static void nothing_counts_after_the_client_has_closed(void **state)
{
    (void)state;
    scene_t scene;
    scene_open(&scene, (span_t){0});
    client_send_span(&scene.client, SPAN(CLOSE HELLO));
    wait_for(&scene, has_close);
    assert_string_equal(fake_log(scene.session), "opened;CLOSE:1000;");
    scene_close(&scene);
}

static void a_client_that_leaves_is_told(void **state)
{
    (void)state;
    scene_t scene;
    scene_open(&scene, (span_t){0});
    shutdown(scene.client.fd, SHUT_RDWR);
    wait_for(&scene, is_closed);
    assert_string_equal(fake_log(scene.session), "opened;closed;");
    assert_int_equal(edge_server_count(scene.server), 0);
    scene_close(&scene);
}

static void a_paused_client_is_not_read(void **state)
{
    (void)state;
    scene_t scene;
    scene_open(&scene, (span_t){0});
    edge_conn_pause(scene.session->conn);
    edge_conn_pause(scene.session->conn);
    client_send_span(&scene.client, SPAN(HELLO));
    assert_in_range(count_turns(&scene.loop), 1, 100);
    assert_string_equal(fake_log(scene.session), "opened;");
    edge_conn_resume(scene.session->conn);
    edge_conn_resume(scene.session->conn);
    wait_for(&scene, has_text);
    scene_close(&scene);
}

/* --- what goes out --- */

static void what_is_written_arrives(void **state)
{
    (void)state;
    scene_t scene;
    scene_open(&scene, (span_t){0});
    assert_int_equal(edge_conn_write(scene.session->conn, "\x81\x02hi", 4), 4);
    client_wait(&scene.client, "\x81\x02hi");
    scene_close(&scene);
}

static bool is_writable(void *session)
{
    return fake_of(session)->writable > 0;
}

static void a_full_socket_takes_nothing_and_tells_when_it_does_again(void **state)
{
    (void)state;
    scene_t scene;
    scene_open(&scene, (span_t){0});
    static const uint8_t zeros[65536];
    while (edge_conn_write(scene.session->conn, zeros, sizeof zeros) > 0) {
    }
    assert_int_equal(edge_conn_write(scene.session->conn, zeros, sizeof zeros), 0);
    edge_conn_want_writable(scene.session->conn);
    client_send_span(&scene.client, SPAN(HELLO)); /* is read all the same, and doesn't make the loop spin */
    assert_in_range(count_turns(&scene.loop), 1, 100);
    assert_true(has_text(scene.session));
    assert_int_equal(fake_of(scene.session)->writable, 0);
    uint64_t end = clock_now_us() + PATIENCE_US;
    while (!is_writable(scene.session)) {
        assert_true(clock_now_us() < end);
        client_receive(&scene.client);
        turn(&scene.loop, -1);
    }
    count_turns(&scene.loop);
    assert_int_equal(fake_of(scene.session)->writable, 1);
    scene_close(&scene);
}

static void writing_to_one_who_has_left_is_told_and_never_calls_back(void **state)
{
    (void)state;
    scene_t scene;
    scene_open(&scene, (span_t){0});
    edge_conn_pause(scene.session->conn); /* so that nothing else can notice */
    shutdown(scene.client.fd, SHUT_RDWR);
    assert_int_equal(edge_conn_write(scene.session->conn, "x", 1), ERR_CLOSED);
    assert_int_equal(edge_conn_write(scene.session->conn, "x", 1), ERR_CLOSED);
    assert_false(is_closed(scene.session));
    wait_for(&scene, is_closed);
    scene_close(&scene);
}

/* --- how it ends --- */

static void a_shut_connection_waits_for_the_client_to_close(void **state)
{
    (void)state;
    scene_t scene;
    scene_open(&scene, (span_t){0});
    edge_conn_write(scene.session->conn, "\x88\x00", 2);
    edge_conn_shut(scene.session->conn, false);
    edge_conn_shut(scene.session->conn, false);
    client_wait_end(&scene.client);
    assert_int_equal(scene.client.in.size, 2);
    client_send_span(&scene.client, SPAN(HELLO CLOSE));
    count_turns(&scene.loop);
    assert_string_equal(fake_log(scene.session), "opened;");
    shutdown(scene.client.fd, SHUT_WR);
    wait_for(&scene, is_closed);
    scene_close(&scene);
}

static void a_client_that_does_not_close_is_closed_after_a_second(void **state)
{
    (void)state;
    scene_t scene;
    scene_open(&scene, (span_t){0});
    uint64_t start = clock_now_us();
    edge_conn_pause(scene.session->conn);
    edge_conn_shut(scene.session->conn, false);
    wait_for(&scene, is_closed);
    assert_true(clock_now_us() - start >= CLOCK_SEC);
    scene_close(&scene);
}

static void shutting_now_waits_for_nobody(void **state)
{
    (void)state;
    scene_t scene;
    scene_open(&scene, (span_t){0});
    edge_conn_shut(scene.session->conn, false);
    edge_conn_shut(scene.session->conn, true);
    edge_conn_shut(scene.session->conn, true);
    assert_false(is_closed(scene.session));
    uv_run(&scene.loop, UV_RUN_NOWAIT);
    uv_run(&scene.loop, UV_RUN_NOWAIT);
    assert_true(is_closed(scene.session));
    scene_close(&scene);
}

static void shut_now(fake_t *fake)
{
    edge_conn_shut(fake->session.conn, true);
}

static void a_session_may_shut_within_its_own_message(void **state)
{
    (void)state;
    scene_t scene;
    scene_open(&scene, (span_t){0});
    fake_of(scene.session)->on_message = shut_now;
    /* in two fragments, so that the payload lies in memory of the reader */
    client_send_span(&scene.client, SPAN("\x01\x82\0\0\0\0He\x80\x83\0\0\0\0llo" HELLO));
    wait_for(&scene, is_closed);
    assert_string_equal(fake_log(scene.session), "opened;TEXT:Hello;closed;");
    scene_close(&scene);
}

static void closing_the_server_closes_every_session(void **state)
{
    (void)state;
    scene_t scene;
    scene_open(&scene, (span_t){0});
    edge_session_t *first = scene.session;
    client_t first_client = scene.client;
    connect_client(&scene, (span_t){0});
    edge_conn_shut(scene.session->conn, false);
    assert_int_equal(edge_server_count(scene.server), 2);
    scene_close(&scene);
    assert_true(is_closed(first));
    fake_destroy(first);
    client_close(&first_client);
}

static void a_closing_server_adopts_nobody(void **state)
{
    (void)state;
    scene_t scene;
    scene_open(&scene, (span_t){0});
    edge_server_close(scene.server);
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    edge_session_t *session = fake_new();
    assert_null(edge_server_adopt(scene.server, pair[1], session, (span_t){0}));
    assert_string_equal(fake_log(session), "");
    fake_destroy(session);
    close(pair[0]);
    scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_reach_the_session),
        cmocka_unit_test(frames_that_came_with_the_handshake_count),
        cmocka_unit_test(a_broken_frame_is_told_once_and_ends_the_reading),
        cmocka_unit_test(a_flood_of_control_frames_ends_with_1008),
        cmocka_unit_test(nothing_counts_after_the_client_has_closed),
        cmocka_unit_test(a_client_that_leaves_is_told),
        cmocka_unit_test(a_paused_client_is_not_read),
        cmocka_unit_test(what_is_written_arrives),
        cmocka_unit_test(a_full_socket_takes_nothing_and_tells_when_it_does_again),
        cmocka_unit_test(writing_to_one_who_has_left_is_told_and_never_calls_back),
        cmocka_unit_test(a_shut_connection_waits_for_the_client_to_close),
        cmocka_unit_test(a_client_that_does_not_close_is_closed_after_a_second),
        cmocka_unit_test(shutting_now_waits_for_nobody),
        cmocka_unit_test(a_session_may_shut_within_its_own_message),
        cmocka_unit_test(closing_the_server_closes_every_session),
        cmocka_unit_test(a_closing_server_adopts_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
