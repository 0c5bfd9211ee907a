/* store_sqlite_rollup.c: the counts, changed in the transaction that changes the threats. */
#include "backend/store_sqlite.h"
#include "common/clock.h"

#include <arpa/inet.h>
#include <string.h>

enum { UNCOUNTED = 512 }; /* so many new threats are counted together */

/* --- threats that are in no count yet --- */

static const char *address_text(const uint8_t *bytes, char out[INET6_ADDRSTRLEN])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

    out[0] = '\0';
    if (bytes == NULL)
        return out;
    if (memcmp(bytes, mapped, sizeof mapped) == 0)
        inet_ntop(AF_INET, bytes + sizeof mapped, out, INET6_ADDRSTRLEN);
    else
        inet_ntop(AF_INET6, bytes, out, INET6_ADDRSTRLEN);
    return out;
}

static bool add_above(struct sqlite_connection *connection, int64_t seq, struct rollup *rollup, struct err *err)
{
    static const char sql[] = "SELECT timestamp_us, simulated, suppressed_by IS NOT NULL, severity, type, status, "
                              "verdict, sensor, source, destination FROM threat WHERE seq > ?1";
    sqlite3_stmt *rows = sqlite_statement(connection, sql, err);
    int64_t now_us = clock_now_us();
    bool ok = true;
    int step = SQLITE_DONE;

    if (rows == NULL)
        return false;
    sqlite3_bind_int64(rows, 1, seq);
    while (ok && (step = sqlite3_step(rows)) == SQLITE_ROW) {
        char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];
        const struct rollup_fact fact = {.timestamp_us = sqlite3_column_int64(rows, 0),
                                         .simulated = sqlite3_column_int(rows, 1) != 0,
                                         .suppressed = sqlite3_column_int(rows, 2) != 0,
                                         .severity = (enum severity)sqlite3_column_int(rows, 3),
                                         .type = (const char *)sqlite3_column_text(rows, 4),
                                         .status = (const char *)sqlite3_column_text(rows, 5),
                                         .verdict = (const char *)sqlite3_column_text(rows, 6),
                                         .sensor = (const char *)sqlite3_column_text(rows, 7),
                                         .source = address_text(sqlite3_column_blob(rows, 8), source),
                                         .destination = address_text(sqlite3_column_blob(rows, 9), destination)};

        ok = rollup_add(rollup, &fact, 1, now_us) || err_set(err, ERR_MEMORY, "store: out of memory");
    }
    if (ok && step != SQLITE_DONE)
        ok = sqlite_failed(connection, "counts", err);
    sqlite3_reset(rows);
    return ok;
}

static bool count_all_in(struct sqlite_store *store, struct err *err)
{
    if (store->counted_seq == store->last_seq)
        return true;
    if (!add_above(&store->writer, store->counted_seq, store->rollup, err))
        return false;
    store->counted_seq = store->last_seq;
    return true;
}

bool sqlite_rollup_count(struct sqlite_store *store, const struct rollup_fact *fact, int delta, struct err *err)
{
    return count_all_in(store, err) && (rollup_add(store->rollup, fact, delta, clock_now_us()) ||
                                        err_set(err, ERR_MEMORY, "store: out of memory"));
}

/* --- writing --- */

static uint32_t bit_of(bool simulated, const char *value)
{
    uint32_t hash = 2166136261u ^ simulated;

    for (; *value != '\0'; value++)
        hash = (hash ^ (unsigned char)*value) * 16777619u;
    return (hash ^ hash >> 16) % SQLITE_KNOWN_BITS;
}

static void note_value(struct sqlite_known *known, bool simulated, const char *value)
{
    uint32_t bit = bit_of(simulated, value);

    known->bits[bit / 8] |= (uint8_t)(1u << bit % 8);
    known->values++;
}

