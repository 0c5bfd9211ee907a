#include "common/folder.h"
#include "tests/unit/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char base[] = "/tmp/folder_test_XXXXXX", path[200];

static const char *below(const char *rest)
{
    snprintf(path, sizeof path, "%s/%s", base, rest);
    return path;
}

static void a_folder_is_made_with_all_above_it(void **state)
{
    struct err err = {0};
    struct stat info;

    (void)state;
    assert_true(folder_fits(below("a/b/c"), &err));
    assert_int_not_equal(stat(below("a"), &info), 0); /* a look makes nothing */
    assert_true(folder_make(below("a/b/c"), &err));
    assert_int_equal(stat(below("a/b/c"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    assert_true(folder_make(below("a/b/c"), &err));
    assert_true(folder_make(below("d/"), &err));
    assert_true(folder_fits(below("a/b/c"), &err));
    assert_int_equal(err.code, ERR_NONE);
}

static void what_is_no_folder_or_cannot_be_one_is_named(void **state)
{
    struct err err = {0};
    FILE *file = fopen(below("file"), "w");

    (void)state;
    assert_non_null(file);
    fclose(file);
    assert_false(folder_make(below("file"), &err));
    assert_string_equal(strrchr(err.text, '/'), "/file: is no folder");
    assert_false(folder_fits(below("file"), &err));
    assert_false(folder_make(below("file/inner"), &err));
    assert_false(folder_fits(below("file/inner"), &err));
    assert_false(folder_make("/proc/none/inner", &err));
    assert_non_null(strstr(err.text, "/proc/none: cannot be made"));
    assert_false(folder_make("", &err));
    assert_false(folder_fits("", &err));
}

static void a_folder_without_rights_is_refused(void **state)
{
    struct err err = {0};

    (void)state;
    if (geteuid() == 0 && (setegid(65534) != 0 || setreuid(65534, 0) != 0)) /* access() asks the real user */
        fail_msg("cannot become a user without rights");
    assert_false(folder_fits("/usr", &err));
    assert_string_equal(err.text, "/usr: cannot be written: Permission denied");
    assert_false(folder_fits("/usr/threatline-test", &err));
    assert_false(folder_make("/usr", &err));
    if (geteuid() == 0 && (setreuid(0, 0) != 0 || setegid(0) != 0))
        fail_msg("cannot become root again");
}

static void what_is_not_here_is_looked_for_beside_the_program(void **state)
{
    char out[FOLDER_PATH];

    (void)state;
    assert_string_equal(folder_beside("/tmp", out), "/tmp");
    assert_string_equal(folder_beside("no-such-folder", out), "no-such-folder"); /* nor beside this test */
}

static int begin(void **state)
{
    (void)state;
    return mkdtemp(base) == NULL ? -1 : 0;
}

static int end(void **state)
{
    static const char *const made[] = {"a/b/c", "a/b", "a", "d"};

    (void)state;
    unlink(below("file"));
    for (size_t i = 0; i < sizeof made / sizeof *made; i++)
        rmdir(below(made[i]));
    return rmdir(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_is_made_with_all_above_it),
        cmocka_unit_test(what_is_no_folder_or_cannot_be_one_is_named),
        cmocka_unit_test(a_folder_without_rights_is_refused),
        cmocka_unit_test(what_is_not_here_is_looked_for_beside_the_program),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
