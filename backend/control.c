/* control.c: what people ask the detectors to do, and how all is. Nothing is remembered here: the detector is asked.
 */
#include "backend/audit.h"
#include "backend/detector_client.h"
#include "backend/events.h"
#include "backend/hub.h"
#include "backend/store.h"
#include "backend/webhook.h"
#include "common/clock.h"
#include "common/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_MAX_MS = 5000, START_MAX_MS = 15000, BODY_MAX = 16 * 1024, NAME_MAX_BYTES = 65 };

/* Calls and reads the answer as an object. False: it has answered, with 503 when the detector is silent and with its
 * own words when it said no. */
static bool call(struct http_request *request, struct api *api, size_t index, const struct http_call *what,
                 cJSON **answer)
{
    struct http_reply reply = {0};
    struct err err = {0};
    cJSON *json = NULL;
    bool ok = false;

    *answer = NULL;
    if (!detectors_call(api->detectors, index, what, &reply, &err)) {
        api_fail(request, &err);
        goto done;
    }
    json = json_parse(reply.body != NULL ? reply.body : "", reply.length, NULL);
    if (reply.status >= 200 && reply.status < 300 && cJSON_IsObject(json)) {
        *answer = json;
        json = NULL;
        ok = true;
    } else if (reply.status == 400 || reply.status == 404 || reply.status == 409 || reply.status == 422) {
        const cJSON *message = json_member(json, "message");

        http_fail(request, reply.status, reply.status == 409 ? "conflict" : "refused", "%s",
                  cJSON_IsString(message) ? message->valuestring : "The detector refused");
    } else {
        http_add_header(request, "Retry-After", "5");
        http_fail(request, 503, "unavailable", "detector %s answered %d", detectors_name(api->detectors, index),
                  reply.status);
    }
done:
    cJSON_Delete(json);
    http_reply_clear(&reply);
    return ok;
}

static bool choose(struct http_request *request, struct api *api, const cJSON *body, size_t *index)
{
    char name[NAME_MAX_BYTES] = "";
    struct err err = {0};
    bool given;

    if (body != NULL && json_member(body, "sensor") != NULL) {
        if (!json_text(body, "sensor", name, sizeof name, &err)) {
            api_fail(request, &err);
            return false;
        }
    } else if (!api_query_text(request, "sensor", name, sizeof name, &given)) {
        return false;
    }
    if (detectors_find(api->detectors, name, index, &err))
        return true;
    api_fail(request, &err);
    return false;
}

/* Tells streams and audit log; the detector has done it already, so a store that is away only costs the note. */
static void note(struct http_request *request, struct api *api, const char *event, cJSON *data)
{
    char *text = json_print(data);

    if (text != NULL)
        events_monitoring(api, event, text, NULL);
    free(text);
    audit_write(api, request, NULL, event, "success", data);
}

static cJSON *read_start(struct http_request *request, const cJSON *body)
{
    char interface[65] = "auto", filter[501] = ""; /* as openapi.yaml has it */
    int64_t duration = 300;
    struct err err = {0};
    cJSON *order;

    if ((json_member(body, "interface") != NULL &&
         !json_text(body, "interface", interface, sizeof interface, &err)) ||
        (json_member(body, "filter") != NULL && !json_text(body, "filter", filter, sizeof filter, &err)) ||
        (json_member(body, "duration") != NULL && !json_integer(body, "duration", 0, 3600, &duration, &err)) ||
        (duration != 0 && duration < 60 &&
         !err_set(&err, ERR_INVALID, "duration: expected 60 to 3600 seconds, or 0 for until stopped"))) {
        api_fail(request, &err);
        return NULL;
    }
    order = cJSON_CreateObject();
    cJSON_AddStringToObject(order, "interface", interface);
    cJSON_AddNumberToObject(order, "duration", (double)duration);
    if (filter[0] != '\0')
        cJSON_AddStringToObject(order, "filter", filter);
    return order;
}

static const char *const json_headers[] = {"Content-Type: application/json", NULL};

