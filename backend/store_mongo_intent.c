/* store_mongo_intent.c: takes back a change of several documents that was cut short, on a server without
 * transactions.
 *
 * Before its first write a change leaves its intent in meta: the sequence numbers that new threats will have, and,
 * later, what it adds to the counts; threats that it alters or removes are copied into "undo". Its last write closes
 * the intent: that is the commit. An open intent that is found when the store is opened, or that a failed change left
 * behind, is undone. Each step of that may be repeated: a bucket of counts says by its mark which change it has last
 * taken in. Sequence numbers are never used twice; some are then missing. */
#include "backend/store_mongo.h"

#include "common/log.h"

static bool set_intent(struct mongo_call *call, const bson_t *change, struct err *err)
{
    bson_t *which = BCON_NEW("_id", "intent");
    bool again = false, ok = mongo_update(call, "meta", which, change, true, &again, err);

    bson_destroy(which);
    return ok;
}

static bool clear_images(struct mongo_call *call, struct err *err)
{
    mongoc_collection_t *undo = mongo_collection(call, "undo");
    bson_t all = BSON_INITIALIZER;
    bson_error_t error;
    bool ok = mongoc_collection_delete_many(undo, &all, NULL, NULL, &error) || mongo_failed(&error, "undo", err);

    bson_destroy(&all);
    mongoc_collection_destroy(undo);
    return ok;
}

static bool each_image(mongoc_collection_t *from, const bson_t *which, mongoc_collection_t *to, struct err *err)
{
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(from, which, NULL, NULL);
    bson_t *options = BCON_NEW("upsert", BCON_BOOL(true), "validate", BCON_BOOL(false));
    const bson_t *document;
    bson_error_t error;
    bson_iter_t at;
    bool ok = true;

    while (ok && mongoc_cursor_next(cursor, &document)) {
        bson_t same = BSON_INITIALIZER;

        ok = bson_iter_init_find(&at, document, "_id") && bson_append_iter(&same, "_id", -1, &at);
        ok = ok ? mongoc_collection_replace_one(to, &same, document, options, NULL, &error) ||
                      mongo_failed(&error, "undo", err)
                : err_set(err, ERR_SYSTEM, "store: a document has no _id");
        bson_destroy(&same);
    }
    if (ok && mongoc_cursor_error(cursor, &error))
        ok = mongo_failed(&error, "undo", err);
    bson_destroy(options);
    mongoc_cursor_destroy(cursor);
    return ok;
}

static bool keep_images(struct mongo_call *call, const char *const *ids, size_t count, struct err *err)
{
    mongoc_collection_t *logs = mongo_collection(call, "securitylogs"), *undo = mongo_collection(call, "undo");
    bson_t which = BSON_INITIALIZER, in, list;
    char digits[16];
    const char *key;
    bool ok;

    BSON_APPEND_DOCUMENT_BEGIN(&which, "details.threatId", &in);
    BSON_APPEND_ARRAY_BEGIN(&in, "$in", &list);
    for (size_t i = 0; i < count; i++) {
        bson_uint32_to_string((uint32_t)i, &key, digits, sizeof digits);
        BSON_APPEND_UTF8(&list, key, ids[i]);
    }
    bson_append_array_end(&in, &list);
    bson_append_document_end(&which, &in);
    ok = clear_images(call, err) && each_image(logs, &which, undo, err);
    bson_destroy(&which);
    mongoc_collection_destroy(logs);
    mongoc_collection_destroy(undo);
    return ok;
}

bool mongo_intend(struct mongo_call *call, const struct mongo_intent *intent, struct err *err)
{
    struct mongo_store *store = call->store;
    bson_t *change;
    bool ok;

    if (call->session != NULL)
        return true;
    if (intent->count > 0 && !keep_images(call, intent->ids, intent->count, err))
        return false;
    store->intent_open = true;
    change = BCON_NEW("$set", "{", "number", BCON_INT64(++store->intent_number), "open", BCON_BOOL(true), "first",
                      BCON_INT64(intent->first_seq), "last", BCON_INT64(intent->last_seq), "images",
                      BCON_BOOL(intent->count > 0), "}", "$unset", "{", "counts", "", "}");
    ok = set_intent(call, change, err);
    bson_destroy(change);
    return ok;
}

