/* store_mongo_threats.c: everything that adds to or changes threats, each in one transaction with its counts and its
 * events. */
#include "backend/store_mongo.h"

#include "common/clock.h"
#include "common/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 200 }; /* documents of one insert command */

struct rollup_fact mongo_fact(const struct securitylog *log)
{
    return (struct rollup_fact){.timestamp_us = log->timestamp_us,
                                .simulated = log->simulated,
                                .suppressed = log->envelope.suppressed_by != NULL,
                                .severity = log->severity,
                                .type = log->type,
                                .status = log->envelope.triage.status,
                                .verdict = log->envelope.triage.verdict,
                                .sensor = log->sensor,
                                .source = log->source,
                                .destination = log->destination};
}

static bool count_change(struct mongo_store *store, const struct rollup_fact *fact, int delta, struct err *err)
{
    return rollup_add(store->rollup, fact, delta, clock_now_us()) || err_set(err, ERR_MEMORY, "store: out of memory");
}

bool mongo_find_one(struct mongo_call *call, const char *id, const bson_t **document, mongoc_cursor_t **cursor,
                    bool *again, struct err *err)
{
    mongoc_collection_t *logs = mongo_collection(call, "securitylogs");
    bson_t *which = BCON_NEW("details.threatId", BCON_UTF8(id));
    bson_error_t error;
    const bson_t *reply = NULL;
    bson_t options;
    bool ok;

    mongo_options(call, &options);
    *cursor = mongoc_collection_find_with_opts(logs, which, &options, NULL);
    ok = mongoc_cursor_next(*cursor, document);
    if (!ok && mongoc_cursor_error_document(*cursor, &error, &reply))
        mongo_work_failed(&error, reply, id, again, err);
    else if (!ok)
        err_set(err, ERR_NOT_FOUND, "threat %s: no such threat", id);
    bson_destroy(&options);
    bson_destroy(which);
    mongoc_collection_destroy(logs);
    return ok;
}

/* --- a batch --- */

/* What is known of an id: from the store, or from earlier in the same batch. */
struct known {
    const char *id; /* NULL: free slot */
    uint32_t revision;
    uint64_t digest;
    char *owned; /* id read from the store */
};

struct batch {
    struct store_item *items;
    struct store_record *records;
    size_t count;
    bool look; /* ask for known ids first; left out until a duplicate was met */
    struct known *known;
    size_t slots;
};

static struct known *slot_of(struct batch *batch, const char *id)
{
    uint64_t hash = 14695981039346656037u;
    size_t at;

    for (const char *p = id; *p != '\0'; p++)
        hash = (hash ^ (unsigned char)*p) * 1099511628211u;
    for (at = (hash ^ hash >> 32) & (batch->slots - 1); batch->known[at].id != NULL;
         at = (at + 1) & (batch->slots - 1))
        if (strcmp(batch->known[at].id, id) == 0)
            break;
    return &batch->known[at];
}

static void forget(struct batch *batch)
{
    for (size_t i = 0; i < batch->slots; i++)
        free(batch->known[i].owned);
    memset(batch->known, 0, batch->slots * sizeof *batch->known);
    for (size_t i = 0; i < batch->count; i++) {
        free(batch->items[i].json);
        batch->items[i].json = NULL;
        batch->items[i].seq = 0;
    }
}

static bool note_known(struct batch *batch, const bson_t *document, struct err *err)
{
    struct known *slot;
    bson_iter_t top, at;
    char *id;

    if (!bson_iter_init(&top, document) || !bson_iter_find_descendant(&top, "details.threatId", &at))
        return true;
    id = strdup(bson_iter_utf8(&at, NULL));
    if (id == NULL)
        return err_set(err, ERR_MEMORY, "store: out of memory");
    slot = slot_of(batch, id);
    slot->id = slot->owned = id;
    bson_iter_init(&top, document);
    slot->revision = bson_iter_find_descendant(&top, "index.revision", &at) ? (uint32_t)bson_iter_as_int64(&at) : 0;
    bson_iter_init(&top, document);
    slot->digest = bson_iter_find_descendant(&top, "index.digest", &at) ? (uint64_t)bson_iter_as_int64(&at) : 0;
    return true;
}

