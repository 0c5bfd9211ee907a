/* http_server.h: civetweb behind a table of routes (RFC 9110, RFC 9112).
 *
 * A row says method, path, who may call it, the handler and how large a body may
 * be. The server answers 400, 404, 405 (with Allow), 413, HEAD and OPTIONS (CORS)
 * by itself, gives each response an X-Request-Id and refuses what smuggling is made of
 * (Transfer-Encoding with Content-Length, doubled Content-Length, %00 and %2f in the path).
 * Handlers run on the server's workers: 100 KiB of stack, so nothing large on it. */
#ifndef COMMON_HTTP_SERVER_H
#define COMMON_HTTP_SERVER_H

#include "common/err.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_server;
struct http_request;

typedef void http_handler(struct http_request *request, void *context);

/* How a body reaches the handler. */
enum http_body {
    HTTP_NO_BODY,    /* a body is read and thrown away, up to 64 KiB */
    HTTP_WHOLE_BODY, /* http_body() gives all of it; over the ceiling: 413 before the handler */
    HTTP_OWN_BODY    /* the handler reads it by http_read() */
};

struct http_route {
    const char *method; /* "GET" (serves HEAD too), "POST", ... */
    const char *path;   /* "/api/threats/{id}/comments": {name} is one segment, "{name*}" the rest */
    int role;           /* meaning is the program's; handed to authorize */
    http_handler *handler;
    enum http_body body;
    size_t ceiling; /* bytes, for HTTP_WHOLE_BODY and HTTP_OWN_BODY */
};

struct http_settings {
    const char *bind; /* IPv4 address */
    const int *ports; /* 0 picks a free one */
    size_t port_count;
    int threads; /* workers; a keep-alive connection holds one */
    const struct http_route *routes;
    size_t route_count;
    void *context; /* handed to handlers and authorize */
    /* Called before the body is read. True: go on. False: it has answered itself. NULL: all may pass. */
    bool (*authorize)(struct http_request *request, const struct http_route *route, void *context);
    /* True when this Origin may read answers with credentials (CORS). NULL: none may. */
    bool (*origin_allowed)(const char *origin, void *context);
    const char *static_dir;           /* files for GET paths that no route has; NULL: none */
    int static_port;                  /* only on this port of ports; 0: on all */
    const char *static_headers;       /* extra header lines for files ("Name: value\r\n"...), e.g. the CSP */
    bool hide_on_static_port_webhook; /* refuse (404) routes whose role is hidden_role on static_port */
    int hidden_role;
};

struct http_server *http_server_start(const struct http_settings *settings, struct err *err);
int http_server_port(const struct http_server *server, size_t index); /* the real one when 0 was asked */
void http_server_stop(struct http_server *server);                    /* waits for running handlers; NULL is fine */

/* --- the request --- borrowed texts live as long as the handler */
const char *http_method(const struct http_request *request);
const char *http_path(const struct http_request *request);
const char *http_segment(const struct http_request *request, const char *name); /* decoded {name}; NULL: none */
const char *http_header(const struct http_request *request, const char *name);  /* NULL: not sent */
const char *http_peer(const struct http_request *request);                      /* address of the other end */
int http_local_port(const struct http_request *request);                        /* configured port it came in on */
const char *http_request_id(const struct http_request *request);
/* Decoded query value into out; false when it is missing or does not fit (out is then ""). */
bool http_query(const struct http_request *request, const char *name, char *out, size_t size);
bool http_cookie(const struct http_request *request, const char *name, char *out, size_t size);
const char *http_body(const struct http_request *request, size_t *length); /* NUL-terminated */
int64_t http_content_length(const struct http_request *request);           /* -1: unknown (chunked) */
/* HTTP_OWN_BODY: > 0 bytes read, 0 at the end, -1 broken, -2 over the ceiling. Sends 100 Continue when asked for. */
long http_read(struct http_request *request, void *out, size_t size);
/* A slot for the program: what authorize found (user, role); freed by the program before the handler's end. */
void http_set_user(struct http_request *request, void *user, void (*release)(void *));
void *http_user(const struct http_request *request);

/* --- the answer --- exactly one of these */
void http_answer(struct http_request *request, int status, const char *type, const void *body, size_t length);
void http_answer_json(struct http_request *request, int status, cJSON *json);           /* takes json */
void http_answer_text(struct http_request *request, int status, const char *json_text); /* type application/json */
/* {"success":false,"code":...,"message":...} */
void http_fail(struct http_request *request, int status, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The answer to an error that is the caller's (4xx) or will pass (503 with Retry-After). False: it is neither, and
 * nothing was answered. */
bool http_fail_err(struct http_request *request, const struct err *err);
/* A header for the answer to come; at most 16; values with CR or LF are refused. Without a Cache-Control it is
 * no-store. */
void http_add_header(struct http_request *request, const char *name, const char *value);
/* Chunked: begin, then any number of writes (false: the client is gone), then end. */
void http_begin(struct http_request *request, int status, const char *type);
bool http_write(struct http_request *request, const void *bytes, size_t length);
void http_end(struct http_request *request);
/* Takes the socket away from the server: the caller owns the descriptor and writes the whole answer itself.
 * The descriptor is non-blocking and close-on-exec. -1 with err when it cannot be had. Nothing else may be answered
 * afterwards. */
int http_take_socket(struct http_request *request, struct err *err);
/* Lets another thread answer: its worker need not wait, and goes on to the connection's next request, which is served
 * after the answer. True: the handler may return at once; whoever has the request calls http_answer, http_answer_text
 * or http_fail once (a small answer: the thread never waits for the client), then http_let_go, and touches it no
 * more. What was borrowed from the request is gone then; the slot of http_set_user is released after the answer.
 * False: the handler must answer before it returns, as ever. */
bool http_later(struct http_request *request);
void http_let_go(struct http_request *request);
int http_status(const struct http_request *request); /* what was answered; 0: nothing yet */

#endif
