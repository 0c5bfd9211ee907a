/* store_mongo.c: connects, makes the indexes, and runs transactions. */
#include "backend/store_mongo.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    SELECTION_MS = 2000,
    CONNECT_MS = 2000,
    QUEUE_MS = 2000,
    POOL_MAX = 32,
    TRIES_MS = 4000,
    PATIENCE_MS = 500, /* so long races are lost to those who live */
    SCHEMA = 1
};
static const int DUPLICATE_KEY = 11000, DUPLICATE_KEY_UPDATE = 11001, WRITE_CONFLICT = 112;

bool mongo_failed(const bson_error_t *error, const char *what, struct err *err)
{
    int code = (int)error->code;
    bool taken = code == DUPLICATE_KEY || code == DUPLICATE_KEY_UPDATE;

    return err_set(err, taken ? ERR_CONFLICT : ERR_UNAVAILABLE, "store: %s: %s", what, error->message);
}

bool mongo_work_failed(const bson_error_t *error, const bson_t *reply, const char *what, bool *again, struct err *err)
{
    if ((int)error->code == WRITE_CONFLICT ||
        (reply != NULL && mongoc_error_has_label(reply, "TransientTransactionError")))
        *again = true;
    return mongo_failed(error, what, err);
}

bool mongo_enter(struct mongo_store *store, struct mongo_call *call, struct err *err)
{
    *call = (struct mongo_call){.store = store, .client = mongoc_client_pool_pop(store->pool)};
    return call->client != NULL || err_set(err, ERR_UNAVAILABLE, "store: every connection is busy");
}

void mongo_leave(struct mongo_call *call)
{
    if (call->session != NULL)
        mongoc_client_session_destroy(call->session);
    if (call->client != NULL)
        mongoc_client_pool_push(call->store->pool, call->client);
    call->client = NULL;
    call->session = NULL;
}

mongoc_collection_t *mongo_collection(struct mongo_call *call, const char *name)
{
    return mongoc_client_get_collection(call->client, call->store->database, name);
}

void mongo_options(struct mongo_call *call, bson_t *options)
{
    bson_init(options);
    if (call->session != NULL)
        mongoc_client_session_append(call->session, options, NULL);
}

static void pause_ms(int64_t ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&time, NULL);
}

static bool commit(struct mongo_call *call, bool *again, struct err *err)
{
    bson_error_t error;
    bson_t reply;
    bool ok = false;

    for (int n = 0; n < 3 && !ok; n++) {
        ok = mongoc_client_session_commit_transaction(call->session, &reply, &error);
        if (!ok && mongoc_error_has_label(&reply, "TransientTransactionError"))
            *again = true;
        if (!ok && !mongoc_error_has_label(&reply, "UnknownTransactionCommitResult"))
            n = 3;
        bson_destroy(&reply);
    }
    return ok || mongo_failed(&error, "commit", err);
}

static bool attempt(struct mongo_call *call, mongo_work *work, void *context, bool *again, struct err *err)
{
    bson_error_t error;

    *again = false;
    if (!mongoc_client_session_start_transaction(call->session, NULL, &error))
        return mongo_failed(&error, "transaction", err);
    if (!work(call, context, again, err)) {
        mongoc_client_session_abort_transaction(call->session, NULL);
        return false;
    }
    return commit(call, again, err);
}

/* Without transactions: what fails is taken back, at once or before the next change. */
static bool attempt_alone(struct mongo_call *call, mongo_work *work, void *context, bool *again, struct err *err)
{
    struct mongo_store *store = call->store;
    struct err why = {0};

    *again = false;
    if (store->intent_open && !mongo_intent_undo(call, err))
        return false;
    if (work(call, context, again, err) && (!store->intent_open || mongo_intent_close(call, err))) {
        store->committed_seq = store->taken_seq;
        return true;
    }
    if (store->intent_open && !mongo_intent_undo(call, &why))
        *again = false;
    return false;
}

