/* store_mongo_docs.c: small documents, all in one collection: {kind, id, name?, json, version, expiresAt?}. */
#include "backend/store_mongo.h"

#include "common/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct put_work {
    const struct store_doc *doc;
    int64_t version;
};

static bool raise_generation(struct mongo_call *call, const char *kind, bool *again, struct err *err)
{
    char name[96];
    int64_t unwanted;

    snprintf(name, sizeof name, "generation:%s", kind);
    return mongo_count_up(call, name, 1, &unwanted, again, err);
}

static bool present_version(struct mongo_call *call, const struct store_doc *doc, int64_t *version, bool *expired,
                            bool *again, struct err *err)
{
    mongoc_collection_t *documents = mongo_collection(call, "documents");
    bson_t *which = BCON_NEW("kind", BCON_UTF8(doc->kind), "id", BCON_UTF8(doc->id));
    const bson_t *document, *reply = NULL;
    mongoc_cursor_t *cursor;
    bson_error_t error;
    bson_t options;
    bson_iter_t at;
    bool ok = true;

    *version = 0;
    *expired = false;
    mongo_options(call, &options);
    cursor = mongoc_collection_find_with_opts(documents, which, &options, NULL);
    if (mongoc_cursor_next(cursor, &document)) {
        if (bson_iter_init_find(&at, document, "version"))
            *version = bson_iter_as_int64(&at);
        if (bson_iter_init_find(&at, document, "expiresAt") && bson_iter_date_time(&at) <= clock_now_ms()) {
            *expired = true;
            *version = 0;
        }
    } else if (mongoc_cursor_error_document(cursor, &error, &reply)) {
        ok = mongo_work_failed(&error, reply, doc->kind, again, err);
    }
    mongoc_cursor_destroy(cursor);
    bson_destroy(&options);
    bson_destroy(which);
    mongoc_collection_destroy(documents);
    return ok;
}

/* What has expired gives up its id and its name. */
static bool forget_expired(struct mongo_call *call, const struct store_doc *doc, bool *again, struct err *err)
{
    mongoc_collection_t *documents = mongo_collection(call, "documents");
    bson_t *which = BCON_NEW("kind", BCON_UTF8(doc->kind), "expiresAt", "{", "$lte", BCON_DATE_TIME(clock_now_ms()),
                             "}", "$or", "[", "{", "id", BCON_UTF8(doc->id), "}", "{", "name",
                             BCON_UTF8(doc->name != NULL ? doc->name : ""), "}", "]");
    bson_error_t error;
    bson_t options, reply;
    bool ok;

    mongo_options(call, &options);
    ok = mongoc_collection_delete_many(documents, which, &options, &reply, &error) ||
         mongo_work_failed(&error, &reply, doc->kind, again, err);
    bson_destroy(&reply);
    bson_destroy(&options);
    bson_destroy(which);
    mongoc_collection_destroy(documents);
    return ok;
}

static bool write_doc(struct mongo_call *call, const struct put_work *work, bool *again, struct err *err)
{
    const struct store_doc *doc = work->doc;
    bson_t *which = BCON_NEW("kind", BCON_UTF8(doc->kind), "id", BCON_UTF8(doc->id));
    bson_t change = BSON_INITIALIZER, set, unset;
    struct err why = {0};
    bool ok;

    BSON_APPEND_DOCUMENT_BEGIN(&change, "$set", &set);
    BSON_APPEND_UTF8(&set, "json", doc->json);
    BSON_APPEND_INT64(&set, "version", work->version);
    if (doc->name != NULL)
        BSON_APPEND_UTF8(&set, "name", doc->name);
    if (doc->expires_ms > 0)
        BSON_APPEND_DATE_TIME(&set, "expiresAt", doc->expires_ms);
    bson_append_document_end(&change, &set);
    if (doc->name == NULL || doc->expires_ms <= 0) {
        BSON_APPEND_DOCUMENT_BEGIN(&change, "$unset", &unset);
        if (doc->name == NULL)
            BSON_APPEND_UTF8(&unset, "name", "");
        if (doc->expires_ms <= 0)
            BSON_APPEND_UTF8(&unset, "expiresAt", "");
        bson_append_document_end(&change, &unset);
    }
    ok = mongo_update(call, "documents", which, &change, true, again, &why);
    bson_destroy(&change);
    bson_destroy(which);
    if (ok)
        return true;
    if (why.code == ERR_CONFLICT)
        return err_set(err, ERR_CONFLICT, "%s: the name is taken", doc->kind);
    return err_set(err, why.code, "%s", why.text);
}

