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

/* How many keys a bucket's part has, from the document itself: what is full takes no new ones. */
static bool present_keys(struct mongo_call *call, const bson_t *which, bson_t *present, bool *again, struct err *err)
{
    mongoc_collection_t *rollups = mongo_collection(call, "rollups");
    mongoc_cursor_t *cursor;
    const bson_t *document, *reply = NULL;
    bson_error_t error;
    bson_t options;
    bool ok = true;

    mongo_options(call, &options);
    cursor = mongoc_collection_find_with_opts(rollups, which, &options, NULL);
    bson_init(present);
    if (mongoc_cursor_next(cursor, &document))
        bson_concat(present, document);
    else if (mongoc_cursor_error_document(cursor, &error, &reply))
        ok = mongo_work_failed(&error, reply, "rollups", again, err);
    mongoc_cursor_destroy(cursor);
    bson_destroy(&options);
    mongoc_collection_destroy(rollups);
    return ok;
}

static size_t count_keys(const bson_t *present)
{
    bson_iter_t at, counts;
    size_t n = 0;

    if (bson_iter_init_find(&at, present, "counts") && bson_iter_recurse(&at, &counts))
        while (bson_iter_next(&counts))
            n++;
    return n;
}

static bool has_key(const bson_t *present, const char *key)
{
    bson_iter_t at, counts;

    return bson_iter_init_find(&at, present, "counts") && bson_iter_recurse(&at, &counts) &&
           bson_iter_find(&counts, key + strlen("counts."));
}

struct bucket {
    enum rollup_span span;
    int64_t bucket;
    int part;
};

static bool is_of(const struct rollup_row *row, const struct bucket *bucket)
{
    return row->span == bucket->span && row->bucket == bucket->bucket && part_of(row->dimension) == bucket->part;
}

/* Sums the changes of one document; addresses that a full one does not know count as "". */
static bool append_changes(struct mongo_store *store, const struct bucket *bucket, const bson_t *present, bson_t *inc)
{
    size_t keys = bucket->part == 1 ? count_keys(present) : 0;
    int64_t other[2][ROLLUP_DIMENSIONS] = {{0}};
    char key[KEY];
    bool ok = true;

    for (size_t i = 0; ok && i < rollup_count(store->rollup); i++) {
        struct rollup_row row = rollup_row(store->rollup, i);

        if (row.count == 0 || !is_of(&row, bucket))
            continue;
        write_key(key, &row);
        if (bucket->part == 1 && !has_key(present, key) && (row.count < 0 || keys++ >= 2 * ROLLUP_VALUES_MAX))
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

static bool plan_bucket(struct mongo_call *call, const struct bucket *bucket, bson_t *plan, uint32_t n, bool *again,
                        struct err *err)
{
    bson_t *which = BCON_NEW("span", BCON_INT32((int)bucket->span), "part", BCON_INT32(bucket->part), "bucket",
                             BCON_INT64(bucket->bucket));
    bson_t inc = BSON_INITIALIZER, present, step;
    char digits[16];
    const char *key;
    bool ok = true;

    if (bucket->part == 1)
        ok = present_keys(call, which, &present, again, err);
    else
        bson_init(&present);
    if (ok) {
        bson_uint32_to_string(n, &key, digits, sizeof digits);
        ok = (append_changes(call->store, bucket, &present, &inc) && BSON_APPEND_DOCUMENT_BEGIN(plan, key, &step) &&
              BSON_APPEND_DOCUMENT(&step, "which", which) && BSON_APPEND_DOCUMENT(&step, "inc", &inc) &&
              bson_append_document_end(plan, &step)) ||
             err_set(err, ERR_MEMORY, "store: out of memory");
    }
    bson_destroy(&present);
    bson_destroy(&inc);
    bson_destroy(which);
    return ok;
}

static bool make_plan(struct mongo_call *call, bson_t *plan, bool *again, struct err *err)
{
    struct rollup *rollup = call->store->rollup;
    struct bucket done = {.part = -1};
    uint32_t n = 0;

    /* Rows of one bucket come one after the other, but for parts; whoever was first does the whole bucket. */
    for (size_t i = 0; i < rollup_count(rollup); i++) {
        struct rollup_row row = rollup_row(rollup, i);
        struct bucket bucket = {row.span, row.bucket, part_of(row.dimension)};
        bool first = row.count != 0;

        if (row.count == 0 || is_of(&row, &done))
            continue;
        for (size_t k = 0; first && k < i; k++) {
            struct rollup_row before = rollup_row(rollup, k);

            first = before.count == 0 || !is_of(&before, &bucket);
        }
        if (first && !plan_bucket(call, &bucket, plan, n++, again, err))
            return false;
        done = bucket;
    }
    return true;
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

bool mongo_rollup_flush(struct mongo_call *call, bool *again, struct err *err)
{
    bson_t plan = BSON_INITIALIZER, which, inc;
    bool ok = make_plan(call, &plan, again, err) && (call->session != NULL || mongo_intend_counts(call, &plan, err));
    bson_iter_t at;

    for (bool more = ok && bson_iter_init(&at, &plan); ok && more && bson_iter_next(&at);) {
        bson_t change = BSON_INITIALIZER;

        if (read_step(&at, &which, &inc) && !bson_empty(&inc)) {
            BSON_APPEND_DOCUMENT(&change, "$inc", &inc);
            if (call->session == NULL)
                BCON_APPEND(&change, "$set", "{", "mark", BCON_INT64(call->store->intent_number), "}");
            ok = mongo_update(call, "rollups", &which, &change, true, again, err);
        }
        bson_destroy(&change);
    }
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
