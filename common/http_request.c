/* http_request.c: what a handler reads of its request. */
#include "common/http_request.h"

#include <civetweb.h>
#include <string.h>
#include <strings.h>

const char *http_method(const struct http_request *request)
{
    return request->info->request_method;
}

const char *http_path(const struct http_request *request)
{
    return request->path;
}

const char *http_segment(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->match.count; i++) {
        const struct http_capture *capture = &request->match.captures[i];
        if (strlen(name) == capture->name_length && memcmp(name, capture->name, capture->name_length) == 0)
            return capture->value;
    }
    return NULL;
}

const char *http_header(const struct http_request *request, const char *name)
{
    for (int i = 0; i < request->info->num_headers; i++)
        if (strcasecmp(request->info->http_headers[i].name, name) == 0)
            return request->info->http_headers[i].value;
    return NULL;
}

const char *http_peer(const struct http_request *request)
{
    return request->info->remote_addr;
}

int http_local_port(const struct http_request *request)
{
    return request->info->server_port;
}

const char *http_request_id(const struct http_request *request)
{
    return request->id;
}

bool http_query(const struct http_request *request, const char *name, char *out, size_t size)
{
    return http_text_query(request->info->query_string, name, out, size);
}

bool http_cookie(const struct http_request *request, const char *name, char *out, size_t size)
{
    return http_text_cookie(http_header(request, "Cookie"), name, out, size);
}

const char *http_body(const struct http_request *request, size_t *length)
{
    if (length != NULL)
        *length = request->body.length;
    return request->body.bytes == NULL ? "" : request->body.bytes;
}

int64_t http_content_length(const struct http_request *request)
{
    return request->body_length;
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
