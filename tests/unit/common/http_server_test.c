/* http_server_test.c: the server against a client of bare sockets. Long because each rule of HTTP that it keeps has a
 * test. */
#include "common/http_server.h"
#include "common/token.h"
#include "tests/unit/check.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROLE_ANY, ROLE_HIDDEN, ROLE_DENIED };

struct fixture {
    struct http_server *server;
    char directory[64];
    int taken; /* descriptor of /take */
    int released;
    pthread_mutex_t lock; /* guards taken and released */
};

/* --- handlers --- */

static void answer_hello(struct http_request *request, void *context)
{
    (void)context;
    http_answer_text(request, 200, "{\"hello\":1}");
}

static void answer_echo(struct http_request *request, void *context)
{
    size_t length = 0;
    const char *body = http_body(request, &length);

    (void)context;
    assert_int_equal(body[length], '\0');
    http_answer(request, 200, "application/octet-stream", body, length);
}

static void answer_segments(struct http_request *request, void *context)
{
    char q[32], out[4096];

    (void)context;
    if (!http_query(request, "q", q, sizeof q))
        snprintf(q, sizeof q, "none");
    snprintf(out, sizeof out, "id=%s rest=%s q=%s", http_segment(request, "id") ? http_segment(request, "id") : "-",
             http_segment(request, "rest") ? http_segment(request, "rest") : "-", q);
    http_add_header(request, "X-Test", "1");
    http_add_header(request, "X-Bad", "a\r\nX-Injected: 1");
    http_answer(request, 200, "text/plain", out, strlen(out));
}

static void answer_count(struct http_request *request, void *context)
{
    char piece[1000], out[64];
    long n, sum = 0;

    (void)context;
    while ((n = http_read(request, piece, sizeof piece)) > 0)
        sum += n;
    snprintf(out, sizeof out, "{\"sum\":%ld,\"end\":%ld}", sum, n);
    http_answer_text(request, n == -2 ? 413 : 200, out);
}

static void answer_pieces(struct http_request *request, void *context)
{
    char *piece = malloc(100000);

    (void)context;
    memset(piece, 'p', 100000);
    http_begin(request, 200, "text/plain");
    http_write(request, piece, 100000);
    http_write(request, "end", 3);
    http_end(request);
    free(piece);
}

static void answer_nothing(struct http_request *request, void *context)
{
    (void)request;
    (void)context;
}

static void take(struct http_request *request, void *context)
{
    struct fixture *fixture = context;
    struct err err = {0};
    int fd = http_take_socket(request, &err);

    if (fd < 0) {
        http_fail(request, 503, "unavailable", "%s", err.text);
        return;
    }
    pthread_mutex_lock(&fixture->lock);
    fixture->taken = fd;
    pthread_mutex_unlock(&fixture->lock);
}

static void release_user(void *user)
{
    struct fixture *fixture = user;

    pthread_mutex_lock(&fixture->lock);
    fixture->released++;
    pthread_mutex_unlock(&fixture->lock);
}

static bool authorize(struct http_request *request, const struct http_route *route, void *context)
{
    http_set_user(request, context, release_user);
    if (route->role != ROLE_DENIED)
        return true;
    http_fail(request, 401, "unauthorized", "no %s", "credential");
    return false;
}

static bool origin_allowed(const char *origin, void *context)
{
    (void)context;
    return strcmp(origin, "http://localhost:3000") == 0;
}

static const struct http_route routes[] = {
    {"GET", "/hello", ROLE_ANY, answer_hello, HTTP_NO_BODY, 0},
    {"POST", "/hello", ROLE_ANY, answer_hello, HTTP_NO_BODY, 0},
    {"POST", "/echo", ROLE_ANY, answer_echo, HTTP_WHOLE_BODY, 100000},
    {"PATCH", "/things/{id}", ROLE_ANY, answer_segments, HTTP_NO_BODY, 0},
    {"GET", "/things/{id}", ROLE_ANY, answer_segments, HTTP_NO_BODY, 0},
    {"GET", "/things/all", ROLE_ANY, answer_hello, HTTP_NO_BODY, 0},
    {"GET", "/things/{id}/x/{rest*}", ROLE_ANY, answer_segments, HTTP_NO_BODY, 0},
    {"POST", "/count", ROLE_ANY, answer_count, HTTP_OWN_BODY, 5000000},
    {"GET", "/pieces", ROLE_ANY, answer_pieces, HTTP_NO_BODY, 0},
    {"GET", "/nothing", ROLE_ANY, answer_nothing, HTTP_NO_BODY, 0},
    {"GET", "/take", ROLE_ANY, take, HTTP_NO_BODY, 0},
    {"POST", "/hidden", ROLE_HIDDEN, answer_hello, HTTP_NO_BODY, 0},
    {"POST", "/denied", ROLE_DENIED, answer_hello, HTTP_WHOLE_BODY, 100000000},
};