static bool may_hold(const struct sqlite_known *known, const struct rollup_row *row)
{
    uint32_t bit = bit_of(row->simulated, row->value);

    return (known->bits[bit / 8] >> bit % 8 & 1) != 0;
}

/* What the bucket holds; read once, then remembered while the bucket is in use. */
static bool values_of(struct sqlite_store *store, const struct rollup_row *row, struct sqlite_known **known,
                      struct err *err)
{
    struct sqlite_known *slot;
    sqlite3_stmt *read;
    int step;

    for (size_t i = 0; i < SQLITE_KNOWN; i++) {
        slot = &store->known[i];
        if (slot->values > 0 && slot->span == (int)row->span && slot->dimension == (int)row->dimension &&
            slot->bucket == row->bucket) {
            *known = slot;
            return true;
        }
    }
    read = sqlite_statement(&store->writer,
                            "SELECT simulated, value FROM rollup WHERE span = ?1 AND dimension = ?2 AND bucket = ?3",
                            err);
    if (read == NULL)
        return false;
    sqlite3_bind_int(read, 1, (int)row->span);
    sqlite3_bind_int(read, 2, (int)row->dimension);
    sqlite3_bind_int64(read, 3, row->bucket);
    slot = &store->known[store->known_next++ % SQLITE_KNOWN];
    memset(slot, 0, sizeof *slot);
    while ((step = sqlite3_step(read)) == SQLITE_ROW)
        note_value(slot, sqlite3_column_int(read, 0) != 0, (const char *)sqlite3_column_text(read, 1));
    if (step != SQLITE_DONE) {
        slot->values = 0;
        sqlite_failed(&store->writer, "rollup", err);
        sqlite3_reset(read);
        return false;
    }
    sqlite3_reset(read);
    slot->span = (int)row->span;
    slot->dimension = (int)row->dimension;
    slot->bucket = row->bucket;
    slot->values++;
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

static bool as_others(struct sqlite_store *store, const struct rollup_row *row, struct err *err)
{
    struct rollup_row others = *row;

    others.value = "";
    return rollup_add_row(store->overflow, &others) || err_set(err, ERR_MEMORY, "store: out of memory");
}

/* A full set of values makes room: the rarest tenth becomes "", so that a newcomer can still grow into the tops. */
static bool fold(struct sqlite_store *store, const struct rollup_row *row, struct sqlite_known *known,
                 struct err *err)
{
    static const char sql[] =
        "DELETE FROM rollup WHERE span = ?1 AND dimension = ?2 AND bucket = ?3 AND value IN (SELECT value FROM "
        "rollup WHERE span = ?1 AND dimension = ?2 AND bucket = ?3 AND value <> '' ORDER BY count, value LIMIT ?4) "
        "RETURNING simulated, count";
    struct rollup_row gone = *row;
    sqlite3_stmt *forget = sqlite_statement(&store->writer, sql, err);
    bool ok = forget != NULL;
    int step = SQLITE_DONE;

