/* committer.c: one thread, one batch a commit. */
#include "backend/committer.h"

#include "common/clock.h"
#include "common/log.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = 1000, WAITING = 20000, PROBE_MS = 1000 };

struct committer {
    struct store *store;
    struct committer_settings settings;
    pthread_t thread;
    /* lock guards all below and every waiting order; held for a moment, never over a commit or a callback. */
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct committer_order *first, **last;
    size_t waiting; /* items of the list that have no answer yet */
    bool stopping, away;
    struct err why; /* why it is away */
    struct committer_figures figures;
};

/* A batch: copies of the items, so that store_insert has them in one row, and where each belongs. */
struct batch {
    struct store_item *items;
    struct store_item **homes;
    size_t count;
};

static void wait_ms(struct committer *c, int64_t ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&c->work, &c->lock, &until);
}

/* Under the lock: the oldest orders first, each from where it stopped. */
static void take_batch(struct committer *c, struct batch *batch)
{
    batch->count = 0;
    for (struct committer_order *r = c->first; r != NULL && batch->count < c->settings.max_batch; r = r->next)
        for (; r->taken < r->count && batch->count < c->settings.max_batch; r->taken++) {
            batch->items[batch->count] = r->items[r->taken];
            batch->homes[batch->count++] = &r->items[r->taken];
        }
}

static void count_results(struct committer_figures *figures, const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        figures->stored += batch->items[i].result == STORE_STORED;
        figures->updated += batch->items[i].result == STORE_UPDATED;
        figures->duplicate += batch->items[i].result == STORE_DUPLICATE;
        figures->different += batch->items[i].result == STORE_DIFFERENT;
        figures->invalid += batch->items[i].result == STORE_REFUSED;
    }
    figures->items += (int64_t)batch->count;
    figures->batches++;
}

/* Under the lock: everything taken has its answer now. Gives the orders that are whole or have failed, off the
 * list: to be let go without the lock. */
static struct committer_order *settle(struct committer *c, const struct err *failure)
{
    struct committer_order **link = &c->first, *over = NULL, **last = &over;

    while (*link != NULL) {
        struct committer_order *r = *link;

        if (r->taken == r->settled) { /* nothing of it was in the batch */
            link = &r->next;
            continue;
        }
        c->waiting -= r->taken - r->settled;
        r->settled = r->taken;
        if (failure != NULL) {
            r->failed = true;
            r->err = *failure;
            c->waiting -= r->count - r->settled;
        } else if (r->settled < r->count) {
            link = &r->next;
            continue;
        }
        *link = r->next;
        if (c->last == &r->next)
            c->last = link;
        r->settled = r->count;
        *last = r;
        last = &r->next;
    }
    *last = NULL;
    return over;
}

static void let_go(struct committer_order *over)
{
    while (over != NULL) {
        struct committer_order *next = over->next;

        over->done(over->context, over->failed ? &over->err : NULL);
        over = next;
    }
}

/* Under the lock on both ends: the store is away, so nobody waits for it. */
static void refuse_all(struct committer *c)
{
    for (struct committer_order *r = c->first; r != NULL; r = r->next) {
        c->figures.refused += (int64_t)(r->count - r->settled);
        r->taken = r->count;
    }
    struct committer_order *over = settle(c, &c->why);

    pthread_mutex_unlock(&c->lock);
    let_go(over);
    pthread_mutex_lock(&c->lock);
}

static int by_seq(const void *a, const void *b)
{
    int64_t left = (*(struct store_item *const *)a)->seq, right = (*(struct store_item *const *)b)->seq;

    return (left > right) - (left < right);
}

/* Results go home first, so that stored sees the item as its submitter will. */
static void publish(struct committer *c, struct batch *batch)
{
    size_t count = 0;

    for (size_t i = 0; i < batch->count; i++) {
        *batch->homes[i] = batch->items[i];
        if (batch->items[i].result == STORE_STORED || batch->items[i].result == STORE_UPDATED)
            batch->homes[count++] = batch->homes[i];
    }
    qsort(batch->homes, count, sizeof *batch->homes, by_seq);
    for (size_t i = 0; c->settings.stored != NULL && i < count; i++)
        c->settings.stored(c->settings.context, batch->homes[i]);
}

static void note_away(struct committer *c, const struct err *err)
{
    if (!c->away)
        log_error("store.away", "why=\"%s\"", err->text);
    c->away = true;
    c->why = *err;
    c->why.code = ERR_UNAVAILABLE;
}

/* Under the lock on both ends; it is free during the commit. */
static void write_batch(struct committer *c, struct batch *batch)
{
    struct committer_order *over;
    struct err err = {0};
    int64_t began, took;
    bool ok;

    pthread_mutex_unlock(&c->lock);
    began = clock_monotonic_ns();
    ok = store_insert(c->store, batch->items, batch->count, &err);
    took = (clock_monotonic_ns() - began) / 1000;
    if (ok)
        publish(c, batch);
    pthread_mutex_lock(&c->lock);
    c->figures.commit_us += took;
    if (took > c->figures.commit_us_max)
        c->figures.commit_us_max = took;
    if (ok) {
        count_results(&c->figures, batch);
    } else {
        c->figures.failed++;
        note_away(c, &err); /* the next probe finds out whether it was the store or this batch */
    }
    over = settle(c, ok ? NULL : &c->why);
    pthread_mutex_unlock(&c->lock);
    let_go(over);
    pthread_mutex_lock(&c->lock);
}

