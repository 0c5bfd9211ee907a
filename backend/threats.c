/* threats.c: threats out: history, list, one, statistics, clear, evidence. */
#include "backend/audit.h"
#include "backend/bus.h"
#include "backend/detector_client.h"
#include "backend/export.h"
#include "backend/removal.h"
#include "backend/store.h"
#include "backend/threat_query.h"
#include "backend/webhook.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/threat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LIST_BYTES_MAX = 64 * 1024 * 1024,
    EVIDENCE_MAX = 1024 * 1024,
    HISTORY_MAX = 100,
    LIST_MAX = 1000,
    OFFSET_MAX = 10000
};

struct list {
    struct text text;
    size_t count;
    int64_t last_seq;
};

static bool add_threat(void *context, int64_t seq, const char *json)
{
    struct list *list = context;

    if (list->count > 0)
        text_add(&list->text, ",", 1);
    text_add(&list->text, json, strlen(json));
    list->count++;
    list->last_seq = seq;
    return !list->text.failed;
}

static void answer_list(struct http_request *request, struct list *list, size_t limit, int64_t total)
{
    text_addf(&list->text, "],\"count\":%zu", list->count);
    if (limit > 0 && list->count == limit)
        text_addf(&list->text, ",\"next\":\"%lld\"", (long long)list->last_seq);
    if (total >= 0)
        text_addf(&list->text, ",\"total\":%lld", (long long)total);
    text_add(&list->text, "}", 1);
    if (list->text.failed)
        http_fail(request, 503, "unavailable", "The list is too large; ask for fewer threats");
    else
        http_answer(request, 200, "application/json", list->text.bytes, list->text.length);
}

static void find(struct http_request *request, struct api *api, const struct store_query *query, bool paged,
                 bool with_total)
{
    struct list list = {.text = {.max = LIST_BYTES_MAX}};
    struct err err = {0};
    int64_t total = -1;

    text_add(&list.text, "{\"success\":true,\"threats\":[", 27);
    if (!store_find(api->store, query, add_threat, &list, with_total ? &total : NULL, &err))
        api_fail(request, &err);
    else
        answer_list(request, &list, paged ? query->limit : 0, total);
    free(list.text.bytes);
}

static void history(struct http_request *request, void *context)
{
    int64_t limit = 50;

    if (api_query_number(request, "limit", 1, HISTORY_MAX, &limit))
        find(request, context, &(struct store_query){.limit = (size_t)limit}, false, false);
}

/* newest (default) or oldest first, by arrival. */
static bool read_sort(struct http_request *request, bool *oldest_first)
{
    char sort[16];
    bool given;

    if (!api_query_text(request, "sort", sort, sizeof sort, &given))
        return false;
    *oldest_first = strcmp(sort, "oldest") == 0;
    if (!given || *oldest_first || strcmp(sort, "newest") == 0)
        return true;
    http_fail(request, 400, "invalid", "sort: expected newest or oldest");
    return false;
}

static void list(struct http_request *request, void *context)
{
    struct store_query query = {0};
    int64_t limit = 50, offset = 0, total = 0;
    struct search *search;

    if (!api_query_number(request, "limit", 1, LIST_MAX, &limit) ||
        !api_query_number(request, "offset", 0, OFFSET_MAX, &offset) ||
        !api_query_number(request, "cursor", 1, INT64_MAX, &query.before_seq) ||
        !api_query_number(request, "total", 0, 1, &total) || !read_sort(request, &query.oldest_first))
        return;
    search = threat_query(request, &query.with_suppressed);
    if (search == NULL)
        return;
    query.search = search;
    query.limit = (size_t)limit;
    query.offset = (size_t)offset;
    find(request, context, &query, true, total == 1);
    search_free(search);
}

