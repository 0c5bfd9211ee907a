/* store_bench.c: what the committer and a store reach, next to a bare loop on the same file system.
 *
 *   store_bench DIRECTORY [SECONDS] [STORED]
 *
 *   store_bench mongodb
 *
 * Prints one "name value unit" a line. STORED threats are there before the figures are taken (0: an empty store).
 * Bodies are about 500 bytes. The second form takes the server of MONGODB_URI, next to bare insert_many loops on it;
 * the database is of its own and dropped at the end. */
#include "backend/committer.h"
#include "backend/store.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/token.h"

#include <mongoc/mongoc.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 64, ARRAY = 1000, LATENCIES = 1 << 20, READS = 200 };

static int64_t *latencies;
static atomic_size_t latency_count;
static atomic_llong next_id;
static int64_t stop_ms;

static void make_threat(struct threat *t, int64_t n)
{
    static const char *const types[] = {"port_scan", "brute_force", "web_attack", "ddos", "beacon", "anomaly"};
    uint32_t mix = (uint32_t)n * 2654435761u;

    memset(t, 0, sizeof *t);
    snprintf(t->id, sizeof t->id, "threat_%012llX%04X", (long long)n, mix >> 16);
    t->revision = 1;
    snprintf(t->type, sizeof t->type, "%s", types[mix % 6]);
    t->confidence = 0.3 + (mix % 700) / 1000.0;
    t->severity = severity_of_confidence(t->confidence);
    snprintf(t->source_ip, sizeof t->source_ip, "10.%u.%u.%u", mix >> 30, (mix >> 8) % 16, mix % 250);
    snprintf(t->destination_ip, sizeof t->destination_ip, "192.168.%u.%u", (mix >> 12) % 4, (mix >> 16) % 250);
    t->source_port = 1024 + (int32_t)(mix % 60000);
    t->destination_port = (int32_t[]){22, 80, 443, 53, 8080, 3389}[(mix >> 4) % 6];
    snprintf(t->protocol, sizeof t->protocol, "TCP");
    snprintf(t->sensor, sizeof t->sensor, "edge-%u", mix % 3);
    t->timestamp_us = clock_now_us();
    t->details = malloc(320);
    snprintf(t->details, 320,
             "{\"rf_prediction\":1,\"rf_confidence\":%.3f,\"iso_prediction\":-1,\"iso_score\":-0.05,\"flow_"
             "duration\":3.13,"
             "\"packet_count\":%u,\"byte_count\":%u,\"flow_count\":1,\"source\":\"live\",\"model\":\"forest-1\","
             "\"extractor\":\"1\",\"note\":\"several services were tried from one address\"}",
             t->confidence, mix % 1000, mix % 100000);
}

static struct store_item item_of(const struct threat *threat)
{
    return (struct store_item){.threat = threat,
                               .address = "127.0.0.1",
                               .user_agent = "bench/1",
                               .source = "bench",
                               .received_ms = clock_now_ms()};
}