static bool try_often(struct mongo_call *call, mongo_work *work, void *context, struct err *err)
{
    int64_t began = clock_monotonic_ms();
    bool ok = false, again = true, ended = false;

    /* On a server that takes TRIES_MS for one, too, there is a second that knows what the first has met. */
    for (int n = 0; !ok && again && (call->met_known || clock_monotonic_ms() - began < TRIES_MS); n++) {
        uint8_t jitter = 0;

        if (n > 0) {
            token_random(&jitter, 1);
            pause_ms(1 + jitter % (4 << (n < 5 ? n : 5)));
        }
        if (!ended && clock_monotonic_ms() - began > PATIENCE_MS) {
            mongo_end_others(call->store);
            ended = true;
        }
        call->met_known = false;
        ok = call->session != NULL ? attempt(call, work, context, &again, err)
                                   : attempt_alone(call, work, context, &again, err);
    }
    return ok;
}

static bool run_alone(struct mongo_store *store, mongo_work *work, void *context, struct err *err)
{
    struct mongo_call call;
    bool ok = mongo_enter(store, &call, err) && try_often(&call, work, context, err);

    mongo_leave(&call);
    return ok;
}

bool mongo_transaction(struct mongo_store *store, mongo_work *work, void *context, struct err *err)
{
    struct mongo_call call = {.store = store};
    struct err why = {0};
    bool ok;

    pthread_mutex_lock(&store->write_lock);
    if (store->transactions)
        ok = mongo_writer(&call, &why) && try_often(&call, work, context, &why);
    else
        ok = run_alone(store, work, context, &why);
    if (!ok && why.code == ERR_UNAVAILABLE)
        mongo_writer_drop(store); /* its transaction may live on at the server */
    pthread_mutex_unlock(&store->write_lock);
    return ok || err_set(err, why.code, "%s", why.text);
}

bool mongo_update(struct mongo_call *call, const char *name, const bson_t *which, const bson_t *change, bool upsert,
                  bool *again, struct err *err)
{
    mongoc_collection_t *collection = mongo_collection(call, name);
    bson_error_t error;
    bson_t options, reply;
    bool ok;

    mongo_options(call, &options);
    if (upsert)
        BSON_APPEND_BOOL(&options, "upsert", true);
    ok = mongoc_collection_update_one(collection, which, change, &options, &reply, &error) ||
         mongo_work_failed(&error, &reply, name, again, err);
    bson_destroy(&reply);
    bson_destroy(&options);
    mongoc_collection_destroy(collection);
    return ok;
}

bool mongo_count_up(struct mongo_call *call, const char *name, int64_t count, int64_t *last, bool *again,
                    struct err *err)
{
    mongoc_collection_t *collection = mongo_collection(call, "counters");
    mongoc_find_and_modify_opts_t *options = mongoc_find_and_modify_opts_new();
    bson_t *which = BCON_NEW("_id", BCON_UTF8(name));
    bson_t *change = BCON_NEW("$inc", "{", "value", BCON_INT64(count), "}");
    bson_error_t error;
    bson_t extra, reply;
    bson_iter_t top, value;
    bool ok;

    mongo_options(call, &extra);
    mongoc_find_and_modify_opts_set_update(options, change);
    mongoc_find_and_modify_opts_set_flags(options, MONGOC_FIND_AND_MODIFY_UPSERT | MONGOC_FIND_AND_MODIFY_RETURN_NEW);
    mongoc_find_and_modify_opts_append(options, &extra);
    ok = mongoc_collection_find_and_modify_with_opts(collection, which, options, &reply, &error);
    if (!ok) {
        mongo_work_failed(&error, &reply, "counters", again, err);
        *again = *again || (int)error.code == DUPLICATE_KEY; /* two upserts at once: the second finds it */
    } else if (bson_iter_init(&top, &reply) && bson_iter_find_descendant(&top, "value.value", &value)) {
        *last = bson_iter_as_int64(&value);
        if (strcmp(name, "seq") == 0)
            call->store->taken_seq = *last;
    } else {
        ok = err_set(err, ERR_SYSTEM, "store: counter %s cannot be read", name);
    }
    bson_destroy(&reply);
    bson_destroy(&extra);
    bson_destroy(which);
    bson_destroy(change);
    mongoc_find_and_modify_opts_destroy(options);
    mongoc_collection_destroy(collection);
    return ok;
}

