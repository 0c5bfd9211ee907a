/* http_server.c: the only module that knows civetweb 1.15 (see http_server.h).
 *
 * Everything happens in civetweb's begin_request callback: it comes before civetweb's own CORS answers, its handler
 * table (a lock per request) and its file code, none of which is used. URLs are not decoded by civetweb, since its
 * decoder lets %00 cut a path. No TLS: Debian's build crashes with OpenSSL 3, so TLS ends in a proxy.
 *
 * Long because a request's whole life at the library stands in one place. */
#include "common/http_server.h"
#include "common/clock.h"
#include "common/http_request.h"
#include "common/http_static.h"
#include "common/log.h"
#include "common/token.h"

#include <arpa/inet.h>
#include <civetweb.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    THROWN_AWAY_MAX = 64 * 1024, /* bytes of a body that nobody wants, read so that the connection can go on */
    LINGER_MAX = 1024 * 1024,    /* read after a refusal, so that the client sees the answer and not a reset */
    LINGER_MS = 5000,
    BODY_GRACE_MS = 30000, /* a body may take this long, and a second more for each SLOWEST bytes */
    SLOWEST = 1024
};

/* --- bytes in and out --- */

bool http_raw_write(struct http_request *request, const void *bytes, size_t length)
{
    const char *at = bytes;

    while (length > 0) {
        size_t piece = length < INT_MAX / 2 ? length : INT_MAX / 2;
        int n = mg_write(request->connection, at, piece);
        if (n <= 0 || (size_t)n != piece) {
            request->close = true;
            mg_disable_connection_keep_alive(request->connection);
            return false;
        }
        at += n;
        length -= (size_t)n;
    }
    return true;
}

/* One civetweb read; > 0, 0 at the body's end, -1 when it broke off or drips. */
static long read_piece(struct http_request *request, void *out, size_t size)
{
    int64_t spent = clock_monotonic_ms() - request->started_ms;
    int n;

    if (request->body_ended || request->body_broken)
        return request->body_broken ? -1 : 0;
    if (spent > BODY_GRACE_MS + request->body_read / SLOWEST * 1000)
        n = -1;
    else
        n = mg_read(request->connection, out, size < INT_MAX ? size : INT_MAX);
    if (n > 0) {
        request->body_read += n;
        request->body_ended = request->body_read == request->body_length;
        return n;
    }
    if (n == 0 && request->body_length < 0)
        request->body_ended = true;
    else
        request->body_broken = true;
    return request->body_broken ? -1 : 0;
}

static bool say_continue(struct http_request *request)
{
    static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";

    if (!request->expects)
        return true;
    request->expects = false;
    return http_raw_write(request, line, sizeof line - 1);
}

long http_read(struct http_request *request, void *out, size_t size)
{
    int64_t ceiling = (int64_t)request->route->ceiling;
    long n;

    if (request->body_length > ceiling)
        return -2;
    if (!request->body_ended && !say_continue(request))
        return -1;
    n = read_piece(request, out, size);
    return n > 0 && request->body_read > ceiling ? -2 : n;
}

/* What the handler left of the body is read away when it is little; else the connection ends. A chunked rest is of
 * unknown length, and a client that waits for 100 Continue may or may not send: both end it. */
void http_settle_body(struct http_request *request)
{
    char away[4096];

    if (!request->body_ended && !request->close) {
        int64_t left = request->body_length - request->body_read;
        request->close = request->expects || request->body_length < 0 || left > THROWN_AWAY_MAX;
        while (!request->close && !request->body_ended)
            request->close = read_piece(request, away, sizeof away) < 0;
    }
    if (request->close)
        mg_disable_connection_keep_alive(request->connection);
}

/* After an answer that came before the body's end. Closing with unread bytes would reset the connection, and the
 * client would lose the answer. */
static void linger(struct http_request *request)
{
    int64_t until = clock_monotonic_ms() + LINGER_MS, start = request->body_read;
    char away[4096];

    if (request->taken || request->expects)
        return;
    while (!request->body_ended && request->body_read - start < LINGER_MAX && clock_monotonic_ms() < until)
        if (read_piece(request, away, sizeof away) < 0)
            return;
}

