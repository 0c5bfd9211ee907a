/* The SQLite store: the conformance tests on a file, and what only a file has. */
#include "backend/committer.h"
#include "backend/store_sqlite_list.h"
#include "backend/store_sqlite_search.h"
#include "backend/store_sqlite_words.h"
#include "common/token.h"
#include "tests/unit/backend/store_conformance.h"

#include <glob.h>
#include <signal.h>
#include <sys/wait.h>
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
    static const char *const broken[] = {"", "",
                                         "ALTER TABLE threat ADD COLUMN invented TEXT; SELECT nothing FROM nowhere"};
    static const char *const steps[] = {"", "", "ALTER TABLE threat ADD COLUMN invented TEXT"};
    struct sqlite_store *s = SQLITE_STORE(*state);
    struct err err = {0};
    struct store *old;
    char copy[256];
    int64_t seq = 0;

    put_many(*state, 3);
    assert_false(find_copy(2, copy));
    assert_false(sqlite_migrate(s, broken, 3, &err));
    assert_int_equal(schema_of(path), 2); /* a step that fails leaves nothing behind */
    assert_true(find_copy(2, copy));
    unlink(copy);
    if (!sqlite_migrate(s, steps, 3, &err))
        fail_msg("%s", err.text);
    assert_int_equal(schema_of(path), 3);
    assert_true(sqlite_text(&s->writer, "SELECT invented FROM threat", NULL));
    assert_true(find_copy(2, copy));
    assert_int_equal(schema_of(copy), 2);
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
    assert_int_equal(schema_of(path), 2);
    finds(*state, "neighbour", "old3 old2 old1 old0");
    finds(*state, "quiet neighbour", "old3 old1 old0");
    finds(*state, "loud", "old2");
    finds(*state, "printer", "old1");
    finds(*state, "print*", "old1");
    {
        struct sqlite_store *s = SQLITE_STORE(*state);
        sqlite3_stmt *count = sqlite_statement(
            &s->writer, "SELECT count(*), sum(word_has('busy', seq)), max(seq) FROM hits WHERE word = 'busy'", &err);

        assert_non_null(count);
        assert_int_equal(sqlite3_step(count), SQLITE_ROW);
        assert_int_equal(sqlite3_column_int64(count, 0), 2000);
        assert_int_equal(sqlite3_column_int64(count, 1), 2000);
        assert_int_equal(sqlite3_column_int64(count, 2), 8000000000LL);
        sqlite3_reset(count);
    }
    assert_true(find_copy(1, copy));
    assert_int_equal(schema_of(copy), 1);
    unlink(copy);
}

/* --- the lists of words --- */

static void a_list_reads_as_it_was_written(void **state)
{
    int64_t seqs[2000], read[LIST_SEQS];
    uint8_t bytes[LIST_BYTES];
    size_t length, n;

    (void)state;
    for (int width = 1; width < 62; width++) {
        for (size_t i = 0; i < 2000; i++)
            seqs[i] = (int64_t)i * (INT64_MAX >> 11 >> (62 - width)) + (int64_t)i;
        for (size_t done = 0; done < 2000; done += n) {
            n = list_write(seqs + done, 2000 - done, bytes, &length);
            assert_in_range(n, 1, LIST_SEQS);
            assert_true(length <= LIST_BYTES);
            assert_int_equal(list_read(seqs[done], bytes, length, read, LIST_SEQS), n);
            assert_memory_equal(read, seqs + done, n * sizeof *read);
        }
    }
    memset(bytes, 0xff, sizeof bytes); /* what is no list gives no more than its first */
    assert_int_equal(list_read(7, bytes, sizeof bytes, read, LIST_SEQS), 1);
}

enum { SEQS = 3000 };