static void start(struct http_request *request, void *context)
{
    struct api *api = context;
    cJSON *body = api_body(request), *order = NULL, *answer = NULL;
    char *text = NULL;
    size_t index;

    if (body == NULL || !choose(request, api, body, &index) || (order = read_start(request, body)) == NULL)
        goto done;
    text = json_print(order);
    const struct http_call what = {.method = "POST",
                                   .url = "/api/start-capture",
                                   .headers = json_headers,
                                   .body = text,
                                   .length = text != NULL ? strlen(text) : 0,
                                   .timeout_ms = START_MAX_MS};
    if (!call(request, api, index, &what, &answer))
        goto done;
    cJSON_AddStringToObject(order, "sensor", detectors_name(api->detectors, index));
    note(request, api, "network_monitoring_started", order);
    order = NULL;
    cJSON *reply = cJSON_CreateObject();
    cJSON_AddTrueToObject(reply, "success");
    cJSON_AddStringToObject(reply, "message", "Network monitoring started");
    cJSON_AddItemToObject(reply, "monitoring", answer);
    answer = NULL;
    http_answer_json(request, 200, reply);
done:
    free(text);
    cJSON_Delete(order);
    cJSON_Delete(answer);
    cJSON_Delete(body);
}

static void stop(struct http_request *request, void *context)
{
    struct api *api = context;
    const struct http_call what = {.method = "POST",
                                   .url = "/api/stop-capture",
                                   .headers = json_headers,
                                   .body = "{}",
                                   .length = 2,
                                   .timeout_ms = START_MAX_MS};
    cJSON *answer = NULL, *data, *reply;
    size_t index;

    if (!choose(request, api, NULL, &index) || !call(request, api, index, &what, &answer))
        return;
    data = cJSON_CreateObject();
    cJSON_AddStringToObject(data, "sensor", detectors_name(api->detectors, index));
    note(request, api, "network_monitoring_stopped", data);
    reply = cJSON_CreateObject();
    cJSON_AddTrueToObject(reply, "success");
    cJSON_AddStringToObject(reply, "message", "Network monitoring stopped");
    cJSON_AddItemToObject(reply, "monitoring", answer);
    http_answer_json(request, 200, reply);
}

static void interfaces(struct http_request *request, void *context)
{
    struct api *api = context;
    const struct http_call what = {.method = "GET", .url = "/api/interfaces", .timeout_ms = ANSWER_MAX_MS};
    cJSON *answer = NULL;
    size_t index;

    if (choose(request, api, NULL, &index) && call(request, api, index, &what, &answer))
        http_answer_json(request, 200, answer);
}

static void health(struct http_request *request, void *context)
{
    struct api *api = context;
    const struct http_call what = {.method = "GET", .url = "/health", .timeout_ms = ANSWER_MAX_MS};
    int64_t begun = clock_monotonic_ms();
    cJSON *answer = NULL, *reply;
    size_t index;

    if (!choose(request, api, NULL, &index) || !call(request, api, index, &what, &answer))
        return;
    reply = cJSON_CreateObject();
    cJSON_AddTrueToObject(reply, "success");
    cJSON_AddStringToObject(reply, "message", "The detector answers");
    cJSON_AddNumberToObject(reply, "ms", (double)(clock_monotonic_ms() - begun));
    cJSON_AddItemToObject(reply, "detector", answer);
    http_answer_json(request, 200, reply);
}

/* --- status --- */

/* The detector's own words, or why there are none. */
static cJSON *ask_detector(struct api *api, size_t index)
{
    const struct http_call what = {.method = "GET", .url = "/health", .timeout_ms = 2000, .connect_ms = 1000};
    struct http_reply reply = {0};
    struct err err = {0};
    cJSON *json = NULL;

    if (detectors_call(api->detectors, index, &what, &reply, &err) && reply.status == 200)
        json = json_parse(reply.body, reply.length, &err);
    if (cJSON_IsObject(json)) {
        if (json_member(json, "healthy") == NULL)
            cJSON_AddTrueToObject(json, "healthy");
    } else {
        cJSON_Delete(json);
        json = cJSON_CreateObject();
        cJSON_AddFalseToObject(json, "healthy");
        if (reply.status != 0 && reply.status != 200)
            err_set(&err, ERR_UNAVAILABLE, "Detector %s answered %d", detectors_name(api->detectors, index),
                    reply.status);
        cJSON_AddStringToObject(json, "message", err.text);
    }
    http_reply_clear(&reply);
    return json;
}