static bool read_whole_body(struct http_request *request)
{
    struct text *body = &request->body;
    char piece[8192];
    long n;

    body->max = request->route->ceiling;
    if (request->body_length > 0 && !request->body_ended && request->body_length <= (int64_t)body->max) {
        if (body->room <= (size_t)request->body_length) { /* one allocation for a known length */
            char *bytes = realloc(body->bytes, (size_t)request->body_length + 1);
            if (bytes != NULL) {
                body->bytes = bytes;
                body->room = (size_t)request->body_length + 1;
            }
        }
    }
    text_add(body, "", 0);
    while ((n = http_read(request, piece, sizeof piece)) > 0)
        text_add(body, piece, (size_t)n);
    if (n == -2)
        http_fail(request, 413, "too_large", "the body may have at most %zu bytes", request->route->ceiling);
    else if (n < 0)
        http_fail(request, 400, "bad_request", "the body ended early");
    else if (body->failed)
        http_fail(request, 503, "unavailable", "out of memory");
    return request->status == 0;
}

static bool throw_body_away(struct http_request *request)
{
    if (request->body_length > THROWN_AWAY_MAX) {
        http_fail(request, 413, "too_large", "no body is expected here");
        return false;
    }
    return true;
}

/* --- answers of other threads --- */

bool http_later(struct http_request *request)
{
    /* A connection that stays: to look for the descriptor is worth it from the second request on. */
    if (request->requests > 1 && request->socket < 0)
        request->socket = http_socket_find(request);
    request->later = request->socket >= 0 && !request->close && request->body_ended && request->status == 0 &&
                     !request->taken && !request->is_head && request->origin == NULL;
    request->sent = 0;
    return request->later;
}

void http_let_go(struct http_request *request)
{
    sem_post(&request->answered);
}

/* What is done when the answer is out. */
static void finish(struct http_request *request)
{
    if (request->release != NULL)
        request->release(request->user);
    request->release = NULL;
    if (request->close)
        linger(request);
    log_debug("http.request", "method=%s path=%s status=%d id=%s peer=%s ms=%lld",
              request->route == NULL ? request->info->request_method
              : request->is_head     ? "HEAD"
                                     : request->route->method,
              request->path, request->status, request->id, request->info->remote_addr,
              (long long)(clock_monotonic_ms() - request->started_ms));
    http_answer_reset(request);
}

/* Until another thread's answer to the request before is out. False: it is not whole, so the connection must end. */
static bool wait_for_answer(struct http_request *request)
{
    bool ok;

    if (!request->later)
        return true;
    while (sem_wait(&request->answered) != 0)
        ; /* EINTR */
    request->later = false;
    ok = !request->out.failed &&
         http_raw_write(request, request->out.bytes + request->sent, request->out.length - request->sent);
    finish(request);
    return ok;
}

/* --- is it a request that everybody on the way reads alike? --- */

struct head {
    const char *length, *coding, *host;
    int lengths, codings, hosts;
};

/* civetweb ends the head at a folded line or a NUL and takes what follows as the body. Its buffer still shows it: CR
 * and LF of each line have become NUL, and of the empty line that ends the head the CR is left. */
static bool ends_cleanly(const struct mg_header *last)
{
    return memcmp(last->value + strlen(last->value), "\0\0\r\0", 4) == 0;
}

static bool read_head(const struct mg_request_info *info, struct head *head)
{
    for (int i = 0; i < info->num_headers; i++) {
        const char *name = info->http_headers[i].name, *value = info->http_headers[i].value;
        const char *colon = name + strlen(name) + 1;

        if (!http_text_is_token(name) || !http_text_is_value(value) || (value > colon && *colon == '\0'))
            return false; /* the last: a blank stood before the colon */
        if (strcasecmp(name, "Content-Length") == 0) {
            head->length = value;
            head->lengths++;
        } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
            head->coding = value;
            head->codings++;
        } else if (strcasecmp(name, "Host") == 0) {
            head->host = value;
            head->hosts++;
        }
    }
    return info->num_headers == 0 || ends_cleanly(&info->http_headers[info->num_headers - 1]);
}

static bool is_length(const char *text)
{
    size_t digits = strspn(text, "0123456789");

    return digits > 0 && digits <= 18 && text[digits] == '\0';
}

