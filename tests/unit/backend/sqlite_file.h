/* sqlite_file.h: the file of a test's SQLite store, in a directory that is gone when the tests have run. */
#ifndef TESTS_UNIT_BACKEND_SQLITE_FILE_H
#define TESTS_UNIT_BACKEND_SQLITE_FILE_H

#include "tests/unit/check.h"

#include "backend/store_sqlite.h"
#include "common/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char directory[] = "/tmp/threatline-store-XXXXXX";
static char path[64]; /* of the store */

static inline int open_store_file(void **state)
{
    struct err err = {0};

    *state = store_open_sqlite(path, &err);
    if (*state == NULL)
        print_error("%s\n", err.text);
    return *state == NULL;
}

static inline int drop_store_file(void **state)
{
    store_close(*state);
    return unlink(path);
}

static inline bool make_directory(void)
{
    if (!token_setup() || mkdtemp(directory) == NULL)
        return false;
    snprintf(path, sizeof path, "%s/store.db", directory);
    return true;
}

static inline int remove_directory(int failed)
{
    rmdir(directory);
    return failed;
}

/* For main; tests: an array of struct CMUnitTest. */
#define RUN_WITH_A_FILE(tests) (make_directory() ? remove_directory(cmocka_run_group_tests(tests, NULL, NULL)) : 1)

#endif
