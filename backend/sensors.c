/* sensors.c: a small table by name. What a sensor said is a document too, so that every backend and the next start
 * know it. */
#include "backend/sensors.h"

#include "backend/store.h"
#include "backend/webhook.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATE_MAX = 16 * 1024, KEPT_MS = 7 * 24 * 3600 * 1000 };

struct sensor {
    char name[65];
    char *json; /* what it said last */
    int64_t heard_ms;
    enum sensor_state state; /* as last told */
};

struct sensors {
    /* guards all; held for a look through the table */
    pthread_mutex_t lock;
    struct sensor *items;
    size_t count;
    int64_t next_read_ms;
};

struct sensors *sensors_create(void)
{
    struct sensors *sensors = calloc(1, sizeof *sensors);

    if (sensors == NULL || (sensors->items = calloc(SENSORS_MAX, sizeof *sensors->items)) == NULL) {
        free(sensors);
        return NULL;
    }
    pthread_mutex_init(&sensors->lock, NULL);
    return sensors;
}

void sensors_free(struct sensors *sensors)
{
    if (sensors == NULL)
        return;
    for (size_t i = 0; i < sensors->count; i++)
        free(sensors->items[i].json);
    pthread_mutex_destroy(&sensors->lock);
    free(sensors->items);
    free(sensors);
}

const char *sensor_state_text(enum sensor_state state)
{
    static const char *const names[] = {"ok", "late", "blind"};

    return names[state];
}

bool sensor_name_is_fine(const char *name)
{
    size_t length = strlen(name);

    return length > 0 && length <= 64 &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:@-") == length;
}

static enum sensor_state state_at(const struct sensor *sensor, int64_t now_ms)
{
    int64_t silence = now_ms - sensor->heard_ms;

    if (silence >= SENSORS_BLIND_MS)
        return SENSOR_BLIND;
    return silence >= SENSORS_LATE_MS ? SENSOR_LATE : SENSOR_OK;
}

static void add_sensor(struct text *out, const struct sensor *sensor, int64_t now_ms)
{
    char time[CLOCK_TEXT];

    clock_text_ms(sensor->heard_ms, time);
    text_add(out, "{\"name\":", 8);
    text_add_json(out, sensor->name);
    text_addf(out, ",\"state\":\"%s\",\"lastHeard\":\"%s\",\"report\":", sensor_state_text(state_at(sensor, now_ms)),
              time);
    text_add(out, sensor->json, strlen(sensor->json));
    text_add(out, "}", 1);
}

static struct sensor *find_or_add(struct sensors *sensors, const char *name)
{
    struct sensor *sensor;

    for (size_t i = 0; i < sensors->count; i++)
        if (strcmp(sensors->items[i].name, name) == 0)
            return &sensors->items[i];
    if (sensors->count == SENSORS_MAX)
        return NULL;
    sensor = &sensors->items[sensors->count++];
    snprintf(sensor->name, sizeof sensor->name, "%s", name);
    sensor->state = SENSOR_BLIND;
    return sensor;
}

bool sensors_heard(struct sensors *sensors, const char *name, const char *state, int64_t now_ms, bool *news,
                   struct err *err)
{
    char *copy = strdup(state);
    struct sensor *sensor;

    if (copy == NULL)
        return err_set(err, ERR_MEMORY, "out of memory");
    pthread_mutex_lock(&sensors->lock);
    sensor = find_or_add(sensors, name);
    if (sensor != NULL && now_ms >= sensor->heard_ms) {
        char *old = sensor->json;

        sensor->json = copy;
        copy = old;
        sensor->heard_ms = now_ms;
        *news = sensor->state != state_at(sensor, now_ms);
    } else {
        *news = false;
    }
    pthread_mutex_unlock(&sensors->lock);
    free(copy);
    return sensor != NULL || err_set(err, ERR_UNAVAILABLE, "too many sensors");
}

void sensors_tick(struct sensors *sensors, int64_t now_ms, void (*changed)(void *context, const char *json),
                  void *context)
{
    pthread_mutex_lock(&sensors->lock);
    for (size_t i = 0; i < sensors->count; i++) {
        struct sensor *sensor = &sensors->items[i];
        struct text json = {.max = STATE_MAX + 1024};

        if (sensor->state == state_at(sensor, now_ms))
            continue;
        sensor->state = state_at(sensor, now_ms);
        add_sensor(&json, sensor, now_ms);
        if (!json.failed)
            changed(context, json.bytes);
        free(json.bytes);
    }
    pthread_mutex_unlock(&sensors->lock);
}

char *sensors_list(struct sensors *sensors, int64_t now_ms)
{
    struct text out = {.max = 64 * 1024 * 1024};

    text_add(&out, "[", 1);
    pthread_mutex_lock(&sensors->lock);
    for (size_t i = 0; i < sensors->count; i++) {
        if (i > 0)
            text_add(&out, ",", 1);
        add_sensor(&out, &sensors->items[i], now_ms);
    }
    pthread_mutex_unlock(&sensors->lock);
    text_add(&out, "]", 1);
    if (out.failed) {
        free(out.bytes);
        return NULL;
    }
    return out.bytes;
}