/* NULL when all is well, else what is wrong. */
static const char *check_head(struct http_request *request)
{
    const struct mg_request_info *info = request->info;
    const char *expect = http_header(request, "Expect");
    struct head head = {0};

    if (!read_head(info, &head))
        return "malformed header";
    if (info->num_headers >= MG_MAX_HEADERS)
        return "too many headers";
    if (head.hosts > 1 || (head.hosts == 0 && !request->is_old))
        return "exactly one Host is needed";
    if (head.lengths > 1 || (head.lengths == 1 && !is_length(head.length)))
        return "Content-Length is not one number";
    if (head.codings > 1 || (head.codings == 1 && (head.lengths > 0 || request->is_old)))
        return "Transfer-Encoding stands beside Content-Length or is doubled";
    if (head.codings == 1 && strcasecmp(head.coding, "chunked") != 0)
        return "Transfer-Encoding is not chunked";
    request->body_length = head.codings == 1 ? -1 : head.lengths == 1 ? strtoll(head.length, NULL, 10) : 0;
    request->body_ended = request->body_length == 0;
    request->expects = expect != NULL && strcasecmp(expect, "100-continue") == 0 && !request->is_old;
    return NULL;
}

/* --- which route? --- */

static void keep_captures(struct http_request *request)
{
    size_t used = 0;

    for (size_t i = 0; i < request->match.count; i++) {
        struct http_capture *capture = &request->match.captures[i];
        memcpy(request->captured + used, capture->value, capture->length);
        request->captured[used + capture->length] = '\0';
        capture->value = request->captured + used;
        used += capture->length + 1;
    }
}

static bool is_hidden(const struct http_request *request, const struct http_route *route)
{
    const struct http_settings *settings = &request->server->settings;

    return settings->hide_on_static_port_webhook && route->role == settings->hidden_role &&
           request->info->server_port == settings->static_port;
}

/* Of the rows that fit the path only those with the fewest {names} count; allow gets their methods. */
static const struct http_route *find_route(struct http_request *request, const char *method, struct text *allow)
{
    const struct http_settings *settings = &request->server->settings;
    const struct http_route *best = NULL;
    size_t least = SIZE_MAX;

    for (size_t i = 0; i < settings->route_count; i++) {
        const struct http_route *route = &settings->routes[i];
        struct http_match match;
        size_t cost;

        if (!http_text_match(route->path, request->path, &match) || is_hidden(request, route))
            continue;
        cost = match.count + (match.rest ? HTTP_CAPTURES : 0);
        if (cost > least)
            continue;
        if (cost < least) {
            least = cost;
            best = NULL;
            if (allow != NULL)
                allow->length = 0;
        }
        if (allow != NULL)
            text_addf(allow, "%s%s%s", allow->length > 0 ? ", " : "", route->method,
                      strcmp(route->method, "GET") == 0 ? ", HEAD" : "");
        if (best == NULL && strcmp(route->method, method) == 0) {
            best = route;
            request->match = match;
        }
    }
    return best;
}

static bool serves_files(const struct http_request *request)
{
    int port = request->server->settings.static_port;

    return request->server->static_root != NULL && (port == 0 || port == request->info->server_port);
}

static void answer_preflight(struct http_request *request, const char *allow)
{
    if (request->origin != NULL && http_header(request, "Access-Control-Request-Method") != NULL) {
        http_add_header(request, "Access-Control-Allow-Methods", allow);
        http_add_header(request, "Access-Control-Allow-Headers",
                        "Content-Type, Authorization, X-API-Key, If-Match, Last-Event-ID");
        http_add_header(request, "Access-Control-Max-Age", "600");
    }
    http_add_header(request, "Allow", allow);
    http_answer(request, 204, NULL, NULL, 0);
}

/* No row has this method: OPTIONS, a file, 405 or 404. */
static void answer_without_route(struct http_request *request)
{
    const char *method = request->info->request_method;
    struct text allow = {0};

    find_route(request, method, &allow);
    if (allow.length > 0) {
        text_addf(&allow, ", OPTIONS");
        if (strcmp(method, "OPTIONS") == 0) {
            answer_preflight(request, allow.bytes);
        } else {
            http_add_header(request, "Allow", allow.bytes);
            http_fail(request, 405, "method_not_allowed", "%.16s is not served here; %s are", method, allow.bytes);
        }
    } else if (serves_files(request) && (strcmp(method, "GET") == 0 || request->is_head)) {
        http_static_answer(request, request->server->static_root, request->path,
                           request->server->settings.static_headers);
    } else {
        http_fail(request, 404, "not_found", "there is nothing at this path");
    }
    free(allow.bytes);
}