static void add_store(struct api *api, cJSON *status)
{
    cJSON *store = cJSON_AddObjectToObject(status, "store");
    struct err err = {0};

    cJSON_AddStringToObject(store, "kind", store_kind(api->store));
    cJSON_AddBoolToObject(store, "shared", store_shared(api->store));
    cJSON_AddBoolToObject(store, "available", store_ping(api->store, &err));
}

static void add_stream(struct api *api, cJSON *status)
{
    cJSON *stream = cJSON_AddObjectToObject(status, "stream");
    struct hub_counters counters;

    hub_counters(api->hub, &counters);
    cJSON_AddNumberToObject(stream, "open", (double)counters.open);
    cJSON_AddNumberToObject(stream, "opened", (double)counters.opened);
}

/* Who may send without a credential: "open" anyone, "trusted" some networks, "signed" nobody. */
static const char *webhook_mode(const struct networks *trusted)
{
    uint8_t first[16], last[16];

    network_address("0.0.0.0", first);
    network_address("255.255.255.255", last);
    for (size_t i = 0; i < trusted->count; i++)
        if (network_has(&trusted->items[i], first) && network_has(&trusted->items[i], last))
            return "open";
    return trusted->count > 0 ? "trusted" : "signed";
}

static void add_webhook(struct api *api, cJSON *status)
{
    const struct config_list *list = &api->settings->trusted_networks;
    cJSON *webhook = cJSON_AddObjectToObject(status, "webhook");
    cJSON *networks;

    cJSON_AddStringToObject(webhook, "mode", webhook_mode(&api->trusted));
    cJSON_AddNumberToObject(webhook, "secrets", (double)webhook_secrets(api->webhook));
    networks = cJSON_AddArrayToObject(webhook, "networks");
    for (size_t i = 0; i < list->count; i++)
        cJSON_AddItemToArray(networks, cJSON_CreateString(list->items[i]));
}

static void status(struct http_request *request, void *context)
{
    struct api *api = context;
    cJSON *detector = NULL, *monitoring, *answer;
    size_t index;

    if (detectors_count(api->detectors) > 0) {
        if (!choose(request, api, NULL, &index))
            return;
        detector = ask_detector(api, index);
        cJSON_DeleteItemFromObjectCaseSensitive(detector, "sensor"); /* ours is the name that the other calls take */
        cJSON_AddStringToObject(detector, "sensor", detectors_name(api->detectors, index));
    } else {
        detector = cJSON_CreateObject();
        cJSON_AddFalseToObject(detector, "healthy");
        cJSON_AddStringToObject(detector, "message", "no detector is configured");
    }
    monitoring = cJSON_DetachItemFromObjectCaseSensitive(detector, "monitoring");
    if (monitoring == NULL) {
        monitoring = cJSON_CreateObject();
        cJSON_AddFalseToObject(monitoring, "active");
    }
    answer = cJSON_CreateObject();
    cJSON_AddTrueToObject(answer, "success");
    cJSON_AddItemToObject(answer, "monitoring", monitoring);
    cJSON_AddItemToObject(answer, "detector", detector);
    add_store(api, answer);
    add_stream(api, answer);
    if (api_caller(request)->role >= ROLE_ADMIN)
        add_webhook(api, answer);
    http_answer_json(request, 200, answer);
}

const struct http_route control_routes[] = {
    {"POST", "/api/network/start-monitoring", ROLE_ADMIN, start, HTTP_WHOLE_BODY, BODY_MAX},
    {"POST", "/api/network/stop-monitoring", ROLE_ADMIN, stop, HTTP_NO_BODY, 0},
    {"GET", "/api/network/status", ROLE_VIEWER, status, HTTP_NO_BODY, 0},
    {"GET", "/api/network/interfaces", ROLE_ANALYST, interfaces, HTTP_NO_BODY, 0},
    {"GET", "/api/network/health", ROLE_VIEWER, health, HTTP_NO_BODY, 0},
    {"POST", "/api/network/test-connection", ROLE_ADMIN, health, HTTP_NO_BODY, 0},
};
const size_t control_route_count = sizeof control_routes / sizeof *control_routes;