static bool look_up(struct mongo_call *call, struct batch *batch, bool *again, struct err *err)
{
    mongoc_collection_t *logs = mongo_collection(call, "securitylogs");
    bson_t which = BSON_INITIALIZER, options, id, list, *fields;
    mongoc_cursor_t *cursor;
    const bson_t *document, *reply = NULL;
    bson_error_t error;
    char digits[16];
    const char *key;
    bool ok = true;

    BSON_APPEND_DOCUMENT_BEGIN(&which, "details.threatId", &id);
    BSON_APPEND_ARRAY_BEGIN(&id, "$in", &list);
    for (size_t i = 0; i < batch->count; i++) {
        bson_uint32_to_string((uint32_t)i, &key, digits, sizeof digits);
        BSON_APPEND_UTF8(&list, key, batch->items[i].threat->id);
    }
    bson_append_array_end(&id, &list);
    bson_append_document_end(&which, &id);
    mongo_options(call, &options);
    fields =
        BCON_NEW("details.threatId", BCON_INT32(1), "index.revision", BCON_INT32(1), "index.digest", BCON_INT32(1));
    BSON_APPEND_DOCUMENT(&options, "projection", fields);
    cursor = mongoc_collection_find_with_opts(logs, &which, &options, NULL);
    while (ok && mongoc_cursor_next(cursor, &document))
        ok = note_known(batch, document, err);
    if (ok && mongoc_cursor_error_document(cursor, &error, &reply))
        ok = mongo_work_failed(&error, reply, "look up", again, err);
    mongoc_cursor_destroy(cursor);
    bson_destroy(fields);
    bson_destroy(&options);
    bson_destroy(&which);
    mongoc_collection_destroy(logs);
    return ok;
}

/* Says of each item what it is; gives the number of events. */
static size_t classify(struct batch *batch)
{
    size_t events = 0;

    for (size_t i = 0; i < batch->count; i++) {
        struct store_item *item = &batch->items[i];
        struct known *known;

        if (batch->records[i].json == NULL)
            continue; /* refused */
        known = slot_of(batch, item->threat->id);
        if (known->id == NULL)
            item->result = STORE_STORED;
        else if (item->threat->revision > known->revision)
            item->result = STORE_UPDATED;
        else if (item->threat->revision == known->revision && batch->records[i].digest != known->digest)
            item->result = STORE_DIFFERENT;
        else
            item->result = STORE_DUPLICATE;
        if (item->result != STORE_STORED && item->result != STORE_UPDATED)
            continue;
        if (known->id == NULL)
            known->id = item->threat->id;
        known->revision = item->threat->revision;
        known->digest = batch->records[i].digest;
        events++;
    }
    return events;
}

static bool describe_new(struct mongo_store *store, struct store_item *item, const struct store_record *record,
                         struct err *err)
{
    struct store_envelope envelope = {.seq = item->seq,
                                      .received_ms = item->received_ms,
                                      .suppressed_by = item->suppressed_by,
                                      .triage = {.status = "new", .version = 1}};
    struct rollup_fact fact = {.timestamp_us = item->threat->timestamp_us,
                               .simulated = record->simulated,
                               .suppressed = item->suppressed_by != NULL,
                               .severity = item->threat->severity,
                               .type = item->threat->type,
                               .status = "new",
                               .verdict = "",
                               .sensor = item->threat->sensor,
                               .source = item->threat->source_ip,
                               .destination = item->threat->destination_ip};

    if (fact.sensor[0] == '\0')
        fact.sensor = item->source != NULL ? item->source : "webhook";
    item->json = store_record_given(record->json, &envelope);
    if (item->json == NULL)
        return err_set(err, ERR_MEMORY, "store: out of memory");
    return count_change(store, &fact, 1, err);
}

