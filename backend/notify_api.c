/* notify_api.c: the routes below /api/notifications and /api/dead-letters; see notify.h. */
#include "backend/api.h"
#include "backend/audit.h"
#include "backend/detector_client.h"
#include "backend/form.h"
#include "backend/listing.h"
#include "backend/notify.h"
#include "backend/store.h"
#include "backend/watch.h"
#include "common/clock.h"
#include "common/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- targets --- */

static cJSON *target_with_state(struct api *api, const struct target *target)
{
    cJSON *o = target_to_json(target), *state = cJSON_AddObjectToObject(o, "state");
    struct notify_figures figures = {0};

    notify_figures(api->notify, target->id, &figures);
    cJSON_AddNumberToObject(state, "sent", (double)figures.sent);
    cJSON_AddNumberToObject(state, "failed", (double)figures.failed);
    cJSON_AddNumberToObject(state, "dropped", (double)figures.dropped);
    cJSON_AddNumberToObject(state, "pending", (double)figures.pending);
    cJSON_AddStringToObject(state, "lastError", figures.last_error);
    return o;
}

static cJSON *target_row(void *context, const char *id, int64_t version, const char *json)
{
    struct api *api = context;
    struct target *target = calloc(1, sizeof *target);
    cJSON *row = NULL;

    if (target != NULL && target_read(target, api->seal, id, version, json, NULL))
        row = target_with_state(api, target);
    free(target);
    return row;
}

static void targets_get(struct http_request *request, void *context)
{
    const struct listing all = {
        .kind = TARGET_KIND, .name = "notifications", .limit = NOTIFY_TARGETS, .row = target_row, .context = context};

    listing_answer(request, ((struct api *)context)->store, &all);
}

/* The secret is shown in the answer that made it, and never again. */
static void save(struct http_request *request, struct api *api, struct target *target, int64_t expected)
{
    struct err err = {0};
    cJSON *answer;

    if (!doc_put(api->store, TARGET_KIND, target->id, NULL, target_to_doc(target, api->seal), 0, expected,
                 &target->version, &err)) {
        api_fail(request, &err);
        return;
    }
    watch_changed(api->watch, TARGET_KIND);
    audit_write(api, request, NULL, expected == 0 ? "notification_created" : "notification_changed", "success",
                target_to_json(target));
    answer = cJSON_CreateObject();
    cJSON_AddTrueToObject(answer, "success");
    cJSON_AddItemToObject(answer, "notification", target_with_state(api, target));
    if (expected == 0 && target->type == TARGET_WEBHOOK)
        cJSON_AddStringToObject(answer, "secret", target->secret);
    http_answer_json(request, expected == 0 ? 201 : 200, answer);
}

static bool count_row(void *context, const char *id, int64_t version, const char *json)
{
    (void)id;
    (void)version;
    (void)json;
    ++*(size_t *)context;
    return true;
}

static void targets_post(struct http_request *request, void *context)
{
    struct api *api = context;
    struct target *target = calloc(1, sizeof *target);
    struct form form;
    struct err err = {0};
    size_t count = 0;

    if (target == NULL) {
        http_fail(request, 503, "memory", "out of memory");
        return;
    }
    if (!form_begin(&form, request))
        goto done;
    target->enabled = true;
    target_from_form(&form, FORM_NEEDED, target);
    if (!form_end(&form))
        goto done;
    form_free(&form);
    if (!store_doc_list(api->store, TARGET_KIND, NULL, false, NOTIFY_TARGETS, count_row, &count, &err)) {
        api_fail(request, &err);
        goto done;
    }
    if (count >= NOTIFY_TARGETS) {
        http_fail(request, 409, "full", "there are %d targets already", NOTIFY_TARGETS);
        goto done;
    }
    if (!notify_begin(api->store, &err)) {
        api_fail(request, &err);
        goto done;
    }
    if (target->type == TARGET_WEBHOOK && target->secret[0] == '\0')
        signature_new_secret(target->secret);
    target->created_ms = clock_now_ms();
    doc_new_id("target", target->created_ms, target->id);
    snprintf(target->author, sizeof target->author, "%s", api_caller(request)->name);
    save(request, api, target, 0);
done:
    free(target);
}

