/* The SQLite store: the conformance tests on a file, and what only a file has. */
#include "backend/committer.h"
#include "backend/store_sqlite.h"
#include "tests/unit/backend/sqlite_file.h"
#include "tests/unit/backend/store_conformance.h"

#include <glob.h>
#include <signal.h>
#include <sys/wait.h>

enum { NEWEST = 4 /* schema */ };

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
    static const char *const ends[] = {"", "-wal", "-shm"};
    char file[80];

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        snprintf(file, sizeof file, "%s%s", path, ends[i]);
        unlink(file);
    }
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

static void a_newer_schema_is_refused(void **state)
{
    struct sqlite_store *s = SQLITE_STORE(*state);
    struct err err = {0};

    assert_true(sqlite_text(&s->writer, "PRAGMA user_version = 99", NULL));
    store_close(*state);
    *state = store_open_sqlite(path, &err);
    assert_null(*state);
    assert_int_equal(err.code, ERR_DENIED);
    assert_non_null(strstr(err.text, "newer"));
}

static int schema_of(const char *file)
{
    sqlite3 *db;
    sqlite3_stmt *get;
    int version;

    assert_int_equal(sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &get, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(get), SQLITE_ROW);
    version = sqlite3_column_int(get, 0);
    sqlite3_finalize(get);
    sqlite3_close(db);
    return version;
}

/* The file beside the store that a migration from this version left; false: there is none. */
static bool find_copy(int version, char found[256])
{
    char pattern[128];
    glob_t files;
    bool is_there;

    snprintf(pattern, sizeof pattern, "%s.v%d.*", path, version);
    is_there = glob(pattern, 0, NULL, &files) == 0;
    if (is_there)
        snprintf(found, 256, "%s", files.gl_pathv[0]);
    globfree(&files);
    return is_there;
}

/* Today's schema is taken for the older one; the newer one is invented here. */
static void an_older_file_is_copied_before_it_is_brought_up_to_date(void **state)
{
    static const char *const broken[] = {
        [NEWEST] = "ALTER TABLE threat ADD COLUMN invented TEXT; SELECT nothing FROM nowhere"};
    static const char *const steps[] = {[NEWEST] = "ALTER TABLE threat ADD COLUMN invented TEXT"};
    struct sqlite_store *s = SQLITE_STORE(*state);
    struct err err = {0};
    struct store *old;
    char copy[256];
    int64_t seq = 0;

    put_many(*state, 3);
    assert_false(find_copy(NEWEST, copy));
    assert_false(sqlite_migrate(s, broken, NEWEST + 1, &err));
    assert_int_equal(schema_of(path), NEWEST); /* a step that fails leaves nothing behind */
    assert_true(find_copy(NEWEST, copy));
    unlink(copy);
    if (!sqlite_migrate(s, steps, NEWEST + 1, &err))
        fail_msg("%s", err.text);
    assert_int_equal(schema_of(path), NEWEST + 1);
    assert_true(sqlite_text(&s->writer, "SELECT invented FROM threat", NULL));
    assert_true(find_copy(NEWEST, copy));
    assert_int_equal(schema_of(copy), NEWEST);
    old = store_open_sqlite(copy, &err); /* the way back */
    assert_non_null(old);
    assert_true(store_last_seq(old, &seq, NULL));
    assert_int_equal(seq, 3);
    store_close(old);
    unlink(copy);
}

