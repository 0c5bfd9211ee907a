/* http_later_test.c: answers that another thread gives after the handler has returned. */
#include "common/http_server.h"
#include "common/token.h"
#include "tests/unit/check.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_S = 60, LARGE = 16 * 1024 * 1024 /* more than a socket holds */ };

struct fixture {
    struct http_server *server;
    int client;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t moved;
    struct http_request *waiting; /* given to another thread */
    int at_once, released;
};

static void release(void *user)
{
    struct fixture *fixture = user;

    pthread_mutex_lock(&fixture->lock);
    fixture->released++;
    pthread_cond_broadcast(&fixture->moved);
    pthread_mutex_unlock(&fixture->lock);
}

static void answer_later(struct http_request *request, void *context)
{
    struct fixture *fixture = context;
    bool later = http_later(request);

    http_set_user(request, fixture, release);
    pthread_mutex_lock(&fixture->lock);
    if (later)
        fixture->waiting = request;
    else
        fixture->at_once++;
    pthread_cond_broadcast(&fixture->moved);
    pthread_mutex_unlock(&fixture->lock);
    if (!later)
        http_answer_text(request, 200, "\"at once\"");
}

static void answer_hello(struct http_request *request, void *context)
{
    (void)context;
    http_answer_text(request, 200, "\"hello\"");
}

static const struct http_route routes[] = {
    {"POST", "/later", 0, answer_later, HTTP_WHOLE_BODY, 1000},
    {"GET", "/later", 0, answer_later, HTTP_NO_BODY, 0},
    {"GET", "/hello", 0, answer_hello, HTTP_NO_BODY, 0},
};

static bool origin_allowed(const char *origin, void *context)
{
    (void)origin;
    (void)context;
    return true;
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    static const int port = 0;
    const struct http_settings settings = {.bind = "127.0.0.1",
                                           .ports = &port,
                                           .port_count = 1,
                                           .threads = 4,
                                           .routes = routes,
                                           .route_count = sizeof routes / sizeof *routes,
                                           .context = fixture,
                                           .origin_allowed = origin_allowed};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {PATIENCE_S, 0};

    assert_true(token_setup());
    pthread_mutex_init(&fixture->lock, NULL);
    pthread_cond_init(&fixture->moved, NULL);
    fixture->server = http_server_start(&settings, NULL);
    assert_non_null(fixture->server);
    to.sin_port = htons((uint16_t)http_server_port(fixture->server, 0));
    fixture->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fixture->client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    assert_int_equal(connect(fixture->client, (struct sockaddr *)&to, sizeof to), 0);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    if (fixture->client >= 0)
        close(fixture->client);
    http_server_stop(fixture->server);
    pthread_cond_destroy(&fixture->moved);
    pthread_mutex_destroy(&fixture->lock);
    free(fixture);
    return 0;
}