    if (!ok)
        return false;
    sqlite3_bind_int(forget, 1, (int)row->span);
    sqlite3_bind_int(forget, 2, (int)row->dimension);
    sqlite3_bind_int64(forget, 3, row->bucket);
    sqlite3_bind_int64(forget, 4, ROLLUP_VALUES_EVER / 10);
    while (ok && (step = sqlite3_step(forget)) == SQLITE_ROW) {
        gone.simulated = sqlite3_column_int(forget, 0) != 0;
        gone.count = sqlite3_column_int64(forget, 1);
        known->values--;
        ok = as_others(store, &gone, err);
    }
    if (ok && step != SQLITE_DONE)
        ok = sqlite_failed(&store->writer, "rollup", err);
    sqlite3_reset(forget);
    return ok;
}

static const char update_row[] = "UPDATE rollup SET count = count + ?6 WHERE span = ?1 AND dimension = ?2 AND "
                                 "bucket = ?3 AND simulated = ?4 AND value = ?5";
static const char insert_row[] = "INSERT INTO rollup (span, dimension, bucket, simulated, value, count) VALUES "
                                 "(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET count = count + ?6";

/* many: the counts are of UNCOUNTED threats or more. Who is among them once is far from the tops, and takes nobody's
 * place. */
static bool flush_row(struct sqlite_store *store, const struct rollup_row *row, bool many, struct err *err)
{
    struct sqlite_known *known = NULL;
    int64_t max = row->span == ROLLUP_EVER ? ROLLUP_VALUES_EVER : ROLLUP_VALUES_MAX;

    if (row->value[0] == '\0')
        return as_others(store, row, err);
    if (!values_of(store, row, &known, err))
        return false;
    if (may_hold(known, row)) {
        if (!step_row(store, update_row, row, row->value, err))
            return false;
        if (sqlite3_changes(store->writer.db) > 0)
            return true;
    }
    if (row->count < 0) /* counted under "" when it came in, or its minute is gone */
        return as_others(store, row, err);
    if (known->values > max && row->span == ROLLUP_EVER && (row->count > 1 || !many) && !fold(store, row, known, err))
        return false;
    if (known->values > max)
        return as_others(store, row, err);
    note_value(known, row->simulated, row->value);
    return step_row(store, insert_row, row, row->value, err);
}

/* What goes below "" is not made anew when it is gone. */
static bool flush_others(struct sqlite_store *store, struct err *err)
{
    for (size_t i = 0; i < rollup_count(store->overflow); i++) {
        struct rollup_row row = rollup_row(store->overflow, i);

        if (row.count != 0 && !step_row(store, row.count < 0 ? update_row : insert_row, &row, "", err))
            return false;
    }
    return true;
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
    bool many = store->last_seq - store->counted_seq >= UNCOUNTED;
    bool ok = !many || count_all_in(store, err);
    size_t count = rollup_count(store->rollup);

    ok = ok && (count == 0 || prune_minutes(store, err)) &&
         (store->counted_seq == store->counted_before ||
          sqlite_set_meta(&store->writer, "counted_seq", store->counted_seq, err));
    for (size_t i = 0; ok && i < count; i++) {
        struct rollup_row row = rollup_row(store->rollup, i);

        ok = row.count == 0 || flush_row(store, &row, many, err);
    }
    ok = ok && flush_others(store, err);
    rollup_reset(store->rollup);
    rollup_reset(store->overflow);
    return ok;
}

void sqlite_rollup_forget(struct sqlite_store *store)
{
    rollup_reset(store->rollup);
    rollup_reset(store->overflow);
    for (size_t i = 0; i < SQLITE_KNOWN; i++)
        store->known[i].values = 0;
    store->pruned_minute = 0;
}

/* --- reading --- */

bool sqlite_counts_open(struct sqlite_counts *counts, struct sqlite_connection *connection, struct err *err)
{
    int64_t counted = 0;

    counts->connection = connection;
    counts->above = rollup_create();
    if (counts->above == NULL)
        return err_set(err, ERR_MEMORY, "store: out of memory");
    return sqlite_get_meta(connection, "counted_seq", &counted, err) &&
           add_above(connection, counted, counts->above, err);
}

void sqlite_counts_close(struct sqlite_counts *counts)
{
    rollup_free(counts->above);
}

bool sqlite_counts_read(void *counts, enum rollup_span span, enum rollup_dimension dimension, int64_t from,
                        int64_t to, rollup_visit *visit, void *context, struct err *err)
{
    const struct rollup *above = ((struct sqlite_counts *)counts)->above;
    struct sqlite_connection *c = ((struct sqlite_counts *)counts)->connection;
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
    for (size_t i = 0; above != NULL && i < rollup_count(above); i++) {
        row = rollup_row(above, i);
        if (row.span == span && row.dimension == dimension && row.bucket >= from && row.bucket < to)
            visit(context, &row);
    }
    return step == SQLITE_DONE;
}