static bool insert_piece(struct mongo_call *call, struct batch *batch, const bson_t **documents, size_t count,
                         bool *again, struct err *err)
{
    mongoc_collection_t *logs = mongo_collection(call, "securitylogs");
    bson_error_t error;
    bson_t options, reply;
    bool ok;

    mongo_options(call, &options);
    BSON_APPEND_BOOL(&options, "ordered", true);
    BSON_APPEND_BOOL(&options, "validate", false);
    ok = mongoc_collection_insert_many(logs, documents, count, &options, &reply, &error);
    if (!ok) {
        struct err why = {0};

        mongo_work_failed(&error, &reply, "insert", again, &why);
        if (why.code == ERR_CONFLICT && !batch->look)
            batch->look = call->met_known = *again = true; /* next time they are asked for first */
        err_set(err, ERR_UNAVAILABLE, "%s", why.text);
    }
    bson_destroy(&reply);
    bson_destroy(&options);
    mongoc_collection_destroy(logs);
    return ok;
}

/* In pieces, each of which a slow server takes in well under MONGO_SOCKET_MS. */
static bool insert_documents(struct mongo_call *call, struct batch *batch, const bson_t **documents, size_t count,
                             bool *again, struct err *err)
{
    bool ok = true;

    for (size_t done = 0; ok && done < count; done += PIECE)
        ok = insert_piece(call, batch, documents + done, count - done < PIECE ? count - done : PIECE, again, err);
    return ok;
}

static bool insert_new(struct mongo_call *call, struct batch *batch, bool *again, struct err *err)
{
    bson_t *documents = calloc(batch->count, sizeof *documents);
    const bson_t **pointers = calloc(batch->count, sizeof *pointers);
    size_t count = 0;
    bool ok = (documents != NULL && pointers != NULL) || err_set(err, ERR_MEMORY, "store: out of memory");

    for (size_t i = 0; ok && i < batch->count; i++) {
        if (batch->items[i].result != STORE_STORED)
            continue;
        bson_init(&documents[count]);
        pointers[count] = &documents[count];
        ok = securitylog_build(&documents[count++], &batch->items[i], &batch->records[i], batch->items[i].seq) ||
             err_set(err, ERR_MEMORY, "store: out of memory");
        ok = ok && describe_new(call->store, &batch->items[i], &batch->records[i], err);
    }
    ok = ok && insert_documents(call, batch, pointers, count, again, err);
    for (size_t i = 0; i < count; i++)
        bson_destroy(&documents[i]);
    free(documents);
    free(pointers);
    return ok;
}

static void words_of_comments(struct store_record *words, const char *history)
{
    cJSON *entries = history != NULL ? cJSON_Parse(history) : NULL;
    const cJSON *entry;

    cJSON_ArrayForEach(entry, entries)
    {
        const cJSON *comment = cJSON_GetObjectItemCaseSensitive(entry, "comment");

        if (cJSON_IsString(comment))
            store_record_add_words(words, comment->valuestring);
    }
    cJSON_Delete(entries);
}

static bool write_revision(struct mongo_call *call, const struct store_item *item, const struct securitylog *log,
                           const struct threat *merged, const struct store_record *record, uint64_t digest,
                           bool *again, struct err *err)
{
    struct store_record *comments = calloc(1, sizeof *comments);
    cJSON *data = cJSON_Parse(record->json);
    bson_t *which = BCON_NEW("details.threatId", BCON_UTF8(log->id));
    bson_t change = BSON_INITIALIZER, set;
    bool ok = comments != NULL && data != NULL;

    if (ok)
        words_of_comments(comments, log->history);
    ok = ok && BSON_APPEND_DOCUMENT_BEGIN(&change, "$set", &set) &&
         securitylog_append_json(&set, "details.threatData", data) &&
         BSON_APPEND_UTF8(&set, "details.severity", severity_text(merged->severity)) &&
         BSON_APPEND_DOUBLE(&set, "details.confidence", merged->confidence) &&
         BSON_APPEND_INT64(&set, "index.eventSeq", item->seq) &&
         BSON_APPEND_INT64(&set, "index.revision", merged->revision) &&
         BSON_APPEND_INT64(&set, "index.digest", (int64_t)digest) &&
         BSON_APPEND_INT32(&set, "index.severity", (int32_t)merged->severity) &&
         securitylog_append_words(&set, "index.words", record, comments) &&
         (item->suppressed_by != NULL ? BSON_APPEND_UTF8(&set, "suppressedBy", item->suppressed_by)
                                      : BSON_APPEND_NULL(&set, "suppressedBy")) &&
         bson_append_document_end(&change, &set);
    ok = ok ? mongo_update(call, "securitylogs", which, &change, false, again, err)
            : err_set(err, ERR_MEMORY, "store: out of memory");
    cJSON_Delete(data);
    free(comments);
    bson_destroy(&change);
    bson_destroy(which);
    return ok;
}

