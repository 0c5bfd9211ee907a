/* triage.c: see triage.h. */
#include "backend/triage.h"

#include "backend/audit.h"
#include "backend/auth.h"
#include "backend/events.h"
#include "backend/form.h"
#include "backend/search.h"
#include "backend/store.h"
#include "backend/users.h"
#include "common/clock.h"
#include "common/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SCAN_MAX = 20000 }; /* threats looked at in one bulk request */

/* What shall be; a member that is not there stays as it is. */
struct wish {
    char status[16], verdict[16], assignee[65], comment[TRIAGE_COMMENT];
    bool has_status, has_verdict, has_assignee, has_comment;
};

static bool is_one_of(const char *text, const char *const *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(text, values[i]) == 0)
            return true;
    return false;
}

bool triage_version(const char *header, int64_t *version)
{
    const char *at = strncmp(header, "W/", 2) == 0 ? header + 2 : header;
    bool quoted = *at == '"';
    long long value;
    char *end;

    if (strcmp(header, "*") == 0) {
        *version = -1;
        return true;
    }
    at += quoted;
    if (*at < '0' || *at > '9')
        return false;
    value = strtoll(at, &end, 10);
    if (strcmp(end, quoted ? "\"" : "") != 0 || value == INT64_MAX)
        return false;
    *version = value;
    return true;
}

/* --- reading a request --- */

/* A text, or null for "none". */
static bool read_or_clear(struct form *form, const char *name, char *out, size_t size)
{
    if (form_has(form, name) && json_member(form->body, name) == NULL) {
        out[0] = '\0';
        return true;
    }
    return form_text(form, name, FORM_OPTIONAL, 0, size - 1, out, size);
}

static void read_wish(struct form *form, struct wish *wish)
{
    static const char *const statuses[] = {"new", "acknowledged", "escalated", "closed"};
    static const char *const verdicts[] = {"true_positive", "false_positive", ""};

    wish->has_status =
        form_text(form, "status", FORM_OPTIONAL, 1, sizeof wish->status - 1, wish->status, sizeof wish->status);
    if (wish->has_status && !is_one_of(wish->status, statuses, 4))
        form_wrong(form, "status", "new, acknowledged, escalated or closed");
    wish->has_verdict = read_or_clear(form, "verdict", wish->verdict, sizeof wish->verdict);
    if (wish->has_verdict && !is_one_of(wish->verdict, verdicts, 3))
        form_wrong(form, "verdict", "true_positive, false_positive or null");
    wish->has_assignee = read_or_clear(form, "assignee", wish->assignee, sizeof wish->assignee);
    if (!wish->has_status && !wish->has_verdict && !wish->has_assignee && form->details == NULL)
        form_wrong(form, "status", "at least one of status, verdict, assignee");
}

/* False: answered with 422. */
static bool assignee_fits(struct http_request *request, struct api *api, const struct wish *wish)
{
    if (!wish->has_assignee || wish->assignee[0] == '\0' || users_known(api->auth->users, wish->assignee))
        return true;
    http_fail(request, 422, "unknown_assignee", "assignee: there is no active user named %s", wish->assignee);
    return false;
}

/* False: answered with 400. */
static bool read_version(struct http_request *request, int64_t *version, bool *given)
{
    const char *header = http_header(request, "If-Match");

    *version = -1;
    *given = header != NULL;
    if (header == NULL || triage_version(header, version))
        return true;
    http_fail(request, 400, "invalid", "If-Match: expected a version such as \"7\"");
    return false;
}

/* --- doing it --- */

static bool apply(struct http_request *request, struct api *api, const char *id, const struct wish *wish,
                  int64_t version, char **json, struct err *err)
{
    const struct store_change change = {
        .status = wish->has_status ? wish->status : NULL,
        .verdict = wish->has_verdict ? wish->verdict : NULL,
        .assignee = wish->has_assignee ? wish->assignee : NULL,
        .comment = wish->has_comment ? wish->comment : NULL,
        .actor = api_caller(request)->name,
        .version = version,
        .now_ms = clock_now_ms(),
    };
    int64_t seq = 0;

    if (!store_triage(api->store, id, &change, &seq, json, err))
        return false;
    api_emit(api, events_suppressed(*json) ? NULL : "threat_updated", seq, *json);
    return true;
}

