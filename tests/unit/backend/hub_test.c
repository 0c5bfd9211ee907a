/* The hub on real sockets. */
#include "tests/unit/check.h"

#include "backend/hub.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_MS = 5000 };

static struct hub *start(size_t ring, size_t streams, size_t per_user)
{
    const struct hub_settings settings = {
        .writers = 2, .ring_bytes = ring, .heartbeat_s = 3600, .max_streams = streams, .max_per_user = per_user};
    struct err err = {0};
    struct hub *hub = hub_start(&settings, &err);

    assert_non_null(hub);
    return hub;
}

/* A stream; the test holds the other end. */
static int join(struct hub *hub, const char *user, const char *session, int64_t after, bool *taken)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    *taken = hub_add(hub, pair[0], user, session, strdup("HEAD\n\n"), 6, after, NULL);
    return pair[1];
}

static void publish(struct hub *hub, int64_t seq)
{
    char frame[32];
    int length = snprintf(frame, sizeof frame, "<%lld>", (long long)seq);

    hub_publish(hub, seq, frame, (size_t)length);
}

/* Reads until text ends with what is expected, or nothing comes any more. */
static void expect(int fd, const char *expected)
{
    char text[4096] = "";
    size_t length = 0;
    struct pollfd wait = {.fd = fd, .events = POLLIN};

    while (length < strlen(expected) && poll(&wait, 1, PATIENCE_MS) == 1) {
        ssize_t n = read(fd, text + length, sizeof text - 1 - length);

        if (n <= 0)
            break;
        length += (size_t)n;
        text[length] = '\0';
    }
    assert_string_equal(text, expected);
}

static void expect_end(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    char byte;
    ssize_t n;

    while ((n = poll(&wait, 1, PATIENCE_MS) == 1 ? read(fd, &byte, 1) : -2) > 0)
        ;
    assert_true(n == 0 || n == -1);
    close(fd);
}

/* The writers work behind our back: waits for a figure. */
static bool reaches(struct hub *hub, size_t offset, uint64_t value)
{
    for (int i = 0; i < PATIENCE_MS; i++) {
        struct hub_counters counters;
        uint64_t now;

        hub_counters(hub, &counters);
        memcpy(&now, (char *)&counters + offset, sizeof now);
        if (now == value)
            return true;
        usleep(1000);
    }
    return false;
}

static void everybody_gets_head_and_frames_in_order(void **state)
{
    struct hub *hub = start(1 << 16, 100, 100);
    int fds[6];
    bool taken;

    (void)state;
    for (int i = 0; i < 6; i++) {
        fds[i] = join(hub, "u", "s", 0, &taken);
        assert_true(taken);
    }
    for (int64_t seq = 1; seq <= 3; seq++)
        publish(hub, seq);
    hub_publish(hub, 0, "<x>", 3);
    for (int i = 0; i < 6; i++) {
        expect(fds[i], "HEAD\n\n<1><2><3><x>");
        close(fds[i]);
    }
    hub_stop(hub);
}

static void what_was_published_between_replay_and_joining_is_not_lost(void **state)
{
    struct hub *hub = start(1 << 16, 100, 100);
    bool taken;
    int fds[3];

    (void)state;
    for (int64_t seq = 1; seq <= 9; seq++)
        publish(hub, seq); /* nobody listens: it waits for the first who does */
    for (int i = 0; i < 2; i++)
        fds[i] = join(hub, "u", "s", 6, &taken); /* one with each writer */
    assert_true(reaches(hub, offsetof(struct hub_counters, frames), 18));
    fds[2] = join(hub, "u", "s", 7, &taken);
    publish(hub, 10);
    expect(fds[0], "HEAD\n\n<7><8><9><10>");
    expect(fds[1], "HEAD\n\n<7><8><9><10>");
    expect(fds[2], "HEAD\n\n<8><9><10>");
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    hub_stop(hub);
}

static void what_the_replay_gave_already_is_skipped(void **state)
{
    struct hub *hub = start(1 << 16, 100, 100);
    bool taken;
    int fd;

    (void)state;
    publish(hub, 1);
    fd = join(hub, "u", "s", 3, &taken); /* its replay came from the store, which is ahead of this process */
    for (int64_t seq = 2; seq <= 5; seq++)
        publish(hub, seq);
    expect(fd, "HEAD\n\n<4><5>");
    close(fd);
    hub_stop(hub);
}

