/* webhook.h: threats in. Who may send, what is taken, and that a 2xx means durable. */
#ifndef BACKEND_WEBHOOK_H
#define BACKEND_WEBHOOK_H

#include "backend/api.h"

enum { WEBHOOK_ONE_MAX = 256 * 1024, WEBHOOK_ARRAY_MAX = 8 * 1024 * 1024, WEBHOOK_ITEMS_MAX = 1000 };

/* secret_file may be NULL: then no signature is known. */
struct webhook *webhook_open(const char *secret_file, struct err *err);
/* Reads the secrets again (SIGHUP). On false the old ones stay. */
bool webhook_reload(struct webhook *webhook, struct err *err);
void webhook_close(struct webhook *webhook);
size_t webhook_secrets(struct webhook *webhook); /* how many are known */
/* A place for one large array in memory; false: all are taken. */
bool webhook_take_place(struct webhook *webhook);
void webhook_give_place(struct webhook *webhook);

struct webhook_sender {
    char name[65]; /* sensor of the secret, name of the key, or "" */
    bool bound;    /* may speak only for the sensor of that name */
};
/* The first look, before the body is read. False: it has answered 401 or 403. */
bool webhook_may_come(struct http_request *request, struct api *api);
/* The whole check, with the body (empty for none). False: it has answered. */
bool webhook_sender(struct http_request *request, struct api *api, const void *body, size_t length,
                    struct webhook_sender *sender);

#endif