/* NULL: answered. The caller frees. */
static struct target *fetch(struct http_request *request, struct api *api)
{
    struct target *target = calloc(1, sizeof *target);
    const char *id = http_segment(request, "id");
    char *json = NULL;
    int64_t version = 0;
    struct err err = {0};
    bool ok = target != NULL || err_set(&err, ERR_MEMORY, "out of memory");

    ok = ok && store_doc_get(api->store, TARGET_KIND, id, &json, &version, &err);
    if (ok && !target_read(target, api->seal, id, version, json, NULL))
        ok = err_set(&err, ERR_NOT_FOUND, "notification %.60s: cannot be read", id);
    free(json);
    if (ok)
        return target;
    api_fail(request, &err);
    free(target);
    return NULL;
}

static void targets_patch(struct http_request *request, void *context)
{
    struct target *target = fetch(request, context);
    struct form form;

    if (target == NULL)
        return;
    if (form_begin(&form, request)) {
        target_from_form(&form, FORM_OPTIONAL, target);
        if (form_end(&form)) {
            form_free(&form);
            save(request, context, target, target->version);
        }
    }
    free(target);
}

static void targets_delete(struct http_request *request, void *context)
{
    if (api_remove(request, context, TARGET_KIND, "notification_removed"))
        http_answer_text(request, 200, "{\"success\":true,\"message\":\"Notification removed\"}");
}

/* 502: the target did not take it; 422: it is where notices may not go. */
static void target_test(struct http_request *request, void *context)
{
    struct api *api = context;
    struct target *target = fetch(request, api);
    struct err err = {0};
    int64_t begun = clock_monotonic_ms();
    char text[96];

    if (target == NULL)
        return;
    if (notify_test(api->notify, target, &err)) {
        snprintf(text, sizeof text, "{\"success\":true,\"message\":\"Delivered\",\"ms\":%lld}",
                 (long long)(clock_monotonic_ms() - begun));
        http_answer_text(request, 200, text);
    } else if (err.code == ERR_DENIED) {
        http_fail(request, 422, "target_not_allowed", "%s", err.text);
    } else {
        http_fail(request, 502, "undelivered", "%s", err.text);
    }
    free(target);
}

/* --- dead letters --- */

static bool dead_row(void *context, const char *id, int64_t version, const char *json)
{
    cJSON *letter = json_parse(json, strlen(json), NULL), *o = cJSON_CreateObject();
    char target[DOC_ID] = "", threat[THREAT_ID] = "", error[320] = "";
    int64_t tries = 0, since = 0;

    (void)version;
    json_text(letter, "target", target, sizeof target, NULL);
    json_text(letter, "threatId", threat, sizeof threat, NULL);
    json_text(letter, "error", error, sizeof error, NULL);
    json_integer(letter, "tries", 0, 1000, &tries, NULL);
    json_integer(letter, "since", 0, INT64_MAX / 2, &since, NULL);
    cJSON_AddStringToObject(o, "id", id);
    cJSON_AddStringToObject(o, "kind", "notice");
    cJSON_AddStringToObject(o, "target", target);
    cJSON_AddStringToObject(o, "threat_id", threat);
    cJSON_AddNumberToObject(o, "tries", (double)tries);
    cJSON_AddStringToObject(o, "message", error);
    doc_add_time(o, "createdAt", since);
    cJSON_AddItemToArray(context, o);
    cJSON_Delete(letter);
    return true;
}

/* A detector's own list, each letter with the detector's name and an id that leads back to it. */
static void add_detector_letters(struct api *api, size_t index, cJSON *list)
{
    struct http_call call = {.method = "GET", .url = "/api/dead-letters?limit=50", .timeout_ms = 2000};
    const char *name = detectors_name(api->detectors, index);
    struct http_reply reply;
    cJSON *answer, *letter;
    char id[256];

    if (!detectors_call(api->detectors, index, &call, &reply, NULL))
        return;
    answer = reply.status == 200 ? json_parse(reply.body, reply.length, NULL) : NULL;
    cJSON_ArrayForEach(letter, json_member(answer, "deadLetters"))
    {
        const cJSON *threat = json_member(letter, "threat_id");
        cJSON *copy = cJSON_Duplicate(letter, true);
        if (!cJSON_IsString(threat) || copy == NULL) {
            cJSON_Delete(copy);
            continue;
        }
        snprintf(id, sizeof id, "detector:%s:%s", name, threat->valuestring);
        cJSON_AddStringToObject(copy, "id", id);
        cJSON_AddStringToObject(copy, "kind", "threat");
        cJSON_AddStringToObject(copy, "detector", name);
        if (cJSON_IsString(json_member(copy, "since")))
            cJSON_AddStringToObject(copy, "createdAt", json_member(copy, "since")->valuestring);
        cJSON_AddItemToArray(list, copy);
    }
    cJSON_Delete(answer);
    http_reply_clear(&reply);
}