static void one(struct http_request *request, void *context)
{
    struct api *api = context;
    struct triage triage = {0};
    struct err err = {0};
    char *json = NULL, etag[32];
    struct text text = {.max = LIST_BYTES_MAX};
    int64_t seq;

    if (!store_threat(api->store, http_segment(request, "id"), &json, &seq, &triage, &err)) {
        api_fail(request, &err);
        return;
    }
    snprintf(etag, sizeof etag, "\"%lld\"", (long long)triage.version);
    http_add_header(request, "ETag", etag);
    text_add(&text, "{\"success\":true,\"threat\":", 25);
    text_add(&text, json, strlen(json));
    text_add(&text, "}", 1);
    if (text.failed)
        http_fail(request, 503, "unavailable", "out of memory");
    else
        http_answer(request, 200, "application/json", text.bytes, text.length);
    free(text.bytes);
    free(json);
}

/* --- statistics --- */

static bool read_span(struct http_request *request, struct store_span *span)
{
    static const char *const names[] = {"from", "to"};
    int64_t *places[] = {&span->from_us, &span->to_us};
    int64_t bucket_s = 0;
    char text[64];
    bool given;

    for (size_t i = 0; i < 2; i++) {
        if (!api_query_text(request, names[i], text, sizeof text, &given))
            return false;
        if (given && text[0] != '\0' && !clock_parse_us(text, places[i])) {
            http_fail(request, 400, "invalid", "%s: expected a time such as 2026-11-23T01:02:03Z", names[i]);
            return false;
        }
    }
    if (!api_query_number(request, "bucket", 60, 31 * 86400, &bucket_s))
        return false;
    if (span->from_us != 0 && span->to_us != 0 && span->from_us > span->to_us) {
        http_fail(request, 400, "invalid", "from: expected a time before to");
        return false;
    }
    span->bucket_us = bucket_s * 1000000;
    return true;
}

static void statistics(struct http_request *request, void *context)
{
    struct api *api = context;
    struct store_span span = {0};
    struct text text = {.max = LIST_BYTES_MAX};
    struct err err = {0};
    char *json = NULL;
    size_t length;

    if (!read_span(request, &span))
        return;
    if (!store_statistics(api->store, &span, &json, &err)) {
        api_fail(request, &err);
        return;
    }
    length = strlen(json); /* an object: its last brace makes room for what the detectors say */
    text_add(&text, "{\"success\":true,\"statistics\":", 29);
    text_add(&text, json, length > 0 ? length - 1 : 0);
    text_add(&text, ",\"models\":", 10);
    detectors_add_models(api->detectors, &text);
    text_add(&text, ",\"monitoring\":", 14);
    detectors_add_monitoring(api->detectors, &text);
    text_add(&text, "}}", 2);
    if (text.failed)
        http_fail(request, 503, "unavailable", "out of memory");
    else
        http_answer(request, 200, "application/json", text.bytes, text.length);
    free(text.bytes);
    free(json);
}

/* --- clear --- */

static void clear_all(struct http_request *request, void *context)
{
    struct api *api = context;
    struct removal removal = {.api = api};
    struct err err = {0};
    char answer[96];
    cJSON *details;

    if (!removal_run(&removal, 0, false, 0, &err)) {
        api_fail(request, &err);
        return;
    }
    details = cJSON_CreateObject();
    cJSON_AddNumberToObject(details, "count", (double)removal.count);
    audit_write(api, request, NULL, "threats_cleared", "success", details);
    snprintf(answer, sizeof answer, "{\"success\":true,\"message\":\"Threats removed\",\"count\":%lld}",
             (long long)removal.count);
    http_answer_text(request, 200, answer);
}

/* --- evidence --- */

static bool is_threat_id(const char *text)
{
    size_t length = strlen(text);

    return length > 0 && length < THREAT_ID &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-") == length;
}

