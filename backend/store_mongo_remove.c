/* store_mongo_remove.c: takes threats out, a few hundred in a transaction, and keeps their packets. */
#include "backend/store_mongo.h"

#include "common/clock.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK = 100 }; /* what a slow server removes within the store's patience */

struct chunk {
    const struct store_removal *removal;
    size_t limit, count;
    char *ids[CHUNK];
    int64_t floor;
};

static void forget(struct chunk *chunk)
{
    for (size_t i = 0; i < chunk->count; i++)
        free(chunk->ids[i]);
    chunk->count = 0;
    chunk->floor = 0;
}

static bool append_filter(bson_t *filter, const struct store_removal *removal)
{
    bson_t parts, one;
    bool ok = BSON_APPEND_UTF8(filter, "action", SECURITYLOG_THREAT);

    if (removal->received_before_ms > 0)
        BCON_APPEND(filter, "receivedAt", "{", "$lt", BCON_DATE_TIME(removal->received_before_ms), "}");
    if (removal->keep_marked)
        BCON_APPEND(filter, "triage.status", "{", "$ne", "escalated", "}", "index.commented", BCON_BOOL(false));
    if (removal->search != NULL)
        ok = ok && BSON_APPEND_ARRAY_BEGIN(filter, "$and", &parts) && BSON_APPEND_DOCUMENT_BEGIN(&parts, "0", &one) &&
             mongo_filter(&one, removal->search) && bson_append_document_end(&parts, &one) &&
             bson_append_array_end(filter, &parts);
    return ok;
}

static bool take_one(struct mongo_store *store, struct chunk *chunk, const bson_t *document, struct err *err)
{
    struct securitylog log;
    struct rollup_fact fact;
    bool ok = securitylog_read(&log, document, err);

    if (!ok)
        return false;
    fact = mongo_fact(&log);
    chunk->ids[chunk->count] = strdup(log.id);
    ok = chunk->ids[chunk->count] != NULL && rollup_add(store->rollup, &fact, -1, clock_now_us());
    if (chunk->ids[chunk->count] != NULL)
        chunk->count++;
    if (log.event_seq > chunk->floor)
        chunk->floor = log.event_seq;
    securitylog_clear(&log);
    return ok || err_set(err, ERR_MEMORY, "store: out of memory");
}

static bool pick(struct mongo_call *call, struct chunk *chunk, bool *again, struct err *err)
{
    mongoc_collection_t *logs = mongo_collection(call, "securitylogs");
    bson_t filter = BSON_INITIALIZER, options;
    const bson_t *document, *reply = NULL;
    mongoc_cursor_t *cursor;
    bson_error_t error;
    bool ok = append_filter(&filter, chunk->removal);

    mongo_options(call, &options);
    BCON_APPEND(&options, "sort", "{", chunk->removal->received_before_ms > 0 ? "receivedAt" : "seq", BCON_INT32(1),
                "}", "limit", BCON_INT64((int64_t)chunk->limit));
    cursor = mongoc_collection_find_with_opts(logs, &filter, &options, NULL);
    while (ok && chunk->count < chunk->limit && mongoc_cursor_next(cursor, &document))
        ok = take_one(call->store, chunk, document, err);
    if (ok && mongoc_cursor_error_document(cursor, &error, &reply))
        ok = mongo_work_failed(&error, reply, "remove", again, err);
    mongoc_cursor_destroy(cursor);
    bson_destroy(&options);
    bson_destroy(&filter);
    mongoc_collection_destroy(logs);
    return ok;
}

static bool delete_ids(struct mongo_call *call, const struct chunk *chunk, const char *name, const char *field,
                       bool *again, struct err *err)
{
    mongoc_collection_t *collection = mongo_collection(call, name);
    bson_t which = BSON_INITIALIZER, in, list, options, reply;
    bson_error_t error;
    char digits[16];
    const char *key;
    bool ok;

    BSON_APPEND_DOCUMENT_BEGIN(&which, field, &in);
    BSON_APPEND_ARRAY_BEGIN(&in, "$in", &list);
    for (size_t i = 0; i < chunk->count; i++) {
        bson_uint32_to_string((uint32_t)i, &key, digits, sizeof digits);
        BSON_APPEND_UTF8(&list, key, chunk->ids[i]);
    }
    bson_append_array_end(&in, &list);
    bson_append_document_end(&which, &in);
    mongo_options(call, &options);
    ok = mongoc_collection_delete_many(collection, &which, &options, &reply, &error) ||
         mongo_work_failed(&error, &reply, "remove", again, err);
    bson_destroy(&reply);
    bson_destroy(&options);
    bson_destroy(&which);
    mongoc_collection_destroy(collection);
    return ok;
}

