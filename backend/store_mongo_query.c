/* store_mongo_query.c: what is read. */
#include "backend/store_mongo.h"

#include "common/clock.h"

#include <stdlib.h>
#include <string.h>

bool mongo_threat(struct store *store, const char *id, char **json, int64_t *seq, struct triage *triage,
                  struct err *err)
{
    struct securitylog log = {0};
    mongoc_cursor_t *cursor = NULL;
    const bson_t *document;
    struct mongo_call call;
    bool ok, again = false;

    *json = NULL;
    if (!mongo_enter(MONGO_STORE(store), &call, err))
        return false;
    ok = mongo_find_one(&call, id, &document, &cursor, &again, err) && securitylog_read(&log, document, err);
    if (ok) {
        *json = store_record_given(log.json, &log.envelope);
        *seq = log.envelope.seq;
        if (triage != NULL)
            *triage = log.envelope.triage;
        ok = *json != NULL || err_set(err, ERR_MEMORY, "store: out of memory");
    }
    securitylog_clear(&log);
    mongoc_cursor_destroy(cursor);
    mongo_leave(&call);
    return ok;
}

static bool append_filter(bson_t *filter, const struct store_query *query)
{
    bson_t parts, one;
    bool ok = BSON_APPEND_UTF8(filter, "action", SECURITYLOG_THREAT);

    if (ok && !query->with_suppressed)
        ok = BSON_APPEND_NULL(filter, "suppressedBy");
    if (ok && query->before_seq > 0)
        BCON_APPEND(filter, "seq", "{", query->oldest_first ? "$gt" : "$lt", BCON_INT64(query->before_seq), "}");
    if (ok && query->search != NULL && query->search->kind != SEARCH_ALL)
        ok = BSON_APPEND_ARRAY_BEGIN(filter, "$and", &parts) && BSON_APPEND_DOCUMENT_BEGIN(&parts, "0", &one) &&
             mongo_filter(&one, query->search) && bson_append_document_end(&parts, &one) &&
             bson_append_array_end(filter, &parts);
    return ok;
}

static bool give_all(mongoc_cursor_t *cursor, store_each_threat *each, void *context, struct err *err)
{
    const bson_t *document;
    bson_error_t error;
    bool ok = true, more = true;

    while (ok && more && mongoc_cursor_next(cursor, &document)) {
        struct securitylog log;
        char *json = NULL;

        ok = securitylog_read(&log, document, err);
        if (!ok)
            break;
        json = store_record_given(log.json, &log.envelope);
        ok = json != NULL || err_set(err, ERR_MEMORY, "store: out of memory");
        more = ok && each(context, log.envelope.seq, json);
        free(json);
        securitylog_clear(&log);
    }
    if (ok && more && mongoc_cursor_error(cursor, &error))
        ok = mongo_failed(&error, "search", err);
    return ok;
}

/* Counted up to here; more is told as -1. */
enum { COUNT_MAX = 20000 };

static void add_visible(void *context, const struct rollup_row *row)
{
    *(int64_t *)context += row->count;
}

static bool count_all(struct mongo_call *call, const struct store_query *query, int64_t *total, struct err *err)
{
    struct store_query whole = *query;
    mongoc_collection_t *logs;
    bson_t filter = BSON_INITIALIZER, *options;
    bson_error_t error;

    *total = 0;
    if (query->search == NULL || query->search->kind == SEARCH_ALL)
        return mongo_rollup_read(call, ROLLUP_EVER, ROLLUP_SEVERITY, INT64_MIN, INT64_MAX, add_visible, total, err) &&
               (!query->with_suppressed || mongo_rollup_read(call, ROLLUP_EVER, ROLLUP_SUPPRESSED, INT64_MIN,
                                                             INT64_MAX, add_visible, total, err));
    whole.before_seq = 0;
    append_filter(&filter, &whole);
    options = BCON_NEW("limit", BCON_INT64(COUNT_MAX));
    logs = mongo_collection(call, "securitylogs");
    *total = mongoc_collection_count_documents(logs, &filter, options, NULL, NULL, &error);
    mongoc_collection_destroy(logs);
    bson_destroy(options);
    bson_destroy(&filter);
    if (*total < 0)
        return mongo_failed(&error, "count", err);
    if (*total == COUNT_MAX)
        *total = -1;
    return true;
}

