/* The MongoDB store: the conformance tests on the server of SERVER_VARIABLE, each in a database of its own. */
#include "backend/store_mongo.h"
#include "common/token.h"
#include "tests/unit/backend/store_conformance.h"

#include <mongoc/mongoc.h>
#include <time.h>
#include <unistd.h>

#ifndef SERVER_VARIABLE
#define SERVER_VARIABLE "MONGODB_URI"
#endif

#ifdef __SANITIZE_THREAD__
/* The driver is not built for it: its own locks are not seen, so what happens inside of it is left out. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:libbson-1.0.so.0\ncalled_from_lib:libmongoc-1.0.so.0\n";
}
#endif

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

#include "tests/unit/backend/store_mongo_cuts.h"

/* --- two backends on one database --- */

enum { EACH = 60 };

struct heard {
    pthread_mutex_t lock;
    size_t count, disorder;
    int64_t last;
    enum store_event events[4 * EACH];
};

static void hear(void *context, int64_t seq, enum store_event event, const char *json)
{
    struct heard *heard = context;

    (void)json;
    pthread_mutex_lock(&heard->lock);
    heard->disorder += seq <= heard->last;
    heard->last = seq;
    if (heard->count < sizeof heard->events / sizeof *heard->events)
        heard->events[heard->count] = event;
    heard->count++;
    pthread_mutex_unlock(&heard->lock);
}

static size_t heard_so_far(struct heard *heard)
{
    size_t count;

    pthread_mutex_lock(&heard->lock);
    count = heard->count;
    pthread_mutex_unlock(&heard->lock);
    return count;
}

static void wait_for(struct heard *heard, size_t count)
{
    const struct timespec a_while = {.tv_nsec = 20000000};
    int64_t until = clock_monotonic_ms() + 20000;

    while (heard_so_far(heard) < count && clock_monotonic_ms() < until)
        nanosleep(&a_while, NULL);
}

struct backend {
    pthread_t thread;
    struct store *store;
    char name;
};

/* A writer that loses race after race is told so, and a sender comes again. */
static bool insert_as_a_sender_does(struct store *store, struct store_item *item, struct err *err)
{
    int64_t until = clock_monotonic_ms() + 60000;
    bool ok;

    do {
        *err = (struct err){0};
        ok = store_insert(store, item, 1, err);
    } while (!ok && err->code == ERR_UNAVAILABLE && clock_monotonic_ms() < until);
    return ok && item->result == STORE_STORED;
}

static void *ingest(void *context)
{
    struct backend *b = context;

    for (int i = 0; i < EACH; i++) {
        char id[16];
        struct threat t;
        struct store_item item;
        struct err err = {0};

        snprintf(id, sizeof id, "%c%04d", b->name, i);
        t = make_threat(id);
        item = item_of(&t);
        if (!insert_as_a_sender_does(b->store, &item, &err)) {
            fprintf(stderr, "%s\n", err.text);
            return NULL;
        }
        free(item.json);
    }
    return b;
}

static void every_backend_hears_of_everything_in_order(void **state)
{
    struct heard heard[2] = {{.lock = PTHREAD_MUTEX_INITIALIZER}, {.lock = PTHREAD_MUTEX_INITIALIZER}};
    struct backend backends[2] = {{.store = *state, .name = 'a'}, {.store = open_database(), .name = 'b'}};
    struct store_change change = {.status = "closed", .actor = "ana", .version = -1};
    char *json = NULL;
    void *ok = NULL;
    int64_t seq = 0;

    assert_non_null(backends[1].store);
    if (!store_shared(*state)) {
        store_close(backends[1].store);
        skip();
    }
    put_many(*state, 2); /* one of them before the place that is asked for */
    for (int i = 0; i < 2; i++)
        assert_true(store_follow(backends[i].store, 1, hear, &heard[i], NULL));
    for (int i = 0; i < 2; i++)
        pthread_create(&backends[i].thread, NULL, ingest, &backends[i]);
    for (int i = 0; i < 2; i++) {
        pthread_join(backends[i].thread, &ok);
        assert_non_null(ok);
    }
    assert_true(store_triage(backends[1].store, "a0000", &change, &seq, &json, NULL));
    free(json);
    assert_int_equal(seq, 2 + 2 * EACH + 1);
    assert_true(store_add_monitoring(*state, "{\"type\":\"network_monitoring_started\"}", &seq, NULL));
    for (int i = 0; i < 2; i++) {
        wait_for(&heard[i], 2 * EACH + 3);
        assert_int_equal(heard_so_far(&heard[i]), 2 * EACH + 3);
        assert_int_equal(heard[i].disorder, 0);
        assert_int_equal(heard[i].last, seq);
        assert_int_equal(heard[i].events[2 * EACH + 1], EVENT_THREAT_UPDATED);
        assert_int_equal(heard[i].events[2 * EACH + 2], EVENT_MONITORING);
    }
    store_close(backends[1].store);
}