static bool update_read(struct mongo_call *call, struct store_item *item, uint64_t digest, struct securitylog *log,
                        bool *again, struct err *err)
{
    struct rollup_fact fact = mongo_fact(log);
    struct store_record *record = calloc(1, sizeof *record);
    struct threat merged = {0};
    bool ok = record != NULL || err_set(err, ERR_MEMORY, "store: out of memory");

    ok = ok && count_change(call->store, &fact, -1, err) &&
         store_record_merge(&merged, log->json, item->threat, err) && store_record_make(record, &merged, err) &&
         write_revision(call, item, log, &merged, record, digest, again, err);
    if (ok) {
        log->envelope.suppressed_by = item->suppressed_by;
        log->severity = merged.severity;
        fact = mongo_fact(log);
        item->json = store_record_given(record->json, &log->envelope);
        ok = item->json != NULL || err_set(err, ERR_MEMORY, "store: out of memory");
        ok = ok && count_change(call->store, &fact, 1, err);
    }
    threat_clear(&merged);
    if (record != NULL)
        store_record_clear(record);
    free(record);
    return ok;
}

static bool update_one(struct mongo_call *call, struct store_item *item, uint64_t digest, bool *again,
                       struct err *err)
{
    struct securitylog log = {0};
    mongoc_cursor_t *cursor = NULL;
    const bson_t *document;
    bool ok = mongo_find_one(call, item->threat->id, &document, &cursor, again, err) &&
              securitylog_read(&log, document, err) && update_read(call, item, digest, &log, again, err);

    securitylog_clear(&log);
    mongoc_cursor_destroy(cursor);
    return ok;
}

/* Known threats that get a newer revision are kept as they were, in case that this batch is cut short. */
static bool intend_batch(struct mongo_call *call, struct batch *batch, int64_t first, int64_t last, struct err *err)
{
    const char **ids = calloc(batch->count, sizeof *ids);
    struct mongo_intent intent = {.first_seq = first, .last_seq = last, .ids = ids};
    bool ok = ids != NULL || err_set(err, ERR_MEMORY, "store: out of memory");

    for (size_t i = 0; ok && i < batch->count; i++)
        if (batch->items[i].result == STORE_UPDATED)
            ids[intent.count++] = batch->items[i].threat->id;
    ok = ok && mongo_intend(call, &intent, err);
    free(ids);
    return ok;
}

static bool write_batch(struct mongo_call *call, void *context, bool *again, struct err *err)
{
    struct batch *batch = context;
    size_t events;
    int64_t last = 0;
    bool ok;

    forget(batch);
    rollup_reset(call->store->rollup);
    /* Without transactions nothing can be taken back: then known ids are always asked for first. */
    if ((batch->look || call->session == NULL) && !look_up(call, batch, again, err))
        return false;
    events = classify(batch);
    if (events == 0)
        return true;
    if (!mongo_count_up(call, "seq", (int64_t)events, &last, again, err))
        return false;
    last -= (int64_t)events;
    if (!intend_batch(call, batch, last + 1, last + (int64_t)events, err))
        return false;
    for (size_t i = 0; i < batch->count; i++)
        if (batch->items[i].result == STORE_STORED || batch->items[i].result == STORE_UPDATED)
            batch->items[i].seq = ++last;
    ok = insert_new(call, batch, again, err);
    for (size_t i = 0; ok && i < batch->count; i++)
        if (batch->items[i].result == STORE_UPDATED)
            ok = update_one(call, &batch->items[i], batch->records[i].digest, again, err);
    return ok && mongo_rollup_flush(call, again, err);
}

