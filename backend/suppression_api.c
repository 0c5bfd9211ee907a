/* suppression_api.c: the routes below /api/suppressions; see suppression.h. */
#include "backend/api.h"
#include "backend/audit.h"
#include "backend/form.h"
#include "backend/listing.h"
#include "backend/store.h"
#include "backend/suppression.h"
#include "backend/triage.h"
#include "backend/watch.h"
#include "common/clock.h"
#include "common/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char kind[] = "suppression";
#define DAY_MS (24LL * 3600 * 1000)

/* --- how much it would hide --- */

struct preview {
    int64_t count, total;
    cJSON *sample;
};

static bool sample_row(void *context, int64_t seq, const char *json)
{
    struct preview *preview = context;
    cJSON *threat = json_parse(json, strlen(json), NULL);

    (void)seq;
    if (threat != NULL)
        cJSON_AddItemToArray(preview->sample, threat);
    return true;
}

static bool count_row(void *context, int64_t seq, const char *json)
{
    (void)seq;
    (void)json;
    ++*(int64_t *)context;
    return true;
}

static struct search *last_day(int64_t now_ms)
{
    struct search *search = calloc(1, sizeof *search);

    if (search != NULL) {
        search->kind = SEARCH_NUMBER;
        search->field = FIELD_TIME;
        search->low = (double)(now_ms - DAY_MS) * 1000;
        search->high = INFINITY;
    }
    return search;
}

/* How many fit; a store that finds that dear is made to count up to a limit. Takes search. */
static bool count_fits(struct store *store, struct search *search, cJSON *sample, int64_t *count, struct err *err)
{
    enum { SAMPLE = 5, COUNT_MAX = 200000 };
    struct store_query query = {.search = search, .limit = SAMPLE};
    struct preview preview = {.sample = sample};
    bool ok = search != NULL || err_set(err, ERR_MEMORY, "preview: out of memory");

    if (ok && sample == NULL)
        query.limit = 1;
    ok = ok && store_find(store, &query, sample != NULL ? sample_row : count_row,
                          sample != NULL ? (void *)&preview : (void *)&preview.count, count, err);
    if (ok && *count < 0) {
        *count = 0;
        query.limit = COUNT_MAX;
        ok = store_find(store, &query, count_row, count, NULL, err);
    }
    search_free(search);
    return ok;
}

/* Suppressed ones are left out of both figures: they are hidden already. */
static bool preview_run(struct store *store, const struct suppression_match *match, struct preview *preview,
                        struct err *err)
{
    int64_t now = clock_now_ms();
    struct search *fits = suppression_match_search(match), *day = last_day(now);

    if (fits == NULL || day == NULL) {
        search_free(fits);
        search_free(day);
        return err_set(err, ERR_MEMORY, "preview: out of memory");
    }
    return count_fits(store, search_and(fits, day), preview->sample, &preview->count, err) &&
           count_fits(store, last_day(now), NULL, &preview->total, err);
}

static void add_preview(cJSON *answer, const struct preview *preview)
{
    cJSON_AddNumberToObject(answer, "count", (double)preview->count);
    cJSON_AddNumberToObject(answer, "total", (double)preview->total);
    if (preview->count * 2 > preview->total)
        cJSON_AddStringToObject(answer, "warning", "It would hide more than half of the last 24 hours");
}

/* --- answers --- */

static cJSON *rule_to_json(struct store *store, const struct suppression *rule)
{
    cJSON *o = cJSON_CreateObject(), *hits;
    char *json = NULL;
    int64_t count = 0, last = 0;

    if (store_doc_get(store, "hits", rule->id, &json, NULL, NULL)) {
        hits = json_parse(json, strlen(json), NULL);
        json_integer(hits, "hits", 0, INT64_MAX / 2, &count, NULL);
        json_integer(hits, "last", 0, INT64_MAX / 2, &last, NULL);
        cJSON_Delete(hits);
    }
    free(json);
    cJSON_AddStringToObject(o, "id", rule->id);
    cJSON_AddItemToObject(o, "match", suppression_match_to_json(&rule->match));
    cJSON_AddStringToObject(o, "reason", rule->reason);
    cJSON_AddStringToObject(o, "author", rule->author);
    doc_add_time(o, "createdAt", rule->created_ms);
    doc_add_time(o, "expiresAt", rule->expires_ms);
    cJSON_AddNumberToObject(o, "hits", (double)count);
    doc_add_time(o, "lastHitAt", last);
    cJSON_AddNumberToObject(o, "version", (double)rule->version);
    return o;
}