bool mongo_read_counter(struct mongo_call *call, const char *name, int64_t *value, struct err *err)
{
    mongoc_collection_t *collection = mongo_collection(call, "counters");
    bson_t *which = BCON_NEW("_id", BCON_UTF8(name));
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(collection, which, NULL, NULL);
    const bson_t *document;
    bson_error_t error;
    bson_iter_t at;
    bool ok;

    *value = 0;
    if (mongoc_cursor_next(cursor, &document) && bson_iter_init_find(&at, document, "value"))
        *value = bson_iter_as_int64(&at);
    ok = !mongoc_cursor_error(cursor, &error) || mongo_failed(&error, "counters", err);
    mongoc_cursor_destroy(cursor);
    bson_destroy(which);
    mongoc_collection_destroy(collection);
    return ok;
}

/* --- opening --- */

/* A collection cannot always be made within a transaction, so all are there before the first. */
static bool make_collection(struct mongo_call *call, const char *name, struct err *err)
{
    bson_t *command = BCON_NEW("create", BCON_UTF8(name));
    const int exists_already = 48;
    bson_error_t error;
    bool ok =
        mongoc_client_write_command_with_opts(call->client, call->store->database, command, NULL, NULL, &error) ||
        (int)error.code == exists_already || mongo_failed(&error, name, err);

    bson_destroy(command);
    return ok;
}

static bool ask_server(struct mongo_call *call, struct err *err)
{
    bson_t *hello = BCON_NEW("isMaster", BCON_INT32(1));
    bson_error_t error;
    bson_iter_t at;
    bson_t reply;
    bool ok = mongoc_client_command_simple(call->client, "admin", hello, NULL, &reply, &error) ||
              mongo_failed(&error, "connect", err);

    /* A replica set has a name; a router says so. */
    if (ok)
        call->store->transactions =
            bson_iter_init_find(&at, &reply, "setName") || bson_iter_init_find(&at, &reply, "msg");
    call->store->base.shared = call->store->transactions;
    bson_destroy(&reply);
    bson_destroy(hello);
    return ok;
}

static bool name_once(struct mongo_call *call, bool *again, struct err *err)
{
    mongoc_collection_t *meta = mongo_collection(call, "meta");
    bson_t *which = BCON_NEW("_id", "store");
    mongoc_find_and_modify_opts_t *options = mongoc_find_and_modify_opts_new();
    char fresh[STORE_NAME];
    bson_t *change, reply;
    bson_error_t error;
    bson_iter_t top, at;
    bool ok = false;

    token_text(fresh, sizeof fresh);
    change = BCON_NEW("$setOnInsert", "{", "name", BCON_UTF8(fresh), "schema", BCON_INT32(SCHEMA), "}");
    mongoc_find_and_modify_opts_set_update(options, change);
    mongoc_find_and_modify_opts_set_flags(options, MONGOC_FIND_AND_MODIFY_UPSERT | MONGOC_FIND_AND_MODIFY_RETURN_NEW);
    if (!mongoc_collection_find_and_modify_with_opts(meta, which, options, &reply, &error))
        mongo_failed(&error, "meta", err);
    else if (bson_iter_init(&top, &reply) && bson_iter_find_descendant(&top, "value.schema", &at) &&
             bson_iter_as_int64(&at) > SCHEMA)
        err_set(err, ERR_DENIED, "%s: written by a newer version", call->store->database);
    else if (bson_iter_init(&top, &reply) && bson_iter_find_descendant(&top, "value.name", &at) &&
             BSON_ITER_HOLDS_UTF8(&at))
        ok = snprintf(call->store->base.name, STORE_NAME, "%s", bson_iter_utf8(&at, NULL)) > 0;
    else
        *again = !err_set(err, ERR_UNAVAILABLE, "meta: the store has no name");
    bson_destroy(&reply);
    bson_destroy(change);
    bson_destroy(which);
    mongoc_find_and_modify_opts_destroy(options);
    mongoc_collection_destroy(meta);
    return ok;
}