static void one_that_never_reads_is_closed_and_hurts_nobody(void **state)
{
    struct hub *hub = start(1 << 14, 100, 100);
    static char frame[4096];
    bool taken;
    int slow, good;

    (void)state;
    memset(frame, 'x', sizeof frame);
    slow = join(hub, "u", "s", 0, &taken);
    expect(slow, "HEAD\n\n");
    for (int64_t seq = 1; seq <= 400; seq++) {
        hub_publish(hub, seq, frame, sizeof frame);
        if (seq % 50 == 0)
            usleep(1000);
    }
    assert_true(reaches(hub, offsetof(struct hub_counters, closed_slow), 1));
    good = join(hub, "u", "s", 400, &taken);
    publish(hub, 401);
    expect(good, "HEAD\n\n<401>");
    close(good);
    expect_end(slow);
    hub_stop(hub);
}

static void caps_hold_in_all_and_for_each_user(void **state)
{
    struct hub *hub = start(1 << 14, 3, 2);
    bool taken;
    int a = join(hub, "anna", "1", 0, &taken), b = join(hub, "anna", "2", 0, &taken), c, d;

    (void)state;
    assert_false(hub_has_room(hub, "anna"));
    assert_true(hub_has_room(hub, "bert"));
    c = join(hub, "anna", "3", 0, &taken);
    assert_false(taken);
    expect_end(c);
    c = join(hub, "bert", "4", 0, &taken);
    assert_true(taken);
    assert_false(hub_has_room(hub, "cora"));
    d = join(hub, "cora", "5", 0, &taken);
    assert_false(taken);
    expect_end(d);
    close(a); /* one that leaves makes room */
    assert_true(reaches(hub, offsetof(struct hub_counters, closed_by_peer), 1));
    assert_true(hub_has_room(hub, "anna"));
    close(b);
    close(c);
    hub_stop(hub);
}

static void streams_of_a_user_or_a_session_end_at_once(void **state)
{
    struct hub *hub = start(1 << 14, 100, 100);
    bool taken;
    int first = join(hub, "anna", "one", 0, &taken), second = join(hub, "anna", "two", 0, &taken);
    int other = join(hub, "bert", "three", 0, &taken);

    (void)state;
    hub_end_session(hub, "one");
    expect_end(first);
    publish(hub, 1);
    expect(second, "HEAD\n\n<1>");
    hub_end_user(hub, "anna");
    expect_end(second);
    expect(other, "HEAD\n\n<1>");
    hub_end_session(hub, ""); /* nobody's session is everybody's */
    publish(hub, 2);
    expect(other, "<2>");
    close(other);
    hub_stop(hub);
}

static void a_stop_tells_streams_to_come_back(void **state)
{
    struct hub *hub = start(1 << 14, 100, 100);
    bool taken;
    int fd = join(hub, "u", "s", 0, &taken);
    char text[64] = "";

    (void)state;
    expect(fd, "HEAD\n\n");
    hub_stop(hub);
    assert_true(read(fd, text, sizeof text - 1) > 0);
    assert_memory_equal(text, "retry: ", 7);
    expect_end(fd);
}

static void a_client_that_talks_too_much_is_closed(void **state)
{
    struct hub *hub = start(1 << 14, 100, 100);
    static char noise[32768];
    bool taken;
    int fd = join(hub, "u", "s", 0, &taken);

    (void)state;
    for (int i = 0; i < 8; i++)
        if (send(fd, noise, sizeof noise, MSG_NOSIGNAL) < 0)
            break;
    assert_true(reaches(hub, offsetof(struct hub_counters, closed_by_peer), 1));
    expect_end(fd);
    hub_stop(hub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everybody_gets_head_and_frames_in_order),
        cmocka_unit_test(what_was_published_between_replay_and_joining_is_not_lost),
        cmocka_unit_test(what_the_replay_gave_already_is_skipped),
        cmocka_unit_test(one_that_never_reads_is_closed_and_hurts_nobody),
        cmocka_unit_test(caps_hold_in_all_and_for_each_user),
        cmocka_unit_test(streams_of_a_user_or_a_session_end_at_once),
        cmocka_unit_test(a_stop_tells_streams_to_come_back),
        cmocka_unit_test(a_client_that_talks_too_much_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