static cJSON *wish_to_json(const struct wish *wish)
{
    cJSON *o = cJSON_CreateObject();

    if (wish->has_status)
        cJSON_AddStringToObject(o, "status", wish->status);
    if (wish->has_verdict)
        cJSON_AddStringToObject(o, "verdict", wish->verdict);
    if (wish->has_assignee)
        cJSON_AddStringToObject(o, "assignee", wish->assignee);
    if (wish->has_comment)
        cJSON_AddNumberToObject(o, "commentBytes", (double)strlen(wish->comment));
    return o;
}

static void answer_threat(struct http_request *request, int status, const char *json)
{
    struct text text = {.max = 2 * 1024 * 1024};
    cJSON *threat = json_parse(json, strlen(json), NULL);
    const cJSON *version = json_member(json_member(threat, "triage"), "version");
    char etag[32];

    if (cJSON_IsNumber(version)) {
        snprintf(etag, sizeof etag, "\"%.0f\"", version->valuedouble);
        http_add_header(request, "ETag", etag);
    }
    cJSON_Delete(threat);
    text_addf(&text, "{\"success\":true,\"threat\":");
    text_add(&text, json, strlen(json));
    text_addf(&text, "}");
    http_answer_text(request, status, text.failed ? "{\"success\":true}" : text.bytes);
    free(text.bytes);
}

static void change_one(struct http_request *request, struct api *api, const struct wish *wish, int64_t version,
                       bool raced, int status)
{
    const char *id = http_segment(request, "id");
    char *json = NULL;
    struct err err = {0};
    cJSON *details;

    if (!apply(request, api, id, wish, version, &json, &err)) {
        if (err.code == ERR_CONFLICT && raced)
            http_fail(request, 412, "changed", "threat %s: somebody else changed it first; read it again", id);
        else
            api_fail(request, &err);
        return;
    }
    details = wish_to_json(wish);
    cJSON_AddStringToObject(details, "threatId", id);
    audit_write(api, request, NULL, wish->has_comment ? "threat_commented" : "threat_triaged", "success", details);
    answer_threat(request, status, json);
    free(json);
}

static void threat_patch(struct http_request *request, void *context)
{
    struct wish *wish = calloc(1, sizeof *wish);
    struct form form;
    int64_t version;
    bool given;

    if (wish == NULL) {
        http_fail(request, 503, "memory", "out of memory");
        return;
    }
    if (!read_version(request, &version, &given) || !form_begin(&form, request))
        goto done;
    read_wish(&form, wish);
    if (!form_end(&form))
        goto done;
    form_free(&form);
    if (assignee_fits(request, context, wish))
        change_one(request, context, wish, version, given, 200);
done:
    free(wish);
}

static void comment_post(struct http_request *request, void *context)
{
    struct wish *wish = calloc(1, sizeof *wish);
    struct form form;

    if (wish == NULL) {
        http_fail(request, 503, "memory", "out of memory");
        return;
    }
    if (!form_begin(&form, request))
        goto done;
    wish->has_comment =
        form_text(&form, "text", FORM_NEEDED, 1, sizeof wish->comment - 1, wish->comment, sizeof wish->comment);
    if (!form_end(&form))
        goto done;
    form_free(&form);
    change_one(request, context, wish, -1, false, 201);
done:
    free(wish);
}

/* --- many at once --- */

struct bulk {
    struct wish wish;
    char **ids;
    size_t count, scanned;
    int64_t last_seq;
    bool more, failed;
};