bool mongo_intend_counts(struct mongo_call *call, const bson_t *plan, struct err *err)
{
    /* As bytes: its names have dots, which not every server takes. */
    bson_t *change =
        BCON_NEW("$set", "{", "counts", BCON_BIN(BSON_SUBTYPE_BINARY, bson_get_data(plan), plan->len), "}");
    bool ok = set_intent(call, change, err);

    bson_destroy(change);
    return ok;
}

bool mongo_intent_close(struct mongo_call *call, struct err *err)
{
    bson_t *change = BCON_NEW("$set", "{", "open", BCON_BOOL(false), "}");
    bool ok = set_intent(call, change, err);

    bson_destroy(change);
    if (ok)
        call->store->intent_open = false;
    return ok;
}

static int64_t number_of(const bson_t *document, const char *name)
{
    bson_iter_t at;

    return bson_iter_init_find(&at, document, name) ? bson_iter_as_int64(&at) : 0;
}

static bool remove_new(struct mongo_call *call, const bson_t *intent, struct err *err)
{
    mongoc_collection_t *logs = mongo_collection(call, "securitylogs");
    bson_t *which = BCON_NEW("action", SECURITYLOG_THREAT, "seq", "{", "$gte", BCON_INT64(number_of(intent, "first")),
                             "$lte", BCON_INT64(number_of(intent, "last")), "}");
    bson_error_t error;
    bool ok = mongoc_collection_delete_many(logs, which, NULL, NULL, &error) || mongo_failed(&error, "undo", err);

    bson_destroy(which);
    mongoc_collection_destroy(logs);
    return ok;
}

static bool restore_images(struct mongo_call *call, struct err *err)
{
    mongoc_collection_t *logs = mongo_collection(call, "securitylogs"), *undo = mongo_collection(call, "undo");
    bson_t all = BSON_INITIALIZER;
    bool ok = each_image(undo, &all, logs, err);

    bson_destroy(&all);
    mongoc_collection_destroy(logs);
    mongoc_collection_destroy(undo);
    return ok;
}

static bool uncount(struct mongo_call *call, const bson_t *intent, struct err *err)
{
    const uint8_t *bytes = NULL;
    uint32_t length = 0;
    bson_iter_t at;
    bson_t plan;

    if (!bson_iter_init_find(&at, intent, "counts") || !BSON_ITER_HOLDS_BINARY(&at))
        return true;
    bson_iter_binary(&at, NULL, &length, &bytes);
    if (!bson_init_static(&plan, bytes, length))
        return err_set(err, ERR_SYSTEM, "store: the counts of a change that was cut short cannot be read");
    return mongo_rollup_take_back(call, &plan, number_of(intent, "number"), err);
}

static bool undo(struct mongo_call *call, const bson_t *intent, struct err *err)
{
    if (!remove_new(call, intent, err) || (number_of(intent, "images") != 0 && !restore_images(call, err)) ||
        !uncount(call, intent, err))
        return false;
    log_warn("store.undone", "why=\"a change was cut short\" first=%lld last=%lld",
             (long long)number_of(intent, "first"), (long long)number_of(intent, "last"));
    return true;
}

bool mongo_intent_undo(struct mongo_call *call, struct err *err)
{
    struct mongo_store *store = call->store;
    mongoc_collection_t *meta = mongo_collection(call, "meta");
    bson_t *which = BCON_NEW("_id", "intent");
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(meta, which, NULL, NULL);
    const bson_t *intent;
    bson_error_t error;
    bool ok = true;

    if (mongoc_cursor_next(cursor, &intent)) {
        /* Whoever asked for an own change was told that it failed, even if its intent was closed in the end. */
        if (number_of(intent, "open") != 0 ||
            (store->intent_open && number_of(intent, "number") == store->intent_number))
            ok = undo(call, intent, err);
        if (number_of(intent, "number") > store->intent_number)
            store->intent_number = number_of(intent, "number");
        ok = ok && mongo_intent_close(call, err);
    } else {
        ok = !mongoc_cursor_error(cursor, &error) || mongo_failed(&error, "meta", err);
    }
    if (ok)
        store->intent_open = false;
    mongoc_cursor_destroy(cursor);
    bson_destroy(which);
    mongoc_collection_destroy(meta);
    return ok;
}