/* A file that schema 1 left: four threats, one by the simulator, one closed with a comment. */
static void a_file_of_schema_1_keeps_its_words(void **state)
{
    static char sql[64 * 1024];
    FILE *file = fopen("tests/data/stores/schema_1.sql", "rb");
    struct err err = {0};
    char copy[256];
    sqlite3 *db;

    assert_non_null(file);
    assert_true(fread(sql, 1, sizeof sql - 1, file) > 1000);
    fclose(file);
    store_close(*state);
    remove_file();
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    /* a word of many threats needs several lists */
    assert_int_equal(sqlite3_exec(db,
                                  "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) "
                                  "INSERT INTO word SELECT 'busy', i * i * i FROM n",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    *state = store_open_sqlite(path, &err);
    if (*state == NULL)
        fail_msg("%s", err.text);
    assert_int_equal(schema_of(path), NEWEST);
    finds(*state, "neighbour", "old3 old2 old1 old0");
    finds(*state, "quiet neighbour", "old3 old1 old0");
    finds(*state, "loud", "old2");
    finds(*state, "printer", "old1");
    finds(*state, "print*", "old1");
    finds(*state, "source:10.2.0.0/15 port:53", "old1");
    finds(*state, "confidence:>0.7 destination:192.168.3.220", "old2");
    {
        sqlite3_stmt *count = sqlite_statement(&SQLITE_STORE(*state)->writer,
                                               "SELECT count(*), sum(word_has('busy', seq) + word_begins('bu', 'bv', "
                                               "seq)), max(seq) FROM hits WHERE word = 'busy'",
                                               &err);

        assert_non_null(count);
        assert_int_equal(sqlite3_step(count), SQLITE_ROW);
        assert_int_equal(sqlite3_column_int64(count, 0), 2000);
        assert_int_equal(sqlite3_column_int64(count, 1), 4000);
        assert_int_equal(sqlite3_column_int64(count, 2), 8000000000LL);
        sqlite3_reset(count);
    }
    assert_true(find_copy(1, copy));
    assert_int_equal(schema_of(copy), 1);
    unlink(copy);
}

/* --- counts --- */

static int64_t number_of(struct store *store, const char *sql)
{
    sqlite3_stmt *get;
    int64_t number;

    assert_int_equal(sqlite3_prepare_v2(SQLITE_STORE(store)->writer.db, sql, -1, &get, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(get), SQLITE_ROW);
    number = sqlite3_column_int64(get, 0);
    sqlite3_finalize(get);
    return number;
}

static void counts_agree(struct store *store, struct store_span span)
{
    cJSON *statistics = statistics_of(store, span);
    cJSON *statuses = cJSON_GetObjectItemCaseSensitive(statistics, "byStatus");
    struct found found = {0};
    int64_t total = 0, closed = 0, wanted = number_of(store, "SELECT count(*) FROM threat");

    assert_int_equal(number_at(statistics, "total"), wanted);
    if (cJSON_GetObjectItemCaseSensitive(statuses, "closed") != NULL)
        closed = (int64_t)number_at(statuses, "closed");
    assert_int_equal(closed, number_of(store, "SELECT count(*) FROM threat WHERE status = 'closed'"));
    assert_true(store_find(store, &(struct store_query){.limit = 1}, collect, &found, &total, NULL));
    assert_int_equal(total, wanted);
    cJSON_Delete(statistics);
    cJSON_Delete(found.last);
}

static void put_batch(struct store *store, int first, int count)
{
    struct threat threats[100];
    struct store_item items[100];
    char id[32];

    for (int i = 0; i < count; i++) {
        snprintf(id, sizeof id, "c%06d", first + i);
        threats[i] = make_threat(id);
        items[i] = item_of(&threats[i]);
    }
    assert_true(store_insert(store, items, (size_t)count, NULL));
    for (int i = 0; i < count; i++) {
        assert_int_equal(items[i].result, STORE_STORED);
        free(items[i].json);
    }
}

/* More sources than have a row of their own: the rarest share one, and none is counted twice or not at all. */
static void rare_values_share_a_row_and_all_stay_counted(void **state)
{
    enum { COUNT = ROLLUP_VALUES_EVER + 4500, STEP = 100 };
    static const char of_sources[] = "SELECT sum(count) FROM rollup WHERE span = 3 AND dimension = 6";
    static char simulated[] = "{\"source\":\"simulator\"}";
    static struct threat threats[STEP];
    struct store_item items[STEP];
    struct sqlite_store *s = SQLITE_STORE(*state);
    struct err err = {0};
    char id[32];

    for (int done = 0; done < COUNT; done += STEP) {
        for (int i = 0; i < STEP; i++) {
            int number = done + i;

            snprintf(id, sizeof id, "r%06d", number);
            threats[i] = make_threat(id);
            if (number % 10 > 0) /* one source comes again and again */
                snprintf(threats[i].source_ip, sizeof threats[i].source_ip, "10.9.%d.%d", number / 250, number % 250);
            threats[i].details = number % 3 == 0 ? simulated : NULL;
            items[i] = item_of(&threats[i]);
        }
        assert_true(store_insert(*state, items, STEP, &err));
        for (int i = 0; i < STEP; i++)
            free(items[i].json);
    }
    assert_int_equal(number_of(*state, of_sources), s->counted_seq);
    assert_int_equal(
        number_of(*state, "SELECT sum(count) FROM rollup WHERE span = 3 AND dimension = 6 AND simulated = 1"),
        number_of(*state, "SELECT count(*) FROM threat WHERE simulated = 1 AND seq <= (SELECT value "
                          "FROM meta WHERE key = 'counted_seq')"));
    assert_in_range(number_of(*state, "SELECT count(*) FROM rollup WHERE span = 3 AND dimension = 6 AND value <> ''"),
                    ROLLUP_VALUES_EVER / 2, ROLLUP_VALUES_EVER + 1);
    assert_true(number_of(*state, "SELECT count FROM rollup WHERE span = 3 AND dimension = 6 AND value = '' AND "
                                  "simulated = 0") > 0);
    assert_true(number_of(*state, "SELECT sum(count) FROM rollup WHERE span = 3 AND dimension = 6 AND value = "
                                  "'10.0.0.5'") >= s->counted_seq / 10);
}

/* Made by who hands it in, or by the store: what is kept is the same. */
static void a_record_may_be_made_beforehand(void **state)
{
    static char note[] = "{\"note\":\"walnut\"}";
    struct threat threat = make_threat("made-1"), plain = make_threat("plain-1");
    struct store_item item = item_of(&threat), other = item_of(&plain);
    struct store_record *record = malloc(sizeof *record);
    struct err err = {0};

    threat.sensor[0] = plain.sensor[0] = '\0';
    threat.details = note;
    item.source = other.source = "doorbell";
    assert_true(store_record_of(record, &item, &err));
    item.record = record;
    assert_true(store_insert(*state, &item, 1, &err));
    assert_true(store_insert(*state, &other, 1, &err));
    assert_int_equal(item.result, STORE_STORED);
    finds(*state, "walnut", "made-1");
    finds(*state, "doorbell", "plain-1 made-1");
    free(item.json);
    free(other.json);
    item.record = NULL;
    assert_true(store_insert(*state, &item, 1, &err));
    assert_int_equal(item.result, STORE_DUPLICATE);
    store_record_clear(record);
    free(record);
}

/* New threats are counted some hundreds at a time; nobody who asks may notice. */
static void counts_agree_while_threats_come_change_and_go(void **state)
{
    uint32_t random = 3;
    int64_t removed, seq;
    char id[32], *json;
    int stored = 0;

    for (int round = 0; round < 60; round++) {
        int more = 1 + (int)(random >> 8) % 90;

        put_batch(*state, stored, more);
        stored += more;
        random = random * 1664525u + 1013904223u;
        seq = number_of(*state, "SELECT max(seq) FROM threat") - (int64_t)(random >> 16) % 50;
        if (round % 3 == 0) {
            sqlite3_stmt *get;

            assert_int_equal(sqlite3_prepare_v2(SQLITE_STORE(*state)->writer.db,
                                                "SELECT threat_id FROM threat WHERE seq >= ?1 LIMIT 1", -1, &get,
                                                NULL),
                             SQLITE_OK);
            sqlite3_bind_int64(get, 1, seq);
            assert_int_equal(sqlite3_step(get), SQLITE_ROW);
            snprintf(id, sizeof id, "%s", (const char *)sqlite3_column_text(get, 0));
            sqlite3_finalize(get);
            assert_true(store_triage(*state, id,
                                     &(struct store_change){.version = -1, .status = "closed", .actor = "a"}, &seq,
                                     &json, NULL));
            free(json);
        }
        if (round % 5 == 0)
            assert_true(store_remove(*state, NULL, 0, false, 7, NULL, NULL, &removed, NULL));
        if (round % 7 == 0) { /* a transaction that fails takes its counts along */
            struct sqlite_store *s = SQLITE_STORE(*state);
            struct rollup_fact fact = {
                .type = "t", .status = "new", .verdict = "", .sensor = "s", .source = "a", .destination = "b"};

            assert_true(sqlite_begin(s, NULL));
            assert_true(sqlite_rollup_count(s, &fact, 1, NULL));
            sqlite_rollback(s);
        }
        if (round % 20 == 0)
            *state = conformance_reopen(*state);
        counts_agree(*state, (struct store_span){0});
        if (round % 10 == 0)
            counts_agree(*state, (struct store_span){1, INT64_MAX / 4, 0});
    }
    assert_true(number_of(*state, "SELECT value FROM meta WHERE key = 'counted_seq'") > 1000);
    assert_true(number_of(*state, "SELECT sum(count) FROM rollup WHERE span = 3 AND dimension = 0") > 1000);
}

static void a_backup_is_a_whole_store(void **state)
{
    char copy[80];
    struct err err = {0};
    struct store *other;

    snprintf(copy, sizeof copy, "%s.copy", path);
    put_many(*state, 20);
    if (!store_backup(*state, copy, &err))
        fail_msg("%s", err.text);
    assert_false(store_backup(*state, copy, &err)); /* never over a file that is there */
    other = store_open_sqlite(copy, &err);
    assert_non_null(other);
    assert_string_equal(store_name(other), store_name(*state));
    assert_int_equal(find(other, (struct store_query){0}).count, 20);
    store_close(other);
    unlink(copy);
}

static void a_full_disk_is_told_and_healed(void **state)
{
    struct sqlite_store *s = SQLITE_STORE(*state);
    struct err err = {0};
    size_t stored = 0;

    assert_true(sqlite_text(&s->writer, "PRAGMA max_page_count = 120", NULL));
    for (bool ok = true; ok && stored < 20000;) {
        char id[32];
        struct threat t;
        struct store_item item;

        snprintf(id, sizeof id, "f%06zu", stored);
        t = make_threat(id);
        item = item_of(&t);
        ok = store_insert(*state, &item, 1, &err);
        stored += ok;
        assert_int_equal(item.json != NULL, ok);
        free(item.json);
    }
    assert_true(stored > 10 && stored < 20000);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_int_equal(find(*state, (struct store_query){.limit = 1}).count, 1); /* reading goes on */
    assert_true(sqlite_text(&s->writer, "PRAGMA max_page_count = 1000000", NULL));
    put_many(*state, 1);
    {
        int64_t seq = 0;
        cJSON *statistics = statistics_of(*state, (struct store_span){0});

        assert_true(store_last_seq(*state, &seq, NULL));
        assert_int_equal(seq, stored + 1);
        assert_int_equal(number_at(statistics, "total"), stored + 1);
        cJSON_Delete(statistics);
    }
}

/* --- kill -9 --- */

enum { WRITERS = 4, CRASHES = 3 };

struct writer {
    pthread_t thread;
    struct committer *committer;
    int pipe, number, round;
};

/* Tells the pipe of every threat only after it was acknowledged. */
static void *write_and_tell(void *context)
{
    struct writer *w = context;

    for (int n = 0;; n++) {
        char id[32] = "";
        struct threat t;
        struct store_item item;

        snprintf(id, sizeof id, "r%d-w%d-%08d", w->round, w->number, n);
        t = make_threat(id);
        item = item_of(&t);
        if (!committer_submit(w->committer, &item, 1, NULL) || write(w->pipe, id, sizeof id) != sizeof id)
            return NULL;
        free(item.json);
    }
}

static void write_until_killed(int round, int out)
{
    struct store *store = store_open_sqlite(path, NULL);
    struct writer writers[WRITERS];
    struct committer *committer = committer_start(store, NULL, NULL);

    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.committer = committer, .pipe = out, .number = i, .round = round};
        pthread_create(&writers[i].thread, NULL, write_and_tell, &writers[i]);
    }
    pthread_join(writers[0].thread, NULL);
    _exit(1);
}

static void no_acknowledged_threat_is_lost_when_killed(void **state)
{
    store_close(*state);
    for (int round = 0; round < CRASHES; round++) {
        int ends[2], told = 0;
        char id[32];
        pid_t child;

        assert_int_equal(pipe(ends), 0);
        child = fork();
        assert_true(child >= 0);
        if (child == 0)
            write_until_killed(round, ends[1]);
        close(ends[1]);
        *state = NULL;
        while (read(ends[0], id, sizeof id) == sizeof id && ++told < 100 + 57 * round)
            ;
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        assert_true(told > 0);
        *state = open_file();
        assert_non_null(*state);
        do { /* the last one read before the kill, and all that were still in the pipe */
            cJSON_Delete(threat_now(*state, id));
        } while (read(ends[0], id, sizeof id) == sizeof id);
        close(ends[0]);
        {
            int64_t total = 0, seq = 0;
            struct found none = {0};

            assert_true(store_find(*state, &(struct store_query){.limit = 0}, collect, &none, &total, NULL));
            assert_true(store_last_seq(*state, &seq, NULL));
            assert_int_equal(total, seq); /* counts and sequence fit what is there */
        }
        store_close(*state);
    }
    *state = open_file();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONFORMANCE_TESTS,
        STORE_TEST(a_newer_schema_is_refused),
        STORE_TEST(an_older_file_is_copied_before_it_is_brought_up_to_date),
        STORE_TEST(a_file_of_schema_1_keeps_its_words),
        STORE_TEST(rare_values_share_a_row_and_all_stay_counted),
        STORE_TEST(a_record_may_be_made_beforehand),
        STORE_TEST(counts_agree_while_threats_come_change_and_go),
        STORE_TEST(a_backup_is_a_whole_store),
        STORE_TEST(a_full_disk_is_told_and_healed),
        STORE_TEST(no_acknowledged_threat_is_lost_when_killed),
    };

    return RUN_WITH_A_FILE(tests);
}