static bool is_so_already(const cJSON *threat, const struct wish *wish)
{
    const cJSON *triage = json_member(threat, "triage");
    const cJSON *status = json_member(triage, "status"), *verdict = json_member(triage, "verdict"),
                *assignee = json_member(triage, "assignee");

    return (!wish->has_status || strcmp(cJSON_IsString(status) ? status->valuestring : "new", wish->status) == 0) &&
           (!wish->has_verdict || strcmp(cJSON_IsString(verdict) ? verdict->valuestring : "", wish->verdict) == 0) &&
           (!wish->has_assignee ||
            strcmp(cJSON_IsString(assignee) ? assignee->valuestring : "", wish->assignee) == 0);
}

static bool bulk_add(struct bulk *bulk, const char *id)
{
    char *copy = strdup(id);

    bulk->failed = copy == NULL;
    if (copy != NULL)
        bulk->ids[bulk->count++] = copy;
    return copy != NULL;
}

static bool bulk_found(void *context, int64_t seq, const char *json)
{
    struct bulk *bulk = context;
    cJSON *threat = json_parse(json, strlen(json), NULL);
    const cJSON *id = json_member(threat, "threat_id");
    bool go_on = true;

    bulk->scanned++;
    bulk->last_seq = seq;
    if (cJSON_IsString(id) && !is_so_already(threat, &bulk->wish)) {
        bulk->more = bulk->count == TRIAGE_IDS_MAX;
        go_on = !bulk->more && bulk_add(bulk, id->valuestring);
    }
    cJSON_Delete(threat);
    return go_on;
}

static bool asks_for_suppressed(const struct search *search)
{
    bool asks = search->kind == SEARCH_FLAG && search->field == FIELD_SUPPRESSED;

    for (size_t i = 0; !asks && i < search->count; i++)
        asks = asks_for_suppressed(search->children[i]);
    return asks;
}

/* The ids that fit q and are not as wished yet, up to a limit. False: answered. */
static bool bulk_search(struct http_request *request, struct api *api, struct bulk *bulk, const char *q)
{
    struct err err = {0};
    size_t at = 0;
    struct search *search = search_parse(q, &at, &err);
    struct store_query query = {.search = search, .limit = SCAN_MAX};
    bool ok;

    if (search == NULL) {
        http_fail(request, 400, "invalid_query", "q: %s (at character %zu)", err.text, at + 1);
        return false;
    }
    query.with_suppressed = asks_for_suppressed(search);
    ok = store_find(api->store, &query, bulk_found, bulk, NULL, &err);
    if (ok && bulk->failed)
        ok = err_set(&err, ERR_MEMORY, "out of memory");
    if (!ok)
        api_fail(request, &err);
    bulk->more = bulk->more || bulk->scanned == SCAN_MAX;
    search_free(search);
    return ok;
}

static void bulk_read_ids(struct form *form, struct bulk *bulk)
{
    const cJSON *ids = json_member(form->body, "ids"), *id;

    if (!cJSON_IsArray(ids) || cJSON_GetArraySize(ids) < 1 || cJSON_GetArraySize(ids) > TRIAGE_IDS_MAX) {
        form_wrong(form, "ids", "1 to 1000 threat ids");
        return;
    }
    cJSON_ArrayForEach(id, ids)
    {
        if (!cJSON_IsString(id) || strlen(id->valuestring) >= THREAT_ID) {
            form_wrong(form, "ids", "1 to 1000 threat ids");
            return;
        }
        if (!bulk_add(bulk, id->valuestring))
            return;
    }
}

/* "set" is read as a form of its own, whose faults are added to the outer one. */
static void bulk_read_set(struct form *form, struct bulk *bulk)
{
    struct form inner = {.request = form->request, .details = form->details};

    inner.body = cJSON_GetObjectItemCaseSensitive(form->body, "set");
    if (!cJSON_IsObject(inner.body)) {
        form_wrong(form, "set", "an object with status, verdict or assignee");
        return;
    }
    read_wish(&inner, &bulk->wish);
    form->details = inner.details;
}

