/* fake_http.h: a request and its answer without a socket, and what api.c gives to handlers; for tests of handlers.
 * Included once by a test program. */
#ifndef TESTS_UNIT_BACKEND_FAKE_HTTP_H
#define TESTS_UNIT_BACKEND_FAKE_HTTP_H

#include "backend/api.h"
#include "backend/store.h"
#include "common/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FAKE_PAIRS = 16 };

struct fake_pair {
    char name[64], value[1024];
};

struct http_request {
    const char *method, *path, *peer, *body;
    struct fake_pair headers[FAKE_PAIRS], queries[FAKE_PAIRS], cookies[FAKE_PAIRS], segments[FAKE_PAIRS];
    struct fake_pair answered[FAKE_PAIRS];
    void *user;
    void (*release)(void *);
    int status;
    char *answer;
    char type[64];
};

static void fake_pair_set(struct fake_pair pairs[FAKE_PAIRS], const char *name, const char *value)
{
    for (size_t i = 0; i < FAKE_PAIRS; i++)
        if (pairs[i].name[0] == '\0' || strcasecmp(pairs[i].name, name) == 0) {
            snprintf(pairs[i].name, sizeof pairs[i].name, "%s", name);
            snprintf(pairs[i].value, sizeof pairs[i].value, "%s", value);
            return;
        }
}

static const char *fake_pair_get(const struct fake_pair pairs[FAKE_PAIRS], const char *name)
{
    for (size_t i = 0; i < FAKE_PAIRS; i++)
        if (pairs[i].name[0] != '\0' && strcasecmp(pairs[i].name, name) == 0)
            return pairs[i].value;
    return NULL;
}

/* Forgets the answer and who asked; what was asked stays. */
__attribute__((unused)) static void fake_again(struct http_request *request)
{
    if (request->release != NULL)
        request->release(request->user);
    free(request->answer);
    request->user = NULL;
    request->release = NULL;
    request->answer = NULL;
    request->status = 0;
    memset(request->answered, 0, sizeof request->answered);
}

__attribute__((unused)) static struct http_request *fake_request(const char *method, const char *path,
                                                                 const char *body)
{
    struct http_request *request = calloc(1, sizeof *request);

    request->method = method;
    request->path = path;
    request->body = body;
    request->peer = "192.0.2.7";
    return request;
}

__attribute__((unused)) static void fake_request_free(struct http_request *request)
{
    fake_again(request);
    free(request);
}

/* The answer as JSON; the caller deletes. */
__attribute__((unused)) static cJSON *fake_json(const struct http_request *request)
{
    return request->answer != NULL ? cJSON_Parse(request->answer) : NULL;
}

const char *http_method(const struct http_request *request)
{
    return request->method;
}

const char *http_path(const struct http_request *request)
{
    return request->path;
}

const char *http_segment(const struct http_request *request, const char *name)
{
    return fake_pair_get(request->segments, name);
}

const char *http_header(const struct http_request *request, const char *name)
{
    return fake_pair_get(request->headers, name);
}

const char *http_peer(const struct http_request *request)
{
    return request->peer;
}

const char *http_request_id(const struct http_request *request)
{
    (void)request;
    return "request-1";
}

static bool fake_out(const char *value, char *out, size_t size)
{
    out[0] = '\0';
    if (value == NULL || strlen(value) >= size)
        return false;
    memcpy(out, value, strlen(value) + 1);
    return true;
}

bool http_query(const struct http_request *request, const char *name, char *out, size_t size)
{
    return fake_out(fake_pair_get(request->queries, name), out, size);
}

bool http_cookie(const struct http_request *request, const char *name, char *out, size_t size)
{
    return fake_out(fake_pair_get(request->cookies, name), out, size);
}

const char *http_body(const struct http_request *request, size_t *length)
{
    *length = request->body != NULL ? strlen(request->body) : 0;
    return request->body;
}

void http_set_user(struct http_request *request, void *user, void (*release)(void *))
{
    request->user = user;
    request->release = release;
}

void *http_user(const struct http_request *request)
{
    return request->user;
}

void http_answer(struct http_request *request, int status, const char *type, const void *body, size_t length)
{
    free(request->answer);
    request->answer = calloc(1, length + 1);
    memcpy(request->answer, body, length);
    request->status = status;
    snprintf(request->type, sizeof request->type, "%s", type);
}

void http_answer_text(struct http_request *request, int status, const char *json_text)
{
    http_answer(request, status, "application/json", json_text, strlen(json_text));
}

void http_answer_json(struct http_request *request, int status, cJSON *json)
{
    char *text = json_print(json);

    http_answer_text(request, status, text);
    free(text);
    cJSON_Delete(json);
}

void http_fail(struct http_request *request, int status, const char *code, const char *format, ...)
{
    cJSON *json = cJSON_CreateObject();
    char message[512];
    va_list rest;

    va_start(rest, format);
    vsnprintf(message, sizeof message, format, rest);
    va_end(rest);
    cJSON_AddFalseToObject(json, "success");
    cJSON_AddStringToObject(json, "code", code);
    cJSON_AddStringToObject(json, "message", message);
    http_answer_json(request, status, json);
}

void http_add_header(struct http_request *request, const char *name, const char *value)
{
    fake_pair_set(request->answered, name, value);
}

const struct api_user *api_caller(const struct http_request *request)
{
    return request->user;
}

void api_client(struct http_request *request, const struct api *api, char out[46])
{
    (void)api;
    snprintf(out, 46, "%s", request->peer);
}

bool api_origin_allowed(const char *origin, void *context)
{
    (void)context;
    return strcmp(origin, "http://localhost:3000") == 0;
}

void api_fail(struct http_request *request, const struct err *err)
{
    static const int statuses[] = {[ERR_INVALID] = 400, [ERR_NOT_FOUND] = 404,   [ERR_CONFLICT] = 409,
                                   [ERR_DENIED] = 403,  [ERR_UNAVAILABLE] = 503, [ERR_CUT_SHORT] = 400,
                                   [ERR_SYSTEM] = 500,  [ERR_MEMORY] = 503,      [ERR_NONE] = 500};

    http_fail(request, statuses[err->code], "failed", "%s", err->text);
}

bool api_remove(struct http_request *request, struct api *api, const char *kind, const char *event)
{
    struct err err = {0};

    (void)event;
    if (store_doc_remove(api->store, kind, fake_pair_get(request->segments, "id"), &err))
        return true;
    api_fail(request, &err);
    return false;
}

cJSON *api_body(struct http_request *request)
{
    cJSON *json = request->body != NULL ? json_parse(request->body, strlen(request->body), NULL) : NULL;

    if (cJSON_IsObject(json))
        return json;
    cJSON_Delete(json);
    http_fail(request, 400, "json", "expected a JSON object");
    return NULL;
}

bool api_query_number(struct http_request *request, const char *name, int64_t min, int64_t max, int64_t *out)
{
    const char *text = fake_pair_get(request->queries, name);
    char *end = NULL;
    long long value;

    if (text == NULL)
        return true;
    value = strtoll(text, &end, 10);
    if (*text == '\0' || *end != '\0' || value < min || value > max) {
        http_fail(request, 400, "validation", "%s: expected a number", name);
        return false;
    }
    *out = value;
    return true;
}

#endif
