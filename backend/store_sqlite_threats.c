/* store_sqlite_threats.c: everything that changes threats, each in one transaction with its counts and its event. */
#include "backend/store_sqlite_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the store knows of a threat before it changes. */
struct known_threat {
    int64_t seq;
    uint32_t revision;
    uint64_t digest;
    char *json, *history, *suppressed_by;
    char *type, *sensor, *source, *destination; /* as counted */
    enum severity severity;
    bool simulated;
    int64_t timestamp_us, received_ms;
    struct triage triage;
};

static void known_clear(struct known_threat *known)
{
    free(known->json);
    free(known->history);
    free(known->suppressed_by);
    free(known->type);
    free(known->sensor);
    free(known->source);
    free(known->destination);
    memset(known, 0, sizeof *known);
}

static char *column_copy(sqlite3_stmt *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row, column);

    return text != NULL ? strdup(text) : NULL;
}

static void column_into(sqlite3_stmt *row, int column, char *out, size_t size)
{
    const char *text = (const char *)sqlite3_column_text(row, column);

    snprintf(out, size, "%s", text != NULL ? text : "");
}

static char *member_copy(const cJSON *record, const char *name)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(record, name);

    return strdup(cJSON_IsString(member) ? member->valuestring : "");
}

/* ERR_NOT_FOUND when there is none. */
static bool known_read(struct sqlite_store *store, const char *id, struct known_threat *known, struct err *err)
{
    static const char sql[] =
        "SELECT threat.seq, revision, digest, json, history, suppressed_by, type, sensor, severity, simulated, "
        "timestamp_us, received_ms, status, verdict, assignee, version FROM threat JOIN body USING (seq) "
        "WHERE threat_id = ?1";
    sqlite3_stmt *row = sqlite_statement(&store->writer, sql, err);
    cJSON *record = NULL;
    int step;

    memset(known, 0, sizeof *known);
    if (row == NULL)
        return false;
    sqlite3_bind_text(row, 1, id, -1, SQLITE_STATIC);
    step = sqlite3_step(row);
    if (step != SQLITE_ROW) {
        if (step == SQLITE_DONE)
            err_set(err, ERR_NOT_FOUND, "threat %s: no such threat", id);
        else
            sqlite_failed(&store->writer, id, err);
        sqlite3_reset(row);
        return false;
    }
    known->seq = sqlite3_column_int64(row, 0);
    known->revision = (uint32_t)sqlite3_column_int64(row, 1);
    known->digest = (uint64_t)sqlite3_column_int64(row, 2);
    known->json = column_copy(row, 3);
    known->history = column_copy(row, 4);
    known->suppressed_by = column_copy(row, 5);
    known->type = column_copy(row, 6);
    known->sensor = column_copy(row, 7);
    known->severity = (enum severity)sqlite3_column_int(row, 8);
    known->simulated = sqlite3_column_int(row, 9) != 0;
    known->timestamp_us = sqlite3_column_int64(row, 10);
    known->received_ms = sqlite3_column_int64(row, 11);
    column_into(row, 12, known->triage.status, sizeof known->triage.status);
    column_into(row, 13, known->triage.verdict, sizeof known->triage.verdict);
    column_into(row, 14, known->triage.assignee, sizeof known->triage.assignee);
    known->triage.version = sqlite3_column_int64(row, 15);
    sqlite3_reset(row);
    record = known->json != NULL ? cJSON_Parse(known->json) : NULL;
    known->source = member_copy(record, "source_ip");
    known->destination = member_copy(record, "destination_ip");
    cJSON_Delete(record);
    if (known->json != NULL && known->type != NULL && known->sensor != NULL && known->source != NULL &&
        known->destination != NULL)
        return true;
    known_clear(known);
    return err_set(err, ERR_MEMORY, "threat %s: out of memory", id);
}