static void say(const struct fixture *fixture, const char *text)
{
    assert_int_equal(send(fixture->client, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* One byte at a time, so that nothing of the answer behind it is taken. Gives the length of the body. */
static size_t hear(const struct fixture *fixture, int status, char *body, size_t size)
{
    char head[4096] = "", *length;
    size_t used = 0, wanted;

    while (strstr(head, "\r\n\r\n") == NULL) {
        assert_true(used + 1 < sizeof head);
        assert_int_equal(recv(fixture->client, head + used, 1, 0), 1);
        head[++used] = '\0';
    }
    assert_int_equal(strtol(head + 9, NULL, 10), status);
    assert_non_null(strstr(head, "\r\nX-Request-Id: "));
    length = strstr(head, "\r\nContent-Length: ");
    assert_non_null(length);
    wanted = strtoul(length + 18, NULL, 10);
    assert_true(wanted < size);
    for (used = 0; used < wanted;) {
        ssize_t n = recv(fixture->client, body + used, wanted - used, 0);

        assert_true(n > 0);
        used += (size_t)n;
    }
    body[used] = '\0';
    return used;
}

static void expect(const struct fixture *fixture, int status, const char *wanted)
{
    char body[1000];

    hear(fixture, status, body, sizeof body);
    assert_string_equal(body, wanted);
}

static struct http_request *wait_for_request(struct fixture *fixture)
{
    struct http_request *request;

    pthread_mutex_lock(&fixture->lock);
    while (fixture->waiting == NULL)
        pthread_cond_wait(&fixture->moved, &fixture->lock);
    request = fixture->waiting;
    fixture->waiting = NULL;
    pthread_mutex_unlock(&fixture->lock);
    return request;
}

static void wait_for_releases(struct fixture *fixture, int count)
{
    pthread_mutex_lock(&fixture->lock);
    while (fixture->released < count)
        pthread_cond_wait(&fixture->moved, &fixture->lock);
    pthread_mutex_unlock(&fixture->lock);
}

static const char later[] = "POST /later HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}";
static const char hello[] = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";

/* A connection's first request is answered by its handler. */
static void warm_up(struct fixture *fixture)
{
    say(fixture, later);
    expect(fixture, 200, "\"at once\"");
    wait_for_releases(fixture, 1);
}

static void another_thread_answers_and_the_next_request_comes_after_it(void **state)
{
    struct fixture *fixture = *state;
    struct http_request *request;

    warm_up(fixture);
    for (int i = 0; i < 50; i++) {
        say(fixture, later);
        request = wait_for_request(fixture);
        if (i % 2 == 1) { /* it is there before its turn */
            say(fixture, hello);
            usleep(1000);
        }
        if (i % 5 == 0)
            http_fail(request, 503, "unavailable", "number %d", i);
        else
            http_answer_text(request, 200, "\"later\"");
        http_let_go(request);
        if (i % 5 == 0)
            hear(fixture, 503, (char[1000]){0}, 1000);
        else
            expect(fixture, 200, "\"later\"");
        if (i % 2 == 1)
            expect(fixture, 200, "\"hello\"");
    }
    assert_int_equal(fixture->at_once, 1);
    say(fixture, hello);
    expect(fixture, 200, "\"hello\"");
    wait_for_releases(fixture, 51);
}

static void what_needs_the_request_itself_is_answered_at_once(void **state)
{
    struct fixture *fixture = *state;

    warm_up(fixture);
    say(fixture, "GET /later HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\n\r\n");
    expect(fixture, 200, "\"at once\"");
    say(fixture, "GET /later HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    expect(fixture, 200, "\"at once\"");
    assert_int_equal(recv(fixture->client, (char[1]){0}, 1, 0), 0);
}

static void a_request_that_is_none_is_told_after_the_answer(void **state)
{
    struct fixture *fixture = *state;
    struct http_request *request;

    warm_up(fixture);
    say(fixture, later);
    request = wait_for_request(fixture);
    say(fixture, "no request\r\n\r\n");
    usleep(1000);
    http_answer_text(request, 200, "\"later\"");
    http_let_go(request);
    expect(fixture, 200, "\"later\"");
    hear(fixture, 400, (char[1000]){0}, 1000);
    assert_int_equal(recv(fixture->client, (char[1]){0}, 1, 0), 0);
}

static void the_rest_of_what_a_slow_client_does_not_take_is_the_workers(void **state)
{
    struct fixture *fixture = *state;
    char *large = malloc(LARGE + 1), *heard = malloc(LARGE + 1);
    struct http_request *request;

    for (int i = 0; i < LARGE; i++)
        large[i] = (char)('a' + i % 23);
    warm_up(fixture);
    say(fixture, later);
    request = wait_for_request(fixture);
    say(fixture, hello);
    http_answer(request, 200, "text/plain", large, LARGE); /* does not wait: nobody reads yet */
    http_let_go(request);
    assert_int_equal(hear(fixture, 200, heard, LARGE + 1), LARGE);
    assert_memory_equal(heard, large, LARGE);
    expect(fixture, 200, "\"hello\"");
    free(large);
    free(heard);
}

/* Its descriptor must not become another connection's before the answer was tried. */
static void a_client_that_went_away_disturbs_nobody(void **state)
{
    struct fixture *fixture = *state;
    int port = http_server_port(fixture->server, 0);
    struct http_request *request;

    warm_up(fixture);
    say(fixture, later);
    request = wait_for_request(fixture);
    close(fixture->client);
    for (int i = 0; i < 3; i++) { /* the other workers: their connections take the lowest free number */
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        struct timeval limit = {PATIENCE_S, 0};

        to.sin_port = htons((uint16_t)port);
        fixture->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        setsockopt(fixture->client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        assert_int_equal(connect(fixture->client, (struct sockaddr *)&to, sizeof to), 0);
        say(fixture, hello);
        expect(fixture, 200, "\"hello\"");
        if (i == 1) {
            http_answer_text(request, 200, "\"for nobody\"");
            http_let_go(request);
            wait_for_releases(fixture, 2);
        }
        say(fixture, hello);
        expect(fixture, 200, "\"hello\"");
        if (i < 2)
            close(fixture->client);
    }
}

static void *stop(void *context)
{
    struct fixture *fixture = context;

    http_server_stop(fixture->server);
    return NULL;
}

static void a_stop_waits_for_the_answer(void **state)
{
    struct fixture *fixture = *state;
    struct http_request *request;
    pthread_t thread;

    warm_up(fixture);
    say(fixture, later);
    request = wait_for_request(fixture);
    assert_int_equal(pthread_create(&thread, NULL, stop, fixture), 0);
    usleep(20000);
    assert_int_equal(fixture->released, 1);
    http_answer_text(request, 200, "\"later\"");
    http_let_go(request);
    expect(fixture, 200, "\"later\"");
    pthread_join(thread, NULL);
    assert_int_equal(fixture->released, 2);
    fixture->server = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(another_thread_answers_and_the_next_request_comes_after_it, setup, teardown),
        cmocka_unit_test_setup_teardown(what_needs_the_request_itself_is_answered_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_request_that_is_none_is_told_after_the_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(the_rest_of_what_a_slow_client_does_not_take_is_the_workers, setup, teardown),
        cmocka_unit_test_setup_teardown(a_client_that_went_away_disturbs_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stop_waits_for_the_answer, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
