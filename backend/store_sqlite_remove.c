/* store_sqlite_remove.c: takes threats out, a few hundred in a transaction, so that ingest gets its turns. */
#include "backend/store_sqlite_search.h"
#include "backend/store_sqlite_words.h"
#include "common/clock.h"
#include "common/json.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK = 500 };

struct removed {
    int64_t seq, event_seq;
    char *id;
};

static bool remove_word_list(struct sqlite_store *store, int64_t seq, const struct store_record *record,
                             struct err *err)
{
    bool ok = true;

    for (size_t i = 0; ok && i < record->word_count; i++)
        ok = words_change(store->words, record->words[i], seq, false, err);
    return ok;
}

static bool remove_comment_words(struct sqlite_store *store, int64_t seq, const char *history, struct err *err)
{
    cJSON *entries = history != NULL ? cJSON_Parse(history) : NULL;
    struct store_record *words = calloc(1, sizeof *words);
    bool ok = words != NULL || err_set(err, ERR_MEMORY, "store: out of memory");
    const cJSON *entry;

    cJSON_ArrayForEach(entry, entries)
    {
        const cJSON *comment = cJSON_GetObjectItemCaseSensitive(entry, "comment");

        if (!ok || !cJSON_IsString(comment))
            continue;
        memset(words, 0, sizeof *words);
        store_record_add_words(words, comment->valuestring);
        ok = remove_word_list(store, seq, words, err);
    }
    free(words);
    cJSON_Delete(entries);
    return ok;
}

bool sqlite_remove_words(struct sqlite_store *store, int64_t seq, const char *json, const char *sensor,
                         const char *history, struct err *err)
{
    cJSON *object = json_parse(json, strlen(json), err);
    struct store_record *record = calloc(1, sizeof *record);
    struct threat threat = {0};
    bool ok = object != NULL && record != NULL && threat_from_json(&threat, object, NULL, NULL, err) &&
              store_record_make(record, &threat, err);

    if (ok && sensor != NULL)
        store_record_add_words(record, sensor);
    ok = ok && remove_word_list(store, seq, record, err) && remove_comment_words(store, seq, history, err);
    if (record != NULL)
        store_record_clear(record);
    free(record);
    threat_clear(&threat);
    cJSON_Delete(object);
    return ok;
}

/* Counts one out and takes its words; json and history are borrowed from the row. */
static bool take_out(struct sqlite_store *store, sqlite3_stmt *row, struct err *err)
{
    const char *json = (const char *)sqlite3_column_text(row, 3);
    cJSON *object = json != NULL ? cJSON_Parse(json) : NULL;
    const cJSON *source = cJSON_GetObjectItemCaseSensitive(object, "source_ip");
    const cJSON *destination = cJSON_GetObjectItemCaseSensitive(object, "destination_ip");
    struct rollup_fact fact = {.timestamp_us = sqlite3_column_int64(row, 5),
                               .simulated = sqlite3_column_int(row, 6) != 0,
                               .suppressed = sqlite3_column_int(row, 7) != 0,
                               .severity = (enum severity)sqlite3_column_int(row, 8),
                               .type = (const char *)sqlite3_column_text(row, 9),
                               .status = (const char *)sqlite3_column_text(row, 10),
                               .verdict = (const char *)sqlite3_column_text(row, 11),
                               .sensor = (const char *)sqlite3_column_text(row, 12),
                               .source = cJSON_IsString(source) ? source->valuestring : "",
                               .destination = cJSON_IsString(destination) ? destination->valuestring : ""};
    bool ok = (json != NULL || err_set(err, ERR_MEMORY, "store: out of memory")) &&
              sqlite_rollup_count(store, &fact, -1, err);

    cJSON_Delete(object);
    return ok && sqlite_remove_words(store, sqlite3_column_int64(row, 0), json, fact.sensor,
                                     (const char *)sqlite3_column_text(row, 4), err);
}