static void give_evidence(struct http_request *request, void *context)
{
    struct api *api = context;
    const char *id = http_segment(request, "id");
    struct err err = {0};
    char name[THREAT_ID + 64];
    void *bytes = NULL;
    size_t length = 0;

    if (!is_threat_id(id)) {
        http_fail(request, 404, "not_found", "No such threat");
        return;
    }
    if (!store_get_evidence(api->store, id, &bytes, &length, &err)) {
        api_fail(request, &err);
        return;
    }
    snprintf(name, sizeof name, "attachment; filename=\"%s.pcap\"", id);
    http_add_header(request, "Content-Disposition", name);
    http_answer(request, 200, "application/vnd.tcpdump.pcap", bytes, length);
    free(bytes);
}

/* Magic numbers of pcap (us and ns, both byte orders) and pcapng. */
static bool is_capture(const char *bytes, size_t length)
{
    static const char magics[][4] = {{'\xd4', '\xc3', '\xb2', '\xa1'},
                                     {'\xa1', '\xb2', '\xc3', '\xd4'},
                                     {'\x4d', '\x3c', '\xb2', '\xa1'},
                                     {'\xa1', '\xb2', '\x3c', '\x4d'},
                                     {'\x0a', '\x0d', '\x0d', '\x0a'}};

    for (size_t i = 0; length >= 24 && i < sizeof magics / sizeof *magics; i++)
        if (memcmp(bytes, magics[i], 4) == 0)
            return true;
    return false;
}

/* A bound sender may hand over packets of its own sensor's threats alone. */
static bool owns(struct api *api, const char *id, const struct webhook_sender *sender, struct err *err)
{
    struct triage triage;
    cJSON *threat;
    const cJSON *sensor;
    char *json = NULL;
    int64_t seq;
    bool ok;

    if (!store_threat(api->store, id, &json, &seq, &triage, err))
        return false;
    if (!sender->bound) {
        free(json);
        return true;
    }
    threat = cJSON_Parse(json);
    sensor = json_member(threat, "sensor");
    ok = cJSON_IsString(sensor) && strcmp(sensor->valuestring, sender->name) == 0;
    cJSON_Delete(threat);
    free(json);
    return ok || err_set(err, ERR_DENIED, "sensor: the threat is not of sensor %s", sender->name);
}

static void take_evidence(struct http_request *request, void *context)
{
    struct api *api = context;
    const char *id = http_segment(request, "id"), *body;
    struct webhook_sender sender;
    struct err err = {0};
    size_t length = 0;

    if (!webhook_may_come(request, api))
        return;
    body = http_body(request, &length);
    if (!webhook_sender(request, api, body != NULL ? body : "", length, &sender))
        return;
    if (!is_threat_id(id))
        http_fail(request, 404, "not_found", "No such threat");
    else if (body == NULL || !is_capture(body, length))
        http_fail(request, 400, "invalid", "body: expected a pcap or pcapng capture");
    else if (!owns(api, id, &sender, &err) || !store_put_evidence(api->store, id, body, length, &err))
        api_fail(request, &err);
    else
        http_answer_text(request, 200, "{\"success\":true}");
}

const struct http_route threats_routes[] = {
    {"GET", "/api/network/threats/history", ROLE_VIEWER, history, HTTP_NO_BODY, 0},
    {"GET", "/api/network/threats/export", ROLE_ANALYST, export_threats, HTTP_NO_BODY, 0},
    {"GET", "/api/network/threats", ROLE_VIEWER, list, HTTP_NO_BODY, 0},
    {"GET", "/api/network/threats/{id}", ROLE_VIEWER, one, HTTP_NO_BODY, 0},
    {"GET", "/api/network/threats/{id}/evidence.pcap", ROLE_ANALYST, give_evidence, HTTP_NO_BODY, 0},
    {"PUT", "/api/network/threats/{id}/evidence", ROLE_WEBHOOK, take_evidence, HTTP_WHOLE_BODY, EVIDENCE_MAX},
    {"GET", "/api/network/statistics", ROLE_VIEWER, statistics, HTTP_NO_BODY, 0},
    {"POST", "/api/network/clear-threats", ROLE_ADMIN, clear_all, HTTP_NO_BODY, 0},
};
const size_t threats_route_count = sizeof threats_routes / sizeof *threats_routes;
