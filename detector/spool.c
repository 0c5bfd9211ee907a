/* spool.c: see spool.h. https://sqlite.org/wal.html, https://sqlite.org/pragma.html */
#include "detector/spool.h"

#include "common/clock.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROW_WAITING, ROW_KEPT, ROW_REFUSED };
enum { BUSY_MS = 5000, ANSWER_MAX = 512, APPLICATION = 0x746c7370 /* "tlsp" */ };

/* Step n brings a file from version n to n + 1. */
static const char *const steps[] = {
    "CREATE TABLE threat("
    " n INTEGER PRIMARY KEY AUTOINCREMENT,"
    " threat_id TEXT NOT NULL,"
    " revision INTEGER NOT NULL,"
    " json TEXT NOT NULL,"
    " since_ms INTEGER NOT NULL,"
    " state INTEGER NOT NULL DEFAULT 0," /* 0 waiting, 1 kept, 2 refused */
    " next_ms INTEGER NOT NULL DEFAULT 0,"
    " status INTEGER NOT NULL DEFAULT 0,"
    " answer TEXT,"
    " UNIQUE(threat_id, revision));"
    "CREATE INDEX threat_state ON threat(state, since_ms);",
    "CREATE TABLE evidence("
    " n INTEGER PRIMARY KEY AUTOINCREMENT,"
    " threat_id TEXT NOT NULL UNIQUE,"
    " since_ms INTEGER NOT NULL,"
    " next_ms INTEGER NOT NULL DEFAULT 0,"
    " tries INTEGER NOT NULL DEFAULT 0,"
    " bytes BLOB NOT NULL);",
};
enum { VERSION = sizeof steps / sizeof *steps };

enum statement {
    APPEND,
    TAKE,
    DELETE,
    MARK,
    REPLAY,
    WAKE,
    COUNT,
    SIZE,
    LETTERS,
    KEEP,
    TAKE_KEPT,
    DROP_KEPT,
    LATER_KEPT,
    COUNT_KEPT,
    STATEMENTS
};
static const char *const statement_sql[STATEMENTS] = {
    [APPEND] = "INSERT INTO threat(threat_id, revision, json, since_ms) VALUES(?1, ?2, ?3, ?4)"
               " ON CONFLICT DO NOTHING",
    [TAKE] = "SELECT n, threat_id, revision, json FROM threat WHERE state < 2 AND next_ms <= ?1 ORDER BY n LIMIT ?2",
    [DELETE] = "DELETE FROM threat WHERE n = ?1",
    [MARK] = "UPDATE threat SET state = ?2, status = ?3, answer = ?4, next_ms = ?5 WHERE n = ?1",
    [REPLAY] = "UPDATE threat SET state = 0, next_ms = 0 WHERE state = 2 AND (?1 IS NULL OR threat_id = ?1)",
    [WAKE] = "UPDATE threat SET next_ms = 0 WHERE state = 1",
    [COUNT] = "SELECT state, count(*), min(since_ms) FROM threat GROUP BY state",
    [SIZE] = "SELECT (page_count - freelist_count) * page_size"
             " FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
    [LETTERS] = "SELECT threat_id, revision, since_ms, status, answer, json FROM threat WHERE state = 2"
                " ORDER BY n DESC LIMIT ?1",
    [KEEP] = "INSERT INTO evidence(threat_id, since_ms, bytes) VALUES(?1, ?2, ?3) ON CONFLICT DO NOTHING",
    [TAKE_KEPT] = "SELECT n, threat_id, bytes, tries, since_ms FROM evidence AS e WHERE next_ms <= ?1 AND NOT EXISTS"
                  " (SELECT 1 FROM threat WHERE threat.threat_id = e.threat_id AND state < 2) ORDER BY n LIMIT 1",
    [DROP_KEPT] = "DELETE FROM evidence WHERE n = ?1",
    [LATER_KEPT] = "UPDATE evidence SET next_ms = ?2, tries = tries + 1 WHERE n = ?1",
    [COUNT_KEPT] = "SELECT count(*) FILTER (WHERE tries = 0), count(*) FILTER (WHERE tries > 0) FROM evidence AS e"
                   " WHERE NOT EXISTS (SELECT 1 FROM threat WHERE threat.threat_id = e.threat_id AND state < 2)",
};

