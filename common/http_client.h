/* http_client.h: libcurl for one thread.
 *
 * A client keeps its connections between calls; use one per thread. No redirects, http and
 * https only, every call bounded in time and size. */
#ifndef COMMON_HTTP_CLIENT_H
#define COMMON_HTTP_CLIENT_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_client;
struct sockaddr;

struct http_call {
    const char *method;
    const char *url;
    const char *const *headers; /* "Name: value", NULL-terminated; NULL: none */
    const void *body;
    size_t length;
    const char *body_file; /* instead of body: streamed from this file */
    long timeout_ms;       /* whole call; 0: none but a low-speed limit of 30 s */
    long connect_ms;       /* 0: 2000 */
    bool again;            /* may be sent twice: uses a kept connection and, when that is dead, a fresh one
                            * (GET and HEAD always may; other calls without it get a fresh connection) */
    size_t answer_max;     /* more is an error; 0: 1 MiB */
    /* When set, asked with each address before a connection is opened to it; false keeps it shut (ERR_DENIED). */
    bool (*may_connect)(const struct sockaddr *address, void *context);
    /* When set, the answer goes there piece by piece and not into the reply; false ends the call. */
    bool (*sink)(const char *bytes, size_t length, void *context);
    /* When set, asked about once a second while the call lasts, also when no byte comes; false ends the call. */
    bool (*wanted)(void *context);
    void *context;
};

struct http_reply {
    int status; /* 0: no answer at all */
    char *body; /* NUL-terminated; owned (http_reply_clear) */
    size_t length;
    long retry_after_s; /* -1: not said */
};

bool http_client_setup(void); /* once in main */
struct http_client *http_client_create(void);
void http_client_free(struct http_client *client);
/* True when the peer answered, whatever the status. Silence fills err. */
bool http_client_call(struct http_client *client, const struct http_call *call, struct http_reply *reply,
                      struct err *err);
void http_reply_clear(struct http_reply *reply);

#endif
