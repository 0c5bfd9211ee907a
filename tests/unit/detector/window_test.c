/* Tests of window.h. */
#include "tests/unit/check.h"

#include "detector/window.h"

static const int64_t second = 1000000000, span = 60 * INT64_C(1000000000), start = 1700000000 * INT64_C(1000000000);

static void different_items_are_counted_and_the_same_one_is_not(void **state)
{
    struct windows *windows = windows_create(64);
    struct window *window = NULL;

    (void)state;
    for (uint64_t i = 0; i < 100; i++)
        window_add(window = windows_at(windows, 7, start, span, true), window_mix(1, i % 10));
    assert_int_equal(window_sum(window), 100);
    assert_true(window_distinct(window) > 9 && window_distinct(window) < 12);
    windows_free(windows);
}

static void what_is_older_than_the_span_is_forgotten(void **state)
{
    struct windows *windows = windows_create(64);

    (void)state;
    window_add(windows_at(windows, 7, start, span, true), 1);
    assert_int_equal(window_sum(windows_at(windows, 7, start + 29 * second, span, false)), 1);
    assert_int_equal(window_sum(windows_at(windows, 7, start + 61 * second, span, false)), 0);
    assert_null(windows_at(windows, 8, start, span, false));
    windows_free(windows);
}

static void an_item_taken_back_does_not_count(void **state)
{
    struct windows *windows = windows_create(64);
    struct window *window = windows_at(windows, 7, start, span, true);

    (void)state;
    window_add(window, 5);
    window_add(window, 6);
    window_take(window, 5);
    assert_int_equal(window_sum(window), 1);
    assert_true(window_distinct(window) < 1.5);
    window_take(window, 6);
    window_take(window, 6); /* more than there is */
    assert_int_equal(window_sum(window), 0);
    windows_free(windows);
}

static void a_full_sketch_stays_finite(void **state)
{
    struct windows *windows = windows_create(64);
    struct window *window = windows_at(windows, 7, start, span, true);

    (void)state;
    for (uint64_t i = 0; i < 100000; i++)
        window_add(window, window_mix(2, i));
    assert_true(window_distinct(window) <= WINDOW_DISTINCT_MAX);
    windows_free(windows);
}

static void sources_seen_once_do_not_push_out_a_scan(void **state)
{
    struct windows *windows = windows_create(64);

    (void)state;
    for (uint64_t i = 0; i < 5; i++)
        window_add(windows_at(windows, 4242, start, span, true), window_mix(3, i));
    for (uint64_t i = 1; i < 100000; i++)
        window_add(windows_at(windows, window_mix(4, i) | 1, start + (int64_t)i * 1000, span, true), 1);
    assert_non_null(windows_at(windows, 4242, start + second, span, false));
    assert_true(windows_evicted(windows) > 0);
    windows_free(windows);
}

static void a_clock_that_jumps_back_begins_anew(void **state)
{
    struct windows *windows = windows_create(64);

    (void)state;
    window_add(windows_at(windows, 7, start, span, true), 1);
    assert_int_equal(window_sum(windows_at(windows, 7, start - 100000 * second, span, false)), 0);
    windows_free(windows);
}

static void a_row_goes_on_by_the_span_of_each_window(void **state)
{
    static const int64_t spans[] = {600 * INT64_C(1000000000), 10 * INT64_C(1000000000)};
    struct windows *windows = windows_create_rows(64, 2);
    struct window *row = windows_row(windows, 7, start, spans, true), seen;

    (void)state;
    window_add(&row[0], 1);
    window_add(&row[1], 1);
    row = windows_row(windows, 7, start + 20 * second, spans, false);
    assert_int_equal(window_sum(&row[0]), 1);
    assert_int_equal(window_sum(&row[1]), 0);
    window_view(&windows_find(windows, 7)[0], start + 3000 * second, spans[0], &seen);
    assert_int_equal(window_sum(&seen), 0);
    assert_int_equal(window_sum(&windows_find(windows, 7)[0]), 1); /* looking changed nothing */
    assert_null(windows_find(windows, 8));
    windows_free(windows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_goes_on_by_the_span_of_each_window),
        cmocka_unit_test(different_items_are_counted_and_the_same_one_is_not),
        cmocka_unit_test(what_is_older_than_the_span_is_forgotten),
        cmocka_unit_test(an_item_taken_back_does_not_count),
        cmocka_unit_test(a_full_sketch_stays_finite),
        cmocka_unit_test(sources_seen_once_do_not_push_out_a_scan),
        cmocka_unit_test(a_clock_that_jumps_back_begins_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
