/* detector_client.c: clients are pooled, because each keeps a connection and serves one thread at a time. */
#include "backend/detector_client.h"

#include "common/clock.h"
#include "common/log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { IDLE_CLIENTS = 8, KEY_MAX = 256, HEADERS_MAX = 16 };

struct detector {
    char name[65];
    char url[256]; /* without a slash at the end */
    char *health;  /* what it last said: JSON objects, NULL when it did not answer */
    char *models;
    bool silent; /* its last call failed */
};

struct detectors {
    struct detector *items;
    size_t count;
    char key[KEY_MAX]; /* "" none */
    /* guards idle, health, models and silent of the items, stop; held for a copy */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct http_client *idle[IDLE_CLIENTS];
    size_t idle_count;
    bool stop, watching;
    pthread_t thread;
    struct api *api;
};

static bool add_detector(struct detectors *detectors, const char *text, struct err *err)
{
    struct detector *detector = &detectors->items[detectors->count];
    const char *equals = strchr(text, '=');
    const char *url = equals != NULL ? equals + 1 : "";
    size_t name = equals != NULL ? (size_t)(equals - text) : 0, length = strlen(url);

    if (name == 0 || name >= sizeof detector->name || length >= sizeof detector->url ||
        (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0))
        return err_set(err, ERR_INVALID, "detector: %.100s: expected NAME=http://HOST:PORT", text);
    snprintf(detector->name, sizeof detector->name, "%.*s", (int)name, text);
    while (length > 0 && url[length - 1] == '/')
        length--;
    snprintf(detector->url, sizeof detector->url, "%.*s", (int)length, url);
    detectors->count++;
    return true;
}

struct detectors *detectors_open(const struct config_list *named, const char *key_file, struct err *err)
{
    struct detectors *detectors = calloc(1, sizeof *detectors);
    bool ok = detectors != NULL && (detectors->items = calloc(named->count + 1, sizeof *detectors->items)) != NULL;

    if (!ok) {
        free(detectors);
        err_set(err, ERR_MEMORY, "detectors: out of memory");
        return NULL;
    }
    pthread_mutex_init(&detectors->lock, NULL);
    pthread_cond_init(&detectors->wake, NULL);
    for (size_t i = 0; ok && i < named->count; i++)
        ok = add_detector(detectors, named->items[i], err);
    if (ok && key_file != NULL)
        ok = config_read_secret(key_file, detectors->key, sizeof detectors->key, err);
    if (!ok) {
        detectors_close(detectors);
        return NULL;
    }
    return detectors;
}

void detectors_close(struct detectors *detectors)
{
    if (detectors == NULL)
        return;
    if (detectors->watching) {
        pthread_mutex_lock(&detectors->lock);
        detectors->stop = true;
        pthread_cond_signal(&detectors->wake);
        pthread_mutex_unlock(&detectors->lock);
        pthread_join(detectors->thread, NULL);
    }
    for (size_t i = 0; i < detectors->idle_count; i++)
        http_client_free(detectors->idle[i]);
    for (size_t i = 0; i < detectors->count; i++) {
        free(detectors->items[i].health);
        free(detectors->items[i].models);
    }
    pthread_cond_destroy(&detectors->wake);
    pthread_mutex_destroy(&detectors->lock);
    free(detectors->items);
    free(detectors);
}

size_t detectors_count(const struct detectors *detectors)
{
    return detectors->count;
}

const char *detectors_name(const struct detectors *detectors, size_t index)
{
    return detectors->items[index].name;
}

bool detectors_find(const struct detectors *detectors, const char *name, size_t *index, struct err *err)
{
    if (detectors->count == 0)
        return err_set(err, ERR_UNAVAILABLE, "no detector is configured");
    *index = 0;
    if (name == NULL || name[0] == '\0')
        return true;
    for (; *index < detectors->count; ++*index)
        if (strcmp(detectors->items[*index].name, name) == 0)
            return true;
    return err_set(err, ERR_NOT_FOUND, "sensor: no detector of the name %.64s", name);
}

static struct http_client *take_client(struct detectors *detectors)
{
    struct http_client *client = NULL;

    pthread_mutex_lock(&detectors->lock);
    if (detectors->idle_count > 0)
        client = detectors->idle[--detectors->idle_count];
    pthread_mutex_unlock(&detectors->lock);
    return client != NULL ? client : http_client_create();
}

static void give_client(struct detectors *detectors, struct http_client *client)
{
    pthread_mutex_lock(&detectors->lock);
    if (detectors->idle_count < IDLE_CLIENTS) {
        detectors->idle[detectors->idle_count++] = client;
        client = NULL;
    }
    pthread_mutex_unlock(&detectors->lock);
    http_client_free(client);
}

/* Where a detector listens and what curl says of it is for the log, once for each time it falls silent; whoever asked
 * hears that it does not answer. */
static void heard(struct detectors *detectors, struct detector *detector, bool ok, const struct err *why)
{
    bool was;

    pthread_mutex_lock(&detectors->lock);
    was = detector->silent;
    detector->silent = !ok;
    pthread_mutex_unlock(&detectors->lock);
    if (!ok && !was)
        log_warn("detector.silent", "detector=%s reason=\"%s\"", detector->name, why->text);
    else if (ok && was)
        log_info("detector.answers", "detector=%s", detector->name);
}

