/* store_mongo_orphans.c: ends the transactions of backends that died in the middle of one.
 *
 * A server keeps such a transaction, and its lock on the sequence counter, until its lifetime is over (60 s), and every
 * backend would answer 503 meanwhile. So each session that runs transactions is written down first; a backend that has lost
 * races for ORPHAN_AFTER_MS ends the written-down sessions of all others (killSessions). One that was alive only loses a
 * race itself and tries again. */
#include "backend/store_mongo.h"

#include "common/clock.h"
#include "common/log.h"

#include <stdio.h>
#include <string.h>

enum { WRITTEN_AGAIN_MS = 30000, KILL_EVERY_MS = 2000, SESSIONS_MAX = 256 };

static bool session_id(const mongoc_client_session_t *session, const uint8_t **bytes)
{
    bson_subtype_t subtype;
    uint32_t length = 0;
    bson_iter_t at;

    if (!bson_iter_init_find(&at, mongoc_client_session_get_lsid(session), "id") || !BSON_ITER_HOLDS_BINARY(&at))
        return false;
    bson_iter_binary(&at, &subtype, &length, bytes);
    return length == MONGO_SESSION_ID;
}

/* In the place of the same session, else of the one written down longest ago. */
static void remember(struct mongo_store *store, const uint8_t *id, int64_t now)
{
    struct mongo_session *place = &store->sessions[0];

    for (size_t i = 0; i < MONGO_SESSIONS; i++) {
        struct mongo_session *session = &store->sessions[i];
        if (memcmp(session->id, id, MONGO_SESSION_ID) == 0) {
            place = session;
            break;
        }
        if (session->written_ms < place->written_ms)
            place = session;
    }
    memcpy(place->id, id, MONGO_SESSION_ID);
    place->written_ms = now;
}

bool mongo_write_down_session(struct mongo_call *call, struct err *err)
{
    struct mongo_store *store = call->store;
    int64_t now = clock_monotonic_ms();
    mongoc_client_session_t *session = call->session;
    const uint8_t *id = NULL;
    char text[2 * MONGO_SESSION_ID + 1];
    bson_t *which, *change;
    bool again = false, ok;

    if (!session_id(session, &id))
        return err_set(err, ERR_SYSTEM, "store: the session has no id");
    for (size_t i = 0; i < MONGO_SESSIONS; i++)
        if (memcmp(store->sessions[i].id, id, MONGO_SESSION_ID) == 0 &&
            now - store->sessions[i].written_ms < WRITTEN_AGAIN_MS)
            return true;
    for (size_t i = 0; i < MONGO_SESSION_ID; i++)
        snprintf(text + 2 * i, 3, "%02x", id[i]);
    which = BCON_NEW("_id", BCON_UTF8(text));
    change = BCON_NEW("$set", "{", "owner", BCON_UTF8(store->instance), "lsid", "{", "id",
                      BCON_BIN(BSON_SUBTYPE_UUID, id, MONGO_SESSION_ID), "}", "}");
    call->session = NULL; /* outside of the transaction to come */
    ok = mongo_update(call, "backends", which, change, true, &again, err);
    call->session = session;
    bson_destroy(which);
    bson_destroy(change);
    if (ok)
        remember(store, id, now);
    return ok;
}

/* killSessions of what the other backends wrote down; returns how many there were. */
static int kill_others(struct mongo_call *call, const bson_t *others)
{
    mongoc_collection_t *collection = mongo_collection(call, "backends");
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(collection, others, NULL, NULL);
    bson_t command = BSON_INITIALIZER, list;
    const bson_t *document;
    bson_error_t error;
    int count = 0;

    BSON_APPEND_ARRAY_BEGIN(&command, "killSessions", &list);
    while (count < SESSIONS_MAX && mongoc_cursor_next(cursor, &document)) {
        char digits[16];
        const char *key;
        bson_iter_t at;

        bson_uint32_to_string((uint32_t)count, &key, digits, sizeof digits);
        if (bson_iter_init_find(&at, document, "lsid") && bson_append_iter(&list, key, -1, &at))
            count++;
    }
    bson_append_array_end(&command, &list);
    mongoc_cursor_destroy(cursor);
    if (count > 0 && !mongoc_client_command_simple(call->client, "admin", &command, NULL, NULL, &error))
        log_warn("store.orphans", "sessions=%d error=\"%s\"", count, error.message);
    else if (count > 0)
        mongoc_collection_delete_many(collection, others, NULL, NULL, &error); /* the living write themselves down again */
    bson_destroy(&command);
    mongoc_collection_destroy(collection);
    return count;
}

void mongo_end_orphans(struct mongo_call *call)
{
    struct mongo_store *store = call->store;
    mongoc_client_session_t *session = call->session;
    int64_t now = clock_monotonic_ms();
    bson_t *others;
    int count;

    if (now - store->orphans_ended_ms < KILL_EVERY_MS)
        return;
    store->orphans_ended_ms = now;
    others = BCON_NEW("owner", "{", "$ne", BCON_UTF8(store->instance), "}");
    call->session = NULL;
    count = kill_others(call, others);
    call->session = session;
    bson_destroy(others);
    memset(store->sessions, 0, sizeof store->sessions); /* another may have ended ours: written down again */
    if (count > 0)
        log_warn("store.orphans_ended", "sessions=%d", count);
}