static void run_route(struct http_request *request)
{
    const struct http_settings *settings = &request->server->settings;
    const struct http_route *route = request->route;
    bool go_on;

    keep_captures(request);
    if (settings->authorize != NULL && !settings->authorize(request, route, settings->context)) {
        if (request->status == 0 && !request->taken)
            http_fail(request, 403, "forbidden", "not allowed");
        return;
    }
    go_on = route->body == HTTP_WHOLE_BODY ? read_whole_body(request)
            : route->body == HTTP_NO_BODY  ? throw_body_away(request)
                                           : true;
    if (!go_on)
        return;
    route->handler(request, settings->context);
    if (!request->later && request->status == 0 && !request->taken)
        http_fail(request, 500, "internal", "the handler gave no answer");
}

/* --- one request --- */

static void set_id(struct http_request *request)
{
    const char *given = http_header(request, "X-Request-Id");

    if (given != NULL && http_text_is_request_id(given))
        snprintf(request->id, sizeof request->id, "%s", given);
    else
        snprintf(request->id, sizeof request->id, "%s-%08x", request->id_prefix, ++request->id_count);
}

static void begin(struct http_request *request, struct http_server *server, struct mg_connection *connection)
{
    const struct mg_request_info *info = mg_get_request_info(connection);
    const struct http_settings *settings = &server->settings;
    const char *wish;

    request->server = server;
    request->connection = connection;
    request->info = info;
    request->route = NULL;
    request->match.count = 0;
    request->path[0] = '\0';
    request->status = 0;
    request->is_head = strcmp(info->request_method, "HEAD") == 0;
    request->is_old = info->http_version == NULL || strcmp(info->http_version, "1.1") != 0;
    request->chunked = request->own_cache_control = request->taken = request->expects = false;
    request->body_ended = true; /* until the head was read */
    request->body_broken = false;
    request->body_length = request->body_read = 0;
    request->started_ms = clock_monotonic_ms();
    request->requests++;
    request->user = NULL;
    request->release = NULL;
    wish = http_header(request, "Connection");
    request->close =
        http_text_has_word(wish, "close") || (request->is_old && !http_text_has_word(wish, "keep-alive"));
    request->origin = http_header(request, "Origin");
    if (request->origin != NULL && (settings->origin_allowed == NULL || !http_text_is_value(request->origin) ||
                                    !settings->origin_allowed(request->origin, settings->context)))
        request->origin = NULL;
    set_id(request);
}

static void serve(struct http_request *request)
{
    const char *version = request->info->http_version, *wrong = check_head(request);

    if (wrong != NULL) {
        request->close = true;
        http_fail(request, 400, "bad_request", "%s", wrong);
    } else if (version == NULL || (strcmp(version, "1.1") != 0 && strcmp(version, "1.0") != 0)) {
        request->close = true;
        http_fail(request, 505, "bad_version", "HTTP/1.1 is spoken here");
    } else if (request->info->local_uri_raw == NULL ||
               !http_text_path(request->info->local_uri_raw, request->path, sizeof request->path)) {
        http_fail(request, 400, "bad_request", "malformed path");
    } else if (request->info->query_string != NULL && strstr(request->info->query_string, "%00") != NULL) {
        http_fail(request, 400, "bad_request", "query: expected no NUL character");
    } else {
        request->route = find_route(request, request->is_head ? "GET" : request->info->request_method, NULL);
        if (request->route != NULL)
            run_route(request);
        else
            answer_without_route(request);
    }
}

/* The worker's own. NULL: memory is out. */
static struct http_request *request_of(const struct mg_connection *connection)
{
    struct http_request **place = mg_get_thread_pointer(connection);

    if (place != NULL && *place == NULL && (*place = calloc(1, sizeof **place)) != NULL) {
        token_text((*place)->id_prefix, sizeof(*place)->id_prefix);
        sem_init(&(*place)->answered, 0, 0);
        (*place)->socket = -1;
    }
    return place != NULL ? *place : NULL;
}