static bool make_records(struct batch *batch, struct err *err)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct store_item *item = &batch->items[i];
        struct err why = {0};

        if (store_record_make(&batch->records[i], item->threat, &why))
            continue;
        item->result = STORE_REFUSED;
        snprintf(item->message, sizeof item->message, "%.*s", (int)sizeof item->message - 1, why.text);
        if (why.code != ERR_INVALID)
            return err_set(err, why.code, "%s", why.text);
    }
    return true;
}

bool mongo_insert(struct store *store, struct store_item *items, size_t count, struct err *err)
{
    struct batch batch = {.items = items, .count = count, .slots = 16};
    bool ok;

    while (batch.slots < 4 * count)
        batch.slots *= 2;
    batch.records = calloc(count, sizeof *batch.records);
    batch.known = calloc(batch.slots, sizeof *batch.known);
    ok = batch.records != NULL && batch.known != NULL ? make_records(&batch, err)
                                                      : err_set(err, ERR_MEMORY, "store: out of memory");
    ok = ok && mongo_transaction(MONGO_STORE(store), write_batch, &batch, err);
    if (!ok && batch.known != NULL)
        forget(&batch);
    for (size_t i = 0; batch.known != NULL && i < batch.slots; i++)
        free(batch.known[i].owned);
    for (size_t i = 0; batch.records != NULL && i < count; i++)
        store_record_clear(&batch.records[i]);
    for (size_t i = 0; !ok && i < count; i++)
        items[i].result = STORE_REFUSED;
    free(batch.records);
    free(batch.known);
    return ok;
}

/* --- triage --- */

struct triage_work {
    const char *id;
    const struct store_change *change;
    int64_t seq;
    char *json;
};

static bool write_triage(struct mongo_call *call, const struct securitylog *log, const struct triage_work *work,
                         const char *history, bool *again, struct err *err)
{
    struct store_record *words = calloc(1, sizeof *words);
    const struct triage *triage = &log->envelope.triage;
    cJSON *entries = cJSON_Parse(history);
    bson_t *which =
        BCON_NEW("details.threatId", BCON_UTF8(work->id), "triage.version", BCON_INT64(triage->version - 1));
    bson_t change = BSON_INITIALIZER, set, push, each;
    bool ok = words != NULL && entries != NULL;

    ok = ok && BSON_APPEND_DOCUMENT_BEGIN(&change, "$set", &set) &&
         BSON_APPEND_INT64(&set, "index.eventSeq", work->seq) &&
         BSON_APPEND_UTF8(&set, "triage.status", triage->status) &&
         BSON_APPEND_UTF8(&set, "triage.verdict", triage->verdict) &&
         BSON_APPEND_UTF8(&set, "triage.assignee", triage->assignee) &&
         BSON_APPEND_INT64(&set, "triage.version", triage->version) &&
         securitylog_append_json(&set, "triage.history", entries);
    if (ok && work->change->comment != NULL)
        ok = BSON_APPEND_BOOL(&set, "index.commented", true);
    ok = ok && bson_append_document_end(&change, &set);
    if (ok && work->change->comment != NULL) {
        store_record_add_words(words, work->change->comment);
        ok = BSON_APPEND_DOCUMENT_BEGIN(&change, "$addToSet", &push) &&
             BSON_APPEND_DOCUMENT_BEGIN(&push, "index.words", &each) &&
             securitylog_append_words(&each, "$each", words, NULL) && bson_append_document_end(&push, &each) &&
             bson_append_document_end(&change, &push);
    }
    ok = ok ? mongo_update(call, "securitylogs", which, &change, false, again, err)
            : err_set(err, ERR_MEMORY, "store: out of memory");
    cJSON_Delete(entries);
    free(words);
    bson_destroy(&change);
    bson_destroy(which);
    return ok;
}