/* Of backends that make it at once only one gets it back at first. */
static bool read_name(struct mongo_call *call, struct err *err)
{
    bool ok = false, again = true;

    for (int n = 0; !ok && again && n < 50; n++) {
        if (n > 0)
            pause_ms(20);
        again = false;
        ok = name_once(call, &again, err);
    }
    return ok;
}

static bool prepare(struct mongo_store *store, struct err *err)
{
    static const char *const collections[] = {"securitylogs", "rollups", "documents", "counters",
                                              "evidence",     "meta",    "undo"};
    struct mongo_call call;
    bool ok;

    if (!mongo_enter(store, &call, err))
        return false;
    ok = ask_server(&call, err);
    for (size_t i = 0; ok && i < sizeof collections / sizeof *collections; i++)
        ok = make_collection(&call, collections[i], err);
    ok = ok && mongo_make_indexes(&call, err) && read_name(&call, err) &&
         (store->transactions ||
          (mongo_intent_undo(&call, err) && mongo_read_counter(&call, "seq", &store->taken_seq, err)));
    store->committed_seq = store->taken_seq;
    mongo_leave(&call);
    if (ok && store->transactions)
        mongo_end_others(store);
    if (ok && !store->transactions)
        log_warn("store.standalone", "why=\"no replica set: one backend alone may use this database\"");
    return ok;
}

static bool connect_to(struct mongo_store *store, const char *text, struct err *err)
{
    bson_error_t error;
    mongoc_uri_t *uri = mongoc_uri_new_with_error(text, &error);
    mongoc_write_concern_t *concern = mongoc_write_concern_new();

    if (uri == NULL) {
        mongoc_write_concern_destroy(concern);
        return err_set(err, ERR_INVALID, "MongoDB URI: %s", error.message);
    }
    mongoc_write_concern_set_wmajority(concern, MONGO_SOCKET_MS);
    mongoc_write_concern_set_journal(concern, true);
    mongoc_uri_set_write_concern(uri, concern);
    mongoc_write_concern_destroy(concern);
    mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, SELECTION_MS);
    mongoc_uri_set_option_as_int32(uri, MONGOC_URI_CONNECTTIMEOUTMS, CONNECT_MS);
    if (!mongoc_uri_has_option(uri, MONGOC_URI_SOCKETTIMEOUTMS)) /* who has a slow server may say so */
        mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SOCKETTIMEOUTMS, MONGO_SOCKET_MS);
    mongoc_uri_set_option_as_int32(uri, MONGOC_URI_WAITQUEUETIMEOUTMS, QUEUE_MS);
    mongoc_uri_set_option_as_int32(uri, MONGOC_URI_MAXPOOLSIZE, POOL_MAX);
    mongoc_uri_set_appname(uri, "threatline");
    store->database = strdup(mongoc_uri_get_database(uri) != NULL ? mongoc_uri_get_database(uri) : "threatline");
    store->pool = mongoc_client_pool_new_with_error(uri, &error);
    mongoc_uri_destroy(uri);
    if (store->pool == NULL)
        return err_set(err, ERR_INVALID, "MongoDB URI: %s", error.message);
    mongoc_client_pool_set_error_api(store->pool, MONGOC_ERROR_API_VERSION_2);
    return store->database != NULL || err_set(err, ERR_MEMORY, "store: out of memory");
}

static bool mongo_ping(struct store *store, struct err *err)
{
    struct mongo_call call;
    bson_t *which, *change;
    bool ok, again = false;

    if (!mongo_enter(MONGO_STORE(store), &call, err))
        return false;
    which = BCON_NEW("_id", "ping");
    change = BCON_NEW("$set", "{", "at", BCON_DATE_TIME(clock_now_ms()), "}");
    ok = mongo_update(&call, "meta", which, change, true, &again, err);
    bson_destroy(which);
    bson_destroy(change);
    mongo_leave(&call);
    return ok;
}

