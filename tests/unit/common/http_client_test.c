#include "common/http_client.h"
#include "tests/unit/check.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

/* A peer that plays a script: for each request it reads one whole request and says the next line of the script; NULL
 * closes the connection without a word, and so does the end of an answer with "Connection: close". */
struct peer {
    int listener, port;
    const char *const *script;
    char seen[8][4096];
    atomic_int requests, connections;
    pthread_t thread;
};

static bool read_request(int fd, char *out, size_t size)
{
    size_t used = 0;

    for (;;) {
        char *end, *length;
        ssize_t n = recv(fd, out + used, size - 1 - used, 0);
        if (n <= 0)
            return false;
        used += (size_t)n;
        out[used] = '\0';
        end = strstr(out, "\r\n\r\n");
        length = strcasestr(out, "Content-Length: ");
        if (end != NULL && (length == NULL || used >= (size_t)(end + 4 - out) + strtoul(length + 16, NULL, 10)))
            return true;
    }
}

static void *run_peer(void *pointer)
{
    struct peer *peer = pointer;
    const char *const *line = peer->script;
    int fd;

    while ((fd = accept(peer->listener, NULL, NULL)) >= 0) {
        atomic_fetch_add(&peer->connections, 1);
        while (read_request(fd, peer->seen[peer->requests % 8], sizeof *peer->seen)) {
            const char *say = *line++;
            atomic_fetch_add(&peer->requests, 1);
            if (say == NULL)
                break;
            send(fd, say, strlen(say), MSG_NOSIGNAL);
            if (strstr(say, "Connection: close") != NULL)
                break;
        }
        close(fd);
    }
    return NULL;
}

static void start_peer(struct peer *peer, const char *const *script)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t length = sizeof at;

    memset(peer, 0, sizeof *peer);
    peer->script = script;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(peer->listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(peer->listener, 8), 0);
    assert_int_equal(getsockname(peer->listener, (struct sockaddr *)&at, &length), 0);
    peer->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&peer->thread, NULL, run_peer, peer), 0);
}

static void stop_peer(struct peer *peer)
{
    shutdown(peer->listener, SHUT_RDWR);
    pthread_join(peer->thread, NULL);
    close(peer->listener);
}

static bool post(struct http_client *client, const struct peer *peer, bool again, struct http_reply *reply,
                 struct err *err)
{
    char url[64];
    static const char *const headers[] = {"Content-Type: application/json", "X-Test: 1", NULL};
    struct http_call call = {.method = "POST",
                             .url = url,
                             .headers = headers,
                             .body = "{\"a\":1}",
                             .length = 7,
                             .timeout_ms = 5000,
                             .again = again};

    snprintf(url, sizeof url, "http://127.0.0.1:%d/x", peer->port);
    return http_client_call(client, &call, reply, err);
}

static int setup(void **state)
{
    (void)state;
    return http_client_setup() ? 0 : -1;
}

#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

static void a_call_is_answered_and_the_connection_kept(void **state)
{
    static const char *const script[] = {OK_ANSWER,
                                         "HTTP/1.1 503 Wait\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"};
    struct http_client *client = http_client_create();
    struct http_reply reply;
    struct peer peer;

    (void)state;
    start_peer(&peer, script);
    assert_true(post(client, &peer, true, &reply, NULL));
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, "hi");
    assert_int_equal(reply.length, 2);
    assert_int_equal(reply.retry_after_s, -1);
    http_reply_clear(&reply);
    assert_true(post(client, &peer, true, &reply, NULL));
    assert_int_equal(reply.status, 503);
    assert_int_equal(reply.retry_after_s, 7);
    assert_string_equal(reply.body, "");
    http_reply_clear(&reply);
    http_client_free(client);
    stop_peer(&peer);
    assert_int_equal(peer.connections, 1);
    assert_non_null(strstr(peer.seen[0], "POST /x HTTP/1.1\r\n"));
    assert_non_null(strstr(peer.seen[0], "X-Test: 1\r\n"));
    assert_null(strcasestr(peer.seen[0], "Expect:"));
    assert_non_null(strstr(peer.seen[0], "\r\n\r\n{\"a\":1}"));
}

