/* The SQLite store: the conformance tests on a file, and what only a file has. */
#include "tests/unit/backend/store_conformance.h"

#include <unistd.h>

static char directory[] = "/tmp/threatline-store-XXXXXX";
static char path[64];

static struct store *open_file(void)
{
    struct err err = {0};
    struct store *store = store_open_sqlite(path, &err);

    if (store == NULL)
        print_error("%s\n", err.text);
    return store;
}

static void remove_file(void)
{
    char beside[80];

    unlink(path);
    snprintf(beside, sizeof beside, "%s-wal", path);
    unlink(beside);
    snprintf(beside, sizeof beside, "%s-shm", path);
    unlink(beside);
}

static struct store *conformance_open(void)
{
    remove_file();
    return open_file();
}

static struct store *conformance_reopen(struct store *store)
{
    store_close(store);
    return open_file();
}

static void conformance_drop(struct store *store)
{
    store_close(store);
    remove_file();
}

int main(void)
{
    const struct CMUnitTest tests[] = {CONFORMANCE_TESTS};
    int failed;

    if (mkdtemp(directory) == NULL)
        return 1;
    snprintf(path, sizeof path, "%s/store.db", directory);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(directory);
    return failed;
}