/* False: answered. */
static bool bulk_read(struct http_request *request, struct api *api, struct bulk *bulk)
{
    struct form form;
    char q[2049] = "";
    bool by_query;

    if (!form_begin(&form, request))
        return false;
    bulk_read_set(&form, bulk);
    by_query = form_text(&form, "q", FORM_OPTIONAL, 1, sizeof q - 1, q, sizeof q);
    if (by_query == form_has(&form, "ids"))
        form_wrong(&form, "ids", "either ids or q");
    else if (!by_query)
        bulk_read_ids(&form, bulk);
    if (!form_end(&form))
        return false;
    form_free(&form);
    return assignee_fits(request, api, &bulk->wish) && (!by_query || bulk_search(request, api, bulk, q));
}

/* Changes each; those that are gone meanwhile are left out. *err keeps what ended it early. */
static int64_t bulk_apply(struct http_request *request, struct api *api, const struct bulk *bulk, cJSON *missing,
                          struct err *err)
{
    int64_t changed = 0;

    for (size_t i = 0; i < bulk->count; i++) {
        char *json = NULL;
        struct err local = {0};
        if (apply(request, api, bulk->ids[i], &bulk->wish, -1, &json, &local)) {
            changed++;
        } else if (local.code == ERR_NOT_FOUND) {
            cJSON_AddItemToArray(missing, cJSON_CreateString(bulk->ids[i]));
        } else {
            *err = local;
            free(json);
            break;
        }
        free(json);
    }
    return changed;
}

static void bulk_answer(struct http_request *request, struct api *api, const struct bulk *bulk)
{
    cJSON *missing = cJSON_CreateArray(), *details, *answer;
    struct err err = {0};
    int64_t changed = bulk_apply(request, api, bulk, missing, &err);

    details = wish_to_json(&bulk->wish);
    cJSON_AddNumberToObject(details, "changed", (double)changed);
    if (bulk->count > 0)
        cJSON_AddStringToObject(details, "firstId", bulk->ids[0]);
    audit_write(api, request, NULL, "threats_triaged", err.code == ERR_NONE ? "success" : "failed", details);
    if (err.code != ERR_NONE && changed == 0) {
        cJSON_Delete(missing);
        api_fail(request, &err);
        return;
    }
    answer = cJSON_CreateObject();
    cJSON_AddTrueToObject(answer, "success");
    cJSON_AddNumberToObject(answer, "changed", (double)changed);
    cJSON_AddItemToObject(answer, "missing", missing);
    cJSON_AddBoolToObject(answer, "more", bulk->more || err.code != ERR_NONE);
    http_answer_json(request, 200, answer);
}

static void bulk_post(struct http_request *request, void *context)
{
    struct bulk *bulk = calloc(1, sizeof *bulk);

    if (bulk != NULL)
        bulk->ids = calloc(TRIAGE_IDS_MAX, sizeof *bulk->ids);
    if (bulk == NULL || bulk->ids == NULL)
        http_fail(request, 503, "memory", "out of memory");
    else if (bulk_read(request, context, bulk))
        bulk_answer(request, context, bulk);
    for (size_t i = 0; bulk != NULL && bulk->ids != NULL && i < bulk->count; i++)
        free(bulk->ids[i]);
    if (bulk != NULL)
        free(bulk->ids);
    free(bulk);
}

const struct http_route triage_routes[] = {
    {"PATCH", "/api/network/threats/{id}", ROLE_ANALYST, threat_patch, HTTP_WHOLE_BODY, 16 * 1024},
    {"POST", "/api/network/threats/{id}/comments", ROLE_ANALYST, comment_post, HTTP_WHOLE_BODY, 64 * 1024},
    {"POST", "/api/network/threats/bulk", ROLE_ANALYST, bulk_post, HTTP_WHOLE_BODY, 256 * 1024},
};
const size_t triage_route_count = sizeof triage_routes / sizeof triage_routes[0];
