/* store_mongo_writer.c: the session that this backend's transactions run in, and the end of those that others left.
 *
 * A backend that dies within a transaction leaves it open on the server, with its locks: everybody's next sequence
 * number waits for it, by default a minute. So each backend writes down the id of its session in meta. Whoever opens
 * the store, and whoever has lost races for a while, ends the transactions of all other sessions there. That of a
 * backend that lives is ended, too; it only tries again. */
#include "backend/store_mongo.h"

#include "common/clock.h"
#include "common/log.h"

enum { REGISTER_MS = 10 * 60 * 1000, FORGET_MS = 24 * 60 * 60 * 1000 };

static bool register_session(struct mongo_store *store, mongoc_client_t *client, struct err *err)
{
    struct mongo_call call = {.store = store, .client = client};
    const bson_t *lsid = mongoc_client_session_get_lsid(store->writer_session);
    bson_t *which = BCON_NEW("kind", "session", "session", BCON_DOCUMENT(lsid));
    bson_t *change = BCON_NEW("$set", "{", "at", BCON_DATE_TIME(clock_now_ms()), "}");
    bool again = false, ok = mongo_update(&call, "meta", which, change, true, &again, err);

    bson_destroy(which);
    bson_destroy(change);
    if (ok)
        store->registered_ms = clock_monotonic_ms();
    return ok;
}

static bool start_session(struct mongo_store *store, struct err *err)
{
    mongoc_session_opt_t *options = mongoc_session_opts_new();
    mongoc_transaction_opt_t *transaction = mongoc_transaction_opts_new();
    mongoc_write_concern_t *concern = mongoc_write_concern_new();
    mongoc_read_concern_t *read = mongoc_read_concern_new();
    bson_error_t error;

    mongoc_write_concern_set_wmajority(concern, MONGO_SOCKET_MS);
    mongoc_write_concern_set_journal(concern, true);
    mongoc_read_concern_set_level(read, MONGOC_READ_CONCERN_LEVEL_SNAPSHOT);
    mongoc_transaction_opts_set_write_concern(transaction, concern);
    mongoc_transaction_opts_set_read_concern(transaction, read);
    mongoc_session_opts_set_default_transaction_opts(options, transaction);
    store->writer_session = mongoc_client_start_session(store->writer, options, &error);
    mongoc_session_opts_destroy(options);
    mongoc_transaction_opts_destroy(transaction);
    mongoc_write_concern_destroy(concern);
    mongoc_read_concern_destroy(read);
    return store->writer_session != NULL || mongo_failed(&error, "session", err);
}

bool mongo_writer(struct mongo_call *call, struct err *err)
{
    struct mongo_store *store = call->store;

    if (store->writer == NULL)
        store->writer = mongoc_client_pool_pop(store->pool);
    if (store->writer == NULL)
        return err_set(err, ERR_UNAVAILABLE, "store: every connection is busy");
    if (store->writer_session == NULL) {
        store->registered_ms = INT64_MIN;
        if (!start_session(store, err))
            return false;
    }
    if ((store->registered_ms == INT64_MIN || clock_monotonic_ms() - store->registered_ms > REGISTER_MS) &&
        !register_session(store, store->writer, err))
        return false;
    call->client = store->writer;
    call->session = store->writer_session;
    return true;
}

void mongo_writer_drop(struct mongo_store *store)
{
    if (store->writer_session != NULL)
        mongoc_client_session_destroy(store->writer_session);
    if (store->writer != NULL)
        mongoc_client_pool_push(store->pool, store->writer);
    store->writer_session = NULL;
    store->writer = NULL;
}

/* The ids of all registered sessions but our own, as killSessions takes them. */
static size_t list_others(mongoc_collection_t *meta, const bson_t *own, bson_t *list)
{
    bson_t *which = BCON_NEW("kind", "session");
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(meta, which, NULL, NULL);
    const bson_t *document;
    size_t count = 0;

    while (mongoc_cursor_next(cursor, &document)) {
        const uint8_t *bytes;
        uint32_t length;
        char digits[16];
        const char *key;
        bson_iter_t at;
        bson_t lsid;

        if (!bson_iter_init_find(&at, document, "session") || !BSON_ITER_HOLDS_DOCUMENT(&at))
            continue;
        bson_iter_document(&at, &length, &bytes);
        if (!bson_init_static(&lsid, bytes, length) || (own != NULL && bson_equal(&lsid, own)))
            continue;
        bson_uint32_to_string((uint32_t)count++, &key, digits, sizeof digits);
        BSON_APPEND_DOCUMENT(list, key, &lsid);
    }
    mongoc_cursor_destroy(cursor);
    bson_destroy(which);
    return count;
}

void mongo_end_others(struct mongo_store *store)
{
    const bson_t *own = store->writer_session != NULL ? mongoc_client_session_get_lsid(store->writer_session) : NULL;
    bson_t *old = BCON_NEW("kind", "session", "at", "{", "$lt", BCON_DATE_TIME(clock_now_ms() - FORGET_MS), "}");
    bson_t command = BSON_INITIALIZER, list;
    struct mongo_call call;
    mongoc_collection_t *meta;
    bson_error_t error;
    size_t count;

    if (mongo_enter(store, &call, NULL)) {
        meta = mongo_collection(&call, "meta");
        BSON_APPEND_ARRAY_BEGIN(&command, "killSessions", &list);
        count = list_others(meta, own, &list);
        bson_append_array_end(&command, &list);
        /* It may be forbidden; then the server's own limit ends them. */
        if (count > 0 && !mongoc_client_command_simple(call.client, "admin", &command, NULL, NULL, &error))
            log_warn("store.sessions", "why=\"%s\"", error.message);
        mongoc_collection_delete_many(meta, old, NULL, NULL, NULL);
        mongoc_collection_destroy(meta);
        mongo_leave(&call);
    }
    bson_destroy(&command);
    bson_destroy(old);
}