struct spool {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    pthread_mutex_t db_lock; /* guards db and statements; held over disk writes: callers wait for the disk anyway */
    pthread_mutex_t counts_lock; /* guards counts; held for a copy. Taken after db_lock where both are */
    struct spool_counts counts;
    char *path;
};

static bool failed(struct spool *spool, const char *what, struct err *err)
{
    int code = sqlite3_errcode(spool->db) & 0xff;

    return err_set(err, code == SQLITE_FULL || code == SQLITE_BUSY ? ERR_UNAVAILABLE : ERR_SYSTEM, "spool %s: %s: %s",
                   spool->path, what, sqlite3_errmsg(spool->db));
}

static bool run(struct spool *spool, const char *sql, struct err *err)
{
    return sqlite3_exec(spool->db, sql, NULL, NULL, NULL) == SQLITE_OK || failed(spool, "cannot be used", err);
}

static int64_t number_of(struct spool *spool, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    int64_t value = -1;

    if (sqlite3_prepare_v2(spool->db, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

/* A copy beside the file, made by the database itself so that its WAL is in it. */
static bool copy_before_migration(struct spool *spool, int64_t version, struct err *err)
{
    char *sql = sqlite3_mprintf("VACUUM INTO '%q.v%lld'", spool->path, (long long)version);
    bool ok = sql != NULL && run(spool, sql, err);

    sqlite3_free(sql);
    return ok || err_prefix(err, "copy before the migration");
}

static bool migrate(struct spool *spool, struct err *err)
{
    int64_t version = number_of(spool, "PRAGMA user_version");
    int64_t application = number_of(spool, "PRAGMA application_id");
    int64_t tables = number_of(spool, "SELECT count(*) FROM sqlite_schema");
    char mark[96];

    if (version < 0 || tables < 0)
        return failed(spool, "cannot be read", err);
    if (tables > 0 && application != APPLICATION)
        return err_set(err, ERR_INVALID, "spool %s: this is some other program's database", spool->path);
    if (version > VERSION)
        return err_set(err, ERR_INVALID, "spool %s: version %lld was made by a newer detector (this one knows %d)",
                       spool->path, (long long)version, (int)VERSION);
    if (version == VERSION)
        return true;
    if (version > 0 && !copy_before_migration(spool, version, err))
        return false;
    if (!run(spool, "BEGIN IMMEDIATE", err))
        return false;
    /* another process may have been quicker */
    for (version = number_of(spool, "PRAGMA user_version"); version < VERSION; version++)
        if (!run(spool, steps[version], err)) {
            sqlite3_exec(spool->db, "ROLLBACK", NULL, NULL, NULL);
            return false;
        }
    snprintf(mark, sizeof mark, "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", (int)APPLICATION,
             (int)VERSION);
    return run(spool, mark, err);
}

/* Bytes of the file in use; -1 when it cannot be read. Called with db_lock held. */
static int64_t size_of(struct spool *spool)
{
    sqlite3_stmt *size = spool->statements[SIZE];
    int64_t bytes = sqlite3_step(size) == SQLITE_ROW ? sqlite3_column_int64(size, 0) : -1;

    sqlite3_reset(size);
    return bytes;
}

/* Called with db_lock held. */
static bool count(struct spool *spool, struct err *err)
{
    sqlite3_stmt *statement = spool->statements[COUNT];
    struct spool_counts c = {0};
    int64_t bytes = size_of(spool);
    int step;

    while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
        int state = sqlite3_column_int(statement, 0);
        int64_t rows = sqlite3_column_int64(statement, 1);
        int64_t oldest = sqlite3_column_int64(statement, 2);

        *(state == ROW_WAITING ? &c.waiting : state == ROW_KEPT ? &c.kept : &c.refused) += rows;
        if (state != ROW_REFUSED && (c.oldest_ms == 0 || oldest < c.oldest_ms))
            c.oldest_ms = oldest;
    }
    sqlite3_reset(statement);
    if (step != SQLITE_DONE || bytes < 0)
        return failed(spool, "cannot be counted", err);
    if (sqlite3_step(spool->statements[COUNT_KEPT]) == SQLITE_ROW) {
        c.evidence = sqlite3_column_int64(spool->statements[COUNT_KEPT], 0);
        c.evidence_kept = sqlite3_column_int64(spool->statements[COUNT_KEPT], 1);
    }
    sqlite3_reset(spool->statements[COUNT_KEPT]);
    pthread_mutex_lock(&spool->counts_lock);
    c.bytes = bytes;
    c.max_bytes = spool->counts.max_bytes;
    c.turned_away = spool->counts.turned_away;
    spool->counts = c;
    pthread_mutex_unlock(&spool->counts_lock);
    return true;
}

struct spool *spool_open(const char *path, int64_t max_bytes, struct err *err)
{
    struct spool *spool = calloc(1, sizeof *spool);
    bool ok = false;

    if (spool == NULL || (spool->path = strdup(path)) == NULL) {
        err_set(err, ERR_MEMORY, "spool: out of memory");
        free(spool);
        return NULL;
    }
    pthread_mutex_init(&spool->db_lock, NULL);
    pthread_mutex_init(&spool->counts_lock, NULL);
    if (sqlite3_open_v2(path, &spool->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, NULL) !=
        SQLITE_OK) {
        int reason = spool->db != NULL ? sqlite3_system_errno(spool->db) : 0;

        err_set(err, ERR_SYSTEM, "spool %s: cannot be opened: %s", path,
                reason != 0 ? strerror(reason) : sqlite3_errmsg(spool->db));
        goto done;
    }
    sqlite3_extended_result_codes(spool->db, 1);
    sqlite3_busy_timeout(spool->db, BUSY_MS);
    if (!run(spool, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 400", err) ||
        !migrate(spool, err))
        goto done;
    spool->counts.max_bytes = max_bytes;
    for (int s = 0; s < STATEMENTS; s++)
        if (sqlite3_prepare_v2(spool->db, statement_sql[s], -1, &spool->statements[s], NULL) != SQLITE_OK) {
            failed(spool, "is not as it should be", err);
            goto done;
        }
    ok = count(spool, err);
done:
    if (!ok) {
        spool_close(spool);
        spool = NULL;
    }
    return spool;
}

void spool_close(struct spool *spool)
{
    if (spool == NULL)
        return;
    for (int s = 0; s < STATEMENTS; s++)
        sqlite3_finalize(spool->statements[s]);
    sqlite3_close(spool->db);
    pthread_mutex_destroy(&spool->db_lock);
    pthread_mutex_destroy(&spool->counts_lock);
    free(spool->path);
    free(spool);
}

static void note_append(struct spool *spool, bool stored, int64_t now_ms, int64_t bytes)
{
    pthread_mutex_lock(&spool->counts_lock);
    spool->counts.bytes = bytes;
    if (!stored) {
        spool->counts.turned_away++;
    } else if (sqlite3_changes(spool->db) > 0) {
        spool->counts.waiting++;
        if (spool->counts.oldest_ms == 0)
            spool->counts.oldest_ms = now_ms;
    }
    pthread_mutex_unlock(&spool->counts_lock);
}

bool spool_append(struct spool *spool, const char *id, uint32_t revision, const char *json, struct err *err)
{
    sqlite3_stmt *insert = spool->statements[APPEND];
    int64_t now_ms = clock_now_ms(), bytes;
    bool ok = false, full;

    pthread_mutex_lock(&spool->db_lock);
    bytes = size_of(spool);
    full = spool->counts.max_bytes > 0 && bytes + (int64_t)strlen(json) > spool->counts.max_bytes;
    if (!full)
        ok = sqlite3_bind_text(insert, 1, id, -1, SQLITE_STATIC) == SQLITE_OK &&
             sqlite3_bind_int64(insert, 2, revision) == SQLITE_OK &&
             sqlite3_bind_text(insert, 3, json, -1, SQLITE_STATIC) == SQLITE_OK &&
             sqlite3_bind_int64(insert, 4, now_ms) == SQLITE_OK && sqlite3_step(insert) == SQLITE_DONE;
    if (!ok && !full) {
        full = (sqlite3_errcode(spool->db) & 0xff) == SQLITE_FULL; /* the disk itself */
        failed(spool, "cannot be written", err);
    }
    if (full)
        err_set(err, ERR_UNAVAILABLE, "spool %s: full, threat %s revision %u is not kept", spool->path, id, revision);
    note_append(spool, ok, now_ms, bytes);
    sqlite3_reset(insert);
    sqlite3_clear_bindings(insert);
    pthread_mutex_unlock(&spool->db_lock);
    return ok;
}

static bool copy_row(sqlite3_stmt *statement, struct spool_row *row)
{
    const char *id = (const char *)sqlite3_column_text(statement, 1);
    const char *json = (const char *)sqlite3_column_text(statement, 3);

    row->n = sqlite3_column_int64(statement, 0);
    row->revision = (uint32_t)sqlite3_column_int64(statement, 2);
    snprintf(row->id, sizeof row->id, "%s", id ? id : "");
    row->length = (size_t)sqlite3_column_bytes(statement, 3);
    row->json = strdup(json ? json : "");
    return row->json != NULL;
}

bool spool_take(struct spool *spool, int64_t now_ms, struct spool_row *rows, size_t max, size_t max_bytes,
                size_t *taken, struct err *err)
{
    sqlite3_stmt *take = spool->statements[TAKE];
    size_t bytes = 0, n = 0;
    int step = SQLITE_DONE;
    bool ok = true;

    pthread_mutex_lock(&spool->db_lock);
    sqlite3_bind_int64(take, 1, now_ms);
    sqlite3_bind_int64(take, 2, (int64_t)max);
    while (n < max && (step = sqlite3_step(take)) == SQLITE_ROW) {
        bytes += (size_t)sqlite3_column_bytes(take, 3) + 1;
        if (n > 0 && bytes > max_bytes)
            break;
        if (!copy_row(take, &rows[n])) {
            ok = err_set(err, ERR_MEMORY, "spool: out of memory");
            break;
        }
        n++;
    }
    if (ok && step != SQLITE_ROW && step != SQLITE_DONE)
        ok = failed(spool, "cannot be read", err);
    sqlite3_reset(take);
    pthread_mutex_unlock(&spool->db_lock);
    if (!ok) {
        spool_rows_clear(rows, n);
        n = 0;
    }
    *taken = n;
    return ok;
}

/* --- evidence --- */

bool spool_evidence(struct spool *spool, const char *threat_id, const void *bytes, size_t length, struct err *err)
{
    sqlite3_stmt *keep = spool->statements[KEEP];
    bool ok = false;

    pthread_mutex_lock(&spool->db_lock);
    if (spool->counts.max_bytes > 0 && size_of(spool) + (int64_t)length > spool->counts.max_bytes / 2)
        err_set(err, ERR_UNAVAILABLE, "spool %s: no room for the packets of threat %s", spool->path, threat_id);
    else
        ok = (sqlite3_bind_text(keep, 1, threat_id, -1, SQLITE_STATIC) == SQLITE_OK &&
              sqlite3_bind_int64(keep, 2, clock_now_ms()) == SQLITE_OK &&
              sqlite3_bind_blob64(keep, 3, bytes, length, SQLITE_STATIC) == SQLITE_OK &&
              sqlite3_step(keep) == SQLITE_DONE) ||
             failed(spool, "cannot be written", err);
    sqlite3_reset(keep);
    sqlite3_clear_bindings(keep);
    ok = ok && count(spool, err);
    pthread_mutex_unlock(&spool->db_lock);
    return ok;
}

static bool copy_packets(sqlite3_stmt *row, struct spool_packets *out)
{
    const char *id = (const char *)sqlite3_column_text(row, 1);
    const void *bytes = sqlite3_column_blob(row, 2);

    *out = (struct spool_packets){.n = sqlite3_column_int64(row, 0),
                                  .length = (size_t)sqlite3_column_bytes(row, 2),
                                  .tries = sqlite3_column_int(row, 3),
                                  .since_ms = sqlite3_column_int64(row, 4)};
    snprintf(out->threat_id, sizeof out->threat_id, "%s", id ? id : "");
    out->bytes = malloc(out->length + 1);
    if (out->bytes == NULL)
        return false;
    if (out->length > 0)
        memcpy(out->bytes, bytes, out->length);
    return true;
}

bool spool_take_evidence(struct spool *spool, int64_t now_ms, struct spool_packets *out, bool *found, struct err *err)
{
    sqlite3_stmt *take = spool->statements[TAKE_KEPT];
    bool ok = true;
    int step;

    *found = false;
    pthread_mutex_lock(&spool->db_lock);
    sqlite3_bind_int64(take, 1, now_ms);
    step = sqlite3_step(take);
    if (step == SQLITE_ROW)
        ok = *found = copy_packets(take, out) || err_set(err, ERR_MEMORY, "spool: out of memory");
    else if (step != SQLITE_DONE)
        ok = failed(spool, "cannot be read", err);
    sqlite3_reset(take);
    pthread_mutex_unlock(&spool->db_lock);
    return ok;
}

bool spool_settle_evidence(struct spool *spool, int64_t n, int64_t next_ms, struct err *err)
{
    sqlite3_stmt *settle = spool->statements[next_ms == 0 ? DROP_KEPT : LATER_KEPT];
    bool ok;

    pthread_mutex_lock(&spool->db_lock);
    ok = sqlite3_bind_int64(settle, 1, n) == SQLITE_OK &&
         (next_ms == 0 || sqlite3_bind_int64(settle, 2, next_ms) == SQLITE_OK) && sqlite3_step(settle) == SQLITE_DONE;
    if (!ok)
        failed(spool, "cannot be written", err);
    sqlite3_reset(settle);
    ok = ok && count(spool, err);
    pthread_mutex_unlock(&spool->db_lock);
    return ok;
}

void spool_rows_clear(struct spool_row *rows, size_t rows_count)
{
    for (size_t i = 0; i < rows_count; i++) {
        free(rows[i].json);
        rows[i].json = NULL;
    }
}

static bool settle_one(struct spool *spool, const struct spool_answer *a)
{
    sqlite3_stmt *statement = spool->statements[a->outcome == SPOOL_DELIVERED ? DELETE : MARK];
    bool ok = sqlite3_bind_int64(statement, 1, a->n) == SQLITE_OK;

    if (ok && a->outcome != SPOOL_DELIVERED) {
        int length = a->message ? (int)strnlen(a->message, ANSWER_MAX) : 0;

        ok = sqlite3_bind_int(statement, 2, a->outcome == SPOOL_KEPT ? ROW_KEPT : ROW_REFUSED) == SQLITE_OK &&
             sqlite3_bind_int(statement, 3, a->status) == SQLITE_OK &&
             sqlite3_bind_text(statement, 4, a->message, length, SQLITE_STATIC) == SQLITE_OK &&
             sqlite3_bind_int64(statement, 5, a->outcome == SPOOL_KEPT ? a->next_ms : 0) == SQLITE_OK;
    }
    ok = ok && sqlite3_step(statement) == SQLITE_DONE;
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return ok;
}

bool spool_settle(struct spool *spool, const struct spool_answer *answers, size_t answer_count, struct err *err)
{
    bool ok;

    pthread_mutex_lock(&spool->db_lock);
    ok = run(spool, "BEGIN IMMEDIATE", err);
    if (ok) {
        for (size_t i = 0; ok && i < answer_count; i++)
            ok = settle_one(spool, &answers[i]) || failed(spool, "cannot be written", err);
        ok = ok && run(spool, "COMMIT", err);
        if (!ok)
            sqlite3_exec(spool->db, "ROLLBACK", NULL, NULL, NULL);
    }
    ok = ok && count(spool, err);
    pthread_mutex_unlock(&spool->db_lock);
    return ok;
}

int64_t spool_replay(struct spool *spool, const char *id, struct err *err)
{
    sqlite3_stmt *replay = spool->statements[REPLAY];
    int64_t moved = -1;

    pthread_mutex_lock(&spool->db_lock);
    if (sqlite3_bind_text(replay, 1, id, -1, SQLITE_STATIC) != SQLITE_OK || sqlite3_step(replay) != SQLITE_DONE)
        failed(spool, "cannot be written", err);
    else
        moved = sqlite3_changes(spool->db);
    sqlite3_reset(replay);
    sqlite3_clear_bindings(replay);
    if (moved > 0 && !count(spool, err))
        moved = -1;
    pthread_mutex_unlock(&spool->db_lock);
    return moved;
}

bool spool_wake(struct spool *spool, struct err *err)
{
    bool ok;

    pthread_mutex_lock(&spool->db_lock);
    ok = sqlite3_step(spool->statements[WAKE]) == SQLITE_DONE || failed(spool, "cannot be written", err);
    sqlite3_reset(spool->statements[WAKE]);
    pthread_mutex_unlock(&spool->db_lock);
    return ok;
}

void spool_counts(struct spool *spool, struct spool_counts *out)
{
    pthread_mutex_lock(&spool->counts_lock);
    *out = spool->counts;
    pthread_mutex_unlock(&spool->counts_lock);
}

bool spool_refresh(struct spool *spool, struct err *err)
{
    bool ok;

    pthread_mutex_lock(&spool->db_lock);
    ok = count(spool, err);
    pthread_mutex_unlock(&spool->db_lock);
    return ok;
}

static cJSON *letter(sqlite3_stmt *row)
{
    cJSON *o = cJSON_CreateObject();
    const char *id = (const char *)sqlite3_column_text(row, 0);
    const char *answer = (const char *)sqlite3_column_text(row, 4);
    const char *json = (const char *)sqlite3_column_text(row, 5);
    char since[CLOCK_TEXT];

    clock_text_ms(sqlite3_column_int64(row, 2), since);
    cJSON_AddStringToObject(o, "threat_id", id ? id : "");
    cJSON_AddNumberToObject(o, "revision", (double)sqlite3_column_int64(row, 1));
    cJSON_AddStringToObject(o, "since", since);
    cJSON_AddNumberToObject(o, "status", sqlite3_column_int(row, 3));
    cJSON_AddStringToObject(o, "message", answer ? answer : "");
    cJSON_AddRawToObject(o, "threat", json ? json : "null");
    return o;
}

cJSON *spool_dead_letters(struct spool *spool, size_t limit, struct err *err)
{
    sqlite3_stmt *letters = spool->statements[LETTERS];
    cJSON *list = cJSON_CreateArray();
    int step;

    pthread_mutex_lock(&spool->db_lock);
    sqlite3_bind_int64(letters, 1, (int64_t)limit);
    while ((step = sqlite3_step(letters)) == SQLITE_ROW)
        cJSON_AddItemToArray(list, letter(letters));
    if (step != SQLITE_DONE) {
        failed(spool, "cannot be read", err);
        cJSON_Delete(list);
        list = NULL;
    }
    sqlite3_reset(letters);
    pthread_mutex_unlock(&spool->db_lock);
    return list;
}