/* received_ms follows seq closely, so the first seq that is not old enough is found by halving. */
static bool first_young(struct sqlite_store *store, int64_t before_ms, int64_t *seq, struct err *err)
{
    sqlite3_stmt *get = sqlite_statement(
        &store->writer, "SELECT seq, received_ms FROM threat WHERE seq >= ?1 ORDER BY seq LIMIT 1", err);
    int64_t low = 1, high = store->last_seq + 1; /* everything below low is old, what is at high or above is not */

    if (get == NULL)
        return false;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        int step;

        sqlite3_bind_int64(get, 1, middle);
        step = sqlite3_step(get);
        if (step == SQLITE_ROW && sqlite3_column_int64(get, 1) < before_ms)
            low = sqlite3_column_int64(get, 0) + 1;
        else
            high = middle;
        sqlite3_reset(get);
        if (step != SQLITE_ROW && step != SQLITE_DONE)
            return sqlite_failed(&store->writer, "retention", err);
    }
    *seq = low;
    return true;
}

static void write_pick(struct sql *sql, const struct store_removal *removal, int64_t young, size_t limit)
{
    sql->text.max = SQL_TEXT_MAX;
    sql_add(sql, "SELECT threat.seq, event_seq, threat_id, json, history, timestamp_us, simulated, "
                 "suppressed_by IS NOT NULL, severity, type, status, verdict, sensor FROM threat CROSS JOIN body "
                 "ON body.seq = threat.seq WHERE ");
    if (removal->search != NULL)
        sql_condition(sql, removal->search);
    else
        sql_add(sql, "1");
    if (removal->received_before_ms > 0) {
        sql_add(sql, " AND received_ms < ");
        sql_integer(sql, removal->received_before_ms);
        sql_add(sql, " AND threat.seq < ");
        sql_integer(sql, young);
    }
    if (removal->keep_marked)
        sql_add(sql, " AND status <> 'escalated' AND commented = 0");
    sql_add(sql, " ORDER BY threat.seq LIMIT ");
    sql_integer(sql, (int64_t)limit);
}

static bool delete_by(struct sqlite_store *store, const char *sql, const struct removed *one, struct err *err)
{
    sqlite3_stmt *remove = sqlite_statement(&store->writer, sql, err);

    if (remove == NULL)
        return false;
    sqlite3_bind_int64(remove, 1, one->seq);
    sqlite3_bind_text(remove, 2, one->id, -1, SQLITE_STATIC);
    return sqlite_run(&store->writer, remove, err);
}

static bool delete_all(struct sqlite_store *store, const struct removed *picked, size_t count, struct err *err)
{
    int64_t floor = 0;
    bool ok = sqlite_get_meta(&store->writer, "removed_seq", &floor, err);

    for (size_t i = 0; ok && i < count; i++) {
        floor = picked[i].event_seq > floor ? picked[i].event_seq : floor;
        ok = delete_by(store, "DELETE FROM threat WHERE seq = ?1 AND threat_id = ?2", &picked[i], err) &&
             delete_by(store, "DELETE FROM body WHERE seq = ?1 AND ?2 IS NOT NULL", &picked[i], err) &&
             delete_by(store, "DELETE FROM evidence WHERE threat_id = ?2 AND ?1 IS NOT NULL", &picked[i], err);
    }
    return ok && sqlite_set_meta(&store->writer, "removed_seq", floor, err) && sqlite_zone_trim(store, err);
}

/* Finds up to limit, counts them out and forgets their words, all within the transaction. */
static bool pick(struct sqlite_store *store, const struct store_removal *removal, size_t limit,
                 struct removed *picked, size_t *count, struct err *err)
{
    struct sql *sql = calloc(1, sizeof *sql);
    sqlite3_stmt *rows = NULL;
    bool ok = sql != NULL || err_set(err, ERR_MEMORY, "store: out of memory");
    int64_t young = 0;
    int step = SQLITE_DONE;

