/* api.c: the plumbing that all handlers share, and the joined route table. */
#include "backend/api.h"

#include "backend/audit.h"
#include "backend/blocklist.h"
#include "backend/bus.h"
#include "backend/store.h"
#include "backend/watch.h"
#include "common/json.h"
#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct table {
    const struct http_route *rows;
    const size_t *count;
};

/* Exact paths first, so that they win over rows with {segments}. */
struct http_route *api_routes(size_t *count)
{
    static const struct table tables[] = {
        {webhook_routes, &webhook_route_count},     {stream_routes, &stream_route_count},
        {threats_routes, &threats_route_count},     {sensors_routes, &sensors_route_count},
        {control_routes, &control_route_count},     {upload_routes, &upload_route_count},
        {people_routes, &people_route_count},       {metrics_routes, &metrics_route_count},
        {triage_routes, &triage_route_count},       {suppression_routes, &suppression_route_count},
        {blocklist_routes, &blocklist_route_count}, {notify_routes, &notify_route_count},
        {assets_routes, &assets_route_count},
    };
    size_t all = 0, at = 0;
    struct http_route *routes;

    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        all += *tables[i].count;
    routes = calloc(all, sizeof *routes);
    if (routes == NULL)
        return NULL;
    for (int open = 0; open < 2; open++)
        for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
            for (size_t k = 0; k < *tables[i].count; k++)
                if ((strchr(tables[i].rows[k].path, '{') != NULL) == open)
                    routes[at++] = tables[i].rows[k];
    *count = all;
    return routes;
}

bool api_authorize(struct http_request *request, const struct http_route *route, void *context)
{
    return blocklist_lets(context, request) && auth_authorize(request, route, context);
}

bool api_origin_allowed(const char *origin, void *context)
{
    const struct config_list *allowed = &((const struct api *)context)->settings->allowed_origins;

    for (size_t i = 0; i < allowed->count; i++)
        if (strcmp(allowed->items[i], origin) == 0)
            return true;
    return false;
}

const struct api_user *api_caller(const struct http_request *request)
{
    return http_user(request);
}

/* The last address of X-Forwarded-For that is no proxy of ours: those before it anybody may have written. */
static bool forwarded(const char *header, const struct networks *proxies, char out[46])
{
    size_t end = strlen(header);

    while (end > 0) {
        size_t begin = end;
        uint8_t bytes[16];

        while (begin > 0 && header[begin - 1] != ',')
            begin--;
        size_t from = begin, to = end;
        while (from < to && header[from] == ' ')
            from++;
        while (to > from && header[to - 1] == ' ')
            to--;
        if (to - from == 0 || to - from >= 46)
            return false;
        memcpy(out, header + from, to - from);
        out[to - from] = '\0';
        if (!network_address(out, bytes))
            return false;
        if (!networks_have(proxies, out))
            return true;
        end = begin > 0 ? begin - 1 : 0;
    }
    return false;
}

void api_client(struct http_request *request, const struct api *api, char out[46])
{
    const char *peer = http_peer(request), *header = http_header(request, "X-Forwarded-For");

    if (header != NULL && networks_have(&api->proxies, peer) && forwarded(header, &api->proxies, out))
        return;
    snprintf(out, 46, "%s", peer);
}

void api_emit(struct api *api, const char *type, int64_t seq, const char *json)
{
    const struct bus_event event = {.seq = seq, .type = type, .json = json};

    if (seq > 0 && store_shared(api->store))
        return;
    bus_publish(api->bus, &event);
}

void api_fail(struct http_request *request, const struct err *err)
{
    if (http_fail_err(request, err))
        return;
    log_error("api.failed", "path=\"%s\" request=%s reason=\"%s\"", http_path(request), http_request_id(request),
              err->text);
    http_fail(request, 500, "internal", "The request could not be served; see the log for request %s",
              http_request_id(request));
}

bool api_remove(struct http_request *request, struct api *api, const char *kind, const char *event)
{
    const char *id = http_segment(request, "id");
    struct err err = {0};
    cJSON *details;

    if (!store_doc_remove(api->store, kind, id, &err)) {
        api_fail(request, &err);
        return false;
    }
    watch_changed(api->watch, kind);
    details = cJSON_CreateObject();
    cJSON_AddStringToObject(details, "id", id);
    audit_write(api, request, NULL, event, "success", details);
    return true;
}

cJSON *api_body(struct http_request *request)
{
    size_t length = 0;
    const char *body = http_body(request, &length);
    const char *type = http_header(request, "Content-Type");
    struct err err = {0};
    cJSON *json;

    if (type != NULL && strncasecmp(type, "application/json", 16) != 0) {
        http_fail(request, 415, "unsupported_type", "Content-Type: expected application/json");
        return NULL;
    }
    json = json_parse(body != NULL ? body : "", length, &err);
    if (json != NULL && !cJSON_IsObject(json)) {
        cJSON_Delete(json);
        json = NULL;
        err_set(&err, ERR_INVALID, "body: expected a JSON object");
    }
    if (json == NULL)
        http_fail(request, 400, "invalid_json", "%s", err.text);
    return json;
}

bool api_query_text(struct http_request *request, const char *name, char *out, size_t size, bool *given)
{
    enum { LINE_MAX_BYTES = 16384 }; /* no request line is longer, so no value is */
    char *value = malloc(LINE_MAX_BYTES);
    bool fits = false;

    out[0] = '\0';
    *given = value != NULL && http_query(request, name, value, LINE_MAX_BYTES);
    if (value == NULL)
        http_fail(request, 503, "unavailable", "out of memory");
    else if (*given && strlen(value) >= size)
        http_fail(request, 400, "invalid", "%s: expected at most %zu bytes", name, size - 1);
    else
        fits = true;
    if (*given && fits)
        snprintf(out, size, "%s", value);
    free(value);
    return fits;
}

bool api_query_number(struct http_request *request, const char *name, int64_t min, int64_t max, int64_t *out)
{
    char text[32];
    char *end = NULL;
    long long value;
    bool given;

    if (!api_query_text(request, name, text, sizeof text, &given))
        return false;
    if (!given)
        return true;
    errno = 0;
    value = strtoll(text, &end, 10);
    if ((text[0] != '-' && (text[0] < '0' || text[0] > '9')) || *end != '\0' || errno != 0 || value < min ||
        value > max) {
        http_fail(request, 400, "invalid", "%s: expected a whole number from %lld to %lld", name, (long long)min,
                  (long long)max);
        return false;
    }
    *out = value;
    return true;
}
