/* store_sqlite_rollup.c: the counts, changed in the transaction that changes the threats. */
#include "backend/store_sqlite.h"
#include "common/clock.h"

#include <string.h>

/* How many values the bucket holds; counted once, then remembered while the bucket is in use. */
static bool values_of(struct sqlite_store *store, const struct rollup_row *row, struct sqlite_known **known,
                      struct err *err)
{
    struct sqlite_known *slot = NULL;
    sqlite3_stmt *count;

    for (size_t i = 0; i < SQLITE_KNOWN; i++) {
        slot = &store->known[i];
        if (slot->values > 0 && slot->span == (int)row->span && slot->dimension == (int)row->dimension &&
            slot->bucket == row->bucket) {
            *known = slot;
            return true;
        }
    }
    count = sqlite_statement(
        &store->writer, "SELECT count(*) + 1 FROM rollup WHERE span = ?1 AND dimension = ?2 AND bucket = ?3", err);
    if (count == NULL)
        return false;
    sqlite3_bind_int(count, 1, (int)row->span);
    sqlite3_bind_int(count, 2, (int)row->dimension);
    sqlite3_bind_int64(count, 3, row->bucket);
    if (sqlite3_step(count) != SQLITE_ROW)
        return sqlite_failed(&store->writer, "rollup", err);
    slot = &store->known[store->known_next++ % SQLITE_KNOWN];
    *slot = (struct sqlite_known){(int)row->span, (int)row->dimension, row->bucket, sqlite3_column_int64(count, 0)};
    sqlite3_reset(count);
    *known = slot;
    return true;
}

static bool step_row(struct sqlite_store *store, const char *sql, const struct rollup_row *row, const char *value,
                     struct err *err)
{
    sqlite3_stmt *statement = sqlite_statement(&store->writer, sql, err);

    if (statement == NULL)
        return false;
    sqlite3_bind_int(statement, 1, (int)row->span);
    sqlite3_bind_int(statement, 2, (int)row->dimension);
    sqlite3_bind_int64(statement, 3, row->bucket);
    sqlite3_bind_int(statement, 4, row->simulated);
    sqlite3_bind_text(statement, 5, value, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 6, row->count);
    return sqlite_run(&store->writer, statement, err);
}

/* A full set of values makes room: the rarest tenth becomes "", so that a newcomer can still grow into the tops. */
static bool fold(struct sqlite_store *store, const struct rollup_row *row, struct sqlite_known *known,
                 struct err *err)
{
    static const char sum[] = "INSERT INTO rollup SELECT span, dimension, bucket, simulated, '', sum(count) FROM "
                              "rollup WHERE span = ?1 AND "
                              "dimension = ?2 AND bucket = ?3 AND value IN (SELECT value FROM rollup WHERE span = ?1 "
                              "AND dimension = ?2 AND "
                              "bucket = ?3 AND value <> '' ORDER BY count, value LIMIT ?6) GROUP BY simulated "
                              "ON CONFLICT DO UPDATE SET count = count + excluded.count";
    static const char forget[] =
        "DELETE FROM rollup WHERE span = ?1 AND dimension = ?2 AND bucket = ?3 AND value IN (SELECT value FROM "
        "rollup "
        "WHERE span = ?1 AND dimension = ?2 AND bucket = ?3 AND value <> '' ORDER BY count, value LIMIT ?6)";
    struct rollup_row tenth = *row;

    tenth.count = ROLLUP_VALUES_EVER / 10;
    if (!step_row(store, sum, &tenth, "", err) || !step_row(store, forget, &tenth, "", err))
        return false;
    known->values -= sqlite3_changes(store->writer.db);
    return true;
}

