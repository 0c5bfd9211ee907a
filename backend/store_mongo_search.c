/* store_mongo_search.c: a search as a filter. What a user wrote is only ever a value. */
#include "backend/store_mongo.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct path {
    const char *name, *either;
};

static const struct path paths[] = {
    [FIELD_TYPE] = {"details.threatType", NULL},
    [FIELD_SEVERITY] = {"index.severity", NULL},
    [FIELD_STATUS] = {"triage.status", NULL},
    [FIELD_VERDICT] = {"triage.verdict", NULL},
    [FIELD_SOURCE] = {"index.source", NULL},
    [FIELD_DESTINATION] = {"index.destination", NULL},
    [FIELD_ADDRESS] = {"index.source", "index.destination"},
    [FIELD_PORT] = {"index.sourcePort", "index.destinationPort"},
    [FIELD_SOURCE_PORT] = {"index.sourcePort", NULL},
    [FIELD_DESTINATION_PORT] = {"index.destinationPort", NULL},
    [FIELD_PROTOCOL] = {"index.protocol", NULL},
    [FIELD_SENSOR] = {"index.sensor", NULL},
    [FIELD_ASSIGNEE] = {"triage.assignee", NULL},
    [FIELD_CONFIDENCE] = {"details.confidence", NULL},
    [FIELD_ID] = {"details.threatId", NULL},
    [FIELD_TIME] = {"index.timestampUs", NULL},
    [FIELD_SUPPRESSED] = {"suppressedBy", NULL},
    [FIELD_SIMULATED] = {"index.simulated", NULL},
    [FIELD_COMMENTED] = {"index.commented", NULL},
    [FIELD_JOB] = {"index.job", NULL},
};

/* The first text above every text that begins with it; a server compares UTF-8 by its bytes. */
static bool append_prefix(bson_t *range, const char *text)
{
    static const char last[] = "\xf4\x8f\xbf\xbf"; /* U+10FFFF */
    size_t n = strlen(text);
    char *end = malloc(n + sizeof last);
    bool ok = end != NULL;

    if (ok) {
        memcpy(end, text, n);
        memcpy(end + n, last, sizeof last);
        ok = BSON_APPEND_UTF8(range, "$gte", text) && BSON_APPEND_UTF8(range, "$lte", end);
    }
    free(end);
    return ok;
}

static bool append_numbers(bson_t *range, const struct search *s)
{
    bool ok = true;

    if (!isinf(s->low))
        ok = BSON_APPEND_DOUBLE(range, s->low_open ? "$gt" : "$gte", s->low);
    else
        ok = BSON_APPEND_DOUBLE(range, "$gte", -1e300);
    if (ok && !isinf(s->high))
        ok = BSON_APPEND_DOUBLE(range, s->high_open ? "$lt" : "$lte", s->high);
    return ok;
}

static bool append_range(bson_t *filter, const char *path, const struct search *s)
{
    bson_t range;
    bool ok = BSON_APPEND_DOCUMENT_BEGIN(filter, path, &range);

    if (ok && s->kind == SEARCH_NETWORK)
        ok = BSON_APPEND_BINARY(&range, "$gte", BSON_SUBTYPE_BINARY, s->net_low, 16) &&
             BSON_APPEND_BINARY(&range, "$lte", BSON_SUBTYPE_BINARY, s->net_high, 16);
    else if (ok && s->kind == SEARCH_NUMBER)
        ok = append_numbers(&range, s);
    else if (ok)
        ok = append_prefix(&range, s->text);
    return bson_append_document_end(filter, &range) && ok;
}

static bool append_flag(bson_t *filter, const char *path, const struct search *s)
{
    if (s->field == FIELD_SUPPRESSED)
        return BCON_APPEND(filter, path, "{", "$gt", BCON_UTF8(""), "}"), true;
    return BSON_APPEND_BOOL(filter, path, true);
}

static bool append_test(bson_t *filter, const char *path, const struct search *s)
{
    enum severity severity;

    switch (s->kind) {
    case SEARCH_TEXT:
        if (s->field == FIELD_SEVERITY)
            return BSON_APPEND_INT32(filter, path, severity_from_text(s->text, &severity) ? (int32_t)severity : -1);
        return BSON_APPEND_UTF8(filter, path, s->text);
    case SEARCH_NUMBER:
        if (s->low == s->high && !s->low_open && !s->high_open)
            return BSON_APPEND_DOUBLE(filter, path, s->low);
        return append_range(filter, path, s);
    case SEARCH_FLAG:
        return append_flag(filter, path, s);
    default:
        return append_range(filter, path, s);
    }
}

static bool append_either(bson_t *filter, const struct path *path, const struct search *s)
{
    bson_t list, one;
    bool ok = BSON_APPEND_ARRAY_BEGIN(filter, "$or", &list);

    ok = ok && BSON_APPEND_DOCUMENT_BEGIN(&list, "0", &one) && append_test(&one, path->name, s) &&
         bson_append_document_end(&list, &one);
    ok = ok && BSON_APPEND_DOCUMENT_BEGIN(&list, "1", &one) && append_test(&one, path->either, s) &&
         bson_append_document_end(&list, &one);
    return bson_append_array_end(filter, &list) && ok;
}

static bool append_word(bson_t *filter, const struct search *s)
{
    bson_t match, range;
    bool ok;

    if (!s->prefix)
        return BSON_APPEND_UTF8(filter, "index.words", s->text);
    /* Both ends must fit the same word. */
    ok = BSON_APPEND_DOCUMENT_BEGIN(filter, "index.words", &match) &&
         BSON_APPEND_DOCUMENT_BEGIN(&match, "$elemMatch", &range) && append_prefix(&range, s->text) &&
         bson_append_document_end(&match, &range);
    return bson_append_document_end(filter, &match) && ok;
}

static bool append_list(bson_t *filter, const struct search *s)
{
    const char *how = s->kind == SEARCH_AND ? "$and" : s->kind == SEARCH_OR ? "$or" : "$nor";
    bson_t list, one;
    char digits[16];
    const char *key;
    bool ok = BSON_APPEND_ARRAY_BEGIN(filter, how, &list);

    for (size_t i = 0; ok && i < s->count; i++) {
        bson_uint32_to_string((uint32_t)i, &key, digits, sizeof digits);
        ok = BSON_APPEND_DOCUMENT_BEGIN(&list, key, &one) && mongo_filter(&one, s->children[i]) &&
             bson_append_document_end(&list, &one);
    }
    return bson_append_array_end(filter, &list) && ok;
}

bool mongo_filter(bson_t *filter, const struct search *s)
{
    switch (s->kind) {
    case SEARCH_ALL:
        return true;
    case SEARCH_AND:
    case SEARCH_OR:
    case SEARCH_NOT:
        return append_list(filter, s);
    case SEARCH_WORD:
        return append_word(filter, s);
    default:
        if (paths[s->field].either != NULL)
            return append_either(filter, &paths[s->field], s);
        return append_test(filter, paths[s->field].name, s);
    }
}
