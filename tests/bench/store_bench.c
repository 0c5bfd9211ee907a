/* store_bench.c: what the committer and a store reach, next to a bare loop on the same file system.
 *
 *   store_bench DIRECTORY [SECONDS] [STORED]
 *
 * Prints one "name value unit" a line. STORED threats are there before the figures are taken (0: an empty store).
 * Bodies are about 500 bytes. MONGODB_URI set: the MongoDB store as well, next to a bare insert_many loop. */
#include "backend/committer.h"
#include "backend/store.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/token.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 64, ARRAY = 1000, LATENCIES = 1 << 20 };

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

/* Time of this thread on a core: tells what the work costs on a machine that others use too. */
static double cpu_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double insert_arrays(struct store *store, int64_t count)
{
    double cpu = 0;

    struct threat *threats = calloc(ARRAY, sizeof *threats);
    struct store_item *items = calloc(ARRAY, sizeof *items);
    int64_t took = 0;

    for (int64_t done = 0; done < count; done += ARRAY) {
        struct err err = {0};
        int64_t began;

        for (int i = 0; i < ARRAY; i++) {
            make_threat(&threats[i], next_id++);
            items[i] = item_of(&threats[i]);
        }
        cpu -= cpu_seconds();
        began = clock_monotonic_ns();
        if (!store_insert(store, items, ARRAY, &err)) {
            fprintf(stderr, "%s\n", err.text);
            abort();
        }
        took += clock_monotonic_ns() - began;
        cpu += cpu_seconds();
        for (int i = 0; i < ARRAY; i++) {
            free(items[i].json);
            threat_clear(&threats[i]);
        }
    }
    free(threats);
    free(items);
    printf("array_cpu %.1f us/item\n", cpu / (double)count * 1e6);
    return (double)count / ((double)took / 1e9);
}

/* --- a bare loop: the same schema with its indexes, the same bodies, batches of the same size --- */

static void copy_schema(sqlite3 *from, sqlite3 *to)
{
    sqlite3_stmt *row;

    sqlite3_prepare_v2(from, "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'", -1,
                       &row, NULL);
    while (sqlite3_step(row) == SQLITE_ROW)
        sqlite3_exec(to, (const char *)sqlite3_column_text(row, 0), NULL, NULL, NULL);
    sqlite3_finalize(row);
}

/* Reads rows that the store wrote and writes them again as they are: what the schema itself costs. */
static double bare_loop(const char *stored, const char *path, int64_t count)
{
    static const char *const tables[] = {"threat", "body", "word"};
    sqlite3 *db;
    char attach[600], copy[200];
    int64_t began, took = 0;
    sqlite3_stmt *last;
    int64_t first;
    double cpu;

    sqlite3_open(path, &db);
    sqlite3_exec(db,
                 "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536; "
                 "PRAGMA wal_autocheckpoint = 4000",
                 NULL, NULL, NULL);
    snprintf(attach, sizeof attach, "ATTACH '%s' AS stored", stored);
    {
        sqlite3 *from;

        sqlite3_open(stored, &from);
        copy_schema(from, db);
        sqlite3_prepare_v2(from, "SELECT max(seq) FROM threat", -1, &last, NULL);
        sqlite3_step(last);
        first = sqlite3_column_int64(last, 0) - count;
        sqlite3_finalize(last);
        sqlite3_close(from);
    }
    sqlite3_exec(db, attach, NULL, NULL, NULL);
    snprintf(copy, sizeof copy, "CREATE TEMP TABLE picked AS SELECT * FROM stored.word WHERE seq > %lld ORDER BY seq",
             (long long)first);
    sqlite3_exec(db, copy, NULL, NULL, NULL);
    sqlite3_exec(db, "CREATE INDEX temp.picked_seq ON picked (seq)", NULL, NULL, NULL);
    cpu = -cpu_seconds();
    for (int64_t done = 0; done < count; done += ARRAY) {
        began = clock_monotonic_ns();
        sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
        for (int t = 0; t < 3; t++) {
            snprintf(copy, sizeof copy, "INSERT INTO main.%s SELECT * FROM %s WHERE seq > %lld AND seq <= %lld",
                     tables[t],
                     t == 2   ? "temp.picked"
                     : t == 1 ? "stored.body"
                              : "stored.threat",
                     (long long)(first + done), (long long)(first + done + ARRAY));
            if (sqlite3_exec(db, copy, NULL, NULL, NULL) != SQLITE_OK)
                fprintf(stderr, "bare loop: %s\n", sqlite3_errmsg(db));
        }
        sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
        took += clock_monotonic_ns() - began;
    }
    printf("bare_cpu %.1f us/item\n", (cpu + cpu_seconds()) / (double)count * 1e6);
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

static void time_query(struct store *store, const char *name, const char *query)
{
    struct search *search = search_parse(query, NULL, NULL);
    int64_t took[50];
    size_t bytes = 0;

    for (int i = 0; i < 50; i++) {
        int64_t began = clock_monotonic_ns(), total;

        if (!store_find(store, &(struct store_query){.search = search, .limit = 50}, count_row, &bytes, &total, NULL))
            abort();
        took[i] = clock_monotonic_ns() - began;
    }
    qsort(took, 50, sizeof *took, by_value);
    printf("query_%s_p50 %.2f ms\nquery_%s_max %.2f ms\n", name, (double)took[25] / 1e6, name,
           (double)took[49] / 1e6);
    search_free(search);
}

static void time_statistics(struct store *store, const char *name, const struct store_span *span)
{
    int64_t took[50];

    for (int i = 0; i < 50; i++) {
        int64_t began = clock_monotonic_ns();
        char *json = NULL;

        if (!store_statistics(store, span, &json, NULL))
            abort();
        took[i] = clock_monotonic_ns() - began;
        free(json);
    }
    qsort(took, 50, sizeof *took, by_value);
    printf("statistics_%s_p50 %.2f ms\nstatistics_%s_max %.2f ms\n", name, (double)took[25] / 1e6, name,
           (double)took[49] / 1e6);
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
        printf("fill_arrays_per_s %.0f 1/s\n", insert_arrays(store, stored));
    ours = insert_arrays(store, arrays);
    printf("arrays_per_s %.0f 1/s\n", ours);
    if (stored == 0)
        printf("arrays_to_bare_loop %.2f\n", ours / bare_loop(path, bare, arrays));
    run_singles(store, "singles_64", THREADS, seconds);
    run_singles(store, "singles_1", 1, 1);
    time_reads(store);
    store_close(store);
    free(latencies);
    return 0;
}
