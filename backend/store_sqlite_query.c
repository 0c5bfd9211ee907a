/* store_sqlite_query.c: what is read, on the readers' connections; ingest never waits for it. */
#include "backend/store_sqlite.h"
#include "common/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void copy_column(sqlite3_stmt *row, int column, char *out, size_t size)
{
    const char *text = (const char *)sqlite3_column_text(row, column);

    snprintf(out, size, "%s", text != NULL ? text : "");
}

void sqlite_envelope(sqlite3_stmt *row, struct store_envelope *envelope, const char **json)
{
    envelope->seq = sqlite3_column_int64(row, 0);
    *json = (const char *)sqlite3_column_text(row, 1);
    envelope->received_ms = sqlite3_column_int64(row, 2);
    envelope->suppressed_by = (const char *)sqlite3_column_text(row, 3);
    copy_column(row, 4, envelope->triage.status, sizeof envelope->triage.status);
    copy_column(row, 5, envelope->triage.verdict, sizeof envelope->triage.verdict);
    copy_column(row, 6, envelope->triage.assignee, sizeof envelope->triage.assignee);
    envelope->triage.version = sqlite3_column_int64(row, 7);
    envelope->history = (const char *)sqlite3_column_text(row, 8);
}

char *sqlite_given(sqlite3_stmt *row, struct err *err)
{
    struct store_envelope envelope;
    const char *json = NULL;
    char *given;

    sqlite_envelope(row, &envelope, &json);
    given = json != NULL ? store_record_given(json, &envelope) : NULL;
    if (given == NULL)
        err_set(err, ERR_MEMORY, "store: out of memory");
    return given;
}

bool sqlite_threat(struct store *store, const char *id, char **json, int64_t *seq, struct triage *triage,
                   struct err *err)
{
    static const char sql[] =
        "SELECT " STORED_COLUMNS " FROM threat JOIN body ON body.seq = threat.seq WHERE threat.threat_id = ?1";
    struct sqlite_connection *reader = sqlite_lend(SQLITE_STORE(store), err);
    sqlite3_stmt *row = NULL;
    struct store_envelope envelope;
    const char *kept = NULL;
    bool ok = false;

    *json = NULL;
    if (reader == NULL)
        return false;
    row = sqlite_statement(reader, sql, err);
    if (row == NULL)
        goto done;
    sqlite3_bind_text(row, 1, id, -1, SQLITE_STATIC);
    switch (sqlite3_step(row)) {
    case SQLITE_ROW:
        sqlite_envelope(row, &envelope, &kept);
        *json = sqlite_given(row, err);
        *seq = envelope.seq;
        if (triage != NULL)
            *triage = envelope.triage;
        ok = *json != NULL;
        break;
    case SQLITE_DONE:
        err_set(err, ERR_NOT_FOUND, "threat %s: no such threat", id);
        break;
    default:
        sqlite_failed(reader, id, err);
    }
done:
    sqlite3_reset(row);
    sqlite_return(SQLITE_STORE(store), reader);
    return ok;
}

/* Threats and monitoring events share one sequence: two ordered reads are merged. */
struct event_sources {
    struct sqlite_connection *reader;
    sqlite3_stmt *threats, *monitoring;
    int64_t threat_seq, monitoring_seq; /* of the row each stands at; INT64_MAX at the end */
};

static bool advance(struct event_sources *from, sqlite3_stmt *statement, int64_t *seq, struct err *err)
{
    int step = sqlite3_step(statement);

    *seq = step == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : INT64_MAX;
    return step == SQLITE_ROW || step == SQLITE_DONE || sqlite_failed(from->reader, "events", err);
}

static bool give_event(struct event_sources *from, int64_t after_seq, store_each_event *each, void *context,
                       bool *more, struct err *err)
{
    struct store_envelope envelope = {0};
    const char *kept;
    char *json;

    if (from->monitoring_seq < from->threat_seq) {
        *more = each(context, from->monitoring_seq, EVENT_MONITORING,
                     (const char *)sqlite3_column_text(from->monitoring, 1));
        return advance(from, from->monitoring, &from->monitoring_seq, err);
    }
    envelope.seq = sqlite3_column_int64(from->threats, 1);
    envelope.received_ms = sqlite3_column_int64(from->threats, 3);
    envelope.suppressed_by = NULL;
    copy_column(from->threats, 4, envelope.triage.status, sizeof envelope.triage.status);
    copy_column(from->threats, 5, envelope.triage.verdict, sizeof envelope.triage.verdict);
    copy_column(from->threats, 6, envelope.triage.assignee, sizeof envelope.triage.assignee);
    envelope.triage.version = sqlite3_column_int64(from->threats, 7);
    envelope.history = (const char *)sqlite3_column_text(from->threats, 8);
    kept = (const char *)sqlite3_column_text(from->threats, 2);
    json = kept != NULL ? store_record_given(kept, &envelope) : NULL;
    if (json == NULL)
        return err_set(err, ERR_MEMORY, "store: out of memory");
    /* Whoever asks has not seen it at all when it arrived after what they saw last. */
    *more = each(context, from->threat_seq, envelope.seq > after_seq ? EVENT_THREAT_DETECTED : EVENT_THREAT_UPDATED,
                 json);
    free(json);
    return advance(from, from->threats, &from->threat_seq, err);
}

