/* http_request.h: what the sources of http_server share; nobody else includes it.
 *
 * One struct per worker, on the heap and used again for each request, because a worker's stack is small. */
#ifndef COMMON_HTTP_REQUEST_H
#define COMMON_HTTP_REQUEST_H

#include "common/http_server.h"
#include "common/http_text.h"
#include "common/text.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>

struct mg_connection;
struct mg_request_info;

enum { HTTP_PATH = 2048, HTTP_ID = 65, HTTP_ADDED_MAX = 16, HTTP_PORTS = 8 };

struct http_server {
    struct http_settings settings;
    struct mg_context *context;
    int ports[HTTP_PORTS];
    char *static_root;    /* real path of static_dir, or NULL */
    int stand_in;         /* unconnected socket that takes the number of a socket handed over */
    atomic_bool starting; /* civetweb's messages go to start_err */
    struct err start_err;
};

struct http_request {
    struct http_server *server;
    struct mg_connection *connection;
    const struct mg_request_info *info;
    const struct http_route *route;
    struct http_match match;
    char path[HTTP_PATH];                     /* decoded */
    char captured[HTTP_PATH + HTTP_CAPTURES]; /* NUL-terminated values of match */
    char id[HTTP_ID];
    struct text body;   /* of HTTP_WHOLE_BODY */
    struct text added;  /* header lines that the handler added */
    struct text out;    /* the answer as it is put together */
    const char *origin; /* allowed Origin to name, or NULL */
    size_t added_count;
    int status;
    bool is_head, is_old, chunked, own_cache_control, taken;
    bool later;   /* another thread answers; until answered is posted, all but later is its own */
    size_t sent;  /* by that thread, of out */
    bool close;   /* the connection ends after this answer */
    bool expects; /* the client waits for 100 Continue */
    bool body_ended, body_broken;
    bool body_chunked;
    int64_t body_length; /* -1: chunked */
    int64_t body_read;
    int64_t started_ms;
    void *user;
    void (*release)(void *);
    /* kept from request to request of one connection */
    int socket;        /* -1: not looked for yet */
    uint32_t requests; /* begun so far */
    /* kept from request to request */
    char id_prefix[9];
    uint32_t id_count;
    sem_t answered;
    time_t date_second;
    char date[40];
};

/* http_server.c: all bytes or false. */
bool http_raw_write(struct http_request *request, const void *bytes, size_t length);
/* Decides, before the head is written, whether the connection can go on; reads a small rest of the body. */
void http_settle_body(struct http_request *request);
/* http_socket.c: the connection's descriptor; -1: not found. */
int http_socket_find(const struct http_request *request);
/* http_socket.c: sends what the socket takes without waiting; says how much. */
size_t http_socket_send(int fd, const void *bytes, size_t length);
/* http_socket.c: ends the input of every connection, so that idle workers notice a stop at once. */
void http_sockets_hush(const struct http_server *server);
/* http_socket.c: raises the ceiling of open descriptors to what the machine allows. */
void http_sockets_allow_many(void);
/* http_answer.c */
void http_answer_reset(struct http_request *request);

#endif