static void a_standalone_server_is_for_one_backend(void **state)
{
    bool standalone = strcmp(SERVER_VARIABLE, "MONGODB_STANDALONE_URI") == 0;

    assert_true(store_shared(*state) == !standalone);
}

static void a_server_that_is_not_there_is_told_in_seconds(void **state)
{
    int64_t began = clock_monotonic_ms();
    struct err err = {0};

    (void)state;
    assert_null(store_open_mongo("mongodb://127.0.0.1:1/threatline_test", &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_true(clock_monotonic_ms() - began < 15000);
    assert_null(store_open_mongo("http://localhost", &err));
    assert_int_equal(err.code, ERR_INVALID);
}

/* --- every query has its index --- */

static bool has_stage(const bson_iter_t *at, const char *stage)
{
    bson_iter_t child;

    if (BSON_ITER_HOLDS_UTF8(at) && strcmp(bson_iter_key(at), "stage") == 0)
        return strcmp(bson_iter_utf8(at, NULL), stage) == 0;
    if ((!BSON_ITER_HOLDS_DOCUMENT(at) && !BSON_ITER_HOLDS_ARRAY(at)) || !bson_iter_recurse(at, &child))
        return false;
    while (bson_iter_next(&child))
        if (has_stage(&child, stage))
            return true;
    return false;
}

static void plan_is_indexed(mongoc_client_t *client, const char *query)
{
    struct search *search = search_parse(query, NULL, NULL);
    bson_t command = BSON_INITIALIZER, find, filter, reply;
    bson_iter_t at;

    BSON_APPEND_DOCUMENT_BEGIN(&command, "explain", &find);
    BSON_APPEND_UTF8(&find, "find", "securitylogs");
    BSON_APPEND_DOCUMENT_BEGIN(&find, "filter", &filter);
    assert_true(mongo_filter(&filter, search));
    bson_append_document_end(&find, &filter);
    bson_append_document_end(&command, &find);
    BSON_APPEND_UTF8(&command, "verbosity", "queryPlanner");
    assert_true(mongoc_client_command_simple(client, database, &command, NULL, &reply, NULL));
    assert_true(bson_iter_init_find(&at, &reply, "queryPlanner"));
    assert_true(bson_iter_recurse(&at, &at) && bson_iter_find(&at, "winningPlan"));
    if (has_stage(&at, "COLLSCAN") || !has_stage(&at, "IXSCAN")) {
        char *text = bson_as_relaxed_extended_json(&reply, NULL);

        fail_msg("%s: reads everything: %s", query, text);
    }
    bson_destroy(&reply);
    bson_destroy(&command);
    search_free(search);
}

static void every_field_has_an_index(void **state)
{
    static const char *const queries[] = {"type:port_scan",
                                          "severity:high",
                                          "status:closed",
                                          "verdict:true_positive",
                                          "assignee:ana",
                                          "source:10.0.0.0/8",
                                          "destination:10.0.0.1",
                                          "source_port:22",
                                          "destination_port:1-100",
                                          "protocol:tcp",
                                          "sensor:edge",
                                          "confidence:>0.9",
                                          "id:x1",
                                          "time:2026-11-23",
                                          "is:simulated",
                                          "is:commented",
                                          "is:suppressed",
                                          "job:j1",
                                          "\"word\""};
    mongoc_client_t *client = mongoc_client_new(uri);

    put_variety(*state);
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++)
        plan_is_indexed(client, queries[i]);
    mongoc_client_destroy(client);
}

static bool index_is_there(mongoc_collection_t *logs, const char *name)
{
    mongoc_cursor_t *cursor = mongoc_collection_find_indexes_with_opts(logs, NULL);
    const bson_t *index;
    bson_iter_t at;
    bool found = false;

    while (mongoc_cursor_next(cursor, &index))
        found = found || (bson_iter_init_find(&at, index, "name") && strcmp(bson_iter_utf8(&at, NULL), name) == 0);
    mongoc_cursor_destroy(cursor);
    return found;
}

static void indexes_of_earlier_versions_are_replaced(void **state)
{
    mongoc_client_t *client = mongoc_client_new(uri);
    mongoc_collection_t *logs = mongoc_client_get_collection(client, database, "securitylogs");
    bson_t *old = BCON_NEW("createIndexes", "securitylogs", "indexes", "[", "{", "key", "{", "index.job",
                           BCON_INT32(1), "seq", BCON_INT32(-1), "}", "name", "job", "}", "]");

    assert_true(mongoc_collection_drop_index(logs, "of_job", NULL));
    assert_true(mongoc_client_command_simple(client, database, old, NULL, NULL, NULL));
    *state = conformance_reopen(*state);
    assert_non_null(*state);
    assert_true(index_is_there(logs, "of_job"));
    assert_false(index_is_there(logs, "job"));
    bson_destroy(old);
    mongoc_collection_destroy(logs);
    mongoc_client_destroy(client);
}

static void documents_are_as_the_guide_has_them(void **state)
{
    mongoc_client_t *client = mongoc_client_new(uri);
    mongoc_collection_t *logs = mongoc_client_get_collection(client, database, "securitylogs");
    bson_t *all = bson_new();
    mongoc_cursor_t *cursor;
    const bson_t *document;
    bson_iter_t top, at;

    put_many(*state, 1);
    cursor = mongoc_collection_find_with_opts(logs, all, NULL, NULL);
    assert_true(mongoc_cursor_next(cursor, &document));
    assert_true(bson_iter_init_find(&at, document, "userId") && BSON_ITER_HOLDS_NULL(&at));
    assert_true(bson_iter_init_find(&at, document, "action"));
    assert_string_equal(bson_iter_utf8(&at, NULL), "network_threat_detected");
    assert_true(bson_iter_init_find(&at, document, "status"));
    assert_string_equal(bson_iter_utf8(&at, NULL), "detected");
    assert_true(bson_iter_init_find(&at, document, "timestamp") && BSON_ITER_HOLDS_DATE_TIME(&at));
    assert_true(bson_iter_init_find(&at, document, "receivedAt") && BSON_ITER_HOLDS_DATE_TIME(&at));
    assert_true(bson_iter_init(&top, document) && bson_iter_find_descendant(&top, "details.username", &at));
    assert_string_equal(bson_iter_utf8(&at, NULL), "system");
    assert_true(bson_iter_init(&top, document) &&
                bson_iter_find_descendant(&top, "details.threatData.threat_id", &at));
    assert_string_equal(bson_iter_utf8(&at, NULL), "t00000");
    /* The time inside the record is the sender's text, whatever it looks like. */
    assert_true(bson_iter_init(&top, document) &&
                bson_iter_find_descendant(&top, "details.threatData.timestamp", &at));
    assert_true(BSON_ITER_HOLDS_UTF8(&at));
    mongoc_cursor_destroy(cursor);
    bson_destroy(all);
    mongoc_collection_destroy(logs);
    mongoc_client_destroy(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONFORMANCE_TESTS,
        STORE_TEST(every_backend_hears_of_everything_in_order),
        STORE_TEST(a_lost_race_is_tried_again),
        STORE_TEST(a_slow_server_learns_that_one_is_known),
        STORE_TEST(the_uri_says_how_long_an_answer_may_take),
        STORE_TEST(what_a_dead_backend_left_open_stops_nobody),
        STORE_TEST(a_change_that_is_cut_short_leaves_nothing_behind),
        STORE_TEST(counts_that_were_taken_in_by_half_are_taken_out),
        STORE_TEST(a_standalone_server_is_for_one_backend),
        cmocka_unit_test(a_server_that_is_not_there_is_told_in_seconds),
        STORE_TEST(every_field_has_an_index),
        STORE_TEST(indexes_of_earlier_versions_are_replaced),
        STORE_TEST(documents_are_as_the_guide_has_them),
    };
    const char *given = getenv(SERVER_VARIABLE);

    if (given == NULL || given[0] == '\0') {
        if (getenv("CI") != NULL) {
            fprintf(stderr, SERVER_VARIABLE " is not set: the MongoDB store cannot be tested\n");
            return 1;
        }
        fprintf(stderr, "skipped: " SERVER_VARIABLE " is not set (mongodb://host:port)\n");
        return 0;
    }
    /* The machine may be busy with other tests. */
    snprintf(options, sizeof options, "%s%ssocketTimeoutMS=30000",
             strchr(given, '?') != NULL ? strchr(given, '?') : "", strchr(given, '?') != NULL ? "&" : "?");
    snprintf(server, sizeof server, "%.*s", (int)strcspn(given, "?"), given);
    if (strstr(server, "://") != NULL && strchr(strstr(server, "://") + 3, '/') != NULL)
        *strchr(strstr(server, "://") + 3, '/') = '\0';
    if (!token_setup())
        return 1;
    mongoc_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