bool sqlite_events(struct store *store, int64_t after_seq, size_t limit, store_each_event *each, void *context,
                   struct err *err)
{
    static const char threats[] =
        "SELECT threat.event_seq, threat.seq, body.json, threat.received_ms, threat.status, threat.verdict, "
        "threat.assignee, threat.version, body.history FROM threat INDEXED BY threat_event "
        "CROSS JOIN body ON body.seq = threat.seq "
        "WHERE threat.event_seq > ?1 AND threat.suppressed_by IS NULL ORDER BY threat.event_seq LIMIT ?2";
    static const char monitoring[] = "SELECT seq, json FROM monitoring WHERE seq > ?1 ORDER BY seq LIMIT ?2";
    struct event_sources from = {.reader = sqlite_lend(SQLITE_STORE(store), err)};
    bool ok = false, more = true;

    if (from.reader == NULL)
        return false;
    from.threats = sqlite_statement(from.reader, threats, err);
    from.monitoring = sqlite_statement(from.reader, monitoring, err);
    if (from.threats == NULL || from.monitoring == NULL || !sqlite_text(from.reader, "BEGIN", err))
        goto done;
    sqlite3_bind_int64(from.threats, 1, after_seq);
    sqlite3_bind_int64(from.threats, 2, (int64_t)limit);
    sqlite3_bind_int64(from.monitoring, 1, after_seq);
    sqlite3_bind_int64(from.monitoring, 2, (int64_t)limit);
    ok = advance(&from, from.threats, &from.threat_seq, err) &&
         advance(&from, from.monitoring, &from.monitoring_seq, err);
    for (size_t n = 0; ok && more && n < limit && (from.threat_seq != INT64_MAX || from.monitoring_seq != INT64_MAX);
         n++)
        ok = give_event(&from, after_seq, each, context, &more, err);
    sqlite3_reset(from.threats);
    sqlite3_reset(from.monitoring);
    sqlite3_exec(from.reader->db, "COMMIT", NULL, NULL, NULL);
done:
    sqlite_return(SQLITE_STORE(store), from.reader);
    return ok;
}

static bool read_meta(struct store *store, const char *key, int64_t *value, struct err *err)
{
    struct sqlite_connection *reader = sqlite_lend(SQLITE_STORE(store), err);
    bool ok;

    if (reader == NULL)
        return false;
    ok = sqlite_get_meta(reader, key, value, err);
    sqlite_return(SQLITE_STORE(store), reader);
    return ok;
}

bool sqlite_last_seq(struct store *store, int64_t *seq, struct err *err)
{
    return read_meta(store, "last_seq", seq, err);
}

bool sqlite_first_seq(struct store *store, int64_t *seq, struct err *err)
{
    if (!read_meta(store, "removed_seq", seq, err))
        return false;
    (*seq)++;
    return true;
}

bool sqlite_statistics(struct store *store, const struct store_span *span, char **json, struct err *err)
{
    struct sqlite_connection *reader = sqlite_lend(SQLITE_STORE(store), err);
    struct sqlite_counts counts = {0};
    bool ok;

    *json = NULL;
    if (reader == NULL)
        return false;
    ok = sqlite_text(reader, "BEGIN", err) /* one moment for all sums */ &&
         sqlite_counts_open(&counts, reader, err) &&
         rollup_statistics(span, clock_now_us(), sqlite_counts_read, &counts, json, err);
    sqlite_counts_close(&counts);
    if (sqlite3_get_autocommit(reader->db) == 0)
        sqlite3_exec(reader->db, "COMMIT", NULL, NULL, NULL);
    sqlite_return(SQLITE_STORE(store), reader);
    return ok;
}

bool sqlite_get_evidence(struct store *store, const char *id, void **bytes, size_t *length, struct err *err)
{
    struct sqlite_connection *reader = sqlite_lend(SQLITE_STORE(store), err);
    sqlite3_stmt *get = NULL;
    bool ok = false;
    int step;

    *bytes = NULL;
    if (reader == NULL)
        return false;
    get = sqlite_statement(reader, "SELECT bytes FROM evidence WHERE threat_id = ?1", err);
    if (get == NULL)
        goto done;
    sqlite3_bind_text(get, 1, id, -1, SQLITE_STATIC);
    step = sqlite3_step(get);
    if (step == SQLITE_ROW) {
        *length = (size_t)sqlite3_column_bytes(get, 0);
        *bytes = malloc(*length + 1);
        ok = *bytes != NULL || err_set(err, ERR_MEMORY, "store: out of memory");
        if (ok && *length > 0)
            memcpy(*bytes, sqlite3_column_blob(get, 0), *length);
    } else if (step == SQLITE_DONE) {
        err_set(err, ERR_NOT_FOUND, "threat %s: no packets are kept", id);
    } else {
        sqlite_failed(reader, id, err);
    }
done:
    sqlite3_reset(get);
    sqlite_return(SQLITE_STORE(store), reader);
    return ok;
}
