/* api.c: see api.h. */
#include "detector/api.h"

#include "common/clock.h"
#include "common/json.h"
#include "common/token.h"
#include "detector/api_parts.h"
#include "detector/capture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { THREADS = 8, BODY_MAX = 16 * 1024, ANSWER_MAX = 16 * 1024 * 1024, LIST_MAX = 64, DURATION_MAX = 31536000 };

void api_fail(struct http_request *request, const struct err *err)
{
    if (http_fail_err(request, err))
        return;
    http_add_header(request, "Retry-After", "5");
    http_fail(request, 503, "unavailable", "%s", err->text);
}

/* --- who may --- */

static bool is_loopback_host(const char *host)
{
    size_t length = strcspn(host, ":");

    if (strncmp(host, "[::1]", 5) == 0 || (length == 9 && strncasecmp(host, "localhost", 9) == 0))
        return true;
    return strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == length;
}

static bool bears_key(const struct http_request *request, const char *key)
{
    const char *sent = http_header(request, "X-API-Key"), *bearer = http_header(request, "Authorization");

    if (sent == NULL && bearer != NULL && strncasecmp(bearer, "Bearer ", 7) == 0)
        sent = bearer + 7;
    return sent != NULL && token_equal(sent, key);
}

/* What a route asks for where a control key is set. Health and metrics tell nothing secret, and probes carry no key.
 */
enum { KEYED, OPEN };

static bool authorize(struct http_request *request, const struct http_route *route, void *context)
{
    const struct api *api = context;
    const char *host = http_header(request, "Host");

    if (http_header(request, "Origin") != NULL) {
        http_fail(request, 403, "origin", "this interface is not for browsers");
        return false;
    }
    if (api->settings.control_key[0] != '\0') {
        if (route->role == OPEN || bears_key(request, api->settings.control_key))
            return true;
        http_add_header(request, "WWW-Authenticate", "Bearer realm=\"threatline-detector\"");
        http_fail(request, 401, "unauthorized", "a control key is needed");
        return false;
    }
    /* a page whose name was made to point here sends its own name */
    if (host == NULL || !is_loopback_host(host)) {
        http_fail(request, 403, "host", "without a control key only loopback is heard");
        return false;
    }
    return true;
}

/* --- monitoring --- */

static bool read_start(const cJSON *body, char *source, char *filter, int64_t *duration, struct err *err)
{
    snprintf(source, MONITOR_SOURCE, "auto");
    filter[0] = '\0';
    *duration = 300;
    if (!cJSON_IsObject(body))
        return err_set(err, ERR_INVALID, "body: expected a JSON object");
    return (json_member(body, "interface") == NULL || json_text(body, "interface", source, MONITOR_SOURCE, err)) &&
           (json_member(body, "filter") == NULL || json_text(body, "filter", filter, MONITOR_FILTER / 2, err)) &&
           (json_member(body, "duration") == NULL || json_integer(body, "duration", 0, DURATION_MAX, duration, err));
}

static void start_capture(struct http_request *request, void *context)
{
    struct api *api = context;
    struct monitor_status status;
    char source[MONITOR_SOURCE], filter[MONITOR_FILTER];
    struct err err = {0};
    int64_t duration;
    size_t length;
    const char *text = http_body(request, &length);
    cJSON *body = length > 0 ? json_parse(text, length, &err) : cJSON_CreateObject(), *answer;

    if (body == NULL || !read_start(body, source, filter, &duration, &err) ||
        !monitor_start(api->settings.figures.monitor, source, (long)duration, filter[0] ? filter : NULL, &err)) {
        api_fail(request, &err);
        goto done;
    }
    monitor_status(api->settings.figures.monitor, &status);
    answer = cJSON_CreateObject();
    cJSON_AddBoolToObject(answer, "success", true);
    cJSON_AddStringToObject(answer, "status", "started");
    cJSON_AddStringToObject(answer, "interface", status.source);
    cJSON_AddNumberToObject(answer, "duration", (double)duration);
    cJSON_AddStringToObject(answer, "message", "Real-time threat detection started successfully");
    http_answer_json(request, 200, answer);
done:
    cJSON_Delete(body);
}

