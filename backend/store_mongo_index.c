/* store_mongo_index.c: the indexes, one a query of the search, and those that keep threats and names apart. */
#include "backend/store_mongo.h"

#include <string.h>

/* Which documents an index holds: all, or those whose field "in" is there, is a text but "", or is true. */
enum kept { KEEP_ALL, KEEP_PRESENT, KEEP_TEXT, KEEP_TRUE };

struct index_row {
    const char *collection, *name;
    const char *keys[3]; /* "-seq" descends */
    bool unique, expires;
    bool sparse; /* a lookup by the field itself may use it on every server */
    enum kept kept;
    const char *in;
};

/* Most threats have no assignee, job, comment or suppression and are not simulated: these indexes leave them out. */
static const struct index_row indexes[] = {
    {"securitylogs", "threat_id", .keys = {"details.threatId"}, .unique = true, .sparse = true},
    {"securitylogs", "event", .keys = {"index.eventSeq"}, .unique = true, .sparse = true},
    {"securitylogs", "arrival", .keys = {"action", "-seq"}},
    {"securitylogs", "type", .keys = {"details.threatType", "-seq"}},
    {"securitylogs", "severity", .keys = {"index.severity", "-seq"}},
    {"securitylogs", "status", .keys = {"triage.status", "-seq"}},
    {"securitylogs", "verdict", .keys = {"triage.verdict", "-seq"}},
    {"securitylogs", "source", .keys = {"index.source", "-seq"}},
    {"securitylogs", "destination", .keys = {"index.destination", "-seq"}},
    {"securitylogs", "source_port", .keys = {"index.sourcePort", "-seq"}},
    {"securitylogs", "destination_port", .keys = {"index.destinationPort", "-seq"}},
    {"securitylogs", "protocol", .keys = {"index.protocol", "-seq"}},
    {"securitylogs", "sensor", .keys = {"index.sensor", "-seq"}},
    {"securitylogs", "confidence", .keys = {"details.confidence", "-seq"}},
    {"securitylogs", "time", .keys = {"index.timestampUs"}},
    {"securitylogs", "received", .keys = {"receivedAt"}},
    {"securitylogs", "words", .keys = {"index.words", "-seq"}},
    {"securitylogs", "assigned", .keys = {"triage.assignee", "-seq"}, .kept = KEEP_TEXT, .in = "triage.assignee"},
    {"securitylogs", "of_job", .keys = {"index.job", "-seq"}, .kept = KEEP_TEXT, .in = "index.job"},
    {"securitylogs", "suppressed_by", .keys = {"suppressedBy", "-seq"}, .kept = KEEP_TEXT, .in = "suppressedBy"},
    {"securitylogs", "is_simulated", .keys = {"index.simulated", "-seq"}, .kept = KEEP_TRUE, .in = "index.simulated"},
    {"securitylogs", "is_commented", .keys = {"index.commented", "-seq"}, .kept = KEEP_TRUE, .in = "index.commented"},
    {"rollups", "bucket", .keys = {"span", "part", "bucket"}, .unique = true},
    {"documents", "key", .keys = {"kind", "id"}, .unique = true},
    {"documents", "name", .keys = {"kind", "name"}, .unique = true, .kept = KEEP_PRESENT, .in = "name"},
    {"documents", "expires", .keys = {"expiresAt"}, .expires = true},
};

/* Those of earlier versions, which held every threat. */
static const char *const old_indexes[] = {"assignee", "job", "suppressed", "simulated", "commented"};

static void append_kept(bson_t *index, const struct index_row *row)
{
    const char *name = "partialFilterExpression";

    if (row->kept == KEEP_PRESENT)
        BCON_APPEND(index, name, "{", row->in, "{", "$exists", BCON_BOOL(true), "}", "}");
    else if (row->kept == KEEP_TEXT)
        BCON_APPEND(index, name, "{", row->in, "{", "$gt", BCON_UTF8(""), "}", "}");
    else if (row->kept == KEEP_TRUE)
        BCON_APPEND(index, name, "{", row->in, BCON_BOOL(true), "}");
}

static void append_index(bson_t *list, size_t n, const struct index_row *row)
{
    bson_t index, keys;
    char digits[16];
    const char *at;

    bson_uint32_to_string((uint32_t)n, &at, digits, sizeof digits);
    BSON_APPEND_DOCUMENT_BEGIN(list, at, &index);
    BSON_APPEND_DOCUMENT_BEGIN(&index, "key", &keys);
    for (size_t k = 0; k < 3 && row->keys[k] != NULL; k++)
        BSON_APPEND_INT32(&keys, row->keys[k] + (row->keys[k][0] == '-'), row->keys[k][0] == '-' ? -1 : 1);
    bson_append_document_end(&index, &keys);
    BSON_APPEND_UTF8(&index, "name", row->name);
    if (row->unique)
        BSON_APPEND_BOOL(&index, "unique", true);
    if (row->expires)
        BSON_APPEND_INT32(&index, "expireAfterSeconds", 0);
    if (row->sparse)
        BSON_APPEND_BOOL(&index, "sparse", true);
    append_kept(&index, row);
    bson_append_document_end(list, &index);
}

static bool make_indexes(struct mongo_call *call, const char *collection, struct err *err)
{
    bson_t command = BSON_INITIALIZER, list;
    bson_error_t error;
    size_t n = 0;
    bool ok;

    BSON_APPEND_UTF8(&command, "createIndexes", collection);
    BSON_APPEND_ARRAY_BEGIN(&command, "indexes", &list);
    for (size_t i = 0; i < sizeof indexes / sizeof *indexes; i++)
        if (strcmp(indexes[i].collection, collection) == 0)
            append_index(&list, n++, &indexes[i]);
    bson_append_array_end(&command, &list);
    ok = mongoc_client_write_command_with_opts(call->client, call->store->database, &command, NULL, NULL, &error) ||
         mongo_failed(&error, "indexes", err);
    bson_destroy(&command);
    return ok;
}

/* Only at the first opening after an update is one there. */
static bool drop_old_indexes(struct mongo_call *call, struct err *err)
{
    const int no_such_index = 27;
    mongoc_collection_t *logs = mongo_collection(call, "securitylogs");
    bson_error_t error;
    bool ok = true;

    for (size_t i = 0; ok && i < sizeof old_indexes / sizeof *old_indexes; i++)
        ok = mongoc_collection_drop_index_with_opts(logs, old_indexes[i], NULL, &error) ||
             (int)error.code == no_such_index || mongo_failed(&error, "indexes", err);
    mongoc_collection_destroy(logs);
    return ok;
}

bool mongo_make_indexes(struct mongo_call *call, struct err *err)
{
    return drop_old_indexes(call, err) && make_indexes(call, "securitylogs", err) &&
           make_indexes(call, "rollups", err) && make_indexes(call, "documents", err);
}
