/* Tests of phrases.h. */
#include "tests/unit/check.h"

#include "detector/phrases.h"

#include <string.h>

static const struct phrase list[] = {PHRASE("second best", 2), PHRASE("best", 1), PHRASE("a\0b", 3),
                                     PHRASE("xyz", 4)};

static void the_first_of_the_list_wins_wherever_it_stands(void **state)
{
    static struct phrases set;

    (void)state;
    PHRASES_ORDER(&set, list);
    assert_int_equal(phrases_find(&set, "the best and the SECOND Best", 28), 2);
    assert_int_equal(phrases_find(&set, "the best of all", 15), 1);
    assert_int_equal(phrases_find(&set, "the bes", 7), 0);
    assert_int_equal(phrases_find(&set, "xyz", 3), 4);
    assert_int_equal(phrases_find(&set, "xy", 2), 0);
    assert_int_equal(phrases_find(&set, "", 0), 0);
    assert_int_equal(phrases_find(&set, "\0a\0b", 4), 3);
    assert_int_equal(phrases_at(&set, "Best of", 7), 1);
    assert_int_equal(phrases_at(&set, "the best", 8), 0);
    assert_int_equal(phrases_at(&set, "bes", 3), 0);
    assert_int_equal(phrases_at(&set, "A\0B", 3), 3);
    assert_int_equal(phrases_at(&set, "xy", 2), 0);
}

/* '@' and '`', '[' and '{' differ in the same bit as capitals do. */
static void only_letters_are_compared_without_case(void **state)
{
    static const struct phrase signs[] = {PHRASE("@a[1", 1)};
    static struct phrases set;

    (void)state;
    PHRASES_ORDER(&set, signs);
    assert_int_equal(phrases_find(&set, "--@A[1", 6), 1);
    assert_int_equal(phrases_find(&set, "--`a[1", 6), 0);
    assert_int_equal(phrases_find(&set, "--@a{1", 6), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_of_the_list_wins_wherever_it_stands),
        cmocka_unit_test(only_letters_are_compared_without_case),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
