/* Tests of reverse names: asked once, kept, never for addresses that are not public, and nothing but host names. */
#include "tests/unit/check.h"

#include "backend/reverse.h"
#include "common/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static atomic_int asked;
static const char *answer;

static bool fake(void *context, const char *address, char *out, size_t size)
{
    (void)context;
    (void)address;
    if (answer == NULL) {
        asked++;
        return false;
    }
    snprintf(out, size, "%s", answer);
    asked++;
    return true;
}

static int begin(void **state)
{
    asked = 0;
    answer = "host.example";
    *state = reverse_start(fake, NULL, NULL);
    return *state == NULL;
}

static int end(void **state)
{
    reverse_stop(*state);
    return 0;
}

static void wait_asked(int count)
{
    for (int i = 0; i < 30000 && asked < count; i++)
        usleep(1000);
    assert_int_equal(asked, count);
}

/* The answer is in the table a moment after it was given. */
static bool find_soon(struct reverse *reverse, const char *address, char out[REVERSE_NAME])
{
    for (int i = 0; i < 30000; i++) {
        if (reverse_find(reverse, address, clock_now_ms(), out))
            return true;
        usleep(1000);
    }
    return false;
}

static void a_name_is_asked_once_and_kept_for_a_day(void **state)
{
    char out[REVERSE_NAME];
    int64_t now = clock_now_ms(), day = 24LL * 3600 * 1000;

    assert_false(reverse_find(*state, "8.8.8.8", now, out)); /* nobody waits for it */
    assert_true(find_soon(*state, "8.8.8.8", out));
    assert_string_equal(out, "host.example");
    for (int i = 0; i < 100; i++)
        assert_true(reverse_find(*state, "8.8.8.8", now + day - 60000, out));
    assert_int_equal(asked, 1);
    answer = "new.example";
    assert_true(reverse_find(*state, "8.8.8.8", now + 2 * day, out)); /* the old one until there is a new one */
    wait_asked(2);
    assert_true(find_soon(*state, "2001:4860:4860::8888", out));
    assert_string_equal(out, "new.example");
}

static void silence_is_kept_for_an_hour(void **state)
{
    char out[REVERSE_NAME];
    int64_t now = clock_now_ms();

    answer = NULL;
    assert_false(reverse_find(*state, "8.8.4.4", now, out));
    wait_asked(1);
    answer = "late.example";
    assert_true(find_soon(*state, "1.1.1.1", out)); /* behind it in the queue: the first is in the table by now */
    assert_false(reverse_find(*state, "8.8.4.4", now + 50 * 60000, out));
    assert_int_equal(asked, 2);
    assert_false(reverse_find(*state, "8.8.4.4", now + 61 * 60000, out));
    wait_asked(3);
}

static void private_addresses_are_never_asked_for(void **state)
{
    static const char *const addresses[] = {
        "10.0.0.1", "192.168.1.1", "172.16.0.1", "127.0.0.1",       "169.254.1.1", "100.64.0.1",
        "::1",      "fe80::1",     "fd00::1",    "::ffff:10.0.0.1", "224.0.0.1",   "no address",
        ""};
    char out[REVERSE_NAME];

    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++)
        assert_false(reverse_find(*state, addresses[i], clock_now_ms(), out));
    assert_true(find_soon(*state, "8.8.8.8", out));
    assert_int_equal(asked, 1);
}

static void what_is_no_host_name_is_none(void **state)
{
    static const char *const names[] = {"<script>", "a b", "a\nb", "-x", ".", "\xc3\xa4.example", ""};
    char out[REVERSE_NAME], address[32];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(address, sizeof address, "8.8.0.%zu", i + 1);
        answer = names[i];
        assert_false(reverse_find(*state, address, clock_now_ms(), out));
        wait_asked((int)i + 1);
    }
    answer = "host.example";
    assert_true(find_soon(*state, "8.8.8.8", out));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(address, sizeof address, "8.8.0.%zu", i + 1);
        assert_false(reverse_find(*state, address, clock_now_ms(), out));
    }
}

static void a_full_table_forgets_the_oldest(void **state)
{
    char out[REVERSE_NAME], address[32];
    int asked_before;

    for (int i = 0; i < REVERSE_KEPT + 10; i++) {
        snprintf(address, sizeof address, "9.%d.%d.1", i / 250, i % 250);
        assert_true(find_soon(*state, address, out));
    }
    asked_before = asked;
    assert_true(reverse_find(*state, address, clock_now_ms(), out));
    assert_false(reverse_find(*state, "9.0.0.1", clock_now_ms(), out));
    wait_asked(asked_before + 1);
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static bool behind_a_gate(void *context, const char *address, char *out, size_t size)
{
    (void)context;
    (void)address;
    asked++;
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    snprintf(out, size, "host.example");
    return true;
}

static void a_name_service_that_is_slow_holds_nobody_up(void **state)
{
    struct reverse *reverse;
    char out[REVERSE_NAME], address[32];

    (void)state;
    asked = 0;
    pthread_mutex_lock(&gate);
    reverse = reverse_start(behind_a_gate, NULL, NULL);
    for (int i = 0; i < 3 * REVERSE_WAITING; i++) {
        snprintf(address, sizeof address, "9.%d.%d.1", i / 250, i % 250);
        assert_false(reverse_find(reverse, address, clock_now_ms(), out));
    }
    wait_asked(1);
    pthread_mutex_unlock(&gate);
    assert_true(find_soon(reverse, address, out)); /* it found no room to wait then, and is asked for now */
    reverse_stop(reverse);
}

int main(void)
{
#define REVERSE_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        REVERSE_TEST(a_name_is_asked_once_and_kept_for_a_day),
        REVERSE_TEST(silence_is_kept_for_an_hour),
        REVERSE_TEST(private_addresses_are_never_asked_for),
        REVERSE_TEST(what_is_no_host_name_is_none),
        REVERSE_TEST(a_full_table_forgets_the_oldest),
        cmocka_unit_test(a_name_service_that_is_slow_holds_nobody_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