    if (ok && removal->received_before_ms > 0)
        ok = first_young(store, removal->received_before_ms, &young, err);
    if (ok) {
        write_pick(sql, removal, young, limit);
        rows = sql_prepare(sql, &store->writer, err);
        ok = rows != NULL;
    }
    for (*count = 0; ok && *count < limit && (step = sqlite3_step(rows)) == SQLITE_ROW;) {
        struct removed *one = &picked[*count];

        one->seq = sqlite3_column_int64(rows, 0);
        one->event_seq = sqlite3_column_int64(rows, 1);
        one->id = strdup((const char *)sqlite3_column_text(rows, 2));
        if (one->id == NULL) {
            ok = err_set(err, ERR_MEMORY, "store: out of memory");
            break;
        }
        (*count)++;
        ok = take_out(store, rows, err);
    }
    if (ok && step != SQLITE_DONE && step != SQLITE_ROW)
        ok = sqlite_failed(&store->writer, "remove", err);
    sqlite3_finalize(rows);
    if (sql != NULL)
        sql_clear(sql);
    free(sql);
    return ok;
}

static bool remove_chunk(struct sqlite_store *store, const struct store_removal *removal, size_t limit,
                         struct removed *picked, size_t *count, struct err *err)
{
    *count = 0;
    if (!sqlite_begin(store, err))
        return false;
    if (pick(store, removal, limit, picked, count, err) && delete_all(store, picked, *count, err) &&
        sqlite_rollup_flush(store, err) && words_flush(store, err))
        return sqlite_commit(store, err);
    sqlite_rollback(store);
    return false;
}

static bool tell_all(struct sqlite_store *store, store_each_id *each, void *context, int64_t *count, struct err *err)
{
    sqlite3_stmt *ids = sqlite_statement(&store->writer, "SELECT threat_id FROM threat ORDER BY seq", err);
    int step;

    if (ids == NULL)
        return false;
    for (*count = 0; (step = sqlite3_step(ids)) == SQLITE_ROW; (*count)++)
        if (each != NULL)
            each(context, (const char *)sqlite3_column_text(ids, 0));
    if (step != SQLITE_DONE)
        sqlite_failed(&store->writer, "clear", err);
    sqlite3_reset(ids);
    return step == SQLITE_DONE;
}

/* All at once: whole tables are dropped faster than their rows. */
static bool clear(struct sqlite_store *store, store_each_id *each, void *context, int64_t *count, struct err *err)
{
    static const char sql[] =
        "DELETE FROM threat; DELETE FROM body; DELETE FROM posting; DELETE FROM evidence; DELETE FROM rollup; "
        "DELETE FROM zone";

    if (!sqlite_begin(store, err))
        return false;
    sqlite_rollup_forget(store);
    if (tell_all(store, each, context, count, err) && sqlite_text(&store->writer, sql, err) &&
        sqlite_set_meta(&store->writer, "removed_seq", store->last_seq, err))
        return sqlite_commit(store, err);
    sqlite_rollback(store);
    return false;
}

static bool is_all(const struct store_removal *removal)
{
    return (removal->search == NULL || removal->search->kind == SEARCH_ALL) && removal->received_before_ms <= 0 &&
           !removal->keep_marked && removal->limit >= INT64_MAX;
}

bool sqlite_remove(struct store *store, const struct store_removal *removal, store_each_id *each, void *context,
                   int64_t *count, struct err *err)
{
    struct sqlite_store *s = SQLITE_STORE(store);
    struct removed *picked = calloc(CHUNK, sizeof *picked);
    size_t left = removal->limit, got = CHUNK;
    bool ok = picked != NULL || err_set(err, ERR_MEMORY, "store: out of memory");

    *count = 0;
    if (ok && is_all(removal)) {
        free(picked);
        return clear(s, each, context, count, err);
    }
    while (ok && left > 0 && got == CHUNK) {
        ok = remove_chunk(s, removal, left < CHUNK ? left : CHUNK, picked, &got, err);
        for (size_t i = 0; i < got; i++) {
            if (ok && each != NULL)
                each(context, picked[i].id);
            free(picked[i].id);
        }
        if (!ok)
            break;
        *count += (int64_t)got;
        left -= got;
    }
    free(picked);
    return ok;
}
