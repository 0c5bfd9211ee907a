/* webhook_sender.c: who may hand in threats: a signature, an API key, or an address of a trusted network. */
#include "backend/webhook.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/signature.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEYS_MAX = 256,
    LARGE_AT_ONCE = 4 /* arrays that may be in memory at one time */
};

struct webhook {
    char *secret_file;
    /* guards keys and count; held for one check; written by a reload only */
    pthread_rwlock_t lock;
    struct signature_key *keys;
    size_t count;
    atomic_int places;
};

bool webhook_reload(struct webhook *webhook, struct err *err)
{
    struct signature_key *keys;
    size_t count = 0;

    if (webhook->secret_file == NULL)
        return true;
    keys = calloc(KEYS_MAX, sizeof *keys);
    if (keys == NULL)
        return err_set(err, ERR_MEMORY, "webhook secrets: out of memory");
    if (!signature_read_keys(webhook->secret_file, keys, KEYS_MAX, &count, err)) {
        free(keys);
        return false;
    }
    pthread_rwlock_wrlock(&webhook->lock);
    struct signature_key *old = webhook->keys;
    webhook->keys = keys;
    webhook->count = count;
    pthread_rwlock_unlock(&webhook->lock);
    free(old);
    return true;
}

struct webhook *webhook_open(const char *secret_file, struct err *err)
{
    struct webhook *webhook = calloc(1, sizeof *webhook);

    if (webhook == NULL || (secret_file != NULL && (webhook->secret_file = strdup(secret_file)) == NULL)) {
        free(webhook);
        err_set(err, ERR_MEMORY, "webhook: out of memory");
        return NULL;
    }
    pthread_rwlock_init(&webhook->lock, NULL);
    atomic_init(&webhook->places, LARGE_AT_ONCE);
    if (!webhook_reload(webhook, err)) {
        webhook_close(webhook);
        return NULL;
    }
    return webhook;
}

void webhook_close(struct webhook *webhook)
{
    if (webhook == NULL)
        return;
    pthread_rwlock_destroy(&webhook->lock);
    free(webhook->keys);
    free(webhook->secret_file);
    free(webhook);
}

size_t webhook_secrets(struct webhook *webhook)
{
    pthread_rwlock_rdlock(&webhook->lock);
    size_t count = webhook->count;
    pthread_rwlock_unlock(&webhook->lock);
    return count;
}

bool webhook_take_place(struct webhook *webhook)
{
    if (atomic_fetch_sub(&webhook->places, 1) > 0)
        return true;
    atomic_fetch_add(&webhook->places, 1);
    return false;
}

void webhook_give_place(struct webhook *webhook)
{
    atomic_fetch_add(&webhook->places, 1);
}

static bool unauthorized(struct http_request *request, const char *why)
{
    http_add_header(request, "WWW-Authenticate", "Signature realm=\"threatline-webhook\"");
    http_fail(request, 401, "unauthorized", "%s", why);
    return false;
}

/* Without a credential: only straight from a trusted network. What a proxy hands on comes from its client, so a
 * request with X-Forwarded-For counts as its client's, and as nobody's when the proxy is unknown. */
static bool trusted(struct http_request *request, struct api *api)
{
    char client[46];

    if (http_header(request, "Origin") != NULL) {
        http_fail(request, 403, "forbidden", "A page of a browser may not use the webhook without a credential");
        return false;
    }
    api_client(request, api, client);
    if ((http_header(request, "X-Forwarded-For") != NULL || http_header(request, "Forwarded") != NULL) &&
        !networks_have(&api->proxies, http_peer(request)))
        return unauthorized(request, "The webhook was called through an unknown proxy: a signature or an API key is "
                                     "needed");
    if (!networks_have(&api->trusted, client))
        return unauthorized(request, "A signature or an API key is needed");
    return true;
}

bool webhook_may_come(struct http_request *request, struct api *api)
{
    if (http_header(request, "webhook-signature") != NULL || http_header(request, "X-API-Key") != NULL)
        return true;
    return trusted(request, api);
}

static bool signed_by(struct http_request *request, struct api *api, const void *body, size_t length,
                      struct webhook_sender *sender)
{
    const char *id = http_header(request, "webhook-id"), *time = http_header(request, "webhook-timestamp");
    const struct signature_key *who = NULL;
    struct webhook *webhook = api->webhook;
    struct err err = {0};
    bool ok = false;

    if (id == NULL || time == NULL)
        return unauthorized(request, "webhook-id and webhook-timestamp are missing");
    pthread_rwlock_rdlock(&webhook->lock);
    if (signature_check(webhook->keys, webhook->count, http_header(request, "webhook-signature"), id, time,
                        clock_now_ms() / 1000, body, length, &who, &err)) {
        ok = true;
        snprintf(sender->name, sizeof sender->name, "%s", who->sensor);
        sender->bound = who->sensor[0] != '\0';
    }
    pthread_rwlock_unlock(&webhook->lock);
    return ok || unauthorized(request, err.text);
}

bool webhook_sender(struct http_request *request, struct api *api, const void *body, size_t length,
                    struct webhook_sender *sender)
{
    const char *key = http_header(request, "X-API-Key");
    struct err err = {0};

    memset(sender, 0, sizeof *sender);
    if (http_header(request, "webhook-signature") != NULL)
        return signed_by(request, api, body, length, sender);
    if (key == NULL)
        return trusted(request, api);
    if (auth_key_allows(api, key, "webhook", sender->name, &sender->bound, &err))
        return true;
    if (err.code == ERR_UNAVAILABLE)
        api_fail(request, &err);
    else if (err.code == ERR_DENIED)
        http_fail(request, 403, "forbidden", "The API key may not use the webhook");
    else
        unauthorized(request, "Unknown API key");
    return false;
}
