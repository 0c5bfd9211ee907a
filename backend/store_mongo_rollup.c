/* store_mongo_rollup.c: the counts as few documents, one a bucket and part: {span, part, bucket, counts: {key: n}}.
 *
 * Part 0 holds everything but the addresses, part 1 those: they are many and wanted less often. A key is
 * "simulated|dimension|value" with what may not stand in a field's name written as %XX. */
#include "backend/store_mongo.h"

#include "common/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY = 3 * ROLLUP_VALUE + 16 };

static int part_of(enum rollup_dimension dimension)
{
    return dimension >= ROLLUP_SOURCE ? 1 : 0;
}

static void write_key(char out[KEY], const struct rollup_row *row)
{
    size_t n = (size_t)snprintf(out, KEY, "counts.%d|%d|", row->simulated, (int)row->dimension);

    for (const char *p = row->value; *p != '\0' && n + 4 < KEY; p++)
        if (*p == '.' || *p == '$' || *p == '%')
            n += (size_t)snprintf(out + n, KEY - n, "%%%02X", (unsigned char)*p);
        else
            out[n++] = *p;
    out[n] = '\0';
}

static bool read_key(const char *key, char value[ROLLUP_VALUE], struct rollup_row *row)
{
    int simulated, dimension, length = 0;
    unsigned code;
    size_t n = 0;

    if (sscanf(key, "%d|%d|%n", &simulated, &dimension, &length) != 2 || length == 0)
        return false;
    for (const char *p = key + length; *p != '\0' && n + 1 < ROLLUP_VALUE; p++) {
        if (*p == '%' && sscanf(p, "%%%2X", &code) == 1) {
            value[n++] = (char)code;
            p += 2;
        } else {
            value[n++] = *p;
        }
    }
    value[n] = '\0';
    row->simulated = simulated != 0;
    row->dimension = (enum rollup_dimension)dimension;
    row->value = value;
    return true;
}

static size_t count_keys(const bson_t *present)
{
    bson_iter_t at, counts;
    size_t n = 0;

    if (present != NULL && bson_iter_init_find(&at, present, "counts") && bson_iter_recurse(&at, &counts))
        while (bson_iter_next(&counts))
            n++;
    return n;
}

static bool has_key(const bson_t *present, const char *key)
{
    bson_iter_t at, counts;

    return present != NULL && bson_iter_init_find(&at, present, "counts") && bson_iter_recurse(&at, &counts) &&
           bson_iter_find(&counts, key + strlen("counts."));
}

/* One document of counts; present: how it was before the change, NULL: not read, or not there. */
struct bucket {
    enum rollup_span span;
    int64_t bucket;
    int part;
    bson_t *present;
};

struct buckets {
    struct bucket *list;
    size_t count, room;
};

static bool is_of(const struct rollup_row *row, const struct bucket *bucket)
{
    return row->span == bucket->span && row->bucket == bucket->bucket && part_of(row->dimension) == bucket->part;
}

static void free_buckets(struct buckets *buckets)
{
    for (size_t i = 0; i < buckets->count; i++)
        bson_destroy(buckets->list[i].present);
    free(buckets->list);
}

static bool note_bucket(struct buckets *buckets, const struct rollup_row *row)
{
    for (size_t i = buckets->count; i-- > 0;) /* the latest are the likeliest */
        if (is_of(row, &buckets->list[i]))
            return true;
    if (buckets->count == buckets->room) {
        size_t room = 2 * buckets->room + 16;
        struct bucket *list = realloc(buckets->list, room * sizeof *list);

        if (list == NULL)
            return false;
        buckets->list = list;
        buckets->room = room;
    }
    buckets->list[buckets->count++] =
        (struct bucket){.span = row->span, .bucket = row->bucket, .part = part_of(row->dimension)};
    return true;
}

static bool append_which(bson_t *which, const struct bucket *bucket)
{
    return BSON_APPEND_INT32(which, "span", (int32_t)bucket->span) &&
           BSON_APPEND_INT32(which, "part", bucket->part) && BSON_APPEND_INT64(which, "bucket", bucket->bucket);
}

static void keep_present(struct buckets *buckets, const bson_t *document)
{
    bson_iter_t span, part, at;

    if (!bson_iter_init_find(&span, document, "span") || !bson_iter_init_find(&part, document, "part") ||
        !bson_iter_init_find(&at, document, "bucket"))
        return;
    for (size_t i = 0; i < buckets->count; i++) {
        struct bucket *bucket = &buckets->list[i];

        if ((int64_t)bucket->span == bson_iter_as_int64(&span) && bucket->part == bson_iter_as_int64(&part) &&
            bucket->bucket == bson_iter_as_int64(&at)) {
            bson_destroy(bucket->present);
            bucket->present = bson_copy(document);
        }
    }
}