static void *submit_singles(void *context)
{
    while (clock_monotonic_ms() < stop_ms) {
        struct threat t;
        struct store_item item;
        int64_t began;
        size_t at;

        make_threat(&t, next_id++);
        item = item_of(&t);
        began = clock_monotonic_ns();
        if (!committer_submit(context, &item, 1, NULL) || item.result != STORE_STORED)
            abort();
        at = latency_count++;
        if (at < LATENCIES)
            latencies[at] = clock_monotonic_ns() - began;
        free(item.json);
        threat_clear(&t);
    }
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

static void print_latencies(const char *name, double seconds)
{
    size_t n = latency_count < LATENCIES ? latency_count : LATENCIES;

    qsort(latencies, n, sizeof *latencies, by_value);
    printf("%s_per_s %.0f 1/s\n%s_p50 %.2f ms\n%s_p99 %.2f ms\n%s_max %.2f ms\n", name,
           (double)latency_count / seconds, name, (double)latencies[n / 2] / 1e6, name,
           (double)latencies[n * 99 / 100] / 1e6, name, (double)latencies[n - 1] / 1e6);
}

static void run_singles(struct store *store, const char *name, size_t threads, int seconds)
{
    struct committer *committer = committer_start(store, NULL, NULL);
    struct committer_figures figures;
    pthread_t thread[THREADS];

    latency_count = 0;
    stop_ms = clock_monotonic_ms() + 1000 * seconds;
    for (size_t i = 0; i < threads; i++)
        pthread_create(&thread[i], NULL, submit_singles, committer);
    for (size_t i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    committer_read(committer, &figures);
    print_latencies(name, seconds);
    printf("%s_batch %.1f items\n", name, (double)figures.items / (double)figures.batches);
    committer_stop(committer);
}

/* Time on a core, of this thread or of all: tells what the work costs on a machine that others use too. */
static double cpu_seconds(clockid_t whose)
{
    struct timespec t;

    clock_gettime(whose, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Threats a second; 0: the store does not take arrays of that size in time. */
static double insert_arrays(struct store *store, const char *name, int64_t count, int array)
{
    bool ok = true;
    double cpu = -cpu_seconds(CLOCK_PROCESS_CPUTIME_ID); /* the store has a thread of its own, too */
    struct threat *threats = calloc((size_t)array, sizeof *threats);
    struct store_item *items = calloc((size_t)array, sizeof *items);
    int64_t took = 0;

    for (int64_t done = 0; ok && done < count; done += array) {
        struct err err = {0};
        int64_t began;

        cpu += cpu_seconds(CLOCK_THREAD_CPUTIME_ID); /* what making them takes is not the store's */
        for (int i = 0; i < array; i++) {
            make_threat(&threats[i], next_id++);
            items[i] = item_of(&threats[i]);
        }
        cpu -= cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
        began = clock_monotonic_ns();
        for (int tries = 1; ok && !store_insert(store, items, (size_t)array, &err); tries++) {
            fprintf(stderr, "%s\n", err.text);
            ok = tries < 5; /* a server may take its time */
        }
        took += clock_monotonic_ns() - began;
        for (int i = 0; i < array; i++) {
            free(items[i].json);
            threat_clear(&threats[i]);
        }
    }
    cpu += cpu_seconds(CLOCK_PROCESS_CPUTIME_ID);
    free(threats);
    free(items);
    if (!ok)
        return 0;
    printf("%s_cpu %.1f us/item\n", name, cpu / (double)count * 1e6);
    return (double)count / ((double)took / 1e9);
}

/* --- a bare loop: a copy of the file, the same rows under new numbers, batches of the same size --- */

enum { COLUMNS = 24, SHIFT = 1000000000 };

/* The rows of a table as values in memory: the loop itself reads nothing. */
struct rows {
    sqlite3_value *(*cells)[COLUMNS];
    size_t count;
    int columns;
    const char *insert;
};

static void load_rows(sqlite3 *db, const char *select, const char *insert, int64_t first, struct rows *rows)
{
    sqlite3_stmt *get;
    size_t room = 0;

    *rows = (struct rows){.insert = insert};
    if (sqlite3_prepare_v2(db, select, -1, &get, NULL) != SQLITE_OK) {
        fprintf(stderr, "%s\n", sqlite3_errmsg(db));
        abort();
    }
    sqlite3_bind_int64(get, 1, first);
    sqlite3_bind_int64(get, 2, SHIFT);
    rows->columns = sqlite3_column_count(get);
    while (sqlite3_step(get) == SQLITE_ROW) {
        if (rows->count == room) {
            room = room * 2 + 1024;
            rows->cells = realloc(rows->cells, room * sizeof *rows->cells);
        }
        for (int c = 0; c < rows->columns; c++)
            rows->cells[rows->count][c] = sqlite3_value_dup(sqlite3_column_value(get, c));
        rows->count++;
    }
    sqlite3_finalize(get);
}

static void free_rows(struct rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        for (int c = 0; c < rows->columns; c++)
            sqlite3_value_free(rows->cells[i][c]);
    free(rows->cells);
}

static void write_rows(sqlite3 *db, sqlite3_stmt *add, const struct rows *rows, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        for (int c = 0; c < rows->columns; c++)
            sqlite3_bind_value(add, c + 1, rows->cells[i][c]);
        if (sqlite3_step(add) != SQLITE_DONE) {
            fprintf(stderr, "bare loop: %s\n", sqlite3_errmsg(db));
            abort();
        }
        sqlite3_reset(add);
    }
}

/* Writes the newest rows once more as they are: what the schema itself costs on a file that holds as many. */
static double bare_loop(struct store *store, const char *path, int64_t count)
{
    static const char *const selects[] = {
        "SELECT seq + ?2, event_seq + ?2, threat_id || 'b', revision, digest, type, severity, status, verdict, "
        "assignee, source, destination, source_port, destination_port, protocol, sensor, confidence, timestamp_us, "
        "received_ms, suppressed_by, simulated, commented, job, version FROM threat WHERE seq > ?1",
        "SELECT seq + ?2, json, history, address, user_agent FROM body WHERE seq > ?1",
        "SELECT word, first + ?2, seqs FROM posting WHERE first > ?1 ORDER BY first"};
    static const char *const inserts[] = {
        "INSERT INTO threat VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "INSERT INTO body VALUES (?, ?, ?, ?, ?)", "INSERT INTO posting VALUES (?, ?, ?)"};
    struct rows rows[3];
    sqlite3_stmt *add[3];
    struct err err = {0};
    int64_t took = 0, last = 0;
    sqlite3 *db;
    double cpu;

    if (!store_backup(store, path, &err) || !store_last_seq(store, &last, &err) ||
        sqlite3_open(path, &db) != SQLITE_OK) {
        fprintf(stderr, "bare loop: %s\n", err.text);
        abort();
    }
    sqlite3_exec(db,
                 "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536; "
                 "PRAGMA wal_autocheckpoint = 4000",
                 NULL, NULL, NULL);
    for (int t = 0; t < 3; t++) {
        load_rows(db, selects[t], inserts[t], last - count, &rows[t]);
        sqlite3_prepare_v2(db, inserts[t], -1, &add[t], NULL);
    }
    cpu = -cpu_seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (int64_t done = 0; done < count; done += ARRAY) {
        int64_t began = clock_monotonic_ns();

        sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
        for (int t = 0; t < 3; t++)
            write_rows(db, add[t], &rows[t], rows[t].count * (size_t)done / (size_t)count,
                       rows[t].count * (size_t)(done + ARRAY) / (size_t)count);
        sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
        took += clock_monotonic_ns() - began;
    }
    printf("bare_cpu %.1f us/item\n", (cpu + cpu_seconds(CLOCK_PROCESS_CPUTIME_ID)) / (double)count * 1e6);
    for (int t = 0; t < 3; t++) {
        sqlite3_finalize(add[t]);
        free_rows(&rows[t]);
    }
    sqlite3_close(db);
    return (double)count / ((double)took / 1e9);
}

/* --- reading --- */

static bool count_row(void *context, int64_t seq, const char *json)
{
    (void)seq;
    *(size_t *)context += strlen(json);
    return true;
}

static void print_reads(const char *kind, const char *name, int64_t took[READS])
{
    qsort(took, READS, sizeof *took, by_value);
    printf("%s_%s_p50 %.2f ms\n%s_%s_p99 %.2f ms\n", kind, name, (double)took[READS / 2] / 1e6, kind, name,
           (double)took[READS * 99 / 100] / 1e6);
}

static void time_query(struct store *store, const char *name, const char *query)
{
    struct search *search = search_parse(query, NULL, NULL);
    int64_t took[READS];
    size_t bytes = 0;

    for (int i = 0; i < READS; i++) {
        int64_t began = clock_monotonic_ns(), total;

        if (!store_find(store, &(struct store_query){.search = search, .limit = 50}, count_row, &bytes, &total, NULL))
            abort();
        took[i] = clock_monotonic_ns() - began;
    }
    print_reads("query", name, took);
    search_free(search);
}

static void time_statistics(struct store *store, const char *name, const struct store_span *span)
{
    int64_t took[READS];

    for (int i = 0; i < READS; i++) {
        int64_t began = clock_monotonic_ns();
        char *json = NULL;

        if (!store_statistics(store, span, &json, NULL))
            abort();
        took[i] = clock_monotonic_ns() - began;
        free(json);
    }
    print_reads("statistics", name, took);
}

static void time_reads(struct store *store)
{
    int64_t now = clock_now_us();

    time_query(store, "history", "");
    time_query(store, "type", "type:port_scan");
    time_query(store, "severity_status", "severity:critical status:new");
    time_query(store, "network", "source:10.0.0.0/8");
    time_query(store, "small_network", "source:10.1.2.0/28");
    time_query(store, "address", "192.168.1.7");
    time_query(store, "word", "services");
    time_query(store, "rare_word", "nosuchword");
    time_query(store, "prefix", "serv*");
    time_query(store, "two_words", "brute edge-1");
    time_query(store, "nothing_fits", "severity:low confidence:>0.9");
    time_query(store, "not", "-type:port_scan -severity:low");
    time_query(store, "port_range", "destination_port:1-100");
    time_statistics(store, "ever", &(struct store_span){0});
    time_statistics(store, "hour", &(struct store_span){now - 3600000000LL, now, 0});
    time_statistics(store, "day", &(struct store_span){now - 86400000000LL, now, 0});
}

/* --- MongoDB: the store, and insert_many of the same documents --- */

enum bare { BARE, BARE_INDEXED, BARE_TRANSACTION, BARES }; /* each with what the one before it has */
static const char *const bare_names[BARES] = {"bare", "indexed", "transaction"};

static size_t load_documents(mongoc_collection_t *from, bson_t **documents, size_t most)
{
    bson_t all = BSON_INITIALIZER;
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(from, &all, NULL, NULL);
    const bson_t *document;
    size_t count = 0;

    for (; count < most && mongoc_cursor_next(cursor, &document); count++) {
        documents[count] = bson_new();
        bson_copy_to_excluding_noinit(document, documents[count], "_id", NULL);
    }
    mongoc_cursor_destroy(cursor);
    bson_destroy(&all);
    return count;
}

static void must(bool ok, const char *what, const bson_error_t *error)
{
    if (!ok) {
        fprintf(stderr, "%s: %s\n", what, error->message);
        abort();
    }
}

static void copy_indexes(mongoc_client_t *client, const char *database, mongoc_collection_t *from, const char *to)
{
    mongoc_cursor_t *cursor = mongoc_collection_find_indexes_with_opts(from, NULL);
    bson_t command = BSON_INITIALIZER, list, index;
    const bson_t *document;
    bson_error_t error;
    bson_iter_t at;
    char digits[16];
    const char *key;
    uint32_t n = 0;

    BSON_APPEND_UTF8(&command, "createIndexes", to);
    BSON_APPEND_ARRAY_BEGIN(&command, "indexes", &list);
    while (mongoc_cursor_next(cursor, &document)) {
        if (bson_iter_init_find(&at, document, "name") && strcmp(bson_iter_utf8(&at, NULL), "_id_") == 0)
            continue;
        bson_uint32_to_string(n++, &key, digits, sizeof digits);
        BSON_APPEND_DOCUMENT_BEGIN(&list, key, &index);
        bson_copy_to_excluding_noinit(document, &index, "ns", "v", NULL);
        bson_append_document_end(&list, &index);
    }
    bson_append_array_end(&command, &list);
    must(mongoc_client_write_command_with_opts(client, database, &command, NULL, NULL, &error), "indexes", &error);
    mongoc_cursor_destroy(cursor);
    bson_destroy(&command);
}

static void insert_bare(mongoc_client_session_t *session, mongoc_collection_t *to, bson_t **documents, size_t count,
                        mongoc_write_concern_t *durable)
{
    const bson_t *batch[ARRAY];
    bson_t options = BSON_INITIALIZER;
    bson_error_t error;

    memcpy(batch, documents, count * sizeof *batch);
    if (session != NULL) {
        must(mongoc_client_session_start_transaction(session, NULL, &error), "transaction", &error);
        mongoc_client_session_append(session, &options, NULL);
    } else {
        mongoc_write_concern_append(durable, &options);
    }
    must(mongoc_collection_insert_many(to, batch, count, &options, NULL, &error), "insert_many", &error);
    must(session == NULL || mongoc_client_session_commit_transaction(session, NULL, &error), "commit", &error);
    bson_destroy(&options);
}

static mongoc_client_session_t *durable_session(mongoc_client_t *client, const mongoc_write_concern_t *durable)
{
    mongoc_session_opt_t *options = mongoc_session_opts_new();
    mongoc_transaction_opt_t *transaction = mongoc_transaction_opts_new();
    mongoc_client_session_t *session;
    bson_error_t error;

    mongoc_transaction_opts_set_write_concern(transaction, durable);
    mongoc_session_opts_set_default_transaction_opts(options, transaction);
    session = mongoc_client_start_session(client, options, &error);
    must(session != NULL, "session", &error);
    mongoc_transaction_opts_destroy(transaction);
    mongoc_session_opts_destroy(options);
    return session;
}

static double bare_insert_many(mongoc_client_t *client, const char *database, enum bare kind, size_t count,
                               size_t array)
{
    mongoc_collection_t *from = mongoc_client_get_collection(client, database, "securitylogs");
    mongoc_collection_t *to = mongoc_client_get_collection(client, database, bare_names[kind]);
    bson_t *create = BCON_NEW("create", BCON_UTF8(bare_names[kind]));
    bson_t **documents = calloc(count, sizeof *documents);
    mongoc_write_concern_t *durable = mongoc_write_concern_new();
    mongoc_client_session_t *session;
    bson_error_t error;
    int64_t took;

    count = load_documents(from, documents, count);
    mongoc_write_concern_set_wmajority(durable, 10000);
    mongoc_write_concern_set_journal(durable, true);
    session = kind == BARE_TRANSACTION ? durable_session(client, durable) : NULL;
    mongoc_collection_drop(to, NULL);
    must(mongoc_client_write_command_with_opts(client, database, create, NULL, NULL, &error), "create", &error);
    if (kind != BARE)
        copy_indexes(client, database, from, bare_names[kind]);
    took = -clock_monotonic_ns();
    for (size_t done = 0; done + array <= count; done += array)
        insert_bare(session, to, documents + done, array, durable);
    took += clock_monotonic_ns();
    for (size_t i = 0; i < count; i++)
        bson_destroy(documents[i]);
    free(documents);
    if (session != NULL)
        mongoc_client_session_destroy(session);
    bson_destroy(create);
    mongoc_write_concern_destroy(durable);
    mongoc_collection_destroy(from);
    mongoc_collection_destroy(to);
    return (double)count / ((double)took / 1e9);
}

/* Ours and what it is held against, one after the other. */
static void compare_mongo(struct store *store, mongoc_client_t *client, const char *database, int count, int array)
{
    char name[40];
    double ours;

    snprintf(name, sizeof name, "mongo_%d", array);
    ours = insert_arrays(store, name, count, array);
    printf("%s_ours_per_s %.0f 1/s\n", name, ours);
    for (enum bare kind = BARE; kind < BARES; kind++)
        if (kind != BARE_TRANSACTION || store_shared(store))
            printf("%s_%s_per_s %.0f 1/s\n", name, bare_names[kind],
                   bare_insert_many(client, database, kind, (size_t)count, (size_t)array));
}

/* The address with another database. */
static mongoc_uri_t *uri_of(const char *given, const char *database)
{
    const char *hosts = strstr(given, "://"), *options = strchr(given, '?');
    size_t head = hosts != NULL ? (size_t)(hosts + 3 - given) : 0;
    char text[1000];

    head += strcspn(given + head, "/?");
    snprintf(text, sizeof text, "%.*s/%s%s", (int)head, given, database, options != NULL ? options : "");
    return mongoc_uri_new(text);
}

static int run_mongo(void)
{
    const char *given = getenv("MONGODB_URI");
    mongoc_uri_t *uri;
    struct err err = {0};
    struct store *store;
    mongoc_client_t *client;
    char database[40];

    mongoc_init();
    snprintf(database, sizeof database, "bench_%d", (int)getpid());
    uri = given != NULL ? uri_of(given, database) : NULL;
    if (uri == NULL) {
        fprintf(stderr, "store_bench: MONGODB_URI is not set, or no address\n");
        return 2;
    }
    store = store_open_mongo(mongoc_uri_get_string(uri), &err);
    if (store == NULL) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    client = mongoc_client_new_from_uri(uri);
    compare_mongo(store, client, database, 1000, 50);
    compare_mongo(store, client, database, 2 * ARRAY, ARRAY);
    store_close(store);
    {
        mongoc_database_t *all = mongoc_client_get_database(client, database);

        mongoc_database_drop(all, NULL);
        mongoc_database_destroy(all);
    }
    mongoc_client_destroy(client);
    mongoc_uri_destroy(uri);
    return 0;
}

int main(int argc, char **argv)
{
    int seconds = argc > 2 ? atoi(argv[2]) : 5;
    int64_t stored = argc > 3 ? atoll(argv[3]) : 0, arrays = 20000;
    char path[512], bare[512];
    struct err err = {0};
    struct store *store;
    double ours;

    if (argc < 2 || !token_setup()) {
        fprintf(stderr, "store_bench DIRECTORY [SECONDS] [STORED]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (strcmp(argv[1], "mongodb") == 0)
        return run_mongo();
    latencies = malloc(LATENCIES * sizeof *latencies);
    snprintf(path, sizeof path, "%s/bench.db", argv[1]);
    snprintf(bare, sizeof bare, "%s/bare.db", argv[1]);
    unlink(path);
    unlink(bare);
    store = store_open_sqlite(path, &err);
    if (store == NULL || latencies == NULL) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    if (stored > 0)
        printf("fill_per_s %.0f 1/s\n", insert_arrays(store, "fill", stored, ARRAY));
    ours = insert_arrays(store, "array", arrays, ARRAY);
    if (ours <= 0)
        return 1;
    printf("arrays_per_s %.0f 1/s\n", ours);
    printf("arrays_to_bare_loop %.2f\n", ours / bare_loop(store, bare, arrays));
    unlink(bare);
    run_singles(store, "singles_64", THREADS, seconds);
    run_singles(store, "singles_1", 1, 1);
    time_reads(store);
    store_close(store);
    free(latencies);
    return 0;
}