static bool flush_row(struct sqlite_store *store, const struct rollup_row *row, struct err *err)
{
    static const char update[] = "UPDATE rollup SET count = count + ?6 WHERE span = ?1 AND dimension = ?2 AND "
                                 "bucket = ?3 AND simulated = ?4 AND value = ?5";
    static const char insert[] = "INSERT INTO rollup (span, dimension, bucket, simulated, value, count) VALUES "
                                 "(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET count = count + ?6";
    struct sqlite_known *known = NULL;
    int64_t max = row->span == ROLLUP_EVER ? ROLLUP_VALUES_EVER : ROLLUP_VALUES_MAX;

    if (!step_row(store, update, row, row->value, err))
        return false;
    if (sqlite3_changes(store->writer.db) > 0)
        return true;
    if (row->count < 0) /* counted under "" when it came in, or its minute is gone */
        return step_row(store, update, row, "", err);
    if (!values_of(store, row, &known, err))
        return false;
    if (known->values > max && row->span == ROLLUP_EVER && !fold(store, row, known, err))
        return false;
    if (known->values > max)
        return step_row(store, insert, row, "", err);
    known->values++;
    return step_row(store, insert, row, row->value, err);
}

/* Old minutes go a little at a time, with a batch that comes anyway. */
static bool prune_minutes(struct sqlite_store *store, struct err *err)
{
    int64_t minute = rollup_bucket(ROLLUP_MINUTE, clock_now_us());
    sqlite3_stmt *prune;

    if (minute == store->pruned_minute)
        return true;
    for (int d = 0; d < ROLLUP_DIMENSIONS; d++) {
        prune = sqlite_statement(&store->writer,
                                 "DELETE FROM rollup WHERE span = 0 AND dimension = ?1 AND bucket < ?2", err);
        if (prune == NULL)
            return false;
        sqlite3_bind_int(prune, 1, d);
        sqlite3_bind_int64(prune, 2, minute - ROLLUP_MINUTES_KEPT);
        if (!sqlite_run(&store->writer, prune, err))
            return false;
    }
    store->pruned_minute = minute;
    return true;
}

bool sqlite_rollup_flush(struct sqlite_store *store, struct err *err)
{
    size_t count = rollup_count(store->rollup);
    bool ok = count == 0 || prune_minutes(store, err);

    for (size_t i = 0; ok && i < count; i++) {
        struct rollup_row row = rollup_row(store->rollup, i);

        ok = row.count == 0 || flush_row(store, &row, err);
    }
    rollup_reset(store->rollup);
    return ok;
}

void sqlite_rollup_forget(struct sqlite_store *store)
{
    rollup_reset(store->rollup);
    memset(store->known, 0, sizeof store->known);
    store->pruned_minute = 0;
}

bool sqlite_rollup_read(void *connection, enum rollup_span span, enum rollup_dimension dimension, int64_t from,
                        int64_t to, rollup_visit *visit, void *context, struct err *err)
{
    struct sqlite_connection *c = connection;
    sqlite3_stmt *read = sqlite_statement(c,
                                          "SELECT bucket, simulated, value, count FROM rollup WHERE span = ?1 AND "
                                          "dimension = ?2 AND bucket >= ?3 AND bucket < ?4",
                                          err);
    struct rollup_row row = {.span = span, .dimension = dimension};
    int step;

    if (read == NULL)
        return false;
    sqlite3_bind_int(read, 1, (int)span);
    sqlite3_bind_int(read, 2, (int)dimension);
    sqlite3_bind_int64(read, 3, from);
    sqlite3_bind_int64(read, 4, to);
    while ((step = sqlite3_step(read)) == SQLITE_ROW) {
        row.bucket = sqlite3_column_int64(read, 0);
        row.simulated = sqlite3_column_int(read, 1) != 0;
        row.value = (const char *)sqlite3_column_text(read, 2);
        row.count = sqlite3_column_int64(read, 3);
        visit(context, &row);
    }
    if (step != SQLITE_DONE)
        sqlite_failed(c, "statistics", err);
    sqlite3_reset(read);
    return step == SQLITE_DONE;
}
