/* analysis.c: see analysis.h. */
#include "detector/analysis.h"

#include "common/clock.h"
#include "common/log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROOM_WAIT_MS = 30000 };

struct analyses {
    struct pipeline_settings pipeline;
    struct outlet *outlet;
    pthread_t thread;
    struct analysis_order order; /* the thread's own while it runs, path too */
    char *path;

    pthread_mutex_t lock; /* guards what follows; held for a copy */
    pthread_cond_t news;
    bool busy, cancelled, fresh;
    struct analysis_report report;
};

static bool cancelled(struct analyses *a)
{
    bool yes;

    pthread_mutex_lock(&a->lock);
    yes = a->cancelled;
    pthread_mutex_unlock(&a->lock);
    return yes;
}

static void on_threat(void *context, const struct threat *threat)
{
    struct analyses *a = context;
    int64_t until = clock_monotonic_ms() + ROOM_WAIT_MS;
    bool taken;

    while (!outlet_room(a->outlet, 500) && clock_monotonic_ms() < until && !cancelled(a))
        ;
    taken = outlet_take(a->outlet, threat, a->order.name, a->order.job[0] ? a->order.job : NULL);
    pthread_mutex_lock(&a->lock);
    ++*(taken ? &a->report.notices : &a->report.lost);
    pthread_mutex_unlock(&a->lock);
}

static void on_evidence(void *context, const struct threat *threat, const struct evidence_pcap *pcap)
{
    struct analyses *a = context;

    outlet_evidence(a->outlet, threat->id, pcap->bytes, pcap->length);
}

static bool on_progress(void *context, const struct reader_progress *progress)
{
    struct analyses *a = context;
    bool go_on;

    pthread_mutex_lock(&a->lock);
    a->report.progress = *progress;
    a->fresh = true;
    go_on = !a->cancelled;
    pthread_cond_broadcast(&a->news);
    pthread_mutex_unlock(&a->lock);
    return go_on;
}

/* Without the place where the upload lies: that is nobody's business. */
static const char *without_path(const char *text, const char *path)
{
    size_t length = strlen(path);

    return strncmp(text, path, length) == 0 && strncmp(text + length, ": ", 2) == 0 ? text + length + 2 : text;
}

static void *analyse(void *argument)
{
    struct analyses *a = argument;
    const struct reader_settings settings = {.pipeline = a->pipeline,
                                             .job = a->order.job,
                                             .on_threat = on_threat,
                                             .on_evidence = on_evidence,
                                             .on_progress = on_progress,
                                             .context = a};
    struct pipeline_counters counters;
    struct err err = {0};
    char problem[sizeof err.text];
    enum reader_end end = reader_file(a->path, &settings, &counters, &err);

    snprintf(problem, sizeof problem, "%s", without_path(err.text, a->path));
    if (a->order.temporary)
        unlink(a->path);
    free(a->path);
    a->path = NULL;
    log_info("analysis.ended", "file=\"%s\" job=\"%s\" packets=%llu flows=%llu threats=%llu end=%d error=\"%s\"",
             a->order.name, a->order.job, (unsigned long long)counters.packets,
             (unsigned long long)counters.flow.flows, (unsigned long long)counters.verdict.threats, (int)end,
             problem);
    pthread_mutex_lock(&a->lock);
    a->report.over = true;
    a->report.end = end;
    a->report.progress.counters = counters;
    snprintf(a->report.problem, sizeof a->report.problem, "%s", problem);
    pthread_cond_broadcast(&a->news);
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

struct analyses *analyses_create(const struct pipeline_settings *pipeline, struct outlet *outlet, struct err *err)
{
    struct analyses *a = calloc(1, sizeof *a);
    pthread_condattr_t monotonic;

    if (a == NULL) {
        err_set(err, ERR_MEMORY, "analysis: out of memory");
        return NULL;
    }
    a->pipeline = *pipeline;
    a->outlet = outlet;
    pthread_mutex_init(&a->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&a->news, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return a;
}

void analyses_free(struct analyses *a)
{
    struct analysis_report report;

    if (a == NULL)
        return;
    analyses_cancel(a);
    for (report.over = !a->busy; !report.over;)
        analyses_wait(a, 1000, &report);
    pthread_mutex_destroy(&a->lock);
    pthread_cond_destroy(&a->news);
    free(a);
}

bool analyses_begin(struct analyses *a, const struct analysis_order *order, struct err *err)
{
    bool busy;

    pthread_mutex_lock(&a->lock);
    busy = a->busy;
    a->busy = true;
    if (!busy) {
        a->cancelled = a->fresh = false;
        memset(&a->report, 0, sizeof a->report);
    }
    pthread_mutex_unlock(&a->lock);
    if (busy)
        return err_set(err, ERR_UNAVAILABLE, "another file is being analysed");
    a->order = *order;
    a->path = strdup(order->path);
    if (a->path == NULL || pthread_create(&a->thread, NULL, analyse, a) != 0) {
        free(a->path);
        pthread_mutex_lock(&a->lock);
        a->busy = false;
        pthread_mutex_unlock(&a->lock);
        return err_set(err, ERR_SYSTEM, "analysis: no thread to be had");
    }
    pthread_setname_np(a->thread, "analysis");
    return true;
}

void analyses_wait(struct analyses *a, int ms, struct analysis_report *out)
{
    int64_t until = clock_monotonic_ms() + ms;
    struct timespec at = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};

    pthread_mutex_lock(&a->lock);
    while (!a->fresh && !a->report.over && clock_monotonic_ms() < until)
        pthread_cond_timedwait(&a->news, &a->lock, &at);
    a->fresh = false;
    *out = a->report;
    pthread_mutex_unlock(&a->lock);
    if (!out->over)
        return;
    pthread_join(a->thread, NULL);
    pthread_mutex_lock(&a->lock);
    a->busy = false;
    pthread_mutex_unlock(&a->lock);
}

void analyses_cancel(struct analyses *a)
{
    pthread_mutex_lock(&a->lock);
    a->cancelled = true;
    pthread_mutex_unlock(&a->lock);
}