static bool put_doc(struct mongo_call *call, void *context, bool *again, struct err *err)
{
    struct put_work *work = context;
    const struct store_doc *doc = work->doc;
    bool expired;

    if (!forget_expired(call, doc, again, err) || !present_version(call, doc, &work->version, &expired, again, err))
        return false;
    if (doc->expected_version >= 0 && doc->expected_version != work->version)
        return err_set(err, ERR_CONFLICT,
                       doc->expected_version == 0 ? "%s %s: exists already" : "%s %s: somebody else changed it first",
                       doc->kind, doc->id);
    work->version++;
    return write_doc(call, work, again, err) && raise_generation(call, doc->kind, again, err);
}

bool mongo_doc_put(struct store *store, const struct store_doc *doc, int64_t *version, struct err *err)
{
    struct put_work work = {.doc = doc};

    if (!mongo_transaction(MONGO_STORE(store), put_doc, &work, err))
        return false;
    *version = work.version;
    return true;
}

static char *text_of(const bson_t *document, const char *name)
{
    bson_iter_t at;

    if (!bson_iter_init_find(&at, document, name) || !BSON_ITER_HOLDS_UTF8(&at))
        return NULL;
    return strdup(bson_iter_utf8(&at, NULL));
}

static bool append_alive(bson_t *which)
{
    /* An expiry that is missing is not above now, so both are said. */
    BCON_APPEND(which, "$or", "[", "{", "expiresAt", BCON_NULL, "}", "{", "expiresAt", "{", "$gt",
                BCON_DATE_TIME(clock_now_ms()), "}", "}", "]");
    return true;
}

static bool get_doc(struct store *store, const char *kind, const char *field, const char *key, char **id, char **json,
                    int64_t *version, struct err *err)
{
    mongoc_collection_t *documents;
    mongoc_cursor_t *cursor;
    const bson_t *document;
    struct mongo_call call;
    bson_error_t error;
    bson_iter_t at;
    bson_t *which;
    bool ok = false;

    *json = NULL;
    if (!mongo_enter(MONGO_STORE(store), &call, err))
        return false;
    which = BCON_NEW("kind", BCON_UTF8(kind), field, BCON_UTF8(key));
    append_alive(which);
    documents = mongo_collection(&call, "documents");
    cursor = mongoc_collection_find_with_opts(documents, which, NULL, NULL);
    if (mongoc_cursor_next(cursor, &document)) {
        *json = text_of(document, "json");
        if (id != NULL)
            *id = text_of(document, "id");
        *version = bson_iter_init_find(&at, document, "version") ? bson_iter_as_int64(&at) : 0;
        ok = (*json != NULL && (id == NULL || *id != NULL)) || err_set(err, ERR_MEMORY, "store: out of memory");
    } else if (mongoc_cursor_error(cursor, &error)) {
        mongo_failed(&error, kind, err);
    } else {
        err_set(err, ERR_NOT_FOUND, "%s: no such entry", kind);
    }
    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(documents);
    bson_destroy(which);
    mongo_leave(&call);
    return ok;
}

bool mongo_doc_get(struct store *store, const char *kind, const char *id, char **json, int64_t *version,
                   struct err *err)
{
    return get_doc(store, kind, "id", id, NULL, json, version, err);
}