static void words_agree(struct sqlite_store *s, const bool *has, int64_t below, const char *order)
{
    char sql[160];
    sqlite3_stmt *rows;
    int64_t at = order[0] == 'D' ? below - 1 : 1;

    snprintf(sql, sizeof sql,
             "SELECT seq, word_has('w', seq), word_has('w', seq + 1) FROM hits WHERE word = 'w' AND seq < "
             "%lld ORDER BY seq %s",
             (long long)below, order);
    if (sqlite3_prepare_v2(s->writer.db, sql, -1, &rows, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(s->writer.db));
    for (;;) {
        while (at > 0 && at < below && !has[at])
            at += order[0] == 'D' ? -1 : 1;
        if (sqlite3_step(rows) != SQLITE_ROW)
            break;
        assert_int_equal(sqlite3_column_int64(rows, 0), at);
        assert_int_equal(sqlite3_column_int(rows, 1), 1);
        assert_int_equal(sqlite3_column_int(rows, 2), has[at + 1]);
        at += order[0] == 'D' ? -1 : 1;
    }
    assert_true(at == 0 || at == below); /* none is missing */
    sqlite3_finalize(rows);
}

/* New threats at the end, old ones again, removals: the lists hold what a plain array holds. */
static void words_come_and_go_in_any_order(void **state)
{
    struct sqlite_store *s = SQLITE_STORE(*state);
    static bool has[SEQS + 2];
    uint32_t random = 7;
    int64_t newest = 0;

    memset(has, 0, sizeof has);
    for (int round = 0; round < 300; round++) {
        assert_true(sqlite_begin(s, NULL));
        s->seq_before = newest;
        for (int i = 0; i < 40; i++) {
            random = random * 1664525u + 1013904223u;
            bool old = newest > 0 && random >> 24 < 90, add = !old || random >> 22 & 1;
            int64_t seq = old ? 1 + random % newest : newest + 1;

            if (seq > SEQS)
                continue;
            newest = seq > newest ? seq : newest;
            if (!old && random >> 20 & 1)
                continue; /* this one lacks the word */
            assert_true(words_change(s->words, "w", seq, add, NULL));
            has[seq] = add;
        }
        assert_true(words_flush(s, NULL));
        assert_true(sqlite_commit(s, NULL));
        if (round % 10 == 0) {
            words_agree(s, has, newest + 1, "DESC");
            words_agree(s, has, newest + 1, "ASC");
            words_agree(s, has, 1 + newest / 2, "DESC");
        }
    }
    assert_int_equal(newest, SEQS);
    assert_true(sqlite_begin(s, NULL));
    s->seq_before = newest;
    for (int64_t seq = 1; seq <= SEQS; seq++)
        assert_true(words_change(s->words, "w", seq, false, NULL));
    assert_true(words_flush(s, NULL));
    assert_true(sqlite_commit(s, NULL));
    memset(has, 0, sizeof has);
    words_agree(s, has, SEQS + 1, "DESC");
    assert_true(sqlite_text(&s->writer, "INSERT INTO posting SELECT 'w', 1, 1 FROM posting WHERE word = 'w'", NULL));
    assert_int_equal(sqlite3_changes(s->writer.db), 0); /* no empty row stays */
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

/* --- every query has its index --- */

static void explain(struct store *store, const char *query, const char *index, bool sorted)
{
    struct search *search = search_parse(query, NULL, NULL);
    struct err err = {0};
    char *plan =
        sqlite_find_plan(store, &(struct store_query){.search = search, .limit = 50, .before_seq = 90000}, &err);

    if (plan == NULL)
        fail_msg("%s: %s", query, err.text);
    if (strstr(plan, index) == NULL)
        fail_msg("%s: does not use %s:\n%s", query, index, plan);
    if (strstr(plan, "SCAN threat") != NULL || strstr(plan, "SCAN body") != NULL ||
        strstr(plan, "SCAN posting") != NULL)
        fail_msg("%s: reads everything:\n%s", query, plan);
    if (!sorted && strstr(plan, "TEMP B-TREE FOR ORDER BY") != NULL)
        fail_msg("%s: sorts:\n%s", query, plan);
    free(plan);
    search_free(search);
}

/* Enough rows that the common values count as many: then the newest are walked to, not all collected. */
static void fill_index(struct sqlite_store *s)
{
    static const char rows[] =
        "BEGIN; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 25000) INSERT INTO threat "
        "SELECT i, i, 't' || i, 1, 0, 'port_scan', 2, 'new', 'true_positive', 'ana', "
        "x'00000000000000000000ffff0a000001', "
        "x'00000000000000000000ffff0a000002', 22, 80, 'TCP', 'edge', 0.8, i, i, NULL, 1, 1, 'j', 1 FROM n;"
        "INSERT INTO body (seq, json) SELECT seq, '{\"threat_id\":\"' || threat_id || '\"}' FROM threat;"
        "INSERT INTO posting SELECT 'common', min(seq), word_list(seq) FROM threat GROUP BY seq / 90; "
        "INSERT INTO posting SELECT 'port_scan', min(seq), word_list(seq) FROM threat GROUP BY seq / 90; "
        "COMMIT";

    assert_true(sqlite_text(&s->writer, rows, NULL));
}

static void every_search_uses_an_index(void **state)
{
    explain(*state, "type:port_scan", "SCAN hits VIRTUAL TABLE INDEX 1:word=?", true);
    explain(*state, "source:10.0.0.0/8", "threat_source", true);
    explain(*state, "\"two words\"", "SCAN hits VIRTUAL TABLE INDEX 1:word=?", true);
    fill_index(SQLITE_STORE(*state));
    explain(*state, "", "SEARCH threat USING INTEGER PRIMARY KEY (rowid<?)", false);
    explain(*state, "type:port_scan", "SCAN hits VIRTUAL TABLE INDEX 5:word=? AND seq<?", false);
    explain(*state, "common", "SCAN hits VIRTUAL TABLE INDEX 5:word=? AND seq<?", false);
    explain(*state, "status:new", "threat_status (status=? AND rowid<?)", false);
    explain(*state, "verdict:true_positive", "threat_verdict (verdict=? AND rowid<?)", false);
    explain(*state, "assignee:ana", "threat_assignee (assignee=? AND rowid<?)", false);
    explain(*state, "source:10.0.0.1", "threat_source (source=? AND rowid<?)", false);
    explain(*state, "destination:10.0.0.2", "threat_destination (destination=? AND rowid<?)", false);
    explain(*state, "address:10.0.0.1", "threat_destination", false);
    explain(*state, "source_port:22", "threat_source_port (source_port=? AND rowid<?)", false);
    explain(*state, "destination_port:80", "threat_destination_port (destination_port=? AND rowid<?)", false);
    explain(*state, "port:80", "threat_source_port", false);
    explain(*state, "is:simulated", "threat_simulated (simulated=? AND rowid<?)", false);
    explain(*state, "is:commented", "threat_commented (commented=? AND rowid<?)", false);
    explain(*state, "job:j", "threat_job (job=? AND rowid<?)", false);
    explain(*state, "id:t77", "threat_id", true);
    explain(*state, "source:10.9.0.0/16", "threat_source", true);
    explain(*state, "confidence:>0.9", "threat_confidence", true);
    explain(*state, "time:>2026-11-23", "threat_timestamp", true);
    explain(*state, "is:suppressed", "threat_suppressed", true);
    explain(*state, "type:port_scan source:10.9.0.0/16", "threat_source", true);
    explain(*state, "confidence:>0.1", "SEARCH threat USING INTEGER PRIMARY KEY (rowid<?)",
            false); /* nearly all fit */
}

static void common_values_are_given_newest_first(void **state)
{
    static const char *const queries[] = {"common",          "type:port_scan",    "address:10.0.0.1",
                                          "port:80",         "common OR port:22", "status:new",
                                          "confidence:>0.1", "source:10.0.0.0/8"};

    fill_index(SQLITE_STORE(*state));
    for (size_t q = 0; q < sizeof queries / sizeof *queries; q++) {
        struct search *search = search_parse(queries[q], NULL, NULL);
        struct found found = find(*state, (struct store_query){.search = search, .limit = 3, .before_seq = 20001});

        assert_string_equal(found.ids, "t20000 t19999 t19998");
        found =
            find(*state, (struct store_query){.search = search, .limit = 2, .before_seq = 100, .oldest_first = true});
        assert_string_equal(found.ids, "t101 t102");
        search_free(search);
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
        STORE_TEST(a_list_reads_as_it_was_written),
        STORE_TEST(words_come_and_go_in_any_order),
        STORE_TEST(a_backup_is_a_whole_store),
        STORE_TEST(a_full_disk_is_told_and_healed),
        STORE_TEST(every_search_uses_an_index),
        STORE_TEST(common_values_are_given_newest_first),
        STORE_TEST(no_acknowledged_threat_is_lost_when_killed),
    };
    int failed;

    if (!token_setup() || mkdtemp(directory) == NULL)
        return 1;
    snprintf(path, sizeof path, "%s/store.db", directory);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(directory);
    return failed;
}