static cJSON *rule_row(void *context, const char *id, int64_t version, const char *json)
{
    struct suppression *rule = calloc(1, sizeof *rule);
    cJSON *row = NULL;

    if (rule != NULL && suppression_read(rule, id, version, json))
        row = rule_to_json(context, rule);
    free(rule);
    return row;
}

static void suppressions_get(struct http_request *request, void *context)
{
    struct api *api = context;
    const struct listing all = {.kind = kind,
                                .name = "suppressions",
                                .newest_first = true,
                                .limit = SUPPRESSIONS_MAX,
                                .row = rule_row,
                                .context = api->store};

    suppressions_flush(api->suppressions);
    listing_answer(request, api->store, &all);
}

/* --- changes --- */

#define WORD "abcdefghijklmnopqrstuvwxyz0123456789"

static void read_match(struct form *form, struct suppression_match *match)
{
    struct suppression_fault faults[8];
    size_t count = 0;

    suppression_match_read(json_member(form->body, "match"), match, faults, &count);
    /* A rule for what no threat can have would never fit. */
    if (match->type[strspn(match->type, WORD "_")] != '\0')
        form_wrong(form, "match.type", "1 to 64 of a-z 0-9 _");
    if (match->sensor[strspn(match->sensor, WORD "ABCDEFGHIJKLMNOPQRSTUVWXYZ._:@-")] != '\0')
        form_wrong(form, "match.sensor", "1 to 64 of letters, digits, . _ : @ -");
    for (size_t i = 0; i < count; i++)
        form_wrong(form, faults[i].field, faults[i].expected);
}

static void preview_post(struct http_request *request, void *context)
{
    struct suppression_match match;
    struct preview preview = {0};
    struct form form;
    struct err err = {0};
    cJSON *answer;

    if (!form_begin(&form, request))
        return;
    read_match(&form, &match);
    if (!form_end(&form))
        return;
    form_free(&form);
    preview.sample = cJSON_CreateArray();
    if (!preview_run(((struct api *)context)->store, &match, &preview, &err)) {
        cJSON_Delete(preview.sample);
        api_fail(request, &err);
        return;
    }
    answer = cJSON_CreateObject();
    cJSON_AddTrueToObject(answer, "success");
    add_preview(answer, &preview);
    cJSON_AddItemToObject(answer, "sample", preview.sample);
    http_answer_json(request, 200, answer);
}

/* A rule that hides much is made all the same, but says so: the analyst may mean it. */
static void answer_rule(struct http_request *request, struct api *api, int status, const struct suppression *rule)
{
    cJSON *answer = cJSON_CreateObject();
    struct preview preview = {0};

    cJSON_AddTrueToObject(answer, "success");
    cJSON_AddItemToObject(answer, "suppression", rule_to_json(api->store, rule));
    if (preview_run(api->store, &rule->match, &preview, NULL))
        add_preview(answer, &preview);
    http_answer_json(request, status, answer);
}

static cJSON *rule_details(const struct suppression *rule)
{
    cJSON *details = suppression_to_doc(rule);

    cJSON_AddStringToObject(details, "id", rule->id);
    return details;
}

/* Writes and answers; takes nothing. */
static void save(struct http_request *request, struct api *api, struct suppression *rule, int64_t expected,
                 bool raced)
{
    struct err err = {0};
    bool made = expected == 0;

    if (!doc_put(api->store, kind, rule->id, NULL, suppression_to_doc(rule), rule->expires_ms, expected,
                 &rule->version, &err)) {
        if (err.code == ERR_CONFLICT && raced)
            http_fail(request, 412, "changed", "suppression %s: somebody else changed it first", rule->id);
        else
            api_fail(request, &err);
        return;
    }
    watch_changed(api->watch, kind);
    audit_write(api, request, NULL, made ? "suppression_created" : "suppression_changed", "success",
                rule_details(rule));
    answer_rule(request, api, made ? 201 : 200, rule);
}