static struct rollup_fact fact_of(const struct known_threat *known)
{
    return (struct rollup_fact){.timestamp_us = known->timestamp_us,
                                .simulated = known->simulated,
                                .suppressed = known->suppressed_by != NULL,
                                .severity = known->severity,
                                .type = known->type,
                                .status = known->triage.status,
                                .verdict = known->triage.verdict,
                                .sensor = known->sensor,
                                .source = known->source,
                                .destination = known->destination};
}

static struct store_envelope envelope_of(const struct known_threat *known)
{
    return (struct store_envelope){.seq = known->seq,
                                   .received_ms = known->received_ms,
                                   .suppressed_by = known->suppressed_by,
                                   .triage = known->triage,
                                   .history = known->history};
}

static bool add_words(struct sqlite_store *store, int64_t seq, const struct store_record *record, struct err *err)
{
    bool ok = true;

    for (size_t i = 0; ok && i < record->word_count; i++)
        ok = words_change(store->words, record->words[i], seq, true, err);
    return ok;
}

/* A clean text of a column, or NULL. */
static void bind_text(sqlite3_stmt *statement, int at, const char *text)
{
    if (text != NULL)
        sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
}

static void bind_threat(sqlite3_stmt *add, const struct store_item *item, const struct store_record *record,
                        int64_t seq)
{
    const struct threat *threat = item->threat;

    sqlite3_bind_int64(add, 1, seq);
    bind_text(add, 2, threat->id);
    sqlite3_bind_int64(add, 3, threat->revision);
    sqlite3_bind_int64(add, 4, (int64_t)record->digest);
    bind_text(add, 5, threat->type);
    sqlite3_bind_int(add, 6, (int)threat->severity);
    sqlite3_bind_blob(add, 7, record->source, 16, SQLITE_STATIC);
    sqlite3_bind_blob(add, 8, record->destination, 16, SQLITE_STATIC);
    if (threat->source_port >= 0)
        sqlite3_bind_int(add, 9, threat->source_port);
    if (threat->destination_port >= 0)
        sqlite3_bind_int(add, 10, threat->destination_port);
    bind_text(add, 11, threat->protocol);
    bind_text(add, 12, store_record_sensor(item));
    sqlite3_bind_double(add, 13, threat->confidence);
    sqlite3_bind_int64(add, 14, threat->timestamp_us);
    sqlite3_bind_int64(add, 15, item->received_ms);
    bind_text(add, 16, item->suppressed_by);
    sqlite3_bind_int(add, 17, record->simulated);
    bind_text(add, 18, record->job[0] != '\0' ? record->job : NULL);
}

static bool add_body(struct sqlite_store *store, const struct store_item *item, const char *json, int64_t seq,
                     struct err *err)
{
    static const char sql[] = "INSERT INTO body (seq, json, address, user_agent) VALUES (?1, ?2, ?3, ?4)";
    sqlite3_stmt *add = sqlite_statement(&store->writer, sql, err);

    if (add == NULL)
        return false;
    sqlite3_bind_int64(add, 1, seq);
    bind_text(add, 2, json);
    bind_text(add, 3, item->address);
    bind_text(add, 4, item->user_agent);
    return sqlite_run(&store->writer, add, err);
}

/* True with item->result STORE_STORED, or as it was when the id is known already. */
static bool add_new(struct sqlite_store *store, struct store_item *item, const struct store_record *record,
                    struct err *err)
{
    static const char sql[] =
        "INSERT INTO threat (seq, event_seq, threat_id, revision, digest, type, severity, status, verdict, assignee, "
        "source, destination, source_port, destination_port, protocol, sensor, confidence, timestamp_us, "
        "received_ms, "
        "suppressed_by, simulated, commented, job, version) VALUES (?1, ?1, ?2, ?3, ?4, ?5, ?6, 'new', '', '', ?7, "
        "?8, "
        "?9, ?10, upper(?11), ?12, ?13, ?14, ?15, ?16, ?17, 0, ?18, 1) ON CONFLICT (threat_id) DO NOTHING";
    struct store_envelope envelope = {.seq = store->last_seq + 1,
                                      .received_ms = item->received_ms,
                                      .suppressed_by = item->suppressed_by,
                                      .triage = {.status = "new", .version = 1}};
    sqlite3_stmt *add = sqlite_statement(&store->writer, sql, err);

