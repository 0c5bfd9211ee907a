/* stopwatch_test.c: timing some calls tells what all of them took. */
#include "detector/stopwatch.h"

#include "tests/unit/check.h"

enum { CALLS = 1000000 };

/* As if each call had taken 1 ms: far more than a look at the clock does. */
static void what_some_calls_took_tells_of_all(void **state)
{
    struct stopwatch watch = {0};
    unsigned timed = 0;

    (void)state;
    for (int i = 0; i < CALLS; i++)
        if (stopwatch_is_due(&watch)) {
            stopwatch_add(&watch, 1000000);
            timed++;
        }
    assert_in_range(timed, CALLS / STOPWATCH_MEAN * 9 / 10, CALLS / STOPWATCH_MEAN * 11 / 10);
    assert_true((uint64_t)watch.sum <= timed * UINT64_C(1000000));
    assert_true(stopwatch_ns(&watch) >= timed * UINT64_C(500000) * STOPWATCH_MEAN); /* a look at the clock is off */
}

static void a_call_quicker_than_the_clock_takes_nothing(void **state)
{
    struct stopwatch watch = {0};

    (void)state;
    stopwatch_add(&watch, 0);
    assert_int_equal(stopwatch_ns(&watch), 0);
}

/* Work that comes every second call is timed as often as the rest. */
static void a_rhythm_in_the_work_is_not_always_met(void **state)
{
    struct stopwatch watch = {0};
    unsigned even = 0, odd = 0;

    (void)state;
    for (int i = 0; i < CALLS; i++)
        if (stopwatch_is_due(&watch)) {
            if (i % 2 == 0)
                even++;
            else
                odd++;
        }
    assert_in_range(even * 100 / (even + odd), 45, 55);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_some_calls_took_tells_of_all),
        cmocka_unit_test(a_call_quicker_than_the_clock_takes_nothing),
        cmocka_unit_test(a_rhythm_in_the_work_is_not_always_met),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
