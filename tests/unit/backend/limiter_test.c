/* Tests of the count of attempts. */
#include "tests/unit/check.h"

#include "backend/limiter.h"

#include <stdio.h>

enum { ROWS = 8, TRIES = 3, WINDOW = 1000 };

static int begin(void **state)
{
    *state = limiter_create(ROWS, TRIES, WINDOW);
    return *state == NULL;
}

static int end(void **state)
{
    limiter_free(*state);
    return 0;
}

static void so_many_tries_pass_and_the_next_waits_for_the_window(void **state)
{
    for (int i = 0; i < TRIES; i++)
        assert_int_equal(limiter_take(*state, "a", 100 + i), 0);
    assert_int_equal(limiter_take(*state, "a", 200), 100 + WINDOW - 200);
    assert_int_equal(limiter_take(*state, "a", 100 + WINDOW - 1), 1);
    assert_int_equal(limiter_take(*state, "a", 100 + WINDOW), 0);
}

static void keys_are_counted_apart(void **state)
{
    for (int i = 0; i < TRIES; i++)
        assert_int_equal(limiter_take(*state, "a", 1), 0);
    assert_int_equal(limiter_take(*state, "b", 1), 0);
    assert_true(limiter_take(*state, "a", 1) > 0);
}

static void a_good_try_is_given_back_or_forgets_all(void **state)
{
    for (int i = 0; i < 10; i++) {
        assert_int_equal(limiter_take(*state, "a", 1), 0);
        limiter_give_back(*state, "a");
    }
    for (int i = 0; i < TRIES; i++)
        limiter_take(*state, "a", 1);
    limiter_forget(*state, "a");
    assert_int_equal(limiter_take(*state, "a", 1), 0);
    limiter_forget(*state, "never seen");
    limiter_give_back(*state, "never seen");
}

static void a_full_table_lets_the_oldest_go(void **state)
{
    char key[16];

    for (int i = 0; i <= ROWS; i++)
        for (int k = 0; k < TRIES; k++) {
            snprintf(key, sizeof key, "key%d", i);
            assert_int_equal(limiter_take(*state, key, 10 + i), 0);
        }
    assert_true(limiter_take(*state, "key1", 20) > 0);     /* still there */
    assert_int_equal(limiter_take(*state, "key0", 20), 0); /* made room */
}

static void a_clock_that_jumps_back_locks_nobody_out(void **state)
{
    for (int i = 0; i < TRIES; i++)
        limiter_take(*state, "a", 100000);
    assert_int_equal(limiter_take(*state, "a", 5), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(so_many_tries_pass_and_the_next_waits_for_the_window, begin, end),
        cmocka_unit_test_setup_teardown(keys_are_counted_apart, begin, end),
        cmocka_unit_test_setup_teardown(a_good_try_is_given_back_or_forgets_all, begin, end),
        cmocka_unit_test_setup_teardown(a_full_table_lets_the_oldest_go, begin, end),
        cmocka_unit_test_setup_teardown(a_clock_that_jumps_back_locks_nobody_out, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