bool detectors_call(struct detectors *detectors, size_t index, const struct http_call *call, struct http_reply *reply,
                    struct err *err)
{
    struct detector *detector = &detectors->items[index];
    const char *headers[HEADERS_MAX] = {NULL};
    struct http_call whole = *call;
    char url[512], key[KEY_MAX + 32];
    struct http_client *client;
    struct err why = {0};
    size_t count = 0;
    bool ok;

    snprintf(url, sizeof url, "%s%s", detector->url, call->url);
    snprintf(key, sizeof key, "Authorization: Bearer %s", detectors->key);
    for (; call->headers != NULL && call->headers[count] != NULL && count < HEADERS_MAX - 2; count++)
        headers[count] = call->headers[count];
    if (detectors->key[0] != '\0')
        headers[count++] = key;
    whole.url = url;
    whole.headers = headers;
    client = take_client(detectors);
    if (client == NULL)
        return err_set(err, ERR_MEMORY, "out of memory");
    ok = http_client_call(client, &whole, reply, &why);
    give_client(detectors, client);
    if (ok || why.code == ERR_UNAVAILABLE) {
        heard(detectors, detector, ok, &why);
        return ok || err_set(err, ERR_UNAVAILABLE, "Detector %s does not answer", detector->name);
    }
    log_info("detector.no_answer", "detector=%s reason=\"%s\"", detector->name, why.text);
    return err_set(err, ERR_UNAVAILABLE, "The answer of detector %s cannot be used", detector->name);
}

/* --- asking now and then --- */

/* The answer as JSON text, or NULL. */
static char *ask(struct detectors *detectors, size_t index, const char *path)
{
    const struct http_call call = {.method = "GET", .url = path, .timeout_ms = 2000, .connect_ms = 1000};
    struct http_reply reply = {0};
    char *text = NULL;
    cJSON *json;

    if (detectors_call(detectors, index, &call, &reply, NULL) && reply.status == 200) {
        json = json_parse(reply.body, reply.length, NULL);
        if (cJSON_IsObject(json))
            text = json_print(json);
        cJSON_Delete(json);
    }
    http_reply_clear(&reply);
    return text;
}

/* Puts text in the place of *kept; true when it differs. */
static bool renew(struct detectors *detectors, char **kept, char *text)
{
    bool differs;

    pthread_mutex_lock(&detectors->lock);
    differs = (*kept == NULL) != (text == NULL) || (text != NULL && strcmp(*kept, text) != 0);
    char *old = *kept;
    *kept = text;
    pthread_mutex_unlock(&detectors->lock);
    free(old);
    return differs;
}

static void ask_all(struct detectors *detectors)
{
    bool news = false;

    for (size_t i = 0; i < detectors->count; i++) {
        char *health = ask(detectors, i, "/health");
        char *models = health != NULL ? ask(detectors, i, "/api/model-stats") : NULL;

        renew(detectors, &detectors->items[i].health, health);
        news = renew(detectors, &detectors->items[i].models, models) || news;
    }
    if (news) {
        struct text json = {.max = 1024 * 1024};

        detectors_add_models(detectors, &json);
        if (!json.failed)
            api_emit(detectors->api, "model_stats", 0, json.bytes);
        free(json.bytes);
    }
}

static void *watch(void *context)
{
    struct detectors *detectors = context;
    bool stop = false;

    while (!stop) {
        struct timespec until;

        ask_all(detectors);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += DETECTORS_POLL_MS / 1000;
        pthread_mutex_lock(&detectors->lock);
        if (!detectors->stop)
            pthread_cond_timedwait(&detectors->wake, &detectors->lock, &until);
        stop = detectors->stop;
        pthread_mutex_unlock(&detectors->lock);
    }
    return NULL;
}

bool detectors_watch(struct detectors *detectors, struct api *api, struct err *err)
{
    detectors->api = api;
    if (detectors->count == 0)
        return true;
    if (pthread_create(&detectors->thread, NULL, watch, detectors) != 0)
        return err_set(err, ERR_SYSTEM, "detectors: cannot start a thread");
    pthread_setname_np(detectors->thread, "detectors");
    detectors->watching = true;
    return true;
}

static void add_objects(struct detectors *detectors, bool models, struct text *out)
{
    pthread_mutex_lock(&detectors->lock);
    text_add(out, "{", 1);
    for (size_t i = 0; i < detectors->count; i++) {
        const char *json = models ? detectors->items[i].models : detectors->items[i].health;

        if (i > 0)
            text_add(out, ",", 1);
        text_add_json(out, detectors->items[i].name);
        text_add(out, ":", 1);
        text_add(out, json != NULL ? json : "null", json != NULL ? strlen(json) : 4);
    }
    text_add(out, "}", 1);
    pthread_mutex_unlock(&detectors->lock);
}

void detectors_add_models(struct detectors *detectors, struct text *out)
{
    add_objects(detectors, true, out);
}

void detectors_add_monitoring(struct detectors *detectors, struct text *out)
{
    add_objects(detectors, false, out);
}