    if (add == NULL)
        return false;
    bind_threat(add, item, record, envelope.seq);
    if (!sqlite_run(&store->writer, add, err))
        return false;
    if (sqlite3_changes(store->writer.db) == 0)
        return true;
    item->json = store_record_given(record->json, &envelope);
    if (item->json == NULL)
        return err_set(err, ERR_MEMORY, "threat %s: out of memory", item->threat->id);
    store->last_seq = item->seq = envelope.seq;
    item->result = STORE_STORED;
    return add_body(store, item, record->json, envelope.seq, err) && add_words(store, envelope.seq, record, err);
}

static bool write_revision(struct sqlite_store *store, const struct known_threat *known, const struct threat *merged,
                           const struct store_record *record, int64_t event_seq, struct err *err)
{
    static const char sql[] = "UPDATE threat SET event_seq = ?2, revision = ?3, digest = ?4, severity = ?5, "
                              "confidence = ?6, suppressed_by = ?7 WHERE seq = ?1";
    static const char body[] = "UPDATE body SET json = ?2 WHERE seq = ?1";
    sqlite3_stmt *change = sqlite_statement(&store->writer, sql, err);
    sqlite3_stmt *keep = sqlite_statement(&store->writer, body, err);

    if (change == NULL || keep == NULL)
        return false;
    sqlite3_bind_int64(change, 1, known->seq);
    sqlite3_bind_int64(change, 2, event_seq);
    sqlite3_bind_int64(change, 3, merged->revision);
    sqlite3_bind_int64(change, 4, (int64_t)record->digest);
    sqlite3_bind_int(change, 5, (int)merged->severity);
    sqlite3_bind_double(change, 6, merged->confidence);
    bind_text(change, 7, known->suppressed_by);
    sqlite3_bind_int64(keep, 1, known->seq);
    bind_text(keep, 2, record->json);
    return sqlite_run(&store->writer, change, err) && sqlite_run(&store->writer, keep, err) &&
           sqlite_zone_widen(store, known->seq, err);
}

/* A higher revision of a known threat. The digest kept is that of the newer body as sent, so that sending it once
 * more is a duplicate and no difference. */
static bool update(struct sqlite_store *store, struct store_item *item, struct known_threat *known, uint64_t digest,
                   struct err *err)
{
    struct rollup_fact before = fact_of(known), after;
    struct threat merged = {0};
    struct store_record record = {0};
    struct store_envelope envelope;
    bool ok;

    if (!sqlite_rollup_count(store, &before, -1, err) ||
        !sqlite_remove_words(store, known->seq, known->json, NULL, NULL, err) ||
        !store_record_merge(&merged, known->json, item->threat, err))
        return false;
    ok = store_record_make(&record, &merged, err);
    record.digest = digest;
    free(known->suppressed_by); /* rules may have come or gone since */
    known->suppressed_by = item->suppressed_by != NULL ? strdup(item->suppressed_by) : NULL;
    if (item->suppressed_by != NULL && known->suppressed_by == NULL)
        ok = err_set(err, ERR_MEMORY, "store: out of memory");
    known->severity = merged.severity;
    after = fact_of(known);
    envelope = envelope_of(known);
    ok = ok && write_revision(store, known, &merged, &record, store->last_seq + 1, err) &&
         add_words(store, known->seq, &record, err) && sqlite_rollup_count(store, &after, 1, err);
    if (ok) {
        item->json = store_record_given(record.json, &envelope);
        item->seq = ++store->last_seq;
        item->result = STORE_UPDATED;
        ok = item->json != NULL || err_set(err, ERR_MEMORY, "threat %s: out of memory", item->threat->id);
    }
    store_record_clear(&record);
    threat_clear(&merged);
    return ok;
}

