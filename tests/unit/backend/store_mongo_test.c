/* The MongoDB store: the conformance tests on the server of MONGODB_URI, each in a database of its own. */
#include "tests/unit/backend/store_conformance.h"

#include <mongoc/mongoc.h>
#include <unistd.h>

static char server[512];  /* up to the host's end */
static char options[256]; /* "" or "?name=value..." */
static char uri[896];
static char database[64];
static int opened;

static struct store *open_database(void)
{
    struct err err = {0};
    struct store *store = store_open_mongo(uri, &err);

    if (store == NULL)
        print_error("%s\n", err.text);
    return store;
}

static struct store *conformance_open(void)
{
    snprintf(database, sizeof database, "threatline_test_%ld_%d", (long)getpid(), opened++);
    snprintf(uri, sizeof uri, "%s/%s%s", server, database, options);
    return open_database();
}

static struct store *conformance_reopen(struct store *store)
{
    store_close(store);
    return open_database();
}

static void conformance_drop(struct store *store)
{
    mongoc_client_t *client = mongoc_client_new(uri);
    mongoc_database_t *db = mongoc_client_get_database(client, database);

    store_close(store);
    mongoc_database_drop(db, NULL);
    mongoc_database_destroy(db);
    mongoc_client_destroy(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {CONFORMANCE_TESTS};
    const char *given = getenv("MONGODB_URI");

    if (given == NULL || given[0] == '\0') {
        if (getenv("CI") != NULL) {
            fprintf(stderr, "MONGODB_URI is not set: the MongoDB store cannot be tested\n");
            return 1;
        }
        fprintf(stderr, "skipped: MONGODB_URI is not set (mongodb://host:port)\n");
        return 0;
    }
    snprintf(options, sizeof options, "%s", strchr(given, '?') != NULL ? strchr(given, '?') : "");
    snprintf(server, sizeof server, "%.*s", (int)strcspn(given, "?"), given);
    if (strstr(server, "://") != NULL && strchr(strstr(server, "://") + 3, '/') != NULL)
        *strchr(strstr(server, "://") + 3, '/') = '\0';
    mongoc_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
