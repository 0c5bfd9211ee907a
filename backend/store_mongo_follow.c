/* store_mongo_follow.c: hears of every event of every backend through the collection's change stream.
 *
 * The sequence is taken within each transaction, so changes come in its order. A stream is opened first and only then
 * what came before is read from the store, so nothing falls between. When a stream ends it is resumed behind the last
 * change; when the server no longer knows that place, the same way is taken as at the start: a new stream, then what
 * was missed. */
#include "backend/store_mongo.h"

#include "common/log.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { AWAIT_MS = 200, REPLAY = 1000, PAUSE_MS = 500 };

struct mongo_follower {
    struct mongo_store *store;
    pthread_t thread;
    atomic_bool stopping;
    int64_t last_seq;
    store_follower *each;
    void *context;
};

static bool replay_one(void *context, int64_t seq, enum store_event event, const char *json)
{
    struct mongo_follower *f = context;

    if (seq > f->last_seq) {
        f->last_seq = seq;
        f->each(f->context, seq, event, json);
    }
    return !f->stopping;
}

static bool replay(struct mongo_follower *f, struct err *err)
{
    int64_t before;

    do {
        before = f->last_seq;
        if (!mongo_events(&f->store->base, f->last_seq, REPLAY, replay_one, f, err))
            return false;
    } while (!f->stopping && f->last_seq > before);
    return true;
}

static bool find_in(const bson_t *document, const char *path, bson_iter_t *at)
{
    bson_iter_t top;

    return bson_iter_init(&top, document) && bson_iter_find_descendant(&top, path, at);
}

/* The sequence that this very change took: a document looked up later may have a newer one by then. */
static int64_t seq_of_change(const bson_t *change, bool update)
{
    bson_iter_t fields, child;

    if (!update)
        return find_in(change, "fullDocument.index.eventSeq", &fields) ? bson_iter_as_int64(&fields) : 0;
    if (!find_in(change, "updateDescription.updatedFields", &fields) || !bson_iter_recurse(&fields, &child))
        return 0;
    while (bson_iter_next(&child))
        if (strcmp(bson_iter_key(&child), "index.eventSeq") == 0)
            return bson_iter_as_int64(&child);
    return 0;
}

static void tell_document(struct mongo_follower *f, const bson_t *document, int64_t seq, bool update)
{
    struct securitylog log;
    struct err err = {0};
    char *json;

    if (!securitylog_read(&log, document, &err)) {
        log_error("store.follow", "why=\"%s\"", err.text);
        return;
    }
    if (strcmp(log.action, SECURITYLOG_THREAT) != 0) {
        f->each(f->context, seq, EVENT_MONITORING, log.json);
    } else if (log.envelope.suppressed_by == NULL && (json = store_record_given(log.json, &log.envelope)) != NULL) {
        f->each(f->context, seq, update ? EVENT_THREAT_UPDATED : EVENT_THREAT_DETECTED, json);
        free(json);
    }
    securitylog_clear(&log);
}

static void tell_change(struct mongo_follower *f, const bson_t *change)
{
    bson_iter_t at, full;
    const uint8_t *bytes = NULL;
    uint32_t length = 0;
    bson_t document;
    bool update;
    int64_t seq;

    if (!find_in(change, "operationType", &at) || !BSON_ITER_HOLDS_UTF8(&at))
        return;
    update = strcmp(bson_iter_utf8(&at, NULL), "insert") != 0;
    seq = seq_of_change(change, update);
    if (seq <= f->last_seq)
        return;
    f->last_seq = seq;
    if (!find_in(change, "fullDocument", &full) || !BSON_ITER_HOLDS_DOCUMENT(&full))
        return; /* removed in the meantime */
    bson_iter_document(&full, &length, &bytes);
    if (bson_init_static(&document, bytes, length))
        tell_document(f, &document, seq, update);
}

