/* export.c: reads the store in pages and writes as fast as the client takes it; no page is held open meanwhile. */
#include "backend/export.h"

#include "backend/store.h"
#include "backend/threat_query.h"
#include "common/log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 500, PAGE_BYTES = 16 * 1024 * 1024 };

static const char *const columns[] = {"threat_id",  "revision",  "timestamp",    "threat_type",    "severity",
                                      "confidence", "source_ip", "source_port",  "destination_ip", "destination_port",
                                      "protocol",   "sensor",    "community_id", "receivedAt"};

bool export_format_from_text(const char *text, enum export_format *format)
{
    static const char *const names[] = {"csv", "ndjson", "eve", "verdicts"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(text, names[i]) == 0) {
            *format = (enum export_format)i;
            return true;
        }
    return false;
}

void export_cell(struct text *out, const char *value)
{
    text_add(out, "\"", 1);
    if (value[0] != '\0' && strchr("=+-@\t\r\n", value[0]) != NULL)
        text_add(out, "'", 1);
    for (const char *p = value; *p != '\0'; p++)
        text_add(out, *p == '"' ? "\"\"" : p, *p == '"' ? 2 : 1);
    text_add(out, "\"", 1);
}

static void add_column(struct text *out, const cJSON *value)
{
    if (cJSON_IsString(value))
        export_cell(out, value->valuestring);
    else if (cJSON_IsNumber(value))
        text_add_number(out, value->valuedouble);
}

static void csv_line(struct text *out, const cJSON *threat)
{
    static const char *const triage_columns[] = {"status", "verdict", "assignee"};
    const cJSON *triage = json_member(threat, "triage");

    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        add_column(out, json_member(threat, columns[i]));
        text_add(out, ",", 1);
    }
    for (size_t i = 0; i < sizeof triage_columns / sizeof *triage_columns; i++) {
        add_column(out, triage != NULL ? json_member(triage, triage_columns[i]) : NULL);
        text_add(out, ",", 1);
    }
    add_column(out, json_member(threat, "suppressedBy"));
    text_add(out, "\r\n", 2);
}

static void csv_head(struct text *out)
{
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        text_addf(out, "%s,", columns[i]);
    text_addf(out, "status,verdict,assignee,suppressedBy\r\n");
}

/* A member under EVE's name, when it is there. */
static void eve_member(struct text *out, const cJSON *threat, const char *name, const char *eve)
{
    const cJSON *value = json_member(threat, name);

    if (cJSON_IsString(value) && value->valuestring[0] != '\0') {
        text_addf(out, ",\"%s\":", eve);
        text_add_json(out, value->valuestring);
    } else if (cJSON_IsNumber(value)) {
        text_addf(out, ",\"%s\":", eve);
        text_add_number(out, value->valuedouble);
    }
}

/* Suricata's severities: 1 is the worst. */
static int eve_severity(const cJSON *threat)
{
    const cJSON *severity = json_member(threat, "severity");
    const char *text = cJSON_IsString(severity) ? severity->valuestring : "";

    if (strcmp(text, "critical") == 0 || strcmp(text, "high") == 0)
        return 1;
    return strcmp(text, "medium") == 0 ? 2 : 3;
}

static void eve_line(struct text *out, const cJSON *threat, const char *json)
{
    const cJSON *type = json_member(threat, "threat_type"), *time = json_member(threat, "timestamp");

    text_add(out, "{\"timestamp\":", 13);
    text_add_json(out, cJSON_IsString(time) ? time->valuestring : "");
    text_addf(out, ",\"event_type\":\"alert\"");
    eve_member(out, threat, "sensor", "host");
    eve_member(out, threat, "source_ip", "src_ip");
    eve_member(out, threat, "source_port", "src_port");
    eve_member(out, threat, "destination_ip", "dest_ip");
    eve_member(out, threat, "destination_port", "dest_port");
    eve_member(out, threat, "protocol", "proto");
    eve_member(out, threat, "community_id", "community_id");
    text_addf(out, ",\"alert\":{\"action\":\"allowed\",\"gid\":1,\"rev\":1,\"severity\":%d,\"signature\":",
              eve_severity(threat));
    text_add_json(out, cJSON_IsString(type) ? type->valuestring : "");
    text_addf(out, ",\"category\":\"Threatline\"},\"threatline\":");
    text_add(out, json, strlen(json));
    text_add(out, "}\n", 2);
}

static const char *text_of(const cJSON *object, const char *name)
{
    const cJSON *value = json_member(object, name);

    return cJSON_IsString(value) ? value->valuestring : "";
}

static void named_text(struct text *out, const char *name, const char *value)
{
    text_addf(out, ",\"%s\":", name);
    text_add_json(out, value);
}

static void add_numbers(struct text *out, const cJSON *object, bool *any)
{
    const cJSON *value;

    cJSON_ArrayForEach(value, object)
    {
        if (!cJSON_IsNumber(value))
            continue;
        if (*any)
            text_add(out, ",", 1);
        text_add_json(out, value->string);
        text_add(out, ":", 1);
        text_add_number(out, value->valuedouble);
        *any = true;
    }
}

