/* audit.c: see audit.h. */
#include "backend/audit.h"

#include "backend/store.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SCAN_MAX = 5000 }; /* rows looked at in one request; the cursor goes on from there */
static const char kind[] = "audit";

/* Rows of one process keep their order also within a millisecond: the first random bytes count up. */
static void audit_id(int64_t now_ms, char out[TOKEN_ULID])
{
    uint8_t rest[10];
    int64_t ns = clock_now_ns() % 1000000;

    token_random(rest, sizeof rest);
    rest[0] = (uint8_t)(ns >> 16);
    rest[1] = (uint8_t)(ns >> 8);
    rest[2] = (uint8_t)ns;
    token_ulid(now_ms, rest, out);
}

void audit_write(struct api *api, struct http_request *request, const char *who, const char *action,
                 const char *status, cJSON *details)
{
    const struct api_user *caller = request != NULL ? api_caller(request) : NULL;
    const char *agent = request != NULL ? http_header(request, "User-Agent") : NULL;
    int64_t now = clock_now_ms(), version;
    char id[TOKEN_ULID], time[CLOCK_TEXT], address[46] = "", *json;
    cJSON *row = cJSON_CreateObject();
    struct err err = {0};

    audit_id(now, id);
    clock_text_ms(now, time);
    if (request != NULL)
        api_client(request, api, address);
    cJSON_AddStringToObject(row, "id", id);
    cJSON_AddStringToObject(row, "time", time);
    cJSON_AddStringToObject(row, "user", caller != NULL ? caller->name : who != NULL ? who : "");
    cJSON_AddStringToObject(row, "userId", caller != NULL ? caller->id : "");
    cJSON_AddStringToObject(row, "action", action);
    cJSON_AddStringToObject(row, "status", status);
    cJSON_AddStringToObject(row, "address", address);
    cJSON_AddStringToObject(row, "userAgent", agent != NULL && strlen(agent) <= 512 ? agent : "");
    cJSON_AddStringToObject(row, "requestId", request != NULL ? http_request_id(request) : "");
    cJSON_AddItemToObject(row, "details", details != NULL ? details : cJSON_CreateObject());
    json = json_print(row);
    if (json == NULL || !store_doc_put(api->store, kind, id, NULL, json, 0, 0, &version, &err))
        log_error("audit.lost", "action=%s status=%s error=\"%s\"", action, status, err.text);
    free(json);
    cJSON_Delete(row);
}

struct filter {
    char user[65], action[65], status[17], from[CLOCK_TEXT], to[CLOCK_TEXT];
    cJSON *rows;
    int64_t limit;
    size_t scanned;
    char last[TOKEN_ULID];
};

static bool fits(const cJSON *row, const char *name, const char *wanted)
{
    const cJSON *value = json_member(row, name);

    return wanted[0] == '\0' || (cJSON_IsString(value) && strcmp(value->valuestring, wanted) == 0);
}

/* Both times are written by clock_text_ms: equal length, so that text order is time order. */
static bool within(const cJSON *row, const struct filter *filter)
{
    const cJSON *time = json_member(row, "time");

    return cJSON_IsString(time) && (filter->from[0] == '\0' || strcmp(time->valuestring, filter->from) >= 0) &&
           (filter->to[0] == '\0' || strcmp(time->valuestring, filter->to) < 0);
}

static bool audit_row(void *context, const char *id, int64_t version, const char *json)
{
    struct filter *filter = context;
    cJSON *row = json_parse(json, strlen(json), NULL);

    (void)version;
    filter->scanned++;
    snprintf(filter->last, sizeof filter->last, "%s", id);
    if (row != NULL && fits(row, "user", filter->user) && fits(row, "action", filter->action) &&
        fits(row, "status", filter->status) && within(row, filter))
        cJSON_AddItemToArray(filter->rows, row);
    else
        cJSON_Delete(row);
    return cJSON_GetArraySize(filter->rows) < filter->limit;
}

/* False: answered with 400. */
static bool query_time(struct http_request *request, const char *name, char out[CLOCK_TEXT])
{
    char text[64];
    int64_t us;

    out[0] = '\0';
    if (!http_query(request, name, text, sizeof text))
        return true;
    if (!clock_parse_us(text, &us)) {
        http_fail(request, 400, "validation", "%s: expected a time like 2026-01-31T12:00:00Z", name);
        return false;
    }
    clock_text_ms(us / 1000, out);
    return true;
}

void audit_get(struct http_request *request, void *context)
{
    struct api *api = context;
    struct filter filter = {.limit = 50};
    char cursor[64];
    bool more, from = http_query(request, "cursor", cursor, sizeof cursor);
    struct err err = {0};
    cJSON *answer;

    if (!api_query_number(request, "limit", 1, 1000, &filter.limit) || !query_time(request, "from", filter.from) ||
        !query_time(request, "to", filter.to))
        return;
    http_query(request, "user", filter.user, sizeof filter.user);
    http_query(request, "action", filter.action, sizeof filter.action);
    http_query(request, "status", filter.status, sizeof filter.status);
    filter.rows = cJSON_CreateArray();
    if (!store_doc_list(api->store, kind, from ? cursor : NULL, true, SCAN_MAX, audit_row, &filter, &err)) {
        cJSON_Delete(filter.rows);
        api_fail(request, &err);
        return;
    }
    more = filter.scanned == SCAN_MAX || cJSON_GetArraySize(filter.rows) >= filter.limit;
    answer = cJSON_CreateObject();
    cJSON_AddTrueToObject(answer, "success");
    cJSON_AddNumberToObject(answer, "count", cJSON_GetArraySize(filter.rows));
    cJSON_AddItemToObject(answer, "audit", filter.rows);
    if (more)
        cJSON_AddStringToObject(answer, "next", filter.last);
    http_answer_json(request, 200, answer);
}