/* Which addresses the buckets know already, by one question for all: what is full takes no new ones. */
static bool read_present(struct mongo_call *call, struct buckets *buckets, bool *again, struct err *err)
{
    mongoc_collection_t *rollups;
    bson_t which = BSON_INITIALIZER, options, either, one;
    mongoc_cursor_t *cursor;
    const bson_t *document, *reply = NULL;
    bson_error_t error;
    char digits[16];
    const char *key;
    uint32_t n = 0;
    bool ok = true;

    BSON_APPEND_ARRAY_BEGIN(&which, "$or", &either);
    for (size_t i = 0; i < buckets->count; i++)
        if (buckets->list[i].part == 1) {
            bson_uint32_to_string(n++, &key, digits, sizeof digits);
            BSON_APPEND_DOCUMENT_BEGIN(&either, key, &one);
            append_which(&one, &buckets->list[i]);
            bson_append_document_end(&either, &one);
        }
    bson_append_array_end(&which, &either);
    if (n > 0) {
        rollups = mongo_collection(call, "rollups");
        mongo_options(call, &options);
        cursor = mongoc_collection_find_with_opts(rollups, &which, &options, NULL);
        while (mongoc_cursor_next(cursor, &document))
            keep_present(buckets, document);
        if (mongoc_cursor_error_document(cursor, &error, &reply))
            ok = mongo_work_failed(&error, reply, "rollups", again, err);
        mongoc_cursor_destroy(cursor);
        bson_destroy(&options);
        mongoc_collection_destroy(rollups);
    }
    bson_destroy(&which);
    return ok;
}

/* Sums the changes of one document; addresses that a full one does not know count as "". */
static bool append_changes(struct mongo_store *store, const struct bucket *bucket, bson_t *inc)
{
    size_t keys = bucket->part == 1 ? count_keys(bucket->present) : 0;
    int64_t other[2][ROLLUP_DIMENSIONS] = {{0}};
    char key[KEY];
    bool ok = true;

    for (size_t i = 0; ok && i < rollup_count(store->rollup); i++) {
        struct rollup_row row = rollup_row(store->rollup, i);

        if (row.count == 0 || !is_of(&row, bucket))
            continue;
        write_key(key, &row);
        if (bucket->part == 1 && !has_key(bucket->present, key) && (row.count < 0 || keys++ >= 2 * ROLLUP_VALUES_MAX))
            other[row.simulated][row.dimension] += row.count;
        else
            ok = BSON_APPEND_INT64(inc, key, row.count);
    }
    for (int s = 0; s < 2; s++)
        for (int d = 0; ok && d < ROLLUP_DIMENSIONS; d++)
            if (other[s][d] != 0) {
                struct rollup_row row = {.simulated = s != 0, .dimension = (enum rollup_dimension)d, .value = ""};

                write_key(key, &row);
                ok = BSON_APPEND_INT64(inc, key, other[s][d]);
            }
    return ok;
}

static bool append_step(struct mongo_store *store, const struct bucket *bucket, uint32_t n, bson_t *plan)
{
    bson_t step, which, inc;
    char digits[16];
    const char *key;

    bson_uint32_to_string(n, &key, digits, sizeof digits);
    return BSON_APPEND_DOCUMENT_BEGIN(plan, key, &step) && BSON_APPEND_DOCUMENT_BEGIN(&step, "which", &which) &&
           append_which(&which, bucket) && bson_append_document_end(&step, &which) &&
           BSON_APPEND_DOCUMENT_BEGIN(&step, "inc", &inc) && append_changes(store, bucket, &inc) &&
           bson_append_document_end(&step, &inc) && bson_append_document_end(plan, &step);
}

static bool make_plan(struct mongo_call *call, bson_t *plan, bool *again, struct err *err)
{
    struct rollup *rollup = call->store->rollup;
    struct buckets buckets = {0};
    bool ok = true;

    for (size_t i = 0; ok && i < rollup_count(rollup); i++) {
        struct rollup_row row = rollup_row(rollup, i);

        ok = row.count == 0 || note_bucket(&buckets, &row) || err_set(err, ERR_MEMORY, "store: out of memory");
    }
    ok = ok && read_present(call, &buckets, again, err);
    for (size_t i = 0; ok && i < buckets.count; i++)
        ok = append_step(call->store, &buckets.list[i], (uint32_t)i, plan) ||
             err_set(err, ERR_MEMORY, "store: out of memory");
    free_buckets(&buckets);
    return ok;
}

/* One document of a plan; borrowed from it. */
static bool read_step(const bson_iter_t *at, bson_t *which, bson_t *inc)
{
    const uint8_t *bytes;
    uint32_t length;
    bson_iter_t part;

    if (!bson_iter_recurse(at, &part) || !bson_iter_find(&part, "which"))
        return false;
    bson_iter_document(&part, &length, &bytes);
    if (!bson_init_static(which, bytes, length) || !bson_iter_next(&part))
        return false;
    bson_iter_document(&part, &length, &bytes);
    return bson_init_static(inc, bytes, length);
}