/* --- a client that says exactly what it is told --- */

static int dial(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval limit = {10, 0};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void say(int fd, const void *bytes, size_t length)
{
    const char *at = bytes;

    while (length > 0) {
        ssize_t n = send(fd, at, length, MSG_NOSIGNAL);
        if (n <= 0)
            return; /* the server has closed: the answer says why */
        at += n;
        length -= (size_t)n;
    }
}

static void say_text(int fd, const char *text)
{
    say(fd, text, strlen(text));
}

struct answer {
    int status;
    char head[8192];
    char *body;
    size_t length;
    char left[8192]; /* bytes of the next answer, kept for hear() */
    size_t left_length;
};

static const char *header_of(const struct answer *answer, const char *name)
{
    static char value[512];
    const char *line = answer->head;

    while ((line = strstr(line, "\r\n")) != NULL) {
        line += 2;
        if (strncasecmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':') {
            snprintf(value, sizeof value, "%.*s", (int)strcspn(line + strlen(name) + 2, "\r"),
                     line + strlen(name) + 2);
            return value;
        }
    }
    return NULL;
}

/* One whole answer from fd; body until Content-Length, the last chunk (chunks are kept as they are), or the end. */
static void hear(int fd, struct answer *answer, bool has_body)
{
    char *buffer = malloc(4 * 1024 * 1024), *end;
    size_t used = answer->left_length, wanted = SIZE_MAX;
    const char *length;

    memcpy(buffer, answer->left, used);
    free(answer->body);
    answer->left_length = 0;
    answer->status = 0;
    buffer[used] = '\0';
    while ((end = strstr(buffer, "\r\n\r\n")) == NULL) {
        ssize_t n = recv(fd, buffer + used, 4 * 1024 * 1024 - 1 - used, 0);
        if (n <= 0)
            break;
        used += (size_t)n;
        buffer[used] = '\0';
    }
    answer->body = NULL;
    answer->length = 0;
    if (end == NULL) {
        snprintf(answer->head, sizeof answer->head, "%.8000s", buffer);
        free(buffer);
        return;
    }
    snprintf(answer->head, sizeof answer->head, "%.*s\r\n", (int)(end - buffer), buffer);
    answer->status = (int)strtol(answer->head + 9, NULL, 10);
    end += 4;
    length = header_of(answer, "Content-Length");
    if (!has_body || answer->status == 204 || answer->status == 304 || answer->status == 100)
        wanted = 0;
    else if (length != NULL)
        wanted = strtoul(length, NULL, 10);
    while ((size_t)(buffer + used - end) < wanted) {
        ssize_t n;
        if (wanted == SIZE_MAX && used > 5 && memcmp(buffer + used - 5, "0\r\n\r\n", 5) == 0)
            break;
        n = recv(fd, buffer + used, 4 * 1024 * 1024 - 1 - used, 0);
        if (n <= 0)
            break;
        used += (size_t)n;
        buffer[used] = '\0';
    }
    answer->length = (size_t)(buffer + used - end);
    if (answer->length > wanted) {
        answer->left_length = answer->length - wanted;
        assert_true(answer->left_length < sizeof answer->left);
        memcpy(answer->left, end + wanted, answer->left_length);
        answer->length = wanted;
    }
    answer->body = malloc(answer->length + 1);
    memcpy(answer->body, end, answer->length);
    answer->body[answer->length] = '\0';
    free(buffer);
}

static bool is_closed(int fd)
{
    char byte;

    return recv(fd, &byte, 1, 0) <= 0;
}

/* One request on a connection of its own. */
static int ask_on(int port, const char *text, struct answer *answer)
{
    int fd = dial(port);

    say(fd, text, strlen(text));
    hear(fd, answer, strncmp(text, "HEAD ", 5) != 0);
    close(fd);
    return answer->status;
}

static int ask(struct fixture *fixture, const char *text, struct answer *answer)
{
    return ask_on(http_server_port(fixture->server, 0), text, answer);
}

static void write_file(const char *directory, const char *name, const char *bytes)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", directory, name);
    file = fopen(path, "wb");
    assert_non_null(file);
    fputs(bytes, file);
    fclose(file);
}