static void probe(struct committer *c)
{
    struct err err = {0};
    bool ok;

    pthread_mutex_unlock(&c->lock);
    ok = store_ping(c->store, &err);
    pthread_mutex_lock(&c->lock);
    if (ok) {
        c->away = false;
        log_info("store.back", "kind=%s", store_kind(c->store));
    } else {
        note_away(c, &err);
    }
}

static void *run(void *context)
{
    struct committer *c = context;
    struct batch batch = {.items = calloc(c->settings.max_batch, sizeof *batch.items),
                          .homes = calloc(c->settings.max_batch, sizeof *batch.homes)};

    pthread_mutex_lock(&c->lock);
    if (batch.items == NULL || batch.homes == NULL) {
        err_set(&c->why, ERR_UNAVAILABLE, "out of memory");
        c->stopping = c->away = true;
    }
    while (!c->stopping || c->first != NULL) {
        if (c->away) {
            refuse_all(c);
            if (c->stopping)
                break;
            wait_ms(c, PROBE_MS);
            if (!c->stopping)
                probe(c);
        } else if (c->first == NULL) {
            pthread_cond_wait(&c->work, &c->lock);
        } else {
            take_batch(c, &batch);
            write_batch(c, &batch);
        }
    }
    pthread_mutex_unlock(&c->lock);
    free(batch.items);
    free(batch.homes);
    return NULL;
}

struct committer *committer_start(struct store *store, const struct committer_settings *settings, struct err *err)
{
    struct committer *c = calloc(1, sizeof *c);
    pthread_condattr_t monotonic;

    if (c == NULL) {
        err_set(err, ERR_MEMORY, "committer: out of memory");
        return NULL;
    }
    c->store = store;
    if (settings != NULL)
        c->settings = *settings;
    if (c->settings.max_batch == 0)
        c->settings.max_batch = BATCH;
    if (c->settings.max_waiting == 0)
        c->settings.max_waiting = WAITING;
    c->last = &c->first;
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&c->work, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&c->thread, NULL, run, c) == 0) {
        pthread_setname_np(c->thread, "committer");
        return c;
    }
    err_set(err, ERR_SYSTEM, "committer: no thread could be started");
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->work);
    free(c);
    return NULL;
}

/* Under the lock. */
static bool may_enter(struct committer *c, size_t count, struct err *err)
{
    if (c->stopping)
        err_set(err, ERR_UNAVAILABLE, "the service is stopping");
    else if (c->away)
        err_set(err, ERR_UNAVAILABLE, "%s", c->why.text);
    else if (c->waiting + count > c->settings.max_waiting)
        err_set(err, ERR_UNAVAILABLE, "too much is waiting to be stored (%zu)", c->waiting);
    else
        return true;
    c->figures.refused += (int64_t)count;
    return false;
}

bool committer_order(struct committer *c, struct committer_order *order, struct err *err)
{
    for (size_t i = 0; i < order->count; i++) {
        order->items[i].result = STORE_REFUSED;
        order->items[i].seq = 0;
        order->items[i].json = NULL;
        order->items[i].message[0] = '\0';
    }
    order->next = NULL;
    order->taken = order->settled = 0;
    order->failed = false;
    pthread_mutex_lock(&c->lock);
    if (!may_enter(c, order->count, err)) {
        pthread_mutex_unlock(&c->lock);
        return false;
    }
    *c->last = order;
    c->last = &order->next;
    c->waiting += order->count;
    if (c->first == order)
        pthread_cond_signal(&c->work);
    pthread_mutex_unlock(&c->lock);
    return true;
}

/* On the submitter's stack; gone as soon as done is posted. Each wakes by itself and needs no lock then: many that
 * wake at once and ask for one lock would queue up behind each other. */
struct waiter {
    sem_t done;
    struct err *err;
    bool ok;
};

static void wake(void *context, const struct err *err)
{
    struct waiter *waiter = context;

    waiter->ok = err == NULL || err_set(waiter->err, err->code, "%s", err->text);
    sem_post(&waiter->done);
}

bool committer_submit(struct committer *c, struct store_item *items, size_t count, struct err *err)
{
    struct waiter waiter = {.err = err};
    struct committer_order order = {.items = items, .count = count, .done = wake, .context = &waiter};

    if (count == 0)
        return true;
    sem_init(&waiter.done, 0, 0);
    if (committer_order(c, &order, err))
        while (sem_wait(&waiter.done) != 0)
            ; /* EINTR */
    sem_destroy(&waiter.done);
    return waiter.ok;
}

void committer_read(struct committer *c, struct committer_figures *figures)
{
    pthread_mutex_lock(&c->lock);
    *figures = c->figures;
    figures->waiting = (int64_t)c->waiting;
    figures->away = c->away;
    pthread_mutex_unlock(&c->lock);
}

void committer_stop(struct committer *c)
{
    if (c == NULL)
        return;
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    pthread_cond_broadcast(&c->work);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL); /* its last act is to let the submitters go; none touches c any more */
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->work);
    free(c);
}