static mongoc_change_stream_t *open_stream(mongoc_collection_t *logs, const bson_t *token)
{
    bson_t *pipeline = BCON_NEW("pipeline", "[", "{", "$match", "{", "operationType", "{", "$in", "[", "insert",
                                "update", "replace", "]", "}", "}", "}", "]");
    bson_t *options = BCON_NEW("fullDocument", "updateLookup", "maxAwaitTimeMS", BCON_INT64(AWAIT_MS));
    mongoc_change_stream_t *stream;

    if (!bson_empty(token))
        BSON_APPEND_DOCUMENT(options, "resumeAfter", token);
    stream = mongoc_collection_watch(logs, pipeline, options);
    bson_destroy(pipeline);
    bson_destroy(options);
    return stream;
}

static void keep_token(mongoc_change_stream_t *stream, bson_t *token)
{
    const bson_t *now = mongoc_change_stream_get_resume_token(stream);

    if (now != NULL) {
        bson_reinit(token);
        bson_concat(token, now);
    }
}

/* Follows until the stream fails; err says why. Without a token everything missed is read from the store first. */
static void follow_once(struct mongo_follower *f, mongoc_collection_t *logs, bson_t *token, struct err *err)
{
    bool fresh = bson_empty(token);
    mongoc_change_stream_t *stream = open_stream(logs, token);
    const bson_t *change = NULL, *reply = NULL;
    bson_error_t error;

    /* The first look makes the server open it. */
    if (mongoc_change_stream_next(stream, &change)) {
        if (fresh && !replay(f, err))
            goto done;
        tell_change(f, change);
    } else if (fresh && !mongoc_change_stream_error_document(stream, &error, &reply) && !replay(f, err)) {
        goto done;
    }
    while (!f->stopping) {
        if (mongoc_change_stream_next(stream, &change))
            tell_change(f, change);
        else if (mongoc_change_stream_error_document(stream, &error, &reply))
            break;
        keep_token(stream, token);
    }
    if (!f->stopping)
        mongo_failed(&error, "change stream", err);
done:
    mongoc_change_stream_destroy(stream);
}

static void *run(void *context)
{
    struct mongo_follower *f = context;
    struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    bson_t token = BSON_INITIALIZER;
    bool resumed = false;

    while (!f->stopping) {
        struct mongo_call call;
        struct err err = {0};

        if (mongo_enter(f->store, &call, &err)) {
            mongoc_collection_t *logs = mongo_collection(&call, "securitylogs");

            resumed = !bson_empty(&token);
            follow_once(f, logs, &token, &err);
            mongoc_collection_destroy(logs);
            mongo_leave(&call);
        }
        if (f->stopping)
            break;
        log_warn("store.follow", "why=\"%s\" resumed=%s", err.text, resumed ? "yes" : "no");
        if (resumed) /* the place may be gone: begin anew, with what the store has */
            bson_reinit(&token);
        nanosleep(&pause, NULL);
    }
    bson_destroy(&token);
    return NULL;
}

bool mongo_follow(struct store *store, int64_t after_seq, store_follower *each, void *context, struct err *err)
{
    struct mongo_store *s = MONGO_STORE(store);
    struct mongo_follower *f;

    if (s->follower != NULL)
        return err_set(err, ERR_CONFLICT, "store: is followed already");
    f = calloc(1, sizeof *f);
    if (f == NULL)
        return err_set(err, ERR_MEMORY, "store: out of memory");
    f->store = s;
    f->last_seq = after_seq;
    f->each = each;
    f->context = context;
    atomic_init(&f->stopping, false);
    if (pthread_create(&f->thread, NULL, run, f) != 0) {
        free(f);
        return err_set(err, ERR_SYSTEM, "store: no thread could be started");
    }
    pthread_setname_np(f->thread, "follow");
    s->follower = f;
    return true;
}

void mongo_follow_stop(struct mongo_store *store)
{
    if (store->follower == NULL)
        return;
    store->follower->stopping = true;
    pthread_join(store->follower->thread, NULL);
    free(store->follower);
    store->follower = NULL;
}