bool mongo_doc_by_name(struct store *store, const char *kind, const char *name, char **id, char **json,
                       int64_t *version, struct err *err)
{
    *id = NULL;
    return get_doc(store, kind, "name", name, id, json, version, err);
}

struct remove_work {
    const char *kind, *id;
};

static bool remove_doc(struct mongo_call *call, void *context, bool *again, struct err *err)
{
    struct remove_work *work = context;
    mongoc_collection_t *documents = mongo_collection(call, "documents");
    bson_t *which = BCON_NEW("kind", BCON_UTF8(work->kind), "id", BCON_UTF8(work->id));
    bson_error_t error;
    bson_t options, reply;
    bson_iter_t at;
    bool ok;

    append_alive(which);
    mongo_options(call, &options);
    ok = mongoc_collection_delete_one(documents, which, &options, &reply, &error) ||
         mongo_work_failed(&error, &reply, work->kind, again, err);
    if (ok && (!bson_iter_init_find(&at, &reply, "deletedCount") || bson_iter_as_int64(&at) == 0))
        ok = err_set(err, ERR_NOT_FOUND, "%s %s: no such entry", work->kind, work->id);
    bson_destroy(&reply);
    bson_destroy(&options);
    bson_destroy(which);
    mongoc_collection_destroy(documents);
    return ok && raise_generation(call, work->kind, again, err);
}

bool mongo_doc_remove(struct store *store, const char *kind, const char *id, struct err *err)
{
    struct remove_work work = {kind, id};

    return mongo_transaction(MONGO_STORE(store), remove_doc, &work, err);
}

static bool give_doc(const bson_t *document, store_each_doc *each, void *context, bool *more, struct err *err)
{
    char *id = text_of(document, "id"), *json = text_of(document, "json");
    bson_iter_t at;
    bool ok = id != NULL && json != NULL;

    if (ok)
        *more = each(context, id, bson_iter_init_find(&at, document, "version") ? bson_iter_as_int64(&at) : 0, json);
    free(id);
    free(json);
    return ok || err_set(err, ERR_MEMORY, "store: out of memory");
}

bool mongo_doc_list(struct store *store, const char *kind, const char *from, bool newest_first, size_t limit,
                    store_each_doc *each, void *context, struct err *err)
{
    mongoc_collection_t *documents;
    mongoc_cursor_t *cursor;
    const bson_t *document;
    struct mongo_call call;
    bson_error_t error;
    bson_t *which, *options;
    bool ok = true, more = true;

    if (!mongo_enter(MONGO_STORE(store), &call, err))
        return false;
    which = BCON_NEW("kind", BCON_UTF8(kind));
    if (from != NULL)
        BCON_APPEND(which, "id", "{", newest_first ? "$lt" : "$gt", BCON_UTF8(from), "}");
    append_alive(which);
    options =
        BCON_NEW("sort", "{", "id", BCON_INT32(newest_first ? -1 : 1), "}", "limit", BCON_INT64((int64_t)limit));
    documents = mongo_collection(&call, "documents");
    cursor = mongoc_collection_find_with_opts(documents, which, options, NULL);
    while (ok && more && limit > 0 && mongoc_cursor_next(cursor, &document))
        ok = give_doc(document, each, context, &more, err);
    if (ok && more && mongoc_cursor_error(cursor, &error))
        ok = mongo_failed(&error, kind, err);
    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(documents);
    bson_destroy(options);
    bson_destroy(which);
    mongo_leave(&call);
    return ok;
}

bool mongo_doc_generation(struct store *store, const char *kind, int64_t *generation, struct err *err)
{
    struct mongo_call call;
    char name[96];
    bool ok;

    snprintf(name, sizeof name, "generation:%s", kind);
    if (!mongo_enter(MONGO_STORE(store), &call, err))
        return false;
    ok = mongo_read_counter(&call, name, generation, err);
    mongo_leave(&call);
    return ok;
}