static void a_dead_kept_connection_is_replaced_when_allowed(void **state)
{
    static const char *const script[] = {OK_ANSWER, NULL, OK_ANSWER, NULL};
    struct http_client *client = http_client_create();
    struct http_reply reply;
    struct err err = {0};
    struct peer peer;

    (void)state;
    start_peer(&peer, script);
    assert_true(post(client, &peer, true, &reply, &err));
    http_reply_clear(&reply);
    assert_true(post(client, &peer, true, &reply, &err)); /* closed under it, once more: answered */
    assert_int_equal(reply.status, 200);
    http_reply_clear(&reply);
    assert_int_equal(peer.connections, 2);
    shutdown(peer.listener, SHUT_RDWR); /* the kept connection still stands; a fresh one cannot be had */
    assert_false(post(client, &peer, false, &reply, &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_int_equal(reply.status, 0);
    assert_null(reply.body);
    http_client_free(client);
    stop_peer(&peer);
    assert_int_equal(peer.requests, 3);
}

static void an_answer_larger_than_wanted_is_an_error(void **state)
{
    static const char *const script[] = {OK_ANSWER, OK_ANSWER};
    struct http_client *client = http_client_create();
    struct http_reply reply;
    struct err err = {0};
    struct peer peer;
    char url[64];

    (void)state;
    start_peer(&peer, script);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", peer.port);
    for (size_t max = 1; max <= 2; max++) {
        struct http_call call = {.method = "GET", .url = url, .timeout_ms = 5000, .answer_max = max};
        assert_int_equal(http_client_call(client, &call, &reply, &err), max == 2);
        http_reply_clear(&reply);
    }
    assert_int_equal(err.code, ERR_INVALID);
    http_client_free(client);
    stop_peer(&peer);
}

static bool take_two(const char *bytes, size_t length, void *context)
{
    (void)bytes;
    *(size_t *)context += length;
    return *(size_t *)context < 2;
}

static void a_sink_gets_the_pieces_and_may_stop(void **state)
{
    static const char *const script[] = {OK_ANSWER};
    struct http_client *client = http_client_create();
    struct http_reply reply;
    struct err err = {0};
    struct peer peer;
    size_t got = 0;
    char url[64];

    (void)state;
    start_peer(&peer, script);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", peer.port);
    struct http_call call = {.method = "GET", .url = url, .timeout_ms = 5000, .sink = take_two, .context = &got};
    assert_false(http_client_call(client, &call, &reply, &err));
    assert_int_equal(got, 2);
    assert_non_null(strstr(err.text, "not wanted"));
    http_client_free(client);
    stop_peer(&peer);
}

static bool is_wanted_twice(void *context)
{
    return ++*(int *)context < 3;
}

static void a_call_that_nobody_wants_any_more_ends_while_the_peer_is_silent(void **state)
{
    static const char *const script[] = {""};
    struct http_client *client = http_client_create();
    struct http_reply reply;
    struct err err = {0};
    struct peer peer;
    int asked = 0;
    char url[64];

    (void)state;
    start_peer(&peer, script);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", peer.port);
    struct http_call call = {.method = "POST", .url = url, .wanted = is_wanted_twice, .context = &asked};
    assert_false(http_client_call(client, &call, &reply, &err));
    assert_int_equal(asked, 3);
    assert_non_null(strstr(err.text, "not wanted"));
    http_client_free(client);
    stop_peer(&peer);
}

static void a_file_is_sent_as_the_body(void **state)
{
    static const char *const script[] = {OK_ANSWER};
    struct http_client *client = http_client_create();
    char path[] = "/tmp/http_client_test_XXXXXX", url[64];
    int fd = mkstemp(path);
    struct http_reply reply;
    struct peer peer;

    (void)state;
    assert_int_equal(write(fd, "filebytes", 9), 9);
    close(fd);
    start_peer(&peer, script);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", peer.port);
    struct http_call call = {.method = "POST", .url = url, .body_file = path};
    assert_true(http_client_call(client, &call, &reply, NULL));
    http_reply_clear(&reply);
    call.body_file = "/nowhere";
    assert_false(http_client_call(client, &call, &reply, NULL));
    http_client_free(client);
    stop_peer(&peer);
    unlink(path);
    assert_non_null(strstr(peer.seen[0], "POST / HTTP/1.1\r\n"));
    assert_non_null(strstr(peer.seen[0], "Content-Length: 9\r\n"));
    assert_non_null(strstr(peer.seen[0], "\r\n\r\nfilebytes"));
}

static void silence_and_other_protocols_are_errors(void **state)
{
    struct http_client *client = http_client_create();
    struct http_reply reply;
    struct err err = {0};
    struct peer peer;
    static const char *const script[] = {"", OK_ANSWER};
    char url[64];

    (void)state;
    start_peer(&peer, script);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", peer.port);
    struct http_call call = {.method = "GET", .url = url, .timeout_ms = 200};
    assert_false(http_client_call(client, &call, &reply, &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    call.url = "file:///etc/passwd";
    assert_false(http_client_call(client, &call, &reply, &err));
    http_client_free(client);
    stop_peer(&peer);
    call.url = url; /* nobody listens there now */
    client = http_client_create();
    assert_false(http_client_call(client, &call, &reply, &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    http_client_free(client);
    http_client_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_answered_and_the_connection_kept),
        cmocka_unit_test(a_dead_kept_connection_is_replaced_when_allowed),
        cmocka_unit_test(an_answer_larger_than_wanted_is_an_error),
        cmocka_unit_test(a_sink_gets_the_pieces_and_may_stop),
        cmocka_unit_test(a_call_that_nobody_wants_any_more_ends_while_the_peer_is_silent),
        cmocka_unit_test(a_file_is_sent_as_the_body),
        cmocka_unit_test(silence_and_other_protocols_are_errors),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