static void stop_capture(struct http_request *request, void *context)
{
    struct api *api = context;
    struct err err = {0};

    if (!monitor_stop(api->settings.figures.monitor, &err)) {
        api_fail(request, &err);
        return;
    }
    http_answer_text(request, 200,
                     "{\"success\":true,\"status\":\"stopped\","
                     "\"message\":\"Real-time threat detection stopped successfully\"}");
}

static void interfaces(struct http_request *request, void *context)
{
    struct capture_interface *list = calloc(LIST_MAX, sizeof *list);
    struct err err = {0};
    size_t count = list ? capture_interfaces(list, LIST_MAX, &err) : 0;
    cJSON *answer = cJSON_CreateObject(), *items = cJSON_AddArrayToObject(answer, "interfaces");

    (void)context;
    cJSON_AddBoolToObject(answer, "success", true);
    for (size_t i = 0; i < count; i++) {
        cJSON *item = cJSON_CreateObject(), *addresses = cJSON_AddArrayToObject(item, "addresses");

        cJSON_AddStringToObject(item, "name", list[i].name);
        cJSON_AddStringToObject(item, "description", list[i].description);
        for (size_t a = 0; a < list[i].address_count; a++)
            cJSON_AddItemToArray(addresses, cJSON_CreateString(list[i].addresses[a]));
        cJSON_AddBoolToObject(item, "up", list[i].up);
        cJSON_AddBoolToObject(item, "loopback", list[i].loopback);
        cJSON_AddItemToArray(items, item);
    }
    free(list);
    http_answer_json(request, 200, answer);
}

/* --- threats --- */

static bool read_limit(const struct http_request *request, size_t *limit)
{
    char text[16], *end;
    long value;

    if (!http_query(request, "limit", text, sizeof text))
        return true;
    value = strtol(text, &end, 10);
    if (end == text || *end != '\0' || value < 1 || value > OUTLET_RECENT)
        return false;
    *limit = (size_t)value;
    return true;
}

static void threats(struct http_request *request, void *context)
{
    struct api *api = context;
    struct text out = {.max = ANSWER_MAX};
    char now[CLOCK_TEXT];
    size_t limit = 50, total;

    if (!read_limit(request, &limit)) {
        http_fail(request, 400, "invalid", "limit: expected a number from 1 to %d", (int)OUTLET_RECENT);
        return;
    }
    clock_text_ms(clock_now_ms(), now);
    text_addf(&out, "{\"success\":true,\"threats\":");
    total = outlet_recent(api->settings.figures.outlet, limit, &out);
    text_addf(&out, ",\"count\":%zu,\"total\":%zu,\"timestamp\":\"%s\"}", total < limit ? total : limit, total, now);
    if (out.failed)
        http_fail(request, 503, "unavailable", "out of memory");
    else
        http_answer_text(request, 200, out.bytes);
    free(out.bytes);
}

static void clear_threats(struct http_request *request, void *context)
{
    struct api *api = context;
    size_t count = outlet_clear(api->settings.figures.outlet);
    cJSON *answer = cJSON_CreateObject();
    char message[64];

    snprintf(message, sizeof message, "Cleared %zu threats", count);
    cJSON_AddBoolToObject(answer, "success", true);
    cJSON_AddNumberToObject(answer, "cleared", (double)count);
    cJSON_AddStringToObject(answer, "message", message);
    http_answer_json(request, 200, answer);
}

static void dead_letters(struct http_request *request, void *context)
{
    struct api *api = context;
    struct err err = {0};
    size_t limit = 50;
    cJSON *answer, *letters;

    if (!read_limit(request, &limit)) {
        http_fail(request, 400, "invalid", "limit: expected a number from 1 to %d", (int)OUTLET_RECENT);
        return;
    }
    letters = spool_dead_letters(api->settings.figures.spool, limit, &err);
    if (letters == NULL) {
        api_fail(request, &err);
        return;
    }
    answer = cJSON_CreateObject();
    cJSON_AddBoolToObject(answer, "success", true);
    cJSON_AddItemToObject(answer, "deadLetters", letters);
    http_answer_json(request, 200, answer);
}

