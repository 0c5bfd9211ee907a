/* http_answer.c: puts answers together; a small one is a single write (see http_server.h). */
#include "common/http_request.h"
#include "common/json.h"
#include "common/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    ONE_WRITE_MAX = 32 * 1024, /* larger bodies are not copied behind the head */
    PIECE_MAX = 64 * 1024,     /* of a chunked answer */
    OUT_KEEP_MAX = 128 * 1024  /* a buffer that grew beyond is given back after the request */
};

static void drop_large(struct text *text)
{
    if (text->room > OUT_KEEP_MAX) {
        free(text->bytes);
        *text = (struct text){0};
    }
    text_reset(text);
}

void http_answer_reset(struct http_request *request)
{
    drop_large(&request->added);
    drop_large(&request->out);
    drop_large(&request->body);
    request->added_count = 0;
}

static void add_line(struct text *out, const char *name, const char *value)
{
    text_add(out, name, strlen(name));
    text_add(out, ": ", 2);
    text_add(out, value, strlen(value));
    text_add(out, "\r\n", 2);
}

static void add_number_line(struct text *out, const char *name, int64_t value)
{
    text_add(out, name, strlen(name));
    text_add(out, ": ", 2);
    text_add_integer(out, value);
    text_add(out, "\r\n", 2);
}

static const char *date_now(struct http_request *request)
{
    time_t now = time(NULL);
    struct tm tm;

    if (now != request->date_second && gmtime_r(&now, &tm) != NULL) {
        strftime(request->date, sizeof request->date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        request->date_second = now;
    }
    return request->date;
}

static void add_cors(struct http_request *request)
{
    if (request->origin == NULL)
        return;
    add_line(&request->out, "Access-Control-Allow-Origin", request->origin);
    add_line(&request->out, "Access-Control-Allow-Credentials", "true");
    add_line(&request->out, "Access-Control-Expose-Headers", "ETag, Retry-After, X-Request-Id, Content-Disposition");
}

/* length -1: chunked, or until the connection ends. */
static void add_head(struct http_request *request, int status, const char *type, int64_t length)
{
    struct text *out = &request->out;

    http_settle_body(request);
    text_reset(out);
    text_add(out, "HTTP/1.1 ", 9);
    text_add_integer(out, status);
    text_add(out, " ", 1);
    text_add(out, http_text_reason(status), strlen(http_text_reason(status)));
    text_add(out, "\r\n", 2);
    add_line(out, "Date", date_now(request));
    if (type != NULL)
        add_line(out, "Content-Type", type);
    if (length >= 0 && status != 204 && status != 304)
        add_number_line(out, "Content-Length", length);
    else if (request->chunked)
        add_line(out, "Transfer-Encoding", "chunked");
    add_line(out, "X-Request-Id", request->id);
    add_line(out, "X-Content-Type-Options", "nosniff");
    if (!request->own_cache_control)
        add_line(out, "Cache-Control", "no-store");
    if (request->server->settings.origin_allowed != NULL)
        add_line(out, "Vary", "Origin");
    add_cors(request);
    if (request->added.length > 0)
        text_add(out, request->added.bytes, request->added.length);
    if (request->close)
        add_line(out, "Connection", "close");
    else if (request->is_old)
        add_line(out, "Connection", "keep-alive");
    text_add(out, "\r\n", 2);
}

static bool may_answer(struct http_request *request, int status)
{
    if (request->status == 0 && !request->taken)
        return true;
    log_error("http.twice", "path=%s first=%d second=%d", request->path, request->status, status);
    return false;
}

void http_answer(struct http_request *request, int status, const char *type, const void *body, size_t length)
{
    if (!may_answer(request, status))
        return;
    add_head(request, status, type, (int64_t)length);
    request->status = status;
    if (request->is_head || status == 204 || status == 304)
        length = 0;
    if (length <= ONE_WRITE_MAX || request->later) {
        text_add(&request->out, body, length);
        length = 0;
    }
    if (request->later) { /* what is left, or cannot be, is the worker's */
        request->sent =
            request->out.failed ? 0 : http_socket_send(request->socket, request->out.bytes, request->out.length);
        return;
    }
    if (request->out.failed) { /* memory is out: half an answer is worse than none */
        request->close = true;
        http_settle_body(request);
        return;
    }
    if (http_raw_write(request, request->out.bytes, request->out.length) && length > 0)
        http_raw_write(request, body, length);
}

void http_answer_text(struct http_request *request, int status, const char *json_text)
{
    http_answer(request, status, "application/json", json_text, strlen(json_text));
}

void http_answer_json(struct http_request *request, int status, cJSON *json)
{
    char *text = json == NULL ? NULL : json_print(json);

    cJSON_Delete(json);
    if (text != NULL)
        http_answer_text(request, status, text);
    else
        http_answer_text(request, 503, "{\"success\":false,\"code\":\"unavailable\",\"message\":\"out of memory\"}");
    free(text);
}

void http_fail(struct http_request *request, int status, const char *code, const char *format, ...)
{
    struct text text = {0};
    char message[512];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    text_addf(&text, "{\"success\":false,\"code\":");
    text_add_json(&text, code);
    text_addf(&text, ",\"message\":");
    text_add_json(&text, message);
    text_add(&text, "}", 1);
    http_answer_text(request, status, text.failed ? "{\"success\":false}" : text.bytes);
    free(text.bytes);
}

bool http_fail_err(struct http_request *request, const struct err *err)
{
    static const struct {
        enum err_code err;
        int status;
        const char *code;
    } known[] = {
        {ERR_INVALID, 400, "invalid"},    {ERR_CUT_SHORT, 400, "invalid"}, {ERR_NOT_FOUND, 404, "not_found"},
        {ERR_CONFLICT, 409, "conflict"},  {ERR_DENIED, 403, "forbidden"},  {ERR_UNAVAILABLE, 503, "unavailable"},
        {ERR_MEMORY, 503, "unavailable"},
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].err == err->code) {
            if (known[i].status == 503)
                http_add_header(request, "Retry-After", "2");
            http_fail(request, known[i].status, known[i].code, "%s", err->text);
            return true;
        }
    return false;
}