/* room: for the record of an item that brings none. */
static bool insert_one(struct sqlite_store *store, struct store_item *item, struct store_record *room,
                       struct err *err)
{
    const struct store_record *record = item->record != NULL ? item->record : room;
    struct known_threat known = {0};
    struct err refusal = {0};
    bool ok = false;

    if (item->record == NULL && !store_record_of(room, item, &refusal)) {
        snprintf(item->message, sizeof item->message, "%.*s", (int)sizeof item->message - 1, refusal.text);
        item->result = STORE_REFUSED;
        return refusal.code == ERR_INVALID || err_set(err, refusal.code, "%s", refusal.text);
    }
    if (!add_new(store, item, record, err))
        goto done;
    ok = true;
    if (item->result == STORE_STORED)
        goto done;
    ok = known_read(store, item->threat->id, &known, err);
    if (!ok)
        goto done;
    if (item->threat->revision > known.revision)
        ok = update(store, item, &known, record->digest, err);
    else if (item->threat->revision == known.revision && record->digest != known.digest)
        item->result = STORE_DIFFERENT;
    else
        item->result = STORE_DUPLICATE;
done:
    known_clear(&known);
    if (record == room)
        store_record_clear(room);
    return ok;
}

/* Nothing of a batch that failed may be taken for stored. */
static void forget_results(struct store_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(items[i].json);
        items[i].json = NULL;
        items[i].seq = 0;
        items[i].result = STORE_REFUSED;
    }
}

bool sqlite_insert(struct store *store, struct store_item *items, size_t count, struct err *err)
{
    struct sqlite_store *s = SQLITE_STORE(store);
    struct store_record *record = malloc(sizeof *record);
    bool ok = record != NULL || err_set(err, ERR_MEMORY, "store: out of memory");

    if (!ok || !sqlite_begin(s, err)) {
        free(record);
        return false;
    }
    for (size_t i = 0; ok && i < count; i++)
        ok = insert_one(s, &items[i], record, err);
    free(record);
    ok = ok && sqlite_rollup_flush(s, err) && words_flush(s, err) && sqlite_zone_close(s, err) &&
         (s->last_seq == s->seq_before || sqlite_set_meta(&s->writer, "last_seq", s->last_seq, err));
    if (!ok)
        sqlite_rollback(s);
    if (ok && sqlite_commit(s, err))
        return true;
    forget_results(items, count);
    return false;
}

bool sqlite_add_monitoring(struct store *store, const char *json, int64_t *seq, struct err *err)
{
    struct sqlite_store *s = SQLITE_STORE(store);
    sqlite3_stmt *add;
    bool ok;

    if (!sqlite_begin(s, err))
        return false;
    add = sqlite_statement(&s->writer, "INSERT INTO monitoring (seq, json) VALUES (?1, ?2)", err);
    ok = add != NULL;
    if (ok) {
        sqlite3_bind_int64(add, 1, s->last_seq + 1);
        bind_text(add, 2, json);
        ok = sqlite_run(&s->writer, add, err) && sqlite_set_meta(&s->writer, "last_seq", s->last_seq + 1, err);
    }
    if (!ok) {
        sqlite_rollback(s);
        return false;
    }
    *seq = ++s->last_seq;
    return sqlite_commit(s, err);
}