bool mongo_find(struct store *store, const struct store_query *query, store_each_threat *each, void *context,
                int64_t *total, struct err *err)
{
    bson_t filter = BSON_INITIALIZER, *options;
    mongoc_collection_t *logs;
    mongoc_cursor_t *cursor;
    struct mongo_call call;
    bool ok;

    if (!mongo_enter(MONGO_STORE(store), &call, err)) {
        bson_destroy(&filter);
        return false;
    }
    options = BCON_NEW("sort", "{", "seq", BCON_INT32(query->oldest_first ? 1 : -1), "}", "limit",
                       BCON_INT64((int64_t)query->limit), "skip", BCON_INT64((int64_t)query->offset));
    logs = mongo_collection(&call, "securitylogs");
    ok = append_filter(&filter, query) || err_set(err, ERR_MEMORY, "store: out of memory");
    if (ok && query->limit > 0) {
        cursor = mongoc_collection_find_with_opts(logs, &filter, options, NULL);
        ok = give_all(cursor, each, context, err);
        mongoc_cursor_destroy(cursor);
    }
    ok = ok && (total == NULL || count_all(&call, query, total, err));
    mongoc_collection_destroy(logs);
    bson_destroy(options);
    bson_destroy(&filter);
    mongo_leave(&call);
    return ok;
}

bool mongo_statistics(struct store *store, const struct store_span *span, char **json, struct err *err)
{
    struct mongo_call call;
    bool ok;

    *json = NULL;
    if (!mongo_enter(MONGO_STORE(store), &call, err))
        return false;
    ok = rollup_statistics(span, clock_now_us(), mongo_rollup_read, &call, json, err);
    mongo_leave(&call);
    return ok;
}

static bool give_event(const bson_t *document, int64_t after_seq, store_each_event *each, void *context, bool *more,
                       struct err *err)
{
    struct securitylog log;
    char *json;

    if (!securitylog_read(&log, document, err))
        return false;
    if (strcmp(log.action, SECURITYLOG_THREAT) != 0) {
        *more = each(context, log.event_seq, EVENT_MONITORING, log.json);
        securitylog_clear(&log);
        return true;
    }
    json = store_record_given(log.json, &log.envelope);
    if (json != NULL)
        *more = each(context, log.event_seq,
                     log.envelope.seq > after_seq ? EVENT_THREAT_DETECTED : EVENT_THREAT_UPDATED, json);
    free(json);
    securitylog_clear(&log);
    return json != NULL || err_set(err, ERR_MEMORY, "store: out of memory");
}

bool mongo_events(struct store *store, int64_t after_seq, size_t limit, store_each_event *each, void *context,
                  struct err *err)
{
    bson_t *filter, *options;
    mongoc_collection_t *logs;
    mongoc_cursor_t *cursor;
    const bson_t *document;
    struct mongo_call call;
    bson_error_t error;
    bool ok = true, more = true;

    if (!mongo_enter(MONGO_STORE(store), &call, err))
        return false;
    filter = BCON_NEW("index.eventSeq", "{", "$gt", BCON_INT64(after_seq), "$lte",
                      BCON_INT64(call.store->transactions ? INT64_MAX : call.store->committed_seq), "}",
                      "suppressedBy", BCON_NULL);
    options = BCON_NEW("sort", "{", "index.eventSeq", BCON_INT32(1), "}", "limit", BCON_INT64((int64_t)limit));
    logs = mongo_collection(&call, "securitylogs");
    cursor = mongoc_collection_find_with_opts(logs, filter, options, NULL);
    while (ok && more && limit > 0 && mongoc_cursor_next(cursor, &document))
        ok = give_event(document, after_seq, each, context, &more, err);
    if (ok && more && mongoc_cursor_error(cursor, &error))
        ok = mongo_failed(&error, "events", err);
    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(logs);
    bson_destroy(filter);
    bson_destroy(options);
    mongo_leave(&call);
    return ok;
}

static bool read_counter(struct store *store, const char *name, int64_t *value, struct err *err)
{
    struct mongo_call call;
    bool ok;

    if (!mongo_enter(MONGO_STORE(store), &call, err))
        return false;
    ok = mongo_read_counter(&call, name, value, err);
    mongo_leave(&call);
    return ok;
}

bool mongo_last_seq(struct store *store, int64_t *seq, struct err *err)
{
    if (MONGO_STORE(store)->transactions)
        return read_counter(store, "seq", seq, err);
    *seq = MONGO_STORE(store)->committed_seq; /* the counter itself runs ahead of what can be read */
    return true;
}

bool mongo_first_seq(struct store *store, int64_t *seq, struct err *err)
{
    if (!read_counter(store, "removed", seq, err))
        return false;
    (*seq)++;
    return true;
}
