/* store_sqlite.c: opens the file, brings its schema up to date, and lends its connections. */
#include "backend/store_sqlite.h"
#include "backend/store_sqlite_words.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/token.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

enum { SCHEMA_VERSION = 4 };

/* threat is narrow, so that many rows of it are read quickly; the record itself stands in body. Every index ends in
 * seq (the rowid), so an equal value gives its rows newest first without sorting. Type, severity, protocol and sensor
 * have none: each is a word too, and whatever is not indexed twice is ingested faster. Neither has received_ms, which
 * follows seq. */
static const char schema_1[] =
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE threat (seq INTEGER PRIMARY KEY, event_seq INTEGER NOT NULL, threat_id TEXT NOT NULL,"
    " revision INTEGER NOT NULL, digest INTEGER NOT NULL, type TEXT NOT NULL, severity INTEGER NOT NULL,"
    " status TEXT NOT NULL, verdict TEXT NOT NULL, assignee TEXT NOT NULL, source BLOB NOT NULL,"
    " destination BLOB NOT NULL, source_port INTEGER, destination_port INTEGER, protocol TEXT NOT NULL,"
    " sensor TEXT NOT NULL, confidence REAL NOT NULL, timestamp_us INTEGER NOT NULL, received_ms INTEGER NOT NULL,"
    " suppressed_by TEXT, simulated INTEGER NOT NULL, commented INTEGER NOT NULL, job TEXT,"
    " version INTEGER NOT NULL);"
    "CREATE TABLE body (seq INTEGER PRIMARY KEY, json TEXT NOT NULL, history TEXT, address TEXT, user_agent TEXT);"
    "CREATE TABLE word (word TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (word, seq)) WITHOUT ROWID;"
    "CREATE TABLE monitoring (seq INTEGER PRIMARY KEY, json TEXT NOT NULL);"
    "CREATE TABLE evidence (threat_id TEXT PRIMARY KEY, bytes BLOB NOT NULL);"
    "CREATE TABLE rollup (span INTEGER NOT NULL, dimension INTEGER NOT NULL, bucket INTEGER NOT NULL,"
    " simulated INTEGER NOT NULL, value TEXT NOT NULL, count INTEGER NOT NULL,"
    " PRIMARY KEY (span, dimension, bucket, simulated, value)) WITHOUT ROWID;"
    "CREATE TABLE document (kind TEXT NOT NULL, id TEXT NOT NULL, name TEXT, json TEXT NOT NULL,"
    " version INTEGER NOT NULL, expires_ms INTEGER NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;"
    "CREATE TABLE generation (kind TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE UNIQUE INDEX threat_id ON threat (threat_id);"
    "CREATE UNIQUE INDEX threat_event ON threat (event_seq);"
    "CREATE INDEX threat_status ON threat (status);"
    "CREATE INDEX threat_verdict ON threat (verdict) WHERE verdict <> '';"
    "CREATE INDEX threat_assignee ON threat (assignee) WHERE assignee <> '';"
    "CREATE INDEX threat_source ON threat (source);"
    "CREATE INDEX threat_destination ON threat (destination);"
    "CREATE INDEX threat_source_port ON threat (source_port) WHERE source_port IS NOT NULL;"
    "CREATE INDEX threat_destination_port ON threat (destination_port) WHERE destination_port IS NOT NULL;"
    "CREATE INDEX threat_confidence ON threat (confidence);"
    "CREATE INDEX threat_timestamp ON threat (timestamp_us);"
    "CREATE INDEX threat_suppressed ON threat (suppressed_by) WHERE suppressed_by IS NOT NULL;"
    "CREATE INDEX threat_simulated ON threat (simulated) WHERE simulated = 1;"
    "CREATE INDEX threat_commented ON threat (commented) WHERE commented = 1;"
    "CREATE INDEX threat_job ON threat (job) WHERE job IS NOT NULL;"
    "CREATE UNIQUE INDEX document_name ON document (kind, name) WHERE name IS NOT NULL;"
    "CREATE INDEX document_expires ON document (expires_ms) WHERE expires_ms > 0;";

/* A row for each word of each threat was a third of the work of a commit. */
static const char schema_2[] =
    "CREATE TABLE posting (word TEXT NOT NULL, first INTEGER NOT NULL, seqs BLOB NOT NULL, PRIMARY KEY (word, first))"
    " WITHOUT ROWID;"
    "INSERT INTO posting (word, first, seqs) SELECT word, min(seq), word_list(seq) FROM (SELECT word, seq,"
    " (row_number() OVER (PARTITION BY word ORDER BY seq) - 1) / 90 AS part FROM word) GROUP BY word, part;"
    "DROP TABLE word;"
    "INSERT INTO meta (key, value) SELECT 'counted_seq', value FROM meta WHERE key = 'last_seq';";

/* Filled by the transactions that follow, so that a large file opens at once. */
static const char schema_3[] =
    "CREATE TABLE zone (zone INTEGER NOT NULL, type TEXT NOT NULL, severity INTEGER NOT NULL, status TEXT NOT NULL,"
    " verdict TEXT NOT NULL, protocol TEXT NOT NULL, suppressed INTEGER NOT NULL, simulated INTEGER NOT NULL,"
    " commented INTEGER NOT NULL, low_confidence REAL NOT NULL, high_confidence REAL NOT NULL,"
    " low_source_port INTEGER NOT NULL, high_source_port INTEGER NOT NULL, low_destination_port INTEGER NOT NULL,"
    " high_destination_port INTEGER NOT NULL, low_source BLOB NOT NULL, high_source BLOB NOT NULL,"
    " low_destination BLOB NOT NULL, high_destination BLOB NOT NULL, low_timestamp_us INTEGER NOT NULL,"
    " high_timestamp_us INTEGER NOT NULL,"
    " PRIMARY KEY (zone, type, severity, status, verdict, protocol, suppressed, simulated, commented)) WITHOUT "
    "ROWID;";

/* Their keys are spread: each took a page of its own for each threat. */
static const char schema_4[] =
    "DROP INDEX threat_source; DROP INDEX threat_destination; DROP INDEX threat_source_port;"
    "DROP INDEX threat_destination_port; DROP INDEX threat_confidence;"
    "CREATE INDEX threat_source ON threat (seq >> 15, source);"
    "CREATE INDEX threat_destination ON threat (seq >> 15, destination);"
    "CREATE INDEX threat_source_port ON threat (seq >> 15, source_port) WHERE source_port IS NOT NULL;"
    "CREATE INDEX threat_destination_port ON threat (seq >> 15, destination_port) WHERE destination_port IS NOT NULL;"
    "CREATE INDEX threat_confidence ON threat (seq >> 15, confidence);";

/* schemas[n] brings version n to n + 1. */
static const char *const schemas[SCHEMA_VERSION] = {schema_1, schema_2, schema_3, schema_4};

bool sqlite_failed(struct sqlite_connection *connection, const char *what, struct err *err)
{
    int code = connection->db != NULL ? sqlite3_errcode(connection->db) : SQLITE_NOMEM;
    const char *says = connection->db != NULL ? sqlite3_errmsg(connection->db) : "out of memory";

    if (code == SQLITE_NOMEM)
        return err_set(err, ERR_MEMORY, "store: %s: %s", what, says);
    if (code == SQLITE_CONSTRAINT)
        return err_set(err, ERR_CONFLICT, "store: %s: %s", what, says);
    if (code == SQLITE_ERROR || code == SQLITE_MISUSE || code == SQLITE_RANGE || code == SQLITE_MISMATCH)
        return err_set(err, ERR_SYSTEM, "store: %s: %s", what, says);
    return err_set(err, ERR_UNAVAILABLE, "store: %s: %s", what, says);
}

bool sqlite_text(struct sqlite_connection *connection, const char *sql, struct err *err)
{
    if (sqlite3_exec(connection->db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return true;
    return sqlite_failed(connection, "schema", err);
}

sqlite3_stmt *sqlite_statement(struct sqlite_connection *connection, const char *sql, struct err *err)
{
    sqlite3_stmt *statement = NULL;

    for (size_t i = 0; i < connection->count; i++)
        if (connection->texts[i] == sql) {
            sqlite3_reset(connection->statements[i]);
            sqlite3_clear_bindings(connection->statements[i]);
            return connection->statements[i];
        }
    if (connection->count == SQLITE_STATEMENTS) {
        err_set(err, ERR_SYSTEM, "store: more than %d statements", SQLITE_STATEMENTS);
        return NULL;
    }
    if (sqlite3_prepare_v3(connection->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) != SQLITE_OK) {
        sqlite_failed(connection, sql, err);
        return NULL;
    }
    connection->texts[connection->count] = sql;
    connection->statements[connection->count++] = statement;
    return statement;
}

bool sqlite_run(struct sqlite_connection *connection, sqlite3_stmt *statement, struct err *err)
{
    bool ok = sqlite3_step(statement) == SQLITE_DONE || sqlite_failed(connection, "write", err);

    sqlite3_reset(statement);
    return ok;
}

bool sqlite_set_meta(struct sqlite_connection *connection, const char *key, int64_t value, struct err *err)
{
    sqlite3_stmt *set = sqlite_statement(
        connection, "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2", err);

    if (set == NULL)
        return false;
    sqlite3_bind_text(set, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_int64(set, 2, value);
    return sqlite_run(connection, set, err);
}

bool sqlite_get_meta(struct sqlite_connection *connection, const char *key, int64_t *value, struct err *err)
{
    sqlite3_stmt *get = sqlite_statement(connection, "SELECT value FROM meta WHERE key = ?1", err);
    int step;

    if (get == NULL)
        return false;
    sqlite3_bind_text(get, 1, key, -1, SQLITE_STATIC);
    step = sqlite3_step(get);
    *value = step == SQLITE_ROW ? sqlite3_column_int64(get, 0) : 0;
    sqlite3_reset(get);
    return step == SQLITE_ROW || step == SQLITE_DONE || sqlite_failed(connection, "meta", err);
}

bool sqlite_connect(struct sqlite_connection *connection, const char *path, bool writer, struct err *err)
{
    int flags = SQLITE_OPEN_NOMUTEX | (writer ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READWRITE);

    if (sqlite3_open_v2(path, &connection->db, flags, NULL) != SQLITE_OK)
        return sqlite_failed(connection, path, err);
    sqlite3_busy_timeout(connection->db, SQLITE_WAIT_MS);
    sqlite3_extended_result_codes(connection->db, 0);
    return words_register(connection, err) &&
           sqlite_text(connection,
                       writer ? "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536;"
                                "PRAGMA journal_size_limit = 67108864;"
                                "PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0;"
                              : "PRAGMA query_only = ON; PRAGMA cache_size = -8192; PRAGMA temp_store = MEMORY;",
                       err);
}

void sqlite_disconnect(struct sqlite_connection *connection)
{
    for (size_t i = 0; i < connection->count; i++)
        sqlite3_finalize(connection->statements[i]);
    connection->count = 0;
    sqlite3_close(connection->db);
    connection->db = NULL;
}

static bool user_version(struct sqlite_connection *connection, int *version, struct err *err)
{
    sqlite3_stmt *get = NULL;
    bool ok = sqlite3_prepare_v2(connection->db, "PRAGMA user_version", -1, &get, NULL) == SQLITE_OK &&
              sqlite3_step(get) == SQLITE_ROW;

    if (ok)
        *version = sqlite3_column_int(get, 0);
    else
        sqlite_failed(connection, "version", err);
    sqlite3_finalize(get);
    return ok;
}

static bool copy_to(struct sqlite_connection *from, const char *path, struct err *err)
{
    struct sqlite_connection to = {0};
    sqlite3_backup *backup;
    bool ok = false;

    if (access(path, F_OK) == 0)
        return err_set(err, ERR_CONFLICT, "%s: exists already", path);
    if (sqlite3_open(path, &to.db) != SQLITE_OK) {
        sqlite_failed(&to, path, err);
        goto done;
    }
    backup = sqlite3_backup_init(to.db, "main", from->db, "main");
    if (backup == NULL) {
        sqlite_failed(&to, path, err);
        goto done;
    }
    sqlite3_backup_step(backup, -1);
    ok = sqlite3_backup_finish(backup) == SQLITE_OK || sqlite_failed(&to, path, err);
done:
    sqlite3_close(to.db);
    if (!ok)
        unlink(path);
    return ok;
}

/* The copy stays: it is the way back. */
static bool copy_before_migration(struct sqlite_store *store, int version, struct err *err)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s.v%d.%lld", store->path, version, (long long)clock_now_ms());

    if (n < 0 || (size_t)n >= sizeof path)
        return err_set(err, ERR_INVALID, "store: the path is too long");
    if (!copy_to(&store->writer, path, err))
        return err_prefix(err, "copy before the upgrade");
    log_info("store.copied", "path=\"%s\" version=%d", path, version);
    return true;
}

bool sqlite_migrate(struct sqlite_store *store, const char *const *steps, int newest, struct err *err)
{
    int version = 0;
    char set[64];

    if (!user_version(&store->writer, &version, err))
        return false;
    if (version > newest)
        return err_set(err, ERR_DENIED, "%s: written by a newer version (schema %d, this one knows %d)", store->path,
                       version, newest);
    if (version > 0 && version < newest && !copy_before_migration(store, version, err))
        return false;
    for (; version < newest; version++) {
        snprintf(set, sizeof set, "PRAGMA user_version = %d", version + 1);
        if (!sqlite_text(&store->writer, "BEGIN IMMEDIATE", err))
            return false;
        if (!sqlite_text(&store->writer, steps[version], err) || !sqlite_text(&store->writer, set, err) ||
            !sqlite_text(&store->writer, "COMMIT", err)) {
            sqlite3_exec(store->writer.db, "ROLLBACK", NULL, NULL, NULL);
            return false;
        }
    }
    return true;
}

static bool read_name(struct sqlite_store *store, struct err *err)
{
    sqlite3_stmt *get = NULL, *set = NULL;
    char fresh[STORE_NAME];

    token_text(fresh, sizeof fresh);
    set = sqlite_statement(&store->writer, "INSERT OR IGNORE INTO meta (key, value) VALUES ('name', ?1)", err);
    if (set == NULL)
        return false;
    sqlite3_bind_text(set, 1, fresh, -1, SQLITE_STATIC);
    if (!sqlite_run(&store->writer, set, err))
        return false;
    get = sqlite_statement(&store->writer, "SELECT value FROM meta WHERE key = 'name'", err);
    if (get == NULL || sqlite3_step(get) != SQLITE_ROW)
        return get != NULL && sqlite_failed(&store->writer, "name", err);
    snprintf(store->base.name, sizeof store->base.name, "%s", (const char *)sqlite3_column_text(get, 0));
    sqlite3_reset(get);
    return true;
}

struct sqlite_connection *sqlite_lend(struct sqlite_store *store, struct err *err)
{
    struct sqlite_connection *found = NULL;
    struct timespec until;
    int waited = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += SQLITE_WAIT_MS / 1000;
    pthread_mutex_lock(&store->pool_lock);
    while (found == NULL && waited == 0) {
        for (size_t i = 0; i < SQLITE_READERS && found == NULL; i++)
            if (!store->readers[i].lent)
                found = &store->readers[i];
        if (found == NULL)
            waited = pthread_cond_timedwait(&store->pool_free, &store->pool_lock, &until);
    }
    if (found != NULL)
        found->lent = true;
    pthread_mutex_unlock(&store->pool_lock);
    if (found == NULL) {
        err_set(err, ERR_UNAVAILABLE, "store: every reader is busy");
    } else if (found->db == NULL && !sqlite_connect(found, store->path, false, err)) {
        sqlite_disconnect(found);
        sqlite_return(store, found);
        return NULL;
    }
    return found;
}

void sqlite_return(struct sqlite_store *store, struct sqlite_connection *connection)
{
    pthread_mutex_lock(&store->pool_lock);
    connection->lent = false;
    pthread_cond_signal(&store->pool_free);
    pthread_mutex_unlock(&store->pool_lock);
}

bool sqlite_begin(struct sqlite_store *store, struct err *err)
{
    sqlite3_stmt *begin;

    pthread_mutex_lock(&store->write_lock);
    begin = sqlite_statement(&store->writer, "BEGIN IMMEDIATE", err);
    store->seq_before = store->last_seq;
    store->counted_before = store->counted_seq;
    store->zoned_before = store->zoned;
    store->summed_before = store->summed;
    if (begin != NULL && sqlite_run(&store->writer, begin, err))
        return true;
    pthread_mutex_unlock(&store->write_lock);
    return false;
}

void sqlite_rollback(struct sqlite_store *store)
{
    if (sqlite3_get_autocommit(store->writer.db) == 0)
        sqlite3_exec(store->writer.db, "ROLLBACK", NULL, NULL, NULL);
    sqlite_rollup_forget(store);
    words_forget(store->words);
    store->last_seq = store->seq_before;
    store->counted_seq = store->counted_before;
    store->zoned = store->zoned_before;
    store->summed = store->summed_before;
    pthread_mutex_unlock(&store->write_lock);
}

bool sqlite_commit(struct sqlite_store *store, struct err *err)
{
    sqlite3_stmt *commit = sqlite_statement(&store->writer, "COMMIT", err);

    if (commit == NULL || !sqlite_run(&store->writer, commit, err)) {
        sqlite_rollback(store);
        return false;
    }
    pthread_mutex_unlock(&store->write_lock);
    return true;
}

static bool sqlite_ping(struct store *store, struct err *err)
{
    struct sqlite_store *s = SQLITE_STORE(store);

    /* A write that changes nothing but a time: it fails when the disk is full or gone. */
    if (!sqlite_begin(s, err))
        return false;
    if (!sqlite_set_meta(&s->writer, "pinged_ms", clock_now_ms(), err)) {
        sqlite_rollback(s);
        return false;
    }
    return sqlite_commit(s, err);
}

static bool sqlite_size(struct store *store, int64_t *bytes, int64_t *disk, struct err *err)
{
    struct sqlite_store *s = SQLITE_STORE(store);
    struct sqlite_connection *reader = sqlite_lend(s, err);
    struct statvfs info;
    sqlite3_stmt *get;
    bool ok;

    if (reader == NULL)
        return false;
    get = sqlite_statement(reader,
                           "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, "
                           "pragma_freelist_count, pragma_page_size",
                           err);
    ok = get != NULL && (sqlite3_step(get) == SQLITE_ROW || sqlite_failed(reader, "size", err));
    if (ok)
        *bytes = sqlite3_column_int64(get, 0);
    if (get != NULL)
        sqlite3_reset(get);
    sqlite_return(s, reader);
    *disk = ok && statvfs(s->path, &info) == 0 ? (int64_t)info.f_blocks * (int64_t)info.f_frsize : 0;
    return ok;
}

static bool sqlite_backup(struct store *store, const char *path, struct err *err)
{
    struct sqlite_store *s = SQLITE_STORE(store);
    struct sqlite_connection *reader = sqlite_lend(s, err);
    bool ok;

    if (reader == NULL)
        return false;
    ok = copy_to(reader, path, err);
    sqlite_return(s, reader);
    return ok;
}

static void sqlite_close(struct store *store)
{
    struct sqlite_store *s = SQLITE_STORE(store);

    sqlite_mover_stop(s);
    for (size_t i = 0; i < SQLITE_READERS; i++)
        sqlite_disconnect(&s->readers[i]);
    if (s->writer.db != NULL)
        sqlite3_exec(s->writer.db, "PRAGMA optimize", NULL, NULL, NULL);
    sqlite_disconnect(&s->writer);
    rollup_free(s->rollup);
    rollup_free(s->overflow);
    words_free(s->words);
    free(s->known);
    pthread_mutex_destroy(&s->write_lock);
    pthread_mutex_destroy(&s->mover_lock);
    pthread_cond_destroy(&s->mover_work);
    pthread_mutex_destroy(&s->pool_lock);
    pthread_cond_destroy(&s->pool_free);
    free(s->path);
    free(s);
}

static const struct store_ops ops = {
    .kind = "sqlite",
    .takes_records = true,
    .close = sqlite_close,
    .ping = sqlite_ping,
    .insert = sqlite_insert,
    .threat = sqlite_threat,
    .find = sqlite_find,
    .statistics = sqlite_statistics,
    .events = sqlite_events,
    .last_seq = sqlite_last_seq,
    .first_seq = sqlite_first_seq,
    .add_monitoring = sqlite_add_monitoring,
    .triage = sqlite_triage,
    .remove = sqlite_remove,
    .put_evidence = sqlite_put_evidence,
    .get_evidence = sqlite_get_evidence,
    .doc_put = sqlite_doc_put,
    .doc_get = sqlite_doc_get,
    .doc_by_name = sqlite_doc_by_name,
    .doc_remove = sqlite_doc_remove,
    .doc_list = sqlite_doc_list,
    .doc_generation = sqlite_doc_generation,
    .size = sqlite_size,
    .backup = sqlite_backup,
};

struct store *store_open_sqlite(const char *path, struct err *err)
{
    struct sqlite_store *store = calloc(1, sizeof *store);
    bool ok;

    if (store == NULL) {
        err_set(err, ERR_MEMORY, "store: out of memory");
        return NULL;
    }
    store->base.ops = &ops;
    store->path = strdup(path);
    store->rollup = rollup_create();
    store->overflow = rollup_create();
    store->words = words_create();
    store->known = calloc(SQLITE_KNOWN, sizeof *store->known);
    store->log_pages = SQLITE_LOG_PAGES;
    store->zone_rows = SQLITE_ZONE_ROWS;
    store->few_least = SQLITE_FEW_LEAST;
    store->few_most = SQLITE_FEW_MOST;
    pthread_mutex_init(&store->write_lock, NULL);
    pthread_mutex_init(&store->mover_lock, NULL);
    pthread_cond_init(&store->mover_work, NULL);
    pthread_mutex_init(&store->pool_lock, NULL);
    pthread_cond_init(&store->pool_free, NULL);
    if (store->path == NULL || store->rollup == NULL || store->overflow == NULL || store->words == NULL ||
        store->known == NULL) {
        err_set(err, ERR_MEMORY, "store: out of memory");
        ok = false;
    } else {
        ok = sqlite_connect(&store->writer, path, true, err) && sqlite_migrate(store, schemas, SCHEMA_VERSION, err) &&
             read_name(store, err) && sqlite_get_meta(&store->writer, "last_seq", &store->last_seq, err) &&
             sqlite_get_meta(&store->writer, "counted_seq", &store->counted_seq, err) &&
             sqlite_get_meta(&store->writer, "zoned", &store->zoned, err) && sqlite_mover_start(store, err);
    }
    if (ok)
        return &store->base;
    sqlite_close(&store->base);
    return NULL;
}