void sensors_count(struct sensors *sensors, int64_t now_ms, size_t out[3])
{
    out[0] = out[1] = out[2] = 0;
    pthread_mutex_lock(&sensors->lock);
    for (size_t i = 0; i < sensors->count; i++)
        out[state_at(&sensors->items[i], now_ms)]++;
    pthread_mutex_unlock(&sensors->lock);
}

/* --- with the store and the streams --- */

static void tell(void *context, const char *json)
{
    api_emit(context, "sensor", 0, json);
}

static bool read_document(void *context, const char *id, int64_t version, const char *json)
{
    cJSON *document = cJSON_Parse(json);
    const cJSON *heard = json_member(document, "heardMs"), *report = json_member(document, "report");
    char *text = cJSON_IsObject(report) ? json_print(report) : NULL;
    bool news;

    (void)version;
    if (text != NULL && cJSON_IsNumber(heard))
        sensors_heard(context, id, text, (int64_t)heard->valuedouble, &news, NULL);
    free(text);
    cJSON_Delete(document);
    return true;
}

void sensors_round(struct api *api)
{
    int64_t now = clock_now_ms();

    if (now >= api->sensors->next_read_ms && (store_shared(api->store) || api->sensors->next_read_ms == 0)) {
        api->sensors->next_read_ms = now + 5000;
        store_doc_list(api->store, "sensor", NULL, false, SENSORS_MAX, read_document, api->sensors, NULL);
    }
    sensors_tick(api->sensors, now, tell, api);
}

static bool keep(struct api *api, const char *name, const char *report, int64_t now_ms, struct err *err)
{
    struct text json = {.max = STATE_MAX + 256};
    bool ok;

    text_addf(&json, "{\"heardMs\":%lld,\"report\":", (long long)now_ms);
    text_add(&json, report, strlen(report));
    text_add(&json, "}", 1);
    ok = json.failed ? err_set(err, ERR_INVALID, "body: expected at most %d bytes", STATE_MAX)
                     : store_doc_put(api->store, "sensor", name, NULL, json.bytes, now_ms + KEPT_MS, -1, NULL, err);
    free(json.bytes);
    return ok;
}

static void take_heartbeat(struct http_request *request, struct api *api, const char *name)
{
    int64_t now = clock_now_ms();
    struct err err = {0};
    cJSON *json = api_body(request);
    char *report;
    bool news;

    if (json == NULL)
        return;
    report = json_print(json);
    cJSON_Delete(json);
    if (report == NULL)
        err_set(&err, ERR_MEMORY, "out of memory");
    if (report == NULL || !keep(api, name, report, now, &err) ||
        !sensors_heard(api->sensors, name, report, now, &news, &err)) {
        api_fail(request, &err);
    } else {
        if (news)
            sensors_tick(api->sensors, now, tell, api);
        http_answer_text(request, 200, "{\"success\":true}");
    }
    free(report);
}

static void heartbeat(struct http_request *request, void *context)
{
    struct api *api = context;
    const char *name = http_segment(request, "name"), *body;
    struct webhook_sender sender;
    size_t length = 0;

    if (!webhook_may_come(request, api))
        return;
    body = http_body(request, &length);
    if (!webhook_sender(request, api, body != NULL ? body : "", length, &sender))
        return;
    if (!sensor_name_is_fine(name))
        http_fail(request, 400, "invalid", "name: expected 1 to 64 of A-Z a-z 0-9 . _ : @ -");
    else if (sender.bound && strcmp(sender.name, name) != 0)
        http_fail(request, 403, "forbidden", "sensor: %s signed for another one", sender.name);
    else
        take_heartbeat(request, api, name);
}

static void list(struct http_request *request, void *context)
{
    struct api *api = context;
    char *sensors = sensors_list(api->sensors, clock_now_ms());
    struct text text = {.max = 64 * 1024 * 1024};

    text_add(&text, "{\"success\":true,\"sensors\":", 26);
    text_add(&text, sensors != NULL ? sensors : "", sensors != NULL ? strlen(sensors) : 0);
    text_add(&text, "}", 1);
    if (sensors == NULL || text.failed)
        http_fail(request, 503, "unavailable", "out of memory");
    else
        http_answer(request, 200, "application/json", text.bytes, text.length);
    free(text.bytes);
    free(sensors);
}

const struct http_route sensors_routes[] = {
    {"GET", "/api/network/sensors", ROLE_VIEWER, list, HTTP_NO_BODY, 0},
    {"POST", "/api/network/sensors/{name}/heartbeat", ROLE_WEBHOOK, heartbeat, HTTP_WHOLE_BODY, STATE_MAX},
};
const size_t sensors_route_count = sizeof sensors_routes / sizeof *sensors_routes;
