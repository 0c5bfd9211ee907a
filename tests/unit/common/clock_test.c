#include "common/clock.h"
#include "tests/unit/check.h"

#include <stdlib.h>
#include <time.h>

static void a_time_is_written_in_utc_with_six_digits(void **state)
{
    char out[CLOCK_TEXT];

    (void)state;
    clock_text_us(0, out);
    assert_string_equal(out, "1970-01-01T00:00:00.000000Z");
    clock_text_us(INT64_C(1795309323456789), out);
    assert_string_equal(out, "2026-11-22T01:02:03.456789Z");
    clock_text_us(-1, out);
    assert_string_equal(out, "1969-12-31T23:59:59.999999Z");
    clock_text_ms(INT64_C(1795309323456), out);
    assert_string_equal(out, "2026-11-22T01:02:03.456Z");
}

static void a_time_beyond_the_years_is_clamped(void **state)
{
    char out[CLOCK_TEXT];

    (void)state;
    clock_text_us(INT64_MAX, out);
    assert_string_equal(out, "9999-12-31T23:59:59.999999Z");
    clock_text_us(INT64_MIN, out);
    assert_string_equal(out, "0001-01-01T00:00:00.000000Z");
    clock_text_ms(INT64_MAX, out);
    assert_string_equal(out, "9999-12-31T23:59:59.999Z");
    clock_text_ms(INT64_MIN, out);
    assert_string_equal(out, "0001-01-01T00:00:00.000Z");
}

static void every_day_reads_back_as_the_c_library_has_it(void **state)
{
    (void)state;
    for (int64_t day = -719162; day < 2932896; day += 97) {
        int64_t us = day * INT64_C(86400000000) + 45296000007, back = 0;
        time_t seconds = (time_t)(day * 86400 + 45296);
        char ours[CLOCK_TEXT], theirs[CLOCK_TEXT];
        struct tm tm;

        clock_text_us(us, ours);
        assert_non_null(gmtime_r(&seconds, &tm));
        assert_true(strftime(theirs, sizeof theirs, "-%m-%dT%H:%M:%S.000007Z", &tm) > 0);
        assert_int_equal(strtol(ours, NULL, 10), tm.tm_year + 1900);
        assert_string_equal(ours + 4, theirs);
        assert_true(clock_parse_us(ours, &back));
        assert_int_equal(back, us);
    }
}

static void a_time_is_read_with_and_without_a_zone(void **state)
{
    static const struct {
        const char *text;
        int64_t us;
    } good[] = {
        {"2025-10-21T12:24:37.482505", INT64_C(1761049477482505)},
        {"2025-10-21 12:24:37.482505Z", INT64_C(1761049477482505)},
        {"2025-10-21T14:24:37.482505+02:00", INT64_C(1761049477482505)},
        {"2025-10-21T08:54:37.482505-03:30", INT64_C(1761049477482505)},
        {"2025-10-21T12:24:37Z", INT64_C(1761049477000000)},
        {"2025-10-21T12:24:37.4Z", INT64_C(1761049477400000)},
        {"2025-10-21T12:24:37.482505999Z", INT64_C(1761049477482505)},
        {"2024-02-29T00:00:00Z", INT64_C(1709164800000000)},
        {"2016-12-31T23:59:60Z", INT64_C(1483228800000000)},
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t us = 0;
        assert_true(clock_parse_us(good[i].text, &us));
        assert_int_equal(us, good[i].us);
    }
}

static void anything_else_is_refused_and_changes_nothing(void **state)
{
    static const char *const bad[] = {
        "",
        "2025",
        "2025-10-21",
        "2025-10-21T",
        "2025-10-21T12:24",
        "2025-10-21T12:24:37.",
        "2025-10-21T24:00:00Z",
        "2025-10-21T12:60:00Z",
        "2025-10-21T12:00:61Z",
        "2025-13-01T00:00:00Z",
        "2025-00-01T00:00:00Z",
        "2025-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2025-10-32T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "2025-10-21T12:24:37.1234567890Z",
        "2025-10-21T12:24:37+2:00",
        "2025-10-21T12:24:37+02:60",
        "2025-10-21T12:24:37ZZ",
        "2025-10-21T12:24:37 Z",
        " 2025-10-21T12:24:37Z",
        "-025-10-21T12:24:37Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "2025/10/21T12:24:37Z",
    };
    int64_t us = 7;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(clock_parse_us(bad[i], &us));
        assert_int_equal(us, 7);
    }
    assert_false(clock_parse_us(NULL, &us));
}

static void the_clocks_run(void **state)
{
    int64_t before = clock_monotonic_ns();

    (void)state;
    assert_true(clock_monotonic_ns() >= before);
    assert_true(clock_monotonic_ms() >= before / 1000000);
    assert_true(clock_now_us() > INT64_C(1700000000000000));
    assert_true(clock_now_ms() > INT64_C(1700000000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_time_is_written_in_utc_with_six_digits),
        cmocka_unit_test(a_time_beyond_the_years_is_clamped),
        cmocka_unit_test(every_day_reads_back_as_the_c_library_has_it),
        cmocka_unit_test(a_time_is_read_with_and_without_a_zone),
        cmocka_unit_test(anything_else_is_refused_and_changes_nothing),
        cmocka_unit_test(the_clocks_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
