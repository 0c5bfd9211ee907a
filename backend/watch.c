/* watch.c: see watch.h. */
#include "backend/watch.h"

#include "backend/store.h"
#include "common/log.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct row {
    const char *kind; /* NULL: every round */
    watch_read *read;
    void *context;
    pthread_mutex_t reading; /* guards generation and serialises reads of this kind; held over the store's answer */
    int64_t generation;
    bool failing; /* logged already */
};

struct watch {
    struct store *store;
    struct row rows[WATCH_ROWS];
    size_t count; /* fixed once the thread runs */
    pthread_t thread;
    bool running;
    pthread_mutex_t lock; /* guards stop; held for a moment */
    pthread_cond_t wake;
    bool stop;
};

struct watch *watch_create(struct store *store)
{
    struct watch *watch = calloc(1, sizeof *watch);
    pthread_condattr_t attributes;

    if (watch == NULL)
        return NULL;
    watch->store = store;
    pthread_mutex_init(&watch->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&watch->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    return watch;
}

void watch_stop(struct watch *watch)
{
    if (!watch->running)
        return;
    pthread_mutex_lock(&watch->lock);
    watch->stop = true;
    pthread_cond_signal(&watch->wake);
    pthread_mutex_unlock(&watch->lock);
    pthread_join(watch->thread, NULL);
    watch->running = false;
}

void watch_free(struct watch *watch)
{
    if (watch == NULL)
        return;
    watch_stop(watch);
    for (size_t i = 0; i < watch->count; i++)
        pthread_mutex_destroy(&watch->rows[i].reading);
    pthread_cond_destroy(&watch->wake);
    pthread_mutex_destroy(&watch->lock);
    free(watch);
}

/* The generation is asked for before the read, so that a write between the two is read once more, never missed. */
static bool row_read(struct watch *watch, struct row *row, bool always, struct err *err)
{
    int64_t generation = 0;
    bool ok = true;

    pthread_mutex_lock(&row->reading);
    if (row->kind == NULL) {
        ok = row->read(row->context, err);
    } else {
        ok = store_doc_generation(watch->store, row->kind, &generation, err);
        if (ok && (always || generation != row->generation)) {
            ok = row->read(row->context, err);
            if (ok)
                row->generation = generation;
        }
    }
    if (!ok && !row->failing)
        log_warn("watch.failed", "kind=%s error=\"%s\"", row->kind != NULL ? row->kind : "-", err->text);
    row->failing = !ok;
    pthread_mutex_unlock(&row->reading);
    return ok;
}

bool watch_add(struct watch *watch, const char *kind, watch_read *read, void *context, struct err *err)
{
    struct row *row = &watch->rows[watch->count];
    struct err local = {0};

    assert(watch->count < WATCH_ROWS && !watch->running);
    row->kind = kind;
    row->read = read;
    row->context = context;
    pthread_mutex_init(&row->reading, NULL);
    watch->count++;
    if (kind == NULL || row_read(watch, row, true, &local))
        return true;
    return err_set(err, local.code, "%s", local.text);
}

void watch_changed(struct watch *watch, const char *kind)
{
    struct err err = {0};

    for (size_t i = 0; i < watch->count; i++)
        if (watch->rows[i].kind != NULL && strcmp(watch->rows[i].kind, kind) == 0)
            row_read(watch, &watch->rows[i], true, &err);
}

void watch_round(struct watch *watch)
{
    for (size_t i = 0; i < watch->count; i++) {
        struct err err = {0};
        row_read(watch, &watch->rows[i], false, &err);
    }
}

static bool wait_a_period(struct watch *watch)
{
    struct timespec until;
    bool go_on;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += WATCH_PERIOD_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&watch->lock);
    while (!watch->stop && pthread_cond_timedwait(&watch->wake, &watch->lock, &until) == 0)
        ;
    go_on = !watch->stop;
    pthread_mutex_unlock(&watch->lock);
    return go_on;
}

static void *watch_run(void *context)
{
    while (wait_a_period(context))
        watch_round(context);
    return NULL;
}

bool watch_start(struct watch *watch, struct err *err)
{
    if (pthread_create(&watch->thread, NULL, watch_run, watch) != 0)
        return err_set(err, ERR_SYSTEM, "watch: cannot start a thread");
    pthread_setname_np(watch->thread, "watch");
    watch->running = true;
    return true;
}