/* All steps in one command, however many documents they change. */
static bool take_steps(struct mongo_call *call, const bson_t *plan, bool *again, struct err *err)
{
    mongoc_collection_t *rollups = mongo_collection(call, "rollups");
    bson_t options, upsert = BSON_INITIALIZER, which, inc, reply;
    mongoc_bulk_operation_t *bulk;
    bson_error_t error;
    bson_iter_t at;
    size_t steps = 0;
    bool ok = true;

    mongo_options(call, &options);
    BSON_APPEND_BOOL(&upsert, "upsert", true);
    bulk = mongoc_collection_create_bulk_operation_with_opts(rollups, &options);
    for (bool more = bson_iter_init(&at, plan); ok && more && bson_iter_next(&at);) {
        bson_t change = BSON_INITIALIZER;

        if (read_step(&at, &which, &inc) && !bson_empty(&inc)) {
            BSON_APPEND_DOCUMENT(&change, "$inc", &inc);
            if (call->session == NULL)
                BCON_APPEND(&change, "$set", "{", "mark", BCON_INT64(call->store->intent_number), "}");
            ok = mongoc_bulk_operation_update_one_with_opts(bulk, &which, &change, &upsert, &error) ||
                 mongo_failed(&error, "rollups", err);
            steps++;
        }
        bson_destroy(&change);
    }
    if (ok && steps > 0) {
        ok = mongoc_bulk_operation_execute(bulk, &reply, &error) != 0 ||
             mongo_work_failed(&error, &reply, "rollups", again, err);
        bson_destroy(&reply);
    }
    mongoc_bulk_operation_destroy(bulk);
    bson_destroy(&upsert);
    bson_destroy(&options);
    mongoc_collection_destroy(rollups);
    return ok;
}

bool mongo_rollup_flush(struct mongo_call *call, bool *again, struct err *err)
{
    bson_t plan = BSON_INITIALIZER;
    bool ok = make_plan(call, &plan, again, err) &&
              (call->session != NULL || mongo_intend_counts(call, &plan, err)) && take_steps(call, &plan, again, err);

    bson_destroy(&plan);
    return ok;
}

static bool take_back_step(struct mongo_call *call, const bson_t *which, const bson_t *inc, int64_t mark,
                           struct err *err)
{
    bson_t *marked = bson_copy(which);
    bson_t change = BSON_INITIALIZER, minus;
    bool ok = true, again = false;
    bson_iter_t at;

    BSON_APPEND_INT64(marked, "mark", mark);
    BSON_APPEND_DOCUMENT_BEGIN(&change, "$inc", &minus);
    for (bson_iter_init(&at, inc); bson_iter_next(&at);)
        BSON_APPEND_INT64(&minus, bson_iter_key(&at), -bson_iter_as_int64(&at));
    bson_append_document_end(&change, &minus);
    BCON_APPEND(&change, "$set", "{", "mark", BCON_INT64(0), "}");
    if (!bson_empty(inc))
        ok = mongo_update(call, "rollups", marked, &change, false, &again, err);
    bson_destroy(&change);
    bson_destroy(marked);
    return ok;
}

bool mongo_rollup_take_back(struct mongo_call *call, const bson_t *plan, int64_t mark, struct err *err)
{
    bson_t which, inc;
    bson_iter_t at;

    if (!bson_iter_init(&at, plan))
        return err_set(err, ERR_SYSTEM, "store: the counts of a change that was cut short cannot be read");
    while (bson_iter_next(&at))
        if (read_step(&at, &which, &inc) && !take_back_step(call, &which, &inc, mark, err))
            return false;
    return true;
}

static void visit_counts(const bson_t *document, enum rollup_span span, enum rollup_dimension dimension,
                         rollup_visit *visit, void *context)
{
    struct rollup_row row = {.span = span};
    char value[ROLLUP_VALUE];
    bson_iter_t at, counts;

    if (bson_iter_init_find(&at, document, "bucket"))
        row.bucket = bson_iter_as_int64(&at);
    if (!bson_iter_init_find(&at, document, "counts") || !bson_iter_recurse(&at, &counts))
        return;
    while (bson_iter_next(&counts))
        if (read_key(bson_iter_key(&counts), value, &row) && row.dimension == dimension) {
            row.count = bson_iter_as_int64(&counts);
            visit(context, &row);
        }
}

bool mongo_rollup_read(void *context_call, enum rollup_span span, enum rollup_dimension dimension, int64_t from,
                       int64_t to, rollup_visit *visit, void *context, struct err *err)
{
    struct mongo_call *call = context_call;
    mongoc_collection_t *rollups = mongo_collection(call, "rollups");
    bson_t *which = BCON_NEW("span", BCON_INT32((int)span), "part", BCON_INT32(part_of(dimension)), "bucket", "{",
                             "$gte", BCON_INT64(from), "$lt", BCON_INT64(to), "}");
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(rollups, which, NULL, NULL);
    const bson_t *document;
    bson_error_t error;
    bool ok;

    while (mongoc_cursor_next(cursor, &document))
        visit_counts(document, span, dimension, visit, context);
    ok = !mongoc_cursor_error(cursor, &error) || mongo_failed(&error, "statistics", err);
    mongoc_cursor_destroy(cursor);
    bson_destroy(which);
    mongoc_collection_destroy(rollups);
    return ok;
}
