/* retention.c: a thread that looks once a minute. */
#include "backend/retention.h"

#include "backend/removal.h"
#include "backend/store.h"
#include "common/clock.h"
#include "common/log.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum { DAY_MS = 24 * 3600 * 1000, ROUND_MAX = 100000 /* threats in one round: the next one follows soon */ };

struct retention {
    struct api *api;
    pthread_t thread;
    pthread_mutex_t lock; /* guards stop */
    pthread_cond_t wake;
    bool stop;
};

static bool by_age(struct api *api, int64_t now_ms, int64_t *removed, struct err *err)
{
    struct removal removal = {.api = api};
    bool ok;

    if (api->settings->retention_days == 0)
        return true;
    ok = removal_run(&removal, now_ms - (int64_t)api->settings->retention_days * DAY_MS, true, ROUND_MAX, err);
    *removed += removal.count;
    return ok;
}

static bool nothing(void *context, int64_t seq, const char *json)
{
    (void)context;
    (void)seq;
    (void)json;
    return false;
}

/* The oldest go, a bounded number a round. */
static bool forget(struct api *api, int64_t now_ms, int64_t count, int64_t *removed, struct err *err)
{
    struct removal removal = {.api = api};
    bool ok = count <= 0 || removal_run(&removal, now_ms + 1, true, count < ROUND_MAX ? count : ROUND_MAX, err);

    *removed += removal.count;
    return ok;
}

static bool count_all(struct store *store, int64_t *total, struct err *err)
{
    const struct store_query query = {.with_suppressed = true, .limit = 1};

    *total = -1;
    return store_find(store, &query, nothing, NULL, total, err);
}

static bool by_count(struct api *api, int64_t now_ms, int64_t *removed, struct err *err)
{
    int64_t total;

    if (api->settings->retention_threats == 0)
        return true;
    return count_all(api->store, &total, err) &&
           forget(api, now_ms, total - api->settings->retention_threats, removed, err);
}

/* What a threat takes is guessed from all of them, so it may need several rounds. */
static bool by_disk(struct api *api, int64_t now_ms, int64_t *removed, struct err *err)
{
    int64_t bytes = 0, disk = 0, allowed, total;

    if (api->settings->retention_disk == 0)
        return true;
    if (!store_size(api->store, &bytes, &disk, err))
        return false;
    allowed = disk / 100 * api->settings->retention_disk;
    if (disk == 0 || bytes <= allowed)
        return true;
    return count_all(api->store, &total, err) &&
           forget(api, now_ms, 1 + (int64_t)((double)total * (double)(bytes - allowed) / (double)bytes), removed,
                  err);
}

bool retention_round(struct api *api, int64_t now_ms, int64_t *removed, struct err *err)
{
    *removed = 0;
    return by_age(api, now_ms, removed, err) && by_count(api, now_ms, removed, err) &&
           by_disk(api, now_ms, removed, err);
}

static void *run(void *context)
{
    struct retention *retention = context;
    bool stop = false;

    while (!stop) {
        struct timespec until;
        int64_t removed = 0;
        struct err err = {0};

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += RETENTION_PERIOD_S;
        pthread_mutex_lock(&retention->lock);
        if (!retention->stop)
            pthread_cond_timedwait(&retention->wake, &retention->lock, &until);
        stop = retention->stop;
        pthread_mutex_unlock(&retention->lock);
        if (stop)
            break;
        if (!retention_round(retention->api, clock_now_ms(), &removed, &err))
            log_warn("retention.failed", "reason=\"%s\"", err.text);
        if (removed > 0)
            log_info("retention.removed", "threats=%lld", (long long)removed);
    }
    return NULL;
}

struct retention *retention_start(struct api *api, struct err *err)
{
    struct retention *retention = calloc(1, sizeof *retention);

    if (retention == NULL) {
        err_set(err, ERR_MEMORY, "retention: out of memory");
        return NULL;
    }
    retention->api = api;
    pthread_mutex_init(&retention->lock, NULL);
    pthread_cond_init(&retention->wake, NULL);
    if (pthread_create(&retention->thread, NULL, run, retention) != 0) {
        free(retention);
        err_set(err, ERR_SYSTEM, "retention: cannot start a thread");
        return NULL;
    }
    pthread_setname_np(retention->thread, "retention");
    return retention;
}

void retention_stop(struct retention *retention)
{
    if (retention == NULL)
        return;
    pthread_mutex_lock(&retention->lock);
    retention->stop = true;
    pthread_cond_signal(&retention->wake);
    pthread_mutex_unlock(&retention->lock);
    pthread_join(retention->thread, NULL);
    pthread_cond_destroy(&retention->wake);
    pthread_mutex_destroy(&retention->lock);
    free(retention);
}