static bool write_triage(struct sqlite_store *store, const struct known_threat *known, bool commented,
                         const char *history, struct err *err)
{
    static const char sql[] =
        "UPDATE threat SET event_seq = ?2, status = ?3, verdict = ?4, assignee = ?5, version = ?6, "
        "commented = commented OR ?7 WHERE seq = ?1";
    sqlite3_stmt *change = sqlite_statement(&store->writer, sql, err);
    sqlite3_stmt *body = sqlite_statement(&store->writer, "UPDATE body SET history = ?2 WHERE seq = ?1", err);

    if (change == NULL || body == NULL)
        return false;
    sqlite3_bind_int64(change, 1, known->seq);
    sqlite3_bind_int64(change, 2, store->last_seq + 1);
    bind_text(change, 3, known->triage.status);
    bind_text(change, 4, known->triage.verdict);
    bind_text(change, 5, known->triage.assignee);
    sqlite3_bind_int64(change, 6, known->triage.version);
    sqlite3_bind_int(change, 7, commented);
    sqlite3_bind_int64(body, 1, known->seq);
    bind_text(body, 2, history);
    return sqlite_run(&store->writer, change, err) && sqlite_run(&store->writer, body, err) &&
           sqlite_zone_widen(store, known->seq, err);
}

static bool triage_known(struct sqlite_store *store, struct known_threat *known, const struct store_change *change,
                         char **json, struct err *err)
{
    struct rollup_fact before = fact_of(known), after;
    struct store_record *words = calloc(1, sizeof *words);
    struct store_envelope envelope;
    char *history = NULL;
    bool ok = words != NULL || err_set(err, ERR_MEMORY, "store: out of memory");

    ok = ok && sqlite_rollup_count(store, &before, -1, err) &&
         store_record_change(&known->triage, known->history, change, &history, err);
    if (ok && change->comment != NULL)
        store_record_add_words(words, change->comment);
    after = fact_of(known);
    ok = ok && sqlite_rollup_count(store, &after, 1, err) &&
         write_triage(store, known, change->comment != NULL, history, err) &&
         add_words(store, known->seq, words, err) && sqlite_rollup_flush(store, err) && words_flush(store, err) &&
         sqlite_set_meta(&store->writer, "last_seq", store->last_seq + 1, err);
    if (ok) {
        envelope = envelope_of(known);
        envelope.history = history;
        *json = store_record_given(known->json, &envelope);
        ok = *json != NULL || err_set(err, ERR_MEMORY, "store: out of memory");
    }
    free(history);
    free(words);
    return ok;
}

bool sqlite_triage(struct store *store, const char *id, const struct store_change *change, int64_t *seq, char **json,
                   struct err *err)
{
    struct sqlite_store *s = SQLITE_STORE(store);
    struct known_threat known = {0};
    bool ok;

    *json = NULL;
    if (!sqlite_begin(s, err))
        return false;
    ok = known_read(s, id, &known, err) && triage_known(s, &known, change, json, err);
    known_clear(&known);
    if (!ok) {
        sqlite_rollback(s);
        return false;
    }
    *seq = ++s->last_seq;
    if (sqlite_commit(s, err))
        return true;
    free(*json);
    *json = NULL;
    return false;
}

bool sqlite_put_evidence(struct store *store, const char *id, const void *bytes, size_t length, struct err *err)
{
    struct sqlite_store *s = SQLITE_STORE(store);
    sqlite3_stmt *put;
    bool ok;

    if (!sqlite_begin(s, err))
        return false;
    put = sqlite_statement(&s->writer,
                           "INSERT INTO evidence (threat_id, bytes) SELECT threat_id, ?2 FROM threat WHERE "
                           "threat_id = ?1 ON CONFLICT (threat_id) DO UPDATE SET bytes = ?2",
                           err);
    ok = put != NULL;
    if (ok) {
        bind_text(put, 1, id);
        sqlite3_bind_blob64(put, 2, length > 0 ? bytes : "", length, SQLITE_STATIC);
        ok = sqlite_run(&s->writer, put, err);
    }
    if (ok && sqlite3_changes(s->writer.db) == 0)
        ok = err_set(err, ERR_NOT_FOUND, "threat %s: no such threat", id);
    if (ok)
        return sqlite_commit(s, err);
    sqlite_rollback(s);
    return false;
}