static void suppressions_post(struct http_request *request, void *context)
{
    struct api *api = context;
    struct suppression *rule = calloc(1, sizeof *rule);
    struct form form;
    int64_t now = clock_now_ms();

    if (rule == NULL) {
        http_fail(request, 503, "memory", "out of memory");
        return;
    }
    if (!form_begin(&form, request))
        goto done;
    read_match(&form, &rule->match);
    form_text(&form, "reason", FORM_NEEDED, 1, sizeof rule->reason - 1, rule->reason, sizeof rule->reason);
    form_expiry(&form, "expiresAt", now, &rule->expires_ms);
    if (!form_end(&form))
        goto done;
    form_free(&form);
    if (suppressions_count(api->suppressions) >= SUPPRESSIONS_MAX) {
        http_fail(request, 409, "full", "there are %d suppressions already", SUPPRESSIONS_MAX);
        goto done;
    }
    doc_new_id("sup", now, rule->id);
    rule->created_ms = now;
    snprintf(rule->author, sizeof rule->author, "%s", api_caller(request)->name);
    save(request, api, rule, 0, false);
done:
    free(rule);
}

/* False: answered. */
static bool fetch(struct http_request *request, struct api *api, struct suppression *rule)
{
    const char *id = http_segment(request, "id");
    char *json = NULL;
    int64_t version = 0;
    struct err err = {0};
    bool ok = store_doc_get(api->store, kind, id, &json, &version, &err);

    if (ok && !suppression_read(rule, id, version, json))
        ok = err_set(&err, ERR_NOT_FOUND, "suppression %.60s: cannot be read", id);
    if (!ok)
        api_fail(request, &err);
    free(json);
    return ok;
}

static void suppressions_patch(struct http_request *request, void *context)
{
    struct suppression *rule = calloc(1, sizeof *rule);
    const char *header = http_header(request, "If-Match");
    int64_t wanted = -1;
    struct form form;

    if (rule == NULL) {
        http_fail(request, 503, "memory", "out of memory");
        return;
    }
    if (header != NULL && !triage_version(header, &wanted)) {
        http_fail(request, 400, "invalid", "If-Match: expected a version such as \"7\"");
        goto done;
    }
    if (!fetch(request, context, rule) || !form_begin(&form, request))
        goto done;
    if (form_has(&form, "match"))
        read_match(&form, &rule->match);
    form_text(&form, "reason", FORM_OPTIONAL, 1, sizeof rule->reason - 1, rule->reason, sizeof rule->reason);
    form_expiry(&form, "expiresAt", clock_now_ms(), &rule->expires_ms);
    if (!form_end(&form))
        goto done;
    form_free(&form);
    save(request, context, rule, wanted > 0 ? wanted : rule->version, true);
done:
    free(rule);
}

static void suppressions_delete(struct http_request *request, void *context)
{
    struct api *api = context;

    if (!api_remove(request, api, kind, "suppression_removed"))
        return;
    store_doc_remove(api->store, "hits", http_segment(request, "id"), NULL);
    http_answer_text(request, 200, "{\"success\":true,\"message\":\"Suppression removed\"}");
}

const struct http_route suppression_routes[] = {
    {"GET", "/api/suppressions", ROLE_ANALYST, suppressions_get, HTTP_NO_BODY, 0},
    {"POST", "/api/suppressions", ROLE_ANALYST, suppressions_post, HTTP_WHOLE_BODY, 16 * 1024},
    {"POST", "/api/suppressions/preview", ROLE_ANALYST, preview_post, HTTP_WHOLE_BODY, 16 * 1024},
    {"PATCH", "/api/suppressions/{id}", ROLE_ANALYST, suppressions_patch, HTTP_WHOLE_BODY, 16 * 1024},
    {"DELETE", "/api/suppressions/{id}", ROLE_ANALYST, suppressions_delete, HTTP_NO_BODY, 0},
};
const size_t suppression_route_count = sizeof suppression_routes / sizeof suppression_routes[0];