static void verdict_line(struct text *out, const cJSON *threat)
{
    const cJSON *details = json_member(threat, "details"), *features = json_member(details, "features");
    const char *verdict = text_of(json_member(threat, "triage"), "verdict");
    bool any = false;

    if (verdict[0] == '\0' || !cJSON_IsObject(features) || features->child == NULL)
        return;
    text_add(out, "{\"threat_id\":", 13);
    text_add_json(out, text_of(threat, "threat_id"));
    named_text(out, "verdict", verdict);
    named_text(out, "threat_type", text_of(threat, "threat_type"));
    named_text(out, "sensor", text_of(threat, "sensor"));
    named_text(out, "model", text_of(details, "model"));
    named_text(out, "extractor", text_of(details, "extractor"));
    text_addf(out, ",\"features\":{");
    add_numbers(out, features, &any);
    add_numbers(out, json_member(details, "window_counts"), &any);
    text_add(out, "}}\n", 3);
}

void export_line(struct text *out, enum export_format format, const char *json)
{
    cJSON *threat;

    if (format == EXPORT_NDJSON) {
        text_add(out, json, strlen(json));
        text_add(out, "\n", 1);
        return;
    }
    threat = cJSON_Parse(json);
    if (threat != NULL && format == EXPORT_CSV)
        csv_line(out, threat);
    else if (threat != NULL && format == EXPORT_VERDICTS)
        verdict_line(out, threat);
    else if (threat != NULL)
        eve_line(out, threat, json);
    cJSON_Delete(threat);
}

struct page {
    enum export_format format;
    struct text text;
    size_t count;
    int64_t last_seq;
};

static bool add_line(void *context, int64_t seq, const char *json)
{
    struct page *page = context;

    export_line(&page->text, page->format, json);
    page->count++;
    page->last_seq = seq;
    return !page->text.failed && page->text.length < PAGE_BYTES / 2;
}

static void begin(struct http_request *request, enum export_format format)
{
    static const char *const types[] = {"text/csv; charset=utf-8", "application/x-ndjson", "application/x-ndjson",
                                        "application/x-ndjson"};
    static const char *const names[] = {"threats.csv", "threats.ndjson", "threats-eve.json", "verdicts.ndjson"};
    char value[64];

    snprintf(value, sizeof value, "attachment; filename=\"%s\"", names[format]);
    http_add_header(request, "Content-Disposition", value);
    http_begin(request, 200, types[format]);
}

/* Page after page. The head goes out with the first page, so that a store that is away can still be a 503; a failure
 * later cuts the answer off before its end, which every client sees. */
static void write_pages(struct http_request *request, struct api *api, struct store_query *query,
                        enum export_format format)
{
    bool begun = false;

    for (;;) {
        struct page page = {.format = format, .text = {.max = PAGE_BYTES}};
        struct err err = {0};
        bool more;

        if (!begun && format == EXPORT_CSV)
            csv_head(&page.text);
        if (!store_find(api->store, query, add_line, &page, NULL, &err) || page.text.failed) {
            free(page.text.bytes);
            if (!begun)
                api_fail(request, &err);
            log_warn("export.failed", "request=%s reason=\"%s\"", http_request_id(request), err.text);
            return;
        }
        if (!begun)
            begin(request, format);
        begun = true;
        more = (page.text.length == 0 || http_write(request, page.text.bytes, page.text.length)) && page.count > 0;
        free(page.text.bytes);
        if (!more)
            break;
        query->before_seq = page.last_seq;
    }
    http_end(request);
}

/* Takes search. NULL: it has answered. */
static struct search *with_verdict(struct http_request *request, struct search *search)
{
    struct err err = {0};
    struct search *judged = search_term("verdict", "true_positive,false_positive", &err), *joined = NULL;

    if (judged == NULL)
        search_free(search);
    else if ((joined = search_and(search, judged)) == NULL)
        err_set(&err, ERR_MEMORY, "out of memory");
    if (joined == NULL)
        api_fail(request, &err);
    return joined;
}

void export_threats(struct http_request *request, void *context)
{
    struct api *api = context;
    struct store_query query = {.limit = PAGE};
    enum export_format format = EXPORT_CSV;
    struct search *search;
    char text[16];
    bool given;

    if (!api_query_text(request, "format", text, sizeof text, &given))
        return;
    if (given && !export_format_from_text(text, &format)) {
        http_fail(request, 400, "invalid", "format: expected csv, ndjson, eve or verdicts");
        return;
    }
    search = threat_query(request, &query.with_suppressed);
    if (search != NULL && format == EXPORT_VERDICTS) {
        query.with_suppressed = true; /* a verdict is one whether the threat was shown or not */
        search = with_verdict(request, search);
    }
    if (search == NULL)
        return;
    query.search = search;
    if (atomic_fetch_sub(&api->export_places, 1) > 0) {
        write_pages(request, api, &query, format);
    } else {
        http_add_header(request, "Retry-After", "5");
        http_fail(request, 503, "busy", "Too many exports at once");
    }
    atomic_fetch_add(&api->export_places, 1);
    search_free(search);
}