static bool triage_read(struct mongo_call *call, struct triage_work *work, struct securitylog *log, bool *again,
                        struct err *err)
{
    struct rollup_fact before = mongo_fact(log), after;
    char *history = NULL;
    bool ok = count_change(call->store, &before, -1, err) &&
              store_record_change(&log->envelope.triage, log->history, work->change, &history, err);

    after = mongo_fact(log);
    ok = ok && count_change(call->store, &after, 1, err) && mongo_count_up(call, "seq", 1, &work->seq, again, err) &&
         mongo_intend(call, &(struct mongo_intent){.last_seq = -1, .ids = &work->id, .count = 1}, err) &&
         write_triage(call, log, work, history, again, err) && mongo_rollup_flush(call, again, err);
    if (ok) {
        log->envelope.history = history;
        work->json = store_record_given(log->json, &log->envelope);
        ok = work->json != NULL || err_set(err, ERR_MEMORY, "store: out of memory");
    }
    free(history);
    return ok;
}

static bool triage_one(struct mongo_call *call, void *context, bool *again, struct err *err)
{
    struct triage_work *work = context;
    struct securitylog log = {0};
    mongoc_cursor_t *cursor = NULL;
    const bson_t *document;
    bool ok;

    free(work->json);
    work->json = NULL;
    rollup_reset(call->store->rollup);
    ok = mongo_find_one(call, work->id, &document, &cursor, again, err) && securitylog_read(&log, document, err) &&
         triage_read(call, work, &log, again, err);
    securitylog_clear(&log);
    mongoc_cursor_destroy(cursor);
    return ok;
}

bool mongo_triage(struct store *store, const char *id, const struct store_change *change, int64_t *seq, char **json,
                  struct err *err)
{
    struct triage_work work = {.id = id, .change = change};

    *json = NULL;
    if (!mongo_transaction(MONGO_STORE(store), triage_one, &work, err)) {
        free(work.json);
        return false;
    }
    *seq = work.seq;
    *json = work.json;
    return true;
}

/* --- monitoring --- */

struct monitoring_work {
    const char *json;
    int64_t seq;
};

static bool add_event(struct mongo_call *call, void *context, bool *again, struct err *err)
{
    struct monitoring_work *work = context;
    cJSON *event = cJSON_Parse(work->json);
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(event, "type");
    mongoc_collection_t *logs = mongo_collection(call, "securitylogs");
    bson_t document = BSON_INITIALIZER, details, index, options, reply;
    bson_error_t error;
    bool ok = mongo_count_up(call, "seq", 1, &work->seq, again, err);

    mongo_options(call, &options);
    if (ok) {
        BSON_APPEND_NULL(&document, "userId");
        BSON_APPEND_UTF8(&document, "action", cJSON_IsString(type) ? type->valuestring : "monitoring_event");
        BSON_APPEND_UTF8(&document, "status", "success");
        BSON_APPEND_DOCUMENT_BEGIN(&document, "details", &details);
        securitylog_append_json(&details, "event", event);
        bson_append_document_end(&document, &details);
        BSON_APPEND_DATE_TIME(&document, "timestamp", clock_now_ms());
        BSON_APPEND_INT64(&document, "seq", work->seq);
        BSON_APPEND_DOCUMENT_BEGIN(&document, "index", &index);
        BSON_APPEND_INT64(&index, "eventSeq", work->seq);
        bson_append_document_end(&document, &index);
        BSON_APPEND_BOOL(&options, "validate", false);
        ok = mongoc_collection_insert_one(logs, &document, &options, &reply, &error) ||
             mongo_work_failed(&error, &reply, "monitoring", again, err);
        bson_destroy(&reply);
    }
    bson_destroy(&options);
    bson_destroy(&document);
    mongoc_collection_destroy(logs);
    cJSON_Delete(event);
    return ok;
}

bool mongo_add_monitoring(struct store *store, const char *json, int64_t *seq, struct err *err)
{
    struct monitoring_work work = {.json = json};

    if (!mongo_transaction(MONGO_STORE(store), add_event, &work, err))
        return false;
    *seq = work.seq;
    return true;
}