static void remove_file(const char *directory, const char *name)
{
    char path[256];

    snprintf(path, sizeof path, "%s/%s", directory, name);
    unlink(path);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    static const int ports[] = {0, 0};
    struct http_settings settings = {.bind = "127.0.0.1",
                                     .ports = ports,
                                     .port_count = 2,
                                     .threads = 8,
                                     .routes = routes,
                                     .route_count = sizeof routes / sizeof *routes,
                                     .context = fixture,
                                     .authorize = authorize,
                                     .origin_allowed = origin_allowed,
                                     .static_headers = "Content-Security-Policy: default-src 'self'\r\nX-Two: 2\r\n"};
    struct err err = {0};

    assert_true(token_setup());
    pthread_mutex_init(&fixture->lock, NULL);
    fixture->taken = -1;
    snprintf(fixture->directory, sizeof fixture->directory, "/tmp/http_server_test_XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    write_file(fixture->directory, "index.html", "<!doctype html>");
    write_file(fixture->directory, "app.js", "let a = 1;");
    write_file(fixture->directory, "app.js.gz", "gzipped");
    write_file(fixture->directory, ".secret", "secret");
    settings.static_dir = fixture->directory;
    fixture->server = http_server_start(&settings, &err);
    if (fixture->server == NULL)
        fail_msg("%s", err.text);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    static const char *const names[] = {"index.html", "app.js", "app.js.gz", ".secret", "link", "big.bin"};
    struct fixture *fixture = *state;

    http_server_stop(fixture->server);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        remove_file(fixture->directory, names[i]);
    rmdir(fixture->directory);
    pthread_mutex_destroy(&fixture->lock);
    free(fixture);
    return 0;
}

/* --- the promises --- */

static void a_route_is_answered_with_its_headers(void **state)
{
    struct answer answer = {0};

    assert_int_equal(ask(*state, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", &answer), 200);
    assert_string_equal(answer.body, "{\"hello\":1}");
    assert_string_equal(header_of(&answer, "Content-Type"), "application/json");
    assert_string_equal(header_of(&answer, "X-Content-Type-Options"), "nosniff");
    assert_string_equal(header_of(&answer, "Cache-Control"), "no-store");
    assert_non_null(header_of(&answer, "Date"));
    assert_in_range(strlen(header_of(&answer, "X-Request-Id")), 8, 64);
    assert_null(header_of(&answer, "Access-Control-Allow-Origin"));
    free(answer.body);
}

static void a_request_id_is_taken_over_when_it_is_one(void **state)
{
    struct answer answer = {0};

    ask(*state, "GET /hello HTTP/1.1\r\nHost: a\r\nX-Request-Id: abc-123\r\n\r\n", &answer);
    assert_string_equal(header_of(&answer, "X-Request-Id"), "abc-123");
    ask(*state, "GET /hello HTTP/1.1\r\nHost: a\r\nX-Request-Id: a b\r\n\r\n", &answer);
    assert_string_not_equal(header_of(&answer, "X-Request-Id"), "a b");
    free(answer.body);
}

static void segments_and_queries_are_decoded(void **state)
{
    struct answer answer = {0};

    ask(*state, "GET /things/a%20b%C3%A9?x=1&q=1+2%26 HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    assert_string_equal(answer.body, "id=a b\xc3\xa9 rest=- q=1 2&");
    assert_string_equal(header_of(&answer, "X-Test"), "1");
    assert_null(header_of(&answer, "X-Bad"));
    assert_null(header_of(&answer, "X-Injected"));
    ask(*state, "GET /things/7/x/a/b HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    assert_string_equal(answer.body, "id=7 rest=a/b q=none");
    ask(*state, "GET /things/all HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    assert_string_equal(answer.body, "{\"hello\":1}");
    free(answer.body);
}

static void a_wrong_path_or_method_is_told(void **state)
{
    struct answer answer = {0};

    assert_int_equal(ask(*state, "GET /none HTTP/1.1\r\nHost: a\r\n\r\n", &answer), 404);
    assert_non_null(strstr(answer.body, "\"success\":false,\"code\":\"not_found\""));
    assert_int_equal(ask(*state, "GET /things/ HTTP/1.1\r\nHost: a\r\n\r\n", &answer), 404);
    assert_int_equal(ask(*state, "DELETE /hello HTTP/1.1\r\nHost: a\r\n\r\n", &answer), 405);
    assert_string_equal(header_of(&answer, "Allow"), "GET, HEAD, POST, OPTIONS");
    assert_int_equal(ask(*state, "TRACE /hello HTTP/1.1\r\nHost: a\r\n\r\n", &answer),
                     405); /* civetweb does not know it */
    assert_string_equal(header_of(&answer, "Allow"), "GET, HEAD, POST, OPTIONS");
    assert_int_equal(ask(*state, "TRACE /none HTTP/1.1\r\nHost: a\r\n\r\n", &answer), 404);
    assert_int_equal(ask(*state, "trace /hello HTTP/1.1\r\nHost: a\r\n\r\n", &answer), 400);
    assert_int_equal(ask(*state, "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", &answer), 500);
    free(answer.body);
}

static void a_path_that_is_spelt_out_is_no_segment(void **state)
{
    struct answer answer = {0};

    assert_int_equal(ask(*state, "PATCH /things/all HTTP/1.1\r\nHost: a\r\n\r\n", &answer), 405);
    assert_string_equal(header_of(&answer, "Allow"), "GET, HEAD, OPTIONS");
    assert_int_equal(ask(*state, "PATCH /things/one HTTP/1.1\r\nHost: a\r\n\r\n", &answer), 200);
    free(answer.body);
}

static void head_is_get_without_the_body(void **state)
{
    struct answer answer = {0};
    struct fixture *fixture = *state;
    int fd = dial(http_server_port(fixture->server, 0));
    const char *two = "HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\nHEAD /pieces HTTP/1.1\r\nHost: a\r\n\r\n"
                      "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";

    say(fd, two, strlen(two));
    hear(fd, &answer, false);
    assert_int_equal(answer.status, 200);
    assert_string_equal(header_of(&answer, "Content-Length"), "11");
    hear(fd, &answer, false);
    assert_int_equal(answer.status, 200);
    hear(fd, &answer, true);
    assert_string_equal(answer.body, "{\"hello\":1}");
    close(fd);
    free(answer.body);
}

static void a_preflight_names_only_an_allowed_origin(void **state)
{
    struct answer answer = {0};

    assert_int_equal(ask(*state,
                         "OPTIONS /hello HTTP/1.1\r\nHost: a\r\nOrigin: http://localhost:3000\r\n"
                         "Access-Control-Request-Method: POST\r\n\r\n",
                         &answer),
                     204);
    assert_string_equal(header_of(&answer, "Access-Control-Allow-Origin"), "http://localhost:3000");
    assert_string_equal(header_of(&answer, "Access-Control-Allow-Credentials"), "true");
    assert_string_equal(header_of(&answer, "Access-Control-Allow-Methods"), "GET, HEAD, POST, OPTIONS");
    assert_non_null(strstr(header_of(&answer, "Access-Control-Allow-Headers"), "X-API-Key"));
    assert_string_equal(header_of(&answer, "Vary"), "Origin");
    assert_int_equal(ask(*state,
                         "OPTIONS /hello HTTP/1.1\r\nHost: a\r\nOrigin: http://evil\r\n"
                         "Access-Control-Request-Method: POST\r\n\r\n",
                         &answer),
                     204);
    assert_null(header_of(&answer, "Access-Control-Allow-Origin"));
    assert_null(header_of(&answer, "Access-Control-Allow-Methods"));
    assert_int_equal(ask(*state, "OPTIONS /none HTTP/1.1\r\nHost: a\r\n\r\n", &answer), 404);
    ask(*state, "GET /hello HTTP/1.1\r\nHost: a\r\nOrigin: http://localhost:3000\r\n\r\n", &answer);
    assert_string_equal(header_of(&answer, "Access-Control-Allow-Origin"), "http://localhost:3000");
    free(answer.body);
}

static void what_smuggling_is_made_of_is_refused(void **state)
{
    static const char *const bad[] = {
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\nx",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\nx",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\nx",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\nx",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length : 1\r\n\r\nx",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /hello HTTP/1.1\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: a\r\n X: folded\r\nContent-Length: 5\r\n\r\nhello",
        "GET /hello HTTP/1.1\r\nHost: a\r\nX: a\x01\x02\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: a\r\nX(: 1\r\n\r\n",
        "GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /hello?q=a%00b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a%2fb HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /%2e%2e/etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a%zz HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a%ff HTTP/1.1\r\nHost: a\r\n\r\n",
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct answer answer = {0};
        if (ask(fixture, bad[i], &answer) != 400)
            fail_msg("%d for %s", answer.status, bad[i]);
        assert_non_null(header_of(&answer, "X-Request-Id"));
        free(answer.body);
    }
}

static void a_nul_in_the_head_does_not_hide_a_header(void **state)
{
    static const char text[] = "GET /hello HTTP/1.1\r\nHost: a\r\nX: a\0b\r\nContent-Length: 5\r\n\r\nhello";
    struct fixture *fixture = *state;
    struct answer answer = {0};
    int fd = dial(http_server_port(fixture->server, 0));

    say(fd, text, sizeof text - 1);
    hear(fd, &answer, true);
    assert_int_equal(answer.status, 400);
    close(fd);
    free(answer.body);
}

static void too_many_or_too_long_headers_are_refused(void **state)
{
    struct answer answer = {0};
    char *text = calloc(1, 40000);
    size_t used = (size_t)sprintf(text, "GET /hello HTTP/1.1\r\nHost: a\r\n");

    for (int i = 0; i < 70; i++)
        used += (size_t)sprintf(text + used, "X-%d: 1\r\n", i);
    sprintf(text + used, "\r\n");
    assert_int_equal(ask(*state, text, &answer), 400);
    used = (size_t)sprintf(text, "GET /hello HTTP/1.1\r\nHost: a\r\nX: ");
    memset(text + used, 'x', 20000);
    sprintf(text + used + 20000, "\r\n\r\n");
    assert_in_range(ask(*state, text, &answer), 400, 431);
    assert_string_equal(header_of(&answer, "Connection"), "close");
    free(text);
    free(answer.body);
}

static void a_body_is_read_whole_up_to_its_ceiling(void **state)
{
    struct fixture *fixture = *state;

    for (size_t length = 0; length <= 100001; length += length == 0 ? 1 : length == 1 ? 99999 : 1) {
        struct answer answer = {0};
        char head[128];
        char *body = malloc(length + 1);
        int fd = dial(http_server_port(fixture->server, 0));

        memset(body, 'b', length + 1);
        snprintf(head, sizeof head, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", length);
        say(fd, head, strlen(head));
        say(fd, body, length);
        hear(fd, &answer, true);
        assert_int_equal(answer.status, length <= 100000 ? 200 : 413);
        if (length <= 100000) {
            assert_int_equal(answer.length, length);
            assert_memory_equal(answer.body, body, length);
        }
        close(fd);
        free(body);
        free(answer.body);
    }
}

static void a_chunked_body_is_counted_too(void **state)
{
    struct fixture *fixture = *state;
    struct answer answer = {0};
    char *text = malloc(400000);
    size_t used = 0;

    assert_int_equal(ask(fixture,
                         "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                         "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
                         &answer),
                     200);
    assert_string_equal(answer.body, "abcde");
    assert_int_equal(
        ask(fixture, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", &answer), 400);
    used += (size_t)sprintf(text, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 11; i++) {
        used += (size_t)sprintf(text + used, "%x\r\n", 10000);
        memset(text + used, 'c', 10000);
        used += 10000;
        used += (size_t)sprintf(text + used, "\r\n");
    }
    sprintf(text + used, "0\r\n\r\n");
    assert_int_equal(ask(fixture, text, &answer), 413);
    free(text);
    free(answer.body);
}

static void a_handler_reads_a_large_body_itself(void **state)
{
    struct fixture *fixture = *state;

    for (size_t length = 4999999; length <= 5000001; length++) {
        struct answer answer = {0};
        char head[160], *body = calloc(1, length);
        int fd = dial(http_server_port(fixture->server, 0));

        snprintf(head, sizeof head,
                 "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\nExpect: 100-continue\r\n\r\n", length);
        say(fd, head, strlen(head));
        if (length <= 5000000) {
            hear(fd, &answer, false);
            assert_int_equal(answer.status, 100);
            say(fd, body, length);
        }
        hear(fd, &answer, true);
        snprintf(head, sizeof head, "{\"sum\":%zu,\"end\":0}", length);
        assert_string_equal(answer.body, length <= 5000000 ? head : "{\"sum\":0,\"end\":-2}");
        close(fd);
        free(body);
        free(answer.body);
    }
}

static void a_refusal_before_a_large_body_arrives_and_closes(void **state)
{
    struct fixture *fixture = *state;
    struct answer answer = {0};
    const char *head = "POST /denied HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n";
    char *body = calloc(1, 1000000);
    int fd = dial(http_server_port(fixture->server, 0));

    say(fd, head, strlen(head));
    say(fd, body, 1000000);
    hear(fd, &answer, true);
    assert_int_equal(answer.status, 401);
    assert_string_equal(header_of(&answer, "Connection"), "close");
    assert_true(is_closed(fd));
    close(fd);
    free(body);
    free(answer.body);
}

static void a_connection_goes_on_after_a_small_body_nobody_read(void **state)
{
    struct fixture *fixture = *state;
    struct answer answer = {0};
    const char *text = "POST /denied HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
                       "POST /hello HTTP/1.1\r\nHost: a\r\n\r\n"
                       "POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
                       "GET /none HTTP/1.1\r\nHost: a\r\n\r\n"
                       "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    static const int expected[] = {401, 200, 200, 404, 200};
    int fd = dial(http_server_port(fixture->server, 0));

    say(fd, text, strlen(text));
    for (size_t i = 0; i < 5; i++) {
        hear(fd, &answer, true);
        assert_int_equal(answer.status, expected[i]);
    }
    assert_string_equal(header_of(&answer, "Connection"), "close");
    assert_true(is_closed(fd));
    close(fd);
    free(answer.body);
    pthread_mutex_lock(&fixture->lock);
    assert_true(fixture->released >= 4); /* the slot of each authorized request was given back */
    pthread_mutex_unlock(&fixture->lock);
}

static void an_answer_in_pieces_has_its_end(void **state)
{
    struct answer answer = {0};

    assert_int_equal(ask(*state, "GET /pieces HTTP/1.1\r\nHost: a\r\n\r\n", &answer), 200);
    assert_string_equal(header_of(&answer, "Transfer-Encoding"), "chunked");
    assert_memory_equal(answer.body, "10000\r\npppp", 11);
    assert_memory_equal(answer.body + answer.length - 13, "3\r\nend\r\n0\r\n\r\n", 13);
    ask(*state, "GET /pieces HTTP/1.0\r\n\r\n", &answer);
    assert_null(header_of(&answer, "Transfer-Encoding"));
    assert_int_equal(answer.length, 100003);
    free(answer.body);
}

static void files_come_with_type_tag_and_headers(void **state)
{
    struct fixture *fixture = *state;
    struct answer answer = {0};
    char text[512];

    assert_int_equal(ask(fixture, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", &answer), 200);
    assert_string_equal(answer.body, "<!doctype html>");
    assert_string_equal(header_of(&answer, "Content-Type"), "text/html; charset=utf-8");
    assert_string_equal(header_of(&answer, "Content-Security-Policy"), "default-src 'self'");
    assert_string_equal(header_of(&answer, "X-Two"), "2");
    assert_string_equal(header_of(&answer, "Cache-Control"), "no-cache");
    snprintf(text, sizeof text, "GET /index.html HTTP/1.1\r\nHost: a\r\nIf-None-Match: %s\r\n\r\n",
             header_of(&answer, "ETag"));
    assert_int_equal(ask(fixture, text, &answer), 304);
    assert_int_equal(ask(fixture, "GET /app.js HTTP/1.1\r\nHost: a\r\n\r\n", &answer), 200);
    assert_string_equal(answer.body, "let a = 1;");
    assert_string_equal(header_of(&answer, "Content-Type"), "text/javascript; charset=utf-8");
    ask(fixture, "GET /app.js HTTP/1.1\r\nHost: a\r\nAccept-Encoding: br, gzip\r\n\r\n", &answer);
    assert_string_equal(answer.body, "gzipped");
    assert_string_equal(header_of(&answer, "Content-Encoding"), "gzip");
    ask(fixture, "GET /app.js HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip;q=0\r\n\r\n", &answer);
    assert_string_equal(answer.body, "let a = 1;");
    assert_int_equal(ask(fixture, "HEAD /app.js HTTP/1.1\r\nHost: a\r\n\r\n", &answer), 200);
    assert_string_equal(header_of(&answer, "Content-Length"), "10");
    assert_int_equal(ask(fixture, "POST /app.js HTTP/1.1\r\nHost: a\r\n\r\n", &answer), 404);
    free(answer.body);
}

static void nothing_outside_the_directory_is_a_file(void **state)
{
    struct fixture *fixture = *state;
    struct answer answer = {0};
    char path[128];

    snprintf(path, sizeof path, "%s/link", fixture->directory);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(ask(fixture, "GET /link HTTP/1.1\r\nHost: a\r\n\r\n", &answer), 404);
    assert_int_equal(ask(fixture, "GET /.secret HTTP/1.1\r\nHost: a\r\n\r\n", &answer), 404);
    assert_int_equal(ask(fixture, "GET // HTTP/1.1\r\nHost: a\r\n\r\n", &answer), 404);
    assert_int_equal(ask(fixture, "GET /app.js/ HTTP/1.1\r\nHost: a\r\n\r\n", &answer), 404);
    free(answer.body);
}

static int open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;

    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

/* Once the server has closed what it was about to close. */
static int settled_descriptors(void)
{
    int count = open_descriptors(), same = 0;

    for (int i = 0; i < 200 && same < 10; i++) {
        int now;
        poll(NULL, 0, 5);
        now = open_descriptors();
        same = now == count ? same + 1 : 0;
        count = now;
    }
    return count;
}

static int wait_for_taken(struct fixture *fixture)
{
    for (int i = 0; i < 2000; i++) {
        int fd;

        pthread_mutex_lock(&fixture->lock);
        fd = fixture->taken;
        fixture->taken = -1;
        pthread_mutex_unlock(&fixture->lock);
        if (fd >= 0)
            return fd;
        poll(NULL, 0, 5);
    }
    return -1;
}

/* Leans on what civetweb does with its descriptor after the handler has returned. */
static void a_socket_taken_away_lives_on_after_the_handler(void **state)
{
    struct fixture *fixture = *state;
    int port = http_server_port(fixture->server, 0), before, fd, taken;
    struct answer answer = {0};

    ask(fixture, "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", &answer);
    before = settled_descriptors();
    for (int i = 0; i < 20; i++) {
        char got[64] = "";
        ssize_t n;

        fd = dial(port);
        if (i % 2 == 1) { /* as the second request of a connection */
            say_text(fd, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
            hear(fd, &answer, true);
            assert_int_equal(answer.status, 200);
        }
        say_text(fd, "GET /take HTTP/1.1\r\nHost: a\r\n\r\n");
        taken = wait_for_taken(fixture);
        assert_true(taken >= 4096);
        poll(NULL, 0, 20); /* civetweb closes its number meanwhile */
        assert_int_equal(send(taken, "data: 1\n\n", 9, MSG_NOSIGNAL), 9);
        n = recv(fd, got, sizeof got, 0);
        assert_int_equal(n, 9);
        assert_memory_equal(got, "data: 1\n\n", 9);
        assert_int_equal(send(taken, "data: 2\n\n", 9, MSG_NOSIGNAL), 9);
        assert_int_equal(recv(fd, got, sizeof got, 0), 9);
        assert_true(fcntl(taken, F_GETFL) & O_NONBLOCK);
        assert_true(fcntl(taken, F_GETFD) & FD_CLOEXEC);
        close(taken);
        assert_true(is_closed(fd));
        close(fd);
    }
    assert_int_equal(ask(fixture, "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", &answer), 200);
    assert_int_equal(settled_descriptors(), before);
    free(answer.body);
}

static void a_hidden_route_is_not_there_on_the_static_port(void **state)
{
    struct fixture *fixture = *state;
    struct http_settings settings = {.bind = "127.0.0.1",
                                     .threads = 2,
                                     .routes = routes,
                                     .port_count = 2,
                                     .route_count = sizeof routes / sizeof *routes,
                                     .context = fixture,
                                     .static_dir = fixture->directory,
                                     .hide_on_static_port_webhook = true,
                                     .hidden_role = ROLE_HIDDEN};
    struct answer answer = {0};
    struct http_server *server = NULL;
    int ports[2];

    /* Free ports are looked up by opening them once; another program may be quicker, so try again. */
    for (int i = 0; i < 10 && server == NULL; i++) {
        static const int any[] = {0, 0};
        struct http_server *probe;

        settings.ports = any;
        settings.static_port = 0;
        probe = http_server_start(&settings, NULL);
        assert_non_null(probe);
        ports[0] = http_server_port(probe, 0);
        ports[1] = http_server_port(probe, 1);
        http_server_stop(probe);
        settings.ports = ports;
        settings.static_port = ports[1];
        server = http_server_start(&settings, NULL);
    }
    assert_non_null(server);
    assert_int_equal(ask_on(ports[0], "POST /hidden HTTP/1.1\r\nHost: a\r\n\r\n", &answer), 200);
    assert_int_equal(ask_on(ports[1], "POST /hidden HTTP/1.1\r\nHost: a\r\n\r\n", &answer), 404);
    assert_int_equal(ask_on(ports[1], "GET /app.js HTTP/1.1\r\nHost: a\r\n\r\n", &answer), 200);
    assert_int_equal(ask_on(ports[0], "GET /app.js HTTP/1.1\r\nHost: a\r\n\r\n", &answer), 404);
    http_server_stop(server);
    free(answer.body);
}

static void a_server_that_cannot_start_says_why(void **state)
{
    struct fixture *fixture = *state;
    int port = http_server_port(fixture->server, 0);
    struct http_settings settings = {.bind = "127.0.0.1", .ports = &port, .port_count = 1, .threads = 1};
    struct err err = {0};

    assert_null(http_server_start(&settings, &err));
    assert_int_equal(err.code, ERR_SYSTEM);
    assert_non_null(strstr(err.text, "HTTP server: "));
    settings.bind = "::1";
    assert_null(http_server_start(&settings, &err));
    assert_non_null(strstr(err.text, "expected an IPv4 address"));
    settings.bind = "127.0.0.1";
    settings.static_dir = "/nowhere";
    assert_null(http_server_start(&settings, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    http_server_stop(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_route_is_answered_with_its_headers),
        cmocka_unit_test(a_request_id_is_taken_over_when_it_is_one),
        cmocka_unit_test(segments_and_queries_are_decoded),
        cmocka_unit_test(a_wrong_path_or_method_is_told),
        cmocka_unit_test(a_path_that_is_spelt_out_is_no_segment),
        cmocka_unit_test(head_is_get_without_the_body),
        cmocka_unit_test(a_preflight_names_only_an_allowed_origin),
        cmocka_unit_test(what_smuggling_is_made_of_is_refused),
        cmocka_unit_test(a_nul_in_the_head_does_not_hide_a_header),
        cmocka_unit_test(too_many_or_too_long_headers_are_refused),
        cmocka_unit_test(a_body_is_read_whole_up_to_its_ceiling),
        cmocka_unit_test(a_chunked_body_is_counted_too),
        cmocka_unit_test(a_handler_reads_a_large_body_itself),
        cmocka_unit_test(a_refusal_before_a_large_body_arrives_and_closes),
        cmocka_unit_test(a_connection_goes_on_after_a_small_body_nobody_read),
        cmocka_unit_test(an_answer_in_pieces_has_its_end),
        cmocka_unit_test(files_come_with_type_tag_and_headers),
        cmocka_unit_test(nothing_outside_the_directory_is_a_file),
        cmocka_unit_test(a_socket_taken_away_lives_on_after_the_handler),
        cmocka_unit_test(a_hidden_route_is_not_there_on_the_static_port),
        cmocka_unit_test(a_server_that_cannot_start_says_why),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
