#include "common/err.h"
#include "tests/unit/check.h"

#include <string.h>

static void a_failure_carries_its_code_and_text(void **state)
{
    struct err err = {0};

    (void)state;
    assert_false(err_set(&err, ERR_INVALID, "port: got %d", 70000));
    assert_int_equal(err.code, ERR_INVALID);
    assert_string_equal(err.text, "port: got 70000");
}

static void a_caller_puts_its_name_in_front(void **state)
{
    struct err err = {0};

    (void)state;
    err_set(&err, ERR_SYSTEM, "disk full");
    assert_false(err_prefix(&err, "spool %d", 1));
    assert_string_equal(err.text, "spool 1: disk full");
    assert_int_equal(err.code, ERR_SYSTEM);
}

static void a_long_text_is_cut_and_still_ends(void **state)
{
    struct err err = {0};
    char line[1000];

    (void)state;
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    err_set(&err, ERR_INVALID, "%s", line);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    err_prefix(&err, "%s", line);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    assert_memory_equal(err.text, "xxx", 3);
}

static void nobody_has_to_listen(void **state)
{
    (void)state;
    assert_false(err_set(NULL, ERR_INVALID, "x"));
    assert_false(err_prefix(NULL, "x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_carries_its_code_and_text),
        cmocka_unit_test(a_caller_puts_its_name_in_front),
        cmocka_unit_test(a_long_text_is_cut_and_still_ends),
        cmocka_unit_test(nobody_has_to_listen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
