/* threat_query.c: query parameters become terms of the query language. */
#include "backend/threat_query.h"

#include "common/clock.h"
#include "common/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Parameters that are terms of the language under the same or another name. */
static const struct {
    const char *parameter, *field;
} filters[] = {
    {"type", "type"},         {"severity", "severity"}, {"status", "status"},
    {"verdict", "verdict"},   {"source", "source"},     {"destination", "destination"},
    {"protocol", "protocol"}, {"sensor", "sensor"},     {"port", "port"},
};

/* What a value of a filter may be made of: it becomes one term, never two. */
static bool is_plain(const char *text)
{
    return text[0] != '\0' && text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                                "._:/-<>=@")] == '\0';
}

static bool asks_for_suppressed(const struct search *search)
{
    if (search->kind == SEARCH_FLAG)
        return search->field == FIELD_SUPPRESSED;
    for (size_t i = 0; i < search->count; i++)
        if (asks_for_suppressed(search->children[i]))
            return true;
    return false;
}

static void answer_bad_query(struct http_request *request, const char *name, size_t at, const struct err *err)
{
    cJSON *json = cJSON_CreateObject();
    cJSON *details = cJSON_AddArrayToObject(json, "details");
    cJSON *detail = cJSON_CreateObject();

    cJSON_AddFalseToObject(json, "success");
    cJSON_AddStringToObject(json, "code", "invalid_query");
    cJSON_AddStringToObject(json, "message", err->text);
    cJSON_AddNumberToObject(json, "at", (double)at);
    cJSON_AddStringToObject(detail, "field", name);
    cJSON_AddStringToObject(detail, "expected", err->text);
    cJSON_AddItemToArray(details, detail);
    http_answer_json(request, 400, json);
}

/* Takes search. NULL: it has answered. */
static struct search *and_term(struct http_request *request, struct search *search, const char *name,
                               const char *term)
{
    struct err err = {0};
    size_t at = 0;
    struct search *added = search_parse(term, &at, &err), *joined;

    if (added == NULL) {
        answer_bad_query(request, name, at, &err);
        search_free(search);
        return NULL;
    }
    joined = search_and(search, added);
    if (joined == NULL) {
        err_set(&err, ERR_MEMORY, "out of memory");
        api_fail(request, &err);
    }
    return joined;
}

static struct search *and_filter(struct http_request *request, struct search *search, size_t which)
{
    char value[128], term[160];
    bool given;

    if (!api_query_text(request, filters[which].parameter, value, sizeof value, &given)) {
        search_free(search);
        return NULL;
    }
    if (!given || value[0] == '\0')
        return search;
    if (!is_plain(value)) {
        http_fail(request, 400, "invalid", "%s: expected one value", filters[which].parameter);
        search_free(search);
        return NULL;
    }
    snprintf(term, sizeof term, "%s:%s", filters[which].field, value);
    return and_term(request, search, filters[which].parameter, term);
}

static bool read_time(struct http_request *request, const char *name, double *out, bool *given)
{
    char text[64];
    int64_t us;

    if (!api_query_text(request, name, text, sizeof text, given))
        return false;
    if (*given && text[0] == '\0')
        *given = false;
    if (!*given)
        return true;
    for (char *p = text; *p != '\0'; p++) /* a "+" of an unencoded zone arrives as a blank */
        if (*p == ' ' && p - text > 11)
            *p = '+';
    if (!clock_parse_us(text, &us)) {
        http_fail(request, 400, "invalid", "%s: expected a time such as 2026-11-23T01:02:03Z", name);
        return false;
    }
    *out = (double)us;
    return true;
}

static struct search *and_times(struct http_request *request, struct search *search)
{
    struct search *span = calloc(1, sizeof *span), *joined;
    bool from, to;
    struct err err = {0};

    if (span == NULL) {
        err_set(&err, ERR_MEMORY, "out of memory");
        api_fail(request, &err);
        goto failed;
    }
    span->kind = SEARCH_NUMBER;
    span->field = FIELD_TIME;
    span->low = -__builtin_inf();
    span->high = __builtin_inf();
    if (!read_time(request, "from", &span->low, &from) || !read_time(request, "to", &span->high, &to))
        goto failed;
    if (!from && !to) {
        search_free(span);
        return search;
    }
    joined = search_and(search, span);
    if (joined == NULL) {
        err_set(&err, ERR_MEMORY, "out of memory");
        api_fail(request, &err);
    }
    return joined;
failed:
    search_free(span);
    search_free(search);
    return NULL;
}

struct search *threat_query(struct http_request *request, bool *suppressed)
{
    char q[THREAT_QUERY_MAX + 1];
    struct search *search;
    bool given;

    if (!api_query_text(request, "q", q, sizeof q, &given))
        return NULL;
    search = search_all();
    if (search == NULL) {
        struct err err = {0};

        err_set(&err, ERR_MEMORY, "out of memory");
        api_fail(request, &err);
        return NULL;
    }
    if (q[0] != '\0')
        search = and_term(request, search, "q", q);
    for (size_t i = 0; search != NULL && i < sizeof filters / sizeof *filters; i++)
        search = and_filter(request, search, i);
    if (search != NULL)
        search = and_times(request, search);
    if (search != NULL)
        *suppressed = asks_for_suppressed(search);
    return search;
}