static int on_request(struct mg_connection *connection)
{
    struct http_server *server = mg_get_user_context_data(connection);
    struct http_request *request = request_of(connection);

    if (request == NULL) { /* memory is out */
        mg_disable_connection_keep_alive(connection);
        mg_printf(connection, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        return 503;
    }
    if (!wait_for_answer(request)) {
        mg_disable_connection_keep_alive(connection);
        return 503;
    }
    begin(request, server, connection);
    serve(request);
    if (request->later) /* it is another thread's now */
        return 200;
    finish(request);
    return request->status > 0 ? request->status : 200;
}

/* civetweb gives up on a method that it does not know (TRACE) before it looks for a handler. True with what the path
 * allows ("": there is nothing at it). */
static bool is_strange_method(struct http_server *server, struct http_request *request,
                              const struct mg_request_info *info, struct text *allow)
{
    static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
    char uri[sizeof request->path];
    const char *method = info != NULL ? info->request_method : NULL;

    if (method == NULL || info->request_uri == NULL || info->http_version == NULL ||
        method[strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-")] != '\0')
        return false;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(method, known[i]) == 0)
            return false;
    if (snprintf(uri, sizeof uri, "%.*s", (int)strcspn(info->request_uri, "?"), info->request_uri) >=
            (int)sizeof uri ||
        !http_text_path(uri, request->path, sizeof request->path))
        return false;
    request->server = server;
    request->info = info;
    find_route(request, method, allow);
    if (allow->length > 0)
        text_addf(allow, ", OPTIONS");
    return true;
}

/* What civetweb itself refuses: a head that is no HTTP or does not fit, or a method nobody serves. */
static int on_error(struct mg_connection *connection, int status, const char *message)
{
    struct http_request *request = request_of(connection);
    char body[256], id[32] = "0";
    struct text allow = {0};
    int length;

    (void)message;
    status = status == 411 ? 400 : status; /* its word for a Content-Length that is no number */
    mg_disable_connection_keep_alive(connection);
    if (request != NULL && !wait_for_answer(request))
        return 0;
    if (request != NULL)
        snprintf(id, sizeof id, "%s-%08x", request->id_prefix, ++request->id_count);
    if (request != NULL && status == 400 &&
        is_strange_method(mg_get_user_context_data(connection), request, mg_get_request_info(connection), &allow))
        status = allow.length > 0 ? 405 : 404;
    length = snprintf(body, sizeof body, "{\"success\":false,\"code\":\"%s\",\"message\":\"%s\"}",
                      status == 405   ? "method_not_allowed"
                      : status == 404 ? "not_found"
                                      : "bad_request",
                      http_text_reason(status));
    mg_printf(connection,
              "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nX-Request-Id: %s\r\n"
              "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n%s%s%sConnection: close\r\n\r\n%s",
              status, http_text_reason(status), length, id, status == 405 ? "Allow: " : "",
              status == 405 ? allow.bytes : "", status == 405 ? "\r\n" : "", body);
    free(allow.bytes);
    return 0;
}

/* Before civetweb closes the socket: its number may be another connection's at once. */
static void on_close(const struct mg_connection *connection)
{
    struct http_request **place = mg_get_thread_pointer(connection);

    if (place == NULL || *place == NULL)
        return;
    wait_for_answer(*place);
    (*place)->socket = -1;
    (*place)->requests = 0;
}

static int on_message(const struct mg_connection *connection, const char *message)
{
    struct http_server *server = mg_get_user_context_data(connection);

    if (server != NULL && atomic_load(&server->starting)) {
        if (server->start_err.code == ERR_NONE) /* the first says why, those behind it only what follows */
            err_set(&server->start_err, ERR_SYSTEM, "HTTP server: %s", message);
    } else {
        log_debug("http.message", "text=%s", message);
    }
    return 1;
}

/* Each worker has a place for its request, filled by its first one: most of a hundred and more workers never see any.
 */
static void *on_thread(const struct mg_context *context, int kind)
{
    (void)context;
    return kind == 1 ? calloc(1, sizeof(struct http_request *)) : NULL;
}

static void on_thread_end(const struct mg_context *context, int kind, void *pointer)
{
    struct http_request **place = kind == 1 ? pointer : NULL;

    (void)context;
    if (place == NULL)
        return;
    if (*place != NULL) {
        sem_destroy(&(*place)->answered);
        free((*place)->body.bytes);
        free((*place)->added.bytes);
        free((*place)->out.bytes);
        free(*place);
    }
    free(place);
}

/* --- start and stop --- */

static void init_library(void)
{
    mg_init_library(0);
}

static bool start_civetweb(struct http_server *server)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const struct http_settings *settings = &server->settings;
    struct mg_callbacks callbacks = {0};
    char ports[HTTP_PORTS * 64] = "", threads[16];
    size_t used = 0;

    for (size_t i = 0; i < settings->port_count; i++)
        used += (size_t)snprintf(ports + used, sizeof ports - used, "%s%s:%d", i > 0 ? "," : "", settings->bind,
                                 settings->ports[i]);
    snprintf(threads, sizeof threads, "%d", settings->threads);
    const char *options[] = {"listening_ports",
                             ports,
                             "num_threads",
                             threads,
                             "enable_keep_alive",
                             "yes",
                             "keep_alive_timeout_ms",
                             "3000",
                             "request_timeout_ms",
                             "30000",
                             "tcp_nodelay",
                             "1",
                             "connection_queue",
                             "200",
                             "listen_backlog",
                             "1024",
                             "decode_url",
                             "no",
                             "enable_directory_listing",
                             "no",
                             "enable_auth_domain_check",
                             "no",
                             "access_control_allow_origin",
                             "",
                             "access_control_allow_methods",
                             "",
                             "access_control_allow_headers",
                             "",
                             NULL};
    callbacks.begin_request = on_request;
    callbacks.http_error = on_error;
    callbacks.connection_close = on_close;
    callbacks.log_message = on_message;
    callbacks.init_thread = on_thread;
    callbacks.exit_thread = on_thread_end;
    pthread_once(&once, init_library);
    server->context = mg_start(&callbacks, server, options);
    return server->context != NULL;
}

static bool prepare(struct http_server *server, struct err *err)
{
    const struct http_settings *settings = &server->settings;
    struct in_addr address;

    if (settings->port_count == 0 || settings->port_count > HTTP_PORTS || settings->threads < 1)
        return err_set(err, ERR_INVALID, "HTTP server: expected 1 to %d ports and a thread", HTTP_PORTS);
    if (inet_pton(AF_INET, settings->bind, &address) != 1)
        return err_set(err, ERR_INVALID, "HTTP server: bind: expected an IPv4 address, got \"%s\"", settings->bind);
    if (settings->static_dir != NULL) {
        server->static_root = realpath(settings->static_dir, NULL);
        if (server->static_root == NULL)
            return err_set(err, ERR_NOT_FOUND, "%s: %s", settings->static_dir, strerror(errno));
    }
    server->stand_in = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server->stand_in < 0)
        return err_set(err, ERR_SYSTEM, "HTTP server: socket: %s", strerror(errno));
    return true;
}