static void replay(struct http_request *request, void *context)
{
    struct api *api = context;
    const char *id = http_segment(request, "id");
    struct err err = {0};
    int64_t moved = spool_replay(api->settings.figures.spool, id, &err);
    cJSON *answer;

    if (moved == 0 && id != NULL)
        err_set(&err, ERR_NOT_FOUND, "there is no dead letter of that threat");
    if (err.code != ERR_NONE) {
        api_fail(request, &err);
        return;
    }
    if (api->settings.figures.sender != NULL)
        sender_wake(api->settings.figures.sender);
    answer = cJSON_CreateObject();
    cJSON_AddBoolToObject(answer, "success", true);
    cJSON_AddNumberToObject(answer, "replayed", (double)moved);
    http_answer_json(request, 200, answer);
}

/* --- figures --- */

static void health(struct http_request *request, void *context)
{
    http_answer_json(request, 200, figures_health(&((struct api *)context)->settings.figures));
}

static void statistics(struct http_request *request, void *context)
{
    http_answer_json(request, 200, figures_statistics(&((struct api *)context)->settings.figures));
}

static void model_stats(struct http_request *request, void *context)
{
    http_answer_json(request, 200, figures_model(&((struct api *)context)->settings.figures));
}

static void metrics(struct http_request *request, void *context)
{
    struct text out = {.max = ANSWER_MAX};

    figures_metrics(&((struct api *)context)->settings.figures, &out);
    if (out.failed)
        http_fail(request, 503, "unavailable", "out of memory");
    else
        http_answer(request, 200, "text/plain; version=0.0.4; charset=utf-8", out.bytes, out.length);
    free(out.bytes);
}

/* --- life --- */

static const struct http_route routes[] = {
    {"POST", "/api/start-capture", KEYED, start_capture, HTTP_WHOLE_BODY, BODY_MAX},
    {"POST", "/api/stop-capture", KEYED, stop_capture, HTTP_NO_BODY, 0},
    {"POST", "/api/analyze-pcap", KEYED, api_analyze_pcap, HTTP_OWN_BODY, API_UPLOAD_MAX},
    {"GET", "/api/get-threats", KEYED, threats, HTTP_NO_BODY, 0},
    {"GET", "/api/threats", KEYED, threats, HTTP_NO_BODY, 0},
    {"POST", "/api/clear-threats", KEYED, clear_threats, HTTP_NO_BODY, 0},
    {"GET", "/api/model-stats", KEYED, model_stats, HTTP_NO_BODY, 0},
    {"GET", "/api/statistics", KEYED, statistics, HTTP_NO_BODY, 0},
    {"GET", "/api/interfaces", KEYED, interfaces, HTTP_NO_BODY, 0},
    {"GET", "/api/dead-letters", KEYED, dead_letters, HTTP_NO_BODY, 0},
    {"POST", "/api/dead-letters/replay", KEYED, replay, HTTP_NO_BODY, 0},
    {"POST", "/api/dead-letters/{id}/replay", KEYED, replay, HTTP_NO_BODY, 0},
    {"GET", "/health", OPEN, health, HTTP_NO_BODY, 0},
    {"GET", "/metrics", OPEN, metrics, HTTP_NO_BODY, 0},
};

struct api *api_start(const struct api_settings *settings, struct err *err)
{
    struct api *api = calloc(1, sizeof *api);
    struct http_settings server = {.bind = settings->bind,
                                   .ports = &settings->port,
                                   .port_count = 1,
                                   .threads = THREADS,
                                   .routes = routes,
                                   .route_count = sizeof routes / sizeof *routes,
                                   .context = api,
                                   .authorize = authorize};

    if (api == NULL) {
        err_set(err, ERR_MEMORY, "api: out of memory");
        return NULL;
    }
    api->settings = *settings;
    api->server = http_server_start(&server, err);
    if (api->server == NULL) {
        err_prefix(err, "control API on %s:%d", settings->bind, settings->port);
        free(api);
        return NULL;
    }
    return api;
}

int api_port(const struct api *api)
{
    return http_server_port(api->server, 0);
}

void api_stop(struct api *api)
{
    if (api == NULL)
        return;
    analyses_cancel(api->settings.analyses); /* its handler waits for it */
    http_server_stop(api->server);
    free(api);
}