void http_add_header(struct http_request *request, const char *name, const char *value)
{
    if (request->added_count == HTTP_ADDED_MAX || !http_text_is_token(name) || !http_text_is_value(value)) {
        log_error("http.header_refused", "name=%s path=%s", name, request->path);
        return;
    }
    request->added_count++;
    if (strcasecmp(name, "Cache-Control") == 0)
        request->own_cache_control = true;
    add_line(&request->added, name, value);
}

void http_begin(struct http_request *request, int status, const char *type)
{
    if (!may_answer(request, status))
        return;
    request->chunked = !request->is_old;
    if (request->is_old)
        request->close = true; /* HTTP/1.0 knows no chunks: the end of the connection is the end of the answer */
    add_head(request, status, type, -1);
    request->status = status;
    if (!http_raw_write(request, request->out.bytes, request->out.length))
        request->close = true;
}

bool http_write(struct http_request *request, const void *bytes, size_t length)
{
    const char *at = bytes;

    while (length > 0 && !request->is_head) {
        size_t piece = length < PIECE_MAX ? length : PIECE_MAX;
        struct text *out = &request->out;

        text_reset(out);
        if (request->chunked)
            text_addf(out, "%zx\r\n", piece);
        text_add(out, at, piece);
        if (request->chunked)
            text_add(out, "\r\n", 2);
        if (out->failed || !http_raw_write(request, out->bytes, out->length)) {
            request->close = true;
            request->chunked = false; /* no end: the client must see that it was cut short */
            http_settle_body(request);
            return false;
        }
        at += piece;
        length -= piece;
    }
    return !request->is_head;
}

void http_end(struct http_request *request)
{
    if (request->chunked && !request->is_head)
        http_raw_write(request, "0\r\n\r\n", 5);
    request->chunked = false;
}

int http_status(const struct http_request *request)
{
    return request->status;
}