static void learn_ports(struct http_server *server)
{
    struct mg_server_port ports[HTTP_PORTS];
    int count = mg_get_server_ports(server->context, HTTP_PORTS, ports);

    for (int i = 0; i < count; i++)
        server->ports[i] = ports[i].port;
}

struct http_server *http_server_start(const struct http_settings *settings, struct err *err)
{
    struct http_server *server = calloc(1, sizeof *server);

    if (server == NULL) {
        err_set(err, ERR_MEMORY, "HTTP server: out of memory");
        return NULL;
    }
    server->settings = *settings;
    server->stand_in = -1;
    atomic_store(&server->starting, true);
    http_sockets_allow_many();
    if (!prepare(server, err))
        goto failed;
    if (!start_civetweb(server)) {
        if (server->start_err.code == ERR_NONE)
            err_set(&server->start_err, ERR_SYSTEM, "HTTP server: it does not start");
        err_set(err, server->start_err.code, "%s", server->start_err.text);
        goto failed;
    }
    atomic_store(&server->starting, false);
    learn_ports(server);
    return server;
failed:
    http_server_stop(server);
    return NULL;
}

int http_server_port(const struct http_server *server, size_t index)
{
    return index < server->settings.port_count ? server->ports[index] : 0;
}

void http_server_stop(struct http_server *server)
{
    if (server == NULL)
        return;
    if (server->context != NULL) {
        http_sockets_hush(server);
        mg_stop(server->context);
    }
    if (server->stand_in >= 0)
        close(server->stand_in);
    free(server->static_root);
    free(server);
}