static void letters_get(struct http_request *request, void *context)
{
    struct api *api = context;
    cJSON *list = cJSON_CreateArray();
    int64_t limit = 100;
    struct err err = {0};

    if (!api_query_number(request, "limit", 1, 1000, &limit)) {
        cJSON_Delete(list);
        return;
    }
    if (!store_doc_list(api->store, "dead", NULL, true, (size_t)limit, dead_row, list, &err)) {
        cJSON_Delete(list);
        api_fail(request, &err);
        return;
    }
    for (size_t i = 0; api->detectors != NULL && i < detectors_count(api->detectors); i++)
        add_detector_letters(api, i, list);
    doc_answer_list(request, "deadLetters", list);
}

/* "detector:NAME:THREAT" */
static bool replay_at_detector(struct api *api, const char *id, struct err *err)
{
    const char *name = id + 9, *colon = strchr(name, ':'); /* the name has none, the threat's id may */
    char which[65], path[256];
    struct http_call call = {.method = "POST", .url = path, .timeout_ms = 2000};
    struct http_reply reply;
    size_t index;
    bool ok;

    if (colon == NULL || (size_t)(colon - name) >= sizeof which || strlen(colon + 1) >= THREAT_ID ||
        strspn(colon + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-") != strlen(colon + 1))
        return err_set(err, ERR_NOT_FOUND, "dead letter: no such one");
    snprintf(which, sizeof which, "%.*s", (int)(colon - name), name);
    snprintf(path, sizeof path, "/api/dead-letters/%s/replay", colon + 1);
    if (api->detectors == NULL || !detectors_find(api->detectors, which, &index, err) ||
        !detectors_call(api->detectors, index, &call, &reply, err))
        return false;
    ok = reply.status == 200 || err_set(err, reply.status == 404 ? ERR_NOT_FOUND : ERR_UNAVAILABLE,
                                        "detector %s: answered %d", which, reply.status);
    http_reply_clear(&reply);
    return ok;
}

static void letter_replay(struct http_request *request, void *context)
{
    struct api *api = context;
    const char *id = http_segment(request, "id");
    struct err err = {0};
    cJSON *details;

    if (strncmp(id, "detector:", 9) == 0 ? !replay_at_detector(api, id, &err)
                                         : !notify_replay(api->notify, id, &err)) {
        api_fail(request, &err);
        return;
    }
    details = cJSON_CreateObject();
    cJSON_AddStringToObject(details, "id", id);
    audit_write(api, request, NULL, "dead_letter_replayed", "success", details);
    http_answer_text(request, 200, "{\"success\":true,\"message\":\"It is on its way again\"}");
}

const struct http_route notify_routes[] = {
    {"GET", "/api/notifications", ROLE_ADMIN, targets_get, HTTP_NO_BODY, 0},
    {"POST", "/api/notifications", ROLE_ADMIN, targets_post, HTTP_WHOLE_BODY, 16 * 1024},
    {"PATCH", "/api/notifications/{id}", ROLE_ADMIN, targets_patch, HTTP_WHOLE_BODY, 16 * 1024},
    {"DELETE", "/api/notifications/{id}", ROLE_ADMIN, targets_delete, HTTP_NO_BODY, 0},
    {"POST", "/api/notifications/{id}/test", ROLE_ADMIN, target_test, HTTP_NO_BODY, 0},
    {"GET", "/api/dead-letters", ROLE_ANALYST, letters_get, HTTP_NO_BODY, 0},
    {"POST", "/api/dead-letters/{id}/replay", ROLE_ANALYST, letter_replay, HTTP_NO_BODY, 0},
};
const size_t notify_route_count = sizeof notify_routes / sizeof notify_routes[0];