static bool raise_floor(struct mongo_call *call, int64_t floor, bool *again, struct err *err)
{
    bson_t *which = BCON_NEW("_id", "removed");
    bson_t *change = BCON_NEW("$max", "{", "value", BCON_INT64(floor), "}");
    bool ok = mongo_update(call, "counters", which, change, true, again, err);

    bson_destroy(which);
    bson_destroy(change);
    return ok;
}

static bool remove_chunk(struct mongo_call *call, void *context, bool *again, struct err *err)
{
    struct chunk *chunk = context;
    struct mongo_intent intent = {.last_seq = -1, .ids = (const char *const *)chunk->ids};

    forget(chunk);
    rollup_reset(call->store->rollup);
    if (!pick(call, chunk, again, err))
        return false;
    if (chunk->count == 0)
        return true;
    intent.count = chunk->count;
    return mongo_intend(call, &intent, err) &&
           delete_ids(call, chunk, "securitylogs", "details.threatId", again, err) &&
           delete_ids(call, chunk, "evidence", "_id", again, err) && raise_floor(call, chunk->floor, again, err) &&
           mongo_rollup_flush(call, again, err);
}

bool mongo_remove(struct store *store, const struct store_removal *removal, store_each_id *each, void *context,
                  int64_t *count, struct err *err)
{
    struct chunk *chunk = calloc(1, sizeof *chunk);
    size_t left = removal->limit, got = CHUNK;
    bool ok = chunk != NULL || err_set(err, ERR_MEMORY, "store: out of memory");

    *count = 0;
    while (ok && left > 0 && got == CHUNK) {
        chunk->removal = removal;
        chunk->limit = left < CHUNK ? left : CHUNK;
        ok = mongo_transaction(MONGO_STORE(store), remove_chunk, chunk, err);
        got = ok ? chunk->count : 0;
        for (size_t i = 0; i < got && each != NULL; i++)
            each(context, chunk->ids[i]);
        *count += (int64_t)got;
        left -= got;
    }
    if (chunk != NULL)
        forget(chunk);
    free(chunk);
    return ok;
}

/* --- packets --- */

struct evidence {
    const char *id;
    const void *bytes;
    size_t length;
};

static bool put_evidence(struct mongo_call *call, void *context, bool *again, struct err *err)
{
    struct evidence *evidence = context;
    mongoc_cursor_t *cursor = NULL;
    const bson_t *document;
    bson_t *which, *change;
    bool ok = mongo_find_one(call, evidence->id, &document, &cursor, again, err);

    mongoc_cursor_destroy(cursor);
    if (!ok)
        return false;
    which = BCON_NEW("_id", BCON_UTF8(evidence->id));
    change = BCON_NEW("$set", "{", "bytes",
                      BCON_BIN(BSON_SUBTYPE_BINARY, evidence->bytes, (uint32_t)evidence->length), "}");
    ok = mongo_update(call, "evidence", which, change, true, again, err);
    bson_destroy(which);
    bson_destroy(change);
    return ok;
}

bool mongo_put_evidence(struct store *store, const char *id, const void *bytes, size_t length, struct err *err)
{
    struct evidence evidence = {id, length > 0 ? bytes : "", length};

    if (length > 15 * 1024 * 1024)
        return err_set(err, ERR_INVALID, "evidence: expected at most 15 MiB");
    return mongo_transaction(MONGO_STORE(store), put_evidence, &evidence, err);
}

static bool copy_bytes(const bson_t *document, void **bytes, size_t *length, struct err *err)
{
    const uint8_t *found = NULL;
    uint32_t size = 0;
    bson_iter_t at;

    if (bson_iter_init_find(&at, document, "bytes") && BSON_ITER_HOLDS_BINARY(&at))
        bson_iter_binary(&at, NULL, &size, &found);
    *bytes = malloc((size_t)size + 1);
    if (*bytes == NULL)
        return err_set(err, ERR_MEMORY, "store: out of memory");
    if (size > 0)
        memcpy(*bytes, found, size);
    *length = size;
    return true;
}

bool mongo_get_evidence(struct store *store, const char *id, void **bytes, size_t *length, struct err *err)
{
    mongoc_collection_t *collection;
    mongoc_cursor_t *cursor;
    const bson_t *document;
    struct mongo_call call;
    bson_error_t error;
    bson_t *which;
    bool ok;

    *bytes = NULL;
    if (!mongo_enter(MONGO_STORE(store), &call, err))
        return false;
    which = BCON_NEW("_id", BCON_UTF8(id));
    collection = mongo_collection(&call, "evidence");
    cursor = mongoc_collection_find_with_opts(collection, which, NULL, NULL);
    if (mongoc_cursor_next(cursor, &document))
        ok = copy_bytes(document, bytes, length, err);
    else if (mongoc_cursor_error(cursor, &error))
        ok = mongo_failed(&error, "evidence", err);
    else
        ok = err_set(err, ERR_NOT_FOUND, "threat %s: no packets are kept", id);
    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(collection);
    bson_destroy(which);
    mongo_leave(&call);
    return ok;
}