static bool mongo_size(struct store *store, int64_t *bytes, int64_t *disk, struct err *err)
{
    struct mongo_call call;
    bson_t *command, answer;
    bson_iter_t at;
    bson_error_t error;
    bool ok;

    *bytes = *disk = 0;
    if (!mongo_enter(MONGO_STORE(store), &call, err))
        return false;
    command = BCON_NEW("dbStats", BCON_INT32(1));
    ok = mongoc_client_read_command_with_opts(call.client, call.store->database, command, NULL, NULL, &answer,
                                              &error) ||
         mongo_failed(&error, "dbStats", err);
    if (ok && bson_iter_init_find(&at, &answer, "dataSize"))
        *bytes = (int64_t)bson_iter_as_double(&at);
    if (ok && bson_iter_init_find(&at, &answer, "indexSize"))
        *bytes += (int64_t)bson_iter_as_double(&at);
    if (ok && bson_iter_init_find(&at, &answer, "fsTotalSize"))
        *disk = (int64_t)bson_iter_as_double(&at);
    bson_destroy(&answer);
    bson_destroy(command);
    mongo_leave(&call);
    return ok;
}

static bool mongo_backup(struct store *store, const char *path, struct err *err)
{
    (void)store;
    (void)path;
    return err_set(err, ERR_DENIED, "backup: use mongodump for MongoDB");
}

static void mongo_close(struct store *base)
{
    struct mongo_store *store = MONGO_STORE(base);

    mongo_follow_stop(store);
    if (store->pool != NULL)
        mongo_writer_drop(store);
    if (store->pool != NULL)
        mongoc_client_pool_destroy(store->pool);
    rollup_free(store->rollup);
    pthread_mutex_destroy(&store->write_lock);
    free(store->database);
    free(store);
}

static const struct store_ops ops = {
    .kind = "mongodb",
    .close = mongo_close,
    .ping = mongo_ping,
    .insert = mongo_insert,
    .threat = mongo_threat,
    .find = mongo_find,
    .statistics = mongo_statistics,
    .events = mongo_events,
    .last_seq = mongo_last_seq,
    .first_seq = mongo_first_seq,
    .add_monitoring = mongo_add_monitoring,
    .triage = mongo_triage,
    .remove = mongo_remove,
    .put_evidence = mongo_put_evidence,
    .get_evidence = mongo_get_evidence,
    .doc_put = mongo_doc_put,
    .doc_get = mongo_doc_get,
    .doc_by_name = mongo_doc_by_name,
    .doc_remove = mongo_doc_remove,
    .doc_list = mongo_doc_list,
    .doc_generation = mongo_doc_generation,
    .follow = mongo_follow,
    .size = mongo_size,
    .backup = mongo_backup,
};

/* The driver writes lines of its own; here they become events. What it warns of is told by the call that failed as
 * well. */
static void log_driver(mongoc_log_level_t level, const char *domain, const char *message, void *context)
{
    (void)context;
    if (level <= MONGOC_LOG_LEVEL_CRITICAL)
        log_error("store.driver", "domain=%s message=\"%s\"", domain, message);
    else if (level <= MONGOC_LOG_LEVEL_WARNING)
        log_debug("store.driver", "domain=%s message=\"%s\"", domain, message);
}

bool store_check_mongo(const char *uri, struct err *err)
{
    bson_error_t error;
    mongoc_uri_t *parsed;

    mongoc_init();
    mongoc_log_set_handler(log_driver, NULL);
    parsed = mongoc_uri_new_with_error(uri, &error);
    if (parsed == NULL)
        return err_set(err, ERR_INVALID, "MongoDB URI: %s", error.message);
    mongoc_uri_destroy(parsed);
    return true;
}

struct store *store_open_mongo(const char *uri, struct err *err)
{
    struct mongo_store *store = calloc(1, sizeof *store);

    if (store == NULL) {
        err_set(err, ERR_MEMORY, "store: out of memory");
        return NULL;
    }
    mongoc_init();
    mongoc_log_set_handler(log_driver, NULL);
    store->base.ops = &ops;
    pthread_mutex_init(&store->write_lock, NULL);
    store->rollup = rollup_create();
    if (store->rollup != NULL && connect_to(store, uri, err) && prepare(store, err))
        return &store->base;
    mongo_close(&store->base);
    return NULL;
}
